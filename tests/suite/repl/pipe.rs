//! Entries from a pipe: no prompt, results to stdout, the rest to stderr.

use std::process::Stdio;

use crate::support::{Ran, TestProject};

/// Runs `fthost repl` on these lines.
pub fn repl(project: &TestProject, args: &[&str], lines: &str) -> Ran {
    let entries = project.path("entries.txt");
    std::fs::write(&entries, lines).unwrap();
    let mut all = vec!["repl"];
    all.extend(args);
    let mut command = project.command(&all);
    command.stdin(Stdio::from(std::fs::File::open(entries).unwrap()));
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn entries_are_read_without_a_prompt() {
    let ran =
        repl(&TestProject::of(""), &[], "1 + 1\nprint(\"said\");\nlog_info(\"told\");\n\"a\" + 'b'").exits(0);
    assert_eq!(ran.out, "2\nsaid\n\"ab\"\n");
    assert_eq!(ran.err, "told\n");
}

#[test]
fn a_failed_entry_is_told_and_the_rest_goes_on() {
    let ran = repl(&TestProject::of(""), &[], "let x = 1;\nthrow \"no\";\nx")
        .exits(2)
        .says("no")
        .says("entry 2:1:1");
    assert_eq!(ran.out, "1\n");
    repl(&TestProject::of(""), &[], ":nope").exits(2).says("no command `:nope`");
    repl(&TestProject::of(""), &[], "fn f() {").exits(2).says("never closed");
    repl(&TestProject::of(""), &["gone.rhai"], "1").exits(2).says("gone.rhai").prints("1");
}

#[test]
fn entries_of_several_lines_are_recognised() {
    let lines = "fn f(x) {\n  x + 1\n}\n`one\n${f(1)}`\n#{\n a: 1\n}\n";
    let ran = repl(&TestProject::of(""), &[], lines).exits(0);
    assert_eq!(ran.out, "`one\n2`\n#{a: 1}\n");
}

#[test]
fn it_works_without_a_project() {
    let place = TestProject::nothing();
    let ran =
        repl(&place, &[], "get_slice_points(25, \"transcript_7\")\nget_backend(\"assistant\").name").exits(0);
    assert_eq!(ran.out, "[3, 7, 9, 11, 16, 21, 25]\n\"offline\"\n");
    assert_eq!(place.files("").len(), 1, "only the entries that were written for it");
}

#[test]
fn scripts_are_loaded_first() {
    let project = TestProject::of(
        "const LIMIT = 3;\nlet seen = 1;\nfn twice(n) { n * 2 + global::LIMIT }\nprint(\"ran\");",
    );
    let ran =
        repl(&project, &["scripts/main.rhai"], "twice(seen)\n:load scripts/main.rhai\nexit()\n1").exits(0);
    assert_eq!(ran.out, "ran\n5\nran\n");
}

#[test]
fn caps_hold() {
    let project = TestProject::of("");
    let ran = repl(&project, &["-s", "turns=7"], "setting(\"turns\", 3)").exits(0);
    assert_eq!(ran.out, "7\n");
}
