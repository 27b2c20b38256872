//! The calls in a script's syntax tree: what `check` looks at, and what a run needs to know beforehand.

use std::sync::Arc;

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::library::Unit;

/// The plain texts that these functions are called with first, in these units: `setting("turns", ...)`.
pub fn named_in_calls(units: &[Arc<Unit>], functions: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    for unit in units {
        for_each_call(unit, &mut |call| {
            if functions.iter().any(|function| call.is(function)) {
                names.extend(call.text(0).map(str::to_string));
            }
        });
    }
    names.sort();
    names.dedup();
    names
}

/// One call in a script.
pub struct Call<'a> {
    /// Its node.
    pub expr: &'a FnCallExpr,
    /// Where it stands.
    pub position: Position,
    /// `x.name(...)`: the object counts as the first argument.
    pub is_method: bool,
}

impl<'a> Call<'a> {
    /// The function's name.
    pub fn name(&self) -> &'a str {
        &self.expr.name
    }

    /// A plain call of this name.
    pub fn is(&self, name: &str) -> bool {
        self.name() == name && self.expr.namespace.is_empty()
    }

    /// How many arguments a native function would get.
    pub fn count(&self) -> usize {
        self.expr.args.len() + usize::from(self.is_method)
    }

    /// An argument, a method's object being the first (and not known here).
    pub fn argument(&self, index: usize) -> Option<&'a Expr> {
        self.expr.args.get(index.checked_sub(usize::from(self.is_method))?)
    }

    /// An argument that is a plain text.
    pub fn text(&self, index: usize) -> Option<&'a str> {
        match self.argument(index)? {
            Expr::StringConstant(text, _) => Some(text),
            _ => None,
        }
    }
}

/// Visits every call of a unit, also in branches that never run.
pub fn for_each_call(unit: &Unit, each: &mut dyn FnMut(Call)) {
    unit.ast.walk(&mut |path| {
        let (expr, position, is_method) = match path.last() {
            Some(ASTNode::Stmt(Stmt::FnCall(expr, position))) => (expr, *position, false),
            Some(ASTNode::Expr(Expr::FnCall(expr, position))) => (expr, *position, false),
            Some(ASTNode::Expr(Expr::MethodCall(expr, position))) => (expr, *position, true),
            _ => return true,
        };
        // Operators, ranges and closures are calls, too.
        let is_word = expr.name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !expr.is_operator_call() && is_word && !expr.name.contains('$') {
            each(Call { expr, position, is_method });
        }
        true
    });
}
