//! The one engine of a command: built once, shared by all threads, limits set explicitly.

use std::sync::Arc;

use rhai::{CallFnOptions, Dynamic, Engine, EvalAltResult, Module, OptimizationLevel, Scope, Shared};

use super::context::Ctx;
use super::library::{Library, Unit};
use super::resolver::LibraryResolver;
use super::{raise, trace};
use crate::base::cancel::Stop;
use crate::base::config::Limits;
use crate::base::panic::catch_panic;
use crate::base::{Error, Kind, Result};
use crate::work::threads::STACK_BYTES;

/// How deep expressions may nest, outside and inside of functions.
const EXPRESSION_DEPTH: (usize, usize) = (128, 64);

/// How many operations pass between two looks at the stop flag.
const PROGRESS_MASK: u64 = 0x3ff;

/// The engine with the scripts that it has loaded.
pub struct ScriptEngine {
    engine: Engine,
    library: Arc<Library>,
}

impl ScriptEngine {
    /// Builds it with the host's functions, each module in the global namespace.
    pub fn new(
        modules: &[Shared<Module>],
        library: Arc<Library>,
        limits: &Limits,
        stop: Stop,
    ) -> ScriptEngine {
        let mut engine = Engine::new();
        raise::register(&mut engine);
        modules.iter().for_each(|module| {
            engine.register_global_module(module.clone());
        });
        engine.set_module_resolver(LibraryResolver::new(library.clone()));
        set_rules(&mut engine);
        // The pool of short texts is behind one lock for all threads, and who finds it taken sleeps 10 ms.
        engine.set_max_strings_interned(0);
        engine.on_progress(move |operations| match operations & PROGRESS_MASK {
            0 if stop.scripts_end_now() => Some(Dynamic::from(super::ScriptError(stop.error()))),
            _ => None,
        });
        set_limits(&mut engine, limits);
        ScriptEngine { engine, library }
    }

    /// The bare engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The scripts that are loaded.
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// Sets the context of whatever is evaluated without one of its own.
    pub fn set_root(&mut self, ctx: Ctx) {
        self.engine.set_default_tag(Dynamic::from(ctx));
    }

    /// Sets where `print` and `debug` go.
    pub fn on_print(&mut self, print: impl Fn(&str) + Send + Sync + 'static) {
        let print = Arc::new(print);
        let debug = print.clone();
        self.engine.on_print(move |text| print(text));
        self.engine.on_debug(move |text, _, _| debug(text));
    }

    /// Runs a loaded entry script.
    pub fn run(&self, unit: &Unit, ctx: &Ctx) -> Result<()> {
        let mut global = self.engine.new_global_runtime_state();
        global.tag = Dynamic::from(ctx.clone());
        match Module::eval_ast_as_new_raw(&self.engine, &mut Scope::new(), &mut global, &unit.ast) {
            Ok(_) => Ok(()),
            Err(e) => self.finish(*e, &unit.path).map(drop),
        }
    }

    /// Evaluates a loaded script in the root context, for its value.
    pub fn eval(&self, unit: &Unit) -> Result<Dynamic> {
        let result = self.engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &unit.ast);
        result.or_else(|e| self.finish(*e, &unit.path))
    }

    /// Calls a function of a loaded script; its top level (imports, constants) is run first.
    pub fn call(&self, unit: &Unit, function: &str, arguments: Vec<Dynamic>, ctx: &Ctx) -> Result<Dynamic> {
        let options = CallFnOptions::new().eval_ast(true).with_tag(ctx.clone());
        let scope = &mut Scope::new();
        let result =
            self.engine.call_fn_with_options::<Dynamic>(options, scope, &unit.ast, function, arguments);
        result.or_else(|e| self.finish(*e, &unit.path))
    }

    /// `exit(...)` is no error.
    pub(super) fn finish(&self, error: EvalAltResult, entry: &str) -> Result<Dynamic> {
        match error {
            EvalAltResult::Exit(value, _) => Ok(value),
            error => Err(trace::script_error(error, &self.engine, &self.library, entry)),
        }
    }
}

/// An engine that only parses, by the same rules; it knows these modules without an import.
pub fn parser<'a>(limits: &Limits, modules: impl Iterator<Item = &'a str>) -> Engine {
    let mut engine = Engine::new_raw();
    modules.for_each(|name| {
        engine.register_static_module(name, Module::new().into());
    });
    set_rules(&mut engine);
    set_limits(&mut engine, limits);
    engine
}

fn set_rules(engine: &mut Engine) {
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_strict_variables(true);
    engine.disable_symbol("eval");
}

fn set_limits(engine: &mut Engine, limits: &Limits) {
    engine.set_max_operations(limits.operations);
    engine.set_max_call_levels(limits.call_levels);
    engine.set_max_expr_depths(EXPRESSION_DEPTH.0, EXPRESSION_DEPTH.1);
    engine.set_max_string_size(limits.string_bytes);
    engine.set_max_array_size(limits.array_size);
    engine.set_max_map_size(limits.map_size);
}

/// Runs `f` on a thread whose stack is large enough for scripts.
pub fn on_script_thread<T: Send>(f: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let failed = |why: String| Error::new(Kind::Internal, format!("cannot start a thread: {why}"));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("script".into()).stack_size(STACK_BYTES);
        let thread =
            thread.spawn_scoped(scope, || catch_panic("a script", f)).map_err(|e| failed(e.to_string()))?;
        thread.join().unwrap_or_else(|_| Err(failed("it ended unexpectedly".into())))
    })
}
