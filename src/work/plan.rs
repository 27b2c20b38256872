//! Which items of a `process` are to do: by the checkpoint, their versions, and what the command
//! line asks to redo.

use std::collections::BTreeMap;

use indexmap::IndexSet;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::base::hash::{self, canonical};
use crate::base::{Error, Kind, Result, suggest};

/// What the command line asks to do again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Redo {
    /// Only what is missing.
    #[default]
    Nothing,
    /// Records of another version, too.
    Stale,
    /// Everything.
    All,
    /// These items, too.
    Ids(Vec<String>),
}

impl Redo {
    /// Reads `stale`, `all` or a list of ids.
    pub fn parse(text: &str) -> Redo {
        match text {
            "stale" => Redo::Stale,
            "all" => Redo::All,
            ids => Redo::Ids(ids.split(',').map(|id| id.trim().to_string()).collect()),
        }
    }

    fn wants(&self, id: &str, stale: bool) -> bool {
        match self {
            Redo::Nothing => false,
            Redo::Stale => stale,
            Redo::All => true,
            Redo::Ids(ids) => ids.iter().any(|wanted| wanted == id),
        }
    }

    /// The ids asked for by name.
    pub fn ids(&self) -> &[String] {
        match self {
            Redo::Ids(ids) => ids,
            _ => &[],
        }
    }
}

/// What a record was made from, in short hashes: when one of them differs, the record is stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version([String; 4]);

/// What each part of a version stands for, as a person reads it.
pub const PARTS: [&str; 4] = ["item", "backends", "code", "version"];

impl Version {
    /// From the four things that a record depends on: see [`PARTS`].
    pub fn new(item: &Value, backends: &str, code: &str, option: &Value) -> Version {
        Version([short_hash(&canonical(item)), short_hash(backends), short_hash(code), option_hash(option)])
    }

    /// As it stands in a record's `_version`.
    pub fn text(&self) -> String {
        self.0.join("-")
    }

    /// Which parts differ from a record's `_version`; all of them when it has none.
    pub fn changed_since(&self, recorded: Option<&str>) -> Vec<&'static str> {
        let old: Vec<&str> = recorded.map(|text| text.split('-').collect()).unwrap_or_default();
        let differs = |i: &usize| old.get(*i) != Some(&self.0[*i].as_str());
        (0..PARTS.len()).filter(differs).map(|i| PARTS[i]).collect()
    }
}

/// Whether the text of a [`Version`] was made from this item.
pub fn is_version_of(text: &str, item: &Value) -> bool {
    text.split('-').next() == Some(&short_hash(&canonical(item)))
}

fn option_hash(option: &Value) -> String {
    if option.is_null() { "0".into() } else { short_hash(&canonical(option)) }
}

/// 32 bits of SHA-256: enough to tell the versions of one record apart.
fn short_hash(text: &str) -> String {
    hash::sha256(text)[..8].to_string()
}

/// What is known of an item before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It will run.
    ToDo,
    /// Its record is complete and of this version.
    Done,
    /// Its record is complete, of another version, and kept.
    Stale,
    /// It would run, and is not tried: others stand for it in a dry run.
    LeftOut,
}

/// What the checkpoint holds of an item.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// Its version.
    pub version: Option<&'a str>,
    /// Whether it counts as done.
    pub complete: bool,
}

/// The fate of all items, in their order, and what is stale because of what.
#[derive(Debug, Default)]
pub struct Plan {
    /// One entry an item.
    pub fates: Vec<Fate>,
    /// How many records are stale (whether redone or not), by the part that changed.
    pub stale_because: BTreeMap<&'static str, usize>,
    /// Stale records that are kept.
    pub stale: usize,
    /// The hash of each id, in the order of the items.
    found: IndexSet<u64>,
}

impl Plan {
    /// Adds the next item; an id that came before is an error.
    pub fn add(&mut self, id: &str, version: &Version, held: Option<Held>, redo: &Redo) -> Result<()> {
        self.note(id)?;
        let changed = held.filter(|held| held.complete).map(|held| version.changed_since(held.version));
        for part in changed.iter().flatten() {
            *self.stale_because.entry(part).or_default() += 1;
        }
        let fate = match changed {
            None => Fate::ToDo,
            Some(parts) if redo.wants(id, !parts.is_empty()) => Fate::ToDo,
            Some(parts) if parts.is_empty() => Fate::Done,
            Some(_) => Fate::Stale,
        };
        self.stale += usize::from(fate == Fate::Stale);
        self.fates.push(fate);
        Ok(())
    }

    /// Adds an item that cannot be read: it is to do, and will fail.
    pub fn add_unreadable(&mut self, id: &str) -> Result<()> {
        self.note(id)?;
        self.fates.push(Fate::ToDo);
        Ok(())
    }

    fn note(&mut self, id: &str) -> Result<()> {
        if self.found.insert(id_hash(id)) { Ok(()) } else { Err(duplicate(id, self.fates.len())) }
    }

    /// How many items have a fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.fates.iter().filter(|f| **f == fate).count()
    }

    /// Whether an item of this id was added.
    pub fn has(&self, id: &str) -> bool {
        self.found.contains(&id_hash(id))
    }

    /// What becomes of an item.
    pub fn fate(&self, id: &str) -> Option<Fate> {
        self.fates.get(self.found.get_index_of(&id_hash(id))?).copied()
    }

    /// The hash of each id, and the item's fate, in their order.
    pub fn ids(&self) -> impl Iterator<Item = (u64, Fate)> {
        self.found.iter().copied().zip(self.fates.iter().copied())
    }

    /// The hash of the id of the item at this place.
    pub fn id_at(&self, place: usize) -> Option<u64> {
        self.found.get_index(place).copied()
    }
}

/// Ids are compared by 64 bits of SHA-256, so that a million of them take little room.
pub fn id_hash(id: &str) -> u64 {
    let digest = Sha256::digest(id.as_bytes());
    digest[..8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn duplicate(id: &str, index: usize) -> Error {
    Error::new(Kind::Argument, format!("two items have the id `{id}` (the second is number {})", index + 1))
        .hint("ids must be unique: the checkpoint keeps one record for each")
}

/// The id of an item: a string, not empty.
pub fn item_id(item: &Value, index: usize) -> Result<String> {
    let number = index + 1;
    let fault = |what: String| {
        let error = Error::new(Kind::Argument, what);
        Err(error.hint("items are maps with a unique string `id`: #{id: \"persona_0001\", ...}"))
    };
    let Some(map) = item.as_object() else {
        return fault(format!("item number {number} is not a map"));
    };
    match map.get("id") {
        Some(Value::String(id)) if !id.trim().is_empty() => Ok(id.clone()),
        Some(Value::String(_)) => fault(format!("the id of item number {number} is empty")),
        Some(other) => fault(format!("the id of item number {number} is not a string: {other}")),
        None => {
            let near = suggest::nearest("id", map.keys().map(String::as_str));
            let near = near.map(|key| format!(" (it has `{key}`)")).unwrap_or_default();
            fault(format!("item number {number} has no `id`{near}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn version(item: Value, code: &str) -> Version {
        Version::new(&item, "b", code, &Value::Null)
    }

    #[test]
    fn a_version_tells_what_changed() {
        let old = version(json!({"id": "a", "x": 1}), "code").text();
        assert!(version(json!({"x": 1, "id": "a"}), "code").changed_since(Some(&old)).is_empty());
        assert_eq!(version(json!({"id": "a", "x": 2}), "code").changed_since(Some(&old)), ["item"]);
        assert_eq!(version(json!({"id": "a", "x": 1}), "other").changed_since(Some(&old)), ["code"]);
        assert_eq!(version(json!({}), "code").changed_since(None), PARTS);
    }

    #[test]
    fn plans_follow_the_checkpoint_and_the_wish() {
        let now = version(json!({"id": "a"}), "code");
        let (current, old) = (now.text(), "x-x-x-x");
        let held = |version| Some(Held { version: Some(version), complete: true });
        let fate = |held, redo: &Redo| {
            let mut plan = Plan::default();
            plan.add("a", &now, held, redo).unwrap();
            plan.fates[0]
        };
        assert_eq!(fate(None, &Redo::Nothing), Fate::ToDo);
        assert_eq!(fate(Some(Held { version: None, complete: false }), &Redo::Nothing), Fate::ToDo);
        assert_eq!(fate(held(&current), &Redo::Nothing), Fate::Done);
        assert_eq!(fate(held(&current), &Redo::Stale), Fate::Done);
        assert_eq!(fate(held(&current), &Redo::All), Fate::ToDo);
        assert_eq!(fate(held(old), &Redo::Nothing), Fate::Stale);
        assert_eq!(fate(held(old), &Redo::Stale), Fate::ToDo);
        assert_eq!(fate(held(&current), &Redo::parse("b, a")), Fate::ToDo);
        assert_eq!(fate(held(&current), &Redo::parse("b")), Fate::Done);
    }

    #[test]
    fn ids_are_checked() {
        let mut plan = Plan::default();
        let now = version(json!({}), "");
        plan.add("a", &now, None, &Redo::Nothing).unwrap();
        assert!(plan.add("a", &now, None, &Redo::Nothing).unwrap_err().message().contains("`a`"));
        assert!(item_id(&json!({"id": 3}), 0).is_err());
        assert!(item_id(&json!({"ID": "x"}), 0).unwrap_err().message().contains("`ID`"));
        assert_eq!(item_id(&json!({"id": "x"}), 0).unwrap(), "x");
    }
}
