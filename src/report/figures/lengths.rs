//! How long transcripts, messages and training examples are, and into how many examples transcripts are cut.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::histogram::Histogram;
use crate::report::data::transcripts::ENCODING;
use crate::report::data::{Data, Slice};

/// Lengths of what was said.
#[derive(Debug, Serialize)]
pub struct Lengths {
    /// What tokens are counted by.
    pub encoding: &'static str,
    /// Tokens of each transcript.
    pub transcript_tokens: Histogram,
    /// Exchanges of each transcript.
    pub turns: Histogram,
    /// Words of each message of the user.
    pub user_words: Option<Histogram>,
    /// Words of each message of the assistant.
    pub assistant_words: Option<Histogram>,
}

/// What transcripts are cut into.
#[derive(Debug, Serialize)]
pub struct Slices {
    /// Examples of each transcript in the training data.
    pub per_transcript: Histogram,
    /// Tokens of each example.
    pub tokens: Histogram,
    /// Exchanges of each example.
    pub exchanges: Histogram,
    /// Examples without the beginning of the chat.
    pub truncated: usize,
    /// By file.
    pub files: Vec<File>,
}

/// A file of training data.
#[derive(Debug, Serialize)]
pub struct File {
    /// Its name.
    pub file: String,
    /// Its examples.
    pub examples: usize,
    /// The transcripts that they are cut from.
    pub transcripts: usize,
    /// Their tokens.
    pub tokens: usize,
}

/// The lengths; none without a transcript.
pub fn of(data: &Data) -> Option<Lengths> {
    let seen = || data.transcripts.seen.values();
    let words = |words: &u32| *words as usize;
    Some(Lengths {
        encoding: ENCODING.name(),
        transcript_tokens: Histogram::of(seen().map(|seen| seen.tokens))?,
        turns: Histogram::of(seen().map(|seen| seen.turns))?,
        user_words: Histogram::of(seen().flat_map(|seen| &seen.user_words).map(words)),
        assistant_words: Histogram::of(seen().flat_map(|seen| &seen.assistant_words).map(words)),
    })
}

/// The slices; none without a manifest.
pub fn slices(data: &Data) -> Option<Slices> {
    let mut per_transcript: BTreeMap<&str, usize> = BTreeMap::new();
    let mut files: BTreeMap<&str, Vec<&Slice>> = BTreeMap::new();
    for slice in &data.manifest {
        *per_transcript.entry(&slice.transcript).or_default() += 1;
        files.entry(&slice.file).or_default().push(slice);
    }
    let exchanges = |slice: &Slice| (slice.last + 1).saturating_sub(slice.first);
    Some(Slices {
        per_transcript: Histogram::of(per_transcript.into_values())?,
        tokens: Histogram::of(data.manifest.iter().map(|slice| slice.tokens))?,
        exchanges: Histogram::of(data.manifest.iter().map(exchanges))?,
        truncated: data.manifest.iter().filter(|slice| slice.truncated).count(),
        files: files.into_iter().map(|(name, slices)| file(name, &slices)).collect(),
    })
}

fn file(name: &str, slices: &[&Slice]) -> File {
    let transcripts: BTreeSet<&str> = slices.iter().map(|slice| slice.transcript.as_str()).collect();
    File {
        file: name.into(),
        examples: slices.len(),
        transcripts: transcripts.len(),
        tokens: slices.iter().map(|slice| slice.tokens).sum(),
    }
}
