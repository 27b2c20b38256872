//! The work on a job's items: what becomes of each, and when the rest is not begun.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::dry::Sample;
use super::super::observer::Observer;
use super::super::replay::Replay;
use super::super::{Scope, World, plan};
use super::{BadItem, Files, Job, Unread, changed};
use crate::base::events::{Event, ItemOutcome};
use crate::base::panic::catch_panic;
use crate::base::{Error, Kind, Result};
use crate::store::Version;
use crate::store::checkpoint::Record;
use crate::store::failed::FailedItem;
use crate::store::ledger::Ending;

/// So many first items failing alike at one place stop the run: the next thousand would, too.
const ALIKE: usize = 5;

/// The work on the items that are to do: shared by all workers.
pub(super) struct Shift<'a, T> {
    world: &'a World,
    job: &'a Job<'a, T>,
    files: &'a Files,
    /// The items that a dry run tries.
    sample: Option<Sample>,
    tally: Mutex<Tally>,
    /// Items that were begun.
    begun: AtomicUsize,
    /// A mistake of the script that no other item will be free of.
    fatal: Mutex<Option<Error>>,
    closed: AtomicBool,
}

/// How items ended.
#[derive(Default)]
pub(super) struct Tally {
    pub completed: usize,
    pub incomplete: usize,
    pub failures: Vec<Error>,
    failed_ids: HashSet<String>,
    /// Those that failed on replies that were kept.
    failed_on_kept: Vec<String>,
    pub by_kind: BTreeMap<String, usize>,
}

impl Tally {
    /// Items that have ended, in whatever way.
    pub fn ended(&self) -> usize {
        self.completed + self.incomplete + self.failures.len()
    }
}

impl<'a, T: Send> Shift<'a, T> {
    /// Nothing is done yet.
    pub fn new(world: &'a World, job: &'a Job<'a, T>, files: &'a Files, sample: Option<Sample>) -> Self {
        let (tally, fatal) = (Mutex::default(), Mutex::default());
        Shift {
            world,
            job,
            files,
            sample,
            tally,
            begun: AtomicUsize::new(0),
            fatal,
            closed: AtomicBool::new(false),
        }
    }

    /// Whether more items are begun.
    pub fn goes_on(&self) -> bool {
        !self.closed.load(Ordering::Acquire) && self.world.stop.check().is_ok()
    }

    /// Does an item, and keeps its record or why there is none.
    pub fn work_on(&self, item: Unread<T>, version: Option<Version>) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let item = match item() {
            Ok(item) => item,
            Err(BadItem { id: Some(id), error }) => return self.fail(&id, error),
            Err(BadItem { id: None, error }) => return self.give_up(error),
        };
        let Some(version) = version.filter(|version| plan::is_version_of(*version, &item.plain)) else {
            return self.fail(&item.id, changed());
        };
        let minutes = self.world.config.limits.item_minutes;
        let deadline = Instant::now().checked_add(Duration::from_secs(minutes.saturating_mul(60)));
        let weight = self.sample.as_ref().map(|sample| sample.weight(&item.id));
        let replay = Arc::new(self.world.replay(&self.files.key, &item.id));
        let scope = Scope { weight, replay: Some(replay.clone()), ..Scope::item(&item.id, deadline) };
        let id = item.id.clone();
        match catch_panic("an item", || (self.job.worker)(item, scope)) {
            Ok(value) => match labelled(value, &id, version) {
                Ok(record) => self.keep(&id, record, &replay),
                Err(error) => self.give_up(error),
            },
            Err(error) if error.kind().stops_the_run() => self.world.stop.drain_because(error),
            Err(error) => match replay.end(Ending::Failed) {
                Ok(()) => {
                    if replay.gave_only_kept() {
                        self.tally().failed_on_kept.push(id.clone());
                    }
                    self.fail(&id, error);
                }
                Err(disk) => self.world.stop.drain_because(disk),
            },
        }
    }

    fn keep(&self, id: &str, record: Record, replay: &Replay) {
        let complete = record.is_complete();
        let seen = self.seen(id);
        let append = || self.files.checkpoint.as_ref().map_or(Ok(()), |checkpoint| checkpoint.keep(&record));
        // What is of no use is marked before the record stands, and an item is complete only after it.
        let kept = match complete {
            true => append().and_then(|()| replay.end(Ending::Complete)),
            false => replay.end(Ending::Incomplete).and_then(|()| append()),
        };
        if let Err(error) = kept {
            return self.world.stop.drain_because(error);
        }
        if let Some((observer, before)) = seen {
            observer.record_kept(&self.files.key, id, before.as_ref(), &record.value());
        }
        if let Some(failed) = &self.files.failed {
            failed.forget(id);
        }
        let mut tally = self.tally();
        let outcome = if complete { ItemOutcome::Completed } else { ItemOutcome::Incomplete };
        match complete {
            true => tally.completed += 1,
            false => tally.incomplete += 1,
        }
        drop(tally);
        if self.job.is_told(self.world) {
            self.world.emit(Event::ItemEnded { id: id.into(), outcome, error: None });
        }
    }

    /// Who looks on, and the record that stands there now.
    fn seen(&self, id: &str) -> Option<(&dyn Observer, Option<Value>)> {
        let observer = self.world.observer.as_deref().filter(|_| !self.job.is_nested())?;
        let before = self.files.checkpoint.as_ref().and_then(|kept| kept.record(id).ok().flatten());
        Some((observer, before))
    }

    fn fail(&self, id: &str, error: Error) {
        if let Err(disk) = self.note_failure(id, &error) {
            return self.world.stop.drain_because(disk);
        }
        let mut tally = self.tally();
        *tally.by_kind.entry(error.kind_name().to_string()).or_default() += 1;
        tally.failures.push(error.clone());
        tally.failed_ids.insert(id.into());
        let first = tally.completed + tally.incomplete == 0 && tally.failures.len() == ALIKE;
        let repeats = first && alike(&tally.failures);
        drop(tally);
        self.world.emit(Event::ItemEnded {
            id: id.into(),
            outcome: ItemOutcome::Failed,
            error: Some(error.clone()),
        });
        if repeats {
            self.world.stop.drain_because(repeating(&error));
        } else if self.world.options.fail_fast {
            self.closed.store(true, Ordering::Release);
        }
    }

    fn note_failure(&self, id: &str, error: &Error) -> Result<()> {
        let Some(failed) = &self.files.failed else { return Ok(()) };
        let attempts = failed.attempts(id) + 1;
        let redo = self.files.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.contains_complete(id));
        failed.append(&self.world.project, FailedItem { redo, ..FailedItem::new(id, error, attempts) })
    }

    fn give_up(&self, error: Error) {
        self.closed.store(true, Ordering::Release);
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells how many items were begun and have not ended, when the run stops.
    pub fn tell_of_unended(&self) {
        let unended = self.begun.load(Ordering::Relaxed).saturating_sub(self.tally().ended());
        let stopped = self.world.stop.check().err();
        let Some(_) = stopped.filter(|_| unended > 0 && self.job.is_told(self.world)) else { return };
        let items = match unended {
            1 => "1 item stopped in its middle and goes on".to_string(),
            _ => format!("{unended} items stopped in their middle and go on"),
        };
        self.world.emit(Event::Info(format!("{}: {items} there next time", self.job.name)));
    }

    /// Tells of items that failed without having asked anything: what they were told does not change by itself.
    pub fn tell_of_kept(&self) {
        let tally = self.tally();
        let Some(first) = tally.failed_on_kept.first().filter(|_| self.job.is_told(self.world)) else {
            return;
        };
        let (kept, all) = (tally.failed_on_kept.len(), tally.failures.len());
        let text = format!(
            "{}: {kept} of {all} failed on replies that are kept: `fthost retry {first} --fresh` asks the models anew",
            self.job.name
        );
        drop(tally);
        self.world.emit(Event::Info(text));
    }

    /// After the last item: the failed file holds what still fails.
    pub fn close(self) -> Result<Tally> {
        let tally = self.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let (Some(failed), Some(checkpoint)) = (&self.files.failed, &self.files.checkpoint) {
            let project = &self.world.project;
            failed
                .settle(project, |id| tally.failed_ids.contains(id) || !checkpoint.contains_complete(id))?;
        }
        self.fatal.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(tally), Err)
    }
}

/// The record with its id and version. Anything else would be lost, for every item: that ends the job.
fn labelled(value: Value, id: &str, version: Version) -> Result<Record> {
    let hint = "end it with the item's record: #{id: item.id, ...}";
    let fault =
        |what: String| Error::new(Kind::Argument, format!("the closure of `process` returned {what}"));
    let Value::Object(mut record) = value else {
        let found = if value.is_null() { "()".to_string() } else { value.to_string() };
        return Err(fault(format!("no record for the item `{id}`, but {found}")).hint(hint));
    };
    match record.get("id") {
        None => drop(record.shift_insert(0, "id".into(), id.into())),
        Some(Value::String(own)) if own == id => {}
        Some(other) => {
            return Err(fault(format!("a record with the id {other} for the item `{id}`")).hint(hint));
        }
    }
    record.insert("_version".into(), version.to_string().into());
    Record::of(&record).map_err(|what| {
        fault(format!("a record for the item `{id}` that cannot be kept: {what}"))
            .hint("`complete` is true or false; a record without it is complete")
    })
}

/// Of one kind, at one place.
fn alike(failures: &[Error]) -> bool {
    let same =
        |error: &Error| error.kind_name() == failures[0].kind_name() && error.place() == failures[0].place();
    failures.iter().all(same)
}

fn repeating(error: &Error) -> Error {
    let mut stop =
        Error::new(Kind::Repeating, format!("the first {ALIKE} items all failed alike: {}", error.message()))
            .or_hint(error.get_hint().map(str::to_string))
            .trace(error.get_trace().to_vec());
    if let Some(place) = error.place() {
        stop = stop.at(place.clone());
    }
    stop.or_hint(Some("mend it and run again: the other items are pending, nothing is lost".into()))
}
