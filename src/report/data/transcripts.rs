//! The transcripts that are there: what identifies each, and how long it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{Depth, Notes};
use crate::base::Result;
use crate::base::json::Json;
use crate::pipeline::length::words;
use crate::pipeline::talk::Talk;
use crate::pipeline::tokens::{Encoding, count_message};
use crate::report::page::facets::fields;
use crate::store::ids::transcript_path;
use crate::work::{World, in_order};

/// Where they stand.
pub const GLOB: &str = "data/raw/transcripts/*.json";

/// What tokens are counted by.
pub const ENCODING: Encoding = Encoding::Cl100kBase;

/// All transcripts.
#[derive(Debug, Default)]
pub struct Transcripts {
    /// Those that can be read, by id.
    pub seen: BTreeMap<String, Seen>,
    /// The paths of the others.
    pub damaged: BTreeSet<String>,
}

/// A transcript.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Its content's hash.
    pub hash: String,
    /// How many exchanges it has.
    pub turns: usize,
    /// The short fields of its persona, where they were asked for.
    pub fields: BTreeMap<String, Vec<String>>,
    /// Tokens of its messages, where they were counted.
    pub tokens: usize,
    /// Words of each message of the user.
    pub user_words: Vec<u32>,
    /// Words of each message of the assistant.
    pub assistant_words: Vec<u32>,
}

impl Transcripts {
    /// The hash that an id's transcript has today; one that is damaged has changed.
    pub fn hash(&self, id: &str) -> Option<String> {
        let damaged = || self.damaged.contains(&transcript_path(id)).then(String::new);
        self.seen.get(id).map(|seen| seen.hash.clone()).or_else(damaged)
    }
}

/// Reads them all.
pub fn read(world: &World, depth: Depth, notes: &mut Notes) -> Result<Transcripts> {
    let mut found = Transcripts::default();
    let paths = world.project.list(GLOB)?;
    let make = |path: String| {
        world.stop.check()?;
        let seen = look(world, &path, depth);
        Ok((path, seen))
    };
    in_order::run(&world.threads, in_order::cores(), paths.into_iter(), make, |(path, seen)| {
        match notes.keep(seen) {
            Some((id, seen)) if transcript_path(&id) == path => drop(found.seen.insert(id, seen)),
            Some((id, _)) => {
                notes.add(format!("{path} is left out: by its name it is not the transcript of `{id}`"))
            }
            None => drop(found.damaged.insert(path)),
        }
        Ok(())
    })?;
    Ok(found)
}

fn look(world: &World, path: &str, depth: Depth) -> Result<(String, Seen)> {
    let text = world.project.read_text(path)?;
    let talk = Talk::parse(path, &text)?;
    let mut seen = Seen { hash: talk.hash(), turns: talk.exchanges.len(), ..Seen::default() };
    if depth == Depth::Whole {
        seen.fields = Json::parse(&text).map(|json| fields(&json)).unwrap_or_default();
        let side = |side: usize| talk.exchanges.iter().map(move |pair| &*pair[side]);
        seen.tokens = side(0).chain(side(1)).map(|text| count_message(text, ENCODING)).sum();
        seen.user_words = side(0).map(|text| words(text) as u32).collect();
        seen.assistant_words = side(1).map(|text| words(text) as u32).collect();
    }
    Ok((talk.id.into_owned(), seen))
}
