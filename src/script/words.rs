//! What the language itself has to say, in words of scripts, with advice: errors of syntax, of types, of
//! limits.

use rhai::{Engine, EvalAltResult, LexError, ParseError, ParseErrorType, Position, Token};

use super::habits;
use super::tokens::Tokens;
use super::values::friendly_type;
use crate::base::{Error, Kind, Place, suggest};

/// A syntax error, with advice.
pub fn parse_error(engine: &Engine, path: &str, text: &str, error: &ParseError) -> Error {
    placed(engine, path, text, error).code(code(error.err_type()))
}

/// What sort of mistake it is.
fn code(kind: &ParseErrorType) -> &'static str {
    match kind {
        ParseErrorType::Reserved(_) => "reserved-word",
        ParseErrorType::VariableUndefined(_) => "unknown-variable",
        ParseErrorType::ModuleUndefined(_) => "unknown-module",
        ParseErrorType::AssignmentToConstant(_) => "constant-assigned",
        ParseErrorType::DuplicatedProperty(_) => "duplicate-key",
        ParseErrorType::FnDuplicatedDefinition(..) => "duplicate-function",
        _ => "syntax",
    }
}

fn placed(engine: &Engine, path: &str, text: &str, error: &ParseError) -> Error {
    let wording = of_syntax(engine, text, error.err_type());
    let position = error.position();
    let line = position.line().unwrap_or_else(|| text.lines().count().max(1));
    if text.lines().skip(line - 1).all(|rest| rest.trim().is_empty())
        && let Some(open) = never_closed(engine, text)
    {
        let place = Place::new(path, text, open.line().unwrap_or(1), open.position().unwrap_or(0));
        return Error::new(Kind::Script, "this is never closed").hint(wording.message()).at(place);
    }
    let column = position.position().unwrap_or(0);
    let wording = match advice(text, line, column, error.err_type()) {
        Some(hint) if !is_hidden_let(engine, text, error.err_type()) => wording.hint(hint),
        _ => wording,
    };
    wording.at(Place::new(path, text, line, column))
}

/// Advice from what stands at the error.
fn advice(text: &str, line: usize, column: usize, kind: &ParseErrorType) -> Option<String> {
    if matches!(kind, ParseErrorType::AssignmentToConstant(_)) {
        return None;
    }
    let written = text.lines().nth(line - 1)?;
    let at = written.char_indices().nth(column.checked_sub(1)?)?.0;
    let (before, rest) = written.split_at(at);
    if let ParseErrorType::Reserved(word) = kind {
        return habits::of_reserved(before, rest, word);
    }
    let missing_end = matches!(kind, ParseErrorType::MissingToken(end, _) if end == ";");
    habits::of_syntax(before, rest).or_else(|| {
        let at_start = before.trim().is_empty();
        (missing_end && at_start).then(|| "the statement before it has no `;` at its end".into())
    })
}

/// Whether the error is a top-level `let` that a function reads, which has advice of its own.
fn is_hidden_let(engine: &Engine, text: &str, kind: &ParseErrorType) -> bool {
    let ParseErrorType::VariableUndefined(name) = kind else { return false };
    identifiers(engine, text).iter().any(|word| word.name == *name && word.declared.is_some())
}

/// The words of a syntax error, and advice.
pub fn of_syntax(engine: &Engine, text: &str, kind: &ParseErrorType) -> Error {
    let (message, hint) = parse_message(engine, text, kind);
    Error::new(Kind::Script, message).or_hint(hint)
}

/// The words of an error of the language itself, and advice.
pub fn of(error: &EvalAltResult) -> Error {
    limit_error(error).unwrap_or_else(|| language_error(error))
}

fn limit_error(error: &EvalAltResult) -> Option<Error> {
    use EvalAltResult::*;
    let (message, setting) = match error {
        ErrorTooManyOperations(_) => ("this runs too long: more operations than allowed", "operations"),
        ErrorStackOverflow(_) => {
            let hint = "does a function call itself without an end?";
            return Some(limit("calls are nested too deeply", hint, "call_levels"));
        }
        ErrorDataTooLarge(what, _) => {
            let lower = what.to_lowercase();
            let what =
                ["string", "array", "map"].into_iter().find(|word| lower.contains(word)).unwrap_or("string");
            let setting = if what == "string" { "string_bytes".into() } else { format!("{what}_size") };
            let article = if what == "array" { "an" } else { "a" };
            return Some(limit(&format!("{article} {what} has grown too large"), ENDLESS, &setting));
        }
        ErrorTooManyModules(_) => ("too many modules are imported", "modules"),
        ErrorTooManyVariables(_) => ("too many variables", "variables"),
        _ => return None,
    };
    Some(limit(message, ENDLESS, setting))
}

const ENDLESS: &str = "is it an endless loop?";

fn limit(message: &str, question: &str, setting: &str) -> Error {
    let hint = format!("{question} Otherwise raise limits.{setting} in config/fthost.yaml");
    Error::new(Kind::Limit, message).hint(hint)
}

/// An error of the language itself, its words without the position that we show ourselves.
fn language_error(error: &EvalAltResult) -> Error {
    use EvalAltResult::*;
    let full = error.to_string();
    let message = full.split(" (line ").next().unwrap_or(&full);
    let (message, hint) = match error {
        ErrorDataRace(..) => (
            message.to_string(),
            "a closure holds the value that its method is called on: write `parallel_map(items, |x| ...)` in place of \
             `items.parallel_map(...)`, or copy the value first (`let copy = x;`)",
        ),
        ErrorMismatchDataType(expected, found, _) => {
            let (expected, found) = (friendly_type(expected), friendly_type(found));
            (format!("this is {found}, where {expected} is needed"), "check the value with `type_of(x)`")
        }
        ErrorDotExpr(text, _) => match unknown_property(text) {
            Some((property, "()")) => (
                format!("there is nothing here to take `{property}` of: the value before it is ()"),
                "a key that a map does not have gives (): write `x?.key ?? default`",
            ),
            Some((property, kind)) => {
                (format!("a value of type {} has no `{property}`", friendly_type(kind)), "")
            }
            None => (message.to_string(), ""),
        },
        ErrorIndexingType(text, _) => match text.split_once(" [") {
            Some(("()", _)) => (
                "there is nothing here to take an element of: the value before it is ()".into(),
                "a key that a map does not have gives (): write `x?[0] ?? default`",
            ),
            Some((kind, index)) => {
                let (kind, index) = (friendly_type(kind), friendly_type(index.trim_end_matches(']')));
                (format!("{kind} has no elements to be taken by {index}"), "")
            }
            None => (message.to_string(), ""),
        },
        ErrorNonPureMethodCallOnConstant(name, _) => {
            (format!("`{name}` would change a constant"), "copy it first: `let mine = CONSTANT;`")
        }
        _ => (message.to_string(), ""),
    };
    let hint = Some(hint).filter(|hint| !hint.is_empty()).map(str::to_string);
    Error::new(Kind::Script, lower_first(&plain_words(&message))).or_hint(hint)
}

/// `Unknown property 'x' - a getter is not registered for type 'T'` -> (x, T).
fn unknown_property(text: &str) -> Option<(&str, &str)> {
    let mut quoted = text.strip_prefix("Unknown property '")?.split('\'');
    Some((quoted.next()?, quoted.nth(1)?))
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
        ParseErrorType::AssignmentToConstant(name) => {
            let hint = format!("declare it with `let {name} = ...;` if it is to change");
            (lower_first(&plain_words(&kind.to_string())), Some(hint))
        }
        ParseErrorType::DuplicatedProperty(_) => {
            (lower_first(&plain_words(&kind.to_string())), Some("remove one of them".into()))
        }
        ParseErrorType::FnDuplicatedDefinition(..) => {
            let hint = "functions of one name differ in their number of parameters: rename one, or remove it";
            (lower_first(&plain_words(&kind.to_string())), Some(hint.into()))
        }
        ParseErrorType::MismatchedType(wanted, _) => {
            let hint = match wanted.contains("iterable") {
                true => "write `for i in 0..n { ... }`",
                false => {
                    "nothing but `true` and `false` is true or false: write `x != 0`, `!x.is_empty()`, or for \
                          several values `x in [\"a\", \"b\"]`"
                }
            };
            (lower_first(&plain_words(&kind.to_string())), Some(hint.into()))
        }
        ParseErrorType::BadInput(LexError::UnexpectedInput(found)) => {
            (format!("`{found}` cannot stand here"), character_hint(found))
        }
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            let hint =
                "end it with \" on the same line; a text of several lines stands between backticks: `...`";
            ("this text has no end".into(), Some(hint.into()))
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, why)) if why.contains("is disabled") => {
            (format!("`{symbol}` is not available to scripts"), None)
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
    if first == '\u{feff}' {
        return Some("this is a byte order mark: save the file as UTF-8 without one".into());
    }
    let hint = "names are made of the letters a to z, digits and _";
    first.is_alphabetic().then(|| hint.into())
}

/// Why a variable is unknown: most often a top-level `let` read in a function, or a slip.
fn variable_hint(engine: &Engine, text: &str, name: &str) -> Option<String> {
    let words = identifiers(engine, text);
    match words.iter().filter(|word| word.name == name).find_map(|word| word.declared) {
        Some(Declared::Variable) => {
            return Some(format!(
                "a function does not see a top-level `let`: pass `{name}` as a parameter, or declare it as \
                 `const {name}` and write `global::{name}`"
            ));
        }
        Some(Declared::Constant) => {
            return Some(format!(
                "a function sees the script's constants by `global::`: write `global::{name}`"
            ));
        }
        None => {}
    }
    let others = words.iter().map(|word| word.name.as_str()).filter(|word| *word != name);
    let near = suggest::nearest(name, others).map(|name| format!("did you mean `{name}`?"));
    near.or_else(|| Some(format!("declare it before this, in this block or around it: `let {name} = ...;`")))
}

/// The innermost bracket that is still open where the text ends.
fn never_closed(engine: &Engine, text: &str) -> Option<Position> {
    let mut open = Vec::new();
    for (token, position) in Tokens::of(engine, text).all() {
        match token {
            Token::LeftBrace | Token::MapStart | Token::LeftParen | Token::LeftBracket => {
                open.push(*position)
            }
            Token::RightBrace | Token::RightParen | Token::RightBracket => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}

struct Word {
    name: String,
    /// How it is declared at the top of the script, where this is that place.
    declared: Option<Declared>,
}

#[derive(Clone, Copy, PartialEq)]
enum Declared {
    Variable,
    Constant,
}

/// The identifiers of a text, by its tokens: it may not parse.
fn identifiers(engine: &Engine, text: &str) -> Vec<Word> {
    let (mut depth, mut declares, mut words) = (0usize, None, Vec::new());
    for (token, _) in Tokens::of(engine, text).all() {
        match token {
            Token::LeftBrace | Token::MapStart => depth += 1,
            Token::RightBrace => depth = depth.saturating_sub(1),
            Token::Identifier(name) => {
                words.push(Word { name: name.to_string(), declared: declares.filter(|_| depth == 0) });
            }
            _ => {}
        }
        declares = match token {
            Token::Let => Some(Declared::Variable),
            Token::Const => Some(Declared::Constant),
            _ => None,
        };
    }
    words
}
