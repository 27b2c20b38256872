//! One error type for the whole program: a kind that scripts and exit codes go by, words for a
//! person, a remedy, and (added by whoever knows it) the place in a file and the script's trace.

use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of thing went wrong. Scripts read its [name](Kind::name) as `e.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The command line asks for something that does not exist or make sense.
    Usage,
    /// A configuration file, rubric or template is wrong.
    Config,
    /// A script cannot be compiled, or threw something of its own.
    Script,
    /// A host function got an argument that it cannot work with.
    Argument,
    /// A host function got an option that it does not know.
    UnknownOption,
    /// A file, backend or record that was named does not exist.
    NotFound,
    /// Something that scripts may not do: leave the project, read a secret.
    Denied,
    /// A data file is damaged or has the wrong shape.
    Data,
    /// The model declined to answer.
    Refusal,
    /// The reply was cut off at its token limit.
    Truncated,
    /// The provider withheld the reply (content filter).
    Filtered,
    /// A structured reply is not JSON.
    InvalidJson,
    /// A structured reply is JSON, but not of the schema.
    SchemaMismatch,
    /// The provider's rate limit did not end within the attempts.
    RateLimit,
    /// A deadline passed.
    Timeout,
    /// The server could not be reached, or the connection broke.
    Connection,
    /// The server answered with an error of its own (5xx), or with something unreadable.
    Server,
    /// The server rejects this request (400, 404, 422 ...).
    BadRequest,
    /// A size or time limit was exceeded.
    Limit,
    /// The budget is used up. Stops the run.
    Budget,
    /// Ctrl-C or SIGTERM. Stops the run.
    Interrupted,
    /// A write to disk failed. Stops the run.
    Disk,
    /// The backend cannot work at all: bad key, no permission, unknown model. Stops the run.
    DeadBackend,
    /// The first items all failed alike. Stops the run.
    Repeating,
    /// Another run holds the checkpoint. Stops the run.
    Locked,
    /// A test of scripts found what it should not, or came to what tests may not do. Stops the test.
    Test,
    /// A mistake in fthost itself.
    Internal,
}

/// Kinds and their names, in one list so that both directions agree.
const NAMES: &[(Kind, &str)] = &[
    (Kind::Usage, "usage"),
    (Kind::Config, "config"),
    (Kind::Script, "script"),
    (Kind::Argument, "argument"),
    (Kind::UnknownOption, "unknown_option"),
    (Kind::NotFound, "not_found"),
    (Kind::Denied, "denied"),
    (Kind::Data, "data"),
    (Kind::Refusal, "refusal"),
    (Kind::Truncated, "truncated"),
    (Kind::Filtered, "filtered"),
    (Kind::InvalidJson, "invalid_json"),
    (Kind::SchemaMismatch, "schema_mismatch"),
    (Kind::RateLimit, "rate_limit"),
    (Kind::Timeout, "timeout"),
    (Kind::Connection, "connection"),
    (Kind::Server, "server"),
    (Kind::BadRequest, "bad_request"),
    (Kind::Limit, "limit"),
    (Kind::Budget, "budget"),
    (Kind::Interrupted, "interrupted"),
    (Kind::Disk, "disk"),
    (Kind::DeadBackend, "dead_backend"),
    (Kind::Repeating, "repeating"),
    (Kind::Locked, "locked"),
    (Kind::Test, "test"),
    (Kind::Internal, "internal"),
];

impl Kind {
    /// The name that scripts, the failed file and JSON events use.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(kind, _)| *kind == self).map_or("internal", |(_, name)| name)
    }

    /// The kind of a name, if there is one.
    pub fn from_name(name: &str) -> Option<Kind> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// Whether this ends the whole run, and so cannot be caught by a script.
    pub fn stops_the_run(self) -> bool {
        use Kind::*;
        matches!(self, Budget | Interrupted | Disk | DeadBackend | Repeating | Locked | Test)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A place in a text file, with the line's text, so that a report can show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path relative to the project's root.
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// 1-based, counted in characters; 0 when only the line is known.
    pub column: usize,
    /// The line, without its end.
    pub text: String,
}

impl Place {
    /// The place at a line and column of `source`, the text of `file`.
    pub fn new(file: &str, source: &str, line: usize, column: usize) -> Place {
        let text = source.lines().nth(line.saturating_sub(1)).unwrap_or("").to_string();
        Place { file: file.into(), line, column, text }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            0 => write!(f, "{}:{}", self.file, self.line),
            column => write!(f, "{}:{}:{}", self.file, self.line, column),
        }
    }
}

/// One step of a script's call trace: what was called, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function that was called.
    pub function: String,
    /// Where the call stands.
    pub place: Place,
}

/// What went wrong, for a person: see the [module](self).
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: Kind,
    message: String,
    hint: Option<String>,
    place: Option<Place>,
    trace: Vec<Frame>,
    raw: Option<String>,
    /// The `kind` that a script threw, when it is one of its own.
    own_kind: Option<String>,
    /// What sort of mistake it is, where `check` tells of it.
    code: Option<&'static str>,
}

impl Error {
    /// An error without a place, trace or hint yet.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            place: None,
            trace: Vec::new(),
            raw: None,
            own_kind: None,
            code: None,
        }))
    }

    /// A failed read or write of `path`, in words.
    pub fn io(kind: Kind, doing: &str, path: impl fmt::Display, error: &std::io::Error) -> Error {
        Error::new(kind, format!("cannot {doing} {path}: {}", plain_io(error)))
    }

    /// Says what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a remedy unless there is one.
    pub fn or_hint(mut self, hint: Option<String>) -> Error {
        self.0.hint = self.0.hint.or(hint);
        self
    }

    /// Says where, unless that is known already: the innermost place is the most precise.
    pub fn at(mut self, place: Place) -> Error {
        self.0.place.get_or_insert(place);
        self
    }

    /// Keeps the reply that could not be used.
    pub fn raw(mut self, raw: impl Into<String>) -> Error {
        self.0.raw = Some(raw.into());
        self
    }

    /// Keeps the kind that a script threw, when it is one of its own.
    pub fn own_kind(mut self, name: impl Into<String>) -> Error {
        self.0.own_kind = Some(name.into());
        self
    }

    /// Names the sort of mistake, unless that is known already.
    pub fn code(mut self, code: &'static str) -> Error {
        self.0.code.get_or_insert(code);
        self
    }

    /// Adds the script's call trace, innermost call first.
    pub fn trace(mut self, trace: Vec<Frame>) -> Error {
        self.0.trace = trace;
        self
    }

    /// Puts words in front of the message: "while reading the rubric: ...".
    pub fn context(mut self, doing: impl fmt::Display) -> Error {
        self.0.message = format!("{doing}: {}", self.0.message);
        self
    }

    /// The same with other texts: message, hint, raw reply and the line shown.
    pub fn map_texts(mut self, change: impl Fn(&str) -> String) -> Error {
        let inner = &mut *self.0;
        let place = inner.place.as_mut().map(|place| &mut place.text);
        let texts = [Some(&mut inner.message), inner.hint.as_mut(), inner.raw.as_mut(), place];
        texts.into_iter().flatten().for_each(|text| *text = change(text));
        self
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What scripts read as `e.kind`: a script's own kind, else the kind's name.
    pub fn kind_name(&self) -> &str {
        self.0.own_kind.as_deref().unwrap_or(self.0.kind.name())
    }

    /// What sort of mistake it is, in a word that `fthost check --explain` knows.
    pub fn get_code(&self) -> Option<&'static str> {
        self.0.code
    }

    /// What happened, in a sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn get_hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Where.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// The script's calls that led there, innermost first.
    pub fn get_trace(&self) -> &[Frame] {
        &self.0.trace
    }

    /// The model's reply that could not be used.
    pub fn get_raw(&self) -> Option<&str> {
        self.0.raw.as_deref()
    }
}

/// An I/O error without Rust's "(os error 13)".
fn plain_io(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_distinct_names_that_lead_back() {
        for (kind, name) in NAMES {
            assert_eq!(Kind::from_name(name), Some(*kind));
            assert_eq!(kind.name(), *name);
        }
    }

    #[test]
    fn the_innermost_place_stays() {
        let inner = Place::new("a.rhai", "x\ny", 2, 1);
        let error = Error::new(Kind::Script, "no").at(inner.clone()).at(Place::new("b", "", 1, 1));
        assert_eq!(error.place(), Some(&inner));
        assert_eq!(inner.to_string(), "a.rhai:2:1");
        assert_eq!(inner.text, "y");
    }

    #[test]
    fn io_errors_carry_no_numbers() {
        let denied = std::io::Error::from_raw_os_error(13);
        let error = Error::io(Kind::Disk, "write", "data/x", &denied);
        assert_eq!(error.message(), "cannot write data/x: permission denied");
    }
}
