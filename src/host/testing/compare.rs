//! Where two values differ, for a person to read.

use serde_json::{Number, Value};
use similar::{ChangeTag, TextDiff};

/// Characters that are shown of a value.
const SHOWN: usize = 240;

/// Lines around a difference that are shown, too.
const AROUND: usize = 2;

/// Lines of a difference that are shown.
const MOST_LINES: usize = 60;

/// Whether two values are equal. Whole numbers equal those with a fraction, as in scripts.
pub fn same(a: &Value, b: &Value) -> bool {
    find("", a, b).is_none()
}

/// How two values differ, if they do.
pub fn difference(actual: &Value, expected: &Value) -> Option<String> {
    let Found { path, actual: a, expected: e } = find("", actual, expected)?;
    let at = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
    let details = match (a, e) {
        (Some(Value::String(a)), Some(Value::String(e))) if a.contains('\n') || e.contains('\n') => {
            line_diff(a, e)
        }
        (a, e) => {
            let value = |value: Option<&Value>| value.map_or_else(|| "(nothing)".into(), folded);
            format!("  actual:   {}\n  expected: {}", value(a), value(e))
        }
    };
    let all = match path.is_empty() {
        true => String::new(),
        false => format!("\nactual in full:   {}\nexpected in full: {}", folded(actual), folded(expected)),
    };
    Some(format!("the values differ{at}\n{details}{all}"))
}

/// A value in a line, its end left out when it is long.
pub fn folded(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}... ({} characters)", &text[..end], text.chars().count()),
        None => text,
    }
}

/// The lines in which two texts differ.
pub fn line_diff(actual: &str, expected: &str) -> String {
    let diff = TextDiff::from_lines(expected, actual);
    let mut lines = vec!["- expected, + actual".to_string()];
    for (i, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if i > 0 {
            lines.push("  ...".into());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let text = change.value();
            let end = if text.ends_with('\n') { "" } else { " (no line break at the end)" };
            let end = if change.tag() == ChangeTag::Equal { "" } else { end };
            lines.push(format!("{sign} {}{end}", text.trim_end_matches('\n')));
        }
    }
    let left_out = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    if left_out > 0 {
        lines.push(format!("... {left_out} more lines"));
    }
    lines.join("\n")
}

/// The first place where two values differ.
struct Found<'a> {
    path: String,
    actual: Option<&'a Value>,
    expected: Option<&'a Value>,
}

fn find<'a>(path: &str, a: &'a Value, b: &'a Value) -> Option<Found<'a>> {
    let here = |actual, expected| Some(Found { path: path.into(), actual, expected });
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            let at = |i: usize| format!("{path}[{i}]");
            let both = a.iter().zip(b).enumerate();
            both.into_iter().find_map(|(i, (a, b))| find(&at(i), a, b)).or_else(|| {
                let i = a.len().min(b.len());
                (a.len() != b.len()).then(|| Found { path: at(i), actual: a.get(i), expected: b.get(i) })
            })
        }
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            keys.into_iter().find_map(|key| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => find(&path, a, b),
                    (actual, expected) => Some(Found { path, actual, expected }),
                }
            })
        }
        (Value::Number(x), Value::Number(y)) if same_number(x, y) => None,
        (a, b) if a == b => None,
        _ => here(Some(a), Some(b)),
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64() == b.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(a: Value, b: Value) -> Option<String> {
        find("", &a, &b).map(|found| found.path)
    }

    #[test]
    fn the_first_difference_is_found() {
        assert_eq!(
            path(json!({"a": [1, {"b": "x"}]}), json!({"a": [1, {"b": "y"}]})).as_deref(),
            Some("a[1].b")
        );
        assert_eq!(path(json!([1, 2]), json!([1])).as_deref(), Some("[1]"));
        assert_eq!(path(json!({"a": 1}), json!({"a": 1, "c": null})).as_deref(), Some("c"));
        assert_eq!(path(json!({"a": null}), json!({})).as_deref(), Some("a"));
        assert_eq!(path(json!("1"), json!(1)).as_deref(), Some(""));
        assert_eq!(path(json!([1, 2.0, {"x": []}]), json!([1.0, 2, {"x": []}])), None);
        assert_eq!(path(json!(9007199254740993i64), json!(9007199254740992i64)).as_deref(), Some(""));
    }

    #[test]
    fn texts_of_lines_are_compared_by_lines() {
        let diff = line_diff("a\nb\nc\nd\ne\nf2", "a\nb\nc\nd\ne\nf");
        assert_eq!(
            diff,
            "- expected, + actual\n  d\n  e\n- f (no line break at the end)\n+ f2 (no line break at the end)"
        );
        assert!(line_diff("a\n", "a").contains("+ a\n") || line_diff("a\n", "a").ends_with("+ a"));
    }

    #[test]
    fn long_values_are_folded() {
        let text = folded(&json!("x".repeat(1000)));
        assert!(text.ends_with("... (1002 characters)") && text.len() < 300, "{text}");
    }
}
