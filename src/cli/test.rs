//! `fthost test`: the tests of a project's scripts.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::args::{Common, Test};
use super::output::Output;
use super::watch::Watcher;
use super::{exit, json as events, project, signals};
use crate::author::test::{Found, Ran, Running, Tests};
use crate::base::numbers::count;
use crate::base::{Error, Kind, Result, suggest};
use crate::work::testing::NOW;

/// Where small files are fastest, on Linux.
const MEMORY: &str = "/dev/shm";

/// What tests are made from.
const WATCHED: [&str; 3] = ["scripts", "config", "tests"];

/// Runs the tests.
pub fn run(common: &Common, args: &Test, output: &Output) -> Result<u8> {
    output.set_verbose(common.verbose);
    let scratch = scratch()?;
    signals::leave_at_once(output, scratch.path().to_path_buf())?;
    match args.watch {
        false => run_once(common, args, output, scratch.path()),
        true => watch(common, args, output, scratch.path()),
    }
}

/// Runs them again after each edit, until a signal ends the process.
fn watch(common: &Common, args: &Test, output: &Output, scratch: &Path) -> Result<u8> {
    let mut watcher = Watcher::of_project(&project::root(common)?, &WATCHED, []);
    loop {
        if let Err(error) = run_once(common, args, output, scratch) {
            output.error(&error);
        }
        if args.update {
            // The snapshots that were just written are no edit.
            watcher.changed();
        }
        output.remark("watching scripts/, config/ and tests/: edit and save, Ctrl-C to end");
        let changed = watcher.wait_for_change(|| false).unwrap_or_default();
        output.machine(&json!({"event": "changed", "paths": changed}));
        output.remark(&format!("\nedited {}", changed.join(", ")));
    }
}

/// A directory for what tests write, which goes when it is dropped.
pub fn scratch() -> Result<TempDir> {
    let made = tempfile::Builder::new().prefix("fthost-test-").tempdir_in(MEMORY);
    let made = made.or_else(|_| tempfile::Builder::new().prefix("fthost-test-").tempdir());
    made.map_err(|e| Error::io(Kind::Disk, "make", "a temporary directory", &e))
}

/// Runs the tests once, from nothing: the project is opened and its scripts are read anew.
pub fn run_once(common: &Common, args: &Test, output: &Output, scratch: &Path) -> Result<u8> {
    let started = Instant::now();
    let tests = Tests::open(&project::root(common)?)?;
    let found = tests.find(args.filter.as_deref())?;
    found.mistakes.iter().for_each(|mistake| output.error(&mistake.error));
    if found.cases.is_empty() && found.broken.is_empty() {
        return Err(no_tests(&tests, args.filter.as_deref()));
    }
    let (passed, failed) = run_found(&tests, &found, args, output, scratch)?;
    let seconds = started.elapsed().as_secs_f64();
    output.result(&summary(passed, failed, found.broken.len(), seconds));
    output.machine(&json!({"event": "summary", "passed": passed, "failed": failed, "not_loaded": found.broken, "seconds": seconds}));
    Ok(match (failed, found.broken.len()) {
        (0, 0) => exit::DONE,
        (_, 0) => exit::ITEMS_FAILED,
        _ => exit::MISTAKE,
    })
}

/// How many passed, and failed.
fn run_found(
    tests: &Tests,
    found: &Found,
    args: &Test,
    output: &Output,
    scratch: &Path,
) -> Result<(usize, usize)> {
    let how = Running {
        scratch,
        update: args.update,
        time: Duration::from_secs(args.timeout),
        now: || NOW.into(),
        width: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let (mut passed, mut failed) = (0, 0);
    let unused = tests.run(found, &how, |ran| {
        *(if ran.result.is_ok() { &mut passed } else { &mut failed }) += 1;
        tell(ran, output);
    })?;
    for path in unused {
        let warning = Error::new(Kind::Test, format!("no test asks for {path}"));
        output.warning(&warning.hint("delete it, or see why its test does not come to it"));
    }
    Ok((passed, failed))
}

fn tell(ran: &Ran, output: &Output) {
    let error = ran.result.as_ref().err();
    output.machine(&json!({
        "event": "test", "name": ran.case.name, "file": ran.case.file, "line": ran.case.line,
        "outcome": if error.is_none() { "passed" } else { "failed" },
        "seconds": ran.seconds,
        "error": error.map(events::details),
        "output": error.map(|_| &ran.said),
    }));
    match error {
        None => output.detail(&format!("passed {} in {:.3} s", ran.case.id(), ran.seconds)),
        Some(error) => output.failure(&format!("FAILED {}", ran.case.id()), error, &ran.said),
    }
}

fn no_tests(tests: &Tests, filter: Option<&str>) -> Error {
    let Some(filter) = filter else {
        return Error::new(Kind::Usage, "there are no tests")
            .hint("a test is a function `fn test_...()` in a file tests/..._test.rhai, see docs/testing.md");
    };
    let names = tests.names();
    let functions = names.iter().filter_map(|name| name.rsplit("::").next());
    let hint = suggest::nearest(filter, functions).map(|near| format!("did you mean `{near}`?"));
    let hint = hint.unwrap_or_else(|| "a filter is a part of `file::test_name`".into());
    Error::new(Kind::Usage, format!("no test matches `{filter}`")).hint(hint)
}

fn summary(passed: usize, failed: usize, broken: usize, seconds: f64) -> String {
    let broken = match broken {
        0 => String::new(),
        1 => "1 file does not load, ".into(),
        n => format!("{} do not load, ", count(n, "file")),
    };
    format!("{passed} passed, {failed} failed, {broken}in {seconds:.1} s")
}
