//! How long it takes until anything happens at all.

use std::path::Path;
use std::process::Command;

use crate::command::{fthost, timed};
use crate::python::Python;
use crate::table::{Contestant, Outcome, Table, take_turns};
use crate::{Result, Scale};

/// Commands of this program, in the shipped project.
const FTHOST: &[(&str, &[&str])] = &[
    ("`fthost eval 1`", &["eval", "1"]),
    ("`fthost eval 'count_tokens(\"Hello\")'`: loads the tokenizer", &["eval", "count_tokens(\"Hello\")"]),
    ("`fthost check`", &["check"]),
    ("`fthost repl` from an empty pipe: opened and left", &["repl"]),
    ("`fthost test many`: 100 tests, each in a world of its own", &["test", "many"]),
];

/// A test of the shipped project's scripts.
const TEST: &str = "{ testing::assert_contains(prompts::load_system_prompt(), \"Brewhaven\"); }";

/// Programs in Python.
const PYTHON: &[(&str, &str)] = &[
    ("`python -c pass`", "pass"),
    ("`python -c \"import openai, tiktoken\"`", "import openai, tiktoken"),
    (
        "the same, and `tiktoken.get_encoding(\"cl100k_base\").encode(\"Hello\")`",
        "import openai, tiktoken; tiktoken.get_encoding('cl100k_base').encode('Hello')",
    ),
];

pub fn measure(scale: &Scale) -> Result<Table> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    timed(fthost().arg("init").arg(dir.path()))?;
    std::fs::write(dir.path().join("tests/many_test.rhai"), many_tests())?;
    let python = Python::prepare()?;
    let started = |(name, arguments): &(&str, &[&str])| starts(name, here(dir.path(), fthost(), arguments));
    let mut outcomes = take_turns(scale.of(50, 5), &mut FTHOST.iter().map(started).collect::<Vec<_>>())?;
    let imported =
        |(name, code): &(&str, &str)| starts(name, here(dir.path(), python.command(), &["-c", code]));
    outcomes.extend(take_turns(scale.of(10, 3), &mut PYTHON.iter().map(imported).collect::<Vec<_>>())?);
    let row = |one: &Outcome| vec![one.name.clone(), one.spread(|sample| sample.seconds * 1e3).to_string()];
    Ok(Table {
        title: "Start",
        about: format!(
            "Milliseconds of the whole process: {} runs of each `fthost`, {} of each Python, files in the page cache.",
            scale.of(50, 5),
            scale.of(10, 3)
        ),
        head: vec!["command", "ms"],
        rows: outcomes.iter().map(row).collect(),
    })
}

/// A file of 100 tests.
fn many_tests() -> String {
    let imports = "import \"prompts\" as prompts;\nimport \"std/testing\" as testing;\n".to_string();
    let tests = (0..100).map(|n| format!("fn test_{n}() {TEST}\n"));
    std::iter::once(imports).chain(tests).collect()
}

fn here(dir: &Path, mut command: Command, arguments: &[&str]) -> Command {
    command.current_dir(dir).args(arguments);
    command
}

fn starts(name: &str, mut command: Command) -> Contestant<'static> {
    Contestant::new(name, move || timed(&mut command))
}
