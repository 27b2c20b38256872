//! Training files: `write_training_data`.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map, Module, NativeCallContext};
use serde_json::Value;

use super::options::{Options, OptionsOf};
use super::tokens::plain;
use crate::base::events::Event;
use crate::base::{Error, Kind, Result};
use crate::pipeline::export::{self, Loss, TrainingSet};
use crate::pipeline::slices::Example;
use crate::script::{Ctx, ScriptResult, values};

/// The functions that take options.
pub const OPTIONS: &[OptionsOf] = &[OptionsOf {
    function: "write_training_data",
    parameter: 2,
    names: &["validation", "group", "loss", "mix_offline"],
}];

/// The share that is held out when nothing is said.
const VALIDATION: f64 = 0.1;

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// Writes `training_data.jsonl`, `validation.jsonl` and `manifest.jsonl` into a directory below data/.
    ///
    /// The group of an example (the persona's id, else the transcript's) decides by hash on which side it
    /// is, so that no group is on both. Lines are `{"messages": [{"role", "content"}]}`, in the order of
    /// transcript ids: the same examples give the same files.
    ///
    /// Options: `validation` (share, default 0.1), `group` (the key of the example to group by, default "group"),
    /// `loss`: "all" (default), or "new": assistant messages that an earlier slice of the same transcript has
    /// get `"weight": 0`; `mix_offline` (false): allow text made offline beside a real model's.
    ///
    /// Gives `#{training, validation, truncated, over_budget, unchanged, warnings}`; a side is
    /// `#{examples, tokens, groups, transcripts}`.
    ///
    /// ```rhai
    /// let talk = #{id: "a", exchanges: [["1", "2"], ["3", "4"], ["5", "6"]].map(|e| #{user: e[0], assistant: e[1]})};
    /// let examples = slice_transcript(talk, "Be kind.", #{max_tokens: 1000});
    /// write_training_data("data/processed", examples, #{validation: 0.0}).training.examples   // -> 1
    /// ```
    #[rhai_fn(return_raw)]
    pub fn write_training_data(
        context: NativeCallContext,
        dir: &str,
        examples: Array,
        options: Map,
    ) -> ScriptResult<Map> {
        Ok(super::write(&Ctx::of(&context)?, dir, examples, &options)?)
    }

    #[rhai_fn(name = "write_training_data", return_raw)]
    pub fn write_training_data_usual(
        context: NativeCallContext,
        dir: &str,
        examples: Array,
    ) -> ScriptResult<Map> {
        Ok(super::write(&Ctx::of(&context)?, dir, examples, &Map::new())?)
    }
}

fn write(ctx: &Ctx, dir: &str, examples: Array, options: &Map) -> Result<Map> {
    let options = Options::of("write_training_data", options)?;
    let share = options.number("validation")?.unwrap_or(VALIDATION);
    let loss = options.text("loss")?.map_or(Ok(Loss::default()), |name| Loss::named(&name))?;
    let group = options.text("group")?.unwrap_or_else(|| "group".into());
    let examples: Vec<Example> =
        plain("examples", "an example of slice_transcript", regrouped(examples, &group)?)?;
    if !options.truth("mix_offline")?.unwrap_or(false) {
        refuse_mixture(&examples)?;
    }
    let set = TrainingSet::build(&examples, share, loss)?;
    // The few items of a dry run say nothing about the whole.
    if ctx.world.dry.is_none() {
        set.summary.warnings.iter().for_each(|text| ctx.world.emit(Event::Warning(text.clone())));
    }
    let unchanged = write_files(ctx, dir.trim_end_matches('/'), &set)?;
    summary(ctx, &set, unchanged)
}

/// The examples, grouped by another of their keys.
fn regrouped(examples: Array, key: &str) -> Result<Array> {
    if key == "group" {
        return Ok(examples);
    }
    let regroup = |mut example: Dynamic| {
        if let Ok(mut map) = example.as_map_mut() {
            let missing = || {
                Error::new(Kind::Argument, format!("an example has no `{key}` to group by"))
                    .hint("`group` names a key of the examples, such as \"transcript\"")
            };
            let group = map.get(key).ok_or_else(missing)?.to_string();
            map.insert("group".into(), group.into());
        }
        Ok(example)
    };
    examples.into_iter().map(regroup).collect()
}

/// Text of the offline stand-ins in a real training file is poison.
fn refuse_mixture(examples: &[Example]) -> Result<()> {
    let offline = examples.iter().filter(|example| example.offline).count();
    if offline == 0 || offline == examples.len() {
        return Ok(());
    }
    let message =
        format!("{offline} of {} examples were made offline, the rest by a real model", examples.len());
    Err(Error::new(Kind::Data, message)
        .hint("remove the offline transcripts from data/raw/transcripts, or pass #{mix_offline: true}"))
}

/// Writes what differs; the manifest last, since it speaks of the others.
fn write_files(ctx: &Ctx, dir: &str, set: &TrainingSet) -> Result<bool> {
    let project = &ctx.world.project;
    let files = [
        (export::TRAINING_FILE, &set.training),
        (export::VALIDATION_FILE, &set.validation),
        (export::MANIFEST_FILE, &set.manifest),
    ];
    let mut unchanged = true;
    for (name, text) in files {
        let path = format!("{dir}/{name}");
        if project.exists(&path)? && project.read_text(&path)? == **text {
            continue;
        }
        unchanged = false;
        ctx.world.stop_on_disk_error(project.write_whole(&path, text.as_bytes()))?;
    }
    Ok(unchanged)
}

fn summary(ctx: &Ctx, set: &TrainingSet, unchanged: bool) -> Result<Map> {
    let json = serde_json::to_value(&set.summary).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
    let Value::Object(mut fields) = json else { return Ok(Map::new()) };
    fields.insert("over_budget".into(), ctx.world.take_over_budget().into());
    fields.insert("unchanged".into(), unchanged.into());
    Ok(values::object_to_map(&fields))
}
