//! What looks like a key must not be written to a history.

use crate::base::config::kinds::key_variables;
use crate::llm::Secret;
use crate::work::World;

/// How keys of well-known services begin.
const BEGINNINGS: &[&str] = &[
    "sk-",
    "AIza",
    "AKIA",
    "hf_",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "gsk_",
    "xai-",
    "xox",
    "r8_",
    "ya29.",
];

/// How much must stand behind such a beginning.
const BEHIND: usize = 10;

/// Words of that many letters and digits in one piece are no words.
const LONG: usize = 32;

/// Variables that hold keys, whatever the configuration says.
const USUAL: &[&str] = &["OPENAI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY"];

/// Whether a text holds a key of the project, or what looks like one.
pub fn holds_key(world: &World, text: &str) -> bool {
    looks_like_key(text) || known(world).any(|key| key.redact(text) != text)
}

/// The keys that the project knows: those that its backends name, and all that stands in `.env`.
fn known(world: &World) -> impl Iterator<Item = Secret> + '_ {
    let named = world.config.backends.values().flat_map(key_variables).chain(USUAL.iter().copied());
    let file = world.project.read_private(".env").ok().flatten().unwrap_or_default();
    let in_file = file.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| {
        let name = name.trim();
        name.strip_prefix("export ").unwrap_or(name).trim().to_string()
    });
    let names: Vec<String> = named.map(str::to_string).chain(in_file).collect();
    names.into_iter().filter_map(|name| (world.secrets)(&name)).map(Secret::new)
}

/// Whether a text holds what looks like a key.
pub fn looks_like_key(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).any(is_like_key)
}

fn is_like_key(word: &str) -> bool {
    let begins = |start: &&str| word.strip_prefix(*start).is_some_and(|rest| rest.len() >= BEHIND);
    BEGINNINGS.iter().any(begins) || word.split('.').any(is_random)
}

/// Long, of letters and digits, and not of words with `_` or `-` between them.
fn is_random(piece: &str) -> bool {
    let has = |is: fn(&char) -> bool| piece.chars().any(|c| is(&c));
    let both_cases = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
    let in_one = piece.chars().all(|c| c.is_ascii_alphanumeric());
    piece.len() >= LONG
        && has(char::is_ascii_digit)
        && has(char::is_ascii_alphabetic)
        && (both_cases || in_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_seen_and_words_are_not() {
        let keys = [
            "let k = \"sk-proj-abcdefghijklmnop\";",
            "x(`AIzaSyA1234567890abcdefghij`)",
            "\"Bearer 0123456789abcdef0123456789abcdef\"",
            "hf_abcdefghijklmnopqrstuvwxyz",
        ];
        for text in keys {
            assert!(looks_like_key(text), "{text}");
        }
        let words = [
            "find_max_exchanges_under_limit(exchanges, system_prompt, 16000)",
            "read_transcript(\"data/raw/transcripts/transcript_0001_of_many_more_to_come.json\")",
            "\"a sk- and a task-oriented agent\"",
            "let sk = risk - 1;",
        ];
        for text in words {
            assert!(!looks_like_key(text), "{text}");
        }
    }
}
