//! The heart: items worked on in parallel, each record durable before it counts, failures kept
//! apart, and the whole resumable.

mod shift;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::plan::{Extra, Fate, Held, Origin, Plan};
use super::{Scope, World, dry, pool};
use crate::base::events::Event;
use crate::base::{Error, Kind, Result};
use crate::store::checkpoint::{Checkpoint, Claim, Entry, Mode};
use crate::store::failed::FailedFile;
use crate::store::ledger::{self, JobPlan, nobody_waits};
use shift::{Shift, Tally};

/// An item as `process` sees it: what it is for the worker stays the worker's business.
pub struct Item<T> {
    /// Unique.
    pub id: String,
    /// As plain JSON, for its version.
    pub plain: Value,
    /// What the worker gets besides.
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
    fn pass(&self) -> Box<dyn Iterator<Item = Unread<'_, T>> + Send + '_>;
}

/// Reads an item: of a million that are done, only the first pass asks for them.
pub type Unread<'a, T> = Box<dyn FnOnce() -> Result<Item<T>, BadItem> + Send + 'a>;

/// What `options.version` comes to for an item.
pub type VersionOf<'a, T> = &'a (dyn Fn(&Item<T>) -> Result<Extra> + Sync);

/// What is to be done.
pub struct Job<'a, T> {
    /// The checkpoint's path; without one nothing is kept.
    pub checkpoint: Option<String>,
    /// Its name in messages.
    pub name: String,
    /// The script that runs it.
    pub script: String,
    /// Where it is begun. In an item of another job it is no step of the run that progress shows.
    pub outer: &'a Scope,
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
    pub worker: &'a (dyn Fn(Item<T>, Scope) -> Result<Value> + Sync),
}

/// Runs a job; the summary is what scripts get.
pub fn run<T: Send>(world: &World, job: Job<T>) -> Result<Map<String, Value>> {
    let started = Instant::now();
    let files = Files::open(world, &job)?;
    let mut plan = plan(world, &job, &files)?;
    let sample = dry::sample(world, &job, &files.key, &mut plan)?;
    files.forget_left_out(&plan);
    let to_do = plan.count(Fate::ToDo);
    let observer = world.observer.as_ref().filter(|_| !job.is_nested());
    if let Some(observer) = observer {
        observer.job_begins(&files.key, &plan);
    }
    if job.is_told(world) {
        job.note(world, &files, plan.fates.len(), to_do);
        world.emit(Event::ProcessStarted { job: job.name.clone(), to_do: Some(to_do) });
    }
    let width = job.concurrency.min(to_do);
    world.threads.check(&job.name, width);
    let shift = Shift::new(world, &job, &files, sample);
    let items = job.items.pass().zip(plan.items()).take_while(|_| shift.goes_on());
    let open = items.filter(|(_, (fate, _))| *fate == Fate::ToDo);
    pool::run(&world.threads, width, open, |(item, (_, version))| shift.work_on(item, version));
    let to_the_end = shift.goes_on();
    shift.tell_of_unended();
    shift.tell_of_kept();
    let tally = world.stop_on_disk_error(shift.close())?;
    if let Some(dry) = world.dry.as_ref().filter(|_| !job.is_nested()) {
        dry.failed(&job.name, tally.failures.len());
    }
    let summary = summary(&plan, &tally, to_do, started.elapsed());
    if let Some(observer) = observer {
        observer.job_ended(&files.key, &summary);
    }
    if job.is_told(world) {
        world.emit(Event::ProcessEnded { job: job.name.clone(), summary: Value::Object(summary.clone()) });
    }
    world.stop.check()?;
    if to_the_end && tally.ended() < to_do { Err(changed()) } else { Ok(summary) }
}

impl<T> Job<'_, T> {
    /// Tells the ledger that it begins.
    fn note(&self, world: &World, files: &Files, items: usize, to_do: usize) {
        let (name, script) = (files.key.to_string(), self.script.clone());
        let checkpoint = files.checkpoint.as_ref().map(|opened| opened.path().to_string());
        // Of a limited run nobody knows how many there are.
        let total = world.options.limit.is_none().then_some(items);
        let plan = JobPlan { name, checkpoint, script, settings: world.settings.words(), total, to_do };
        world.ledger.write(ledger::Entry::Job(plan), nobody_waits());
    }

    /// Whether an item of another job runs it.
    pub fn is_nested(&self) -> bool {
        self.outer.item.is_some()
    }

    /// Whether its course is told: that of a dry run is none of the real thing.
    fn is_told(&self, world: &World) -> bool {
        !self.is_nested() && world.dry.is_none()
    }
}

/// What is known of a job from earlier runs: the checkpoint and its failed file, when there is one, and its name in
/// the ledger.
struct Files {
    /// The checkpoint's path, whatever a script calls the job and however it writes the path.
    key: Arc<str>,
    checkpoint: Option<Arc<Checkpoint>>,
    failed: Option<FailedFile>,
    _claim: Option<Claim>,
}

impl Files {
    fn open<T>(world: &World, job: &Job<T>) -> Result<Files> {
        let Some(path) = &job.checkpoint else {
            let key = world.job_key(job.outer, &job.name).into();
            return Ok(Files { key, checkpoint: None, failed: None, _claim: None });
        };
        let opened = world.checkpoint(path, Mode::Run)?;
        let claim = opened.claim()?;
        let failed = FailedFile::open(&world.project, path)?;
        let key = opened.path().into();
        Ok(Files { key, checkpoint: Some(opened), failed: Some(failed), _claim: Some(claim) })
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
fn plan<T>(world: &World, job: &Job<T>, files: &Files) -> Result<Plan> {
    let mut plan = Plan::default();
    let origin = Origin::new(&job.backends, &job.code);
    let limit = world.options.limit.filter(|_| !job.is_nested()).unwrap_or(usize::MAX);
    for item in job.items.pass().take(limit) {
        world.stop.check()?;
        let item = match item() {
            Ok(item) => item,
            Err(BadItem { id: Some(id), .. }) => {
                plan.add_unreadable(&id)?;
                continue;
            }
            Err(BadItem { id: None, error }) => return Err(error),
        };
        let version = origin.version(&item.plain, (job.version_of)(&item)?);
        let held = files.entry(&item.id).map(|e| Held { version: e.version, complete: e.complete });
        plan.add(&item.id, version, held, &world.options.redo)?;
    }
    for id in world.options.redo.ids().iter().filter(|id| !job.is_nested() && !plan.has(id)) {
        world.emit(Event::Warning(format!("--redo: {} has no item `{id}`", job.name)));
    }
    Ok(plan)
}

/// The error of items that are others in the second pass: what was planned does not hold for them.
fn changed() -> Error {
    Error::new(Kind::Data, "the items changed while the run was reading them")
        .hint("run again when nothing writes their file any more")
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
