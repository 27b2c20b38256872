//! Laws over the codes of findings: each is explained, its wrong example yields it, its right example yields
//! nothing, and docs/check.md is made of them.

use std::fs;

use fthost::author::check::codes::{self, CODES, Code};

use crate::check::{findings, rendered};
use crate::support::{TestProject, root};

/// Codes that no single file can yield: other tests hold them.
const NO_EXAMPLE: &[&str] = &["budget", "files", "plain-http", "taxonomy", "test-only"];

/// What an example needs beside it.
fn files<'a>(code: &Code, text: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![(code.file, text)]
}

#[test]
fn every_wrong_example_yields_its_code_and_every_right_one_nothing() {
    let mut wrong = Vec::new();
    for code in CODES.iter().filter(|code| !NO_EXAMPLE.contains(&code.name)) {
        let found = findings(&files(code, code.wrong));
        let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
        if codes.is_empty() || codes.iter().any(|found| *found != code.name) {
            wrong.push(format!("{} yields {codes:?}\n{}", code.name, rendered(&found)));
        } else if found.iter().any(|finding| finding.severity != code.severity) {
            wrong.push(format!("{} is as bad as another", code.name));
        }
        let found = findings(&files(code, code.right));
        if !found.is_empty() {
            wrong.push(format!("{} without it\n{}", code.name, rendered(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_is_explained_once() {
    for (index, code) in CODES.iter().enumerate() {
        assert!(code.about.ends_with('.') && code.about.len() > 10, "{}", code.name);
        assert!(CODES[..index].iter().all(|other| other.name != code.name), "{} is there twice", code.name);
        assert!(code.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", code.name);
        let missing = code.wrong.is_empty() || code.right.is_empty();
        assert_eq!(missing, NO_EXAMPLE.contains(&code.name), "{}", code.name);
    }
}

/// FTHOST_UPDATE=1 writes the file.
#[test]
fn the_written_codes_are_those_of_the_code() {
    let (path, now) = (root().join("docs/check.md"), codes::markdown());
    if std::env::var_os("FTHOST_UPDATE").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == now, "docs/check.md is not up to date: FTHOST_UPDATE=1 cargo test check_codes");
}

#[test]
fn codes_are_explained_on_the_command_line() {
    let nowhere = TestProject::nothing();
    let one = nowhere.run("check --explain wrong-type").exits(0);
    assert!(one.out.contains("count_tokens(5)") && one.out.contains("count_tokens(\"5\")"), "{}", one.out);
    let all = nowhere.run("check --explain").exits(0);
    for code in CODES {
        assert!(all.out.contains(code.name), "{} is not listed", code.name);
    }
    nowhere
        .run("check --explain wrong-tipe")
        .exits(2)
        .says("did you mean `wrong-type`?")
        .prints("unused-import");
}

#[test]
fn machines_get_a_finding_a_line_and_a_summary() {
    let project = TestProject::of("let x = 1;\nprint(count_tokens(5));");
    let events = project.run("check --json").exits(2).events();
    let [warning, error, end] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(
        (&warning["event"], &warning["severity"], &warning["code"]),
        (&"finding".into(), &"warning".into(), &"unused-variable".into())
    );
    assert_eq!((&error["line"], &error["column"], &error["end_column"]), (&2.into(), &20.into(), &21.into()));
    assert_eq!((&error["file"], &error["kind"]), (&"scripts/main.rhai".into(), &"script".into()));
    assert!(error["hint"].as_str().unwrap().contains("count_tokens(text: string"), "{error}");
    assert_eq!(*end, serde_json::json!({"event": "checked", "errors": 1, "warnings": 1}));
}

#[test]
fn a_run_counts_warnings_and_an_expression_does_not_have_them() {
    let project = TestProject::of("let x = 1;\nprint(\"ran\");");
    project.main("").exits(0).prints("ran").says("1 warning: see fthost check");
    let shown = project
        .run("check scripts/main.rhai")
        .exits(0)
        .says("warning[unused-variable]: the variable `x` is not used");
    assert!(shown.out.contains("0 errors, 1 warning"), "{}", shown.out);
    let value = project.run_args(&["eval", "let x = 1; 2"]).exits(0);
    assert_eq!((value.out.trim(), value.err.as_str()), ("2", ""));
    project.run_args(&["eval", "count_tokens(5)"]).exits(2).says("error[wrong-type]");
}
