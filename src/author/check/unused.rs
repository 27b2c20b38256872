//! Variables, parameters, imports and private functions that nothing uses.

use std::collections::BTreeSet;

use rhai::{Expr, FnAccess, Stmt};

use super::Finding;
use super::look::Look;
use super::points;
use super::tree::{Body, Origin, Tree, Variable};
use crate::base::{Error, Kind};
use crate::script::library::import_path;

/// Functions that the host calls, with all that it has.
const CALLED_BY_HOST: &[&str] = &["complete", "complete_structured", "to_http", "from_http"];

/// What could be left out.
pub fn check(look: &Look) -> Vec<Finding> {
    let named = named_in_texts(look.tree);
    let variables = look.tree.variables.iter().filter(|variable| is_unused(look, variable, &named));
    let mut findings: Vec<Finding> = variables.map(|variable| finding(look, variable)).collect();
    findings.extend(look.tree.bodies.iter().filter_map(|body| private_function(look, body, &named)));
    findings
}

/// Texts may name functions: `Fn("double")`, `"a".map("double")`.
fn named_in_texts<'a>(tree: &Tree<'a>) -> BTreeSet<&'a str> {
    let texts = tree.nodes.iter().filter_map(|node| match node.expr()? {
        Expr::StringConstant(text, _) => Some(text.as_str()),
        Expr::DynamicConstant(value, _) if value.is_fnptr() => None,
        _ => None,
    });
    texts.collect()
}

fn is_unused(look: &Look, variable: &Variable, named: &BTreeSet<&str>) -> bool {
    if !variable.reads.is_empty() || variable.exported || variable.name.starts_with('_') {
        return false;
    }
    match variable.origin {
        // A parameter that is changed is told elsewhere.
        Origin::Parameter => {
            variable.writes.is_empty() && variable.changes.is_empty() && own_parameter(look, variable, named)
        }
        Origin::Let => true,
        // A constant at the top may be read as `global::NAME`.
        Origin::Const => variable.body != 0 || !reads_global(look.tree, variable.name),
        Origin::Loop | Origin::Counter => !counts(look, variable),
        Origin::Caught => false,
        Origin::Import => !look.shared.passed_on.contains(variable.name) && !has_methods(look, variable),
    }
}

/// `for i in 0..3` only repeats: it has to have a variable.
fn counts(look: &Look, variable: &Variable) -> bool {
    variable.origin == Origin::Loop
        && variable.writes.is_empty()
        && variable.init.is_some_and(|over| look.type_of(over) == Some("range"))
}

/// Whether a parameter's function decides itself what parameters it has.
fn own_parameter(look: &Look, variable: &Variable, named: &BTreeSet<&str>) -> bool {
    let body = &look.tree.bodies[variable.body];
    let Some(def) = body.def.filter(|_| body.is_function()) else { return false };
    let name = def.name.as_str();
    let given = points::find(name).is_some() || CALLED_BY_HOST.contains(&name) || named.contains(name);
    !given && def.this_type.is_none()
}

fn reads_global(tree: &Tree, name: &str) -> bool {
    tree.nodes.iter().any(|node| match node.expr() {
        Some(Expr::Variable(variable, ..)) => !variable.2.is_empty() && variable.1 == name,
        _ => false,
    })
}

/// A module's typed methods are used without its name.
fn has_methods(look: &Look, variable: &Variable) -> bool {
    let imports = look.tree.nodes.iter().filter_map(|node| match node.stmt()? {
        Stmt::Import(import, _) if import.0.position() == variable.position => Some(&import.0),
        _ => None,
    });
    let paths = imports.filter_map(|expr| match expr {
        Expr::StringConstant(name, _) => import_path(name).ok(),
        _ => None,
    });
    paths.into_iter().any(|path| look.shared.has_methods(&path))
}

fn finding(look: &Look, variable: &Variable) -> Finding {
    let name = variable.name;
    let (code, what, hint) = match variable.origin {
        Origin::Import => ("unused-import", "module", "remove the import".to_string()),
        Origin::Parameter => ("unused-parameter", "parameter", format!("remove it, or call it `_{name}`")),
        Origin::Const => ("unused-variable", "constant", format!("remove it, or call it `_{name}`")),
        _ if variable.writes.is_empty() && variable.changes.is_empty() => {
            ("unused-variable", "variable", format!("remove it, or call it `_{name}`"))
        }
        _ => ("unused-variable", "variable", "it is given values that nothing reads".to_string()),
    };
    let error = Error::new(Kind::Script, format!("the {what} `{name}` is not used"));
    look.finding(code, variable.position, error.hint(hint))
}

fn private_function(look: &Look, body: &Body, named: &BTreeSet<&str>) -> Option<Finding> {
    let def = body.def.filter(|def| body.is_function() && def.access == FnAccess::Private)?;
    let name = def.name.as_str();
    let calls = |node: &super::tree::Node| match node.syntax {
        super::tree::Syntax::Stmt(Stmt::FnCall(call, _)) => call.name == name,
        super::tree::Syntax::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) => call.name == name,
        // A function's name alone is a pointer to it.
        super::tree::Syntax::Expr(Expr::Variable(variable, ..)) => variable.1 == name,
        _ => false,
    };
    if name.starts_with('_') || named.contains(name) || look.tree.nodes.iter().any(calls) {
        return None;
    }
    let error = Error::new(Kind::Script, format!("the private function `{name}` is never called"));
    Some(look.finding("unused-function", body.position, error.hint("remove it, or call it")))
}
