//! Whether a verdict that was read can be one that was written: a flag, a score or an answer that no
//! judge's record can have, or that contradicts another, is damage and decides nothing.

use serde_json::{Map, Value};

use super::jury::Policy;
use super::score::TOO_SHORT;
use crate::base::Result;

/// The words of answers.
const WORDS: [&str; 4] = ["YES", "NO", "NA", "ERROR"];

/// Scores are rounded to 3 decimals, thresholds are not.
const ROUNDING: f64 = 0.000_501;

/// Checks a record of [`score_assessment`](crate::pipeline::score::score_assessment) or
/// [`jury`](crate::pipeline::jury::jury); the error says what is wrong. Fields that are not there are
/// not missed: without a flag nothing passes.
pub fn check(record: &Value) -> Result<(), String> {
    let Some(record) = record.as_object() else { return Err("it is not a JSON object".into()) };
    forms(record)?;
    agreement(record)?;
    let Some(verdicts) = record.get("verdicts") else { return Ok(()) };
    let verdicts = verdicts.as_array().ok_or("its `verdicts` are not an array")?;
    for (i, verdict) in verdicts.iter().enumerate() {
        check(verdict).map_err(|what| format!("in its verdict number {}, {what}", i + 1))?;
    }
    let policy = policy(record)?;
    if is(record, "pass") { carried(record, verdicts, policy) } else { Ok(()) }
}

/// The policy of a jury's record; one that says none is the strictest judge's.
fn policy(record: &Map<String, Value>) -> Result<Policy, String> {
    let Some(name) = record.get("policy") else { return Ok(Policy::Strictest) };
    let known = name.as_str().and_then(|name| Policy::named(name).ok());
    known.ok_or_else(|| format!("its `policy` is not {}", Policy::NAMES.join(", ")))
}

/// The judges' verdicts bear a record that passes.
fn carried(record: &Map<String, Value>, verdicts: &[Value], policy: Policy) -> Result<(), String> {
    let says = |verdict: &Value, flag: &str, value: bool| verdict.get(flag) == Some(&Value::Bool(value));
    let passing = verdicts.iter().filter(|verdict| says(verdict, "pass", true)).count();
    for (i, verdict) in verdicts.iter().enumerate() {
        let against = [
            (says(verdict, "pass", false) && policy != Policy::Majority, "does not"),
            (says(verdict, "safety_gate_failed", true), "has a failed gate"),
            (says(verdict, "complete", false), "is not complete"),
        ];
        if let Some((_, what)) = against.into_iter().find(|(holds, _)| *holds) {
            return Err(format!("it passes, and its verdict number {} {what}", i + 1));
        }
    }
    let all = verdicts.len();
    if policy == Policy::Majority && 2 * passing <= all {
        return Err(format!("it passes by majority, and so do {passing} of its {all} verdicts"));
    }
    // What all pass may be the strictest judge's own record.
    let enough = match policy {
        Policy::Majority if passing < all => all / 2 + 1,
        Policy::Unanimous => all,
        _ => return Ok(()),
    };
    let answers = record.get("answers").and_then(Value::as_object).into_iter().flatten();
    for (id, _) in answers.filter(|(_, word)| *word == "YES") {
        let given = verdicts.iter().filter(|verdict| verdict["answers"][id.as_str()] == "YES").count();
        if given < enough {
            return Err(format!("its answer to `{id}` is YES, and so are {given} of its {all} verdicts'"));
        }
    }
    Ok(())
}

/// Fields, what holds of their values, and what is wrong when it does not.
type Form<'a> = (&'a [&'a str], &'a dyn Fn(&Value) -> bool, &'a str);

/// Each known value has its form.
fn forms(record: &Map<String, Value>) -> Result<(), String> {
    let part = |value: &Value| value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number));
    let known: [Form; 6] = [
        (
            &["pass", "complete", "safety_gate_failed", "disagreement"],
            &Value::is_boolean,
            "neither true nor false",
        ),
        (&["score", "threshold", "spread"], &part, "not a number from 0 to 1"),
        (&["error_count"], &Value::is_u64, "not a count"),
        (&["answers"], &are_answers, "not all YES, NO, NA or ERROR"),
        (
            &["category_scores"],
            &|map| map.as_object().is_some_and(|map| map.values().all(part)),
            "not all from 0 to 1",
        ),
        (&["rubric_hash", "transcript_hash"], &is_hash, "not 64 hexadecimal digits"),
    ];
    for (names, holds, what) in known {
        if let Some(name) = names.iter().find(|name| record.get(**name).is_some_and(|value| !holds(value))) {
            return Err(format!("its `{name}` is {what}"));
        }
    }
    Ok(())
}

fn are_answers(answers: &Value) -> bool {
    let known = |answer: &Value| answer.as_str().is_some_and(|word| WORDS.contains(&word));
    answers.as_object().is_some_and(|map| map.values().all(known))
}

fn is_hash(value: &Value) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    value.as_str().is_some_and(|text| text.len() == 64 && text.bytes().all(digit))
}

/// No value speaks against a verdict that others speak for.
fn agreement(record: &Map<String, Value>) -> Result<(), String> {
    let number = |name: &str| record.get(name).and_then(Value::as_f64);
    let below =
        number("score").zip(number("threshold")).is_some_and(|(score, least)| score + ROUNDING < least);
    let answers = record.get("answers").and_then(Value::as_object);
    let error = answers.is_some_and(|map| map.values().any(|word| word == "ERROR"));
    let errors = error || number("error_count").is_some_and(|count| count > 0.0);
    let contradictions = [
        ("pass", record.get("complete") == Some(&Value::Bool(false)), "it passes, and is not complete"),
        ("pass", is(record, "safety_gate_failed"), "it passes, and its safety gate failed"),
        ("pass", errors, "it passes, and has errors"),
        ("pass", below, "it passes, and its score is below the threshold"),
        ("complete", errors, "it is complete, and has errors"),
        ("pass", record.get("status").is_some_and(|it| it == TOO_SHORT), "it passes, and is too short"),
    ];
    let found = contradictions.into_iter().find(|(flag, against, _)| is(record, flag) && *against);
    found.map_or(Ok(()), |(_, _, what)| Err(what.into()))
}

fn is(record: &Map<String, Value>, flag: &str) -> bool {
    record.get(flag) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::jury::{jury, strictest};
    use crate::pipeline::rubric::Rubric;
    use crate::pipeline::score::score_assessment;
    use serde_json::json;

    fn rubric() -> Rubric {
        Rubric::from_value(json!({
            "threshold": 0.5004, "gates": ["G"],
            "categories": [{"name": "one", "weight": 1.0, "criteria": ["A"]}],
            "criteria": [{"id": "A", "question": "?"}, {"id": "G", "question": "?"}],
        }))
        .unwrap()
    }

    fn good(answer: &str) -> Value {
        let talk = json!({"id": "t", "exchanges": [{"user": "u", "assistant": "a"}]});
        score_assessment(&talk, &json!({"A": answer, "G": "YES"}), &rubric(), "j").unwrap()
    }

    fn by(policy: Policy, answers: &[&str]) -> Value {
        let records: Vec<Value> = answers.iter().map(|answer| good(answer)).collect();
        jury(&records, &rubric(), 1, policy).unwrap()
    }

    fn with(changes: Value) -> Value {
        let mut record = good("YES");
        record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        record
    }

    #[test]
    fn what_is_made_is_good() {
        let records = ["YES", "NO", "NA", "what"].map(good);
        for record in &records {
            check(record).unwrap();
            check(&strictest(&[good("YES"), record.clone()]).unwrap()).unwrap();
        }
        check(&json!({"id": "by hand"})).unwrap();
        // As after rounding: exactly 0.5004 is written as 0.5, and reaches 0.5004.
        check(&with(json!({"score": 0.5}))).unwrap();
    }

    #[test]
    fn every_known_value_has_its_form() {
        for (field, bad) in [
            ("pass", json!(null)),
            ("pass", json!("true")),
            ("complete", json!(1)),
            ("safety_gate_failed", json!("no")),
            ("score", json!(8)),
            ("score", json!("0.8")),
            ("threshold", json!(-0.8)),
            ("error_count", json!(0.5)),
            ("answers", json!([])),
            ("answers", json!({"A": "YEs"})),
            ("answers", json!({"A": null})),
            ("category_scores", json!({"one": 5})),
            ("rubric_hash", json!("0f")),
            ("transcript_hash", json!("G".repeat(64))),
            ("verdicts", json!({})),
            ("policy", json!("mildest")),
        ] {
            let mut record = with(json!({"verdicts": []}));
            record[field] = bad;
            let fault = check(&record).unwrap_err();
            assert!(fault.contains(&format!("its `{field}`")), "{fault}");
        }
    }

    #[test]
    fn contradictions_are_found() {
        for (changes, what) in [
            (json!({"complete": false}), "not complete"),
            (json!({"safety_gate_failed": true}), "gate"),
            (json!({"answers": {"A": "ERROR"}}), "errors"),
            (json!({"error_count": 1}), "errors"),
            (json!({"pass": false, "error_count": 1}), "it is complete, and has errors"),
            (json!({"score": 0.499}), "below"),
            (json!({"verdicts": [good("NO")]}), "verdict number 1 does not"),
            (
                json!({"verdicts": [good("YES"), with(json!({"complete": false}))]}),
                "in its verdict number 2, it passes",
            ),
        ] {
            let fault = check(&with(changes)).unwrap_err();
            assert!(fault.contains(what), "{fault}");
        }
        check(&with(json!({"pass": false, "safety_gate_failed": true}))).unwrap();
        let fault = check(&with(json!({"status": "TOO_SHORT"}))).unwrap_err();
        assert_eq!(fault, "it passes, and is too short");
    }

    #[test]
    fn a_jury_passes_no_more_than_its_policy_allows() {
        let majority = by(Policy::Majority, &["YES", "NO", "YES"]);
        assert_eq!(majority["pass"], json!(true));
        check(&majority).unwrap();
        let fault = |record: &Value, path: &str, value: Value| {
            let mut record = record.clone();
            *record.pointer_mut(path).unwrap() = value;
            check(&record).unwrap_err()
        };
        for (path, value, what) in [
            ("/policy", json!("strictest"), "it passes, and its verdict number 2 does not"),
            ("/policy", json!("unanimous"), "it passes, and its verdict number 2 does not"),
            ("/verdicts/0", good("NO"), "it passes by majority, and so do 1 of its 3 verdicts"),
            (
                "/verdicts/1/safety_gate_failed",
                json!(true),
                "it passes, and its verdict number 2 has a failed gate",
            ),
            ("/verdicts/1/complete", json!(false), "it passes, and its verdict number 2 is not complete"),
            (
                "/verdicts/0/answers/A",
                json!("NA"),
                "its answer to `A` is YES, and so are 1 of its 3 verdicts'",
            ),
        ] {
            assert_eq!(fault(&majority, path, value), what);
        }
        let unanimous = by(Policy::Unanimous, &["YES", "YES"]);
        let what = "its answer to `A` is YES, and so are 1 of its 2 verdicts'";
        assert_eq!(fault(&unanimous, "/verdicts/1/answers/A", json!("NA")), what);
    }
}
