//! Finds mistakes before anything runs: each script's syntax tree is held against what can be called,
//! each configuration file, rubric and template is read. Nothing is sent, no script is evaluated.

mod allow;
mod arithmetic;
mod budget;
mod calls;
mod closures;
pub mod codes;
mod computed;
mod conditions;
mod config;
mod constraints;
mod distributions;
mod effects;
mod files;
mod flow;
mod items;
mod look;
pub mod names;
mod options;
mod paths;
mod points;
mod scopes;
mod shape;
mod source;
mod templates;
pub mod test_only;
mod tree;
mod types;
mod unused;
mod walk;

use std::collections::HashSet;
use std::sync::Arc;

pub use calls::settings_read;

use crate::base::{Error, Kind, Result};
use crate::host::Session;
use crate::script::library::Unit;
use crate::script::workspace::Workspace;
use allow::Faults;
use look::Look;
use names::{Names, Shared};
use source::Source;
use tree::Tree;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot work: nothing may run.
    Error,
    /// It looks wrong.
    Warning,
}

impl Severity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One mistake.
#[derive(Debug, Clone)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What, where, and what to do.
    pub error: Error,
    /// What sort of mistake, for programs: `unknown-function`.
    pub code: &'static str,
}

impl Finding {
    /// A finding of a code, as bad as the table says, unless the error names a code of its own.
    pub(super) fn of(code: &'static str, error: Error) -> Finding {
        let error = error.code(code);
        let code = error.get_code().unwrap_or(code);
        let severity = codes::find(code).map_or(Severity::Error, |known| known.severity);
        Finding { severity, error, code }
    }

    /// A fault of a configuration that cannot be read.
    pub fn of_config(error: Error) -> Finding {
        Finding::of("config", error)
    }

    fn with_severity(self, severity: Severity) -> Finding {
        Finding { severity, ..self }
    }
}

/// How a script is looked at.
type Analysis = fn(&Look) -> Vec<Finding>;

/// All analyses of scripts: a new one is a file and a line here.
const ANALYSES: &[Analysis] = &[
    calls::check,
    types::check,
    options::check,
    items::check,
    conditions::check,
    arithmetic::check,
    paths::check,
    templates::check,
    closures::check,
    scopes::check,
    points::check,
    computed::check,
    unused::check,
    effects::check,
    flow::check,
    distributions::of_script,
];

/// The mistakes in entry scripts, given as path and text, and in every configuration file: what `run`
/// must know before its first call.
pub fn entries(session: &Session, entries: &[(String, String)]) -> Vec<Finding> {
    let mut findings = files::check(&session.world.project);
    let mut loaded = Vec::new();
    for (path, text) in entries {
        match session.load_entry(path, text) {
            Ok(_) => loaded.push(path.as_str()),
            Err(error) => findings.push(Finding::of("load", error)),
        }
    }
    findings.extend(of_scripts(session, &loaded));
    findings.extend(shape::check(session));
    findings.extend(budget::check(session, &loaded));
    // What cannot be read cannot be opened, either.
    if findings.iter().all(|finding| finding.severity == Severity::Warning) {
        findings.extend(files::of_names(&session.world, &session.backend_names(&loaded)));
    }
    in_order(session, findings, Faults::OfAllowed)
}

/// What cannot work in scripts (loaded or still to load) and in all that they import, each script once.
pub fn scripts(session: &Session, entries: &[&str]) -> Vec<Finding> {
    only_errors(in_order(session, of_scripts(session, entries), Faults::None))
}

/// What cannot work in an entry of a session, and in the project's modules that it imports.
pub fn entry(session: &Session, unit: &Arc<Unit>, workspace: &Workspace) -> Vec<Finding> {
    let library = session.engine.library();
    let (shared, source) = (Shared::of(library), Source::of(session.engine.engine(), unit));
    let (tree, names) = (Tree::of(&source), Names::of(&shared, unit).with(workspace));
    let look = Look { session, tree: &tree, names: &names, shared: &shared };
    // The other analyses take it that all of a script is there.
    let mut findings = calls::check(&look);
    let modules = library.reachable(&unit.path).into_iter().skip(1);
    let own: Vec<_> = modules.filter(|module| !module.path.starts_with("std/")).collect();
    findings.extend(of_units(session, &own));
    only_errors(in_order(session, findings, Faults::None))
}

fn only_errors(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}

/// The mistakes in a whole project: every script, configuration file, rubric and template.
pub fn project(session: &Session) -> Vec<Finding> {
    let mut findings = files::check(&session.world.project);
    // Opening backends loads their scripts, whose keys the check of other scripts would take into account.
    match session.world.project.list("scripts/**/*.rhai") {
        Ok(paths) => {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            findings.extend(of_scripts(session, &paths));
            findings.extend(budget::check(session, &paths));
            findings.extend(tests(session));
            findings.extend(test_only::of_project(session, &paths));
        }
        Err(error) => findings.push(Finding::of("files", error)),
    }
    findings.extend(shape::check(session));
    findings.extend(files::of_roles(session));
    findings.extend(config::check(session));
    in_order(session, findings, Faults::All)
}

/// The mistakes in the tests of a project.
fn tests(session: &Session) -> Vec<Finding> {
    let project = &session.world.project;
    let paths = project.list("tests/**/*.rhai").unwrap_or_default();
    let load = |path: &String| session.load_entry(path, &project.read_text(path)?);
    let (loaded, failed): (Vec<_>, Vec<_>) = paths.iter().map(load).partition(Result::is_ok);
    let units: Vec<_> = loaded.into_iter().flatten().collect();
    let mut findings: Vec<Finding> =
        failed.into_iter().filter_map(Result::err).map(|error| Finding::of("load", error)).collect();
    // What they import are scripts of the project, which are looked at anyway.
    findings.extend(only_errors(in_order(session, of_units(session, &units), Faults::None)));
    findings
}

/// The mistakes in the shipped modules: for the tests.
pub fn shipped_module(session: &Session, path: &str) -> Result<Vec<Finding>> {
    session.load(path)?;
    let missing = || Error::new(Kind::Internal, format!("{path} is not loaded"));
    let unit = session.engine.library().unit(path).ok_or_else(missing)?;
    Ok(in_order(session, of_units(session, &[unit]), Faults::None))
}

/// The mistakes in the scripts that these reach, and why some of them do not load.
fn of_scripts(session: &Session, entries: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut units: Vec<Arc<Unit>> = Vec::new();
    let mut known = HashSet::new();
    for entry in entries {
        if let Err(error) = session.load(entry) {
            findings.push(Finding::of("load", error));
        }
        for unit in session.engine.library().reachable(entry) {
            if known.insert(unit.path.clone()) && !unit.path.starts_with("std/") {
                units.push(unit);
            }
        }
    }
    findings.extend(of_units(session, &units));
    findings
}

fn of_units(session: &Session, units: &[Arc<Unit>]) -> Vec<Finding> {
    let library = session.engine.library();
    let mut shared = Shared::of(library);
    let sources: Vec<Source> = units.iter().map(|unit| Source::of(session.engine.engine(), unit)).collect();
    shared.silent.extend(sources.iter().flat_map(Source::silent));
    let of_unit = |source: &Source| {
        let tree = Tree::of(source);
        let names = Names::of(&shared, tree.unit);
        let look = Look { session, tree: &tree, names: &names, shared: &shared };
        ANALYSES.iter().flat_map(|analysis| analysis(&look)).collect::<Vec<_>>()
    };
    sources.iter().flat_map(of_unit).collect()
}

/// Without those that a comment allows; sorted by file and line, each once: a file that several scripts import
/// is wrong only once, a cycle only once wherever it was entered.
fn in_order(session: &Session, findings: Vec<Finding>, faults: Faults) -> Vec<Finding> {
    let mut findings = allow::apply(session, findings, faults);
    let place =
        |finding: &Finding| finding.error.place().map(|place| (place.file.clone(), place.line, place.column));
    findings.sort_by_cached_key(|finding| (place(finding), finding.severity));
    let mut known = HashSet::new();
    findings.retain(|finding| {
        let message = finding.error.message();
        let place = place(finding).filter(|_| !message.contains(" -> "));
        known.insert((message.to_string(), place))
    });
    findings
}
