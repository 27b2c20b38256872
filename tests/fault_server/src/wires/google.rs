//! Gemini's generateContent. A refusal in words does not exist here: the prompt is blocked, with no
//! candidate; a filter stops the one candidate.

use serde_json::{Value, json};

use super::{End, Reply, Trouble, Wire, number, object, text};
use crate::request::{Logical, Received};

pub(super) const WIRE: Wire = Wire { suffix: ":generateContent", read, problem, write, error, refuses: true };

fn read(request: &Received) -> Logical {
    let body = &request.body;
    let config = &body["generationConfig"];
    let model = request.path.rsplit('/').next().and_then(|last| last.strip_suffix(WIRE.suffix));
    let mut logical = Logical {
        system: text(&body["systemInstruction"]["parts"]),
        schema: object([&config["responseJsonSchema"], &config["responseSchema"]]),
        model: model.unwrap_or_default().into(),
        max_tokens: number([&config["maxOutputTokens"]]),
        ..Logical::default()
    };
    for content in body["contents"].as_array().into_iter().flatten() {
        logical.add(content["role"].as_str().unwrap_or("user"), &text(&content["parts"]));
    }
    logical
}

fn problem(request: &Received) -> Option<&'static str> {
    let body = &request.body;
    let contents = body["contents"].as_array().filter(|contents| !contents.is_empty());
    let Some(contents) = contents else {
        return Some("GenerateContentRequest.contents: contents is not specified");
    };
    let foreign =
        contents.iter().any(|content| !matches!(content["role"].as_str(), None | Some("user" | "model")));
    let config = &body["generationConfig"];
    let schema = config["responseJsonSchema"].is_object() || config["responseSchema"].is_object();
    match () {
        () if foreign => Some("Please use a valid role: user, model."),
        () if schema && config["responseMimeType"] != "application/json" => {
            Some("a response schema needs the response mime type 'application/json'")
        }
        () => None,
    }
}

fn write(reply: &Reply) -> Value {
    let mut usage = json!({"promptTokenCount": reply.input, "cachedContentTokenCount": 1,
        "totalTokenCount": reply.input + reply.output});
    let mut body = json!({"modelVersion": reply.model, "responseId": reply.id});
    if reply.end == End::Refusal {
        body["promptFeedback"] = json!({"blockReason": "PROHIBITED_CONTENT"});
    } else {
        body["candidates"] = json!([candidate(reply)]);
        usage["candidatesTokenCount"] = (reply.output - reply.thinking).into();
        if reply.thinking > 0 {
            usage["thoughtsTokenCount"] = reply.thinking.into();
        }
    }
    body["usageMetadata"] = usage;
    body
}

fn candidate(reply: &Reply) -> Value {
    let thought = reply.thought.map(|text| json!({"text": text, "thought": true}));
    let parts: Vec<Value> = thought.into_iter().chain([json!({"text": reply.text})]).collect();
    let content = json!({"parts": parts, "role": "model"});
    match reply.end {
        End::Filter => json!({"finishReason": "SAFETY", "index": 0, "safetyRatings":
            [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": true}]}),
        End::Length => json!({"content": content, "finishReason": "MAX_TOKENS", "index": 0}),
        _ => json!({"content": content, "finishReason": "STOP", "index": 0}),
    }
}

fn error(trouble: &Trouble) -> Value {
    let status = match trouble.status {
        400 => "INVALID_ARGUMENT",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    let mut error = json!({"code": trouble.status, "message": trouble.message, "status": status});
    if let Some(wait) = trouble.wait {
        error["details"] = json!([
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations":
                [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{wait}s")}]);
    }
    json!({"error": error})
}
