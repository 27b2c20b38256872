//! The caps themselves: how far each is used up, and what is said when it is reached.

use serde_json::{Value, json};

use crate::base::{Error, Kind, config};
use crate::store::ledger::Sums;

/// Sums of dollars that differ by less are the same: they are added up in many orders.
const DUST: f64 = 1e-9;

/// What may be spent at the most; nothing means no cap.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Caps {
    /// Dollars.
    pub usd: Option<f64>,
    /// Requests that are served.
    pub calls: Option<u64>,
}

/// Whose caps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Of {
    /// `--max-usd`, `--max-calls`: what this command spends.
    Command,
    /// `budget` in the configuration: what the project ever spends.
    Project,
}

impl Of {
    fn name(self, unit: Unit) -> &'static str {
        match (self, unit) {
            (Of::Command, Unit::Dollars) => "--max-usd",
            (Of::Command, Unit::Calls) => "--max-calls",
            (Of::Project, Unit::Dollars) => "budget.usd",
            (Of::Project, Unit::Calls) => "budget.calls",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Dollars,
    Calls,
}

impl Unit {
    fn show(self, amount: f64) -> String {
        match self {
            Unit::Dollars => dollars(amount),
            Unit::Calls => format!("{amount} calls"),
        }
    }
}

/// What requests may come to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cost {
    /// None where there is no price, or no limit to the reply.
    pub usd: Option<f64>,
    pub calls: u64,
}

impl Cost {
    pub fn add(&mut self, other: &Cost) {
        self.calls += other.calls;
        self.usd = Some(self.usd.unwrap_or(0.0) + other.usd.unwrap_or(0.0));
    }

    pub fn take_off(&mut self, other: &Cost) {
        self.calls = self.calls.saturating_sub(other.calls);
        let left = self.usd.unwrap_or(0.0) - other.usd.unwrap_or(0.0);
        self.usd = Some(if self.calls == 0 { 0.0 } else { left.max(0.0) });
    }

    fn in_unit(&self, unit: Unit) -> f64 {
        match unit {
            Unit::Dollars => self.usd.unwrap_or(0.0),
            Unit::Calls => self.calls as f64,
        }
    }
}

/// One cap, and what is spent of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cap {
    of: Of,
    unit: Unit,
    limit: f64,
    spent: f64,
    /// Of what is spent: requests whose bill nobody knows.
    unknown: u64,
}

impl From<config::Budget> for Caps {
    fn from(budget: config::Budget) -> Caps {
        Caps { usd: budget.usd, calls: budget.calls }
    }
}

impl Caps {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Caps::default()
    }

    /// Each of them, with what is spent of it.
    pub(super) fn each(&self, of: Of, spent: Sums) -> impl Iterator<Item = Cap> + use<> {
        let cap = |unit, limit, amount| Cap { of, unit, limit, spent: amount, unknown: spent.unknown };
        let usd = self.usd.map(|limit| cap(Unit::Dollars, limit, spent.usd));
        let calls = self.calls.map(|limit| cap(Unit::Calls, limit as f64, spent.calls as f64));
        usd.into_iter().chain(calls)
    }
}

impl Cap {
    /// Whether it would stop a run that comes to so much.
    pub fn stops(&self, usd: f64, calls: u64) -> bool {
        !self.has_room_for(&Cost { usd: Some(usd), calls }, &Cost::default())
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({"cap": self.name(), "limit": self.limit, "spent": self.spent, "unknown_bills": self.unknown})
    }

    /// Whether a request fits that may come to so much, beside those under way.
    pub(super) fn has_room_for(&self, worst: &Cost, reserved: &Cost) -> bool {
        self.spent + reserved.in_unit(self.unit) + worst.in_unit(self.unit) <= self.limit + DUST
    }

    /// For people: `$0.93 of $1.00 (--max-usd)`
    pub fn line(&self) -> String {
        let Cap { unit, limit, spent, unknown, .. } = *self;
        let guessed = match (unit, unknown) {
            (Unit::Dollars, 1..) => format!("; unknown bills, taken at their worst case: {unknown}"),
            _ => String::new(),
        };
        format!("{} of {} ({}){guessed}", unit.show(spent), unit.show(limit), self.name())
    }

    fn name(&self) -> &'static str {
        self.of.name(self.unit)
    }

    /// The error of a request that does not fit.
    pub(super) fn reached(&self, backend: &str, worst: &Cost) -> Error {
        let (limit, spent) = (self.unit.show(self.limit), self.unit.show(self.spent));
        let message = match self.unit {
            Unit::Calls => format!("{} is used up: {spent} made", self.name()),
            Unit::Dollars => {
                let next = dollars(worst.in_unit(self.unit));
                let name = self.name();
                format!(
                    "{name} {limit} has no room for another call: {spent} spent, and one to `{backend}` may cost {next}"
                )
            }
        };
        Error::new(Kind::Budget, message).hint(self.remedy(backend))
    }

    fn remedy(&self, backend: &str) -> String {
        let goes_on = "run the same command again: it goes on where it stopped";
        match (self.of, self.spent > 0.0) {
            (_, false) if self.unit == Unit::Dollars => {
                format!("raise {}, or lower max_tokens of `{backend}` in config/fthost.yaml", self.name())
            }
            (Of::Command, _) => format!("{goes_on}, with another {} to spend", self.unit.show(self.limit)),
            (Of::Project, _) => format!("raise {} in config/fthost.yaml, then {goes_on}", self.name()),
        }
    }
}

/// The error of a backend whose calls have no price, under a cap in dollars.
pub(super) fn unpriced(backend: &str) -> Error {
    Error::new(Kind::Config, format!("a cap in dollars needs a price, and backend `{backend}` has none"))
        .hint(format!("add `price: {{input: ..., output: ...}}` (dollars per million tokens) to backends.{backend} in config/fthost.yaml, or cap calls instead"))
}

/// The error of a call whose reply has no limit, under a cap in dollars.
pub(super) fn unlimited_reply(backend: &str) -> Error {
    Error::new(Kind::Config, format!("a cap in dollars needs a limit for each reply, and backend `{backend}` has no `max_tokens`"))
        .hint(format!("add `max_tokens: ...` to backends.{backend} or to its role in config/fthost.yaml, or cap calls instead"))
}

/// Money for people: cents, and finer where that says more.
pub fn dollars(amount: f64) -> String {
    let fine = format!("{amount:.6}");
    let short = fine.trim_end_matches('0');
    let decimals = short.rsplit('.').next().map_or(0, str::len);
    format!("${amount:.*}", decimals.clamp(2, if amount >= 0.01 { 4 } else { 6 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_readable() {
        let shown = [0.0, 1.0, 0.5, 0.0312, 0.000_25, 12.345_678, 1200.0].map(dollars);
        assert_eq!(shown, ["$0.00", "$1.00", "$0.50", "$0.0312", "$0.00025", "$12.3457", "$1200.00"]);
    }

    #[test]
    fn a_cap_counts_what_is_under_way() {
        let spent = Sums { calls: 3, usd: 0.7, ..Sums::default() };
        let caps = Caps { usd: Some(1.0), calls: Some(5) };
        let fits = |usd: f64, reserved: f64, calls| {
            let (worst, reserved) = (Cost { usd: Some(usd), calls: 1 }, Cost { usd: Some(reserved), calls });
            caps.each(Of::Command, spent).map(|cap| cap.has_room_for(&worst, &reserved)).collect::<Vec<_>>()
        };
        assert_eq!(fits(0.3, 0.0, 0), [true, true]);
        assert_eq!(fits(0.3, 0.1, 1), [false, true]);
        assert_eq!(fits(0.1, 0.1, 2), [true, false]);
    }

    #[test]
    fn ends_of_reservations_leave_no_dust() {
        let mut reserved = Cost::default();
        let one = Cost { usd: Some(0.1), calls: 1 };
        (0..3).for_each(|_| reserved.add(&one));
        (0..3).for_each(|_| reserved.take_off(&one));
        assert_eq!(reserved, Cost { usd: Some(0.0), calls: 0 });
    }
}
