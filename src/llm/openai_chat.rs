//! Chat Completions, as OpenAI and every compatible server speak it.

use serde_json::{Value, json};

use super::classify;
use super::failure::Failure;
use super::wire::{
    Answer, Body, CHAT_TURN, Post, Setup, Wire, count, json_schema_format, system_text, turns,
};
use super::{Outcome, Reply, Request, Text, Usage};
use crate::base::config::Structured;
use crate::base::json::Json;
use crate::base::{Kind, Result};

/// Good endings, in the words of those who speak this wire; some leave the word out.
const ENDINGS: &[&str] = &["", "stop", "end_turn", "stop_sequence", "eos", "eos_token", "end", "complete"];

/// The wire.
pub(super) struct OpenAiChat(Setup);

/// Makes the wire.
pub(super) fn wire(setup: Setup) -> Box<dyn Wire> {
    Box::new(OpenAiChat(setup))
}

impl Wire for OpenAiChat {
    fn encode(&self, request: &Request) -> Result<Post> {
        let mode = request.schema.as_deref().map(|schema| self.0.structured(schema));
        let mut body = Body::of(request);
        body.put_text("model", self.0.model());
        let system = system_text(request, mode).map(|text| Text::from(&*text));
        let system = system.iter().map(|text| ("system", text));
        body.put_turns("messages", system.chain(turns(&request.messages)), CHAT_TURN);
        self.params(request, &mut body);
        let format = match (&request.schema, mode) {
            (Some(schema), Some(Structured::JsonSchema)) => {
                Some(json!({"type": "json_schema", "json_schema": json_schema_format(schema)}))
            }
            (Some(_), Some(Structured::JsonObject)) => Some(json!({"type": "json_object"})),
            _ => None,
        };
        if let Some(format) = format {
            body.put("response_format", format);
        }
        Ok(Post { path: "/chat/completions".into(), body: self.0.finish(body) })
    }

    fn decode(&self, answer: &Answer, _request: &Request) -> Result<Reply, Failure> {
        if answer.status != 200 {
            return Err(classify::failure(answer, &self.0.remedy()));
        }
        let body = answer.json()?;
        let choice = &body["choices"][0];
        for error in [&body["error"], &choice["error"]] {
            if !error.is_null() {
                return Err(classify::inner(error, &self.0.remedy()));
            }
        }
        let message = &choice["message"];
        if !matches!(message, Json::Object(_)) {
            return Err(Failure::passing(Kind::Server, "the server's answer holds no message"));
        }
        self.reply(&body, message, choice["finish_reason"].as_str().unwrap_or_default())
    }
}

impl OpenAiChat {
    /// Only what is set: some models refuse parameters that others need.
    fn params(&self, request: &Request, body: &mut Body) {
        let params = &request.params;
        let usual = if self.0.own_server { "max_completion_tokens" } else { "max_tokens" };
        body.put_set([
            (self.0.limit_param(usual), params.max_tokens.map(Value::from)),
            ("temperature", params.temperature.map(Value::from)),
            ("top_p", params.top_p.map(Value::from)),
            ("seed", params.seed.map(Value::from)),
            ("stop", params.stop.clone().map(Value::from)),
        ]);
    }

    /// A message as a reply.
    fn reply(&self, body: &Json, message: &Json, finish: &str) -> Result<Reply, Failure> {
        let refusal = message["refusal"].as_str().filter(|text| !text.is_empty());
        let outcome = match finish.to_lowercase().as_str() {
            _ if refusal.is_some() => Outcome::Refusal,
            "length" | "max_tokens" => Outcome::Truncated,
            "content_filter" | "safety" => Outcome::Filtered,
            "refusal" => Outcome::Refusal,
            finish if ENDINGS.contains(&finish) => Outcome::Ok,
            _ => return Err(classify::unfinished(finish)),
        };
        let reasoning = message["reasoning_content"].as_str().or(message["reasoning"].as_str());
        Ok(Reply {
            outcome,
            content: refusal.map(str::to_string).or(text(&message["content"])).unwrap_or_default(),
            reasoning: reasoning.filter(|text| !text.is_empty()).map(str::to_string),
            model: self.0.answered(&body["model"]),
            usage: usage(&body["usage"]),
            finish_reason: finish.into(),
            cost: None,
            attempts: 1,
        })
    }
}

/// The content: a text, or parts of which some are text.
fn text(content: &Json) -> Option<String> {
    match content {
        Json::Text(text) => Some(text.to_string()),
        Json::List(parts) => Some(parts.iter().filter_map(|part| part["text"].as_str()).collect()),
        _ => None,
    }
}

fn usage(usage: &Json) -> Usage {
    Usage {
        input_tokens: count(&usage["prompt_tokens"]),
        output_tokens: count(&usage["completion_tokens"]),
        cached_tokens: count(&usage["prompt_tokens_details"]["cached_tokens"]),
        reasoning_tokens: count(&usage["completion_tokens_details"]["reasoning_tokens"]),
    }
}
