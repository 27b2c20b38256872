//! The shape of config/taxonomy.yaml and config/persona-template.yaml, where `std/personas` draws from them.

use std::collections::BTreeSet;

use serde_yaml::Value;

use super::Finding;
use super::constraints::singular;
use crate::base::suggest;
use crate::base::yaml::Document;
use crate::host::Session;

/// The module that reads them.
const READER: &str = "std/personas";

/// What nothing can be drawn without.
const NEEDED: &str = "topics";

/// What they look for at the top of each file; without most of it there are fewer dimensions.
const KEYS: &[(&str, &[&str])] = &[
    ("config/taxonomy.yaml", &["products", "topics", "edge_cases"]),
    (
        "config/persona-template.yaml",
        &["styles", "experience", "flaw_free_share", "flaws_per_persona", "flaws", "names"],
    ),
];

/// What `std/personas` would stumble over.
pub fn check(session: &Session) -> Vec<Finding> {
    if session.engine.library().unit(READER).is_none() {
        return Vec::new();
    }
    KEYS.iter().flat_map(|(path, keys)| of_file(session, path, keys)).collect()
}

fn of_file(session: &Session, path: &str, keys: &[&str]) -> Vec<Finding> {
    let text = session.world.project.read_text(path).ok();
    let Some(document) = text.and_then(|text| Document::parse(path, &text).ok()) else { return Vec::new() };
    let there: Vec<&str> = document
        .value()
        .as_mapping()
        .into_iter()
        .flat_map(|map| map.keys())
        .filter_map(Value::as_str)
        .collect();
    let absent = keys.iter().filter(|key| !there.contains(*key));
    let mut findings: Vec<Finding> = absent.filter_map(|key| missing(&document, key, &there, keys)).collect();
    findings.extend(LISTS.iter().filter_map(|key| not_a_list(&document, key)));
    findings.extend(products(&document));
    findings
}

/// A key that cannot be done without, or that stands there misspelled.
fn missing(document: &Document, key: &str, there: &[&str], keys: &[&str]) -> Option<Finding> {
    // `name` in place of `names` gives the same dimension.
    let is_same = |other: &&str| key != NEEDED && LISTS.contains(&key) && singular(other) == singular(key);
    if there.iter().any(is_same) {
        return None;
    }
    let others = there.iter().filter(|other| !keys.contains(other)).copied();
    let near = suggest::nearest(key, others);
    if near.is_none() && key != NEEDED {
        return None;
    }
    let error = document.fault(near.unwrap_or(""), format!("`{key}` is missing, which {READER} draws from"));
    let hint =
        near.map_or(format!("write `{key}: ...`, as `fthost init` does"), |near| format!("is it `{near}`?"));
    Some(Finding::of("taxonomy", error.hint(hint)))
}

/// What entries are drawn from.
const LISTS: &[&str] = &["topics", "styles", "experience", "flaws", "names"];

/// `names: Ada, Ben` is one text, of which letters would be drawn.
fn not_a_list(document: &Document, key: &str) -> Option<Finding> {
    let value = document.value().get(key).filter(|value| !value.is_sequence())?;
    let error = document.fault(key, format!("`{key}` is no list"));
    let hint = if value.is_string() {
        "write [Ada, Ben], or one entry a line, each behind `- `"
    } else {
        "write one entry a line, each behind `- `"
    };
    Some(Finding::of("taxonomy", error.hint(hint)))
}

/// Each situation is about products of a list that there is.
fn products(document: &Document) -> Vec<Finding> {
    let known: BTreeSet<&str> = document
        .value()
        .get("products")
        .and_then(Value::as_mapping)
        .into_iter()
        .flat_map(|map| map.keys())
        .filter_map(Value::as_str)
        .collect();
    let topics =
        document.value().get("topics").and_then(Value::as_sequence).into_iter().flatten().enumerate();
    let situations = topics.flat_map(|(topic, value)| {
        let all = value.get("situations").and_then(Value::as_sequence).into_iter().flatten().enumerate();
        all.map(move |(index, situation)| (format!("topics[{topic}].situations[{index}].product"), situation))
    });
    let wrong = situations.filter_map(|(path, situation)| {
        let product = situation.get("product")?.as_str().filter(|product| !known.contains(product))?;
        let error = document.fault(&path, format!("there is no list of products `{product}`"));
        Some(Finding::of("taxonomy", error.hint(suggest::hint(product, known.iter().copied()))))
    });
    if known.is_empty() { Vec::new() } else { wrong.collect() }
}
