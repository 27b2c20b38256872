//! A value that fits a schema: YES where that is a choice, text where a text is wanted. Properties keep the
//! schema's order.

use serde_json::{Map, Number, Value};

use super::prose;

/// Below this depth only what is required is given: schemas may go in circles.
const FULL_DEPTH: usize = 8;

/// Deeper than any schema that ends.
const DEEPEST: usize = 64;

/// So many elements at most, whatever the schema wants.
const MOST_ELEMENTS: u64 = 1000;

/// A value for a schema, its texts of so many tokens each.
pub(super) fn value(schema: &Value, text_tokens: u64) -> Value {
    Fit { root: schema, text_tokens }.node(schema, 0)
}

struct Fit<'a> {
    root: &'a Value,
    text_tokens: u64,
}

impl Fit<'_> {
    fn node(&self, schema: &Value, depth: usize) -> Value {
        if depth > DEEPEST {
            return Value::Null;
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|to| self.root.pointer(to.strip_prefix('#')?))
        {
            return self.node(target, depth + 1);
        }
        if let Some(value) = given(schema) {
            return value;
        }
        for list in ["anyOf", "oneOf"] {
            if let Some(branch) = first(&schema[list], |branch| kind(branch) != "null") {
                return self.with_branch(schema, list, branch, depth);
            }
        }
        match kind(schema) {
            "integer" => whole(schema),
            "number" => number(schema).into(),
            "boolean" => true.into(),
            "null" => Value::Null,
            "array" => self.array(schema, depth),
            "object" => self.object(schema, depth),
            _ => self.text(schema, depth).into(),
        }
    }

    /// What stands beside a choice holds for each of its branches.
    fn with_branch(&self, schema: &Value, list: &str, branch: &Value, depth: usize) -> Value {
        let mut merged = schema.as_object().cloned().unwrap_or_default();
        merged.remove(list);
        let target = branch["$ref"].as_str().and_then(|to| self.root.pointer(to.strip_prefix('#')?));
        for (key, value) in target.unwrap_or(branch).as_object().into_iter().flatten() {
            merge(&mut merged, key, value);
        }
        self.node(&merged.into(), depth + 1)
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let required =
            |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|r| r == name));
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if depth < FULL_DEPTH || required(name) {
                object.insert(name.clone(), self.node(property, depth + 1));
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            if let Value::Object(more) = self.node(part, depth + 1) {
                object.extend(more);
            }
        }
        let open = &schema["additionalProperties"];
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                object.insert(name.into(), self.node(open, depth + 1));
            }
        }
        object.into()
    }

    fn array(&self, schema: &Value, depth: usize) -> Value {
        let bound = |name: &str| schema[name].as_u64();
        let prefix = schema["prefixItems"].as_array().map_or(&[][..], Vec::as_slice);
        let usual = if depth < FULL_DEPTH { 1.max(prefix.len() as u64) } else { 0 };
        let count = usual.max(bound("minItems").unwrap_or(0)).min(bound("maxItems").unwrap_or(MOST_ELEMENTS));
        let element = |i: usize| self.node(prefix.get(i).unwrap_or(&schema["items"]), depth + 1);
        (0..count.min(MOST_ELEMENTS) as usize).map(element).collect()
    }

    fn text(&self, schema: &Value, seed: usize) -> String {
        if let Some(text) = schema["format"].as_str().and_then(of_format) {
            return text.into();
        }
        let bound = |name: &str| schema[name].as_u64().map(|n| n as usize);
        let mut text = prose::of(self.text_tokens, seed);
        while text.len() < bound("minLength").unwrap_or(0) {
            text.push_str(" and so on");
        }
        text.truncate(bound("maxLength").unwrap_or(text.len()));
        text
    }
}

/// The value that a schema names itself.
fn given(schema: &Value) -> Option<Value> {
    let choice = || {
        let yes = first(&schema["enum"], |value| value == "YES").filter(|value| *value == "YES");
        yes.or_else(|| first(&schema["enum"], |value| !value.is_null()))
    };
    let example = || schema["examples"].as_array()?.first();
    schema.get("const").or_else(choice).or_else(example).or_else(|| schema.get("default")).cloned()
}

/// The first that is wanted, else the first.
fn first(list: &Value, wanted: impl Fn(&Value) -> bool) -> Option<&Value> {
    let list = list.as_array()?;
    list.iter().find(|value| wanted(value)).or_else(|| list.first())
}

/// The type; of several the first that is not null; of none what the other keywords speak of.
fn kind(schema: &Value) -> &str {
    let named = match &schema["type"] {
        list @ Value::Array(_) => first(list, |name| name != "null"),
        other => Some(other),
    };
    let has = |keys: &[&str]| keys.iter().any(|key| schema.get(key).is_some());
    match named.and_then(Value::as_str) {
        Some(name) => name,
        None if has(&["properties", "required", "allOf"]) => "object",
        None if has(&["items", "prefixItems"]) => "array",
        None if has(&["minimum", "maximum", "multipleOf"]) => "number",
        None => "string",
    }
}

/// Properties and required names are added to those that are there; any other keyword replaces.
fn merge(into: &mut Map<String, Value>, key: &str, value: &Value) {
    match (into.get_mut(key), value) {
        (Some(Value::Object(old)), Value::Object(more)) if key == "properties" => old.extend(more.clone()),
        (Some(Value::Array(old)), Value::Array(more)) if key == "required" => old.extend(more.clone()),
        _ => drop(into.insert(key.into(), value.clone())),
    }
}

fn whole(schema: &Value) -> Value {
    Number::from(number(schema).ceil() as i64).into()
}

/// The least that is allowed, from 1 on.
fn number(schema: &Value) -> f64 {
    let bound = |name: &str| schema[name].as_f64();
    let step = bound("multipleOf").filter(|step| *step > 0.0).unwrap_or(0.0);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least + step.max(1.0)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most - step.max(1.0)));
    // Between two bounds that leave no whole step, the middle.
    let close = match (bound("exclusiveMinimum"), bound("exclusiveMaximum").or(most)) {
        (Some(least), Some(most)) if most - least <= 2.0 => Some((least + most) / 2.0),
        _ => None,
    };
    let chosen = close.or(least).unwrap_or_else(|| most.map_or(1.0, |most| most.min(1.0)));
    if step > 0.0 { (chosen / step).ceil() * step } else { chosen }
}

/// What validators accept where a format is asked for.
fn of_format(name: &str) -> Option<&'static str> {
    Some(match name {
        "date" => "2026-01-31",
        "time" => "12:00:00Z",
        "date-time" => "2026-01-31T12:00:00Z",
        "email" => "someone@example.org",
        "uri" | "url" => "https://example.org/",
        "uuid" => "00000000-0000-4000-8000-000000000000",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Schema;
    use serde_json::json;

    /// The value, which must fit.
    fn fitted(schema: Value) -> Value {
        let value = value(&schema, 3);
        Schema::new("s", schema).unwrap().validate(&value).unwrap_or_else(|why| panic!("{value}: {why}"));
        value
    }

    #[test]
    fn a_verdict_is_yes_with_its_reasoning_first() {
        let verdict = json!({"type": "object", "required": ["reasoning", "answer"], "additionalProperties": false,
            "properties": {"reasoning": {"type": "string"}, "answer": {"enum": ["NO", "YES", "NA"]}}});
        let value =
            fitted(json!({"type": "object", "properties": {"C2": verdict, "C1": {"$ref": "#/$defs/v"}},
            "$defs": {"v": verdict}}));
        let text = value.to_string();
        assert!(
            text.starts_with(r#"{"C2":{"reasoning":""#) && text.ends_with(r#""answer":"YES"}}"#),
            "{text}"
        );
    }

    #[test]
    fn bounds_are_kept() {
        for schema in [
            json!({"type": "integer", "minimum": 3}),
            json!({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}),
            json!({"type": "integer", "maximum": -7}),
            json!({"type": "integer", "minimum": 4, "multipleOf": 5}),
            json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
            json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
            json!({"type": "string", "minLength": 200}),
            json!({"type": "string", "maxLength": 5}),
            json!({"type": "array", "minItems": 4, "items": {"type": "boolean"}}),
            json!({"type": "array", "maxItems": 0}),
            json!({"type": "array", "prefixItems": [{"const": 1}, {"type": "null"}], "items": false, "minItems": 2}),
            json!({"type": ["null", "integer"]}),
            json!({"const": {"a": [1]}}),
            json!({"type": "object", "required": ["x"], "additionalProperties": {"type": "integer"}}),
            json!({}),
        ] {
            fitted(schema);
        }
    }

    #[test]
    fn choices_and_parts() {
        let branches = json!({"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 2}]});
        assert_eq!(fitted(branches), json!(2));
        let shared = json!({"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"],
            "oneOf": [{"properties": {"b": {"const": 2}}, "required": ["b"]}]});
        assert_eq!(fitted(shared), json!({"a": 1, "b": 2}));
        let parts = json!({"allOf": [{"properties": {"a": {"const": 1}}}, {"$ref": "#/$defs/b"}],
            "$defs": {"b": {"type": "object", "properties": {"b": {"type": "boolean"}}}}});
        assert_eq!(fitted(parts), json!({"a": 1, "b": true}));
    }

    #[test]
    fn circles_end() {
        let tree = json!({"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}}});
        assert!(fitted(tree)["children"][0]["children"].is_array());
    }
}
