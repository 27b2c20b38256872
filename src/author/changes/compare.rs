//! Two states of a transcript or a verdict, and what tells them apart.

use serde_json::Value;

use crate::pipeline::score::TOO_SHORT;
use crate::pipeline::transcript::{Exchange, Transcript};

/// A transcript that is new or says something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptChange {
    /// Its id.
    pub id: String,
    /// How many turns it has now.
    pub turns: usize,
    /// The first words that differ; none of a new one.
    pub first: Option<Said>,
}

/// What was said at one place of a conversation, before and now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The turn; 1 is the first.
    pub turn: usize,
    /// `user` or `assistant`.
    pub who: &'static str,
    /// What was said before; none where the conversation had ended.
    pub before: Option<String>,
    /// What is said now.
    pub after: Option<String>,
}

/// What a transcript says otherwise than before, if anything.
pub fn transcript_change(before: Option<&Transcript>, after: &Transcript) -> Option<TranscriptChange> {
    let change = |first| TranscriptChange { id: after.id.clone(), turns: after.exchanges.len(), first };
    match before {
        None => Some(change(None)),
        Some(before) => first_difference(&before.exchanges, &after.exchanges).map(|said| change(Some(said))),
    }
}

fn first_difference(before: &[Exchange], after: &[Exchange]) -> Option<Said> {
    let turns = before.len().max(after.len());
    (0..turns).find_map(|i| {
        let (before, after) = (before.get(i), after.get(i));
        let said = |who, of: fn(&Exchange) -> &String| {
            let (before, after) = (before.map(of).cloned(), after.map(of).cloned());
            (before != after).then_some(Said { turn: i + 1, who, before, after })
        };
        said("user", |exchange| &exchange.user).or_else(|| said("assistant", |exchange| &exchange.assistant))
    })
}

/// What a verdict comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The transcript passes.
    Pass,
    /// It does not.
    Fail,
    /// Not every question was answered.
    Incomplete,
    /// The transcript is too short to be judged.
    TooShort,
}

impl Standing {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Pass => "pass",
            Standing::Fail => "fail",
            Standing::Incomplete => "incomplete",
            Standing::TooShort => "too short",
        }
    }

    /// Whether the transcript was judged to the end.
    fn is_judged(self) -> bool {
        matches!(self, Standing::Pass | Standing::Fail)
    }

    /// That of a record, if it is a verdict.
    pub fn of(record: &Value) -> Option<Standing> {
        let pass = record.get("pass")?.as_bool()?;
        if record.get("status").and_then(Value::as_str) == Some(TOO_SHORT) {
            return Some(Standing::TooShort);
        }
        record.get("answers")?.as_object()?;
        let complete = record.get("complete").and_then(Value::as_bool).unwrap_or(true);
        Some(match (complete, pass) {
            (false, _) => Standing::Incomplete,
            (true, true) => Standing::Pass,
            (true, false) => Standing::Fail,
        })
    }
}

/// How many of the transcripts that were judged pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// Those that pass.
    pub pass: usize,
    /// Those that were judged to the end.
    pub of: usize,
}

impl Rate {
    /// Counts one more.
    pub fn add(&mut self, standing: Standing) {
        self.of += usize::from(standing.is_judged());
        self.pass += usize::from(standing == Standing::Pass);
    }

    /// The same, before this verdict stood in place of an earlier one.
    pub fn undo(&mut self, before: Option<Standing>, after: Standing) {
        self.of = self.of.saturating_sub(usize::from(after.is_judged()));
        self.pass = self.pass.saturating_sub(usize::from(after == Standing::Pass));
        before.into_iter().for_each(|before| self.add(before));
    }
}

/// A verdict in place of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictChange {
    /// The transcript's id.
    pub id: String,
    /// What the earlier one came to.
    pub before: Standing,
    /// What this one comes to.
    pub after: Standing,
    /// The criteria that are answered otherwise.
    pub criteria: Vec<Criterion>,
}

/// A criterion that is answered otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// Its id.
    pub id: String,
    /// The earlier answer; `-` when there was none.
    pub before: String,
    /// The answer now.
    pub after: String,
}

/// What a verdict says otherwise than the one before it; none when one of them is no verdict.
pub fn verdict_change(id: &str, before: &Value, after: &Value) -> Option<VerdictChange> {
    let (earlier, now) = (Standing::of(before)?, Standing::of(after)?);
    // Where nothing was asked, all answers are others, which says nothing.
    let asked = ![earlier, now].contains(&Standing::TooShort);
    let criteria = if asked { criteria(before, after) } else { Vec::new() };
    Some(VerdictChange { id: id.into(), before: earlier, after: now, criteria })
}

fn criteria(before: &Value, after: &Value) -> Vec<Criterion> {
    let answers = |record: &'_ Value| record["answers"].as_object().cloned().unwrap_or_default();
    let (before, after) = (answers(before), answers(after));
    let gone = before.keys().filter(|id| !after.contains_key(*id));
    let word = |answer: Option<&Value>| answer.and_then(Value::as_str).unwrap_or("-").to_string();
    let ids = after.keys().chain(gone).filter(|id| before.get(*id) != after.get(*id));
    ids.map(|id| Criterion { id: id.clone(), before: word(before.get(id)), after: word(after.get(id)) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn transcript(exchanges: Value) -> Transcript {
        Transcript::from_value(&json!({"id": "a", "exchanges": exchanges})).unwrap()
    }

    fn change(before: Value, after: Value) -> Option<Said> {
        transcript_change(Some(&transcript(before)), &transcript(after)).map(|change| change.first.unwrap())
    }

    #[test]
    fn the_first_words_that_differ_count() {
        let said = change(json!([["a", "b"], ["c", "d"]]), json!([["a", "b"], ["c", "e"]])).unwrap();
        assert_eq!((said.turn, said.who), (2, "assistant"));
        assert_eq!((said.before.as_deref(), said.after.as_deref()), (Some("d"), Some("e")));
        let said = change(json!([["a", "b"]]), json!([["x", "y"]])).unwrap();
        assert_eq!((said.turn, said.who), (1, "user"));
        assert_eq!(change(json!([["a", "b"]]), json!([["a", "b"]])), None);
    }

    #[test]
    fn longer_and_shorter_conversations_differ_at_the_end_of_the_shorter() {
        let longer = change(json!([["a", "b"]]), json!([["a", "b"], ["c", "d"]])).unwrap();
        assert_eq!((longer.turn, longer.before, longer.after.as_deref()), (2, None, Some("c")));
        let shorter = change(json!([["a", "b"], ["c", "d"]]), json!([["a", "b"]])).unwrap();
        assert_eq!((shorter.turn, shorter.before.as_deref(), shorter.after), (2, Some("c"), None));
        let new = transcript_change(None, &transcript(json!([["a", "b"]]))).unwrap();
        assert_eq!((new.first, new.turns), (None, 1));
    }

    fn verdict(pass: bool, answers: Value) -> Value {
        json!({"id": "a", "pass": pass, "complete": true, "answers": answers})
    }

    #[test]
    fn verdicts_differ_by_what_they_come_to_and_by_criteria() {
        let before = verdict(true, json!({"C1": "YES", "C2": "YES", "C9": "NA"}));
        let after = verdict(false, json!({"C1": "YES", "C2": "NO", "C3": "YES"}));
        let change = verdict_change("a", &before, &after).unwrap();
        assert_eq!((change.before.name(), change.after.name()), ("pass", "fail"));
        let criteria: Vec<String> =
            change.criteria.iter().map(|c| format!("{} {} {}", c.id, c.before, c.after)).collect();
        assert_eq!(criteria, ["C2 YES NO", "C3 - YES", "C9 NA -"]);
        assert_eq!(verdict_change("a", &json!({"id": "a", "turns": 3}), &after), None);
        let short = json!({"id": "a", "status": "TOO_SHORT", "pass": false, "complete": true});
        let change = verdict_change("a", &before, &short).unwrap();
        assert_eq!((change.after.name(), change.criteria.len()), ("too short", 0));
    }

    #[test]
    fn rates_go_back() {
        let mut rate = Rate::default();
        [Standing::Pass, Standing::Fail, Standing::Incomplete].into_iter().for_each(|s| rate.add(s));
        assert_eq!(rate, Rate { pass: 1, of: 2 });
        rate.undo(Some(Standing::Fail), Standing::Pass);
        assert_eq!(rate, Rate { pass: 0, of: 2 });
        rate.undo(None, Standing::Fail);
        assert_eq!(rate, Rate { pass: 0, of: 1 });
        rate.undo(Some(Standing::Pass), Standing::TooShort);
        assert_eq!(rate, Rate { pass: 1, of: 2 });
        let unfinished = json!({"pass": false, "complete": false, "answers": {}});
        assert_eq!(Standing::of(&unfinished), Some(Standing::Incomplete));
    }
}
