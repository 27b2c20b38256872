//! Errors on their way into a script: what it may catch, and what it may not.

use rhai::{Dynamic, Engine, EvalAltResult, Position};

use crate::base::{Error, Kind};

/// What a host function returns.
pub type ScriptResult<T> = Result<T, Box<EvalAltResult>>;

/// A host error as a script sees it: `e.kind`, `e.message`, `e.hint`, `e.raw`; what there is not is `()`.
#[derive(Debug, Clone)]
pub struct ScriptError(pub Error);

/// Makes host errors readable in `catch (e)`.
pub fn register(engine: &mut Engine) {
    let text = |text: Option<&str>| text.map_or(Dynamic::UNIT, |text| text.to_string().into());
    engine
        .register_type_with_name::<ScriptError>("Error")
        .register_get("kind", |e: &mut ScriptError| e.0.kind_name().to_string())
        .register_get("message", |e: &mut ScriptError| e.0.message().to_string())
        .register_get("hint", move |e: &mut ScriptError| text(e.0.get_hint()))
        .register_get("raw", move |e: &mut ScriptError| text(e.0.get_raw()))
        .register_get("place", |e: &mut ScriptError| {
            e.0.place().map_or(Dynamic::UNIT, |place| place.to_string().into())
        })
        .register_fn("to_string", |e: &mut ScriptError| e.0.message().to_string())
        .register_fn("to_debug", |e: &mut ScriptError| format!("{}: {}", e.0.kind_name(), e.0.message()));
}

impl From<Error> for Box<EvalAltResult> {
    /// Errors that end the run become a termination, which no `try` catches. It has no place but the outermost: that
    /// of a test matters, and one that is caught fails the test all the same.
    fn from(error: Error) -> Self {
        let stops = error.kind().stops_the_run() && error.kind() != Kind::Test;
        let value = Dynamic::from(ScriptError(error));
        Box::new(match stops {
            true => EvalAltResult::ErrorTerminated(value, Position::NONE),
            false => EvalAltResult::ErrorRuntime(value, Position::NONE),
        })
    }
}
