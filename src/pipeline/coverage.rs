//! The distribution of personas that was asked for beside the one that was drawn.

use std::collections::BTreeMap;

use serde::Serialize;

use super::dimensions::Dimension;
use super::sampling::Sampling;

/// What a persona has of each dimension, by the ids of the values; a dimension that only counts others is left empty.
pub type Values = Vec<Vec<String>>;

/// A value, asked and drawn.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Asked {
    /// The share of the personas that should have it.
    pub asked: f64,
    /// How many have it.
    pub drawn: u64,
}

/// A value that was drawn more than one too often or too seldom.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Missed {
    /// Its dimension.
    pub dimension: String,
    /// The value.
    pub value: String,
    /// How many should have it, of those that could.
    pub asked: f64,
    /// How many of them have it.
    pub drawn: u64,
}

/// All dimensions of a draw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// How many personas there are.
    pub personas: usize,
    /// How they were drawn: `quota` or `independent`.
    pub sampling: &'static str,
    /// By dimension and value. What a persona has of a dimension without having it from there was not asked for.
    pub dimensions: BTreeMap<String, BTreeMap<String, Asked>>,
    /// What is off by more than one.
    pub missed: Vec<Missed>,
}

/// Holds personas against what was asked.
pub fn compare(dimensions: &[Dimension], sampling: Sampling, people: &[Values]) -> Coverage {
    let chances = chances(dimensions);
    let counted = Counted::of(dimensions, people);
    let table = |(place, dimension): (usize, &Dimension)| {
        let mut values: BTreeMap<String, Asked> = BTreeMap::new();
        for (entry, chance) in dimension.entries().iter().zip(&chances[place]) {
            values.entry(entry.id.clone()).or_default().asked += chance;
        }
        for (value, count) in &counted.values[place] {
            values.entry((*value).to_string()).or_default().drawn = *count;
        }
        values.values_mut().for_each(|value| value.asked = rounded(value.asked, 1e6));
        (dimension.name.clone(), values)
    };
    Coverage {
        personas: people.len(),
        sampling: sampling.name(),
        dimensions: dimensions.iter().enumerate().map(table).collect(),
        missed: dimensions
            .iter()
            .enumerate()
            .flat_map(|(place, of)| missed(of, &counted.entries[place]))
            .collect(),
    }
}

/// The share of personas that each entry of each dimension is asked for in.
fn chances(dimensions: &[Dimension]) -> Vec<Vec<f64>> {
    let mut all: Vec<Vec<f64>> = Vec::new();
    for dimension in dimensions {
        let draws: f64 = dimension.count.map_or(1.0, |count| mean(&dimensions[count], &all[count]));
        let of_entry = |entry: usize| {
            let list = dimension.list_of(entry);
            let around = dimension.within.map_or(1.0, |parent| all[parent][list]);
            around * draws * dimension.shares(list).share(entry - dimension.list(list).start)
        };
        all.push((0..dimension.entries().len()).map(of_entry).collect());
    }
    all
}

/// What a dimension of numbers gives on average.
fn mean(count: &Dimension, chances: &[f64]) -> f64 {
    let number = |id: &str| id.parse::<f64>().unwrap_or(0.0);
    count.entries().iter().zip(chances).map(|(entry, chance)| number(&entry.id) * chance).sum()
}

/// How often there is what.
struct Counted<'a> {
    /// By dimension and value, those that nobody asked for, too.
    values: Vec<BTreeMap<&'a str, u64>>,
    /// By dimension and entry: values of the same name in two lists are two entries.
    entries: Vec<Vec<u64>>,
}

impl<'a> Counted<'a> {
    fn of(dimensions: &'a [Dimension], people: &'a [Values]) -> Counted<'a> {
        let mut counted = Counted {
            values: vec![BTreeMap::new(); dimensions.len()],
            entries: dimensions.iter().map(|dimension| vec![0; dimension.entries().len()]).collect(),
        };
        people.iter().for_each(|person| counted.add(dimensions, person));
        counted
    }

    fn add(&mut self, dimensions: &'a [Dimension], person: &'a Values) {
        let mut found: Vec<Option<usize>> = vec![None; dimensions.len()];
        for (place, dimension) in dimensions.iter().enumerate() {
            let list = dimension.within.map_or(Some(0), |parent| found[parent]);
            for value in &person[place] {
                *self.values[place].entry(value).or_default() += 1;
                let range = list.map(|list| dimension.list(list)).unwrap_or_default();
                let entry = range.into_iter().find(|entry| dimension.entries()[*entry].id == *value);
                if let Some(entry) = entry {
                    self.entries[place][entry] += 1;
                    found[place] = Some(entry);
                }
            }
        }
    }
}

/// The entries that are more than one away from their share of what was drawn of their list, or of lists like it.
fn missed(dimension: &Dimension, counts: &[u64]) -> Vec<Missed> {
    let mut all = Vec::new();
    for list in (0..dimension.list_count()).filter(|list| dimension.drawn_as(*list) == *list) {
        let alike = (list..dimension.list_count()).filter(|other| dimension.drawn_as(*other) == list);
        let ranges: Vec<_> = alike.map(|list| dimension.list(list)).collect();
        let drawn = |place: usize| ranges.iter().map(|range| counts[range.start + place]).sum::<u64>();
        let places = 0..dimension.list(list).len();
        let total: u64 = places.clone().map(drawn).sum();
        for place in places {
            let asked = dimension.shares(list).share(place) * total as f64;
            if (drawn(place) as f64 - asked).abs() > 1.0 + 1e-9 {
                let value = dimension.entries()[dimension.list(list).start + place].id.clone();
                let (dimension, drawn) = (dimension.name.clone(), drawn(place));
                all.push(Missed { dimension, value, asked: rounded(asked, 100.0), drawn });
            }
        }
    }
    all
}

fn rounded(number: f64, steps: f64) -> f64 {
    (number * steps).round() / steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::dimensions::Entry;

    fn list(weights: &[(&str, f64)]) -> Vec<Entry> {
        weights.iter().map(|(id, weight)| Entry { id: (*id).into(), weight: *weight }).collect()
    }

    /// Topics with situations, and one or two flaws.
    fn dimensions() -> Vec<Dimension> {
        let topics = vec![list(&[("fault", 0.75), ("delivery", 0.25)])];
        let situations = vec![list(&[("leak", 0.5), ("other", 0.5)]), list(&[("late", 0.5), ("other", 0.5)])];
        let counts = vec![list(&[("1", 0.5), ("2", 0.5)])];
        vec![
            Dimension::new("topic", None, None, topics).unwrap(),
            Dimension::new("situation", Some(0), None, situations).unwrap(),
            Dimension::new("flaws_count", None, None, counts).unwrap(),
            Dimension::new("flaws", None, Some(2), vec![list(&[("typos", 0.5), ("caps", 0.5)])]).unwrap(),
        ]
    }

    fn person(topic: &str, situation: &str, flaws: &[&str]) -> Values {
        let flaws: Vec<String> = flaws.iter().map(|flaw| flaw.to_string()).collect();
        vec![vec![topic.into()], vec![situation.into()], vec![flaws.len().to_string()], flaws]
    }

    #[test]
    fn what_was_asked_stands_beside_what_was_drawn() {
        let people = [person("fault", "leak", &["typos"]), person("delivery", "other", &["typos", "caps"])];
        let found = compare(&dimensions(), Sampling::Quota, &people);
        let value = |dimension: &str, value: &str| {
            let Asked { asked, drawn } = found.dimensions[dimension][value];
            (asked, drawn)
        };
        assert_eq!((found.personas, found.sampling), (2, "quota"));
        assert_eq!((value("topic", "fault"), value("topic", "delivery")), ((0.75, 1), (0.25, 1)));
        assert_eq!((value("situation", "leak"), value("situation", "other")), ((0.375, 1), (0.5, 1)));
        assert_eq!((value("flaws_count", "2"), value("flaws", "typos")), ((0.5, 1), (0.75, 2)));
        assert_eq!(found.missed, []);
    }

    #[test]
    fn what_is_off_by_more_than_one_is_named() {
        let mut people = vec![person("fault", "other", &["caps"]); 4];
        people.push(person("fault", "unknown", &["caps"]));
        let found = compare(&dimensions(), Sampling::Independent, &people);
        assert_eq!(found.dimensions["situation"]["unknown"], Asked { asked: 0.0, drawn: 1 });
        let named: Vec<String> =
            found.missed.iter().map(|m| format!("{} {} {}", m.value, m.asked, m.drawn)).collect();
        let expected = [
            "fault 3.75 5",
            "delivery 1.25 0",
            "leak 2 0",
            "other 2 4",
            "1 2.5 5",
            "2 2.5 0",
            "typos 2.5 0",
            "caps 2.5 5",
        ];
        assert_eq!(named, expected);
    }
}
