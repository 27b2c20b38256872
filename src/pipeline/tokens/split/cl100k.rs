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
    fn end(text: Text, at: usize, window: Window) -> usize {
        plain_word(window).map_or_else(|| any(text, at), |length| at + length)
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
    match blank.to_line() {
        _ if blank.end == text.bytes().len() => blank.end,
        Some(line) => line,
        None => blank.before_word(),
    }
}
