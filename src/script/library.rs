//! The scripts of a run: texts, syntax trees and imports, loaded before anything runs, so that a
//! mistake anywhere is found before the first call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock, RwLock};

use rhai::{AST, ASTNode, Engine, Expr, Module, Position, Shared, Stmt};
use sha2::{Digest, Sha256};

use super::signatures::Signatures;
use super::words;
use crate::base::{Error, Kind, Place, Result, hash, suggest};

/// One loaded script file.
pub struct Unit {
    /// `scripts/prompts.rhai`, or `std/rubric` for a shipped module.
    pub path: String,
    /// Its text.
    pub source: Arc<str>,
    /// Its syntax tree, unoptimised: `check` sees branches that never run.
    pub ast: AST,
    /// The paths that it imports, and where.
    pub imports: Vec<(String, Position)>,
}

/// Reads the text of a script by its path.
pub type Loader = Box<dyn Fn(&str) -> Result<String> + Send + Sync>;

/// A function that scripts may not redefine: of that many parameters, or (`None`) of any number.
pub struct HostName {
    /// Its name.
    pub name: String,
    /// Number of parameters, for a method: a script backend defines its own `complete(request)`.
    pub arity: Option<usize>,
}

/// A module that scripts import and that is none itself.
pub struct Native {
    /// The path by which it is imported: `std/testing`.
    pub path: &'static str,
    /// The module.
    pub module: Shared<Module>,
    signatures: OnceLock<Signatures>,
}

impl Native {
    /// A module of this path.
    pub fn new(path: &'static str, mut module: Module) -> Native {
        module.build_index();
        Native { path, module: module.into(), signatures: OnceLock::new() }
    }

    /// Its functions.
    pub fn signatures(&self) -> &Signatures {
        self.signatures.get_or_init(|| Signatures::of_module(self.module.clone()))
    }
}

/// What scripts find besides each other. It never changes, so that sessions can share it.
#[derive(Default)]
pub struct Surroundings {
    /// The functions that scripts may not redefine.
    pub host_names: Vec<HostName>,
    /// The modules that are no scripts.
    pub natives: Vec<Native>,
}

/// All loaded scripts.
pub struct Library {
    units: RwLock<BTreeMap<String, Arc<Unit>>>,
    /// Units whose imports did not load: `check` reads them all the same, and loading them again fails again.
    broken: RwLock<BTreeSet<String>>,
    loader: Loader,
    signatures: OnceLock<Signatures>,
    around: Arc<Surroundings>,
}

impl Library {
    /// A library of these units, which were loaded elsewhere.
    pub fn new(loader: Loader, around: Arc<Surroundings>, units: &[Arc<Unit>]) -> Library {
        let units = units.iter().map(|unit| (unit.path.clone(), unit.clone())).collect();
        let (broken, signatures) = Default::default();
        Library { units: RwLock::new(units), broken, loader, signatures, around }
    }

    /// A module that is no script.
    pub fn native(&self, path: &str) -> Option<&Native> {
        self.around.natives.iter().find(|native| native.path == path)
    }

    /// A loaded unit.
    pub fn unit(&self, path: &str) -> Option<Arc<Unit>> {
        self.units.read().ok()?.get(path).cloned()
    }

    /// Whether a host function has this name.
    pub fn is_host_name(&self, name: &str) -> bool {
        self.around.host_names.iter().any(|host| host.name == name)
    }

    /// All units that are loaded.
    pub fn units(&self) -> Vec<Arc<Unit>> {
        self.units.read().map(|units| units.values().cloned().collect()).unwrap_or_default()
    }

    /// The functions that scripts can call.
    pub fn signatures(&self, engine: &Engine) -> &Signatures {
        self.signatures.get_or_init(|| Signatures::of(engine))
    }

    /// Where a position of a script stands.
    pub fn place(&self, path: &str, position: Position) -> Option<Place> {
        let line = position.line()?;
        let source = self.unit(path).map(|unit| unit.source.clone()).unwrap_or_default();
        Some(Place::new(path, &source, line, position.position().unwrap_or(0)))
    }

    /// Loads a script from the project with all that it imports; a cycle is an error with its chain.
    pub fn load(&self, engine: &Engine, path: &str) -> Result<Arc<Unit>> {
        self.load_all(engine, path, None, &mut Vec::new())
    }

    /// Loads a script from its text, in place of a file.
    pub fn load_text(&self, engine: &Engine, path: &str, text: &str) -> Result<Arc<Unit>> {
        self.load_all(engine, path, Some(text.to_string()), &mut Vec::new())
    }

    /// Loads a text that was parsed by whoever knows what it may use beside its own; its imports are loaded here.
    pub fn load_parsed(&self, engine: &Engine, path: &str, text: &str, ast: AST) -> Result<Arc<Unit>> {
        let unit = self.unit_of(path, text.to_string(), ast)?;
        self.add(engine, unit, &mut Vec::new())
    }

    /// The text of a script, as it stands there now.
    pub fn read(&self, path: &str) -> Result<String> {
        (self.loader)(path)
    }

    /// Loads a script in place of what it was; on an error it stays as it was.
    pub fn renew(&self, engine: &Engine, path: &str, text: &str) -> Result<Arc<Unit>> {
        let before = self.unit(path);
        let renewed = self.load_text(engine, path, text).and_then(|unit| {
            self.refuse_cycle(&unit)?;
            Ok(unit)
        });
        if let (Err(_), Some(unit)) = (&renewed, before) {
            self.put_back(unit);
        }
        renewed
    }

    /// Puts a unit back in place of the one that replaced it.
    pub fn put_back(&self, unit: Arc<Unit>) {
        self.note_broken(&unit.path, false);
        if let Ok(mut units) = self.units.write() {
            units.insert(unit.path.clone(), unit);
        }
    }

    /// Units that are loaded already are not entered again, so a cycle through them is only seen from outside.
    fn refuse_cycle(&self, unit: &Unit) -> Result<()> {
        let comes_back = |(import, _): &&(String, Position)| {
            self.reachable(import).iter().any(|reached| reached.path == unit.path)
        };
        match unit.imports.iter().find(comes_back) {
            None => Ok(()),
            Some((import, position)) => Err(imports_each_other(&cycle(&[unit.path.clone(), import.clone()]))
                .at(place_in(unit, *position))),
        }
    }

    /// The units that `path` reaches by imports, itself first, each once.
    pub fn reachable(&self, path: &str) -> Vec<Arc<Unit>> {
        let mut found: Vec<Arc<Unit>> = Vec::new();
        let mut waiting = vec![path.to_string()];
        while let Some(path) = waiting.pop() {
            if found.iter().any(|unit| unit.path == path) {
                continue;
            }
            if let Some(unit) = self.unit(&path) {
                waiting.extend(unit.imports.iter().rev().map(|(path, _)| path.clone()));
                found.push(unit);
            }
        }
        found
    }

    /// Hash of the project's code that `path` reaches: comments, layout and shipped modules aside.
    pub fn code_hash(&self, engine: &Engine, path: &str) -> String {
        let mut units = self.reachable(path);
        units.sort_by(|a, b| a.path.cmp(&b.path));
        Library::hash_of(engine, &units)
    }

    /// Hash of these units' code, in this order; likewise.
    pub fn hash_of(engine: &Engine, units: &[Arc<Unit>]) -> String {
        let mut sum = Sha256::new();
        for unit in units.iter().filter(|unit| !unit.path.starts_with("std/")) {
            let code = engine.compact_script(&*unit.source).unwrap_or_else(|_| unit.source.to_string());
            sum.update(code);
            sum.update([0]);
        }
        hash::hex(&sum.finalize())
    }

    fn load_all(
        &self,
        engine: &Engine,
        path: &str,
        text: Option<String>,
        open: &mut Vec<String>,
    ) -> Result<Arc<Unit>> {
        let is_broken = self.broken.read().is_ok_and(|broken| broken.contains(path));
        if let Some(unit) = self.unit(path).filter(|_| text.is_none() && !is_broken) {
            return Ok(unit);
        }
        let text = text.map_or_else(|| (self.loader)(path), Ok)?;
        let ast = engine.compile(&text).map_err(|e| self.unreadable(engine, path, &text, &e))?;
        let unit = self.unit_of(path, text, ast)?;
        self.add(engine, unit, open)
    }

    /// Adds a unit, and what it imports.
    fn add(&self, engine: &Engine, unit: Unit, open: &mut Vec<String>) -> Result<Arc<Unit>> {
        let unit = Arc::new(unit);
        if let Ok(mut units) = self.units.write() {
            units.insert(unit.path.clone(), unit.clone());
        }
        self.note_broken(&unit.path, true);
        open.push(unit.path.clone());
        for (import, position) in &unit.imports {
            self.load_import(engine, &unit, import, *position, open)?;
        }
        open.pop();
        self.note_broken(&unit.path, false);
        Ok(unit)
    }

    fn note_broken(&self, path: &str, is_broken: bool) {
        if let Ok(mut broken) = self.broken.write() {
            match is_broken {
                true => broken.insert(path.to_string()),
                false => broken.remove(path),
            };
        }
    }

    fn load_import(
        &self,
        engine: &Engine,
        unit: &Unit,
        import: &str,
        position: Position,
        open: &mut Vec<String>,
    ) -> Result<()> {
        if self.native(import).is_some() {
            return Ok(());
        }
        let place = place_in(unit, position);
        if let Some(start) = open.iter().position(|path| path == import) {
            let chain = cycle(&open[start..]);
            return Err(imports_each_other(&chain).at(place));
        }
        let absent = |e: Error| match e.kind() {
            Kind::NotFound | Kind::Denied => e.code("missing-import"),
            _ => e,
        };
        self.load_all(engine, import, None, open).map(drop).map_err(|e| absent(e.at(place)))
    }

    fn unit_of(&self, path: &str, text: String, mut ast: AST) -> Result<Unit> {
        ast.set_source(path);
        let mut unit = Unit { path: path.into(), source: text.into(), ast, imports: Vec::new() };
        self.refuse_shadowing(&unit)?;
        unit.imports = imports(&unit)?;
        Ok(unit)
    }

    /// A syntax error; of a module that is not imported, with the import.
    fn unreadable(&self, engine: &Engine, path: &str, text: &str, error: &rhai::ParseError) -> Error {
        let told = words::parse_error(engine, path, text, error);
        let rhai::ParseErrorType::ModuleUndefined(name) = error.err_type() else { return told };
        let known = [format!("scripts/{name}.rhai"), format!("std/{name}")];
        match known.iter().position(|path| (self.loader)(path).is_ok()) {
            Some(0) => told.hint(format!("import it first: import \"{name}\" as {name};")),
            Some(_) => told.hint(format!("import it first: import \"std/{name}\" as {name};")),
            None => told,
        }
    }

    /// A script function named like a host function would silently replace it.
    fn refuse_shadowing(&self, unit: &Unit) -> Result<()> {
        let shadows = |f: &rhai::ScriptFnMetadata| {
            let same =
                |host: &HostName| host.name == f.name && host.arity.is_none_or(|n| n == f.params.len());
            self.around.host_names.iter().any(same)
        };
        match unit.ast.iter_functions().find(shadows) {
            None => Ok(()),
            Some(f) => {
                let error = Error::new(Kind::Script, format!("`{}` is a host function", f.name))
                    .hint(format!("give yours another name, such as `my_{}`", f.name))
                    .code("host-name");
                Err(error.at(definition_place(unit, f.name)))
            }
        }
    }
}

fn imports_each_other(chain: &str) -> Error {
    Error::new(Kind::Script, format!("these scripts import each other: {chain}"))
        .hint("move what both need into a third script")
        .code("import-cycle")
}

/// A cycle in words, told from its first path by name: the same one wherever it was entered.
fn cycle(paths: &[String]) -> String {
    let first = (0..paths.len()).min_by_key(|i| &paths[*i]).unwrap_or(0);
    let around = paths.iter().cycle().skip(first).take(paths.len() + 1);
    around.map(String::as_str).collect::<Vec<_>>().join(" -> ")
}

/// The path of the unit that an import names: `personas` -> `scripts/personas.rhai`.
pub fn import_path(name: &str) -> Result<String> {
    if let Some(module) = name.strip_prefix("std/") {
        return Ok(format!("std/{}", module.trim_end_matches(".rhai")));
    }
    let leaves = name.starts_with('/') || name.contains('\\') || name.split('/').any(|part| part == "..");
    if leaves || name.is_empty() {
        return Err(Error::new(Kind::Denied, format!("`{name}` is outside of the project's scripts"))
            .code("missing-import")
            .hint("import names a file below scripts/, without the ending: import \"prompts\" as prompts;"));
    }
    Ok(format!("scripts/{}.rhai", name.trim_end_matches(".rhai")))
}

/// Advice for an import of a shipped module that does not exist.
pub fn unknown_std_module<'a>(path: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Error {
    Error::new(Kind::NotFound, format!("there is no module `{path}`")).hint(suggest::hint(path, known))
}

/// A position of a unit.
pub fn place_in(unit: &Unit, position: Position) -> Place {
    let (line, column) = (position.line().unwrap_or(1), position.position().unwrap_or(0));
    Place::new(&unit.path, &unit.source, line, column)
}

/// Where `fn name` stands: syntax trees do not keep it.
pub fn definition_place(unit: &Unit, name: &str) -> Place {
    let defines = |line: &str| {
        let rest = line.trim_start().trim_start_matches("private ").strip_prefix("fn ")?;
        rest.trim_start().strip_prefix(name)?.trim_start().starts_with('(').then(|| line.find(name)).flatten()
    };
    for (i, line) in unit.source.lines().enumerate() {
        if let Some(byte) = defines(line) {
            return Place::new(&unit.path, &unit.source, i + 1, line[..byte].chars().count() + 1);
        }
    }
    Place::new(&unit.path, &unit.source, 1, 1)
}

fn imports(unit: &Unit) -> Result<Vec<(String, Position)>> {
    let mut found = Vec::new();
    let mut fault = None;
    unit.ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last() {
            match import_of(&import.0) {
                Ok(target) => found.push((target, import.0.position())),
                Err(e) => fault = fault.take().or(Some(e.at(place_in(unit, import.0.position())))),
            }
        }
        true
    });
    fault.map_or(Ok(found), Err)
}

fn import_of(expression: &Expr) -> Result<String> {
    match expression {
        Expr::StringConstant(name, _) => import_path(name),
        _ => Err(Error::new(Kind::Script, "an import must name its file in plain quotes")
            .hint("write import \"prompts\" as prompts; so that the file is checked before the run")),
    }
}
