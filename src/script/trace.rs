//! From the engine's errors to ours: what happened in words of scripts, where (paired with the file
//! whose position it is), the calls that led there, and advice.

use rhai::{
    Dynamic, Engine, EvalAltResult, LexError, NativeCallContext, ParseError, ParseErrorType, Position, Token,
};

use super::context::Ctx;
use super::library::Library;
use super::raise::ScriptError;
use super::signatures::it_takes;
use super::values::friendly_type;
use crate::base::{Error, Frame, Kind, Place, suggest};

/// An error that ended the script `entry`.
pub fn script_error(error: EvalAltResult, engine: &Engine, library: &Library, entry: &str) -> Error {
    Walk { engine, library, source: entry.to_string(), frames: Vec::new() }.explain(error)
}

/// An error that ended a closure called by a host function.
pub fn error_in_closure(error: EvalAltResult, context: &NativeCallContext, ctx: &Ctx) -> Error {
    let source = context.call_source().unwrap_or(&ctx.run.entry).to_string();
    Walk { engine: context.engine(), library: &ctx.library, source, frames: Vec::new() }.explain(error)
}

/// A syntax error, with advice.
pub fn parse_error(engine: &Engine, _library: &Library, path: &str, text: &str, error: &ParseError) -> Error {
    let (message, hint) = parse_message(engine, text, error.err_type());
    let position = error.position();
    let line = position.line().unwrap_or_else(|| text.lines().count().max(1));
    if text.lines().skip(line - 1).all(|rest| rest.trim().is_empty())
        && let Some(open) = never_closed(engine, text)
    {
        let place = Place::new(path, text, open.line().unwrap_or(1), open.position().unwrap_or(0));
        return Error::new(Kind::Script, "this is never closed").hint(message).at(place);
    }
    let place = Place::new(path, text, line, position.position().unwrap_or(0));
    Error::new(Kind::Script, message).or_hint(hint).at(place)
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
                let (message, hint) = parse_message(self.engine, &text, &kind);
                Error::new(Kind::Script, message).or_hint(hint)
            }
            other => limit_error(&other).unwrap_or_else(|| language_error(&other)),
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
        let arguments = argument_types(arguments.trim_end_matches(')'));
        let list: Vec<String> = overloads.iter().map(|s| s.text.clone()).collect();
        Error::new(Kind::Script, format!("`{name}` does not take ({arguments})")).hint(it_takes(&list))
    }
}

/// The word that stands at a place: the host function that was called there.
fn word_at(place: &Place) -> String {
    let rest = place.text.chars().skip(place.column.saturating_sub(1));
    let word: String = rest.take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if word.is_empty() { "closure".into() } else { word }
}

/// "did you mean `x`?"
pub fn did_you_mean(name: Option<&str>) -> Option<String> {
    name.map(|name| format!("did you mean `{name}`?"))
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

fn limit_error(error: &EvalAltResult) -> Option<Error> {
    use EvalAltResult::*;
    let (message, setting) = match error {
        ErrorTooManyOperations(_) => ("this runs too long: more operations than allowed", "operations"),
        ErrorStackOverflow(_) => ("calls are nested too deeply", "call_levels"),
        ErrorDataTooLarge(what, _) => {
            let message = format!("too large: {}", what.to_lowercase());
            let lower = what.to_lowercase();
            let setting = ["string", "array", "map"].iter().find(|word| lower.contains(**word));
            return Some(limit(
                &message,
                &match setting {
                    Some(&"string") | None => "string_bytes".to_string(),
                    Some(what) => format!("{what}_size"),
                },
            ));
        }
        ErrorTooManyModules(_) => ("too many modules are imported", "modules"),
        ErrorTooManyVariables(_) => ("too many variables", "variables"),
        _ => return None,
    };
    Some(limit(message, setting))
}

fn limit(message: &str, setting: &str) -> Error {
    let hint = format!("is it an endless loop? Otherwise raise limits.{setting} in config/fthost.yaml");
    Error::new(Kind::Limit, message).hint(hint)
}

/// An error of the language itself, its words without the position that we show ourselves.
fn language_error(error: &EvalAltResult) -> Error {
    let full = error.to_string();
    let message = full.split(" (line ").next().unwrap_or(&full);
    let hint = match error {
        EvalAltResult::ErrorDataRace(..) => Some(
            "a value cannot be changed while a closure that holds it runs: copy it first (`let copy = x;`)",
        ),
        EvalAltResult::ErrorMismatchDataType(..) => Some("check the value with `type_of(x)`"),
        EvalAltResult::ErrorForbiddenVariable(..) => None,
        _ => None,
    };
    Error::new(Kind::Script, lower_first(&plain_words(message))).or_hint(hint.map(str::to_string))
}

/// Type names of the implementation, in words of scripts.
fn plain_words(message: &str) -> String {
    const WORDS: &[(&str, &str)] = &[
        ("&str | ImmutableString | String", "string"),
        ("ImmutableString", "string"),
        ("i64", "int"),
        ("f64", "float"),
    ];
    let words = WORDS.iter().fold(message.to_string(), |text, (from, to)| text.replace(from, to));
    let without_paths = |word: &str| match word.rfind("::") {
        Some(at) if word.chars().all(|c| c.is_alphanumeric() || ":_'".contains(c)) => {
            word[at + 2..].to_string()
        }
        _ => word.to_string(),
    };
    words.split(' ').map(without_paths).collect::<Vec<_>>().join(" ")
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn parse_message(engine: &Engine, text: &str, kind: &ParseErrorType) -> (String, Option<String>) {
    match kind {
        ParseErrorType::VariableUndefined(name) => {
            (format!("unknown variable `{name}`"), variable_hint(engine, text, name))
        }
        ParseErrorType::ModuleUndefined(name) => {
            let hint = format!("import it first: import \"{name}\" as {name};");
            (format!("unknown module `{name}`"), Some(hint))
        }
        ParseErrorType::Reserved(word) => {
            let hint = "it is a reserved word: use another name, or x[\"...\"] for a map's key";
            (format!("`{word}` cannot be used here"), Some(hint.into()))
        }
        ParseErrorType::BadInput(LexError::UnexpectedInput(found)) => {
            (format!("`{found}` cannot stand here"), character_hint(found))
        }
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            let hint =
                "end it with \" on the same line; a text of several lines stands between backticks: `...`";
            ("this text has no end".into(), Some(hint.into()))
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, why)) if !why.is_empty() => {
            (format!("`{symbol}` is not understood: {}", lower_first(why)), None)
        }
        other => (lower_first(&plain_words(&other.to_string())), None),
    }
}

fn character_hint(found: &str) -> Option<String> {
    let first = found.chars().next()?;
    if "“”„‘’«»".contains(first) {
        return Some("texts stand between straight quotes: \"...\"".into());
    }
    let hint = "names are made of the letters a to z, digits and _";
    first.is_alphabetic().then(|| hint.into())
}

/// Why a variable is unknown: most often a top-level `let` read in a function, or a slip.
fn variable_hint(engine: &Engine, text: &str, name: &str) -> Option<String> {
    let words = identifiers(engine, text);
    if words.iter().any(|word| word.name == name && word.top_level_let) {
        return Some(format!(
            "a function does not see a top-level `let`: pass `{name}` as a parameter, or declare it as \
             `const {name}` and write `global::{name}`"
        ));
    }
    did_you_mean(suggest::nearest(name, words.iter().map(|w| w.name.as_str()).filter(|word| *word != name)))
}

/// The innermost bracket that is still open where the text ends.
fn never_closed(engine: &Engine, text: &str) -> Option<Position> {
    let texts = [text];
    let (tokens, _control) = engine.lex(&texts);
    let mut open = Vec::new();
    for (token, position) in tokens.take_while(|(token, _)| !matches!(token, Token::EOF | Token::LexError(_)))
    {
        match token {
            Token::LeftBrace | Token::MapStart | Token::LeftParen | Token::LeftBracket => open.push(position),
            Token::RightBrace | Token::RightParen | Token::RightBracket => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}

struct Word {
    name: String,
    top_level_let: bool,
}

/// The identifiers of a text, by its tokens: it may not parse.
fn identifiers(engine: &Engine, text: &str) -> Vec<Word> {
    let texts = [text];
    let (tokens, _control) = engine.lex(&texts);
    let (mut depth, mut after_let, mut words) = (0usize, false, Vec::new());
    for (token, _) in tokens.take_while(|(token, _)| !matches!(token, Token::EOF | Token::LexError(_))) {
        match &token {
            Token::LeftBrace | Token::MapStart => depth += 1,
            Token::RightBrace => depth = depth.saturating_sub(1),
            Token::Identifier(name) => {
                words.push(Word { name: name.to_string(), top_level_let: after_let && depth == 0 });
            }
            _ => {}
        }
        after_let = matches!(token, Token::Let);
    }
    words
}
