//! What a host function needs to know of its caller: it travels in the call context's tag, through
//! modules, closures and threads, with no global state.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rhai::NativeCallContext;

use super::engine::ScriptEngine;
use super::library::Library;
use crate::base::{Error, Kind, Place, Result};
use crate::pipeline::dimensions::Dimension;
use crate::pipeline::sampling::Sampling;
use crate::work::{Scope, World};

/// The surroundings of a call: the world, the script that runs, and the item it works for.
#[derive(Clone)]
pub struct Ctx {
    /// Everything with an effect.
    pub world: Arc<World>,
    /// The engine that it runs on: held by the session alone.
    pub engine: Weak<ScriptEngine>,
    /// The scripts that are loaded: their texts, for errors.
    pub library: Arc<Library>,
    /// The entry script that runs.
    pub run: Arc<Run>,
    /// The item and branch that this call belongs to.
    pub scope: Arc<Scope>,
}

/// What personas were drawn from.
pub struct Drawn {
    /// Their dimensions.
    pub dimensions: Vec<Dimension>,
    /// How it was drawn of them.
    pub sampling: Sampling,
}

/// One entry script's run.
#[derive(Default)]
pub struct Run {
    /// Its path.
    pub entry: String,
    /// Hash of its code and of the project modules that it imports, comments aside.
    pub code_hash: String,
    /// Identity of every backend that it names, or got outside of items: part of its records' version. What
    /// items get by names that they make up would depend on which of them ran.
    pub backends: Mutex<BTreeSet<String>>,
    /// What it drew personas from last, if it did.
    pub drawn: Mutex<Option<Arc<Drawn>>>,
    /// Whether a backend that it got is a script.
    pub offline: AtomicBool,
    /// A script backend runs here, and so no other may be called.
    pub is_backend: bool,
    /// A test's closure answers here in place of a backend: it may call none that answers on this thread.
    pub is_stub: bool,
}

impl Run {
    /// Notes a backend that the script got, inside of an item or not.
    pub fn note_backend(&self, identity: String, is_script: bool, in_item: bool) {
        self.offline.fetch_or(is_script, Ordering::Relaxed);
        if !in_item {
            self.note_identity(identity);
        }
    }

    /// Notes a backend that the script names, whether it comes to get it or not.
    pub fn note_identity(&self, identity: String) {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner).insert(identity);
    }

    /// The identities of these backends, so far.
    pub fn backend_identities(&self) -> String {
        let backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        backends.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Whether a script stands in for a model: what is made then is no training data.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Relaxed)
    }
}

impl Ctx {
    /// The context of a host function's call.
    pub fn of(context: &NativeCallContext) -> Result<Ctx> {
        let tag = context.tag().and_then(|tag| tag.read_lock::<Ctx>().map(|ctx| ctx.clone()));
        tag.ok_or_else(|| Error::new(Kind::Internal, "a host function was called without a context"))
    }

    /// Where the caller of a host function called it.
    pub fn caller(&self, context: &NativeCallContext) -> Option<Place> {
        let source = context.call_source().unwrap_or(&self.run.entry);
        self.library.place(source, context.call_position())
    }

    /// The engine, for calls that come from outside of a script.
    pub fn engine(&self) -> Result<Arc<ScriptEngine>> {
        self.engine.upgrade().ok_or_else(|| Error::new(Kind::Internal, "the engine is gone"))
    }

    /// The same surroundings for another item or branch.
    pub fn with_scope(&self, scope: Scope) -> Ctx {
        Ctx { scope: Arc::new(scope), ..self.clone() }
    }
}
