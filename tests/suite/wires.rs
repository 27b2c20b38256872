//! What a script sees is the same on every wire, whatever the provider calls it: each provider's own
//! answers, literally, through real HTTP. And each wire's own headers, schemas and keys.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fthost::base::Kind;
use fthost::base::cancel::Stop;
use fthost::base::config::kinds::key_variable;
use fthost::base::config::{BackendConfig, Config};
use fthost::base::events::Silent;
use fthost::llm::{Backend, Outcome, Reply, Request, Schema, Secret, Shared, Usage};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{Ran, TestProject, live_config};
use fault_server::{Answer, ModelServer};

/// Each kind, and the header that its key goes in.
const WIRES: [(&str, &str); 4] = [
    ("openai", "authorization"),
    ("openai-chat", "authorization"),
    ("google", "x-goog-api-key"),
    ("anthropic", "x-api-key"),
];

/// With characters that every encoder changes.
const KEY: &str = "sk+canary/4711=a&b\"c";

/// Connections take long to set up.
static RUN: LazyLock<(Runtime, Shared)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    (runtime.unwrap(), Shared::new(Arc::new(Silent)))
});

fn config(server: &ModelServer, kind: &str, more: &str) -> BackendConfig {
    let text = format!("backends:\n  b: {{kind: {kind}, model: m, base_url: \"{}\"{more}}}\n", server.url());
    Config::parse("c", &text).unwrap().backends.remove("b").unwrap()
}

fn ask(server: &ModelServer, kind: &str, more: &str, request: &Request) -> fthost::base::Result<Reply> {
    let config = config(server, kind, more);
    let key = key_variable(&config).map(|_| Secret::new(KEY));
    let quick = Duration::from_millis(1);
    let (runtime, shared) = &*RUN;
    let backend = Backend::open("b", &config, key, shared).unwrap();
    let backend = backend.with_pauses(quick, quick);
    runtime.block_on(backend.call(request, &Stop::default())).map(|answered| answered.reply)
}

fn verdict() -> Request {
    let schema = json!({"type": "object", "required": ["answer", "reasoning"], "properties": {
        "reasoning": {"type": "string", "minLength": 1}, "answer": {"enum": ["YES", "NO"]}}});
    Request { schema: Some(Arc::new(Schema::new("verdict", schema).unwrap())), ..Request::of("judge") }
}

/// What one answer says, whoever words it.
#[derive(Clone, Copy)]
struct Case {
    outcome: Outcome,
    content: &'static str,
    reasoning: Option<&'static str>,
    /// The word of each wire for how it ended.
    finish: [&'static str; 4],
}

const STRUCTURED: &str = r#"{"reasoning":"r","answer":"YES"}"#;

#[rustfmt::skip]
const CASES: [Case; 5] = [
    Case { outcome: Outcome::Ok, content: "hi there", reasoning: Some("hm so"), finish: ["completed", "stop", "STOP", "end_turn"] },
    Case { outcome: Outcome::Ok, content: STRUCTURED, reasoning: None, finish: ["completed", "stop", "STOP", "end_turn"] },
    Case { outcome: Outcome::Truncated, content: "half a", reasoning: Some("hm so"), finish: ["max_output_tokens", "length", "MAX_TOKENS", "max_tokens"] },
    Case { outcome: Outcome::Refusal, content: "I cannot", reasoning: None, finish: ["completed", "stop", "", "refusal"] },
    Case { outcome: Outcome::Filtered, content: "", reasoning: None, finish: ["content_filter", "content_filter", "SAFETY", ""] },
];

/// The answer as the provider words it, with 100 tokens in (40 of them cached) and 30 out.
fn worded(kind: &str, case: &Case, finish: &str) -> Value {
    match kind {
        "openai" => responses(case, finish),
        "openai-chat" => chat(case, finish),
        "google" => gemini(case, finish),
        _ => messages(case, finish),
    }
}

fn responses(case: &Case, finish: &str) -> Value {
    let mut output = vec![];
    if let Some(thought) = case.reasoning {
        output.push(json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": thought}]}));
    }
    let part = match case.outcome {
        Outcome::Refusal => json!({"type": "refusal", "refusal": case.content}),
        _ => json!({"type": "output_text", "text": case.content}),
    };
    output.push(json!({"type": "message", "content": [part]}));
    let (status, why) = if finish == "completed" { (finish, None) } else { ("incomplete", Some(finish)) };
    json!({"status": status, "incomplete_details": why.map(|why| json!({"reason": why})), "model": "m-1", "output": output,
        "usage": {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 40}, "output_tokens": 30}})
}

fn chat(case: &Case, finish: &str) -> Value {
    let mut message =
        json!({"role": "assistant", "content": case.content, "reasoning_content": case.reasoning});
    if case.outcome == Outcome::Refusal {
        message = json!({"role": "assistant", "content": null, "refusal": case.content});
    }
    json!({"model": "m-1", "choices": [{"message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 40}, "completion_tokens": 30}})
}

fn gemini(case: &Case, finish: &str) -> Value {
    let thoughts = case.reasoning.map(|text| json!({"text": text, "thought": true}));
    let parts: Vec<Value> = thoughts.into_iter().chain([json!({"text": case.content})]).collect();
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish}], "modelVersion": "m-1",
        "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 30}})
}

fn messages(case: &Case, finish: &str) -> Value {
    let thoughts = case.reasoning.map(|text| json!({"type": "thinking", "thinking": text, "signature": "s"}));
    let text = json!({"type": "text", "text": case.content});
    let content: Vec<Value> = thoughts.into_iter().chain([text]).collect();
    json!({"type": "message", "model": "m-1", "content": content, "stop_reason": finish,
        "usage": {"input_tokens": 50, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 10, "output_tokens": 30}})
}

#[test]
fn a_script_sees_the_same_fields_from_all() {
    for case in &CASES {
        for (number, (kind, _)) in WIRES.into_iter().enumerate() {
            let finish = case.finish[number];
            if finish.is_empty() {
                continue; // this provider has no such ending
            }
            let server = ModelServer::start();
            server.push_reply(Answer::raw(worded(kind, case, finish).to_string()));
            let reply = ask(&server, kind, "", &Request::of("hello")).unwrap();
            let expected = Reply {
                outcome: case.outcome,
                content: case.content.into(),
                reasoning: case.reasoning.map(str::to_string),
                model: "m-1".into(),
                usage: Usage { input_tokens: 100, output_tokens: 30, cached_tokens: 40, reasoning_tokens: 0 },
                finish_reason: finish.into(),
                cost: None,
                attempts: 1,
            };
            assert_eq!(reply, expected, "{kind}");
        }
    }
}

#[test]
fn think_blocks_and_unnamed_models_are_the_same_on_all() {
    let case = Case { content: "<think>hm</think>\nhi", reasoning: None, ..CASES[0] };
    for (number, (kind, _)) in WIRES.into_iter().enumerate() {
        let server = ModelServer::start();
        let mut answer = worded(kind, &case, case.finish[number]);
        for name in ["model", "modelVersion"] {
            answer.as_object_mut().unwrap().shift_remove(name);
        }
        server.push_reply(Answer::raw(answer.to_string()));
        let reply = ask(&server, kind, "", &Request::of("hello")).unwrap();
        assert_eq!((reply.content.as_str(), reply.reasoning.as_deref()), ("hi", Some("hm")), "{kind}");
        assert_eq!(reply.model, "m", "{kind}");
    }
}

#[test]
fn an_empty_reply_is_asked_for_again_on_all() {
    for (number, (kind, _)) in WIRES.into_iter().enumerate() {
        let of = |content: &'static str| {
            let case = Case { content, ..CASES[0] };
            Answer::raw(worded(kind, &case, case.finish[number]).to_string())
        };
        let server = ModelServer::start();
        [of(""), of(" \n"), of("hi")].into_iter().for_each(|answer| server.push_reply(answer));
        let reply = ask(&server, kind, ", max_attempts: 3", &Request::of("hello")).unwrap();
        assert_eq!((reply.content.as_str(), reply.attempts), ("hi", 3), "{kind}");
        server.push_reply(of(""));
        let error = ask(&server, kind, ", max_attempts: 1", &Request::of("hello")).unwrap_err();
        assert_eq!(error.kind(), Kind::Server, "{kind}");
        assert!(error.message().contains("the model's reply is empty (finish reason `"), "{error}");
    }
}

/// Where a request's schema stands.
fn schema_of<'a>(kind: &str, body: &'a Value) -> &'a Value {
    match kind {
        "openai" => &body["text"]["format"]["schema"],
        "openai-chat" => &body["response_format"]["json_schema"]["schema"],
        "google" => &body["generationConfig"]["responseJsonSchema"],
        _ => &body["output_config"]["format"]["schema"],
    }
}

/// The request of a call that the server answers with [`STRUCTURED`].
fn judged(kind: &str, more: &str, request: &Request) -> Value {
    let number = WIRES.iter().position(|(name, _)| *name == kind).unwrap();
    let server = ModelServer::start();
    server.push_reply(Answer::raw(worded(kind, &CASES[1], CASES[1].finish[number]).to_string()));
    let reply = ask(&server, kind, more, request).unwrap();
    assert_eq!(reply.content, STRUCTURED);
    server.request().body
}

#[test]
fn the_order_of_properties_is_kept_on_all() {
    for (kind, _) in WIRES {
        let body = judged(kind, "", &verdict());
        let schema = schema_of(kind, &body);
        let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["reasoning", "answer"], "{kind}");
        let told = &schema["properties"]["reasoning"]["description"];
        assert_eq!(told, "Must fit {\"minLength\":1}.", "{kind}");
        for mode in ["json_object", "prompt"] {
            let text = judged(kind, &format!(", structured: {mode}"), &verdict()).to_string();
            let (first, second) = (text.find(r#"\"reasoning\":{"#), text.find(r#"\"answer\":{"#));
            assert!(first.is_some() && first < second, "{kind} {mode}: {text}");
        }
    }
}

#[test]
fn schemas_in_circles_are_told_in_the_prompt() {
    let circle =
        json!({"type": "object", "properties": {"reasoning": {"type": "string"}, "next": {"$ref": "#"}}});
    let list = json!({"type": "array", "items": {"type": "string"}});
    for (number, schema) in [circle, list].into_iter().enumerate() {
        let schema = Some(Arc::new(Schema::new("odd", schema).unwrap()));
        let request = Request { schema, ..Request::of("judge") };
        for (kind, _) in WIRES {
            let body = judged(kind, "", &request);
            // OpenAI's servers take what their strict mode does not, unheld.
            let sent = number == 0 && kind.starts_with("openai");
            assert_eq!(schema_of(kind, &body).is_object(), sent, "{kind}: {body}");
            assert_eq!(body.to_string().contains("JSON Schema"), !sent, "{kind}: {body}");
        }
    }
}

#[test]
fn a_key_goes_into_its_header_alone() {
    for (number, (kind, header)) in WIRES.into_iter().enumerate() {
        let server = ModelServer::start();
        server.push_reply(Answer::raw(worded(kind, &CASES[0], CASES[0].finish[number]).to_string()));
        ask(&server, kind, "", &Request::of("hello")).unwrap();
        let sent = server.request();
        let value = if header == "authorization" { format!("Bearer {KEY}") } else { KEY.into() };
        assert_eq!(sent.header(header), Some(value.as_str()), "{kind}");
        let holding = sent.headers.iter().filter(|(_, value)| value.contains("canary")).count();
        assert_eq!((holding, sent.path.contains("canary")), (1, false), "{kind}");
        let version = (kind == "anthropic").then_some("2023-06-01");
        assert_eq!(sent.header("anthropic-version"), version, "{kind}");
    }
    let server = ModelServer::start();
    server.push_reply(Answer::raw(messages(&CASES[0], "end_turn").to_string()));
    ask(&server, "anthropic", ", headers: {Anthropic-Version: later}", &Request::of("hello")).unwrap();
    assert_eq!(server.request().header("anthropic-version"), Some("later"));
}

/// The canary as a hostile server may write it: `(what, text)`, the text as it stands in a JSON body.
const ECHOES: [&str; 6] = [
    r#"sk+canary/4711=a&b\"c"#,
    "c2srY2FuYXJ5LzQ3MTE9YSZiImM=",
    "QmVhcmVyIHNrK2NhbmFyeS80NzExPWEmYiJj",
    "sk%2Bcanary%2F4711%3Da%26b%22c",
    "sk%2bcanary%2f4711%3da%26b%22c",
    r#"sk+canary\/4711=a\u0026b\u0022c"#,
];

/// What of the canary must not be seen: itself, and what all its base64 forms hold.
fn shows_the_key(text: &str) -> bool {
    ["canary", "Y2FuYXJ5", "jYW5hcn", "NhbmFye"].iter().any(|part| text.contains(part))
}

#[test]
fn no_echo_of_a_key_gets_through() {
    for (kind, _) in WIRES {
        for echo in ECHOES {
            for status in [307, 400, 401, 404, 429, 500, 200] {
                let server = ModelServer::start();
                let body = format!(
                    r#"{{"error": {{"message": "you sent {echo}", "code": "{echo}", "type": "{echo}"}}}}"#
                );
                let answer = Answer::Http(status, vec![], body.into_bytes());
                let header = echo.replace(['\\', '"'], "");
                server.push_reply(answer.header("location", &header).header("www-authenticate", &header));
                let error = ask(&server, kind, ", max_attempts: 1", &Request::of("hello")).unwrap_err();
                assert!(!shows_the_key(&format!("{error:?} {error}")), "{kind} {status} {echo}: {error:?}");
            }
            let server = ModelServer::start();
            let number = WIRES.iter().position(|(name, _)| *name == kind).unwrap();
            let answer = worded(kind, &CASES[0], CASES[0].finish[number]).to_string();
            let answer = answer.replace("hi there", echo).replace("hm so", echo).replace("m-1", echo);
            server.push_reply(Answer::raw(answer));
            let reply = ask(&server, kind, "", &Request::of("hello")).unwrap();
            assert!(!shows_the_key(&format!("{reply:?}")), "{kind} {echo}: {reply:?}");
            assert!(reply.content.contains("[secret]"), "{kind} {echo}: {reply:?}");
        }
    }
}

#[test]
fn a_long_error_does_not_end_within_a_key() {
    let server = ModelServer::start();
    for before in 480..502 {
        server.push_reply(Answer::error(400, &format!("{}{KEY}", "x".repeat(before)), "c"));
        let error = ask(&server, "openai-chat", "", &Request::of("hello")).unwrap_err();
        assert!(!error.message().contains("sk+"), "{before}: {error}");
    }
}

/// The roles and texts of a request's turns.
fn turns(kind: &str, body: &Value) -> Vec<(String, String)> {
    let list = match kind {
        "openai" => &body["input"],
        "google" => &body["contents"],
        _ => &body["messages"],
    };
    let text =
        |turn: &Value| turn["content"].as_str().or(turn["parts"][0]["text"].as_str()).unwrap().to_string();
    list.as_array().unwrap().iter().map(|turn| (turn["role"].as_str().unwrap().into(), text(turn))).collect()
}

#[test]
fn a_repair_round_shows_the_fault_on_all() {
    let script = r#"
        let wanted = schema(#{type: "object", required: ["reasoning", "answer"],
            properties: #{reasoning: #{type: "string"}, answer: #{enum: ["YES", "NO"]}}});
        print(get_backend("live").complete_structured("judge", wanted).answer);
    "#;
    for (number, (kind, _)) in WIRES.into_iter().enumerate() {
        let server = ModelServer::start();
        let wrong = r#"{"reasoning":"r","answer":"MAYBE"}"#;
        for content in [wrong, STRUCTURED] {
            let case = Case { content, ..CASES[1] };
            server.push_reply(Answer::raw(worded(kind, &case, case.finish[number]).to_string()));
        }
        let project = TestProject::of_config(script, &live_config(kind, &server.url(), "api_key_env: null"));
        let ran = project.main("").exits(0);
        assert!(ran.out.starts_with("YES\n"), "{kind}: {}", ran.out);
        let asked = turns(kind, &server.requests()[1].body);
        let model = if kind == "google" { "model" } else { "assistant" };
        assert_eq!(asked[0], ("user".into(), "judge".into()), "{kind}");
        assert_eq!(asked[1], (model.into(), wrong.into()), "{kind}");
        assert!(asked[2].1.contains("at /answer: \"MAYBE\" is not one of"), "{kind}: {asked:?}");
    }
}

/// A project that asks Gemini once, with these variables set.
fn asked_gemini(server: &ModelServer, variables: &[(&str, &str)]) -> Ran {
    let project = TestProject::nothing();
    project.write("config/fthost.yaml", &live_config("google", &server.url(), "max_attempts: 1"));
    let ask = r#"get_backend("live").complete("hello").content"#;
    let mut command = project.command(&["eval", ask]);
    command.env_remove("GOOGLE_API_KEY").env_remove("GEMINI_API_KEY").envs(variables.iter().copied());
    Ran::of(command)
}

#[test]
fn gemini_takes_two_variables() {
    let server = ModelServer::start();
    let reply = || Answer::raw(gemini(&CASES[0], "STOP").to_string());
    let (google, second) = (("GOOGLE_API_KEY", "first-key"), ("GEMINI_API_KEY", "second-key"));
    for (variables, sent) in [
        (&[google, second][..], "first-key"),
        (&[second], "second-key"),
        (&[("GOOGLE_API_KEY", " "), second], "second-key"),
    ] {
        server.push_reply(reply());
        let ran = asked_gemini(&server, variables).exits(0);
        assert!(ran.out.contains("hi there"), "{ran:?}");
        assert_eq!(server.requests().last().unwrap().header("x-goog-api-key"), Some(sent));
    }
    let none = asked_gemini(&server, &[]);
    assert!(none.err.contains("GOOGLE_API_KEY is not set"), "{none:?}");
    server.push_reply(Answer::status(401));
    let wrong = asked_gemini(&server, &[second]);
    assert!(wrong.err.contains("check GEMINI_API_KEY"), "{wrong:?}");
    let project = TestProject::nothing();
    project.write("config/fthost.yaml", "backends: {g: {kind: google, model: m}}\nroles: {assistant: g}\n");
    let mut command = project.command(&["check"]);
    command.env_remove("GOOGLE_API_KEY").env("GEMINI_API_KEY", "second-key");
    let checked = Ran::of(command);
    assert!(!checked.err.contains("needs a key") && !checked.out.contains("needs a key"), "{checked:?}");
}
