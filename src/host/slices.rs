//! Cutting conversations into examples: `get_slice_points`, `slice_transcript`, `slice_transcripts`.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map, Module, NativeCallContext};
use serde_json::Value;

use super::examples::Examples;
use super::options::{Options, OptionsOf};
use crate::base::{Error, Kind, Result};
use crate::pipeline::slices::{self, Bounds, OverBudget, SliceOptions};
use crate::pipeline::tokens::Encoding;
use crate::pipeline::transcript::Transcript;
use crate::script::{Ctx, ScriptResult, values};

/// The functions that take options.
#[rustfmt::skip]
pub const OPTIONS: &[OptionsOf] = &[
    OptionsOf { function: "get_slice_points", parameter: 2, names: &["min_context", "min_gap", "max_gap"] },
    OptionsOf { function: "slice_transcript", parameter: 2, names: SLICING },
    OptionsOf { function: "slice_transcripts", parameter: 2, names: SLICING },
];

const SLICING: &[&str] = &["max_tokens", "encoding", "min_context", "min_gap", "max_gap", "over_budget"];

/// The namespace.
pub fn module() -> Module {
    let mut module = rhai::exported_module!(functions);
    module.set_custom_type::<Examples>("Examples");
    module.set_iterable_result::<Examples, Dynamic>();
    module
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// After which exchanges a conversation is cut, seeded by its id; the last always ends the list.
    ///
    /// Options: `min_context` (3), `min_gap` (2), `max_gap` (5). Empty when there are fewer than `min_context`.
    ///
    /// ```rhai
    /// get_slice_points(25, "transcript_7")   // -> [3, 7, 9, 11, 16, 21, 25]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn get_slice_points(total_turns: i64, id: &str) -> ScriptResult<Array> {
        get_slice_points_with(total_turns, id, Map::new())
    }

    #[rhai_fn(name = "get_slice_points", return_raw)]
    pub fn get_slice_points_with(total_turns: i64, id: &str, options: Map) -> ScriptResult<Array> {
        let bounds = super::bounds(&Options::of("get_slice_points", &options)?)?;
        let total = usize::try_from(total_turns).unwrap_or(0);
        Ok(slices::get_slice_points(total, id, &bounds)?.into_iter().map(|n| (n as i64).into()).collect())
    }

    /// The training examples of a transcript: one for each slice point, from the first exchange to it.
    ///
    /// Options: `max_tokens` (required), `encoding` ("cl100k_base"), `min_context` (3), `min_gap` (2),
    /// `max_gap` (5), `over_budget`: "skip" (default) leaves out and counts what is over the budget,
    /// "recent" keeps the most recent exchanges that fit, if at least `min_context` do.
    ///
    /// An example is `#{transcript, group, first, last, tokens, truncated, messages}`.
    ///
    /// ```rhai
    /// let talk = #{id: "a", exchanges: [["1", "2"], ["3", "4"], ["5", "6"]].map(|e| #{user: e[0], assistant: e[1]})};
    /// slice_transcript(talk, "Be kind.", #{max_tokens: 1000}).map(|example| example.last)   // -> [3]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn slice_transcript(
        context: NativeCallContext,
        transcript: Map,
        system_prompt: &str,
        options: Map,
    ) -> ScriptResult<Array> {
        Ok(super::slice(&Ctx::of(&context)?, &transcript, system_prompt, &options)?)
    }

    /// The training examples of many transcripts, in the order of their ids, made when they are needed: by `for` one
    /// transcript after another, by `write_training_data` on all cores. Only those of a few transcripts are in memory.
    ///
    /// `transcripts` is what `passing` or `read_transcripts` gives, or an array of ids, records and transcripts.
    /// Options as of `slice_transcript`: `max_tokens`, `encoding`, `min_context`, `min_gap`, `max_gap`, `over_budget`.
    ///
    /// A transcript that was judged (one from `passing`, or a record's) must still have the content that was judged:
    /// otherwise it is left out, with a warning.
    ///
    /// ```rhai
    /// write_transcript(#{id: "a", exchanges: [["1", "2"], ["3", "4"], ["5", "6"]].map(|e| #{user: e[0], assistant: e[1]})});
    /// let examples = slice_transcripts(read_transcripts(), "Be kind.", #{max_tokens: 1000});
    /// write_training_data("data/processed", examples, #{validation: 0.0}).training.examples   // -> 1
    /// ```
    #[rhai_fn(return_raw)]
    pub fn slice_transcripts(
        context: NativeCallContext,
        transcripts: Dynamic,
        system_prompt: &str,
        options: Map,
    ) -> ScriptResult<Examples> {
        let plan = super::plan("slice_transcripts", &options)?;
        Ok(Examples::new(&Ctx::of(&context)?.world, transcripts, system_prompt, plan)?)
    }
}

fn bounds(options: &Options) -> Result<Bounds> {
    let usual = Bounds::default();
    let bounds = Bounds {
        min_context: options.whole("min_context", 0)?.unwrap_or(usual.min_context),
        min_gap: options.whole("min_gap", 0)?.unwrap_or(usual.min_gap),
        max_gap: options.whole("max_gap", 0)?.unwrap_or(usual.max_gap),
    };
    bounds.validate()?;
    Ok(bounds)
}

/// How `function` is to slice.
fn plan(function: &'static str, options: &Map) -> Result<SliceOptions> {
    let options = Options::of(function, options)?;
    let missing = || {
        Error::new(Kind::Argument, format!("`{function}` needs the option `max_tokens`"))
            .hint("the budget of one example, as #{max_tokens: 16000}")
    };
    let mut plan = SliceOptions::new(options.whole("max_tokens", 1)?.ok_or_else(missing)?);
    plan.bounds = bounds(&options)?;
    if let Some(name) = options.text("encoding")? {
        plan.encoding = Encoding::named(&name)?;
    }
    if let Some(name) = options.text("over_budget")? {
        plan.over_budget = OverBudget::named(&name)?;
    }
    Ok(plan)
}

fn slice(ctx: &Ctx, transcript: &Map, system_prompt: &str, options: &Map) -> Result<Array> {
    let plan = plan("slice_transcript", options)?;
    let transcript = Transcript::from_value(&Value::Object(values::map_to_json(transcript)?))?;
    let sliced = slices::slice_transcript(&transcript, system_prompt, &plan)?;
    ctx.world.count_over_budget(sliced.over_budget);
    sliced.examples.iter().map(values::from_serialize).collect()
}
