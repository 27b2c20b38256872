//! Many items, in parallel and resumable: `process`, `parallel_map`.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, Map, Module, NativeCallContext};
use serde_json::Value;

use super::items::{Element, Given, Payload};
use super::options::{Options, OptionsOf};
use super::reader::LazyItems;
use crate::base::panic::catch_panic;
use crate::base::{Error, Kind, Result};
use crate::script::closure::Closure;
use crate::script::{Ctx, ScriptResult, values};
use crate::work::plan::Extra;
use crate::work::process::{self, Item, Job};
use crate::work::scope::Step;
use crate::work::{Scope, pool};

/// The functions that take options.
pub const OPTIONS: &[OptionsOf] = &[
    OptionsOf { function: "process", parameter: 1, names: &["checkpoint", "concurrency", "version", "job"] },
    OptionsOf { function: "parallel_map", parameter: 1, names: &["concurrency", "key"] },
];

/// Items at a time when nothing is said.
const CONCURRENCY: usize = 16;

/// Elements at a time of a `parallel_map` when nothing is said: a jury, not a night's work.
const MAP_CONCURRENCY: usize = 64;

/// Why `options.version` is a function of what is at hand.
const NO_CALLS_IN_VERSION: &str = "`version` may not ask a model: it would be paid for in every run";

/// Why `options.key` is a function of what is at hand.
const NO_CALLS_IN_KEY: &str = "`key` may not ask a model: it is asked for before the first call";

/// The namespace.
pub fn module() -> Module {
    let mut module = rhai::exported_module!(functions);
    module.set_custom_type::<LazyItems>("LazyItems");
    module.set_iterable_result::<LazyItems, Dynamic>();
    module
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// Works on items in parallel, keeps each record, and goes on where an earlier run stopped.
    ///
    /// `items` is an array of maps with a unique string `id`, what `read_transcripts` and `stream_jsonl`
    /// give, or a range: the items of `0..1000000`, `1..=n` or `range(0, 100, 5)` are `#{id: "0", n: 0}` and so
    /// on, made when it is their turn, so that a million of them take no room. The closure makes an item's
    /// record, a map; it is on disk, under the item's id, before it counts. An item that fails goes to
    /// `<checkpoint>.failed.jsonl` and is tried again next time; the others go on. A record with
    /// `complete: false` is kept, and tried again, too.
    ///
    /// Items whose record is there are skipped, unless something that it depends on has changed (the
    /// item, a backend got before, the code, `version`): then it is stale, counted as such, and redone by `--redo stale`.
    ///
    /// Options: `checkpoint` (path below data/), `concurrency` (items at a time, default 16),
    /// `version` (a value, or a closure `|item| value`, of what else the records depend on), `job` (a name).
    ///
    /// Gives `#{total, skipped, stale, stale_because, completed, incomplete, failed, failed_by_kind, pending, seconds}`.
    ///
    /// Each call of the closure gets its own copy of what it captures: return what is to be kept.
    ///
    /// Errors before any call: a missing or duplicate id, a captured `Rng`.
    ///
    /// ```rhai
    /// let people = [#{id: "a", n: 1}, #{id: "b", n: 2}];
    /// let summary = process(people, #{checkpoint: "data/doubled.jsonl"}, |p| #{id: p.id, twice: p.n * 2});
    /// [summary.completed, load_checkpoint_results("data/doubled.jsonl").b.twice]   // -> [2, 4]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn process(
        context: NativeCallContext,
        items: Dynamic,
        options: Map,
        closure: FnPtr,
    ) -> ScriptResult<Map> {
        Ok(super::run_process(&context, items, &options, &closure)?)
    }

    /// Calls a closure on all elements at the same time; gives the results in the order of the elements.
    ///
    /// `items` is an array of anything, a range (of its numbers), or what `read_transcripts` and `stream_jsonl` give.
    /// All end, then the first error (by position) is thrown. Calls nest: inside an item of `process` they belong
    /// to the item.
    ///
    /// Options: `concurrency` (default 64), `key` (a closure `|element| text`). In an item, what a model was asked
    /// before is found again by the element's place; with `key` by its key, so that elements which are added,
    /// removed or moved later cost nothing for the others. Two elements of one key are an error before any call.
    ///
    /// ```rhai
    /// parallel_map(1..=3, |n| n * n)   // -> [1, 4, 9]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parallel_map(context: NativeCallContext, items: Dynamic, closure: FnPtr) -> ScriptResult<Array> {
        Ok(super::run_map(&context, items, &Map::new(), &closure)?)
    }

    #[rhai_fn(name = "parallel_map", return_raw)]
    pub fn parallel_map_with(
        context: NativeCallContext,
        items: Dynamic,
        options: Map,
        closure: FnPtr,
    ) -> ScriptResult<Array> {
        Ok(super::run_map(&context, items, &options, &closure)?)
    }

    /// How many items a lazy reader has; `()` when only reading them tells.
    ///
    /// ```rhai
    /// read_transcripts().len   // -> 0
    /// ```
    #[rhai_fn(get = "len", name = "len", pure)]
    pub fn lazy_len(items: &mut LazyItems) -> Dynamic {
        items.known_len().map_or(Dynamic::UNIT, |n| Dynamic::from(n as i64))
    }
}

fn run_process(context: &NativeCallContext, items: Dynamic, options: &Map, closure: &FnPtr) -> Result<Map> {
    let ctx = Ctx::of(context)?;
    let options = Options::of("process", options)?;
    let given = Given::of("process", items, &ctx.world.stop)?;
    let closure = Closure::new(context, closure)?;
    let version = options.closure("version").map(|f| Closure::new(context, &f)).transpose()?;
    let fixed = options.get("version").filter(|_| version.is_none()).map(values::to_json).transpose()?;
    let fixed = Extra::of(&fixed.unwrap_or(Value::Null));
    let planning = ctx.with_scope(ctx.scope.without_calls(NO_CALLS_IN_VERSION));
    let version_of = |item: &Item<Payload>| match &version {
        Some(version) => {
            let option = version.call(context, &planning, item.payload.value(&item.plain))?;
            Ok(Extra::of(&values::to_json(&option)?))
        }
        None => Ok(fixed),
    };
    let checkpoint = options.text("checkpoint")?;
    let job = options.text("job")?.or_else(|| checkpoint.clone()).unwrap_or_else(|| ctx.run.entry.clone());
    let worker = |item: Item<Payload>, scope: Scope| {
        let ctx = ctx.with_scope(scope.within(&ctx.scope));
        values::to_json(&closure.call(context, &ctx, Payload::take(item))?)
    };
    let summary = process::run(
        &ctx.world,
        Job {
            name: job,
            script: ctx.run.entry.clone(),
            checkpoint,
            outer: &ctx.scope,
            concurrency: concurrency(&ctx, &options, CONCURRENCY)?,
            items: &given,
            backends: ctx.run.backend_identities(),
            code: ctx.run.code_hash.clone(),
            version_of: &version_of,
            worker: &worker,
        },
    )?;
    Ok(values::object_to_map(&summary))
}

/// What the command line says wins over the script.
fn concurrency(ctx: &Ctx, options: &Options, default: usize) -> Result<usize> {
    let asked = options.whole("concurrency", 1)?;
    Ok(ctx.world.options.concurrency.or(asked).unwrap_or(default))
}

fn run_map(context: &NativeCallContext, items: Dynamic, options: &Map, closure: &FnPtr) -> Result<Array> {
    let ctx = Ctx::of(context)?;
    let options = Options::of("parallel_map", options)?;
    let width = options.whole("concurrency", 1)?.unwrap_or(MAP_CONCURRENCY);
    let closure = Closure::new(context, closure)?;
    let given = Given::of("parallel_map", items, &ctx.world.stop)?;
    let keys = options.only_closure("key")?.map(|key| keys(context, &ctx, &given, &key)).transpose()?;
    // It grows with the elements: how many there are, a file does not tell before it is read.
    let results: Mutex<Vec<Option<Result<Dynamic>>>> = Mutex::default();
    pool::run(&ctx.world.threads, width, given.elements().enumerate(), |(i, element)| {
        let step = keys.as_ref().and_then(|keys| keys.get(i)).cloned().unwrap_or(Step::Index(i));
        let ctx = ctx.with_scope(ctx.scope.branch(step));
        let call = || element().and_then(|element| closure.call(context, &ctx, element));
        // Not under the lock: they work at the same time.
        let result = catch_panic("parallel_map", call);
        put(&mut results.lock().unwrap_or_else(PoisonError::into_inner), i, result);
    });
    let missing = || Err(Error::new(Kind::Internal, "an element was not worked on"));
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().map(|result| result.unwrap_or_else(missing)).collect()
}

/// The elements' keys: a text for each, and each another one.
fn keys(context: &NativeCallContext, ctx: &Ctx, given: &Given, key: &FnPtr) -> Result<Vec<Step>> {
    let closure = Closure::new(context, key)?;
    let ctx = ctx.with_scope(ctx.scope.without_calls(NO_CALLS_IN_KEY));
    let mut seen = HashSet::new();
    let key_of = |element: Element| {
        let key = closure.call(context, &ctx, element()?)?.into_string().map_err(|found| {
            let found = values::friendly_type(found);
            Error::new(Kind::Argument, format!("`key` of `parallel_map` must give a string, not {found}"))
                .hint("a text that tells the elements apart: `key: |element| element.id`")
        })?;
        let step = Step::key(&key);
        if !seen.insert(key.clone()) {
            return Err(Error::new(Kind::Argument, format!("two elements have the key `{key}`"))
                .hint("`key` tells the elements apart: give each another one"));
        }
        Ok(step)
    };
    given.elements().map(key_of).collect()
}

/// Puts a result in its place, whichever were there before.
fn put(results: &mut Vec<Option<Result<Dynamic>>>, place: usize, result: Result<Dynamic>) {
    if results.len() <= place {
        results.resize_with(place + 1, || None);
    }
    results[place] = Some(result);
}
