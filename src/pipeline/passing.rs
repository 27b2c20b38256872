//! What may be trained on: records that pass, of a transcript and a rubric that have not changed since.

use std::collections::HashSet;

use serde_json::Value;

use super::score;
use crate::base::{Error, Kind, Result};

/// The reason of a transcript that no judge has read because it is too short.
pub const TOO_SHORT: &str = "too_short";

/// Why a record may be trained on or not. The first that applies, in this order, is the record's.
pub const REASONS: [&str; 8] = [
    "passed",
    "incomplete",
    TOO_SHORT,
    "failed",
    "transcript_missing",
    "transcript_changed",
    "rubric_changed",
    "rejected_by_human",
];

/// Why a record (the last one of its id) may be trained on or not: one of the [`REASONS`].
///
/// `transcript_hash` gives the hash that the transcript of an id has today
/// ([`content_hash`](crate::pipeline::transcript::content_hash)), `None` when it is gone; it is asked
/// only for records that pass. `rubric_hash` is today's rubric's; `rejected_by_human` are ids.
pub fn reason(
    record: &Value,
    transcript_hash: impl FnOnce(&str) -> Result<Option<String>>,
    rubric_hash: &str,
    rejected_by_human: &HashSet<String>,
) -> Result<&'static str> {
    if let Some(reason) = verdict(record) {
        return Ok(reason);
    }
    let id = id(record)?;
    let of = |name: &str| record.get(name).and_then(Value::as_str);
    Ok(match transcript_hash(id)? {
        None => "transcript_missing",
        Some(today) if of("transcript_hash") != Some(&today) => "transcript_changed",
        Some(_) if of("rubric_hash") != Some(rubric_hash) => "rubric_changed",
        Some(_) if rejected_by_human.contains(id) => "rejected_by_human",
        Some(_) => REASONS[0],
    })
}

/// What the record itself says against it. Without `complete` and `pass` it does not pass.
fn verdict(record: &Value) -> Option<&'static str> {
    let is = |name: &str, flag: bool| record.get(name) == Some(&Value::Bool(flag));
    if !is("complete", true) {
        Some("incomplete")
    } else if record.get("status").and_then(Value::as_str) == Some(score::TOO_SHORT) {
        Some(TOO_SHORT)
    } else if !is("pass", true) || is("safety_gate_failed", true) {
        Some("failed")
    } else {
        None
    }
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
    fn each_record_has_one_reason() {
        let records = [
            ("passed", record("good")),
            ("incomplete", with("open", "complete", json!(false))),
            ("incomplete", with("open", "complete", Value::Null)),
            ("too_short", with("brief", "status", json!("TOO_SHORT"))),
            ("failed", with("bad", "pass", json!(false))),
            ("failed", with("gate", "safety_gate_failed", json!(true))),
            ("transcript_missing", record("gone")),
            ("transcript_changed", with("edited", "transcript_hash", json!("other"))),
            ("rubric_changed", with("old", "rubric_hash", json!("other"))),
            ("rejected_by_human", record("disliked")),
        ];
        let hash = |id: &str| Ok((id != "gone").then(|| "h".to_string()));
        for (expected, record) in &records {
            let found = reason(record, hash, "r", &HashSet::from(["disliked".to_string()])).unwrap();
            assert_eq!(found, *expected, "{record}");
            assert!(REASONS.contains(&found));
        }
    }

    #[test]
    fn errors_come_through() {
        let broken = |_: &str| Err(Error::new(Kind::Data, "cut off"));
        assert!(reason(&record("a"), broken, "r", &HashSet::new()).is_err());
        let nameless = with("a", "id", json!(3));
        assert!(reason(&nameless, |_| Ok(None), "r", &HashSet::new()).is_err());
    }
}
