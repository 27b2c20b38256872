//! `:help` and `:vars`: what a name is, and what there is.

use rhai::ScriptFnMetadata;

use super::commands::COMMANDS;
use super::{Repl, members};
use crate::author::check::names::{defined, keywords};
use crate::author::reference::{self, Entry, split_comment};
use crate::base::{Error, Kind, Result, suggest};
use crate::host::embedded;
use crate::script::library::{Unit, definition_place, import_path};
use crate::script::values;

/// Methods of a variable's type that are listed.
const METHODS: usize = 60;

impl Repl {
    /// What a name is; of no name, what there is to know.
    pub fn help(&self, name: &str) -> Result<String> {
        let name = name.trim().trim_end_matches("()").trim_end_matches('(').trim_start_matches(':');
        if name.is_empty() {
            return Ok(overview());
        }
        let found =
            self.own_help(name).or_else(|| self.variable_help(name)).or_else(|| self.module_help(name));
        let found = found.or_else(|| self.reference_help(name)).or_else(|| command_help(name));
        found.or_else(|| self.signature_help(name, &[])).ok_or_else(|| self.unknown(name))
    }

    /// A function of an entry, a loaded script, or an imported module (`p::f`).
    fn own_help(&self, name: &str) -> Option<String> {
        if let Some((alias, function)) = name.split_once("::") {
            let unit = self.imported(alias)?;
            return function_help(&unit, function, &format!("{alias}::"));
        }
        let own = self.workspace().units().iter().rev().find_map(|unit| function_help(unit, name, ""));
        own.or_else(|| {
            let imports = self.workspace().imports().iter();
            let mut units =
                imports.filter_map(|i| Some((self.imported(&i.alias)?, format!("{}::", i.alias))));
            units.find_map(|(unit, prefix)| function_help(&unit, name, &prefix))
        })
    }

    fn imported(&self, alias: &str) -> Option<std::sync::Arc<Unit>> {
        let import = self.workspace().imports().iter().find(|import| import.alias == alias)?;
        self.session.engine.library().unit(&import_path(&import.name).ok()?)
    }

    fn variable_help(&self, name: &str) -> Option<String> {
        let value = self.workspace().variable(name)?;
        let kind = values::type_name(value);
        let engine = &self.session.engine;
        let signatures = engine.library().signatures(engine.engine());
        let found = members::members(signatures, &kind, &|name| engine.library().is_host_name(name));
        let names: Vec<String> = found.iter().take(METHODS).map(|member| member.name.clone()).collect();
        let has = if names.is_empty() { String::new() } else { format!("\nit has {}", names.join(", ")) };
        Some(format!("{name}: {kind}\n{}{has}", self.line(value)))
    }

    /// A module: what it says of itself, and its functions.
    fn module_help(&self, name: &str) -> Option<String> {
        let library = self.session.engine.library();
        let engine = self.session.engine.engine();
        let is_std = embedded::STDLIB.iter().any(|(path, _)| *path == name);
        let unit = self.imported(name).or_else(|| library.load(engine, name).ok().filter(|_| is_std))?;
        let doc = reference::module_doc(&unit.source);
        let doc = if doc.is_empty() { String::new() } else { format!("{doc}\n") };
        let public = defined(&unit).into_iter().filter(|function| function.public);
        let lines: Vec<String> = public.map(|function| format!("  {}", function.shown())).collect();
        Some(format!("{} ({name})\n{doc}{}", unit.path, lines.join("\n")))
    }

    fn reference_help(&self, name: &str) -> Option<String> {
        let entries = reference::entries();
        let plain = name.rsplit([':', '.']).next().unwrap_or(name);
        let found: Vec<&Entry> = entries.iter().filter(|entry| entry.name == plain).collect();
        let known: Vec<&str> = found.iter().flat_map(|entry| &entry.signatures).map(String::as_str).collect();
        let others = self.signature_help(plain, &known).filter(|_| plain == name);
        let words = found.iter().map(|entry| entry_help(entry)).chain(others);
        (!found.is_empty()).then(|| words.collect::<Vec<_>>().join("\n\n"))
    }

    /// The language's own functions have no words; those that are told already are left out.
    fn signature_help(&self, name: &str, told: &[&str]) -> Option<String> {
        let engine = &self.session.engine;
        let mut lines: Vec<&str> = Vec::new();
        for signature in engine.library().signatures(engine.engine()).overloads(name) {
            let text = signature.text.as_str();
            if !lines.contains(&text) && !told.contains(&text) && !text.contains("f32") {
                lines.push(text);
            }
        }
        let word = keywords().any(|word| word == name).then(|| format!("{name}(...)"));
        let text = if lines.is_empty() { word? } else { lines.join("\n") };
        Some(format!("{text}\n\nof the language itself: https://rhai.rs/book"))
    }

    fn unknown(&self, name: &str) -> Error {
        let engine = &self.session.engine;
        let own: Vec<String> = self.own_functions().into_iter().map(|function| function.name).collect();
        let variables = self.workspace().variables().map(|(name, ..)| name);
        let modules = self.workspace().imports().iter().map(|import| import.alias.as_str());
        let known = engine.library().signatures(engine.engine()).names();
        let std = embedded::STDLIB.iter().map(|(path, _)| *path);
        let commands = COMMANDS.iter().map(|known| known.name);
        let all = own.iter().map(String::as_str).chain(variables).chain(modules).chain(known).chain(std);
        let error = Error::new(Kind::Usage, format!("nothing is called `{name}`"));
        match suggest::nearest(name, all.chain(commands)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error
                .hint("`:help` lists the commands, Tab what there is, `fthost docs` prints the reference"),
        }
    }

    /// What is at hand: variables, functions, modules.
    pub fn vars(&self) -> String {
        let mut lines = Vec::new();
        let width = self.workspace().variables().map(|(name, ..)| name.len()).max().unwrap_or(0);
        for (name, constant, value) in self.workspace().variables() {
            let word = if constant { "const" } else { "let" };
            let kind = values::type_name(value);
            lines.push(format!("{word:5} {name:width$}  {kind}: {}", self.line(value)));
        }
        let mut functions: Vec<String> = Vec::new();
        for unit in self.workspace().units().iter().rev() {
            for function in defined(unit) {
                let line = format!("{}  ({})", function.shown(), unit.path);
                let hidden = functions.iter().any(|known| {
                    known.starts_with(&format!("fn {}(", function.name))
                        && known.matches(", ").count() + 1 == function.params.len().max(1)
                });
                if !hidden {
                    functions.push(line);
                }
            }
        }
        lines.extend(functions.into_iter().rev());
        let imports = self.workspace().imports().iter();
        lines.extend(imports.map(|import| format!("import \"{}\" as {}", import.name, import.alias)));
        match lines.is_empty() {
            true => "nothing yet".into(),
            false => lines.join("\n"),
        }
    }
}

fn overview() -> String {
    let width = COMMANDS.iter().map(|known| known.name.len() + known.argument.len()).max().unwrap_or(0) + 2;
    let line = |known: &super::commands::Known| {
        let written = format!("{} {}", known.name, known.argument);
        format!("  :{written:width$}{}", known.about)
    };
    let lines: Vec<String> = COMMANDS.iter().map(line).collect();
    format!(
        "Type an expression or statements of a script; what they define stays. Tab completes, Ctrl-C stops.\n\n{}",
        lines.join("\n")
    )
}

fn command_help(name: &str) -> Option<String> {
    let known = COMMANDS.iter().find(|known| known.name == name)?;
    Some(format!(":{} {}\n{}", known.name, known.argument, known.about))
}

/// A function of a script: its head, its words, where it stands.
fn function_help(unit: &Unit, name: &str, prefix: &str) -> Option<String> {
    let found: Vec<ScriptFnMetadata> = unit.ast.iter_functions().filter(|f| f.name == name).collect();
    let shown: Vec<String> =
        found.iter().map(|f| format!("fn {prefix}{}({})", f.name, f.params.join(", "))).collect();
    let (doc, examples) = split_comment(&found.first()?.comments);
    let place = definition_place(unit, name);
    Some(with_examples(format!("{}\n{}:{}", shown.join("\n"), place.file, place.line), &doc, &examples))
}

fn entry_help(entry: &Entry) -> String {
    let mut head = entry.signatures.join("\n");
    if entry.namespace.starts_with("std/") {
        let alias = entry.namespace.rsplit('/').next().unwrap_or_default();
        head += &format!("\nimport \"{}\" as {alias};", entry.namespace);
    }
    with_examples(head, &entry.doc, &entry.examples)
}

fn with_examples(mut text: String, doc: &str, examples: &[String]) -> String {
    if !doc.is_empty() {
        text += &format!("\n\n{doc}");
    }
    for example in examples {
        let lines: Vec<String> = example.lines().map(|line| format!("  {line}")).collect();
        text += &format!("\n\n{}", lines.join("\n"));
    }
    text
}
