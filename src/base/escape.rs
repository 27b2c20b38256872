//! Texts as JSON strings, written quickly: a prompt holds the whole conversation, and is written twice a call, for
//! the wire and for its hash. The result is that of `serde_json`, which looks at each byte by itself.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Appends a text as a JSON string, quotes included.
pub fn push_json(out: &mut String, text: &str) {
    out.reserve(text.len() + text.len() / 32 + 2);
    out.push('"');
    let mut rest = text;
    while let Some(place) = first_special(rest.as_bytes()) {
        out.push_str(&rest[..place]);
        push_escaped(out, rest.as_bytes()[place]);
        rest = &rest[place + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Where the first byte stands that a JSON string cannot hold as it is.
fn first_special(bytes: &[u8]) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (place, chunk) in chunks.iter().enumerate() {
        let flags = specials(u64::from_le_bytes(*chunk));
        if flags != 0 {
            return Some(place * 8 + flags.trailing_zeros() as usize / 8);
        }
    }
    let start = chunks.len() * 8;
    rest.iter().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\')).map(|place| start + place)
}

/// Flags special bytes of eight by their highest bit (the classic tests for a zero byte, and for one below a bound:
/// Bit Twiddling Hacks, S. E. Anderson). What stands above a flagged byte may be flagged by mistake; the lowest flag
/// is right.
fn specials(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')))
}

fn push_escaped(out: &mut String, byte: u8) {
    let short = match byte {
        b'"' => "\\\"",
        b'\\' => "\\\\",
        b'\n' => "\\n",
        b'\r' => "\\r",
        b'\t' => "\\t",
        0x08 => "\\b",
        0x0c => "\\f",
        _ => return out.push_str(&format!("\\u{byte:04x}")),
    };
    out.push_str(short);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        push_json(&mut out, text);
        out
    }

    #[test]
    fn every_character_below_256_is_written_as_serde_does() {
        for code in 0..=255_u8 {
            for text in [char::from(code).to_string(), format!("1234567{}é89{0}", char::from(code))] {
                assert_eq!(escaped(&text), serde_json::to_string(&text).unwrap());
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_does(text in "(\\PC|[\\x00-\\x7f]){0,60}") {
            prop_assert_eq!(escaped(&text), serde_json::to_string(&text).unwrap());
        }
    }
}
