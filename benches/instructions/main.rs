//! Instructions of the pure parts, counted by valgrind: the same on a busy machine, so that a change of a few
//! percent shows. Run `cargo bench --bench instructions`: it compares with `baseline.json` beside this file, and
//! fails when a part changed by more than 2 %. `-- --save` writes the baseline: commit it with the change that
//! it comes from. Another compiler, or another valgrind, needs another baseline.
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../corpus/mod.rs"]
mod corpus;
mod parts;

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use parts::{PARTS, Part};
use serde_json::{Map, Value};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a part may change by, in percent.
const ALLOWED: f64 = 2.0;

/// Makes this program run one part, so often: what valgrind looks at.
const RUN: &str = "--run";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |option: &str| arguments.iter().any(|argument| argument == option);
    let done = match arguments.as_slice() {
        [option, name, times] if option == RUN => run(name, times).map(|()| true),
        _ if asked("--bench") => compare(asked("--save")),
        // `cargo test --all-targets` starts benches, too, but without what `cargo bench` adds.
        _ => Ok(true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot count: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One part, so often.
fn run(name: &str, times: &str) -> Result<()> {
    let part = PARTS.iter().find(|part| part.name == name).ok_or("no such part")?;
    let once = (part.ready)()?;
    (0..times.parse::<usize>()?).try_for_each(|_| once())
}

/// Counts all parts and tells what has changed; whether that is little.
fn compare(save: bool) -> Result<bool> {
    let before = baseline()?;
    let (mut counted, mut steady) = (Map::new(), true);
    println!("| part | instructions | baseline | change |\n|---|---|---|---|");
    for part in PARTS {
        let count = count(part)?;
        let old = before.get(part.name).and_then(Value::as_u64);
        let change = old.map(|old| (count as f64 / old as f64 - 1.0) * 100.0);
        steady &= change.is_some_and(|change| change.abs() <= ALLOWED);
        println!("{}", row(part, count, old, change));
        counted.insert(part.name.into(), count.into());
    }
    if save {
        std::fs::write(path(), serde_json::to_string_pretty(&counted)? + "\n")?;
        return Ok(true);
    }
    if !steady {
        println!(
            "\nNew, or more than {ALLOWED} % away from the baseline. If that is meant: cargo bench --bench instructions -- --save"
        );
    }
    Ok(steady)
}

fn row(part: &Part, count: u64, old: Option<u64>, change: Option<f64>) -> String {
    let old = old.map_or("none".into(), grouped);
    let change = match change {
        None => "new".into(),
        Some(change) if change.abs() > ALLOWED => format!("**{change:+.2} %**"),
        Some(change) => format!("{change:+.2} %"),
    };
    format!("| {} | {} | {old} | {change} |", part.name, grouped(count))
}

/// With a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8_lossy(&parts.join(&b',')).into_owned()
}

/// The instructions of one run: what so many runs more cost, so that the start of the program, the making
/// ready and the first run's loading drop out.
fn count(part: &Part) -> Result<u64> {
    let (once, twice) = (total(part, part.times)?, total(part, 2 * part.times)?);
    Ok(twice.saturating_sub(once) / part.times as u64)
}

/// All instructions of a process that runs a part so often.
fn total(part: &Part, times: usize) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(std::env::current_exe()?).args([RUN, part.name, &times.to_string()]);
    let output = valgrind.output().map_err(|e| {
        format!("valgrind does not start ({e}); on Debian and Ubuntu: apt-get install valgrind")
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    match collected {
        Some((_, number)) if output.status.success() => Ok(number.trim().parse()?),
        _ => Err(format!("{}: {}\n{said}", part.name, output.status).into()),
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/baseline.json")
}

/// The counts that were saved; none at first.
fn baseline() -> Result<Map<String, Value>> {
    match std::fs::read_to_string(path()) {
        Ok(text) => Ok(serde_json::from_str(&text)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(error.into()),
    }
}
