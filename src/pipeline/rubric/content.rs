//! What a rubric's file holds, with its defaults. Unknown keys are errors at every level.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a good conversation is: criteria, their weights, and the gates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "config/rubric.yaml")]
pub(super) struct Content {
    /// The weighted score from which a conversation passes, from 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub threshold: f64,
    /// The ids of the criteria that fail a conversation on their own.
    #[serde(default)]
    pub gates: Vec<String>,
    /// Criteria that are scored together. Their weights sum to 1.
    #[schemars(length(min = 1))]
    pub categories: Vec<Category>,
    /// The questions that judges, or code, answer.
    pub criteria: Vec<Criterion>,
    /// How many exchanges a conversation needs to be judged; a shorter one is TOO_SHORT. 0 by default: any number.
    // Left out where it says nothing: the hash of a rubric without it is what it was before there was such a key.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_turns: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Criteria that are scored together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its name in records.
    pub name: String,
    /// Its share of the score, from 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub weight: f64,
    /// The ids of its criteria.
    pub criteria: Vec<String>,
}

/// One question that a judge answers with YES, NO or NA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its name in judges' outputs and records.
    pub id: String,
    /// What it is called where people read, such as "facts"; empty by default. A label: it decides nothing.
    #[serde(default)]
    pub name: String,
    /// The question, such that YES is good.
    pub question: String,
    /// Whether NA (does not apply) is a valid answer; false by default.
    #[serde(default)]
    pub na_valid: bool,
    /// How many exchanges a transcript needs for this to be asked: with fewer, the answer is NA by
    /// rule, and valid. 0 by default: it is always asked.
    #[serde(default)]
    pub min_turns: usize,
    /// What a judge should look at; empty by default.
    #[serde(default)]
    pub guidance: String,
    /// Judged examples, to calibrate judges.
    #[serde(default)]
    pub examples: Vec<Calibration>,
}

/// A judged example. The texts are empty by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What it stands for: PASS, FAIL or BORDERLINE.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["PASS", "FAIL", "BORDERLINE"]))]
    pub kind: String,
    /// What went before, or what the user said.
    #[serde(default)]
    pub context: String,
    /// The reply that is judged.
    #[serde(default)]
    pub response: String,
    /// Why.
    #[serde(default)]
    pub reasoning: String,
}
