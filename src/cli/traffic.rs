//! What each backend does at this moment: requests on the wire, calls a second, tokens, money.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::summary::thousands;
use crate::work::backends::Spent;

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

    /// For a person.
    pub fn text(&self) -> String {
        let Line { name, spent, rate } = self;
        format!("{name}: {} in flight, {rate:.1} calls/s, {}", spent.in_flight, spent_so_far(spent))
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name,
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
    let usd = spent.usd.map(|usd| format!(", ${usd:.2}")).unwrap_or_default();
    let (input, output) = (thousands(spent.input_tokens), thousands(spent.output_tokens));
    format!("{} calls, {about}{input} tokens in, {output} out{usd}", thousands(spent.calls))
}
