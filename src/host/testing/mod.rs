//! Tests of scripts: the module that they import as `std/testing`. What a test has of its own (stubs, settings,
//! snapshots) is in its world.

mod asserts;
mod compare;
mod stubs;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map, Module, NativeCallContext};

use super::session::context_of_run;
use crate::base::{Error, Frame, Kind, Place, Result};
use crate::script::{Ctx, ScriptError, ScriptResult, values};
use crate::work::testing::Test;

/// The path by which it is imported.
pub const PATH: &str = "std/testing";

/// What it is for, in the reference.
pub const ABOUT: &str =
    "For tests, which `fthost test` runs: see docs/testing.md. Elsewhere its functions are errors.";

/// The module. Its functions take any values: one that does not fit gets words of its own.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// Fails the test unless the condition is true. The message says what should have been.
    ///
    /// A failed assertion fails the test, also when a script's `try` or an item of `process` catches it.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// testing::assert(2 > 1, "two is more");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert(context: NativeCallContext, condition: Dynamic) -> ScriptResult<()> {
        super::held(&context, asserts::holds(&context, &condition, ""))
    }

    #[rhai_fn(name = "assert", return_raw)]
    pub fn assert_saying(
        context: NativeCallContext,
        condition: Dynamic,
        message: Dynamic,
    ) -> ScriptResult<()> {
        super::held(&context, asserts::holds(&context, &condition, &message.to_string()))
    }

    /// Fails the test unless both values are equal: texts, numbers, arrays and maps, to any depth. It shows where they
    /// differ; of texts of several lines, the lines that do.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// testing::assert_eq([1, #{a: "x"}], [1, #{a: "x"}]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_eq(context: NativeCallContext, actual: Dynamic, expected: Dynamic) -> ScriptResult<()> {
        super::held(&context, asserts::equal(&context, &actual, &expected, ""))
    }

    #[rhai_fn(name = "assert_eq", return_raw)]
    pub fn assert_eq_saying(
        context: NativeCallContext,
        actual: Dynamic,
        expected: Dynamic,
        message: Dynamic,
    ) -> ScriptResult<()> {
        super::held(&context, asserts::equal(&context, &actual, &expected, &message.to_string()))
    }

    /// Fails the test if both values are equal.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// testing::assert_ne(rng("a").random(), rng("b").random());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_ne(context: NativeCallContext, actual: Dynamic, unexpected: Dynamic) -> ScriptResult<()> {
        super::held(&context, asserts::differ(&context, &actual, &unexpected, ""))
    }

    #[rhai_fn(name = "assert_ne", return_raw)]
    pub fn assert_ne_saying(
        context: NativeCallContext,
        actual: Dynamic,
        unexpected: Dynamic,
        message: Dynamic,
    ) -> ScriptResult<()> {
        super::held(&context, asserts::differ(&context, &actual, &unexpected, &message.to_string()))
    }

    /// Fails the test unless a text has a part, an array an element, or a map a key.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// testing::assert_contains("the grinder is stuck", "grinder");
    /// testing::assert_contains(["C1", "C2"], "C2");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_contains(context: NativeCallContext, whole: Dynamic, part: Dynamic) -> ScriptResult<()> {
        super::held(&context, asserts::contains(&context, &whole, &part))
    }

    /// Fails the test unless two numbers are at most `tolerance` apart.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// testing::assert_near(0.1 + 0.2, 0.3, 1e-9);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_near(
        context: NativeCallContext,
        actual: Dynamic,
        expected: Dynamic,
        tolerance: Dynamic,
    ) -> ScriptResult<()> {
        super::held(&context, asserts::near(&context, &actual, &expected, &tolerance))
    }

    /// Fails the test unless the closure throws: an error of this kind (`e.kind`), or one whose message has this part.
    /// Gives the error, with `.kind`, `.message` and `.hint`.
    ///
    /// Failed assertions and what tests may not do are not caught.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// let error = testing::assert_error(|| get_backend("nobody"), "not_found");
    /// testing::assert_contains(error.message, "nobody");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_error(context: NativeCallContext, closure: Dynamic) -> ScriptResult<ScriptError> {
        super::held(&context, asserts::throws(&context, closure, None))
    }

    #[rhai_fn(name = "assert_error", return_raw)]
    pub fn assert_error_of(
        context: NativeCallContext,
        closure: Dynamic,
        kind_or_part: Dynamic,
    ) -> ScriptResult<ScriptError> {
        super::held(&context, asserts::throws(&context, closure, Some(kind_or_part)))
    }

    /// Fails the test unless a value is what it was: `fthost test --update` writes it to
    /// `tests/snapshots/<test file>/<name>.snap`, a text as it is, other values as JSON.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// testing::assert_snapshot("greeting", "Hello!");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_snapshot(context: NativeCallContext, name: Dynamic, value: Dynamic) -> ScriptResult<()> {
        super::held(&context, asserts::is_as_kept(&context, &name, &value))
    }

    /// From now on in this test, replies come from here and not from the role (or backend) of this name.
    ///
    /// `replies` is an array, given in order, or a closure `|request| reply`. A reply is a text; for a structured
    /// call a map, the answer itself; `#{error: "rate_limit", message: "..."}` fails with that kind; `#{content, outcome,
    /// finish_reason}` ends otherwise than well. A request is `#{prompt, messages, system, params, role, schema}`.
    ///
    /// A role is one backend then, however many the configuration gives it; an array of closures makes it that many.
    /// When replies are used up, the next call fails the test.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// testing::stub("assistant", ["Hello!", #{error: "rate_limit"}]);
    /// get_backend("assistant").complete("Hi").content   // -> "Hello!"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn stub(context: NativeCallContext, role_or_backend: Dynamic, replies: Dynamic) -> ScriptResult<()> {
        super::held(&context, stubs::stub(&context, &role_or_backend, replies))
    }

    /// What a stub was asked, one text a call: the last message of each prompt.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// testing::stub("assistant", |request| "Hello!");
    /// get_backend("assistant").complete("Hi");
    /// testing::prompts("assistant")   // -> ["Hi"]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn prompts(context: NativeCallContext, role_or_backend: Dynamic) -> ScriptResult<Array> {
        super::held(&context, stubs::prompts(&context, &role_or_backend))
    }

    /// All that a stub was asked: a map a call, `#{prompt, messages, system, params, schema}`. What was not set is `()`.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// testing::stub("assistant", ["Hello!"]);
    /// get_backend("assistant").complete("Hi", #{system: "Be kind."});
    /// testing::requests("assistant")[0].system   // -> "Be kind."
    /// ```
    #[rhai_fn(return_raw)]
    pub fn requests(context: NativeCallContext, role_or_backend: Dynamic) -> ScriptResult<Array> {
        super::held(&context, stubs::requests(&context, &role_or_backend))
    }

    /// What `setting(key, default)` gives from now on in this test, as with `-s key=value` on the command line. One that no
    /// script reads fails the test.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// testing::set("turns", 3);
    /// setting("turns", 12)   // -> 3
    /// ```
    #[rhai_fn(return_raw)]
    pub fn set(context: NativeCallContext, key: Dynamic, value: Dynamic) -> ScriptResult<()> {
        super::held(&context, super::set_here(&context, &key, &value))
    }

    /// Runs an entry script, as `fthost run` would; gives what it printed. What it writes is there for this test alone.
    /// Settings may follow: `run_script("scripts/generate.rhai", #{personas: 2})`.
    ///
    /// ```rhai
    /// import "std/testing" as testing;
    /// let printed = testing::run_script("scripts/generate.rhai", #{personas: 2, turns: 3});
    /// testing::assert_contains(printed, "2 of 2 complete");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn run_script(context: NativeCallContext, path: Dynamic) -> ScriptResult<String> {
        super::held(&context, super::run(&context, &path, &Dynamic::from_map(Map::new())))
    }

    #[rhai_fn(name = "run_script", return_raw)]
    pub fn run_script_with(
        context: NativeCallContext,
        path: Dynamic,
        settings: Dynamic,
    ) -> ScriptResult<String> {
        super::held(&context, super::run(&context, &path, &settings))
    }
}

/// The test that runs.
fn test(ctx: &Ctx) -> Result<&Test> {
    ctx.world.test.as_ref().ok_or_else(|| {
        Error::new(Kind::Denied, format!("{PATH} is for tests only"))
            .hint("`fthost test` runs the functions `test_...` of tests/**/*_test.rhai")
    })
}

/// A result with the place where the function was called, which the engine does not add for modules like this one. A
/// failed assertion is noted.
fn held<T>(context: &NativeCallContext, result: Result<T>) -> ScriptResult<T> {
    let Ok(ctx) = Ctx::of(context) else { return Ok(result?) };
    Ok(result.map_err(|error| {
        ctx.world.noted(match ctx.caller(context) {
            Some(place) => called_at(error, context.fn_name(), place),
            None => error,
        })
    })?)
}

/// The place is the error's own, or that of a call which led to it.
fn called_at(error: Error, function: &str, place: Place) -> Error {
    if error.place().is_none() {
        return error.at(place);
    }
    let mut trace = error.get_trace().to_vec();
    if trace.iter().all(|frame| frame.place != place) {
        trace.push(Frame { function: function.into(), place });
    }
    error.trace(trace)
}

/// An argument that must be a text.
fn text(function: &str, what: &str, value: &Dynamic) -> Result<String> {
    value.clone().into_string().map_err(|_| {
        let found = values::type_name(value);
        Error::new(Kind::Argument, format!("the {what} of `{function}` must be a string, not {found}"))
    })
}

fn set_here(context: &NativeCallContext, key: &Dynamic, value: &Dynamic) -> Result<()> {
    set(test(&Ctx::of(context)?)?, &text("set", "key", key)?, value)
}

fn set(test: &Test, key: &str, value: &Dynamic) -> Result<()> {
    let plain = value.is_string() || value.is_int() || value.is_float() || value.is_bool();
    if !plain {
        let found = values::type_name(value);
        return Err(Error::new(Kind::Argument, format!("setting `{key}` cannot be {found}"))
            .hint("settings are numbers, texts, true or false"));
    }
    test.set(key, value.to_string());
    Ok(())
}

fn run(context: &NativeCallContext, path: &Dynamic, settings: &Dynamic) -> Result<String> {
    let ctx = Ctx::of(context)?;
    let test = test(&ctx)?;
    let path = text("run_script", "path", path)?;
    if ctx.run.entry != test.file || ctx.run.is_stub {
        return Err(Error::new(Kind::Denied, "`run_script` is for tests themselves")
            .hint("what a test runs cannot run a script in its turn: it could run itself without end"));
    }
    let settings = settings.as_map_ref().map_err(|_| {
        let found = values::type_name(settings);
        Error::new(Kind::Argument, format!("the settings of `run_script` are a map, not {found}"))
    })?;
    settings.iter().try_for_each(|(key, value)| set(test, key, value))?;
    let engine = ctx.engine()?;
    let unit = match ctx.library.unit(&path) {
        Some(unit) => unit,
        None => ctx.library.load_text(engine.engine(), &path, &ctx.world.project.read_text(&path)?)?,
    };
    let said = test.said.len();
    engine.run(&unit, &context_of_run(&ctx, &engine, &unit))?;
    Ok(test.said.printed_since(said))
}
