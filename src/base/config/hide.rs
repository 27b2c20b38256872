//! Keys that were written into the configuration by mistake must not show in the error about it.

use crate::base::{Error, Place};

/// Words after which a key may stand.
const BEFORE_KEYS: &[&str] = &["api_key", "authorization", "x-api-key", "token:", "secret"];

/// Whether this can be the name of an environment variable, and not a key in its place.
pub(super) fn is_variable(name: &str) -> bool {
    let mixed =
        name.contains(|c: char| c.is_ascii_uppercase()) && name.contains(|c: char| c.is_ascii_lowercase());
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    !name.is_empty() && letters && !mixed && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// The error, with stars for keys in the line that it shows.
pub(super) fn keys(error: Error) -> Error {
    let Some(place) = error.place() else { return error };
    let hidden = Place { text: stars(&place.text), ..place.clone() };
    if hidden == *place {
        return error;
    }
    let clean = Error::new(error.kind(), error.message()).at(hidden);
    clean.or_hint(error.get_hint().map(str::to_string))
}

/// The line with stars, as many as there were characters, for what stands after such a word.
fn stars(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let Some(word) = BEFORE_KEYS.iter().filter_map(|word| lower.find(word)).min() else { return line.into() };
    let Some(colon) = line[word..].find(':').map(|colon| word + colon + 1) else { return line.into() };
    let (before, rest) = line.split_at(colon);
    let (value, after) = rest.split_at(rest.find([',', '}']).unwrap_or(rest.len()));
    let bare = value.trim().trim_matches(['"', '\'']);
    if is_variable(bare) {
        return format!("{before}{value}{}", stars(after));
    }
    let hidden: String = value.chars().map(|c| if c.is_whitespace() { c } else { '*' }).collect();
    format!("{before}{hidden}{}", stars(after))
}
