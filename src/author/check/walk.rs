//! The walk that makes a tree: statement by statement, with the variables in sight.

use std::collections::HashMap;

use rhai::{ASTFlags, Dynamic, Expr, FnCallExpr, Position, ScriptFuncDef, Stmt};

use super::source::Source;
use super::tree::{Body, Node, Origin, Syntax, Tree, Variable, pointer, root, shared};

#[derive(Clone, Copy, Default)]
struct At {
    parent: Option<usize>,
    body: usize,
    in_try: bool,
}

/// A function or closure with its statements.
type Def<'a> = (&'a ScriptFuncDef, &'a [Stmt]);

struct Walk<'a> {
    tree: Tree<'a>,
    defs: Vec<Def<'a>>,
    closures: HashMap<&'a str, Def<'a>>,
    /// The variables in sight, by the blocks around.
    scopes: Vec<Vec<usize>>,
    at: At,
}

/// Fills a tree with all that its source holds.
pub fn all<'a>(tree: Tree<'a>, source: &'a Source) -> Tree<'a> {
    let defs = source.unit.ast.iter_fn_def().zip(&source.bodies);
    let defs: Vec<Def> = defs.map(|(def, body)| (&**def, body.as_slice())).collect();
    let closures = defs.iter().map(|(def, body)| (def.name.as_str(), (*def, *body))).collect();
    let mut walk = Walk { tree, defs, closures, scopes: vec![Vec::new()], at: At::default() };
    walk.all();
    walk.tree
}

impl<'a> Walk<'a> {
    fn all(&mut self) {
        let unit = self.tree.unit;
        let statements = unit.ast.statements();
        let position = Position::NONE;
        self.tree.bodies.push(Body { def: None, closure: None, statements, params: Vec::new(), position });
        self.statements(statements, true);
        let mut named: Vec<Def> =
            self.defs.iter().filter(|(def, _)| !def.name.contains('$')).copied().collect();
        named.sort_by(|(a, _), (b, _)| (&a.name, a.params.len()).cmp(&(&b.name, b.params.len())));
        for (def, statements) in named {
            let found = self.tree.tokens.function(&def.name, def.params.len());
            let (position, params) = found.unwrap_or((Position::NONE, Vec::new()));
            // A function sees nothing of what is around it.
            let outer = std::mem::replace(&mut self.scopes, vec![Vec::new()]);
            let names = def.params.iter().map(|name| name.as_str()).collect();
            self.body((def, statements), None, position, &params, names);
            self.scopes = outer;
        }
    }

    fn body(
        &mut self,
        (def, statements): Def<'a>,
        closure: Option<usize>,
        position: Position,
        places: &[(String, Position)],
        params: Vec<&'a str>,
    ) {
        let body = self.tree.bodies.len();
        self.tree.bodies.push(Body { def: Some(def), closure, statements, params: Vec::new(), position });
        let outer = std::mem::replace(&mut self.at, At { body, ..At::default() });
        self.scopes.push(Vec::new());
        for name in params {
            let place = places.iter().find(|(named, _)| named == name).map_or(position, |(_, place)| *place);
            let variable = self.declare(name, Origin::Parameter, place, None);
            self.tree.bodies[body].params.push(variable);
        }
        self.statements(statements, true);
        self.scopes.pop();
        self.at = outer;
    }

    fn declare(
        &mut self,
        name: &'a str,
        origin: Origin,
        position: Position,
        init: Option<&'a Expr>,
    ) -> usize {
        let index = self.tree.variables.len();
        let (reads, writes, changes) = Default::default();
        let body = self.at.body;
        let exported = false;
        let variable = Variable { name, origin, position, body, init, reads, writes, changes, exported };
        self.tree.variables.push(variable);
        self.scopes.iter_mut().next_back().into_iter().for_each(|scope| scope.push(index));
        index
    }

    fn find(&self, name: &str) -> Option<usize> {
        let mut visible = self.scopes.iter().rev().flat_map(|scope| scope.iter().rev());
        // A module may have the name of a variable.
        let is_meant = |variable: &Variable| variable.name == name && variable.origin != Origin::Import;
        visible.find(|index| is_meant(&self.tree.variables[**index])).copied()
    }

    fn node(&mut self, syntax: Syntax<'a>, used: bool) -> usize {
        let At { parent, body, in_try } = self.at;
        self.tree.nodes.push(Node { syntax, parent, body, used, in_try });
        self.tree.nodes.len() - 1
    }

    /// A block of its own.
    fn block(&mut self, statements: &'a [Stmt], used: bool) {
        self.scopes.push(Vec::new());
        self.statements(statements, used);
        self.scopes.pop();
    }

    fn statements(&mut self, statements: &'a [Stmt], used: bool) {
        for (index, statement) in statements.iter().enumerate() {
            self.stmt(statement, used && index + 1 == statements.len());
        }
    }

    fn stmt(&mut self, stmt: &'a Stmt, used: bool) {
        let node = self.node(Syntax::Stmt(stmt), used);
        let outer = self.at;
        self.at.parent = Some(node);
        self.within_stmt(stmt, node, used);
        self.at = outer;
    }

    fn within_stmt(&mut self, stmt: &'a Stmt, node: usize, used: bool) {
        match stmt {
            Stmt::If(flow, _) => {
                self.expr(&flow.expr, true);
                self.block(flow.body.statements(), used);
                self.block(flow.branch.statements(), used);
            }
            Stmt::While(flow, _) | Stmt::Do(flow, ..) => {
                self.expr(&flow.expr, true);
                self.block(flow.body.statements(), false);
            }
            Stmt::Switch(switch, _) => {
                self.expr(&switch.0, true);
                for case in &switch.1.expressions {
                    self.expr(&case.lhs, true);
                    self.expr(&case.rhs, used);
                }
            }
            Stmt::For(each, _) => {
                let (item, counter, flow) = &**each;
                self.expr(&flow.expr, true);
                self.scopes.push(Vec::new());
                self.declare(&item.name, Origin::Loop, item.pos, Some(&flow.expr));
                if let Some(counter) = counter {
                    self.declare(&counter.name, Origin::Counter, counter.pos, None);
                }
                self.block(flow.body.statements(), false);
                self.scopes.pop();
            }
            Stmt::Var(variable, flags, _) => {
                let (ident, init, _) = &**variable;
                self.expr(init, true);
                let constant = flags.intersects(ASTFlags::CONSTANT);
                let origin = if constant { Origin::Const } else { Origin::Let };
                let index = self.declare(&ident.name, origin, ident.pos, Some(init));
                self.tree.variables[index].exported = flags.intersects(ASTFlags::EXPORTED);
            }
            Stmt::Assignment(assignment) => self.assignment(&assignment.1.lhs, &assignment.1.rhs, node),
            Stmt::FnCall(call, _) => self.call(call, node),
            Stmt::Block(block) => self.block(block.statements(), used),
            Stmt::TryCatch(flow, _) => self.try_catch(flow, used),
            Stmt::Expr(expr) => self.expr(expr, used),
            Stmt::BreakLoop(Some(expr), ..) | Stmt::Return(Some(expr), ..) => self.expr(expr, true),
            Stmt::Import(import, _) => {
                self.expr(&import.0, true);
                if !import.1.name.is_empty() {
                    self.declare(&import.1.name, Origin::Import, import.0.position(), None);
                }
            }
            Stmt::Export(export, _) => {
                if let Some(found) = self.find(&export.0.name) {
                    self.tree.variables[found].exported = true;
                }
            }
            _ => {}
        }
    }

    fn try_catch(&mut self, flow: &'a rhai::FlowControl, used: bool) {
        let outer = std::mem::replace(&mut self.at.in_try, true);
        self.block(flow.body.statements(), used);
        self.at.in_try = outer;
        self.scopes.push(Vec::new());
        if let Expr::Variable(caught, _, position) = &flow.expr {
            self.declare(&caught.1, Origin::Caught, *position, None);
        }
        self.block(flow.branch.statements(), used);
        self.scopes.pop();
    }

    fn assignment(&mut self, target: &'a Expr, value: &'a Expr, node: usize) {
        match target {
            Expr::Variable(..) => {
                if let Some(found) = self.resolve(target) {
                    self.tree.variables[found].writes.push(node);
                }
            }
            _ => {
                if let Some(found) = self.resolve(root(target)) {
                    self.tree.variables[found].changes.push(node);
                }
                self.target(target);
            }
        }
        self.expr(value, true);
    }

    /// What is assigned to, but its root: reading that is no use of it.
    fn target(&mut self, target: &'a Expr) {
        match target {
            Expr::Variable(..) => {}
            Expr::Dot(pair, ..) | Expr::Index(pair, ..) => {
                let node = self.node(Syntax::Expr(target), true);
                let outer = self.at.parent.replace(node);
                self.target(&pair.lhs);
                self.expr(&pair.rhs, true);
                self.at.parent = outer;
            }
            other => self.expr(other, true),
        }
    }

    fn resolve(&mut self, expr: &'a Expr) -> Option<usize> {
        let Expr::Variable(variable, ..) = expr else { return None };
        if !variable.2.is_empty() {
            return None;
        }
        let found = self.find(&variable.1)?;
        self.tree.resolved.insert(std::ptr::from_ref(expr), found);
        Some(found)
    }

    fn call(&mut self, call: &'a FnCallExpr, node: usize) {
        self.module_used(&call.namespace.path, node);
        if call.name == "is_def_var"
            && let Some(Expr::StringConstant(name, _)) = call.args.first()
            && let Some(found) = self.find(name)
        {
            self.tree.variables[found].reads.push(node);
        }
        call.args.iter().for_each(|argument| self.expr(argument, true));
    }

    fn module_used(&mut self, path: &[rhai::Ident], node: usize) {
        let Some(first) = path.first() else { return };
        let known = self.tree.variables.iter_mut();
        // An import at the top is seen in functions, too.
        known
            .filter(|v| v.origin == Origin::Import && v.name == first.name.as_str())
            .for_each(|v| v.reads.push(node));
    }

    fn expr(&mut self, expr: &'a Expr, used: bool) {
        if let Expr::Stmt(block) = expr
            && let Some(closure) = shared(block)
        {
            return self.expr(closure, used);
        }
        let node = self.node(Syntax::Expr(expr), used);
        let outer = self.at;
        self.at.parent = Some(node);
        self.within_expr(expr, node, used);
        self.at = outer;
    }

    fn within_expr(&mut self, expr: &'a Expr, node: usize, used: bool) {
        match expr {
            Expr::DynamicConstant(value, position) => self.closure(value, *position, node),
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
                parts.iter().for_each(|part| self.expr(part, true));
            }
            Expr::Map(map, _) => map.0.iter().for_each(|(_, value)| self.expr(value, true)),
            Expr::Variable(variable, ..) => {
                self.module_used(&variable.2.path, node);
                if let Some(found) = self.resolve(expr) {
                    self.tree.variables[found].reads.push(node);
                }
            }
            Expr::Stmt(block) => self.block(block.statements(), used),
            Expr::FnCall(call, _) | Expr::MethodCall(call, _) => self.call(call, node),
            Expr::Dot(pair, ..) | Expr::Index(pair, ..) => {
                self.expr(&pair.lhs, true);
                self.expr(&pair.rhs, true);
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.expr(part, true));
            }
            _ => {}
        }
    }

    fn closure(&mut self, value: &'a Dynamic, position: Position, node: usize) {
        let known = pointer(value).and_then(|name| self.closures.get(name.as_str()).copied());
        let Some((def, statements)) = known else { return };
        let places = self.tree.tokens.closure_parameters(position);
        // What it captures stands before its own parameters.
        let captured = def.params.len().saturating_sub(places.len());
        let params = def.params.iter().skip(captured).map(|name| name.as_str()).collect();
        self.body((def, statements), Some(node), position, &places, params);
    }
}
