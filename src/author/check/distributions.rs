//! Weights and probabilities, in YAML files and in maps that scripts write out.

use rhai::Expr;
use serde_yaml::Value;

use super::Finding;
use super::look::Look;
use super::options::literal_number;
use super::types::position_of;
use crate::base::yaml::Document;
use crate::base::{Error, Kind};
use crate::store::Project;

/// How far a sum may be from 1.
const TOLERANCE: f64 = 1e-6;

/// Keys whose value is from 0 to 1.
const SHARES: &[&str] = &["probability", "share", "flaw_free_share"];

/// The rubric and the configuration have checks of their own.
const OWN: &[&str] = &["config/rubric.yaml", "config/fthost.yaml"];

/// The faults of the project's other YAML files, and criteria that show no judge what is meant.
pub fn of_files(project: &Project) -> Vec<Finding> {
    let yaml = ["config/**/*.yaml", "config/**/*.yml"];
    let paths = yaml.iter().flat_map(|glob| project.list(glob).unwrap_or_default());
    let documents = paths.filter_map(|path| {
        Document::parse(&path, &project.read_text(&path).ok()?).ok().map(|doc| (path, doc))
    });
    documents
        .flat_map(|(path, document)| match path.as_str() {
            "config/rubric.yaml" => without_examples(&document),
            path if OWN.contains(&path) => Vec::new(),
            _ => {
                let mut found = Vec::new();
                walk(&document, "", document.value(), &mut found);
                found
            }
        })
        .collect()
}

fn without_examples(document: &Document) -> Vec<Finding> {
    let criteria = document.value().get("criteria").and_then(Value::as_sequence).into_iter().flatten();
    let empty =
        |value: Option<&Value>| value.and_then(Value::as_sequence).is_none_or(|examples| examples.is_empty());
    let finding = |(index, criterion): (usize, &Value)| {
        let id = criterion.get("id")?.as_str()?;
        let path = format!("criteria[{index}].id");
        let error = document.fault(&path, format!("criterion `{id}` has no calibration examples"));
        let hint = "judges agree more with examples: `examples: [{type: PASS, context: ..., response: ..., reasoning: ...}]`";
        empty(criterion.get("examples")).then(|| Finding::of("no-examples", error.hint(hint)))
    };
    criteria.enumerate().filter_map(finding).collect()
}

fn walk(document: &Document, path: &str, value: &Value, found: &mut Vec<Finding>) {
    match value {
        Value::Mapping(map) => {
            for (key, inner) in map {
                let Some(key) = key.as_str() else { continue };
                let at = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                share(document, &at, key, inner, found);
                walk(document, &at, inner, found);
            }
            weights_of_map(document, path, value, found);
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(document, &format!("{path}[{index}]"), item, found);
            }
            weights_of_list(document, path, items, found);
        }
        _ => {}
    }
}

fn share(document: &Document, path: &str, key: &str, value: &Value, found: &mut Vec<Finding>) {
    let Some(number) = value.as_f64() else {
        if key == "weight" && !value.is_null() && !value.is_mapping() && !value.is_sequence() {
            let error = document.fault(path, format!("the weight is no number: {}", shown(value)));
            found.push(Finding::of("weights", error.hint("write a number without quotes: 0.25")));
        }
        if SHARES.contains(&key) && value.is_string() {
            let error = document.fault(path, format!("`{key}` is no number: {}", shown(value)));
            found.push(Finding::of("probability", error.hint("30 percent is 0.3")));
        }
        return;
    };
    if SHARES.contains(&key) && !(0.0..=1.0).contains(&number) {
        let error = document.fault(path, format!("`{key}` is {number}, not from 0 to 1"));
        found.push(Finding::of("probability", error.hint("30 percent is 0.3")));
    }
    if key == "weight" && number < 0.0 {
        let error = document.fault(path, format!("the weight is {number}: it cannot be below 0"));
        found.push(Finding::of("negative-weight", error.hint("what should never be drawn has the weight 0")));
    }
}

fn shown(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default().trim().to_string()
}

fn weights_of_list(document: &Document, path: &str, items: &[Value], found: &mut Vec<Finding>) {
    let weights: Vec<Option<f64>> =
        items.iter().map(|item| item.get("weight").and_then(Value::as_f64)).collect();
    let known: Vec<f64> = weights.iter().copied().flatten().collect();
    if known.is_empty() {
        return;
    }
    if let Some(index) = items.iter().position(|item| item.get("weight").is_none()) {
        let at = format!("{path}[{index}]");
        let error = document.fault(&at, "this entry has no `weight`, and others of the list have one");
        found.push(Finding::of(
            "weights",
            error.hint("give it one: without it, nothing can be drawn from the list"),
        ));
    } else if known.len() == items.len() {
        sum(document, path, &known, found);
    }
}

/// A mapping of names to shares: its name says so.
fn weights_of_map(document: &Document, path: &str, value: &Value, found: &mut Vec<Finding>) {
    let name = path.rsplit('.').next().unwrap_or_default();
    let named = ["weights", "distribution", "shares", "probabilities", "flaws_per_persona"].contains(&name);
    let numbers = value
        .as_mapping()
        .filter(|_| named)
        .map(|map| map.values().map(Value::as_f64).collect::<Option<Vec<_>>>());
    let Some(Some(numbers)) = numbers else { return };
    if let Some(negative) = numbers.iter().find(|number| **number < 0.0) {
        let error = document.fault(path, format!("a weight is {negative}: it cannot be below 0"));
        found.push(Finding::of("negative-weight", error.hint("what should never be drawn has the weight 0")));
    }
    sum(document, path, &numbers, found);
}

fn sum(document: &Document, path: &str, weights: &[f64], found: &mut Vec<Finding>) {
    if let Some(error) = wrong_sum(weights) {
        let error = document.fault(path, error.0).hint(error.1);
        found.push(Finding::of("weights-sum", error));
    }
}

/// Whole numbers are proportions, such as 3 to 1; shares must sum to 1.
fn wrong_sum(weights: &[f64]) -> Option<(String, String)> {
    let total: f64 = weights.iter().sum();
    let proportions = weights.iter().all(|weight| weight.fract() == 0.0);
    let wrong = !weights.is_empty() && (total == 0.0 || !proportions && (total - 1.0).abs() > TOLERANCE);
    let shown = format!("{total:.6}").trim_end_matches('0').trim_end_matches('.').to_string();
    let terms: Vec<String> = weights.iter().map(f64::to_string).collect();
    wrong.then(|| (format!("the weights sum to {shown}, not to 1"), format!("they are {}", terms.join(", "))))
}

/// Maps that `weighted_choice` is given, lists that `weighted` is given, and chances.
pub fn of_script(look: &Look) -> Vec<Finding> {
    let calls = look.tree.nodes.iter().filter_map(|node| look.called(node));
    calls
        .filter(|called| !look.is_own(called.name(), called.is_method))
        .filter_map(|called| match (called.name(), called.argument(1), called.argument(0)) {
            ("weighted_choice", Some(Expr::Map(map, position)), _) => {
                weights(look, *position, map.0.iter().map(|(_, value)| value))
            }
            ("weighted", _, Some(Expr::Array(items, position))) => {
                weights(look, *position, items.iter().filter_map(weight_of))
            }
            ("chance", Some(value), _) => chance(look, value),
            _ => None,
        })
        .collect()
}

/// The `weight` of an entry that is written out.
fn weight_of(entry: &Expr) -> Option<&Expr> {
    let Expr::Map(map, _) = entry else { return None };
    map.0.iter().find(|(key, _)| key.name == "weight").map(|(_, value)| value)
}

fn weights<'e>(
    look: &Look,
    position: rhai::Position,
    values: impl Iterator<Item = &'e Expr> + Clone,
) -> Option<Finding> {
    let no_number = |value: &&Expr| look.type_of(value).is_some_and(|kind| !["int", "float"].contains(&kind));
    if let Some(value) = values.clone().find(no_number) {
        let error = Error::new(Kind::Script, "this weight is no number").hint("write a number: 0.25");
        return Some(look.finding("weights", position_of(value), error));
    }
    let numbers: Vec<f64> = values.clone().map(literal_number).collect::<Option<_>>()?;
    if let Some((value, number)) = values.zip(&numbers).find(|(_, number)| **number < 0.0) {
        let error = Error::new(Kind::Script, format!("the weight is {number}: it cannot be below 0"))
            .hint("what should never be drawn has the weight 0");
        return Some(look.finding("negative-weight", position_of(value), error));
    }
    let (message, hint) = wrong_sum(&numbers)?;
    Some(look.finding("weights-sum", position, Error::new(Kind::Script, message).hint(hint)))
}

fn chance(look: &Look, value: &Expr) -> Option<Finding> {
    let number = literal_number(value).filter(|number| !(0.0..=1.0).contains(number))?;
    let error = Error::new(Kind::Script, format!("a chance of {number} is not from 0 to 1"))
        .hint("30 percent is 0.3");
    Some(look.finding("probability", position_of(value), error))
}
