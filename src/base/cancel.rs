//! How a run is told to stop: first gently, then at once.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::{Error, Kind};

/// Shared by everything that a run does. Cloning gives another handle on the same state.
#[derive(Clone, Default)]
pub struct Stop {
    /// Cancelled: no new calls, and waits (rate limits, retries) end at once.
    pub drain: CancellationToken,
    /// Cancelled: requests on the wire are given up, too.
    pub abort: CancellationToken,
    why: Arc<OnceLock<Error>>,
}

impl Stop {
    /// Begins to drain, for the first reason given.
    pub fn drain_because(&self, error: Error) {
        let _ = self.why.set(error);
        self.drain.cancel();
    }

    /// Why the run stops, once it does.
    pub fn reason(&self) -> Option<&Error> {
        self.why.get()
    }

    /// The error of whatever may not begin any more.
    pub fn check(&self) -> Result<(), Error> {
        if self.drain.is_cancelled() { Err(self.error()) } else { Ok(()) }
    }

    /// The reason, or a plain interruption when none was given.
    pub fn error(&self) -> Error {
        self.why.get().cloned().unwrap_or_else(|| Error::new(Kind::Interrupted, "interrupted"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts() {
        let stop = Stop::default();
        assert!(stop.check().is_ok());
        stop.drain_because(Error::new(Kind::Disk, "disk full"));
        stop.clone().drain_because(Error::new(Kind::Interrupted, "interrupted"));
        assert_eq!(stop.check().unwrap_err().kind(), Kind::Disk);
    }
}
