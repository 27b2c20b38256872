//! Ids as file names: safe, injective, and unchanged for ordinary ids.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Longer names become a prefix and a hash: a file system takes 255 bytes, with extension and decoration.
const LONGEST: usize = 200;
const PREFIX: usize = 100;

/// The file name of an id: `[A-Za-z0-9_-]` stay, other bytes become `%XX`. `%h` marks a shortened
/// name and `%empty` the empty id; no `%XX` can look like either.
pub fn encode_id(id: &str) -> String {
    if id.is_empty() {
        return "%empty".into();
    }
    let (name, kept) = escape(id);
    if name.len() <= LONGEST {
        return name;
    }
    let hash = Sha256::digest(id.as_bytes());
    hash.iter().fold(format!("{}%h", &name[..kept]), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// The escaped id, and how much of it makes a prefix that cuts no escape in two.
fn escape(id: &str) -> (String, usize) {
    let (mut name, mut kept) = (String::with_capacity(id.len()), 0);
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
        if name.len() <= PREFIX {
            kept = name.len();
        }
    }
    (name, kept)
}

/// Where the transcript of an id stands.
pub fn transcript_path(id: &str) -> String {
    format!("data/raw/transcripts/{}.json", encode_id(id))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_ids_stay_and_others_are_escaped() {
        assert_eq!(encode_id("transcript_7-A"), "transcript_7-A");
        assert_eq!(encode_id("../a b%"), "%2E%2E%2Fa%20b%25");
        assert_eq!(encode_id("ä"), "%C3%A4");
        assert_eq!(transcript_path("."), "data/raw/transcripts/%2E.json");
        assert_ne!(encode_id(""), encode_id("%empty"));
    }

    #[test]
    fn long_ids_fit_and_differ() {
        let long = "ä".repeat(300);
        assert!(encode_id(&long).len() < 200);
        assert_ne!(encode_id(&long), encode_id(&"ä".repeat(301)));
        assert_ne!(encode_id(&encode_id(&long)), encode_id(&long));
        assert_eq!(encode_id(&"x".repeat(200)), "x".repeat(200));
    }

    proptest! {
        #[test]
        fn no_two_ids_share_a_name(ids in proptest::collection::vec("[a%/.h2E\u{0}-]{0,4}|.{0,90}", 2..60)) {
            let mut seen: HashMap<String, String> = HashMap::new();
            for id in ids {
                let name = encode_id(&id);
                prop_assert!(name.len() <= LONGEST && !name.is_empty());
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-%".contains(&b)));
                let first = seen.entry(name).or_insert_with(|| id.clone());
                prop_assert_eq!(&*first, &id);
            }
        }
    }
}
