//! Calling a script's closure from other threads: each call gets its own copy of what the closure
//! captured, and its own context (the item it works for) in the tag.

// Rhai marks what is volatile as deprecated; the version is pinned.
#![allow(deprecated)]

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use rhai::{Dynamic, Engine, FnPtr, ImmutableString, NativeCallContext, NativeCallContextStore};

use super::context::Ctx;
use super::trace;
use super::values::DEEPEST;
use crate::base::{Error, Kind, Result};

/// A closure together with where it was passed, callable from any thread.
pub struct Closure {
    function: FnPtr,
    store: NativeCallContextStore,
    /// What `global::NAME` finds. Each call gets its own: Rhai panics when a thread that was put aside by the system holds
    /// the lock of a shared one for 50 ms.
    constants: BTreeMap<ImmutableString, Dynamic>,
}

impl Closure {
    /// Takes `function`, as of now: later changes of its captured variables are not seen.
    pub fn new(context: &NativeCallContext, function: &FnPtr) -> Result<Closure> {
        let mut function = function.clone();
        let curry = function.curry().iter().cloned().map(unshare).collect::<Result<Vec<_>>>()?;
        check_captures(&curry)?;
        function.set_curry(curry);
        let store = context.store_data();
        let constants = constants(&store)?;
        Ok(Closure { function, store, constants })
    }

    /// Calls it for `ctx` with one argument.
    pub fn call(&self, context: &NativeCallContext, ctx: &Ctx, argument: Dynamic) -> Result<Dynamic> {
        self.call_on(context.engine(), ctx, argument)
    }

    /// The same, where no script is the caller.
    pub fn call_on(&self, engine: &Engine, ctx: &Ctx, argument: Dynamic) -> Result<Dynamic> {
        // A short call never comes to look at the stop flag itself.
        if ctx.world.stop.scripts_end_now() {
            return Err(ctx.world.stop.error());
        }
        let mut store = self.store.clone();
        store.global.tag = Dynamic::from(ctx.clone());
        // Operations are counted per closure call.
        store.global.num_operations = Default::default();
        if !self.constants.is_empty() {
            store.global.constants = Some(Arc::new(RwLock::new(self.constants.clone())));
        }
        let context = store.create_context(engine);
        // What it captured shares nothing, so the call's own copy of it is deep.
        self.function
            .call_within_context::<Dynamic>(&context, (argument,))
            .map_err(|e| trace::error_in_closure(*e, &context, ctx))
            .and_then(unshare)
    }
}

/// The constants of the script that passes a closure, as of now.
fn constants(store: &NativeCallContextStore) -> Result<BTreeMap<ImmutableString, Dynamic>> {
    let Some(shared) = &store.global.constants else { return Ok(BTreeMap::new()) };
    let known = shared.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    known.iter().map(|(name, value)| Ok((name.clone(), unshare(value.clone())?))).collect()
}

/// A value that shares nothing, also not inside of arrays, maps and closures: what is shared is copied, the rest stays
/// as it is.
pub fn unshare(value: Dynamic) -> Result<Dynamic> {
    unshare_at(value, 0)
}

fn unshare_at(value: Dynamic, depth: usize) -> Result<Dynamic> {
    if depth > DEEPEST {
        return Err(Error::new(Kind::Argument, "a value holds itself, or is nested too deeply to be copied")
            .hint("a closure that is kept in a map or array may not use that map or array"));
    }
    let own =
        |item: &mut Dynamic| unshare_at(std::mem::take(item), depth + 1).map(|unshared| *item = unshared);
    let mut value = value.flatten();
    if let Ok(mut items) = value.as_array_mut() {
        items.iter_mut().try_for_each(own)?;
    }
    if let Ok(mut map) = value.as_map_mut() {
        map.values_mut().try_for_each(own)?;
    }
    if let Some(mut function) = value.write_lock::<FnPtr>() {
        let mut curry = function.curry().to_vec();
        curry.iter_mut().try_for_each(own)?;
        function.set_curry(curry);
    }
    Ok(value)
}

/// A generator that every worker would copy gives every worker the same draws.
fn check_captures(captured: &[Dynamic]) -> Result<()> {
    if !captured.iter().any(holds_generator) {
        return Ok(());
    }
    let message = "the closure captures a random generator: every item would draw the same numbers";
    Err(Error::new(Kind::Argument, message)
        .hint("make one inside, from the item: `let random = rng(item.id);`"))
}

fn holds_generator(value: &Dynamic) -> bool {
    if let Ok(items) = value.as_array_ref() {
        return items.iter().any(holds_generator);
    }
    if let Ok(map) = value.as_map_ref() {
        return map.values().any(holds_generator);
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        return function.curry().iter().any(holds_generator);
    }
    value.is::<crate::pipeline::rng::Rng>()
}
