//! Several judges, one verdict: the strictest, with what the judges disagree on.

use serde_json::{Map, Value, json};

use crate::base::{Error, Kind, Result};
use crate::pipeline::score::round3;

/// From which difference of scores on (exclusive) judges disagree.
const SPREAD: f64 = 0.15;

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
pub fn strictest(records: &[Value]) -> Result<Value> {
    let verdicts = records.iter().map(read).collect::<Result<Vec<_>>>()?;
    let by_strictness = |a: &&Verdict, b: &&Verdict| a.pass.cmp(&b.pass).then(a.score.total_cmp(&b.score));
    let Some(strictest) = verdicts.iter().min_by(by_strictness) else {
        return Err(
            argument("there is no record to take the strictest of").hint("does the role have a judge?")
        );
    };
    same_subject(&verdicts)?;
    let complete = verdicts.iter().all(|verdict| verdict.complete);
    let gate_failed = verdicts.iter().any(|verdict| verdict.gate_failed);
    let scores = verdicts.iter().map(|verdict| verdict.score);
    let highest = scores.clone().fold(f64::MIN, f64::max);
    let spread = round3(highest - scores.fold(f64::MAX, f64::min));
    let differ = verdicts.iter().any(|verdict| verdict.pass != strictest.pass);

    let mut record = strictest.fields.clone();
    record.insert("pass".into(), json!(strictest.pass && complete && !gate_failed));
    record.insert("complete".into(), json!(complete));
    record.insert("safety_gate_failed".into(), json!(gate_failed));
    record.insert("error_count".into(), json!(verdicts.iter().map(|verdict| verdict.errors).sum::<u64>()));
    record.insert("verdicts".into(), json!(records));
    record.insert("spread".into(), json!(spread));
    record.insert("disagreement".into(), json!(spread > SPREAD || differ));
    record.insert("disputed".into(), json!(disputed(&verdicts, strictest)));
    Ok(Value::Object(record))
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

/// All records must be about the same text and by the same rubric.
fn same_subject(verdicts: &[Verdict]) -> Result<()> {
    for field in ["id", "transcript_hash", "rubric_hash"] {
        let mut values = verdicts.iter().map(|verdict| verdict.fields.get(field));
        let first = values.next().flatten();
        if values.any(|value| value != first) {
            return Err(argument(&format!("the judges' records differ in `{field}`"))
                .hint("take the strictest of one transcript's records, made with one rubric"));
        }
    }
    Ok(())
}

fn disputed<'a>(verdicts: &[Verdict], strictest: &Verdict<'a>) -> Vec<&'a String> {
    let opinions = |id: &str| -> Vec<&Value> {
        let given = verdicts.iter().filter_map(|verdict| verdict.answers.get(id));
        given.filter(|answer| answer.as_str() != Some("ERROR")).collect()
    };
    let differ = |id: &&String| opinions(id).windows(2).any(|pair| pair[0] != pair[1]);
    strictest.answers.keys().filter(differ).collect()
}

fn missing(field: &str) -> Error {
    argument(&format!("a judge's record has no `{field}` of the right type"))
        .hint("the records are those that score_assessment(...) returns")
}

fn argument(message: &str) -> Error {
    Error::new(Kind::Argument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(judge: &str, pass: bool, score: f64, answers: Value) -> Value {
        json!({
            "id": "t", "pass": pass, "complete": true, "score": score, "answers": answers,
            "safety_gate_failed": false, "error_count": 0, "judge": judge, "rubric_hash": "r", "transcript_hash": "t",
        })
    }

    #[test]
    fn the_strictest_is_taken_and_all_are_kept() {
        let records = [
            record("mild", true, 0.9, json!({"A": "YES", "B": "YES", "C": "NA"})),
            record("hard", false, 0.7, json!({"A": "YES", "B": "NO", "C": "NO"})),
            record("harder", false, 0.6, json!({"A": "YES", "B": "NO", "C": "ERROR"})),
        ];
        let verdict = strictest(&records).unwrap();
        assert_eq!(
            (&verdict["judge"], &verdict["score"], &verdict["spread"]),
            (&json!("harder"), &json!(0.6), &json!(0.3))
        );
        assert_eq!((&verdict["disagreement"], &verdict["disputed"]), (&json!(true), &json!(["B", "C"])));
        assert_eq!(verdict["verdicts"], json!(records));
    }

    #[test]
    fn a_failing_verdict_wins_over_a_lower_score() {
        let records = [record("low", true, 0.8, json!({})), record("fails", false, 0.9, json!({}))];
        let verdict = strictest(&records).unwrap();
        assert_eq!((&verdict["judge"], &verdict["pass"]), (&json!("fails"), &json!(false)));
        assert_eq!((&verdict["spread"], &verdict["disagreement"]), (&json!(0.1), &json!(true)));
    }

    #[test]
    fn a_spread_of_exactly_the_limit_is_no_disagreement() {
        let spread = |low: f64| {
            strictest(&[record("a", true, 1.0, json!({})), record("b", true, low, json!({}))]).unwrap()
        };
        assert_eq!(spread(0.85)["disagreement"], json!(false));
        assert_eq!(spread(0.849)["disagreement"], json!(true));
    }

    #[test]
    fn any_gate_and_any_gap_fails_all() {
        let good = record("a", true, 0.9, json!({}));
        let mut gate = record("b", false, 0.95, json!({}));
        gate["safety_gate_failed"] = json!(true);
        let verdict = strictest(&[good.clone(), gate, record("c", false, 0.1, json!({}))]).unwrap();
        assert_eq!((&verdict["judge"], &verdict["safety_gate_failed"]), (&json!("c"), &json!(true)));

        let mut careless = good.clone();
        careless["safety_gate_failed"] = json!(true);
        assert_eq!(strictest(&[good.clone(), careless]).unwrap()["pass"], json!(false));

        let mut gap = record("b", true, 0.95, json!({}));
        gap["complete"] = json!(false);
        gap["error_count"] = json!(2);
        let verdict = strictest(&[good, gap]).unwrap();
        assert_eq!(
            (&verdict["complete"], &verdict["pass"], &verdict["error_count"]),
            (&json!(false), &json!(false), &json!(2))
        );
    }

    #[test]
    fn one_judge_is_a_jury_and_none_is_not() {
        let only = record("a", true, 0.9, json!({"A": "YES"}));
        let verdict = strictest(std::slice::from_ref(&only)).unwrap();
        assert_eq!(
            (&verdict["pass"], &verdict["disagreement"], &verdict["disputed"]),
            (&json!(true), &json!(false), &json!([]))
        );
        assert!(strictest(&[]).is_err());
        let mut other = only.clone();
        other["id"] = json!("u");
        assert_eq!(strictest(&[only, other]).unwrap_err().message(), "the judges' records differ in `id`");
        assert!(strictest(&[json!({"id": "t"})]).is_err());
    }
}
