//! What `process` and `parallel_map` take: arrays, lazy readers and ranges, as often as they are asked for.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rhai::packages::{BasicIteratorPackage, Package};
use rhai::{Dynamic, Engine, INT};
use serde_json::{Value, json};

use super::reader::LazyItems;
use crate::base::cancel::Stop;
use crate::base::{Error, Kind, Result};
use crate::script::closure::unshare;
use crate::script::values;
use crate::work::plan;
use crate::work::process::{BadItem, Item, Items, Unread};

/// A script's items.
pub enum Given {
    /// The script's own values.
    Array(Vec<Dynamic>),
    /// Read one by one.
    Lazy(LazyItems),
    /// Made one by one.
    Range(Numbers),
}

/// An element that is read or made when it is its turn.
pub type Element<'a> = Box<dyn FnOnce() -> Result<Dynamic> + Send + 'a>;

impl Given {
    /// What a script gave to a function.
    pub fn of(function: &str, items: Dynamic, stop: &Stop) -> Result<Given> {
        let items = items.flatten();
        if let Some(lazy) = items.read_lock::<LazyItems>() {
            return Ok(Given::Lazy(lazy.clone()));
        }
        if let Some(numbers) = Numbers::of(&items, stop)? {
            return Ok(Given::Range(numbers));
        }
        // It shares nothing: the closure may hold the same array.
        match unshare(items)?.into_array() {
            Ok(array) => Ok(Given::Array(array)),
            Err(found) => {
                let found = values::friendly_type(found);
                Err(Error::new(Kind::Argument, format!("`{function}` needs an array of items, not {found}"))
                    .hint("a range (0..1000) and what read_transcripts and stream_jsonl give will do, too"))
            }
        }
    }

    /// As `parallel_map` gives them to its closure: of a range, the numbers.
    pub fn elements(&self) -> Box<dyn Iterator<Item = Element<'_>> + Send + '_> {
        fn element<'a>(read: impl FnOnce() -> Result<Dynamic> + Send + 'a) -> Element<'a> {
            Box::new(read)
        }
        match self {
            Given::Array(items) => Box::new(items.iter().map(|item| element(|| Ok(item.clone())))),
            Given::Lazy(lazy) => {
                Box::new(lazy.iter().map(|item| element(|| Ok(values::from_json(&item.read()?)))))
            }
            Given::Range(numbers) => Box::new(numbers.iter().map(|n| element(move || Ok(n.into())))),
        }
    }
}

/// What the closure of `process` gets for an item.
pub enum Payload {
    /// The script's own value.
    Own(Dynamic),
    /// What was read, which is all there is to it.
    Plain,
}

impl Payload {
    /// The value of an item of which nothing else is kept from then on: thousands of them may wait for models.
    pub fn take(item: Item<Payload>) -> Dynamic {
        match item.payload {
            Payload::Own(value) => value,
            Payload::Plain => values::from_json(&item.plain),
        }
    }

    /// The value, of an item that is this as plain JSON.
    pub fn value(&self, plain: &Value) -> Dynamic {
        match self {
            Payload::Own(value) => value.clone(),
            Payload::Plain => values::from_json(plain),
        }
    }
}

impl Items<Payload> for Given {
    fn pass(&self) -> Box<dyn Iterator<Item = Unread<'_, Payload>> + Send + '_> {
        match self {
            Given::Array(items) => Box::new(items.iter().enumerate().map(|(place, value)| {
                let read = move || Ok(item(place, values::to_json(value)?, Payload::Own(value.clone()))?);
                Box::new(read) as Unread<_>
            })),
            Given::Lazy(lazy) => Box::new(lazy.iter().enumerate().map(|(place, unread)| {
                Box::new(move || {
                    let id = unread.id();
                    let json = unread.read().map_err(|error| BadItem { id, error })?;
                    Ok(item(place, values::normal(json)?, Payload::Plain)?)
                }) as Unread<_>
            })),
            Given::Range(numbers) => {
                Box::new(numbers.iter().map(|n| Box::new(move || Ok(numbered(n))) as Unread<_>))
            }
        }
    }
}

fn item(place: usize, plain: Value, payload: Payload) -> Result<Item<Payload>> {
    Ok(Item { id: plan::item_id(&plain, place)?, plain, payload })
}

/// The item of a number: a map like any other.
fn numbered(n: INT) -> Item<Payload> {
    let id = n.to_string();
    Item { plain: json!({"id": id, "n": n}), id, payload: Payload::Plain }
}

/// The numbers of a range. Where it is not `1`, the step is that between the first two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numbers {
    first: INT,
    step: INT,
    count: u32,
}

impl Numbers {
    /// Those of a script's range, when it is one.
    fn of(range: &Dynamic, stop: &Stop) -> Result<Option<Numbers>> {
        let from_to = |first: INT, end: i128| {
            let count = u32::try_from((end - i128::from(first)).max(0)).map_err(|_| too_many())?;
            Ok(Some(Numbers { first, step: 1, count }))
        };
        if let Some(range) = range.read_lock::<Range<INT>>() {
            return from_to(range.start, range.end.into());
        }
        if let Some(range) = range.read_lock::<RangeInclusive<INT>>() {
            return from_to(*range.start(), i128::from(*range.end()) + 1);
        }
        let in_steps = values::type_name(range) == "range in steps";
        in_steps.then(|| Numbers::walked(range, stop)).transpose()
    }

    /// A range in steps tells nothing of itself: an engine without limits walks along it, once.
    fn walked(range: &Dynamic, stop: &Stop) -> Result<Numbers> {
        let seen = Arc::new((AtomicU64::new(0), AtomicI64::new(0), AtomicI64::new(0)));
        let (mut engine, mut scope) = (Engine::new_raw(), rhai::Scope::new());
        BasicIteratorPackage::new().register_into_engine(&mut engine);
        let (stop, notes) = (stop.clone(), seen.clone());
        engine.on_progress(move |_| stop.scripts_end_now().then_some(Dynamic::UNIT));
        engine.register_fn("see", move |n: INT| match notes.0.fetch_add(1, Ordering::Relaxed) {
            0 => notes.1.store(n, Ordering::Relaxed),
            1 => notes.2.store(n, Ordering::Relaxed),
            _ => {}
        });
        scope.push_dynamic("range", range.clone());
        engine.run_with_scope(&mut scope, "for n in range { see(n) }").map_err(|_| {
            Error::new(Kind::Argument, "this range is not one of whole numbers")
                .hint("its numbers are the ids: range(0, 100, 5)")
        })?;
        let (first, second) = (seen.1.load(Ordering::Relaxed), seen.2.load(Ordering::Relaxed));
        let count = u32::try_from(seen.0.load(Ordering::Relaxed)).map_err(|_| too_many())?;
        Ok(Numbers { first, step: second.wrapping_sub(first), count })
    }

    fn iter(self) -> impl Iterator<Item = INT> + Send {
        (0..INT::from(self.count)).map(move |i| self.first.wrapping_add(self.step.wrapping_mul(i)))
    }
}

fn too_many() -> Error {
    Error::new(Kind::Limit, "the range has more than 4 billion numbers").hint("give it an end: 0..1000")
}
