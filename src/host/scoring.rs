//! From verdicts to what may be trained on: scores, records, `strictest`, `passing`.

use std::collections::HashSet;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map, Module, NativeCallContext};
use serde_json::Value;

use super::checkpoints::CheckpointValue;
use super::reader::{parse_line, read_transcript};
use super::rubrics::texts;
use crate::base::events::Event;
use crate::base::{Error, Kind, Result};
use crate::pipeline::rubric::Rubric;
use crate::pipeline::transcript::content_hash;
use crate::pipeline::{jury, passing, score, verdict};
use crate::script::{Ctx, ScriptResult, values};
use crate::store::ids::transcript_path;

/// Today's rubric.
const RUBRIC: &str = "config/rubric.yaml";

/// What humans said.
const HUMAN: &str = "data/assessments/human.jsonl";

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// The mean over the criteria that have an answer: YES 1; NO and ERROR 0; NA is left out, or 0 where it
    /// is among `na_invalid`. 1.0 when there is nothing to average.
    ///
    /// ```rhai
    /// compute_category_score(#{C1: "YES", C2: "NO", C3: "NA"}, ["C1", "C2", "C3"], [])   // -> 0.5
    /// ```
    #[rhai_fn(return_raw)]
    pub fn compute_category_score(answers: Map, criteria_ids: Array, na_invalid: Array) -> ScriptResult<f64> {
        Ok(super::category_score(&answers, &criteria_ids, &na_invalid)?)
    }

    /// The sum of category score x weight; a category without a score counts 1.0.
    ///
    /// ```rhai
    /// compute_weighted_score(#{tone: 0.5}, #{tone: 0.5, facts: 0.5})   // -> 0.75
    /// ```
    #[rhai_fn(return_raw)]
    pub fn compute_weighted_score(category_scores: Map, weights: Map) -> ScriptResult<f64> {
        let weights = super::numbers(&weights)?;
        let scores = super::numbers(&category_scores)?;
        let find = |name: &str| scores.iter().find(|(known, _)| known == name).map(|(_, score)| *score);
        Ok(score::compute_weighted_score(find, &weights))
    }

    /// The assessment record of a transcript, from a judge's output `#{C1: #{reasoning, answer}, ...}`.
    ///
    /// Fields: `id, pass, complete, score, threshold, category_scores, answers, reasonings, failed_checks,
    /// safety_gate_failed, error_count, judge, rubric_hash, transcript_hash`. A criterion without an answer
    /// is ERROR; a gate holds only when it is YES, or NA where NA is valid; a record with an ERROR is not
    /// complete, and does not pass.
    ///
    /// ```rhai
    /// let mine = rubric(#{threshold: 0.5, gates: [], categories: [#{name: "all", weight: 1.0, criteria: ["C1"]}],
    ///     criteria: [#{id: "C1", question: "Is it kind?"}]});
    /// let talk = #{id: "a", exchanges: [#{user: "Hi", assistant: "Hello"}]};
    /// score_assessment(talk, #{C1: #{reasoning: "It greets.", answer: "YES"}}, mine, "me").pass   // -> true
    /// ```
    #[rhai_fn(return_raw)]
    pub fn score_assessment(
        transcript: Map,
        output: Map,
        rubric: Rubric,
        judge: &str,
    ) -> ScriptResult<Dynamic> {
        let transcript = Value::Object(values::map_to_json(&transcript)?);
        let output = Value::Object(values::map_to_json(&output)?);
        Ok(values::from_json(&score::score_assessment(&transcript, &output, &rubric, judge)?))
    }

    /// One record of several judges': the strictest (not passing before passing, then the lower score), a gate
    /// failed for one failing for all, with `verdicts`, `spread`, `disagreement` and `disputed`.
    ///
    /// ```rhai
    /// let mine = rubric(#{threshold: 0.5, gates: [], categories: [#{name: "all", weight: 1.0, criteria: ["C1"]}],
    ///     criteria: [#{id: "C1", question: "Is it kind?"}]});
    /// let talk = #{id: "a", exchanges: [#{user: "Hi", assistant: "Hello"}]};
    /// let records = ["YES", "NO"].map(|said| score_assessment(talk, #{C1: said}, mine, "judge " + said));
    /// let final = strictest(records);
    /// [final.pass, final.disagreement, final.disputed]   // -> [false, true, ["C1"]]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn strictest(records: Array) -> ScriptResult<Dynamic> {
        let records = records.iter().map(values::to_json).collect::<Result<Vec<_>>>()?;
        Ok(values::from_json(&jury::strictest(&records)?))
    }

    /// What may be trained on: `#{records, counts}`.
    ///
    /// Records that pass, whose transcript is the one that was judged, whose rubric is today's
    /// (`config/rubric.yaml`, or the one given), and which no human has rejected
    /// (`data/assessments/human.jsonl`). `counts` tells how many of the rest fell out for which reason. A record
    /// that no judge can have made (`pass` with an answer ERROR, a `score` of 8) is damage: an error that names its line.
    ///
    /// ```rhai
    /// passing(load_checkpoint("data/assessments/checkpoint.jsonl")).records.len()   // -> 0
    /// ```
    #[rhai_fn(name = "passing", return_raw)]
    pub fn passing_today(context: NativeCallContext, checkpoint: CheckpointValue) -> ScriptResult<Map> {
        let text = Ctx::of(&context)?.world.project.read_text(RUBRIC)?;
        Ok(super::pass(&Ctx::of(&context)?, &checkpoint, &Rubric::parse(RUBRIC, &text)?)?)
    }

    #[rhai_fn(name = "passing", return_raw)]
    pub fn passing_by(
        context: NativeCallContext,
        checkpoint: CheckpointValue,
        rubric: Rubric,
    ) -> ScriptResult<Map> {
        Ok(super::pass(&Ctx::of(&context)?, &checkpoint, &rubric)?)
    }
}

fn category_score(answers: &Map, ids: &Array, na_invalid: &Array) -> Result<f64> {
    let (ids, na_invalid) = (texts(ids)?, texts(na_invalid)?);
    let words: Vec<(String, String)> =
        answers.iter().map(|(id, word)| (id.to_string(), word.to_string())).collect();
    let answer = |id: &str| words.iter().find(|(known, _)| known == id).map(|(_, word)| word.as_str());
    Ok(score::compute_category_score(answer, &ids, &na_invalid))
}

fn numbers(map: &Map) -> Result<Vec<(String, f64)>> {
    let number = |(name, value): (&rhai::Identifier, &Dynamic)| {
        let wrong = || Error::new(Kind::Argument, format!("`{name}` must be a number, not {value}"));
        values::number(value).map(|n| (name.to_string(), n)).ok_or_else(wrong)
    };
    map.iter().map(number).collect()
}

fn pass(ctx: &Ctx, checkpoint: &CheckpointValue, rubric: &Rubric) -> Result<Map> {
    let mut records = Vec::new();
    checkpoint.0.for_each_record(|id, record| {
        verdict::check(&record).map_err(|what| checkpoint.0.damage(id, &what))?;
        records.push(record);
        Ok(())
    })?;
    // What was judged last stands first in no file: the order of ids does not depend on scheduling.
    records.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    let project = &ctx.world.project;
    let hash_today = |id: &str| match read_transcript(project, &transcript_path(id)) {
        Ok(transcript) => Ok(Some(content_hash(&transcript))),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        // Damaged is changed: it is not trained on, and the others go on.
        Err(error) => {
            let place = error.place().map(|place| format!("{place}: ")).unwrap_or_default();
            ctx.world.emit(Event::Warning(format!("{place}{error}")));
            Ok(Some(String::new()))
        }
    };
    let sorted = passing::passing(records, hash_today, rubric.hash(), &rejected(ctx)?)?;
    let mut result = Map::new();
    result.insert("records".into(), sorted.records.iter().map(values::from_json).collect::<Array>().into());
    let counts = sorted.counts.iter().map(|(reason, n)| ((*reason).into(), (*n as i64).into()));
    result.insert("counts".into(), counts.collect::<Map>().into());
    Ok(result)
}

/// The ids whose last human verdict is a rejection: lines `{"id", "verdict": "accept" | "reject", ...}`.
fn rejected(ctx: &Ctx) -> Result<HashSet<String>> {
    let mut rejected = HashSet::new();
    if !ctx.world.project.exists(HUMAN)? {
        return Ok(rejected);
    }
    for (i, line) in ctx.world.project.read_text(HUMAN)?.lines().enumerate() {
        let verdict = parse_line(HUMAN, i + 1, line)?;
        let fault =
            || Error::new(Kind::Data, format!("{HUMAN}, line {}: it needs `id` and `verdict`", i + 1));
        let id = verdict["id"].as_str().ok_or_else(fault)?.to_string();
        match verdict["verdict"].as_str() {
            Some("reject") => drop(rejected.insert(id)),
            Some("accept") => drop(rejected.remove(&id)),
            _ => return Err(fault().hint("`verdict` is \"accept\" or \"reject\"")),
        }
    }
    Ok(rejected)
}
