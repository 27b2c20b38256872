//! What values of a type have: methods and properties, by the signatures.

use crate::script::signatures::Signatures;

/// A method or property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Whether it is written without parentheses.
    pub is_property: bool,
    /// As a person reads it.
    pub signature: String,
}

/// The members of a type. `is_host` tells host functions, of which only methods are meant to be called on a value.
pub fn members(signatures: &Signatures, of: &str, is_host: &dyn Fn(&str) -> bool) -> Vec<Member> {
    let mut found: Vec<Member> = Vec::new();
    for (name, overloads) in signatures.all() {
        let (plain, is_property) =
            name.strip_prefix("get$").map_or((name, false), |property| (property, true));
        if plain.contains('$') || !plain.starts_with(|c: char| c.is_alphabetic()) {
            continue;
        }
        let fits = |text: &str| is_method_of(text, of) || !is_host(name) && first_type(text) == Some(of);
        if let Some(signature) = overloads.iter().find(|overload| fits(&overload.text)) {
            let known = found.iter().any(|member| member.name == plain);
            if !known {
                let signature = signature.text.replace("get$", "");
                found.push(Member { name: plain.into(), is_property, signature });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// `Backend.complete(...)`
fn is_method_of(text: &str, of: &str) -> bool {
    text.strip_prefix(of).is_some_and(|rest| rest.starts_with('.'))
}

/// The type of the first parameter: `f(text: string, ...)`.
fn first_type(text: &str) -> Option<&str> {
    let (_, parameters) = text.split_once('(').filter(|(name, _)| !name.contains('.'))?;
    let first = parameters.split([',', ')']).next()?;
    first.split_once(": ").map(|(_, kind)| kind.trim())
}

/// The type of what a function or property gives, if all its overloads give the same.
pub fn result_of(signatures: &Signatures, name: &str) -> Option<String> {
    let mut results = signatures.overloads(name).iter().filter_map(|s| s.text.rsplit_once(" -> "));
    let (_, first) = results.next()?;
    results.all(|(_, other)| other == first).then(|| first.to_string())
}
