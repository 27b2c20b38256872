//! How a run is told to stop: first gently, then at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Error, Kind};

/// How long scripts may still compute (to write down what they have) once no call is on its way.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often one looks whether the last call has ended.
const STEP: Duration = Duration::from_millis(10);

/// Shared by everything that a run does. Cloning gives another handle on the same state.
#[derive(Clone, Default)]
pub struct Stop {
    /// Cancelled: no new calls, and waits (rate limits, retries) end at once.
    pub drain: CancellationToken,
    /// Cancelled: requests on the wire are given up, too.
    pub abort: CancellationToken,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    why: OnceLock<Error>,
    /// The same as `drain`, cheap enough to be asked at every step of a script.
    draining: AtomicBool,
    calls: AtomicUsize,
    quiet_since: Mutex<Option<Instant>>,
}

impl Stop {
    /// Begins to drain, for the first reason given.
    pub fn drain_because(&self, error: Error) {
        let _ = self.state.why.set(error);
        self.state.note_quiet();
        self.state.draining.store(true, Ordering::Release);
        self.drain.cancel();
    }

    /// Why the run stops, once it does.
    pub fn reason(&self) -> Option<&Error> {
        self.state.why.get()
    }

    /// The error of whatever may not begin any more.
    pub fn check(&self) -> Result<(), Error> {
        if self.state.draining.load(Ordering::Acquire) { Err(self.error()) } else { Ok(()) }
    }

    /// The reason, or a plain interruption when none was given.
    pub fn error(&self) -> Error {
        self.reason().cloned().unwrap_or_else(|| Error::new(Kind::Interrupted, "interrupted"))
    }

    /// Counts a call as on its way until the guard is dropped.
    pub fn call_begins(&self) -> CallGuard {
        self.state.calls.fetch_add(1, Ordering::AcqRel);
        CallGuard(self.state.clone())
    }

    /// How many calls are on their way.
    pub fn calls(&self) -> usize {
        self.state.calls.load(Ordering::Acquire)
    }

    /// Ends waits, and waits for the calls on the wire, for so long at most: their replies are paid for, and those that
    /// are given up are still to be written down.
    pub fn wait_for_calls(&self, most: Duration) {
        self.drain.cancel();
        let end = Instant::now() + most;
        while self.calls() > 0 && Instant::now() < end {
            std::thread::sleep(STEP);
        }
    }

    /// Whether scripts must end: at once when aborted; when draining, a moment after the last reply.
    pub fn scripts_end_now(&self) -> bool {
        if !self.state.draining.load(Ordering::Acquire) {
            return false;
        }
        self.abort.is_cancelled() || self.calls() == 0 && self.state.quiet_for(LAST_WORDS)
    }
}

/// See [`Stop::call_begins`].
pub struct CallGuard(Arc<State>);

impl Drop for CallGuard {
    fn drop(&mut self) {
        self.0.note_quiet();
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

impl State {
    fn note_quiet(&self) {
        *self.quiet_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn quiet_for(&self, time: Duration) -> bool {
        let since = *self.quiet_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_none_or(|since| since.elapsed() >= time)
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

    #[test]
    fn scripts_go_on_while_a_call_is_on_its_way() {
        let stop = Stop::default();
        let call = stop.call_begins();
        stop.drain_because(Error::new(Kind::Interrupted, "interrupted"));
        assert!(!stop.scripts_end_now());
        drop(call);
        assert!(!stop.scripts_end_now(), "it may still write down what it has");
        stop.abort.cancel();
        assert!(stop.scripts_end_now());
    }
}
