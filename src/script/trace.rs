//! From the engine's errors to ours: what happened in words of scripts, where (paired with the file
//! whose position it is), the calls that led there, and advice.

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext, Position};

use super::context::Ctx;
use super::library::Library;
use super::raise::ScriptError;
use super::signatures::it_takes;
use super::values::friendly_type;
use super::words;
use crate::base::{Error, Frame, Kind, Place};

/// An error that ended the script `entry`.
pub fn script_error(error: EvalAltResult, engine: &Engine, library: &Library, entry: &str) -> Error {
    Walk { engine, library, source: entry.to_string(), frames: Vec::new() }.explain(error)
}

/// An error that ended a closure called by a host function.
pub fn error_in_closure(error: EvalAltResult, context: &NativeCallContext, ctx: &Ctx) -> Error {
    let source = context.call_source().unwrap_or(&ctx.run.entry).to_string();
    Walk { engine: context.engine(), library: &ctx.library, source, frames: Vec::new() }.explain(error)
}

/// Follows an error inwards. Each position belongs to the file of the frame around it.
struct Walk<'a> {
    engine: &'a Engine,
    library: &'a Library,
    source: String,
    frames: Vec<Frame>,
}

impl Walk<'_> {
    fn explain(mut self, error: EvalAltResult) -> Error {
        let leaf = self.descend(error);
        let place = self.place(leaf.position());
        let mut error = self.leaf(leaf);
        self.frames.reverse();
        let mut frames = error.get_trace().to_vec();
        if error.place().is_some() && !frames.iter().any(|f| Some(&f.place) == place.as_ref()) {
            // It happened in a closure that a host function called: that call is a step, too.
            frames.extend(place.clone().map(|place| Frame { function: word_at(&place), place }));
        }
        frames.append(&mut self.frames);
        if let Some(place) = place {
            error = error.at(place);
        }
        error.trace(frames)
    }

    fn descend(&mut self, error: EvalAltResult) -> EvalAltResult {
        match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
                let function = if name.starts_with("anon$") { "closure".into() } else { name };
                self.step(function, position);
                if !source.is_empty() {
                    self.source = source;
                }
                self.descend(*inner)
            }
            EvalAltResult::ErrorInModule(name, inner, position) => {
                self.step(format!("import of {name}"), position);
                self.source = name;
                self.descend(*inner)
            }
            leaf => leaf,
        }
    }

    fn step(&mut self, function: String, position: Position) {
        if let Some(place) = self.place(position) {
            self.frames.push(Frame { function, place });
        }
    }

    fn place(&self, position: Position) -> Option<Place> {
        self.library.place(&self.source, position)
    }

    fn leaf(&self, error: EvalAltResult) -> Error {
        match error {
            EvalAltResult::ErrorRuntime(value, _) | EvalAltResult::ErrorTerminated(value, _) => thrown(value),
            EvalAltResult::ErrorFunctionNotFound(signature, _) => self.unknown_function(&signature),
            EvalAltResult::ErrorParsing(kind, _) => {
                let text = self.library.unit(&self.source).map(|u| u.source.to_string()).unwrap_or_default();
                words::of_syntax(self.engine, &text, &kind)
            }
            other => words::of(&other),
        }
    }

    /// `count_token (string, i64)`: unknown, or known with other arguments.
    fn unknown_function(&self, signature: &str) -> Error {
        let (name, arguments) = signature.split_once('(').unwrap_or((signature, ""));
        let name = name.trim();
        let signatures = self.library.signatures(self.engine);
        let overloads = signatures.overloads(name);
        if overloads.is_empty() {
            return Error::new(Kind::Script, format!("unknown function `{name}`"))
                .or_hint(signatures.advice(name, signatures.names()));
        }
        let arguments = argument_types(arguments.strip_suffix(')').unwrap_or(arguments));
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let (left, right) = arguments.split_once(", ").unwrap_or((&arguments, ""));
            let with = if right.is_empty() { String::new() } else { format!(" and {right}") };
            return Error::new(Kind::Script, format!("`{name}` does not work on {left}{with}")).hint(
                "convert one of them: to_string(), to_int(), to_float(), parse_int(text); see type_of(x)",
            );
        }
        let list: Vec<String> = overloads.iter().map(|s| s.text.clone()).collect();
        Error::new(Kind::Script, format!("`{name}` does not take ({arguments})")).hint(it_takes(name, &list))
    }
}

/// The word that stands at a place: the host function that was called there.
fn word_at(place: &Place) -> String {
    let rest = place.text.chars().skip(place.column.saturating_sub(1));
    let word: String = rest.take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if word.is_empty() { "closure".into() } else { word }
}

/// `&str | ImmutableString | String, i64` -> `string, int`.
fn argument_types(list: &str) -> String {
    let one = |argument: &str| friendly_type(argument.split('|').next_back().unwrap_or(argument).trim());
    list.split(',').map(str::trim).filter(|a| !a.is_empty()).map(one).collect::<Vec<_>>().join(", ")
}

/// What a script or a host function threw.
pub fn thrown(value: Dynamic) -> Error {
    if let Some(ScriptError(error)) = value.clone().try_cast::<ScriptError>() {
        return error;
    }
    if value.is_unit() {
        return Error::new(Kind::Interrupted, "interrupted");
    }
    let Some(map) = value.read_lock::<rhai::Map>() else {
        return Error::new(Kind::Script, value.to_string());
    };
    let text = |key: &str| map.get(key).map(ToString::to_string);
    let message = text("message").unwrap_or_else(|| format!("{map:?}"));
    match text("kind") {
        None => Error::new(Kind::Script, message),
        // A script's own error never ends the run, whatever it calls itself.
        Some(name) => match Kind::from_name(&name).filter(|kind| !kind.stops_the_run()) {
            Some(kind) => Error::new(kind, message),
            None => Error::new(Kind::Script, message).own_kind(name),
        },
    }
}
