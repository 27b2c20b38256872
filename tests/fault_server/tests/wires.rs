//! Every wire: the same reply, usage, ends, rejections, faults, each in its own words.

mod common;

use std::time::Duration;

use common::{SCHEMA, is_whole, post, send, split, text_at, until, wires};
use fault_server::{Answer, Fault, ModelServer};
use serde_json::{Value, json};

#[test]
fn all_wires_say_the_same() {
    let server = ModelServer::start();
    for schema in [None, Some(serde_json::from_str(SCHEMA).unwrap())] {
        let texts: Vec<String> = wires(schema.as_ref())
            .iter()
            .map(|(path, body, place)| text_at(&post(&server, path, body), place))
            .collect();
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
        let expected = if schema.is_some() {
            r#"{"reasoning":"ok","answer":"YES"}"#
        } else {
            "This answers a prompt of 3"
        };
        assert!(texts[0].starts_with(expected), "{}", texts[0]);
    }
    let hashes: std::collections::HashSet<String> =
        server.bill().into_iter().map(|charge| charge.hash).collect();
    assert_eq!((server.bill().len(), hashes.len()), (10, 2));
    assert!(server.bill().iter().all(|charge| charge.model == "m" && charge.kind == "usual"));
}

#[test]
fn usage_is_the_same_in_each_wire_s_words() {
    let server = ModelServer::start();
    let places = [
        ["/usage/input_tokens", "/usage/output_tokens"],
        ["/usage/prompt_tokens", "/usage/completion_tokens"],
        ["/usageMetadata/promptTokenCount", "/usageMetadata/candidatesTokenCount"],
        ["/usage/input_tokens", "/usage/output_tokens"],
        ["/prompt_eval_count", "/eval_count"],
    ];
    for ((path, body, _), places) in wires(None).iter().zip(places) {
        let got = post(&server, path, body).json();
        let charge = server.bill().pop().unwrap();
        let number = |place: &str| got.pointer(place).and_then(Value::as_u64).unwrap();
        let cached = got["usage"]["cache_read_input_tokens"].as_u64().unwrap_or(0);
        assert_eq!(
            (number(places[0]) + cached, number(places[1])),
            (charge.input_tokens, charge.output_tokens),
            "{path}"
        );
    }
}

#[test]
fn ends_are_told_in_each_wire_s_words() {
    let server = ModelServer::start();
    let ends = [
        [
            ("/output/0/content/0/refusal", "no"),
            ("/incomplete_details/reason", "max_output_tokens"),
            ("/incomplete_details/reason", "content_filter"),
        ],
        [
            ("/choices/0/message/refusal", "no"),
            ("/choices/0/finish_reason", "length"),
            ("/choices/0/finish_reason", "content_filter"),
        ],
        [
            ("/promptFeedback/blockReason", "PROHIBITED_CONTENT"),
            ("/candidates/0/finishReason", "MAX_TOKENS"),
            ("/candidates/0/finishReason", "SAFETY"),
        ],
        [("/stop_reason", "refusal"), ("/stop_reason", "max_tokens"), ("/stop_reason", "refusal")],
        [("/message/content", "no"), ("/done_reason", "length"), ("/done_reason", "stop")],
    ];
    for ((path, body, _), ends) in wires(None).iter().zip(ends) {
        let answers = [Answer::Refusal("no".into()), Answer::Truncated("ha".into()), Answer::Filtered];
        for (answer, (place, value)) in answers.into_iter().zip(ends) {
            server.push_reply(answer);
            assert_eq!(text_at(&post(&server, path, body), place), value, "{path}");
        }
        server.push_reply(Answer::Reasoned("hm, let me see".into(), "hi".into()));
        let got = String::from_utf8(post(&server, path, body).body).unwrap();
        assert!(got.contains("hm, let me see"), "{path}: {got}");
    }
}

#[test]
fn what_the_real_server_rejects_is_rejected() {
    let server = ModelServer::start();
    let open = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let strict = json!({"model": "m", "input": "x", "text": {"format": {"strict": true, "schema": open}}});
    let format = json!({"json_schema": {"strict": true, "schema": open}});
    let chat = json!({"model": "m", "messages": [], "response_format": format});
    for (path, body) in [
        ("/v1/responses", strict),
        ("/v1/chat/completions", chat),
        ("/v1/messages", json!({"model": "m", "messages": [{"role": "user", "content": "x"}]})),
        ("/v1/messages", json!({"max_tokens": 1, "messages": [{"role": "system", "content": "x"}]})),
        ("/v1beta/models/m:generateContent", json!({"contents": [{"role": "assistant", "parts": []}]})),
        ("/api/chat", json!({"model": "m", "messages": []})),
        ("/v1/chat/completions", json!({"messages": []})),
    ] {
        let got = post(&server, path, &body);
        assert_eq!(got.status, 400, "{path} {body}");
        assert!(!got.json()["error"].is_null());
    }
    assert_eq!(post(&server, "/v2/other", &json!({})).status, 404);
    assert!(server.bill().is_empty());
}

/// What each fault is to the client, on every wire: a status, or 0 for no whole answer.
#[test]
fn every_fault_is_what_its_name_says() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (path, body, place) in wires(Some(&schema)) {
        let server = ModelServer::start();
        for (fault, name) in Fault::ALL {
            server.push_reply(Answer::Fault(*fault));
            let patience =
                Duration::from_millis(if matches!(fault, Fault::Hang | Fault::Drip) { 300 } else { 20_000 });
            let (bytes, ended) = send(&server, "POST", path, &body.to_string(), patience);
            check_fault(*fault, &bytes, ended, place, path);
            let billed = server.bill().iter().any(|charge| charge.kind == *name);
            let status =
                split(&bytes).map_or(0, |(head, _)| head.split(' ').nth(1).unwrap().parse().unwrap());
            assert_eq!(billed, status == 200 && is_whole(&bytes), "{path} {name}");
        }
        until(|| server.partials().len() == 2);
        let kinds: Vec<String> = server.partials().into_iter().map(|charge| charge.kind).collect();
        assert!(kinds.contains(&"half-body".into()) && kinds.contains(&"drip".into()), "{kinds:?}");
    }
}

fn check_fault(fault: Fault, bytes: &[u8], ended: bool, place: &str, path: &str) {
    let (head, body) = split(bytes).unwrap_or_default();
    let what = format!("{path} {fault:?} {head} {}", String::from_utf8_lossy(&body[..body.len().min(300)]));
    let starts = |status: &str| assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{what}");
    let value = || serde_json::from_slice::<Value>(body);
    let said = || value().unwrap().pointer(place).and_then(Value::as_str).map(str::to_string).unwrap();
    match fault {
        Fault::RateLimit => {
            assert!(head.starts_with("HTTP/1.1 429") && head.contains("retry-after: 1"), "{what}")
        }
        Fault::RateLimitBare => {
            assert!(head.starts_with("HTTP/1.1 429") && !head.contains("retry-after"), "{what}")
        }
        Fault::RateLimitExact => {
            let google = value().unwrap()["error"]["details"][1]["retryDelay"] == "1s";
            assert!(
                head.starts_with("HTTP/1.1 429") && google != head.contains("retry-after-ms: 1000"),
                "{what}"
            );
        }
        Fault::Failed => starts("500"),
        Fault::BadGateway => assert!(head.starts_with("HTTP/1.1 502") && value().is_err(), "{what}"),
        Fault::Unavailable => starts("503"),
        Fault::Overloaded => starts("529"),
        Fault::Redirect => assert!(
            head.starts_with("HTTP/1.1 307") && head.contains("location: http://127.0.0.1:9/"),
            "{what}"
        ),
        Fault::Reset => assert!(bytes.is_empty() && !ended, "{what}"),
        Fault::HalfBody => assert!(!is_whole(bytes) && !ended, "{what}"),
        Fault::Drip => assert!(bytes.len() == 1 && !ended, "{what}"),
        Fault::Hang => assert!(bytes.is_empty() && !ended, "{what}"),
        Fault::Malformed | Fault::TruncatedJson => assert!(value().is_err() && is_whole(bytes), "{what}"),
        Fault::NonUtf8 => assert!(str::from_utf8(body).is_err() && is_whole(bytes), "{what}"),
        Fault::Oversized => assert!(body.len() > 16 << 20 && head.contains("chunked"), "{what}"),
        Fault::WrongSchema => assert!(said().starts_with('['), "{what}"),
        Fault::NotJson => assert!(serde_json::from_str::<Value>(&said()).is_err(), "{what}"),
        Fault::DuplicateKey => assert_eq!(said().matches("\"reasoning\"").count(), 2, "{what}"),
        Fault::TokenLimit => assert!(serde_json::from_str::<Value>(&said()).is_err(), "{what}"),
        Fault::Empty => assert_eq!(said(), "", "{what}"),
        Fault::Refusal | Fault::Filter => starts("200"),
    }
}
