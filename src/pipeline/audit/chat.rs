//! A transcript as the audit sees it.

use std::sync::Arc;

use super::words::{Said, Word};
use crate::base::Result;
use crate::base::json::Json;
use crate::pipeline::transcript::{SIDES, read};

/// A conversation, its messages split into words.
#[derive(Debug)]
pub struct Chat {
    /// The transcript's id.
    pub id: Arc<str>,
    /// The names of the persona's fields.
    pub fields: Vec<String>,
    /// What the user and the assistant said, in turn.
    pub turns: Vec<[Said; 2]>,
}

impl Chat {
    /// Reads the text of a transcript's file; `file` is its name in errors.
    pub fn parse(file: &str, text: &str) -> Result<Chat> {
        let json = read(file, text)?;
        let exchanges = json["exchanges"].as_array().unwrap_or_default();
        Ok(Chat {
            id: json["id"].as_str().unwrap_or_default().into(),
            fields: fields(&json["persona"]),
            turns: exchanges.iter().map(|exchange| [0, 1].map(|side| said(exchange, side))).collect(),
        })
    }

    /// The replies with the numbers of their turns, 1-based.
    pub fn replies(&self) -> impl Iterator<Item = (usize, &Said)> {
        self.turns.iter().enumerate().map(|(place, [_, assistant])| (place + 1, assistant))
    }

    /// All messages: turn, side, message.
    pub fn messages(&self) -> impl Iterator<Item = (usize, usize, &Said)> {
        let turns = self.turns.iter().enumerate();
        turns.flat_map(|(place, turn)| {
            turn.iter().enumerate().map(move |(side, said)| (place + 1, side, said))
        })
    }

    /// All words of all messages, in their order.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.turns.iter().flatten().flat_map(|said| &said.words)
    }
}

fn fields(persona: &Json) -> Vec<String> {
    let Json::Object(entries) = persona else { return Vec::new() };
    entries.iter().map(|(name, _)| name.to_string()).collect()
}

/// A message of an exchange, which is a map or a pair.
fn said(exchange: &Json, side: usize) -> Said {
    let value = if exchange.as_array().is_some() { &exchange[side] } else { &exchange[SIDES[side]] };
    Said::new(value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_pairs_are_read_alike() {
        let text = r#"{"id": "t", "persona": {"word_limit": 3}, "exchanges": [["Hi", "Yes?"], {"assistant": "B", "user": "A"}]}"#;
        let chat = Chat::parse("t.json", text).unwrap();
        let said: Vec<_> =
            chat.messages().map(|(turn, side, said)| (turn, side, said.text.as_str())).collect();
        assert_eq!(said, [(1, 0, "Hi"), (1, 1, "Yes?"), (2, 0, "A"), (2, 1, "B")]);
        assert_eq!((&*chat.id, chat.fields.as_slice()), ("t", &["word_limit".to_string()][..]));
        assert!(Chat::parse("t.json", "{").is_err());
    }
}
