//! Functions do not see the session's variables, any more than those of a script see its top level's.

use rhai::{ASTNode, Expr, Position};

use crate::base::{Error, Kind, Result};
use crate::script::library::{Unit, place_in};
use crate::script::workspace::Workspace;

/// Refuses a unit whose functions name variables of the session: the parser takes them for known.
pub fn check(unit: &Unit, workspace: &Workspace) -> Result<()> {
    match first(unit) {
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

/// The first variable in a function that is none of its own. Closures get what they use as parameters.
fn first(unit: &Unit) -> Option<(String, Position)> {
    let (mut outside, mut all) = (Vec::new(), Vec::new());
    for statement in unit.ast.statements() {
        statement.walk(&mut Vec::new(), &mut |path| collect(path, &mut outside));
    }
    unit.ast.walk(&mut |path| collect(path, &mut all));
    let inside = all.into_iter().filter(|found| !outside.contains(found));
    inside.min_by_key(|(_, position)| *position)
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
