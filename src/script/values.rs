//! Between a script's values and plain JSON values. What cannot be written down (a closure, a
//! backend, a generator) is refused with its path, never stored as a type name.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Array, Dynamic, ImmutableString, Map};
use serde_json::{Number, Value};

use crate::base::{Error, Kind, Result};
use crate::llm::Schema;
use crate::pipeline::template::{Var, var};

/// How deep values may nest: what is written deeper than 127 levels cannot be read again.
pub const DEEPEST: usize = 100;

/// A schema as scripts hold it. As JSON it keeps the order of its properties, which maps would lose.
#[derive(Clone)]
pub struct SchemaValue(pub Arc<Schema>);

/// A message of a prompt as scripts hold it: cheaper to make and to copy than a map, and a prompt has many.
#[derive(Clone)]
pub struct MessageValue {
    /// Who speaks.
    pub role: ImmutableString,
    /// What is said.
    pub content: ImmutableString,
}

/// A message as a map.
pub fn map_of(message: &MessageValue) -> Map {
    let MessageValue { role, content } = message.clone();
    Map::from([("role".into(), role.into()), ("content".into(), content.into())])
}

/// A script's value as JSON.
pub fn to_json(value: &Dynamic) -> Result<Value> {
    convert(value, "", 0)
}

/// A script's map as a JSON object (keys in sorted order: Rhai keeps no other).
pub fn map_to_json(map: &Map) -> Result<serde_json::Map<String, Value>> {
    object(map, "", 0)
}

/// A script's map as what a template may use, without the way through JSON.
pub fn map_to_vars(map: &Map) -> Result<Var> {
    match vars(map, 0) {
        Some(vars) => Ok(vars),
        // It knows what is wrong, and where.
        None => map_to_json(map).map(|json| var(&json)),
    }
}

fn vars(map: &Map, depth: usize) -> Option<Var> {
    let entry =
        |(key, value): (&rhai::Identifier, &Dynamic)| Some((key.to_string(), to_var(value, depth + 1)?));
    map.iter().map(entry).collect::<Option<BTreeMap<_, _>>>().map(Var::from)
}

/// None: it is not plain.
fn to_var(value: &Dynamic, depth: usize) -> Option<Var> {
    if depth > DEEPEST {
        return None;
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Some(text.as_str().into());
    }
    if let Ok(map) = value.as_map_ref() {
        return vars(&map, depth);
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(|item| to_var(item, depth + 1)).collect::<Option<Vec<_>>>().map(Var::from);
    }
    scalar(value)?.ok().map(|json| var(&json))
}

/// JSON as a script's value: `null` is `()`, integers beyond 64 bits become floats.
pub fn from_json(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => (*b).into(),
        Value::Number(n) => json_number(n),
        Value::String(s) => s.into(),
        Value::Array(items) => Dynamic::from_array(items.iter().map(from_json).collect()),
        Value::Object(map) => Dynamic::from_map(object_to_map(map)),
    }
}

/// JSON as it would come back from a script, without the way through it.
pub fn normal(mut value: Value) -> Result<Value> {
    settle(&mut value, 0)?;
    Ok(value)
}

fn settle(value: &mut Value, depth: usize) -> Result<()> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    match value {
        Value::Number(n) if n.as_i64().is_none() => *value = n.as_f64().into(),
        Value::Array(items) => items.iter_mut().try_for_each(|item| settle(item, depth + 1))?,
        Value::Object(map) => map.values_mut().try_for_each(|item| settle(item, depth + 1))?,
        _ => {}
    }
    Ok(())
}

fn too_deep() -> Error {
    Error::new(Kind::Argument, "a value is nested too deeply to be stored or sent")
        .hint(format!("maps and arrays nest at most {DEEPEST} deep"))
}

/// A JSON object as a script's map.
pub fn object_to_map(map: &serde_json::Map<String, Value>) -> Map {
    map.iter().map(|(key, value)| (key.as_str().into(), from_json(value))).collect()
}

/// Anything that serialises, as a script's value.
pub fn from_serialize(value: &impl serde::Serialize) -> Result<Dynamic> {
    let json = serde_json::to_value(value).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
    Ok(from_json(&json))
}

/// A number, whole or not.
pub fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or(value.as_int().ok().map(|n| n as f64))
}

/// The name of a value's type, as users know it.
pub fn type_name(value: &Dynamic) -> String {
    friendly_type(value.type_name())
}

/// A Rust or Rhai type name in the words of scripts.
pub fn friendly_type(name: &str) -> String {
    let short = name.rsplit("::").next().unwrap_or(name);
    match short {
        "i64" | "INT" => "int",
        "f64" | "FLOAT" => "float",
        "ImmutableString" | "String" | "&str" | "str" | "string" => "string",
        "Array" | "array" => "array",
        "Map" | "map" => "map",
        "ScriptError" => "Error",
        "FnPtr" | "Fn" => "closure",
        "Dynamic" | "?" => "any value",
        "()" => "()",
        range if range.starts_with("Range<") => "range",
        range if range.starts_with("StepRange<") => "range in steps",
        // Host types are named after what they hold: `SchemaValue` is a script's Schema.
        other => other.strip_suffix("Value").unwrap_or(other),
    }
    .to_string()
}

fn json_number(n: &Number) -> Dynamic {
    match n.as_i64() {
        Some(i) => i.into(),
        None => n.as_f64().unwrap_or(f64::NAN).into(),
    }
}

fn convert(value: &Dynamic, path: &str, depth: usize) -> Result<Value> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    if value.is_shared() {
        return convert(&value.flatten_clone(), path, depth);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::String(text.to_string()));
    }
    if let Ok(map) = value.as_map_ref() {
        return object(&map, path, depth).map(Value::Object);
    }
    if let Ok(items) = value.as_array_ref() {
        return array(&items, path, depth);
    }
    if let Some(schema) = value.read_lock::<SchemaValue>() {
        return Ok(schema.0.value().clone());
    }
    if let Some(message) = value.read_lock::<MessageValue>() {
        return object(&map_of(&message), path, depth).map(Value::Object);
    }
    scalar(value).unwrap_or_else(|| Err(refusal(value, path)))
}

fn scalar(value: &Dynamic) -> Option<Result<Value>> {
    if value.is_unit() {
        return Some(Ok(Value::Null));
    }
    if let Ok(b) = value.as_bool() {
        return Some(Ok(Value::Bool(b)));
    }
    if let Ok(i) = value.as_int() {
        return Some(Ok(i.into()));
    }
    if let Ok(c) = value.as_char() {
        return Some(Ok(Value::String(c.into())));
    }
    let f = value.as_float().ok()?;
    let unfit = || Error::new(Kind::Argument, format!("{f} cannot be written as JSON"));
    Some(Number::from_f64(f).map(Value::Number).ok_or_else(unfit))
}

fn array(items: &Array, path: &str, depth: usize) -> Result<Value> {
    let convert_at = |(i, item)| convert(item, &format!("{path}[{i}]"), depth + 1);
    items.iter().enumerate().map(convert_at).collect::<Result<_>>().map(Value::Array)
}

fn object(map: &Map, path: &str, depth: usize) -> Result<serde_json::Map<String, Value>> {
    let entry = |(key, value): (&rhai::Identifier, &Dynamic)| {
        let at = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        Ok((key.to_string(), convert(value, &at, depth + 1)?))
    };
    map.iter().map(entry).collect()
}

fn refusal(value: &Dynamic, path: &str) -> Error {
    let what = type_name(value);
    let at = if path.is_empty() { String::new() } else { format!(" (at `{path}`)") };
    Error::new(Kind::Argument, format!("a {what} cannot be stored or sent{at}"))
        .hint("use plain values here: strings, numbers, true/false, arrays, maps")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_survive_the_round_trip() {
        let json = serde_json::json!({"a": [1, 2.5, "x", null, true], "b": {"c": "ü"}, "n": -7});
        assert_eq!(to_json(&from_json(&json)).unwrap(), json);
        assert_eq!(normal(json.clone()).unwrap(), json);
    }

    #[test]
    fn what_is_normal_goes_through_a_script_unchanged() {
        let mut texts: Vec<String> =
            ["18446744073709551615", "-9223372036854775808", "-0", "1e300", "[1.0, {\"b\": [null]}]"]
                .map(str::to_string)
                .into();
        texts.extend([100, 101, 120].map(|deep| format!("{}{}", "[".repeat(deep), "]".repeat(deep))));
        for text in texts {
            let json: Value = serde_json::from_str(&text).unwrap();
            let through = to_json(&from_json(&json)).map_err(|e| e.to_string());
            assert_eq!(normal(json).map_err(|e| e.to_string()), through, "{text}");
        }
    }

    #[test]
    fn closures_and_nan_are_refused_with_their_path() {
        let mut map = Map::new();
        map.insert("f".into(), Dynamic::from(rhai::FnPtr::new("x").unwrap()));
        let error = to_json(&Dynamic::from_map(map)).unwrap_err();
        assert_eq!(error.message(), "a closure cannot be stored or sent (at `f`)");
        assert!(to_json(&f64::NAN.into()).is_err());
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let nested = |depth| (0..depth).fold(Dynamic::UNIT, |inner, _| Dynamic::from_array(vec![inner]));
        let text = to_json(&nested(DEEPEST)).unwrap().to_string();
        assert!(serde_json::from_str::<Value>(&text).is_ok());
        assert!(to_json(&nested(150)).unwrap_err().message().contains("nested too deeply"));
    }
}
