//! Scoring: a judge's answers become category scores, a weighted score and a verdict. Whatever is
//! missing, unreadable or out of place counts against the transcript, never for it.

use serde_json::{Map, Value, json};

use crate::base::{Error, Kind, Result, suggest};
use crate::pipeline::rubric::{Criterion, Rubric};
use crate::pipeline::transcript::content_hash;

/// How the reasoning begins where a criterion is not asked because the conversation is too short for it.
pub const NA_BY_RULE: &str = "NA by rule";

/// A number with 3 decimals, as Python's `round(x, 3)` gives it: to the nearest of the exact binary
/// value, so that 2.6745 (which is stored as 2.67449999...) and its like agree.
pub fn round3(number: f64) -> f64 {
    rounded(number, 3)
}

fn rounded(number: f64, decimals: usize) -> f64 {
    format!("{number:.decimals$}").parse().unwrap_or(number)
}

/// The mean over the criteria `ids` that have an answer: YES is 1; NO, ERROR and anything else is 0;
/// NA is left out, or 0 where it is among `na_invalid`. 1.0 when there is nothing to average.
///
/// `answer` looks an answer up by the criterion's id; case and white space around it do not matter.
pub fn compute_category_score<'a, I: AsRef<str>, N: AsRef<str>>(
    answer: impl Fn(&str) -> Option<&'a str>,
    ids: &[I],
    na_invalid: &[N],
) -> f64 {
    let points = |id: &I| match normal(answer(id.as_ref())?).as_str() {
        "YES" => Some(1.0),
        "NA" if !na_invalid.iter().any(|invalid| invalid.as_ref() == id.as_ref()) => None,
        _ => Some(0.0),
    };
    let points: Vec<f64> = ids.iter().filter_map(points).collect();
    match points.len() {
        0 => 1.0,
        count => points.iter().sum::<f64>() / count as f64,
    }
}

/// The sum of category score x weight. A category without a score counts as 1.0.
pub fn compute_weighted_score(score: impl Fn(&str) -> Option<f64>, weights: &[(String, f64)]) -> f64 {
    weights.iter().map(|(category, weight)| score(category).unwrap_or(1.0) * weight).sum()
}

/// A judge's answer to one criterion, made sense of.
struct Answer<'a> {
    criterion: &'a Criterion,
    /// YES, NO, NA or ERROR.
    word: &'static str,
    reasoning: String,
    /// Whether it is an NA that counts as "does not apply": allowed by the criterion, or by rule.
    excused: bool,
}

/// What a record is about.
pub(super) struct Subject<'a> {
    /// The transcript's id.
    pub id: &'a str,
    /// Its exchanges.
    pub turns: usize,
    /// Its hash.
    pub transcript_hash: &'a str,
}

/// The `status` of a record of a transcript that is too short to be judged.
pub const TOO_SHORT: &str = "TOO_SHORT";

/// The assessment record of a transcript, of the judge's output `{C1: {reasoning, answer}, ...}` (a
/// plain `"YES"` in place of the map is understood too).
///
/// The record's fields, in this order: `id, pass, complete, score, threshold, category_scores, answers,
/// reasonings, failed_checks` (the NOs, in rubric order), `safety_gate_failed, error_count, judge,
/// rubric_hash, transcript_hash`. All criteria of the whole rubric are scored, also those that a part of
/// it does not ask:
/// - a criterion whose `min_turns` the transcript does not reach is NA by rule, which is valid;
/// - anything but YES, NO and NA, or no answer at all, is ERROR;
/// - a gate holds when it is YES or a valid NA, else it fails the transcript;
/// - `complete` means no ERROR; `pass` means complete, at least one YES, every gate holds, and the exact
///   score, rounded to 9 decimals, reaches the threshold.
///
/// A transcript of fewer exchanges than the rubric's own `min_turns` is not scored: its record has a `status`,
/// [`TOO_SHORT`], with `turns` and `min_turns`, and neither score nor answers. It is complete, and does not pass.
pub fn score_assessment(transcript: &Value, output: &Value, rubric: &Rubric, judge: &str) -> Result<Value> {
    let id = transcript.get("id").and_then(Value::as_str).ok_or_else(|| {
        argument("the transcript has no `id`").hint("a transcript is {id, persona, exchanges}")
    })?;
    let output = output.as_object().ok_or_else(|| {
        argument("the judge's output is not a map").hint("it is {C1: {reasoning, answer}, ...}")
    })?;
    let turns = transcript.get("exchanges").and_then(Value::as_array).map_or(0, Vec::len);
    let subject = Subject { id, turns, transcript_hash: &content_hash(transcript) };
    Ok(match turns < rubric.min_turns() {
        true => too_short(&subject, rubric),
        false => score(&subject, output, rubric, judge),
    })
}

fn too_short(subject: &Subject, rubric: &Rubric) -> Value {
    json!({
        "id": subject.id,
        "status": TOO_SHORT,
        "pass": false,
        "complete": true,
        "turns": subject.turns,
        "min_turns": rubric.min_turns(),
        "safety_gate_failed": false,
        "failed_checks": [],
        "rubric_hash": rubric.hash(),
        "transcript_hash": subject.transcript_hash,
    })
}

/// The record of what was answered about a transcript.
pub(super) fn score(subject: &Subject, output: &Map<String, Value>, rubric: &Rubric, judge: &str) -> Value {
    let turns = subject.turns;
    let answers: Vec<Answer> =
        rubric.all_criteria().iter().map(|criterion| read_answer(criterion, output, turns)).collect();
    let scores = category_scores(rubric, &answers);
    let score = compute_weighted_score(|name| score_of(&scores, name), &rubric.weights());

    let count = |word| answers.iter().filter(|answer| answer.word == word).count();
    let errors = count("ERROR");
    let gate_failed = rubric.gates().iter().any(|gate| !holds(gate, &answers));
    let pass = errors == 0 && count("YES") > 0 && !gate_failed && rounded(score, 9) >= rubric.threshold();
    let failed = answers.iter().filter(|answer| answer.word == "NO").map(|answer| &answer.criterion.id);
    json!({
        "id": subject.id,
        "pass": pass,
        "complete": errors == 0,
        "score": round3(score),
        "threshold": rubric.threshold(),
        "category_scores": scores.iter().map(|(name, score)| (name.clone(), json!(round3(*score)))).collect::<Map<_, _>>(),
        "answers": by_id(&answers, |answer| answer.word),
        "reasonings": by_id(&answers, |answer| answer.reasoning.as_str()),
        "failed_checks": failed.collect::<Vec<_>>(),
        "safety_gate_failed": gate_failed,
        "error_count": errors,
        "judge": judge,
        "rubric_hash": rubric.hash(),
        "transcript_hash": subject.transcript_hash,
    })
}

fn read_answer<'a>(criterion: &'a Criterion, output: &Map<String, Value>, turns: usize) -> Answer<'a> {
    if turns < criterion.min_turns {
        let reasoning =
            format!("{NA_BY_RULE}: asked from {} exchanges on, and there are {turns}", criterion.min_turns);
        return Answer { criterion, word: "NA", reasoning, excused: true };
    }
    let Some(given) = output.get(&criterion.id) else {
        let near = suggest::nearest(&criterion.id, output.keys().map(String::as_str));
        let near = near.filter(|key| !key.is_empty()).map(|key| format!(" (it has `{key}`)"));
        let reasoning = format!("the judge's output has no answer to it{}", near.unwrap_or_default());
        return Answer { criterion, word: "ERROR", reasoning, excused: false };
    };
    let (answer, reasoning) = match given {
        Value::Object(map) => (map.get("answer"), map.get("reasoning").and_then(Value::as_str)),
        plain => (Some(plain), None),
    };
    let word = answer.and_then(Value::as_str).map_or("ERROR", |text| match normal(text).as_str() {
        "YES" => "YES",
        "NO" => "NO",
        "NA" => "NA",
        _ => "ERROR",
    });
    let mut reasoning = reasoning.unwrap_or_default().to_string();
    if word == "ERROR" && reasoning.is_empty() {
        reasoning = format!("the answer is {}, not YES, NO or NA", answer.unwrap_or(&Value::Null));
    }
    Answer { criterion, word, reasoning, excused: word == "NA" && criterion.na_valid }
}

/// Each category's exact score, in the order of the rubric.
fn category_scores(rubric: &Rubric, answers: &[Answer]) -> Vec<(String, f64)> {
    let word = |id: &str| find(id, answers).map(|answer| answer.word);
    let invalid: Vec<&str> = answers
        .iter()
        .filter(|answer| answer.word == "NA" && !answer.excused)
        .map(|answer| answer.criterion.id.as_str())
        .collect();
    let score = |ids: &[String]| compute_category_score(word, ids, &invalid);
    rubric.categories().iter().map(|category| (category.name.clone(), score(&category.criteria))).collect()
}

fn score_of(scores: &[(String, f64)], name: &str) -> Option<f64> {
    scores.iter().find(|(known, _)| known == name).map(|(_, score)| *score)
}

fn find<'a, 'b>(id: &str, answers: &'b [Answer<'a>]) -> Option<&'b Answer<'a>> {
    answers.iter().find(|answer| answer.criterion.id == id)
}

/// A gate fails closed: only YES and a valid NA hold it.
fn holds(gate: &str, answers: &[Answer]) -> bool {
    find(gate, answers).is_some_and(|answer| answer.word == "YES" || answer.excused)
}

fn by_id<'a, T: Into<Value>>(answers: &'a [Answer], field: impl Fn(&'a Answer) -> T) -> Map<String, Value> {
    answers.iter().map(|answer| (answer.criterion.id.clone(), field(answer).into())).collect()
}

fn normal(answer: &str) -> String {
    answer.trim().to_uppercase()
}

fn argument(message: &str) -> Error {
    Error::new(Kind::Argument, message)
}

#[cfg(test)]
mod tests;
