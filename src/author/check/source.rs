//! What a script's tree is made of: its text's tokens, and the statements of each of its functions.

use std::sync::Arc;

use rhai::{ASTNode, Engine, Expr, Position, Stmt};

use crate::script::library::Unit;
use crate::script::tokens::Tokens;

/// What a tree is made of.
pub struct Source {
    /// The script.
    pub unit: Arc<Unit>,
    /// Its tokens.
    pub tokens: Tokens,
    /// The statements of each function and closure, in the order of the syntax tree's definitions.
    pub bodies: Vec<Vec<Stmt>>,
}

impl Source {
    /// That of a unit.
    pub fn of(engine: &Engine, unit: &Arc<Unit>) -> Source {
        Source { unit: unit.clone(), tokens: Tokens::of(engine, &unit.source), bodies: bodies(unit) }
    }
}

impl Source {
    /// The functions whose value is nothing, however they end.
    pub fn silent(&self) -> Vec<(String, String, usize)> {
        let defs = self.unit.ast.iter_fn_def().zip(&self.bodies);
        let named = defs.filter(|(def, body)| !def.name.contains('$') && ends_in_nothing(body));
        named.map(|(def, _)| (self.unit.path.clone(), def.name.to_string(), def.params.len())).collect()
    }
}

/// Whether statements end in one without a value, and no `return` gives one.
fn ends_in_nothing(body: &[Stmt]) -> bool {
    let nothing = match body.last() {
        None => true,
        Some(Stmt::While(flow, _)) => !matches!(flow.expr, Expr::Unit(_)),
        Some(last) => matches!(last, Stmt::Var(..) | Stmt::Assignment(_) | Stmt::For(..) | Stmt::Do(..)),
    };
    let mut leaves = false;
    for stmt in body.iter().filter(|_| nothing) {
        stmt.walk(&mut Vec::new(), &mut |path| {
            leaves |= match path.last() {
                Some(ASTNode::Stmt(Stmt::Return(value, ..))) => value.is_some(),
                // The value of a loop is what its `break` gives.
                Some(ASTNode::Stmt(Stmt::BreakLoop(value, ..))) => value.is_some(),
                _ => false,
            };
            !leaves
        });
    }
    nothing && !leaves
}

/// Syntax trees show the statements of functions, but not whose they are: their places tell.
fn bodies(unit: &Unit) -> Vec<Vec<Stmt>> {
    let spans: Vec<(Position, Position)> =
        unit.ast.iter_fn_def().map(|def| (def.body.start_position(), def.body.end_position())).collect();
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|index| spans[*index].0);
    let mut bodies = vec![Vec::new(); spans.len()];
    let mut own = unit.ast.statements().len();
    unit.ast.walk(&mut |path| {
        let [ASTNode::Stmt(stmt)] = path else { return true };
        if own > 0 {
            own -= 1;
            return true;
        }
        let position = stmt.position();
        let before = order.partition_point(|index| spans[*index].0 <= position);
        let contains = |index: &&usize| {
            let (start, end) = spans[**index];
            if end.is_none() { start == position } else { position <= end }
        };
        if let Some(index) = order[..before].iter().rev().find(contains)
            && !matches!(stmt, Stmt::Share(_))
        {
            bodies[*index].push((*stmt).clone());
        }
        true
    });
    bodies
}
