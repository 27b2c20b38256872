//! What a test of scripts has in its world: stubs in place of backends, settings of its own, snapshots,
//! and what was said while it ran.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backends::Local;
use super::settings::Settings;
use crate::base::events::{Event, Events, ItemOutcome};
use crate::base::{Error, Kind};
use crate::llm::Request;
use crate::store::snapshots::Snapshots;

/// The kind of a stub, where other backends say `openai`.
pub const STUB: &str = "stub";

/// What `now_utc()` says in a test.
pub const NOW: &str = "2026-01-01T12:00:00Z";

/// Bytes that are kept of what a test says: a loop that prints is no reason to run out of memory.
const MOST_SAID: usize = 4 << 20;

/// One test.
pub struct Test {
    /// The file that it stands in.
    pub file: String,
    /// The snapshots of all tests.
    pub snapshots: Arc<Snapshots>,
    /// What was said so far.
    pub said: Arc<Said>,
    stubs: Mutex<BTreeMap<String, Stub>>,
    settings: Mutex<Settings>,
    settings_read: Mutex<BTreeSet<String>>,
    /// The first assertion that failed: a script may catch it.
    failure: Mutex<Option<Error>>,
}

/// Who answers in place of a role or a backend, and what they were asked.
#[derive(Clone)]
pub struct Stub {
    /// Who answers: one, or for a role several.
    pub lines: Vec<Arc<Local>>,
    /// The requests so far.
    pub sent: Arc<Mutex<Vec<Request>>>,
}

impl Test {
    /// A test of this file.
    pub fn new(file: &str, snapshots: Arc<Snapshots>, said: Arc<Said>) -> Test {
        let (stubs, settings, settings_read, failure) = Default::default();
        Test { file: file.into(), snapshots, said, stubs, settings, settings_read, failure }
    }

    /// Puts a stub in the place of a role or a backend.
    pub fn set_stub(&self, name: &str, stub: Stub) {
        lock(&self.stubs).insert(name.into(), stub);
    }

    /// The stub in the place of a role or a backend.
    pub fn stub(&self, name: &str) -> Option<Stub> {
        lock(&self.stubs).get(name).cloned()
    }

    /// The names that have stubs.
    pub fn stubbed(&self) -> Vec<String> {
        lock(&self.stubs).keys().cloned().collect()
    }

    /// Lets go of the stubs: their closures hold the world.
    pub fn forget_stubs(&self) {
        lock(&self.stubs).clear();
    }

    /// Gives a setting a value.
    pub fn set(&self, key: &str, value: String) {
        lock(&self.settings).set(key, value);
    }

    /// The settings, for a script that reads one of this key.
    pub fn settings_for(&self, key: &str) -> Settings {
        lock(&self.settings_read).insert(key.into());
        lock(&self.settings).clone()
    }

    /// Notes why the test has failed, whatever its scripts make of the error; gives it back.
    pub fn fails(&self, error: Error) -> Error {
        lock(&self.failure).get_or_insert_with(|| error.clone());
        error
    }

    /// What a test came to, by what its function ended with.
    pub fn outcome(&self, ended: Result<(), Error>) -> Result<(), Error> {
        match (ended, lock(&self.failure).clone()) {
            (Err(error), _) if error.kind() == Kind::Test => Err(error),
            // Items know where they failed.
            (_, Some(error)) => Err(self.said.failure().unwrap_or(error)),
            (Ok(()), None) => self.check_settings(),
            (error, None) => error,
        }
    }

    /// A setting that was given a value and never read is most likely a slip.
    fn check_settings(&self) -> Result<(), Error> {
        let (settings, read) = (lock(&self.settings), lock(&self.settings_read));
        match settings.keys().find(|key| !read.contains(*key)) {
            None => Ok(()),
            Some(key) => {
                Err(Error::new(Kind::Test, format!("no script read the setting `{key}` in this test")).hint(
                    match read.is_empty() {
                        true => "no setting was read at all".into(),
                        false => crate::base::suggest::hint(key, read.iter().map(String::as_str)),
                    },
                ))
            }
        }
    }

    /// The error of a backend that would send something.
    pub fn refuses(&self, name: &str, kind: &str) -> Error {
        let message = format!("a test sends nothing, and the backend `{name}` is of kind {kind}");
        let hint = format!(
            "before it is got, put a stub in its place (or in its role's): testing::stub(\"{name}\", [\"a reply\"])"
        );
        Error::new(Kind::Test, message).hint(hint)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a test says, instead of on the terminal.
#[derive(Default)]
pub struct Said(Mutex<Words>);

#[derive(Default)]
struct Words {
    lines: Vec<(bool, String)>,
    bytes: usize,
    /// Of the first item that failed on what fails the test.
    failure: Option<Error>,
}

impl Said {
    /// How much was said.
    pub fn len(&self) -> usize {
        lock(&self.0).lines.len()
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was printed since there were so many lines.
    pub fn printed_since(&self, start: usize) -> String {
        let words = lock(&self.0);
        let printed = words.lines.iter().skip(start).filter(|(printed, _)| *printed);
        printed.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// All that was said.
    pub fn all(&self) -> Vec<String> {
        lock(&self.0).lines.iter().map(|(_, text)| text.clone()).collect()
    }

    /// The failure of the test, when it was in an item.
    fn failure(&self) -> Option<Error> {
        lock(&self.0).failure.clone()
    }

    fn add(&self, printed: bool, text: String) {
        let mut words = lock(&self.0);
        if words.bytes <= MOST_SAID {
            words.bytes += text.len();
            let text = if words.bytes > MOST_SAID { "(more was said than is kept)".into() } else { text };
            words.lines.push((printed, text));
        }
    }
}

impl Events for Said {
    fn emit(&self, event: Event) {
        match event {
            Event::Print(text) => self.add(true, text),
            Event::Info(text) => self.add(false, text),
            Event::Warning(text) => self.add(false, format!("warning: {text}")),
            Event::ItemEnded { id, outcome: ItemOutcome::Failed, error } => {
                let failure = error.clone().filter(|error| error.kind() == Kind::Test);
                let mut words = lock(&self.0);
                words.failure = words.failure.take().or(failure);
                drop(words);
                self.add(
                    false,
                    format!("the item {id} failed: {}", error.map_or_else(String::new, in_a_line)),
                );
            }
            _ => {}
        }
    }
}

fn in_a_line(error: Error) -> String {
    let message = error.message().lines().next().unwrap_or_default().to_string();
    error.place().map_or_else(|| message.clone(), |place| format!("{message} ({place})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_says_is_kept_up_to_a_limit() {
        let said = Said::default();
        said.emit(Event::Print("a".into()));
        said.emit(Event::Warning("b".into()));
        said.emit(Event::Print("c".into()));
        assert_eq!(
            (said.all(), said.printed_since(1)),
            (vec!["a".into(), "warning: b".into(), "c".into()], "c".into())
        );
        for _ in 0..3 {
            said.emit(Event::Print("x".repeat(MOST_SAID)));
        }
        assert_eq!((said.len(), said.all()[3].as_str()), (4, "(more was said than is kept)"));
    }

    #[test]
    fn a_setting_that_nobody_reads_is_told() {
        let snapshots = Arc::new(Snapshots::of(std::path::Path::new("."), false));
        let test = Test::new("tests/a_test.rhai", snapshots, Arc::default());
        test.set("trun", "3".into());
        assert_eq!(test.check_settings().unwrap_err().get_hint(), Some("no setting was read at all"));
        test.settings_for("turns");
        assert_eq!(test.check_settings().unwrap_err().get_hint(), Some("did you mean `turns`?"));
        test.settings_for("trun");
        assert!(test.check_settings().is_ok());
    }
}
