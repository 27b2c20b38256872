//! OpenAI's strict subset of JSON Schema: how a schema is brought into it, and how what that adds to
//! a reply (null for an absent property) is taken out again.

use serde_json::{Map, Value, json};

/// Keywords that say nothing about the reply, or that the subset lacks though the reply can do
/// without: it is validated here against all of them.
const DROPPED: &[&str] = &[
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "default",
    "examples",
    "deprecated",
    "minLength",
    "maxLength",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// Keywords without which the schema would be another one.
const BEYOND: &[&str] = &[
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "prefixItems",
    "contains",
    "$dynamicRef",
    "$recursiveRef",
];

/// The deepest chain of references that is followed.
const DEEPEST: usize = 64;

/// The schema with its local references replaced by what they name; none when they go in circles,
/// or lead elsewhere.
pub(super) fn inline(schema: &Value) -> Option<Value> {
    inline_at(schema, schema, 0)
}

fn inline_at(node: &Value, root: &Value, depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    let deeper = |value: &Value| inline_at(value, root, depth + 1);
    match node {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                return deeper(root.pointer(reference.strip_prefix('#')?)?);
            }
            let kept = map.iter().filter(|(key, _)| !matches!(key.as_str(), "$defs" | "definitions"));
            kept.map(|(key, value)| Some((key.clone(), deeper(value)?)))
                .collect::<Option<Map<_, _>>>()
                .map(Value::Object)
        }
        Value::Array(items) => items.iter().map(deeper).collect::<Option<Vec<_>>>().map(Value::Array),
        other => Some(other.clone()),
    }
}

/// The strict form of an inlined schema, or none where the subset has no words for it.
pub(super) fn adapt(schema: &Value) -> Option<Value> {
    if schema["type"] != "object" {
        return None;
    }
    adapt_node(schema)
}

fn adapt_node(node: &Value) -> Option<Value> {
    let map = node.as_object()?;
    if BEYOND.iter().any(|key| map.contains_key(*key)) {
        return None;
    }
    let mut out = Map::new();
    for (key, value) in map.iter().filter(|(key, _)| !DROPPED.contains(&key.as_str())) {
        match key.as_str() {
            "const" => out.insert("enum".into(), json!([value])),
            "anyOf" | "oneOf" => out.insert("anyOf".into(), adapt_all(value)?),
            "items" => out.insert("items".into(), adapt_node(value)?),
            "properties" | "required" | "additionalProperties" => None,
            _ => out.insert(key.clone(), value.clone()),
        };
    }
    if is_object(map) {
        adapt_object(map, &mut out)?;
    }
    // A node that says nothing allows anything, which the subset cannot say.
    let silent = out.keys().all(|key| key == "description");
    (!silent).then_some(Value::Object(out))
}

fn adapt_all(branches: &Value) -> Option<Value> {
    branches.as_array()?.iter().map(adapt_node).collect::<Option<Vec<_>>>().map(Value::Array)
}

fn is_object(map: &Map<String, Value>) -> bool {
    let named = match map.get("type") {
        Some(Value::Array(types)) => types.iter().any(|name| name == "object"),
        other => other.is_some_and(|name| name == "object"),
    };
    named || map.contains_key("properties")
}

/// All properties required, none beside them; those that were optional may be null.
fn adapt_object(map: &Map<String, Value>, out: &mut Map<String, Value>) -> Option<()> {
    let properties = map.get("properties")?.as_object()?;
    if map.get("additionalProperties").is_some_and(|other| other != false && other != true) {
        return None;
    }
    let mut adapted = Map::new();
    for (name, schema) in properties {
        let strict = adapt_node(schema)?;
        let optional = !is_required(map, name) && !allows_null(schema);
        adapted.insert(name.clone(), if optional { or_null(strict) } else { strict });
    }
    let names: Vec<Value> = adapted.keys().map(|name| name.as_str().into()).collect();
    // The subset wants a type, also where `properties` alone would do.
    out.entry("type").or_insert_with(|| "object".into());
    out.insert("properties".into(), Value::Object(adapted));
    out.insert("required".into(), Value::Array(names));
    out.insert("additionalProperties".into(), false.into());
    Some(())
}

fn is_required(map: &Map<String, Value>, name: &str) -> bool {
    map.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|n| n == name))
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
pub(super) fn drop_nulls(schema: &Value, value: &mut Value) {
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
    use super::*;

    fn strict(schema: Value) -> Option<Value> {
        inline(&schema).as_ref().and_then(adapt)
    }

    #[test]
    fn optional_properties_become_nullable() {
        let schema = json!({"type": "object", "required": ["b"], "properties": {
            "b": {"type": "string", "minLength": 2}, "a": {"type": "integer"}, "e": {"enum": ["x"]}}});
        let expected = json!({"type": "object", "properties": {
            "b": {"type": "string"}, "a": {"type": ["integer", "null"]},
            "e": {"anyOf": [{"enum": ["x"]}, {"type": "null"}]}},
            "required": ["b", "a", "e"], "additionalProperties": false});
        assert_eq!(strict(schema).unwrap().to_string(), expected.to_string());
    }

    #[test]
    fn references_are_inlined_and_circles_are_not() {
        let schema = json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/T"}}, "required": ["x"],
            "$defs": {"T": {"type": "string"}}});
        assert_eq!(strict(schema).unwrap()["properties"]["x"], json!({"type": "string"}));
        let circle = json!({"type": "object", "properties": {"x": {"$ref": "#"}}});
        assert_eq!(strict(circle), None);
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
        assert_eq!(strict(json!({"type": "array", "items": {"type": "string"}})), None);
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
