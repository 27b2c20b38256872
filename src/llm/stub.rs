//! Stands in for a provider in a dry run: nothing is sent, every reply is made up here, of a length that its
//! caller assumes. Around it stands the same [`Backend`](super::Backend) as ever.

mod fit;
mod prose;

use std::borrow::Cow;
use std::sync::Arc;

use super::failure::Failure;
use super::provider::{Attempt, Boxed, Provider};
use super::wire::Wire;
use super::{Outcome, Reply, Request, Schema, Usage};
use crate::base::{Error, Kind, Result};

/// What a message costs besides its content.
const MESSAGE_TOKENS: u64 = 4;

/// Tokens of each text of a structured reply of which only the whole length is assumed.
const TEXT_TOKENS: u64 = 25;

/// How long a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many tokens in all.
    Reply(u64),
    /// So many for each text in it.
    EachText(u64),
}

/// Counts the tokens of a text.
pub type Count = Arc<dyn Fn(&str) -> u64 + Send + Sync>;

/// How long replies are: structured ones (true), and others.
pub type Assume = Box<dyn Fn(bool) -> Length + Send + Sync>;

/// What a stub needs to know.
pub struct Stub {
    /// The tokens of a text.
    pub count: Count,
    /// The length of a reply.
    pub assume: Assume,
}

/// Text of about so many tokens that says nothing; another seed, another text.
pub fn filler(tokens: u64, seed: usize) -> String {
    prose::of(tokens, seed)
}

/// The tokens of a prompt that are [`filler`]: earlier replies, as far as scripts left them as they were.
pub fn filler_in(request: &Request) -> u64 {
    texts(request).map(|text| prose::found_in(&text)).sum()
}

/// What a model reads of a request, the schema aside.
fn texts(request: &Request) -> impl Iterator<Item = Cow<'_, str>> {
    let system = request.system.as_deref().filter(|text| !text.is_empty());
    request.messages.iter().map(|message| message.content.plain()).chain(system.map(Cow::Borrowed))
}

/// The provider.
pub(super) struct Stand {
    /// What it knows.
    pub stub: Stub,
    /// As which it answers.
    pub model: String,
    /// Writes each request, so that one that cannot be written fails here, too. A program has none.
    pub wire: Option<Box<dyn Wire>>,
}

impl Provider for Stand {
    fn send<'a>(&'a self, request: &'a Request) -> Boxed<'a, Attempt> {
        Box::pin(async move { self.reply(request).into() })
    }
}

impl Stand {
    fn reply(&self, request: &Request) -> Result<Reply, Failure> {
        if let Some(wire) = &self.wire {
            wire.encode(request)?;
        }
        let most = request.params.max_tokens.map_or(u64::MAX, u64::from);
        let length = (self.stub.assume)(request.schema.is_some());
        let (content, tokens) = match (&request.schema, length) {
            (Some(schema), Length::Reply(tokens)) => (structured(schema, TEXT_TOKENS)?, tokens),
            (Some(schema), Length::EachText(each)) => {
                let content = structured(schema, each)?;
                let tokens = (self.stub.count)(&content);
                (content, tokens)
            }
            (None, Length::Reply(tokens) | Length::EachText(tokens)) => {
                (filler(tokens.min(most), request.bytes()), tokens)
            }
        };
        let output_tokens = tokens.min(most);
        let usage = Usage { input_tokens: self.prompt(request), output_tokens, ..Usage::default() };
        Ok(Reply {
            outcome: Outcome::Ok,
            content,
            reasoning: None,
            model: self.model.clone(),
            usage,
            finish_reason: "stop".into(),
            cost: None,
            attempts: 1,
        })
    }

    /// The tokens of all that the model reads.
    fn prompt(&self, request: &Request) -> u64 {
        let texts: u64 = texts(request).map(|text| (self.stub.count)(&text) + MESSAGE_TOKENS).sum();
        let schema = request.schema.as_ref();
        texts + schema.map_or(0, |schema| (self.stub.count)(&schema.value().to_string()))
    }
}

/// A reply that fits the schema.
fn structured(schema: &Schema, text_tokens: u64) -> Result<String, Failure> {
    let value = fit::value(schema.value(), text_tokens);
    schema.validate(&value).map_err(|why| {
        let message = format!("a dry run cannot make up a reply for the schema `{}`: {why}", schema.name());
        Error::new(Kind::SchemaMismatch, message)
            .hint("give what it does not fit an `examples` in the schema; a model may do better")
    })?;
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Message;
    use serde_json::json;

    /// A token is a word.
    fn stand(free: u64, structured: Length) -> Stand {
        let assume = move |has_schema| if has_schema { structured } else { Length::Reply(free) };
        let stub =
            Stub { count: Arc::new(|text| text.split_whitespace().count() as u64), assume: Box::new(assume) };
        Stand { stub, model: "m".into(), wire: None }
    }

    fn asked(schema: Option<Schema>) -> Request {
        let messages = vec![Message::user("one two three"), Message::assistant("four")];
        let (system, schema) = (Some("five six".into()), schema.map(Arc::new));
        Request { messages, system, schema, ..Request::default() }
    }

    #[test]
    fn all_that_the_model_reads_is_counted() {
        let plain = stand(9, Length::Reply(1)).reply(&asked(None)).unwrap();
        assert_eq!(plain.usage.input_tokens, 3 + 4 + 1 + 4 + 2 + 4);
        let schema = Schema::new("s", json!({"type": "string", "title": "a b c"})).unwrap();
        let more = stand(9, Length::Reply(1)).reply(&asked(Some(schema))).unwrap();
        assert_eq!(more.usage.input_tokens - plain.usage.input_tokens, 3);
    }

    #[test]
    fn a_reply_has_the_assumed_length_and_no_more_than_it_may() {
        let stand = stand(50, Length::Reply(70));
        let mut request = asked(None);
        assert_eq!(stand.reply(&request).unwrap().usage.output_tokens, 50);
        request.params.max_tokens = Some(20);
        let short = stand.reply(&request).unwrap();
        assert_eq!(short.usage.output_tokens, 20);
        assert!(short.content.split_whitespace().count() <= 20, "{}", short.content);
        let schema = Schema::new("s", json!({"type": "object", "properties": {"a": {"type": "string"}}}));
        let structured = stand.reply(&asked(schema.ok())).unwrap();
        assert_eq!(structured.usage.output_tokens, 70);
    }

    #[test]
    fn a_schema_that_is_too_much_is_told() {
        let schema = Schema::new("code", json!({"type": "string", "pattern": "^[0-9]{9}$"})).unwrap();
        let failure = stand(9, Length::EachText(3)).reply(&asked(Some(schema))).unwrap_err();
        assert!(failure.error.message().contains("the schema `code`"), "{}", failure.error);
        let schema = json!({"type": "string", "pattern": "^[0-9]{9}$", "examples": ["123456789"]});
        let schema = Schema::new("code", schema).unwrap();
        assert_eq!(
            stand(9, Length::EachText(3)).reply(&asked(Some(schema))).unwrap().content,
            "\"123456789\""
        );
    }
}
