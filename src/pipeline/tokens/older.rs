//! The encodings before `cl100k_base`, counted by tiktoken-rs. Few ask for them, so they have no splitter of their own.

use tiktoken_rs::CoreBPE;

/// The longest run of white space, in characters, that is counted in one piece: tiktoken's pattern backtracks over such runs and
/// gives up at about a million.
const LONGEST_BLANK: usize = 100_000;

/// The tokens of a text. (In a text with a run of more than 100,000 white space characters, the run is counted in pieces of that
/// length, which may add a token for each.)
pub fn count(text: &str, tables: &CoreBPE) -> usize {
    match text.len() {
        length if length <= LONGEST_BLANK => tables.count_ordinary(text),
        _ => pieces(text).into_iter().map(|piece| tables.count_ordinary(piece)).sum(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_blanks_are_counted() {
        let tables = tiktoken_rs::r50k_base_singleton();
        assert!(count(&format!("{}x", " ".repeat(1_500_000)), tables) > 0);
        assert_eq!(count("hello world", tables), 2);
    }
}
