//! How far a `process` is: a bar on a terminal, else a plain line every few seconds.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::base::events::ItemOutcome;

/// Between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// The bar's form; the message counts failures.
const BAR: &str = "{prefix} [{bar:30}] {pos}/{len} {msg} {elapsed} (left: {eta})";

/// The progress of the current job, if there is one.
pub struct Progress {
    shown: bool,
    job: Mutex<Option<Job>>,
}

struct Job {
    bar: Option<ProgressBar>,
    counts: Arc<Mutex<Counts>>,
    /// Dropped when the job ends: that ends the thread of plain lines.
    _plain: Option<Sender<()>>,
}

#[derive(Default)]
struct Counts {
    done: usize,
    failed: usize,
}

impl Progress {
    /// Progress that is shown or kept to itself.
    pub fn new(shown: bool) -> Progress {
        Progress { shown, job: Mutex::default() }
    }

    /// A job begins.
    pub fn start(&self, name: &str, to_do: Option<usize>) {
        if !self.shown || to_do == Some(0) {
            return;
        }
        let counts = Arc::<Mutex<Counts>>::default();
        let terminal = std::io::stderr().is_terminal();
        let bar = terminal.then(|| bar(name, to_do));
        let plain = (!terminal).then(|| plain_lines(name.into(), to_do, counts.clone()));
        *self.lock() = Some(Job { bar, counts, _plain: plain });
    }

    /// An item of the job has ended.
    pub fn item_ended(&self, outcome: ItemOutcome) {
        if let Some(job) = &*self.lock() {
            let mut counts = job.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.done += 1;
            counts.failed += usize::from(outcome == ItemOutcome::Failed);
            if let Some(bar) = &job.bar {
                bar.inc(1);
                bar.set_message(failures(counts.failed));
            }
        }
    }

    /// The job has ended.
    pub fn end(&self) {
        if let Some(bar) = self.lock().take().and_then(|job| job.bar) {
            bar.finish_and_clear();
        }
    }

    /// Prints something without tearing the bar.
    pub fn hide(&self, print: impl FnOnce()) {
        let bar = self.lock().as_ref().and_then(|job| job.bar.clone());
        match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Job>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bar(name: &str, to_do: Option<usize>) -> ProgressBar {
    let bar = to_do.map_or_else(ProgressBar::new_spinner, |n| ProgressBar::new(n as u64));
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(name.to_string());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// A thread that writes a line now and then, until the sender is dropped.
fn plain_lines(name: String, to_do: Option<usize>, counts: Arc<Mutex<Counts>>) -> Sender<()> {
    let (sender, receiver) = mpsc::channel::<()>();
    let started = Instant::now();
    std::thread::spawn(move || {
        while let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(PLAIN_EVERY) {
            let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            let of = to_do.map(|n| format!(" of {n}")).unwrap_or_default();
            let seconds = started.elapsed().as_secs();
            let failures = failures(counts.failed);
            plain_line(&format!("{name}: {}{of} {failures}after {seconds} s", counts.done));
        }
    });
    sender
}

fn failures(failed: usize) -> String {
    if failed == 0 { String::new() } else { format!("({failed} failed) ") }
}

fn plain_line(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
