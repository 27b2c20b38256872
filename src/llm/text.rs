//! The text of a message, as JSON from the start: it is a part of the question's hash and of the body on the wire,
//! and a long conversation is not to be escaped anew for each.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::escape::push_json;

/// A text.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// As a JSON string.
    json: String,
    /// Bytes of the text itself.
    length: usize,
}

impl Text {
    /// As a JSON string, quotes included.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Bytes of the text, in UTF-8.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The text itself; a copy, when anything in it is escaped.
    pub fn plain(&self) -> Cow<'_, str> {
        let inside = &self.json[1..self.json.len() - 1];
        if inside.len() == self.length {
            return inside.into();
        }
        // It is what `push_json` wrote, and so can be read.
        serde_json::from_str::<String>(&self.json).map_or(inside.into(), Cow::Owned)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        let mut json = String::new();
        push_json(&mut json, text);
        Text { json, length: text.len() }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        text.as_str().into()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.json)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.plain())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        String::deserialize(deserializer).map(Text::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_text_is_what_it_was_made_of(text in "(\\PC|[\\x00-\\x7f]){0,40}") {
            let kept = Text::from(text.as_str());
            prop_assert_eq!((&*kept.plain(), kept.length()), (text.as_str(), text.len()));
            prop_assert_eq!(kept.json(), serde_json::to_string(&text).unwrap());
        }
    }
}
