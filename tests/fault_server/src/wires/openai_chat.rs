//! Chat Completions.

use serde_json::{Value, json};

use super::{End, Reply, Wire, name, number, object, openai, text};
use crate::request::{Logical, Received};

pub(super) const WIRE: Wire = Wire {
    suffix: "/chat/completions",
    read,
    problem: openai::problem,
    write,
    error: openai::error,
    refuses: true,
};

fn read(request: &Received) -> Logical {
    let body = &request.body;
    let mut logical = Logical {
        schema: object([&body["response_format"]["json_schema"]["schema"]]),
        model: name(&body["model"]),
        max_tokens: number([&body["max_completion_tokens"], &body["max_tokens"]]),
        ..Logical::default()
    };
    for message in body["messages"].as_array().into_iter().flatten() {
        logical.add(message["role"].as_str().unwrap_or("user"), &text(&message["content"]));
    }
    logical
}

fn write(reply: &Reply) -> Value {
    let (content, refusal) = match reply.end {
        End::Refusal => (Value::Null, json!(reply.text)),
        _ => (json!(reply.text), Value::Null),
    };
    let mut message = json!({"role": "assistant", "content": content, "refusal": refusal});
    if let Some(thought) = reply.thought {
        message["reasoning_content"] = thought.into();
    }
    let finish = match reply.end {
        End::Length => "length",
        End::Filter => "content_filter",
        _ => "stop",
    };
    json!({"id": format!("chatcmpl-{}", reply.id), "object": "chat.completion", "created": 1_790_000_000,
        "model": reply.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
        "usage": {"prompt_tokens": reply.input, "completion_tokens": reply.output,
            "total_tokens": reply.input + reply.output, "prompt_tokens_details": {"cached_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": reply.thinking}}})
}
