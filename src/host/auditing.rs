//! Faults of the whole data set: `audit_transcripts`.

use rhai::plugin::*;
use rhai::{Dynamic, Map, Module, NativeCallContext};
use serde_json::Value;

use super::options::{Options, OptionsOf};
use super::passing::PassingValue;
use super::reader::LazyItems;
use crate::base::events::Event;
use crate::base::{Error, Kind, Result};
use crate::pipeline::audit::{self, Chat, First, Report, Seen, Setup, Sum, Unreadable};
use crate::script::{Ctx, ScriptResult, values};
use crate::store::ids::transcript_path;
use crate::work::{World, in_order};

/// The functions that take options.
pub const OPTIONS: &[OptionsOf] = &[OptionsOf {
    function: "audit_transcripts",
    parameter: 1,
    names: &[
        "gates",
        "min_words",
        "max_words",
        "ratio",
        "language",
        "system",
        "allow",
        "phrases",
        "praise",
        "refusals",
        "role_leaks",
        "swapped_roles",
        "speakers",
        "stop_words",
        "most",
    ],
}];

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// Faults of the whole data set, which no judge of one transcript can see: repeated phrases, rigid structure, lengths,
    /// praise, duplicates, leaks, refusals, leftovers.
    ///
    /// `transcripts` are what `read_transcripts` or `passing` gives, or an array of ids or transcripts. They are read twice, on
    /// all cores, a few at a time. One that cannot be read is named, and the others go on. All checks, gates and word lists
    /// are described in docs/audit.md.
    ///
    /// Options: `gates`: a map of limits by name (`#{phrase_share: 0.05}`), `()` or false turns a gate off; `min_words` (4)
    /// and `max_words` (8): of the phrases that are looked for, longer ones are put together of them; `ratio` (2.0): from
    /// how many times its message on a reply is long; `language`: that all should be in, by its English name or ISO 639-3 code (that of most); `system`:
    /// the system prompt; `allow`: words that may stand everywhere, such as names of products; `phrases`: ones to count;
    /// `most` (20): findings of each gate that are listed. In place of the built-in lists: `praise`, `refusals`,
    /// `role_leaks`, `swapped_roles`, `speakers`, `stop_words`.
    ///
    /// Gives `#{transcripts, replies, pass, gates, findings, phrases}`; a gate is `#{name, about, limit, value, pass, findings}`, a finding
    /// `#{kind, gate, message, value, count, ids, examples}`, an example `#{id, turn, side, text}`. `phrases` are
    /// those that a prompt may warn of.
    ///
    /// ```rhai
    /// let chats = [1, 2, 3, 4].map(|n| #{id: `t${n}`, exchanges: [#{user: `What is ${n}?`, assistant: `Great question! It is ${n}.`}]});
    /// let found = audit_transcripts(chats, #{gates: #{phrase_share: 0.5}});
    /// [found.pass, found.findings[0].gate, found.findings[0].message]   // -> [false, "phrase_share", "\"Great question\" stands in 4 of 4 replies (100 %), in 4 of 4 transcripts (100 %)"]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn audit_transcripts(
        context: NativeCallContext,
        transcripts: Dynamic,
        options: Map,
    ) -> ScriptResult<Dynamic> {
        Ok(super::audited(&Ctx::of(&context)?, transcripts, &options)?)
    }

    #[rhai_fn(name = "audit_transcripts", return_raw)]
    pub fn audit_usual(context: NativeCallContext, transcripts: Dynamic) -> ScriptResult<Dynamic> {
        Ok(super::audited(&Ctx::of(&context)?, transcripts, &Map::new())?)
    }
}

fn audited(ctx: &Ctx, transcripts: Dynamic, options: &Map) -> Result<Dynamic> {
    let setup = Setup::new(&read_options(options)?)?;
    let sources = sources(transcripts)?;
    values::from_serialize(&audit_all(&ctx.world, &sources, setup)?)
}

/// A transcript before it is read.
enum Source {
    File(String),
    Given(Value),
}

fn sources(transcripts: Dynamic) -> Result<Vec<Source>> {
    if let Some(passing) = transcripts.read_lock::<PassingValue>() {
        return Ok(passing
            .transcripts
            .iter()
            .map(|wanted| Source::File(transcript_path(&wanted.id)))
            .collect());
    }
    if let Some(items) = transcripts.read_lock::<LazyItems>() {
        let paths = items.paths().ok_or_else(|| unfit("the lines of a file"))?;
        return Ok(paths.iter().cloned().map(Source::File).collect());
    }
    let array = transcripts.into_array().map_err(|found| unfit(&values::friendly_type(found)))?;
    array.iter().map(in_array).collect()
}

/// An id, or a transcript.
fn in_array(item: &Dynamic) -> Result<Source> {
    match item.clone().into_string() {
        Ok(id) => Ok(Source::File(transcript_path(&id))),
        Err(_) => Ok(Source::Given(values::to_json(item)?)),
    }
}

fn unfit(what: &str) -> Error {
    Error::new(Kind::Argument, format!("`audit_transcripts` cannot audit {what}"))
        .hint("give it what `read_transcripts` or `passing` gives, or an array of ids or transcripts")
}

/// Reads all transcripts twice: first what there is, then what may be frequent.
fn audit_all(world: &World, sources: &[Source], setup: Setup) -> Result<Report> {
    let first = First::new(setup, sources.len());
    let (mut seen, mut unreadable) = (Seen::default(), Vec::new());
    let see = |source: &Source| Ok(chat(world, source)?.map(|chat| first.see(&chat)));
    each(world, sources, see, |next| match next {
        Ok(next) => seen.merge(next),
        Err(fault) => {
            world.emit(Event::Warning(format!("{}: {}", fault.id, fault.why)));
            unreadable.push(fault);
        }
    })?;
    let (second, mut sum) = (first.end(seen), Sum::default());
    // What could not be read was told of.
    let look = |source: &Source| Ok(chat(world, source)?.map(|chat| second.see(chat)));
    each(world, sources, look, |part| part.into_iter().for_each(|part| sum.add(part)))?;
    Ok(second.end(sum, unreadable))
}

fn each<P: Send>(
    world: &World,
    sources: &[Source],
    see: impl Fn(&Source) -> Result<std::result::Result<P, Unreadable>> + Sync,
    mut take: impl FnMut(std::result::Result<P, Unreadable>) + Send,
) -> Result<()> {
    let take = |part| {
        take(part);
        Ok(())
    };
    in_order::run(&world.threads, in_order::cores(), sources.iter(), see, take)
}

/// A conversation, or why there is none: the others go on.
fn chat(world: &World, source: &Source) -> Result<std::result::Result<Chat, Unreadable>> {
    world.stop.check()?;
    let (name, read) = match source {
        Source::File(path) => {
            (path.as_str(), world.project.read_text(path).and_then(|text| Chat::parse(path, &text)))
        }
        Source::Given(value) => {
            let name = value.get("id").and_then(Value::as_str).unwrap_or("a transcript of the array");
            (name, Chat::parse(name, &value.to_string()))
        }
    };
    Ok(read.map_err(|error| {
        let place = error.place().map(|place| format!("line {}: ", place.line)).unwrap_or_default();
        Unreadable { id: name.into(), why: format!("{place}{error}") }
    }))
}

fn read_options(map: &Map) -> Result<audit::Options> {
    let options = Options::of("audit_transcripts", map)?;
    let usual = audit::Options::default();
    let mut limits = usual.limits;
    for (name, limit) in gates(&options)? {
        limits.set(&name, limit)?;
    }
    Ok(audit::Options {
        limits,
        phrase_words: (
            options.whole("min_words", 2)?.unwrap_or(usual.phrase_words.0),
            options.whole("max_words", 2)?.unwrap_or(usual.phrase_words.1),
        ),
        ratio: options.number("ratio")?.unwrap_or(usual.ratio),
        language: options.text("language")?,
        system: options.text("system")?.unwrap_or_default(),
        allow: options.texts("allow")?.unwrap_or_default(),
        phrases: options.texts("phrases")?.unwrap_or_default(),
        praise: options.texts("praise")?,
        refusals: options.texts("refusals")?,
        role_leaks: options.texts("role_leaks")?,
        swapped_roles: options.texts("swapped_roles")?,
        speakers: options.texts("speakers")?,
        stop_words: options.texts("stop_words")?,
        most: options.whole("most", 1)?.unwrap_or(usual.most),
    })
}

/// The limits that are given; none where a gate is to be off.
fn gates(options: &Options) -> Result<Vec<(String, Option<f64>)>> {
    let Some(given) = options.get("gates") else { return Ok(Vec::new()) };
    let wrong = |what: String| {
        Error::new(Kind::Argument, format!("option `gates` of `audit_transcripts`: {what}"))
            .hint("it is a map of limits by gate: #{phrase_share: 0.05, bold: false}")
    };
    let map =
        given.read_lock::<Map>().ok_or_else(|| wrong(format!("{} is no map", values::type_name(given))))?;
    let limit = |(name, value): (&rhai::Identifier, &Dynamic)| {
        let is_off = value.is_unit() || matches!(value.as_bool(), Ok(false));
        let limit = if is_off {
            None
        } else {
            Some(values::number(value).ok_or_else(|| wrong(format!("the limit of `{name}` is {value}")))?)
        };
        Ok((name.to_string(), limit))
    };
    map.iter().map(limit).collect()
}
