//! From answers to verdicts: scores, records, `jury`, `strictest`.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map, Module};
use serde_json::Value;

use super::rubrics::texts;
use crate::base::{Error, Kind, Result};
use crate::pipeline::jury::Policy;
use crate::pipeline::rubric::Rubric;
use crate::pipeline::{jury, score};
use crate::script::{ScriptResult, values};

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
    /// complete, and does not pass. A transcript of fewer exchanges than the rubric's own `min_turns` is not
    /// scored: `#{id, status: "TOO_SHORT", pass: false, complete: true, turns, min_turns, ...}`.
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

    /// One record of several judges', by a policy.
    ///
    /// - `"strictest"`: the record of the strictest judge, as `strictest(records)`.
    /// - `"unanimous"`: a criterion is YES only when all judges say so, NO when one does, else NA; scored anew.
    /// - `"majority"`: a criterion is YES when more than half of the judges say so, else NO, or NA when more say NA
    ///   than NO; scored anew. It passes when more than half of the judges' own records do, too. What all judges
    ///   pass, passes.
    ///
    /// With each, a gate that fails for one judge fails for all, and one judge's ERROR leaves the record incomplete.
    /// It has `policy`, `verdicts` (the judges' records), `spread`, `disagreement` and `disputed`.
    ///
    /// ```rhai
    /// let mine = rubric(#{threshold: 0.5, gates: [], categories: [#{name: "all", weight: 1.0, criteria: ["C1"]}],
    ///     criteria: [#{id: "C1", question: "Is it kind?"}]});
    /// let talk = #{id: "a", exchanges: [#{user: "Hi", assistant: "Hello"}]};
    /// let records = ["YES", "NO", "YES"].map(|said| score_assessment(talk, #{C1: said}, mine, "judge"));
    /// ["strictest", "majority", "unanimous"].map(|policy| jury(talk, records, mine, policy).pass)   // -> [false, true, false]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn jury(transcript: &mut Map, records: Array, rubric: Rubric, policy: &str) -> ScriptResult<Dynamic> {
        let turns = transcript
            .get("exchanges")
            .and_then(|given| given.as_array_ref().ok())
            .map_or(0, |all| all.len());
        let records = records.iter().map(values::to_json).collect::<Result<Vec<_>>>()?;
        super::about(transcript, &records)?;
        Ok(values::from_json(&jury::jury(&records, &rubric, turns, Policy::named(policy)?)?))
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
}

/// The records must be about this transcript.
fn about(transcript: &Map, records: &[Value]) -> Result<()> {
    let id = transcript.get("id").map(ToString::to_string).unwrap_or_default();
    match records.iter().find(|record| record["id"] != id.as_str()) {
        None => Ok(()),
        Some(other) => {
            let message =
                format!("a judge's record is about {}, and the transcript is \"{id}\"", other["id"]);
            Err(Error::new(Kind::Argument, message).hint("a jury judges one transcript"))
        }
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
