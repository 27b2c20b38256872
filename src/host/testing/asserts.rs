//! What a test holds to be true, and the words when it is not.

use rhai::{Dynamic, FnPtr, NativeCallContext};
use serde_json::Value;

use super::compare::{self, folded, line_diff};
use super::{test, text};
use crate::base::{Error, Kind, Result};
use crate::script::{Ctx, ScriptError, trace, values};
use crate::store::snapshots::{Compared, Snapshots};

/// Lines of a text that are shown of one that lacks something.
const LINES: usize = 12;

/// Characters of each of them.
const LINE: usize = 120;

/// The error of an assertion that does not hold; `said` is what the test says of it.
fn failed(said: &str, what: String) -> Error {
    let said = if said.is_empty() { String::new() } else { format!("{said}: ") };
    Error::new(Kind::Test, format!("{said}{what}"))
}

/// A value that can be compared.
fn plain(value: &Dynamic) -> Result<Value> {
    values::to_json(value).map_err(|e| {
        Error::new(Kind::Argument, format!("this cannot be compared: {}", e.message()))
            .hint("compare plain values: texts, numbers, true/false, arrays, maps")
    })
}

/// Only in a test.
fn in_test(context: &NativeCallContext) -> Result<()> {
    test(&Ctx::of(context)?).map(drop)
}

pub(super) fn holds(context: &NativeCallContext, condition: &Dynamic, said: &str) -> Result<()> {
    in_test(context)?;
    match condition.as_bool() {
        Ok(true) => Ok(()),
        Ok(false) if said.is_empty() => Err(Error::new(Kind::Test, "the assertion does not hold")),
        Ok(false) => Err(Error::new(Kind::Test, format!("the assertion does not hold: {said}"))),
        Err(_) => Err(Error::new(
            Kind::Argument,
            format!("`assert` takes true or false, not {}", values::type_name(condition)),
        )
        .hint("write a comparison: testing::assert(x > 0), or testing::assert_eq(x, 1)")),
    }
}

pub(super) fn equal(
    context: &NativeCallContext,
    actual: &Dynamic,
    expected: &Dynamic,
    said: &str,
) -> Result<()> {
    in_test(context)?;
    match compare::difference(&plain(actual)?, &plain(expected)?) {
        None => Ok(()),
        Some(difference) => Err(failed(said, difference)),
    }
}

pub(super) fn differ(
    context: &NativeCallContext,
    actual: &Dynamic,
    other: &Dynamic,
    said: &str,
) -> Result<()> {
    in_test(context)?;
    let (actual, other) = (plain(actual)?, plain(other)?);
    match compare::difference(&actual, &other) {
        Some(_) => Ok(()),
        None => Err(failed(said, format!("both values are {}", folded(&actual)))),
    }
}

pub(super) fn contains(context: &NativeCallContext, whole: &Dynamic, part: &Dynamic) -> Result<()> {
    in_test(context)?;
    let (whole, part) = (plain(whole)?, plain(part)?);
    let (found, what) = match (&whole, &part) {
        (Value::String(whole), Value::String(part)) => (whole.contains(part), "text"),
        (Value::Array(items), part) => (items.iter().any(|item| compare::same(item, part)), "array"),
        (Value::Object(map), Value::String(key)) => (map.contains_key(key), "map"),
        _ => {
            return Err(Error::new(
                Kind::Argument,
                "`assert_contains` looks for a text in a text, for an element in an array, for a key in a map",
            ));
        }
    };
    match (found, &whole) {
        (true, _) => Ok(()),
        (false, Value::String(text)) => {
            Err(failed("", format!("the text does not contain {}\n{}", folded(&part), beginning(text))))
        }
        (false, whole) => {
            Err(failed("", format!("the {what} does not contain {}: {}", folded(&part), folded(whole))))
        }
    }
}

/// The first lines of a text.
fn beginning(text: &str) -> String {
    if text.is_empty() {
        return "  (the text is empty)".into();
    }
    let cut = |line: &str| match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("  | {}...", &line[..end]),
        None => format!("  | {line}"),
    };
    let mut lines: Vec<String> = text.lines().take(LINES).map(cut).collect();
    let left_out = text.lines().count().saturating_sub(LINES);
    if left_out > 0 {
        lines.push(format!("  ... {left_out} more lines"));
    }
    lines.join("\n")
}

pub(super) fn near(
    context: &NativeCallContext,
    actual: &Dynamic,
    expected: &Dynamic,
    tolerance: &Dynamic,
) -> Result<()> {
    in_test(context)?;
    let number = |value: &Dynamic| {
        let not = || {
            Error::new(
                Kind::Argument,
                format!("`assert_near` takes numbers, not {}", values::type_name(value)),
            )
        };
        values::number(value).ok_or_else(not)
    };
    let (a, b, most) = (number(actual)?, number(expected)?, number(tolerance)?);
    // NaN is near nothing.
    match (a - b).abs() <= most {
        true => Ok(()),
        false => Err(failed("", format!("{a} is {} from {b}, more than {most}", (a - b).abs()))),
    }
}

pub(super) fn throws(
    context: &NativeCallContext,
    closure: Dynamic,
    expected: Option<Dynamic>,
) -> Result<ScriptError> {
    let ctx = Ctx::of(context)?;
    test(&ctx)?;
    let expected = expected.map(|expected| text("assert_error", "second argument", &expected)).transpose()?;
    let Some(function) = closure.clone().try_cast::<FnPtr>() else {
        let found = values::type_name(&closure);
        return Err(Error::new(Kind::Argument, format!("`assert_error` takes a closure, not {found}"))
            .hint("put what is to fail behind ||: testing::assert_error(|| load_yaml(\"nothing.yaml\"), \"not_found\")"));
    };
    let error = match function.call_within_context::<Dynamic>(context, ()) {
        Ok(value) => return Err(failed("", format!("no error was thrown, but {} came back", shown(&value)))),
        Err(error) => trace::error_in_closure(*error, context, &ctx),
    };
    let fits = |part: &String| error.kind_name() == part || error.message().contains(part);
    match expected {
        // What ends a test is not for it to catch.
        _ if error.kind() == Kind::Test => Err(error),
        Some(part) if !fits(&part) => Err(failed("", another(&part, &error))),
        _ => Ok(ScriptError(error)),
    }
}

fn shown(value: &Dynamic) -> String {
    values::to_json(value).map_or_else(|_| values::type_name(value), |value| folded(&value))
}

fn another(expected: &str, error: &Error) -> String {
    let place = error.place().map(|place| format!("\n  at {place}")).unwrap_or_default();
    format!(
        "another error came than {expected:?}\n  kind:    {}\n  message: {}{place}",
        error.kind_name(),
        error.message()
    )
}

pub(super) fn is_as_kept(context: &NativeCallContext, name: &Dynamic, value: &Dynamic) -> Result<()> {
    let ctx = Ctx::of(context)?;
    let test = test(&ctx)?;
    let path = Snapshots::path(&test.file, &text("assert_snapshot", "name", name)?);
    let now = match plain(value)? {
        Value::String(text) => text,
        other => serde_json::to_string_pretty(&other)
            .map_err(|e| Error::new(Kind::Internal, format!("a value cannot be written: {e}")))?,
    };
    let update = "`fthost test --update` writes it; look at what it wrote before you keep it";
    match test.snapshots.compare(&path, &now)? {
        Compared::Same => Ok(()),
        Compared::Missing => Err(failed("", format!("there is no snapshot {path}")).hint(update)),
        Compared::Differs(kept) => {
            let diff = line_diff(&now, &kept);
            Err(failed("", format!("the value is not as in {path}\n{diff}"))
                .hint(format!("if it is right as it is now: {update}")))
        }
        Compared::Twice => Err(failed("", format!("two tests write {path}, and not the same"))
            .hint("give each snapshot of a test file a name of its own")),
    }
}
