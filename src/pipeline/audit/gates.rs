//! The gates: what is measured, and above which limit it fails.

use super::hits::{Measure, rounded};
use crate::base::{Error, Kind, Result, suggest};
use serde::Serialize;

/// A gate as the audit knows it.
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// The limit when none is given: what is above it fails.
    pub limit: f64,
    /// What is measured.
    pub about: &'static str,
}

const fn gate(name: &'static str, limit: f64, about: &'static str) -> Known {
    Known { name, limit, about }
}

/// All gates, in the order of reports.
#[rustfmt::skip]
pub const GATES: &[Known] = &[
    gate("unreadable", 0.0, "transcripts that cannot be read"),
    gate("phrase_share", 0.1, "the share of replies that one phrase stands in"),
    gate("phrase_transcripts", 0.3, "the share of transcripts that one phrase stands in"),
    gate("phrase_within", 0.1, "the share of transcripts that repeat a phrase in a quarter of their own replies"),
    gate("listed_phrases", 0.0, "the share of replies with a phrase of the given list"),
    gate("openers", 0.15, "the share of replies that begin with the same three words"),
    gate("first_word", 0.5, "the share of replies that begin with the same word"),
    gate("headings", 0.1, "the share of replies with a heading"),
    gate("bullets", 0.3, "the share of replies with a bullet list"),
    gate("numbered", 0.3, "the share of replies with a numbered list"),
    gate("bold", 0.3, "the share of replies with bold words"),
    gate("skeletons", 0.5, "the share of replies of the same sequence of blocks, one plain paragraph aside"),
    gate("sentences", 0.6, "the share of replies with the same number of sentences"),
    gate("questions", 0.8, "the share of replies that end with a question"),
    gate("over_ratio", 0.5, "the share of replies that are longer than `ratio` times their message"),
    gate("long_transcripts", 0.5, "the share of transcripts whose mean ratio is above `ratio`"),
    gate("growth", 1.5, "the words of a reply in the last third of conversations, per word in the first third"),
    gate("praise", 0.05, "the share of replies that begin with praise or a stock sympathy"),
    gate("praise_shift", 0.1, "the difference of that share between the first and the last third"),
    gate("duplicate_transcripts", 0.0, "the share of transcripts that repeat another one, word for word"),
    gate("near_duplicates", 0.02, "the share of transcripts that have four fifths of their phrases in common with another"),
    gate("duplicate_first_messages", 0.05, "the share of transcripts whose first message is that of another"),
    gate("duplicate_first_replies", 0.1, "the share of transcripts whose first reply is that of another"),
    gate("duplicate_replies", 0.02, "the share of replies that repeat another one of eight words or more"),
    gate("role_leaks", 0.0, "the share of messages that show a model, a speaker's label, a persona's field or a template's mark"),
    gate("swapped_roles", 0.0, "the share of the user's messages that speak as support, or of their role"),
    gate("system_leaks", 0.0, "the share of messages with a long passage of the system prompt"),
    gate("language_leaks", 0.0, "the share of messages in another language or script"),
    gate("refusals", 0.01, "the share of replies that refuse"),
    gate("leftovers", 0.0, "the share of messages with what a template left over"),
];

/// A gate and how it went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// Its name.
    pub name: &'static str,
    /// What is measured.
    pub about: &'static str,
    /// Above which value it fails.
    pub limit: f64,
    /// The value.
    pub value: f64,
    /// Whether the value is within the limit.
    pub pass: bool,
    /// How many findings it has; the report may list fewer.
    pub findings: usize,
}

/// The limits that are in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits(Vec<(&'static str, Option<f64>)>);

impl Default for Limits {
    fn default() -> Limits {
        Limits(GATES.iter().map(|gate| (gate.name, Some(gate.limit))).collect())
    }
}

impl Limits {
    /// Sets one; without a number, the gate is off: nothing is told of what it measures.
    pub fn set(&mut self, name: &str, limit: Option<f64>) -> Result<()> {
        let place = self.0.iter_mut().find(|(known, _)| *known == name).ok_or_else(|| unknown(name))?;
        if limit.is_some_and(|limit| !(limit >= 0.0 && limit.is_finite())) {
            return Err(Error::new(
                Kind::Argument,
                format!("the limit of gate `{name}` is not a number from 0 up"),
            ));
        }
        place.1 = limit;
        Ok(())
    }

    /// The limit of a gate that is on.
    pub fn of(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(known, _)| *known == name).and_then(|(_, limit)| *limit)
    }

    /// What a measure comes to; none when its gate is off.
    pub fn judge(&self, measure: &Measure) -> Option<Gate> {
        let limit = self.of(measure.gate)?;
        let known = GATES.iter().find(|known| known.name == measure.gate)?;
        let (name, about, findings) = (known.name, known.about, measure.findings.len());
        // A sum that comes to 0.30000000000000004 is not above 0.3; one reply of a million is above none.
        let (value, pass) = (rounded(measure.value), measure.value <= limit + 1e-12);
        Some(Gate { name, about, limit, value, pass, findings })
    }
}

fn unknown(name: &str) -> Error {
    let names = || GATES.iter().map(|gate| gate.name);
    let near = suggest::nearest(name, names());
    let near = near.map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
    Error::new(Kind::UnknownOption, format!("the audit has no gate `{name}`"))
        .hint(format!("{near}It knows: {}", names().collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_fails_above_its_limit_only() {
        let mut limits = Limits::default();
        limits.set("bold", Some(0.3)).unwrap();
        let judged = |limits: &Limits, value| limits.judge(&Measure::new("bold", value));
        assert!(judged(&limits, 0.1 + 0.2).unwrap().pass);
        assert!(!judged(&limits, 0.301).unwrap().pass);
        assert!(!Limits::default().judge(&Measure::new("refusals", 0.010_000_1)).unwrap().pass);
        assert!(!Limits::default().judge(&Measure::new("leftovers", 1e-7)).unwrap().pass);
        limits.set("bold", None).unwrap();
        assert!(judged(&limits, 1.0).is_none());
    }

    #[test]
    fn what_is_no_gate_or_no_limit_is_refused() {
        let mut limits = Limits::default();
        let error = limits.set("bolt", Some(0.1)).unwrap_err();
        assert!(error.get_hint().unwrap().starts_with("did you mean `bold`?"), "{error}");
        assert!(limits.set("bold", Some(f64::NAN)).is_err() && limits.set("bold", Some(-1.0)).is_err());
    }
}
