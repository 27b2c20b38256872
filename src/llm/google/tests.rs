//! Requests as Gemini takes them, and its answers as it words them.

use super::*;
use crate::base::Kind;
use crate::llm::Message;
use crate::llm::wire::tests::{answer, setup, verdict};

fn made(more: &str) -> Google {
    Google(setup("google", more))
}

fn failed(status: u16, body: &str) -> Failure {
    made("").decode(&answer(status, body), &Request::of("x")).unwrap_err()
}

#[test]
fn what_is_set_is_sent() {
    let mut request = Request { system: Some("be kind".into()), ..Request::of("hello") };
    request.messages.push(Message::assistant("hi"));
    let post = made("").encode(&request).unwrap();
    let expected = json!({"systemInstruction": {"parts": [{"text": "be kind"}]}, "contents": [
        {"role": "user", "parts": [{"text": "hello"}]}, {"role": "model", "parts": [{"text": "hi"}]}]});
    assert_eq!(post.path, "/models/m:generateContent");
    assert_eq!(post.body, expected.to_string());
    request.params.max_tokens = Some(9);
    request.params.top_p = Some(0.5);
    request.params.seed = Some(7);
    request.params.stop = Some(vec!["END".into()]);
    let body = made("extra_body: {generationConfig: {topK: 5}}").encode(&request).unwrap().json();
    let expected = json!({"maxOutputTokens": 9, "topP": 0.5, "seed": 7, "stopSequences": ["END"], "topK": 5});
    assert_eq!(body["generationConfig"].to_string(), expected.to_string());
}

#[test]
fn schemas_come_in_three_ways() {
    let generation = |more: &str| made(more).encode(&verdict()).unwrap().json();
    let held = generation("");
    assert_eq!(held["generationConfig"]["responseMimeType"], "application/json");
    let schema = &held["generationConfig"]["responseJsonSchema"];
    assert_eq!(schema["propertyOrdering"], json!(["reasoning", "answer"]));
    assert_eq!(held.get("systemInstruction"), None);
    let object = generation("structured: json_object");
    assert_eq!(object["generationConfig"], json!({"responseMimeType": "application/json"}));
    let prompt = generation("structured: prompt");
    assert_eq!(prompt.get("generationConfig"), None);
    for body in [object, prompt] {
        assert!(body["systemInstruction"]["parts"][0]["text"].as_str().unwrap().contains("JSON Schema"));
    }
}

#[test]
fn a_models_name_leads_nowhere_else() {
    for (model, expected) in [
        ("gemini-2.5-pro", "/models/gemini-2.5-pro:generateContent"),
        ("models/m", "/models/m:generateContent"),
        ("tunedModels/m", "/tunedModels/m:generateContent"),
        ("../x?y#z", "/models/..%2Fx%3Fy%23z:generateContent"),
        ("models/../a b", "/models/..%2Fa%20b:generateContent"),
    ] {
        assert_eq!(path(model), expected);
    }
}

#[test]
fn endings_mean_what_the_table_says() {
    let reply = |reason: &str| {
        let body = json!({"candidates": [{"finishReason": reason, "content": {"parts": [{"text": "hi"}]}}]});
        made("").decode(&answer(200, &body.to_string()), &Request::of("x"))
    };
    for reason in
        ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY"]
    {
        assert_eq!(reply(reason).unwrap().outcome, Outcome::Filtered, "{reason}");
    }
    for reason in ["", "OTHER", "MALFORMED_FUNCTION_CALL", "FINISH_REASON_UNSPECIFIED"] {
        let failure = reply(reason).unwrap_err();
        assert_eq!((failure.error.kind(), failure.again), (Kind::Server, Again::Backoff), "{reason}");
    }
    let blocked =
        r#"{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}"#;
    let blocked = made("").decode(&answer(200, blocked), &Request::of("x")).unwrap();
    assert_eq!((blocked.outcome, blocked.finish_reason.as_str()), (Outcome::Filtered, "SAFETY"));
    assert_eq!(blocked.usage.input_tokens, 4);
    assert_eq!(failed(200, r#"{"candidates": []}"#).error.kind(), Kind::Server);
}

/// A rate limit as the server words it.
fn exhausted(quota: &str, delay: &str) -> String {
    json!({"error": {"code": 429, "message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]},
            {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]}})
    .to_string()
}

#[test]
fn the_named_wait_is_kept_with_a_margin() {
    let minute = "GenerateRequestsPerMinutePerProjectPerModel";
    for (delay, millis) in [("34.074824224s", 35_074), ("900ms", 1_900), ("0s", 1_000)] {
        for body in [exhausted(minute, delay), format!("[{}]", exhausted(minute, delay))] {
            let failure = failed(429, &body);
            let Again::After(wait) = failure.again else { panic!("{delay}: {:?}", failure.again) };
            assert_eq!((failure.error.kind(), wait.as_millis()), (Kind::RateLimit, millis), "{delay}");
        }
    }
    for delay in ["", "soon", "-3s", "1e999s"] {
        assert_eq!(failed(429, &exhausted(minute, delay)).again, Again::Backoff, "{delay}");
    }
    let mut late = answer(429, &exhausted(minute, "2s"));
    late.headers.push(("retry-after".into(), "9".into()));
    let failure = made("").decode(&late, &Request::of("x")).unwrap_err();
    assert_eq!(failure.again, Again::After(Duration::from_secs(9)));
}

#[test]
fn a_days_quota_is_no_rate_limit() {
    let failure = failed(429, &exhausted("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "34s"));
    assert_eq!((failure.error.kind(), failure.again), (Kind::DeadBackend, Again::Never));
    let words = "quota exhausted for key GOOGLE_API_KEY (429): You exceeded";
    assert!(failure.error.message().starts_with(words), "{}", failure.error);
}

#[test]
fn errors_are_told_apart() {
    let invalid = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
    for (status, word, details, kind, words) in [
        (400, "INVALID_ARGUMENT", invalid, Kind::DeadBackend, "rejects the key (400): said"),
        (400, "INVALID_ARGUMENT", json!([]), Kind::BadRequest, "rejects the request (400): said"),
        (400, "FAILED_PRECONDITION", json!([]), Kind::DeadBackend, "no permission"),
        (401, "UNAUTHENTICATED", json!([]), Kind::DeadBackend, "rejects the key"),
        (403, "PERMISSION_DENIED", json!([]), Kind::DeadBackend, "no permission"),
        (404, "NOT_FOUND", json!([]), Kind::DeadBackend, "does not know this model"),
        (500, "INTERNAL", json!([]), Kind::Server, "the server failed (500)"),
        (503, "UNAVAILABLE", json!([]), Kind::Server, "the server failed (503)"),
    ] {
        let error = json!({"error": {"code": status, "message": "said", "status": word, "details": details}});
        for body in [error.to_string(), json!([error]).to_string()] {
            let failure = failed(status, &body);
            assert_eq!(failure.error.kind(), kind, "{word}");
            assert!(failure.error.message().contains(words), "{}", failure.error);
        }
    }
}
