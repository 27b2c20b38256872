//! The pure part of a provider: how a request is written, and how an answer is read.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::classify::Remedy;
use super::failure::Failure;
use super::{Reply, Request, Schema};
use crate::base::config::{BackendConfig, Structured};
use crate::base::{Kind, Result};

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    /// Appended to the base URL.
    pub path: String,
    /// As JSON.
    pub body: Value,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole text.
    pub body: String,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// The body of a success as JSON.
    pub fn json(&self) -> Result<Value, Failure> {
        serde_json::from_str(&self.body).map_err(|error| {
            Failure::passing(Kind::Server, format!("the server's answer is not JSON: {error}"))
        })
    }
}

/// A provider's language, without any input or output of its own.
pub trait Wire: Send + Sync {
    /// Writes a request; fails when the wire has no words for it.
    fn encode(&self, request: &Request) -> Result<Post>;

    /// Reads an answer of any status.
    fn decode(&self, answer: &Answer, request: &Request) -> Result<Reply, Failure>;

    /// The header that carries the key: name (in lower case) and value.
    fn auth(&self, key: &str) -> (&'static str, String) {
        ("authorization", format!("Bearer {key}"))
    }
}

/// What a wire is made from.
#[derive(Clone)]
pub struct Setup {
    /// The backend's configuration.
    pub config: Arc<BackendConfig>,
    /// The variable that the key came from.
    pub key_env: Option<String>,
    /// Whether `base_url` is the kind's own.
    pub own_server: bool,
}

impl Setup {
    /// The model to ask for.
    pub fn model(&self) -> &str {
        self.config.model.as_deref().unwrap_or_default()
    }

    /// What errors may advise.
    pub(super) fn remedy(&self) -> Remedy<'_> {
        Remedy { key_env: self.key_env.as_deref(), model: self.model() }
    }

    /// How to ask for this schema: servers take only objects at the root.
    pub fn structured(&self, schema: &Schema) -> Structured {
        if schema.is_object() { self.config.structured } else { Structured::Prompt }
    }

    /// The body, with what the configuration adds.
    pub fn with_extra(&self, mut body: Value) -> Value {
        merge(&mut body, &self.config.extra_body);
        body
    }
}

/// Objects are merged at every depth; anything else is replaced.
fn merge(into: &mut Value, from: &Map<String, Value>) {
    let Value::Object(into) = into else { return };
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(old @ Value::Object(_)), Value::Object(new)) => merge(old, new),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The system text, with the schema where the server is not told it otherwise.
pub fn system_text(request: &Request, mode: Option<Structured>) -> Option<String> {
    let asked = match (&request.schema, mode) {
        (Some(schema), Some(Structured::JsonObject | Structured::Prompt)) => Some(format!(
            "Answer with a JSON value that fits this JSON Schema, and with nothing else:\n{}",
            schema.value()
        )),
        _ => None,
    };
    match (&request.system, asked) {
        (Some(system), Some(asked)) => Some(format!("{system}\n\n{asked}")),
        (system, asked) => system.clone().or(asked),
    }
}

/// The schema as OpenAI's two wires want it: strict where its subset allows, else as it is.
pub fn json_schema_format(schema: &Schema) -> Value {
    match schema.strict() {
        Some(strict) => json!({"name": schema.name(), "schema": strict, "strict": true}),
        None => json!({"name": schema.name(), "schema": schema.value(), "strict": false}),
    }
}

/// A number of the answer's usage.
pub fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_keys_are_merged_at_depth() {
        let mut body = json!({"model": "m", "options": {"a": 1, "b": 2}});
        let extra = json!({"options": {"b": 3}, "top_k": 4});
        merge(&mut body, extra.as_object().unwrap());
        assert_eq!(body, json!({"model": "m", "options": {"a": 1, "b": 3}, "top_k": 4}));
    }
}
