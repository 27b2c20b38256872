//! Events as JSON: the shapes of `--json`.

use jiff::Zoned;
use serde_json::{Value, json};

use super::clock;
use crate::author::check::Finding;
use crate::base::events::{Event, ItemOutcome};
use crate::base::{Error, report};

/// One event, of this moment.
pub fn event(event: &Event, now: &Zoned) -> Value {
    match event {
        Event::Print(text) => json!({"event": "print", "text": text}),
        Event::Info(text) => json!({"event": "info", "message": text}),
        Event::Warning(text) => json!({"event": "warning", "message": text}),
        Event::Waiting { backend, reason, wait } => {
            let (seconds, until) = (wait.as_secs_f64(), clock::rfc3339(&clock::end_of(*wait, now)));
            json!({"event": "waiting", "backend": backend, "reason": reason, "seconds": seconds, "until": until})
        }
        Event::ProcessStarted { job, to_do } => {
            json!({"event": "process_started", "job": job, "to_do": to_do})
        }
        Event::ItemEnded { id, outcome, error } => {
            let error = error.as_ref().map(details);
            json!({"event": "item", "id": id, "outcome": outcome_name(*outcome), "error": error})
        }
        Event::ProcessEnded { job, summary } => json!({"event": "process", "job": job, "summary": summary}),
    }
}

/// An error or a warning that concerns the command.
pub fn error(event: &str, error: &Error) -> Value {
    let mut value = json!({"event": event});
    if let (Value::Object(value), Value::Object(mut details)) = (&mut value, details(error)) {
        value.append(&mut details);
    }
    value
}

/// A finding of `check`.
pub fn finding(finding: &Finding) -> Value {
    let severity = finding.severity.name();
    let mut value = json!({"event": "finding", "severity": severity, "code": finding.code});
    if let (Value::Object(value), Value::Object(mut details)) = (&mut value, details(&finding.error)) {
        value.append(&mut details);
        let end = finding.error.place().and_then(report::end_column);
        value.insert("end_column".into(), json!(end));
    }
    value
}

/// The name of an item's outcome.
pub fn outcome_name(outcome: ItemOutcome) -> &'static str {
    match outcome {
        ItemOutcome::Completed => "completed",
        ItemOutcome::Incomplete => "incomplete",
        ItemOutcome::Failed => "failed",
    }
}

/// What an error says.
pub fn details(error: &Error) -> Value {
    let place = error.place();
    json!({
        "kind": error.kind_name(),
        "message": error.message(),
        "file": place.map(|place| &place.file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "hint": error.get_hint(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_wait_says_how_long_and_until_when() {
        let now = "2026-11-24T14:03:15+01:00[Europe/Berlin]".parse().unwrap();
        let waiting = Event::Waiting {
            backend: "gpt".into(),
            reason: "rate limit (429)".into(),
            wait: Duration::from_millis(4500),
        };
        let expected = json!({"event": "waiting", "backend": "gpt", "reason": "rate limit (429)", "seconds": 4.5,
            "until": "2026-11-24T13:03:20Z"});
        assert_eq!(event(&waiting, &now), expected);
    }
}
