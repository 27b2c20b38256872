//! A transcript as it is read to be sliced, or to be held against its verdict: its text is parsed once, its
//! canonical text, by which it is known, is written once, and in that each message stands as JSON already.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::transcript::{SIDES, read};
use crate::base::json::{Entry, Json, write_list, write_object};
use crate::base::{Result, hash};

/// A conversation that borrows from its file's text.
#[derive(Debug)]
pub struct Talk<'a> {
    /// As [`Transcript::id`](super::transcript::Transcript::id).
    pub id: Cow<'a, str>,
    /// As [`Transcript::group`](super::transcript::Transcript::group) gives it.
    pub group: String,
    /// Whether no real model made it.
    pub offline: bool,
    /// What the user and the assistant said, in turn.
    pub exchanges: Vec<[Cow<'a, str>; 2]>,
    /// Where it stands in `canonical`, likewise.
    places: Vec<[Range<usize>; 2]>,
    canonical: String,
}

impl<'a> Talk<'a> {
    /// Reads the text of a transcript's file; `file` is its name in errors.
    pub fn parse(file: &str, text: &'a str) -> Result<Talk<'a>> {
        let mut entries = match read(file, text)? {
            Json::Object(entries) => entries,
            _ => Vec::new(),
        };
        let mut canonical = String::with_capacity(text.len());
        let places = write(&entries, &mut canonical);
        let offline = matches!(last(&entries, "offline"), Some(Json::Plain(Value::Bool(true))));
        let group = group(&entries);
        let id = last(&entries, "id").and_then(text_of).unwrap_or_default();
        let group = group.unwrap_or_else(|| id.to_string());
        let exchanges = exchanges(&mut entries);
        Ok(Talk { id, group, offline, exchanges, places, canonical })
    }

    /// Its [`content_hash`](super::transcript::content_hash).
    pub fn hash(&self) -> String {
        hash::sha256(&self.canonical)
    }

    /// The messages as JSON strings, in turn.
    pub fn quoted(&self) -> impl Iterator<Item = [&[u8]; 2]> {
        self.places.iter().map(|places| places.clone().map(|place| self.canonical[place].as_bytes()))
    }
}

/// Appends the canonical text; gives the places of user and assistant in each exchange.
fn write(entries: &[Entry], out: &mut String) -> Vec<[Range<usize>; 2]> {
    let mut places = Vec::new();
    write_object(entries, out, |(key, value), out| match value {
        Json::List(exchanges) if key == "exchanges" => {
            write_list(exchanges, out, |exchange, out| places.push(write_exchange(exchange, out)));
        }
        other => other.write_canonical(out),
    });
    places
}

fn write_exchange(exchange: &Json, out: &mut String) -> [Range<usize>; 2] {
    let mut places = [0..0, 0..0];
    let mut put = |side: Option<usize>, value: &Json, out: &mut String| {
        let begin = out.len();
        value.write_canonical(out);
        if let Some(side) = side {
            places[side] = begin..out.len();
        }
    };
    match exchange {
        Json::Object(entries) => write_object(entries, out, |(key, value), out| {
            put(SIDES.iter().position(|side| side == key), value, out);
        }),
        Json::List(pair) => {
            let mut sides = 0..;
            write_list(pair, out, |value, out| put(sides.next(), value, out));
        }
        other => other.write_canonical(out),
    }
    places
}

/// The texts of the exchanges, taken out.
fn exchanges<'a>(entries: &mut Vec<Entry<'a>>) -> Vec<[Cow<'a, str>; 2]> {
    let exchanges = entries.drain(..).find(|(key, _)| key == "exchanges");
    let Some((_, Json::List(exchanges))) = exchanges else { return Vec::new() };
    exchanges.into_iter().map(texts).collect()
}

fn texts(exchange: Json) -> [Cow<str>; 2] {
    let mut texts = [Cow::default(), Cow::default()];
    match exchange {
        Json::Object(entries) => {
            for (key, value) in entries {
                if let (Some(side), Json::Text(text)) = (SIDES.iter().position(|side| *side == key), value) {
                    texts[side] = text;
                }
            }
        }
        Json::List(pair) => {
            for (place, value) in texts.iter_mut().zip(pair) {
                *place = text_of(&value).unwrap_or_default();
            }
        }
        _ => {}
    }
    texts
}

/// The persona's id, if it has one that can be.
fn group(entries: &[Entry]) -> Option<String> {
    let Json::Object(persona) = last(entries, "persona")? else { return None };
    match last(persona, "id")? {
        Json::Text(id) => Some(id.to_string()),
        Json::Plain(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    }
}

/// The value of a key; of one that is there twice, the last one counts.
fn last<'j, 'a>(entries: &'j [Entry<'a>], key: &str) -> Option<&'j Json<'a>> {
    entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
}

fn text_of<'a>(value: &Json<'a>) -> Option<Cow<'a, str>> {
    if let Json::Text(text) = value { Some(text.clone()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::transcript::{Transcript, content_hash};

    const WHOLE: &str = r#"{"offline": true, "id": "t\u0031", "persona": {"name": "x", "id": 7}, "exchanges": [
        {"user": "Hi", "extra": {"b": 1, "a": 2}, "assistant": "A \"word\"\nfor you"},
        ["plain", "pa\u0069r ü"], {"assistant": "", "user": "\t"}], "z": 1.50, "persona": {"id": "p"}}"#;

    #[test]
    fn it_says_what_the_transcript_says() {
        let talk = Talk::parse("t.json", WHOLE).unwrap();
        let transcript = Transcript::parse("t.json", WHOLE).unwrap();
        assert_eq!((&*talk.id, &talk.group, talk.offline), ("t1", &transcript.group(), true));
        let pairs = transcript.exchanges.iter().map(|e| [e.user.as_str(), e.assistant.as_str()]);
        assert!(pairs.eq(talk.exchanges.iter().map(|pair| pair.each_ref().map(|text| &**text))));
        assert_eq!(talk.hash(), content_hash(&serde_json::from_str(WHOLE).unwrap()));
        for (texts, quoted) in talk.exchanges.iter().zip(talk.quoted()) {
            for (text, quoted) in texts.iter().zip(quoted) {
                assert_eq!(serde_json::to_vec(text).unwrap(), quoted);
            }
        }
        assert_eq!(talk.quoted().count(), 3);
    }

    #[test]
    fn the_group_falls_back_to_the_id() {
        for (persona, group) in [(r#"{"id": 7}"#, "7"), (r#"{"id": null}"#, "t"), ("3", "t"), ("null", "t")] {
            let text = format!(r#"{{"id": "t", "persona": {persona}, "exchanges": []}}"#);
            assert_eq!(Talk::parse("t.json", &text).unwrap().group, group);
        }
    }

    #[test]
    fn faults_have_places() {
        let error = Talk::parse("t.json", "{\"id\": \"t\",\n \"exchanges\": [7]}").unwrap_err();
        assert_eq!(error.place().unwrap().line, 2);
    }
}
