//! Operators whose operands do not go together, and divisions that give another number than was meant.

use rhai::{Expr, FnCallExpr, Position};

use super::Finding;
use super::look::Look;
use super::options::literal_number;
use super::tree::Origin;
use super::types::{a, position_of};
use crate::base::{Error, Kind};

/// What an operator makes of its operands, where that is known.
pub fn check(look: &Look) -> Vec<Finding> {
    let mut findings = Vec::new();
    for node in &look.tree.nodes {
        let (call, position) = match node.syntax {
            super::tree::Syntax::Expr(Expr::FnCall(call, position)) => (&**call, *position),
            super::tree::Syntax::Stmt(rhai::Stmt::FnCall(call, position)) => (&**call, *position),
            _ => continue,
        };
        if let (true, "-" | "+", [only]) = (call.is_operator_call(), call.name.as_str(), call.args.as_slice())
        {
            findings.extend(wrong_sign(look, &call.name, only, position));
        }
        if let (true, [left, right]) = (call.is_operator_call(), call.args.as_slice()) {
            findings.extend(of_operator(look, call, left, right, position));
        }
    }
    findings
}

fn of_operator<'a>(
    look: &Look<'a>,
    call: &FnCallExpr,
    left: &'a Expr,
    right: &'a Expr,
    position: Position,
) -> Option<Finding> {
    let name = call.name.as_str();
    match name {
        "==" | "!=" => {
            integer_division(look, left, right).or_else(|| never_equal(look, name, left, right, position))
        }
        "<" | ">" | "<=" | ">=" => {
            integer_division(look, left, right).or_else(|| wrong_operands(look, name, left, right, position))
        }
        "*" => {
            integer_division(look, left, right).or_else(|| wrong_operands(look, name, left, right, position))
        }
        // A variable that is added to another may be a whole number on purpose.
        "+" | "-" if [left, right].iter().any(|side| matches!(side, Expr::Variable(..))) => {
            wrong_operands(look, name, left, right, position)
        }
        "+" | "-" => {
            integer_division(look, left, right).or_else(|| wrong_operands(look, name, left, right, position))
        }
        "/" | "%" => by_zero(look, name, right).or_else(|| wrong_operands(look, name, left, right, position)),
        "**" => wrong_operands(look, name, left, right, position),
        "in" | "!in" => wrong_container(look, right),
        _ => None,
    }
}

/// A sign before what is no number.
fn wrong_sign(look: &Look, name: &str, operand: &Expr, position: Position) -> Option<Finding> {
    let kind = look.type_of(operand).filter(|kind| !["int", "float"].contains(kind))?;
    let error = Error::new(Kind::Script, format!("`{name}` does not work on {}", a(kind)));
    Some(look.finding(
        "wrong-operands",
        position,
        error.hint("convert it: parse_int(text), parse_float(text)"),
    ))
}

/// Values of these types are never equal to those of another.
const PLAIN: &[&str] = &["string", "int", "bool", "array", "map", "closure"];

/// What `type_of` calls otherwise than this tool's messages and other languages do.
const TYPE_NAMES: &[(&str, &str)] = &[
    ("bool", "boolean"),
    ("f64", "float"),
    ("f64", "double"),
    ("f64", "number"),
    ("i64", "int"),
    ("i64", "integer"),
    ("string", "str"),
    ("string", "String"),
    ("array", "list"),
    ("map", "dict"),
    ("map", "object"),
    ("()", "null"),
    ("()", "None"),
    ("Fn", "function"),
    ("Fn", "closure"),
];

/// `type_of(x) == "int"`, which is never so.
fn wrong_type_name(look: &Look, left: &Expr, right: &Expr, position: Position) -> Option<Finding> {
    let asks = |expr: &Expr| match expr {
        Expr::FnCall(call, _) => call.name == "type_of",
        Expr::Dot(pair, ..) => matches!(&pair.rhs, Expr::MethodCall(call, _) if call.name == "type_of"),
        _ => false,
    };
    let text = match (left, right) {
        (Expr::StringConstant(text, _), other) | (other, Expr::StringConstant(text, _)) if asks(other) => {
            text
        }
        _ => return None,
    };
    let (real, _) = TYPE_NAMES.iter().find(|(_, wrong)| *wrong == text.as_str())?;
    let error = Error::new(Kind::Script, format!("`type_of` never gives \"{text}\""));
    Some(look.finding("never-equal", position, error.hint(format!("this type is called \"{real}\""))))
}

fn never_equal(look: &Look, name: &str, left: &Expr, right: &Expr, position: Position) -> Option<Finding> {
    if let Some(finding) = wrong_type_name(look, left, right, position) {
        return Some(finding);
    }
    let (one, other) = (look.type_of(left)?, look.type_of(right)?);
    let is_host = |kind: &str| look.signatures().is_object(kind) && kind != "char" && kind != "float";
    let differ = match (PLAIN.contains(&one), PLAIN.contains(&other)) {
        (true, true) => one != other,
        (true, false) => is_host(other),
        (false, true) => is_host(one),
        (false, false) => false,
    };
    if !differ {
        return None;
    }
    let always = if name == "==" { "false" } else { "true" };
    let error =
        Error::new(Kind::Script, format!("this is always {always}: {} never equals {}", a(one), a(other)));
    let hint = match (one, other) {
        ("string", "int") | ("int", "string") => {
            "write both as numbers or both as texts: `parse_int(text) == 1`"
        }
        ("Completion", _) | (_, "Completion") => "the words of a reply are its `.content`",
        _ => "see what the values are with `type_of(x)`",
    };
    Some(look.finding("never-equal", position, error.hint(hint)))
}

fn wrong_operands(look: &Look, name: &str, left: &Expr, right: &Expr, position: Position) -> Option<Finding> {
    let (one, other) = (look.type_of(left), look.type_of(right));
    let number = |kind: Option<&str>| kind.is_none_or(|kind| ["int", "float", "Instant"].contains(&kind));
    let text = |kind: Option<&str>| kind == Some("string") || kind == Some("char");
    let wrong = match name {
        "+" => {
            let both =
                |a: &str, b: &str| (one, other) == (Some(a), Some(b)) || (one, other) == (Some(b), Some(a));
            both("array", "int")
                || both("int", "map")
                || both("bool", "int")
                || both("map", "array")
                || both("int", "()")
                || both("float", "()")
        }
        "-" => {
            text(one) && ["int", "float"].map(Some).contains(&other)
                || text(other) && ["int", "float"].map(Some).contains(&one)
                || [one, other].contains(&Some("array"))
                || [one, other].contains(&Some("map"))
                || [one, other].contains(&Some("()"))
        }
        "<" | ">" | "<=" | ">=" => {
            let closed = ["int", "float", "string", "bool", "array", "map"];
            let mixed = |kind: Option<&str>| kind.is_some_and(|kind| closed.contains(&kind));
            let numbers = number(one) && number(other);
            mixed(one) && mixed(other) && one != other && !numbers
        }
        _ => !(number(one) && number(other)),
    };
    if !wrong {
        return None;
    }
    let shown = |kind: Option<&str>| kind.unwrap_or("another value").to_string();
    let message = format!("`{name}` does not work on {} and {}", shown(one), shown(other));
    let hint = match (name, one) {
        ("%", Some("string")) => "values stand in a text between backticks: `turn ${n}`",
        ("*", Some("string")) => "there is no repetition of texts: `let line = \"\"; line.pad(20, '-');`",
        ("+", Some("array")) => "`array.push(item)` adds one item, `array + [item]` makes another array",
        _ => "convert one of them: to_string(), to_int(), to_float(), parse_int(text)",
    };
    Some(look.finding("wrong-operands", position, Error::new(Kind::Script, message).hint(hint)))
}

fn wrong_container(look: &Look, right: &Expr) -> Option<Finding> {
    let kind = look.type_of(right).filter(|kind| ["int", "float", "bool", "()"].contains(kind))?;
    let error = Error::new(Kind::Script, format!("nothing is in {}", a(kind)))
        .hint("`in` looks into an array, a map, a string or a range");
    Some(look.finding("wrong-operands", position_of(right), error))
}

fn by_zero(look: &Look, name: &str, right: &Expr) -> Option<Finding> {
    let zero = matches!(right, Expr::IntegerConstant(0, _));
    let error = Error::new(Kind::Script, format!("`{name}` by zero")).hint("divide by something else");
    zero.then(|| look.finding("division-by-zero", position_of(right), error))
}

/// A division of whole numbers beside a float: the part behind the point is cut off before it can count.
fn integer_division<'a>(look: &Look<'a>, left: &'a Expr, right: &'a Expr) -> Option<Finding> {
    let is_float = |expr: &Expr| look.type_of(expr) == Some("float") && !has_division(expr);
    let (division, position) = match (division(look, left), division(look, right)) {
        (Some(found), _) if is_float(right) => found,
        (_, Some(found)) if is_float(left) => found,
        _ => return None,
    };
    let certain = look.type_of(division).is_some();
    let message = if certain {
        "a division of whole numbers is cut off"
    } else {
        "if this divides whole numbers, it is cut off"
    };
    let divisor = match division {
        Expr::FnCall(call, _) => literal_number(&call.args[1]),
        _ => None,
    };
    let example = divisor.map_or("x / 4.0".into(), |number| format!("x / {number:.1}"));
    let hint = format!("7 / 10 is 0: write `{example}`, or `x.to_float()`");
    Some(look.finding("integer-division", position, Error::new(Kind::Script, message).hint(hint)))
}

fn has_division(expr: &Expr) -> bool {
    matches!(expr, Expr::FnCall(call, _) if call.is_operator_call() && call.name == "/")
}

/// A division of what is whole, or by its name is most likely so.
fn division<'a>(look: &Look<'a>, expr: &'a Expr) -> Option<(&'a Expr, Position)> {
    let inner = match expr {
        // `(a / b)` in parentheses
        Expr::Stmt(block) => match block.statements() {
            [rhai::Stmt::Expr(inner)] => inner,
            _ => return None,
        },
        // A variable that keeps what it begins with.
        Expr::Variable(..) => match look.tree.variable(expr) {
            Some(variable) if variable.writes.is_empty() => match (variable.origin, variable.init) {
                (Origin::Let | Origin::Const, Some(init @ Expr::FnCall(..))) => init,
                _ => return None,
            },
            _ => return None,
        },
        other => other,
    };
    let Expr::FnCall(call, position) = inner else { return None };
    let is_division = call.is_operator_call() && call.name == "/" && call.args.len() == 2;
    if !is_division {
        return None;
    }
    let (over, under) = (look.type_of(&call.args[0]), look.type_of(&call.args[1]));
    let whole = |expr: &Expr, kind: Option<&str>| kind == Some("int") || is_count(expr);
    let both = whole(&call.args[0], over) && whole(&call.args[1], under);
    // What was multiplied before is a share in percent.
    let scaled =
        matches!(&call.args[0], Expr::FnCall(inner, _) if inner.is_operator_call() && inner.name == "*");
    (both && !scaled).then_some((inner, *position))
}

/// `x.len()`, whatever x is, and names that stand for counts.
fn is_count(expr: &Expr) -> bool {
    match expr {
        Expr::Dot(pair, ..) => match &pair.rhs {
            Expr::MethodCall(call, _) => call.name == "len",
            Expr::Property(property, _) => ["len", "turns"].contains(&property.2.as_str()),
            inner @ Expr::Dot(..) => is_count(inner),
            _ => false,
        },
        Expr::Variable(variable, ..) => {
            ["turn", "turns", "total", "count", "i", "n", "index"].contains(&variable.1.as_str())
        }
        _ => false,
    }
}
