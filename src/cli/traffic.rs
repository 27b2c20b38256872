//! What each backend does at this moment: what it waits for, requests on the wire, calls a second, tokens, money.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::Zoned;
use serde_json::{Value, json};

use super::clock;
use super::waits::one_line;
use crate::base::numbers::thousands;
use crate::work::backends::Spent;
use crate::work::budget::dollars;

/// Looks at the backends of the run.
pub type Look = Box<dyn Fn() -> Vec<(String, Spent)> + Send + Sync>;

/// The backends of a run, and how many calls they had made when they were last looked at.
pub struct Traffic {
    look: Look,
    before: Mutex<(Instant, BTreeMap<String, u64>)>,
}

/// One backend at one moment.
pub struct Line {
    /// Its name.
    pub name: String,
    /// What it did so far.
    pub spent: Spent,
    /// Calls that ended in each second since the last look.
    pub rate: f64,
}

impl Traffic {
    /// From now on.
    pub fn new(look: Look) -> Traffic {
        Traffic { look, before: Mutex::new((Instant::now(), BTreeMap::new())) }
    }

    /// The backends that were asked anything.
    pub fn lines(&self) -> Vec<Line> {
        let now = Instant::now();
        let spent = (self.look)();
        let calls = spent.iter().map(|(name, spent)| (name.clone(), spent.calls)).collect();
        let before =
            std::mem::replace(&mut *self.before.lock().unwrap_or_else(PoisonError::into_inner), (now, calls));
        let asked = |spent: &Spent| spent.calls + spent.unanswered + spent.in_flight > 0;
        let lines = spent.into_iter().filter(|(_, spent)| asked(spent));
        lines.map(|(name, spent)| Line::new(name, spent, &before, now)).collect()
    }
}

impl Line {
    fn new(name: String, spent: Spent, before: &(Instant, BTreeMap<String, u64>), now: Instant) -> Line {
        let ended = spent.calls.saturating_sub(before.1.get(&name).copied().unwrap_or(0));
        let seconds = now.duration_since(before.0).as_secs_f64().max(0.001);
        Line { name, rate: ended as f64 / seconds, spent }
    }

    /// For a person, at this moment.
    pub fn text(&self, now: &Zoned) -> String {
        let Line { name, spent, rate } = self;
        let parts = [
            self.waiting(now),
            Some(format!("{} in flight", spent.in_flight)),
            self.slowed().map(|(now, most)| format!("{now} of {most} at once after rate limits")),
            Some(format!("{rate:.1} calls/s")),
            Some(spent_so_far(spent)),
        ];
        format!("{name}: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }

    fn waiting(&self, now: &Zoned) -> Option<String> {
        let waiting = self.spent.waiting.as_ref()?;
        let until = clock::shown(&clock::local(waiting.until).with_time_zone(now.time_zone().clone()), now);
        Some(format!("waiting until {until} ({})", one_line(&waiting.reason)))
    }

    /// Requests that may be on the wire, and those that might be by the configuration, where these are more.
    fn slowed(&self) -> Option<(usize, usize)> {
        self.spent.concurrency.filter(|(now, most)| now < most)
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let waiting = self.spent.waiting.as_ref().map(|waiting| {
            json!({"until": clock::rfc3339(&clock::local(waiting.until)), "reason": waiting.reason})
        });
        json!({
            "name": self.name,
            "waiting": waiting,
            "concurrency": self.spent.concurrency.map(|(now, _)| now),
            "in_flight": self.spent.in_flight,
            "calls": self.spent.calls,
            "calls_per_second": (self.rate * 10.0).round() / 10.0,
            "input_tokens": self.spent.input_tokens,
            "output_tokens": self.spent.output_tokens,
            "usd": self.spent.usd,
        })
    }
}

fn spent_so_far(spent: &Spent) -> String {
    let about = if spent.estimated { "about " } else { "" };
    let usd = spent.usd.map(|usd| format!(", {}", dollars(usd))).unwrap_or_default();
    let (input, output) = (thousands(spent.input_tokens), thousands(spent.output_tokens));
    // Money first: a narrow terminal cuts off the rest.
    format!("{} calls{usd}, {about}{input} tokens in, {output} out", thousands(spent.calls))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Waiting;

    fn line(spent: Spent) -> Line {
        Line { name: "gpt".into(), rate: 1.25, spent }
    }

    fn now() -> Zoned {
        "2026-11-24T14:03:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    #[test]
    fn what_goes_well_is_a_plain_line() {
        let spent = Spent { calls: 1200, in_flight: 64, concurrency: Some((64, 64)), ..Spent::default() };
        assert_eq!(
            line(spent).text(&now()),
            "gpt: 64 in flight, 1.2 calls/s, 1,200 calls, 0 tokens in, 0 out"
        );
    }

    #[test]
    fn waits_and_lower_limits_are_shown() {
        let until = "2026-11-24T18:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
        let reason = "rate limit: You've hit your limit\n- resets 7pm".to_string();
        let spent = Spent {
            waiting: Some(Waiting { until, reason: reason.clone() }),
            concurrency: Some((12, 64)),
            ..Spent::default()
        };
        let line = line(spent);
        assert_eq!(
            line.text(&now()),
            "gpt: waiting until 19:00:00 (rate limit: You've hit your limit - resets 7pm), 0 in flight, \
             12 of 64 at once after rate limits, 1.2 calls/s, 0 calls, 0 tokens in, 0 out"
        );
        let json = line.json();
        assert_eq!(json["waiting"], json!({"until": "2026-11-24T18:00:00Z", "reason": reason}));
        assert_eq!(json["concurrency"], 12);
    }
}
