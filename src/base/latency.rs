//! How long replies took: their number by time, in little room however many they are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Times below this, in milliseconds, are counted as they are; each further doubling has half as many steps, so that
/// what is told of it is at most 1.6 % wrong, and at the very end 3.2 %.
const EXACT: u64 = 64;

/// Steps of a doubling, as a power of two.
const STEPS: u32 = 5;

/// Times, counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latency {
    /// How many, by their step.
    steps: BTreeMap<u64, u64>,
    count: u64,
    max_ms: u64,
}

impl Latency {
    /// Counts one.
    pub fn note(&mut self, ms: u64) {
        *self.steps.entry(step(ms)).or_default() += 1;
        self.count += 1;
        self.max_ms = self.max_ms.max(ms);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub fn max_ms(&self) -> u64 {
        self.max_ms
    }

    /// The time that so many of 100 took at most; among the longest ones, the longest.
    pub fn percentile_ms(&self, percent: u64) -> u64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut sum = 0;
        let reached = self.steps.iter().find(|(_, count)| {
            sum += **count;
            sum >= rank
        });
        match reached {
            Some((longest, _)) if *longest == step(self.max_ms) => self.max_ms,
            reached => reached.map_or(0, |(step, _)| middle(*step)),
        }
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "replies": self.count,
            "median_ms": self.percentile_ms(50),
            "p95_ms": self.percentile_ms(95),
            "p99_ms": self.percentile_ms(99),
            "max_ms": self.max_ms,
        })
    }
}

fn step(ms: u64) -> u64 {
    if ms < EXACT {
        return ms;
    }
    let doubling = ms.ilog2() - STEPS;
    (u64::from(doubling) << STEPS) + (ms >> doubling)
}

/// The time in the middle of a step.
fn middle(step: u64) -> u64 {
    if step < EXACT {
        return step;
    }
    let doubling = (step >> STEPS) - 1;
    let first = (step - (doubling << STEPS)) << doubling;
    first + (1 << doubling) / 2
}

/// A time as people read it: `640 ms`, `2.34 s`, `73.1 s`.
pub fn shown(ms: u64) -> String {
    let seconds = ms as f64 / 1000.0;
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..10_000 => format!("{seconds:.2} s"),
        _ => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearly_exact() {
        let mut latency = Latency::default();
        (1..=10_000).for_each(|ms| latency.note(ms));
        for percent in [1, 50, 95, 99] {
            let (told, exact) = (latency.percentile_ms(percent) as f64, percent as f64 * 100.0);
            assert!((told / exact - 1.0).abs() < 0.016, "{percent} %: {told}");
        }
        assert_eq!((latency.max_ms(), latency.percentile_ms(100), latency.count()), (10_000, 10_000, 10_000));
        assert!(latency.steps.len() < 400);
    }

    #[test]
    fn every_time_is_near_the_middle_of_its_step() {
        for ms in (0..5_000).chain((0..63).map(|bit| 1 << bit)).chain([u64::MAX]) {
            let wrong = middle(step(ms)).abs_diff(ms) as f64 / ms.max(1) as f64;
            assert!(wrong < 0.016, "{ms}: {}", middle(step(ms)));
        }
    }

    #[test]
    fn few_and_none_are_told_too() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile_ms(50), 0);
        latency.note(1_500);
        assert_eq!((latency.percentile_ms(50), latency.percentile_ms(99)), (1_500, 1_500));
        (0..9).for_each(|_| latency.note(10));
        assert_eq!((latency.percentile_ms(50), latency.percentile_ms(95)), (10, 1_500));
    }

    #[test]
    fn times_are_readable() {
        assert_eq!([640, 2_340, 73_100].map(shown), ["640 ms", "2.34 s", "73.1 s"]);
    }
}
