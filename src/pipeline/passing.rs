//! What may be trained on: records that pass, of a transcript and a rubric that have not changed since.

use std::collections::HashSet;

use serde_json::Value;

use crate::base::{Error, Kind, Result};

/// Why a record may be trained on or not. The first that applies, in this order, is the record's.
pub const REASONS: [&str; 7] = [
    "passed",
    "incomplete",
    "failed",
    "transcript_missing",
    "transcript_changed",
    "rubric_changed",
    "rejected_by_human",
];

/// The records that may be trained on, and why the others may not.
#[derive(Debug, Clone, PartialEq)]
pub struct Passing {
    /// Those that may, in the order given.
    pub records: Vec<Value>,
    /// How many records each of the [`REASONS`] applies to, in their order, zeros included.
    pub counts: Vec<(&'static str, usize)>,
}

/// Sorts out records (the last one of each id).
///
/// `transcript_hash` gives the hash that the transcript of an id has today
/// ([`content_hash`](crate::pipeline::transcript::content_hash)), `None` when it is gone; it is asked
/// only for records that pass. `rubric_hash` is today's rubric's; `rejected_by_human` are ids.
pub fn passing(
    records: impl IntoIterator<Item = Value>,
    mut transcript_hash: impl FnMut(&str) -> Result<Option<String>>,
    rubric_hash: &str,
    rejected_by_human: &HashSet<String>,
) -> Result<Passing> {
    let mut passing = Passing { records: Vec::new(), counts: REASONS.map(|reason| (reason, 0)).into() };
    for record in records {
        let reason = match verdict(&record) {
            Some(reason) => reason,
            None => match origin(&record, &mut transcript_hash, rubric_hash)? {
                Some(reason) => reason,
                None if rejected_by_human.contains(id(&record)?) => "rejected_by_human",
                None => "passed",
            },
        };
        if let Some((_, count)) = passing.counts.iter_mut().find(|(known, _)| *known == reason) {
            *count += 1;
        }
        if reason == "passed" {
            passing.records.push(record);
        }
    }
    Ok(passing)
}

/// What the record itself says against it. A flag that is missing is one against it.
fn verdict(record: &Value) -> Option<&'static str> {
    let is = |name: &str, flag: bool| record.get(name) == Some(&Value::Bool(flag));
    if !is("complete", true) {
        Some("incomplete")
    } else if !is("pass", true) || is("safety_gate_failed", true) {
        Some("failed")
    } else {
        None
    }
}

/// What has changed since the record was made.
fn origin(
    record: &Value,
    transcript_hash: &mut impl FnMut(&str) -> Result<Option<String>>,
    rubric_hash: &str,
) -> Result<Option<&'static str>> {
    let of = |name: &str| record.get(name).and_then(Value::as_str);
    let Some(today) = transcript_hash(id(record)?)? else { return Ok(Some("transcript_missing")) };
    Ok(if of("transcript_hash") != Some(&today) {
        Some("transcript_changed")
    } else if of("rubric_hash") != Some(rubric_hash) {
        Some("rubric_changed")
    } else {
        None
    })
}

fn id(record: &Value) -> Result<&str> {
    record.get("id").and_then(Value::as_str).ok_or_else(|| {
        Error::new(Kind::Data, "an assessment record has no `id`")
            .hint("the checkpoint of the assessments holds records of score_assessment(...)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(id: &str) -> Value {
        json!({"id": id, "pass": true, "complete": true, "safety_gate_failed": false, "transcript_hash": "h", "rubric_hash": "r"})
    }

    fn with(id: &str, field: &str, value: Value) -> Value {
        let mut record = record(id);
        record[field] = value;
        record
    }

    #[test]
    fn each_record_is_counted_under_one_reason() {
        let records = vec![
            record("good"),
            with("open", "complete", json!(false)),
            with("open2", "complete", Value::Null),
            with("bad", "pass", json!(false)),
            with("gate", "safety_gate_failed", json!(true)),
            record("gone"),
            with("edited", "transcript_hash", json!("other")),
            with("old", "rubric_hash", json!("other")),
            record("disliked"),
            record("good2"),
        ];
        let hash = |id: &str| Ok((id != "gone").then(|| "h".to_string()));
        let passing = passing(records, hash, "r", &HashSet::from(["disliked".to_string()])).unwrap();
        assert_eq!(passing.records, [record("good"), record("good2")]);
        let counts: Vec<usize> = passing.counts.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 2, 2, 1, 1, 1, 1]);
    }

    #[test]
    fn errors_come_through() {
        let broken = |_: &str| Err(Error::new(Kind::Data, "cut off"));
        assert!(passing([record("a")], broken, "r", &HashSet::new()).is_err());
        let nameless = with("a", "id", json!(3));
        assert!(passing([nameless], |_| Ok(None), "r", &HashSet::new()).is_err());
    }
}
