//! What is asked for truth, or gone through, and cannot be.

use rhai::{Expr, Stmt};

use super::Finding;
use super::look::Look;
use super::tree::{Node, Syntax};
use super::types::{a, position_of};
use crate::base::{Error, Kind};

/// Conditions that are no truth, and loops over what has no elements.
pub fn check(look: &Look) -> Vec<Finding> {
    look.tree.nodes.iter().flat_map(|node| of_node(look, node)).collect()
}

fn of_node<'a>(look: &Look<'a>, node: &Node<'a>) -> Vec<Finding> {
    match node.syntax {
        Syntax::Stmt(Stmt::If(flow, _)) => truth(look, &flow.expr, "a condition").into_iter().collect(),
        // A `loop` has no condition.
        Syntax::Stmt(Stmt::While(flow, _)) if matches!(flow.expr, Expr::Unit(_)) => Vec::new(),
        Syntax::Stmt(Stmt::While(flow, _) | Stmt::Do(flow, ..)) => {
            truth(look, &flow.expr, "a condition").into_iter().collect()
        }
        Syntax::Stmt(Stmt::For(each, _)) => elements(look, &each.2.expr).into_iter().collect(),
        Syntax::Expr(Expr::And(parts, _)) => {
            parts.iter().filter_map(|part| truth(look, part, "a side of `&&`")).collect()
        }
        Syntax::Expr(Expr::Or(parts, _)) => {
            parts.iter().filter_map(|part| truth(look, part, "a side of `||`")).collect()
        }
        Syntax::Expr(Expr::FnCall(call, _)) if call.is_operator_call() && call.name == "!" => {
            call.args.first().and_then(|of| truth(look, of, "what `!` is about")).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn truth(look: &Look, expr: &Expr, what: &str) -> Option<Finding> {
    let kind = look.type_of(expr).filter(|kind| *kind != "bool")?;
    let error = Error::new(Kind::Script, format!("{what} must be true or false, and this is {}", a(kind)));
    let hint = match kind {
        "array" | "string" | "map" => "write `x.is_empty()` or `x.len() > 0`",
        "int" | "float" => "write `x != 0`",
        "()" => "write `x == ()`",
        _ => "compare it with something",
    };
    let hint = match expr {
        Expr::StringConstant(..) | Expr::IntegerConstant(..) if what.contains("||") => {
            "each side is a condition of its own: `x == \"a\" || x == \"b\"`, or `x in [\"a\", \"b\"]`"
        }
        _ => hint,
    };
    Some(look.finding("wrong-condition", position_of(expr), error.hint(hint)))
}

fn elements(look: &Look, expr: &Expr) -> Option<Finding> {
    if let Some(finding) = empty_range(look, expr) {
        return Some(finding);
    }
    let kind = look.type_of(expr)?;
    let hint = match kind {
        "int" => "write `for i in 0..n { ... }`",
        "map" => "write `for key in map.keys() { ... map[key] ... }`",
        "Checkpoint" => "write `for id in checkpoint.ids { ... }`",
        "float" | "bool" | "char" | "()" | "closure" | "Completion" | "Backend" | "Rubric" => {
            "a loop goes through an array, a range, a string, or what `read_transcripts` gives"
        }
        _ => return None,
    };
    let error = Error::new(Kind::Script, format!("{} has no elements to go through", a(kind)));
    Some(look.finding("not-iterable", position_of(expr), error.hint(hint)))
}

/// `10..0` has no element.
fn empty_range(look: &Look, expr: &Expr) -> Option<Finding> {
    let Expr::FnCall(call, _) = expr else { return None };
    let (Some(Expr::IntegerConstant(from, _)), Some(Expr::IntegerConstant(to, _))) =
        (call.args.first(), call.args.get(1))
    else {
        return None;
    };
    let empty =
        call.is_operator_call() && (call.name == ".." && from >= to || call.name == "..=" && from > to);
    let error =
        Error::new(Kind::Script, format!("the range {from}{}{to} is empty: the loop never runs", call.name));
    let hint = format!("downwards it is `range({from}, {to}, -1)`");
    empty.then(|| look.finding("empty-range", position_of(expr), error.hint(hint)))
}
