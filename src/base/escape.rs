//! Texts as JSON strings, written quickly: a prompt holds the whole conversation, and is written with each call. The
//! result is that of `serde_json`, which looks at each byte by itself.

use super::scan::first_byte;

/// Appends a text as a JSON string, quotes included.
pub fn push_json(out: &mut String, text: &str) {
    out.reserve(text.len() + text.len() / 32 + 2);
    out.push('"');
    let mut rest = text;
    while let Some(place) = first_byte(rest.as_bytes(), is_special) {
        out.push_str(&rest[..place]);
        push_escaped(out, rest.as_bytes()[place]);
        rest = &rest[place + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Whether a JSON string cannot hold a byte as it is.
fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
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
