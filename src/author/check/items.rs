//! Arguments that may be anything for the engine, and not for the function: prompts, items, what is written.

use std::collections::BTreeSet;

use rhai::{Expr, Position};

use super::Finding;
use super::look::{Called, Look};
use super::tree::Node;
use super::types::{a, position_of};
use crate::base::{Error, Kind};

/// A function, the place of an argument (a method's object counts), the types that it may have, and what to write.
type Takes = (&'static str, usize, &'static [&'static str], &'static str);

const PROMPTS: &str = "a prompt is a string, or an array of #{role: \"user\", content: \"...\"}";
const ITEMS: &str = "items are an array, a range, or what `read_transcripts` and `stream_jsonl` give";

const TAKES: &[Takes] = &[
    ("complete", 1, &["string", "array"], PROMPTS),
    ("complete_structured", 1, &["string", "array"], PROMPTS),
    (
        "complete_structured",
        2,
        &["map", "Schema"],
        "a schema comes from `load_schema`, `rubric.schema`, or is a map",
    ),
    ("to_int", 0, &["int", "float", "char"], "of a text it is `parse_int(text)`"),
    ("to_float", 0, &["int", "float"], "of a text it is `parse_float(text)`"),
    ("process", 0, &["array", "range", "LazyItems", "StepRange", "range in steps"], ITEMS),
    ("parallel_map", 0, &["array", "range", "LazyItems", "StepRange", "range in steps"], ITEMS),
];

/// Functions that take a record, which has an id: the place among the arguments.
const RECORDS: &[(&str, usize)] = &[("write_transcript", 0), ("append_checkpoint", 1)];

/// Options without which a function does not work.
const REQUIRED: &[(&str, usize, &str)] =
    &[("slice_transcript", 2, "max_tokens"), ("slice_transcripts", 2, "max_tokens")];

/// Arguments that the function will refuse.
pub fn check(look: &Look) -> Vec<Finding> {
    let calls = look.tree.nodes.iter().filter_map(|node| Some((node, look.called(node)?)));
    let host = calls.filter(|(_, called)| !look.is_own(called.name(), called.is_method));
    host.flat_map(|(node, called)| of_call(look, node, &called)).collect()
}

fn of_call<'a>(look: &Look<'a>, node: &Node<'a>, called: &Called<'a>) -> Vec<Finding> {
    let takes = TAKES.iter().filter(|(name, ..)| *name == called.name());
    let mut findings: Vec<Finding> = takes.filter_map(|takes| wrong(look, node, called, takes)).collect();
    findings.extend(missing_option(look, called));
    let record = RECORDS.iter().find(|(name, _)| *name == called.name());
    if let Some(record @ Expr::Map(..)) = record.and_then(|(_, place)| called.argument(*place)) {
        findings.extend(ids(look, std::slice::from_ref(record)));
    }
    if let ("process", Some(Expr::Array(items, _))) = (called.name(), called.argument(0)) {
        findings.extend(ids(look, items));
    }
    findings
}

fn wrong<'a>(
    look: &Look<'a>,
    node: &Node<'a>,
    called: &Called<'a>,
    (name, place, types, hint): &Takes,
) -> Option<Finding> {
    let is_object = called.is_method && *place == 0;
    let argument = called.argument(*place);
    let kind = if is_object { look.object_type(node) } else { look.type_of(argument?) };
    let kind = kind.filter(|kind| !types.contains(kind))?;
    let (message, position) = match argument {
        Some(argument) if !is_object => {
            let number = place + 1 - usize::from(called.is_method);
            (format!("argument {number} of `{name}` cannot be {}", a(kind)), position_of(argument))
        }
        _ => (format!("{} has no method `{name}`", a(kind)), called.position),
    };
    Some(look.finding("wrong-type", position, Error::new(Kind::Script, message).hint(*hint)))
}

fn missing_option<'a>(look: &Look<'a>, called: &Called<'a>) -> Option<Finding> {
    let (name, place, option) = REQUIRED.iter().find(|(name, ..)| *name == called.name())?;
    let map = called.argument(*place)?;
    // What a variable begins as, it may get more of.
    let changed = look.tree.variable(map).is_some_and(|variable| !variable.changes.is_empty());
    let has = changed || look.entries(map)?.iter().any(|(key, _)| key.name == *option);
    let position = &position_of(map);
    let error = Error::new(Kind::Script, format!("`{name}` needs the option `{option}`"));
    let hint = format!("write `{option}: setting(\"{option}\", 16000)`");
    (!has).then(|| look.finding("missing-option", *position, error.hint(hint)))
}

/// Items that are written out: maps with a string `id` each, no two the same.
fn ids(look: &Look, items: &[Expr]) -> Vec<Finding> {
    let mut known = BTreeSet::new();
    let found = |position: Position, what: String| {
        let error = Error::new(Kind::Script, what)
            .hint("it is a map with a unique string `id`: #{id: \"persona_0001\", ...}");
        look.finding("wrong-items", position, error)
    };
    let one = |item: &Expr| {
        let Expr::Map(map, position) = item else {
            let kind = look.type_of(item).filter(|kind| *kind != "map")?;
            return Some(found(position_of(item), format!("an item cannot be {}", a(kind))));
        };
        let Some((_, id)) = map.0.iter().find(|(key, _)| key.name == "id") else {
            return Some(found(*position, "this has no `id`".into()));
        };
        match (id, look.type_of(id)) {
            (Expr::StringConstant(id, position), _) if !known.insert(id.to_string()) => {
                Some(found(*position, format!("two items have the id `{id}`")))
            }
            (_, Some("string") | None) => None,
            (id, Some(kind)) => Some(found(position_of(id), format!("an item's id cannot be {}", a(kind)))),
        }
    };
    items.iter().filter_map(one).collect()
}
