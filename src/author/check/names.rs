//! What a unit can call by which name: its own functions, those of the modules that it imports, and
//! the words that the engine itself understands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{ASTFlags, ASTNode, Expr, FnAccess, Stmt};

use super::tree::is_closure;
use crate::script::library::{Library, Native, Unit, import_path};
use crate::script::workspace::Workspace;

/// Words that the engine understands without a function: the fewest and the most arguments, a
/// method's object included.
const KEYWORDS: &[(&str, usize, usize)] = &[
    ("call", 1, usize::MAX),
    ("curry", 1, usize::MAX),
    ("debug", 1, 1),
    ("Fn", 1, 1),
    ("is_def_fn", 2, 3),
    ("is_def_var", 1, 1),
    ("is_shared", 1, 1),
    ("print", 1, 1),
    ("type_of", 1, 1),
];

/// The engine's own word of that name: the fewest and the most arguments.
pub fn keyword(name: &str) -> Option<(usize, usize)> {
    KEYWORDS.iter().find(|(word, ..)| *word == name).map(|(_, least, most)| (*least, *most))
}

/// The engine's own words.
pub fn keywords<'a>() -> impl Iterator<Item = &'a str> + Clone {
    KEYWORDS.iter().map(|(word, ..)| *word)
}

/// A function of a script.
#[derive(Debug, Clone)]
pub struct Defined {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub params: Vec<String>,
    /// Whether other scripts may call it.
    pub public: bool,
}

impl Defined {
    /// `fn add(a, b)`
    pub fn shown(&self) -> String {
        format!("fn {}({})", self.name, self.params.join(", "))
    }
}

/// The names of a unit.
pub struct Names {
    /// Its own functions, and the typed methods (`fn int.double()`) of others.
    pub functions: Vec<Defined>,
    /// Variables and parameters of the unit: their names are no functions.
    pub variables: BTreeSet<String>,
    imports: BTreeMap<String, Vec<String>>,
}

/// What is known of all scripts.
pub struct Shared {
    /// Keys of maps that may hold a closure, in whatever script: `m.key(x)` calls it.
    pub keys: BTreeSet<String>,
    /// Whether closures are kept in maps under keys that only running tells.
    pub any_key: bool,
    /// The typed methods (`fn int.double()`), and whose they are.
    methods: Vec<(String, Defined)>,
    /// Functions that certainly give nothing, by script, name and number of parameters.
    pub silent: BTreeSet<(String, String, usize)>,
    /// Names that scripts use behind another module's: `a::NAME::f()`.
    pub passed_on: BTreeSet<String>,
}

impl Shared {
    /// What is known of the scripts that are loaded.
    pub fn of(library: &Library) -> Shared {
        let mut shared = Shared {
            any_key: false,
            keys: BTreeSet::new(),
            methods: Vec::new(),
            silent: BTreeSet::new(),
            passed_on: BTreeSet::new(),
        };
        for unit in library.units() {
            shared.any_key |= has_open_key(&unit);
            shared.keys.extend(keys_of(&unit));
            shared.passed_on.extend(passed_on(&unit));
            shared.methods.extend(typed_methods(&unit).into_iter().map(|method| (unit.path.clone(), method)));
        }
        shared
    }

    /// Whether a script has typed methods.
    pub fn has_methods(&self, path: &str) -> bool {
        self.methods.iter().any(|(of, _)| of == path)
    }
}

fn passed_on(unit: &Unit) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut note = |path: &[rhai::Ident]| found.extend(path.iter().skip(1).map(|part| part.name.to_string()));
    unit.ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => note(&call.namespace.path),
            Some(ASTNode::Expr(Expr::FnCall(call, _))) => note(&call.namespace.path),
            Some(ASTNode::Expr(Expr::Variable(variable, ..))) => note(&variable.2.path),
            _ => {}
        }
        true
    });
    found
}

impl Names {
    /// The names of `unit`. A module may get typed methods from whoever imports it.
    pub fn of(shared: &Shared, unit: &Unit) -> Names {
        let mut functions = defined(unit);
        let others = shared.methods.iter().filter(|(path, _)| *path != unit.path);
        functions.extend(others.map(|(_, method)| method.clone()));
        Names { functions, variables: variables(unit), imports: aliases(unit) }
    }

    /// The module behind `a::`, if it is none of the scripts.
    pub fn native<'l>(&self, library: &'l Library, path: &[&str]) -> Option<&'l Native> {
        let [alias] = path else { return None };
        let [file] = self.imports.get(*alias)?.as_slice() else { return None };
        library.native(file)
    }

    /// The full name of a function of an imported module that is none of the scripts: `testing::assert_eq`.
    pub fn in_native(&self, library: &Library, function: &str) -> Option<String> {
        let has = |files: &[String]| {
            let mut natives = files.iter().filter_map(|file| library.native(file));
            natives.any(|native| !native.signatures().overloads(function).is_empty())
        };
        let (alias, _) = self.imports.iter().find(|(_, files)| has(files))?;
        Some(format!("{alias}::{function}"))
    }

    /// Adds what an entry of a session may use beside its own.
    pub fn with(mut self, workspace: &Workspace) -> Names {
        for unit in workspace.units() {
            self.functions.extend(defined(unit));
        }
        for (name, ..) in workspace.variables() {
            self.variables.insert(name.to_string());
        }
        for import in workspace.imports() {
            if let (Ok(file), false) = (import_path(&import.name), self.imports.contains_key(&import.alias)) {
                self.imports.insert(import.alias.clone(), vec![file]);
            }
        }
        self
    }

    /// The unit behind `a::b`, if it is loaded.
    pub fn module(&self, library: &Library, path: &[&str]) -> Option<Arc<Unit>> {
        let (first, rest) = path.split_first()?;
        let mut unit = module_of(library, &self.imports, first)?;
        for alias in rest {
            unit = module_of(library, &aliases(&unit), alias)?;
        }
        Some(unit)
    }
}

/// The unit behind an alias. One alias for two files, in different blocks: which one holds is not known.
fn module_of(library: &Library, imports: &BTreeMap<String, Vec<String>>, alias: &str) -> Option<Arc<Unit>> {
    let [file] = imports.get(alias)?.as_slice() else { return None };
    library.unit(file)
}

/// The functions of a unit, without its closures.
pub fn defined(unit: &Unit) -> Vec<Defined> {
    let functions = unit.ast.iter_functions().filter(|f| !f.name.contains('$'));
    let one = |f: rhai::ScriptFnMetadata| Defined {
        name: f.name.into(),
        params: f.params.iter().map(ToString::to_string).collect(),
        public: f.access == FnAccess::Public,
    };
    let mut all: Vec<Defined> = functions.map(one).collect();
    all.sort_by(|a, b| (&a.name, a.params.len()).cmp(&(&b.name, b.params.len())));
    all
}

/// Methods with a type are visible wherever their script is imported.
fn typed_methods(unit: &Unit) -> Vec<Defined> {
    let typed = unit.ast.iter_functions().filter(|f| f.this_type.is_some());
    let names: BTreeSet<String> = typed.map(|f| f.name.to_string()).collect();
    defined(unit).into_iter().filter(|f| names.contains(&f.name)).collect()
}

fn aliases(unit: &Unit) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    unit.ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(name, _) = &import.0
            && let Ok(file) = import_path(name)
        {
            let files = found.entry(import.1.name.to_string()).or_default();
            if !files.contains(&file) {
                files.push(file);
            }
        }
        true
    });
    found
}

fn variables(unit: &Unit) -> BTreeSet<String> {
    let params = unit.ast.iter_functions().flat_map(|f| f.params);
    let mut found: BTreeSet<String> = params.map(ToString::to_string).collect();
    unit.ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => drop(found.insert(variable.0.name.to_string())),
            Some(ASTNode::Stmt(Stmt::For(each, _))) => drop(found.insert(each.0.name.to_string())),
            _ => {}
        }
        true
    });
    found
}

/// The keys of map literals, and the properties that are assigned to, where a closure may stand.
fn keys_of(unit: &Unit) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    unit.ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(Expr::Map(map, _))) => {
                let held = map.0.iter().filter(|(_, value)| may_be_closure(value));
                keys.extend(held.map(|(key, _)| key.name.to_string()));
            }
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                keys.extend(last_property(&assignment.1.lhs));
            }
            _ => {}
        }
        true
    });
    keys
}

/// `map[name] = |x| ...`
fn has_open_key(unit: &Unit) -> bool {
    let mut found = false;
    unit.ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Assignment(assignment))) = path.last() {
            let target = &assignment.1.lhs;
            let is_variable = matches!(target, Expr::Variable(..));
            found |= is_closure(&assignment.1.rhs) && !is_variable && last_property(target).is_none();
        }
        !found
    });
    found
}

fn may_be_closure(value: &Expr) -> bool {
    use Expr::*;
    let plain = matches!(
        value,
        StringConstant(..)
            | InterpolatedString(..)
            | IntegerConstant(..)
            | FloatConstant(..)
            | BoolConstant(..)
    );
    !(plain || matches!(value, CharConstant(..) | Unit(..) | Array(..) | Map(..) | And(..) | Or(..)))
}

fn last_property(target: &Expr) -> Option<String> {
    match target {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => last_property(&pair.rhs),
        Expr::StringConstant(name, _) => Some(name.to_string()),
        Expr::Property(property, _) => Some(property.2.to_string()),
        _ => None,
    }
}

/// The variables and constants that a unit exports.
pub fn exported(unit: &Unit) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for statement in unit.ast.statements() {
        match statement {
            Stmt::Var(variable, flags, _) if flags.intersects(ASTFlags::EXPORTED) => {
                found.insert(variable.0.name.to_string());
            }
            Stmt::Export(export, _) => {
                let shown = if export.1.name.is_empty() { &export.0.name } else { &export.1.name };
                found.insert(shown.to_string());
            }
            _ => {}
        }
    }
    found
}
