//! Records that are kept: `load_checkpoint`, `append_checkpoint`.

use std::path::Path;
use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Map, Module, NativeCallContext};

use crate::script::{Ctx, ScriptResult, values};
use crate::store::checkpoint::{Checkpoint, Mode};
use crate::store::paths;
use crate::work::status;

/// A checkpoint as scripts hold it.
#[derive(Clone)]
pub struct CheckpointValue(pub Arc<Checkpoint>);

/// The namespace.
pub fn module() -> Module {
    let mut module = rhai::exported_module!(functions);
    module.set_custom_type::<CheckpointValue>("Checkpoint");
    module
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// Opens a checkpoint: `id in checkpoint`, `checkpoint.len`, `checkpoint.ids`.
    ///
    /// Only complete records count as contained. A file that does not exist yet is empty. Under
    /// `fthost run` it is locked for this run: a second run ends with exit code 75.
    ///
    /// ```rhai
    /// append_checkpoint("data/done.jsonl", #{id: "a"});
    /// let done = load_checkpoint("data/done.jsonl");
    /// ["a" in done, "b" in done, done.len, done.ids]   // -> [true, false, 1, ["a"]]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn load_checkpoint(context: NativeCallContext, path: &str) -> ScriptResult<CheckpointValue> {
        let world = Ctx::of(&context)?.world;
        let mode = if world.locks { Mode::Run } else { Mode::Read };
        Ok(CheckpointValue(world.checkpoint(path, mode)?))
    }

    /// The records of a checkpoint as a map of id to record; the last record of an id wins.
    ///
    /// ```rhai
    /// append_checkpoint("data/done.jsonl", #{id: "a", score: 1});
    /// append_checkpoint("data/done.jsonl", #{id: "a", score: 2});
    /// load_checkpoint_results("data/done.jsonl").a.score   // -> 2
    /// ```
    #[rhai_fn(return_raw)]
    pub fn load_checkpoint_results(context: NativeCallContext, path: &str) -> ScriptResult<Map> {
        let checkpoint = Ctx::of(&context)?.world.checkpoint(path, Mode::Read)?;
        let mut records = Map::new();
        checkpoint.for_each_record(|id, record| {
            records.insert(id.into(), values::from_json(&record));
            Ok(())
        })?;
        Ok(records)
    }

    /// The items of a checkpoint's job that have begun and are not complete: `#{in_flight, failed, incomplete}`, a number each.
    ///
    /// They have replies that are given again when the job goes on, unless what they are asked changes meanwhile. What
    /// `fthost status` tells at length.
    ///
    /// ```rhai
    /// process([#{id: "a"}, #{id: "b"}], #{checkpoint: "data/done.jsonl"}, |item| #{id: item.id, complete: item.id == "a"});
    /// unfinished("data/done.jsonl").incomplete   // -> 1
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unfinished(context: NativeCallContext, path: &str) -> ScriptResult<Map> {
        let jobs = status::jobs(&Ctx::of(&context)?.world)?;
        let path = paths::display(Path::new(path));
        let job = jobs.into_iter().find(|job| job.name == path).unwrap_or_default();
        let counts =
            [("in_flight", job.in_flight.len()), ("failed", job.failures()), ("incomplete", job.incomplete)];
        Ok(counts.into_iter().map(|(name, count)| (name.into(), (count as i64).into())).collect())
    }

    /// Adds a record (a map with an `id`) to a checkpoint; it is on disk when this returns.
    ///
    /// ```rhai
    /// append_checkpoint("data/done.jsonl", #{id: "a", turns: 3});
    /// load_checkpoint("data/done.jsonl").len   // -> 1
    /// ```
    #[rhai_fn(return_raw)]
    pub fn append_checkpoint(context: NativeCallContext, path: &str, record: Map) -> ScriptResult<()> {
        let ctx = Ctx::of(&context)?;
        let record = values::map_to_json(&record)?;
        let checkpoint = ctx.world.checkpoint(path, Mode::Run)?;
        Ok(ctx.world.stop_on_disk_error(checkpoint.append(&record))?)
    }

    /// Whether the checkpoint holds a complete record of an id: what `id in checkpoint` asks.
    ///
    /// ```rhai
    /// append_checkpoint("data/done.jsonl", #{id: "a"});
    /// load_checkpoint("data/done.jsonl").contains("a")   // -> true
    /// ```
    #[rhai_fn(name = "contains", pure)]
    pub fn checkpoint_contains(checkpoint: &mut CheckpointValue, id: &str) -> bool {
        checkpoint.0.contains_complete(id)
    }

    /// How many ids have a record.
    ///
    /// ```rhai
    /// append_checkpoint("data/done.jsonl", #{id: "a"});
    /// load_checkpoint("data/done.jsonl").len   // -> 1
    /// ```
    #[rhai_fn(get = "len", name = "len", pure)]
    pub fn checkpoint_len(checkpoint: &mut CheckpointValue) -> i64 {
        checkpoint.0.len() as i64
    }

    /// The ids that have a record.
    ///
    /// ```rhai
    /// append_checkpoint("data/done.jsonl", #{id: "a"});
    /// load_checkpoint("data/done.jsonl").ids   // -> ["a"]
    /// ```
    #[rhai_fn(get = "ids", name = "ids", pure)]
    pub fn checkpoint_ids(checkpoint: &mut CheckpointValue) -> Array {
        checkpoint.0.ids().into_iter().map(Into::into).collect()
    }
}
