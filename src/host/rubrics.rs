//! Criteria, gates, schemas: `load_rubric`, `rubric`, `load_schema`, `schema`.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map, Module, NativeCallContext};
use serde_json::Value;

use crate::base::{Error, Kind, Place, Result};
use crate::llm::Schema;
use crate::pipeline::rubric::Rubric;
use crate::script::values::SchemaValue;
use crate::script::{Ctx, ScriptResult, values};
use crate::work::backends;

/// The namespace.
pub fn module() -> Module {
    let mut module = rhai::exported_module!(functions);
    module.set_custom_type::<Rubric>("Rubric");
    module.set_custom_type::<SchemaValue>("Schema");
    module
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// Reads a rubric (YAML). Its parts: `.criteria .ids .weights .gates .threshold .hash .min_turns .schema .categories`,
    /// `.without(ids)`, `.only(ids)`, `.applicable(turns)`.
    ///
    /// Errors: `config`, with the line, for weights that do not sum to 1, a criterion in two categories or in
    /// none, an empty category, an unknown gate, an unknown key.
    ///
    /// ```rhai
    /// load_rubric("config/rubric.yaml").threshold   // -> 0.8
    /// ```
    #[rhai_fn(return_raw)]
    pub fn load_rubric(context: NativeCallContext, path: &str) -> ScriptResult<Rubric> {
        let text = Ctx::of(&context)?.world.project.read_text(path)?;
        Ok(Rubric::parse(path, &text)?)
    }

    /// A rubric from a map of the shape of `config/rubric.yaml`.
    ///
    /// ```rhai
    /// let mine = rubric(#{threshold: 0.5, gates: [], categories: [#{name: "all", weight: 1.0, criteria: ["C1"]}],
    ///     criteria: [#{id: "C1", question: "Is it kind?"}]});
    /// mine.ids   // -> ["C1"]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rubric(map: Map) -> ScriptResult<Rubric> {
        Ok(Rubric::from_value(Value::Object(values::map_to_json(&map)?))?)
    }

    /// Reads a JSON schema; property order is that of the file.
    ///
    /// ```rhai
    /// write_text("data/schema.json", `{"type": "object", "properties": {"why": {"type": "string"}}}`);
    /// type_of(load_schema("data/schema.json"))   // -> "Schema"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn load_schema(context: NativeCallContext, path: &str) -> ScriptResult<SchemaValue> {
        let text = Ctx::of(&context)?.world.project.read_text(path)?;
        Ok(SchemaValue(super::parse_schema(path, &text)?))
    }

    /// A JSON schema from a map. Maps keep no order: properties come in that of `required`.
    ///
    /// ```rhai
    /// type_of(schema(#{type: "object", properties: #{a: #{type: "string"}}, required: ["a"]}))   // -> "Schema"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn schema(map: Map) -> ScriptResult<SchemaValue> {
        Ok(SchemaValue(super::schema_of_map(&map)?))
    }

    /// The rubric with fewer criteria to ask for: those of `ids` left out. Weights, gates and hash stay.
    ///
    /// ```rhai
    /// "C1" in load_rubric("config/rubric.yaml").without(["C1"]).ids   // -> false
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn without(rubric: &mut Rubric, ids: Array) -> ScriptResult<Rubric> {
        Ok(rubric.without(&super::texts(&ids)?)?)
    }

    /// The rubric with only the criteria of `ids` to ask for.
    ///
    /// ```rhai
    /// load_rubric("config/rubric.yaml").only(["C1"]).ids   // -> ["C1"]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn only(rubric: &mut Rubric, ids: Array) -> ScriptResult<Rubric> {
        Ok(rubric.only(&super::texts(&ids)?)?)
    }

    /// The rubric with only the criteria to ask for about a conversation of `turns` exchanges: those whose
    /// `min_turns` it reaches; none when it is too short for the rubric's own `min_turns`.
    ///
    /// ```rhai
    /// load_rubric("config/rubric.yaml").applicable(1).ids   // -> []
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn applicable(rubric: &mut Rubric, turns: i64) -> ScriptResult<Rubric> {
        Ok(rubric.applicable(super::count(turns)?))
    }

    /// The ids of the criteria to ask for, in the order of the file.
    #[rhai_fn(get = "ids", pure)]
    pub fn rubric_ids(rubric: &mut Rubric) -> Array {
        rubric.ids().into_iter().map(Into::into).collect()
    }

    /// The criteria to ask for: `#{id, name, question, na_valid, min_turns, guidance, examples}`.
    #[rhai_fn(get = "criteria", pure, return_raw)]
    pub fn rubric_criteria(rubric: &mut Rubric) -> ScriptResult<Dynamic> {
        Ok(values::from_serialize(&rubric.criteria().collect::<Vec<_>>())?)
    }

    /// The categories: `#{name, weight, criteria}`.
    #[rhai_fn(get = "categories", pure, return_raw)]
    pub fn rubric_categories(rubric: &mut Rubric) -> ScriptResult<Dynamic> {
        Ok(values::from_serialize(&rubric.categories())?)
    }

    /// The weight of each category, by its name.
    #[rhai_fn(get = "weights", pure)]
    pub fn rubric_weights(rubric: &mut Rubric) -> Map {
        rubric.weights().into_iter().map(|(name, weight)| (name.into(), weight.into())).collect()
    }

    /// The ids of the criteria of which one NO fails a transcript.
    #[rhai_fn(get = "gates", pure)]
    pub fn rubric_gates(rubric: &mut Rubric) -> Array {
        rubric.gates().iter().map(|id| id.clone().into()).collect()
    }

    /// The score from which a transcript passes.
    #[rhai_fn(get = "threshold", pure)]
    pub fn rubric_threshold(rubric: &mut Rubric) -> f64 {
        rubric.threshold()
    }

    /// How many exchanges a conversation needs to be judged: a shorter one is TOO_SHORT. 0: any number.
    #[rhai_fn(get = "min_turns", pure)]
    pub fn rubric_min_turns(rubric: &mut Rubric) -> i64 {
        i64::try_from(rubric.min_turns()).unwrap_or(i64::MAX)
    }

    /// What identifies the rubric: it changes with its content, not with comments, layout or names.
    #[rhai_fn(get = "hash", pure)]
    pub fn rubric_hash(rubric: &mut Rubric) -> String {
        rubric.hash().to_string()
    }

    /// The JSON schema of a judge's output: `#{C1: #{reasoning, answer}, ...}` for the criteria to ask for.
    #[rhai_fn(get = "schema", pure, return_raw)]
    pub fn rubric_schema(rubric: &mut Rubric) -> ScriptResult<SchemaValue> {
        Ok(SchemaValue(backends::schema(rubric.schema())?))
    }

    #[rhai_fn(name = "to_string", pure)]
    pub fn rubric_to_string(rubric: &mut Rubric) -> String {
        format!("Rubric({})", rubric.ids().join(", "))
    }

    #[rhai_fn(name = "to_string", pure)]
    pub fn schema_to_string(schema: &mut SchemaValue) -> String {
        schema.0.value().to_string()
    }
}

/// A schema of a script's map, its properties in the order of `required`.
pub fn schema_of_map(map: &Map) -> Result<Arc<Schema>> {
    let mut value = Value::Object(values::map_to_json(map)?);
    order_properties(&mut value);
    backends::schema(value)
}

fn order_properties(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(order_properties),
        Value::Object(map) => {
            map.values_mut().for_each(order_properties);
            let Some(Value::Array(required)) = map.get("required").cloned() else { return };
            let Some(Value::Object(properties)) = map.get_mut("properties") else { return };
            let mut ordered = serde_json::Map::new();
            for key in required.iter().filter_map(Value::as_str) {
                ordered.extend(properties.shift_remove_entry(key));
            }
            ordered.append(properties);
            *properties = ordered;
        }
        _ => {}
    }
}

fn parse_schema(path: &str, text: &str) -> Result<Arc<Schema>> {
    let value = serde_json::from_str(text).map_err(|e| {
        Error::new(Kind::Config, "the schema is not JSON").at(Place::new(path, text, e.line(), e.column()))
    })?;
    backends::schema(value)
}

/// A number of exchanges.
pub fn count(turns: i64) -> Result<usize> {
    usize::try_from(turns).map_err(|_| Error::new(Kind::Argument, format!("there are no {turns} turns")))
}

/// An array of strings.
pub fn texts(items: &Array) -> Result<Vec<String>> {
    let text = |item: &Dynamic| {
        let found = || {
            Error::new(Kind::Argument, format!("expected a string, not {} {item}", values::type_name(item)))
        };
        item.clone().into_string().map_err(|_| found())
    };
    items.iter().map(text).collect()
}
