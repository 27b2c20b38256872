//! The pattern of `cl100k_base`:
//!
//! ```text
//! '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s
//! ```

use super::{Pattern, Text, Window};
use crate::pipeline::tokens::classes::{self, LETTER, LINE, NUMBER};

/// The pattern.
pub struct Cl100k;

impl Pattern for Cl100k {
    #[inline(always)]
    fn plain_word(window: Window) -> Option<usize> {
        plain_word(window)
    }

    fn any(text: Text, at: usize) -> usize {
        any(text, at)
    }
}

/// The length of `[^\r\n\p{L}\p{N}]?+\p{L}++` where it, and what ends it, is ASCII and stands in the window. An apostrophe may
/// begin a contraction, so it is left to [`any`].
#[inline(always)]
fn plain_word(window: Window) -> Option<usize> {
    let first = window.byte(0);
    let class = classes::of_ascii(first);
    if first == b'\'' || first >= 128 || class & (LINE | NUMBER) != 0 {
        return None;
    }
    let start = usize::from(class & LETTER == 0);
    let end = window.letters().run(start);
    (end > start && end < Window::SIZE && window.byte(end) < 128).then_some(end)
}

/// The end of the piece at `at`: the alternatives in their order.
fn any(text: Text, at: usize) -> usize {
    let Some((class, next)) = text.class(at) else { return at };
    if class & LETTER != 0 {
        return text.run(next, LETTER);
    }
    if class & NUMBER != 0 {
        return text.numbers(next);
    }
    if let Some(end) = text.contraction(at) {
        return end;
    }
    if class & LINE == 0 {
        let end = text.run(next, LETTER);
        if end > next {
            return end;
        }
    }
    text.symbols(at).map_or_else(|| blank(text, at), |end| text.run(end, LINE))
}

/// `\s++$|\s*[\r\n]|\s+(?!\S)|\s`
fn blank(text: Text, at: usize) -> usize {
    let blank = text.blank(at);
    match blank.line {
        _ if blank.end == text.bytes().len() => blank.end,
        Some(line) => line,
        None => blank.before_word(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_pieces;
    use super::Cl100k;

    #[test]
    fn contractions() {
        assert_pieces::<Cl100k>(&[
            "don|'t",
            "I|'LL| be",
            "we|'Ve",
            "'s|elf",
            "'ſ|elf",
            "'lx",
            "a|'re|d",
            "''|s",
            " '|s",
        ]);
    }

    #[test]
    fn words_take_the_character_before_them() {
        assert_pieces::<Cl100k>(&[
            "HTMLElement",
            " word",
            "\tword",
            "$word",
            "\u{301}word",
            "\u{a0}word",
            "\n|word",
            "1|word",
            "éÉ中",
            " | word",
            "word|\u{301}",
        ]);
    }

    #[test]
    fn symbols_take_the_line_breaks_behind_them() {
        assert_pieces::<Cl100k>(&[" !?\r\n\n|a", "😀!\n|b", "/\n|/", "\u{301}\u{301}", "!\n| !", "!|  | ?"]);
    }

    #[test]
    fn white_space() {
        assert_pieces::<Cl100k>(&[
            "a|  | b",
            "a| \n|  | b",
            "a| \n  ",
            "  \n ",
            "a|\t|1",
            "a|  |\u{3000}|1",
            "\n\n|\t|1",
            "a| |1",
        ]);
    }
}
