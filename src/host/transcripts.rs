//! Conversations on disk: `data/raw/transcripts/<id>.json`.

use rhai::plugin::*;
use rhai::{Dynamic, Map, Module, NativeCallContext};
use serde_json::Value;

use super::reader::{LazyItems, read_transcript as read_file};
use crate::base::{Error, Kind, Result};
use crate::pipeline::transcript::Transcript;
use crate::script::{Ctx, ScriptResult, values};
use crate::store::Project;
use crate::store::ids::transcript_path;

/// Where transcripts are when no glob is given.
const ALL: &str = "data/raw/transcripts/*.json";

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// All transcripts, read one by one, in the order of their file names.
    ///
    /// ```rhai
    /// write_transcript(#{id: "a", exchanges: [#{user: "Hi", assistant: "Hello"}]});
    /// let turns = [];
    /// for transcript in read_transcripts() { turns.push(transcript.exchanges.len()); }
    /// turns   // -> [1]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read_transcripts(context: NativeCallContext) -> ScriptResult<LazyItems> {
        Ok(super::all(&context, ALL)?)
    }

    #[rhai_fn(name = "read_transcripts", return_raw)]
    pub fn read_transcripts_of(context: NativeCallContext, glob: &str) -> ScriptResult<LazyItems> {
        Ok(super::all(&context, glob)?)
    }

    /// The transcript of an id: `#{id, persona, exchanges: [#{user, assistant}], ...}`.
    ///
    /// Errors: `not_found`; `data` for a damaged file, with its place.
    ///
    /// ```rhai
    /// write_transcript(#{id: "a", exchanges: [#{user: "Hi", assistant: "Hello"}]});
    /// read_transcript("a").exchanges[0].user   // -> "Hi"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read_transcript(context: NativeCallContext, id: &str) -> ScriptResult<Dynamic> {
        let ctx = Ctx::of(&context)?;
        Ok(values::from_json(&read_file(&ctx.world.project, &transcript_path(id))?))
    }

    /// Writes a transcript, whole or not at all. Ids become safe file names; ordinary ones stay as they are.
    ///
    /// ```rhai
    /// write_transcript(#{id: "a", exchanges: [#{user: "Hi", assistant: "Hello"}]});
    /// list_files("data/raw/transcripts/*.json")   // -> ["data/raw/transcripts/a.json"]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn write_transcript(context: NativeCallContext, transcript: Map) -> ScriptResult<()> {
        Ok(super::write(&Ctx::of(&context)?, &transcript)?)
    }
}

fn all(context: &NativeCallContext, glob: &str) -> Result<LazyItems> {
    let project = &Ctx::of(context)?.world.project;
    Ok(LazyItems::transcripts(project, project.list(glob)?))
}

fn write(ctx: &Ctx, transcript: &Map) -> Result<()> {
    let value = Value::Object(values::map_to_json(transcript)?);
    // The order that a reader expects: who, with whom, what was said.
    let mut transcript = Transcript::from_value(&value)?;
    if ctx.run.is_offline() {
        transcript.rest.insert("offline".into(), true.into());
    }
    let text = serde_json::to_string_pretty(&transcript);
    let text = text.map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
    let (world, path) = (&ctx.world, transcript_path(&transcript.id));
    let seen = world.observer.as_ref().map(|observer| (observer, earlier(&world.project, &path)));
    world.stop_on_disk_error(world.project.write_whole(&path, (text + "\n").as_bytes()))?;
    if let Some((observer, before)) = seen {
        observer.transcript_written(before.as_ref(), &transcript);
    }
    Ok(())
}

/// The transcript that stands there now, if it can be read.
fn earlier(project: &Project, path: &str) -> Option<Transcript> {
    let text = project.read_text(path).ok()?;
    Transcript::parse(path, &text).ok()
}
