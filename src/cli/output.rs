//! Where words go: results to stdout, progress and remarks to stderr, JSON events instead of results.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Zoned;
use serde_json::Value;

use super::progress::{Machine, Progress};
use super::traffic::{Look, Traffic};
use super::waits::{Waits, one_line};
use super::{clock, json};
use crate::base::events::{Event, Events, ItemOutcome};
use crate::base::{Error, report};

/// Characters of a line where nobody knows how many there is room for.
const WIDTH: usize = 100;

/// The terminal, or whatever stands in its place.
#[derive(Clone)]
pub struct Output(Arc<Inner>);

struct Inner {
    quiet: bool,
    json: bool,
    machines: Machines,
    verbose: Mutex<bool>,
    progress: Progress,
    waits: Waits,
    /// Errors of items, for the summary.
    failures: Mutex<Vec<(String, Error)>>,
}

impl Output {
    /// An output for a command.
    pub fn new(quiet: bool, json: bool) -> Output {
        let machines = Machines::default();
        let machine = machines.clone();
        let machine = move |value: &Value| machine.tell(value, false);
        let progress = Progress::new(!quiet, json.then(|| Box::new(machine) as Machine));
        let (verbose, waits, failures) = Default::default();
        Output(Arc::new(Inner { quiet, json, machines, verbose, progress, waits, failures }))
    }

    /// Says every item as it ends.
    pub fn set_verbose(&self, verbose: bool) {
        *self.0.verbose.lock().unwrap_or_else(PoisonError::into_inner) = verbose;
    }

    /// A result for stdout; not when stdout is for machines.
    pub fn result(&self, text: &str) {
        if !self.0.json {
            self.0.progress.hide(|| line(&mut std::io::stdout().lock(), text));
        }
    }

    /// An event for machines.
    pub fn machine(&self, value: &Value) {
        if self.0.json {
            self.0.machines.tell(value, false);
        }
    }

    /// An event that only machines are told.
    pub fn machine_event(&self, event: &Event) {
        self.machine(&json::event(event, &Zoned::now()));
    }

    /// The last event for machines: whoever comes later, on whatever thread, is not heard.
    pub fn last(&self, value: &Value) {
        if self.0.json {
            self.0.machines.tell(value, true);
        }
    }

    /// A remark on stderr.
    pub fn remark(&self, text: &str) {
        if !self.0.quiet {
            self.0.progress.hide(|| line(&mut std::io::stderr().lock(), text));
        }
    }

    /// A remark for those who want to know more.
    pub fn detail(&self, text: &str) {
        if self.is_verbose() {
            self.remark(text);
        }
    }

    /// Whether every item is said.
    pub fn is_verbose(&self) -> bool {
        *self.0.verbose.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error, as a report on stderr.
    pub fn error(&self, error: &Error) {
        self.machine(&json::error("error", error));
        self.report(error);
    }

    /// An error's report alone: machines are told in another event.
    pub fn report(&self, error: &Error) {
        let text = report::render(error, self.colour());
        self.0.progress.hide(|| line(&mut std::io::stderr().lock(), text.trim_end()));
    }

    /// A failed test on stderr: its title, its error's report, and what it said. Machines are told in another event.
    pub fn failure(&self, title: &str, error: &Error, said: &[String]) {
        let mut text = format!("{title}\n{}", report::render(error, self.colour()));
        if !said.is_empty() {
            text += "what it said:\n";
            said.iter().flat_map(|text| text.lines()).for_each(|line| text += &format!("  | {line}\n"));
        }
        self.0.progress.hide(|| line(&mut std::io::stderr().lock(), &text));
    }

    /// A warning's report alone: machines are told in another event.
    pub fn warning(&self, error: &Error) {
        let text = report::warning(error, self.colour());
        self.0.progress.hide(|| line(&mut std::io::stderr().lock(), text.trim_end()));
    }

    /// How many characters a line may have: the terminal's width, or a hundred.
    pub fn width(&self) -> usize {
        terminal_size::terminal_size_of(std::io::stdout()).map_or(WIDTH, |(width, _)| width.0.max(40).into())
    }

    /// Progress tells of these backends, too, and of no earlier ones.
    pub fn watch(&self, look: Look) {
        self.0.progress.watch(Traffic::new(look));
    }

    /// No job goes on any more, however it ended.
    pub fn end_progress(&self) {
        self.0.progress.end();
    }

    /// The failures of items since this was last asked.
    pub fn take_failures(&self) -> Vec<(String, Error)> {
        std::mem::take(&mut *self.0.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether reports are coloured.
    fn colour(&self) -> bool {
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
    }

    /// Writes out what is buffered.
    pub fn flush(&self) {
        let _ = std::io::stdout().flush();
    }

    fn waiting(&self, backend: &str, reason: &str, wait: Duration, now: &Zoned) {
        if self.0.waits.is_news(backend, wait, Instant::now()) {
            let until = clock::shown(&clock::end_of(wait, now), now);
            self.remark(&format!("waiting until {until} for {backend} ({})", one_line(reason)));
        }
    }

    fn item_ended(&self, id: String, outcome: ItemOutcome, error: Option<Error>) {
        self.0.progress.item_ended(outcome);
        self.detail(&format!("{id}: {}", json::outcome_name(outcome)));
        if let Some(error) = error {
            self.0.failures.lock().unwrap_or_else(PoisonError::into_inner).push((id, error));
        }
    }
}

impl Events for Output {
    fn emit(&self, event: Event) {
        let now = Zoned::now();
        self.machine(&json::event(&event, &now));
        match event {
            Event::Print(text) => self.result(&text),
            Event::Info(text) => self.remark(&text),
            Event::Warning(text) => self.remark(&format!("warning: {text}")),
            Event::Waiting { backend, reason, wait } => self.waiting(&backend, &reason, wait, &now),
            Event::ProcessStarted { job, to_do } => self.0.progress.start(&job, to_do),
            Event::ItemEnded { id, outcome, error } => self.item_ended(id, outcome, error),
            Event::ProcessEnded { .. } => self.0.progress.end(),
        }
    }
}

/// Stdout for machines: whether the last event is told.
#[derive(Clone, Default)]
struct Machines(Arc<Mutex<bool>>);

impl Machines {
    fn tell(&self, value: &Value, last: bool) {
        let mut ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !*ended {
            *ended = last;
            line(&mut std::io::stdout().lock(), &value.to_string());
        }
    }
}

/// Writes a line; a reader that has gone away is no error of ours.
fn line(out: &mut dyn Write, text: &str) {
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}
