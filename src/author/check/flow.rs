//! Statements that are never reached, and loops that never end.

use rhai::{ASTFlags, Expr, Stmt, StmtBlock};

use super::Finding;
use super::look::Look;
use super::tree::{Node, Syntax};
use crate::base::{Error, Kind};

/// What never runs, and what never ends.
pub fn check(look: &Look) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        look.tree.bodies.iter().flat_map(|body| unreachable(look, body.statements)).collect();
    for (index, node) in look.tree.nodes.iter().enumerate() {
        match node.syntax {
            Syntax::Stmt(Stmt::If(flow, _)) => {
                findings.extend(blocks(look, &[&flow.body, &flow.branch]));
            }
            Syntax::Stmt(Stmt::While(flow, _) | Stmt::Do(flow, ..)) => {
                findings.extend(blocks(look, &[&flow.body]));
                findings.extend(endless(look, index, node));
            }
            Syntax::Stmt(Stmt::For(each, _)) => findings.extend(blocks(look, &[&each.2.body])),
            Syntax::Stmt(Stmt::TryCatch(flow, _)) => {
                findings.extend(blocks(look, &[&flow.body, &flow.branch]))
            }
            Syntax::Stmt(Stmt::Block(block)) | Syntax::Expr(Expr::Stmt(block)) => {
                findings.extend(blocks(look, &[block]))
            }
            _ => {}
        }
    }
    findings.extend(open_comment(look));
    findings
}

/// The engine takes the rest of the script for a comment, without a word.
fn open_comment(look: &Look) -> Option<Finding> {
    let position = look.tree.tokens.open_comment()?;
    let error = Error::new(Kind::Script, "this comment is never closed")
        .hint("write `*/` where it ends; comments in comments need one each");
    Some(look.finding("syntax", position, error))
}

fn blocks(look: &Look, blocks: &[&StmtBlock]) -> Vec<Finding> {
    blocks.iter().filter_map(|block| unreachable(look, block.statements())).collect()
}

/// The first statement behind one that leaves.
fn unreachable(look: &Look, statements: &[Stmt]) -> Option<Finding> {
    let leaves = statements.iter().position(leaves)?;
    let next = statements.get(leaves + 1).filter(|next| !matches!(next, Stmt::Noop(_)))?;
    let what = match &statements[leaves] {
        Stmt::Return(_, flags, _) if flags.intersects(ASTFlags::BREAK) => "throw",
        Stmt::Return(..) => "return",
        Stmt::BreakLoop(_, flags, _) if flags.intersects(ASTFlags::BREAK) => "break",
        Stmt::BreakLoop(..) => "continue",
        _ => "statement that always leaves",
    };
    let error = Error::new(Kind::Script, format!("this is never reached: it stands behind a `{what}`"));
    Some(look.finding("unreachable", next.position(), error.hint("remove it, or put it before")))
}

/// Whether a statement never goes on to the next.
fn leaves(stmt: &Stmt) -> bool {
    match stmt {
        Stmt::Return(..) | Stmt::BreakLoop(..) => true,
        Stmt::If(flow, _) => {
            let ends = |block: &StmtBlock| block.statements().iter().any(leaves);
            !flow.branch.is_empty() && ends(&flow.body) && ends(&flow.branch)
        }
        Stmt::Block(block) => block.statements().iter().any(leaves),
        _ => false,
    }
}

/// A loop whose condition stays true, and that nothing leaves.
fn endless(look: &Look, index: usize, node: &Node) -> Option<Finding> {
    let Stmt::While(flow, position) = node.stmt()? else { return None };
    let always = matches!(flow.expr, Expr::Unit(_) | Expr::BoolConstant(true, _));
    let stays = always || stays(look, index, &flow.expr);
    if !stays || flow.body.statements().iter().any(may_leave) {
        return None;
    }
    let (message, hint) = match always {
        true => (
            "this loop never ends: nothing in it leaves it",
            "write `if done { break; }`, or a condition: `while n < 3 { ... }`",
        ),
        false => (
            "this loop may never end: nothing in it changes its condition",
            "change a variable of the condition, or write `break;`",
        ),
    };
    Some(look.finding("endless-loop", *position, Error::new(Kind::Script, message).hint(hint)))
}

/// Whether a comparison of variables is the same in every turn of a loop.
fn stays(look: &Look, index: usize, condition: &Expr) -> bool {
    let Expr::FnCall(call, _) = condition else { return false };
    let operands = call.args.iter();
    let plain = |operand: &Expr| match operand {
        Expr::Variable(..) => look.tree.variable(operand).is_some_and(|variable| {
            let uses = variable.writes.iter().chain(&variable.changes).chain(&variable.reads);
            let changing =
                uses.filter(|node| is_inside(look, **node, index)).any(|node| !is_plain_read(look, *node));
            let closures = variable.writes.iter().any(|node| look.tree.nodes[*node].body != variable.body);
            !changing && !closures
        }),
        Expr::IntegerConstant(..)
        | Expr::FloatConstant(..)
        | Expr::StringConstant(..)
        | Expr::BoolConstant(..) => true,
        _ => false,
    };
    call.is_operator_call()
        && operands.clone().any(|operand| matches!(operand, Expr::Variable(..)))
        && operands.into_iter().all(plain)
}

fn is_inside(look: &Look, mut node: usize, outer: usize) -> bool {
    loop {
        if node == outer {
            return true;
        }
        match look.tree.nodes[node].parent {
            Some(parent) => node = parent,
            None => match look.tree.bodies[look.tree.nodes[node].body].closure {
                Some(closure) => node = closure,
                None => return false,
            },
        }
    }
}

/// A use that leaves the variable as it is: not the object of a method.
fn is_plain_read(look: &Look, node: usize) -> bool {
    let parent = look.tree.nodes[node].parent.and_then(|parent| look.tree.nodes[parent].expr());
    look.tree.nodes[node].expr().is_some() && !matches!(parent, Some(Expr::Dot(..) | Expr::Index(..)))
}

/// Whether a `break`, `return` or `throw` of the loop is within a statement. `exit()` leaves, too.
fn may_leave(stmt: &Stmt) -> bool {
    let mut found = false;
    stmt.walk(&mut Vec::new(), &mut |path| {
        let leaves = match path.last() {
            Some(rhai::ASTNode::Stmt(Stmt::Return(..))) => true,
            Some(rhai::ASTNode::Stmt(Stmt::BreakLoop(_, flags, _))) => {
                flags.intersects(ASTFlags::BREAK) && !within_loop(path)
            }
            Some(rhai::ASTNode::Stmt(Stmt::FnCall(call, _))) => call.name == "exit",
            _ => false,
        };
        found |= leaves;
        !found
    });
    found
}

/// Whether a node stands in a loop of its own.
fn within_loop(path: &[rhai::ASTNode]) -> bool {
    let around = &path[..path.len() - 1];
    around
        .iter()
        .any(|node| matches!(node, rhai::ASTNode::Stmt(Stmt::While(..) | Stmt::Do(..) | Stmt::For(..))))
}
