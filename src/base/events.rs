//! What a run tells the outside. The library never prints: `cli` decides how an event looks.

use std::time::Duration;

use super::Error;

/// Something worth telling.
#[derive(Debug, Clone)]
pub enum Event {
    /// A script's `print`.
    Print(String),
    /// A remark on the way.
    Info(String),
    /// Something that the user should look at.
    Warning(String),
    /// A backend waits before it sends again.
    Waiting {
        /// The backend's name.
        backend: String,
        /// Why, in words: "rate limit".
        reason: String,
        /// For how long.
        wait: Duration,
    },
    /// A `process` begins.
    ProcessStarted {
        /// What is processed: the checkpoint's path, else the script's.
        job: String,
        /// Items that this run will work on.
        to_do: Option<usize>,
    },
    /// An item of a `process` has ended.
    ItemEnded {
        /// Its id.
        id: String,
        /// Whether its record is complete.
        outcome: ItemOutcome,
        /// Why it failed.
        error: Option<Error>,
    },
    /// A `process` has ended: its summary, as scripts get it.
    ProcessEnded {
        /// What was processed.
        job: String,
        /// The summary.
        summary: serde_json::Value,
    },
}

/// How an item of a `process` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemOutcome {
    /// A record was made durable.
    Completed,
    /// A record was made durable that says of itself that it is not complete.
    Incomplete,
    /// An error; it will be tried again next time.
    Failed,
}

/// Where events go.
pub trait Events: Send + Sync {
    /// Takes one event; called from any thread.
    fn emit(&self, event: Event);
}

/// Drops every event: for tests and for commands that tell nothing.
pub struct Silent;

impl Events for Silent {
    fn emit(&self, _event: Event) {}
}
