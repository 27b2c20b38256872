//! What a template left over: braces, placeholders, notes to oneself. Code between fences is no text.

use std::ops::Range;

use super::chat::Chat;
use super::hits::{Hits, Measure, Totals, of, share};
use super::{Check, Setup};

/// First words of what somebody was to fill in: `[INSERT DATE]`, `<your name>`.
const TO_FILL: &[&str] =
    &["insert", "your", "enter", "placeholder", "add", "fill", "customer", "user", "company", "agent"];

/// Notes to oneself, as words of their own.
const NOTES: &[&str] = &["TODO", "FIXME", "TBD", "XXX"];

/// Messages with a leftover.
#[derive(Default)]
pub struct Leftovers(Hits);

impl Check for Leftovers {
    fn of(chat: &Chat, _: &Setup) -> Leftovers {
        let mut hits = Hits::default();
        for (turn, side, said) in chat.messages() {
            if let Some(place) = leftover(&said.text) {
                hits.add(&chat.id, turn, side, said, place);
            }
        }
        Leftovers(hits)
    }

    fn merge(&mut self, later: Leftovers) {
        self.0.merge(later.0);
    }

    fn measures(self, totals: &Totals, _: &Setup) -> Vec<Measure> {
        let messages = 2 * totals.replies;
        let message = format!("{} have what a template left over", of(self.0.count, messages, "messages"));
        vec![Measure::of_hits("leftovers", share(self.0.count, messages), self.0, message)]
    }
}

/// The first one in a text.
fn leftover(text: &str) -> Option<Range<usize>> {
    let mut begin = 0;
    for (number, part) in text.split("```").enumerate() {
        let prose = (number % 2 == 0).then_some(part);
        if let Some(place) = prose.and_then(in_prose) {
            return Some(begin + place.start..begin + place.end);
        }
        begin += part.len() + 3;
    }
    None
}

fn in_prose(text: &str) -> Option<Range<usize>> {
    let brackets = text.char_indices().filter(|(_, c)| matches!(c, '{' | '}' | '[' | '<' | '$'));
    let found = brackets.filter_map(|(place, c)| Some(place..place + bracket(&text[place..], c)?)).next();
    found.or_else(|| note(text))
}

/// How long a leftover is that begins with a bracket.
fn bracket(text: &str, first: char) -> Option<usize> {
    let inside = |open: usize, close: &str| text.get(open..)?.split_once(close).map(|(inside, _)| inside);
    let is_name = |inside: &&str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.- ".contains(c);
        !inside.is_empty()
            && inside.len() <= 40
            && inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && inside.chars().all(fits)
    };
    match first {
        '{' if ["{{", "{%"].iter().any(|mark| text.starts_with(mark)) => Some(text.len().min(2)),
        '}' if text.starts_with("}}") => Some(2),
        '{' => inside(1, "}").filter(is_name).map(|inside| inside.len() + 2),
        '$' if text.starts_with("${") => inside(2, "}").filter(is_name).map(|inside| inside.len() + 3),
        '[' => inside(1, "]")
            .filter(|inside| {
                // What a link shows is no placeholder.
                let link = text[inside.len() + 2..].starts_with('(');
                inside.len() <= 60 && !link && (is_to_fill(inside) || is_shouted(inside))
            })
            .map(|inside| inside.len() + 2),
        '<' => inside(1, ">")
            .filter(is_name)
            .filter(|inside| inside.contains('_') || is_to_fill(inside))
            .map(|inside| inside.len() + 2),
        _ => None,
    }
}

fn is_to_fill(inside: &str) -> bool {
    let mut words = inside.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next().map(str::to_lowercase);
    first.is_some_and(|first| {
        first == "placeholder" || TO_FILL.contains(&first.as_str()) && words.next().is_some()
    })
}

/// `[ORDER NUMBER]`: two words or more in capitals.
fn is_shouted(inside: &str) -> bool {
    let words: Vec<&str> = inside.split([' ', '_']).collect();
    words.len() > 1
        && words.iter().all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase()))
}

fn note(text: &str) -> Option<Range<usize>> {
    let whole = |place: usize, word: &str| {
        let (before, after) = (text[..place].chars().next_back(), text[place + word.len()..].chars().next());
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    };
    let notes = NOTES.iter().filter_map(|word| {
        text.match_indices(word)
            .map(|(place, _)| place)
            .find(|place| whole(*place, word))
            .map(|place| place..place + word.len())
    });
    let filler = "lorem ipsum";
    let dummy = text.to_ascii_lowercase().find(filler).map(|place| place..place + filler.len());
    notes.chain(dummy).min_by_key(|place| place.start)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{audited, gate, varied};
    use super::super::words::Said;
    use super::*;

    #[test]
    fn leftovers_are_found() {
        for text in [
            "Dear {{ name }}",
            "so }} it",
            "{% if x %}",
            "Hi {customer_name}!",
            "Hi {name}",
            "it is ${price}",
            "[INSERT DATE]",
            "Hello [Your Name],",
            "to [ORDER NUMBER] now",
            "<customer_name>",
            "<your address>",
            "TODO: ask",
            "a (TBD)",
            "Lorem ipsum dolor",
            "```\nlet x = {};\n``` and {{y}}",
            "{{",
        ] {
            assert!(leftover(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_leftover() {
        for text in [
            "",
            "{}",
            "{ }",
            "{1, 2}",
            "a < b > c",
            "<b>bold</b>",
            "[1] and [see below]",
            "[your order](https://x.example/1)",
            "$5 {",
            "```\n{{ code }} TODO\n```",
            "Todos los d\u{ed}as",
            "[OK]",
            "\u{4f60}[\u{597d}]{\u{597d}}<\u{597d}>",
            "[",
            "<",
            "{",
            "$",
        ] {
            assert_eq!(leftover(text), None, "{text}");
        }
    }

    #[test]
    fn both_sides_are_looked_at() {
        let mut chats = varied(3, 4);
        chats[0].turns[1][0] = Said::new("I am {{ persona.name }}");
        chats[2].turns[3][1] = Said::new("Dear [Customer Name]");
        let report = audited(chats);
        let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
        assert_eq!((finding.count, finding.ids.len(), gate(&report, "leftovers").value), (2, 2, 0.083_333));
    }
}
