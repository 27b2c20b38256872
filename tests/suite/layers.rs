//! The layers of `src/lib.rs`, held: who may use whom, and what only `cli` may do.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fthost::host::embedded;

use crate::support::root;

/// What each layer may use besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("cli", &["author", "host", "script", "report", "work", "llm", "store", "pipeline", "base"]),
    ("author", &["host", "script", "report", "work", "llm", "store", "pipeline", "base"]),
    ("host", &["script", "report", "work", "llm", "store", "pipeline", "base"]),
    ("script", &["work", "llm", "store", "pipeline", "base"]),
    ("report", &["work", "llm", "store", "pipeline", "base"]),
    ("work", &["llm", "store", "pipeline", "base"]),
    ("llm", &["base"]),
    ("store", &["base"]),
    ("pipeline", &["base"]),
    ("base", &[]),
];

/// Layers that know scripts.
const WITH_RHAI: &[&str] = &["cli", "author", "host", "script"];

/// What touches the terminal, the environment or the process.
const ONLY_CLI: &[&str] =
    &["println!", "eprintln!", "print!(", "process::exit", "std::env", "env::var", "stdout()", "stderr()"];

/// A source file: its path below `src/`, and its text.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let src = root().join("src");
    files(&src, &src, &mut found);
    found.retain(|(path, _)| path.ends_with(".rs"));
    assert!(found.len() > 50);
    found
}

fn files(dir: &Path, base: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(base).unwrap().to_string_lossy().into_owned();
        match path.is_dir() {
            true => files(&path, base, found),
            // What is no text (the vocabularies) is nobody's source.
            false => found.extend(fs::read_to_string(&path).ok().map(|text| (name, text))),
        }
    }
}

/// The code of a file: no comments, no unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The code files of each layer, without their unit tests.
fn by_layer() -> impl Iterator<Item = (String, String, String)> {
    sources().into_iter().filter(|(path, _)| !path.ends_with("tests.rs")).filter_map(|(path, text)| {
        let layer = path.split_once('/')?.0.to_string();
        Some((layer, path, code(&text)))
    })
}

/// The modules that `crate::...` names, also in groups: `crate::{base, work::World}`.
fn used(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => drop(names.insert(word(rest))),
            Some(group) => {
                let group = group.split_once(';').map_or(group, |(group, _)| group);
                let mut depth = 0;
                let heads = group.split_inclusive(['{', '}', ',']).filter(|part| {
                    let outer = depth == 0;
                    depth += part.matches('{').count();
                    depth = depth.saturating_sub(part.matches('}').count());
                    outer
                });
                names.extend(heads.map(|head| word(head.trim())).filter(|name| !name.is_empty()));
            }
        }
    }
    names
}

#[test]
fn names_after_crate_are_found() {
    let found = used("use crate::{base::{Error, Kind}, work};\nlet x = crate::llm::Y; use crate::script;");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["base", "llm", "script", "work"]);
}

#[test]
fn layers_use_only_what_stands_below() {
    for (layer, path, code) in by_layer() {
        let (_, below) =
            LAYERS.iter().find(|(name, _)| *name == layer).unwrap_or_else(|| panic!("{path}: which layer?"));
        for name in used(&code) {
            assert!(name == layer || below.contains(&name.as_str()), "src/{path} uses crate::{name}");
        }
        assert!(
            path.matches('/').count() > 1 || !code.contains("super::super"),
            "src/{path} leaves its layer"
        );
    }
}

#[test]
fn only_the_upper_layers_know_rhai() {
    for (layer, path, code) in by_layer() {
        let knows = code.contains("rhai::") || code.contains("use rhai");
        assert!(!knows || WITH_RHAI.contains(&layer.as_str()), "src/{path} uses rhai");
    }
}

#[test]
fn only_cli_touches_the_terminal_the_environment_and_the_process() {
    for (layer, path, code) in by_layer().filter(|(layer, ..)| layer != "cli") {
        for word in ONLY_CLI {
            assert!(!code.contains(word), "src/{path} (in {layer}) has {word}");
        }
    }
}

#[test]
fn only_the_ledger_knows_its_database() {
    let knows = |(_, text): &(String, String)| code(text).contains("rusqlite");
    let who: Vec<String> = sources().into_iter().filter(knows).map(|(path, _)| path).collect();
    assert!(who.len() > 2 && who.iter().all(|path| path.starts_with("store/ledger/")), "{who:?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "src/{path} has no `//!` header");
    }
}

/// The files below a directory of the repository, as `prefix` + path.
fn on_disk(dir: &str, prefix: &str) -> BTreeSet<(String, String)> {
    let mut found = Vec::new();
    let dir = root().join(dir);
    files(&dir, &dir, &mut found);
    found.into_iter().map(|(path, text)| (format!("{prefix}{path}"), text)).collect()
}

fn embedded(files: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
}

#[test]
fn the_binary_holds_the_files_of_the_repository() {
    let modules = on_disk("stdlib", "std/").into_iter();
    let modules: BTreeSet<_> =
        modules.map(|(path, text)| (path.strip_suffix(".rhai").unwrap().to_string(), text)).collect();
    let paths = |set: &BTreeSet<(String, String)>| set.iter().map(|(p, _)| p.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&embedded(embedded::STDLIB)), paths(&modules));
    assert!(embedded(embedded::STDLIB) == modules, "rebuild: the texts differ");
    let mut project = on_disk("config", "config/");
    project.extend(on_disk("scripts", "scripts/"));
    project.extend(on_disk("tests/scripts", "tests/scripts/"));
    project.extend(on_disk("tests/snapshots", "tests/snapshots/"));
    assert_eq!(paths(&embedded(embedded::PROJECT)), paths(&project));
    assert!(embedded(embedded::PROJECT) == project, "rebuild: the texts differ");
}
