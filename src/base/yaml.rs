//! YAML with places: a document knows on which line each of its values stands, so that a fault that
//! YAML itself does not know (weights that sum to 0.9) is reported where it was written.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, Span};
use serde::de::DeserializeOwned;

use super::{Error, Kind, Place, Result, suggest};

/// A parsed YAML file.
#[derive(Debug, Clone)]
pub struct Document {
    file: String,
    text: String,
    value: serde_yaml::Value,
    /// Path (`categories[0].weight`) to line and column, both 1-based. For a value in a mapping the
    /// place is that of its key.
    places: HashMap<String, (usize, usize)>,
}

impl Document {
    /// Parses `text`; `file` is its name in errors.
    pub fn parse(file: &str, text: &str) -> Result<Document> {
        let value = serde_yaml::from_str(text).map_err(|e| syntax_error(file, text, &e))?;
        Ok(Document { file: file.into(), text: text.into(), value, places: index(text) })
    }

    /// The plain value.
    pub fn value(&self) -> &serde_yaml::Value {
        &self.value
    }

    /// Reads it as a type; a fault names its path and line.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_path_to_error::deserialize(self.value.clone()).map_err(|e| {
            let path = e.path().to_string();
            self.shape_error(if path == "." { "" } else { &path }, &e.into_inner().to_string())
        })
    }

    /// An error about the value at `path` (`""` for the whole file).
    pub fn fault(&self, path: &str, message: impl Into<String>) -> Error {
        Error::new(Kind::Config, message).at(self.place(path))
    }

    /// Where the value at `path` stands, or the nearest one around it.
    pub fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some((line, column)) = self.places.get(path) {
                return Place::new(&self.file, &self.text, *line, *column);
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None if path.is_empty() => return Place::new(&self.file, &self.text, 1, 1),
                None => path = "",
            }
        }
    }

    /// Words serde's complaint for a person: an unknown key is placed at the key, with advice.
    fn shape_error(&self, path: &str, complaint: &str) -> Error {
        let complaint = complaint.strip_prefix(&format!("{path}: ")).unwrap_or(complaint);
        if let Some((key, known)) = unknown_key(complaint) {
            let place = if path.is_empty() || path.ends_with(&key) && self.places.contains_key(path) {
                if path.is_empty() { key.clone() } else { path.to_string() }
            } else {
                format!("{path}.{key}")
            };
            return self
                .fault(&place, format!("unknown key `{key}`"))
                .hint(suggest::hint(&key, known.iter().map(String::as_str)));
        }
        let what = if path.is_empty() { String::new() } else { format!("`{path}`: ") };
        self.fault(path, format!("{what}{}", plain_types(complaint)))
    }
}

/// `unknown field `x`, expected one of `a`, `b`` -> (x, [a, b]).
fn unknown_key(complaint: &str) -> Option<(String, Vec<String>)> {
    let rest = complaint.strip_prefix("unknown field `")?;
    let (key, known) = rest.split_once('`')?;
    let known = known.split('`').skip(1).step_by(2).map(str::to_string).collect();
    Some((key.into(), known))
}

/// Rust's names of types, in words that YAML's users know.
fn plain_types(complaint: &str) -> String {
    const WORDS: &[(&str, &str)] = &[
        ("invalid type: ", "wrong type: "),
        ("floating point", "number"),
        ("unit value", "nothing"),
        ("u64", "a whole number"),
        ("u32", "a whole number"),
        ("usize", "a whole number"),
        ("i64", "a whole number"),
        ("f64", "a number"),
        ("a boolean", "true or false"),
        ("missing field", "missing key"),
        ("unknown variant", "unknown value"),
    ];
    // A structure's name is Rust's: for a user it is a map.
    let complaint = complaint
        .split_once("expected struct ")
        .map_or(complaint.to_string(), |(before, _)| format!("{before}expected a map"));
    WORDS.iter().fold(complaint, |text, (from, to)| text.replace(from, to))
}

/// An error of YAML's own syntax, with its place.
fn syntax_error(file: &str, text: &str, error: &serde_yaml::Error) -> Error {
    let full = error.to_string();
    let message = full.split(" at line ").next().unwrap_or(&full);
    let located = error.location().map(|at| (at.line(), at.column()));
    let repeated = Some(message).filter(|m| m.contains("duplicate")).and_then(|_| first_repeated(text));
    let place = repeated.or(located).unwrap_or((1, 1));
    let line = text.lines().nth(place.0.saturating_sub(1)).unwrap_or_default();
    Error::new(Kind::Config, format!("not valid YAML: {message}"))
        .or_hint(syntax_hint(message, line).map(str::to_string))
        .at(Place::new(file, text, place.0, place.1))
}

/// What to do about YAML's own complaints, which speak of its grammar.
fn syntax_hint(message: &str, line: &str) -> Option<&'static str> {
    let indent = line.trim_start_matches(' ');
    const HINTS: &[(&str, &str)] = &[
        ("mapping values are not allowed", "a text with a colon stands in quotes: key: \"one: two\""),
        ("expected ',' or", "a bracket before this is not closed, or a comma is missing"),
        (
            "did not find expected",
            "the keys of one mapping begin in the same column: is this line indented like those above?",
        ),
        ("unexpected end of stream", "a quote is not closed"),
    ];
    if indent.starts_with('\t') {
        return Some("YAML is indented by spaces, not by tabs");
    }
    HINTS.iter().find(|(part, _)| message.contains(part)).map(|(_, hint)| *hint)
}

/// One open collection of the event walk.
enum Open {
    Sequence { path: String, next: usize },
    Mapping { path: String, key: Option<String> },
}

/// Path to line and column.
type Places = HashMap<String, (usize, usize)>;

/// Where each value stands, by the events of a YAML parser.
fn index(text: &str) -> Places {
    walk(text).0
}

/// Where a key stands that its mapping has already: YAML's own error names no place.
fn first_repeated(text: &str) -> Option<(usize, usize)> {
    walk(text).1
}

/// All places, and that of the first key that is there twice.
fn walk(text: &str) -> (Places, Option<(usize, usize)>) {
    let mut places = HashMap::new();
    let mut repeated = None;
    let mut stack: Vec<Open> = Vec::new();
    for (event, span) in Parser::new_from_str(text).map_while(|step| step.ok()) {
        match event {
            Event::Scalar(word, ..) => {
                if let Some(Open::Mapping { path, key: key @ None }) = stack.last_mut() {
                    let path = join(path, &word);
                    if places.contains_key(&path) {
                        repeated = repeated.or(Some(position(&span)));
                    }
                    places.entry(path).or_insert_with(|| position(&span));
                    *key = Some(word.into_owned());
                } else {
                    begin_value(&mut stack, &mut places, &span);
                }
            }
            Event::Alias(_) => {
                begin_value(&mut stack, &mut places, &span);
            }
            Event::SequenceStart(..) => {
                let path = begin_value(&mut stack, &mut places, &span);
                stack.push(Open::Sequence { path, next: 0 });
            }
            Event::MappingStart(..) => {
                let path = begin_value(&mut stack, &mut places, &span);
                stack.push(Open::Mapping { path, key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                stack.pop();
            }
            _ => {}
        }
    }
    (places, repeated)
}

/// The path of the value that starts here; notes its place unless its key already did.
fn begin_value(stack: &mut [Open], places: &mut HashMap<String, (usize, usize)>, span: &Span) -> String {
    let path = match stack.last_mut() {
        None => String::new(),
        Some(Open::Sequence { path, next }) => {
            *next += 1;
            format!("{path}[{}]", *next - 1)
        }
        Some(Open::Mapping { path, key }) => match key.take() {
            Some(key) => join(path, &key),
            None => path.clone(),
        },
    };
    places.entry(path.clone()).or_insert_with(|| position(span));
    path
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

fn position(span: &Span) -> (usize, usize) {
    (span.start.line(), span.start.col() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Limits {
        #[allow(dead_code)]
        operations: u64,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[allow(dead_code)]
        limits: Limits,
        #[serde(default)]
        #[allow(dead_code)]
        items: Vec<u64>,
    }

    fn fault(text: &str) -> Error {
        Document::parse("c.yaml", text).and_then(|doc| doc.read::<Config>()).unwrap_err()
    }

    #[test]
    fn a_wrong_type_is_placed_at_its_key() {
        let error = fault("# hello\nlimits:\n  operations: many\n");
        assert_eq!(error.place().unwrap().to_string(), "c.yaml:3:3");
        assert_eq!(error.place().unwrap().text, "  operations: many");
        assert_eq!(
            error.message(),
            "`limits.operations`: wrong type: string \"many\", expected a whole number"
        );
    }

    #[test]
    fn an_unknown_key_is_placed_and_advised() {
        let error = fault("limits:\n  operations: 5\n  opperations: 6\n");
        assert_eq!(error.place().unwrap().to_string(), "c.yaml:3:3");
        assert_eq!(error.message(), "unknown key `opperations`");
        assert_eq!(error.get_hint(), Some("did you mean `operations`?"));
    }

    #[test]
    fn what_should_be_a_map_is_called_one() {
        assert_eq!(fault("limits: 3\n").message(), "`limits`: wrong type: integer `3`, expected a map");
    }

    #[test]
    fn an_unknown_key_at_the_top_is_placed() {
        let error = fault("limits: {operations: 5}\nlimit: {}\n");
        assert_eq!(error.place().unwrap().to_string(), "c.yaml:2:1");
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = fault("limits: {}\n");
        assert_eq!(error.message(), "`limits`: missing key `operations`");
    }

    #[test]
    fn values_in_lists_are_placed() {
        let error = fault("limits: {operations: 1}\nitems:\n  - 1\n  - x\n");
        assert_eq!(error.place().unwrap().to_string(), "c.yaml:4:5");
    }

    #[test]
    fn duplicate_keys_and_bad_syntax_are_errors_with_a_line() {
        assert_eq!(fault("limits: {operations: 1}\nlimits: {operations: 2}\n").kind(), Kind::Config);
        assert_eq!(fault("limits: [1,\n").place().unwrap().file, "c.yaml");
    }
}
