//! The functions that scripts can call, by name: for `check`, for advice on unknown names, and for
//! the list of overloads when arguments do not fit.

use std::collections::BTreeMap;

use rhai::{Engine, Module, Shared};

use super::habits;
use super::values::friendly_type;
use crate::base::suggest;

/// One overload of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Number of parameters, a method's object included.
    pub arity: usize,
    /// As a person reads it: `count_tokens(text: string, encoding: string) -> int`.
    pub text: String,
    /// The types of its parameters in words of scripts, a method's object included; empty when they are not known.
    pub types: Vec<String>,
    /// The type of what it gives; `()` for nothing.
    pub result: String,
}

/// All overloads of all functions that an engine knows.
#[derive(Debug, Default)]
pub struct Signatures(BTreeMap<String, Vec<Signature>>);

impl Signatures {
    /// Collects those of `engine`, the language's own included.
    pub fn of(engine: &Engine) -> Signatures {
        let mut all: BTreeMap<String, Vec<Signature>> = BTreeMap::new();
        let each = |info: rhai::FuncInfo| {
            let m = info.metadata;
            let (types, result) = (types_of(m), result_type(&m.return_type));
            Some((m.name.to_string(), Signature { arity: m.num_params, text: text_of(m), types, result }))
        };
        for (name, signature) in engine.collect_fn_metadata(None, each, true) {
            all.entry(name).or_default().push(signature);
        }
        for overloads in all.values_mut() {
            // The engine lists them in no order.
            overloads.sort_by(|a, b| (a.arity, &a.text).cmp(&(b.arity, &b.text)));
        }
        Signatures(all)
    }

    /// Collects those of one module.
    pub fn of_module(module: Shared<Module>) -> Signatures {
        let mut engine = Engine::new_raw();
        engine.register_global_module(module);
        Signatures::of(&engine)
    }

    /// The overloads of a name; empty when it is unknown.
    pub fn overloads(&self, name: &str) -> &[Signature] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// All overloads by name, operators and properties (`get$len`) included.
    pub fn all(&self) -> impl Iterator<Item = (&str, &[Signature])> {
        self.0.iter().map(|(name, overloads)| (name.as_str(), overloads.as_slice()))
    }

    /// The names of all properties.
    pub fn getters(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.keys().filter_map(|name| name.strip_prefix("get$"))
    }

    /// Whether values of a type have methods or properties of their own.
    pub fn is_object(&self, kind: &str) -> bool {
        let own = |overload: &Signature| overload.types.first().is_some_and(|first| first == kind);
        self.0.iter().any(|(name, overloads)| name.starts_with("get$") && overloads.iter().any(own))
    }

    /// What to do about an unknown name, which may be one of `known`.
    pub fn advice<'a>(&self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
        if self.0.contains_key(&format!("get${name}")) {
            return Some(format!("`{name}` is a property: write `.{name}` without parentheses"));
        }
        if let Some(hint) = habits::of_call(name) {
            return Some(hint.into());
        }
        let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == name).map(|(_, here)| *here);
        elsewhere.or_else(|| suggest::nearest(name, known)).map(|name| format!("did you mean `{name}`?"))
    }

    /// All names that a person could have meant (no operators, no getters).
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let is_word = |name: &&str| name.starts_with(|c: char| c.is_alphabetic()) && !name.contains('$');
        self.0.keys().map(String::as_str).filter(is_word)
    }
}

/// What other languages call it, and what it is called here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("count", "len"),
    ("endswith", "ends_with"),
    ("has", "contains"),
    ("includes", "contains"),
    ("length", "len"),
    ("lower", "to_lower"),
    ("println", "print"),
    ("size", "len"),
    ("startswith", "starts_with"),
    ("str", "to_string"),
    ("strip", "trim"),
    ("toLowerCase", "to_lower"),
    ("toUpperCase", "to_upper"),
    ("typeof", "type_of"),
    ("upper", "to_upper"),
];

/// The most overloads that an error lists.
const SHOWN: usize = 6;

/// Advice after wrong arguments: how it is written here, if another language's way is common, else
/// the overloads, a line each.
pub fn it_takes(name: &str, overloads: &[String]) -> String {
    habits::of_call(name).map_or_else(|| one_of(overloads), str::to_string)
}

/// The overloads, a line each.
pub fn one_of(overloads: &[String]) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for overload in overloads.iter().map(String::as_str) {
        // The engine registers arithmetic on 32-bit floats, which scripts never see.
        if !lines.contains(&overload) && !overload.contains("f32") {
            lines.push(overload);
        }
    }
    let left_out = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    let more = if left_out == 0 { String::new() } else { format!("\nand {left_out} more") };
    match lines.as_slice() {
        [] => "look it up: `fthost docs`".into(),
        [only] => format!("it is {only}"),
        lines => format!("it is one of\n{}{more}", lines.join("\n")),
    }
}

fn text_of(metadata: &rhai::FuncMetadata) -> String {
    let mut infos = metadata.params_info.iter().map(|p| p.as_str());
    let params: Vec<String> = infos.by_ref().filter_map(param).collect();
    let result = return_type(&metadata.return_type);
    if let Some(object) = object(metadata, &params) {
        return format!("{object}.{}({}){result}", metadata.name, params[1..].join(", "));
    }
    let shown = if params.is_empty() && metadata.num_params > 0 { vec!["..".into()] } else { params };
    format!("{}({}){result}", metadata.name, shown.join(", "))
}

fn types_of(metadata: &rhai::FuncMetadata) -> Vec<String> {
    let shown = metadata.params_info.iter().filter_map(|info| param(info));
    let types: Vec<String> =
        shown.map(|text| text.split_once(": ").map_or(String::new(), |(_, kind)| kind.to_string())).collect();
    if types.len() == metadata.num_params { types } else { Vec::new() }
}

/// The type of a method's object; `params` are its shown parameters.
pub fn object<'a>(metadata: &rhai::FuncMetadata, params: &'a [String]) -> Option<&'a str> {
    metadata.params_info.iter().find(|info| info.contains("&mut"))?;
    params.first()?.split_once(": ").map(|(_, kind)| kind)
}

/// `text: &str` -> `text: string`; the call context is not a parameter that scripts see.
pub fn param(info: &str) -> Option<String> {
    let (name, kind) = info.split_once(':').unwrap_or((info, ""));
    let kind = kind.trim().trim_start_matches('&').trim_start_matches("mut ").trim();
    if kind.contains("NativeCallContext") {
        return None;
    }
    let name = name.trim();
    Some(if kind.is_empty() { name.into() } else { format!("{name}: {}", friendly_type(kind)) })
}

/// ` -> int` of `ScriptResult<i64>`; nothing for functions that return nothing.
pub fn return_type(raw: &str) -> String {
    match result_type(raw).as_str() {
        "()" | "" | "RhaiResult" => String::new(),
        name => format!(" -> {name}"),
    }
}

/// `int` of `ScriptResult<i64>`.
fn result_type(raw: &str) -> String {
    let mut kind = raw.trim();
    for wrapper in ["ScriptResult<", "RhaiResultOf<", "Result<"] {
        if let Some(inner) = kind.strip_prefix(wrapper) {
            kind = inner.trim_end_matches('>').split(',').next().unwrap_or(inner).trim();
        }
    }
    friendly_type(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_types_become_words_of_scripts() {
        assert_eq!(param("text: &str").as_deref(), Some("text: string"));
        assert_eq!(param("_ctx: NativeCallContext"), None);
        assert_eq!(param("options: rhai::Map").as_deref(), Some("options: map"));
        assert_eq!(return_type("ScriptResult<Dynamic>"), " -> any value");
        assert_eq!(return_type("ScriptResult<()>"), "");
    }

    #[test]
    fn the_languages_own_functions_are_known() {
        let signatures = Signatures::of(&Engine::new());
        assert!(!signatures.overloads("push").is_empty());
        assert!(signatures.overloads("pusch").is_empty());
        assert!(signatures.names().any(|name| name == "to_upper"));
    }
}
