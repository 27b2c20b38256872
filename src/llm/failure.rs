//! A call that brought no reply, and whether it is worth another attempt.

use std::time::Duration;

use super::purse::Bill;
use crate::base::{Error, Kind};

/// What went wrong with one attempt.
#[derive(Debug, Clone)]
pub struct Failure {
    /// In words.
    pub error: Error,
    /// Whether to try again.
    pub again: Again,
    /// What the provider charges for it.
    pub bill: Bill,
}

/// Whether and when a failed attempt is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It would fail in the same way.
    Never,
    /// After a growing pause; uses up an attempt.
    Backoff,
    /// Not before the server's own time; uses up none.
    After(Duration),
}

impl Failure {
    /// One that no repetition mends.
    pub fn fatal(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { error: Error::new(kind, message), again: Again::Never, bill: Bill::Unknown }
    }

    /// One that may pass.
    pub fn passing(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { again: Again::Backoff, ..Failure::fatal(kind, message) }
    }

    /// One that the provider surely does not charge for: nothing was sent, or it declined to work.
    pub fn free(self) -> Failure {
        Failure { bill: Bill::Nothing, ..self }
    }

    /// Adds what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Failure {
        Failure { error: self.error.hint(hint), ..self }
    }
}

impl From<Error> for Failure {
    /// A mistake found before anything was sent.
    fn from(error: Error) -> Failure {
        Failure { error, again: Again::Never, bill: Bill::Nothing }
    }
}
