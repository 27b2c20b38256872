//! What may be trained on: `passing`. The records stay in their checkpoint until they are asked for.

use std::collections::HashSet;
use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map, Module, NativeCallContext};
use serde_json::Value;

use super::checkpoints::CheckpointValue;
use super::examples::{Source, Wanted};
use crate::base::events::Event;
use crate::base::{Kind, Result, suggest};
use crate::pipeline::passing::{REASONS, reason};
use crate::pipeline::rubric::Rubric;
use crate::pipeline::talk::Talk;
use crate::pipeline::verdict;
use crate::report::next_step::Gate;
use crate::script::{Ctx, ScriptResult, values};
use crate::store::ids::transcript_path;
use crate::store::{Checkpoint, Entry};
use crate::work::{World, in_order, reviews};

/// Today's rubric.
const RUBRIC: &str = "config/rubric.yaml";

/// What `passing` gives.
#[derive(Clone)]
pub struct PassingValue {
    checkpoint: Arc<Checkpoint>,
    /// The transcripts, in the order of their ids, as they were when they were judged.
    pub transcripts: Arc<Vec<Wanted>>,
    /// Where their records stand.
    entries: Arc<Vec<Entry>>,
    counts: [usize; REASONS.len()],
}

/// The namespace.
pub fn module() -> Module {
    let mut module = rhai::exported_module!(functions);
    module.set_custom_type::<PassingValue>("Passing");
    module
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// What may be trained on: `records` and `counts`.
    ///
    /// Records that pass, whose transcript is the one that was judged, whose rubric is today's
    /// (`config/rubric.yaml`, or the one given), and which no human has rejected
    /// (`data/assessments/human.jsonl`). `counts` tells how many of the rest fell out for which reason. A record
    /// that no judge can have made (`pass` with an answer ERROR, a `score` of 8) is damage: an error that names its line.
    ///
    /// The records are read when `records` is asked for; `slice_transcripts` does without them.
    ///
    /// ```rhai
    /// let passed = passing(load_checkpoint("data/assessments/checkpoint.jsonl"));
    /// [passed.records.len(), passed.counts.failed]   // -> [0, 0]
    /// ```
    #[rhai_fn(name = "passing", return_raw)]
    pub fn passing_today(
        context: NativeCallContext,
        checkpoint: CheckpointValue,
    ) -> ScriptResult<PassingValue> {
        let ctx = Ctx::of(&context)?;
        let text = ctx.world.project.read_text(RUBRIC)?;
        Ok(super::pass(&ctx, &checkpoint, &Rubric::parse(RUBRIC, &text)?)?)
    }

    #[rhai_fn(name = "passing", return_raw)]
    pub fn passing_by(
        context: NativeCallContext,
        checkpoint: CheckpointValue,
        rubric: Rubric,
    ) -> ScriptResult<PassingValue> {
        Ok(super::pass(&Ctx::of(&context)?, &checkpoint, &rubric)?)
    }

    /// What a pass rate asks for, in words: below 50 % a major revision, from 50 to 70 % mending what fails most, from
    /// 70 % making more; when all of ten or more pass, a look at the rubric. Empty without a verdict.
    ///
    /// ```rhai
    /// pass_rate_advice(41, 60)   // -> "mend what fails most, then judge again"
    /// ```
    pub fn pass_rate_advice(passed: i64, judged: i64) -> String {
        let count = |number: i64| usize::try_from(number).unwrap_or(0);
        Gate::of(count(passed), count(judged)).map_or("", Gate::words).to_string()
    }

    /// The records that may be trained on, in the order of their ids.
    #[rhai_fn(get = "records", return_raw, pure)]
    pub fn records(passing: &mut PassingValue) -> ScriptResult<Array> {
        Ok(passing.records()?)
    }

    /// How many records each reason applies to: `#{passed, incomplete, too_short, failed,
    /// transcript_missing, transcript_changed, rubric_changed, rejected_by_human}`.
    #[rhai_fn(get = "counts", pure)]
    pub fn counts(passing: &mut PassingValue) -> Map {
        passing.counts()
    }

    /// `records` and `counts` by their names, as in a map.
    #[rhai_fn(index_get, return_raw, pure)]
    pub fn by_name(passing: &mut PassingValue, name: &str) -> ScriptResult<Dynamic> {
        Ok(match name {
            "records" => passing.records()?.into(),
            "counts" => passing.counts().into(),
            _ => Dynamic::UNIT,
        })
    }

    #[rhai_fn(name = "to_string", return_raw, pure)]
    pub fn passing_to_string(passing: &mut PassingValue) -> ScriptResult<String> {
        Ok(Dynamic::from_map(passing.map()?).to_string())
    }

    #[rhai_fn(name = "to_debug", return_raw, pure)]
    pub fn passing_to_debug(passing: &mut PassingValue) -> ScriptResult<String> {
        passing_to_string(passing)
    }

    #[rhai_fn(name = "to_json", return_raw, pure)]
    pub fn passing_to_json(passing: &mut PassingValue) -> ScriptResult<String> {
        Ok(values::to_json(&Dynamic::from_map(passing.map()?))?.to_string())
    }
}

impl PassingValue {
    fn records(&self) -> Result<Array> {
        self.entries.iter().map(|entry| Ok(values::from_json(&self.checkpoint.read(entry)?))).collect()
    }

    fn counts(&self) -> Map {
        REASONS.iter().zip(self.counts).map(|(reason, n)| ((*reason).into(), (n as i64).into())).collect()
    }

    /// All of it, in memory.
    fn map(&self) -> Result<Map> {
        Ok(Map::from([("records".into(), self.records()?.into()), ("counts".into(), self.counts().into())]))
    }
}

/// A record that was judged, and why it may be trained on or not.
struct Judged {
    reason: &'static str,
    transcript: Wanted,
    entry: Entry,
}

fn pass(ctx: &Ctx, checkpoint: &CheckpointValue, rubric: &Rubric) -> Result<PassingValue> {
    let (world, checkpoint) = (&ctx.world, &checkpoint.0);
    let rejected = reviews::read(&world.project)?.rejected();
    warn_of_strangers(world, checkpoint, &rejected);
    let judge = |place| judge(world, checkpoint, place, rubric, &rejected);
    let (mut passed, mut counts) = (Vec::new(), [0; REASONS.len()]);
    let take = |judged: Option<Judged>| {
        let Some(Judged { reason, transcript, entry }) = judged else { return Ok(()) };
        if let Some(place) = REASONS.iter().position(|known| *known == reason) {
            counts[place] += 1;
        }
        if reason == REASONS[0] {
            passed.push((transcript, entry));
        }
        Ok(())
    };
    in_order::run(&world.threads, in_order::cores(), 0..checkpoint.len(), judge, take)?;
    // What was judged last stands first in no file: the order of ids does not depend on scheduling.
    passed.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    let (transcripts, entries): (Vec<_>, Vec<_>) = passed.into_iter().unzip();
    let (transcripts, entries) = (Arc::new(transcripts), Arc::new(entries));
    Ok(PassingValue { checkpoint: checkpoint.clone(), transcripts, entries, counts })
}

/// A rejection of an id that nothing has a verdict on rejects nothing: it may be a misspelt one.
fn warn_of_strangers(world: &World, checkpoint: &Checkpoint, rejected: &HashSet<String>) {
    let mut strangers: Vec<&String> = rejected.iter().filter(|id| checkpoint.entry(id).is_none()).collect();
    strangers.sort();
    let Some(first) = strangers.first() else { return };
    let ids = checkpoint.ids();
    let near = suggest::nearest(first, ids.iter().map(String::as_str));
    let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
    let more = if strangers.len() > 1 { format!(" and {} more", strangers.len() - 1) } else { String::new() };
    world.emit(Event::Warning(format!(
        "data/assessments/human.jsonl rejects `{first}`{near}{more}, of which there is no verdict: nothing is rejected by that"
    )));
}

/// Reads and judges the record at a place of the checkpoint.
fn judge(
    world: &World,
    checkpoint: &Checkpoint,
    place: usize,
    rubric: &Rubric,
    rejected: &HashSet<String>,
) -> Result<Option<Judged>> {
    world.stop.check()?;
    let Some((id, entry)) = checkpoint.at(place) else { return Ok(None) };
    let record = checkpoint.read(&entry)?;
    verdict::check(&record).map_err(|what| checkpoint.damage(&id, &what))?;
    let reason = reason(&record, |id| hash_today(world, id), rubric.hash(), rejected)?;
    let hash = record.get("transcript_hash").and_then(Value::as_str).map(Into::into);
    Ok(Some(Judged { reason, transcript: Wanted { id, source: Source::Id, hash }, entry }))
}

/// The hash of a transcript's content, `None` when it is gone.
fn hash_today(world: &World, id: &str) -> Result<Option<String>> {
    let path = transcript_path(id);
    let text = world.project.read_text(&path);
    match text.and_then(|text| Ok(Talk::parse(&path, &text)?.hash())) {
        Ok(hash) => Ok(Some(hash)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        // Damaged is changed: it is not trained on, and the others go on.
        Err(error) => {
            let place = error.place().map(|place| format!("{place}: ")).unwrap_or_default();
            world.emit(Event::Warning(format!("{place}{error}")));
            Ok(Some(String::new()))
        }
    }
}
