//! JSON Schemas of structured replies. A reply is always held to the caller's own schema here,
//! whatever the server promised.

use std::fmt;
use std::sync::OnceLock;

use serde_json::Value;

use super::dialect::{self, Dialect};
use super::{Outcome, unique};
use crate::base::{Error, Kind, Result, hash};

/// Faults of one reply that its error names.
const MOST_FAULTS: usize = 5;

/// The longest part of a fault's text that is repeated.
const LONGEST: usize = 300;

/// A schema, ready to validate.
pub struct Schema {
    name: String,
    value: Value,
    /// By which questions are told apart: made once, since each call asks for it.
    canonical: String,
    /// With local references replaced, unless they go in circles.
    inlined: Option<Value>,
    /// In each server's subset, made when first asked for.
    adapted: [OnceLock<Option<Value>>; Dialect::COUNT],
    validator: jsonschema::Validator,
}

impl Schema {
    /// Compiles a schema. The order of its properties is kept: a model answers in that order.
    pub fn new(name: &str, value: Value) -> Result<Schema> {
        let wrong = |why: String| {
            Error::new(Kind::Argument, format!("not a valid JSON Schema: {why}"))
                .hint("see https://json-schema.org; references to other documents are not followed")
        };
        if !value.is_object() {
            return Err(wrong("it must be a map".into()));
        }
        let validator =
            jsonschema::validator_for(&value).map_err(|error| wrong(shorten(&error.to_string())))?;
        let inlined = dialect::inline(&value);
        Ok(Schema {
            name: safe_name(name),
            canonical: hash::canonical(&value),
            value,
            inlined,
            adapted: Default::default(),
            validator,
        })
    }

    /// Its name, as servers take it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The schema as it was given.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The form for a server that takes only a subset of JSON Schema. None where that subset cannot
    /// say as much: references in circles, a root that is no object, open objects in a closed subset.
    pub fn adapted(&self, dialect: Dialect) -> Option<&Value> {
        let made = self.adapted[dialect as usize].get_or_init(|| dialect.adapt(self.inlined.as_ref()?));
        made.as_ref()
    }

    /// Its canonical text.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The length of its text.
    pub fn bytes(&self) -> usize {
        self.canonical.len()
    }

    /// Whether replies are objects.
    pub fn is_object(&self) -> bool {
        self.inlined.as_ref().unwrap_or(&self.value)["type"] == "object"
    }

    /// Holds a value to the schema; the error names the paths that do not fit.
    pub fn validate(&self, value: &Value) -> Result<(), String> {
        let faults: Vec<String> = self
            .validator
            .iter_errors(value)
            .take(MOST_FAULTS)
            .map(|fault| {
                let path = fault.instance_path().to_string();
                let at = if path.is_empty() { "at the top".into() } else { format!("at {path}") };
                format!("{at}: {}", shorten(&fault.to_string()))
            })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    }

    /// Reads a model's reply: JSON, maybe in a code fence, of this schema. Nulls that stand for
    /// absent optional properties are dropped.
    pub fn parse_and_validate(&self, text: &str) -> Result<Value, (Outcome, String)> {
        let mut value = unique::parse(unfence(text))
            .map_err(|error| (Outcome::InvalidJson, format!("the reply is not valid JSON: {error}")))?;
        if let Some(schema) = &self.inlined {
            dialect::drop_nulls(schema, &mut value);
        }
        match self.validate(&value) {
            Ok(()) => Ok(value),
            Err(why) => Err((Outcome::SchemaMismatch, format!("the reply does not fit the schema: {why}"))),
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({}, {})", self.name, self.value)
    }
}

/// The text without a Markdown code fence around all of it.
fn unfence(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let Some((language, inner)) = inner.and_then(|inner| inner.split_once('\n')) else { return text };
    if ["", "json"].contains(&language.trim().to_lowercase().as_str()) { inner } else { text }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.to_string(),
    }
}

/// `[A-Za-z0-9_-]{1,64}`, which is what servers take.
fn safe_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = name.chars().map(safe).take(64).collect();
    if name.is_empty() { "reply".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict() -> Schema {
        let answer = json!({"type": "object", "required": ["reasoning", "answer"], "properties": {
            "reasoning": {"type": "string"}, "answer": {"enum": ["YES", "NO"]}, "note": {"type": "string"}}});
        Schema::new("my rubric", json!({"type": "object", "properties": {"C1": answer}, "required": ["C1"]}))
            .unwrap()
    }

    #[test]
    fn a_mismatch_names_its_path() {
        let (outcome, why) =
            verdict().parse_and_validate(r#"{"C1": {"reasoning": "r", "answer": "MAYBE"}}"#).unwrap_err();
        assert_eq!(outcome, Outcome::SchemaMismatch);
        assert!(why.contains("at /C1/answer: \"MAYBE\" is not one of"), "{why}");
    }

    #[test]
    fn fences_are_tolerated_and_order_is_kept() {
        let text = "\n```json\n{\"C1\": {\"reasoning\": \"r\", \"answer\": \"YES\"}}\n```\n";
        let value = verdict().parse_and_validate(text).unwrap();
        assert_eq!(value.to_string(), r#"{"C1":{"reasoning":"r","answer":"YES"}}"#);
        assert_eq!(verdict().name(), "my_rubric");
    }

    #[test]
    fn duplicate_keys_prose_and_half_replies_are_refused() {
        for text in
            [r#"{"C1": {"reasoning": "r", "answer": "NO", "answer": "YES"}}"#, "Sure! {}", r#"{"C1": "#]
        {
            assert_eq!(verdict().parse_and_validate(text).unwrap_err().0, Outcome::InvalidJson, "{text}");
        }
    }

    #[test]
    fn nulls_of_absent_properties_are_dropped() {
        let text = r#"{"C1": {"reasoning": "r", "answer": "YES", "note": null}}"#;
        assert_eq!(verdict().parse_and_validate(text).unwrap()["C1"].get("note"), None);
    }

    #[test]
    fn a_wrong_schema_is_an_error() {
        assert_eq!(Schema::new("x", json!({"type": "objekt"})).unwrap_err().kind(), Kind::Argument);
        assert!(Schema::new("x", json!([1])).is_err());
    }
}
