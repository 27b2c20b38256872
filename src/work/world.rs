//! Everything with an effect, in one object that a test can swap: files, configuration, backends,
//! clock, events.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::backends::{Local, OpenBackends};
use super::budget::{Budget, Caps};
use super::dry::DryRun;
use super::plan::Redo;

use super::observer::Observer;
use super::replay::{self, Replay};
use super::scope::Scope;
use super::settings::Settings;
use super::testing::Test;
use super::threads::{STACK_BYTES, Threads};
use crate::base::cancel::Stop;
use crate::base::config::{BackendConfig, Config};
use crate::base::events::{Event, Events};
use crate::base::{Error, Kind, Result, hash};
use crate::llm::adapter::Functions;
use crate::llm::purse::{Purse, Unlimited};
use crate::llm::{Http, Shared};
use crate::pipeline::template::Templates;
use crate::store::Project;
use crate::store::checkpoint::{Checkpoint, Mode};
use crate::store::ledger::{Ledger, SqliteLedger, Sums};

/// How long requests may still take when the scripts have ended.
const LAST_CALLS: Duration = Duration::from_secs(60);

/// How long it takes to write down those that are given up then.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the command line says about a run; it wins over the scripts.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The first so many items, done ones included.
    pub limit: Option<usize>,
    /// What to do again.
    pub redo: Redo,
    /// Items at a time.
    pub concurrency: Option<usize>,
    /// Stop at the first failed item.
    pub fail_fast: bool,
    /// Ask anew what was answered before.
    pub fresh: bool,
}

/// Makes a script backend of its configuration: given by the layer that knows scripts.
pub type OpenLocal = Arc<dyn Fn(&str, &BackendConfig) -> Result<Local> + Send + Sync>;

/// Makes the functions of an adapter of its configuration, likewise.
pub type OpenAdapter = Arc<dyn Fn(&BackendConfig) -> Result<Functions> + Send + Sync>;

#[derive(Default)]
struct Openers {
    local: Option<OpenLocal>,
    adapter: Option<OpenAdapter>,
}

/// The Tokio runtime of a command, started when it is first needed. Cloning gives another handle on the same one:
/// worlds that follow each other share it.
#[derive(Clone, Default)]
pub struct CommandRuntime(Arc<OnceLock<Runtime>>);

impl CommandRuntime {
    /// The runtime.
    pub fn get(&self) -> Result<&Runtime> {
        if let Some(runtime) = self.0.get() {
            return Ok(runtime);
        }
        let built = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            // Some wires are scripts.
            .thread_stack_size(STACK_BYTES)
            .build();
        let runtime =
            built.map_err(|e| Error::new(Kind::Internal, format!("cannot start the runtime: {e}")))?;
        Ok(self.0.get_or_init(|| runtime))
    }
}

/// A secret by the name of its variable.
pub type Secrets = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The present moment, as RFC 3339 in UTC.
pub type Clock = Box<dyn Fn() -> String + Send + Sync>;

/// The world of one command.
pub struct World {
    /// The project's files.
    pub project: Arc<Project>,
    /// `config/fthost.yaml`.
    pub config: Config,
    /// Where events go.
    pub events: Arc<dyn Events>,
    /// How the run is told to stop.
    pub stop: Stop,
    /// What the command line says.
    pub options: RunOptions,
    /// The values of `-s`.
    pub settings: Settings,
    /// The clock of `now_utc()`.
    pub clock: Clock,
    /// Keys, by the name of their variable.
    pub secrets: Secrets,
    /// Helper threads that may still start.
    pub threads: Threads,
    /// The backends that are open.
    pub backends: OpenBackends,
    /// Every reply that was paid for.
    pub ledger: Arc<dyn Ledger>,
    /// Replies that were given again.
    pub replayed: AtomicU64,
    /// Replies that were paid for and could not be kept.
    pub unkept: Arc<AtomicU64>,
    /// What may be spent.
    pub budget: Budget,
    /// The templates that scripts rendered.
    pub templates: Templates,
    /// Slices left out because they are over their token budget.
    pub over_budget: AtomicU64,
    /// Whether looking at a checkpoint locks it: under `run`, so that no other run changes it meanwhile.
    pub locks: bool,
    /// What a dry run finds out, when this is one.
    pub dry: Option<DryRun>,
    /// What a test of scripts has, when this is one.
    pub test: Option<Test>,
    /// Who looks on.
    pub observer: Option<Arc<dyn Observer>>,
    /// The runtime of this command.
    pub runtime: CommandRuntime,
    openers: Mutex<Openers>,
    http: Http,
    /// Items that this run has begun afresh, by the hashes of job and id.
    fresh: Mutex<HashSet<(u64, u64)>>,
    /// Jobs without a checkpoint that were begun, by name.
    jobs: Mutex<HashMap<String, u32>>,
    /// Checkpoints of this run: held, so that they stay locked until it ends.
    checkpoints: Mutex<BTreeMap<String, Arc<Checkpoint>>>,
}

impl World {
    /// The world of a project, with defaults that a command changes. `command` is what the ledger says of it.
    pub fn new(
        project: Project,
        config: Config,
        events: Arc<dyn Events>,
        secrets: Secrets,
        command: &str,
    ) -> World {
        let (project, stop) = (Arc::new(project), Stop::default());
        let disk = stop.clone();
        let on_failure = Arc::new(move |error| disk.drain_because(error));
        let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::of(project.clone(), command, on_failure));
        let budget = Budget::new(ledger.clone(), Caps::default(), config.budget.into());
        World {
            project,
            config,
            threads: Threads::for_this_machine(events.clone()),
            events,
            stop,
            options: RunOptions::default(),
            settings: Settings::default(),
            clock: Box::new(|| jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            secrets,
            backends: OpenBackends::default(),
            ledger,
            replayed: AtomicU64::new(0),
            unkept: Arc::default(),
            budget,
            templates: Templates::default(),
            over_budget: AtomicU64::new(0),
            locks: false,
            dry: None,
            test: None,
            observer: None,
            runtime: CommandRuntime::default(),
            openers: Mutex::default(),
            http: Http::new(),
            fresh: Default::default(),
            jobs: Default::default(),
            checkpoints: Default::default(),
        }
    }

    /// Tells the outside.
    pub fn emit(&self, event: Event) {
        self.events.emit(event);
    }

    /// Sets how script backends and adapters are made.
    pub fn set_openers(&self, local: OpenLocal, adapter: OpenAdapter) {
        *self.lock_openers() = Openers { local: Some(local), adapter: Some(adapter) };
    }

    /// A script backend.
    pub fn open_local(&self, name: &str, config: &BackendConfig) -> Result<Local> {
        let open = self.lock_openers().local.clone();
        match open {
            Some(open) => open(name, config),
            None => Err(Error::new(Kind::Internal, "script backends are not available here")),
        }
    }

    /// The functions of an adapter.
    pub fn open_adapter(&self, config: &BackendConfig) -> Result<Functions> {
        let open = self.lock_openers().adapter.clone();
        match open {
            Some(open) => open(config),
            None => Err(Error::new(Kind::Internal, "adapters are not available here")),
        }
    }

    fn lock_openers(&self) -> std::sync::MutexGuard<'_, Openers> {
        self.openers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one Tokio runtime, started by the first call that needs it.
    pub fn runtime(&self) -> Result<&Runtime> {
        self.runtime.get()
    }

    /// Sets the caps of this command, beside those of the configuration; `earlier`: what the command has spent
    /// before this world began.
    pub fn cap(&mut self, caps: Caps, earlier: Sums) {
        self.budget = Budget::new(self.ledger.clone(), caps, self.config.budget.into()).after(earlier);
    }

    /// What the backends share.
    pub fn shared(&self) -> Shared {
        // Stubs cost nothing.
        let purse: Arc<dyn Purse> = match &self.dry {
            Some(_) => Arc::new(Unlimited),
            None => Arc::new(self.budget.clone()),
        };
        Shared { http: self.http.clone(), events: self.events.clone(), purse }
    }

    /// A checkpoint of this run: opened, locked and mended once, then shared.
    pub fn checkpoint(&self, path: &str, mode: Mode) -> Result<Arc<Checkpoint>> {
        let mut open = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(checkpoint) = open.get(path) {
            return Ok(checkpoint.clone());
        }
        let opened = self.stop_on_disk_error(Checkpoint::open(&self.project, path, mode))?;
        opened.warnings.into_iter().for_each(|text| self.emit(Event::Warning(text)));
        if mode == Mode::Run {
            open.insert(path.into(), opened.checkpoint.clone());
        }
        Ok(opened.checkpoint)
    }

    /// Gives the run's checkpoints back, and closes the ledger when no reply can come any more: an item that ran
    /// out of time does not wait for its last one. The world itself lives until [`let_go`](Self::let_go).
    pub fn close(&self) {
        self.stop.wait_for_calls(LAST_CALLS);
        if self.stop.calls() > 0 {
            self.stop.abort();
            self.stop.wait_for_calls(LAST_WORDS);
        }
        self.ledger.close();
        // Last: whoever has them next reads what was written until now.
        self.release();
    }

    /// Gives the checkpoints back, for other commands to take.
    pub fn release(&self) {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Gives up what holds the world itself: script backends and how they are made. Nothing runs in it any more.
    pub fn let_go(&self) {
        *self.lock_openers() = Openers::default();
        self.backends.clear();
        self.test.iter().for_each(Test::forget_stubs);
    }

    /// By which name the ledger knows a job without a checkpoint that is begun here. Two of one name are two
    /// jobs, and the same two in the next run.
    pub fn job_key(&self, scope: &Scope, name: &str) -> String {
        match &scope.replay {
            Some(replay) => replay.job_inside(&scope.branch, name),
            None => {
                let branch = replay::branch_name(&scope.branch);
                let name = if branch.is_empty() { name.into() } else { format!("{name} [{branch}]") };
                replay::numbered(&mut self.jobs.lock().unwrap_or_else(PoisonError::into_inner), name)
            }
        }
    }

    /// What an item was answered already: with `--fresh` nothing, the first time that this run works on it.
    pub fn replay(&self, job: &Arc<str>, item: &str) -> Replay {
        let first_time = || {
            let id = (hash::short(job), hash::short(item));
            self.fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(id)
        };
        Replay::new(self.ledger.clone(), job, item, self.options.fresh && first_time())
    }

    /// The present moment; in an item the one that it was told before.
    pub fn now(&self, scope: &Scope) -> Result<String> {
        match &scope.replay {
            Some(replay) => replay.time(&scope.branch, &self.clock),
            None => Ok((self.clock)()),
        }
    }

    /// Passes a result on; a failed write to disk stops the run, so that nothing more is paid for.
    pub fn stop_on_disk_error<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && error.kind() == Kind::Disk
        {
            self.stop.drain_because(error.clone());
        }
        result
    }

    /// An error on its way into a script, noted when it is what fails a test.
    pub fn noted(&self, error: Error) -> Error {
        match &self.test {
            Some(test) if error.kind() == Kind::Test => test.fails(error),
            _ => error,
        }
    }

    /// The slices left out since this was last asked.
    pub fn take_over_budget(&self) -> u64 {
        self.over_budget.swap(0, Ordering::Relaxed)
    }

    /// Counts slices that were left out, for the summary.
    pub fn count_over_budget(&self, slices: usize) {
        self.over_budget.fetch_add(slices as u64, Ordering::Relaxed);
    }
}
