//! How far a `process` is, and what each backend does: bars on a terminal, else plain lines every few
//! seconds; for machines, events.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use jiff::Zoned;
use serde_json::{Value, json};

use super::traffic::{Line, Traffic};
use crate::base::events::ItemOutcome;

/// Between two looks at the backends on a terminal.
const BARS_EVERY: Duration = Duration::from_secs(1);

/// Between two plain lines, and between two events.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// The bar's form; the message counts failures.
const BAR: &str = "{prefix} [{bar:30}] {pos}/{len} {msg} {elapsed}{left}";

/// Writes an event for machines.
pub type Machine = Box<dyn Fn(&Value) + Send + Sync>;

/// The progress of the current job, if there is one.
pub struct Progress {
    shown: bool,
    machine: Option<Arc<Machine>>,
    traffic: Mutex<Option<Arc<Traffic>>>,
    running: Mutex<Option<Running>>,
}

struct Running {
    job: Arc<Job>,
    /// Dropped when the job ends: that ends the ticking.
    _ticking: Sender<()>,
}

impl Progress {
    /// Progress that is shown or kept to itself, and told to machines or not.
    pub fn new(shown: bool, machine: Option<Machine>) -> Progress {
        let (traffic, running) = Default::default();
        Progress { shown, machine: machine.map(Arc::new), traffic, running }
    }

    /// Looks at these backends from the next job on.
    pub fn watch(&self, traffic: Traffic) {
        *self.traffic.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(traffic));
    }

    /// A job begins.
    pub fn start(&self, name: &str, to_do: Option<usize>) {
        if to_do == Some(0) || !self.shown && self.machine.is_none() {
            return;
        }
        let sight = match (self.shown, std::io::stderr().is_terminal()) {
            (true, true) => Sight::Bars(Bars::new(name, to_do)),
            (true, false) => Sight::Plain,
            (false, _) => Sight::Nothing,
        };
        let job = Arc::new(Job {
            name: name.into(),
            to_do,
            started: Instant::now(),
            counts: Mutex::default(),
            sight,
            machine: self.machine.clone(),
            traffic: self.traffic.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        });
        let ticking = tick(job.clone());
        *self.lock() = Some(Running { job, _ticking: ticking });
    }

    /// An item of the job has ended.
    pub fn item_ended(&self, outcome: ItemOutcome) {
        if let Some(running) = &*self.lock() {
            running.job.item_ended(outcome);
        }
    }

    /// The job has ended.
    pub fn end(&self) {
        let ended = self.lock().take();
        if let Some(Sight::Bars(bars)) = ended.as_ref().map(|running| &running.job.sight) {
            bars.clear();
        }
    }

    /// Prints something without tearing the bars.
    pub fn hide(&self, print: impl FnOnce()) {
        let job = self.lock().as_ref().map(|running| running.job.clone());
        match job.as_ref().map(|job| &job.sight) {
            Some(Sight::Bars(bars)) => bars.all.suspend(print),
            _ => print(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Job {
    name: String,
    to_do: Option<usize>,
    started: Instant,
    counts: Mutex<Counts>,
    sight: Sight,
    machine: Option<Arc<Machine>>,
    traffic: Option<Arc<Traffic>>,
}

/// Where a job is seen.
enum Sight {
    Bars(Bars),
    Plain,
    Nothing,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    done: usize,
    failed: usize,
}

/// Looks at a job now and then, until the sender is dropped.
fn tick(job: Arc<Job>) -> Sender<()> {
    let (sender, receiver) = mpsc::channel::<()>();
    let every =
        if matches!(job.sight, Sight::Bars(_)) && job.machine.is_none() { BARS_EVERY } else { PLAIN_EVERY };
    std::thread::spawn(move || {
        while let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(every) {
            job.show();
        }
    });
    sender
}

impl Job {
    fn item_ended(&self, outcome: ItemOutcome) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.done += 1;
        counts.failed += usize::from(outcome == ItemOutcome::Failed);
        if let Sight::Bars(bars) = &self.sight {
            bars.job.inc(1);
            bars.job.set_message(failures(counts.failed));
        }
    }

    fn show(&self) {
        let lines = self.traffic.as_ref().map_or(Vec::new(), |traffic| traffic.lines());
        let counts = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.sight {
            Sight::Bars(bars) => bars.show(&lines),
            Sight::Plain => self.plain(counts, &lines),
            Sight::Nothing => {}
        }
        if let Some(machine) = &self.machine {
            machine(&self.event(counts, &lines));
        }
    }

    fn plain(&self, counts: Counts, lines: &[Line]) {
        let of = self.to_do.map(|n| format!(" of {n}")).unwrap_or_default();
        let (failures, seconds) = (failures(counts.failed), self.started.elapsed().as_secs());
        let head = format!("{}: {}{of} {failures}after {seconds} s", self.name, counts.done);
        let now = Zoned::now();
        let all: Vec<String> = lines.iter().map(|line| format!("\n  {}", line.text(&now))).collect();
        plain_line(&format!("{head}{}", all.concat()));
    }

    fn event(&self, counts: Counts, lines: &[Line]) -> Value {
        let backends: Vec<Value> = lines.iter().map(Line::json).collect();
        json!({
            "event": "progress",
            "job": self.name,
            "done": counts.done,
            "failed": counts.failed,
            "to_do": self.to_do,
            "seconds": self.started.elapsed().as_secs(),
            "backends": backends,
        })
    }
}

/// The job's bar, and below it a line for each backend.
struct Bars {
    all: MultiProgress,
    job: ProgressBar,
    backends: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Bars {
    fn new(name: &str, to_do: Option<usize>) -> Bars {
        let all = MultiProgress::new();
        let job = to_do.map_or_else(ProgressBar::new_spinner, |n| ProgressBar::new(n as u64));
        let job = all.add(job);
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            job.set_style(style.progress_chars("=> ").with_key("left", left));
        }
        job.set_prefix(name.to_string());
        job.enable_steady_tick(Duration::from_millis(250));
        Bars { all, job, backends: Mutex::default() }
    }

    fn show(&self, lines: &[Line]) {
        let now = Zoned::now();
        let mut backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines {
            let bar = backends.entry(line.name.clone()).or_insert_with(|| self.all.add(text_line()));
            bar.set_message(line.text(&now));
        }
    }

    fn clear(&self) {
        let backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        backends.values().for_each(ProgressBar::finish_and_clear);
        self.job.finish_and_clear();
    }
}

/// How long the rest will take, once an item has ended.
fn left(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    if state.pos() > 0 {
        let _ = write!(out, " (left: {})", HumanDuration(state.eta()));
    }
}

/// A line of the display that is no bar.
fn text_line() -> ProgressBar {
    let line = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("  {wide_msg}") {
        line.set_style(style);
    }
    line
}

fn failures(failed: usize) -> String {
    if failed == 0 { String::new() } else { format!("({failed} failed) ") }
}

fn plain_line(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
