//! Statements that do nothing, results that nobody takes, and values that are none.

use rhai::{Expr, FnCallExpr, Position, Stmt};

use super::Finding;
use super::look::Look;
use super::tree::{Node, Syntax, is_closure};
use super::types::position_of;
use crate::base::{Error, Kind};

/// Functions that only give a value.
const PURE: &[&str] = &[
    "abs",
    "all",
    "chat_messages",
    "choice",
    "contains",
    "count_messages_tokens",
    "count_tokens",
    "ends_with",
    "extract",
    "filter",
    "find",
    "flatten",
    "floor",
    "format_history",
    "get_slice_points",
    "index_of",
    "is_empty",
    "keys",
    "len",
    "length_stats",
    "compute_length_stats",
    "load_rubric",
    "load_yaml",
    "map",
    "max",
    "min",
    "order",
    "parse_float",
    "parse_int",
    "quote_lines",
    "read_json",
    "read_jsonl",
    "read_text",
    "read_transcripts",
    "reduce",
    "render",
    "render_text",
    "rng",
    "setting",
    "round",
    "sample",
    "shuffle",
    "some",
    "split",
    "starts_with",
    "sub_string",
    "to_float",
    "to_int",
    "to_lower",
    "to_string",
    "to_upper",
    "values",
    "words_in",
];

/// Statements without an effect, and values that are none.
pub fn check(look: &Look) -> Vec<Finding> {
    let statements = look.tree.nodes.iter().filter_map(|node| useless(look, node));
    let values = look.tree.nodes.iter().filter_map(|node| no_value(look, node));
    let texts = look.tree.nodes.iter().filter_map(|node| unfilled(look, node));
    statements.chain(values).chain(texts).chain(swapped(look)).collect()
}

/// `"turn ${n}"`: only between backticks is it filled.
fn unfilled(look: &Look, node: &Node) -> Option<Finding> {
    let Expr::StringConstant(text, position) = node.expr()? else { return None };
    let (_, rest) = text.split_once("${")?;
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let quoted = look.tree.tokens.is_quoted(*position);
    let known = look.tree.variables.iter().any(|variable| variable.name == name);
    let error = Error::new(
        Kind::Script,
        format!("`${{{name}}}` is not filled in: this text stands between double quotes"),
    );
    (quoted && known).then(|| {
        look.finding(
            "plain-quotes",
            *position,
            error.hint("texts with values stand between backticks: `turn ${n}`"),
        )
    })
}

fn useless(look: &Look, node: &Node) -> Option<Finding> {
    let stmt = node.stmt()?;
    if let Stmt::Assignment(assignment) = stmt {
        let same = !assignment.0.is_op_assignment() && is_same(&assignment.1.lhs, &assignment.1.rhs);
        let error = Error::new(Kind::Script, "this gives a variable the value that it has").hint("remove it");
        return same.then(|| look.finding("no-effect", assignment.1.lhs.start_position(), error));
    }
    if node.used && !ends_the_script(look, node) {
        return None;
    }
    let found = match stmt {
        Stmt::FnCall(call, position) => of_call(look, call, *position, None),
        Stmt::Expr(expr) => of_expr(look, expr),
        _ => None,
    };
    // Within a `try`, what counts may be whether it fails.
    found.filter(|finding| !(node.in_try && finding.code == "unused-result"))
}

/// `a =+ 1` gives `a` the value +1.
fn swapped(look: &Look) -> Vec<Finding> {
    let found = look.tree.tokens.swapped_signs();
    let finding = |(sign, position): (&str, Position)| {
        let error = Error::new(Kind::Script, format!("`={sign}` gives the variable a new value with a sign"));
        look.finding("no-effect", position, error.hint(format!("write `{sign}=`")))
    };
    found.into_iter().map(finding).collect()
}

/// The last value of a script is nobody's when a `;` stands behind it.
fn ends_the_script(look: &Look, node: &Node) -> bool {
    node.body == 0 && node.parent.is_none() && look.tree.tokens.ends_a_statement()
}

fn is_same(one: &Expr, other: &Expr) -> bool {
    match (one, other) {
        (Expr::Variable(a, ..), Expr::Variable(b, ..)) => a.1 == b.1 && a.2.is_empty() && b.2.is_empty(),
        _ => false,
    }
}

fn of_expr(look: &Look, expr: &Expr) -> Option<Finding> {
    let hint = match expr {
        Expr::StringConstant(..) => "a comment begins with `//`, the words about a function with `///`",
        Expr::Variable(..) if look.tree.variable(expr).is_some() => {
            "call a closure in a variable with `f.call(...)`"
        }
        Expr::BoolConstant(..)
        | Expr::IntegerConstant(..)
        | Expr::FloatConstant(..)
        | Expr::CharConstant(..)
        | Expr::InterpolatedString(..)
        | Expr::Array(..)
        | Expr::Map(..)
        | Expr::ThisPtr(_)
        | Expr::Variable(..) => USE_IT,
        Expr::DynamicConstant(value, _) if value.is_fnptr() => USE_IT,
        Expr::Stmt(_) if is_closure(expr) => USE_IT,
        Expr::FnCall(call, position) => return of_call(look, call, *position, None),
        Expr::Dot(pair, ..) => return of_member(look, expr, &pair.rhs),
        _ => return None,
    };
    Some(look.finding("no-effect", position_of(expr), Error::new(Kind::Script, DOES_NOTHING).hint(hint)))
}

const DOES_NOTHING: &str = "this statement does nothing";
const USE_IT: &str = "remove it, or do something with its value";

fn of_member(look: &Look, whole: &Expr, member: &Expr) -> Option<Finding> {
    match member {
        Expr::Dot(pair, ..) => of_member(look, whole, &pair.rhs),
        Expr::Property(..) => {
            let error =
                Error::new(Kind::Script, DOES_NOTHING).hint("a method is called with parentheses: `x.len()`");
            Some(look.finding("no-effect", position_of(whole), error))
        }
        Expr::MethodCall(call, position) => of_call(look, call, *position, Some(whole)),
        _ => None,
    }
}

fn of_call(look: &Look, call: &FnCallExpr, position: Position, object: Option<&Expr>) -> Option<Finding> {
    let name = call.name.as_str();
    if call.is_operator_call() {
        let hint = match name {
            "==" => "to give a variable a value, write `x = ...`",
            _ => USE_IT,
        };
        return Some(look.finding("no-effect", position, Error::new(Kind::Script, DOES_NOTHING).hint(hint)));
    }
    let pure = call.namespace.is_empty() && PURE.contains(&name) && !look.is_own(name, object.is_some());
    if !pure || call.args.iter().any(|argument| does_something(look, argument)) {
        return None;
    }
    let error = Error::new(Kind::Script, format!("the result of `{name}` is not used"))
        .hint(format!("`{name}` changes nothing by itself: `let result = ...;`"));
    Some(look.finding("unused-result", position, error))
}

/// Whether a closure has an effect, or one that is not known.
fn does_something(look: &Look, argument: &Expr) -> bool {
    if !is_closure(argument) {
        return false;
    }
    let Some(body) = look.tree.closure(argument) else { return true };
    let inside =
        look.tree.nodes.iter().filter(|node| std::ptr::eq(&raw const look.tree.bodies[node.body], body));
    inside.into_iter().any(|node| match node.syntax {
        Syntax::Stmt(Stmt::Assignment(_) | Stmt::Return(..)) => true,
        Syntax::Stmt(Stmt::FnCall(call, _))
        | Syntax::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) => {
            !call.is_operator_call() && !PURE.contains(&call.name.as_str())
        }
        _ => false,
    })
}

/// A call that gives nothing, where a value is needed.
fn no_value<'a>(look: &Look<'a>, node: &Node<'a>) -> Option<Finding> {
    let expr = node.expr()?;
    let (call, position) = last_call(expr)?;
    let parent = look.tree.parent(node)?;
    let needed = matches!(
        parent.syntax,
        Syntax::Stmt(Stmt::Var(..) | Stmt::Assignment(_) | Stmt::For(..) | Stmt::If(..))
            | Syntax::Expr(Expr::FnCall(..) | Expr::MethodCall(..) | Expr::InterpolatedString(..))
            | Syntax::Expr(Expr::Array(..) | Expr::Map(..))
    );
    if needed && let Some(error) = silent(look, expr) {
        return Some(look.finding("no-value", position, error));
    }
    if !needed || look.type_of(expr) != Some("()") {
        return chained(look, node);
    }
    let name = call.name.as_str();
    Some(look.finding("no-value", position, gives_nothing(name)))
}

/// A script's own function, or one of a module, that gives nothing.
fn silent(look: &Look, expr: &Expr) -> Option<Error> {
    let Expr::FnCall(call, _) = expr else { return None };
    let path: Vec<&str> = call.namespace.path.iter().map(|part| part.name.as_str()).collect();
    let file = match path.is_empty() {
        true => look.tree.unit.path.clone(),
        false => look.names.module(look.session.engine.library(), &path)?.path.clone(),
    };
    let name = call.name.to_string();
    let error = Error::new(Kind::Script, format!("`{name}` gives nothing: its last statement has no value"));
    let known = look.shared.silent.contains(&(file, name, call.args.len()));
    known.then(|| error.hint("end the function with the value that it is to give"))
}

/// `text.trim().to_upper()`: the second has nothing to work on.
fn chained<'a>(look: &Look<'a>, node: &Node<'a>) -> Option<Finding> {
    let expr = node.expr()?;
    let Expr::MethodCall(..) = expr else { return None };
    let (call, _) = last_call(expr)?;
    if look.object_type(node) != Some("()") || ["type_of", "to_string"].contains(&call.name.as_str()) {
        return None;
    }
    let parent = look.tree.parent(node)?.expr()?;
    let Expr::Dot(pair, ..) = parent else { return None };
    let (before, position) = last_call(&pair.lhs)?;
    Some(look.finding("no-value", position, gives_nothing(&before.name)))
}

fn gives_nothing(name: &str) -> Error {
    let error = Error::new(Kind::Script, format!("`{name}` gives nothing: it changes what it is called on"));
    error.hint(format!("first `x.{name}(...);`, then use `x`"))
}

fn last_call(expr: &Expr) -> Option<(&FnCallExpr, Position)> {
    match expr {
        Expr::Dot(pair, ..) => last_call(&pair.rhs),
        Expr::FnCall(call, position) | Expr::MethodCall(call, position) if !call.is_operator_call() => {
            Some((call, *position))
        }
        _ => None,
    }
}
