//! The script engine: one Rhai engine with limits, modules contained in the project, closures that
//! run on other threads, and errors that say where. Nothing below this layer knows Rhai.

pub mod calls;
pub mod closure;
pub mod context;
pub mod engine;
pub mod habits;
pub mod library;
pub mod raise;
pub mod resolver;
pub mod signatures;
pub mod tokens;
pub mod trace;
pub mod values;
pub mod words;
pub mod workspace;

pub use context::Ctx;
pub use engine::ScriptEngine;
pub use raise::{ScriptError, ScriptResult};
