//! Option maps written in a call: the type and the range of each value.

use rhai::{Expr, Position};

use super::Finding;
use super::look::{Called, Look};
use super::types::{a, position_of};
use crate::base::{Error, Kind, suggest};
use crate::host::options::{Wants, unknown, wants};
use crate::host::table;
use crate::pipeline::tokens::Encoding;

/// Values that the function will refuse.
pub fn check(look: &Look) -> Vec<Finding> {
    let calls = look.tree.nodes.iter().filter_map(|node| look.called(node));
    calls.flat_map(|called| of_call(look, &called)).collect()
}

/// Where an encoding is named among the arguments.
const ENCODINGS: &[(&str, usize)] =
    &[("count_tokens", 1), ("count_messages_tokens", 1), ("find_max_exchanges_under_limit", 3)];

fn of_call<'a>(look: &Look<'a>, called: &Called<'a>) -> Vec<Finding> {
    let named =
        ENCODINGS.iter().find(|(name, _)| *name == called.name() && !look.is_own(name, called.is_method));
    if let Some((text, position)) = named.and_then(|(_, place)| called.text(*place)) {
        return encoding(look, text, position).into_iter().collect();
    }
    let Some(known) = table::options(called.name()) else { return Vec::new() };
    let Some(entries) = called.argument(known.parameter).and_then(|map| look.entries(map)) else {
        return Vec::new();
    };
    let one = |(key, value): &(rhai::Ident, Expr)| match known.names.contains(&key.name.as_str()) {
        true => wrong(look, called.name(), &key.name, value),
        false => {
            Some(look.finding("unknown-option", key.pos, unknown(called.name(), &key.name, known.names)))
        }
    };
    entries.iter().filter_map(one).collect()
}

fn encoding(look: &Look, name: &str, position: Position) -> Option<Finding> {
    let error = Encoding::named(name).err()?;
    let error = Error::new(Kind::Script, error.message()).or_hint(error.get_hint().map(str::to_string));
    Some(look.finding("unknown-encoding", position, error))
}

fn wrong(look: &Look, function: &str, option: &str, value: &Expr) -> Option<Finding> {
    let wanted = wants(option)?;
    if let ("encoding", Expr::StringConstant(name, position)) = (option, value) {
        return encoding(look, name, *position);
    }
    let kind = look.type_of(value);
    let fits = match wanted {
        Wants::Text => kind.is_none_or(|kind| kind == "string"),
        Wants::Truth => kind.is_none_or(|kind| kind == "bool"),
        Wants::Number(..) => kind.is_none_or(|kind| ["int", "float"].contains(&kind)),
        Wants::Whole(_) => kind.is_none_or(|kind| kind == "int"),
        Wants::Texts => kind.is_none_or(|kind| ["string", "array"].contains(&kind)),
        Wants::OneOf(_) => kind.is_none_or(|kind| kind == "string"),
        Wants::Closure => kind.is_none_or(|kind| kind == "closure"),
        Wants::Anything => true,
    } || kind == Some("()");
    let message = |found: String| {
        let message = format!("option `{option}` of `{function}` must be {}, not {found}", wanted.words());
        let error = Error::new(Kind::Script, message).or_hint(example(option, wanted));
        look.finding("wrong-option", position_of(value), error)
    };
    if !fits {
        return Some(message(kind.map(a).unwrap_or_default()));
    }
    if let (Wants::OneOf(names), Expr::StringConstant(text, _)) = (wanted, value)
        && !names.contains(&text.as_str())
    {
        let finding = message(format!("\"{text}\""));
        let near = suggest::nearest(text, names.iter().copied());
        let hint = near.map(|near| format!("did you mean \"{near}\"?"));
        return Some(match hint {
            Some(hint) => Finding { error: finding.error.hint(hint), ..finding },
            None => finding,
        });
    }
    let number = literal_number(value)?;
    let within = match wanted {
        Wants::Whole(least) => number >= least as f64,
        Wants::Number(least, most) => (least..=most).contains(&number),
        _ => true,
    };
    (!within).then(|| message(number.to_string()))
}

/// How the option is written.
fn example(option: &str, wanted: Wants) -> Option<String> {
    let value = match wanted {
        Wants::Text | Wants::Texts => "\"...\"".into(),
        Wants::Truth => "true".into(),
        Wants::Number(least, _) => format!("{:.1}", least + 0.1),
        Wants::Whole(least) => least.max(4).to_string(),
        Wants::OneOf(names) => format!("\"{}\"", names.first()?),
        Wants::Closure => "|element| ...".into(),
        Wants::Anything => return None,
    };
    Some(format!("write `{option}: {value}`"))
}

/// A number that is written out, with its sign.
pub fn literal_number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::IntegerConstant(number, _) => Some(*number as f64),
        Expr::FloatConstant(number, _) => Some(**number),
        Expr::FnCall(call, _) if call.name == "-" && call.args.len() == 1 => {
            literal_number(&call.args[0]).map(|number| -number)
        }
        _ => None,
    }
}
