//! What is in the training files, and what a user should look at.

use std::collections::HashSet;

use serde::Serialize;

use super::lines::Line;
use crate::base::hash;

/// What is in the training files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// What is trained on.
    pub training: SideSummary,
    /// What is held out.
    pub validation: SideSummary,
    /// Examples on both sides whose beginning was cut off to fit the budget.
    pub truncated: usize,
    /// Slices that were left out because they are over it.
    pub over_budget: u64,
    /// What the user should look at: an empty side.
    pub warnings: Vec<String>,
}

/// What is on one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SideSummary {
    /// Lines of its file.
    pub examples: usize,
    /// Their tokens, added up.
    pub tokens: usize,
    /// Different groups.
    pub groups: usize,
    /// Different transcripts.
    pub transcripts: usize,
}

/// What is known of a side so far.
#[derive(Default)]
pub(super) struct Counts {
    /// Its groups are counted at the end.
    pub of: SideSummary,
    /// Told apart by their hashes, so that a million take little room.
    groups: HashSet<u64>,
}

impl Counts {
    /// Counts a line.
    pub fn note(&mut self, line: &Line) {
        self.of.examples += 1;
        self.of.tokens += line.tokens;
        self.groups.insert(hash::short(&line.group));
    }

    /// What came together.
    pub fn summary(&self) -> SideSummary {
        SideSummary { groups: self.groups.len(), ..self.of.clone() }
    }
}

/// What does not look right: a side without examples.
pub(super) fn warnings(training: &Counts, held_out: &Counts, share: f64) -> Vec<String> {
    let groups = training.groups.len() + held_out.groups.len();
    let plural = if groups == 1 { "group is" } else { "groups are" };
    let mut warnings = Vec::new();
    if groups == 0 {
        warnings.push("there are no examples: the training files are empty".to_string());
    } else if training.groups.is_empty() {
        warnings.push(format!(
            "nothing to train on: at a validation share of {share}, all {groups} {plural} held out"
        ));
    } else if held_out.groups.is_empty() && share > 0.0 {
        warnings.push(format!(
            "nothing is held out: at a validation share of {share}, all {groups} {plural} trained on; \
             raise the share or add groups"
        ));
    }
    warnings
}
