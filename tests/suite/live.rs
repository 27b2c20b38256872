//! The shipped pipeline against a model server, by configuration only: both wires, keys, faults.

use std::time::Duration;

use serde_json::Value;

use crate::support::{PIPELINE, Ran, TestProject, live_config};
use fault_server::{Answer, ModelServer, Received};

const KEY: &str = "sk-canary-8b1f4711";

/// Three short conversations.
const SMALL: &str = "-s personas=3 -s turns=3 --limit 3";

/// The shipped project, its roles at the server, with a key variable.
fn keyed(server: &ModelServer, kind: &str) -> TestProject {
    let project = TestProject::shipped();
    project.write("config/fthost.yaml", &live_config(kind, &server.url(), "api_key_env: CANARY_KEY"));
    project
}

fn run_with_key(project: &TestProject, words: &str) -> Ran {
    let mut command = project.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env("CANARY_KEY", KEY);
    Ran::of(command)
}

fn generate(project: &TestProject) -> Ran {
    run_with_key(project, &format!("run scripts/generate.rhai {SMALL} --concurrency 1"))
}

/// Whether a request asks for verdicts.
fn is_judgement(request: &Received) -> bool {
    request.schema().is_some()
}

#[test]
fn the_pipeline_runs_on_both_wires() {
    for (kind, path) in [("openai-chat", "/v1/chat/completions"), ("openai", "/v1/responses")] {
        let server = ModelServer::start();
        server.set_latency(Duration::from_millis(20));
        let project = keyed(&server, kind);
        let ran = run_with_key(&project, &format!("{PIPELINE} {SMALL}")).exits(0);
        let requests = server.requests();
        assert_eq!(requests.len(), 3 * 3 * 2 + 3);
        assert!(requests.iter().all(|r| r.path == path && r.body["model"] == "m"));
        let bearer = format!("Bearer {KEY}");
        assert!(requests.iter().all(|r| r.header("authorization") == Some(&bearer)));
        assert!(!requests.iter().any(|r| r.body.to_string().contains(KEY)));
        check_judgements(&requests);
        check_totals(&ran, &server, requests.len());
        check_no_key(&project, &ran);
        assert_eq!(project.files("data/raw/transcripts").len(), 3);
        assert_eq!(project.lines("data/assessments/checkpoint.jsonl").len(), 3);
        assert!(!project.read("data/processed/training_data.jsonl").is_empty());
    }
}

/// The judges reason before they answer: the schema's order says so.
fn check_judgements(requests: &[Received]) {
    let judgements: Vec<&Received> = requests.iter().filter(|r| is_judgement(r)).collect();
    assert_eq!(judgements.len(), 3);
    let schema = judgements[0].schema().unwrap();
    let criteria: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(criteria, ["C1", "C2", "C3", "C4", "C6", "C7", "C8"], "the rubric's, without those of code");
    for (_, verdict) in schema["properties"].as_object().unwrap() {
        let keys: Vec<&String> = verdict["properties"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["reasoning", "answer"]);
    }
}

fn check_totals(ran: &Ran, server: &ModelServer, calls: usize) {
    let line = ran.out.lines().find(|line| line.starts_with("live")).expect("a line for the backend");
    assert!(line.contains(&format!("{calls} calls")) && line.contains("tokens in"), "{line}");
    assert!(!line.contains("about"), "the server's own figures are exact: {line}");
    assert!(server.peak() >= 2, "calls run at the same time");
}

/// The key is in no file of the project and in nothing that was said.
fn check_no_key(project: &TestProject, ran: &Ran) {
    assert!(!ran.out.contains(KEY) && !ran.err.contains(KEY));
    for (path, text) in project.files("") {
        assert!(!String::from_utf8_lossy(&text).contains(KEY), "{path} has the key");
    }
}

#[test]
fn the_tokens_of_the_server_are_in_the_events() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    let ran = project.run("run scripts/generate.rhai -s personas=1 -s turns=1 --json").exits(0);
    let events = ran.events();
    let backends = &events.last().unwrap()["backends"];
    assert_eq!((&backends[0]["name"], &backends[0]["calls"]), (&"live".into(), &2.into()));
    let bill = server.totals();
    assert_eq!(backends[0]["input_tokens"], Value::from(bill.input_tokens));
    assert_eq!(backends[0]["output_tokens"], Value::from(bill.output_tokens));
}

#[test]
fn a_server_without_a_key_gets_none() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    run_with_key(&project, &format!("run scripts/generate.rhai {SMALL}")).exits(0);
    assert_eq!(server.requests().len(), 18);
    assert!(server.requests().iter().all(|r| r.header("authorization").is_none()));
}

#[test]
fn a_key_may_stand_in_dot_env() {
    let server = ModelServer::start();
    let project = keyed(&server, "openai-chat");
    project.write(".env", "# keys\nCANARY_KEY=from-the-file\n");
    project.run("run scripts/generate.rhai -s personas=1 -s turns=1").exits(0);
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer from-the-file"));
    run_with_key(&project, "run scripts/generate.rhai -s personas=1 -s turns=1 --redo all --fresh").exits(0);
    assert_eq!(server.requests()[2].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
}

#[test]
fn a_missing_key_is_told_before_any_call() {
    let server = ModelServer::start();
    let project = keyed(&server, "openai-chat");
    project.run(&format!("run scripts/generate.rhai {SMALL}")).exits(2).says("CANARY_KEY");
    assert!(server.requests().is_empty());
    assert!(!project.exists("data/raw/transcripts"));
}

#[test]
fn a_wrong_key_stops_the_run() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::error(401, &format!("Incorrect API key provided: {KEY}"), "invalid_api_key"));
    let project = keyed(&server, "openai-chat");
    let ran = generate(&project).exits(4).says("CANARY_KEY").says("live");
    assert_eq!(server.requests().len(), 1);
    check_no_key(&project, &ran);
    assert!(project.lines("data/raw/generation_checkpoint.failed.jsonl").is_empty(), "the items are pending");
    server.set_rule(|_| Answer::Usual);
    generate(&project).exits(0);
}

#[test]
fn a_rate_limit_is_waited_for() {
    let server = ModelServer::start();
    server.push_reply(Answer::status(429).header("retry-after", "1"));
    let project = TestProject::shipped_live(&server);
    let ran = project.run("run scripts/generate.rhai -s personas=1 -s turns=1").exits(0).says("waiting");
    ran.prints("2 calls, ").prints(", 1 request without a reply");
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!((requests[1].at - requests[0].at).as_millis() >= 990);
}

#[test]
fn a_redirect_is_not_followed() {
    let (server, elsewhere) = (ModelServer::start(), ModelServer::start());
    let to = format!("{}/chat/completions", elsewhere.url());
    server.set_rule(move |_| Answer::redirect(&to));
    let project = keyed(&server, "openai-chat");
    let ran = generate(&project);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("redirect") || ran.err.contains("307"), "{}", ran.err);
    assert!(elsewhere.requests().is_empty(), "the key went elsewhere");
}

#[test]
fn a_reply_that_was_cut_off_fails_its_item() {
    let server = ModelServer::start();
    server.push_reply(Answer::Usual);
    server.push_reply(Answer::Truncated("Half a rep".into()));
    let project = TestProject::shipped_live(&server);
    generate(&project).exits(1).says("cut off");
    let failed = project.lines("data/raw/generation_checkpoint.failed.jsonl");
    assert_eq!(failed.len(), 1);
    assert_eq!((&failed[0]["kind"], &failed[0]["raw"]), (&"truncated".into(), &"Half a rep".into()));
    assert!(failed[0]["place"].as_str().unwrap().starts_with("scripts/generate.rhai:"), "{}", failed[0]);
    assert_eq!(project.files("data/raw/transcripts").len(), 2, "no file for half a conversation");
    generate(&project).exits(0);
    assert_eq!(project.files("data/raw/transcripts").len(), 3);
}

#[test]
fn a_judge_that_answers_nonsense_is_asked_once_more() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    project.run("run scripts/generate.rhai -s personas=1 -s turns=2").exits(0);
    let before = server.requests().len();
    server.push_reply(Answer::Text("I think it is fine.".into()));
    project.run("run scripts/assess.rhai").exits(0);
    assert_eq!(server.requests().len(), before + 2);
    server.set_rule(|_| Answer::Text("{\"C1\": {}}".into()));
    project.run("run scripts/assess.rhai --redo all --fresh").exits(1);
    let failed = &project.lines("data/assessments/checkpoint.failed.jsonl")[0];
    assert_eq!((&failed["kind"], &failed["raw"]), (&"schema_mismatch".into(), &"{\"C1\": {}}".into()));
}

#[test]
fn offline_text_is_not_mixed_into_a_real_model_s() {
    let server = ModelServer::start();
    let project = TestProject::shipped();
    let generate = format!("run scripts/generate.rhai {SMALL}");
    project.run(&generate).exits(0);
    let id = project.ids("data/raw/generation_checkpoint.jsonl")[0].clone();
    project.write("config/fthost.yaml", &live_config("openai-chat", &server.url(), "api_key_env: null"));
    project.run(&format!("{generate} --redo {id}")).exits(0).prints("stale 2 (backends changed)");
    project.run("run scripts/assess.rhai").exits(0);
    project.run("run scripts/slice.rhai").exits(2).says("offline").says("mix_offline");
    assert!(!project.exists("data/processed/training_data.jsonl"));
}
