//! A verdict as a reviewer reads it: what each judge answered and why, and what came of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::base::Result;
use crate::pipeline::jury;

/// What of a record of [`score_assessment`](crate::pipeline::score::score_assessment) or of a jury a reviewer sees. What is
/// missing is empty.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Judged {
    /// The transcript's.
    pub id: String,
    /// A word in place of a verdict, such as TOO_SHORT.
    pub status: Option<String>,
    /// Whether it passes.
    pub pass: bool,
    /// Whether all was answered.
    pub complete: bool,
    /// The score.
    pub score: Option<f64>,
    /// What the score had to reach.
    pub threshold: Option<f64>,
    /// Whether a gate failed.
    pub safety_gate_failed: bool,
    /// Whether the judges differ.
    pub disagreement: bool,
    /// The criteria that they differ on.
    pub disputed: Vec<String>,
    /// Who judged.
    pub judge: String,
    /// The final answers, by criterion.
    pub answers: BTreeMap<String, String>,
    /// Why.
    pub reasonings: BTreeMap<String, String>,
    /// What the transcript was then.
    pub transcript_hash: Option<String>,
    /// What the rubric was then.
    pub rubric_hash: Option<String>,
    /// Each judge's own record.
    pub verdicts: Vec<Judged>,
}

impl Judged {
    /// Reads a record; the error says what is wrong with it.
    pub fn of(record: &Value) -> Result<Judged, String> {
        crate::pipeline::verdict::check(record)?;
        Judged::deserialize(record).map_err(|e| {
            let full = e.to_string();
            full.replace("invalid type: ", "wrong type: ").replace("struct Judged", "a record")
        })
    }

    /// The judges' own records: those of the jury, or this one.
    pub fn judges(&self) -> &[Judged] {
        if self.verdicts.is_empty() { std::slice::from_ref(self) } else { &self.verdicts }
    }

    /// What the judges are called: `name #2` is the second one of that name.
    pub fn names(&self) -> Vec<String> {
        jury::distinct(self.judges().iter().map(|judge| judge.judge.as_str()))
    }

    /// Whether several judges were asked.
    pub fn is_of_a_jury(&self) -> bool {
        self.verdicts.len() > 1
    }

    /// The final answer to a criterion: empty when there is none.
    pub fn answer(&self, criterion: &str) -> &str {
        self.answers.get(criterion).map_or("", String::as_str)
    }

    /// A judge's reasoning, likewise.
    pub fn reasoning(&self, criterion: &str) -> &str {
        self.reasonings.get(criterion).map_or("", String::as_str)
    }

    /// Whether judges differ on a criterion.
    pub fn is_disputed(&self, criterion: &str) -> bool {
        self.disputed.iter().any(|id| id == criterion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_of_one_judge_is_a_jury_of_one() {
        let judged = Judged::of(&json!({"id": "a", "judge": "j", "answers": {"C1": "NO"}})).unwrap();
        assert_eq!((judged.judges().len(), judged.judges()[0].judge.as_str()), (1, "j"));
        assert_eq!((judged.answer("C1"), judged.answer("C2"), judged.pass), ("NO", "", false));
        assert!(!judged.is_of_a_jury());
    }

    #[test]
    fn judges_of_one_name_are_told_apart() {
        let judge = |name| json!({"id": "a", "judge": name});
        let judged =
            Judged::of(&json!({"id": "a", "verdicts": [judge("j"), judge("k"), judge("j")]})).unwrap();
        assert_eq!(judged.names(), ["j", "k", "j #2"]);
    }

    #[test]
    fn damage_is_told() {
        assert!(Judged::of(&json!({"id": "a", "pass": "true"})).unwrap_err().contains("`pass`"));
        assert!(Judged::of(&json!({"id": 7})).unwrap_err().contains("wrong type: integer `7`"));
    }
}
