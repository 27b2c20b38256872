//! Ollama's native chat, without streaming. It has no word for refusals: the model just says them.

use serde_json::{Value, json};

use super::{End, Reply, Trouble, Wire, name, number, object, text};
use crate::request::{Logical, Received};

pub(super) const WIRE: Wire = Wire { suffix: "/api/chat", read, problem, write, error, refuses: false };

fn read(request: &Received) -> Logical {
    let body = &request.body;
    let mut logical = Logical {
        schema: object([&body["format"]]),
        model: name(&body["model"]),
        max_tokens: number([&body["options"]["num_predict"]]),
        ..Logical::default()
    };
    for message in body["messages"].as_array().into_iter().flatten() {
        logical.add(message["role"].as_str().unwrap_or("user"), &text(&message["content"]));
    }
    logical
}

/// The real server streams unless it is told not to.
fn problem(request: &Received) -> Option<&'static str> {
    match () {
        () if request.body["stream"] != false => Some("this server does not stream: send \"stream\": false"),
        () if !request.body["model"].is_string() => Some("model is required"),
        () => None,
    }
}

fn write(reply: &Reply) -> Value {
    let mut message = json!({"role": "assistant", "content": reply.text});
    if let Some(thought) = reply.thought {
        message["thinking"] = thought.into();
    }
    let reason = if reply.end == End::Length { "length" } else { "stop" };
    json!({"model": reply.model, "created_at": "2026-11-24T12:00:00.000000Z", "message": message,
        "done_reason": reason, "done": true, "total_duration": 5_000_000, "load_duration": 1_000_000,
        "prompt_eval_count": reply.input, "prompt_eval_duration": 1_000_000,
        "eval_count": reply.output, "eval_duration": 3_000_000})
}

fn error(trouble: &Trouble) -> Value {
    json!({"error": trouble.message})
}
