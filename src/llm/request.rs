//! What is asked of a model.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Schema, Text};

pub use crate::base::config::Params;

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// `user`, `assistant` or `system`.
    pub role: Cow<'static, str>,
    /// Its text.
    pub content: Text,
}

impl Message {
    /// A message of the user.
    pub fn user(content: impl Into<Text>) -> Message {
        Message { role: "user".into(), content: content.into() }
    }

    /// A message of the assistant.
    pub fn assistant(content: impl Into<Text>) -> Message {
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
    pub fn of(prompt: impl Into<Text>) -> Request {
        Request { messages: vec![Message::user(prompt)], ..Request::default() }
    }

    /// The length of all that the model reads.
    pub fn bytes(&self) -> usize {
        let texts = self.messages.iter().map(|m| m.content.length()).sum::<usize>();
        let system = self.system.as_ref().map_or(0, String::len);
        let schema = self.schema.as_ref().map_or(0, |schema| schema.bytes());
        texts + system + schema
    }
}
