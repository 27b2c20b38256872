//! How a run is told to stop: first gently, then at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Error, Kind};

/// How long scripts may still compute (to write down what they have) once no call is on its way.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often one looks whether the last call has ended.
const STEP: Duration = Duration::from_millis(10);

/// Shared by everything that a run does. Cloning gives another handle on the same state.
///
/// A run is stopped once. A session stops one entry after another: each has a turn of its own (`renew`), and what an
/// entry left on its way stays in the turn in which it began (`pinned`).
#[derive(Clone, Default)]
pub struct Stop(Arc<RwLock<Arc<Turn>>>);

/// What lasts until the next `renew`.
#[derive(Default)]
struct Turn {
    /// Cancelled: no new calls, and waits (rate limits, retries) end at once.
    drain: CancellationToken,
    /// Cancelled: requests on the wire are given up, too.
    abort: CancellationToken,
    why: OnceLock<Error>,
    /// The same as `drain`, cheap enough to be asked at every step of a script.
    draining: AtomicBool,
    calls: Arc<Calls>,
}

/// The calls on their way, of all turns.
#[derive(Default)]
struct Calls {
    count: AtomicUsize,
    quiet_since: Mutex<Option<Instant>>,
}

impl Stop {
    fn turn(&self) -> Arc<Turn> {
        self.now().clone()
    }

    /// For what is asked at every step: nothing is counted up and down.
    fn now(&self) -> RwLockReadGuard<'_, Arc<Turn>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A handle that stays in this turn, for what may outlive it.
    pub fn pinned(&self) -> Stop {
        Stop(Arc::new(RwLock::new(self.turn())))
    }

    /// Lets everything begin anew after a stop. A disk that failed stays failed: nothing more may be paid for.
    pub fn renew(&self) -> Result<(), Error> {
        let mut turn = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match turn.why.get() {
            Some(error) if error.kind() == Kind::Disk => Err(error.clone()),
            _ => {
                *turn = Arc::new(Turn { calls: turn.calls.clone(), ..Turn::default() });
                Ok(())
            }
        }
    }

    /// Begins to drain, for the first reason given.
    pub fn drain_because(&self, error: Error) {
        let turn = self.turn();
        let _ = turn.why.set(error);
        turn.calls.note_quiet();
        turn.draining.store(true, Ordering::Release);
        turn.drain.cancel();
    }

    /// Gives up the requests on the wire, too.
    pub fn abort(&self) {
        self.turn().abort.cancel();
    }

    /// Comes back when the run drains.
    pub async fn drained(&self) {
        self.turn().drain.cancelled().await;
    }

    /// Comes back when requests on the wire are to be given up.
    pub async fn aborted(&self) {
        self.turn().abort.cancelled().await;
    }

    /// Why the run stops, once it does.
    pub fn reason(&self) -> Option<Error> {
        self.turn().why.get().cloned()
    }

    /// The error of whatever may not begin any more.
    pub fn check(&self) -> Result<(), Error> {
        let draining = self.now().draining.load(Ordering::Acquire);
        if draining { Err(self.error()) } else { Ok(()) }
    }

    /// The reason, or a plain interruption when none was given.
    pub fn error(&self) -> Error {
        self.reason().unwrap_or_else(|| Error::new(Kind::Interrupted, "interrupted"))
    }

    /// Counts a call as on its way until the guard is dropped.
    pub fn call_begins(&self) -> CallGuard {
        let calls = self.turn().calls.clone();
        calls.count.fetch_add(1, Ordering::AcqRel);
        CallGuard(calls)
    }

    /// How many calls are on their way.
    pub fn calls(&self) -> usize {
        self.turn().calls.count()
    }

    /// Ends waits, and waits for the calls on the wire, for so long at most: their replies are paid for, and those that
    /// are given up are still to be written down.
    pub fn wait_for_calls(&self, most: Duration) {
        self.turn().drain.cancel();
        let end = Instant::now() + most;
        while self.calls() > 0 && Instant::now() < end {
            std::thread::sleep(STEP);
        }
    }

    /// Whether scripts must end: at once when aborted; when draining, a moment after the last reply.
    pub fn scripts_end_now(&self) -> bool {
        let turn = self.now();
        if !turn.draining.load(Ordering::Acquire) {
            return false;
        }
        turn.abort.is_cancelled() || turn.calls.count() == 0 && turn.calls.quiet_for(LAST_WORDS)
    }
}

/// See [`Stop::call_begins`].
pub struct CallGuard(Arc<Calls>);

impl Drop for CallGuard {
    fn drop(&mut self) {
        self.0.note_quiet();
        self.0.count.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Calls {
    fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

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
        stop.abort();
        assert!(stop.scripts_end_now());
    }

    #[test]
    fn a_turn_that_was_stopped_does_not_stop_the_next() {
        let stop = Stop::default();
        let (other, call) = (stop.clone(), stop.call_begins());
        let left_behind = stop.pinned();
        stop.drain_because(Error::new(Kind::Interrupted, "interrupted"));
        stop.abort();
        assert!(stop.renew().is_ok());
        assert!(other.check().is_ok() && !other.scripts_end_now() && other.reason().is_none());
        assert!(left_behind.check().is_err() && left_behind.scripts_end_now());
        assert_eq!(other.calls(), 1, "what is on its way is counted over all turns");
        drop(call);
        other.drain_because(Error::new(Kind::Disk, "disk full"));
        assert_eq!(stop.renew().unwrap_err().kind(), Kind::Disk);
        assert!(stop.check().is_err());
    }
}
