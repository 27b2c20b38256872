//! How a schema is brought into the subset of JSON Schema that a provider takes: one walk for all, and
//! each provider's rules in a file of their own. A reply is always held to the caller's own schema here,
//! so a rule may say less than the schema, never more.

mod anthropic;
mod google;
mod strict;

use serde_json::{Map, Value, json};

pub(super) use strict::drop_nulls;

/// The deepest chain of references that is followed.
const DEEPEST: usize = 64;

/// The largest schema that references may grow into: each level of them can double it.
const MOST_NODES: usize = 100_000;

/// Keywords that say nothing about the reply.
const NOISE: &[&str] = &[
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
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

/// Whose subset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's strict mode.
    OpenAi,
    /// Anthropic's structured outputs.
    Anthropic,
    /// Gemini's `responseJsonSchema`.
    Google,
}

impl Dialect {
    /// How many there are.
    pub(super) const COUNT: usize = 3;

    /// An inlined schema in this subset; none where it has no words for it. Servers take only objects
    /// at the root.
    pub(super) fn adapt(self, inlined: &Value) -> Option<Value> {
        let rules: &dyn Rules = match self {
            Dialect::OpenAi => &strict::Strict,
            Dialect::Anthropic => &anthropic::Anthropic,
            Dialect::Google => &google::Google,
        };
        if inlined["type"] == "object" { walk(inlined, rules) } else { None }
    }
}

/// What becomes of a keyword.
enum Fate {
    /// The server takes it as it is.
    Keep,
    /// The server lacks it: the model reads it in the description.
    Describe,
    /// Without it the schema would be another one.
    Beyond,
}

/// The rules of one subset.
trait Rules {
    /// What becomes of a keyword that the walk itself does not know.
    fn fate(&self, keyword: &str, value: &Value) -> Fate;

    /// What is left to say of a node whose keywords are adapted: `required` and
    /// `additionalProperties` are. None where the subset cannot say it.
    fn node(&self, from: &Map<String, Value>, to: &mut Map<String, Value>) -> Option<()>;
}

fn walk(node: &Value, rules: &dyn Rules) -> Option<Value> {
    let from = node.as_object()?;
    let mut to = Map::new();
    let mut described = Map::new();
    for (key, value) in from.iter().filter(|(key, _)| !NOISE.contains(&key.as_str())) {
        let (name, value) = plainer(key, value);
        match name {
            "anyOf" | "prefixItems" if !beyond(rules, name, &value) => {
                to.insert(name.into(), walk_all(&value, rules)?)
            }
            "items" => to.insert(name.into(), walk(&value, rules)?),
            "properties" => to.insert(name.into(), walk_properties(&value, rules)?),
            "required" | "additionalProperties" => None,
            _ => match rules.fate(name, &value) {
                Fate::Keep => to.insert(name.into(), value),
                Fate::Describe => described.insert(name.into(), value),
                Fate::Beyond => return None,
            },
        };
    }
    rules.node(from, &mut to)?;
    describe(&mut to, &described);
    Some(Value::Object(to))
}

/// The same in a keyword that all subsets know.
fn plainer<'a>(key: &'a str, value: &Value) -> (&'a str, Value) {
    match key {
        "const" => ("enum", json!([value])),
        "oneOf" => ("anyOf", value.clone()),
        _ => (key, value.clone()),
    }
}

fn beyond(rules: &dyn Rules, name: &str, value: &Value) -> bool {
    matches!(rules.fate(name, value), Fate::Beyond)
}

fn walk_all(nodes: &Value, rules: &dyn Rules) -> Option<Value> {
    nodes.as_array()?.iter().map(|node| walk(node, rules)).collect::<Option<Vec<_>>>().map(Value::Array)
}

/// In their order: a model answers in it.
fn walk_properties(properties: &Value, rules: &dyn Rules) -> Option<Value> {
    let each = properties.as_object()?.iter();
    each.map(|(name, node)| Some((name.clone(), walk(node, rules)?)))
        .collect::<Option<Map<_, _>>>()
        .map(Value::Object)
}

/// Adds to the description what the server does not hold the reply to.
fn describe(to: &mut Map<String, Value>, rest: &Map<String, Value>) {
    if rest.is_empty() {
        return;
    }
    let rest = format!("Must fit {}.", Value::Object(rest.clone()));
    let text = match to.get("description").and_then(Value::as_str) {
        Some(before) => format!("{before}\n{rest}"),
        None => rest,
    };
    to.insert("description".into(), text.into());
}

fn is_object(map: &Map<String, Value>) -> bool {
    let named = match map.get("type") {
        Some(Value::Array(types)) => types.iter().any(|name| name == "object"),
        other => other.is_some_and(|name| name == "object"),
    };
    named || map.contains_key("properties")
}

fn is_required(map: &Map<String, Value>, name: &str) -> bool {
    map.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|n| n == name))
}

/// Closes an object, for subsets whose objects have no properties but the named ones: none where the
/// schema names none, or allows others of a certain shape.
fn close(from: &Map<String, Value>, to: &mut Map<String, Value>, required: Vec<Value>) -> Option<()> {
    from.get("properties")?;
    if from.get("additionalProperties").is_some_and(Value::is_object) {
        return None;
    }
    // The subsets want a type, also where `properties` alone would do.
    to.entry("type").or_insert_with(|| "object".into());
    to.insert("required".into(), required.into());
    to.insert("additionalProperties".into(), false.into());
    Some(())
}

/// Whether a node says nothing, and so allows anything: closed subsets cannot say that.
fn is_silent(node: &Map<String, Value>) -> bool {
    node.keys().all(|key| key == "description")
}

/// The schema with its local references replaced by what they name; none when they go in circles,
/// lead elsewhere, or multiply beyond measure.
pub(super) fn inline(schema: &Value) -> Option<Value> {
    Inliner { root: schema, left: MOST_NODES }.node(schema, 0)
}

struct Inliner<'a> {
    root: &'a Value,
    left: usize,
}

impl Inliner<'_> {
    fn node(&mut self, node: &Value, depth: usize) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        if depth > DEEPEST {
            return None;
        }
        match node {
            Value::Object(map) => self.object(map, depth),
            Value::Array(items) => items.iter().map(|item| self.node(item, depth + 1)).collect(),
            other => Some(other.clone()),
        }
    }

    /// What stands beside a reference, such as a description, goes before what it names.
    fn object(&mut self, map: &Map<String, Value>, depth: usize) -> Option<Value> {
        let mut out = Map::new();
        if let Some(Value::String(reference)) = map.get("$ref") {
            let named = self.root.pointer(reference.strip_prefix('#')?)?;
            out = self.node(named, depth + 1)?.as_object()?.clone();
        }
        for (key, value) in map {
            let value = match (key.as_str(), value) {
                ("$ref" | "$defs" | "definitions", _) => continue,
                // The keys below are names of properties, whatever they look like.
                ("properties", Value::Object(properties)) => self.properties(properties, depth)?,
                _ => self.node(value, depth + 1)?,
            };
            out.insert(key.clone(), value);
        }
        Some(out.into())
    }

    fn properties(&mut self, properties: &Map<String, Value>, depth: usize) -> Option<Value> {
        let mut out = Map::new();
        for (name, node) in properties {
            out.insert(name.clone(), self.node(node, depth + 1)?);
        }
        Some(out.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Dialect; Dialect::COUNT] = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Google];

    #[test]
    fn references_are_inlined_and_circles_are_not() {
        let schema = json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/T"}}, "required": ["x"],
            "$defs": {"T": {"type": "string"}}});
        for dialect in ALL {
            let adapted = dialect.adapt(&inline(&schema).unwrap()).unwrap();
            assert_eq!(adapted["properties"]["x"], json!({"type": "string"}), "{dialect:?}");
            assert_eq!(adapted.get("$defs"), None);
        }
        assert_eq!(inline(&json!({"type": "object", "properties": {"x": {"$ref": "#"}}})), None);
    }

    #[test]
    fn references_keep_what_stands_beside_them_and_names_are_no_keywords() {
        let schema = json!({"properties": {"definitions": {"$ref": "#/$defs/T", "description": "d"}},
            "$defs": {"T": {"type": "string", "description": "t"}}});
        let expected = json!({"properties": {"definitions": {"type": "string", "description": "d"}}});
        assert_eq!(inline(&schema), Some(expected));
    }

    #[test]
    fn references_do_not_multiply_without_end() {
        let twice = |next: usize| json!({"properties": {"a": {"$ref": format!("#/$defs/{next}")}, "b": {"$ref": format!("#/$defs/{next}")}}});
        let mut defs: Map<String, Value> = (0..40).map(|n| (n.to_string(), twice(n + 1))).collect();
        defs.insert("40".into(), json!({"type": "string"}));
        assert_eq!(inline(&json!({"$ref": "#/$defs/0", "$defs": defs})), None);
    }

    #[test]
    fn properties_keep_their_order_everywhere() {
        let schema = json!({"type": "object", "required": ["answer", "reasoning"], "properties": {
            "reasoning": {"type": "string", "minLength": 1}, "answer": {"enum": ["YES", "NO"]}, "a": {"const": 1}}});
        for dialect in ALL {
            let adapted = dialect.adapt(&schema).unwrap();
            let names: Vec<&String> = adapted["properties"].as_object().unwrap().keys().collect();
            assert_eq!(names, ["reasoning", "answer", "a"], "{dialect:?}");
        }
    }

    #[test]
    fn what_a_server_lacks_is_told_to_the_model() {
        let schema = json!({"type": "object", "required": ["x"], "properties": {
            "x": {"type": "string", "description": "A name.", "minLength": 2, "default": "Bo"}}});
        for dialect in ALL {
            let x = &dialect.adapt(&schema).unwrap()["properties"]["x"];
            assert_eq!(x["description"], "A name.\nMust fit {\"minLength\":2}.", "{dialect:?}");
            assert_eq!((x.get("minLength"), x.get("default")), (None, None));
        }
    }

    #[test]
    fn only_objects_stand_at_the_root() {
        for dialect in ALL {
            assert_eq!(dialect.adapt(&json!({"type": "array", "items": {"type": "string"}})), None);
        }
    }
}
