//! What the list of transcripts knows of each, so that it can be filtered and sorted without reading them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::facets::{Fields, facets};
use crate::pipeline::passing::TOO_SHORT;
use crate::report::data::Data;
use crate::report::data::verdicts::Latest;
use crate::report::figures::Figures;

/// The ids of all transcripts and verdicts, sorted.
pub fn ids(data: &Data) -> Vec<String> {
    let ids: BTreeSet<&String> = data.transcripts.seen.keys().chain(data.verdicts.latest.keys()).collect();
    ids.into_iter().cloned().collect()
}

/// How a transcript stands, in a word or two.
pub fn status(latest: Option<&Latest>) -> &'static str {
    match latest.map(|latest| latest.reason) {
        None => "not judged",
        Some("passed") => "passed",
        Some("failed") => "failed",
        Some("incomplete") => "incomplete",
        Some(TOO_SHORT) => "too short",
        Some("rejected_by_human") => "rejected",
        Some("transcript_missing") => "gone",
        Some(_) => "stale",
    }
}

/// The index.
pub fn index(data: &Data, figures: &Figures, ids: &[String]) -> Value {
    let facets = facets(data.transcripts.seen.values().map(|seen| &seen.fields));
    let names: Vec<&str> = facets.iter().map(|facet| facet.name.as_str()).collect();
    let criteria =
        figures.criteria.iter().map(|criterion| json!({"id": criterion.id, "question": criterion.question}));
    json!({
        "items": ids.iter().map(|id| item(data, id, &names)).collect::<Vec<_>>(),
        "criteria": criteria.collect::<Vec<_>>(),
        "facets": facets,
    })
}

fn item(data: &Data, id: &str, facets: &[&str]) -> Value {
    let latest = data.verdicts.latest.get(id);
    let record = latest.map(|latest| &latest.record);
    let seen = data.transcripts.seen.get(id);
    let fields = |fields: &Fields| {
        let shown = fields.iter().filter(|(name, _)| facets.contains(&name.as_str()));
        shown.map(|(name, values)| (name.clone(), json!(values))).collect::<serde_json::Map<_, _>>()
    };
    json!({
        "id": id,
        "status": status(latest),
        "score": record.and_then(|record| record.score),
        "turns": seen.map_or(0, |seen| seen.turns),
        "tokens": seen.map_or(0, |seen| seen.tokens),
        "failed": record.map(|record| record.failed_checks.as_slice()).unwrap_or_default(),
        "disputed": record.map(|record| record.disputed.as_slice()).unwrap_or_default(),
        "far": record.is_some_and(|record| record.disagreement),
        "spread": record.and_then(|record| record.spread).unwrap_or(0.0),
        "human": data.human.get(id).map(|review| review.verdict),
        "persona": seen.map(|seen| fields(&seen.fields)).unwrap_or_default(),
    })
}
