//! A key that never shows: not in debug output, not in an error, not in a reply that echoes it.

use std::fmt;

use super::{Reply, failure::Failure};
use crate::base::Error;

/// What stands in a key's place.
const HIDDEN: &str = "[secret]";

/// Texts shorter than this are words ("none", "EMPTY"), which hiding would only garble.
const SHORTEST: usize = 6;

/// A key.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A key as it stands in a variable: the line end that often trails it is dropped.
    pub fn new(text: impl AsRef<str>) -> Secret {
        Secret(text.as_ref().trim().to_string())
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key itself, for the one place that sends it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// A text without the key.
    pub fn redact(&self, text: &str) -> String {
        if self.0.len() < SHORTEST { text.to_string() } else { text.replace(&self.0, HIDDEN) }
    }

    /// An error without the key.
    pub fn redact_error(&self, error: Error) -> Error {
        let mut clean = Error::new(error.kind(), self.redact(error.message()));
        if let Some(hint) = error.get_hint() {
            clean = clean.hint(self.redact(hint));
        }
        if let Some(raw) = error.get_raw() {
            clean = clean.raw(self.redact(raw));
        }
        clean
    }

    pub(super) fn redact_failure(&self, failure: Failure) -> Failure {
        Failure { error: self.redact_error(failure.error), ..failure }
    }

    pub(super) fn redact_reply(&self, mut reply: Reply) -> Reply {
        for text in [&mut reply.content, &mut reply.model, &mut reply.finish_reason] {
            if text.contains(&self.0) {
                *text = self.redact(text);
            }
        }
        reply.reasoning = reply.reasoning.map(|text| self.redact(&text));
        reply
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Kind;

    #[test]
    fn a_key_does_not_show() {
        let key = Secret::new("sk-canary\n");
        assert_eq!(format!("{key} {key:?}"), "[secret] [secret]");
        let error = Error::new(Kind::Server, "bad sk-canary").hint("not sk-canary").raw("sk-canary!");
        let clean = key.redact_error(error);
        assert!(!format!("{clean:?}").contains("canary"));
        assert_eq!(clean.message(), "bad [secret]");
    }

    #[test]
    fn words_are_not_hidden() {
        assert_eq!(Secret::new("none").redact("none of these"), "none of these");
    }
}
