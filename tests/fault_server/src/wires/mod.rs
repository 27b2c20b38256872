//! The wires: one file each, which knows the path, reads a request and writes replies and errors. A new
//! one is a file and a line in the table.

mod anthropic;
mod google;
mod ollama;
mod openai;
mod openai_chat;

use serde_json::Value;

use crate::request::{Logical, Received};

/// A provider's language.
pub(crate) struct Wire {
    /// How its paths end.
    pub suffix: &'static str,
    /// What a request says.
    pub read: fn(&Received) -> Logical,
    /// Why the real server would reject a request.
    pub problem: fn(&Received) -> Option<&'static str>,
    /// A reply of status 200.
    pub write: fn(&Reply) -> Value,
    /// The body of an error.
    pub error: fn(&Trouble) -> Value,
    /// Whether it has words for refusals and filters.
    pub refuses: bool,
}

const WIRES: &[&Wire] = &[&openai::WIRE, &openai_chat::WIRE, &google::WIRE, &anthropic::WIRE, &ollama::WIRE];

/// The wire of a path.
pub(crate) fn of(path: &str) -> Option<&'static Wire> {
    WIRES.iter().copied().find(|wire| path.ends_with(wire.suffix))
}

/// How a reply ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// By itself.
    Stop,
    /// With a refusal in words.
    Refusal,
    /// At the token limit.
    Length,
    /// Withheld.
    Filter,
}

/// A reply, before it is written on a wire.
pub(crate) struct Reply<'a> {
    pub id: String,
    pub model: &'a str,
    pub text: &'a str,
    pub end: End,
    pub thought: Option<&'a str>,
    pub input: u64,
    /// Of text and thought.
    pub output: u64,
    /// Of the thought.
    pub thinking: u64,
}

/// An error, before it is written on a wire.
pub(crate) struct Trouble<'a> {
    pub status: u16,
    pub message: &'a str,
    /// In seconds, for wires that name the wait in the body.
    pub wait: Option<f64>,
}

/// A content: a text, or parts of which some are text.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// The first of these that is an object.
fn object<'a>(places: impl IntoIterator<Item = &'a Value>) -> Option<Value> {
    places.into_iter().find(|value| value.is_object()).cloned()
}

/// The first of these that is a whole number.
fn number<'a>(places: impl IntoIterator<Item = &'a Value>) -> Option<u64> {
    places.into_iter().find_map(Value::as_u64)
}

fn name(model: &Value) -> String {
    model.as_str().unwrap_or_default().into()
}
