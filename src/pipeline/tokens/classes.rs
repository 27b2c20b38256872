//! What kind of character a code point is, as far as the patterns of the encodings ask.
//!
//! The sets are those of `regex-syntax`, the parser below tiktoken-rs's regular expressions, so that both
//! go by the same version of Unicode.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// May stand in `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`.
pub const UPPER: u8 = 1;
/// May stand in `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`.
pub const LOWER: u8 = 2;
/// `\p{L}`.
pub const LETTER: u8 = 4;
/// `\p{N}`.
pub const NUMBER: u8 = 8;
/// `\s`: Unicode's `White_Space`.
pub const SPACE: u8 = 16;
/// `[\r\n]`. These are [`SPACE`], too.
pub const LINE: u8 = 32;

/// What makes each bit.
const SETS: &[(&str, u8)] = &[
    (r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", UPPER),
    (r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", LOWER),
    (r"\p{L}", LETTER),
    (r"\p{N}", NUMBER),
    (r"\s", SPACE),
    (r"[\r\n]", LINE),
];

/// The bits of the ASCII characters, at hand without [`TABLE`].
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut c = 0;
    while c < 128 {
        table[c] = match c as u8 {
            b'A'..=b'Z' => UPPER | LETTER,
            b'a'..=b'z' => LOWER | LETTER,
            b'0'..=b'9' => NUMBER,
            b'\r' | b'\n' => SPACE | LINE,
            b' ' | 9..=13 => SPACE,
            _ => 0,
        };
        c += 1;
    }
    table
};

/// The bits of every code point, made when the first one beyond ASCII is met. It is flat, for speed; the system
/// gives memory to those of its pages only that are used.
static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut table = vec![0; char::MAX as usize + 1];
    for (set, bit) in SETS {
        for (first, last) in members(set) {
            table[first as usize..=last as usize].iter_mut().for_each(|class| *class |= bit);
        }
    }
    table
});

/// The ranges of code points in a set, given as a regular expression. (Those of [`SETS`] can be read; a test says so.)
fn members(set: &str) -> Vec<(char, char)> {
    match regex_syntax::parse(set).map(|parsed| parsed.into_kind()) {
        Ok(HirKind::Class(Class::Unicode(class))) => class.iter().map(|r| (r.start(), r.end())).collect(),
        Ok(HirKind::Class(Class::Bytes(class))) => {
            class.iter().map(|r| (r.start().into(), r.end().into())).collect()
        }
        _ => Vec::new(),
    }
}

/// The bits of an ASCII character.
#[inline(always)]
pub fn of_ascii(byte: u8) -> u8 {
    ASCII[usize::from(byte & 127)]
}

/// The bits of a code point.
#[inline]
pub fn of(code: u32) -> u8 {
    TABLE.get(code as usize).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_can_be_read() {
        for (set, _) in SETS {
            assert!(!members(set).is_empty(), "{set}");
        }
    }

    #[test]
    fn ascii_is_as_in_the_table() {
        for byte in 0..128 {
            assert_eq!(of_ascii(byte), of(byte.into()), "{byte}");
        }
    }

    #[test]
    fn traps() {
        assert_eq!(of('ǅ' as u32), UPPER | LETTER, "title case");
        assert_eq!(of('ʰ' as u32), UPPER | LOWER | LETTER, "a modifier");
        assert_eq!(of('中' as u32), UPPER | LOWER | LETTER);
        assert_eq!(of(0x301), UPPER | LOWER, "a mark");
        assert_eq!(of('Ⅷ' as u32), NUMBER);
        assert_eq!(of(0x85), SPACE, "the next line is no line break of the patterns");
        assert_eq!(of(0x200B), 0, "the zero width space is no white space");
        assert_eq!(of(0x1C), 0, "nor are Python's separators");
        assert_eq!(of(u32::MAX), 0);
    }
}
