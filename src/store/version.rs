//! A record's `_version`: four short hashes of what the record was made from, in 16 bytes, so that a
//! million of them take little room. What the parts stand for is known to those who make them.

use std::fmt;

/// Four times 32 bits; the last part is 0 when there is nothing that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub [u32; 4]);

impl Version {
    /// Reads what [`Display`](fmt::Display) writes: `3ef79c43-5a839632-32eb9f4a-0`.
    pub fn parse(text: &str) -> Option<Version> {
        let mut version = Version([0; 4]);
        let mut parts = text.split('-');
        for (place, number) in version.0.iter_mut().enumerate() {
            *number = match parts.next()? {
                "0" if place == 3 => 0,
                part => hex_number(part)?,
            };
        }
        parts.next().is_none().then_some(version)
    }
}

/// Exactly 8 lower-case digits.
fn hex_number(part: &str) -> Option<u32> {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (part.len() == 8 && part.bytes().all(digit)).then(|| u32::from_str_radix(part, 16).ok()).flatten()
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a:08x}-{b:08x}-{c:08x}-")?;
        if d == 0 { f.write_str("0") } else { write!(f, "{d:08x}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["3ef79c43-5a839632-02eb9f4a-af0cbfb7", "00000000-00000001-ffffffff-0"] {
            assert_eq!(Version::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn no_other_form_is_taken() {
        let good = "3ef79c43-5a839632-32eb9f4a-0";
        let [short, long] = [&good[1..], &format!("{good}-0")];
        let others = ["", "v1", "0-0-0-0", "3EF79c43-5a839632-32eb9f4a-0", "+ef79c43-5a839632-32eb9f4a-0"];
        for text in others.into_iter().chain([
            short,
            long,
            "3ef79c43-5a839632-32eb9f4a",
            "3ef79c43-5a839632-32eb9f4a-1",
        ]) {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
