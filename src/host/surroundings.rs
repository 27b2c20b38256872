//! Settings, log, time, arrays: `setting`, `log_info`, `now_utc`, `flatten`, `sleep`.

use std::time::Duration;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Module, NativeCallContext};

use crate::base::events::Event;
use crate::base::{Error, Kind, Result};
use crate::script::{Ctx, ScriptResult, values};

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

/// How often a sleeping script looks whether it is to stop.
const SLEEP_STEP: Duration = Duration::from_millis(20);

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// The value of `-s key=value` on the command line, in the type of the default; else the default.
    ///
    /// A key on the command line that no script reads is an error: write the key as a plain text, so that
    /// it is known before the run.
    ///
    /// ```rhai
    /// setting("turns", 12)   // -> 12
    /// ```
    #[rhai_fn(return_raw)]
    pub fn setting(context: NativeCallContext, key: &str, default: Dynamic) -> ScriptResult<Dynamic> {
        Ok(super::read_setting(&Ctx::of(&context)?, key, default)?)
    }

    /// Writes a remark to stderr.
    ///
    /// ```rhai
    /// log_info("20 personas drawn");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn log_info(context: NativeCallContext, text: &str) -> ScriptResult<()> {
        Ctx::of(&context)?.world.emit(Event::Info(text.into()));
        Ok(())
    }

    /// Writes a warning to stderr.
    ///
    /// ```rhai
    /// log_warn("the taxonomy has no edge cases");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn log_warn(context: NativeCallContext, text: &str) -> ScriptResult<()> {
        Ctx::of(&context)?.world.emit(Event::Warning(text.into()));
        Ok(())
    }

    /// The time now, in UTC: `2026-01-31T12:00:00Z`.
    ///
    /// In an item of `process` it is kept: a conversation that is resumed hears what it heard before.
    ///
    /// ```rhai
    /// now_utc().len   // -> 20
    /// ```
    #[rhai_fn(return_raw)]
    pub fn now_utc(context: NativeCallContext) -> ScriptResult<String> {
        let ctx = Ctx::of(&context)?;
        Ok(ctx.world.now(&ctx.scope)?)
    }

    /// An array of arrays as one array; elements that are no arrays stay as they are.
    ///
    /// ```rhai
    /// flatten([[1, 2], [], 3, [[4]]])   // -> [1, 2, 3, [4]]
    /// ```
    pub fn flatten(arrays: Array) -> Array {
        let mut flat = Array::new();
        for element in arrays {
            if element.is_array() {
                flat.append(&mut element.into_array().unwrap_or_default());
            } else {
                flat.push(element);
            }
        }
        flat
    }

    /// Waits for so many seconds; Ctrl-C ends the wait.
    ///
    /// ```rhai
    /// sleep(0.01);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sleep(context: NativeCallContext, seconds: f64) -> ScriptResult<()> {
        Ok(super::pause(&Ctx::of(&context)?, seconds)?)
    }

    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_whole(context: NativeCallContext, seconds: i64) -> ScriptResult<()> {
        Ok(super::pause(&Ctx::of(&context)?, seconds as f64)?)
    }
}

fn read_setting(ctx: &Ctx, key: &str, default: Dynamic) -> Result<Dynamic> {
    let of_test = ctx.world.test.as_ref().map(|test| test.settings_for(key));
    let settings = of_test.as_ref().unwrap_or(&ctx.world.settings);
    let given = if default.is_int() {
        settings.whole_number(key)?.map(Dynamic::from)
    } else if default.is_float() {
        settings.number(key)?.map(Dynamic::from)
    } else if default.is_bool() {
        settings.truth(key)?.map(Dynamic::from)
    } else if default.is_string() || default.is_unit() {
        settings.get(key).map(|text| text.to_string().into())
    } else {
        let found = values::type_name(&default);
        return Err(Error::new(Kind::Argument, format!("the default of setting `{key}` is {found}"))
            .hint("settings are numbers, texts, true or false"));
    };
    Ok(given.unwrap_or(default))
}

fn pause(ctx: &Ctx, seconds: f64) -> Result<()> {
    let mut left = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    while !left.is_zero() {
        ctx.world.stop.check()?;
        ctx.scope.check_deadline()?;
        let step = left.min(SLEEP_STEP);
        std::thread::sleep(step);
        left -= step;
    }
    Ok(())
}
