//! So many units a minute: evenly (the generic cell rate algorithm, with a small burst), and never more than
//! the limit in any minute (a log of what was sent in the last one).

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A minute is taken to be so much longer: what is sent in time may arrive closer together.
const MARGIN: f64 = 1.01;

/// A flow of requests or tokens.
pub(super) struct Pace {
    limit: u64,
    span: Duration,
    /// Time that one unit takes.
    unit: f64,
    /// Units that may come at once.
    burst: u64,
    /// When all that was sent will have flowed off.
    empty_at: Instant,
    /// What was sent within the last span, oldest first.
    log: VecDeque<(Instant, u64)>,
    /// How many entries have left the log.
    gone: u64,
    /// The log's units.
    sum: u64,
}

impl Pace {
    /// So many units in each span.
    pub fn new(limit: u64, span: Duration, now: Instant) -> Pace {
        let span = span.mul_f64(MARGIN);
        let unit = span.as_secs_f64() / limit.max(1) as f64;
        let burst = (limit / 20).max(1);
        Pace { limit, span, unit, burst, empty_at: now, log: VecDeque::new(), gone: 0, sum: 0 }
    }

    /// When so many units may be sent; more than the limit at once only when nothing else is under way.
    pub fn ready_at(&mut self, units: u64, now: Instant) -> Instant {
        self.forget(now);
        let early = self.time(self.burst.saturating_sub(units));
        let evenly = self.empty_at.checked_sub(early).unwrap_or(now);
        self.room_at(units).map_or(evenly, |room| room.max(evenly))
    }

    /// Counts what is sent; the number is for its correction.
    pub fn take(&mut self, units: u64, now: Instant) -> u64 {
        self.empty_at = self.empty_at.max(now) + self.time(units);
        self.log.push_back((now, units));
        self.sum += units;
        self.gone + self.log.len() as u64 - 1
    }

    /// Puts the real number of units in the place of an estimate.
    pub fn correct(&mut self, number: u64, estimated: u64, used: u64) {
        let more = self.time(used.saturating_sub(estimated));
        let less = self.time(estimated.saturating_sub(used));
        self.empty_at = self.empty_at.checked_sub(less).unwrap_or(self.empty_at) + more;
        let place = number.checked_sub(self.gone).and_then(|i| usize::try_from(i).ok());
        if let Some(entry) = place.and_then(|i| self.log.get_mut(i)) {
            self.sum = self.sum - entry.1 + used;
            entry.1 = used;
        }
    }

    /// When enough of the log will be a span old; none when there is room.
    fn room_at(&self, units: u64) -> Option<Instant> {
        let mut sum = self.sum;
        let mut room = None;
        for (sent, spent) in &self.log {
            if sum.saturating_add(units) <= self.limit {
                break;
            }
            sum -= spent;
            room = Some(*sent + self.span);
        }
        room
    }

    fn forget(&mut self, now: Instant) {
        while self.log.front().is_some_and(|(sent, _)| *sent + self.span <= now) {
            let units = self.log.pop_front().map_or(0, |(_, units)| units);
            self.sum -= units;
            self.gone += 1;
        }
    }

    fn time(&self, units: u64) -> Duration {
        Duration::try_from_secs_f64(self.unit * units as f64).unwrap_or(self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Sends as early as allowed, each not before its arrival; every second one is corrected by a factor. Gives
    /// the seconds and what the server counts.
    fn sent(limit: u64, calls: &[(f64, u64)], factor: f64) -> Vec<(f64, u64)> {
        let start = Instant::now();
        let mut pace = Pace::new(limit, MINUTE, start);
        let mut now = start;
        let mut all = Vec::new();
        for (i, (gap, units)) in calls.iter().enumerate() {
            now = pace.ready_at(*units, now).max(now + Duration::from_secs_f64(*gap));
            now = pace.ready_at(*units, now).max(now);
            let number = pace.take(*units, now);
            let used = if i % 2 == 0 { *units } else { ((*units as f64) * factor) as u64 };
            pace.correct(number, *units, used);
            all.push((now.duration_since(start).as_secs_f64(), used));
        }
        all
    }

    fn most_in_a_minute(sent: &[(f64, u64)]) -> u64 {
        let within = |from: f64| sent.iter().filter(move |(at, _)| (from..from + 60.0).contains(at));
        sent.iter().map(|(from, _)| within(*from).map(|(_, units)| units).sum()).max().unwrap_or(0)
    }

    #[test]
    fn no_minute_sees_more_than_the_limit_and_hardly_less() {
        for limit in [1, 2, 10, 60, 500] {
            let calls = vec![(0.0, 1); 4 * limit as usize];
            let sent = sent(limit, &calls, 1.0);
            assert_eq!(most_in_a_minute(&sent), limit, "limit {limit}");
            let whole = sent.last().unwrap().0;
            assert!(whole < 4.0 * 60.0 * 1.02, "{limit}: {whole} s");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_whenever_no_minute_sees_more(
            limit in 1u64..2000,
            calls in proptest::collection::vec((0.0f64..20.0, 1u64..300), 1..120),
            factor in 0.1f64..1.0,
        ) {
            let largest = calls.iter().map(|(_, units)| *units).max().unwrap_or(0);
            prop_assert!(most_in_a_minute(&sent(limit, &calls, factor)) <= limit.max(largest));
        }
    }

    #[test]
    fn a_correction_gives_back() {
        let start = Instant::now();
        let mut pace = Pace::new(600, MINUTE, start);
        let number = pace.take(600, start);
        assert!(pace.ready_at(1, start).duration_since(start).as_secs_f64() > 50.0);
        pace.correct(number, 600, 30);
        assert!(pace.ready_at(1, start).duration_since(start).as_secs_f64() < 5.0);
    }

    #[test]
    fn a_call_over_the_limit_goes_alone() {
        let start = Instant::now();
        let mut pace = Pace::new(100, MINUTE, start);
        assert_eq!(pace.ready_at(500, start), start);
        pace.take(500, start);
        assert!(pace.ready_at(1, start).duration_since(start) > MINUTE);
    }
}
