//! What survives from one entry of a session to the next: variables, constants, functions and imports. The engine
//! itself keeps nothing between two evaluations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{Caches, Dynamic, Expr, GlobalRuntimeState, Locked, Module, Scope, Shared, Stmt};

use super::engine::{ScriptEngine, parser};
use super::library::Unit;
use super::{Ctx, words};
use crate::base::Result;
use crate::base::config::Limits;

/// A module that entries may use.
#[derive(Clone)]
pub struct Import {
    /// As it is called here.
    pub alias: String,
    /// As the import names it: `prompts`, `std/text`.
    pub name: String,
    module: Shared<Module>,
}

/// The state of a session.
#[derive(Default)]
pub struct Workspace {
    scope: Scope<'static>,
    imports: Vec<Import>,
    /// The units whose functions can be called, the oldest first: those of one name and as many parameters hide
    /// each other.
    units: Vec<Arc<Unit>>,
}

impl Workspace {
    /// Parses a text that may use all that is here, and loads it as `path` with what it imports.
    pub fn load(&self, engine: &ScriptEngine, limits: &Limits, path: &str, text: &str) -> Result<Arc<Unit>> {
        let parsed = self.parser(limits).compile_with_scope(&self.scope, text);
        let bare = engine.engine();
        let ast = parsed.map_err(|e| words::parse_error(bare, path, text, &e))?;
        engine.library().load_parsed(bare, path, text, ast)
    }

    /// An engine that parses what may use all that is here.
    pub fn parser(&self, limits: &Limits) -> rhai::Engine {
        parser(limits, self.imports.iter().map(|import| import.alias.as_str()))
    }

    /// The variables, for a parser.
    pub fn scope(&self) -> &Scope<'static> {
        &self.scope
    }

    /// Runs a unit's statements here. What they made before an error stays, as do the unit's functions.
    pub fn run(&mut self, engine: &ScriptEngine, unit: &Arc<Unit>, ctx: &Ctx) -> Result<Dynamic> {
        self.add_functions(unit);
        let mut global = self.global(engine, unit, ctx);
        let before = global.num_imports();
        // There is no other way to evaluate with libraries and imports of one's own.
        #[allow(deprecated)]
        let result = engine.engine().eval_statements_raw(
            &mut global,
            &mut Caches::new(),
            &mut self.scope,
            unit.ast.statements(),
        );
        self.keep_imports(&global, before, unit);
        self.forget_hidden();
        result.or_else(|e| engine.finish(*e, &unit.path))
    }

    /// Makes a unit's functions callable, in place of those of its older self.
    pub fn add_functions(&mut self, unit: &Arc<Unit>) {
        self.units.retain(|known| known.path != unit.path);
        if !unit.ast.shared_lib().is_empty() {
            self.units.push(unit.clone());
        }
    }

    /// The same for a unit that was only read anew: it keeps its place among those that hide each other.
    pub fn replace_functions(&mut self, unit: &Arc<Unit>) {
        if let Some(known) = self.units.iter_mut().find(|known| known.path == unit.path) {
            *known = unit.clone();
        }
    }

    /// Resolves every import anew. What cannot be had any more stays as it was, and why is told.
    pub fn renew_imports(&mut self, engine: &ScriptEngine, ctx: &Ctx) -> Vec<crate::base::Error> {
        let mut errors = Vec::new();
        for import in &mut self.imports {
            match module(engine, &import.name, ctx) {
                Ok(module) => import.module = module,
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// Adds the imports of a unit's top level, or has them anew.
    pub fn add_imports(&mut self, engine: &ScriptEngine, unit: &Unit, ctx: &Ctx) -> Result<()> {
        for (alias, name) in imports_of(unit) {
            let module = module(engine, &name, ctx)?;
            self.keep_import(Import { alias, name, module });
        }
        Ok(())
    }

    /// The variables, in the order in which they came: name, whether it is constant, value.
    pub fn variables(&self) -> impl Iterator<Item = (&str, bool, &Dynamic)> {
        (&self.scope).into_iter().map(|(name, value, _)| (name, value.is_read_only(), value))
    }

    /// A variable's value.
    pub fn variable(&self, name: &str) -> Option<&Dynamic> {
        self.variables().find(|(known, ..)| *known == name).map(|(.., value)| value)
    }

    /// The modules that are imported.
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// The units whose functions can be called, the oldest first.
    pub fn units(&self) -> &[Arc<Unit>] {
        &self.units
    }

    fn global(&self, engine: &ScriptEngine, unit: &Unit, ctx: &Ctx) -> GlobalRuntimeState {
        let mut global = engine.engine().new_global_runtime_state();
        global.tag = Dynamic::from(ctx.clone());
        global.source = Some(unit.path.as_str().into());
        global.constants = Some(Shared::new(Locked::new(self.constants())));
        // Closures of the first library are called without a look at whose they are, and their errors told of
        // another text: so the first one is empty.
        global.lib.push(Module::new().into());
        global.lib.extend(self.units.iter().map(|unit| unit.ast.shared_lib().clone()));
        for import in &self.imports {
            global.push_import(import.alias.as_str(), import.module.clone());
        }
        global
    }

    /// What functions read as `global::NAME`.
    fn constants(&self) -> BTreeMap<rhai::ImmutableString, Dynamic> {
        let constants = self.variables().filter(|(_, constant, _)| *constant);
        constants.map(|(name, _, value)| (name.into(), value.clone())).collect()
    }

    fn keep_imports(&mut self, global: &GlobalRuntimeState, before: usize, unit: &Unit) {
        let names = imports_of(unit);
        for (alias, module) in global.scan_imports_raw().skip(before) {
            let name = names.iter().rev().find(|(known, _)| *known == alias.as_str());
            if let Some((alias, name)) = name.cloned() {
                self.keep_import(Import { alias, name, module: module.clone() });
            }
        }
    }

    fn keep_import(&mut self, import: Import) {
        self.imports.retain(|known| known.alias != import.alias);
        self.imports.push(import);
    }

    /// Variables that were declared once more hide the older ones, for good.
    fn forget_hidden(&mut self) {
        let mut seen = BTreeSet::new();
        let all: Vec<_> = self.variables().map(|(name, constant, _)| (name.to_string(), constant)).collect();
        if all.iter().all(|(name, _)| seen.insert(name)) {
            return;
        }
        let mut kept = Scope::new();
        let values = std::mem::take(&mut self.scope).into_iter().map(|(_, value, _)| value);
        for (place, ((name, constant), value)) in all.iter().zip(values).enumerate() {
            let is_last = all[place + 1..].iter().all(|(later, _)| later != name);
            match constant {
                true if is_last => drop(kept.push_constant_dynamic(name.as_str(), value)),
                false if is_last => drop(kept.push_dynamic(name.as_str(), value)),
                _ => {}
            }
        }
        self.scope = kept;
    }
}

/// A module, as an import gives it.
fn module(engine: &ScriptEngine, name: &str, ctx: &Ctx) -> Result<Shared<Module>> {
    let bare = engine.engine();
    let mut global = bare.new_global_runtime_state();
    global.tag = Dynamic::from(ctx.clone());
    let resolved =
        bare.module_resolver().resolve_raw(bare, &mut global, &mut Scope::new(), name, rhai::Position::NONE);
    resolved.map_err(|e| super::trace::script_error(*e, bare, engine.library(), name))
}

/// The imports of a unit's top level: alias and name.
fn imports_of(unit: &Unit) -> Vec<(String, String)> {
    let import = |statement: &Stmt| match statement {
        Stmt::Import(import, _) => match &import.0 {
            Expr::StringConstant(name, _) => Some((import.1.name.to_string(), name.to_string())),
            _ => None,
        },
        _ => None,
    };
    unit.ast.statements().iter().filter_map(import).collect()
}
