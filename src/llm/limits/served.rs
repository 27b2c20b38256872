//! What a server serves, learned from its rate limits. It is taken for a bucket: a rate fills it, and each request
//! takes one from it. Nothing is held back before the first rate limit. A burst of them says that the bucket is
//! empty, and what was sent since the burst before, and not turned away, is what the server served in that
//! time. From then on no more is sent than the bucket should hold, and a little more from second to second without a
//! rate limit, to see whether there is more by now.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A rate is seen only in what was sent for longer than this; what was sent faster was in the bucket.
const SECOND: Duration = Duration::from_secs(1);

/// Pauses that are shorter cost less than a rate that is too low.
const WORTHWHILE: Duration = Duration::from_millis(500);

/// So many in each pause are sent whatever was learned.
const A_FEW: f64 = 4.0;

/// Of a bucket and of a rate that turned out to be too large, so much is believed.
const KEPT: f64 = 0.9;

/// Of the rate in the second before a burst, so much is believed.
const SUSTAINED: f64 = 0.95;

/// A bucket that was not too large may be larger.
const LARGER: f64 = 1.1;

/// What is believed of a server.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    /// Requests a second.
    rate: f64,
    /// Requests that may come at once.
    size: f64,
    /// Whether it was tried: a first guess may be far too low.
    tried: bool,
}

/// The last burst of rate limits, kept as it was judged: more rate limits of it may come in.
#[derive(Debug, Clone, Copy)]
struct Burst {
    /// What was believed before.
    before: Option<Bucket>,
    /// When its first rate limit came in.
    at: Instant,
    /// Requests that were served since the burst before, as far as is known.
    served: u64,
    /// The burst before, after which something was served.
    since: Option<Instant>,
    /// The time since the first request after the burst before.
    open: Duration,
    /// Requests that were served in the last second.
    lately: u64,
}

/// What a server serves.
pub(super) struct Served {
    bucket: Option<Bucket>,
    /// What the bucket is believed to hold, and when that was so.
    level: (f64, Instant),
    /// How many bursts there were: a request that was sent before the last one belongs to it.
    bursts: u64,
    /// The last burst after which anything was served.
    since: Option<Instant>,
    /// The end of the last pause.
    open_at: Instant,
    /// Sent since the last burst, and when the first of it was.
    sent: u64,
    first: Option<Instant>,
    /// When, as far as that was within the last second.
    lately: VecDeque<Instant>,
    burst: Option<Burst>,
}

impl Served {
    /// Nothing is known.
    pub fn new(now: Instant) -> Served {
        Served {
            bucket: None,
            level: (0.0, now),
            bursts: 0,
            since: None,
            open_at: now,
            sent: 0,
            first: None,
            lately: VecDeque::new(),
            burst: None,
        }
    }

    /// When the next request may be sent; none when nothing is known.
    pub fn ready_at(&mut self, now: Instant) -> Option<Instant> {
        let bucket = self.bucket?;
        self.fill(bucket, now);
        let missing = (1.0 - self.level.0).max(0.0) / self.pace(bucket, now);
        Some(now + Duration::try_from_secs_f64(missing).unwrap_or(SECOND))
    }

    /// Counts a request as sent; the number is for [`Served::turned_away`].
    pub fn take(&mut self, now: Instant) -> u64 {
        if let Some(bucket) = self.bucket {
            self.fill(bucket, now);
            self.level.0 -= 1.0;
        }
        self.sent += 1;
        self.first.get_or_insert(now);
        self.lately.push_back(now);
        while self.lately.front().is_some_and(|at| *at + SECOND < now) {
            self.lately.pop_front();
        }
        self.bursts
    }

    /// A rate limit, met by a request with this number, sent at that moment; nobody sends until then. Whether it is
    /// the first of a burst.
    pub fn turned_away(&mut self, number: u64, sent: Instant, open_at: Instant, now: Instant) -> bool {
        let first = number == self.bursts;
        if first {
            self.begin(now);
        }
        self.open_at = self.open_at.max(open_at);
        if let Some(burst) = self.burst.as_mut().filter(|_| first || number + 1 == self.bursts) {
            burst.served = burst.served.saturating_sub(1);
            if sent + SECOND > burst.at {
                burst.lately = burst.lately.saturating_sub(1);
            }
            self.bucket = burst.judged(self.open_at.saturating_duration_since(now));
            // A burst that found nothing served since the one before is a part of it.
            self.since = burst.since.filter(|_| burst.served == 0).or(Some(burst.at));
        }
        first
    }

    /// Requests a second that the server is believed to serve, once that was tried.
    pub fn rate(&self) -> Option<f64> {
        self.bucket.filter(|bucket| bucket.tried).map(|bucket| bucket.rate)
    }

    fn begin(&mut self, now: Instant) {
        self.burst = Some(Burst {
            before: self.bucket,
            at: now,
            served: self.sent,
            since: self.since,
            open: self.first.take().map_or(Duration::ZERO, |first| now.duration_since(first)),
            lately: self.lately.iter().filter(|at| **at + SECOND > now).count() as u64,
        });
        self.bursts += 1;
        self.sent = 0;
        self.level = (0.0, now);
        self.lately.clear();
    }

    fn fill(&mut self, bucket: Bucket, now: Instant) {
        let passed = now.saturating_duration_since(self.level.1).as_secs_f64();
        let level = self.level.0 + passed * self.pace(bucket, now);
        self.level = (level.min(bucket.size.max(1.0)), now.max(self.level.1));
    }

    /// The rate, and more for each second without a rate limit: slowly at first, unless it is a first guess.
    fn pace(&self, bucket: Bucket, now: Instant) -> f64 {
        let open = now.saturating_duration_since(self.open_at).as_secs_f64().min(120.0);
        let slowly = 0.01 * open + 0.002 * open * open;
        bucket.rate * if bucket.tried { slowly } else { slowly.max(0.2 * open) }.exp()
    }
}

impl Burst {
    /// What to believe after it.
    fn judged(&self, pause: Duration) -> Option<Bucket> {
        if self.served == 0 || pause < WORTHWHILE {
            return self.before;
        }
        let served = self.served as f64;
        let since = self.since.unwrap_or(self.at - self.open);
        // Empty before and empty now: the server serves no less.
        let average = served / self.at.duration_since(since).as_secs_f64().max(0.001);
        let (steady, sustained) = (self.open >= SECOND, self.lately as f64 * SUSTAINED);
        let bucket = match self.before {
            None if steady => Bucket { rate: sustained, size: f64::MAX, tried: false },
            // The server says how long it takes until it serves as much again.
            None => Bucket { rate: served / pause.as_secs_f64(), size: served * KEPT, tried: false },
            Some(Bucket { size, .. }) if steady => {
                Bucket { rate: average.max(sustained), size: size * LARGER, tried: true }
            }
            Some(Bucket { tried: false, .. }) => Bucket { rate: average, size: served * KEPT, tried: true },
            Some(Bucket { rate, size, .. }) if served < size => {
                Bucket { rate: rate.max(average), size: served * KEPT, tried: true }
            }
            Some(Bucket { rate, size, .. }) => Bucket { rate: average.max(rate * KEPT), size, tried: true },
        };
        // A few may always be sent after a pause: what is turned away at random teaches no rate.
        let least = A_FEW / pause.as_secs_f64().max(1.0);
        Some(Bucket { rate: bucket.rate.max(least), size: bucket.size.max(A_FEW), ..bucket })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends so many at a moment; then the last of them are turned away, for so long.
    fn burst(served: &mut Served, at: Instant, sent: usize, away: usize, pause: Duration) -> Vec<bool> {
        let numbers: Vec<u64> = (0..sent).map(|_| served.take(at)).collect();
        numbers[sent - away..].iter().map(|number| served.turned_away(*number, at, at + pause, at)).collect()
    }

    /// How many may be sent at once.
    fn room(served: &mut Served, at: Instant) -> usize {
        let mut goes = |_: &usize| {
            let may = served.ready_at(at).is_none_or(|ready| ready <= at);
            may && served.take(at) < u64::MAX
        };
        (0..1000).take_while(|number| goes(number)).count()
    }

    #[test]
    fn nothing_is_held_back_before_a_rate_limit() {
        let start = Instant::now();
        assert_eq!(room(&mut Served::new(start), start), 1000);
    }

    #[test]
    fn all_rate_limits_of_a_burst_are_counted() {
        let start = Instant::now();
        let mut served = Served::new(start);
        let first = burst(&mut served, start, 60, 20, SECOND);
        assert_eq!((first[0], first[1..].iter().any(|first| *first)), (true, false));
        let after = start + SECOND;
        assert_eq!(served.bucket, Some(Bucket { rate: 40.0, size: 36.0, tried: false }));
        assert_eq!(room(&mut served, after), 36, "what was served in the burst, and a little less");
        let later = after + SECOND * 3;
        assert_eq!(room(&mut served, later), 36, "no more is saved up");
    }

    #[test]
    fn a_burst_after_which_nothing_was_served_teaches_nothing() {
        let start = Instant::now();
        let mut served = Served::new(start);
        burst(&mut served, start, 60, 20, SECOND);
        let before = served.bucket;
        burst(&mut served, start + SECOND, 10, 10, SECOND);
        assert_eq!((served.bucket, served.since), (before, Some(start)));
        let later = start + SECOND * 4;
        burst(&mut served, later, 21, 1, SECOND);
        assert_eq!(served.rate(), Some(5.0), "20 in the four seconds since the first");
    }

    #[test]
    fn short_pauses_teach_nothing() {
        let start = Instant::now();
        let mut served = Served::new(start);
        burst(&mut served, start, 60, 20, Duration::from_millis(100));
        assert_eq!(served.bucket, None);
    }
}
