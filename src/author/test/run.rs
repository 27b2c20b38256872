//! Runs tests: on all processors, each in a world of its own, told in their order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Case, Found, Tests, world};
use crate::base::cancel::Stop;
use crate::base::panic::catch_panic;
use crate::base::{Error, Kind, Result};
use crate::host::Session;
use crate::script::engine::on_script_thread;
use crate::script::library::{Unit, definition_place};
use crate::store::Project;
use crate::store::snapshots::Snapshots;
use crate::work::pool;
use crate::work::testing::{Said, Test};
use crate::work::threads::Threads;

/// How tests are run.
pub struct Running<'a> {
    /// A directory for what they write.
    pub scratch: &'a Path,
    /// Write snapshots instead of holding values against them.
    pub update: bool,
    /// How long a test may take.
    pub time: Duration,
    /// Tests at a time.
    pub width: usize,
    /// What `now_utc()` says.
    pub now: fn() -> String,
}

/// A test that has run.
pub struct Ran {
    /// Which.
    pub case: Case,
    /// How long it took.
    pub seconds: f64,
    /// Whether it passed, and what was wrong if not.
    pub result: Result<()>,
    /// What it said.
    pub said: Vec<String>,
}

impl Tests {
    /// Runs tests, and gives each to `each` when those before it are done. Gives the snapshots that no test asked for.
    pub fn run(&self, found: &Found, how: &Running, each: impl FnMut(&Ran) + Send) -> Result<Vec<String>> {
        let snapshots = Arc::new(Snapshots::of(&self.root, how.update));
        let failed = Mutex::new(found.broken.clone());
        let queue = Mutex::new(Queue { next: 0, waiting: BTreeMap::new(), each });
        let one = |(place, case): (usize, &Case)| {
            let ran = self.run_case(found, case, how, &snapshots);
            if ran.result.is_err() {
                failed.lock().unwrap_or_else(PoisonError::into_inner).push(case.file.clone());
            }
            queue.lock().unwrap_or_else(PoisonError::into_inner).hand_in(place, ran);
        };
        on_script_thread(|| {
            pool::run(&Threads::with_cap(how.width), how.width, found.cases.iter().enumerate(), one);
            Ok(())
        })?;
        if found.filtered {
            return Ok(Vec::new());
        }
        // A test that failed may not have come to its snapshots.
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(snapshots.unused(&failed.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    fn run_case(&self, found: &Found, case: &Case, how: &Running, snapshots: &Arc<Snapshots>) -> Ran {
        let (started, said) = (Instant::now(), Arc::new(Said::default()));
        let result = self.attempt(found, case, how, Test::new(&case.file, snapshots.clone(), said.clone()));
        Ran { case: case.clone(), seconds: started.elapsed().as_secs_f64(), result, said: said.all() }
    }

    fn attempt(&self, found: &Found, case: &Case, how: &Running, test: Test) -> Result<()> {
        let missing = || Error::new(Kind::Internal, format!("{} is not loaded", case.file));
        let unit = found.units.iter().find(|unit| unit.path == case.file).ok_or_else(missing)?;
        let scratch = tempfile::tempdir_in(how.scratch)
            .map_err(|e| Error::io(Kind::Disk, "make", "a temporary directory", &e))?;
        let session = self.session_of(found, how, scratch.path(), test)?;
        let call = || catch_panic("a test", || call(&session, unit, &case.name));
        let result = within(how.time, &session.world.stop, call);
        session.world.close();
        session.world.let_go();
        result.map_err(|error| error.at(definition_place(unit, &case.name)))
    }

    /// The world of one test.
    fn session_of(&self, found: &Found, how: &Running, scratch: &Path, test: Test) -> Result<Session> {
        let project = Project::open(&self.root)?.with_empty_data(scratch)?;
        let mut world = world(project, self.config.clone(), test.said.clone());
        // One thing after the other: so replies are asked for, and things said, in the same order each time.
        world.threads = Threads::none();
        world.clock = Box::new(how.now);
        world.locks = true;
        world.test = Some(test);
        Ok(Session::of_parts(world, &self.parts, &found.units))
    }
}

fn call(session: &Session, unit: &Unit, name: &str) -> Result<()> {
    let ended = session.call(unit, name);
    session.world.test.as_ref().map_or(Ok(()), |test| test.outcome(ended))
}

/// Stops what `f` does when its time is up.
fn within<T>(time: Duration, stop: &Stop, f: impl FnOnce() -> T) -> T {
    let (done, ended) = mpsc::channel::<()>();
    let watch = move || {
        if ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
            stop.drain_because(too_long(time));
            stop.abort();
        }
    };
    std::thread::scope(|scope| {
        // Without it the test is only held by its limit of operations.
        let _ = std::thread::Builder::new().name("watch".into()).spawn_scoped(scope, watch);
        let result = f();
        drop(done);
        result
    })
}

fn too_long(time: Duration) -> Error {
    Error::new(Kind::Test, format!("the test took longer than {} s", time.as_secs_f64()))
        .hint("does a loop never end? Else give it more time: --timeout SECONDS")
}

/// Tests that have run, until all before them have.
struct Queue<F> {
    next: usize,
    waiting: BTreeMap<usize, Ran>,
    each: F,
}

impl<F: FnMut(&Ran)> Queue<F> {
    fn hand_in(&mut self, place: usize, ran: Ran) {
        self.waiting.insert(place, ran);
        while let Some(ran) = self.waiting.remove(&self.next) {
            (self.each)(&ran);
            self.next += 1;
        }
    }
}
