//! Finds mistakes before anything runs: each script's syntax tree is held against what can be called,
//! each configuration file, rubric and template is read. Nothing is sent, no script is evaluated.

mod budget;
mod calls;
mod files;
pub mod names;

use std::sync::Arc;

pub use calls::settings_read;

use crate::base::{Error, Kind, Result};
use crate::host::Session;
use crate::script::library::Unit;
use crate::script::workspace::Workspace;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It cannot work: nothing may run.
    Error,
    /// It looks wrong.
    Warning,
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
    /// A mistake with which nothing may run.
    pub fn error(code: &'static str, error: Error) -> Finding {
        Finding { severity: Severity::Error, error, code }
    }
}

/// The mistakes in entry scripts, given as path and text, and in every configuration file: what `run`
/// must know before its first call.
pub fn entries(session: &Session, entries: &[(String, String)]) -> Vec<Finding> {
    let mut findings = files::check(&session.world.project);
    let mut loaded = Vec::new();
    for (path, text) in entries {
        match session.load_entry(path, text) {
            Ok(_) => loaded.push(path.as_str()),
            Err(error) => findings.push(Finding::error("load", error)),
        }
    }
    findings.extend(scripts(session, &loaded));
    findings.extend(budget::check(session, &loaded));
    // What cannot be read cannot be opened, either.
    if findings.is_empty() {
        findings.extend(files::of_names(&session.world, &session.backend_names(&loaded)));
    }
    once_each(findings)
}

/// The mistakes in entry scripts (loaded or still to load) and in all that they import, each script once.
pub fn scripts(session: &Session, entries: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut units: Vec<Arc<Unit>> = Vec::new();
    for entry in entries {
        if let Err(error) = session.load(entry) {
            findings.push(Finding::error("load", error));
        }
        for unit in session.engine.library().reachable(entry) {
            let is_new = !units.iter().any(|known| known.path == unit.path);
            if is_new && !unit.path.starts_with("std/") {
                units.push(unit);
            }
        }
    }
    units.iter().for_each(|unit| findings.extend(calls::check(session, unit)));
    once_each(findings)
}

/// The mistakes in an entry of a session, and in the project's modules that it imports.
pub fn entry(session: &Session, unit: &Unit, workspace: &Workspace) -> Vec<Finding> {
    let names = names::Names::of(session.engine.library(), unit).with(workspace);
    let mut findings = calls::check_with(session, unit, names);
    for module in session.engine.library().reachable(&unit.path).iter().skip(1) {
        if !module.path.starts_with("std/") {
            findings.extend(calls::check(session, module));
        }
    }
    once_each(findings)
}

/// The mistakes in a whole project: every script, configuration file, rubric and template.
pub fn project(session: &Session) -> Vec<Finding> {
    let mut findings = files::check(&session.world.project);
    // Opening backends loads their scripts, whose keys the check of other scripts would take into account.
    match session.world.project.list("scripts/**/*.rhai") {
        Ok(paths) => {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            findings.extend(scripts(session, &paths));
            findings.extend(budget::check(session, &paths));
        }
        Err(error) => findings.push(Finding::error("files", error)),
    }
    findings.extend(tests(session));
    findings.extend(files::of_roles(session));
    once_each(findings)
}

/// The mistakes in the tests of a project.
fn tests(session: &Session) -> Vec<Finding> {
    let project = &session.world.project;
    let paths = project.list("tests/**/*.rhai").unwrap_or_default();
    let load = |path: &String| session.load_entry(path, &project.read_text(path)?);
    let (loaded, failed): (Vec<_>, Vec<_>) = paths.iter().map(load).partition(Result::is_ok);
    let units: Vec<_> = loaded.into_iter().flatten().collect();
    let mut findings: Vec<Finding> =
        failed.into_iter().filter_map(Result::err).map(|error| Finding::error("load", error)).collect();
    findings.extend(scripts(session, &units.iter().map(|unit| unit.path.as_str()).collect::<Vec<_>>()));
    findings
}

/// The mistakes in the shipped modules: for the tests.
pub fn shipped_module(session: &Session, path: &str) -> Result<Vec<Finding>> {
    session.load(path)?;
    let missing = || Error::new(Kind::Internal, format!("{path} is not loaded"));
    let unit = session.engine.library().unit(path).ok_or_else(missing)?;
    Ok(once_each(calls::check(session, &unit)))
}

/// A file that several scripts import is wrong only once, a cycle only once wherever it was entered.
fn once_each(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        let same = |known: &Finding| {
            let (a, b) = (&known.error, &finding.error);
            a.message() == b.message() && (a.place() == b.place() || a.message().contains(" -> "))
        };
        if !kept.iter().any(same) {
            kept.push(finding);
        }
    }
    kept
}
