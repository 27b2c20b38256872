//! What a server says is left of its limits: `x-ratelimit-remaining-requests` and its kin.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Requests that were sent within this time may arrive in any order.
const TOGETHER: Duration = Duration::from_millis(50);

/// What is left of one limit, and how long until it is whole again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Left {
    /// Requests or tokens.
    pub remaining: u64,
    /// From the request on.
    pub reset: Duration,
}

/// What an answer's headers say; nothing, as a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// Of requests.
    pub requests: Option<Left>,
    /// Of tokens.
    pub tokens: Option<Left>,
}

impl Rates {
    /// Reads the headers of OpenAI, of those who took them over, and of Anthropic. What cannot be read is not
    /// there.
    pub fn of<'a>(header: impl Fn(&str) -> Option<&'a str>, now: SystemTime) -> Rates {
        let left = |what: &str| {
            let x = |part: &str| header(&format!("x-ratelimit-{part}-{what}"));
            let anthropic = |part: &str| header(&format!("anthropic-ratelimit-{what}-{part}"));
            let remaining = x("remaining").or(anthropic("remaining"))?.trim().parse().ok()?;
            let reset =
                x("reset").and_then(span).or_else(|| anthropic("reset").and_then(|t| until(t, now)))?;
            Some(Left { remaining, reset })
        };
        Rates { requests: left("requests"), tokens: left("tokens").or_else(|| left("input-tokens")) }
    }
}

/// `6m0s`, `1.5s`, `120ms`, `1h2m`, or bare seconds.
fn span(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let (mut sum, mut rest) = (0.0, text.trim());
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        sum += number
            * match &rest[digits..unit_end] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    Duration::try_from_secs_f64(sum).ok()
}

/// `2026-11-24T20:00:00Z`
fn until(text: &str, now: SystemTime) -> Option<Duration> {
    let at: SystemTime = text.trim().parse::<jiff::Timestamp>().ok()?.into();
    Some(at.duration_since(now).unwrap_or_default())
}

/// What is left for us of one of the server's limits.
#[derive(Default)]
pub(super) struct Window {
    now: Option<Known>,
    /// The most that was ever left: so much may come at once when the limit is whole again.
    most: u64,
}

#[derive(Clone, Copy)]
struct Known {
    left: u64,
    until: Instant,
    /// How long it takes until it is whole again; none when that is over, and no answer has come since.
    reset: Option<Duration>,
    /// When the request was sent whose answer said so.
    sent: Instant,
}

/// An answer's word, and what must be known of its request to understand it.
pub(super) struct Word {
    /// What it says.
    pub told: Left,
    /// When the request was sent: the server counts from its arrival, not from its answer.
    pub sent: Instant,
    /// What was sent after it: the server had not counted that yet.
    pub unseen: u64,
}

impl Window {
    /// Takes in an answer's word, unless one to a later request is known; longer than `most` is not waited for. Of
    /// requests that were sent together nobody knows in what order the server counted them: the least holds.
    pub fn learn(&mut self, word: &Word, most: Duration) {
        let Word { told, sent, unseen } = *word;
        let (left, reset) = (told.remaining.saturating_sub(unseen), told.reset.min(most));
        self.most = self.most.max(told.remaining);
        if let Some(known) = &mut self.now {
            if sent + TOGETHER > known.sent && sent < known.sent + TOGETHER {
                known.left = known.left.min(left);
                known.until = known.until.max(sent + reset);
                known.reset = known.reset.max(Some(reset));
                return;
            }
            if sent < known.sent {
                return;
            }
        }
        self.now = Some(Known { left, until: sent + reset, reset: Some(reset), sent });
    }

    /// Until when so many must wait. More than ever was left is not waited for twice: the server decides.
    pub fn closed_until(&mut self, units: u64, now: Instant) -> Option<Instant> {
        let known = self.now?;
        if known.until <= now {
            let whole =
                |reset| Known { left: self.most.max(units), until: now + reset, reset: None, ..known };
            self.now = known.reset.map(whole);
            return None;
        }
        (known.left < units).then_some(known.until)
    }

    /// Counts what is about to be sent.
    pub fn take(&mut self, units: u64) {
        if let Some(known) = &mut self.now {
            known.left = known.left.saturating_sub(units);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(headers: &[(&'static str, &'static str)]) -> Rates {
        let at: jiff::Timestamp = "2026-11-24T20:00:00Z".parse().unwrap();
        let find = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        Rates::of(find, at.into())
    }

    #[test]
    fn headers_of_both_families_are_read() {
        let openai = rates(&[
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "6m0s"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "120ms"),
        ]);
        assert_eq!(openai.requests, Some(Left { remaining: 0, reset: Duration::from_secs(360) }));
        assert_eq!(openai.tokens, Some(Left { remaining: 149_984, reset: Duration::from_millis(120) }));
        let anthropic = rates(&[
            ("anthropic-ratelimit-requests-remaining", "7"),
            ("anthropic-ratelimit-requests-reset", "2026-11-24T20:00:30Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "5"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-24T19:00:30Z"),
        ]);
        assert_eq!(anthropic.requests, Some(Left { remaining: 7, reset: Duration::from_secs(30) }));
        assert_eq!(anthropic.tokens, Some(Left { remaining: 5, reset: Duration::ZERO }));
    }

    #[test]
    fn nonsense_is_not_there() {
        for (remaining, reset) in [("many", "1s"), ("-1", "1s"), ("1", "soon"), ("1", "5parsecs"), ("1", "")]
        {
            let got = rates(&[
                ("x-ratelimit-remaining-requests", remaining),
                ("x-ratelimit-reset-requests", reset),
            ]);
            // An empty reset is one of no length.
            assert!(got.requests.is_none_or(|left| left.reset.is_zero()), "{remaining} {reset}: {got:?}");
        }
        assert_eq!(span("1h1m1.5s"), Some(Duration::from_millis(3_661_500)));
        assert_eq!(span("2"), Some(Duration::from_secs(2)));
    }
}
