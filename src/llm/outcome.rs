//! What a model answers, the same for every provider.

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::purse::Bill;
use crate::base::Kind;

/// How a reply ended. Only `Ok` counts as an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A whole answer.
    #[default]
    Ok,
    /// The model declined; the content is its explanation.
    Refusal,
    /// Cut off at the token limit.
    Truncated,
    /// Withheld by the provider's content filter.
    Filtered,
    /// Not JSON, where JSON was asked for.
    InvalidJson,
    /// JSON, but not of the schema.
    SchemaMismatch,
}

impl Outcome {
    /// The kind of the error that it becomes; `Ok` becomes none.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Outcome::Ok => None,
            Outcome::Refusal => Some(Kind::Refusal),
            Outcome::Truncated => Some(Kind::Truncated),
            Outcome::Filtered => Some(Kind::Filtered),
            Outcome::InvalidJson => Some(Kind::InvalidJson),
            Outcome::SchemaMismatch => Some(Kind::SchemaMismatch),
        }
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        self.kind().map_or("ok", Kind::name)
    }
}

/// Tokens that a call used, as the server counted them; 0 where it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: u64,
    /// Tokens of the reply, reasoning included.
    pub output_tokens: u64,
    /// Those of the prompt that were cached.
    pub cached_tokens: u64,
    /// Those of the reply that were reasoning.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// In and out together.
    pub fn total(&self) -> u64 {
        self.input_tokens + self.output_tokens
    }
}

/// One reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// How it ended.
    pub outcome: Outcome,
    /// Its text, without reasoning.
    pub content: String,
    /// What the model thought first, where the server shows it.
    pub reasoning: Option<String>,
    /// The model, as the server names it.
    pub model: String,
    /// Tokens used.
    pub usage: Usage,
    /// The server's own word for how it ended.
    pub finish_reason: String,
    /// Dollars, where the provider itself says what the call cost.
    pub cost: Option<f64>,
    /// Requests that it took.
    pub attempts: usize,
}

impl Reply {
    /// What the provider charges for it; a server that counts no tokens does not say.
    pub fn bill(&self) -> Bill {
        match (self.usage.total(), self.cost) {
            (0, None) => Bill::Unknown,
            (_, usd) => Bill::Served { usage: self.usage, usd },
        }
    }

    /// What every wire does last: thoughts are split off, and a reply that says nothing is no answer. A
    /// model that returns nothing may do better at another attempt.
    pub fn finished(self) -> Result<Reply, Failure> {
        let reply = self.split_thinking();
        if reply.outcome == Outcome::Ok && reply.content.trim().is_empty() {
            let message = format!("the model's reply is empty (finish reason `{}`)", reply.finish_reason);
            let failure = Failure::passing(Kind::Server, message)
                .hint("look at the prompt, and at `max_tokens`: reasoning may have used it up");
            return Err(Failure { bill: reply.bill(), ..failure });
        }
        Ok(reply)
    }

    /// Moves a `<think>` block at the start of the content to the reasoning. A block that never
    /// ends is reasoning that was cut off: nothing of it is an answer.
    pub fn split_thinking(mut self) -> Reply {
        let Some(rest) = self.content.trim_start().strip_prefix("<think>") else { return self };
        let (thoughts, answer) = match rest.split_once("</think>") {
            Some((thoughts, answer)) => (thoughts.trim().to_string(), answer.trim_start().to_string()),
            None => {
                if self.outcome == Outcome::Ok {
                    self.outcome = Outcome::Truncated;
                }
                (rest.trim().to_string(), String::new())
            }
        };
        self.content = answer;
        if !thoughts.is_empty() {
            let before = self.reasoning.take().map_or(String::new(), |before| before + "\n");
            self.reasoning = Some(before + thoughts.as_str());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::failure::Again;

    fn reply(content: &str) -> Reply {
        Reply {
            outcome: Outcome::Ok,
            content: content.into(),
            reasoning: None,
            model: "m".into(),
            usage: Usage::default(),
            finish_reason: "stop".into(),
            cost: None,
            attempts: 1,
        }
        .split_thinking()
    }

    #[test]
    fn thoughts_are_kept_apart() {
        let thinking = reply("\n<think>\nhm\n</think>\n\nHello <think>");
        assert_eq!(thinking.content, "Hello <think>");
        assert_eq!(thinking.reasoning.as_deref(), Some("hm"));
        assert_eq!(reply("Hello").reasoning, None);
    }

    #[test]
    fn thoughts_without_an_end_are_no_answer() {
        let cut = reply("<think>hm");
        assert_eq!((cut.content.as_str(), cut.outcome), ("", Outcome::Truncated));
    }

    #[test]
    fn an_empty_reply_is_no_answer() {
        for content in ["", " \n", "<think>hm</think> \n"] {
            let failure = Reply { content: content.into(), ..reply("x") }.finished().unwrap_err();
            assert_eq!((failure.error.kind(), failure.again), (Kind::Server, Again::Backoff), "{content:?}");
            assert_eq!(failure.bill, Bill::Unknown);
        }
        let usage = Usage { output_tokens: 9, ..Usage::default() };
        let thought = Reply { content: String::new(), usage, ..reply("x") }.finished().unwrap_err();
        assert_eq!(thought.bill, Bill::Served { usage, usd: None }, "it is paid for all the same");
        let refusal = Reply { outcome: Outcome::Refusal, content: String::new(), ..reply("x") };
        assert_eq!(refusal.finished().unwrap().outcome, Outcome::Refusal);
    }

    #[test]
    fn outcomes_are_named_like_their_errors() {
        assert_eq!(serde_json::to_value(Outcome::SchemaMismatch).unwrap(), "schema_mismatch");
        assert_eq!(Outcome::SchemaMismatch.name(), "schema_mismatch");
        assert_eq!(Outcome::Ok.name(), "ok");
    }
}
