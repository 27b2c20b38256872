//! The dimensions of `draw_dimensions` as scripts write them, and personas made of what was drawn.

use rhai::{Array, Dynamic, Identifier, Map};

use crate::base::{Error, Kind, Result, suggest};
use crate::pipeline::dimensions::{Dimension, Entry};
use crate::pipeline::sampling::Person;
use crate::script::values;

/// The keys of a dimension.
const KEYS: &[&str] = &["name", "entries", "within", "counts", "fields"];

/// The dimensions of a draw.
#[derive(Default)]
pub struct Dimensions {
    /// What is drawn.
    pub plain: Vec<Dimension>,
    /// How each of them is told in a persona.
    told: Vec<Told>,
}

struct Told {
    /// The entries of all lists, as the script gave them, without their weights.
    entries: Vec<Dynamic>,
    /// Keys of entries, and the persona's fields that they become.
    fields: Vec<(Identifier, Identifier)>,
    /// It only says how many of the next one there are.
    hidden: bool,
}

impl Dimensions {
    /// As a script gives them.
    pub fn of(dimensions: &Array) -> Result<Dimensions> {
        let mut all = Dimensions::default();
        for (place, dimension) in dimensions.iter().enumerate() {
            let Ok(map) = dimension.as_map_ref() else {
                return Err(wrong(format!("dimension number {} is no map", place + 1))
                    .hint("write #{name: \"style\", entries: [#{id: \"terse\", weight: 0.4}, ...]}"));
            };
            all.add(&map, place)?;
        }
        Ok(all)
    }

    fn add(&mut self, map: &Map, place: usize) -> Result<()> {
        let name = text(map, "name")?.ok_or_else(|| {
            wrong(format!("dimension number {} has no name", place + 1)).hint("write `name: \"style\"`")
        })?;
        if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let hint = suggest::hint(key, KEYS.iter().copied());
            return Err(wrong(format!("dimension `{name}` has an unknown key `{key}`")).hint(hint));
        }
        if self.plain.iter().any(|other| other.name == name) {
            return Err(wrong(format!("dimension `{name}` is there twice")));
        }
        let counts = map.get("counts").filter(|counts| !counts.is_unit());
        let count = counts.map(|counts| self.add_count(&name, counts)).transpose()?;
        let within = text(map, "within")?.map(|parent| self.place_of(&name, &parent)).transpose()?;
        let lists = self.lists(&name, map.get("entries"), within)?;
        let plain: Vec<Vec<Entry>> = lists.iter().map(|list| entries(&name, list)).collect::<Result<_>>()?;
        self.plain.push(Dimension::new(&name, within, count, plain)?);
        let entries = lists.into_iter().flatten().map(without_weight).collect();
        self.told.push(Told { entries, fields: fields(&name, map)?, hidden: false });
        Ok(())
    }

    /// The dimension that says how many entries of another one are drawn.
    fn add_count(&mut self, name: &str, counts: &Dynamic) -> Result<usize> {
        let shape = || {
            wrong(format!("`counts` of dimension `{name}` is no map of numbers to weights"))
                .hint("for none, one or two of it write counts: #{\"0\": 0.2, \"1\": 0.4, \"2\": 0.4}")
        };
        let counts = counts.as_map_ref().map_err(|_| shape())?;
        let entry = |(id, weight): (&Identifier, &Dynamic)| {
            let weight = values::number(weight).filter(|_| id.parse::<usize>().is_ok());
            weight.map(|weight| Entry { id: id.to_string(), weight }).ok_or_else(shape)
        };
        let list = counts.iter().map(entry).collect::<Result<Vec<_>>>()?;
        self.plain.push(Dimension::new(&format!("{name}_count"), None, None, vec![list])?);
        self.told.push(Told { entries: Vec::new(), fields: Vec::new(), hidden: true });
        Ok(self.plain.len() - 1)
    }

    fn place_of(&self, name: &str, parent: &str) -> Result<usize> {
        let single = |other: &Dimension| other.name == parent && other.count.is_none();
        self.plain.iter().position(single).ok_or_else(|| {
            let message = format!("dimension `{name}` is within `{parent}`, which does not stand before it");
            wrong(message).hint(
                "a dimension stands behind the one that it is within, which has one value for each persona",
            )
        })
    }

    /// The entries of its one list, or of a list for each entry of the one that it is within.
    fn lists(&self, name: &str, given: Option<&Dynamic>, within: Option<usize>) -> Result<Vec<Array>> {
        let shape = |what: &str| wrong(format!("dimension `{name}` {what}"));
        let Some(parent) = within else {
            let array = given.and_then(|given| given.as_array_ref().ok().map(|array| array.to_vec()));
            let hint = "write `entries: [#{id: \"terse\", weight: 0.4}, ...]`, or an array of texts that are equally likely";
            return Ok(vec![array.ok_or_else(|| shape("has no array of `entries`").hint(hint))?]);
        };
        let key = given.and_then(|given| given.clone().into_string().ok()).ok_or_else(|| {
            shape("is within another one, and so its `entries` must be the name of a list in each entry of that one")
                .hint("for topics with situations: `within: \"topic\", entries: \"situations\"`")
        })?;
        let around = &self.plain[parent];
        let of_entry = |(entry, told): (&Entry, &Dynamic)| {
            let list = told
                .as_map_ref()
                .ok()
                .and_then(|map| map.get(key.as_str())?.as_array_ref().ok().map(|a| a.to_vec()));
            list.ok_or_else(|| {
                wrong(format!("`{}` of dimension `{}` has no list `{key}`", entry.id, around.name))
            })
        };
        around.entries().iter().zip(&self.told[parent].entries).map(of_entry).collect()
    }

    /// The persona's fields of what was drawn for it.
    pub fn persona(&self, person: &Person) -> Map {
        let mut persona = Map::new();
        for ((plain, told), drawn) in self.plain.iter().zip(&self.told).zip(person) {
            if told.hidden {
                continue;
            }
            if plain.count.is_some() {
                let all: Array = drawn.iter().map(|entry| told.entries[*entry].clone()).collect();
                persona.insert(plain.name.as_str().into(), all.into());
            } else if let Some(entry) = drawn.first() {
                persona.insert(plain.name.as_str().into(), plain.entries()[*entry].id.as_str().into());
                tell(told, *entry, &mut persona);
            }
        }
        persona
    }
}

fn tell(told: &Told, entry: usize, persona: &mut Map) {
    let Ok(map) = told.entries[entry].as_map_ref() else { return };
    for (key, field) in &told.fields {
        if let Some(value) = map.get(key) {
            persona.insert(field.clone(), value.clone());
        }
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Argument, message)
}

fn text(map: &Map, key: &str) -> Result<Option<String>> {
    let Some(value) = map.get(key).filter(|value| !value.is_unit()) else { return Ok(None) };
    let text = value.clone().into_string();
    text.map(Some).map_err(|_| wrong(format!("`{key}` of a dimension must be a string, not {value}")))
}

/// Texts are equally likely; maps have an `id` and a `weight`.
fn entries(name: &str, list: &Array) -> Result<Vec<Entry>> {
    let of_map = |place: usize, map: &Map| {
        let id = map.get("id").and_then(id_of);
        let id =
            id.ok_or_else(|| wrong(format!("entry number {} of dimension `{name}` has no `id`", place + 1)))?;
        let weight =
            map.get("weight").and_then(values::number).filter(|weight| weight.is_finite() && *weight >= 0.0);
        let weight = weight.ok_or_else(|| {
            wrong(format!("`{id}` of dimension `{name}` has no `weight` that is a number from 0 up"))
        })?;
        Ok(Entry { id, weight })
    };
    let of_entry = |(place, entry): (usize, &Dynamic)| match entry.as_map_ref() {
        Ok(map) => of_map(place, &map),
        Err(_) => id_of(entry).map(|id| Entry { id, weight: 1.0 }).ok_or_else(|| {
            let found = values::type_name(entry);
            wrong(format!(
                "entry number {} of dimension `{name}` is neither a map nor a text, but {found}",
                place + 1
            ))
        }),
    };
    list.iter().enumerate().map(of_entry).collect()
}

/// An id, also one that YAML takes for a number or a truth.
pub fn id_of(value: &Dynamic) -> Option<String> {
    let plain = value.is_string() || value.is_int() || value.is_bool();
    plain.then(|| value.to_string())
}

fn without_weight(entry: Dynamic) -> Dynamic {
    match entry.as_map_ref().ok().map(|map| map.clone()) {
        Some(mut map) => {
            map.remove("weight");
            map.into()
        }
        None => entry,
    }
}

fn fields(name: &str, map: &Map) -> Result<Vec<(Identifier, Identifier)>> {
    let Some(fields) = map.get("fields").filter(|fields| !fields.is_unit()) else { return Ok(Vec::new()) };
    let shape = || {
        wrong(format!("`fields` of dimension `{name}` is no map of an entry's keys to fields of the persona"))
            .hint("for instance `fields: #{words: \"word_limit\"}`")
    };
    let map = fields.as_map_ref().map_err(|_| shape())?;
    let field = |(key, field): (&Identifier, &Dynamic)| {
        field.clone().into_string().map(|field| (key.clone(), field.as_str().into())).map_err(|_| shape())
    };
    map.iter().map(field).collect()
}
