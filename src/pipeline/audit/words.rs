//! A text as words: what can be compared whatever its case, its punctuation and its layout.

use std::hash::Hasher;
use std::ops::Range;

use rustc_hash::FxHasher;
use unicode_script::{Script, UnicodeScript};

/// A word of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Word {
    /// By which it is told apart; the same for upper and lower case.
    pub hash: u64,
    /// Where it stands, in bytes.
    pub begin: u32,
    /// Where it ends.
    pub end: u32,
    /// Whether a sentence or a line begins with it.
    pub starts: bool,
}

/// A message and its words.
#[derive(Debug, Default)]
pub struct Said {
    /// The message.
    pub text: String,
    /// Its words.
    pub words: Vec<Word>,
}

impl Said {
    /// A message that is split into words.
    pub fn new(text: impl Into<String>) -> Said {
        let text = text.into();
        Said { words: words(&text), text }
    }

    /// What stands from one word to another.
    pub fn slice(&self, words: &[Word]) -> &str {
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return "" };
        self.text.get(first.begin as usize..last.end as usize).unwrap_or_default()
    }

    /// The hashes of its words.
    pub fn hashes(&self) -> Vec<u64> {
        self.words.iter().map(|word| word.hash).collect()
    }

    /// Its sentences: what a full stop, a question mark, an exclamation mark or the end of a line closes.
    pub fn sentences(&self) -> impl Iterator<Item = &[Word]> {
        self.words.chunk_by(|_, next| !next.starts)
    }
}

/// What is told of a place in a text: the words around it, on one line.
pub fn excerpt(text: &str, place: Range<usize>) -> String {
    const BEFORE: usize = 60;
    const LONGEST: usize = 160;
    let begin = boundary(text, place.start.saturating_sub(BEFORE));
    let end = boundary(text, place.end.max(begin + LONGEST).min(begin + 2 * LONGEST).min(text.len()));
    let words: Vec<&str> = text[begin..end].split_whitespace().collect();
    let (before, after) = (if begin > 0 { "..." } else { "" }, if end < text.len() { "..." } else { "" });
    format!("{before}{}{after}", words.join(" "))
}

/// The nearest place between two characters, at or before this one.
fn boundary(text: &str, place: usize) -> usize {
    (0..=place.min(text.len())).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0)
}

/// The words of a text. A character of a script without spaces (Chinese, Japanese, Thai, ...) is a word of its own.
pub fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::with_capacity(text.len() / 6);
    let (mut word, mut starts) = (None, true);
    let mut chars = text.char_indices().peekable();
    while let Some((place, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        if alone(c) {
            close(&mut word, place, &mut starts, &mut found);
            let mut one = Open::at(place);
            one.add(c);
            close(&mut Some(one), place + c.len_utf8(), &mut starts, &mut found);
        } else if c.is_alphanumeric() {
            word.get_or_insert_with(|| Open::at(place)).add(c);
        } else if let (Some(word), '\'' | '\u{2019}', true) = (&mut word, c, continues(next)) {
            word.add('\'');
        } else {
            close(&mut word, place, &mut starts, &mut found);
            starts |= ends_sentence(c, next);
        }
    }
    close(&mut word, text.len(), &mut starts, &mut found);
    found
}

/// A word that has not ended.
struct Open {
    begin: usize,
    hasher: FxHasher,
}

impl Open {
    fn at(begin: usize) -> Open {
        Open { begin, hasher: FxHasher::default() }
    }

    fn add(&mut self, c: char) {
        match c.is_ascii() {
            true => self.hasher.write_u8(c.to_ascii_lowercase() as u8),
            false => c.to_lowercase().for_each(|c| self.hasher.write_u32(c.into())),
        }
    }
}

fn close(word: &mut Option<Open>, end: usize, starts: &mut bool, found: &mut Vec<Word>) {
    if let Some(Open { begin, hasher }) = word.take() {
        let (begin, end) = (begin as u32, end as u32);
        found.push(Word { hash: hasher.finish(), begin, end, starts: std::mem::take(starts) });
    }
}

fn continues(next: Option<char>) -> bool {
    next.is_some_and(|next| next.is_alphanumeric() && !alone(next))
}

/// A full stop within a number or an address ends nothing.
fn ends_sentence(c: char, next: Option<char>) -> bool {
    match c {
        '\n' | '\u{3002}' | '\u{ff01}' | '\u{ff1f}' => true,
        '.' | '!' | '?' | '\u{2026}' => !continues(next),
        _ => false,
    }
}

/// Whether a character is of a script that puts no spaces between words.
fn alone(c: char) -> bool {
    use Script::*;
    !c.is_ascii()
        && c.is_alphabetic()
        && matches!(c.script(), Han | Hiragana | Katakana | Thai | Lao | Khmer | Myanmar)
}

/// The hash of a sequence of words, from that of the sequence without the last one.
pub fn and_then(sequence: u64, word: u64) -> u64 {
    (sequence.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The hash of a sequence of words.
pub fn sequence(words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(1, and_then)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let said = Said::new(text);
        let sentence =
            |words: &[Word]| words.iter().map(|word| said.slice(&[*word])).collect::<Vec<_>>().join("|");
        said.sentences().map(sentence).collect()
    }

    #[test]
    fn words_and_sentences() {
        assert_eq!(
            shown("It\u{2019}s 3.5 bar, isn't it? Yes!\n- so"),
            ["It\u{2019}s|3.5".replace("3.5", "3|5") + "|bar|isn't|it", "Yes".into(), "so".into()]
        );
        assert_eq!(shown("\u{4f60}\u{597d}\u{3002}Hi"), ["\u{4f60}|\u{597d}", "Hi"]);
        assert!(shown(" ...!? \n").is_empty());
        assert!(shown("").is_empty());
    }

    #[test]
    fn case_and_apostrophes_make_no_difference() {
        assert_eq!(Said::new("I'M \u{c4}RGER").hashes(), Said::new("i\u{2019}m \u{e4}rger").hashes());
        assert_ne!(Said::new("a b").hashes(), Said::new("ab").hashes());
        assert_ne!(sequence([1, 2]), sequence([2, 1]));
    }

    #[test]
    fn an_excerpt_is_one_line_of_whole_characters() {
        let text = "\u{e4}".repeat(500);
        let excerpt = excerpt(&text, 501..505);
        assert!(excerpt.starts_with("...\u{e4}") && excerpt.ends_with("\u{e4}...") && excerpt.len() < 200);
        assert_eq!(super::excerpt("a\n b", 0..1), "a b");
        assert_eq!(super::excerpt("", 0..0), "");
    }
}
