//! The faults: which there are, and which of them a request gets.

use std::time::Duration;

use sha2::{Digest, Sha256};

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// 429 with Retry-After, in seconds.
    RateLimit,
    /// 429 without a word on when to come back.
    RateLimitBare,
    /// 429 with retry-after-ms; Gemini: RetryInfo in the body.
    RateLimitExact,
    /// 500.
    Failed,
    /// 502 with a proxy's page.
    BadGateway,
    /// 503.
    Unavailable,
    /// 529.
    Overloaded,
    /// The connection is reset before the answer.
    Reset,
    /// The connection is reset in the middle of the body.
    HalfBody,
    /// A byte a second.
    Drip,
    /// No answer, ever.
    Hang,
    /// A 200 whose body is no JSON.
    Malformed,
    /// A 200 whose body ends too early, with the length of what there is.
    TruncatedJson,
    /// A 200 that is not UTF-8.
    NonUtf8,
    /// A 200 of over 16 MiB, in chunks.
    Oversized,
    /// A structured reply of another type than asked for.
    WrongSchema,
    /// A structured reply in words.
    NotJson,
    /// A structured reply with a key twice.
    DuplicateKey,
    /// A refusal.
    Refusal,
    /// Half a reply, cut off at the token limit.
    TokenLimit,
    /// A reply that is withheld.
    Filter,
    /// A redirect to another origin.
    Redirect,
    /// A reply without any text.
    Empty,
}

impl Fault {
    /// All of them, with their names, in the order in which a seed picks them.
    pub const ALL: &[(Fault, &str)] = &[
        (Fault::RateLimit, "429"),
        (Fault::RateLimitBare, "429-bare"),
        (Fault::RateLimitExact, "429-exact"),
        (Fault::Failed, "500"),
        (Fault::BadGateway, "502"),
        (Fault::Unavailable, "503"),
        (Fault::Overloaded, "529"),
        (Fault::Reset, "reset"),
        (Fault::HalfBody, "half-body"),
        (Fault::Drip, "drip"),
        (Fault::Hang, "hang"),
        (Fault::Malformed, "malformed"),
        (Fault::TruncatedJson, "truncated-json"),
        (Fault::NonUtf8, "non-utf8"),
        (Fault::Oversized, "oversized"),
        (Fault::WrongSchema, "wrong-schema"),
        (Fault::NotJson, "not-json"),
        (Fault::DuplicateKey, "duplicate-key"),
        (Fault::Refusal, "refusal"),
        (Fault::TokenLimit, "token-limit"),
        (Fault::Filter, "filter"),
        (Fault::Redirect, "redirect"),
        (Fault::Empty, "empty"),
    ];

    /// Its name on the command line and the bill.
    pub fn name(self) -> &'static str {
        Fault::ALL.iter().find(|(fault, _)| *fault == self).map_or("", |(_, name)| name)
    }

    /// The fault of a name.
    pub fn named(name: &str) -> Option<Fault> {
        Fault::ALL.iter().find(|(_, known)| *known == name).map(|(fault, _)| *fault)
    }

    /// Whether the same request may go well when it is sent again.
    pub fn may_retry(self) -> bool {
        use Fault::*;
        !self.may_repair() && !matches!(self, Oversized | Refusal | TokenLimit | Filter | Redirect | Empty)
    }

    /// Whether the model may be told what is wrong with its reply, and asked once more.
    pub fn may_repair(self) -> bool {
        matches!(self, Fault::WrongSchema | Fault::NotJson | Fault::DuplicateKey)
    }

    /// Whether it is a rate limit.
    pub fn is_rate_limit(self) -> bool {
        matches!(self, Fault::RateLimit | Fault::RateLimitBare | Fault::RateLimitExact)
    }

    /// Whether it can happen to such a request.
    fn fits(self, structured: bool, refuses: bool) -> bool {
        match self {
            Fault::Refusal | Fault::Filter => refuses,
            fault if fault.may_repair() => structured,
            _ => true,
        }
    }
}

/// Which requests get a fault, and which.
///
/// A request's fault is a function of the seed, of what it asks (`Logical::hash`), and of how often that has
/// been asked before: so it is the same in every run and on every wire, whatever the order of arrival.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Another seed, other faults.
    pub seed: u64,
    /// The share of requests that get one, 0 to 1.
    pub rate: f64,
    /// Those that may happen; none: all.
    pub kinds: Vec<Fault>,
    /// What rate limits ask for.
    pub retry_after: Duration,
    /// The origin that redirects lead to.
    pub redirect_to: String,
}

impl Default for Faults {
    /// None, but all kinds as soon as a rate is set.
    fn default() -> Faults {
        let redirect_to = "http://127.0.0.1:9".into();
        Faults { seed: 0, rate: 0.0, kinds: vec![], retry_after: Duration::from_secs(1), redirect_to }
    }
}

impl Faults {
    /// The fault of a request that was asked `before` times.
    pub(crate) fn pick(&self, hash: &str, before: u64, structured: bool, refuses: bool) -> Option<Fault> {
        let digest = Sha256::digest(format!("{} {hash} {before}", self.seed));
        let number = |at: usize| digest[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if number(0) as f64 / 2f64.powi(32) >= self.rate {
            return None;
        }
        let all = Fault::ALL.iter().map(|(fault, _)| *fault);
        let wanted = all.filter(|fault| self.kinds.is_empty() || self.kinds.contains(fault));
        let fitting: Vec<Fault> = wanted.filter(|fault| fault.fits(structured, refuses)).collect();
        fitting.get(number(4) as usize % fitting.len().max(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_rate_and_all_kinds_are_met() {
        let faults = Faults { seed: 7, rate: 0.3, ..Faults::default() };
        let picked: Vec<Fault> =
            (0..10_000).filter_map(|n| faults.pick(&n.to_string(), 0, true, true)).collect();
        assert!((2_850..3_150).contains(&picked.len()), "{}", picked.len());
        assert_eq!(picked.iter().collect::<HashSet<_>>().len(), Fault::ALL.len());
        assert!((0..1_000).all(|n| Faults::default().pick(&n.to_string(), 0, true, true).is_none()));
    }

    #[test]
    fn seeds_hashes_and_occurrences_differ_and_repeat() {
        let faults = |seed| Faults { seed, rate: 0.5, ..Faults::default() };
        let all =
            |seed, hash| -> Vec<_> { (0..64).map(|n| faults(seed).pick(hash, n, true, true)).collect() };
        assert_eq!(all(1, "a"), all(1, "a"));
        assert!(all(1, "a") != all(2, "a") && all(1, "a") != all(1, "b"));
    }

    #[test]
    fn only_what_can_happen_happens() {
        let faults = Faults { rate: 1.0, ..Faults::default() };
        for n in 0..2_000 {
            let fault = faults.pick("h", n, false, false).unwrap();
            assert!(!fault.may_repair() && fault != Fault::Refusal && fault != Fault::Filter);
        }
        let few = Faults { kinds: vec![Fault::Hang], ..faults };
        assert_eq!(few.pick("h", 0, false, false), Some(Fault::Hang));
    }

    #[test]
    fn names_lead_back() {
        for (fault, name) in Fault::ALL {
            assert_eq!((fault.name(), Fault::named(name)), (*name, Some(*fault)));
        }
    }
}
