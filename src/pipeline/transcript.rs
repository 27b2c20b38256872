//! A transcript: one conversation of a user and an assistant, and what identifies its content.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::json::{Entry, Json};
use crate::base::{Error, Kind, Place, Result, hash};

/// The keys of an exchange, in the order of a pair.
pub(super) const SIDES: [&str; 2] = ["user", "assistant"];

/// What the user said and what the assistant answered. Deserialises from
/// `{"user": ..., "assistant": ...}` and from `["...", "..."]` alike; writes the former.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The user's message.
    pub user: String,
    /// The assistant's reply.
    pub assistant: String,
}

impl Exchange {
    /// An exchange of these two messages.
    pub fn new(user: impl Into<String>, assistant: impl Into<String>) -> Exchange {
        Exchange { user: user.into(), assistant: assistant.into() }
    }
}

/// A whole conversation: `{id, persona, exchanges: [{user, assistant}], ...}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// Unique within the project; never empty.
    pub id: String,
    /// Who the user simulator played; null when nobody in particular.
    #[serde(default)]
    pub persona: Value,
    /// The turns, oldest first.
    pub exchanges: Vec<Exchange>,
    /// Everything else that the script put there, in its order.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The part of a transcript that has a fixed shape: read on its own to find where a fault stands,
/// since serde knows no places in a flattened struct.
#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "id")]
    _id: String,
    #[serde(rename = "exchanges")]
    _exchanges: Vec<Exchange>,
}

impl Transcript {
    /// Reads the text of a transcript's file; `file` is its name in errors.
    pub fn parse(file: &str, text: &str) -> Result<Transcript> {
        let value = read(file, text)?.into_value();
        serde_json::from_value(value).map_err(|e| shape_fault(".", &e.to_string()))
    }

    /// Reads a transcript from a value: a fault names the path of what is wrong.
    pub fn from_value(value: &Value) -> Result<Transcript> {
        let placed = |error: serde_json::Error| match serde_path_to_error::deserialize::<_, Shape>(value) {
            Ok(_) => shape_fault(".", &error.to_string()),
            Err(found) => {
                let path = found.path().to_string();
                shape_fault(&path, &found.into_inner().to_string())
            }
        };
        let transcript = Transcript::deserialize(value).map_err(placed)?;
        match transcript.id.as_str() {
            "" => Err(shape_fault("id", "it is empty")),
            _ => Ok(transcript),
        }
    }

    /// What must not be on both sides of a training/validation split: the persona's `id` (a string or
    /// a number), else the transcript's own.
    pub fn group(&self) -> String {
        match self.persona.get("id") {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => self.id.clone(),
        }
    }
}

/// The content of a transcript's file, its shape checked; `file` is its name in errors.
pub fn read<'a>(file: &str, text: &'a str) -> Result<Json<'a>> {
    match Json::parse(text) {
        Ok(json) if has_shape(&json) => Ok(json),
        // Read again, at leisure, for what is wrong and where.
        _ => Err(fault_of(file, text)),
    }
}

fn has_shape(json: &Json) -> bool {
    let Json::Object(entries) = json else { return false };
    let id = |value: &Json| matches!(value, Json::Text(id) if !id.is_empty());
    let exchanges = |value: &Json| matches!(value, Json::List(items) if items.iter().all(is_exchange));
    only(entries, "id").is_some_and(id) && only(entries, "exchanges").is_some_and(exchanges)
}

fn is_exchange(json: &Json) -> bool {
    let is_text = |value: &Json| matches!(value, Json::Text(_));
    match json {
        Json::Object(entries) => SIDES.iter().all(|side| only(entries, side).is_some_and(is_text)),
        Json::List(pair) => pair.len() == 2 && pair.iter().all(is_text),
        _ => false,
    }
}

/// The value of a key that is there exactly once.
fn only<'j, 'a>(entries: &'j [Entry<'a>], key: &str) -> Option<&'j Json<'a>> {
    let mut found = entries.iter().filter(|(name, _)| name == key);
    found.next().filter(|_| found.next().is_none()).map(|(_, value)| value)
}

fn fault_of(file: &str, text: &str) -> Error {
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(error) => return json_fault(file, text, &error),
    };
    if let Err(error) = serde_json::from_str::<Shape>(text) {
        return json_fault(file, text, &error);
    }
    let fault = Transcript::from_value(&value).err().unwrap_or_else(|| shape_fault(".", "wrong shape"));
    fault.at(Place::new(file, text, 1, 1))
}

/// An unreadable or misshapen JSON text, at its line and column.
fn json_fault(file: &str, text: &str, error: &serde_json::Error) -> Error {
    use serde_json::error::Category;
    let place = Place::new(file, text, error.line().max(1), error.column());
    let full = error.to_string();
    let what = full.split(" at line ").next().unwrap_or(&full);
    let (message, hint) = match error.classify() {
        Category::Eof if text.trim().is_empty() => ("the file is empty".to_string(), CUT_OFF),
        Category::Eof => ("the file ends in the middle of the transcript".to_string(), CUT_OFF),
        Category::Data => (format!("not a transcript: {}", plain(what)), SHAPE),
        _ => (format!("not valid JSON: {what}"), "mend the file by hand, or delete it and generate it again"),
    };
    Error::new(Kind::Data, message).hint(hint).at(place)
}

fn shape_fault(path: &str, what: &str) -> Error {
    let at = if path == "." { String::new() } else { format!("`{path}`: ") };
    Error::new(Kind::Data, format!("not a transcript: {at}{}", plain(what))).hint(SHAPE)
}

/// Serde's complaint without Rust's names of types.
fn plain(complaint: &str) -> String {
    const WORDS: &[(&str, &str)] = &[
        ("invalid type: ", "wrong type: "),
        ("struct Shape", "a map with `id` and `exchanges`"),
        ("struct Exchange with 2 elements", "`user` and `assistant`"),
        ("struct Exchange", "a map with `user` and `assistant`"),
        ("a sequence", "a list"),
        ("missing field", "missing key"),
        ("duplicate field", "the key is there twice:"),
    ];
    WORDS.iter().fold(complaint.to_string(), |text, (from, to)| text.replace(from, to))
}

const CUT_OFF: &str = "it was cut off: delete the file and generate the transcript again";
const SHAPE: &str = "a transcript is {id, persona, exchanges: [{user, assistant}, ...]}";

/// What identifies a JSON value's content: the SHA-256, in hex, of its canonical text (compact, keys
/// sorted by code point at every level). Used for transcripts and rubrics: neither the order of keys
/// nor white space in a file changes it, any other edit does.
pub fn content_hash(value: &Value) -> String {
    hash::sha256(&hash::canonical(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const WHOLE: &str = r#"{"id": "t1", "persona": {"id": "p1"}, "exchanges": [{"user": "Hi", "assistant": "Hello"}],
        "model": "m"}"#;

    #[test]
    fn everything_survives_reading_and_writing() {
        let transcript = Transcript::parse("t1.json", WHOLE).unwrap();
        assert_eq!(transcript.exchanges, [Exchange::new("Hi", "Hello")]);
        assert_eq!(transcript.group(), "p1");
        let written = serde_json::to_value(&transcript).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(WHOLE).unwrap());
    }

    #[test]
    fn the_group_falls_back_to_the_transcript() {
        let transcript = Transcript::from_value(&json!({"id": "t", "exchanges": []})).unwrap();
        assert_eq!(transcript.group(), "t");
        assert_eq!(transcript.persona, Value::Null);
    }

    #[test]
    fn exchanges_may_be_pairs() {
        let value = json!({"id": "t", "exchanges": [["Hi", "Hello"]]});
        assert_eq!(Transcript::from_value(&value).unwrap().exchanges, [Exchange::new("Hi", "Hello")]);
    }

    #[test]
    fn a_file_cut_anywhere_says_so() {
        for end in 0..WHOLE.len() - 1 {
            let error = Transcript::parse("t1.json", &WHOLE[..end]).unwrap_err();
            assert_eq!(error.kind(), Kind::Data);
            assert_eq!(error.get_hint(), Some(CUT_OFF), "cut at {end}: {error}");
        }
    }

    #[test]
    fn faults_have_places_and_plain_words() {
        let error =
            Transcript::parse("t.json", "{\"id\": \"t\",\n \"exchanges\": [{\"user\": 1}]}").unwrap_err();
        assert_eq!(error.message(), "not a transcript: wrong type: integer `1`, expected a string");
        assert_eq!(error.place().unwrap().line, 2);
        let error = Transcript::parse("t.json", "{\"exchanges\": []}").unwrap_err();
        assert_eq!(error.message(), "not a transcript: missing key `id`");
        let error = Transcript::from_value(&json!({"id": "t", "exchanges": [{"user": "x"}]})).unwrap_err();
        assert_eq!(error.message(), "not a transcript: `exchanges[0]`: missing key `assistant`");
        let error = Transcript::parse("t.json", r#"{"id": "", "exchanges": []}"#).unwrap_err();
        assert_eq!(error.message(), "not a transcript: `id`: it is empty");
        let error = Transcript::from_value(&json!({"id": "", "exchanges": []})).unwrap_err();
        assert_eq!(error.message(), "not a transcript: `id`: it is empty");
    }

    #[test]
    fn what_stands_there_twice_or_by_threes_is_refused() {
        for (text, what) in [
            (r#"{"id": "t", "id": "u", "exchanges": []}"#, "the key is there twice: `id`"),
            (r#"{"id": "t", "exchanges": [], "exchanges": []}"#, "twice: `exchanges`"),
            (r#"{"id": "t", "exchanges": [{"user": "a", "assistant": "b", "user": "c"}]}"#, "twice: `user`"),
            (r#"{"id": "t", "exchanges": [["a", "b", "c"]]}"#, "not valid JSON"),
            (r#"{"id": "t", "exchanges": [["a"]]}"#, "expected `user` and `assistant`"),
            (r#"{"id": "t", "exchanges": ["a"]}"#, "expected a map with `user` and `assistant`"),
            (r#"["t", []]"#, "not a transcript"),
        ] {
            let error = Transcript::parse("t.json", text).unwrap_err();
            assert!(error.message().contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn the_hash_ignores_the_order_of_keys_only() {
        let hash = |text: &str| content_hash(&serde_json::from_str(text).unwrap());
        assert_eq!(hash(r#"{"a": 1, "b": {"c": [1, 2], "d": 0}}"#), hash(r#"{"b":{"d":0,"c":[1,2]},"a":1}"#));
        assert_ne!(hash(r#"{"a": [1, 2]}"#), hash(r#"{"a": [2, 1]}"#));
        // printf '{"a":"é","b":1}' | sha256sum
        assert_eq!(
            hash(r#"{"b": 1, "a": "é"}"#),
            "aa58fba8483623bed37c1b02edfccbdd9a53123837c20bfa4cb4049993a2872e"
        );
    }
}
