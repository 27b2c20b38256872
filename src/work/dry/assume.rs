//! How long a backend's replies are taken to be.

use crate::llm::stub::Length;
use crate::store::ledger::ReplyLengths;

/// Tokens of a free reply when nothing is known: some sentences.
const FREE: u64 = 80;

/// Tokens of each text in a structured reply: a sentence or two.
const EACH_TEXT: u64 = 25;

/// An assumption, and why it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumed {
    /// Whether it is about structured replies.
    pub structured: bool,
    /// The length.
    pub length: Length,
    /// Where it comes from, as a person reads it.
    pub source: String,
}

/// The length of a backend's replies: structured ones, or others. All that a dry run assumes is here.
pub fn assumed_reply(known: &ReplyLengths, backend: &str, structured: bool) -> Assumed {
    let (length, source) = match known.mean(backend, structured) {
        Some((tokens, replies)) => (Length::Reply(tokens), format!("the mean of its last {replies}")),
        None if structured => (Length::EachText(EACH_TEXT), "nothing is known of it yet".into()),
        None => (Length::Reply(FREE), "nothing is known of it yet".into()),
    };
    Assumed { structured, length, source }
}

#[cfg(test)]
mod tests {
    use crate::llm::stub;
    use crate::pipeline::tokens::{self, Encoding};

    #[test]
    fn filler_has_the_tokens_that_it_claims() {
        let count = |text: &str| tokens::count(text, Encoding::default()) as i64;
        for (wanted, seed) in [(20, 0), (120, 5), (120, 77), (700, 3)] {
            let counted = count(&stub::filler(wanted, seed));
            assert!((counted - wanted as i64).abs() <= 1 + wanted as i64 / 50, "{counted} for {wanted}");
        }
    }
}
