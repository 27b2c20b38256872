//! The verdicts: every line of their checkpoint for what changed over time, and the last of each id for how things
//! stand, with why it may be trained on or not.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::record::Record;
use super::transcripts::Transcripts;
use super::{ASSESSED, Notes, lines};
use crate::base::Result;
use crate::pipeline::passing::{TOO_SHORT, reason};
use crate::pipeline::verdict;
use crate::work::World;

/// All verdicts.
#[derive(Debug, Default)]
pub struct Verdicts {
    /// Every line, in the order of the file.
    pub lines: Vec<Line>,
    /// The last of each id.
    pub latest: BTreeMap<String, Latest>,
}

/// What of a line is told over time.
#[derive(Debug, Clone)]
pub struct Line {
    /// The transcript.
    pub id: String,
    /// Whether it passed.
    pub pass: bool,
    /// Whether it counts: complete, and not too short.
    pub counts: bool,
    /// The rubric's hash.
    pub rubric: String,
    /// The transcript's.
    pub transcript: String,
    /// When.
    pub judged_at: Option<String>,
}

/// The last verdict of a transcript.
#[derive(Debug)]
pub struct Latest {
    /// The record.
    pub record: Record,
    /// Why it may be trained on or not: one of `pipeline::passing`'s reasons.
    pub reason: &'static str,
}

impl Latest {
    /// Whether judges gave it a verdict that counts.
    pub fn is_judged(&self) -> bool {
        self.reason != TOO_SHORT && self.record.complete
    }
}

/// Reads them: all lines, where the checkpoint knows the last of each id.
pub fn read(
    world: &World,
    transcripts: &Transcripts,
    rubric_hash: &str,
    rejected: &HashSet<String>,
    notes: &mut Notes,
) -> Result<Verdicts> {
    let make = |bytes: &[u8]| {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        verdict::check(&value)?;
        let hash = |id: &str| Ok(transcripts.hash(id));
        let reason = reason(&value, hash, rubric_hash, rejected).map_err(|error| error.to_string())?;
        let record: Record = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(Latest { record, reason })
    };
    let mut verdicts = Verdicts::default();
    lines::each(world, ASSESSED, notes, make, |latest| {
        verdicts.lines.push(line(&latest));
        verdicts.latest.insert(latest.record.id.clone(), latest);
    })?;
    Ok(verdicts)
}

fn line(latest: &Latest) -> Line {
    let record = &latest.record;
    Line {
        id: record.id.clone(),
        pass: record.pass,
        counts: latest.is_judged(),
        rubric: record.rubric_hash.clone().unwrap_or_default(),
        transcript: record.transcript_hash.clone().unwrap_or_default(),
        judged_at: record.judged_at.clone(),
    }
}
