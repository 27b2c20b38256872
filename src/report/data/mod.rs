//! What the figures are made of, read once and on all cores: verdicts, transcripts, training lines, reviews. What
//! cannot be read is noted, and the rest is told without it.

mod lines;
pub mod record;
pub mod transcripts;
pub mod verdicts;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::base::{Kind, Result};
use crate::pipeline::agreement::Agreement;
use crate::pipeline::human::Reviews;
use crate::pipeline::human::agreement::HumanAgreement;
use crate::pipeline::rubric::Rubric;
use crate::pipeline::verdict;
use crate::store::{Checkpoint, Mode, Version};
use crate::work::{World, agreement, reviews};
use transcripts::Transcripts;
use verdicts::Verdicts;

/// Today's rubric.
pub const RUBRIC: &str = "config/rubric.yaml";
/// The checkpoint of the conversations.
pub const GENERATED: &str = "data/raw/generation_checkpoint.jsonl";
/// The checkpoint of the verdicts.
pub const ASSESSED: &str = "data/assessments/checkpoint.jsonl";
/// What was cut into examples.
pub const MANIFEST: &str = "data/processed/manifest.jsonl";
/// Personas asked for and drawn.
pub const COVERAGE: &str = "data/raw/coverage.json";
/// What an audit found.
pub const AUDIT: &str = "data/audit/findings.json";

/// Notes beyond these are only counted.
const NOTES: usize = 20;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// All but what needs every message counted.
    Quick,
    /// Words and tokens of every message, too.
    Whole,
}

/// All that was read.
#[derive(Default)]
pub struct Data {
    /// Today's rubric, if it can be read.
    pub rubric: Option<Rubric>,
    /// The transcripts that are there.
    pub transcripts: Transcripts,
    /// The verdicts, old ones included.
    pub verdicts: Verdicts,
    /// How far the judges agree.
    pub agreement: Option<Agreement>,
    /// The conversations that were made, in the order of the checkpoint, old ones included.
    pub generated: Vec<Generated>,
    /// The training lines.
    pub manifest: Vec<Slice>,
    /// The last review of each id.
    pub human: Reviews,
    /// Humans against judges.
    pub human_agreement: HumanAgreement,
    /// Personas asked for and drawn.
    pub coverage: Option<Value>,
    /// What an audit found.
    pub audit: Option<Value>,
    /// What could not be read.
    pub notes: Notes,
    /// The checkpoint of the verdicts, for the reasonings that no figure needs.
    pub assessed: Option<Arc<Checkpoint>>,
}

/// A line of the checkpoint of the conversations.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The conversation.
    pub id: String,
    /// What it was made from.
    pub version: Option<Version>,
}

/// A line of the manifest: one training example.
#[derive(Debug, Clone, Deserialize)]
pub struct Slice {
    /// The file that it stands in.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// The transcript that it is cut from.
    pub transcript: String,
    /// Its first exchange, from 1.
    pub first: usize,
    /// Its last exchange.
    pub last: usize,
    /// Its length.
    pub tokens: usize,
    /// Whether the beginning of the chat is left out.
    #[serde(default)]
    pub truncated: bool,
}

/// What could not be read, in the order in which it was found.
#[derive(Debug, Default)]
pub struct Notes {
    told: Vec<String>,
    more: usize,
}

impl Notes {
    /// Takes a note.
    pub fn add(&mut self, text: String) {
        match self.told.len() {
            NOTES.. => self.more += 1,
            _ => self.told.push(text),
        }
    }

    /// The value, or a note of why there is none.
    pub fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result
            .map_err(|error| {
                let place = error.place().map(|place| format!("{place}: ")).unwrap_or_default();
                self.add(format!("{place}{error}"));
            })
            .ok()
    }

    /// All of them, as lines.
    pub fn lines(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("... and {} more", self.more));
        self.told.iter().cloned().chain(more).collect()
    }
}

impl Data {
    /// Reads a project.
    pub fn read(world: &World, depth: Depth) -> Result<Data> {
        let mut notes = Notes::default();
        let rubric = rubric(world, &mut notes);
        let transcripts = transcripts::read(world, depth, &mut notes)?;
        let human = notes.keep(reviews::read(&world.project)).unwrap_or_default();
        let rubric_hash = rubric.as_ref().map(Rubric::hash).unwrap_or_default();
        // Opened once: that reads all of it. One with a damaged line is an error, as everywhere.
        let assessed = world.checkpoint(ASSESSED, Mode::Read)?;
        let verdicts = verdicts::read(world, &transcripts, rubric_hash, &human.rejected(), &mut notes)?;
        let mut data = Data {
            generated: generated(world, &mut notes)?,
            manifest: lines::typed(world, MANIFEST, &mut notes)?,
            coverage: json(world, COVERAGE, &mut notes),
            audit: json(world, AUDIT, &mut notes),
            rubric,
            transcripts,
            verdicts,
            human,
            notes,
            agreement: None,
            human_agreement: HumanAgreement::default(),
            assessed: None,
        };
        // What no judge can have written is left out of all figures.
        let is_good = |record: &Value| verdict::check(record).is_ok();
        let criteria = data.criteria();
        data.agreement =
            Some(agreement::agreement(world, &assessed, criteria.iter().map(String::as_str), is_good)?);
        if let Some(rubric) = &data.rubric {
            data.human_agreement = reviews::agreement(&data.human, &assessed, rubric, |_| Ok(()))?;
        }
        data.assessed = Some(assessed);
        Ok(data)
    }

    /// The ids of criteria: the rubric's, then others that were answered.
    pub fn criteria(&self) -> Vec<String> {
        let known = self.rubric.iter().flat_map(|rubric| rubric.ids()).map(str::to_string);
        let mut ids: Vec<String> = known.collect();
        for latest in self.verdicts.latest.values() {
            for id in latest.record.answers.keys().filter(|id| !ids.contains(id)).collect::<Vec<_>>() {
                ids.push(id.clone());
            }
        }
        ids
    }

    /// Whether there is anything to tell of conversations and verdicts.
    pub fn is_empty(&self) -> bool {
        self.transcripts.seen.is_empty() && self.verdicts.lines.is_empty() && self.generated.is_empty()
    }
}

fn rubric(world: &World, notes: &mut Notes) -> Option<Rubric> {
    let text = text(world, RUBRIC, notes)?;
    notes.keep(Rubric::parse(RUBRIC, &text))
}

/// A file that need not be there.
fn text(world: &World, path: &str, notes: &mut Notes) -> Option<String> {
    match world.project.read_text(path) {
        Err(error) if error.kind() == Kind::NotFound => None,
        text => notes.keep(text),
    }
}

fn json(world: &World, path: &str, notes: &mut Notes) -> Option<Value> {
    let text = text(world, path, notes)?;
    let parsed = serde_json::from_str(&text);
    parsed.map_err(|error| notes.add(format!("{path} is not JSON: {error}"))).ok()
}

fn generated(world: &World, notes: &mut Notes) -> Result<Vec<Generated>> {
    #[derive(Deserialize)]
    struct Line {
        id: String,
        #[serde(rename = "_version")]
        version: Option<String>,
        #[serde(default = "yes")]
        complete: bool,
    }
    let lines: Vec<Line> = lines::typed(world, GENERATED, notes)?;
    let version = |text: Option<String>| text.and_then(|text| Version::parse(&text));
    let complete = lines.into_iter().filter(|line| line.complete);
    Ok(complete.map(|line| Generated { id: line.id, version: version(line.version) }).collect())
}

fn yes() -> bool {
    true
}
