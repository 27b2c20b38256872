//! Sums over replies: what was spent, and how long replies are.

use std::collections::BTreeMap;

use serde::Serialize;

/// Fewer replies say nothing of the length of the next.
const FEWEST: u64 = 5;

/// Sums of what was paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Sums {
    /// Requests that were served, or may have been.
    pub calls: u64,
    /// Those of them of which nobody knows what they cost.
    pub unknown: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of replies.
    pub output_tokens: u64,
    /// Dollars, as far as there are prices.
    pub usd: f64,
}

impl Sums {
    /// Adds other sums.
    pub fn join(&mut self, other: &Sums) {
        self.calls += other.calls;
        self.unknown += other.unknown;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.usd += other.usd;
    }

    /// All of them together.
    pub fn of<'a>(all: impl IntoIterator<Item = &'a Sums>) -> Sums {
        all.into_iter().fold(Sums::default(), |mut sums, one| {
            sums.join(one);
            sums
        })
    }
}

/// How long the latest replies of each backend were: free ones, and structured ones (true).
#[derive(Debug, Default, PartialEq)]
pub struct ReplyLengths(BTreeMap<(String, bool), (u64, u64)>);

impl ReplyLengths {
    /// Notes how many replies of a backend there were, and how many tokens they had in all.
    pub(super) fn note(&mut self, backend: String, structured: bool, replies: u64, tokens: u64) {
        self.0.insert((backend, structured), (replies, tokens));
    }

    /// The mean in tokens, and of how many replies; none when there are too few to say.
    pub fn mean(&self, backend: &str, structured: bool) -> Option<(u64, usize)> {
        let (replies, tokens) = *self.0.get(&(backend.to_string(), structured))?;
        let mean = || (tokens as f64 / replies as f64).round() as u64;
        (replies >= FEWEST).then(|| (mean(), replies as usize))
    }
}
