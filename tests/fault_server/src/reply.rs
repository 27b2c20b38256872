//! The usual reply: what the server says when nothing is scripted. `tests/fake_claude.py` has the same
//! in Python; the tests of this crate hold the two together.

use serde_json::{Map, Value};

use crate::request::{Logical, first_value};

/// Schemas that go in circles are followed so far.
const DEEPEST: usize = 12;

/// A value that fits the schema, else a text that depends on what is asked alone.
pub(crate) fn usual_text(asked: &Logical) -> String {
    match &asked.schema {
        Some(schema) => fit(schema).to_string(),
        None => {
            let (count, hash) = (asked.messages.len(), asked.hash());
            format!("This answers a prompt of {count} messages, number {}.", &hash[..8])
        }
    }
}

/// The plainest value that fits a schema, the same for all forms that providers need of it: optional and
/// nullable properties are given, and keywords count also where they stand in the description.
pub fn fit(schema: &Value) -> Value {
    fit_at(schema, schema, 0)
}

fn fit_at(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    let again = |schema: &Value| fit_at(schema, root, depth + 1);
    if let Some(target) = schema["$ref"].as_str().and_then(|to| root.pointer(to.strip_prefix('#')?)) {
        return again(target);
    }
    let schema = &described(schema);
    if let Some(value) = schema.get("const").or_else(|| first(&schema["enum"], |value| !value.is_null())) {
        return value.clone();
    }
    for list in ["anyOf", "oneOf"] {
        if let Some(branch) = first(&schema[list], |branch| kind(branch) != "null") {
            return again(branch);
        }
    }
    match kind(schema).as_str() {
        "string" => "ok".into(),
        "integer" => (bounded(schema) as i64).into(),
        "number" => bounded(schema).into(),
        "boolean" => true.into(),
        "array" => fit_array(schema, again),
        "null" => Value::Null,
        _ => fit_object(schema, again),
    }
}

fn first(list: &Value, wanted: impl Fn(&Value) -> bool) -> Option<&Value> {
    let list = list.as_array()?;
    list.iter().find(|value| wanted(value)).or_else(|| list.first())
}

/// The type, in lower case; of several the first that is not null.
fn kind(schema: &Value) -> String {
    let named = match &schema["type"] {
        list @ Value::Array(_) => first(list, |name| name != "null"),
        other => Some(other),
    };
    named.and_then(Value::as_str).unwrap_or_default().to_lowercase()
}

fn bounded(schema: &Value) -> f64 {
    let bound = |name: &str| schema[name].as_f64();
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|number| number + 1.0));
    least.unwrap_or_else(|| bound("maximum").map_or(1.0, |most| most.min(1.0)))
}

/// The schema with the keywords that its description holds, for providers that take them nowhere else.
fn described(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let text = schema["description"].as_str().and_then(|text| text.split_once("Must fit {"));
    let more = text.and_then(|(_, rest)| first_value(&format!("{{{rest}")));
    if let (Some(Value::Object(more)), Some(map)) = (more, schema.as_object_mut()) {
        for (name, value) in more {
            map.entry(name).or_insert(value);
        }
    }
    schema
}

fn fit_array(schema: &Value, again: impl Fn(&Value) -> Value) -> Value {
    let count = schema["minItems"].as_f64().unwrap_or(1.0).clamp(1.0, 50.0) as usize;
    vec![again(&schema["items"]); count].into()
}

fn fit_object(schema: &Value, again: impl Fn(&Value) -> Value) -> Value {
    let mut object = Map::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        if let Value::Object(more) = again(part) {
            object.extend(more);
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        object.insert(name.clone(), again(schema));
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_forms_of_a_schema_fit_the_same_value() {
        let plain = json!({"type": "object", "required": ["answer"], "properties": {
            "answer": {"enum": ["YES", "NO"]}, "note": {"type": "string"}, "score": {"type": "integer", "minimum": 3}}});
        let strict = json!({"type": "object", "additionalProperties": false, "required": ["answer", "note", "score"],
            "properties": {"answer": {"enum": ["YES", "NO"]}, "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "score": {"type": ["null", "integer"], "description": "how good. Must fit {\"minimum\":3}."}}});
        let referring = json!({"$ref": "#/$defs/a", "$defs": {"a": plain, "n": {"type": "STRING"}}});
        for schema in [&plain, &strict, &referring] {
            assert_eq!(fit(schema), json!({"answer": "YES", "note": "ok", "score": 3}), "{schema}");
        }
    }

    #[test]
    fn circles_end() {
        let tree = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(fit(&tree)["next"]["next"].is_object());
    }

    #[test]
    fn arrays_and_numbers_keep_their_bounds() {
        let schema = json!({"type": "array", "minItems": 2, "items": {"type": "number", "maximum": 0.5}});
        assert_eq!(fit(&schema), json!([0.5, 0.5]));
        assert_eq!(fit(&json!({"type": "integer", "exclusiveMinimum": 4})), json!(5));
    }
}
