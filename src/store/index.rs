//! What a checkpoint knows of its ids, in little room: the ids one behind the other in one text, an
//! entry of fixed size for each, and a table that finds them by hash (and compares the ids themselves).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::version::Version;

/// What is known of an id without reading its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The record's `_version`.
    pub version: Option<Version>,
    /// Whether the record is complete (its `complete` is not false).
    pub complete: bool,
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// Ids and their entries, in the order in which the ids came first.
#[derive(Default)]
pub(super) struct Index {
    ids: String,
    slots: Vec<Slot>,
    places: HashTable<Place>,
    hasher: RandomState,
}

/// Where an id stands. Its hash is at hand, so that the table grows without looking at all ids again.
struct Place {
    hash: u32,
    slot: u32,
}

impl Place {
    /// The table takes bits from both ends.
    fn wide(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }
}

struct Slot {
    /// Where the id ends in `ids`; it begins where the one before it ends.
    end: usize,
    entry: Entry,
}

impl Index {
    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The id and the entry at a place.
    pub fn at(&self, place: usize) -> Option<(&str, &Entry)> {
        let slot = self.slots.get(place)?;
        Some((id_at(&self.ids, &self.slots, place), &slot.entry))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        (0..self.len()).filter_map(|place| self.at(place))
    }

    /// The entry of an id.
    pub fn get(&self, id: &str) -> Option<&Entry> {
        let slot = self.find(self.hash(id), id)?;
        self.slots.get(slot).map(|slot| &slot.entry)
    }

    /// Takes a record in. The one that stands last in the file wins, in whatever order they come.
    pub fn insert(&mut self, id: &str, entry: Entry) -> Result<(), String> {
        let hash = self.hash(id);
        if let Some(slot) = self.find(hash, id) {
            let old = &mut self.slots[slot].entry;
            if old.offset < entry.offset {
                *old = entry;
            }
            return Ok(());
        }
        let slot = u32::try_from(self.slots.len()).map_err(|_| "it would be one id too many")?;
        self.ids.push_str(id);
        self.slots.push(Slot { end: self.ids.len(), entry });
        self.places.insert_unique(Place::wide(hash), Place { hash, slot }, |place| Place::wide(place.hash));
        Ok(())
    }

    fn hash(&self, id: &str) -> u32 {
        self.hasher.hash_one(id) as u32
    }

    fn find(&self, hash: u32, id: &str) -> Option<usize> {
        let same =
            |place: &Place| place.hash == hash && id_at(&self.ids, &self.slots, place.slot as usize) == id;
        self.places.find(Place::wide(hash), same).map(|place| place.slot as usize)
    }

    /// Forgets all ids but those that `keep` wants.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let all = std::mem::take(self);
        for (id, entry) in all.iter().filter(|(id, _)| keep(id)) {
            // Of those that had room, some have room.
            let _ = self.insert(id, *entry);
        }
    }
}

fn id_at<'a>(ids: &'a str, slots: &[Slot], place: usize) -> &'a str {
    let begin = if place == 0 { 0 } else { slots[place - 1].end };
    &ids[begin..slots[place].end]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entry(offset: u64) -> Entry {
        Entry { version: None, complete: offset > 25, offset, length: 1 }
    }

    #[test]
    fn a_million_take_little_room() {
        assert!(size_of::<Slot>() <= 48, "{}", size_of::<Slot>());
    }

    proptest! {
        /// As a list of pairs that is searched from its beginning would do it.
        #[test]
        fn it_is_an_ordered_map(
            records in proptest::collection::vec(("[abü]{0,3}", 0u64..50), 0..80), kept in "[abü]{0,3}",
        ) {
            let mut index = Index::default();
            let (mut order, mut last) = (Vec::new(), BTreeMap::new());
            for (id, offset) in &records {
                index.insert(id, entry(*offset)).unwrap();
                let known = last.entry(id.clone()).or_insert(*offset);
                *known = (*known).max(*offset);
                if !order.contains(id) {
                    order.push(id.clone());
                }
            }
            let check = |index: &Index, order: &[String]| {
                assert_eq!(index.iter().map(|(id, _)| id).collect::<Vec<_>>(), order);
                for id in last.keys() {
                    let found = order.contains(id).then(|| entry(last[id]));
                    assert_eq!(index.get(id).copied(), found, "{id}");
                }
            };
            check(&index, &order);
            let keep = |id: &str| id.len() != kept.len();
            index.retain(keep);
            order.retain(|id| keep(id));
            check(&index, &order);
        }
    }
}
