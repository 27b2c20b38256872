//! Which items of a `process` are to do: by the checkpoint, their versions, and what the command
//! line asks to redo.

use std::collections::BTreeMap;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use serde_json::Value;

use crate::base::hash::{self, canonical};
use crate::base::{Error, Kind, Result, suggest};
use crate::store::Version;

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

/// What each part of a [`Version`] stands for, as a person reads it.
pub const PARTS: [&str; 4] = ["item", "backends", "code", "version"];

/// What all records of a job are made from: when it or the item differs, a record is stale.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    backends: u32,
    code: u32,
}

impl Origin {
    /// From the identity of the backends and the hash of the code.
    pub fn new(backends: &str, code: &str) -> Origin {
        Origin { backends: short_hash(backends), code: short_hash(code) }
    }

    /// The version of an item's record; `extra` is what else it depends on.
    pub fn version(&self, item: &Value, extra: Extra) -> Version {
        Version([short_hash(&canonical(item)), self.backends, self.code, extra.0])
    }
}

/// What else a record depends on: the `version` option. Often it is long, and the same for all items.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extra(u32);

impl Extra {
    /// That of the option; null: there is none.
    pub fn of(option: &Value) -> Extra {
        Extra(if option.is_null() { 0 } else { short_hash(&canonical(option)) })
    }
}

/// Which parts of a version differ from a record's; all of them when that has none.
fn changed(now: Version, recorded: Option<Version>) -> impl Iterator<Item = &'static str> {
    let differs = move |i: &usize| recorded.is_none_or(|old| old.0[*i] != now.0[*i]);
    (0..PARTS.len()).filter(differs).map(|i| PARTS[i])
}

/// Whether a version is of this item.
pub fn is_version_of(version: Version, item: &Value) -> bool {
    version.0[0] == short_hash(&canonical(item))
}

/// 32 bits of SHA-256: enough to tell the versions of one record apart.
fn short_hash(text: &str) -> u32 {
    (hash::short(text) >> 32) as u32
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
pub struct Held {
    /// Its version.
    pub version: Option<Version>,
    /// Whether it counts as done.
    pub complete: bool,
}

/// The fate of all items, in their order, and what is stale because of what.
#[derive(Debug, Default)]
pub struct Plan {
    /// One entry an item.
    pub fates: Vec<Fate>,
    /// The version of each; none when it cannot be read.
    versions: Vec<Option<Version>>,
    /// How many records are stale (whether redone or not), by the part that changed.
    pub stale_because: BTreeMap<&'static str, usize>,
    /// Stale records that are kept.
    pub stale: usize,
    /// The hash of each id, in the order of the items.
    hashes: Vec<u64>,
    /// Where in `hashes` each of them stands.
    places: HashTable<u32>,
}

impl Plan {
    /// Adds the next item; an id that came before is an error.
    pub fn add(&mut self, id: &str, version: Version, held: Option<Held>, redo: &Redo) -> Result<()> {
        self.note(id)?;
        let held = held.filter(|held| held.complete);
        for part in held.iter().flat_map(|held| changed(version, held.version)) {
            *self.stale_because.entry(part).or_default() += 1;
        }
        let fate = match held.map(|held| held.version != Some(version)) {
            None => Fate::ToDo,
            Some(stale) if redo.wants(id, stale) => Fate::ToDo,
            Some(false) => Fate::Done,
            Some(true) => Fate::Stale,
        };
        self.stale += usize::from(fate == Fate::Stale);
        self.push(fate, Some(version));
        Ok(())
    }

    /// Adds an item that cannot be read: it is to do, and will fail.
    pub fn add_unreadable(&mut self, id: &str) -> Result<()> {
        self.note(id)?;
        self.push(Fate::ToDo, None);
        Ok(())
    }

    fn push(&mut self, fate: Fate, version: Option<Version>) {
        self.fates.push(fate);
        self.versions.push(version);
    }

    fn note(&mut self, id: &str) -> Result<()> {
        let Plan { hashes, places, .. } = self;
        let hash = hash::short(id);
        let place = u32::try_from(hashes.len()).map_err(|_| too_many())?;
        let of = |place: &u32| hashes[*place as usize];
        match places.entry(hash, |place| of(place) == hash, of) {
            Entry::Occupied(_) => return Err(duplicate(id, hashes.len())),
            Entry::Vacant(free) => drop(free.insert(place)),
        }
        hashes.push(hash);
        Ok(())
    }

    fn place(&self, id: &str) -> Option<usize> {
        let hash = hash::short(id);
        let place = self.places.find(hash, |place| self.hashes[*place as usize] == hash)?;
        Some(*place as usize)
    }

    /// Fate and version of all items, in their order.
    pub fn items(&self) -> impl Iterator<Item = (Fate, Option<Version>)> {
        self.fates.iter().copied().zip(self.versions.iter().copied())
    }

    /// How many items have a fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.fates.iter().filter(|f| **f == fate).count()
    }

    /// Whether an item of this id was added.
    pub fn has(&self, id: &str) -> bool {
        self.place(id).is_some()
    }

    /// What becomes of an item.
    pub fn fate(&self, id: &str) -> Option<Fate> {
        self.fates.get(self.place(id)?).copied()
    }

    /// The hash of each id, and the item's fate, in their order.
    pub fn ids(&self) -> impl Iterator<Item = (u64, Fate)> {
        self.hashes.iter().copied().zip(self.fates.iter().copied())
    }

    /// The hash of the id of the item at this place.
    pub fn id_at(&self, place: usize) -> Option<u64> {
        self.hashes.get(place).copied()
    }
}

fn too_many() -> Error {
    Error::new(Kind::Limit, "a job has more than 4 billion items")
        .hint("split them among several checkpoints")
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
        Origin::new("b", code).version(&item, Extra::default())
    }

    #[test]
    fn a_version_tells_what_changed() {
        let old = version(json!({"id": "a", "x": 1}), "code");
        let parts = |item, code| changed(version(item, code), Some(old)).collect::<Vec<_>>();
        assert!(parts(json!({"x": 1, "id": "a"}), "code").is_empty());
        assert_eq!(parts(json!({"id": "a", "x": 2}), "code"), ["item"]);
        assert_eq!(parts(json!({"id": "a", "x": 1}), "other"), ["code"]);
        assert_eq!(changed(old, None).collect::<Vec<_>>(), PARTS);
    }

    #[test]
    fn versions_are_those_of_all_releases() {
        let version =
            Origin::new("backends", "code").version(&json!({"id": "a", "n": 1}), Extra::of(&json!("v")));
        assert_eq!(version.to_string(), "ebddcace-d8f9b68a-5694d08a-d1a4dc8b");
        assert_eq!(super::tests::version(json!({"id": "a"}), "code").0[3], 0);
    }

    #[test]
    fn plans_follow_the_checkpoint_and_the_wish() {
        let now = version(json!({"id": "a"}), "code");
        let (current, old) = (now, Version([1; 4]));
        let held = |version| Some(Held { version: Some(version), complete: true });
        let fate = |held, redo: &Redo| {
            let mut plan = Plan::default();
            plan.add("a", now, held, redo).unwrap();
            plan.fates[0]
        };
        assert_eq!(fate(None, &Redo::Nothing), Fate::ToDo);
        assert_eq!(fate(Some(Held { version: None, complete: false }), &Redo::Nothing), Fate::ToDo);
        assert_eq!(fate(held(current), &Redo::Nothing), Fate::Done);
        assert_eq!(fate(held(current), &Redo::Stale), Fate::Done);
        assert_eq!(fate(held(current), &Redo::All), Fate::ToDo);
        assert_eq!(fate(held(old), &Redo::Nothing), Fate::Stale);
        assert_eq!(fate(held(old), &Redo::Stale), Fate::ToDo);
        assert_eq!(fate(held(current), &Redo::parse("b, a")), Fate::ToDo);
        assert_eq!(fate(held(current), &Redo::parse("b")), Fate::Done);
    }

    #[test]
    fn ids_are_checked() {
        let mut plan = Plan::default();
        let now = version(json!({}), "");
        plan.add("a", now, None, &Redo::Nothing).unwrap();
        assert!(plan.add("a", now, None, &Redo::Nothing).unwrap_err().message().contains("`a`"));
        assert!(item_id(&json!({"id": 3}), 0).is_err());
        assert!(item_id(&json!({"ID": "x"}), 0).unwrap_err().message().contains("`ID`"));
        assert_eq!(item_id(&json!({"id": "x"}), 0).unwrap(), "x");
    }
}
