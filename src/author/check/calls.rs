//! Every call in a script, also in branches that never run, held against what can be called.

use std::sync::Arc;

use rhai::{Expr, Position};

use super::names::{self, Defined, Names};
use super::{Finding, Severity};
use crate::base::config::kinds::kind_of;
use crate::base::{Error, Kind, suggest};
use crate::host::{Session, options, table};
use crate::script::calls::{Call, for_each_call, named_in_calls};
use crate::script::library::{Library, Native, Unit, place_in};
use crate::script::signatures::{self, Signatures};

/// The functions whose first argument names a file that must be there before the run.
const READERS: &[&str] = &["render", "load_rubric", "load_yaml", "load_schema"];

/// The mistakes of one unit.
pub fn check(session: &Session, unit: &Unit) -> Vec<Finding> {
    check_with(session, unit, Names::of(session.engine.library(), unit))
}

/// The mistakes of one unit that knows these names.
pub fn check_with(session: &Session, unit: &Unit, names: Names) -> Vec<Finding> {
    let library = session.engine.library();
    let signatures = library.signatures(session.engine.engine());
    let mut check = Check { session, library, signatures, unit, names, findings: Vec::new() };
    for_each_call(unit, &mut |call| check.call(call));
    // Functions and the cases of a `switch` are walked in no order.
    check.findings.sort_by_key(|finding| finding.error.place().map(|place| (place.line, place.column)));
    check.findings
}

/// The keys of all `setting(...)` calls in these units: what `-s` may set.
pub fn settings_read(units: &[Arc<Unit>]) -> Vec<String> {
    named_in_calls(units, &["setting"])
}

struct Check<'a> {
    session: &'a Session,
    library: &'a Library,
    signatures: &'a Signatures,
    unit: &'a Unit,
    names: Names,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn found(&mut self, code: &'static str, position: Position, error: Error) {
        self.findings.push(Finding::error(code, error.at(place_in(self.unit, position))));
    }

    fn call(&mut self, call: Call) {
        if !call.expr.namespace.is_empty() {
            return self.module_call(&call);
        }
        self.plain_call(&call);
        self.options(&call);
        if !call.is_method {
            self.setting(&call);
        }
        // A test may well ask for what is not there, to see the error.
        if !call.is_method && !self.unit.path.starts_with("tests/") {
            self.backend(&call);
            self.file(&call);
        }
    }

    /// `prompts::x(...)`
    fn module_call(&mut self, call: &Call) {
        let path: Vec<&str> = call.expr.namespace.path.iter().map(|part| part.name.as_str()).collect();
        if let Some(native) = self.names.native(self.library, &path) {
            return self.native_call(call, native);
        }
        let Some(module) = self.names.module(self.library, &path) else { return };
        let functions: Vec<Defined> = names::defined(&module).into_iter().filter(|f| f.public).collect();
        let named: Vec<&Defined> = functions.iter().filter(|f| f.name == call.name()).collect();
        if named.is_empty() {
            let known = functions.iter().map(|f| f.name.as_str());
            let error =
                Error::new(Kind::Script, format!("{} has no function `{}`", module.path, call.name()))
                    .hint(suggest::hint(call.name(), known));
            self.found("unknown-function", call.position, error);
        } else if named.iter().all(|f| f.params.len() != call.count()) {
            let shown: Vec<String> = named.iter().map(|f| f.shown()).collect();
            let error = wrong_count(call).hint(signatures::one_of(&shown));
            self.found("wrong-argument-count", call.position, error);
        }
    }

    /// `testing::x(...)`
    fn native_call(&mut self, call: &Call, native: &Native) {
        let overloads = native.signatures().overloads(call.name());
        if overloads.is_empty() {
            let error =
                Error::new(Kind::Script, format!("{} has no function `{}`", native.path, call.name()))
                    .hint(suggest::hint(call.name(), native.signatures().names()));
            self.found("unknown-function", call.position, error);
        } else if overloads.iter().all(|overload| overload.arity != call.count()) {
            let shown: Vec<String> = overloads.iter().map(|overload| overload.text.clone()).collect();
            self.found(
                "wrong-argument-count",
                call.position,
                wrong_count(call).hint(signatures::one_of(&shown)),
            );
        }
    }

    fn plain_call(&mut self, call: &Call) {
        let (name, count) = (call.name(), call.count());
        let own: Vec<&Defined> = self.names.functions.iter().filter(|f| f.name == name).collect();
        let overloads = self.signatures.overloads(name);
        let in_map = call.is_method && self.names.keys.contains(name);
        // A script's own function called as a method has its object in `this`.
        let fits = own.iter().any(|f| f.params.len() == call.expr.args.len())
            || overloads.iter().any(|overload| overload.arity == count)
            || names::keyword(name).is_some_and(|(least, most)| (least..=most).contains(&count))
            || in_map;
        if fits {
            return;
        }
        if own.is_empty() && overloads.is_empty() && names::keyword(name).is_none() {
            let error = self.unknown(call);
            return self.found(
                if call.is_method { "unknown-method" } else { "unknown-function" },
                call.position,
                error,
            );
        }
        let theirs: Vec<String> = overloads.iter().map(|o| o.text.clone()).collect();
        let hint = match own.is_empty() {
            true => signatures::it_takes(name, &theirs),
            false => signatures::one_of(&own.iter().map(|f| f.shown()).chain(theirs).collect::<Vec<_>>()),
        };
        self.found("wrong-argument-count", call.position, wrong_count(call).hint(hint));
        // The object may be a map from elsewhere that holds a closure of this name.
        if call.is_method && !self.library.is_host_name(name) {
            self.findings.iter_mut().next_back().into_iter().for_each(|f| f.severity = Severity::Warning);
        }
    }

    fn unknown(&self, call: &Call) -> Error {
        let what = if call.is_method { "method" } else { "function" };
        let error = Error::new(Kind::Script, format!("unknown {what} `{}`", call.name()));
        if !call.is_method && self.names.variables.contains(call.name()) {
            return error
                .hint(format!("a closure in a variable is called like this: {}.call(...)", call.name()));
        }
        if let Some(name) = self.names.in_native(self.library, call.name()).filter(|_| !call.is_method) {
            return error.hint(format!("write `{name}(...)`"));
        }
        let mut known: Vec<&str> = self.names.functions.iter().map(|f| f.name.as_str()).collect();
        known.extend(self.signatures.names());
        known.extend(names::keywords());
        error.or_hint(self.signatures.advice(call.name(), known))
    }

    /// Unknown keys of a map that is written where options are expected.
    fn options(&mut self, call: &Call) {
        let Some(known) = table::options(call.name()) else { return };
        let Some(Expr::Map(map, _)) = call.argument(known.parameter) else { return };
        for (key, _) in map.0.iter().filter(|(key, _)| !known.names.contains(&key.name.as_str())) {
            let error = options::unknown(call.name(), &key.name, known.names);
            self.found("unknown-option", key.pos, error);
        }
    }

    fn setting(&mut self, call: &Call) {
        if call.is("setting")
            && call.text(0).is_none()
            && let Some(key) = call.argument(0)
        {
            let error = Error::new(Kind::Script, "the key of a setting must be a plain text")
                .hint("write setting(\"turns\", 12), so that a misspelled -s is found before the run");
            self.found("setting-key", key.start_position(), error);
        }
    }

    fn backend(&mut self, call: &Call) {
        let config = &self.session.world.config;
        let asks = call.is("get_backend") || call.is("get_backends");
        let Some(name) = call.text(0).filter(|_| asks) else { return };
        let is_kind = kind_of(name).is_some() && (call.count() == 2 || name == "offline");
        if let Err(error) = config.choices(name)
            && !is_kind
        {
            let error =
                Error::new(Kind::Script, error.message()).or_hint(error.get_hint().map(str::to_string));
            self.found("unknown-backend", call.expr.args[0].start_position(), error);
        }
    }

    /// A file that is named plainly must be there; what lies in data/ may be made by the run.
    fn file(&mut self, call: &Call) {
        let reads = READERS.iter().any(|name| call.is(name));
        let Some(path) = call.text(0).filter(|path| reads && !path.starts_with("data/")) else { return };
        let project = &self.session.world.project;
        if project.exists(path).unwrap_or(false) {
            return;
        }
        if let Err(error) = project.read_text(path) {
            let error =
                Error::new(Kind::Script, error.message()).or_hint(error.get_hint().map(str::to_string));
            self.found("missing-file", call.expr.args[0].start_position(), error);
        }
    }
}

/// A call whose number of arguments no overload has.
fn wrong_count(call: &Call) -> Error {
    let given = arguments(call.expr.args.len());
    Error::new(Kind::Script, format!("`{}` cannot be called with {given}", call.name()))
}

fn arguments(count: usize) -> String {
    match count {
        0 => "no arguments".into(),
        1 => "1 argument".into(),
        n => format!("{n} arguments"),
    }
}
