//! What was asked: the request as it came, and what it says whatever the wire.

use std::time::Instant;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::reply::fit;
use crate::wires;

/// How a schema begins that is spelled out in the system text, since the server is not told it otherwise.
const ASKED_IN_WORDS: &str = "Answer with a JSON value that fits this JSON Schema";

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub struct Received {
    /// GET or POST.
    pub method: String,
    /// Without a query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Null when it is no JSON.
    pub body: Value,
    /// When it had come in full.
    pub at: Instant,
}

impl Received {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it came on the Responses wire.
    pub fn is_responses(&self) -> bool {
        self.path.ends_with("/responses")
    }

    /// The schema that it asks for: in its format, or spelled out in its prompt.
    pub fn schema(&self) -> Option<Value> {
        self.logical().schema
    }

    /// What it says, whatever the wire; of an unknown path, nothing.
    pub fn logical(&self) -> Logical {
        wires::of(&self.path).map(|wire| (wire.read)(self).settled()).unwrap_or_default()
    }
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `user` or `assistant`.
    pub role: String,
    /// Its text.
    pub content: String,
}

/// What is asked, whatever the wire.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logical {
    /// The system text, without a schema that is spelled out in it.
    pub system: String,
    /// The conversation; neighbours of one role are one message.
    pub messages: Vec<Message>,
    /// The schema, as this wire got it.
    pub schema: Option<Value>,
    /// The model's name.
    pub model: String,
    /// The most tokens that the reply may have.
    pub max_tokens: Option<u64>,
}

impl Logical {
    /// Adds a message; one of the system goes to the system text.
    pub(crate) fn add(&mut self, role: &str, content: &str) {
        let role = match role {
            "system" | "developer" => return join(&mut self.system, content),
            "model" => "assistant",
            other => other,
        };
        match self.messages.last_mut() {
            Some(last) if last.role == role => join(&mut last.content, content),
            _ => self.messages.push(Message { role: role.into(), content: content.into() }),
        }
    }

    /// Takes a schema that is spelled out in the system text out of it.
    fn settled(mut self) -> Logical {
        let Some(at) = self.system.find(ASKED_IN_WORDS) else { return self };
        let asked = self.system.split_off(at);
        self.system.truncate(self.system.trim_end().len());
        if self.schema.is_none() {
            self.schema = first_value(&asked);
        }
        self
    }

    /// SHA-256 of what is asked, the same on every wire: the schema counts by the value that fits it,
    /// since each provider gets another form of it.
    pub fn hash(&self) -> String {
        let fitted = self.schema.as_ref().map(fit);
        let messages = self.messages.iter().map(|m| json!({"role": m.role, "content": m.content}));
        let messages: Vec<Value> = messages.collect();
        let mut all = json!({"fit": fitted, "messages": messages, "system": self.system});
        all.sort_all_objects();
        hex(&Sha256::digest(all.to_string()))
    }

    /// Its texts, joined.
    pub fn text(&self) -> String {
        let texts = self.messages.iter().map(|message| message.content.as_str());
        std::iter::once(self.system.as_str()).chain(texts).collect::<Vec<_>>().join("\n")
    }
}

fn join(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(more);
}

/// The first JSON object of a text.
pub(crate) fn first_value(text: &str) -> Option<Value> {
    let text = &text[text.find('{')?..];
    serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(system: &str, schema: Option<Value>) -> Logical {
        let mut logical = Logical { system: system.into(), schema, ..Logical::default() };
        logical.add("user", "hi");
        logical.settled()
    }

    #[test]
    fn a_schema_in_words_is_a_schema() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let told = asked("be kind", Some(schema.clone()));
        let words = format!("be kind\n\n{ASKED_IN_WORDS}, and with nothing else:\n{schema}");
        let spelled = asked(&words, None);
        assert_eq!((spelled.system.as_str(), spelled.schema.as_ref()), ("be kind", Some(&schema)));
        assert_eq!(spelled.hash(), told.hash());
        assert_ne!(spelled.hash(), asked("be kind", None).hash());
        assert_eq!(asked(&words["be kind\n\n".len()..], None).system, "");
    }

    #[test]
    fn roles_have_one_name_and_neighbours_are_one() {
        let mut logical = Logical::default();
        for (role, text) in [("developer", "s"), ("user", "a"), ("user", "b"), ("model", "c")] {
            logical.add(role, text);
        }
        let roles: Vec<&str> = logical.messages.iter().map(|m| m.role.as_str()).collect();
        assert_eq!((logical.system.as_str(), roles), ("s", vec!["user", "assistant"]));
        assert_eq!(logical.messages[0].content, "a\n\nb");
    }
}
