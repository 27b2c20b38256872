//! Anthropic's subset of JSON Schema: objects are closed, and bounds on numbers, texts and lists are
//! for the model to read.

use serde_json::{Map, Value};

use super::{BEYOND, Fate, Rules, close, is_object, is_silent};

/// The formats of texts that the server holds a reply to.
const FORMATS: &[&str] =
    &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// The rules.
pub(super) struct Anthropic;

impl Rules for Anthropic {
    fn fate(&self, keyword: &str, value: &Value) -> Fate {
        let taken = match keyword {
            "type" | "description" | "anyOf" => true,
            "enum" => value.as_array().is_some_and(|values| values.iter().all(is_scalar)),
            "format" => value.as_str().is_some_and(|format| FORMATS.contains(&format)),
            "minItems" => matches!(value.as_u64(), Some(0 | 1)),
            _ if BEYOND.contains(&keyword) => return Fate::Beyond,
            _ => false,
        };
        if taken { Fate::Keep } else { Fate::Describe }
    }

    fn node(&self, from: &Map<String, Value>, to: &mut Map<String, Value>) -> Option<()> {
        if is_object(from) {
            let required = from.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            close(from, to, required)?;
        }
        (!is_silent(to)).then_some(())
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Dialect;

    #[test]
    fn objects_are_closed_at_every_depth() {
        let inner = json!({"properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9}}});
        let schema = json!({"type": "object", "required": ["list"], "additionalProperties": true, "properties": {
            "list": {"type": "array", "minItems": 1, "maxItems": 3, "items": inner},
            "day": {"type": "string", "format": "date"}, "odd": {"type": "string", "format": "color"}}});
        let n = json!({"type": "integer", "description": "Must fit {\"minimum\":0,\"maximum\":9}."});
        let inner =
            json!({"properties": {"n": n}, "type": "object", "required": [], "additionalProperties": false});
        let expected = json!({"type": "object", "properties": {
            "list": {"type": "array", "minItems": 1, "items": inner, "description": "Must fit {\"maxItems\":3}."},
            "day": {"type": "string", "format": "date"},
            "odd": {"type": "string", "description": "Must fit {\"format\":\"color\"}."}},
            "required": ["list"], "additionalProperties": false});
        assert_eq!(Dialect::Anthropic.adapt(&schema).unwrap().to_string(), expected.to_string());
    }

    #[test]
    fn what_a_closed_object_cannot_say_is_left_to_the_prompt() {
        for property in [
            json!({"type": "object"}),
            json!({"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}),
            json!({"allOf": [{"type": "string"}]}),
            json!({}),
            json!(true),
        ] {
            let schema = json!({"type": "object", "properties": {"x": property.clone()}});
            assert_eq!(Dialect::Anthropic.adapt(&schema), None, "{property}");
        }
    }
}
