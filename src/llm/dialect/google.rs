//! Gemini's subset of JSON Schema. The server ignores keywords that it does not know, without a word,
//! so they must stand in the description; and it wants the order of the properties named.

use serde_json::{Map, Value};

use super::{Fate, Rules, is_object, walk};

/// The formats of texts that the server knows.
const FORMATS: &[&str] = &["date-time", "date", "time"];

/// The rules.
pub(super) struct Google;

impl Rules for Google {
    fn fate(&self, keyword: &str, value: &Value) -> Fate {
        let taken = match keyword {
            "type" | "description" | "anyOf" | "prefixItems" => true,
            "minimum" | "maximum" | "minItems" | "maxItems" => true,
            "enum" => value.as_array().is_some_and(|all| all.iter().all(|v| v.is_string() || v.is_number())),
            "format" => value.as_str().is_some_and(|format| FORMATS.contains(&format)),
            "$dynamicRef" | "$recursiveRef" => return Fate::Beyond,
            _ => false,
        };
        if taken { Fate::Keep } else { Fate::Describe }
    }

    fn node(&self, from: &Map<String, Value>, to: &mut Map<String, Value>) -> Option<()> {
        let texts = |all: &Value| all.as_array().is_some_and(|all| all.iter().all(Value::is_string));
        if to.get("enum").is_some_and(texts) {
            to.entry("type").or_insert_with(|| "string".into());
        }
        if is_object(from) {
            object(from, to)?;
        }
        Some(())
    }
}

fn object(from: &Map<String, Value>, to: &mut Map<String, Value>) -> Option<()> {
    to.entry("type").or_insert_with(|| "object".into());
    if let Some(Value::Object(properties)) = to.get("properties") {
        let order: Value = properties.keys().map(String::as_str).collect();
        to.insert("propertyOrdering".into(), order);
    }
    if let Some(required) = from.get("required") {
        to.insert("required".into(), required.clone());
    }
    match from.get("additionalProperties") {
        Some(Value::Bool(false)) => to.insert("additionalProperties".into(), false.into()),
        Some(node @ Value::Object(_)) => to.insert("additionalProperties".into(), walk(node, &Google)?),
        _ => None,
    };
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Dialect;

    #[test]
    fn nothing_is_left_for_the_server_to_ignore() {
        let schema = json!({"type": "object", "required": ["word"], "additionalProperties": {"type": "number"},
            "properties": {
                "word": {"type": "string", "pattern": "^a", "maxLength": 9},
                "few": {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 3, "uniqueItems": true},
                "flag": {"const": true},
                "either": {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
                "open": {"allOf": [{"minimum": 2}]}}});
        let expected = json!({"type": "object", "properties": {
            "word": {"type": "string", "description": "Must fit {\"pattern\":\"^a\",\"maxLength\":9}."},
            "few": {"type": "array", "items": {"enum": ["x", "y"], "type": "string"}, "maxItems": 3,
                "description": "Must fit {\"uniqueItems\":true}."},
            "flag": {"description": "Must fit {\"enum\":[true]}."},
            "either": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            "open": {"description": "Must fit {\"allOf\":[{\"minimum\":2}]}."}},
            "propertyOrdering": ["word", "few", "flag", "either", "open"],
            "required": ["word"], "additionalProperties": {"type": "number"}});
        assert_eq!(Dialect::Google.adapt(&schema).unwrap().to_string(), expected.to_string());
    }
}
