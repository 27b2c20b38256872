//! The reference in the form of Rhai's definition files (`.d.rhai`), for editors that complete by them.

use super::reference::{Entry, EntryKind, entries};
use crate::host::embedded::STDLIB;
use crate::host::testing;

/// All that scripts can call: the host's functions at the top, each shipped module as a module in it.
pub fn definitions() -> String {
    let entries = entries();
    let of = |namespace: Option<&str>| {
        let belongs = move |entry: &&Entry| match namespace {
            Some(path) => entry.namespace == path,
            None => !entry.namespace.starts_with("std/"),
        };
        entries.iter().filter(belongs).map(defined).collect::<Vec<_>>().join("\n")
    };
    let mut text = format!("{HEAD}\n{}", of(None));
    for path in STDLIB.iter().map(|(path, _)| *path).chain([testing::PATH]) {
        let functions = of(Some(path));
        if !functions.is_empty() {
            let alias = path.rsplit('/').next().unwrap_or(path);
            text += &format!("\n// import \"{path}\" as {alias};\nmodule {alias} {{\n{functions}}}\n");
        }
    }
    text
}

const HEAD: &str = "module static;\n\n// Made by `fthost docs --format rhai`; do not edit.\n";

/// An entry's overloads, each below its documentation.
fn defined(entry: &Entry) -> String {
    let doc: String =
        entry.doc.lines().map(|line| format!("/// {line}").trim_end().to_string() + "\n").collect();
    // What a script's function returns is not declared.
    let is_script = entry.namespace.starts_with("std/") && entry.namespace != testing::PATH;
    let unsaid = if is_script { "any value" } else { "()" };
    let one = |signature: &String| format!("{doc}{};\n", definition(entry.kind, signature, unsaid));
    entry.signatures.iter().map(one).collect()
}

/// `Backend.complete(prompt: any value) -> Completion` -> `fn complete(backend: Backend, prompt: ?) -> Completion`.
fn definition(kind: EntryKind, signature: &str, unsaid: &str) -> String {
    let (head, result) = signature.rsplit_once(" -> ").unwrap_or((signature, unsaid));
    let (name, params) = match head.split_once('(') {
        Some((name, params)) => (name, params.trim_end_matches(')')),
        None => (head, ""),
    };
    let (object, name) = match kind {
        EntryKind::Function => (None, name.rsplit("::").next().unwrap_or(name)),
        EntryKind::Method | EntryKind::Property => {
            name.split_once('.').map_or((None, name), |(o, n)| (Some(o), n))
        }
    };
    let object = object.map(|kind| format!("{}: {kind}", kind.to_lowercase()));
    let params = params.split(", ").filter(|param| !param.is_empty()).map(str::to_string);
    let all: Vec<String> = object.into_iter().chain(params).map(|param| typed(&param)).collect();
    let get = if kind == EntryKind::Property { "get " } else { "" };
    format!("fn {get}{name}({}) -> {}", all.join(", "), type_word(result))
}

/// A parameter with its type in the words of definition files.
fn typed(param: &str) -> String {
    let (name, kind) = param.split_once(": ").unwrap_or((param, "any value"));
    format!("{name}: {}", type_word(kind))
}

fn type_word(kind: &str) -> &str {
    match kind {
        "string" => "String",
        "array" => "Array",
        "map" => "Map",
        "closure" => "FnPtr",
        "any value" => "?",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_entry_has_its_form() {
        let method = "Backend.complete(prompt: any value, options: map) -> Completion";
        let backend = "fn complete(backend: Backend, prompt: ?, options: Map) -> Completion";
        assert_eq!(definition(EntryKind::Method, method, "()"), backend);
        let property = "fn get ids(rubric: Rubric) -> Array";
        assert_eq!(definition(EntryKind::Property, "Rubric.ids -> array", "()"), property);
        let log = "fn log_info(text: String) -> ()";
        assert_eq!(definition(EntryKind::Function, "log_info(text: string)", "()"), log);
        let join = "fn join(pieces: ?, separator: ?) -> ?";
        assert_eq!(definition(EntryKind::Function, "text::join(pieces, separator)", "any value"), join);
    }

    #[test]
    fn nothing_is_left_out_and_every_line_is_one_of_the_form() {
        let text = definitions();
        let form = |line: &str| {
            let parts = line.strip_prefix("fn ").and_then(|rest| rest.strip_suffix(';'));
            parts.and_then(|rest| rest.split_once(") -> ")).is_some_and(|(head, _)| head.contains('('))
        };
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('/'));
        let (functions, rest): (Vec<&str>, Vec<&str>) = lines.partition(|line| form(line));
        let signatures: usize = entries().iter().map(|entry| entry.signatures.len()).sum();
        assert_eq!(functions.len(), signatures);
        let frame = |line: &&str| !(line.starts_with("module ") || *line == "}");
        assert_eq!(rest.into_iter().filter(frame).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
