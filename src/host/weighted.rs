//! Entries with weights, to be drawn from again and again: `weighted`.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Module};

use crate::base::{Error, Kind, Result};
use crate::script::{ScriptResult, values};

/// The namespace.
pub fn module() -> Module {
    let mut module = rhai::exported_module!(functions);
    module.set_custom_type::<Weighted>("Weighted");
    module
}

/// Entries with their weights. Cheap to copy, however many there are.
#[derive(Clone)]
pub struct Weighted(Arc<[(Dynamic, f64)]>);

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// An array of maps that each have a `weight`, to be drawn from again and again.
    ///
    /// It is cheap to pass on, where an array would be copied.
    ///
    /// ```rhai
    /// let styles = weighted([#{id: "terse", weight: 0.25}, #{id: "chatty", weight: 0.75}]);
    /// [styles.at(0.2).id, styles.at(0.3).id]   // -> ["terse", "chatty"]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn weighted(entries: Array) -> ScriptResult<Weighted> {
        Ok(Weighted::of(entries)?)
    }

    /// The entry at a position from 0 to 1, each being as wide as its `weight`.
    ///
    /// ```rhai
    /// weighted([#{id: "a", weight: 1}, #{id: "b", weight: 3}]).at(0.25).id   // -> "b"
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn at(entries: &mut Weighted, position: f64) -> ScriptResult<Dynamic> {
        Ok(entries.entry_at(position)?)
    }

    /// The entries without those of an `id`.
    ///
    /// ```rhai
    /// weighted([#{id: "a", weight: 1}, #{id: "b", weight: 1}]).without("a").at(0.0).id   // -> "b"
    /// ```
    #[rhai_fn(pure)]
    pub fn without(entries: &mut Weighted, id: &str) -> Weighted {
        entries.without_id(id)
    }

    /// How many entries there are.
    ///
    /// ```rhai
    /// weighted([#{id: "a", weight: 1}]).len   // -> 1
    /// ```
    #[rhai_fn(get = "len", name = "len", pure)]
    pub fn weighted_len(entries: &mut Weighted) -> i64 {
        entries.0.len() as i64
    }
}

impl Weighted {
    fn of(entries: Array) -> Result<Weighted> {
        let weigh = |(place, entry): (usize, Dynamic)| {
            let weight = entry.as_map_ref().ok().and_then(|map| values::number(map.get("weight")?));
            let weight = weight.filter(|weight| weight.is_finite() && *weight >= 0.0);
            let wrong = || {
                let message =
                    format!("entry number {} has no `weight` that is a number from 0 up", place + 1);
                Error::new(Kind::Argument, message)
            };
            weight.map(|weight| (entry, weight)).ok_or_else(wrong)
        };
        entries.into_iter().enumerate().map(weigh).collect::<Result<_>>().map(Weighted)
    }

    fn entry_at(&self, position: f64) -> Result<Dynamic> {
        let total: f64 = self.0.iter().map(|(_, weight)| weight).sum();
        let mut reached = 0.0;
        let found = self.0.iter().find(|(_, weight)| {
            reached += weight;
            position * total < reached
        });
        let nothing =
            || Error::new(Kind::Argument, "cannot choose from nothing").hint("check its length first");
        found.or(self.0.last()).map(|(entry, _)| entry.clone()).ok_or_else(nothing)
    }

    fn without_id(&self, id: &str) -> Weighted {
        let has_id = |entry: &Dynamic| {
            let map = entry.as_map_ref().ok()?;
            Some(*map.get("id")?.as_immutable_string_ref().ok()? == id)
        };
        Weighted(self.0.iter().filter(|(entry, _)| has_id(entry) != Some(true)).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_a_weight_is_told_by_its_number() {
        let entry = |weight: Dynamic| Dynamic::from_map([("weight".into(), weight)].into());
        for wrong in [Dynamic::UNIT, (-1.0).into(), f64::NAN.into(), "1".into()] {
            let error = Weighted::of(vec![entry(1.into()), entry(wrong)]).err().unwrap();
            assert!(error.message().starts_with("entry number 2"), "{error}");
        }
    }

    #[test]
    fn positions_beyond_the_ends_are_the_ends() {
        let entry =
            |id: i64| Dynamic::from_map([("id".into(), id.into()), ("weight".into(), 1.into())].into());
        let both = Weighted::of(vec![entry(1), entry(2)]).unwrap();
        let id = |position| both.entry_at(position).unwrap().as_map_ref().unwrap()["id"].as_int().unwrap();
        assert_eq!([id(-1.0), id(0.0), id(0.49), id(0.5), id(1.0), id(7.0)], [1, 1, 1, 2, 2, 2]);
        assert!(Weighted::of(vec![]).unwrap().entry_at(0.0).is_err());
    }
}
