//! Gives scripts the modules that they import: only those that the library has loaded.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rhai::{
    AST, Engine, EvalAltResult, FnNamespace, GlobalRuntimeState, Module, ModuleResolver, Position, Scope,
    Shared,
};

use super::library::{Library, Unit, import_path};
use super::raise::ScriptResult;

/// Resolves imports from the library, each module evaluated once for as long as its unit stays the same.
pub struct LibraryResolver {
    library: Arc<Library>,
    modules: RwLock<HashMap<String, Evaluated>>,
}

/// A module, and the unit that it was made of.
#[derive(Clone)]
struct Evaluated {
    of: Arc<Unit>,
    module: Shared<Module>,
}

impl LibraryResolver {
    /// A resolver of what `library` holds.
    pub fn new(library: Arc<Library>) -> LibraryResolver {
        LibraryResolver { library, modules: RwLock::default() }
    }

    fn module(
        &self,
        engine: &Engine,
        tag: &rhai::Dynamic,
        name: &str,
        position: Position,
    ) -> ScriptResult<Shared<Module>> {
        let path = import_path(name)?;
        if let Some(native) = self.library.native(&path) {
            return Ok(native.module.clone());
        }
        let unit = match self.library.unit(&path) {
            Some(unit) => unit,
            None => self.library.load(engine, &path)?,
        };
        let known = self.modules.read().ok().and_then(|known| known.get(&path).cloned());
        if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.of, &unit)) {
            return Ok(known.module);
        }
        let module: Shared<Module> = evaluate(engine, tag, &unit)
            .map_err(|e| Box::new(EvalAltResult::ErrorInModule(path.clone(), e, position)))?
            .into();
        if let Ok(mut known) = self.modules.write() {
            known.insert(path, Evaluated { of: unit, module: module.clone() });
        }
        Ok(module)
    }
}

/// The path of a module's own constants, which no file has.
const CONSTANTS: &str = "(constants)";

/// A module that imports its own constants at its end, by the name that its functions know them by (`global::NAME`): an
/// import is found first, and without a lock. The place where Rhai keeps them is shared by all threads that call these
/// functions, and it panics when the lock is not to be had within 50 ms, as on a busy machine.
fn with_constants<'a>(engine: &Engine, unit: &'a Unit) -> ScriptResult<Cow<'a, AST>> {
    // Most modules do not speak of them, and start without a copy.
    if !unit.source.contains("global") {
        return Ok(Cow::Borrowed(&unit.ast));
    }
    let import = engine.compile(format!("import \"{CONSTANTS}\" as global;"))?;
    let mut ast = unit.ast.merge(&import);
    if let Some(source) = unit.ast.source() {
        ast.set_source(source);
    }
    Ok(Cow::Owned(ast))
}

/// Runs a module's top level in a state of its own, with the importer's context.
fn evaluate(engine: &Engine, tag: &rhai::Dynamic, unit: &Unit) -> ScriptResult<Module> {
    let mut global = engine.new_global_runtime_state();
    global.tag = tag.clone();
    let ast = with_constants(engine, unit)?;
    let mut module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), &mut global, &ast)?;
    // A closure that a module returns is called by its caller, who finds it only when it is global.
    for function in unit.ast.iter_fn_def().filter(|f| f.name.starts_with("anon$")) {
        // A module of its own, only to learn the function's hash.
        let hash = Module::new().set_script_fn(function.clone());
        #[allow(deprecated)] // there is no other way to change a script function's namespace
        module.update_fn_namespace(hash, FnNamespace::Global);
    }
    module.build_index();
    Ok(module)
}

/// What a module's top level has defined.
fn constants(global: &GlobalRuntimeState) -> Shared<Module> {
    let mut module = Module::new();
    if let Some(known) = &global.constants {
        let known = known.read().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in known.iter() {
            module.set_var(name.clone(), value.clone());
        }
    }
    module.build_index();
    module.into()
}

impl ModuleResolver for LibraryResolver {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> ScriptResult<Shared<Module>> {
        self.module(engine, engine.default_tag(), path, position)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _scope: &mut Scope,
        path: &str,
        position: Position,
    ) -> ScriptResult<Shared<Module>> {
        if path == CONSTANTS {
            return Ok(constants(global));
        }
        self.module(engine, &global.tag, path, position)
    }
}
