//! What is asked of a model.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Schema;

pub use crate::base::config::Params;

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// `user`, `assistant` or `system`.
    pub role: String,
    /// Its text.
    pub content: String,
}

impl Message {
    /// A message of the user.
    pub fn user(content: impl Into<String>) -> Message {
        Message { role: "user".into(), content: content.into() }
    }

    /// A message of the assistant.
    pub fn assistant(content: impl Into<String>) -> Message {
        Message { role: "assistant".into(), content: content.into() }
    }
}

/// A whole request: free text, or structured when there is a schema.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// What stands above it.
    pub system: Option<String>,
    /// Sampling parameters, as they are to be sent.
    pub params: Params,
    /// What the reply must fit.
    pub schema: Option<Arc<Schema>>,
}

impl Request {
    /// A request of one user message.
    pub fn of(prompt: impl Into<String>) -> Request {
        Request { messages: vec![Message::user(prompt)], ..Request::default() }
    }

    /// Tokens that the call may use, guessed high enough for pacing: four bytes a token, and the
    /// reply's limit.
    pub fn estimated_tokens(&self) -> u64 {
        let texts = self.messages.iter().map(|m| m.content.len()).sum::<usize>();
        let system = self.system.as_ref().map_or(0, String::len);
        let schema = self.schema.as_ref().map_or(0, |schema| schema.value().to_string().len());
        ((texts + system + schema) / 4) as u64 + self.params.max_tokens.map_or(0, u64::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_counts_prompt_and_reply() {
        let mut request = Request::of("x".repeat(400));
        request.system = Some("y".repeat(40));
        request.params.max_tokens = Some(50);
        assert_eq!(request.estimated_tokens(), 160);
    }
}
