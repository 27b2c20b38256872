//! Cuts a text into the pieces that a pattern of an encoding finds, without a regular expression.
//!
//! Every character is matched by some alternative of the patterns, so each piece begins where the last one
//! ended. Nothing is looked at more often than a fixed number of times: the time is linear, whatever the text.

mod cl100k;
mod o200k;
mod window;

pub use cl100k::Cl100k;
pub use o200k::O200k;
pub use window::Window;

use super::classes::{self, LETTER, LINE, NUMBER, SPACE};

/// An encoding's pattern.
pub trait Pattern {
    /// The length of the piece that begins with a window, where that is an ordinary word in it: most are.
    fn plain_word(window: Window) -> Option<usize>;

    /// Where the piece at `at` ends, whatever it is.
    fn any(text: Text, at: usize) -> usize;

    /// Where the piece that begins at `at` ends; `window` is the text from there.
    #[inline(always)]
    fn end(text: Text, at: usize, window: Window) -> usize {
        Self::plain_word(window).map_or_else(|| Self::any(text, at), |length| at + length)
    }
}

/// A text, read by characters. (It is UTF-8, so what is decoded need not be checked.)
#[derive(Clone, Copy)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// This text.
    pub fn new(text: &'a str) -> Text<'a> {
        Text(text.as_bytes())
    }

    /// Its bytes.
    #[inline(always)]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    #[inline(always)]
    fn byte(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    #[inline(always)]
    fn is(self, at: usize, byte: u8) -> bool {
        self.byte(at) == Some(byte)
    }

    /// The class of the character at a place, and where the next one begins. At the end of the text there is none.
    #[inline(always)]
    fn class(self, at: usize) -> Option<(u8, usize)> {
        let byte = self.byte(at)?;
        match byte < 128 {
            true => Some((classes::of_ascii(byte), at + 1)),
            false => Some(self.class_beyond_ascii(byte, at)),
        }
    }

    fn class_beyond_ascii(self, first: u8, at: usize) -> (u8, usize) {
        let next = |n: usize| u32::from(self.byte(at + n).unwrap_or(0) & 0x3F);
        let first = u32::from(first);
        let (code, length) = match first {
            0..0xE0 => ((first & 0x1F) << 6 | next(1), 2),
            0xE0..0xF0 => ((first & 0x0F) << 12 | next(1) << 6 | next(2), 3),
            _ => ((first & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4),
        };
        (classes::of(code), at + length)
    }

    /// The end of the run of characters, from `at` on, that have one of these bits.
    #[inline(always)]
    fn run(self, at: usize, any: u8) -> usize {
        self.run_of(at, |class| class & any != 0)
    }

    /// The end of the run of characters, from `at` on, whose class is wanted.
    #[inline(always)]
    fn run_of(self, mut at: usize, wanted: impl Fn(u8) -> bool) -> usize {
        while let Some((class, next)) = self.class(at)
            && wanted(class)
        {
            at = next;
        }
        at
    }

    /// The end of the run of these bytes from `at` on.
    fn run_of_bytes(self, mut at: usize, wanted: &[u8]) -> usize {
        while self.byte(at).is_some_and(|byte| wanted.contains(&byte)) {
            at += 1;
        }
        at
    }

    /// `\p{N}{1,3}`, whose first number ends at `at`.
    fn numbers(self, mut at: usize) -> usize {
        for _ in 0..2 {
            match self.class(at) {
                Some((class, next)) if class & NUMBER != 0 => at = next,
                _ => break,
            }
        }
        at
    }

    /// The end of ` ?[^\s\p{L}\p{N}]+`, if that matches here.
    #[inline]
    fn symbols(self, at: usize) -> Option<usize> {
        let from = at + usize::from(self.is(at, b' '));
        let end = self.run_of(from, |class| class & (SPACE | LETTER | NUMBER) == 0);
        (end > from).then_some(end)
    }

    /// The end of `(?i:'s|'t|'re|'ve|'m|'ll|'d)`, if that matches here. U+017F is a small s, too.
    #[inline]
    fn contraction(self, at: usize) -> Option<usize> {
        if !self.is(at, b'\'') {
            return None;
        }
        let lower = |at: usize| self.byte(at).map_or(0, |byte| byte | 0x20);
        match (lower(at + 1), lower(at + 2)) {
            (b's' | b't' | b'm' | b'd', _) => Some(at + 2),
            (b'r' | b'v', b'e') | (b'l', b'l') => Some(at + 3),
            _ => self.0[at + 1..].starts_with("ſ".as_bytes()).then_some(at + 3),
        }
    }

    /// The run of white space that begins at `at`. Its first character is white space, since no other alternative matched it.
    #[inline]
    fn blank(self, at: usize) -> Blank {
        let mut blank = Blank { start: at, last: at, end: at, line: None };
        while let Some((class, next)) = self.class(blank.end)
            && (class & SPACE != 0 || blank.end == at)
        {
            (blank.last, blank.end) = (blank.end, next);
            if class & LINE != 0 {
                blank.line = Some(next);
            }
        }
        blank
    }
}

/// A run of white space.
struct Blank {
    start: usize,
    /// Where its last character begins.
    last: usize,
    end: usize,
    /// Where its last line break ends, and so does `\s*[\r\n]` or `\s*[\r\n]+`.
    line: Option<usize>,
}

impl Blank {
    /// `\s+(?!\S)`, then `\s` or `\s+`, where no line break is in the run and the text goes on: the last character is
    /// left to the word behind it, unless it is the only one.
    fn before_word(&self) -> usize {
        if self.last > self.start { self.last } else { self.end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a text, by a bar between them.
    pub fn pieces<P: Pattern>(text: &str) -> String {
        let (mut at, mut pieces) = (0, Vec::new());
        while at < text.len() {
            let end = P::end(Text::new(text), at, Window::at(text.as_bytes(), at));
            pieces.push(&text[at..end]);
            at = end;
        }
        pieces.join("|")
    }

    /// What is between the bars must come out as it stands there.
    pub fn assert_pieces<P: Pattern>(all: &[&str]) {
        for expected in all {
            assert_eq!(pieces::<P>(&expected.replace('|', "")), *expected);
        }
    }

    #[test]
    fn numbers_go_by_three() {
        for (text, expected) in
            [("1234567", "123|456|7"), ("a12", "a|12"), ("٣٤٥٦", "٣٤٥|٦"), ("½Ⅷ𝟗1", "½Ⅷ𝟗|1")]
        {
            assert_eq!((pieces::<Cl100k>(text), pieces::<O200k>(text)), (expected.into(), expected.into()));
        }
    }

    #[test]
    fn words_of_every_length() {
        for letters in 1..40 {
            for end in ["", " ", ".", "é", "\u{301}", "中", "B"] {
                let word = format!(" {}", "a".repeat(letters));
                let (old, new) = match end {
                    "é" | "中" => (format!("{word}{end}"), format!("{word}{end}")),
                    "B" => (format!("{word}B"), format!("{word}|B")),
                    "\u{301}" => (format!("{word}|{end}"), format!("{word}{end}")),
                    "" => (word.clone(), word.clone()),
                    _ => (format!("{word}|{end}"), format!("{word}|{end}")),
                };
                let text = format!("{word}{end}");
                assert_eq!((pieces::<Cl100k>(&text), pieces::<O200k>(&text)), (old, new));
            }
        }
    }
}
