//! fthost beside what one would write without it. Run `cargo bench --bench compare`, or some of its sections:
//! `cargo bench --bench compare -- tokens slices`. It prints the tables of docs/performance.md. `--once` measures each
//! contestant once; `--quick` tries everything out at a small size, with figures that mean nothing.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod calls;
mod checkpoint;
mod command;
#[path = "../corpus/mod.rs"]
mod corpus;
mod machine;
mod plain;
mod python;
#[path = "../server/mod.rs"]
mod server;
mod slices;
mod startup;
mod table;
mod tokens;

use std::error::Error;
use std::process::ExitCode;

use table::Table;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A section: its name on the command line, and what measures it.
type Section = (&'static str, fn(&Scale) -> Result<Table>);

const SECTIONS: &[Section] = &[
    ("calls", calls::measure),
    ("wide", calls::measure_wide),
    ("tokens", tokens::measure),
    ("slices", slices::measure),
    ("checkpoint", checkpoint::measure),
    ("startup", startup::measure),
];

/// How much is measured.
pub struct Scale {
    quick: bool,
    once: bool,
}

impl Scale {
    /// A size: the first, or the second when everything is only tried out.
    pub fn of(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// How often each contestant is measured.
    pub fn rounds(&self) -> usize {
        if self.once { 1 } else { self.of(5, 2) }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [option, load] if option == calls::CLIENT => calls::client(load),
        _ if arguments.iter().any(|argument| argument == "--bench") => compare(&arguments),
        // `cargo test --all-targets` starts benches, too, but without what `cargo bench` adds.
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures the sections that are named, all when none is, and prints each when it is done.
fn compare(arguments: &[String]) -> Result<()> {
    let asked = |option: &str| arguments.iter().any(|argument| argument == option);
    // For the servers: each connection is a file.
    fthost::cli::room::raise_file_limit();
    let scale = Scale { quick: asked("--quick"), once: asked("--once") };
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    if let Some(name) = names.iter().find(|name| SECTIONS.iter().all(|(known, _)| known != **name)) {
        let known: Vec<&str> = SECTIONS.iter().map(|(known, _)| *known).collect();
        return Err(format!("there is no section `{name}`, but {}", known.join(", ")).into());
    }
    for (name, measure) in
        SECTIONS.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|n| n == name))
    {
        eprintln!("{name}");
        println!("{}", measure(&scale)?);
    }
    println!("{}", machine::describe());
    Ok(())
}
