//! Constraints between the dimensions of personas, where `std/taxonomy` and `std/personas` read them.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::Value;

use super::Finding;
use crate::base::Result;
use crate::base::yaml::Document;
use crate::pipeline::constraints::{Constraint, Fault, Known};
use crate::store::Project;

/// The files whose lists are dimensions.
const FILES: [&str; 2] = ["config/taxonomy.yaml", "config/persona-template.yaml"];

/// The key of the list.
const KEY: &str = "constraints";

/// Values by dimension.
type Dimensions = BTreeMap<String, BTreeSet<String>>;

/// What is wrong with the constraints of both files: each may be about the dimensions of the other.
pub fn of_files(project: &Project) -> Vec<Finding> {
    let texts = FILES.iter().filter_map(|path| Some((path, project.read_text(path).ok()?)));
    let documents: Result<Vec<Document>> = texts.map(|(path, text)| Document::parse(path, &text)).collect();
    // Of a file that cannot be read, the dimensions are not known.
    let Ok(documents) = documents else { return Vec::new() };
    let mut dimensions = Dimensions::new();
    documents.iter().for_each(|document| add_all(&mut dimensions, document.value()));
    let known = known(&dimensions);
    documents.iter().flat_map(|document| of_file(document, &known)).collect()
}

fn known(dimensions: &Dimensions) -> Known<'_> {
    dimensions
        .iter()
        .map(|(name, values)| (name.as_str(), values.iter().map(String::as_str).collect()))
        .collect()
}

fn of_file(document: &Document, known: &Known) -> Vec<Finding> {
    let Some(value) = document.value().get(KEY).filter(|value| !value.is_null()) else { return Vec::new() };
    let Some(list) = value.as_sequence() else {
        let error =
            document.fault(KEY, "`constraints` is no list").hint("write one a line, each behind `- `");
        return vec![Finding::of("constraint", error)];
    };
    let of_constraint = |(index, value): (usize, &Value)| {
        let json = serde_json::to_value(value).unwrap_or_default();
        let faults = Constraint::parse(&json).map_or_else(|fault| vec![fault], |parsed| parsed.faults(known));
        let finding = move |fault: Fault| {
            let at = [format!("{KEY}[{index}]"), fault.path].join(".");
            let error = document.fault(at.trim_end_matches('.'), fault.message);
            Finding::of("constraint", error.hint(fault.hint))
        };
        faults.into_iter().map(finding).collect::<Vec<_>>()
    };
    list.iter().enumerate().flat_map(of_constraint).collect()
}

/// The dimensions of a file, as the shipped modules make them of its lists.
fn add_all(dimensions: &mut Dimensions, file: &Value) {
    for (key, value) in file.as_mapping().into_iter().flatten() {
        match (key.as_str(), value) {
            (Some(key), Value::Sequence(topics)) if singular(key) == "topic" => {
                add(dimensions, "topic", topics);
                topics.iter().for_each(|topic| add_lists(dimensions, topic));
            }
            (Some("products"), Value::Mapping(lists)) => {
                let lists = lists.values().filter_map(Value::as_sequence);
                lists.for_each(|list| add(dimensions, "product", list));
            }
            (Some("edge_cases"), cases) => {
                let cases = cases.get("cases").and_then(Value::as_sequence).into_iter().flatten();
                let all: Vec<Value> = cases.cloned().chain([Value::from("none")]).collect();
                add(dimensions, "edge_case", &all);
            }
            (Some("flaws"), Value::Sequence(flaws)) => add(dimensions, "flaws", flaws),
            (Some("flaws_per_persona"), Value::Mapping(numbers)) => {
                let numbers: Vec<Value> = numbers.keys().cloned().chain([Value::from("0")]).collect();
                add(dimensions, "flaws_count", &numbers);
            }
            (Some(key), Value::Sequence(list)) if key != KEY => add(dimensions, &singular(key), list),
            _ => {}
        }
    }
}

/// The lists within a topic.
fn add_lists(dimensions: &mut Dimensions, topic: &Value) {
    for (key, value) in topic.as_mapping().into_iter().flatten() {
        if let (Some(key), Some(list)) = (key.as_str(), value.as_sequence()) {
            add(dimensions, &singular(key), list);
        }
    }
}

fn add(dimensions: &mut Dimensions, name: &str, list: &[Value]) {
    let ids = list.iter().filter_map(|entry| match entry.get("id").unwrap_or(entry) {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        Value::Bool(id) => Some(id.to_string()),
        _ => None,
    });
    dimensions.entry(name.into()).or_default().extend(ids);
}

/// As `singular` of stdlib/taxonomy.rhai.
pub(super) fn singular(list: &str) -> String {
    if let Some(stem) = list.strip_suffix("ies") {
        return format!("{stem}y");
    }
    let keeps = ["ss", "us", "is"].iter().any(|end| list.ends_with(end));
    list.strip_suffix('s').filter(|_| !keeps).unwrap_or(list).to_string()
}
