//! What an analysis sees: one script's tree, what can be called, and what is known of types.

use std::collections::BTreeSet;

use rhai::{ASTFlags, BinaryExpr, Expr, FnCallExpr, Ident, Position};

use super::names::{self, Names};
use super::points;
use super::tree::{Node, Origin, Tree, Variable, is_closure};
use super::{Finding, Shared};
use crate::base::Error;
use crate::host::Session;
use crate::script::library::place_in;
use crate::script::signatures::{Signature, Signatures};

/// How far a type is followed from variable to variable.
const DEPTH: usize = 8;

/// One script under the eyes of the analyses.
pub struct Look<'a> {
    /// The project.
    pub session: &'a Session,
    /// The script's tree.
    pub tree: &'a Tree<'a>,
    /// What the script can call.
    pub names: &'a Names,
    /// What is known of all scripts.
    pub shared: &'a Shared,
}

/// A call with its arguments, a method's object being the first.
pub struct Called<'a> {
    /// The call itself.
    pub call: &'a FnCallExpr,
    /// Its arguments; a method's object may not be known.
    pub arguments: Vec<Option<&'a Expr>>,
    /// Where its name stands.
    pub position: Position,
    /// `x.name(...)`
    pub is_method: bool,
}

impl<'a> Called<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        &self.call.name
    }

    /// An argument.
    pub fn argument(&self, index: usize) -> Option<&'a Expr> {
        self.arguments.get(index).copied().flatten()
    }

    /// An argument that is a plain text, and where it stands.
    pub fn text(&self, index: usize) -> Option<(&'a str, Position)> {
        match self.argument(index)? {
            Expr::StringConstant(text, position) => Some((text, *position)),
            _ => None,
        }
    }

    /// The value of an option that is written in a map among the arguments.
    pub fn option(&self, argument: usize, name: &str) -> Option<&'a Expr> {
        let Some(Expr::Map(map, _)) = self.argument(argument) else { return None };
        map.0.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }
}

impl<'a> Look<'a> {
    /// The functions that can be called.
    pub fn signatures(&self) -> &'a Signatures {
        self.session.engine.library().signatures(self.session.engine.engine())
    }

    /// A finding at a position of the script.
    pub fn finding(&self, code: &'static str, position: Position, error: Error) -> Finding {
        Finding::of(code, error.at(place_in(self.tree.unit, position)))
    }

    /// The call that a node makes, unless it is an operator or one of a module's.
    pub fn called(&self, node: &Node<'a>) -> Option<Called<'a>> {
        let (call, position, is_method) = match node.syntax {
            super::tree::Syntax::Stmt(rhai::Stmt::FnCall(call, position)) => (&**call, *position, false),
            super::tree::Syntax::Expr(Expr::FnCall(call, position)) => (&**call, *position, false),
            super::tree::Syntax::Expr(Expr::MethodCall(call, position)) => (&**call, *position, true),
            _ => return None,
        };
        if call.is_operator_call() || !call.namespace.is_empty() {
            return None;
        }
        let object = is_method.then(|| self.object(node));
        let arguments = object.into_iter().chain(call.args.iter().map(Some)).collect();
        Some(Called { call, arguments, position, is_method })
    }

    /// The object of a method call, if it stands right before it and is no call or property itself.
    fn object(&self, node: &Node<'a>) -> Option<&'a Expr> {
        let parent = self.tree.parent(node)?;
        let pair = dot(parent)?;
        match std::ptr::eq(&raw const pair.rhs, node.expr()?) {
            true if self.is_member(parent) => None,
            true => Some(&pair.lhs),
            // In `a.b().c()` the second dot holds `b()` at its left.
            false => {
                let outer = self.tree.parent(parent)?;
                (self.is_member(parent) && !self.is_member(outer)).then_some(&dot(outer)?.lhs)
            }
        }
    }

    /// Whether a node goes on with a chain: what stands right of a dot or a bracket.
    pub fn is_member(&self, node: &Node<'a>) -> bool {
        let Some(expr) = node.expr() else { return false };
        match self.tree.parent(node).and_then(Node::expr) {
            Some(Expr::Dot(pair, ..)) => std::ptr::eq(&raw const pair.rhs, expr),
            Some(Expr::Index(pair, flags, _)) => {
                std::ptr::eq(&raw const pair.rhs, expr)
                    && !flags.intersects(ASTFlags::BREAK)
                    && matches!(expr, Expr::Dot(..) | Expr::Index(..))
            }
            _ => false,
        }
    }

    /// The type of the value whose method or property a node is.
    pub fn object_type(&self, node: &Node<'a>) -> Option<&'a str> {
        let parent = self.tree.parent(node)?;
        let pair = dot(parent)?;
        match std::ptr::eq(&raw const pair.rhs, node.expr()?) {
            true => self.before(node),
            false if self.is_member(parent) => self.before(parent),
            false => None,
        }
    }

    /// The type of what stands before a node of a chain.
    fn before(&self, node: &Node<'a>) -> Option<&'a str> {
        let parent = self.tree.parent(node)?;
        let Expr::Dot(pair, flags, _) = parent.expr()? else { return None };
        if flags.intersects(ASTFlags::NEGATED) {
            return None;
        }
        match self.is_member(parent) {
            true => self.of_member(self.before(parent), &pair.lhs),
            false => self.type_of(&pair.lhs),
        }
    }

    /// The entries of a map that is written out, also of one that a variable begins as and keeps.
    pub fn entries(&self, expr: &'a Expr) -> Option<&'a [(Ident, Expr)]> {
        match expr {
            Expr::Map(map, _) => Some(&map.0),
            Expr::Variable(..) => {
                let variable = self.tree.variable(expr).filter(|variable| variable.writes.is_empty())?;
                match variable.init? {
                    Expr::Map(map, _) => Some(&map.0),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether a function or a closure of the scripts may hide what the host has under this name.
    pub fn is_own(&self, name: &str, is_method: bool) -> bool {
        let own = self.names.functions.iter().any(|function| function.name == name);
        own || is_method && self.shared.keys.contains(name)
    }

    /// The overloads that a call may mean; none when a script's own function is meant.
    pub fn overloads(&self, called: &Called) -> Vec<&'a Signature> {
        if self.is_own(called.name(), called.is_method) || names::keyword(called.name()).is_some() {
            return Vec::new();
        }
        let all = self.signatures().overloads(called.name());
        all.iter().filter(|overload| overload.arity == called.arguments.len()).collect()
    }

    /// The type of an expression's value, in words of scripts, where it is certain.
    pub fn type_of(&self, expr: &Expr) -> Option<&'a str> {
        self.infer(expr, DEPTH)
    }

    fn infer(&self, expr: &Expr, depth: usize) -> Option<&'a str> {
        let depth = depth.checked_sub(1)?;
        if is_closure(expr) {
            return Some("closure");
        }
        match expr {
            Expr::BoolConstant(..) | Expr::And(..) | Expr::Or(..) => Some("bool"),
            Expr::IntegerConstant(..) => Some("int"),
            Expr::FloatConstant(..) => Some("float"),
            Expr::CharConstant(..) => Some("char"),
            Expr::StringConstant(..) | Expr::InterpolatedString(..) => Some("string"),
            Expr::Array(..) => Some("array"),
            Expr::Map(..) => Some("map"),
            Expr::Unit(_) => Some("()"),
            Expr::Variable(..) => self.of_variable(self.tree.variable(expr)?, depth),
            Expr::FnCall(call, _) if call.is_operator_call() => self.of_operator(call, depth),
            // A setting has the type of its default.
            Expr::FnCall(call, _) if call.name == "setting" && call.args.len() == 2 => {
                self.infer(&call.args[1], depth).filter(|_| !self.is_own("setting", false))
            }
            Expr::FnCall(call, _) => points::type_of(call).or_else(|| self.of_call(call, None)),
            Expr::Dot(pair, flags, _) if !flags.intersects(ASTFlags::NEGATED) => {
                self.of_chain(self.infer(&pair.lhs, depth), &pair.rhs)
            }
            _ => None,
        }
    }

    /// A variable has the type that it begins with, unless it is given another value.
    fn of_variable(&self, variable: &Variable<'a>, depth: usize) -> Option<&'a str> {
        match variable.origin {
            Origin::Counter => Some("int"),
            Origin::Loop => match self.infer(variable.init?, depth)? {
                "range" if variable.writes.is_empty() => Some("int"),
                _ => None,
            },
            Origin::Let | Origin::Const if variable.writes.is_empty() => self.infer(variable.init?, depth),
            Origin::Let => self.of_writes(variable, depth),
            _ => None,
        }
    }

    /// What is given other values of the same type keeps it.
    fn of_writes(&self, variable: &Variable<'a>, depth: usize) -> Option<&'a str> {
        let first = self.infer(variable.init?, depth)?;
        let same = |node: &usize| match self.tree.nodes[*node].stmt() {
            Some(rhai::Stmt::Assignment(assignment)) => {
                let given = self.infer(&assignment.1.rhs, depth.min(2));
                match assignment.0.is_op_assignment() {
                    true => ["int", "string", "array"].contains(&first) && given == Some(first),
                    false => given == Some(first),
                }
            }
            _ => false,
        };
        variable.writes.iter().all(same).then_some(first)
    }

    fn of_operator(&self, call: &FnCallExpr, depth: usize) -> Option<&'a str> {
        let operands: Vec<Option<&str>> =
            call.args.iter().map(|operand| self.infer(operand, depth)).collect();
        match (call.name.as_str(), operands.as_slice()) {
            ("==" | "!=" | "<" | ">" | "<=" | ">=" | "!" | "in" | "!in", _) => Some("bool"),
            (".." | "..=", _) => Some("range"),
            ("-" | "+", [one]) => one.filter(|kind| ["int", "float"].contains(kind)).map(known),
            ("+" | "-" | "*" | "/" | "%" | "**", [Some("int"), Some("int")]) => Some("int"),
            ("+" | "-" | "*" | "/" | "%", [Some("int" | "float"), Some("int" | "float")]) => Some("float"),
            ("+", [Some("string"), Some(_)] | [Some(_), Some("string")]) => Some("string"),
            ("+", [Some("array"), Some("array")]) => Some("array"),
            ("+", [Some("map"), Some("map")]) => Some("map"),
            _ => None,
        }
    }

    /// What a call gives; `object` is the type of a method's object, if that is known.
    pub fn of_call(&self, call: &FnCallExpr, object: Option<Option<&str>>) -> Option<&'a str> {
        let name = call.name.as_str();
        if !call.namespace.is_empty() || self.is_own(name, object == Some(None)) {
            return None;
        }
        match names::keyword(name) {
            Some(_) if name == "type_of" => return Some("string"),
            Some(_) if ["print", "debug"].contains(&name) => return Some("()"),
            Some(_) if ["is_def_var", "is_def_fn", "is_shared"].contains(&name) => return Some("bool"),
            Some(_) => return None,
            None => {}
        }
        let count = call.args.len() + usize::from(object.is_some());
        let all = self.signatures().overloads(name).iter().filter(|overload| {
            let first = overload.types.first();
            overload.arity == count && first.is_none_or(|kind| accepts(kind, object.flatten()))
        });
        same(all.map(|overload| overload.result.as_str()))
    }

    /// What a method or property gives of a value of a type.
    fn of_member(&self, object: Option<&str>, member: &Expr) -> Option<&'a str> {
        match member {
            Expr::MethodCall(call, _) => self.of_call(call, Some(object)),
            Expr::Property(property, _) => {
                let all = self.signatures().overloads(&format!("get${}", property.2)).iter();
                let fitting = all.filter(|overload| overload.types.first().map(String::as_str) == object);
                same(fitting.map(|overload| overload.result.as_str()))
            }
            _ => None,
        }
    }

    /// `a.b.c`, which is `a.(b.c)` in the tree.
    fn of_chain(&self, object: Option<&'a str>, members: &Expr) -> Option<&'a str> {
        match members {
            Expr::Dot(pair, flags, _) if !flags.intersects(ASTFlags::NEGATED) => {
                self.of_chain(self.of_member(object, &pair.lhs), &pair.rhs)
            }
            Expr::Dot(..) | Expr::Index(..) => None,
            member => self.of_member(object, member),
        }
    }
}

/// The two sides of a dot.
fn dot<'a>(node: &Node<'a>) -> Option<&'a BinaryExpr> {
    match node.expr()? {
        Expr::Dot(pair, ..) => Some(pair),
        _ => None,
    }
}

/// Whether a parameter of a type takes an argument of one; what is not known fits.
pub fn accepts(parameter: &str, argument: Option<&str>) -> bool {
    let Some(argument) = argument else { return true };
    let generic = parameter.is_empty() || parameter == "any value" || parameter.len() == 1;
    let range = argument == "range" && parameter.to_lowercase().contains("range");
    generic || range || parameter == argument
}

/// The type that all overloads give; none when they differ, or it can be anything.
fn same<'a>(mut results: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = results.next()?;
    let anything = ["any value", "RhaiResult", "", "?"].contains(&first) || first.len() == 1;
    (!anything && results.all(|other| other == first)).then_some(first)
}

/// The same name, for as long as one likes.
fn known(kind: &str) -> &'static str {
    if kind == "int" { "int" } else { "float" }
}

/// The types whose values have properties of their own names.
pub fn open_types(signatures: &Signatures) -> BTreeSet<&str> {
    let getters = signatures.overloads("index$get$").iter();
    getters.filter_map(|overload| overload.types.first()).map(String::as_str).collect()
}
