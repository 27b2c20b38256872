//! Every call in a script, also in branches that never run, held against what can be called.

use std::sync::Arc;

use rhai::Position;

use super::look::Look;
use super::names::{self, Defined, Names, Shared};
use super::{Finding, Severity, points};
use crate::base::config::kinds::kind_of;
use crate::base::{Error, Kind, suggest};
use crate::host::Session;
use crate::script::calls::{Call, for_each_call, named_in_calls};
use crate::script::library::{Library, Native, Unit, place_in};
use crate::script::signatures::{self, Signatures};

/// The calls that cannot work.
pub fn check(look: &Look) -> Vec<Finding> {
    let session = look.session;
    let library = session.engine.library();
    let signatures = library.signatures(session.engine.engine());
    let (unit, names, shared) = (look.tree.unit, look.names, look.shared);
    let mut check = Check { session, library, signatures, unit, names, shared, findings: Vec::new() };
    for_each_call(unit, &mut |call| check.call(call));
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
    names: &'a Names,
    shared: &'a Shared,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn found(&mut self, code: &'static str, position: Position, error: Error) {
        self.findings.push(Finding::of(code, error.at(place_in(self.unit, position))));
    }

    fn call(&mut self, call: Call) {
        if !call.expr.namespace.is_empty() {
            return self.module_call(&call);
        }
        self.plain_call(&call);
        if !call.is_method {
            self.setting(&call);
        }
        // A test may well ask for what is not there, to see the error.
        if !call.is_method && !self.unit.path.starts_with("tests/") {
            self.backend(&call);
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
        let point = points::find(call.name());
        if let (true, Some(point)) = (named.is_empty(), point) {
            let own: Vec<&str> = functions.iter().map(|f| f.name.as_str()).collect();
            self.found("missing-point", call.position, point.missing(&module, &own));
        } else if named.is_empty() {
            let known = functions.iter().map(|f| f.name.as_str());
            let error =
                Error::new(Kind::Script, format!("{} has no function `{}`", module.path, call.name())).hint(
                    match functions.is_empty() {
                        true => "it has no functions that others may call".into(),
                        false => suggest::hint(call.name(), known),
                    },
                );
            self.found("unknown-function", call.position, error);
        } else if named.iter().all(|f| f.params.len() != call.count())
            && !point.is_some_and(|point| point.is_told_in(&module) && point.params.len() == call.count())
        {
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
        if let (true, Some(point)) = (!call.is_method, points::find(name))
            && own.iter().all(|f| f.params.len() != call.count())
            && point.is_told_in(self.unit)
        {
            if own.is_empty() {
                let known: Vec<&str> = self.names.functions.iter().map(|f| f.name.as_str()).collect();
                self.found("missing-point", call.position, point.missing(self.unit, &known));
            }
            return;
        }
        let overloads = self.signatures.overloads(name);
        let in_map = call.is_method && (self.shared.any_key || self.shared.keys.contains(name));
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
