//! `fthost check`: mistakes, found before anything runs; with `--live`, backends that do not answer, too.

use super::args::{Check, Common};
use super::output::Output;
use super::{exit, json, live, project};
use crate::author::check::{self, Finding, Severity, codes};
use crate::author::live::impatient;
use crate::base::config::Config;
use crate::base::numbers::count;
use crate::base::{Error, Kind, Result, suggest};
use crate::host::Session;

/// Checks the named scripts, or the whole project.
pub fn run(common: &Common, args: &Check, output: &Output) -> Result<u8> {
    if let Some(code) = &args.explain {
        return explain(code, output);
    }
    let mut world = match project::open(common, "check --live", output) {
        Ok(world) => world,
        // A configuration that cannot be read is a finding like others: all its faults are named.
        Err(error) => return unreadable(common, output, error),
    };
    if args.live {
        impatient(&mut world.config);
    }
    let session = Session::new(world);
    let findings = if args.scripts.is_empty() {
        check::project(&session)
    } else {
        let root = session.world.project.root();
        let entries = args.scripts.iter().map(|named| project::entry_script(root, named));
        check::entries(&session, &entries.collect::<Result<Vec<_>>>()?)
    };
    let code = report(&findings, output);
    match (args.live, code) {
        (false, _) => Ok(code),
        (true, exit::DONE) => live::run(&session.world, output),
        (true, _) => {
            output.remark("nothing was sent");
            Ok(code)
        }
    }
}

/// The faults of a configuration that cannot be read.
fn unreadable(common: &Common, output: &Output, error: Error) -> Result<u8> {
    let path = project::root(common)?.join(project::CONFIG);
    // What is no text is told by the error itself.
    let faults = std::fs::read_to_string(path).map(|text| Config::faults(project::CONFIG, &text));
    let faults = faults.ok().filter(|faults| !faults.is_empty()).unwrap_or_else(|| vec![error]);
    Ok(report(&faults.into_iter().map(Finding::of_config).collect::<Vec<_>>(), output))
}

/// What a code means, or without one the list of codes.
fn explain(name: &str, output: &Output) -> Result<u8> {
    if name.is_empty() {
        output.result(&codes::list());
        return Ok(exit::DONE);
    }
    let Some(code) = codes::find(name) else {
        let hint = suggest::nearest(name, codes::CODES.iter().map(|code| code.name));
        let hint = hint.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        output.result(&codes::list());
        return Err(Error::new(Kind::Usage, format!("there is no code `{name}`"))
            .hint(format!("{hint}The codes are those above")));
    };
    output.result(code.explained().trim_end());
    Ok(exit::DONE)
}

/// Shows the errors among findings; whether there are any.
pub fn show_errors(findings: &[Finding], output: &Output) -> bool {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| output.error(&finding.error)).count() > 0
}

/// Says how many warnings there are, if any: a run does not show them.
pub fn count_warnings(findings: &[Finding], output: &Output) {
    let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    if warnings > 0 {
        output.remark(&format!("{}: see fthost check", count(warnings, "warning")));
    }
}

/// Shows findings; the exit code says whether any is an error.
pub fn report(findings: &[Finding], output: &Output) -> u8 {
    for finding in findings {
        output.machine(&json::finding(finding));
        match finding.severity {
            Severity::Error => output.report(&finding.error),
            Severity::Warning => output.warning(&finding.error),
        }
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = findings.len() - errors;
    output.machine(&serde_json::json!({"event": "checked", "errors": errors, "warnings": warnings}));
    match (errors, warnings) {
        (0, 0) => output.result("no mistakes found"),
        (errors, warnings) => {
            output.result(&format!("{}, {}", count(errors, "error"), count(warnings, "warning")))
        }
    }
    if errors == 0 { exit::DONE } else { exit::MISTAKE }
}
