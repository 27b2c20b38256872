//! An error for a person to read: the message, the place with its line and a caret, the calls that
//! led there, and what to do, as a Rust compiler would say it.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};

use super::{Error, Place};

/// How wide a line of source may be before the report shows only the part around the place.
const WIDTH: usize = 140;

/// How many of a trace's calls are shown at each end.
const FRAMES: usize = 6;

/// The report of an error, with a newline at its end.
pub fn render(error: &Error, color: bool) -> String {
    report(Level::ERROR, error, color)
}

/// The report of something that is only suspicious.
pub fn warning(error: &Error, color: bool) -> String {
    report(Level::WARNING, error, color)
}

/// The column behind the word that a report marks at a place; nothing when only the line is known.
pub fn end_column(place: &Place) -> Option<usize> {
    let span = word_at(&place.text, place.column)?;
    Some(place.column + place.text[span].chars().count())
}

fn report(level: Level<'_>, error: &Error, color: bool) -> String {
    let mut elements: Vec<Element> = Vec::new();
    if let Some(place) = error.place() {
        elements.push(shown_place(place));
    }
    let calls = calls(error);
    elements.extend(calls.iter().map(|call| Level::NOTE.no_name().message(visible(call)).into()));
    if let Some(hint) = error.get_hint() {
        elements.push(Level::HELP.message(visible(hint)).into());
    }
    let title = level.primary_title(visible(error.message()));
    let title = match error.get_code() {
        Some(code) => title.id(code),
        None => title,
    };
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    format!("{}\n", renderer.term_width(WIDTH).render(&[title.elements(elements)]))
}

/// The line with a caret, or the bare place when there is no line to show.
fn shown_place(place: &Place) -> Element<'_> {
    let span = word_at(&place.text, place.column);
    if place.text.trim().is_empty() || (place.column > 0 && span.is_none()) {
        let origin = Origin::path(place.file.as_str()).line(place.line.max(1));
        return match place.column {
            0 => origin.into(),
            column => origin.char_column(column).into(),
        };
    }
    let snippet = Snippet::source(place.text.as_str()).line_start(place.line.max(1));
    match span {
        Some(span) => snippet.path(place.file.as_str()).annotation(AnnotationKind::Primary.span(span)).into(),
        None => snippet
            .path(place.to_string())
            .annotation(AnnotationKind::Visible.span(whole(&place.text)))
            .into(),
    }
}

/// The bytes of a line without the white space around it.
fn whole(text: &str) -> Range<usize> {
    let start = text.len() - text.trim_start().len();
    start..text.trim_end().len().max(start)
}

/// The bytes of the word or quoted text at a column (1-based, in characters), or of the one character
/// there; just behind the last character there is an empty place.
fn word_at(text: &str, column: usize) -> Option<Range<usize>> {
    let skipped = column.checked_sub(1)?;
    if skipped == text.chars().count() {
        return Some(text.len()..text.len());
    }
    let (start, first) = text.char_indices().nth(skipped)?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let rest = &text[start..];
    let length = match first {
        '"' | '`' => rest[1..].find(first).map_or(1, |end| end + 2),
        _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        _ => first.len_utf8(),
    };
    Some(start..start + length)
}

/// The calls that led there, a line each; of a long chain only both ends.
fn calls(error: &Error) -> Vec<String> {
    let trace = error.get_trace();
    let line = |frame: &super::Frame| match frame.function.strip_prefix("import of ") {
        Some(path) => format!("in `{path}`, imported at {}", frame.place),
        None => format!("in `{}`, called at {}", frame.function, frame.place),
    };
    let mut lines: Vec<String> = trace.iter().map(line).collect();
    if lines.len() > 2 * FRAMES {
        let left_out = lines.len() - 2 * FRAMES;
        lines.splice(FRAMES..FRAMES + left_out, [format!("... {left_out} more calls ...")]);
    }
    lines
}

/// Control characters of foreign texts (a model's reply) must not reach a terminal.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Frame, Kind};

    fn at(text: &str, column: usize) -> Error {
        Error::new(Kind::Script, "no").at(Place { file: "a.rhai".into(), line: 3, column, text: text.into() })
    }

    fn assert_report(error: &Error, expected: &str) {
        assert_eq!(render(error, false), expected, "\n{}", render(error, false));
    }

    #[test]
    fn the_caret_stands_under_the_word() {
        let frame = Frame { function: "f".into(), place: Place::new("b.rhai", "f()", 1, 1) };
        let error = at("let x = fo(1);", 9).trace(vec![frame]).hint("try this\nor that");
        assert_report(
            &error,
            "error: no\n --> a.rhai:3:9\n  |\n3 | let x = fo(1);\n  |         ^^\n  |\n  \
             = in `f`, called at b.rhai:1:1\n  = help: try this\n          or that\n",
        );
    }

    #[test]
    fn wide_letters_and_tabs_keep_it_aligned() {
        assert_report(
            &at("\tlet ü = \"日本\" + fo;", 17),
            "error: no\n --> a.rhai:3:17\n  |\n3 |     let ü = \"日本\" + fo;\n  |                      ^^\n",
        );
    }

    #[test]
    fn odd_places_do_no_harm() {
        for (text, column) in
            [("", 0), ("", 1), ("", 9), ("x", 2), ("x", 3), ("x", usize::MAX), ("日", 2), ("  ", 1)]
        {
            let mut error = at(text, column);
            assert!(render(&error, true).contains("a.rhai"), "{text:?} {column}");
            error = Error::new(Kind::Script, "\n\u{1b}[0m")
                .at(Place { line: usize::MAX, ..error.place().unwrap().clone() });
            assert!(!warning(&error, false).contains('\u{1b}'));
        }
        assert_report(&at("let x", 0), "error: no\n --> a.rhai:3\n  |\n3 | let x\n  |\n");
        assert_report(&Error::new(Kind::Usage, "no").hint("yes"), "error: no\n |\n = help: yes\n");
    }
}
