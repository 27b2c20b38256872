//! The reference of the host API, made from the registered functions themselves and from the doc
//! comments of the shipped modules.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Engine, FnAccess, FuncInfo, FuncMetadata, Module, ScriptFnMetadata};
use serde::Serialize;

use crate::host::table::{NAMESPACES, Namespace};
use crate::host::{embedded, testing};
use crate::script::signatures::{object, param, return_type};

/// What an entry is, in the order in which a namespace lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// `f(x)`
    Function,
    /// `x.f()`
    Method,
    /// `x.f`
    Property,
}

/// One name of the reference, with all its overloads.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The host namespace, or the shipped module (`std/text`).
    pub namespace: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its overloads, in words of scripts.
    pub signatures: Vec<String>,
    /// What it does, as Markdown, without the examples.
    pub doc: String,
    /// Examples; a last line that ends in `// -> x` says what it gives, as JSON.
    pub examples: Vec<String>,
}

/// All entries: the host's in the order of its namespaces, then those of the shipped modules.
pub fn entries() -> Vec<Entry> {
    let host = NAMESPACES.iter().flat_map(|namespace| native_entries(namespace.name, (namespace.module)()));
    let modules = embedded::STDLIB.iter().flat_map(|(path, text)| module_entries(path, text));
    host.chain(modules).chain(testing_entries()).collect()
}

/// The reference as JSON.
pub fn json() -> String {
    serde_json::to_string_pretty(&entries()).unwrap_or_default()
}

/// The reference as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    let entries = entries();
    let of = |namespace: &str| entries.iter().filter(|e| e.namespace == namespace).collect::<Vec<_>>();
    for Namespace { name, about, .. } in NAMESPACES {
        text += &section(&format!("{name}: {}", lower_first(about)), "", &of(name));
    }
    for (path, source) in embedded::STDLIB {
        text += &section(path, &module_doc(source), &of(path));
    }
    text += &section(testing::PATH, testing::ABOUT, &of(testing::PATH));
    text
}

const INTRODUCTION: &str = "# What scripts can call

Made from the code by `fthost docs`; do not edit. The functions of the host come first: they are called by their
plain names, everywhere. Options are maps, and an unknown option is an error. The modules `std/...` are imported:
`import \"std/text\" as text;`. A last line that ends in `// -> x` gives `x`.
";

fn section(title: &str, about: &str, entries: &[&Entry]) -> String {
    let mut text = format!("\n## {title}\n");
    if !about.is_empty() {
        text += &format!("\n{about}\n");
    }
    let (properties, rest): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| entry.kind == EntryKind::Property);
    rest.iter().for_each(|entry| text += &described(entry));
    if !properties.is_empty() {
        text += "\n### Properties\n\n";
    }
    for entry in properties {
        let shown: Vec<String> = entry.signatures.iter().map(|s| format!("`{s}`")).collect();
        let about = entry.doc.split("\n\n").next().unwrap_or("").replace('\n', " ");
        let colon = if about.is_empty() { "" } else { ": " };
        text += &format!("- {}{colon}{about}\n", shown.join(", "));
    }
    text
}

fn described(entry: &Entry) -> String {
    let signatures: Vec<String> = entry.signatures.iter().map(|s| format!("- `{s}`\n")).collect();
    let mut text = format!("\n### {}\n\n{}", entry.name, signatures.concat());
    if !entry.doc.is_empty() {
        text += &format!("\n{}\n", entry.doc);
    }
    for example in &entry.examples {
        text += &format!("\n```rhai\n{example}\n```\n");
    }
    text
}

/// The entries of the module for tests, which is imported like the shipped ones.
fn testing_entries() -> Vec<Entry> {
    let alias = testing::PATH.rsplit('/').next().unwrap_or(testing::PATH);
    let mut entries = native_entries(testing::PATH, testing::module());
    for signature in entries.iter_mut().flat_map(|entry| &mut entry.signatures) {
        // Its functions take anything, to say themselves what does not fit.
        *signature = format!("{alias}::{}", signature.replace(": any value", ""));
    }
    entries
}

fn native_entries(namespace: &str, module: Module) -> Vec<Entry> {
    let mut engine = Engine::new_raw();
    engine.register_global_module(Arc::new(module));
    let one = |info: FuncInfo| host_entry(namespace, info.metadata);
    merged(engine.collect_fn_metadata(None, one, true))
}

fn host_entry(namespace: &str, metadata: &FuncMetadata) -> Option<Entry> {
    let name = metadata.name.as_str();
    let params: Vec<String> = metadata.params_info.iter().filter_map(|p| param(p)).collect();
    let result = return_type(&metadata.return_type);
    let object = object(metadata, &params);
    let (name, kind, signature) = match (name.strip_prefix("get$"), object) {
        (Some(property), Some(object)) => {
            (property, EntryKind::Property, format!("{object}.{property}{result}"))
        }
        _ if name.contains('$') || name.starts_with("to_") || !name.starts_with(char::is_alphabetic) => {
            return None;
        }
        (_, Some(object)) => {
            let shown = params[1..].join(", ");
            (name, EntryKind::Method, format!("{object}.{name}({shown}){result}"))
        }
        _ => (name, EntryKind::Function, format!("{name}({}){result}", params.join(", "))),
    };
    let (doc, examples) = split_comment(&metadata.comments.iter().map(|c| c.as_str()).collect::<Vec<_>>());
    let (name, namespace) = (name.into(), namespace.into());
    Some(Entry { name, namespace, kind, signatures: vec![signature], doc, examples })
}

fn module_entries(path: &str, text: &str) -> Vec<Entry> {
    let mut engine = Engine::new();
    // The defaults differ between debug and release builds, and a module that is not read would be left out.
    engine.set_max_expr_depths(0, 0);
    // Only the comments are of interest: a text that does not compile is found by other tests.
    let Ok(ast) = engine.compile(text) else { return Vec::new() };
    let alias = path.rsplit('/').next().unwrap_or(path);
    let documented = ast.iter_functions().filter(|f| f.access == FnAccess::Public && !f.comments.is_empty());
    let one = |f: ScriptFnMetadata| {
        let (doc, examples) = split_comment(&f.comments);
        let signatures = vec![format!("{alias}::{}({})", f.name, f.params.join(", "))];
        let (name, namespace) = (f.name.into(), path.into());
        Entry { name, namespace, kind: EntryKind::Function, signatures, doc, examples }
    };
    merged(documented.map(one).collect())
}

/// The `//!` lines at the head of a module.
pub fn module_doc(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// One entry a name, sorted; the documented overload gives its words.
fn merged(all: Vec<Entry>) -> Vec<Entry> {
    let mut found: BTreeMap<(EntryKind, String), Entry> = BTreeMap::new();
    for entry in all {
        let key = (entry.kind, entry.name.clone());
        let Some(known) = found.get_mut(&key) else {
            found.insert(key, entry);
            continue;
        };
        known.signatures.extend(entry.signatures);
        if known.doc.is_empty() {
            known.doc = entry.doc;
            known.examples = entry.examples;
        }
    }
    let sorted = |mut entry: Entry| {
        entry.signatures.sort_by_key(|signature| (signature.len(), signature.clone()));
        entry.signatures.dedup();
        entry
    };
    found.into_values().map(sorted).collect()
}

/// A doc comment's words and its fenced examples.
pub fn split_comment<S: AsRef<str>>(comments: &[S]) -> (String, Vec<String>) {
    let (mut doc, mut examples, mut open) = (Vec::new(), Vec::new(), None::<Vec<&str>>);
    for line in comments.iter().flat_map(|comment| comment.as_ref().lines()) {
        let line = line.trim_start().trim_start_matches("///");
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        match (line.starts_with("```"), open.take()) {
            (true, Some(lines)) => examples.push(lines.join("\n")),
            (true, None) => open = Some(Vec::new()),
            (false, Some(mut lines)) => {
                lines.push(line);
                open = Some(lines);
            }
            (false, None) => doc.push(line),
        }
    }
    (doc.join("\n").trim().to_string(), examples)
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_falls_into_words_and_examples() {
        let (doc, examples) = split_comment(&["/// A.\n///\n/// ```rhai\n///   f(1)\n/// ```", "/// B."]);
        assert_eq!((doc.as_str(), examples.as_slice()), ("A.\n\nB.", &["  f(1)".to_string()][..]));
    }

    #[test]
    fn no_shipped_module_is_left_out() {
        let entries = entries();
        let named = |path: &str| entries.iter().any(|entry| entry.namespace == path);
        let left_out: Vec<_> = embedded::STDLIB.iter().filter(|(path, _)| !named(path)).collect();
        assert!(left_out.is_empty(), "{left_out:?}");
    }

    #[test]
    fn overloads_stand_in_one_entry() {
        let entries = entries();
        let found = |name: &str| entries.iter().find(|entry| entry.name == name).unwrap();
        let backend = found("get_backend");
        assert_eq!(
            backend.signatures,
            [
                "get_backend(role_or_name: string) -> Backend",
                "get_backend(role_or_name: string, options: map) -> Backend",
            ]
        );
        assert_eq!(found("complete").signatures[0], "Backend.complete(prompt: any value) -> Completion");
        assert_eq!(found("threshold").signatures, ["Rubric.threshold -> float"]);
        assert_eq!(found("padded").namespace, "std/text");
    }
}
