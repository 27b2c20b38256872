//! Anthropic's Messages API.

use serde_json::{Value, json};

use super::classify::{self, Sense, Words};
use super::dialect::Dialect;
use super::failure::Failure;
use super::wire::{Answer, Body, CHAT_TURN, Post, Setup, Wire, apart, count, joined, turns};
use super::{Outcome, Reply, Request, Usage};
use crate::base::Result;
use crate::base::config::Structured;
use crate::base::config::kinds::ANTHROPIC_MAX_TOKENS;
use crate::base::json::Json;

/// The wire.
pub(super) struct Anthropic(Setup);

/// Makes the wire.
pub(super) fn wire(setup: Setup) -> Box<dyn Wire> {
    Box::new(Anthropic(setup))
}

impl Wire for Anthropic {
    fn encode(&self, request: &Request) -> Result<Post> {
        let mode = request.schema.as_deref().map(|schema| self.0.structured_in(Dialect::Anthropic, schema));
        // It has no JSON without a schema.
        let mode = mode.map(|mode| if mode == Structured::JsonObject { Structured::Prompt } else { mode });
        let (system, said) = apart(request, mode)?;
        let mut body = Body::of(request);
        body.put_text("model", self.0.model());
        self.params(request, &mut body);
        if let Some(system) = system {
            body.put_text("system", &system);
        }
        body.put_turns("messages", turns(said), CHAT_TURN);
        if let (Some(Structured::JsonSchema), Some(schema)) = (mode, request.schema.as_deref()) {
            let format = json!({"type": "json_schema", "schema": schema.adapted(Dialect::Anthropic)});
            body.put("output_config", json!({"format": format}));
        }
        Ok(Post { path: "/messages".into(), body: self.0.finish(body) })
    }

    fn decode(&self, answer: &Answer, _request: &Request) -> Result<Reply, Failure> {
        if answer.status != 200 {
            return Err(classify::failure_by(answer, &self.0.remedy(), sense));
        }
        let body = answer.json()?;
        if body["type"] == *"error" || !body["error"].is_null() {
            return Err(classify::inner_by(&body["error"], &self.0.remedy(), sense));
        }
        self.reply(&body)
    }

    fn auth(&self, key: &str) -> (&'static str, String) {
        ("x-api-key", key.into())
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }
}

impl Anthropic {
    /// What is set, and a limit, without which the API takes no request. A seed has no place on it.
    fn params(&self, request: &Request, body: &mut Body) {
        let params = &request.params;
        let limit = params.max_tokens.unwrap_or(ANTHROPIC_MAX_TOKENS);
        body.put_set([
            (self.0.limit_param("max_tokens"), Some(limit.into())),
            ("temperature", params.temperature.map(Value::from)),
            ("top_p", params.top_p.map(Value::from)),
            ("stop_sequences", params.stop.clone().map(Value::from)),
        ]);
    }

    fn reply(&self, body: &Json) -> Result<Reply, Failure> {
        let finish = body["stop_reason"].as_str().unwrap_or_default();
        let outcome = match finish {
            "end_turn" | "stop_sequence" => Outcome::Ok,
            "max_tokens" | "model_context_window_exceeded" => Outcome::Truncated,
            "refusal" => Outcome::Refusal,
            other => return Err(classify::unfinished(other)),
        };
        Ok(Reply {
            outcome,
            content: texts(body, "text", "text").unwrap_or_default(),
            reasoning: texts(body, "thinking", "thinking").filter(|text| !text.is_empty()),
            model: self.0.answered(&body["model"]),
            usage: usage(&body["usage"]),
            finish_reason: finish.into(),
            cost: None,
            attempts: 1,
        })
    }
}

/// The texts under `key` in the content blocks of one type.
fn texts(body: &Json, block: &str, key: &str) -> Option<String> {
    let blocks = body["content"].as_array()?.iter().filter(|part| part["type"] == *block);
    joined(blocks.filter_map(|part| part[key].as_str()))
}

/// `input_tokens` counts only what is new to the server's cache.
pub(super) fn usage(usage: &Json) -> Usage {
    let cached = count(&usage["cache_read_input_tokens"]);
    Usage {
        input_tokens: count(&usage["input_tokens"]) + cached + count(&usage["cache_creation_input_tokens"]),
        output_tokens: count(&usage["output_tokens"]),
        cached_tokens: cached,
        reasoning_tokens: 0,
    }
}

/// What the API's own words mean.
fn sense(words: &Words) -> Option<Sense> {
    let sense = match words.sort() {
        "overloaded_error" => Sense::Overloaded,
        "rate_limit_error" => Sense::RateLimit,
        "timeout_error" | "api_error" => Sense::Failed,
        "billing_error" => Sense::NoCredit,
        "authentication_error" => Sense::BadKey,
        "permission_error" => Sense::NoPermission,
        "not_found_error" => Sense::NoModel,
        // Told as invalid requests, which they are not.
        _ if words.mentions("credit balance is too low") => Sense::NoCredit,
        _ if words.mentions("reached your specified api usage limits") => Sense::NoCredit,
        _ => return None,
    };
    Some(sense)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Kind;
    use crate::llm::Message;
    use crate::llm::failure::Again;
    use crate::llm::wire::tests::{answer, setup, verdict};

    fn made(more: &str) -> Anthropic {
        Anthropic(setup("anthropic", more))
    }

    #[test]
    fn what_is_set_is_sent() {
        let mut request = Request { system: Some("be kind".into()), ..Request::of("hello") };
        request.messages.insert(0, Message { role: "system".into(), content: "be brief".into() });
        request.messages.push(Message::assistant("hi"));
        request.params.stop = Some(vec!["END".into()]);
        request.params.seed = Some(7);
        let post = made("").encode(&request).unwrap();
        let expected = json!({"model": "m", "max_tokens": 4096, "stop_sequences": ["END"],
            "system": "be kind\n\nbe brief",
            "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]});
        assert_eq!((post.path.as_str(), post.body.to_string()), ("/messages", expected.to_string()));
        request.params.max_tokens = Some(9);
        let body = made("extra_body: {thinking: {type: disabled}}").encode(&request).unwrap().json();
        assert_eq!((&body["max_tokens"], &body["thinking"]["type"]), (&json!(9), &json!("disabled")));
    }

    #[test]
    fn schemas_are_closed_and_other_modes_are_prompts() {
        let request = verdict();
        let body = made("").encode(&request).unwrap().json();
        let format = &body["output_config"]["format"];
        assert_eq!((&format["type"], body.get("system")), (&json!("json_schema"), None));
        assert_eq!(format["schema"]["additionalProperties"], false);
        for mode in ["structured: json_object", "structured: prompt"] {
            let body = made(mode).encode(&request).unwrap().json();
            assert_eq!(body.get("output_config"), None, "{mode}");
            assert!(body["system"].as_str().unwrap().contains("JSON Schema"), "{mode}");
        }
    }

    #[test]
    fn a_prompt_needs_a_turn() {
        let mut request = Request::of("x");
        request.messages[0].role = "system".into();
        assert_eq!(made("").encode(&request).unwrap_err().kind(), Kind::Argument);
    }

    #[test]
    fn the_cache_is_part_of_the_prompt() {
        let told = json!({"input_tokens": 5, "cache_read_input_tokens": 20,
            "cache_creation_input_tokens": 300, "output_tokens": 7});
        let expected = Usage { input_tokens: 325, output_tokens: 7, cached_tokens: 20, reasoning_tokens: 0 };
        assert_eq!(usage(&Json::from(&told)), expected);
    }

    #[test]
    fn endings_that_are_no_answer_are_failures() {
        for reason in [json!("tool_use"), json!("pause_turn"), json!(null)] {
            let body = json!({"content": [{"type": "text", "text": "hi"}], "stop_reason": reason});
            let failure = made("").decode(&answer(200, &body.to_string()), &Request::of("x")).unwrap_err();
            assert_eq!((failure.error.kind(), failure.again), (Kind::Server, Again::Backoff), "{reason}");
        }
    }

    #[test]
    fn errors_are_told_apart() {
        for (status, sort, message, kind, again, words) in [
            (529, "overloaded_error", "Overloaded", Kind::Server, Again::Backoff, "is overloaded (529)"),
            (200, "overloaded_error", "Overloaded", Kind::Server, Again::Backoff, "is overloaded"),
            (429, "rate_limit_error", "slow", Kind::RateLimit, Again::Backoff, "rate limit (429)"),
            (500, "api_error", "oops", Kind::Server, Again::Backoff, "the server failed (500): oops"),
            (401, "authentication_error", "no", Kind::DeadBackend, Again::Never, "rejects the key"),
            (403, "permission_error", "no", Kind::DeadBackend, Again::Never, "no permission"),
            (404, "not_found_error", "model: m", Kind::DeadBackend, Again::Never, "does not know this model"),
            (
                403,
                "billing_error",
                "pay",
                Kind::DeadBackend,
                Again::Never,
                "quota exhausted for key ANTHROPIC_API_KEY",
            ),
            (
                400,
                "invalid_request_error",
                "Your credit balance is too low",
                Kind::DeadBackend,
                Again::Never,
                "quota exhausted for key ANTHROPIC_API_KEY (400): Your credit",
            ),
            (
                400,
                "invalid_request_error",
                "You have reached your specified API usage limits.",
                Kind::DeadBackend,
                Again::Never,
                "quota exhausted",
            ),
            (
                400,
                "invalid_request_error",
                "bad",
                Kind::BadRequest,
                Again::Never,
                "rejects the request (400): bad",
            ),
        ] {
            let body =
                json!({"type": "error", "error": {"type": sort, "message": message}, "request_id": "r"});
            let failure = made("").decode(&answer(status, &body.to_string()), &Request::of("x")).unwrap_err();
            assert_eq!((failure.error.kind(), failure.again), (kind, again), "{sort}");
            assert!(failure.error.message().contains(words), "{}", failure.error);
        }
    }
}
