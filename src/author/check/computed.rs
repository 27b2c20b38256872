//! The criteria that code decides: those that `computed_ids` names, the rubric's, and those that `compute_criteria`
//! answers have to be the same, or every verdict stays incomplete.

use std::collections::BTreeSet;

use rhai::{Expr, Position};
use serde_yaml::Value;

use super::Finding;
use super::closures::last_expr;
use super::look::Look;
use super::tree::Body;
use super::types::a;
use crate::base::yaml::Document;
use crate::base::{Error, Kind, suggest};

const RUBRIC: &str = "config/rubric.yaml";

/// A criterion, and where it is named.
type Named<'a> = (&'a str, Position);

/// Where they are written out.
pub fn check(look: &Look) -> Vec<Finding> {
    let named = function(look, "computed_ids", 0);
    let answered = function(look, "compute_criteria", 1);
    let mut findings = Vec::new();
    findings.extend(named.and_then(|body| wrong_type(look, body, "computed_ids", "array")));
    findings.extend(answered.and_then(|body| wrong_type(look, body, "compute_criteria", "map")));
    let (Some(ids), Some(rubric)) = (named.and_then(texts), of_rubric(look)) else { return findings };
    findings.extend(ids.iter().filter_map(|id| not_in_rubric(look, *id, &rubric)));
    if let Some(answers) = answered.and_then(keys) {
        let unanswered = ids.iter().filter(|(id, _)| answers.iter().all(|(key, _)| key != id));
        findings.extend(unanswered.map(|id| has_no_answer(look, *id)));
        let unasked = answers.iter().filter(|(key, _)| ids.iter().all(|(id, _)| id != key));
        findings.extend(unasked.map(|key| is_not_computed(look, *key, &ids)));
    }
    findings
}

fn function<'a>(look: &'a Look, name: &str, parameters: usize) -> Option<&'a Body<'a>> {
    let named = |body: &&Body| {
        body.is_function() && body.def.is_some_and(|def| def.name == name && def.params.len() == parameters)
    };
    look.tree.bodies.iter().find(named)
}

fn wrong_type(look: &Look, body: &Body, name: &str, wanted: &str) -> Option<Finding> {
    let last = last_expr(body)?;
    let kind = look.type_of(last).filter(|kind| *kind != wanted)?;
    let error = Error::new(Kind::Script, format!("`{name}` gives {}, and not {}", a(kind), a(wanted)));
    let hint = match wanted {
        "array" => "the ids of the criteria that code decides: [\"C5\"]",
        _ => "an answer for each of them: #{C5: #{reasoning: \"...\", answer: \"YES\"}}",
    };
    Some(look.finding("computed-criteria", last.start_position(), error.hint(hint)))
}

/// The texts of an array that is written out as a function's value.
fn texts<'a>(body: &'a Body) -> Option<Vec<Named<'a>>> {
    let Expr::Array(items, _) = last_expr(body)? else { return None };
    let text = |item: &'a Expr| match item {
        Expr::StringConstant(text, position) => Some((text.as_str(), *position)),
        _ => None,
    };
    items.iter().map(text).collect()
}

/// The keys of a map that is written out as a function's value.
fn keys<'a>(body: &'a Body) -> Option<Vec<Named<'a>>> {
    let Expr::Map(map, _) = last_expr(body)? else { return None };
    Some(map.0.iter().map(|(key, _)| (key.name.as_str(), key.pos)).collect())
}

fn of_rubric(look: &Look) -> Option<BTreeSet<String>> {
    let text = look.session.world.project.read_text(RUBRIC).ok()?;
    let document = Document::parse(RUBRIC, &text).ok()?;
    let criteria = document.value().get("criteria").and_then(Value::as_sequence)?;
    let id = |criterion: &Value| criterion.get("id").and_then(Value::as_str).map(str::to_string);
    criteria.iter().map(id).collect()
}

fn not_in_rubric(look: &Look, (id, position): Named, rubric: &BTreeSet<String>) -> Option<Finding> {
    let error = (!rubric.contains(id))
        .then(|| Error::new(Kind::Script, format!("`{id}` is no criterion of {RUBRIC}")))?
        .hint(suggest::hint(id, rubric.iter().map(String::as_str)));
    Some(look.finding("computed-criteria", position, error))
}

fn has_no_answer(look: &Look, (id, position): Named) -> Finding {
    let error = Error::new(Kind::Script, format!("`compute_criteria` gives no answer to `{id}`"))
        .hint("judges are not asked about it, so every verdict would stay incomplete");
    look.finding("computed-criteria", position, error)
}

fn is_not_computed(look: &Look, (key, position): Named, ids: &[Named]) -> Finding {
    let known: Vec<&str> = ids.iter().map(|(id, _)| *id).collect();
    let error = Error::new(Kind::Script, format!("`computed_ids` does not name `{key}`"))
        .hint(format!("it names {}: judges are asked about the others", known.join(", ")));
    look.finding("computed-criteria", position, error)
}
