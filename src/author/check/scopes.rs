//! What a closure that runs on another thread cannot do with the variables around it, and constants that are not
//! there.

use std::collections::BTreeSet;

use rhai::{ASTFlags, Expr, Ident};

use super::Finding;
use super::look::Look;
use super::names::exported;
use super::tree::{Node, Origin, Tree, Variable, root};
use crate::base::{Error, Kind, suggest};

/// Functions whose closures work on copies.
const PARALLEL: &[&str] = &["process", "parallel_map"];

/// Methods that change their object.
const CHANGING: &[&str] = &[
    "push",
    "append",
    "insert",
    "pop",
    "shift",
    "remove",
    "clear",
    "truncate",
    "sort",
    "sort_by",
    "reverse",
    "set",
    "mixin",
    "fill_with",
    "retain",
    "drain",
    "splice",
    "dedup",
    "pad",
    "replace",
    "trim",
    "make_upper",
    "make_lower",
    "crop",
];

/// Changes that are lost, generators that cannot be shared, constants that do not exist.
pub fn check(look: &Look) -> Vec<Finding> {
    let mut findings = Vec::new();
    for body in parallel_bodies(look) {
        findings.extend(look.tree.variables.iter().flat_map(|variable| captured(look, body, variable)));
    }
    findings.extend(look.tree.nodes.iter().filter_map(|node| constant(look, node)));
    findings.extend(look.tree.variables.iter().flat_map(|variable| unknown_keys(look, variable)));
    findings.extend(look.tree.variables.iter().filter_map(|variable| changed_constant(look, variable)));
    findings
}

/// A constant whose content is changed: the engine refuses that, too, but only when it comes to it.
fn changed_constant(look: &Look, variable: &Variable) -> Option<Finding> {
    let kind = look.type_of(variable.init.filter(|_| variable.origin == Origin::Const)?)?;
    if !["array", "map", "string"].contains(&kind) {
        return None;
    }
    let own = |node: usize| {
        let parent = look.tree.nodes[node].parent.and_then(|parent| look.tree.nodes[parent].expr());
        parent.and_then(last_method).is_some_and(|name| look.is_own(name, true))
    };
    let by_method = variable.reads.iter().find(|node| changes(look.tree, **node) && !own(**node));
    let node = *variable.changes.first().or(by_method)?;
    let name = variable.name;
    let error = Error::new(Kind::Script, format!("the constant `{name}` cannot be changed"))
        .hint(format!("declare it with `let {name} = ...;` if it is to change, or change a copy of it"));
    Some(look.finding("constant-assigned", look.tree.position(node), error))
}

/// The bodies of the closures that are given to `process` and `parallel_map`.
fn parallel_bodies(look: &Look) -> Vec<usize> {
    let calls = look.tree.nodes.iter().filter_map(|node| look.called(node));
    let parallel =
        calls.filter(|called| PARALLEL.contains(&called.name()) && !look.is_own(called.name(), false));
    let closures = parallel.filter_map(|called| called.arguments.last().copied().flatten());
    let bodies = closures.filter_map(|closure| look.tree.closure(closure));
    bodies.filter_map(|body| look.tree.index_of(body)).collect()
}

fn captured(look: &Look, body: usize, variable: &Variable) -> Option<Finding> {
    let tree = look.tree;
    let inside = |node: &usize| tree.is_within(tree.nodes[*node].body, body);
    if tree.is_within(variable.body, body) || variable.origin == Origin::Import {
        return None;
    }
    let name = variable.name;
    let is_rng = variable.init.and_then(|init| look.type_of(init)) == Some("Rng");
    if is_rng && let Some(node) = variable.reads.iter().find(|node| inside(node)) {
        let error = Error::new(
            Kind::Script,
            format!("the generator `{name}` cannot be shared: every call would draw the same numbers"),
        )
        .hint("make one for each item, seeded by its id: `rng(item.id)`");
        return Some(look.finding("captured-rng", tree.position(*node), error));
    }
    let changed = variable.writes.iter().chain(&variable.changes).copied().find(|node| inside(node));
    let changed = changed
        .or_else(|| variable.reads.iter().copied().find(|node| inside(node) && changes(tree, *node)))?;
    let error = Error::new(
        Kind::Script,
        format!("this change of `{name}` is lost: each call has its own copy"),
    )
    .hint(
        "return what is to be kept: `parallel_map` gives the values of all calls, and records are read again",
    );
    Some(look.finding("lost-change", tree.position(changed), error))
}

/// Whether a variable's node is the object of a method that changes it: `x.push(1)`, `x.a.push(1)`.
fn changes(tree: &Tree, node: usize) -> bool {
    let Some(parent) = tree.nodes[node].parent.and_then(|parent| tree.nodes[parent].expr()) else {
        return false;
    };
    let at_root = tree.nodes[node].expr().is_some_and(|expr| std::ptr::eq(root(parent), expr));
    at_root && last_method(parent).is_some_and(|name| CHANGING.contains(&name))
}

fn last_method(expr: &Expr) -> Option<&str> {
    match expr {
        // What stands in the brackets belongs to nobody outside of them.
        Expr::Index(_, flags, _) if flags.intersects(ASTFlags::BREAK) => None,
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => last_method(&pair.rhs),
        Expr::MethodCall(call, _) => Some(&call.name),
        _ => None,
    }
}

/// Keys that are read of a map that is written out, never changes, and does not have them.
fn unknown_keys(look: &Look, variable: &Variable) -> Vec<Finding> {
    let Some(Expr::Map(map, _)) = variable.init.filter(|_| variable.origin == Origin::Let) else {
        return Vec::new();
    };
    let stays = variable.writes.is_empty() && variable.changes.is_empty() && !variable.exported;
    let called = |node: &&usize| matches!(member(look, **node), Some((Expr::MethodCall(..), _)));
    if !stays || variable.reads.iter().any(|node| called(&node)) {
        return Vec::new();
    }
    let known: Vec<&str> = map.0.iter().map(|(key, _)| key.name.as_str()).collect();
    let wrong = variable.reads.iter().filter_map(|node| {
        let (Expr::Property(property, position), allowed) = member(look, *node)? else { return None };
        let name = property.2.as_str();
        if known.contains(&name) || allowed {
            return None;
        }
        let error = Error::new(Kind::Script, format!("`{}` has no `{name}`: this is ()", variable.name));
        let hint =
            if known.is_empty() { "it is empty".into() } else { suggest::hint(name, known.iter().copied()) };
        Some(look.finding("unknown-key", *position, error.hint(hint)))
    });
    wrong.collect()
}

/// What is taken of a variable first, and whether its absence is allowed for: `m?.a`, `m.a ?? b`, `m.a == ()`.
fn member<'a>(look: &Look<'a>, node: usize) -> Option<(&'a Expr, bool)> {
    let parent = look.tree.parent(&look.tree.nodes[node])?;
    let Expr::Dot(pair, flags, _) = parent.expr()? else { return None };
    let first = match &pair.rhs {
        Expr::Dot(inner, ..) | Expr::Index(inner, ..) => &inner.lhs,
        other => other,
    };
    let is_object = look.tree.nodes[node].expr().is_some_and(|expr| std::ptr::eq(&raw const pair.lhs, expr));
    let around = look.tree.parent(parent).and_then(Node::expr);
    let compared =
        matches!(around, Some(Expr::FnCall(call, _)) if ["==", "!="].contains(&call.name.as_str()));
    let allowed =
        flags.intersects(ASTFlags::NEGATED) || compared || matches!(around, Some(Expr::Coalesce(..)));
    is_object.then_some((first, allowed))
}

/// `global::NAME` and `module::NAME` of constants that are not there.
fn constant(look: &Look, node: &Node) -> Option<Finding> {
    let Expr::Variable(variable, _, place) = node.expr()? else { return None };
    let path: Vec<&str> = variable.2.path.iter().map(name_of).collect();
    let (first, name) = (*path.first()?, variable.1.as_str());
    let place = variable.2.path.first().map_or(*place, |first| first.pos);
    if first == "global" && path.len() == 1 {
        return global(look, name, place);
    }
    let unit = look.names.module(look.session.engine.library(), &path)?;
    let known = exported(&unit);
    if known.contains(name) {
        return None;
    }
    let error = Error::new(Kind::Script, format!("{} has no exported constant `{name}`", unit.path));
    let hint = match own_constants(&unit).contains(name) {
        true => format!("export it there: `export const {name} = ...;`"),
        false if known.is_empty() => "it exports none; functions are called: `module::name()`".into(),
        false => suggest::hint(name, known.iter().map(String::as_str)),
    };
    Some(look.finding("unknown-constant", place, error.hint(hint)))
}

fn name_of(part: &Ident) -> &str {
    &part.name
}

fn global(look: &Look, name: &str, place: rhai::Position) -> Option<Finding> {
    let own = |origin: Origin| {
        let top = look.tree.variables.iter().filter(move |v| v.body == 0 && v.origin == origin);
        top.map(|v| v.name).collect::<BTreeSet<_>>()
    };
    let constants = own(Origin::Const);
    // What is typed in may go on with constants of what was typed before.
    if constants.contains(name) || look.tree.unit.path.starts_with('(') {
        return None;
    }
    let error = Error::new(Kind::Script, format!("there is no constant `{name}` at the top of this script"));
    let hint = match own(Origin::Let).contains(name) {
        true => format!("`global::` shows constants only: declare it as `const {name} = ...;`"),
        false => suggest::hint(name, constants.iter().copied()),
    };
    Some(look.finding("unknown-constant", place, error.hint(hint)))
}

fn own_constants(unit: &crate::script::library::Unit) -> BTreeSet<String> {
    unit.ast.iter_literal_variables(true, false).map(|(name, ..)| name.to_string()).collect()
}
