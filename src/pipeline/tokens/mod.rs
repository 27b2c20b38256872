//! How many tokens a text costs. Counting is by tiktoken's ordinary encoding: a special token's text
//! (`<|endoftext|>`) is plain text.
//!
//! `cl100k_base` and `o200k_base` are counted here: a text is cut into pieces as the encoding's pattern would (`split`), a
//! piece that is in the vocabulary (`ranks`) is one token, as nineteen in twenty are, and the others are merged (`merge`). An
//! encoding's tables (3 to 6 MB) are loaded at its first use and never change; threads share them without a lock. Nothing is remembered from one
//! text to the next: a cache of counts would have to be kept by every thread.

mod classes;
mod encoding;
mod merge;
mod older;
mod ranks;
mod split;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::pipeline::transcript::Exchange;
use ranks::Ranks;
use split::{Pattern, Text, Window};

pub use encoding::Encoding;

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

static CL100K: LazyLock<Ranks> =
    LazyLock::new(|| Ranks::read(include_bytes!("../../../vocabulary/cl100k_base.bin")));
static O200K: LazyLock<Ranks> =
    LazyLock::new(|| Ranks::read(include_bytes!("../../../vocabulary/o200k_base.bin")));

/// The tokens of a text.
pub fn count(text: &str, encoding: Encoding) -> usize {
    match encoding {
        _ if text.is_empty() => 0,
        Encoding::Cl100kBase => count_pieces::<split::Cl100k>(text, &CL100K),
        Encoding::O200kBase | Encoding::O200kHarmony => count_pieces::<split::O200k>(text, &O200K),
        Encoding::P50kBase => older::count(text, tiktoken_rs::p50k_base_singleton()),
        Encoding::P50kEdit => older::count(text, tiktoken_rs::p50k_edit_singleton()),
        Encoding::R50kBase | Encoding::Gpt2 => older::count(text, tiktoken_rs::r50k_base_singleton()),
    }
}

/// Begins to load an encoding's tables on a thread of its own, so that the first [`count`] finds them or waits for less. If
/// there is no thread to be had, that count loads them.
pub fn preload(encoding: Encoding) {
    let loading = move || count("a", encoding);
    let _ = std::thread::Builder::new().name("tokens".into()).spawn(loading);
}

/// The tokens of a text's pieces.
fn count_pieces<P: Pattern>(text: &str, ranks: &Ranks) -> usize {
    let text = Text::new(text);
    let bytes = text.bytes();
    let (mut at, mut tokens) = (0, 0);
    while at < bytes.len() {
        let window = Window::at(bytes, at);
        let end = P::end(text, at, window);
        tokens += if ranks.has(bytes, at, end, window) { 1 } else { merge::count(ranks, bytes, at, end) };
        at = end;
    }
    tokens
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
    fn what_is_loaded_beforehand_counts_the_same() {
        preload(Encoding::O200kHarmony);
        assert_eq!(count("hello world", Encoding::O200kHarmony), 2);
        assert_eq!(count("", Encoding::O200kHarmony), 0);
    }
}
