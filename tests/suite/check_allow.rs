//! Comments that allow a finding: on its line or the one before, with a reason, in scripts, YAML and templates.

use fthost::author::check::Finding;
use fthost::host::embedded;

use crate::check::findings;
use crate::support::TestProject;

const MAIN: &str = "scripts/main.rhai";

fn codes(found: &[Finding]) -> Vec<(&str, usize)> {
    found.iter().map(|finding| (finding.code, finding.error.place().map_or(0, |place| place.line))).collect()
}

fn of(script: &str) -> Vec<(&'static str, usize)> {
    let found = findings(&[(MAIN, script)]);
    found.iter().map(|finding| (finding.code, finding.error.place().map_or(0, |place| place.line))).collect()
}

#[test]
fn a_comment_allows_one_code_on_its_line_or_the_next() {
    assert_eq!(of("let x = 1; // allow(unused-variable): for the docs\n"), []);
    assert_eq!(of("// allow(unused-variable): for the docs\nlet x = 1;\n"), []);
    assert_eq!(of("/* allow(unused-variable): for the docs */ let x = 1;\n"), []);
    assert_eq!(of("// allow(unused-variable): one\nlet x = 1;\nlet y = 1;\n"), [("unused-variable", 3)]);
    let other = of("// allow(unused-import): of another code\nlet x = 1;\n");
    assert_eq!(other, [("allow-unused", 1), ("unused-variable", 2)]);
}

#[test]
fn an_error_can_be_allowed_and_then_runs() {
    assert_eq!(of("print(count_tokens(5)); // allow(wrong-type): shows the error\n"), []);
    let found = findings(&[(MAIN, "let x = nothing; // allow(unknown-variable): really\n")]);
    assert_eq!(codes(&found), [("unknown-variable", 1)], "what does not load cannot be allowed");
}

#[test]
fn the_reason_the_code_and_the_need_are_checked() {
    assert_eq!(of("let x = 1; // allow(unused-variable)\n"), [("allow-reason", 1)]);
    assert_eq!(of("let x = 1; // allow(unused-variable):  \n"), [("allow-reason", 1)]);
    assert_eq!(of("print(1); // allow(unused-variable): why not\n"), [("allow-unused", 1)]);
    assert_eq!(of("print(1); // allow(unused-varible): why not\n"), [("allow-unknown", 1)]);
    let found = findings(&[(MAIN, "print(1); // allow(unused-varible): why not\n")]);
    assert!(found[0].error.get_hint().unwrap().contains("did you mean `unused-variable`?"));
}

#[test]
fn words_in_texts_and_documentation_allow_nothing() {
    assert_eq!(of("print(\"// allow(unused-variable): no\");\n"), []);
    assert_eq!(of("/// Write // allow(unused-variable): why\nfn f() { 1 }\nprint(f());\n"), []);
    assert_eq!(of("let x = `${1} // allow(unused-variable): no`;\n"), [("unused-variable", 1)]);
}

#[test]
fn yaml_and_templates_have_such_comments_too() {
    let taxonomy =
        "topics: [{id: a, weight: 0.5}, {id: b, weight: 0.4}] # allow(weights-sum): the rest is not drawn\n";
    assert_eq!(codes(&findings(&[("config/taxonomy.yaml", taxonomy)])), []);
    let template = "{# allow(template-filter): made by the next version -#}\n{{ 1 | shout }}\n";
    assert_eq!(codes(&findings(&[("config/prompts/note.md", template)])), []);
    let unused = "{# allow(template-filter): not needed #}\n{{ 1 | upper }}\n";
    assert_eq!(codes(&findings(&[("config/prompts/note.md", unused)])), [("allow-unused", 1)]);
    let reason = "topics: [{id: a, weight: 0.5}, {id: b, weight: 0.4}] # allow(weights-sum)\n";
    assert_eq!(codes(&findings(&[("config/taxonomy.yaml", reason)])), [("allow-reason", 1)]);
}

#[test]
fn a_run_of_one_script_does_not_know_what_others_need() {
    let project = TestProject::of("print(\"ran\");");
    project.edit(
        "config/fthost.yaml",
        "offline-lenient]",
        "offline-strict] # allow(same-judge): to see the spread",
    );
    let ran = project.main("").exits(0).prints("ran");
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    project.run("check").exits(0).prints("no mistakes found");
    project.edit("config/fthost.yaml", "same-judge", "same-judges");
    project.main("").exits(2).says("error[allow-unknown]");
    project.run_args(&["eval", "1 + 1"]).exits(0);
}

#[test]
fn findings_are_sorted_by_file_and_line() {
    let mut files: Vec<(&str, &str)> = embedded::PROJECT.to_vec();
    files.push(("scripts/b.rhai", "let x = 1;\nprint(nope());\nlet y = 2;"));
    files.push(("scripts/a.rhai", "let z = 1;\nprint(nope());"));
    let found = findings(&files);
    let places: Vec<(String, usize)> =
        found.iter().map(|f| f.error.place().map(|p| (p.file.clone(), p.line)).unwrap()).collect();
    let mut sorted = places.clone();
    sorted.sort();
    assert_eq!((places.len(), &places), (5, &sorted));
}
