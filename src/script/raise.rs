//! Errors on their way into a script: what it may catch, and what it may not.

use rhai::{Dynamic, EvalAltResult, Position};

use crate::base::Error;

/// What a host function returns.
pub type ScriptResult<T> = Result<T, Box<EvalAltResult>>;

/// A host error as a script sees it: `e.kind`, `e.message`, `e.hint`, `e.raw`.
#[derive(Debug, Clone)]
pub struct ScriptError(pub Error);

impl From<Error> for Box<EvalAltResult> {
    /// Errors that end the run become a termination, which no `try` catches.
    fn from(error: Error) -> Self {
        let stops = error.kind().stops_the_run();
        let value = Dynamic::from(ScriptError(error));
        Box::new(match stops {
            true => EvalAltResult::ErrorTerminated(value, Position::NONE),
            false => EvalAltResult::ErrorRuntime(value, Position::NONE),
        })
    }
}
