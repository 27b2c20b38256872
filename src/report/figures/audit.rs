//! What an audit of the texts found.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{Error, Kind, Result};
use crate::report::data::AUDIT;

/// An audit.
#[derive(Debug, Serialize, Deserialize)]
pub struct Audit {
    /// Transcripts that were looked at.
    #[serde(default)]
    pub transcripts: usize,
    /// Replies in them.
    #[serde(default)]
    pub replies: usize,
    /// Whether all gates hold.
    pub pass: bool,
    /// The gates.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// What was found.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// A limit that the texts must keep.
#[derive(Debug, Serialize, Deserialize)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// The limit.
    #[serde(default)]
    pub limit: Value,
    /// What was found.
    #[serde(default)]
    pub value: Value,
    /// Whether it holds.
    pub pass: bool,
}

/// A finding.
#[derive(Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Its sort.
    pub kind: String,
    /// In words.
    #[serde(default)]
    pub message: String,
    /// How many.
    #[serde(default)]
    pub count: Option<f64>,
    /// The share of what was looked at.
    #[serde(default)]
    pub share: Option<f64>,
    /// Transcripts in which it stands.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Where, for instance.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// A place of a finding.
#[derive(Debug, Serialize, Deserialize)]
pub struct Example {
    /// The transcript.
    pub id: String,
    /// The exchange, from 1.
    #[serde(default)]
    pub turn: Option<usize>,
    /// What stands there.
    #[serde(default)]
    pub text: String,
}

/// The figures of the file.
pub fn of(value: Value) -> Result<Audit> {
    let wrong = |error| Error::new(Kind::Data, format!("{AUDIT} is not an audit: {error}"));
    serde_json::from_value(value).map_err(wrong)
}
