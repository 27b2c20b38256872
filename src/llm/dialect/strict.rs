//! OpenAI's strict subset of JSON Schema: every property required, none beside them, optional ones may
//! be null; and how those nulls are taken out of a reply again.

use serde_json::{Map, Value, json};

use super::{BEYOND, Fate, Rules, close, is_object, is_required, is_silent};

/// Keywords that the subset lacks.
const LACKING: &[&str] =
    &["minLength", "maxLength", "uniqueItems", "minProperties", "maxProperties", "examples"];

/// The rules.
pub(super) struct Strict;

impl Rules for Strict {
    fn fate(&self, keyword: &str, _value: &Value) -> Fate {
        match keyword {
            _ if BEYOND.contains(&keyword) => Fate::Beyond,
            _ if LACKING.contains(&keyword) => Fate::Describe,
            _ => Fate::Keep,
        }
    }

    fn node(&self, from: &Map<String, Value>, to: &mut Map<String, Value>) -> Option<()> {
        if is_object(from) {
            let names = all_required(from, to.get_mut("properties")?.as_object_mut()?);
            close(from, to, names)?;
        }
        (!is_silent(to)).then_some(())
    }
}

/// The names of all properties; those that were optional may be null.
fn all_required(from: &Map<String, Value>, properties: &mut Map<String, Value>) -> Vec<Value> {
    for (name, node) in properties.iter_mut() {
        if !is_required(from, name) && !allows_null(&from["properties"][name]) {
            *node = or_null(node.take());
        }
    }
    properties.keys().map(|name| name.as_str().into()).collect()
}

fn allows_null(schema: &Value) -> bool {
    jsonschema::validator_for(schema).is_ok_and(|validator| validator.is_valid(&Value::Null))
}

fn or_null(schema: Value) -> Value {
    if schema.get("enum").is_none()
        && let Some(Value::String(name)) = schema.get("type")
    {
        let types = json!([name, "null"]);
        let mut schema = schema;
        schema["type"] = types;
        return schema;
    }
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// Takes out nulls under optional properties that the (inlined) schema does not allow to be null.
pub(in crate::llm) fn drop_nulls(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let (Some(map), Some(properties)) = (schema.as_object(), schema["properties"].as_object()) {
                object.retain(|name, value| {
                    let Some(property) = properties.get(name) else { return true };
                    drop_nulls(property, value);
                    !value.is_null() || is_required(map, name) || allows_null(property)
                });
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| drop_nulls(&schema["items"], item)),
        _ => return,
    }
    for key in ["anyOf", "oneOf"] {
        for branch in schema[key].as_array().into_iter().flatten() {
            drop_nulls(branch, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::*;

    fn strict(schema: Value) -> Option<Value> {
        Dialect::OpenAi.adapt(&schema)
    }

    #[test]
    fn optional_properties_become_nullable() {
        let schema = json!({"type": "object", "required": ["b"], "properties": {
            "b": {"type": "string", "minLength": 2}, "a": {"type": "integer"}, "e": {"enum": ["x"]}}});
        let expected = json!({"type": "object", "properties": {
            "b": {"type": "string", "description": "Must fit {\"minLength\":2}."}, "a": {"type": ["integer", "null"]},
            "e": {"anyOf": [{"enum": ["x"]}, {"type": "null"}]}},
            "required": ["b", "a", "e"], "additionalProperties": false});
        assert_eq!(strict(schema).unwrap().to_string(), expected.to_string());
    }

    #[test]
    fn what_the_subset_cannot_say_has_no_strict_form() {
        for property in [
            json!({"type": "object"}),
            json!({"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}),
            json!({"allOf": [{"type": "string"}]}),
            json!({}),
        ] {
            let schema = json!({"type": "object", "properties": {"x": property.clone()}});
            assert_eq!(strict(schema), None, "{property}");
        }
    }

    #[test]
    fn nulls_that_mean_something_stay() {
        let schema = json!({"type": "object", "required": ["r"], "properties": {
            "r": {"type": "string"}, "n": {"type": ["string", "null"]}, "o": {"type": "string"},
            "l": {"type": "array", "items": {"type": "object", "properties": {"o": {"type": "string"}}}}}});
        let mut value = json!({"r": null, "n": null, "o": null, "l": [{"o": null}], "other": null});
        drop_nulls(&schema, &mut value);
        assert_eq!(value, json!({"r": null, "n": null, "l": [{}], "other": null}));
    }
}
