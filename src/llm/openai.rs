//! OpenAI's Responses API.

use serde_json::{Value, json};

use super::classify;
use super::failure::Failure;
use super::wire::{
    Answer, Body, CHAT_TURN, Post, Setup, Wire, count, joined, json_schema_format, system_text, turns,
};
use super::{Outcome, Reply, Request, Usage};
use crate::base::Result;
use crate::base::config::Structured;
use crate::base::json::Json;

/// The wire.
pub(super) struct OpenAi(Setup);

/// Makes the wire.
pub(super) fn wire(setup: Setup) -> Box<dyn Wire> {
    Box::new(OpenAi(setup))
}

impl Wire for OpenAi {
    fn encode(&self, request: &Request) -> Result<Post> {
        let mode = request.schema.as_deref().map(|schema| self.0.structured(schema));
        let mut body = Body::of(request);
        body.put_text("model", self.0.model());
        if let Some(system) = system_text(request, mode) {
            body.put_text("instructions", &system);
        }
        body.put_turns("input", turns(&request.messages), CHAT_TURN);
        self.params(request, &mut body);
        if let Some(format) = format(request, mode) {
            body.put("text", json!({"format": format}));
        }
        body.put("store", false);
        Ok(Post { path: "/responses".into(), body: self.0.finish(body) })
    }

    fn decode(&self, answer: &Answer, _request: &Request) -> Result<Reply, Failure> {
        if answer.status != 200 {
            return Err(classify::failure(answer, &self.0.remedy()));
        }
        let body = answer.json()?;
        if !body["error"].is_null() || body["status"] == *"failed" {
            return Err(classify::inner(&body["error"], &self.0.remedy()));
        }
        self.reply(&body)
    }
}

impl OpenAi {
    /// Only what is set; a seed, which is a wish on every wire, has no place on this one.
    fn params(&self, request: &Request, body: &mut Body) {
        let params = &request.params;
        body.put_set([
            (self.0.limit_param("max_output_tokens"), params.max_tokens.map(Value::from)),
            ("temperature", params.temperature.map(Value::from)),
            ("top_p", params.top_p.map(Value::from)),
        ]);
    }

    fn reply(&self, body: &Json) -> Result<Reply, Failure> {
        let status = body["status"].as_str().unwrap_or_default();
        let finish = match status {
            "incomplete" => body["incomplete_details"]["reason"].as_str().unwrap_or("incomplete"),
            other => other,
        };
        let refusal = texts(body, "message", "refusal");
        let outcome = match (status, finish) {
            ("incomplete", "content_filter") => Outcome::Filtered,
            ("incomplete", _) => Outcome::Truncated,
            ("completed", _) if refusal.is_some() => Outcome::Refusal,
            ("completed", _) => Outcome::Ok,
            (other, _) => return Err(classify::unfinished(other)),
        };
        Ok(Reply {
            outcome,
            content: refusal.or_else(|| texts(body, "message", "text")).unwrap_or_default(),
            reasoning: texts(body, "reasoning", "text").filter(|text| !text.is_empty()),
            model: self.0.answered(&body["model"]),
            usage: usage(&body["usage"]),
            finish_reason: finish.into(),
            cost: None,
            attempts: 1,
        })
    }
}

/// The schema, in the flat form of this API.
fn format(request: &Request, mode: Option<Structured>) -> Option<Value> {
    match (mode?, request.schema.as_deref()?) {
        (Structured::JsonSchema, schema) => {
            let mut format = json_schema_format(schema);
            format["type"] = "json_schema".into();
            Some(format)
        }
        (Structured::JsonObject, _) => Some(json!({"type": "json_object"})),
        (Structured::Prompt, _) => None,
    }
}

/// The texts under `key` in the output items of one type, joined; none when there are none.
fn texts(body: &Json, item: &str, key: &str) -> Option<String> {
    let items = body["output"].as_array()?.iter().filter(|output| output["type"] == *item);
    let parts = items.flat_map(|output| {
        ["summary", "content"].into_iter().filter_map(|list| output[list].as_array()).flatten()
    });
    joined(parts.filter_map(|part| part[key].as_str()))
}

fn usage(usage: &Json) -> Usage {
    Usage {
        input_tokens: count(&usage["input_tokens"]),
        output_tokens: count(&usage["output_tokens"]),
        cached_tokens: count(&usage["input_tokens_details"]["cached_tokens"]),
        reasoning_tokens: count(&usage["output_tokens_details"]["reasoning_tokens"]),
    }
}
