//! `:reload`: the project's scripts as they stand there now. What is broken stays as it was.

use std::sync::Arc;

use super::{Repl, errors};
use crate::author::check;
use crate::base::{Error, Result};
use crate::script::library::Unit;

/// What a reload found.
#[derive(Default)]
pub struct Reloaded {
    /// Scripts with another text than before.
    pub changed: Vec<String>,
    /// Loaded scripts among them: what their top level does was not done again.
    pub loaded: Vec<String>,
    /// Why others stay as they were.
    pub broken: Vec<Error>,
}

impl Repl {
    /// Reads all scripts of the project anew that were loaded or imported.
    pub fn reload(&mut self) -> Reloaded {
        let mut found = Reloaded::default();
        let before: Vec<Arc<Unit>> = self.scripts();
        let texts: Vec<Result<String>> = before.iter().map(|unit| self.text_of(&unit.path)).collect();
        let is_same = |(unit, text): (&Arc<Unit>, &Result<String>)| {
            text.as_ref().is_ok_and(|text| **text == *unit.source)
        };
        if before.iter().zip(&texts).all(is_same) {
            return found;
        }
        // Also those that stay the same: they may import one that does not.
        for (unit, text) in before.iter().zip(texts) {
            match text.and_then(|text| self.renew(&unit.path, &text)) {
                Ok(renewed) if renewed.source != unit.source => found.changed.push(unit.path.clone()),
                Ok(_) => {}
                Err(error) => found.broken.push(error),
            }
        }
        self.refuse_mistakes(&before, &mut found);
        self.use_renewed(&mut found);
        if !found.changed.is_empty() {
            self.session.world.backends.forget_scripts();
        }
        found
    }

    /// Loads something with the modules as they stand there now: who imports one that was edited means the new one.
    pub(super) fn refreshed(
        &mut self,
        load: impl FnOnce(&Repl) -> Result<Arc<Unit>>,
    ) -> Result<Arc<Unit>, Vec<Error>> {
        let mut broken = self.reload().broken;
        let unit = load(self).map_err(|error| vec![error])?;
        let reached = self.session.engine.library().reachable(&unit.path);
        broken.retain(|error| {
            error.place().is_some_and(|place| reached.iter().any(|unit| unit.path == place.file))
        });
        if broken.is_empty() { Ok(unit) } else { Err(broken) }
    }

    /// The project's scripts that are loaded; entries are none.
    fn scripts(&self) -> Vec<Arc<Unit>> {
        let is_script =
            |unit: &Arc<Unit>| unit.path.starts_with("scripts/") || self.loaded.contains(&unit.path);
        self.session.engine.library().units().into_iter().filter(is_script).collect()
    }

    fn text_of(&self, path: &str) -> Result<String> {
        match path.starts_with("scripts/") {
            true => self.session.engine.library().read(path),
            false => self.session.world.project.read_text(path),
        }
    }

    fn renew(&self, path: &str, text: &str) -> Result<Arc<Unit>> {
        let engine = &self.session.engine;
        engine.library().renew(engine.engine(), path, text)
    }

    /// What parses may still be wrong.
    fn refuse_mistakes(&self, before: &[Arc<Unit>], found: &mut Reloaded) {
        let paths: Vec<&str> = found.changed.iter().map(String::as_str).collect();
        let Err(mistakes) = errors(check::scripts(&self.session, &paths)) else { return };
        let stands_in = |path: &String| {
            mistakes.iter().any(|error| error.place().is_some_and(|place| place.file == *path))
        };
        let wrong: Vec<String> = found.changed.iter().filter(|path| stands_in(path)).cloned().collect();
        for unit in before.iter().filter(|unit| wrong.contains(&unit.path)) {
            self.session.engine.library().put_back(unit.clone());
        }
        found.changed.retain(|path| !wrong.contains(path));
        found.broken.extend(mistakes);
    }

    /// Entries see the modules and functions that are new now.
    fn use_renewed(&mut self, found: &mut Reloaded) {
        let ctx = self.session.context(self.session.run_of_nothing());
        let engine = &self.session.engine;
        found.broken.extend(self.workspace.renew_imports(engine, &ctx));
        for path in &self.loaded {
            let Some(unit) = engine.library().unit(path) else { continue };
            self.workspace.replace_functions(&unit);
            if let Err(error) = self.workspace.add_imports(engine, &unit, &ctx) {
                found.broken.push(error);
            }
        }
        found.loaded = found.changed.iter().filter(|path| self.loaded.contains(path)).cloned().collect();
    }
}
