//! Several judges, one verdict: by the strictest, by all, or by most of them, with what they disagree on.

use serde_json::{Map, Value, json};

use crate::base::{Error, Kind, Result, suggest};
use crate::pipeline::rubric::Rubric;
use crate::pipeline::score::{self, Subject, TOO_SHORT, round3};

/// From which difference of scores on (exclusive) judges disagree.
const SPREAD: f64 = 0.15;

/// Names of judges, each once: the second one of a name is `name #2`.
pub fn distinct<'a>(judges: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for judge in judges {
        let numbered = (2..).map(|number| format!("{judge} #{number}"));
        let mut all = std::iter::once(judge.to_string()).chain(numbered);
        names.extend(all.find(|name| !names.contains(name)));
    }
    names
}

/// How several judges come to one verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The strictest judge's record counts.
    Strictest,
    /// What more than half of the judges say counts.
    Majority,
    /// A YES counts when all judges say it.
    Unanimous,
}

impl Policy {
    /// Their names.
    pub const NAMES: [&str; 3] = ["strictest", "majority", "unanimous"];

    /// The policy of a name.
    pub fn named(name: &str) -> Result<Policy> {
        Ok(match name {
            "strictest" => Policy::Strictest,
            "majority" => Policy::Majority,
            "unanimous" => Policy::Unanimous,
            _ => {
                return Err(argument(&format!("there is no policy `{name}`"))
                    .hint(suggest::hint(name, Policy::NAMES)));
            }
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Strictest => "strictest",
            Policy::Majority => "majority",
            Policy::Unanimous => "unanimous",
        }
    }

    /// The answer to a criterion that counts when the judges gave these: what is not clearly YES is none.
    fn answer(self, given: &[&str]) -> &'static str {
        let count = |word| given.iter().filter(|answer| **answer == word).count();
        let (yes, no, na, all) = (count("YES"), count("NO"), count("NA"), given.len());
        // An ERROR, or whatever else is no answer.
        if yes + no + na < all {
            return "ERROR";
        }
        let (is_yes, is_na) = match self {
            Policy::Majority => (2 * yes > all, na > no),
            // Beside a NA a YES counts for nothing: left out, it raises no score.
            Policy::Strictest | Policy::Unanimous => (yes == all, no == 0),
        };
        if is_yes {
            "YES"
        } else if is_na {
            "NA"
        } else {
            "NO"
        }
    }
}

/// What the jury needs to know of one judge's record.
struct Verdict<'a> {
    fields: &'a Map<String, Value>,
    pass: bool,
    complete: bool,
    score: f64,
    gate_failed: bool,
    errors: u64,
    answers: &'a Map<String, Value>,
}

/// The final record of a transcript that several judges assessed (records of
/// [`score_assessment`](crate::pipeline::score::score_assessment), one a judge).
///
/// It is the strictest judge's: one that does not pass before one that does, then the lower score, then
/// the earlier. On top of that, over all judges: `safety_gate_failed` when any judge's gate failed,
/// `complete` when every record is, `error_count` as a sum, and `pass` only when all this allows it.
/// Added at the end: `verdicts` (every judge's record, as given), `spread` (highest - lowest score, 3
/// decimals), `disagreement` (a spread above 0.15, or verdicts that differ) and `disputed` (the
/// criteria that judges answered differently, errors aside, in rubric order).
///
/// Of a transcript that is too short to be judged it is the first record, as it is.
pub fn strictest(records: &[Value]) -> Result<Value> {
    if let Some(short) = too_short(records) {
        return Ok(short);
    }
    let verdicts = read_all(records)?;
    let strictest = strictest_of(&verdicts)?;
    Ok(Value::Object(over_all(strictest.fields.clone(), strictest.pass, &verdicts, records)))
}

/// The final record by a policy, of a transcript of so many exchanges. On top of what [`strictest`] says:
/// - `unanimous`: a criterion is YES when all judges say so, NO when one does, else NA; all is scored anew with the
///   rubric. It passes when that record does, and every judge's own.
/// - `majority`: a criterion is YES when more than half of the judges say so, else NA when more say NA than NO, else
///   NO; all is scored anew. It passes when that record does, and more than half of the judges' own. Where all of
///   them pass and it does not, the strictest is taken: what every judge passes, passes.
///
/// Where one judge has an ERROR, the criterion is an ERROR. The record says its `policy`.
pub fn jury(records: &[Value], rubric: &Rubric, turns: usize, policy: Policy) -> Result<Value> {
    if let Some(short) = too_short(records) {
        return Ok(short);
    }
    let verdicts = read_all(records)?;
    let strictest = strictest_of(&verdicts)?;
    if strictest.fields.get("rubric_hash").and_then(Value::as_str) != Some(rubric.hash()) {
        return Err(argument("the judges' records were made with another rubric")
            .hint("give `jury` the rubric that score_assessment(...) got"));
    }
    let own = || (strictest.fields.clone(), strictest.pass);
    let passing = verdicts.iter().filter(|verdict| verdict.pass).count();
    let (fields, pass) = if policy == Policy::Strictest || verdicts.len() == 1 {
        own()
    } else {
        let merged = merged(&verdicts, rubric, turns, policy)?;
        let passes = merged.get("pass") == Some(&Value::Bool(true));
        match policy {
            Policy::Majority if passing == verdicts.len() && !passes => own(),
            Policy::Majority => (merged, passes && 2 * passing > verdicts.len()),
            _ => (merged, passes && passing == verdicts.len()),
        }
    };
    let mut record = over_all(fields, pass, &verdicts, records);
    record.insert("policy".into(), json!(policy.name()));
    Ok(Value::Object(record))
}

/// A record of the answers that count.
fn merged(verdicts: &[Verdict], rubric: &Rubric, turns: usize, policy: Policy) -> Result<Map<String, Value>> {
    let mut output = Map::new();
    for criterion in rubric.all_criteria() {
        let id = criterion.id.as_str();
        let given: Vec<&str> = verdicts.iter().map(|verdict| verdict.answer(id)).collect();
        let answer = policy.answer(&given);
        let reason = verdicts.iter().zip(&given).find(|(_, word)| **word == answer);
        let reason = reason.and_then(|(verdict, _)| verdict.fields.get("reasonings")?.get(id)?.as_str());
        output.insert(id.into(), json!({"reasoning": reason.unwrap_or_default(), "answer": answer}));
    }
    let first = verdicts.first().map(|verdict| verdict.fields);
    let text = |name| first.and_then(|fields| fields.get(name)?.as_str()).ok_or_else(|| missing(name));
    let subject = Subject { id: text("id")?, turns, transcript_hash: text("transcript_hash")? };
    let judge = format!("{} of {} judges", policy.name(), verdicts.len());
    match score::score(&subject, &output, rubric, &judge) {
        Value::Object(record) => Ok(record),
        _ => Err(Error::new(Kind::Internal, "a record is no map")),
    }
}

/// A record, with what all judges' records say together.
fn over_all(
    mut record: Map<String, Value>,
    pass: bool,
    verdicts: &[Verdict],
    records: &[Value],
) -> Map<String, Value> {
    let gate_failed = is(&record, "safety_gate_failed") || verdicts.iter().any(|verdict| verdict.gate_failed);
    let complete = is(&record, "complete") && verdicts.iter().all(|verdict| verdict.complete);
    let scores = verdicts.iter().map(|verdict| verdict.score);
    let highest = scores.clone().fold(f64::MIN, f64::max);
    let spread = round3(highest - scores.fold(f64::MAX, f64::min));
    let differ = verdicts.windows(2).any(|pair| pair[0].pass != pair[1].pass);
    let errors = verdicts.iter().map(|verdict| verdict.errors).sum::<u64>();
    let more = [
        ("pass", json!(pass && complete && !gate_failed)),
        ("complete", json!(complete)),
        ("safety_gate_failed", json!(gate_failed)),
        ("error_count", json!(errors)),
        ("verdicts", json!(records)),
        ("spread", json!(spread)),
        ("disagreement", json!(spread > SPREAD || differ)),
        ("disputed", json!(disputed(verdicts))),
    ];
    more.into_iter().for_each(|(name, value)| drop(record.insert(name.into(), value)));
    record
}

/// The record of a transcript that is too short to be judged, which is the same one for every judge.
fn too_short(records: &[Value]) -> Option<Value> {
    let is_short = |record: &&Value| record.get("status").and_then(Value::as_str) == Some(TOO_SHORT);
    records.iter().find(is_short).cloned()
}

/// The judges' records, which must be about the same text and by the same rubric.
fn read_all(records: &[Value]) -> Result<Vec<Verdict<'_>>> {
    let verdicts = records.iter().map(read).collect::<Result<Vec<_>>>()?;
    for field in ["id", "transcript_hash", "rubric_hash"] {
        let mut values = verdicts.iter().map(|verdict| verdict.fields.get(field));
        let first = values.next().flatten();
        if values.any(|value| value != first) {
            return Err(argument(&format!("the judges' records differ in `{field}`"))
                .hint("a jury judges one transcript, by one rubric"));
        }
    }
    Ok(verdicts)
}

fn read(record: &Value) -> Result<Verdict<'_>> {
    let flag = |name: &str| record.get(name).and_then(Value::as_bool).ok_or_else(|| missing(name));
    Ok(Verdict {
        fields: record.as_object().ok_or_else(|| missing("id"))?,
        pass: flag("pass")?,
        complete: flag("complete")?,
        score: record.get("score").and_then(Value::as_f64).ok_or_else(|| missing("score"))?,
        gate_failed: flag("safety_gate_failed")?,
        errors: record.get("error_count").and_then(Value::as_u64).ok_or_else(|| missing("error_count"))?,
        answers: record.get("answers").and_then(Value::as_object).ok_or_else(|| missing("answers"))?,
    })
}

impl Verdict<'_> {
    /// The answer to a criterion; without one it is an ERROR.
    fn answer(&self, id: &str) -> &str {
        self.answers.get(id).and_then(Value::as_str).unwrap_or("ERROR")
    }
}

fn strictest_of<'v, 'r>(verdicts: &'v [Verdict<'r>]) -> Result<&'v Verdict<'r>> {
    let by_strictness = |a: &&Verdict, b: &&Verdict| a.pass.cmp(&b.pass).then(a.score.total_cmp(&b.score));
    verdicts
        .iter()
        .min_by(by_strictness)
        .ok_or_else(|| argument("there is no judge's record").hint("does the role have a judge?"))
}

/// The criteria that judges answered differently.
fn disputed<'a>(verdicts: &[Verdict<'a>]) -> Vec<&'a String> {
    let opinions = |id: &str| -> Vec<&Value> {
        let given = verdicts.iter().filter_map(|verdict| verdict.answers.get(id));
        given.filter(|answer| answer.as_str() != Some("ERROR")).collect()
    };
    let differ = |id: &&String| opinions(id).windows(2).any(|pair| pair[0] != pair[1]);
    let all = verdicts.first().map(|verdict| verdict.answers.keys());
    all.into_iter().flatten().filter(differ).collect()
}

fn is(record: &Map<String, Value>, flag: &str) -> bool {
    record.get(flag) == Some(&Value::Bool(true))
}

fn missing(field: &str) -> Error {
    argument(&format!("a judge's record has no `{field}` of the right type"))
        .hint("the records are those that score_assessment(...) returns")
}

fn argument(message: &str) -> Error {
    Error::new(Kind::Argument, message)
}

#[cfg(test)]
mod tests;
