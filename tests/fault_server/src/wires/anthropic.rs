//! Anthropic's Messages API. It has no filter of its own: what is withheld ends as a refusal without text.

use serde_json::{Value, json};

use super::{End, Reply, Trouble, Wire, name, number, object, text};
use crate::request::{Logical, Received};

pub(super) const WIRE: Wire = Wire { suffix: "/messages", read, problem, write, error, refuses: true };

fn read(request: &Received) -> Logical {
    let body = &request.body;
    let mut logical = Logical {
        system: text(&body["system"]),
        schema: object([&body["output_config"]["format"]["schema"], &body["output_format"]["schema"]]),
        model: name(&body["model"]),
        max_tokens: number([&body["max_tokens"]]),
        ..Logical::default()
    };
    for message in body["messages"].as_array().into_iter().flatten() {
        logical.add(message["role"].as_str().unwrap_or("user"), &text(&message["content"]));
    }
    logical
}

fn problem(request: &Received) -> Option<&'static str> {
    let body = &request.body;
    let foreign = |message: &Value| !matches!(message["role"].as_str(), Some("user" | "assistant"));
    match () {
        () if request.header("anthropic-version").is_none() => Some("anthropic-version: header is required"),
        () if body["max_tokens"].as_u64().is_none() => Some("max_tokens: Field required"),
        () if body["stream"] == true => Some("this server does not stream"),
        () if body["messages"].as_array().is_none_or(|all| all.is_empty() || all.iter().any(foreign)) => {
            Some("messages: Unexpected role, or none; the allowed roles are \"user\" or \"assistant\"")
        }
        () => None,
    }
}

fn write(reply: &Reply) -> Value {
    let thought = |text| json!({"type": "thinking", "thinking": text, "signature": "EqQBCgIYAhIM"});
    let words = (reply.end != End::Filter).then(|| json!({"type": "text", "text": reply.text}));
    let content: Vec<Value> = reply.thought.map(thought).into_iter().chain(words).collect();
    let stop = match reply.end {
        End::Stop => "end_turn",
        End::Length => "max_tokens",
        End::Refusal | End::Filter => "refusal",
    };
    json!({"id": format!("msg_{}", reply.id), "type": "message", "role": "assistant", "model": reply.model,
        "content": content, "stop_reason": stop, "stop_sequence": null,
        // What was read from the cache is counted beside the input, not in it.
        "usage": {"input_tokens": reply.input.saturating_sub(1), "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 1, "output_tokens": reply.output, "service_tier": "standard"}})
}

fn error(trouble: &Trouble) -> Value {
    let kind = match trouble.status {
        404 => "not_found_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": trouble.message}, "request_id": "req_011"})
}
