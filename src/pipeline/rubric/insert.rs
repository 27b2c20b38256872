//! A calibration example put into a rubric's file: a piece of text at one place, in the style of its neighbours, so that
//! comments, order and layout of all else stay byte for byte.

use serde_json::Value;

use super::content::{Calibration, Content};
use super::yaml_of;
use crate::base::yaml::Document;
use crate::base::yaml_nodes::{Content as Nodes, Node};
use crate::base::{Error, Kind, Result};

/// How far a list's dash stands to the right of its key, where no neighbour shows it.
const STEP: usize = 2;

/// A text to put in at a place.
struct Edit {
    at: usize,
    text: String,
}

impl Edit {
    fn applied(&self, text: &str) -> String {
        format!("{}{}{}", &text[..self.at], self.text, &text[self.at..])
    }
}

/// The text of a rubric with one more example of a criterion, behind those that it has. What comes out is read again: it is
/// the rubric that was, and the example, or it is an error with the text to put in by hand.
pub fn with_example(file: &str, text: &str, criterion: &str, example: &Calibration) -> Result<String> {
    let mut wanted: Content = Document::parse(file, text)?.read()?;
    let place = wanted.criteria.iter_mut().find(|known| known.id == criterion);
    let place =
        place.ok_or_else(|| Error::new(Kind::Config, format!("{file} has no criterion `{criterion}`")))?;
    place.examples.push(example.clone());
    let is_wanted = |text: &String| {
        let read = Document::parse(file, text).and_then(|document| document.read::<Content>());
        read.is_ok_and(|content| content == wanted)
    };
    let edits = edits(text, criterion, example).unwrap_or_default();
    edits.iter().map(|edit| edit.applied(text)).find(is_wanted).ok_or_else(|| {
        Error::new(Kind::Config, format!("{file} is written in a way that the example cannot be put into"))
            .hint(format!("put it in by hand, below `examples:` of {criterion}:\n- {}", flow(example, false)))
    })
}

/// Places to try, the likeliest first.
fn edits(text: &str, criterion: &str, example: &Calibration) -> Option<Vec<Edit>> {
    let root = Node::parse(text)?;
    let criteria = root.get("criteria")?.items();
    let node = criteria.iter().find(|node| node.get("id").and_then(Node::scalar) == Some(criterion))?;
    let layout = Layout { text, line_break: if text.contains("\r\n") { "\r\n" } else { "\n" }, example };
    Some(match node.get("examples") {
        Some(list) if list.is_flow() => layout.in_brackets(list),
        Some(list) => layout.below(list.items().last()?),
        None if node.is_flow() => vec![Edit {
            at: end_of_values(node),
            text: format!(", examples: [{}]", layout.flow_like(criteria)),
        }],
        None => layout.new_list(node, criteria),
    })
}

/// Where the last value of a map ends.
fn end_of_values(node: &Node) -> usize {
    match &node.content {
        Nodes::Mapping { entries, .. } => entries.last().map_or(node.end, |(_, value)| value.end),
        _ => node.end,
    }
}

/// What the new text is made of.
struct Layout<'a> {
    text: &'a str,
    line_break: &'static str,
    example: &'a Calibration,
}

impl Layout<'_> {
    /// Into `[...]`.
    fn in_brackets(&self, list: &Node) -> Vec<Edit> {
        let Some(last) = list.items().last() else {
            return vec![Edit { at: list.end.saturating_sub(1), text: flow(self.example, false) }];
        };
        let item = flow(self.example, self.is_airy(last));
        let behind = Edit { at: last.end, text: format!(", {item}") };
        let indent = &self.text[self.line_start(last.start)..last.start];
        if !indent.trim().is_empty() || last.start < list.start + 2 {
            return vec![behind];
        }
        let below = match self.text[last.end..].trim_start_matches(' ').starts_with(',') {
            true => Edit { at: self.line_end(last.end), text: format!("{}{indent}{item},", self.line_break) },
            false => Edit { at: last.end, text: format!(",{}{indent}{item}", self.line_break) },
        };
        vec![below, behind]
    }

    /// Below the last item of a list of dashes.
    fn below(&self, last: &Node) -> Vec<Edit> {
        let Some(dash) = self.text[..last.start].rfind('-') else { return Vec::new() };
        let indent = self.column(dash);
        let after =
            if self.column(last.start) > indent && self.line_start(last.start) == self.line_start(dash) {
                self.column(last.start) - indent
            } else {
                STEP
            };
        let item = match last.is_flow() {
            true => vec![format!("-{}{}", " ".repeat(after - 1), flow(self.example, self.is_airy(last)))],
            false => self.block(after),
        };
        self.lines_behind(last.end, indent, &item)
    }

    /// `examples:` below the last line of a criterion.
    fn new_list(&self, criterion: &Node, criteria: &[Node]) -> Vec<Edit> {
        let neighbour =
            criteria.iter().filter_map(|node| Some((node, node.get("examples")?.items().last()?))).next();
        let (step, block) = match neighbour {
            Some((node, last)) if !node.is_flow() && !node.get("examples").is_some_and(Node::is_flow) => {
                let dash = self.text[..last.start].rfind('-').unwrap_or(last.start);
                (self.column(dash).saturating_sub(self.column(node.start)), !last.is_flow())
            }
            _ => (STEP, false),
        };
        let item = if block { self.block(STEP) } else { vec![format!("- {}", self.flow_like(criteria))] };
        let lines = std::iter::once("examples:".to_string());
        let lines: Vec<String> =
            lines.chain(item.into_iter().map(|line| format!("{}{line}", " ".repeat(step)))).collect();
        self.lines_behind(criterion.end, self.column(criterion.start), &lines)
    }

    /// Whole lines behind the line in which a node ends; or, when its end is white space that counts, behind that.
    fn lines_behind(&self, end: usize, indent: usize, lines: &[String]) -> Vec<Edit> {
        let indented: Vec<String> =
            lines.iter().map(|line| format!("{}{line}", " ".repeat(indent))).collect();
        let text = indented.join(self.line_break);
        let content = self.text[..end].trim_end().len();
        let start = self.line_start(end);
        vec![
            Edit { at: self.line_end(content), text: format!("{}{text}", self.line_break) },
            Edit { at: start, text: format!("{text}{}", self.line_break) },
        ]
    }

    /// A map a line a key, behind a dash.
    fn block(&self, after_dash: usize) -> Vec<String> {
        let fields = fields(self.example).into_iter().enumerate();
        let before = |first: bool| match first {
            true => format!("-{}", " ".repeat(after_dash - 1)),
            false => " ".repeat(after_dash),
        };
        fields.map(|(place, field)| format!("{}{field}", before(place == 0))).collect()
    }

    /// A map in braces, written as the neighbours' are.
    fn flow_like(&self, criteria: &[Node]) -> String {
        let examples = criteria.iter().filter_map(|node| node.get("examples")?.items().last());
        let airy = examples.filter(|node| node.is_flow()).map(|node| self.is_airy(node)).next();
        flow(self.example, airy.unwrap_or(false))
    }

    /// Whether there is a blank behind the brace.
    fn is_airy(&self, node: &Node) -> bool {
        self.text[node.start..].starts_with("{ ")
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |place| place + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |place| at + place);
        if self.text[at..end].ends_with('\r') { end - 1 } else { end }
    }

    fn column(&self, at: usize) -> usize {
        self.text[self.line_start(at)..at].chars().count()
    }
}

/// An example in braces.
fn flow(example: &Calibration, airy: bool) -> String {
    let fields = fields(example).join(", ");
    if airy { format!("{{ {fields} }}") } else { format!("{{{fields}}}") }
}

/// `key: "value"`, without what is empty.
fn fields(example: &Calibration) -> Vec<String> {
    let plain = !example.kind.is_empty() && example.kind.bytes().all(|byte| byte.is_ascii_uppercase());
    let kind = if plain
        && !matches!(
            example.kind.as_str(),
            "YES" | "NO" | "Y" | "N" | "ON" | "OFF" | "TRUE" | "FALSE" | "NULL"
        ) {
        example.kind.clone()
    } else {
        quoted(&example.kind)
    };
    let texts =
        [("context", &example.context), ("response", &example.response), ("reasoning", &example.reasoning)];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
    std::iter::once(format!("type: {kind}"))
        .chain(texts.map(|(key, text)| format!("{key}: {}", quoted(text))))
        .collect()
}

fn quoted(text: &str) -> String {
    yaml_of(&Value::String(text.into()))
}

#[cfg(test)]
mod tests;
