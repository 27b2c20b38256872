//! What a check has found: how often, where, with examples; and the forms in which it is told.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::words::{Said, excerpt};

/// How many ids stand in a finding.
pub const IDS: usize = 20;

/// How many examples stand in a finding.
const EXAMPLES: usize = 3;

/// A place where something was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// The transcript.
    pub id: String,
    /// The turn, 1-based.
    pub turn: usize,
    /// Whose message it is: `user` or `assistant`.
    pub side: &'static str,
    /// The words there.
    pub text: String,
}

impl Example {
    /// An example of a message.
    pub fn new(id: &Arc<str>, turn: usize, side: usize, text: String) -> Example {
        Example { id: id.to_string(), turn, side: ["user", "assistant"][side], text }
    }
}

/// Messages with something in common, of which only the first ones are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hits {
    /// How many messages.
    pub count: usize,
    /// How many transcripts they are in.
    pub transcripts: usize,
    /// The first of these.
    pub ids: Vec<Arc<str>>,
    /// The first of the messages, one a transcript.
    pub examples: Vec<Example>,
    /// The transcript that was counted last.
    last: Option<Arc<str>>,
}

impl Hits {
    /// Counts a message; those of a transcript come one after the other.
    pub fn add(&mut self, id: &Arc<str>, turn: usize, side: usize, said: &Said, place: Range<usize>) {
        self.count += 1;
        if self.note(id) {
            self.examples.push(Example::new(id, turn, side, excerpt(&said.text, place)));
        }
    }

    /// Counts a transcript once; whether an example of it is wanted.
    pub fn note(&mut self, id: &Arc<str>) -> bool {
        if self.last.as_ref() == Some(id) {
            return false;
        }
        self.last = Some(id.clone());
        self.transcripts += 1;
        if self.ids.len() < IDS {
            self.ids.push(id.clone());
        }
        self.examples.len() < EXAMPLES
    }

    /// Adds what was found in later transcripts.
    pub fn merge(&mut self, later: Hits) {
        self.count += later.count;
        self.transcripts += later.transcripts;
        self.last = later.last.or(self.last.take());
        self.ids.extend(later.ids.into_iter().take(IDS.saturating_sub(self.ids.len())));
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(later.examples.into_iter().take(room));
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What sort of thing it is.
    pub kind: &'static str,
    /// The gate that it belongs to.
    pub gate: &'static str,
    /// What was found, in a sentence.
    pub message: String,
    /// The figure that the gate's limit is about.
    pub value: f64,
    /// How many messages (or transcripts, where it is about these) it applies to.
    pub count: usize,
    /// Transcripts that it applies to, the first ones.
    pub ids: Vec<String>,
    /// Where it shows.
    pub examples: Vec<Example>,
}

impl Finding {
    /// A finding about messages.
    pub fn new(kind: &'static str, message: String, value: f64, hits: Hits) -> Finding {
        let Hits { count, ids, examples, .. } = hits;
        let ids = ids.iter().map(|id| id.to_string()).collect();
        Finding { kind, gate: "", message, value: rounded(value), count, ids, examples }
    }
}

/// What a check measured for a gate, and what it found.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The gate.
    pub gate: &'static str,
    /// The figure that its limit is about.
    pub value: f64,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

impl Measure {
    /// A measure without a finding.
    pub fn new(gate: &'static str, value: f64) -> Measure {
        Measure { gate, value, findings: Vec::new() }
    }

    /// With findings of it.
    pub fn with(mut self, findings: impl IntoIterator<Item = Finding>) -> Measure {
        self.findings.extend(findings);
        self
    }

    /// With a finding, when there is one hit at least.
    pub fn of_hits(gate: &'static str, value: f64, hits: Hits, message: String) -> Measure {
        let finding = (hits.count > 0).then(|| Finding::new(gate, message, value, hits));
        Measure::new(gate, value).with(finding)
    }
}

/// How much there is of everything.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Transcripts.
    pub transcripts: usize,
    /// Replies in all of them.
    pub replies: usize,
}

/// A part of a whole; 0 of nothing.
pub fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// With six decimals.
pub fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// A share in words: "12 of 40 replies (30 %)".
pub fn of(part: usize, whole: usize, noun: &str) -> String {
    let percent = 100.0 * share(part, whole);
    let decimals = usize::from(percent < 10.0 && percent.fract() > 0.0);
    format!("{part} of {whole} {noun} ({percent:.decimals$} %)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_few_are_kept() {
        let mut all = Hits::default();
        for number in 0..30 {
            let (id, said, mut part): (Arc<str>, _, _) =
                (format!("t{number}").into(), Said::new("Well, well."), Hits::default());
            part.add(&id, 1, 1, &said, 0..4);
            part.add(&id, 2, 1, &said, 0..4);
            all.merge(part);
        }
        assert_eq!((all.count, all.transcripts, all.ids.len(), all.examples.len()), (60, 30, IDS, EXAMPLES));
        assert_eq!(all.examples[1], Example::new(&"t1".into(), 1, 1, "Well, well.".into()));
    }

    #[test]
    fn shares_in_words() {
        assert_eq!(of(3, 40, "replies"), "3 of 40 replies (7.5 %)");
        assert_eq!(of(20, 40, "replies"), "20 of 40 replies (50 %)");
        assert_eq!(of(0, 0, "replies"), "0 of 0 replies (0 %)");
    }
}
