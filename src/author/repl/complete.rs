//! What could be written at the cursor.

use rhai::Dynamic;

use super::commands::COMMANDS;
use super::context::{Called, Context, Receiver, context};
use super::{Repl, members, paint};
use crate::author::check::names::{Defined, defined, keywords};
use crate::author::check::settings_read;
use crate::host::{embedded, table};
use crate::script::library::import_path;
use crate::script::signatures::Signatures;
use crate::script::values;

/// One way to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// As it is listed.
    pub shown: String,
    /// What stands at the cursor then, from the beginning of what is completed.
    pub text: String,
}

impl Candidate {
    fn plain(text: impl Into<String>) -> Candidate {
        let text = text.into();
        Candidate { shown: text.clone(), text }
    }

    /// A function, whose first parenthesis comes with it.
    fn function(name: &str, shown: String) -> Candidate {
        Candidate { shown, text: format!("{name}(") }
    }
}

/// The functions whose first text names a backend or role.
const ASK: &[&str] = &["get_backend", "get_backends"];

impl Repl {
    /// The ways to go on behind `text`, and how many bytes at its end they replace.
    pub fn complete(&self, text: &str) -> (usize, Vec<Candidate>) {
        if text.rsplit_once('\n').is_some_and(|(_, line)| line.trim().is_empty()) {
            return (0, vec![Candidate::plain("  ")]);
        }
        let (begun, mut found) = match context(text) {
            Context::Command(begun) => {
                (begun, COMMANDS.iter().map(|known| Candidate::plain(known.name)).collect())
            }
            Context::Script(begun) => (begun, self.paths(begun)),
            Context::Anything(begun) => (begun, self.anything()),
            Context::Import(begun) => (begun, self.module_names()),
            Context::Argument(call, begun) => (begun, self.texts(&call, begun)),
            Context::Text(begun) => (begun, self.paths(begun)),
            Context::Key(call, given, begun) => (begun, keys(&call, &given)),
            Context::Member(receiver, begun) => (begun, self.members(&receiver)),
            Context::Inside(module, begun) => (begun, self.inside(text, module)),
            Context::Name(begun) => (begun, self.names(text)),
            Context::Nothing => ("", vec![]),
        };
        found.retain(|candidate| candidate.text.starts_with(begun));
        found.sort_by(|a, b| a.text.cmp(&b.text));
        found.dedup_by(|a, b| a.text == b.text);
        (begun.len(), found)
    }

    fn signatures(&self) -> &Signatures {
        let engine = &self.session.engine;
        engine.library().signatures(engine.engine())
    }

    /// The functions of entries and loaded scripts.
    pub(super) fn own_functions(&self) -> Vec<Defined> {
        self.workspace().units().iter().rev().flat_map(|unit| defined(unit)).collect()
    }

    /// The functions that a module offers, by what it is called here: of an import that stands in `text`, too.
    pub(super) fn module_functions(&self, text: &str, alias: &str) -> Vec<Defined> {
        let imports = self.workspace().imports().iter();
        let known = imports.filter(|import| import.alias == alias).map(|import| import.name.clone()).next();
        let file = known.or_else(|| imported_in(text, alias)).and_then(|name| import_path(&name).ok());
        let engine = &self.session.engine;
        let unit = file.and_then(|file| engine.library().load(engine.engine(), &file).ok());
        let functions = unit.map(|unit| defined(&unit)).unwrap_or_default();
        functions.into_iter().filter(|function| function.public).collect()
    }

    fn names(&self, text: &str) -> Vec<Candidate> {
        let mut found: Vec<Candidate> =
            self.workspace().variables().map(|(name, ..)| Candidate::plain(name)).collect();
        found.extend(self.own_functions().iter().map(|f| Candidate::function(&f.name, f.shown())));
        let aliases = self.workspace().imports().iter().map(|import| import.alias.clone());
        found.extend(aliases.map(|alias| Candidate::plain(format!("{alias}::"))));
        let signatures = self.signatures();
        let with_name = |name: &str| {
            let plain = signatures.overloads(name).iter().find(|s| s.text.starts_with(name));
            plain.map(|s| Candidate::function(name, s.text.clone()))
        };
        found.extend(signatures.names().filter_map(with_name));
        found.extend(keywords().map(|word| Candidate::function(word, format!("{word}("))));
        found.extend(paint::keywords().iter().map(|word| Candidate::plain(*word)));
        found.extend(words_of(text).map(Candidate::plain));
        found
    }

    fn anything(&self) -> Vec<Candidate> {
        let functions = self.own_functions().into_iter().map(|f| f.name);
        let modules = self.workspace().imports().iter().map(|import| import.alias.clone());
        let variables = self.workspace().variables().map(|(name, ..)| name.to_string());
        let known = self.signatures().names().map(str::to_string);
        let std = embedded::STDLIB.iter().map(|(path, _)| path.to_string());
        let commands = COMMANDS.iter().map(|known| known.name.to_string());
        let all = functions.chain(modules).chain(variables).chain(known).chain(std).chain(commands);
        all.map(Candidate::plain).collect()
    }

    fn members(&self, receiver: &Receiver) -> Vec<Candidate> {
        let (kind, value) = match receiver {
            Receiver::Path(path) => self.value_at(path),
            Receiver::Text => (Some("string".into()), None),
            Receiver::Array => (Some("array".into()), None),
            Receiver::Result(name) => (members::result_of(self.signatures(), name), None),
            Receiver::Unknown => (None, None),
        };
        let mut found = Vec::new();
        if let Some(map) = value.as_ref().and_then(|value| value.as_map_ref().ok()) {
            found.extend(map.keys().map(|key| Candidate::plain(key.as_str())));
        }
        let Some(kind) = kind else { return found };
        let library = self.session.engine.library();
        for member in members::members(self.signatures(), &kind, &|name| library.is_host_name(name)) {
            found.push(match member.is_property {
                true => Candidate { shown: member.signature.replace("()", ""), text: member.name },
                false => Candidate::function(&member.name, member.signature),
            });
        }
        found
    }

    /// The type at the end of `a.b.c`, and its value as far as maps lead there: nothing is called.
    fn value_at(&self, path: &[&str]) -> (Option<String>, Option<Dynamic>) {
        let Some((first, rest)) = path.split_first() else { return (None, None) };
        let Some(mut value) = self.workspace().variable(first).map(Dynamic::flatten_clone) else {
            return (None, None);
        };
        for (i, key) in rest.iter().enumerate() {
            let inner = value.as_map_ref().ok().and_then(|map| map.get(*key).map(Dynamic::flatten_clone));
            match inner {
                Some(inner) => value = inner,
                None if i + 1 == rest.len() => {
                    return (members::result_of(self.signatures(), &format!("get${key}")), None);
                }
                None => return (None, None),
            }
        }
        (Some(values::type_name(&value)), Some(value))
    }

    fn inside(&self, text: &str, module: &str) -> Vec<Candidate> {
        if module == "global" {
            let constants = self.workspace().variables().filter(|(_, constant, _)| *constant);
            return constants.map(|(name, ..)| Candidate::plain(name)).collect();
        }
        let functions = self.module_functions(text, module);
        functions.iter().map(|f| Candidate::function(&f.name, f.shown())).collect()
    }

    fn module_names(&self) -> Vec<Candidate> {
        let own = self.session.world.project.list("scripts/**/*.rhai").unwrap_or_default();
        let own = own.iter().filter_map(|path| path.strip_prefix("scripts/")?.strip_suffix(".rhai"));
        let std = embedded::STDLIB.iter().map(|(path, _)| *path);
        own.chain(std).map(Candidate::plain).collect()
    }

    fn texts(&self, call: &Called, begun: &str) -> Vec<Candidate> {
        let config = &self.session.world.config;
        match call.argument {
            0 if ASK.contains(&call.name) => {
                config.roles.keys().chain(config.backends.keys()).map(Candidate::plain).collect()
            }
            0 if call.name == "setting" => self.settings(),
            _ => self.paths(begun),
        }
    }

    /// The keys that the loaded scripts read, and those that stand in the project's others.
    fn settings(&self) -> Vec<Candidate> {
        let project = &self.session.world.project;
        let texts = project.list("scripts/**/*.rhai").unwrap_or_default().into_iter();
        let texts: Vec<String> = texts.filter_map(|path| project.read_text(&path).ok()).collect();
        let calls = texts.iter().flat_map(|text| text.split("setting(\"").skip(1));
        let named = calls.filter_map(|rest| rest.split_once('"')).map(|(key, _)| key.to_string());
        let loaded = settings_read(&self.session.engine.library().units());
        loaded.into_iter().chain(named).map(Candidate::plain).collect()
    }

    /// The files and directories of the project that begin like this.
    fn paths(&self, begun: &str) -> Vec<Candidate> {
        let dir = begun.rfind('/').map_or("", |end| &begun[..=end]);
        if dir.starts_with('/') || dir.split('/').any(|part| part.starts_with('.')) {
            return vec![];
        }
        let entries = std::fs::read_dir(self.session.world.project.root().join(dir));
        let one = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'))?;
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            Some(Candidate::plain(format!("{dir}{name}{}", if is_dir { "/" } else { "" })))
        };
        entries.into_iter().flatten().flatten().filter_map(one).collect()
    }
}

/// The options of a function that are not given yet.
fn keys(call: &Called, given: &[&str]) -> Vec<Candidate> {
    let Some(options) = table::options(call.name) else { return vec![] };
    if options.parameter != call.argument + usize::from(call.is_method) {
        return vec![];
    }
    let open = options.names.iter().filter(|name| !given.contains(name));
    open.map(|name| Candidate { shown: name.to_string(), text: format!("{name}: ") }).collect()
}

/// The file of `import "file" as alias` in a text.
fn imported_in(text: &str, alias: &str) -> Option<String> {
    let (before, _) = text.split_once(&format!(" as {alias};"))?;
    let (_, file) = before.rsplit_once("import \"")?;
    file.strip_suffix('"').map(str::to_string)
}

/// What the text itself declares: `let x`, `const K`, `fn f`, `for i`.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let declared = |pair: &[&str]| ["let", "const", "for"].contains(&pair[0]);
    let found: Vec<&str> = words.windows(2).filter(|pair| declared(pair)).map(|pair| pair[1]).collect();
    found.into_iter()
}
