//! Functions do not see the session's variables, any more than those of a script see its top level's.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, Position};

use super::scan::{Sort, tokens};
use crate::base::{Error, Kind, Result};
use crate::script::library::{Unit, place_in};
use crate::script::workspace::Workspace;

/// Refuses a unit whose functions name variables of the session: the parser takes them for known.
pub fn check(unit: &Unit, workspace: &Workspace) -> Result<()> {
    match first(unit, workspace) {
        None => Ok(()),
        Some((name, position)) => {
            let hint = match workspace.variables().any(|(known, constant, _)| known == name && constant) {
                true => format!("write `global::{name}`: a function sees constants by that name only"),
                false => format!(
                    "a function does not see variables from outside: pass `{name}` as a parameter, or declare it as \
                     `const {name}` and write `global::{name}`"
                ),
            };
            let error = Error::new(Kind::Script, format!("unknown variable `{name}`")).hint(hint);
            Err(error.at(place_in(unit, position)))
        }
    }
}

/// The first variable of the session in a function. What a closure captures looks like one, so names that the text
/// declares itself are left to the engine.
fn first(unit: &Unit, workspace: &Workspace) -> Option<(String, Position)> {
    let (mut outside, mut all) = (Vec::new(), Vec::new());
    for statement in unit.ast.statements() {
        statement.walk(&mut Vec::new(), &mut |path| collect(path, &mut outside));
    }
    unit.ast.walk(&mut |path| collect(path, &mut all));
    let declared = declared(unit);
    let inside = all.into_iter().filter(|found| !outside.contains(found));
    let of_session =
        inside.filter(|(name, _)| workspace.variable(name).is_some() && !declared.contains(name));
    of_session.min_by_key(|(_, position)| *position)
}

/// The variables and parameters of a text, by its words.
fn declared(unit: &Unit) -> BTreeSet<String> {
    let text = &*unit.source;
    let all = tokens(text);
    let named = unit.ast.iter_functions().filter(|function| !function.name.starts_with("anon$"));
    let mut found: BTreeSet<String> = named.flat_map(|f| f.params).map(str::to_string).collect();
    for around in all.windows(3).filter(|around| around[1].sort == Sort::Word) {
        let declares = ["let", "const", "for", "|"].contains(&around[0].of(text));
        if declares || around[2].of(text) == "|" {
            found.insert(around[1].of(text).to_string());
        }
    }
    found
}

/// Notes a variable that the text itself does not declare.
fn collect(path: &[ASTNode], found: &mut Vec<(String, Position)>) -> bool {
    if let Some(ASTNode::Expr(Expr::Variable(variable, None, position))) = path.last()
        && variable.0.is_none()
        && variable.2.is_empty()
    {
        found.push((variable.1.to_string(), *position));
    }
    true
}
