//! A transcript as it stands in the page, with all that was said about it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::base::{Kind, Result};
use crate::pipeline::human::mentions::mentions;
use crate::pipeline::transcript::{Exchange, Transcript};
use crate::report::data::{Data, Slice};
use crate::store::ids::transcript_path;
use crate::work::World;

/// The training lines of each transcript.
pub type Slices<'a> = BTreeMap<&'a str, Vec<&'a Slice>>;

/// The training lines by transcript.
pub fn slices(data: &Data) -> Slices<'_> {
    let mut by_id = Slices::new();
    data.manifest.iter().for_each(|slice| by_id.entry(slice.transcript.as_str()).or_default().push(slice));
    by_id
}

/// One that is gone has no exchanges, and still its verdict.
pub fn transcript(world: &World, data: &Data, slices: &Slices, id: &str) -> Result<Value> {
    let path = transcript_path(id);
    let read = world.project.read_text(&path).and_then(|text| Transcript::parse(&path, &text));
    let transcript = match read {
        Ok(transcript) => transcript,
        // What is damaged was noted when the figures were made.
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Data) => gone(id),
        Err(error) => return Err(error),
    };
    let verdicts = data.assessed.as_ref().filter(|_| data.verdicts.latest.contains_key(id));
    let record = verdicts.map(|verdicts| verdicts.record(id)).transpose()?.flatten().unwrap_or_default();
    let said: Vec<[&str; 2]> =
        transcript.exchanges.iter().map(|pair| [pair.user.as_str(), pair.assistant.as_str()]).collect();
    let slice = |slice: &&Slice| {
        let Slice { file, line, first, last, tokens, truncated, .. } = slice;
        json!({"file": file, "line": line, "first": first, "last": last, "tokens": tokens, "truncated": truncated})
    };
    let slices = slices.get(id).map(Vec::as_slice).unwrap_or_default();
    Ok(json!({
        "exchanges": said,
        "persona": if transcript.persona.is_object() { transcript.persona } else { json!({"persona": transcript.persona}) },
        "more": with_path(transcript.rest, path),
        "judged_at": record.get("judged_at"),
        "judges": judges(&record).map(|judge| verdict(judge, &said)).collect::<Vec<_>>(),
        "human": data.human.get(id),
        "slices": slices.iter().map(slice).collect::<Vec<_>>(),
    }))
}

fn gone(id: &str) -> Transcript {
    let said = Exchange::new("", "");
    Transcript { id: id.into(), persona: Value::Null, exchanges: vec![said; 0], rest: Map::new() }
}

fn with_path(mut rest: Map<String, Value>, path: String) -> Map<String, Value> {
    rest.insert("file".into(), path.into());
    rest
}

/// The verdicts of a jury, or the one that the record is.
fn judges(record: &Value) -> impl Iterator<Item = &Value> {
    let verdicts = record.get("verdicts").and_then(Value::as_array).filter(|verdicts| !verdicts.is_empty());
    let own = verdicts.is_none() && record.get("answers").is_some();
    verdicts.into_iter().flatten().chain(own.then_some(record))
}

fn verdict(judge: &Value, said: &[[&str; 2]]) -> Value {
    let answers = judge.get("answers").and_then(Value::as_object).into_iter().flatten();
    let answer = |(id, answer): (&String, &Value)| {
        let why =
            judge.get("reasonings").and_then(|map| map.get(id)).and_then(Value::as_str).unwrap_or_default();
        let mut turns: Vec<usize> = mentions(why, said).into_iter().map(|mention| mention.turn).collect();
        turns.sort_unstable();
        (id.clone(), json!({"answer": answer, "why": why, "at": turns}))
    };
    json!({
        "judge": judge.get("judge").and_then(Value::as_str).unwrap_or("judge"),
        "pass": judge.get("pass"),
        "score": judge.get("score"),
        "answers": answers.map(answer).collect::<Map<_, _>>(),
    })
}
