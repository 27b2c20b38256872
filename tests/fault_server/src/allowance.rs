//! Rate limits as real servers have them, and the log of arrivals that shows whether a client kept them.

use std::time::{Duration, Instant};

/// What the server allows. Beyond it, it answers 429 with `Retry-After: 1`.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Calls a second; as many, and at least one, may come at once.
    pub calls: f64,
    /// Tokens of prompts a second.
    pub tokens: Option<f64>,
    /// Whether answers carry `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`; limits per minute.
    pub headers: bool,
}

/// What is left of an allowance.
pub(crate) struct Bucket {
    allowed: Allowance,
    calls: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    pub fn new(allowed: Allowance) -> Bucket {
        let (calls, tokens) = (allowed.calls.max(1.0), allowed.tokens.unwrap_or(0.0));
        Bucket { allowed, calls, tokens, at: Instant::now() }
    }

    /// Takes a call of so many tokens, if there is one left.
    pub fn take(&mut self, tokens: u64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.calls = (self.calls + passed * self.allowed.calls).min(self.allowed.calls.max(1.0));
        let limit = self.allowed.tokens;
        self.tokens = limit.map_or(f64::MAX, |limit| (self.tokens + passed * limit).min(limit));
        // A prompt of more than a second's tokens goes through when none are owed.
        let need = limit.map_or(0.0, |limit| (tokens as f64).min(limit));
        // A grain of tolerance: sums of fractions do not reach 1.
        let enough = self.calls >= 1.0 - 1e-9 && self.tokens >= need - 1e-9;
        if enough {
            self.calls -= 1.0;
            self.tokens -= limit.map_or(0.0, |_| tokens as f64);
        }
        enough
    }

    /// The headers that tell of it.
    pub fn headers(&self) -> Vec<(String, String)> {
        if !self.allowed.headers {
            return vec![];
        }
        let mut headers = of("requests", self.allowed.calls, self.calls);
        if let Some(tokens) = self.allowed.tokens {
            headers.extend(of("tokens", tokens, self.tokens));
        }
        headers
    }
}

fn of(what: &str, per_second: f64, left: f64) -> Vec<(String, String)> {
    let missing = (per_second.max(1.0) - left).max(0.0);
    let all = [
        ("limit", (per_second * 60.0).round().to_string()),
        ("remaining", left.max(0.0).floor().to_string()),
        ("reset", format!("{}ms", (missing / per_second * 1000.0).ceil())),
    ];
    all.into_iter().map(|(name, value)| (format!("x-ratelimit-{name}-{what}"), value)).collect()
}

/// A request's arrival.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the reply; 0 when there was none, or none yet.
    pub output_tokens: u64,
    /// Whether it was more than allowed, and got a 429 for it.
    pub over: bool,
    /// What was served: `usual`, or the name of the fault or script; empty until that is decided.
    pub kind: &'static str,
    /// The wait that the answer asked for.
    pub wait: Option<Duration>,
    /// When the answer began to be sent.
    pub answered: Option<Instant>,
}

impl Arrival {
    /// Nothing of it is decided.
    pub(crate) fn new(at: Instant, input_tokens: u64) -> Arrival {
        Arrival { at, input_tokens, output_tokens: 0, over: false, kind: "", wait: None, answered: None }
    }

    /// Of prompt and reply.
    pub fn tokens(&self) -> u64 {
        self.input_tokens + self.output_tokens
    }
}

/// The most requests, and the most tokens, that arrived within any window of this length.
pub fn most_in_window(arrivals: &[Arrival], window: Duration) -> (usize, u64) {
    let mut sorted = arrivals.to_vec();
    sorted.sort_by_key(|arrival| arrival.at);
    let (mut first, mut tokens, mut most) = (0, 0, (0, 0));
    for (last, arrival) in sorted.iter().enumerate() {
        tokens += arrival.tokens();
        while arrival.at - sorted[first].at >= window {
            tokens -= sorted[first].tokens();
            first += 1;
        }
        most = (most.0.max(last + 1 - first), most.1.max(tokens));
    }
    most
}

/// Arrivals before the end of a wait that was asked for. `grace` is how long after such an answer a request may
/// still come that was on its way by then.
pub fn too_early(arrivals: &[Arrival], grace: Duration) -> Vec<Duration> {
    let waits = arrivals.iter().filter_map(|arrival| Some((arrival.answered?, arrival.wait?)));
    let after = |at: Instant| arrivals.iter().filter_map(move |next| next.at.checked_duration_since(at));
    waits.flat_map(|(at, wait)| after(at).filter(move |after| *after > grace && *after < wait)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: Allowance = Allowance { calls: 4.0, tokens: None, headers: true };

    #[test]
    fn a_second_s_calls_at_once_then_one_by_one() {
        let mut bucket = Bucket::new(CALLS);
        let start = bucket.at;
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!((0..6).filter(|_| bucket.take(9, at(0))).count(), 4);
        assert!(!bucket.take(9, at(200)) && bucket.take(9, at(250)) && !bucket.take(9, at(251)));
        assert_eq!((0..9).filter(|_| bucket.take(9, at(60_000))).count(), 4);
    }

    #[test]
    fn tokens_count_too() {
        let mut bucket = Bucket::new(Allowance { calls: 100.0, tokens: Some(10.0), headers: true });
        let start = bucket.at;
        assert!(bucket.take(25, start) && !bucket.take(1, start + Duration::from_secs(1)));
        assert!(bucket.take(1, start + Duration::from_secs(2)));
        assert!(bucket.headers().contains(&("x-ratelimit-limit-tokens".into(), "600".into())));
    }

    #[test]
    fn headers_tell_what_is_left() {
        let mut bucket = Bucket::new(CALLS);
        let start = bucket.at;
        bucket.take(1, start);
        let values: Vec<String> = bucket.headers().into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["240", "3", "250ms"]);
    }

    #[test]
    fn windows_slide() {
        let start = Instant::now();
        let arrival = |ms| {
            let at = start + Duration::from_millis(ms);
            Arrival { output_tokens: 1, ..Arrival::new(at, 2) }
        };
        let all = [arrival(0), arrival(900), arrival(950), arrival(1000)];
        assert_eq!(most_in_window(&all, Duration::from_secs(1)), (3, 9));
        assert_eq!(most_in_window(&all, Duration::from_millis(1001)), (4, 12));
        assert_eq!(most_in_window(&[], Duration::from_secs(1)), (0, 0));
    }

    #[test]
    fn early_is_before_the_end_of_a_wait() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let told =
            Arrival { wait: Some(Duration::from_secs(1)), answered: Some(at(5)), ..Arrival::new(at(0), 1) };
        let all = [told, Arrival::new(at(2), 1), Arrival::new(at(20), 1), Arrival::new(at(905), 1)];
        let grace = Duration::from_millis(50);
        assert_eq!(too_early(&all, grace), [Duration::from_millis(900)]);
        assert!(too_early(&[told, Arrival::new(at(1005), 1)], grace).is_empty());
    }
}
