//! A project opened for scripts: the world, the engine and the loaded scripts, put together.

use std::sync::Arc;

use rhai::Dynamic;

use super::{adapter, embedded, local, table};
use crate::base::config::Params;
use crate::base::events::Event;
use crate::base::{Error, Kind, Result};
use crate::script::calls::named_in_calls;
use crate::script::context::Run;
use crate::script::library::{HostName, Library, Loader, Unit, unknown_std_module};
use crate::script::{Ctx, ScriptEngine, engine, values};
use crate::work::{Scope, World, backends};

/// What `eval` calls its text in errors.
const EXPRESSION: &str = "(expression)";

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
        let world = Arc::new(world);
        let modules: Vec<_> = table::NAMESPACES.iter().map(|n| Arc::new((n.module)())).collect();
        let library = Arc::new(Library::new(loader(&world), host_names(&modules)));
        let mut engine =
            ScriptEngine::new(modules, library.clone(), &world.config.limits, world.stop.clone());
        let run = Arc::new(Run { entry: EXPRESSION.into(), ..Run::default() });
        let root = Ctx { world: world.clone(), library, run, scope: Arc::new(Scope::default()) };
        engine.set_root(root.clone());
        let events = world.events.clone();
        engine.on_print(move |text| events.emit(Event::Print(text.into())));
        let engine = Arc::new(engine);
        let (opener, ctx) = (engine.clone(), root.clone());
        world.set_open_local(Box::new(move |name, config| local::open(&opener, &ctx, name, config)));
        let (opener, ctx) = (engine.clone(), root.clone());
        world.set_open_adapter(Box::new(move |config| adapter::open(&opener, &ctx, config)));
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
        let code_hash = self.engine.library().code_hash(self.engine.engine(), &unit.path);
        let run = Run { entry: unit.path.clone(), code_hash, ..Run::default() };
        self.named_backends(&unit.path).into_iter().for_each(|identity| run.note_identity(identity));
        let ctx = Ctx { run: Arc::new(run), ..self.root.clone() };
        engine::on_script_thread(|| self.engine.run(unit, &ctx))
    }

    /// The identities of the backends that a script names in plain words, also inside of items. One that
    /// cannot be opened is told when the script gets it.
    fn named_backends(&self, path: &str) -> Vec<String> {
        let names = self.backend_names(&[path]);
        let open = |name: &String| backends::get(&self.world, name, None, Params::default()).ok();
        names.iter().filter_map(open).flatten().map(|backend| backend.identity()).collect()
    }

    /// The backends and roles that loaded scripts ask for in plain words.
    pub fn backend_names(&self, paths: &[&str]) -> Vec<String> {
        let units: Vec<_> = paths.iter().flat_map(|path| self.engine.library().reachable(path)).collect();
        named_in_calls(&units, &["get_backend", "get_backends"])
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

/// Where scripts come from: shipped modules from the binary, the rest from the project.
fn loader(world: &Arc<World>) -> Loader {
    let project = world.project.clone();
    Box::new(move |path| match path.starts_with("std/") {
        true => embedded::std_module(path)
            .map(str::to_string)
            .ok_or_else(|| unknown_std_module(path, embedded::STDLIB.iter().map(|(name, _)| *name))),
        false => project.script_text(path).map_err(|e| absent(path, e)),
    })
}

fn absent(path: &str, error: Error) -> Error {
    match error.kind() {
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
