//! What a backend has done so far, and what it does now.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::purse::Bill;
use super::{Reply, Request};
use crate::base::latency::Latency;

/// What a backend has done so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Calls that brought a reply.
    pub calls: u64,
    /// Requests sent.
    pub attempts: u64,
    /// Requests on the wire at this moment.
    pub in_flight: u64,
    /// Requests that may be on the wire at this moment: fewer than configured after rate limits.
    pub concurrency: usize,
    /// Requests that may be on the wire by the configuration.
    pub configured: usize,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of replies.
    pub output_tokens: u64,
    /// Dollars, where the configuration gives a price or the provider says it.
    pub usd: Option<f64>,
    /// Why nothing is sent at this moment.
    pub waiting: Option<Waiting>,
}

/// A pause of a whole backend.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Its end.
    pub until: SystemTime,
    /// In words: "rate limit (429): slow down".
    pub reason: String,
}

/// The counters behind [`Stats`].
#[derive(Default)]
pub(super) struct Counters(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    stats: Stats,
    guess: Guess,
    latency: Latency,
    /// Requests that failed since the last one that went well.
    failed_in_a_row: usize,
}

impl Counters {
    /// What was counted.
    pub fn stats(&self) -> Stats {
        self.lock().stats.clone()
    }

    /// Counts a request as on the wire until the guard is dropped, however it ends.
    pub fn send(&self) -> OnTheWire<'_> {
        let mut counted = self.lock();
        counted.stats.attempts += 1;
        counted.stats.in_flight += 1;
        drop(counted);
        OnTheWire(self)
    }

    /// How long replies took.
    pub fn latency(&self) -> Latency {
        self.lock().latency.clone()
    }

    /// Counts a reply.
    pub fn replied(&self, request: &Request, reply: &Reply, took: Duration) {
        let mut counted = self.lock();
        counted.latency.note(took.as_millis() as u64);
        counted.failed_in_a_row = 0;
        counted.guess.learn(request, reply);
        counted.stats.calls += 1;
    }

    /// Counts what a request cost, as far as anybody knows.
    pub fn billed(&self, bill: &Bill) {
        if let Bill::Served { usage, usd } = bill {
            let stats = &mut self.lock().stats;
            stats.input_tokens += usage.input_tokens;
            stats.output_tokens += usage.output_tokens;
            stats.usd = usd.map(|usd| stats.usd.unwrap_or(0.0) + usd).or(stats.usd);
        }
    }

    /// Counts a request that brought none; how many these are in a row.
    pub fn failed(&self) -> usize {
        let mut counted = self.lock();
        counted.failed_in_a_row += 1;
        counted.failed_in_a_row
    }

    /// The tokens that a request may come to.
    pub fn guess(&self, request: &Request) -> u64 {
        self.lock().guess.tokens(request)
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Counters::send`].
pub(super) struct OnTheWire<'a>(&'a Counters);

impl Drop for OnTheWire<'_> {
    fn drop(&mut self) {
        self.0.lock().stats.in_flight -= 1;
    }
}

/// How many tokens a request comes to, guessed high: what is over is given back with the reply, what is
/// missing may have exceeded the server's limit. It follows what the server counts.
struct Guess {
    tokens_of_a_byte: f64,
    reply: f64,
}

impl Default for Guess {
    /// Half a token a byte is more than any common language or JSON needs.
    fn default() -> Guess {
        Guess { tokens_of_a_byte: 0.5, reply: 1000.0 }
    }
}

impl Guess {
    /// A new guess is above what was seen last, and comes down slowly from a higher one.
    fn learn(&mut self, request: &Request, reply: &Reply) {
        let input = reply.usage.input_tokens as f64 / request.bytes().max(1) as f64;
        if reply.usage.total() > 0 {
            self.tokens_of_a_byte = (input * 1.1).max(self.tokens_of_a_byte * 0.9);
            self.reply = (reply.usage.output_tokens as f64 * 1.2).max(self.reply * 0.9);
        }
    }

    fn tokens(&self, request: &Request) -> u64 {
        let reply = request.params.max_tokens.map_or(self.reply, f64::from);
        (request.bytes() as f64 * self.tokens_of_a_byte + reply).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::{Outcome, Usage};

    fn reply(input_tokens: u64, output_tokens: u64) -> Reply {
        Reply {
            outcome: Outcome::Ok,
            content: "x".into(),
            reasoning: None,
            model: String::new(),
            usage: Usage { input_tokens, output_tokens, ..Usage::default() },
            finish_reason: String::new(),
            cost: None,
            attempts: 1,
        }
    }

    #[test]
    fn the_guess_follows_what_is_counted_and_stays_above() {
        let mut guess = Guess::default();
        let request = Request::of("x".repeat(4000));
        assert_eq!(guess.tokens(&request), 3000);
        (0..50).for_each(|_| guess.learn(&request, &reply(1000, 200)));
        let learned = guess.tokens(&request);
        assert!((1200..1400).contains(&learned), "{learned}");
        guess.learn(&request, &reply(3000, 900));
        assert!(guess.tokens(&request) >= 3900, "up at once");
        guess.learn(&request, &reply(0, 0));
        assert!(guess.tokens(&request) >= 3900, "a server that does not count teaches nothing");
    }

    #[test]
    fn a_limit_on_the_reply_is_its_guess() {
        let mut request = Request::of("");
        request.params.max_tokens = Some(77);
        assert_eq!(Guess::default().tokens(&request), 77);
    }
}
