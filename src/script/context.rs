//! What a host function needs to know of its caller: it travels in the call context's tag, through
//! modules, closures and threads, with no global state.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use rhai::NativeCallContext;

use super::library::Library;
use crate::base::{Error, Kind, Result};
use crate::work::{Scope, World};

/// The surroundings of a call: the world, the script that runs, and the item it works for.
#[derive(Clone)]
pub struct Ctx {
    /// Everything with an effect.
    pub world: Arc<World>,
    /// The scripts that are loaded: their texts, for errors.
    pub library: Arc<Library>,
    /// The entry script that runs.
    pub run: Arc<Run>,
    /// The item and branch that this call belongs to.
    pub scope: Arc<Scope>,
}

/// One entry script's run.
#[derive(Default)]
pub struct Run {
    /// Its path.
    pub entry: String,
    /// Hash of its code and of the project modules that it imports, comments aside.
    pub code_hash: String,
    /// Identity of every backend that it got: part of its records' version.
    pub backends: Mutex<BTreeSet<String>>,
    /// A script backend runs here, and so no other may be called.
    pub is_backend: bool,
}

impl Ctx {
    /// The context of a host function's call.
    pub fn of(context: &NativeCallContext) -> Result<Ctx> {
        let tag = context.tag().and_then(|tag| tag.read_lock::<Ctx>().map(|ctx| ctx.clone()));
        tag.ok_or_else(|| Error::new(Kind::Internal, "a host function was called without a context"))
    }

    /// The same surroundings for another item or branch.
    pub fn with_scope(&self, scope: Scope) -> Ctx {
        Ctx { scope: Arc::new(scope), ..self.clone() }
    }
}
