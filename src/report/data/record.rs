//! An assessment record as figures need it: of a judge, or of a jury with its judges' verdicts.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A record, or a judge's verdict in one. What is not there is empty, and no flag is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The transcript.
    pub id: String,
    /// `TOO_SHORT` of one that no judge has read.
    pub status: Option<String>,
    /// Whether it passes.
    pub pass: bool,
    /// Whether every criterion has an answer.
    pub complete: bool,
    /// The weighted score.
    pub score: Option<f64>,
    /// The score from which it passes.
    pub threshold: Option<f64>,
    /// The score of each category.
    pub category_scores: BTreeMap<String, f64>,
    /// YES, NO, NA or ERROR by criterion.
    pub answers: BTreeMap<String, String>,
    /// The NOs.
    pub failed_checks: Vec<String>,
    /// Whether a gate failed.
    pub safety_gate_failed: bool,
    /// Who judged.
    pub judge: Option<String>,
    /// The rubric's hash.
    pub rubric_hash: Option<String>,
    /// The transcript's hash.
    pub transcript_hash: Option<String>,
    /// Most and least score, apart.
    pub spread: Option<f64>,
    /// Whether the judges are far apart.
    pub disagreement: bool,
    /// The criteria on which they differ.
    pub disputed: Vec<String>,
    /// Each judge's verdict.
    pub verdicts: Vec<Record>,
    /// When it was judged.
    pub judged_at: Option<String>,
}

impl Record {
    /// Whether the transcript was too short to be judged.
    pub fn is_too_short(&self) -> bool {
        self.status.as_deref() == Some("TOO_SHORT")
    }

    /// The verdicts of its judges: its own where it is one judge's.
    pub fn judges(&self) -> &[Record] {
        match self.verdicts.as_slice() {
            [] => std::slice::from_ref(self),
            verdicts => verdicts,
        }
    }
}
