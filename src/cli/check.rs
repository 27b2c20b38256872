//! `fthost check`: mistakes, found before anything runs; with `--live`, backends that do not answer, too.

use super::args::{Check, Common};
use super::output::Output;
use super::{exit, live, project};
use crate::author::check::{self, Finding, Severity};
use crate::author::live::impatient;
use crate::base::Result;
use crate::base::numbers::count;
use crate::host::Session;

/// Checks the named scripts, or the whole project.
pub fn run(common: &Common, args: &Check, output: &Output) -> Result<u8> {
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

fn unreadable(common: &Common, output: &Output, error: crate::base::Error) -> Result<u8> {
    let path = project::root(common)?.join(project::CONFIG);
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let faults = crate::base::config::Config::faults(project::CONFIG, &text);
    match faults.is_empty() {
        true => output.error(&error),
        false => faults.iter().for_each(|fault| output.error(fault)),
    }
    Ok(exit::MISTAKE)
}

/// Shows the errors among findings; whether there are any.
pub fn show_errors(findings: &[Finding], output: &Output) -> bool {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| output.error(&finding.error)).count() > 0
}

/// Shows findings; the exit code says whether any is an error.
pub fn report(findings: &[Finding], output: &Output) -> u8 {
    for finding in findings {
        match finding.severity {
            Severity::Error => output.error(&finding.error),
            Severity::Warning => output.warning(&finding.error),
        }
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = findings.len() - errors;
    match (errors, warnings) {
        (0, 0) => output.result("no mistakes found"),
        (errors, warnings) => {
            output.result(&format!("{}, {}", count(errors, "error"), count(warnings, "warning")))
        }
    }
    if errors == 0 { exit::DONE } else { exit::MISTAKE }
}
