//! When a backend's next request may be sent: its concurrency, its requests and tokens a minute, and
//! the pauses that the server asks for. Shared by all callers of the backend, first come first served.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::base::cancel::Stop;
use crate::base::config::BackendConfig;
use crate::base::{Error, Kind};

/// The span that `rpm` and `tpm` count over.
const MINUTE: Duration = Duration::from_secs(60);

/// The limits of one backend.
pub struct Limits {
    slots: Semaphore,
    state: Mutex<State>,
}

struct State {
    requests: Option<Pace>,
    tokens: Option<Pace>,
    paused_until: Instant,
}

impl Limits {
    /// Those of the configuration.
    pub fn new(config: &BackendConfig) -> Limits {
        let now = Instant::now();
        let pace = |limit: Option<u64>| limit.map(|limit| Pace::new(limit, MINUTE, now));
        let state = State { requests: pace(config.rpm), tokens: pace(config.tpm), paused_until: now };
        Limits {
            slots: Semaphore::new(config.concurrency.min(Semaphore::MAX_PERMITS)),
            state: Mutex::new(state),
        }
    }

    /// Waits until a request of about so many tokens may be sent. Keep the permit while it is on the
    /// wire. A run that drains ends the wait.
    pub async fn admit(&self, tokens: u64, stop: &Stop) -> Result<SemaphorePermit<'_>, Error> {
        let enter = async {
            let permit = self.slots.acquire().await;
            self.turn(tokens).await;
            permit.map_err(|_| Error::new(Kind::Internal, "a backend's limits were closed"))
        };
        tokio::select! {
            biased;
            () = stop.drain.cancelled() => Err(stop.error()),
            permit = enter => permit,
        }
    }

    /// Waits for a place in both paces. One that a pause overtook is lost: those who wait together
    /// must not go together.
    async fn turn(&self, tokens: u64) {
        loop {
            while let Some(until) = self.pause_left() {
                tokio::time::sleep_until(until).await;
            }
            tokio::time::sleep_until(self.book(tokens)).await;
            if self.pause_left().is_none() {
                return;
            }
        }
    }

    /// Nobody sends for a while.
    pub fn pause(&self, wait: Duration) {
        let mut state = self.state();
        state.paused_until = state.paused_until.max(Instant::now() + wait);
    }

    /// Corrects an estimate by what was really used.
    pub fn settle(&self, estimated: u64, used: u64) {
        if let Some(tokens) = &mut self.state().tokens {
            tokens.correct(estimated, used);
        }
    }

    /// Takes a place in both paces.
    fn book(&self, tokens: u64) -> Instant {
        let now = Instant::now();
        let mut state = self.state();
        let by_requests = state.requests.as_mut().map_or(now, |pace| pace.book(now, 1));
        let by_tokens = state.tokens.as_mut().map_or(now, |pace| pace.book(now, tokens));
        by_requests.max(by_tokens)
    }

    fn pause_left(&self) -> Option<Instant> {
        let until = self.state().paused_until;
        (until > Instant::now()).then_some(until)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An even flow (GCRA) with a small burst: never more than the limit within one span.
struct Pace {
    /// Time that one unit takes.
    unit: f64,
    /// Units that may come at once.
    burst: u64,
    /// When all that was booked will have flowed off.
    empty_at: Instant,
}

impl Pace {
    fn new(limit: u64, span: Duration, now: Instant) -> Pace {
        let burst = (limit / 20).max(1);
        Pace { unit: span.as_secs_f64() / (limit - burst + 1) as f64, burst, empty_at: now }
    }

    /// Books so many units; they may go at the returned time.
    fn book(&mut self, now: Instant, units: u64) -> Instant {
        let start = self.empty_at.max(now);
        self.empty_at = start + self.time(units);
        // More than a burst at once can only go when nothing else is under way.
        let early = self.time(self.burst.saturating_sub(units));
        start.checked_sub(early).map_or(now, |at| at.max(now))
    }

    fn correct(&mut self, estimated: u64, used: u64) {
        let (more, less) =
            (self.time(used.saturating_sub(estimated)), self.time(estimated.saturating_sub(used)));
        self.empty_at = self.empty_at.checked_sub(less).unwrap_or(self.empty_at) + more;
    }

    fn time(&self, units: u64) -> Duration {
        Duration::try_from_secs_f64(self.unit * units as f64).unwrap_or(MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds after the start at which bookings of `units` each may go.
    fn times(limit: u64, units: u64, bookings: usize) -> Vec<f64> {
        let start = Instant::now();
        let mut pace = Pace::new(limit, MINUTE, start);
        (0..bookings).map(|_| pace.book(start, units).duration_since(start).as_secs_f64()).collect()
    }

    fn most_in_a_minute(times: &[f64]) -> usize {
        times
            .iter()
            .map(|from| times.iter().filter(|t| (*from..from + 59.999).contains(t)).count())
            .max()
            .unwrap()
    }

    #[test]
    fn no_minute_sees_more_than_the_limit() {
        for limit in [1, 2, 10, 60, 500] {
            let most = most_in_a_minute(&times(limit, 1, 3 * limit as usize));
            assert_eq!(most, limit as usize, "limit {limit}");
        }
    }

    #[test]
    fn tokens_flow_at_their_rate() {
        let times = times(1000, 100, 40);
        let most = most_in_a_minute(&times);
        assert!((9..=11).contains(&most), "1000 tokens a minute are 10 calls of 100: {most}");
    }

    #[test]
    fn a_correction_gives_back() {
        let start = Instant::now();
        let mut pace = Pace::new(600, MINUTE, start);
        pace.book(start, 600);
        pace.correct(600, 30);
        let next = pace.book(start, 1).duration_since(start).as_secs_f64();
        assert!(next < 5.0, "{next}");
    }
}
