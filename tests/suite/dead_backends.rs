//! Backends that are of no more use: the run stops with code 4 and says what to do, the items stay pending, and the
//! same command goes on when it is mended. And models that refuse a parameter, which is said with its remedy.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::{Ran, TestProject, live_config};
use fault_server::{Answer, ModelServer, Received};

/// Thirty items, four at a time.
const THIRTY: &str = r#"
    let items = [];
    for n in 0..30 { items.push(#{id: `i${n}`}); }
    process(items, #{checkpoint: "data/c.jsonl", concurrency: 4}, |item| {
        #{said: get_backend("assistant").complete(item.id).content}
    });
"#;

fn run(project: &TestProject, words: &str) -> Ran {
    let mut command = project.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env("THE_KEY", "sk-of-the-test");
    Ran::of(command)
}

/// All goes well for so many requests, then this.
fn after(good: usize, answer: impl Fn() -> Answer + Send + 'static) -> impl Fn(&Received) -> Answer + Send {
    let asked = AtomicUsize::new(0);
    move |_| if asked.fetch_add(1, Ordering::SeqCst) < good { Answer::Usual } else { answer() }
}

fn gemini_quota() -> Answer {
    let details = json!([{"@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]);
    let error = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded", "details": details}});
    Answer::Http(429, vec![], error.to_string().into_bytes())
}

/// What it is, the kind of backend, the answer, and what the report must say.
type Case = (&'static str, &'static str, fn() -> Answer, &'static [&'static str]);

const CASES: &[Case] = &[
    (
        "401",
        "openai-chat",
        || Answer::error(401, "bad", "invalid_api_key"),
        &["rejects the key", "check THE_KEY"],
    ),
    (
        "403",
        "anthropic",
        || Answer::error(403, "no", "permission_error"),
        &["no permission", "check THE_KEY"],
    ),
    (
        "404",
        "openai",
        || Answer::error(404, "no", "model_not_found"),
        &["does not know this model", "`model: m`"],
    ),
    (
        "quota",
        "openai",
        || Answer::error(429, "You exceeded your current quota", "insufficient_quota"),
        &["quota exhausted for key THE_KEY", "add credit to the account of THE_KEY"],
    ),
    ("a day's quota", "google", gemini_quota, &["quota exhausted for key THE_KEY", "THE_KEY"]),
    (
        "too long a wait",
        "openai-chat",
        || Answer::status(429).header("retry-after", "86400"),
        &["asks to wait 24 h", "max_wait"],
    ),
];

#[test]
fn a_dead_backend_stops_the_run_and_a_mended_one_goes_on() {
    for (name, kind, answer, says) in CASES {
        let server = ModelServer::start();
        server.set_rule(after(7, answer));
        let project =
            TestProject::of_config(THIRTY, &live_config(kind, &server.url(), "api_key_env: THE_KEY"));
        let ran = run(&project, "run scripts/main.rhai").exits(4);
        says.iter().for_each(|text| assert!(ran.err.contains(text), "{name}: no {text:?} in {}", ran.err));
        let asked = server.requests().len();
        assert!((8..=11).contains(&asked), "{name}: {asked} were asked: each of four at a time is told once");
        assert_eq!(project.lines("data/c.jsonl").len(), 7, "{name}");
        assert!(project.lines("data/c.failed.jsonl").is_empty(), "{name}: the others are pending");
        server.set_rule(|_| Answer::Usual);
        run(&project, "run scripts/main.rhai").exits(0);
        assert_eq!((project.ids("data/c.jsonl").len(), server.requests().len() - asked), (30, 23), "{name}");
    }
}

/// A run of many items against a server that dies in the middle.
fn dying(server: ModelServer, die: impl FnOnce(ModelServer) -> Option<ModelServer>) -> (TestProject, Ran) {
    let script = THIRTY.replace("0..30", "0..2000").replace("concurrency: 4", "concurrency: 16");
    let more = "api_key_env: null, max_attempts: 2";
    let project = TestProject::of_config(&script, &live_config("openai-chat", &server.url(), more));
    server.set_latency(std::time::Duration::from_millis(5));
    let running = project.start("run scripts/main.rhai");
    crate::support::until("a few records", || {
        project.exists("data/c.jsonl") && project.read("data/c.jsonl").lines().count() >= 40
    });
    let _server = die(server);
    let ran = running.wait();
    (project, ran)
}

#[test]
fn a_server_that_dies_in_the_middle_stops_the_run() {
    type Death = (&'static str, fn(ModelServer) -> Option<ModelServer>);
    let deaths: [Death; 3] = [
        // Its port is free: connections are refused.
        ("gone", |server| {
            server.set_rule(|_| Answer::Reset);
            drop(server);
            None
        }),
        ("broken", |server| {
            server.set_rule(|_| Answer::status(500));
            Some(server)
        }),
        ("closed", |server| {
            server.set_rule(|_| Answer::status(429));
            Some(server)
        }),
    ];
    std::thread::scope(|scope| {
        for (name, die) in deaths {
            scope.spawn(move || {
                let (project, ran) = dying(ModelServer::start(), die);
                assert_eq!(ran.code, 4, "{name}: {}", ran.err);
                assert!(ran.err.contains("requests failed)"), "{name}: {}", ran.err);
                let (done, failed) =
                    (project.lines("data/c.jsonl").len(), project.lines("data/c.failed.jsonl").len());
                assert!(done >= 40 && failed < 60, "{name}: {done} done, {failed} failed");
            });
        }
    });
}

/// A reasoning model: it knows one name for the reply's limit, and no temperature.
fn reasoning(request: &Received) -> Answer {
    let refuse = |message: &str, param: &str| {
        let error = json!({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": "unsupported_parameter"}});
        Answer::Http(400, vec![], error.to_string().into_bytes())
    };
    if !request.body["max_tokens"].is_null() {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        return refuse(message, "max_tokens");
    }
    if !request.body["temperature"].is_null() {
        let message = "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is supported.";
        return refuse(message, "temperature");
    }
    Answer::Usual
}

#[test]
fn a_model_that_refuses_a_parameter_says_what_to_set() {
    let server = ModelServer::start();
    server.set_rule(reasoning);
    let ask = r#"print(get_backend("assistant").complete("hi", #{max_tokens: 50}).content);"#;
    let project = TestProject::of_config(
        ask,
        &live_config("openai-chat", &server.url(), "api_key_env: null, temperature: 0.5"),
    );
    project
        .main("")
        .exits(2)
        .says("'max_tokens' is not supported")
        .says("`max_tokens_param: max_completion_tokens`");
    project.edit(
        "config/fthost.yaml",
        "temperature: 0.5",
        "temperature: 0.5, max_tokens_param: max_completion_tokens",
    );
    project
        .main("")
        .exits(2)
        .says("takes no such `temperature`")
        .says("leave it unset in the backend, the role and the call");
    project.edit("config/fthost.yaml", "temperature: 0.5, ", "");
    project.main("").exits(0).prints("This answers");
    let sent = server.requests();
    let last = &sent.last().unwrap();
    assert_eq!((&last.body["max_completion_tokens"], last.header("authorization")), (&json!(50), None));
    assert_eq!(sent.len(), 3, "a refused parameter is not tried again");
}
