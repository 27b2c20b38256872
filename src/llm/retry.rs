//! When a failed attempt is repeated.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use super::failure::{Again, Failure};
use crate::base::Error;

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
    /// What one call may wait, in all, for times that the server names.
    pub max_wait: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            attempts: 5,
            base: Duration::from_secs(2),
            cap: Duration::from_secs(60),
            max_wait: Duration::from_secs(600),
        }
    }
}

/// A pause before the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// This call's own.
    Own(Duration),
    /// For everybody who uses the backend: the server named it.
    Everybody(Duration),
}

/// The attempts of one call.
pub struct Attempts {
    retry: Retry,
    made: usize,
    waited: Duration,
    pauses: Box<dyn Iterator<Item = Duration> + Send>,
}

impl Retry {
    /// Begins a call.
    pub fn attempts(&self) -> Attempts {
        Attempts { retry: *self, made: 0, waited: Duration::ZERO, pauses: Box::new(self.pauses()) }
    }

    /// Full jitter: from nothing up to the exponential pause. backon draws from one to two times the
    /// pause; the pause itself is taken off again.
    fn pauses(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let plain = ExponentialBuilder::default()
            .with_min_delay(self.base)
            .with_max_delay(self.cap)
            .with_max_times(self.attempts.saturating_sub(1));
        plain.with_jitter().build().zip(plain.build()).map(|(more, pause)| more.saturating_sub(pause))
    }
}

impl Attempts {
    /// Requests sent so far, with the one that is about to be.
    pub fn begin(&mut self) -> usize {
        self.made += 1;
        self.made
    }

    /// What to wait after a failure, or the call's error.
    pub fn after(&mut self, failure: Failure) -> Result<Pause, Error> {
        match failure.again {
            Again::Never => Err(failure.error),
            Again::Backoff => match self.pauses.next() {
                Some(pause) => Ok(Pause::Own(pause)),
                None if self.made == 1 => Err(failure.error),
                None => Err(failure.error.context(format!("after {} attempts", self.made))),
            },
            Again::After(Duration::ZERO) => self.after(Failure { again: Again::Backoff, ..failure }),
            Again::After(wait) => {
                self.waited = self.waited.saturating_add(wait.max(SHORTEST));
                if self.waited > self.retry.max_wait {
                    let message = format!("the server asks to wait {} s", wait.as_secs());
                    let hint = "`max_wait` of the backend in config/fthost.yaml sets how long a call waits";
                    return Err(failure.error.context(message).or_hint(Some(hint.into())));
                }
                Ok(Pause::Everybody(wait))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Kind;

    fn limited(again: Again) -> Failure {
        Failure {
            error: Error::new(Kind::RateLimit, "rate limit"),
            again,
            bill: crate::llm::purse::Bill::Nothing,
        }
    }

    #[test]
    fn pauses_grow_to_the_cap_with_full_jitter() {
        let retry = Retry { attempts: 9, base: Duration::from_secs(2), ..Retry::default() };
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
        let mut attempts = Retry::default().attempts();
        let pauses = (0..10).take_while(|_| {
            attempts.begin();
            attempts.after(limited(Again::Backoff)).is_ok()
        });
        assert_eq!(pauses.count(), 4);
        assert_eq!(attempts.made, 5);
    }

    #[test]
    fn named_waits_use_no_attempts_up_to_max_wait() {
        let mut attempts = Retry::default().attempts();
        let minute = Duration::from_secs(60);
        for _ in 0..10 {
            assert_eq!(attempts.after(limited(Again::After(minute))).unwrap(), Pause::Everybody(minute));
        }
        let error = attempts.after(limited(Again::After(minute))).unwrap_err();
        assert_eq!(error.message(), "the server asks to wait 60 s: rate limit");
        assert!(attempts.after(limited(Again::Backoff)).is_ok());
    }
}
