//! By which fields of their personas transcripts can be filtered: those with a few short values.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::base::json::Json;

/// The values of a persona's short fields, by name.
pub type Fields = BTreeMap<String, Vec<String>>;

/// A field has so many different values at most.
const VALUES: usize = 30;
/// A value is so many bytes long at most.
const LONG: usize = 28;
/// So many fields are offered.
const FACETS: usize = 12;

/// A field that can be filtered by.
#[derive(Debug, PartialEq, Serialize)]
pub struct Facet {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Vec<String>,
}

/// The fields of a transcript's persona.
pub fn fields(transcript: &Json) -> Fields {
    let Json::Object(entries) = &transcript["persona"] else { return Fields::new() };
    let field = |(name, value): &(std::borrow::Cow<str>, Json)| {
        let values = values(value);
        (!values.is_empty()).then(|| (name.to_string(), values))
    };
    entries.iter().filter_map(field).collect()
}

/// A text, a flag, or the ids of what a list holds.
fn values(value: &Json) -> Vec<String> {
    match value {
        Json::Text(text) if !text.is_empty() && text.len() <= LONG => vec![text.to_string()],
        Json::Plain(serde_json::Value::Bool(flag)) => vec![flag.to_string()],
        Json::List(items) => items.iter().flat_map(values).collect(),
        Json::Object(_) => values(&value["id"]),
        _ => Vec::new(),
    }
}

/// The fields that tell transcripts apart without naming each.
pub fn facets<'a>(all: impl Iterator<Item = &'a Fields>) -> Vec<Facet> {
    let mut known: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for (name, values) in all.flatten() {
        let (count, seen) = known.entry(name).or_default();
        *count += 1;
        seen.extend(values.iter().map(String::as_str));
    }
    let tells = |(count, values): &(usize, BTreeSet<&str>)| {
        (2..=VALUES).contains(&values.len()) && values.len() * 2 <= *count
    };
    let telling = known.into_iter().filter(|(_, known)| tells(known));
    let mut facets: Vec<Facet> = telling
        .map(|(name, (_, values))| Facet {
            name: name.into(),
            values: values.into_iter().map(str::to_string).collect(),
        })
        .collect();
    // What has fewer values comes first; the list shows the first ones.
    facets.sort_by_key(|facet| facet.values.len());
    facets.truncate(FACETS);
    facets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_a_few_values_can_be_filtered_by() {
        let personas = (0..8).map(|i| {
            let text = format!(
                r#"{{"persona": {{"id": "p{i}", "style": "{}", "flaws": [{{"id": "f{}"}}], "edge": {}, "turns": 3, "goal": "{}"}}}}"#,
                ["terse", "chatty"][i % 2],
                i % 3,
                i == 0,
                "x".repeat(80)
            );
            fields(&Json::parse(&text).unwrap())
        });
        let personas: Vec<Fields> = personas.collect();
        let facets = facets(personas.iter());
        let names: Vec<&str> = facets.iter().map(|facet| facet.name.as_str()).collect();
        assert_eq!(names, ["edge", "style", "flaws"]);
        assert_eq!(facets[1].values, ["chatty", "terse"]);
        assert_eq!(facets[2].values, ["f0", "f1", "f2"]);
    }
}
