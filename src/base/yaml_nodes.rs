//! Where each node of a YAML text begins and ends, in bytes: so that something can be put into a file, and all else stays
//! as it is.

use saphyr_parser::{Event, Parser, Span};

/// A node of a YAML text.
#[derive(Debug)]
pub struct Node {
    /// Where it begins.
    pub start: usize,
    /// Where it ends; of a block collection where its last node does.
    pub end: usize,
    /// What it is.
    pub content: Content,
}

/// What a node is.
#[derive(Debug)]
pub enum Content {
    /// A plain value, or a reference to another node.
    Scalar(String),
    /// A list; `flow`: in brackets.
    Sequence {
        /// Whether it stands in brackets.
        flow: bool,
        /// What is in it.
        items: Vec<Node>,
    },
    /// A map; `flow`: in braces.
    Mapping {
        /// Whether it stands in braces.
        flow: bool,
        /// Keys and values, in the order of the text.
        entries: Vec<(Node, Node)>,
    },
}

impl Node {
    /// The root of a text; none when it is no YAML, or empty.
    pub fn parse(text: &str) -> Option<Node> {
        let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut builder = Builder { text, offsets, open: Vec::new(), root: None };
        for step in Parser::new_from_str(text) {
            let (event, span) = step.ok()?;
            builder.take(event, &span);
        }
        builder.root
    }

    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Content::Mapping { entries, .. } = &self.content else { return None };
        entries.iter().find(|(known, _)| known.scalar() == Some(key)).map(|(_, value)| value)
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Node] {
        match &self.content {
            Content::Sequence { items, .. } => items,
            _ => &[],
        }
    }

    /// A plain value.
    pub fn scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it stands in brackets or braces.
    pub fn is_flow(&self) -> bool {
        match &self.content {
            Content::Scalar(_) => false,
            Content::Sequence { flow, .. } | Content::Mapping { flow, .. } => *flow,
        }
    }
}

/// A collection that has not ended.
struct Open {
    start: usize,
    flow: bool,
    mapping: bool,
    /// Items, or keys and values in turn.
    nodes: Vec<Node>,
}

struct Builder<'t> {
    text: &'t str,
    /// Where each character begins.
    offsets: Vec<usize>,
    open: Vec<Open>,
    root: Option<Node>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event, span: &Span) {
        let (start, end) = (self.offset(span.start.index()), self.offset(span.end.index()));
        match event {
            Event::Scalar(text, ..) => {
                self.add(Node { start, end, content: Content::Scalar(text.into_owned()) })
            }
            Event::Alias(_) => self.add(Node { start, end, content: Content::Scalar(String::new()) }),
            Event::SequenceStart(..) => self.begin(start, b'[', false),
            Event::MappingStart(..) => self.begin(start, b'{', true),
            // The parser's own end is behind the comment that follows.
            Event::SequenceEnd | Event::MappingEnd => self.finish(start + 1),
            _ => {}
        }
    }

    fn offset(&self, index: usize) -> usize {
        self.offsets.get(index).copied().unwrap_or(self.text.len())
    }

    fn begin(&mut self, start: usize, bracket: u8, mapping: bool) {
        let flow = self.text.as_bytes().get(start) == Some(&bracket);
        self.open.push(Open { start, flow, mapping, nodes: Vec::new() });
    }

    fn finish(&mut self, end_of_bracket: usize) {
        let Some(Open { start, flow, mapping, nodes }) = self.open.pop() else { return };
        let last = nodes.last().map_or(start, |node| node.end);
        let end = if flow { end_of_bracket.min(self.text.len()) } else { last };
        let content = match mapping {
            false => Content::Sequence { flow, items: nodes },
            true => Content::Mapping { flow, entries: pairs(nodes) },
        };
        self.add(Node { start, end, content });
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(open) => open.nodes.push(node),
            None => self.root = self.root.take().or(Some(node)),
        }
    }
}

fn pairs(nodes: Vec<Node>) -> Vec<(Node, Node)> {
    let (mut pairs, mut key) = (Vec::new(), None);
    for node in nodes {
        match key.take() {
            None => key = Some(node),
            Some(key) => pairs.push((key, node)),
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# é\r\na: {x: \"1 é\", y: [p, 'q']}\r\nd: [] # none\r\nb:\r\n  - one two # note\r\n  - k: >-\r\n      long\r\n      text\r\n\r\nc: 3\r\n";

    #[test]
    fn nodes_have_their_bytes() {
        let root = Node::parse(TEXT).unwrap();
        let text = |node: &Node| &TEXT[node.start..node.end];
        let a = root.get("a").unwrap();
        assert_eq!((text(a), a.is_flow()), ("{x: \"1 é\", y: [p, 'q']}", true));
        assert_eq!(text(a.get("x").unwrap()), "\"1 é\"");
        assert_eq!(text(a.get("y").unwrap()), "[p, 'q']");
        assert_eq!(text(root.get("d").unwrap()), "[]");
        let b = root.get("b").unwrap();
        assert_eq!((b.is_flow(), b.items().len(), text(&b.items()[0])), (false, 2, "one two"));
        assert!(text(&b.items()[1]).trim_end().ends_with("text"));
        assert_eq!(root.get("c").unwrap().scalar(), Some("3"));
    }

    #[test]
    fn what_is_no_yaml_has_no_nodes() {
        assert!(Node::parse("a: [1").is_none() && Node::parse("").is_none());
    }
}
