//! Arguments, objects and properties whose type is known, and which nothing takes.

use rhai::{ASTFlags, BinaryExpr, Expr, Position};

use super::Finding;
use super::look::{Called, Look, accepts, open_types};
use super::options::literal_number;
use super::tree::Node;
use crate::base::{Error, Kind, suggest};
use crate::script::signatures::{self, Signature};

/// Types whose values have nothing but what is registered for them.
const CLOSED: &[&str] = &["string", "array", "int", "float", "bool", "char", "closure"];

/// What these types do not take or have.
pub fn check(look: &Look) -> Vec<Finding> {
    look.tree.nodes.iter().flat_map(|node| of_node(look, node)).collect()
}

fn of_node<'a>(look: &Look<'a>, node: &Node<'a>) -> Option<Finding> {
    if let Some(called) = look.called(node) {
        return wrong_type(look, node, &called);
    }
    match node.expr()? {
        Expr::Property(..) => unknown_property(look, node),
        // In `a[b][c]` the second index has `b` at its left, and not `a[b]`.
        Expr::Index(..) if look.is_member(node) => None,
        Expr::Index(pair, flags, _) => {
            let index = index_of(pair, *flags);
            wrong_index(look, &pair.lhs, index)
                .or_else(|| out_of_bounds(look, &pair.lhs, index).filter(|_| !node.in_try))
        }
        _ => None,
    }
}

/// `b` of `a[b]`, and of `a[b].c`, which is `a[b.c]` in the tree but for a flag.
fn index_of(pair: &BinaryExpr, flags: ASTFlags) -> &Expr {
    match &pair.rhs {
        Expr::Dot(inner, ..) | Expr::Index(inner, ..) if !flags.intersects(ASTFlags::BREAK) => &inner.lhs,
        whole => whole,
    }
}

fn wrong_type<'a>(look: &Look<'a>, node: &Node<'a>, called: &Called<'a>) -> Option<Finding> {
    let overloads = look.overloads(called);
    let mut types: Vec<Option<&str>> =
        called.arguments.iter().map(|argument| argument.and_then(|expr| look.type_of(expr))).collect();
    if let (true, Some(first)) = (called.is_method, types.first_mut()) {
        *first = look.object_type(node);
    }
    let known = overloads.iter().all(|overload| overload.types.len() == types.len());
    let fits = |overload: &&Signature| {
        overload.types.iter().zip(&types).all(|(parameter, argument)| accepts(parameter, *argument))
    };
    if overloads.is_empty() || !known || overloads.iter().any(fits) {
        return None;
    }
    let nobody_takes = |(index, argument): &(usize, &Option<&str>)| {
        argument.is_some() && !overloads.iter().any(|overload| accepts(&overload.types[*index], **argument))
    };
    let wrong = types.iter().enumerate().find(nobody_takes).map(|(index, _)| index);
    let position = match wrong {
        Some(index) if !(called.is_method && index == 0) => called.argument(index)?.start_position(),
        _ => called.position,
    };
    let texts: Vec<String> = overloads.iter().map(|overload| overload.text.clone()).collect();
    let error = Error::new(Kind::Script, words(called, &types, wrong))
        .hint(signatures::it_takes(called.name(), &texts));
    let error = match wrong.and_then(|index| advice(&overloads, index, types[index]?)) {
        Some(advice) => {
            Error::new(Kind::Script, error.message()).hint(format!("{advice}; {}", error.get_hint()?))
        }
        None => error,
    };
    Some(look.finding("wrong-type", position, error))
}

fn words(called: &Called, types: &[Option<&str>], wrong: Option<usize>) -> String {
    let name = called.name();
    match wrong.and_then(|index| Some((index, types[index]?))) {
        Some((0, kind)) if called.is_method => format!("{} has no method `{name}`", a(kind)),
        Some((index, kind)) => {
            let number = index + 1 - usize::from(called.is_method);
            format!("argument {number} of `{name}` cannot be {}", a(kind))
        }
        None => {
            let given: Vec<&str> = types.iter().map(|kind| kind.unwrap_or("?")).collect();
            format!("`{name}` does not take ({})", given.join(", "))
        }
    }
}

fn advice(overloads: &[&Signature], index: usize, given: &str) -> Option<String> {
    let wanted = overloads.first().map(|overload| overload.types[index].as_str())?;
    match (wanted, given) {
        ("float", "int") => Some("write a float: 1.0, or `n.to_float()`".into()),
        ("string", "int" | "float" | "bool" | "char") => {
            Some("write a text: \"5\", or `x.to_string()`".into())
        }
        ("int", "string") => Some("write a number: 5, or `parse_int(text)`".into()),
        ("map", "array") => Some("a map is `#{a: 1}`".into()),
        _ => None,
    }
}

/// The type with its article.
pub fn a(kind: &str) -> String {
    match kind {
        "()" => "()".into(),
        "array" | "int" => format!("an {kind}"),
        kind => format!("a {kind}"),
    }
}

fn unknown_property<'a>(look: &Look<'a>, node: &Node<'a>) -> Option<Finding> {
    let Expr::Property(property, position) = node.expr()? else { return None };
    let kind = look.object_type(node)?;
    let signatures = look.signatures();
    let of_kind = |name: &str| {
        let overloads = signatures.overloads(name).iter();
        overloads.filter_map(|overload| overload.types.first()).any(|first| accepts(first, Some(kind)))
    };
    let name = property.2.as_str();
    let is_host_type = signatures.is_object(kind) && kind != "map" && !open_types(signatures).contains(kind);
    if !(CLOSED.contains(&kind) || is_host_type) || of_kind(&format!("get${name}")) {
        return None;
    }
    let error = Error::new(Kind::Script, format!("{} has no property `{name}`", a(kind)));
    let own = |name: &&str| {
        let overloads = signatures.overloads(&format!("get${name}")).iter();
        overloads.filter_map(|overload| overload.types.first()).any(|first| first == kind)
    };
    let known: Vec<&str> = signatures.getters().filter(own).collect();
    let hint = match of_kind(name) {
        true => format!("`{name}` is a method: write `.{name}(...)`"),
        false if ["length", "size", "count"].contains(&name) => "write `.len()`".into(),
        false if CLOSED.contains(&kind) => match suggest::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "only maps have properties of any name".into(),
        },
        false => suggest::hint(name, known),
    };
    Some(look.finding("unknown-property", *position, error.hint(hint)))
}

fn wrong_index(look: &Look, object: &Expr, index: &Expr) -> Option<Finding> {
    let (object, index_type) = (look.type_of(object)?, look.type_of(index)?);
    let (wrong, hint) = match (object, index_type) {
        ("array" | "string", "string" | "float" | "bool" | "char") => {
            (true, "its places are whole numbers: x[0] is the first, x[-1] the last")
        }
        ("map", "int" | "float" | "bool" | "char") => (true, "its keys are texts: m[\"1\"]"),
        (host, _) if look.signatures().is_object(host) && !CLOSED.contains(&host) && host != "map" => {
            let takes = look
                .signatures()
                .overloads("index$get$")
                .iter()
                .any(|overload| overload.types.first().is_some_and(|first| first == host));
            (!takes && host != "Blob" && !host.contains("Range"), "it has properties: write `x.name`")
        }
        ("int" | "float" | "bool", "string") => (true, "only maps and arrays have elements"),
        _ => (false, ""),
    };
    let message = format!("{} has no element at {}", a(object), a(index_type));
    let position = position_of(index);
    wrong.then(|| look.finding("wrong-index", position, Error::new(Kind::Script, message).hint(hint)))
}

/// A place behind the end of an array that is written out and never changes.
fn out_of_bounds<'a>(look: &Look<'a>, object: &'a Expr, index: &Expr) -> Option<Finding> {
    let items = match object {
        Expr::Array(items, _) => items,
        Expr::Variable(..) => {
            let variable = look.tree.variable(object)?;
            let uses = variable.writes.is_empty() && variable.changes.is_empty();
            let is_object = |node: &usize| {
                let parent = look.tree.parent(&look.tree.nodes[*node]).and_then(Node::expr);
                matches!(parent, Some(Expr::Dot(..)))
            };
            match variable.init.filter(|_| uses && !variable.reads.iter().any(is_object))? {
                Expr::Array(items, _) => items,
                _ => return None,
            }
        }
        _ => return None,
    };
    let (place, count) = (literal_number(index)?, items.len() as f64);
    let error = Error::new(Kind::Script, format!("there is no element {place}: the array has {count}"));
    let hint = "places begin at 0, and -1 is the last";
    (place >= count || place < -count)
        .then(|| look.finding("wrong-index", position_of(index), error.hint(hint)))
}

/// Where an expression begins.
pub fn position_of(expr: &Expr) -> Position {
    let start = expr.start_position();
    if start.is_none() { expr.position() } else { start }
}
