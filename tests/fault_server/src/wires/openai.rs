//! OpenAI's Responses API.

use serde_json::{Value, json};

use super::{End, Reply, Trouble, Wire, name, number, object, text};
use crate::request::{Logical, Received};

pub(super) const WIRE: Wire = Wire { suffix: "/responses", read, problem, write, error, refuses: true };

fn read(request: &Received) -> Logical {
    let body = &request.body;
    let mut logical = Logical {
        system: text(&body["instructions"]),
        schema: object([&body["text"]["format"]["schema"]]),
        model: name(&body["model"]),
        max_tokens: number([&body["max_output_tokens"]]),
        ..Logical::default()
    };
    match &body["input"] {
        Value::String(input) => logical.add("user", input),
        items => {
            for item in items.as_array().into_iter().flatten() {
                logical.add(item["role"].as_str().unwrap_or("user"), &text(&item["content"]));
            }
        }
    }
    logical
}

/// What both of OpenAI's wires reject.
pub(super) fn problem(request: &Received) -> Option<&'static str> {
    let body = &request.body;
    let format = if body["text"].is_object() {
        &body["text"]["format"]
    } else {
        &body["response_format"]["json_schema"]
    };
    match () {
        () if body["stream"] == true => Some("this server does not stream"),
        () if !body["model"].is_string() => Some("you must provide a model parameter"),
        () if format["strict"] == true && !is_strict(&format["schema"]) => Some(
            "Invalid schema: in strict mode 'additionalProperties' is to be false and 'required' has every key",
        ),
        () => None,
    }
}

/// Whether all objects of a schema are closed, with every property required.
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Array(parts) => parts.iter().all(is_strict),
        Value::Object(map) => {
            let properties = schema["properties"].as_object();
            let closed = properties.is_none_or(|properties| {
                let required = schema["required"].as_array();
                schema["additionalProperties"] == false
                    && properties.keys().all(|key| required.is_some_and(|keys| keys.iter().any(|k| k == key)))
            });
            closed
                && map
                    .iter()
                    .filter(|(key, _)| *key != "enum" && *key != "const")
                    .all(|(_, part)| is_strict(part))
        }
        _ => true,
    }
}

fn write(reply: &Reply) -> Value {
    let part = match reply.end {
        End::Refusal => json!({"type": "refusal", "refusal": reply.text}),
        _ => json!({"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}),
    };
    let (status, details) = match reply.end {
        End::Length => ("incomplete", json!({"reason": "max_output_tokens"})),
        End::Filter => ("incomplete", json!({"reason": "content_filter"})),
        _ => ("completed", Value::Null),
    };
    let thought = |text| json!({"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": text}]});
    let message =
        json!({"id": "msg_1", "type": "message", "status": status, "role": "assistant", "content": [part]});
    let output: Vec<Value> = reply.thought.map(thought).into_iter().chain([message]).collect();
    json!({"id": format!("resp_{}", reply.id), "object": "response", "created_at": 1_790_000_000, "status": status,
        "error": null, "incomplete_details": details, "model": reply.model, "output": output, "store": false,
        "usage": {"input_tokens": reply.input, "input_tokens_details": {"cached_tokens": 1},
            "output_tokens": reply.output, "output_tokens_details": {"reasoning_tokens": reply.thinking},
            "total_tokens": reply.input + reply.output}})
}

/// An error of both of OpenAI's wires.
pub(super) fn error(trouble: &Trouble) -> Value {
    let (kind, code) = match trouble.status {
        429 => ("requests", json!("rate_limit_exceeded")),
        400..500 => ("invalid_request_error", Value::Null),
        _ => ("server_error", Value::Null),
    };
    json!({"error": {"message": trouble.message, "type": kind, "param": null, "code": code}})
}
