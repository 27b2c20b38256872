//! A value as a person reads it: small ones whole, large ones folded, so that a megabyte is a few lines at once.

use rhai::{Dynamic, FnPtr};

/// Columns that a value may take on one line.
const WIDTH: usize = 100;

/// Lines that a folded value may take, about.
const LINES: usize = 40;

/// Elements of an array that are shown.
const ELEMENTS: usize = 8;

/// Keys of a map that are shown.
const KEYS: usize = 24;

/// Characters of a text that are shown: of the value itself, and inside of another.
const TEXT: (usize, usize) = (1200, 160);

/// Lines of a text that are shown.
const TEXT_LINES: usize = 16;

/// How deep it is looked into a folded value.
const DEPTH: usize = 4;

/// A value folded; `display` gives the text of what is neither plain nor a list.
pub fn folded(value: &Dynamic, display: &dyn Fn(&Dynamic) -> String) -> String {
    let fold = Fold { full: false, display };
    match text_of(value) {
        Some(text) => fold.long_text(&text),
        None => fold.value(value, 0),
    }
}

/// A value in full; a text as it stands.
pub fn full(value: &Dynamic, display: &dyn Fn(&Dynamic) -> String) -> String {
    text_of(value).unwrap_or_else(|| Fold { full: true, display }.value(value, 0))
}

/// A value on one line, folded as far as that needs.
pub fn line(value: &Dynamic, display: &dyn Fn(&Dynamic) -> String) -> String {
    let text = Fold { full: false, display }.value(value, DEPTH - 1).replace('\n', " ");
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), WIDTH - 30)
}

fn text_of(value: &Dynamic) -> Option<String> {
    value.as_immutable_string_ref().ok().map(|text| text.to_string())
}

struct Fold<'a> {
    full: bool,
    display: &'a dyn Fn(&Dynamic) -> String,
}

impl Fold<'_> {
    fn value(&self, value: &Dynamic, depth: usize) -> String {
        if value.is_shared() {
            return self.value(&value.flatten_clone(), depth);
        }
        if let Some(text) = text_of(value) {
            return self.short_text(&text);
        }
        if let Ok(items) = value.as_array_ref() {
            return self.array(&items, depth);
        }
        if let Ok(map) = value.as_map_ref() {
            return self.map(&map, depth);
        }
        if value.is_unit() {
            return "()".into();
        }
        if value.is_char() {
            return format!("'{value}'");
        }
        if value.is::<FnPtr>() {
            return function(value);
        }
        let text = (self.display)(value);
        if self.full { text } else { cut(&text, TEXT.1) }
    }

    fn array(&self, items: &[Dynamic], depth: usize) -> String {
        if items.is_empty() {
            return "[]".into();
        }
        if self.is_too_deep(depth) {
            return format!("[... {}]", elements(items.len()));
        }
        let most = self.most(ELEMENTS, depth, items.len());
        let shown = items[..most].iter().map(|item| self.value(item, depth + 1)).collect();
        self.list(("[", "]"), shown, items.len() - most)
    }

    fn map(&self, map: &rhai::Map, depth: usize) -> String {
        if map.is_empty() {
            return "#{}".into();
        }
        if self.is_too_deep(depth) {
            return format!("#{{... {}}}", keys(map.len()));
        }
        let most = self.most(KEYS, depth, map.len());
        let entry = |(key, value): (&rhai::Identifier, &Dynamic)| {
            format!("{}: {}", shown_key(key), self.value(value, depth + 1))
        };
        self.list(("#{", "}"), map.iter().take(most).map(entry).collect(), map.len() - most)
    }

    /// On one line when it fits, else a line each.
    fn list(&self, ends: (&str, &str), shown: Vec<String>, left_out: usize) -> String {
        let width: usize = shown.iter().map(|part| part.chars().count() + 2).sum();
        let (open, close) = ends;
        if width <= WIDTH && shown.iter().all(|part| !part.contains('\n')) {
            let more = if left_out == 0 { String::new() } else { format!(", {}", more(left_out)) };
            return format!("{open}{}{more}{close}", shown.join(", "));
        }
        let mut lines: Vec<String> =
            shown.iter().map(|part| format!("  {},", part.replace('\n', "\n  "))).collect();
        if left_out > 0 {
            lines.push(format!("  {}", more(left_out)));
        }
        format!("{open}\n{}\n{close}", self.few(lines.join("\n")))
    }

    /// The first lines of many.
    fn few(&self, text: String) -> String {
        let count = text.lines().count();
        if self.full || count <= LINES {
            return text;
        }
        let kept: Vec<&str> = text.lines().take(LINES).collect();
        format!("{}\n  ... {} more lines (:full shows all)", kept.join("\n"), count - LINES)
    }

    fn is_too_deep(&self, depth: usize) -> bool {
        !self.full && depth >= DEPTH
    }

    /// How many parts are shown: fewer further inside, and all when hardly any would be left out.
    fn most(&self, top: usize, depth: usize, all: usize) -> usize {
        let most = if depth == 0 { top } else { (top / 2).max(3) };
        if self.full || all <= most + 2 { all } else { most }
    }

    /// A text inside of another value, or of one line: between quotes.
    fn short_text(&self, text: &str) -> String {
        if self.full {
            return quoted(text);
        }
        match text.char_indices().nth(TEXT.1) {
            Some((end, _)) => format!("{}{}", quoted(&text[..end]), characters(text)),
            None => quoted(text),
        }
    }

    /// A text that is the value itself: one of several lines as it stands, between backticks.
    fn long_text(&self, text: &str) -> String {
        let written = |part: &str| if text.contains('\n') { format!("`{part}`") } else { quoted(part) };
        let by_length = text.char_indices().nth(TEXT.0).map(|(end, _)| end);
        let by_lines = text.match_indices('\n').nth(TEXT_LINES).map(|(end, _)| end);
        match by_length.into_iter().chain(by_lines).min() {
            Some(end) => format!("{}{}", written(&text[..end]), characters(text)),
            None => written(text),
        }
    }
}

/// `... of 1,048,576 characters`
fn characters(text: &str) -> String {
    format!("... of {} characters (:full shows all)", thousands(text.chars().count()))
}

fn more(count: usize) -> String {
    format!("... {} more (:full shows all)", thousands(count))
}

fn elements(count: usize) -> String {
    if count == 1 { "1 element".into() } else { format!("{} elements", thousands(count)) }
}

fn keys(count: usize) -> String {
    if count == 1 { "1 key".into() } else { format!("{} keys", thousands(count)) }
}

fn thousands(n: usize) -> String {
    crate::base::numbers::thousands(n as u64)
}

/// As it is written in a script.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A key as it is written in a map.
fn shown_key(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { key.into() } else { quoted(key) }
}

fn function(value: &Dynamic) -> String {
    match value.read_lock::<FnPtr>() {
        Some(function) if !function.fn_name().starts_with("anon$") => {
            format!("Fn(\"{}\")", function.fn_name())
        }
        _ => "a closure".into(),
    }
}

/// The first so many characters.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(script: &str) -> String {
        let value: Dynamic = rhai::Engine::new().eval(script).unwrap();
        folded(&value, &ToString::to_string)
    }

    #[test]
    fn small_values_are_shown_as_they_are_written() {
        assert_eq!(
            shown("[1, 2.5, \"a\\n\\\"b\\\"\", (), true, 'c']"),
            r#"[1, 2.5, "a\n\"b\"", (), true, 'c']"#
        );
        assert_eq!(shown("#{b: #{}, a: [], \"x y\": 1}"), r#"#{a: [], b: #{}, "x y": 1}"#);
        assert_eq!(shown("\"one line\""), "\"one line\"");
        assert_eq!(shown("`two\nlines`"), "`two\nlines`");
        assert_eq!(shown("[|x| x, Fn(\"f\")]"), "[a closure, Fn(\"f\")]");
    }

    #[test]
    fn large_values_are_a_few_lines() {
        let text = shown("let s = \"word \"; s.pad(1000000, \"word \"); s");
        assert!(
            text.len() < 2000 && text.ends_with("... of 1,000,000 characters (:full shows all)"),
            "{text}"
        );
        let lines = shown("let s = \"\"; for i in 0..3000 { s += `${i}\n`; } s");
        assert!(lines.lines().count() < 20, "{lines}");
        let array = shown("let a = []; a.pad(100000, 7); a");
        assert_eq!(array, "[7, 7, 7, 7, 7, 7, 7, 7, ... 99,992 more (:full shows all)]");
        let deep = shown(
            "let inner = #{text: \"long text \" + \"x\".repeat(100), list: [1, 2, 3, 4, 5, 6, 7, 8]}; \
             let a = []; for i in 0..1000 { a.push(#{id: `item ${i}`, a: inner, b: [inner, inner, inner]}); } a"
                .replace("\"x\".repeat(100)", "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"")
                .as_str(),
        );
        assert!(deep.lines().count() <= LINES + 3, "{deep}");
    }

    #[test]
    fn in_full_nothing_is_left_out() {
        let value: Dynamic = rhai::Engine::new().eval("let a = []; a.pad(5000, \"x\"); a").unwrap();
        assert_eq!(full(&value, &ToString::to_string).matches("\"x\"").count(), 5000);
        assert_eq!(full(&"a\n\"b\"".into(), &ToString::to_string), "a\n\"b\"");
        assert!(line(&value, &ToString::to_string).lines().count() == 1);
    }
}
