//! The answers to each criterion, and the scores of each category, in the last verdicts.

use serde::Serialize;

use super::histogram::Histogram;
use crate::report::data::Data;
use crate::report::data::record::Record;

/// A criterion.
#[derive(Debug, Serialize)]
pub struct Criterion {
    /// Its id.
    pub id: String,
    /// What is asked; empty when today's rubric does not ask it.
    pub question: String,
    /// Whether it is a gate.
    pub is_gate: bool,
    /// Verdicts that say YES.
    pub yes: usize,
    /// Verdicts that say NO.
    pub no: usize,
    /// Verdicts that say that it does not apply.
    pub na: usize,
    /// Verdicts that have no answer to it.
    pub error: usize,
}

/// A category.
#[derive(Debug, Serialize)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// What it weighs; none when today's rubric does not know it.
    pub weight: Option<f64>,
    /// Its scores.
    pub scores: Histogram,
}

/// The last verdicts that judges gave.
fn records(data: &Data) -> impl Iterator<Item = &Record> {
    data.verdicts.latest.values().map(|latest| &latest.record).filter(|record| !record.is_too_short())
}

/// The criteria, in the order of the rubric; none before the first verdict.
pub fn criteria(data: &Data) -> Vec<Criterion> {
    let gates = data.rubric.as_ref().map(|rubric| rubric.gates()).unwrap_or_default();
    let criterion = |id: String| {
        let said = |word: &str| {
            let has = |record: &&Record| record.answers.get(&id).is_some_and(|said| said == word);
            records(data).filter(has).count()
        };
        let known = data.rubric.as_ref().and_then(|rubric| rubric.criterion(&id));
        Criterion {
            question: known.map(|criterion| criterion.question.clone()).unwrap_or_default(),
            is_gate: gates.contains(&id),
            yes: said("YES"),
            no: said("NO"),
            na: said("NA"),
            error: said("ERROR"),
            id,
        }
    };
    let ids = if records(data).next().is_none() { Vec::new() } else { data.criteria() };
    ids.into_iter().map(criterion).collect()
}

/// The categories, in the order of the rubric, then others.
pub fn categories(data: &Data) -> Vec<Category> {
    let weights = data.rubric.as_ref().map(|rubric| rubric.weights()).unwrap_or_default();
    let mut names: Vec<&String> = weights.iter().map(|(name, _)| name).collect();
    for record in records(data) {
        for name in record.category_scores.keys() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let category = |name: &String| {
        let scores = records(data).filter_map(|record| record.category_scores.get(name).copied());
        let weight = weights.iter().find(|(known, _)| known == name).map(|(_, weight)| *weight);
        Some(Category { name: name.clone(), weight, scores: Histogram::of_shares(scores)? })
    };
    names.into_iter().filter_map(category).collect()
}

/// The weighted scores of complete verdicts.
pub fn scores(data: &Data) -> Option<Histogram> {
    Histogram::of_shares(records(data).filter(|record| record.complete).filter_map(|record| record.score))
}
