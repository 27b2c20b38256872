//! `fthost check --live`: every kind of backend that works, and every way in which one does not.

use std::time::{Duration, Instant};

use fault_server::{Answer, Fault, ModelServer, Received};
use serde_json::Value;

use crate::every_backend::{KINDS, project, run};
use crate::support::{Ran, TestProject, live_config, until};

const KEY: &str = "sk-canary-77aa31fe";

/// A project with nothing to run and this configuration.
fn of(config: &str) -> TestProject {
    TestProject::of_config("print(1);", config)
}

/// One backend in every role, with a key.
fn keyed(server: &ModelServer) -> TestProject {
    of(&live_config("openai-chat", &server.url(), "api_key_env: CANARY_KEY"))
}

fn live(project: &TestProject) -> Ran {
    live_with(project, &["check", "--live"])
}

fn live_with(project: &TestProject, args: &[&str]) -> Ran {
    let mut command = project.command(args);
    command.env("CANARY_KEY", KEY).env("HOME", project.root());
    let ran = Ran::of(command);
    assert!(!ran.out.contains(KEY) && !ran.err.contains(KEY), "{ran:?}");
    ran
}

fn structured(request: &Received) -> bool {
    request.logical().schema.is_some()
}

#[test]
fn every_kind_that_works_is_said_to() {
    let server = ModelServer::start();
    for kind in KINDS {
        let before = server.requests().len();
        let project = project(&server, kind);
        let ran = run(&project, "check --live").exits(0).prints("0 errors").says("asking 1 backend");
        let line = ran.out.lines().find(|line| line.starts_with("live")).unwrap();
        assert!(line.starts_with(&format!("live  {} m: free ok in ", kind.0)), "{line}");
        assert!(line.contains(", structured ok in ") && line.contains(" tokens in, "), "{line}");
        assert!(line.contains(" (assistant, judges, user_sim"), "{line}");
        let asked = server.requests().len() - before;
        assert_eq!(asked, if kind.0 == "claude" { 0 } else { 2 });
    }
}

#[test]
fn scripts_are_asked_too() {
    let shipped = TestProject::shipped();
    let ran =
        shipped.run("check --live").exits(0).prints("offline ").prints("structured ok in").prints("about ");
    assert_eq!(ran.out.matches("free ok").count(), 4, "{}", ran.out);
    let stub = of("backends: {stub: {kind: script, file: scripts/stub.rhai}}\nroles: {user_sim: stub}\n");
    stub.write("scripts/stub.rhai", "fn complete(request) { request.role }");
    stub.run("check --live").exits(0).prints("stub  script script: free ok").prints("structured not defined");
    stub.write("scripts/stub.rhai", "fn complete(request) { request.rol.x }");
    stub.run("check --live").exits(2).prints("free failed").says("scripts/stub.rhai:1:");
}

#[test]
fn mistakes_are_told_before_anything_is_sent() {
    let server = ModelServer::start();
    let project = keyed(&server);
    project.write("scripts/main.rhai", "prnt(1);");
    live(&project).exits(2).says("unknown function `prnt`").says("nothing was sent");
    live_with(&project, &["check", "scripts/main.rhai", "--live"]).exits(2).says("nothing was sent");
    assert!(server.requests().is_empty());
    project.run("check").exits(2);
    project.write("scripts/main.rhai", "print(1);");
    live_with(&project, &["check"]).exits(0);
    assert!(server.requests().is_empty(), "without --live nothing is sent either");
    live_with(&project, &["check", "scripts/main.rhai", "--live"]).exits(0);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn what_no_run_could_use_is_told_with_its_remedy() {
    let cases: [(Answer, &[&str]); 5] = [
        (
            Answer::error(401, &format!("bad key {KEY}"), "invalid_api_key"),
            &["rejects the key", "CANARY_KEY"],
        ),
        (Answer::error(404, "no such model", "model_not_found"), &["does not know this model", "`model: m`"]),
        (
            Answer::error(400, "Unsupported value: 'temperature' does not support 0.8", "unsupported_value"),
            &["no such `temperature`"],
        ),
        (Answer::error(429, "slow down", "rate_limit"), &["rate limit (429)", "try again later"]),
        (Answer::Fault(Fault::Empty), &["reply is empty", "max_tokens"]),
    ];
    for (answer, words) in cases {
        let server = ModelServer::start();
        server.set_rule(move |_| answer.clone());
        let ran = live(&keyed(&server)).exits(2).prints("live  openai-chat m: free failed, structured ");
        words.iter().for_each(|word| assert!(ran.err.contains(word), "no {word}:\n{}", ran.err));
        assert!(server.requests().len() <= 2, "one attempt a call: {}", server.requests().len());
    }
}

#[test]
fn a_dead_backend_is_a_mistake_and_the_others_are_asked() {
    let server = ModelServer::start();
    let config = format!(
        "backends:\n  good: {{kind: openai-chat, model: m, base_url: \"{url}\", api_key_env: null}}\n  \
         gone: {{kind: openai-chat, model: m, base_url: \"http://127.0.0.1:9/v1\", api_key_env: null}}\n  \
         keyless: {{kind: openai, model: m, base_url: \"{url}\", api_key_env: NO_SUCH_KEY}}\n  \
         idle: {{kind: openai-chat, model: m, base_url: \"http://127.0.0.1:9/v1\", api_key_env: null}}\n\
         roles: {{user_sim: gone, assistant: good, judges: [keyless]}}\n",
        url = server.url()
    );
    let ran = live(&of(&config)).exits(2);
    let ran = ran.says("cannot connect to http://127.0.0.1:9").says("needs a key: NO_SUCH_KEY is not set");
    let lines: Vec<&str> = ran.out.lines().filter(|line| line.contains(": free ")).collect();
    assert_eq!(lines.len(), 3, "what no role uses is not asked: {lines:?}");
    assert!(lines[0].starts_with("gone     openai-chat m: free failed, structured not tried"), "{lines:?}");
    assert!(lines[1].starts_with("good     openai-chat m: free ok"), "{lines:?}");
    assert!(lines[2].starts_with("keyless  openai m: free failed, structured not tried"), "{lines:?}");
}

#[test]
fn a_server_that_ignores_the_schema_is_found() {
    let server = ModelServer::start();
    server.set_rule(|request| match structured(request) {
        true => Answer::Text("I think that it is fine.".into()),
        false => Answer::Usual,
    });
    let project = keyed(&server);
    let ran = live(&project).exits(2).prints("free ok").prints("structured failed");
    ran.says("`structured: json_object` or `structured: prompt`").says("it said: I think that it is fine.");
    project.edit("config/fthost.yaml", "api_key_env", "structured: prompt, api_key_env");
    live(&project).exits(2).says("use another model for judges");
    let once = ModelServer::start();
    once.push_reply(Answer::Usual);
    once.push_reply(Answer::Text("Let me think ...".into()));
    live(&keyed(&once)).exits(0).prints("structured ok after a repair").says("may cost two calls");
}

#[test]
fn each_role_s_parameters_are_tried() {
    let server = ModelServer::start();
    server.set_rule(|request| match request.body["temperature"].as_f64() {
        Some(hot) if hot != 1.0 => {
            Answer::error(400, "Unsupported value: 'temperature' does not support 0.3", "unsupported_value")
        }
        _ => Answer::Usual,
    });
    let project = keyed(&server);
    project.edit("config/fthost.yaml", "judges: [live]", "judges: [live, {backend: live, temperature: 0.3}]");
    let ran = live(&project).exits(2).says("no such `temperature`");
    assert!(ran.out.contains("(judges, temperature 0.3)"), "{}", ran.out);
    assert_eq!((ran.out.matches("free ok").count(), ran.out.matches("free failed").count()), (1, 1));
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_named_wait_is_waited_for_when_it_is_short() {
    let server = ModelServer::start();
    server.push_reply(Answer::status(429).header("retry-after", "1"));
    live(&keyed(&server)).exits(0).says("waiting until ").says(" for live (rate limit (429)");
    server.push_reply(Answer::status(429).header("retry-after", "3000"));
    let began = Instant::now();
    live(&keyed(&server)).exits(2).says("asks to wait 50 min").says("after that time");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn backends_are_asked_at_the_same_time() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(500));
    let backend = |name: &str| {
        format!(
            "  {name}: {{kind: openai-chat, model: m, base_url: \"{}\", api_key_env: null}}\n",
            server.url()
        )
    };
    let backends: String = ["a", "b", "c", "d"].map(backend).concat();
    let project = of(&format!("backends:\n{backends}"));
    live(&project).exits(0);
    assert_eq!((server.requests().len(), server.peak()), (8, 4), "no role uses any: all are asked");
}

#[test]
fn machines_get_an_event_a_backend() {
    let server = ModelServer::start();
    let project = keyed(&server);
    project.edit("config/fthost.yaml", "api_key_env", "price: {input: 1000, output: 2000}, api_key_env");
    let asked = |code| {
        let events = live_with(&project, &["check", "--live", "--json"]).exits(code).events();
        events.into_iter().filter(|event| event["event"] == "backend").collect::<Vec<_>>()
    };
    let events = asked(0);
    assert_eq!(events.len(), 1, "{events:?}");
    let seen = &events[0];
    assert_eq!(
        (&seen["event"], &seen["name"], &seen["ok"]),
        (&"backend".into(), &"live".into(), &true.into())
    );
    assert_eq!((&seen["model"], &seen["structured"]["ok"]), (&"m".into(), &true.into()), "{seen}");
    let bill = server.totals();
    assert_eq!(seen["input_tokens"], Value::from(bill.input_tokens));
    let usd = (bill.input_tokens as f64 * 1000.0 + bill.output_tokens as f64 * 2000.0) / 1e6;
    assert!((seen["usd"].as_f64().unwrap() - usd).abs() < 1e-9, "{seen}");
    server.set_rule(|_| Answer::error(401, &format!("bad key {KEY}"), "invalid_api_key"));
    let events = asked(2);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["free"]["error"]["kind"], "dead_backend");
    assert_eq!(events[0]["structured"]["ok"], Value::Null);
}

#[test]
fn ctrl_c_leaves_at_once() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Hang);
    let project = of(&live_config("openai-chat", &server.url(), "api_key_env: null"));
    let running = project.start("check --live");
    until("the request", || !server.requests().is_empty());
    let began = Instant::now();
    running.signal("INT");
    running.wait().exits(130).says("interrupted");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_is_asked_counts_against_the_budget() {
    let server = ModelServer::start();
    let project = keyed(&server);
    let config = project.read("config/fthost.yaml");
    project.write("config/fthost.yaml", &format!("{config}budget: {{calls: 3}}\n"));
    live(&project).exits(0);
    live(&project).exits(3).prints("structured failed").says("budget.calls is used up");
    assert_eq!(server.requests().len(), 3);
}
