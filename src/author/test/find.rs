//! Finds tests: loads their files, and holds these and all that they use against what can be called.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Case, Tests, id};
use crate::author::check::{self, Finding, Severity};
use crate::base::{Error, Kind, Result};
use crate::script::calls::for_each_call;
use crate::script::library::{Unit, definition_place};

/// Where tests stand.
const FILES: &str = "tests/**/*_test.rhai";

/// What a test's name begins with.
const PREFIX: &str = "test_";

/// The tests of a project, or those of them that were asked for.
#[derive(Default)]
pub struct Found {
    /// The tests, by file and line.
    pub cases: Vec<Case>,
    /// Mistakes in test files, and in what they use.
    pub mistakes: Vec<Finding>,
    /// Files that cannot be run because of these.
    pub broken: Vec<String>,
    /// All scripts that are loaded.
    pub(super) units: Vec<Arc<Unit>>,
    /// Whether only some tests were asked for.
    pub filtered: bool,
}

/// A test file and the scripts that it runs.
struct Loaded {
    unit: Arc<Unit>,
    runs: Vec<String>,
    cases: Vec<Case>,
}

impl Found {
    /// A script that several test files import is wrong only once.
    fn add_once(&mut self, mistake: Finding) {
        let same = |known: &Finding| {
            known.error.message() == mistake.error.message() && known.error.place() == mistake.error.place()
        };
        if !self.mistakes.iter().any(same) {
            self.mistakes.push(mistake);
        }
    }
}

impl Tests {
    /// The tests whose `file::name` has this part; all without one.
    pub fn find(&self, filter: Option<&str>) -> Result<Found> {
        let mut found = Found { filtered: filter.is_some(), ..Found::default() };
        let mut files = Vec::new();
        for path in self.session.world.project.list(FILES)? {
            let text = self.session.world.project.read_text(&path)?;
            if filter.is_none_or(|part| may_have(&path, &text, part)) {
                match self.load(&path, &text) {
                    Ok(loaded) => files.push(loaded),
                    Err(error) => {
                        found.add_once(Finding::of("load", error));
                        found.broken.push(path);
                    }
                }
            }
        }
        self.check(&mut found, &files);
        let sound = files.into_iter().filter(|file| !found.broken.contains(&file.unit.path));
        let cases = sound.flat_map(|file| file.cases);
        found.cases = cases.filter(|case| filter.is_none_or(|part| case.id().contains(part))).collect();
        found.broken.sort();
        found.units = self.session.engine.library().units();
        Ok(found)
    }

    /// The names of all tests, as far as they can be read off the files.
    pub fn names(&self) -> Vec<String> {
        let project = &self.session.world.project;
        let of_file = |path: &String| {
            let text = project.read_text(path).unwrap_or_default();
            names_in(&text).map(|name| id(path, name)).collect::<Vec<_>>()
        };
        project.list(FILES).unwrap_or_default().iter().flat_map(of_file).collect()
    }

    fn load(&self, path: &str, text: &str) -> Result<Loaded> {
        let unit = self.session.load_entry(path, text)?;
        let cases = cases(&unit)?;
        let runs = scripts_run(&unit);
        for script in &runs {
            if self.session.engine.library().unit(script).is_none()
                && let Ok(text) = self.session.world.project.read_text(script)
            {
                self.session.load_entry(script, &text)?;
            }
        }
        Ok(Loaded { unit, runs, cases })
    }

    /// Mistakes in a file make all broken that use it.
    fn check(&self, found: &mut Found, files: &[Loaded]) {
        let library = self.session.engine.library();
        let entries = files.iter().flat_map(|file| [&file.unit.path].into_iter().chain(&file.runs));
        let entries: Vec<&str> =
            entries.map(String::as_str).filter(|path| library.unit(path).is_some()).collect();
        let mistakes = check::scripts(&self.session, &entries);
        let mistakes: Vec<Finding> =
            mistakes.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
        let wrong: BTreeSet<&str> = mistakes
            .iter()
            .filter_map(|finding| finding.error.place())
            .map(|place| place.file.as_str())
            .collect();
        for file in files {
            let paths = [&file.unit.path].into_iter().chain(&file.runs);
            let mut uses = paths.flat_map(|path| library.reachable(path));
            if uses.any(|unit| wrong.contains(unit.path.as_str())) {
                found.broken.push(file.unit.path.clone());
            }
        }
        found.mistakes.extend(mistakes);
    }
}

/// Whether a file may have a test that is asked for: it is not loaded for that.
fn may_have(path: &str, text: &str, part: &str) -> bool {
    names_in(text).any(|name| id(path, name).contains(part))
}

/// The names of functions that look like tests, as they stand at the beginning of lines.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let name = line.trim_start().trim_start_matches("private ").strip_prefix("fn ")?.trim_start();
        let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
        name.starts_with(PREFIX).then_some(&name[..end])
    })
}

/// The tests of a file, in their order.
fn cases(unit: &Unit) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for function in unit.ast.iter_functions().filter(|f| f.name.starts_with(PREFIX)) {
        let place = definition_place(unit, function.name);
        if !function.params.is_empty() || function.this_type.is_some() {
            return Err(Error::new(
                Kind::Script,
                format!("`{}` is a test, and takes something", function.name),
            )
            .hint("a test is a function without parameters; give helpers another name")
            .at(place));
        }
        cases.push(Case { file: unit.path.clone(), name: function.name.into(), line: place.line });
    }
    cases.sort_by(|a, b| (a.line, &a.name).cmp(&(b.line, &b.name)));
    match cases.is_empty() {
        true => Err(Error::new(Kind::Script, format!("{} has no tests", unit.path))
            .hint("a test is a function without parameters whose name begins with `test_`")),
        false => Ok(cases),
    }
}

/// The scripts that a file runs by plain names.
fn scripts_run(unit: &Unit) -> Vec<String> {
    let mut scripts = BTreeSet::new();
    for_each_call(unit, &mut |call| {
        if call.name() == "run_script" {
            scripts.extend(call.text(0).map(str::to_string));
        }
    });
    scripts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_off_a_text() {
        let text = "import \"x\" as x;\nfn test_a() {}\n  private fn  test_b () {}\n// fn test_c() {}\nfn helper() {}\nfn test_d";
        assert_eq!(names_in(text).collect::<Vec<_>>(), ["test_a", "test_b", "test_d"]);
        assert!(may_have("tests/x_test.rhai", text, "x_test.rhai::test_b"));
        assert!(!may_have("tests/x_test.rhai", text, "helper"));
    }
}
