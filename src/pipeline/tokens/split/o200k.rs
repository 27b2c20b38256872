//! The pattern of `o200k_base` and `o200k_harmony`:
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
//! ```

use super::{Pattern, Text, Window};
use crate::pipeline::tokens::classes::{self, LETTER, LINE, LOWER, NUMBER, UPPER};

/// The pattern.
pub struct O200k;

impl Pattern for O200k {
    #[inline(always)]
    fn plain_word(window: Window) -> Option<usize> {
        plain_word(window)
    }

    fn any(text: Text, at: usize) -> usize {
        any(text, at)
    }
}

/// The length of a word where it, and what ends it, is ASCII and stands in the window; one that may have a contraction is left
/// to [`any`]. In ASCII a word is capitals, then small letters.
#[inline(always)]
fn plain_word(window: Window) -> Option<usize> {
    let first = window.byte(0);
    let class = classes::of_ascii(first);
    if first >= 128 || class & (LINE | NUMBER) != 0 {
        return None;
    }
    let start = usize::from(class & LETTER == 0);
    let (letters, upper) = (window.letters(), window.upper());
    let capitals = upper.run(start);
    if capitals >= Window::SIZE {
        return None;
    }
    let end = letters.without(upper).run(capitals);
    let ends = end > start && end < Window::SIZE && window.byte(end) < 128 && window.byte(end) != b'\'';
    ends.then_some(end)
}

/// The end of the piece at `at`: the alternatives in their order.
fn any(text: Text, at: usize) -> usize {
    let Some((class, next)) = text.class(at) else { return at };
    if class & NUMBER != 0 {
        return text.numbers(next);
    }
    if let Some(end) = word(text, at, class, next) {
        return text.contraction(end).unwrap_or(end);
    }
    match text.symbols(at) {
        Some(end) => text.run_of_bytes(end, b"\r\n/"),
        None => blank(text, at),
    }
}

/// The first two alternatives, without their contraction. Marks and letters without case (`both`) may stand in either class, so
/// what a backtracking matcher finds is this: the first class takes all it can. If the second one finds nothing behind that, it is
/// given back as much as it needs: down to the last `both`, which ends the word. If there is none, the first alternative can
/// only match a mark that was taken for the character before the word; failing that, the second alternative takes it all.
fn word(text: Text, at: usize, class: u8, next: usize) -> Option<usize> {
    let start = if class & (LETTER | LINE) == 0 { next } else { at };
    let (mut end, mut last_both) = (start, None);
    while let Some((class, next)) = text.class(end)
        && class & (UPPER | LOWER) != 0
    {
        if class & UPPER == 0 {
            return Some(text.run(next, LOWER));
        }
        end = next;
        if class & LOWER != 0 {
            last_both = Some(end);
        }
    }
    let mark = (class & UPPER != 0 && class & LETTER == 0).then_some(next);
    last_both.or(mark).or((end > start).then_some(end))
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+`
fn blank(text: Text, at: usize) -> usize {
    let blank = text.blank(at);
    match blank.line {
        Some(line) => line,
        None if blank.end == text.bytes().len() => blank.end,
        None => blank.before_word(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_pieces;
    use super::O200k;

    #[test]
    fn contractions() {
        assert_pieces::<O200k>(&[
            "don't| x",
            "I'LL| be",
            "we'Ve",
            "a'ſ|elf",
            "'self",
            "A'd|A'd",
            "don't|'ve",
            "12|'s",
            "X|'l",
            "''|s",
            "!\u{301}'s",
        ]);
    }

    #[test]
    fn a_word_is_capitals_then_small_letters() {
        assert_pieces::<O200k>(&[
            "hello|World",
            "HTMLElement",
            "ABC",
            "ABCd",
            "ab|C",
            "camel|Case|ABC",
            " Word",
            "$word",
            "\n|word",
            "ǅa",
            "a|ǅ",
        ]);
    }

    #[test]
    fn letters_without_case_are_both() {
        assert_pieces::<O200k>(&["Aʰ|B", "AʰBc", "中|A", "中a", "中Aa", "a中|B", "!中|A", "Aʰʰ|BC|1"]);
    }

    #[test]
    fn marks_are_both_and_may_stand_before_a_word() {
        assert_pieces::<O200k>(&[
            "\u{301}|ABC",
            "!\u{301}|ABC",
            "\u{301}ABCd",
            "\u{301}'s",
            "\u{301}'s|A",
            "\u{301}\u{301}",
            "\u{301}\u{301}|A",
            "e\u{301}|A",
            "\u{301}|1",
        ]);
    }

    #[test]
    fn symbols_take_the_line_breaks_and_slashes_behind_them() {
        assert_pieces::<O200k>(&[" !?\r\n/\n|a", "/\n/", "!\n| !", "!|  | ?"]);
    }

    #[test]
    fn white_space() {
        assert_pieces::<O200k>(&[
            "a|  | b",
            "a| \n|  | b",
            "a| \n|  ",
            "  \n| ",
            "a|\t|1",
            "a|  |\u{3000}|1",
            "\n\n|\t|1",
            "a|  ",
        ]);
    }
}
