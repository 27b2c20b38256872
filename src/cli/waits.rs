//! Which waits are told: all callers of a backend wait for the same, and one line is enough.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines that tell of waits for the same backend, unless the end moves by more.
const EVERY: Duration = Duration::from_secs(5);

/// The longest reason that is shown: a server's own words may be a page.
const LONGEST: usize = 160;

/// What was told of each backend.
#[derive(Default)]
pub struct Waits(Mutex<BTreeMap<String, Told>>);

#[derive(Clone, Copy)]
struct Told {
    at: Instant,
    until: Instant,
}

impl Waits {
    /// Whether a wait that begins now is worth a line; if so, it counts as told.
    pub fn is_news(&self, backend: &str, wait: Duration, now: Instant) -> bool {
        // Nobody reads this clock: a wait without end may count as a year.
        let until = now + wait.min(Duration::from_secs(365 * 86_400));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = all.get(backend).is_none_or(|told| told.is_old(until, now));
        if news {
            all.insert(backend.into(), Told { at: now, until });
        }
        news
    }
}

impl Told {
    /// Whether it no longer says when it goes on: the end has moved, by much or some time ago.
    fn is_old(self, until: Instant, now: Instant) -> bool {
        let moved = until.saturating_duration_since(self.until);
        let left = until.saturating_duration_since(now);
        let much = moved > EVERY.max(left / 2);
        !moved.is_zero() && (much || now.saturating_duration_since(self.at) >= EVERY)
    }
}

/// A reason on one line, without what a terminal would take for an order.
pub fn one_line(reason: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let words = reason.chars().map(plain).collect::<String>();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_line_for_all_who_wait_and_another_when_the_end_moves_by_much() {
        let (waits, start) = (Waits::default(), Instant::now());
        let told = |backend, at: u32, wait: u32| waits.is_news(backend, SECOND * wait, start + SECOND * at);
        assert!(told("a", 0, 20));
        assert!(told("b", 0, 20), "each backend has its own");
        assert!((0..19).all(|at| !told("a", at, 20 - at)), "the same end");
        assert!(!told("a", 1, 10), "an earlier end of one call");
        assert!(!told("a", 1, 21), "a second later, told a second ago");
        assert!(told("a", 2, 3600), "an hour later");
        assert!(!told("a", 600, 2));
        assert!(told("a", 3602, 2), "a new one");
        assert!(!told("a", 3604, 2), "too soon");
        assert!(told("a", 3608, 2));
    }

    #[test]
    fn many_calls_with_pauses_of_their_own_make_few_lines() {
        let (waits, start) = (Waits::default(), Instant::now());
        let pause = |i: u64| Duration::from_millis(1000 + i * 7919 % 59_000);
        let lines =
            (0..6400).filter(|i| waits.is_news("a", pause(*i), start + Duration::from_millis(i * 10)));
        assert!(lines.count() < 20, "in a minute");
    }

    #[test]
    fn reasons_are_short_and_harmless() {
        assert_eq!(one_line("rate limit (429):\n\u{1b}[2Jslow  down\r\n"), "rate limit (429): [2Jslow down");
        assert_eq!(one_line(&"ü".repeat(300)).chars().count(), LONGEST + 4);
    }
}
