//! Hashes by which content is told apart, and the one text of a JSON value that they are made of.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::json::Json;

/// SHA-256 of a text, in lower-case hexadecimal.
pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// The first 64 bits of the SHA-256 of a text: ids are told apart by them, so that a million take little room.
pub fn short(text: &str) -> u64 {
    short_of(text.as_bytes())
}

/// The same of bytes.
pub fn short_of(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    digest[..8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A JSON value's canonical text: compact, keys sorted by code point at every level.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    Json::from(value).write_canonical(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_at_every_level() {
        let value = json!({"b": [{"y": 1, "x": 2}], "a": null});
        assert_eq!(canonical(&value), r#"{"a":null,"b":[{"x":2,"y":1}]}"#);
        let value = json!({"a\"ü\n": [1.0, "z\u{1}", [], {}, true, -3, u64::MAX, 1e300]});
        assert_eq!(canonical(&value), value.to_string());
    }

    #[test]
    fn a_known_hash() {
        // FIPS 180-2, appendix B.1.
        assert!(sha256("abc").starts_with("ba7816bf8f01cfea414140de5dae2223"));
    }
}
