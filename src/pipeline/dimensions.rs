//! What personas differ in: dimensions, each a list of weighted values, or such a list for every value of another
//! dimension (the situations of a topic).

use std::ops::Range;

use super::constraints::Known;
use super::shares::Shares;
use crate::base::{Error, Kind, Result};

/// One value, and how often it is asked for beside the others of its list.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name.
    pub id: String,
    /// Its weight.
    pub weight: f64,
}

/// Something that personas differ in. Its entries are numbered through all of its lists.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// The dimension, by its place among all, of which each entry has a list of its own here.
    pub within: Option<usize>,
    /// The dimension whose value says how many entries are drawn of this one; none: one.
    pub count: Option<usize>,
    entries: Vec<Entry>,
    /// The entries of each list, and their shares in it.
    lists: Vec<(Range<usize>, Shares)>,
    /// For each list, the first one that is the same.
    same: Vec<usize>,
}

impl Dimension {
    /// With one list, or one for each entry of `within`.
    pub fn new(
        name: &str,
        within: Option<usize>,
        count: Option<usize>,
        lists: Vec<Vec<Entry>>,
    ) -> Result<Dimension> {
        let first = |list: &Vec<Entry>| lists.iter().position(|other| other == list).unwrap_or_default();
        let same = lists.iter().map(first).collect();
        let (mut entries, mut ranges) = (Vec::new(), Vec::new());
        for list in lists {
            let shares = shares(name, &list)?;
            let start = entries.len();
            entries.extend(list);
            ranges.push((start..entries.len(), shares));
        }
        Ok(Dimension { name: name.into(), within, count, entries, lists: ranges, same })
    }

    /// All its entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries of a list.
    pub fn list(&self, list: usize) -> Range<usize> {
        self.lists[list].0.clone()
    }

    /// The shares of a list's entries.
    pub fn shares(&self, list: usize) -> &Shares {
        &self.lists[list].1
    }

    /// How many lists it has.
    pub fn list_count(&self) -> usize {
        self.lists.len()
    }

    /// The list that is drawn from in place of this one: the first of those that are the same. Situations about the
    /// same products thus share one draw, which keeps the quotas of the products over all of them.
    pub fn drawn_as(&self, list: usize) -> usize {
        self.same[list]
    }

    /// The list that an entry stands in.
    pub fn list_of(&self, entry: usize) -> usize {
        self.lists.partition_point(|(range, _)| range.end <= entry)
    }

    /// Whether an entry can be drawn at all.
    pub fn is_drawn(&self, entry: usize) -> bool {
        let (range, shares) = &self.lists[self.list_of(entry)];
        shares.part(entry - range.start) > 0
    }
}

fn shares(name: &str, list: &[Entry]) -> Result<Shares> {
    let wrong = |message: String| Err(Error::new(Kind::Argument, message));
    if list.is_empty() {
        return wrong(format!("dimension `{name}` has nothing to draw from"));
    }
    if let Some(twice) =
        list.iter().enumerate().find(|(at, entry)| list[..*at].iter().any(|e| e.id == entry.id))
    {
        return wrong(format!("dimension `{name}` has `{}` twice", twice.1.id));
    }
    let weights: Vec<f64> = list.iter().map(|entry| entry.weight).collect();
    Shares::of(&weights).map_err(|error| {
        let hint = error.get_hint().unwrap_or_default().to_string();
        Error::new(Kind::Argument, format!("the weights of dimension `{name}` cannot be {weights:?}"))
            .hint(hint)
    })
}

/// The values of all dimensions, by name.
pub fn known(dimensions: &[Dimension]) -> Known<'_> {
    dimensions
        .iter()
        .map(|dimension| {
            let ids = dimension.entries.iter().map(|entry| entry.id.as_str()).collect();
            (dimension.name.as_str(), ids)
        })
        .collect()
}
