//! What humans said: `data/assessments/human.jsonl`, one line a review, of which the last of an id counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Notes, lines};
use crate::base::Result;
use crate::work::World;

/// Where reviews stand.
pub const HUMAN: &str = "data/assessments/human.jsonl";

/// A review.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Review {
    /// The transcript.
    pub id: String,
    /// Whether it may be trained on.
    pub verdict: Verdict,
    /// The human's own answers, where there are some.
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
    /// Why.
    #[serde(default)]
    pub note: Option<String>,
    /// Who.
    #[serde(default)]
    pub reviewer: Option<String>,
    /// When.
    #[serde(default)]
    pub reviewed_at: Option<String>,
    /// The transcript as it was then.
    #[serde(default)]
    pub transcript_hash: Option<String>,
    /// The rubric as it was then.
    #[serde(default)]
    pub rubric_hash: Option<String>,
}

/// A human's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may be trained on.
    Accept,
    /// It may not.
    Reject,
}

/// Reads them.
pub fn read(world: &World, notes: &mut Notes) -> Result<BTreeMap<String, Review>> {
    let reviews: Vec<Review> = lines::typed(world, HUMAN, notes)?;
    Ok(reviews.into_iter().map(|review| (review.id.clone(), review)).collect())
}
