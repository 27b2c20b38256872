//! How many tokens a text costs. Counting is by tiktoken's ordinary encoding: a special token's text
//! (`<|endoftext|>`) is plain text. An encoding's tables (25 to 45 MB) are loaded at its first use.

use serde::{Deserialize, Serialize};
use tiktoken_rs::CoreBPE;

use crate::base::{Error, Kind, Result, suggest};
use crate::pipeline::transcript::Exchange;

/// What a message costs besides its content: its role and delimiters, as the reference pipeline
/// estimates them for every model.
pub const MESSAGE_OVERHEAD: usize = 4;

/// A chat message. Serialises as `{"role": ..., "content": ...}`, in that order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
}

impl Message {
    /// A message of this role and content.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Message {
        Message { role: role.into(), content: content.into() }
    }
}

/// One of tiktoken's encodings. The default is `cl100k_base`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// `cl100k_base`: GPT-4, GPT-3.5.
    #[default]
    Cl100kBase,
    /// `o200k_base`: GPT-4o and later.
    O200kBase,
    /// `o200k_harmony`: gpt-oss.
    O200kHarmony,
    /// `p50k_base`: Codex.
    P50kBase,
    /// `p50k_edit`: the edit models.
    P50kEdit,
    /// `r50k_base`: GPT-3.
    R50kBase,
    /// `gpt2`: the same tables as `r50k_base`.
    Gpt2,
}

/// Every encoding's name.
const NAMES: &[(&str, Encoding)] = &[
    ("cl100k_base", Encoding::Cl100kBase),
    ("o200k_base", Encoding::O200kBase),
    ("o200k_harmony", Encoding::O200kHarmony),
    ("p50k_base", Encoding::P50kBase),
    ("p50k_edit", Encoding::P50kEdit),
    ("r50k_base", Encoding::R50kBase),
    ("gpt2", Encoding::Gpt2),
];

impl Encoding {
    /// The encoding of a name.
    pub fn named(name: &str) -> Result<Encoding> {
        let known = NAMES.iter().map(|(known, _)| *known);
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, encoding)| *encoding).ok_or_else(|| {
            Error::new(Kind::Argument, format!("unknown encoding `{name}`")).hint(suggest::hint(name, known))
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, encoding)| *encoding == self).map_or("", |(name, _)| name)
    }

    /// Every encoding's name, the default first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Its tables, loaded when first asked for.
    fn tables(self) -> &'static CoreBPE {
        match self {
            Encoding::Cl100kBase => tiktoken_rs::cl100k_base_singleton(),
            Encoding::O200kBase => tiktoken_rs::o200k_base_singleton(),
            Encoding::O200kHarmony => tiktoken_rs::o200k_harmony_singleton(),
            Encoding::P50kBase => tiktoken_rs::p50k_base_singleton(),
            Encoding::P50kEdit => tiktoken_rs::p50k_edit_singleton(),
            Encoding::R50kBase | Encoding::Gpt2 => tiktoken_rs::r50k_base_singleton(),
        }
    }
}

/// The longest run of white space, in characters, that is counted in one piece: tiktoken's pattern
/// backtracks over such runs and gives up at about a million.
const LONGEST_BLANK: usize = 100_000;

/// The tokens of a text. (In a text with a run of more than 100,000 white space characters, the run is
/// counted in pieces of that length, which may add a token for each.)
pub fn count(text: &str, encoding: Encoding) -> usize {
    match text.len() {
        0 => 0,
        length if length <= LONGEST_BLANK => encoding.tables().count_ordinary(text),
        _ => pieces(text).into_iter().map(|piece| encoding.tables().count_ordinary(piece)).sum(),
    }
}

/// The text, cut within runs of white space that are too long.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut start, mut run) = (Vec::new(), 0, 0);
    for (index, c) in text.char_indices() {
        run = if c.is_whitespace() { run + 1 } else { 0 };
        if run > LONGEST_BLANK {
            pieces.push(&text[start..index]);
            (start, run) = (index, 1);
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// The tokens of a message with this content: the content's plus [`MESSAGE_OVERHEAD`].
pub fn count_message(content: &str, encoding: Encoding) -> usize {
    count(content, encoding) + MESSAGE_OVERHEAD
}

/// The tokens of messages: each one's content plus [`MESSAGE_OVERHEAD`].
pub fn count_messages(messages: &[Message], encoding: Encoding) -> usize {
    messages.iter().map(|message| count_message(&message.content, encoding)).sum()
}

/// The tokens of an exchange: those of its two messages.
pub fn count_exchange(exchange: &Exchange, encoding: Encoding) -> usize {
    count_message(&exchange.user, encoding) + count_message(&exchange.assistant, encoding)
}

/// The tokens of a system prompt as a message; nothing when there is none.
pub fn count_system(system: &str, encoding: Encoding) -> usize {
    if system.is_empty() { 0 } else { count_message(system, encoding) }
}

/// How many of the most recent exchanges fit, together with the system prompt, into `max_tokens` (a
/// total equal to it fits). Counting goes back from the last exchange and stops at the first one that
/// does not fit; each text is counted once.
pub fn find_max_exchanges_under_limit(
    exchanges: &[Exchange],
    system: &str,
    max_tokens: usize,
    encoding: Encoding,
) -> usize {
    let mut total = count_system(system, encoding);
    let fits = |exchange: &&Exchange| {
        total += count_exchange(exchange, encoding);
        total <= max_tokens
    };
    exchanges.iter().rev().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        for name in Encoding::names() {
            assert_eq!(Encoding::named(name).unwrap().name(), name);
        }
        assert_eq!(Encoding::default().name(), "cl100k_base");
        let error = Encoding::named("cl100k").unwrap_err();
        assert_eq!(error.message(), "unknown encoding `cl100k`");
        assert_eq!(error.get_hint(), Some("did you mean `cl100k_base`?"));
    }

    #[test]
    fn a_limit_that_is_met_exactly_is_kept() {
        let exchanges = vec![Exchange::new("hello world", "hello world"); 3];
        let find = |max| find_max_exchanges_under_limit(&exchanges, "hello world", max, Encoding::default());
        // 6 for the system message, 12 for each exchange
        assert_eq!(
            [find(17), find(18), find(29), find(30), find(41), find(42), find(9000)],
            [0, 1, 1, 2, 2, 3, 3]
        );
    }

    #[test]
    fn the_most_recent_exchanges_are_kept() {
        let exchanges = [Exchange::new("hello ".repeat(100), "hello"), Exchange::new("hello", "hello")];
        let find =
            |exchanges: &[Exchange]| find_max_exchanges_under_limit(exchanges, "", 50, Encoding::default());
        assert_eq!((find(&exchanges), find(&exchanges[..1])), (1, 0));
    }

    #[test]
    fn hostile_texts_are_counted() {
        for text in
            [" ".repeat(3_000_000), "a".repeat(300_000), "\u{3000} ".repeat(100_000), "!".repeat(100_000)]
        {
            assert!(count(&text, Encoding::Cl100kBase) > 0);
            assert!(count(&text, Encoding::O200kBase) > 0);
        }
    }
}
