//! What a template uses: variables that it does not set itself, filters, tests, other templates, each at its place.
//! It is read from the syntax tree; nothing is rendered.

use std::collections::BTreeSet;

use minijinja::machinery::ast::{self, CallArg, Expr, Stmt};
use minijinja::machinery::{Span, parse};

use super::template::provided;
use crate::base::Place;

/// A variable that a template uses and does not set itself.
pub struct Used {
    /// Its name.
    pub name: String,
    /// What is taken of it first: `name` of `persona.name`.
    pub attribute: Option<String>,
    /// Where.
    pub place: Place,
    /// Whether this stands in a branch that may not be rendered.
    pub conditional: bool,
}

/// What a template uses.
#[derive(Default)]
pub struct Uses {
    /// Its variables.
    pub variables: Vec<Used>,
    /// The names of variables whose absence it allows for.
    pub guarded: BTreeSet<String>,
    /// Its filters.
    pub filters: Vec<(String, Place)>,
    /// Its tests: `x is defined`.
    pub tests: Vec<(String, Place)>,
    /// Methods that it calls on values.
    pub methods: Vec<(String, Place)>,
    /// The templates that it includes, imports or extends, and whether their absence is allowed.
    pub includes: Vec<(String, Place, bool)>,
    /// Whether it includes what only rendering tells, or shows all that there is.
    pub open: bool,
}

/// What a template uses; nothing when it cannot be read.
pub fn of(name: &str, text: &str) -> Option<Uses> {
    let tree = parse(text, name, Default::default()).ok()?;
    let mut walk = Walk { file: name, text, found: Uses::default(), set: vec![provided()], branches: 0 };
    walk.stmt(&tree);
    Some(walk.found)
}

struct Walk<'a> {
    file: &'a str,
    text: &'a str,
    found: Uses,
    /// The names that the template sets, by the blocks around.
    set: Vec<BTreeSet<String>>,
    branches: usize,
}

impl Walk<'_> {
    fn place(&self, span: Span) -> Place {
        let before = self.text.get(..span.start_offset as usize).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let column = before[start..].chars().count() + 1;
        Place::new(self.file, self.text, before.matches('\n').count() + 1, column)
    }

    fn block(&mut self, statements: &[Stmt]) {
        self.set.push(BTreeSet::new());
        statements.iter().for_each(|stmt| self.stmt(stmt));
        self.set.pop();
    }

    /// Statements that share the names of what is around them.
    fn branch(&mut self, statements: &[Stmt]) {
        self.branches += 1;
        statements.iter().for_each(|stmt| self.stmt(stmt));
        self.branches -= 1;
    }

    fn declare(&mut self, target: &Expr) {
        match target {
            Expr::Var(var) => self.name(var.id),
            Expr::List(list) => list.items.iter().for_each(|item| self.declare(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.declare(item)),
            other => self.expr(other),
        }
    }

    fn name(&mut self, name: &str) {
        self.set.iter_mut().next_back().into_iter().for_each(|names| names.extend([name.to_string()]));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Template(template) => template.children.iter().for_each(|child| self.stmt(child)),
            Stmt::EmitExpr(emit) => self.expr(&emit.expr),
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(each) => self.for_loop(each),
            Stmt::IfCond(cond) => {
                self.expr(&cond.expr);
                self.branch(&cond.true_body);
                self.branch(&cond.false_body);
            }
            Stmt::WithBlock(with) => {
                self.set.push(BTreeSet::new());
                for (target, value) in &with.assignments {
                    self.expr(value);
                    self.declare(target);
                }
                with.body.iter().for_each(|stmt| self.stmt(stmt));
                self.set.pop();
            }
            Stmt::Set(set) => {
                self.expr(&set.expr);
                self.declare(&set.target);
            }
            Stmt::SetBlock(set) => {
                set.filter.iter().for_each(|filter| self.expr(filter));
                self.block(&set.body);
                self.declare(&set.target);
            }
            Stmt::AutoEscape(escape) => self.block(&escape.body),
            Stmt::FilterBlock(filter) => {
                self.expr(&filter.filter);
                self.block(&filter.body);
            }
            Stmt::Block(block) => self.block(&block.body),
            Stmt::Extends(extends) => self.include(&extends.name, false),
            Stmt::Include(include) => self.include(&include.name, include.ignore_missing),
            Stmt::Import(import) => {
                self.include(&import.expr, false);
                self.declare(&import.name);
            }
            Stmt::FromImport(import) => {
                self.include(&import.expr, false);
                import.names.iter().for_each(|(name, alias)| self.declare(alias.as_ref().unwrap_or(name)));
            }
            Stmt::Macro(made) => self.made(made),
            Stmt::CallBlock(call) => {
                self.call(&call.call);
                self.made(&call.macro_decl);
            }
            Stmt::Do(call) => self.call(&call.call),
            #[allow(unreachable_patterns)] // statements of other features
            _ => {}
        }
    }

    fn for_loop(&mut self, each: &ast::ForLoop) {
        self.expr(&each.iter);
        self.set.push(BTreeSet::from(["loop".to_string()]));
        self.declare(&each.target);
        each.filter_expr.iter().for_each(|filter| self.expr(filter));
        each.body.iter().for_each(|stmt| self.stmt(stmt));
        self.set.pop();
        self.branch(&each.else_body);
    }

    fn made(&mut self, made: &ast::Macro) {
        self.name(made.name);
        self.set.push(BTreeSet::from(["caller".to_string()]));
        made.defaults.iter().for_each(|value| self.expr(value));
        made.args.iter().for_each(|argument| self.declare(argument));
        made.body.iter().for_each(|stmt| self.stmt(stmt));
        self.set.pop();
    }

    fn include(&mut self, name: &Expr, optional: bool) {
        match name.as_const().as_ref().and_then(|value| value.as_str()) {
            Some(path) => self.found.includes.push((path.into(), self.place(name.span()), optional)),
            None => {
                self.found.open = true;
                self.expr(name);
            }
        }
    }

    fn is_set(&self, name: &str) -> bool {
        self.set.iter().any(|names| names.contains(name))
    }

    fn variable(&mut self, name: &str, attribute: Option<&str>, span: Span) {
        // It shows all variables.
        if name == "debug" {
            self.found.open = true;
        }
        if self.is_set(name) {
            return;
        }
        let (place, conditional) = (self.place(span), self.branches > 0);
        let attribute = attribute.map(str::to_string);
        self.found.variables.push(Used { name: name.into(), attribute, place, conditional });
    }

    fn guard(&mut self, expr: &Expr) {
        match expr {
            Expr::Var(var) => self.found.guarded.extend([var.id.to_string()]),
            Expr::GetAttr(attr) => self.guard_attribute(&attr.expr, attr.name),
            _ => {}
        }
    }

    /// `persona.age is defined` allows for the absence of `age`, not of `persona`.
    fn guard_attribute(&mut self, of: &Expr, name: &str) {
        if let Expr::Var(var) = of {
            self.found.guarded.insert(format!("{}.{name}", var.id));
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Var(var) => self.variable(var.id, None, var.span()),
            Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.expr(&slice.expr);
                [&slice.start, &slice.stop, &slice.step]
                    .into_iter()
                    .flatten()
                    .for_each(|part| self.expr(part));
            }
            Expr::UnaryOp(op) => self.expr(&op.expr),
            Expr::BinOp(op) => {
                self.expr(&op.left);
                self.expr(&op.right);
            }
            Expr::Compare(compare) => {
                self.expr(&compare.expr);
                compare.ops.iter().for_each(|op| self.expr(&op.expr));
            }
            Expr::IfExpr(cond) => {
                self.expr(&cond.test_expr);
                self.branches += 1;
                self.expr(&cond.true_expr);
                cond.false_expr.iter().for_each(|part| self.expr(part));
                self.branches -= 1;
            }
            Expr::Filter(filter) => {
                let (place, name) = (self.named_after(filter.name, filter.span()), filter.name);
                self.found.filters.push((name.into(), place));
                if ["default", "d"].contains(&name) {
                    filter.expr.iter().for_each(|of| self.guard(of));
                }
                filter.expr.iter().for_each(|of| self.expr(of));
                self.arguments(&filter.args);
            }
            Expr::Test(test) => {
                let place = self.named_after(test.name, test.span());
                self.found.tests.push((test.name.into(), place));
                if ["defined", "undefined"].contains(&test.name) {
                    self.guard(&test.expr);
                }
                self.expr(&test.expr);
                self.arguments(&test.args);
            }
            Expr::GetAttr(attr) => match &attr.expr {
                Expr::Var(var) => self.variable(var.id, Some(attr.name), var.span()),
                other => self.expr(other),
            },
            Expr::GetItem(item) => {
                self.expr(&item.expr);
                self.expr(&item.subscript_expr);
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => list.items.iter().for_each(|item| self.expr(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expr(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|part| self.expr(part)),
        }
    }

    fn call(&mut self, call: &ast::Spanned<ast::Call>) {
        if let Expr::GetAttr(attr) = &call.expr {
            let of_template = matches!(&attr.expr, Expr::Var(var) if self.is_set(var.id) || var.id == "self");
            if !of_template {
                self.found.methods.push((attr.name.into(), self.named_after(attr.name, attr.span())));
            }
            self.expr(&attr.expr);
        } else {
            self.expr(&call.expr);
        }
        self.arguments(&call.args);
    }

    /// Where a name stands within what a span covers: behind its `|`, `is` or dot.
    fn named_after(&self, name: &str, span: Span) -> Place {
        let (start, end) = (span.start_offset as usize, span.end_offset as usize);
        let within = self.text.get(start..end).unwrap_or_default();
        let at = within.rfind(name).unwrap_or(0) + start;
        self.place(Span { start_offset: u32::try_from(at).unwrap_or(0), ..span })
    }

    fn arguments(&mut self, arguments: &[CallArg]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => {
                    self.expr(value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(uses: &Uses) -> Vec<String> {
        uses.variables
            .iter()
            .map(|used| format!("{} {}:{}", used.name, used.place.line, used.place.column))
            .collect()
    }

    #[test]
    fn only_what_is_not_set_is_used() {
        let text = "{% set a = b %}{{ a }}\n{% for c in d.e %}{{ loop.index }}{{ c }}{{ range(3) }}{% endfor %}\n\
                    {% macro m(x) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}{% with z = 1 %}{{ z }}{% endwith %}{{ z }}";
        assert_eq!(names(&of("p.md", text).unwrap()), ["b 1:12", "d 2:13", "y 3:27", "z 3:94"]);
    }

    #[test]
    fn what_is_allowed_for_and_what_is_named() {
        let text = "{{ x | default('a') | shout }}{% if y is defined %}{{ y.k }}{% endif %}{% include 'sub.md' %}\
                    {% include w ignore missing %}{{ v.upper() }}{% if u is evenn %}{{ t }}{% endif %}";
        let uses = of("p.md", text).unwrap();
        assert_eq!(uses.guarded.iter().collect::<Vec<_>>(), ["x", "y"]);
        let of = |all: &[(String, Place)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (of(&uses.filters), of(&uses.tests)),
            (vec!["shout".into(), "default".into()], vec!["defined".into(), "evenn".into()])
        );
        assert_eq!(
            (of(&uses.methods), uses.includes[0].0.as_str(), uses.open),
            (vec!["upper".into()], "sub.md", true)
        );
        assert!(uses.variables.iter().any(|used| used.name == "t" && used.conditional));
    }
}
