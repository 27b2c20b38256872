//! When a failed attempt is repeated.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use super::failure::{Again, Failure};
use super::limits::Named;
use crate::base::{Error, Kind};

/// A named wait counts for so much at least: a server that names a millisecond again and again must
/// not be asked for ever.
const SHORTEST: Duration = Duration::from_secs(1);

/// How a kind of backend repeats.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Attempts of one call, the first included.
    pub attempts: usize,
    /// The first pause.
    pub base: Duration,
    /// The longest pause.
    pub cap: Duration,
    /// The shortest pause.
    pub floor: Duration,
    /// The pause after a rate limit that names no time, where it is another one.
    pub limit: Option<Duration>,
    /// What one call may wait, in all, for times that the server names.
    pub max_wait: Duration,
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What most kinds do.
const USUAL: Retry = Retry {
    attempts: 5,
    base: seconds(2),
    cap: seconds(60),
    floor: Duration::ZERO,
    limit: None,
    max_wait: seconds(600),
};

/// The kinds that do something else.
const OTHERS: &[(&str, Retry)] = &[
    ("google", Retry { attempts: 10, cap: seconds(120), floor: seconds(5), ..USUAL }),
    ("claude", Retry { attempts: 10, limit: Some(seconds(3600)), max_wait: seconds(6 * 3600), ..USUAL }),
];

/// A pause before the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// This call's own.
    Own(Duration),
    /// For everybody who uses the backend.
    Everybody(Duration, Named),
}

/// The attempts of one call.
pub struct Attempts {
    retry: Retry,
    /// All of the call's time, waits for the backend's limits aside.
    deadline: Duration,
    used: Duration,
    made: usize,
    waited: Duration,
    pauses: Box<dyn Iterator<Item = Duration> + Send>,
}

impl Retry {
    /// That of a kind.
    pub fn of(kind: &str) -> Retry {
        OTHERS.iter().find(|(name, _)| *name == kind).map_or(USUAL, |(_, retry)| *retry)
    }

    /// Begins a call whose attempts may each take so long.
    pub fn attempts(&self, each: Duration) -> Attempts {
        Attempts {
            retry: *self,
            deadline: self.deadline(each),
            used: Duration::ZERO,
            made: 0,
            waited: Duration::ZERO,
            pauses: Box::new(self.pauses()),
        }
    }

    /// When a call is given up at the latest: after all attempts, all pauses, and all waits.
    pub fn deadline(&self, each: Duration) -> Duration {
        let attempts = u32::try_from(self.attempts).unwrap_or(u32::MAX);
        let pause = self.cap.max(self.limit.unwrap_or_default());
        each.saturating_add(pause).saturating_mul(attempts).saturating_add(self.max_wait)
    }

    /// Full jitter: from the floor up to the exponential pause. backon draws from one to two times the
    /// pause; the pause itself is taken off again.
    fn pauses(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let plain = ExponentialBuilder::default()
            .with_min_delay(self.base)
            .with_max_delay(self.cap)
            .with_max_times(self.attempts.saturating_sub(1));
        let floor = self.floor;
        let drawn = plain.with_jitter().build().zip(plain.build());
        drawn.map(move |(more, pause)| more.saturating_sub(pause).max(floor))
    }
}

impl Attempts {
    /// Requests sent so far, with the one that is about to be.
    pub fn begin(&mut self) -> usize {
        self.made += 1;
        self.made
    }

    /// What to wait after a failure that took so long, or the call's error.
    pub fn after(&mut self, failure: Failure, took: Duration) -> Result<Pause, Error> {
        self.used = self.used.saturating_add(took);
        if failure.again != Again::Never && self.used > self.deadline {
            let message = format!("given up after {} s in {} attempts", self.used.as_secs(), self.made);
            return Err(Error::new(Kind::Timeout, format!("{message}: {}", failure.error.message())));
        }
        match failure.again {
            Again::Never => Err(failure.error),
            Again::Backoff => self.back_off(failure.error),
            Again::After(Duration::ZERO) => self.back_off(failure.error),
            Again::After(wait) if wait > self.retry.max_wait => Err(too_long(wait, &failure.error)),
            Again::After(wait) => {
                self.waited = self.waited.saturating_add(wait.max(SHORTEST));
                if self.waited > self.retry.max_wait {
                    let message = format!("the server asks to wait {}", shown(wait));
                    let hint = "`max_wait` of the backend in config/fthost.yaml sets how long a call waits";
                    return Err(failure.error.context(message).or_hint(Some(hint.into())));
                }
                Ok(Pause::Everybody(wait, Named::ByServer))
            }
        }
    }

    /// A pause that nobody named. Rate limits concern everybody.
    fn back_off(&mut self, error: Error) -> Result<Pause, Error> {
        let Some(pause) = self.pauses.next() else {
            let made = self.made;
            return Err(if made == 1 { error } else { error.context(format!("after {made} attempts")) });
        };
        self.used = self.used.saturating_add(pause);
        match error.kind() {
            Kind::RateLimit => Ok(Pause::Everybody(self.retry.limit.unwrap_or(pause), Named::ByNobody)),
            _ => Ok(Pause::Own(pause)),
        }
    }
}

/// Whoever is asked next would hear the same.
fn too_long(wait: Duration, error: &Error) -> Error {
    let message = format!("the server asks to wait {}: {}", shown(wait), error.message());
    Error::new(Kind::DeadBackend, message)
        .hint("run the same command again after that time; `max_wait` of the backend in config/fthost.yaml is what a run waits by itself")
}

/// `90 s`, `50 min`, `24 h`: as fine as a person needs it.
fn shown(wait: Duration) -> String {
    match wait.as_secs() {
        seconds @ 0..=180 => format!("{seconds} s"),
        seconds @ 181..=10_800 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(again: Again) -> Failure {
        Failure {
            error: Error::new(Kind::RateLimit, "rate limit"),
            again,
            bill: crate::llm::purse::Bill::Nothing,
        }
    }

    #[test]
    fn pauses_grow_to_the_cap_with_full_jitter() {
        let retry = Retry { attempts: 9, ..USUAL };
        let bounds = [2, 4, 8, 16, 32, 60, 60, 60].map(Duration::from_secs);
        let mut low = 0;
        for _ in 0..50 {
            let pauses: Vec<Duration> = retry.pauses().collect();
            assert_eq!(pauses.len(), bounds.len());
            assert!(pauses.iter().zip(&bounds).all(|(pause, bound)| pause <= bound), "{pauses:?}");
            low += pauses.iter().zip(&bounds).filter(|(pause, bound)| **pause < **bound / 2).count();
        }
        assert!((100..300).contains(&low), "about half of 400 pauses are below half: {low}");
    }

    #[test]
    fn five_attempts_are_made() {
        let mut attempts = USUAL.attempts(Duration::from_secs(600));
        let pauses = (0..10).take_while(|_| {
            attempts.begin();
            attempts.after(limited(Again::Backoff), Duration::ZERO).is_ok()
        });
        assert_eq!(pauses.count(), 4);
        assert_eq!(attempts.made, 5);
    }

    #[test]
    fn named_waits_use_no_attempts_up_to_max_wait() {
        let mut attempts = USUAL.attempts(Duration::from_secs(600));
        let minute = Duration::from_secs(60);
        for _ in 0..10 {
            assert_eq!(
                attempts.after(limited(Again::After(minute)), Duration::ZERO).unwrap(),
                Pause::Everybody(minute, Named::ByServer)
            );
        }
        let error = attempts.after(limited(Again::After(minute)), Duration::ZERO).unwrap_err();
        assert_eq!(error.message(), "the server asks to wait 60 s: rate limit");
        assert_eq!(error.kind(), Kind::RateLimit, "others may fare better");
        assert!(attempts.after(limited(Again::Backoff), Duration::ZERO).is_ok());
    }

    #[test]
    fn a_wait_that_nobody_can_have_ends_the_run() {
        let mut attempts = USUAL.attempts(seconds(600));
        let error = attempts.after(limited(Again::After(seconds(601))), Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), Kind::DeadBackend);
        assert_eq!(error.message(), "the server asks to wait 11 min: rate limit");
    }

    #[test]
    fn kinds_repeat_in_their_own_ways() {
        let google = Retry::of("google");
        assert!(google.pauses().all(|pause| (seconds(5)..=seconds(120)).contains(&pause)));
        assert_eq!((google.pauses().count(), Retry::of("anthropic").pauses().count()), (9, 4));
        let mut claude = Retry::of("claude").attempts(seconds(600));
        claude.begin();
        let hour = Pause::Everybody(seconds(3600), Named::ByNobody);
        assert_eq!(claude.after(limited(Again::Backoff), Duration::ZERO).unwrap(), hour);
        let named = claude.after(limited(Again::After(seconds(5 * 3600))), Duration::ZERO).unwrap();
        assert_eq!(named, Pause::Everybody(seconds(5 * 3600), Named::ByServer));
    }

    #[test]
    fn a_call_ends_by_its_deadline_whatever_the_server_says() {
        let each = seconds(100);
        let mut attempts = USUAL.attempts(each);
        assert_eq!(USUAL.deadline(each), seconds(5 * 160 + 600));
        let short = || limited(Again::After(Duration::from_millis(1)));
        let ended = (0..600).find_map(|_| {
            attempts.begin();
            attempts.after(short(), each).err()
        });
        let error = ended.unwrap();
        assert_eq!((error.kind(), attempts.made), (Kind::Timeout, 15));
        assert_eq!(error.message(), "given up after 1500 s in 15 attempts: rate limit");
    }
}
