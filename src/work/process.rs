//! The heart: items worked on in parallel, each record durable before it counts, failures kept
//! apart, and the whole resumable.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::dry::{self, Sample};
use super::plan::{self, Fate, Held, Plan, Version};
use super::{Scope, World, pool};
use crate::base::events::{Event, ItemOutcome};
use crate::base::panic::catch_panic;
use crate::base::{Error, Kind, Result};
use crate::store::checkpoint::{Checkpoint, Claim, Entry, Mode};
use crate::store::failed::{FailedFile, FailedItem};

/// So many first items failing alike at one place stop the run: the next thousand would, too.
const ALIKE: usize = 5;

/// An item as `process` sees it: what it is for the worker stays the worker's business.
pub struct Item<T> {
    /// Unique.
    pub id: String,
    /// As plain JSON, for its version.
    pub plain: Value,
    /// What the worker gets.
    pub payload: T,
}

/// An item that cannot be read. With an id it fails alone, without one the whole job does.
pub struct BadItem {
    /// Whose it is, when that is known all the same.
    pub id: Option<String>,
    /// Why.
    pub error: Error,
}

impl From<Error> for BadItem {
    fn from(error: Error) -> BadItem {
        BadItem { id: None, error }
    }
}

/// Items, as often as they are asked for: once to plan, once to work.
pub trait Items<T>: Sync {
    /// The items from the first on.
    fn pass(&self) -> Box<dyn Iterator<Item = Result<Item<T>, BadItem>> + Send + '_>;
}

/// The value of `options.version` for an item.
pub type VersionOf<'a, T> = &'a (dyn Fn(&T) -> Result<Value> + Sync);

/// What is to be done.
pub struct Job<'a, T> {
    /// The checkpoint's path; without one nothing is kept.
    pub checkpoint: Option<String>,
    /// Its name in messages and in the ledger.
    pub name: String,
    /// Whether an item of another job runs it: then it is no step of the run that progress shows.
    pub nested: bool,
    /// Items at a time.
    pub concurrency: usize,
    /// The items.
    pub items: &'a dyn Items<T>,
    /// Identity of the backends in use.
    pub backends: String,
    /// Hash of the code.
    pub code: String,
    /// What else the record depends on.
    pub version_of: VersionOf<'a, T>,
    /// Makes an item's record.
    pub worker: &'a (dyn Fn(T, Scope) -> Result<Value> + Sync),
}

/// Runs a job; the summary is what scripts get.
pub fn run<T: Send>(world: &World, job: Job<T>) -> Result<Map<String, Value>> {
    let started = Instant::now();
    let files = Files::open(world, job.checkpoint.as_deref())?;
    let (mut plan, versions) = plan(world, &job, &files)?;
    let sample = dry::sample(world, &job.name, job.nested, &mut plan);
    files.forget_left_out(&plan);
    let to_do = plan.count(Fate::ToDo);
    if job.is_told(world) {
        world.emit(Event::ProcessStarted { job: job.name.clone(), to_do: Some(to_do) });
    }
    let shift = Shift::new(world, &job, &files, sample);
    let items = job.items.pass().zip(plan.fates.iter().zip(versions)).take_while(|_| shift.goes_on());
    let open = items.filter(|(_, (fate, _))| **fate == Fate::ToDo);
    pool::run(&world.threads, job.concurrency, open, |(item, (_, version))| shift.work_on(item, &version));
    let to_the_end = shift.goes_on();
    shift.tell_of_lost();
    let tally = world.stop_on_disk_error(shift.close())?;
    if let Some(dry) = world.dry.as_ref().filter(|_| !job.nested) {
        dry.failed(&job.name, tally.failures.len());
    }
    let summary = summary(&plan, &tally, to_do, started.elapsed());
    if job.is_told(world) {
        world.emit(Event::ProcessEnded { job: job.name.clone(), summary: Value::Object(summary.clone()) });
    }
    world.stop.check()?;
    if to_the_end && tally.ended() < to_do { Err(changed()) } else { Ok(summary) }
}

impl<T> Job<'_, T> {
    /// Whether its course is told: that of a dry run is none of the real thing.
    fn is_told(&self, world: &World) -> bool {
        !self.nested && world.dry.is_none()
    }
}

/// The checkpoint and its failed file, when there is one.
#[derive(Default)]
struct Files {
    checkpoint: Option<Arc<Checkpoint>>,
    failed: Option<FailedFile>,
    _claim: Option<Claim>,
}

impl Files {
    fn open(world: &World, path: Option<&str>) -> Result<Files> {
        let Some(path) = path else { return Ok(Files::default()) };
        let opened = world.checkpoint(path, Mode::Run)?;
        let claim = opened.claim()?;
        let failed = FailedFile::open(&world.project, path)?;
        Ok(Files { checkpoint: Some(opened), failed: Some(failed), _claim: Some(claim) })
    }

    /// What a run would make anew and a dry run leaves out has no record: later steps would take the old one
    /// for the new.
    fn forget_left_out(&self, plan: &Plan) {
        if let Some(checkpoint) = self.checkpoint.as_ref().filter(|_| plan.count(Fate::LeftOut) > 0) {
            checkpoint.retain(|id| plan.fate(id) != Some(Fate::LeftOut));
        }
    }

    /// What is known of an item's record, unless it is to be redone whatever the record says.
    fn entry(&self, id: &str) -> Option<Entry> {
        if self.failed.as_ref().is_some_and(|failed| failed.wants_redo(id)) {
            return None;
        }
        self.checkpoint.as_ref()?.entry(id)
    }
}

/// First pass: every item's fate and version, before anything runs.
fn plan<T>(world: &World, job: &Job<T>, files: &Files) -> Result<(Plan, Vec<String>)> {
    let (mut plan, mut versions) = (Plan::default(), Vec::new());
    let limit = world.options.limit.filter(|_| !job.nested).unwrap_or(usize::MAX);
    for item in job.items.pass().take(limit) {
        world.stop.check()?;
        let item = match item {
            Ok(item) => item,
            Err(BadItem { id: Some(id), .. }) => {
                plan.add_unreadable(&id)?;
                versions.push(String::new());
                continue;
            }
            Err(BadItem { id: None, error }) => return Err(error),
        };
        let option = (job.version_of)(&item.payload)?;
        let version = Version::new(&item.plain, &job.backends, &job.code, &option);
        let entry = files.entry(&item.id);
        let held = entry.as_ref().map(|e| Held { version: e.version.as_deref(), complete: e.complete });
        plan.add(&item.id, &version, held, &world.options.redo)?;
        versions.push(version.text());
    }
    for id in world.options.redo.ids().iter().filter(|id| !job.nested && !plan.has(id)) {
        world.emit(Event::Warning(format!("--redo: {} has no item `{id}`", job.name)));
    }
    Ok((plan, versions))
}

/// The work on the items that are to do: shared by all workers.
struct Shift<'a, T> {
    world: &'a World,
    job: &'a Job<'a, T>,
    name: Arc<str>,
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

#[derive(Default)]
struct Tally {
    completed: usize,
    incomplete: usize,
    failures: Vec<Error>,
    failed_ids: HashSet<String>,
    by_kind: BTreeMap<String, usize>,
}

impl Tally {
    fn ended(&self) -> usize {
        self.completed + self.incomplete + self.failures.len()
    }
}

impl<'a, T: Send> Shift<'a, T> {
    fn new(world: &'a World, job: &'a Job<'a, T>, files: &'a Files, sample: Option<Sample>) -> Self {
        let (tally, fatal) = (Mutex::default(), Mutex::default());
        Shift {
            world,
            job,
            name: job.name.as_str().into(),
            files,
            sample,
            tally,
            begun: AtomicUsize::new(0),
            fatal,
            closed: AtomicBool::new(false),
        }
    }

    fn goes_on(&self) -> bool {
        !self.closed.load(Ordering::Acquire) && self.world.stop.check().is_ok()
    }

    fn work_on(&self, item: Result<Item<T>, BadItem>, version: &str) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let item = match item {
            Ok(item) => item,
            Err(BadItem { id: Some(id), error }) => return self.fail(&id, error),
            Err(BadItem { id: None, error }) => return self.give_up(error),
        };
        if !plan::is_version_of(version, &item.plain) {
            return self.fail(&item.id, changed());
        }
        let minutes = self.world.config.limits.item_minutes;
        let deadline = Instant::now().checked_add(Duration::from_secs(minutes.saturating_mul(60)));
        let weight = self.sample.as_ref().map(|sample| sample.weight(&item.id));
        let scope = Scope { weight, ..Scope::item(&self.name, &item.id, deadline) };
        match catch_panic("an item", || (self.job.worker)(item.payload, scope)) {
            Ok(value) => match labelled(value, &item.id, version) {
                Ok(record) => self.keep(&item.id, record),
                Err(error) => self.give_up(error),
            },
            Err(error) if error.kind().stops_the_run() => self.world.stop.drain_because(error),
            Err(error) => self.fail(&item.id, error),
        }
    }

    fn keep(&self, id: &str, record: Map<String, Value>) {
        let complete = record.get("complete") != Some(&Value::Bool(false));
        let kept = self.files.checkpoint.as_ref().map_or(Ok(()), |checkpoint| checkpoint.append(&record));
        if let Err(error) = kept {
            return self.world.stop.drain_because(error);
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

    /// Tells how many items were begun for nothing, when the run stops before their end.
    fn tell_of_lost(&self) {
        let lost = self.begun.load(Ordering::Relaxed).saturating_sub(self.tally().ended());
        let Some(why) = self.world.stop.check().err().filter(|_| lost > 0 && self.job.is_told(self.world))
        else {
            return;
        };
        let items = if lost == 1 {
            "1 item that was begun starts"
        } else {
            &format!("{lost} items that were begun start")
        };
        let less = match why.kind() {
            Kind::Budget => "; a smaller --concurrency loses fewer",
            _ => "",
        };
        self.world.emit(Event::Info(format!("{}: {items} anew next time{less}", self.name)));
    }

    /// After the last item: the failed file holds what still fails.
    fn close(self) -> Result<Tally> {
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
fn labelled(value: Value, id: &str, version: &str) -> Result<Map<String, Value>> {
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
    record.insert("_version".into(), version.into());
    Ok(record)
}

/// The error of items that are others in the second pass: what was planned does not hold for them.
fn changed() -> Error {
    Error::new(Kind::Data, "the items changed while the run was reading them")
        .hint("run again when nothing writes their file any more")
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

fn summary(plan: &Plan, tally: &Tally, to_do: usize, time: Duration) -> Map<String, Value> {
    let value = json!({
        "total": plan.fates.len(),
        "skipped": plan.count(Fate::Done),
        "stale": plan.stale,
        "stale_because": plan.stale_because,
        // As after a real run: the script goes on as it would then.
        "completed": tally.completed + plan.count(Fate::LeftOut),
        "incomplete": tally.incomplete,
        "failed": tally.failures.len(),
        "failed_by_kind": tally.by_kind,
        "pending": to_do - tally.ended(),
        "seconds": (time.as_secs_f64() * 1000.0).round() / 1000.0,
    });
    value.as_object().cloned().unwrap_or_default()
}
