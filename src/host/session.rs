//! A project opened for scripts: the world, the engine and the loaded scripts, put together.

use std::sync::Arc;

use rhai::{Dynamic, Module, Shared};

use super::{adapter, embedded, local, table, testing};
use crate::base::config::Params;
use crate::base::events::Event;
use crate::base::{Error, Kind, Result};
use crate::script::calls::named_in_calls;
use crate::script::context::Run;
use crate::script::library::{HostName, Library, Loader, Native, Surroundings, Unit, unknown_std_module};
use crate::script::{Ctx, ScriptEngine, engine, values};
use crate::work::{Scope, World, backends};

/// What `eval` calls its text in errors.
const EXPRESSION: &str = "(expression)";

/// What all sessions have in common: the host's functions. Sessions that are made of the same parts share them.
pub struct Parts {
    modules: Vec<Shared<Module>>,
    around: Arc<Surroundings>,
}

impl Default for Parts {
    fn default() -> Parts {
        let modules: Vec<Shared<Module>> = table::NAMESPACES.iter().map(|n| Arc::new((n.module)())).collect();
        let natives = vec![Native::new(testing::PATH, testing::module())];
        let around = Arc::new(Surroundings { host_names: host_names(&modules), natives });
        Parts { modules, around }
    }
}

/// An opened project.
pub struct Session {
    /// Everything with an effect.
    pub world: Arc<World>,
    /// The engine and its scripts.
    pub engine: Arc<ScriptEngine>,
    root: Ctx,
}

impl Session {
    /// Puts a world and an engine together.
    pub fn new(world: World) -> Session {
        Session::of_parts(world, &Parts::default(), &[])
    }

    /// The same of parts that are there, and with scripts that were loaded elsewhere.
    pub fn of_parts(world: World, parts: &Parts, units: &[Arc<Unit>]) -> Session {
        let world = Arc::new(world);
        let library = Arc::new(Library::new(loader(&world), parts.around.clone(), units));
        let run = Arc::new(Run { entry: EXPRESSION.into(), ..Run::default() });
        let scope = Arc::new(Scope::default());
        let root = |engine| Ctx {
            world: world.clone(),
            engine,
            library: library.clone(),
            run: run.clone(),
            scope: scope.clone(),
        };
        let engine = Arc::new_cyclic(|weak| {
            let (limits, stop) = (&world.config.limits, world.stop.clone());
            let mut engine = ScriptEngine::new(&parts.modules, library.clone(), limits, stop);
            engine.set_root(root(weak.clone()));
            let events = world.events.clone();
            engine.on_print(move |text| events.emit(Event::Print(text.into())));
            engine
        });
        let root = root(Arc::downgrade(&engine));
        let (opener, ctx) = (engine.clone(), root.clone());
        let open_local = move |name: &str, config: &_| local::open(&opener, &ctx, name, config);
        let (opener, ctx) = (engine.clone(), root.clone());
        let open_adapter = move |config: &_| adapter::open(&opener, &ctx, config);
        world.set_openers(Arc::new(open_local), Arc::new(open_adapter));
        Session { world, engine, root }
    }

    /// Loads a script of the project with all that it imports.
    pub fn load(&self, path: &str) -> Result<Arc<Unit>> {
        self.engine.library().load(self.engine.engine(), path)
    }

    /// Loads an entry script from its text, as the command line read it.
    pub fn load_entry(&self, path: &str, text: &str) -> Result<Arc<Unit>> {
        self.engine.library().load_text(self.engine.engine(), path, text)
    }

    /// Runs a loaded entry script on a thread of its own.
    pub fn run(&self, unit: &Unit) -> Result<()> {
        let ctx = self.context(self.run_of(unit));
        engine::on_script_thread(|| self.engine.run(unit, &ctx))
    }

    /// Calls a function of a loaded script, on this thread, which must have room for scripts. What it makes has no
    /// version of its code.
    pub fn call(&self, unit: &Unit, function: &str) -> Result<()> {
        let ctx = self.context(Run { entry: unit.path.clone(), ..Run::default() });
        self.engine.call(unit, function, vec![], &ctx).map(drop)
    }

    /// What the run of an entry script is.
    pub fn run_of(&self, unit: &Unit) -> Run {
        run_of(&self.root, &self.engine, unit)
    }

    /// A run of nothing: for what is evaluated without having been asked for.
    pub fn run_of_nothing(&self) -> Run {
        Run { entry: EXPRESSION.into(), ..Run::default() }
    }

    /// The surroundings of what belongs to a run.
    pub fn context(&self, run: Run) -> Ctx {
        Ctx { run: Arc::new(run), ..self.root.clone() }
    }

    /// The identities of the backends that scripts name in plain words, also inside of items. One that
    /// cannot be opened is told when the script gets it.
    pub fn named_backends(&self, paths: &[&str]) -> Vec<String> {
        named_backends(&self.root, paths)
    }

    /// The backends and roles that loaded scripts ask for in plain words.
    pub fn backend_names(&self, paths: &[&str]) -> Vec<String> {
        backend_names(self.engine.library(), paths)
    }

    /// Loads an expression or a few statements for `eval`.
    pub fn load_expression(&self, text: &str) -> Result<Arc<Unit>> {
        self.engine.library().load_text(self.engine.engine(), EXPRESSION, text)
    }

    /// Evaluates a loaded expression.
    pub fn eval(&self, unit: &Unit) -> Result<Dynamic> {
        engine::on_script_thread(|| self.engine.eval(unit))
    }
}

impl Session {
    /// A value as a person reads it.
    pub fn display(&self, value: &Dynamic) -> String {
        let mut scope = rhai::Scope::new();
        scope.push("value", value.clone());
        let text = self.engine.engine().eval_with_scope::<String>(&mut scope, "value.to_string()");
        text.unwrap_or_else(|_| values::type_name(value))
    }
}

/// The context in which a loaded entry script runs.
pub(super) fn context_of_run(root: &Ctx, engine: &ScriptEngine, unit: &Unit) -> Ctx {
    Ctx { run: Arc::new(run_of(root, engine, unit)), ..root.clone() }
}

fn run_of(root: &Ctx, engine: &ScriptEngine, unit: &Unit) -> Run {
    let code_hash = engine.library().code_hash(engine.engine(), &unit.path);
    let run = Run { entry: unit.path.clone(), code_hash, ..Run::default() };
    named_backends(root, &[&unit.path]).into_iter().for_each(|identity| run.note_identity(identity));
    run
}

fn named_backends(root: &Ctx, paths: &[&str]) -> Vec<String> {
    let names = backend_names(&root.library, paths);
    let open = |name: &String| backends::get(&root.world, name, None, Params::default()).ok();
    names.iter().filter_map(open).flatten().map(|backend| backend.identity()).collect()
}

fn backend_names(library: &Library, paths: &[&str]) -> Vec<String> {
    let units: Vec<_> = paths.iter().flat_map(|path| library.reachable(path)).collect();
    named_in_calls(&units, &["get_backend", "get_backends"])
}

/// Where scripts come from: shipped modules from the binary, the rest from the project.
fn loader(world: &Arc<World>) -> Loader {
    let project = world.project.clone();
    Box::new(move |path| match path.starts_with("std/") {
        true => embedded::std_module(path).map(str::to_string).ok_or_else(|| {
            unknown_std_module(path, embedded::STDLIB.iter().map(|(name, _)| *name).chain([testing::PATH]))
        }),
        false => project.script_text(path).map_err(|e| absent(path, e)),
    })
}

fn absent(path: &str, error: Error) -> Error {
    match error.kind() {
        Kind::NotFound if path.starts_with("scripts/scripts/") => Error::new(Kind::NotFound, error.message())
            .hint("imports name files below scripts/: leave out `scripts/`"),
        Kind::NotFound => error.or_hint(Some(format!("is it {path} below the project's root?"))),
        _ => error,
    }
}

/// The functions that scripts may not redefine: those with names, not operators and properties.
fn host_names(modules: &[Arc<rhai::Module>]) -> Vec<HostName> {
    let signatures = modules.iter().flat_map(|module| module.gen_fn_signatures_with_mapper(Into::into));
    signatures.filter_map(|signature| host_name(&signature)).collect()
}

/// `complete(backend: &mut Backend, prompt: Dynamic) -> ...`: a method, of two parameters.
fn host_name(signature: &str) -> Option<HostName> {
    let (name, rest) = signature.split_once('(')?;
    let parameters: Vec<&str> = rest.rsplit_once(')')?.0.split(',').collect();
    let is_method = parameters.first().is_some_and(|first| first.contains("&mut"));
    let named = !name.contains('$') && name != "to_string";
    named.then(|| HostName { name: name.into(), arity: is_method.then_some(parameters.len()) })
}
