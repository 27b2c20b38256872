//! What a server serves, learned from its rate limits. It is taken for a bucket: a rate fills it, and each request
//! takes one from it. Nothing is held back before the first rate limit. A burst of them says that the bucket is
//! empty, and what was sent since the burst before, and not turned away, is what the server served in that
//! time. From then on no more is sent than the bucket should hold, and a little more from second to second without a
//! rate limit, to see whether there is more by now.
//!
//! All this is true of a server that turns away everything once it is full. One that turns away some of everything, be
//! it crowded by others or shedding load, teaches no rate: fewer requests would only bring fewer replies.

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

/// Requests were sent together when no more time lies between them: meanwhile the bucket fills by hardly anything.
const TOGETHER: Duration = Duration::from_millis(20);

/// Of requests that were sent together with one that was turned away, and after it, a full server turns away more.
const FULL: f64 = 0.85;

/// Fewer such requests tell nothing.
const ENOUGH: f64 = 6.0;

/// And so many are enough: older ones are forgotten.
const LATEST: f64 = 20.0;

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
#[derive(Debug, Clone)]
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
    /// When those of the last second were sent, and those that were turned away.
    sends: VecDeque<Turn>,
    away: Vec<Turn>,
}

/// Requests that were sent together with the first that was turned away, and after it; and those of them that were
/// turned away, too.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Others {
    sent: f64,
    away: f64,
}

impl Others {
    /// With newer ones, before which older ones are forgotten.
    fn and(self, newer: Others) -> Others {
        let kept = ((LATEST - newer.sent).max(0.0) / self.sent.max(1.0)).min(1.0);
        Others { sent: self.sent * kept + newer.sent, away: self.away * kept + newer.away }
    }
}

/// A request among those that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    number: u64,
    at: Instant,
    /// The bursts before it.
    bursts: u64,
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
    /// Sent so far.
    number: u64,
    /// Sent since the last burst, and when the first of it was.
    sent: u64,
    first: Option<Instant>,
    /// Which, as far as that was within the last second.
    lately: VecDeque<Turn>,
    burst: Option<Burst>,
    /// Of the bursts before the last one.
    others: Others,
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
            number: 0,
            sent: 0,
            first: None,
            lately: VecDeque::new(),
            burst: None,
            others: Others::default(),
        }
    }

    /// Whether rate limits come at random.
    pub fn at_random(&self) -> bool {
        let last = self.burst.as_ref().map_or(Others::default(), Burst::others);
        let Others { sent, away } = self.others.and(last);
        sent >= ENOUGH && away < sent * FULL
    }

    /// When the next request may be sent; none when nothing is known.
    pub fn ready_at(&mut self, now: Instant) -> Option<Instant> {
        let bucket = self.bucket?;
        self.fill(bucket, now);
        let missing = (1.0 - self.level.0).max(0.0) / self.pace(bucket, now);
        Some(now + Duration::try_from_secs_f64(missing).unwrap_or(SECOND))
    }

    /// Counts a request as sent; the turn is for [`Served::turned_away`].
    pub fn take(&mut self, now: Instant) -> Turn {
        if let Some(bucket) = self.bucket {
            self.fill(bucket, now);
            self.level.0 -= 1.0;
        }
        self.number += 1;
        self.sent += 1;
        self.first.get_or_insert(now);
        let turn = Turn { number: self.number, at: now, bursts: self.bursts };
        self.lately.push_back(turn);
        while self.lately.front().is_some_and(|turn| turn.at + SECOND < now) {
            self.lately.pop_front();
        }
        turn
    }

    /// A rate limit, met by this request; nobody sends until then. Whether it is the first of a burst.
    pub fn turned_away(&mut self, turn: Turn, open_at: Instant, now: Instant) -> bool {
        let first = turn.bursts == self.bursts;
        if first {
            self.begin(now);
        }
        self.open_at = self.open_at.max(open_at);
        if let Some(burst) = self.burst.as_mut().filter(|_| first || turn.bursts + 1 == self.bursts) {
            burst.served = burst.served.saturating_sub(1);
            if turn.at + SECOND > burst.at {
                burst.lately = burst.lately.saturating_sub(1);
            }
            burst.away.push(turn);
            self.bucket = burst.judged(self.open_at.saturating_duration_since(now));
            // A burst that found nothing served since the one before is a part of it.
            self.since = burst.since.filter(|_| burst.served == 0).or(Some(burst.at));
        }
        if self.at_random() {
            self.bucket = None;
        }
        first
    }

    /// Requests a second that the server is believed to serve, once that was tried.
    pub fn rate(&self) -> Option<f64> {
        self.bucket.filter(|bucket| bucket.tried).map(|bucket| bucket.rate)
    }

    fn begin(&mut self, now: Instant) {
        if let Some(last) = self.burst.as_ref().map(Burst::others) {
            self.others = self.others.and(last);
        }
        self.burst = Some(Burst {
            before: self.bucket,
            at: now,
            served: self.sent,
            since: self.since,
            open: self.first.take().map_or(Duration::ZERO, |first| now.duration_since(first)),
            lately: self.lately.iter().filter(|turn| turn.at + SECOND > now).count() as u64,
            sends: std::mem::take(&mut self.lately),
            away: Vec::new(),
        });
        self.bursts += 1;
        self.sent = 0;
        self.level = (0.0, now);
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
    fn others(&self) -> Others {
        let Some(first) = self.away.iter().min() else { return Others::default() };
        let other = |turn: &&Turn| turn.number > first.number && turn.at <= first.at + TOGETHER;
        Others {
            sent: self.sends.iter().filter(other).count() as f64,
            away: self.away.iter().filter(other).count() as f64,
        }
    }

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
        let turns: Vec<Turn> = (0..sent).map(|_| served.take(at)).collect();
        turns[sent - away..].iter().map(|turn| served.turned_away(*turn, at + pause, at)).collect()
    }

    /// How many may be sent at once.
    fn room(served: &mut Served, at: Instant) -> usize {
        let mut goes = |_: &usize| {
            let may = served.ready_at(at).is_none_or(|ready| ready <= at);
            may && served.take(at).number > 0
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
