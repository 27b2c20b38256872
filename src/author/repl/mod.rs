//! Entries that are tried out one by one: what they may use, what survives of them, and what helps to write them.
//! Nothing here knows a terminal.

pub mod commands;
pub mod complete;
pub mod context;
pub mod fold;
pub mod help;
mod hidden;
pub mod hint;
pub mod history;
pub mod input;
pub mod keys;
mod members;
pub mod paint;
mod reload;
pub mod scan;

use std::sync::Arc;

use rhai::Dynamic;

use super::check::{self, Finding, Severity};
use crate::base::{Error, Result};
use crate::host::Session;
use crate::script::context::Run;
use crate::script::engine::on_script_thread;
use crate::script::library::{Library, Unit, import_path};
use crate::script::workspace::Workspace;
use crate::work::backends::Backend;

pub use reload::Reloaded;

/// What the jobs of entries are called where they name none.
const ENTRY: &str = "(repl)";

/// A session of entries.
pub struct Repl {
    /// The project, opened for scripts.
    pub session: Session,
    workspace: Workspace,
    entries: usize,
    last: Dynamic,
    /// The scripts that were loaded, by their paths.
    loaded: Vec<String>,
}

impl Repl {
    /// A session without any entry yet.
    pub fn new(session: Session) -> Repl {
        Repl { session, workspace: Workspace::default(), entries: 0, last: Dynamic::UNIT, loaded: Vec::new() }
    }

    /// What entries may use.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The value of the last entry that had one.
    pub fn last(&self) -> &Dynamic {
        &self.last
    }

    /// Whether a text is only the beginning of an entry.
    pub fn is_incomplete(&self, text: &str) -> bool {
        let parser = self.workspace.parser(&self.session.world.config.limits);
        input::is_incomplete(&parser, self.workspace.scope(), text)
    }

    /// The number of the next entry.
    pub fn next(&self) -> usize {
        self.entries + 1
    }

    /// Makes an end of what stopped the last entry. To be called between entries.
    pub fn settle(&self) {
        // What cannot be settled is told to the next entry.
        let _ = self.session.world.stop.renew();
    }

    /// Evaluates an entry. Its mistakes are told before anything of it runs.
    pub fn enter(&mut self, text: &str) -> Result<Dynamic, Vec<Error>> {
        self.session.world.stop.check().map_err(|error| vec![error])?;
        self.entries += 1;
        let path = format!("entry {}", self.entries);
        let parse = |repl: &Repl| {
            let limits = &repl.session.world.config.limits;
            repl.workspace.load(&repl.session.engine, limits, &path, text)
        };
        let unit = match text.contains("import ") {
            true => self.refreshed(parse)?,
            false => parse(self).map_err(|error| vec![error])?,
        };
        hidden::check(&unit, &self.workspace).map_err(|error| vec![error])?;
        errors(check::entry(&self.session, &unit, &self.workspace))?;
        let run = self.run_of_entry(&unit);
        let value = self.run(&unit, run).map_err(|error| vec![error])?;
        if !value.is_unit() {
            self.last = value.clone();
        }
        Ok(value)
    }

    /// Runs a script's top level here, and brings its functions.
    pub fn load(&mut self, path: &str, text: &str) -> Result<(), Vec<Error>> {
        self.session.world.stop.check().map_err(|error| vec![error])?;
        let unit = self.refreshed(|repl| repl.session.load_entry(path, text))?;
        errors(check::scripts(&self.session, &[path]))?;
        if !self.loaded.iter().any(|known| known == path) {
            self.loaded.push(path.into());
        }
        self.run(&unit, self.session.run_of(&unit)).map(drop).map_err(|error| vec![error])
    }

    /// Forgets variables, functions and imports.
    pub fn reset(&mut self) {
        self.workspace = Workspace::default();
        self.last = Dynamic::UNIT;
        self.loaded.clear();
    }

    /// A value as `:full` shows it.
    pub fn full(&self, value: &Dynamic) -> String {
        fold::full(value, &|value| self.session.display(value))
    }

    /// A value in a few lines.
    pub fn folded(&self, value: &Dynamic) -> String {
        fold::folded(value, &|value| self.session.display(value))
    }

    /// A value on one line.
    pub fn line(&self, value: &Dynamic) -> String {
        fold::line(value, &|value| self.session.display(value))
    }

    /// Runs a unit in the workspace; the checkpoints that it held are free again when it has ended.
    fn run(&mut self, unit: &Arc<Unit>, run: Run) -> Result<Dynamic> {
        let ctx = self.session.context(run);
        let (workspace, engine) = (&mut self.workspace, &self.session.engine);
        let result = on_script_thread(|| workspace.run(engine, unit, &ctx));
        let world = &self.session.world;
        world.release();
        result.and_then(|value| world.stop.check().map(|()| value))
    }

    /// What the records of an entry depend on: the functions and modules at hand, its own text, the backends that
    /// these name, and those that variables hold. The same entry has the same version in another session.
    fn run_of_entry(&self, unit: &Arc<Unit>) -> Run {
        let engine = &self.session.engine;
        let units = self.at_hand(unit);
        let code_hash = Library::hash_of(engine.engine(), &units);
        let run = Run { entry: ENTRY.into(), code_hash, ..Run::default() };
        let paths: Vec<&str> = units.iter().map(|unit| unit.path.as_str()).collect();
        self.session.named_backends(&paths).into_iter().for_each(|identity| run.note_identity(identity));
        for backend in self.workspace.variables().flat_map(|(.., value)| backends_in(value)) {
            run.note_backend(backend.identity(), backend.is_script(), false);
        }
        run
    }

    fn at_hand(&self, unit: &Arc<Unit>) -> Vec<Arc<Unit>> {
        let library = self.session.engine.library();
        let imported = self.workspace.imports().iter().filter_map(|import| import_path(&import.name).ok());
        let mut units: Vec<Arc<Unit>> = Vec::new();
        let own = self.workspace.units().iter().chain([unit]).map(|unit| unit.path.clone());
        for found in own.chain(imported).flat_map(|path| library.reachable(&path)) {
            if !units.iter().any(|known| known.path == found.path) {
                units.push(found);
            }
        }
        units
    }
}

/// The backends that a value holds.
fn backends_in(value: &Dynamic) -> Vec<Backend> {
    if let Some(backend) = value.read_lock::<Backend>() {
        return vec![backend.clone()];
    }
    let items = value.as_array_ref().map(|items| items.iter().flat_map(backends_in).collect());
    items.unwrap_or_default()
}

/// The errors among findings: what only looks wrong is no matter in a trial.
fn errors(findings: Vec<Finding>) -> Result<(), Vec<Error>> {
    let errors = findings.into_iter().filter(|finding| finding.severity == Severity::Error);
    let errors: Vec<Error> = errors.map(|finding| finding.error).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
