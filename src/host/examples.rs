//! Examples that are made when they are asked for: never all at once in memory.

use std::sync::Arc;

use rhai::{Array, Dynamic};
use serde::Deserialize;
use serde_json::Value;

use super::passing::PassingValue;
use super::reader::LazyItems;
use crate::base::events::Event;
use crate::base::{Error, Kind, Result};
use crate::pipeline::lines::{Sheet, System};
use crate::pipeline::rules::Rules;
use crate::pipeline::slices::{SliceOptions, slice_transcript};
use crate::pipeline::talk::Talk;
use crate::pipeline::tokens;
use crate::pipeline::transcript::Transcript;
use crate::script::{ScriptResult, values};
use crate::store::ids::transcript_path;
use crate::work::{World, in_order};

/// What `slice_transcripts` gives: usable in `for`, and by `write_training_data`.
#[derive(Clone)]
pub struct Examples {
    world: Arc<World>,
    /// In the order of their ids.
    transcripts: Arc<Vec<Wanted>>,
    system: Arc<str>,
    options: SliceOptions,
}

/// A transcript that is to be sliced.
pub struct Wanted {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub source: Source,
    /// The hash that its content must have: what was judged, and nothing else, is trained on.
    pub hash: Option<Box<str>>,
}

/// Where a transcript is.
pub enum Source {
    /// In the file of its id.
    Id,
    /// In another file.
    File(Box<str>),
    /// Here, as JSON.
    Text(Box<str>),
}

impl Wanted {
    fn path(&self) -> String {
        match &self.source {
            Source::Id => transcript_path(&self.id),
            Source::File(path) => path.to_string(),
            Source::Text(_) => self.id.clone(),
        }
    }

    /// Its text; none when it is not to be had any more.
    fn text(&self, world: &World) -> Result<Option<String>> {
        match &self.source {
            Source::Text(text) => Ok(Some(text.to_string())),
            _ => self.or_leave_out(world, world.project.read_text(&self.path())),
        }
    }

    /// What the text says; none when that may not be trained on any more.
    fn talk<'t>(&self, world: &World, text: &'t str) -> Result<Option<Talk<'t>>> {
        let talk = Talk::parse(&self.path(), text).and_then(|talk| match &self.hash {
            Some(hash) if talk.hash() != **hash => Err(Error::new(Kind::Data, "it has changed since then")),
            _ if talk.id != self.id => Err(self.of_another(&talk.id)),
            _ => Ok(talk),
        });
        self.or_leave_out(world, talk)
    }

    fn of_another(&self, id: &str) -> Error {
        Error::new(Kind::Data, format!("{} holds the transcript `{id}`, not `{}`", self.path(), self.id))
            .hint("a transcript stands in the file of its own id, where write_transcript puts it")
    }

    /// A transcript that was judged may have changed since: then it is not trained on, and the others go on.
    fn or_leave_out<T>(&self, world: &World, read: Result<T>) -> Result<Option<T>> {
        match read {
            Err(error) if self.hash.is_some() => {
                let text = format!("transcript `{}` was judged, and is left out now: {error}", self.id);
                world.emit(Event::Warning(text));
                Ok(None)
            }
            read => read.map(Some),
        }
    }
}

impl Examples {
    /// Those of transcripts: what `passing` or `read_transcripts` gives, or an array of ids, records and transcripts.
    pub fn new(
        world: &Arc<World>,
        transcripts: Dynamic,
        system: &str,
        options: SliceOptions,
    ) -> Result<Examples> {
        // While the transcripts are found.
        tokens::preload(options.encoding);
        let transcripts = if let Some(passing) = transcripts.read_lock::<PassingValue>() {
            passing.transcripts.clone()
        } else if let Some(items) = transcripts.read_lock::<LazyItems>() {
            sorted(in_files(world, &items)?)
        } else {
            let array = transcripts.into_array().map_err(nothing_to_slice)?;
            let items = array.iter().enumerate();
            sorted(items.map(|(place, item)| in_array(place, item)).collect::<Result<_>>()?)
        };
        Ok(Examples { world: world.clone(), transcripts, system: system.into(), options })
    }

    /// Makes the lines of each transcript, on `width` threads at most, and gives them to `take` in the order of ids.
    pub fn each_sheet(
        &self,
        width: usize,
        rules: &Rules,
        take: impl FnMut(Sheet) -> Result<()> + Send,
    ) -> Result<()> {
        let system = System::new(&self.system, &self.options);
        let same_id = self.transcripts.chunk_by(|one, next| one.id == next.id);
        let make = |transcripts: &[Wanted]| self.sheet(transcripts, &system, rules);
        in_order::run(&self.world.threads, width, same_id, make, take)
    }

    fn sheet(&self, transcripts: &[Wanted], system: &System, rules: &Rules) -> Result<Sheet> {
        self.world.stop.check()?;
        let texts = transcripts.iter().map(|wanted| wanted.text(&self.world));
        let texts = texts.collect::<Result<Vec<_>>>()?;
        let mut talks = Vec::new();
        for (wanted, text) in transcripts.iter().zip(&texts) {
            if let Some(text) = text {
                talks.extend(wanted.talk(&self.world, text)?);
            }
        }
        Sheet::of_talks(&talks, system, &self.options, rules)
    }

    /// The examples of one transcript, as a script's maps.
    fn maps(&self, wanted: &Wanted) -> Result<Array> {
        let Some(text) = wanted.text(&self.world)? else { return Ok(Array::new()) };
        if wanted.talk(&self.world, &text)?.is_none() {
            return Ok(Array::new());
        }
        let transcript = Transcript::parse(&wanted.path(), &text)?;
        let sliced = slice_transcript(&transcript, &self.system, &self.options)?;
        self.world.count_over_budget(sliced.over_budget);
        sliced.examples.iter().map(values::from_serialize).collect()
    }
}

impl IntoIterator for Examples {
    type Item = ScriptResult<Dynamic>;
    type IntoIter = Box<dyn Iterator<Item = ScriptResult<Dynamic>>>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new((0..self.transcripts.len()).flat_map(
            move |place| match self.maps(&self.transcripts[place]) {
                Ok(maps) => maps.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error.into())],
            },
        ))
    }
}

fn sorted(mut transcripts: Vec<Wanted>) -> Arc<Vec<Wanted>> {
    transcripts.sort_by(|one, next| one.id.cmp(&next.id));
    Arc::new(transcripts)
}

/// Files are named after ids, but not in their order: so the ids are read first.
fn in_files(world: &World, items: &LazyItems) -> Result<Vec<Wanted>> {
    let missing = || {
        Error::new(Kind::Argument, "`slice_transcripts` cannot slice the lines of a file one by one")
            .hint("read_transcripts() gives transcripts that it can")
    };
    let read = |path: &String| {
        world.stop.check()?;
        let text = world.project.read_text(path)?;
        let id = match serde_json::from_str::<OnlyId>(&text) {
            Ok(OnlyId { id }) => id,
            Err(_) => Transcript::parse(path, &text)?.id,
        };
        Ok(Wanted { id, source: Source::File(path.as_str().into()), hash: None })
    };
    let (paths, mut found) = (items.paths().ok_or_else(missing)?, Vec::new());
    let take = |wanted| {
        found.push(wanted);
        Ok(())
    };
    in_order::run(&world.threads, in_order::cores(), paths.iter(), read, take)?;
    Ok(found)
}

#[derive(Deserialize)]
struct OnlyId {
    id: String,
}

/// An id, a record with one, or a whole transcript.
fn in_array(place: usize, item: &Dynamic) -> Result<Wanted> {
    if let Ok(id) = item.clone().into_string() {
        return Ok(Wanted { id, source: Source::Id, hash: None });
    }
    let value = values::to_json(item)?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    if value.get("exchanges").is_some() {
        let id = Transcript::from_value(&value)?.id;
        return Ok(Wanted { id, source: Source::Text(value.to_string().into()), hash: None });
    }
    let nothing = || {
        let message =
            format!("`slice_transcripts`: number {} is neither an id, a record nor a transcript", place + 1);
        Error::new(Kind::Argument, message)
    };
    let id = text("id").ok_or_else(nothing)?.to_string();
    Ok(Wanted { id, source: Source::Id, hash: text("transcript_hash").map(Into::into) })
}

fn nothing_to_slice(found: &str) -> Error {
    let found = values::friendly_type(found);
    Error::new(Kind::Argument, format!("`slice_transcripts` cannot slice {found}")).hint(
        "give it what `passing` or `read_transcripts` gives, or an array of ids, records or transcripts",
    )
}
