//! Closures that functions call: how many parameters they are given, and what they must give back.

use rhai::{ASTFlags, Expr, Stmt};

use super::Finding;
use super::look::{Called, Look};
use super::tree::{Body, Node, Origin, root};
use super::types::{a, position_of};
use crate::base::{Error, Kind};

/// Functions that call a closure: its place among the arguments, and the fewest and the most parameters.
const CALLERS: &[(&str, usize, usize, usize)] = &[
    ("process", 2, 1, 1),
    ("parallel_map", 1, 1, 1),
    ("parallel_map", 2, 1, 1),
    ("map", 1, 1, 2),
    ("filter", 1, 1, 2),
    ("for_each", 1, 0, 1),
    ("some", 1, 1, 2),
    ("all", 1, 1, 2),
    ("find", 1, 1, 2),
    ("find_map", 1, 1, 2),
    ("reduce", 1, 2, 3),
    ("reduce_rev", 1, 2, 3),
    ("sort", 1, 2, 2),
    ("sort_by", 1, 2, 2),
    ("order_by", 1, 2, 2),
];

/// Closures that do not fit.
pub fn check(look: &Look) -> Vec<Finding> {
    let calls = look.tree.nodes.iter().filter_map(|node| Some((node, look.called(node)?)));
    let of_node = |(node, called)| {
        let mut findings = of_call(look, &called);
        findings.extend(captures_itself(look, node, &called));
        findings.extend(call_of_variable(look, &called));
        findings
    };
    calls.flat_map(of_node).collect()
}

/// A method holds its object while it calls its closure, which so cannot look at the object: `xs.map(|x| xs.len())`.
fn captures_itself<'a>(look: &Look<'a>, node: &Node<'a>, called: &Called<'a>) -> Option<Finding> {
    let is_caller = CALLERS.iter().any(|(name, ..)| *name == called.name());
    if !called.is_method || !is_caller || look.is_own(called.name(), true) {
        return None;
    }
    let mut chain = node;
    while let Some(parent) = look.tree.parent(chain) {
        match parent.expr() {
            Some(Expr::Dot(..) | Expr::Index(..)) => chain = parent,
            _ => break,
        }
    }
    let object = look.tree.variable(root(chain.expr()?))?;
    let closures =
        called.arguments.iter().skip(1).flatten().filter_map(|argument| look.tree.closure(argument));
    let bodies: Vec<usize> = closures.filter_map(|body| look.tree.index_of(body)).collect();
    let inside =
        |node: &&usize| bodies.iter().any(|body| look.tree.is_within(look.tree.nodes[**node].body, *body));
    let uses = object.reads.iter().chain(&object.writes).chain(&object.changes);
    let found = *uses.into_iter().filter(inside).min()?;
    let name = object.name;
    let message =
        format!("`{}` holds `{name}` while it calls this closure, which cannot use it then", called.name());
    let error = Error::new(Kind::Script, message)
        .hint(format!("copy it first: `let all = {name};`, and use the copy in the closure"));
    Some(look.finding("captures-itself", look.tree.position(found), error))
}

fn of_call(look: &Look, called: &Called) -> Vec<Finding> {
    if look.is_own(called.name(), called.is_method) {
        return Vec::new();
    }
    let fitting = CALLERS.iter().filter(|(name, place, ..)| {
        *name == called.name() && called.argument(*place).is_some_and(super::tree::is_closure)
    });
    let wrong = fitting.filter_map(|(_, place, least, most)| {
        let closure = called.argument(*place)?;
        // A map's methods call theirs with the key and the value.
        let object = called.argument(0).and_then(|object| look.type_of(object));
        let of_map = called.is_method && object != Some("array");
        count(
            look,
            called,
            closure,
            *least,
            *most + usize::from(of_map && called.name() != "process" && called.name() != "parallel_map"),
        )
    });
    let mut findings: Vec<Finding> = wrong.collect();
    if called.name() == "process" {
        findings.extend(called.argument(2).and_then(|closure| record(look, closure)));
    }
    if ["map", "parallel_map"].contains(&called.name()) {
        let last = called.arguments.last().copied().flatten();
        findings.extend(last.and_then(|closure| nothing(look, called.name(), closure)));
    }
    findings
}

/// `f.call(1, 2)` of a closure with one parameter.
fn call_of_variable(look: &Look, called: &Called) -> Option<Finding> {
    if !called.is_method || called.name() != "call" {
        return None;
    }
    let variable = look.tree.variable(called.argument(0)?).filter(|variable| variable.writes.is_empty())?;
    let body = look.tree.closure(variable.init?).filter(|_| variable.origin == Origin::Let)?;
    let (takes, given) = (body.params.len(), called.call.args.len());
    if takes == given {
        return None;
    }
    let message = format!("`{}` is called with {given} and takes {takes} parameters", variable.name);
    let hint = "give it a value for each parameter";
    Some(look.finding("closure-parameters", called.position, Error::new(Kind::Script, message).hint(hint)))
}

fn count(look: &Look, called: &Called, closure: &Expr, least: usize, most: usize) -> Option<Finding> {
    let body = look.tree.closure(closure)?;
    let has = body.params.len();
    if (least..=most).contains(&has) {
        return None;
    }
    let name = called.name();
    let (given, shown) = match (name, least) {
        ("process", _) => ("the item", "|item| ..."),
        ("parallel_map", _) => ("the element", "|x| ..."),
        ("reduce" | "reduce_rev", _) => ("what was reached and the element", "|sum, x| ..."),
        ("sort" | "sort_by" | "order_by", _) => ("two elements", "|a, b| ..."),
        _ => ("the element", "|x| ..."),
    };
    let parameters = if has == 1 { "1 parameter".to_string() } else { format!("{has} parameters") };
    let error = Error::new(
        Kind::Script,
        format!("`{name}` calls its closure with {given}, and this one has {parameters}"),
    );
    Some(look.finding("closure-parameters", body.position, error.hint(format!("write `{shown}`"))))
}

/// A record is a map: what certainly is none fails every item.
fn record(look: &Look, closure: &Expr) -> Option<Finding> {
    let body = look.tree.closure(closure)?;
    let error = |what: String| {
        Error::new(
            Kind::Script,
            format!("the closure of `process` must give the item's record, and this one gives {what}"),
        )
        .hint("end it with a map: #{id: item.id, ...}")
    };
    if let Some(position) = gives_nothing(look, body) {
        return Some(look.finding("no-record", position, error("nothing".into())));
    }
    let last = last_expr(body)?;
    if let Some(finding) = same_id(look, last) {
        return Some(finding);
    }
    let kind = if is_id(look, body, last) { Some("string") } else { look.type_of(last) };
    let kind = kind.filter(|kind| *kind != "map")?;
    Some(look.finding("no-record", position_of(last), error(a(kind))))
}

/// `item.id`
fn is_id(look: &Look, body: &Body, expr: &Expr) -> bool {
    let Expr::Dot(pair, ..) = expr else { return false };
    let is_item = look.tree.variable(&pair.lhs).is_some_and(|variable| {
        body.params.iter().any(|param| std::ptr::eq(&raw const look.tree.variables[*param], variable))
    });
    is_item && matches!(&pair.rhs, Expr::Property(property, _) if property.2 == "id")
}

/// A record has its item's id: one that is written out can be that of one item only.
fn same_id(look: &Look, record: &Expr) -> Option<Finding> {
    let Expr::Map(map, _) = record else { return None };
    let (_, id) = map.0.iter().find(|(key, _)| key.name == "id")?;
    let Expr::StringConstant(text, position) = id else { return None };
    let error = Error::new(Kind::Script, format!("every record would have the id `{text}`"))
        .hint("a record has the id of its item: `id: item.id`");
    Some(look.finding("no-record", *position, error))
}

fn nothing(look: &Look, name: &str, closure: &Expr) -> Option<Finding> {
    let body = look.tree.closure(closure)?;
    let position = gives_nothing(look, body)?;
    // Who throws the results away does not miss them.
    let error = Error::new(Kind::Script, format!("the closure of `{name}` gives nothing for each element"))
        .hint("end it with the value; a loop that only does something is `for x in items { ... }`");
    Some(look.finding("no-value", position, error))
}

/// The expression that a body ends in.
pub fn last_expr<'a>(body: &Body<'a>) -> Option<&'a Expr> {
    match body.statements.last()? {
        Stmt::Expr(expr) => Some(expr),
        // A `throw` gives nothing back.
        Stmt::Return(Some(expr), flags, _) if !flags.intersects(ASTFlags::BREAK) => Some(expr),
        _ => None,
    }
}

/// Where a body ends that certainly gives nothing.
pub fn gives_nothing(look: &Look, body: &Body) -> Option<rhai::Position> {
    let index = look.tree.index_of(body)?;
    let returns = |node: &super::tree::Node| {
        node.body == index && matches!(node.stmt(), Some(Stmt::Return(Some(_), ..)))
    };
    match body.statements.last() {
        None => Some(body.position),
        _ if look.tree.nodes.iter().any(returns) => None,
        Some(last) => is_nothing(look, last).then(|| last.position()),
    }
}

fn is_nothing(look: &Look, stmt: &Stmt) -> bool {
    match stmt {
        // A `throw` is no value, but it is no mistake either.
        Stmt::Return(..) => false,
        // A `loop` may give a value to its `break`.
        Stmt::While(flow, _) => !matches!(flow.expr, Expr::Unit(_)),
        Stmt::Var(..)
        | Stmt::Assignment(_)
        | Stmt::For(..)
        | Stmt::Do(..)
        | Stmt::Import(..)
        | Stmt::Noop(_) => true,
        Stmt::FnCall(call, _) if !call.is_operator_call() => look.of_call(call, None) == Some("()"),
        Stmt::Expr(expr) => look.type_of(expr) == Some("()"),
        Stmt::If(flow, _) if !flow.branch.is_empty() => {
            let ends =
                |block: &rhai::StmtBlock| block.statements().last().is_none_or(|last| is_nothing(look, last));
            ends(&flow.body) && ends(&flow.branch)
        }
        _ => false,
    }
}
