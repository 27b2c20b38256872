//! Sixteen bytes of a text at once, in which ordinary words are found without a loop.

/// The highest bit of each byte.
const HIGH: u128 = each(0x80);

/// This byte, sixteen times.
const fn each(byte: u8) -> u128 {
    u128::from_le_bytes([byte; 16])
}

/// The bytes from a place in a text on, the first one lowest; zeros beyond the text's end.
#[derive(Clone, Copy)]
pub struct Window(u128);

impl Window {
    /// How many bytes it has.
    pub const SIZE: usize = 16;

    /// The longest text that has a [`Window::key`].
    pub const KEY: usize = 13;

    /// The window at a place within the text.
    #[inline(always)]
    pub fn at(bytes: &[u8], at: usize) -> Window {
        match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(chunk) => Window(u128::from_le_bytes(*chunk)),
            None => Window::tail(bytes, at),
        }
    }

    /// The window at one of the last bytes.
    fn tail(bytes: &[u8], at: usize) -> Window {
        if let Some(chunk) = bytes.last_chunk() {
            let beyond = at + Window::SIZE - bytes.len();
            return Window(u128::from_le_bytes(*chunk).checked_shr(8 * beyond as u32).unwrap_or(0));
        }
        let rest = bytes.iter().skip(at).rev();
        Window(rest.fold(0, |window, byte| window << 8 | u128::from(*byte)))
    }

    /// The byte at a place in the window.
    #[inline(always)]
    pub fn byte(self, at: usize) -> u8 {
        (self.0 >> (8 * at)) as u8
    }

    /// The window without what comes after so many bytes, and with their number, in the lower 108 bits of a word. There are
    /// at most [`Window::KEY`] bytes, and at least one.
    #[inline(always)]
    pub fn key(self, length: usize) -> u128 {
        self.0 & (u128::MAX >> (128 - 8 * length)) | (length as u128) << 104
    }

    /// The highest bits of those bytes that are between these two; both are below 128.
    #[inline(always)]
    fn between(self, low: u8, high: u8) -> u128 {
        let low_bits = self.0 & !HIGH;
        (low_bits + each(0x80 - low)) & !(low_bits + each(0x7F - high)) & !self.0 & HIGH
    }

    /// Marks the letters of ASCII.
    #[inline(always)]
    pub fn letters(self) -> Marks {
        Marks(Window(self.0 | each(0x20)).between(b'a', b'z'))
    }

    /// Marks `A` to `Z`.
    #[inline(always)]
    pub fn upper(self) -> Marks {
        Marks(self.between(b'A', b'Z'))
    }
}

/// Some of the bytes of a window.
#[derive(Clone, Copy)]
pub struct Marks(u128);

impl Marks {
    /// The first byte, from `at` on (below 16), that is not marked: 16 if there is none.
    #[inline(always)]
    pub fn run(self, at: usize) -> usize {
        let others = !self.0 & HIGH & (u128::MAX << (8 * at));
        others.trailing_zeros() as usize / 8
    }

    /// Those that are marked here and not there.
    #[inline(always)]
    pub fn without(self, other: Marks) -> Marks {
        Marks(self.0 & !other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_the_text_from_there_on() {
        let text: Vec<u8> = (1..=40).collect();
        for length in 1..40 {
            for at in 0..length {
                let window = Window::at(&text[..length], at);
                for n in 0..16 {
                    let expected = if at + n < length { (at + n + 1) as u8 } else { 0 };
                    assert_eq!(window.byte(n), expected, "{length} {at} {n}");
                }
            }
        }
    }

    #[test]
    fn letters_are_marked_and_nothing_else() {
        for byte in 0..=255u8 {
            let window = Window::at(&[byte; 16], 0);
            let all = |yes: bool| if yes { 16 } else { 0 };
            assert_eq!(window.letters().run(0), all(byte.is_ascii_alphabetic()), "{byte}");
            assert_eq!(window.upper().run(0), all(byte.is_ascii_uppercase()), "{byte}");
        }
        // no byte changes what is said of its neighbour
        for byte in 0..=255u8 {
            let window = Window::at(&[byte, b'a', byte, b'Z', byte, b'[', b'a', b'@'], 0);
            assert_eq!(
                (window.letters().run(1) - 1, window.letters().run(3) - 3),
                match byte.is_ascii_alphabetic() {
                    true => (4, 2),
                    false => (1, 1),
                },
                "{byte}"
            );
            assert_eq!((window.letters().run(5), window.letters().run(6)), (5, 7));
        }
    }

    #[test]
    fn keys_of_different_texts_differ() {
        let key = |text: &[u8]| Window::at(text, 0).key(text.len());
        assert_ne!(key(b"a"), key(b"a\0"));
        assert_eq!(key(b"abc"), Window::at(b"abcdefghijklmnopqrstuvw", 0).key(3));
        assert_eq!(key(b"abcdefghijklm"), Window::at(b"abcdefghijklmnopqrstuvw", 0).key(13));
    }
}
