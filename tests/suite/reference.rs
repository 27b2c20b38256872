//! Laws over the host API: everything is documented, every example runs, the written reference is
//! that of the code.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use fthost::author::reference::{self, Entry, EntryKind};
use fthost::base::config::Config;
use fthost::host::{Session, embedded, table, testing};
use fthost::script::values;
use fthost::store::Project;
use fthost::store::snapshots::Snapshots;
use fthost::work::World;
use fthost::work::testing::{Said, Test};
use serde_json::Value;
use tempfile::TempDir;

/// A project as `fthost init` writes it.
fn project() -> (TempDir, Session) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in embedded::PROJECT {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let project = Project::open(dir.path()).unwrap();
    let config =
        Config::parse("config/fthost.yaml", &project.read_text("config/fthost.yaml").unwrap()).unwrap();
    let said = Arc::new(Said::default());
    let mut world = World::new(project, config, said.clone(), Box::new(|_| None), "test");
    world.locks = true;
    let snapshots = Arc::new(Snapshots::of(dir.path(), true));
    world.test = Some(Test::new("(expression)", snapshots, said));
    (dir, Session::new(world))
}

/// What the last line says that the example gives.
fn expected(example: &str) -> Option<Value> {
    let last = example.lines().last()?;
    let result = last.split_once("// -> ").or_else(|| last.rsplit_once(" // "))?.1;
    Some(serde_json::from_str(result).unwrap_or_else(|e| panic!("{e}: {last}")))
}

fn host_entries() -> Vec<Entry> {
    let host = |entry: &Entry| !entry.namespace.starts_with("std/") || entry.namespace == testing::PATH;
    reference::entries().into_iter().filter(host).collect()
}

#[test]
fn every_host_function_is_documented_with_an_example() {
    let mut missing = Vec::new();
    for entry in host_entries() {
        let needs_example = entry.kind != EntryKind::Property;
        if entry.doc.is_empty() || needs_example && entry.examples.is_empty() {
            missing.push(format!("{}: {}", entry.namespace, entry.signatures[0]));
        }
    }
    assert!(missing.is_empty(), "undocumented:\n{}", missing.join("\n"));
}

#[test]
fn every_example_runs_and_gives_what_it_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in reference::entries() {
        for example in &entry.examples {
            count += 1;
            let (_dir, session) = project();
            let result = session.load_expression(example).and_then(|unit| session.eval(&unit));
            match (result, expected(example)) {
                (Err(error), _) => {
                    wrong.push(format!("{}: {}", entry.name, fthost::base::report::render(&error, false)));
                }
                (Ok(value), Some(expected)) => match values::to_json(&value) {
                    Ok(found) if found == expected => {}
                    found => wrong.push(format!("{}: {example}\ngave {found:?}", entry.name)),
                },
                (Ok(_), None) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 50, "only {count} examples");
}

#[test]
fn options_are_mentioned_in_the_words_of_their_function() {
    let entries = host_entries();
    for options in table::NAMESPACES.iter().flat_map(|namespace| namespace.options) {
        let entry = entries.iter().find(|entry| entry.name == options.function);
        let entry = entry.unwrap_or_else(|| panic!("{} is not in the reference", options.function));
        for name in options.names {
            assert!(entry.doc.contains(&format!("`{name}`")), "`{}` does not mention `{name}`", entry.name);
        }
    }
}

/// FTHOST_UPDATE=1 writes the file.
#[test]
fn the_written_reference_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/host-api.md");
    let now = reference::markdown();
    if std::env::var_os("FTHOST_UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &now).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == now, "docs/host-api.md is not up to date: FTHOST_UPDATE=1 cargo test reference");
}

#[test]
fn the_json_reference_holds_the_same_entries() {
    let entries: Vec<Value> = serde_json::from_str(&reference::json()).unwrap();
    assert_eq!(entries.len(), reference::entries().len());
    assert!(entries.iter().any(|e| e["name"] == "process" && e["kind"] == "function"));
}

#[test]
fn the_definitions_for_editors_are_printed() {
    let ran = crate::support::TestProject::nothing().run("docs --format rhai").exits(0);
    ran.prints("module static;")
        .prints("fn count_tokens(text: String, encoding: String) -> int;")
        .prints("module text {");
}
