//! Training files: `write_training_data`.

use rhai::plugin::*;
use rhai::{Array, Map, Module, NativeCallContext};
use serde_json::Value;

use super::examples::Examples;
use super::options::{Options, OptionsOf};
use super::tokens::plain;
use crate::base::events::Event;
use crate::base::{Error, Kind, Result};
use crate::pipeline::export::{self, Part, Writer};
use crate::pipeline::lines::Sheet;
use crate::pipeline::rules::{GroupBy, Loss, Rules};
use crate::pipeline::slices::Example;
use crate::pipeline::split::DEFAULT_VALIDATION;
use crate::pipeline::summary::Summary;
use crate::script::{Ctx, ScriptResult, values};
use crate::store::Rewrite;
use crate::work::in_order;

/// The functions that take options.
pub const OPTIONS: &[OptionsOf] = &[OptionsOf {
    function: "write_training_data",
    parameter: 2,
    names: &["validation", "group", "loss", "mix_offline"],
}];

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
    /// transcript ids: the same examples give the same files. `examples` are an array, or what `slice_transcripts`
    /// gives: these are made on all cores, and never all in memory.
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
        Ok(super::write_array(&Ctx::of(&context)?, dir, examples, &options)?)
    }

    #[rhai_fn(name = "write_training_data", return_raw)]
    pub fn write_training_data_usual(
        context: NativeCallContext,
        dir: &str,
        examples: Array,
    ) -> ScriptResult<Map> {
        Ok(super::write_array(&Ctx::of(&context)?, dir, examples, &Map::new())?)
    }

    #[rhai_fn(name = "write_training_data", return_raw)]
    pub fn write_training_data_lazy(
        context: NativeCallContext,
        dir: &str,
        examples: Examples,
        options: Map,
    ) -> ScriptResult<Map> {
        Ok(super::write_lazy(&Ctx::of(&context)?, dir, &examples, &options)?)
    }

    #[rhai_fn(name = "write_training_data", return_raw)]
    pub fn write_training_data_lazy_usual(
        context: NativeCallContext,
        dir: &str,
        examples: Examples,
    ) -> ScriptResult<Map> {
        Ok(super::write_lazy(&Ctx::of(&context)?, dir, &examples, &Map::new())?)
    }
}

/// Takes the lines of the next transcript.
type Add<'a> = &'a mut (dyn FnMut(Sheet) -> Result<()> + Send);

fn write_array(ctx: &Ctx, dir: &str, examples: Array, options: &Map) -> Result<Map> {
    let rules = rules(options)?;
    let examples: Vec<Example> = plain("examples", "an example of slice_transcript", examples)?;
    let fill = |add: Add| {
        let transcripts = export::by_transcript(&examples);
        transcripts.iter().try_for_each(|examples| add(Sheet::of_examples(examples, &rules)?))
    };
    let (mut summary, unchanged) = write(ctx, dir, rules, fill)?;
    summary.over_budget = ctx.world.take_over_budget();
    map_of(&summary, unchanged)
}

fn write_lazy(ctx: &Ctx, dir: &str, examples: &Examples, options: &Map) -> Result<Map> {
    let rules = rules(options)?;
    let fill = |add: Add| examples.each_sheet(in_order::cores(), &rules, add);
    let (summary, unchanged) = write(ctx, dir, rules, fill)?;
    // What was left out until now has nothing to do with these files.
    ctx.world.take_over_budget();
    map_of(&summary, unchanged)
}

fn rules(options: &Map) -> Result<Rules> {
    let options = Options::of("write_training_data", options)?;
    Ok(Rules {
        validation: options.number("validation")?.unwrap_or(DEFAULT_VALIDATION),
        loss: options.text("loss")?.map_or(Ok(Loss::default()), |name| Loss::named(&name))?,
        group: options.text("group")?.map_or(Ok(GroupBy::default()), |name| GroupBy::named(&name))?,
        mix_offline: options.truth("mix_offline")?.unwrap_or(false),
    })
}

/// Writes the files aside, and puts those that differ in their places when all are whole. Tells whether none differs.
fn write(
    ctx: &Ctx,
    dir: &str,
    rules: Rules,
    fill: impl FnOnce(Add) -> Result<()>,
) -> Result<(Summary, bool)> {
    let world = &ctx.world;
    let path = |part: Part| format!("{}/{}", dir.trim_end_matches('/'), part.file());
    let files = Part::ALL.iter().map(|part| world.project.rewrite(&path(*part)));
    let mut files = files.collect::<Result<Vec<_>>>()?;
    let written = || {
        let mut writer = Writer::new(rules, |part, bytes: &[u8]| files[part as usize].write(bytes))?;
        fill(&mut |sheet| writer.add(&sheet))?;
        let summary = writer.finish()?;
        // The few items of a dry run say nothing about the whole.
        if world.dry.is_none() {
            summary.warnings.iter().for_each(|text| world.emit(Event::Warning(text.clone())));
        }
        files.iter_mut().try_for_each(Rewrite::finish)?;
        let unchanged = !files.iter().any(Rewrite::differs);
        files.into_iter().try_for_each(Rewrite::put)?;
        Ok((summary, unchanged))
    };
    world.stop_on_disk_error(written())
}

fn map_of(summary: &Summary, unchanged: bool) -> Result<Map> {
    let json = serde_json::to_value(summary).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
    let Value::Object(mut fields) = json else { return Ok(Map::new()) };
    fields.insert("unchanged".into(), unchanged.into());
    Ok(values::object_to_map(&fields))
}
