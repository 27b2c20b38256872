//! A script's syntax tree as a list: each node with the node around it, each variable with its uses. The walk
//! knows scopes; what looks for mistakes does not have to.

use std::collections::HashMap;

use rhai::{Dynamic, Expr, FnPtr, Position, ScriptFuncDef, Stmt, StmtBlock};

use super::source::Source;
use super::walk;

use crate::script::library::Unit;
use crate::script::tokens::Tokens;

/// A statement or an expression.
#[derive(Clone, Copy)]
pub enum Syntax<'a> {
    /// A statement.
    Stmt(&'a Stmt),
    /// An expression.
    Expr(&'a Expr),
}

/// A node of the tree.
pub struct Node<'a> {
    /// What it is.
    pub syntax: Syntax<'a>,
    /// The node around it.
    pub parent: Option<usize>,
    /// The body that it belongs to.
    pub body: usize,
    /// Whether anything is done with its value.
    pub used: bool,
    /// Whether a `try` is around it.
    pub in_try: bool,
}

impl<'a> Node<'a> {
    /// The expression that it is.
    pub fn expr(&self) -> Option<&'a Expr> {
        match self.syntax {
            Syntax::Expr(expr) => Some(expr),
            Syntax::Stmt(_) => None,
        }
    }

    /// The statement that it is.
    pub fn stmt(&self) -> Option<&'a Stmt> {
        match self.syntax {
            Syntax::Stmt(stmt) => Some(stmt),
            Syntax::Expr(_) => None,
        }
    }
}

/// Statements that run together: the script's own, a function's, a closure's.
pub struct Body<'a> {
    /// Its definition; none for the script's own statements.
    pub def: Option<&'a ScriptFuncDef>,
    /// For a closure: the node that makes it.
    pub closure: Option<usize>,
    /// Its statements.
    pub statements: &'a [Stmt],
    /// Where its parameters are named, without captured variables.
    pub params: Vec<usize>,
    /// Where it is defined.
    pub position: Position,
}

impl Body<'_> {
    /// Whether it is a function with a name.
    pub fn is_function(&self) -> bool {
        self.def.is_some() && self.closure.is_none()
    }
}

/// How a variable came to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `let`
    Let,
    /// `const`
    Const,
    /// A parameter.
    Parameter,
    /// What a `for` goes through.
    Loop,
    /// The counter of a `for`.
    Counter,
    /// The error of a `catch`.
    Caught,
    /// The name of a module.
    Import,
}

/// A variable.
pub struct Variable<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it came to be.
    pub origin: Origin,
    /// Where it is named first.
    pub position: Position,
    /// The body that it belongs to.
    pub body: usize,
    /// What it begins as; for a loop's variable, what is gone through.
    pub init: Option<&'a Expr>,
    /// The nodes that read it.
    pub reads: Vec<usize>,
    /// The nodes that give it another value.
    pub writes: Vec<usize>,
    /// The nodes that change a part of it.
    pub changes: Vec<usize>,
    /// Whether importers see it.
    pub exported: bool,
}

/// A script's tree.
pub struct Tree<'a> {
    /// The script.
    pub unit: &'a Unit,
    /// Its tokens.
    pub tokens: &'a Tokens,
    /// All nodes, each after the one around it.
    pub nodes: Vec<Node<'a>>,
    /// All bodies; the first is the script's own.
    pub bodies: Vec<Body<'a>>,
    /// All variables.
    pub variables: Vec<Variable<'a>>,
    /// Expressions, by their address, to the variable that they name.
    pub(super) resolved: HashMap<*const Expr, usize>,
}

impl<'a> Tree<'a> {
    /// The tree of a script.
    pub fn of(source: &'a Source) -> Tree<'a> {
        let (nodes, bodies, variables, resolved) = Default::default();
        let tree = Tree { unit: &source.unit, tokens: &source.tokens, nodes, bodies, variables, resolved };
        walk::all(tree, source)
    }

    /// The variable that an expression names.
    pub fn variable(&self, expr: &Expr) -> Option<&Variable<'a>> {
        self.variables.get(*self.resolved.get(&std::ptr::from_ref(expr))?)
    }

    /// The expression around an expression's node, if it is one.
    pub fn parent(&self, node: &Node<'a>) -> Option<&Node<'a>> {
        self.nodes.get(node.parent?)
    }

    /// The closure that an expression makes.
    pub fn closure(&self, expr: &Expr) -> Option<&Body<'a>> {
        let name = closure_name(expr)?;
        self.bodies.iter().find(|body| body.closure.is_some() && body.def.is_some_and(|def| def.name == name))
    }

    /// The place of a body in the list.
    pub fn index_of(&self, body: &Body<'a>) -> Option<usize> {
        self.bodies.iter().position(|other| std::ptr::eq(other, body))
    }

    /// Where a node stands.
    pub fn position(&self, node: usize) -> Position {
        match self.nodes[node].syntax {
            // The sign of an assignment says less than what it is about.
            Syntax::Stmt(Stmt::Assignment(assignment)) => assignment.1.lhs.start_position(),
            Syntax::Stmt(stmt) => stmt.position(),
            Syntax::Expr(expr) => expr.start_position(),
        }
    }

    /// Whether a body is another one, or a closure within it.
    pub fn is_within(&self, mut body: usize, outer: usize) -> bool {
        loop {
            if body == outer {
                return true;
            }
            let Some(closure) = self.bodies[body].closure else { return false };
            body = self.nodes[closure].body;
        }
    }
}

/// The name of the function behind an expression that makes a closure.
fn closure_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::DynamicConstant(value, _) => pointer(value),
        Expr::Stmt(block) => closure_name(shared(block)?),
        _ => None,
    }
}

pub(super) fn pointer(value: &Dynamic) -> Option<String> {
    let pointer = value.read_lock::<FnPtr>()?;
    pointer.is_anonymous().then(|| pointer.fn_name().to_string())
}

/// A closure that captures variables is a block: they are shared, then curried.
pub(super) fn shared(block: &StmtBlock) -> Option<&Expr> {
    let [Stmt::Share(_), Stmt::Expr(curried)] = block.statements() else { return None };
    let Expr::FnCall(call, _) = &**curried else { return None };
    call.args.first()
}

/// Whether an expression makes a closure.
pub fn is_closure(expr: &Expr) -> bool {
    match expr {
        Expr::DynamicConstant(value, _) => value.is_fnptr(),
        Expr::Stmt(block) => shared(block).is_some(),
        _ => false,
    }
}

/// The variable at the root of `x.a[1].b`.
pub fn root(expr: &Expr) -> &Expr {
    match expr {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => root(&pair.lhs),
        other => other,
    }
}
