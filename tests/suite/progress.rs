//! What a run tells of itself while it works: on a terminal, in a log, to machines.

use std::process::Command;
use std::time::Duration;

use crate::support::{Ran, TestProject};
use fault_server::{Answer, ModelServer};

/// One persona, 0.65 s a call: long enough for a look at what goes on.
const SLOW: &str = "run scripts/generate.rhai -s personas=1 -s turns=5";

/// The same, quick.
const QUICK: &str = "run scripts/generate.rhai -s personas=1 -s turns=2";

fn slow_project() -> (ModelServer, TestProject) {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(650));
    let project = TestProject::shipped_live(&server);
    (server, project)
}

#[test]
fn a_log_shows_each_backend_now_and_then() {
    let (_server, project) = slow_project();
    let ran = project.run(SLOW).exits(0);
    ran.says("generation_checkpoint.jsonl: 0 of 1 after 5 s")
        .says("\n  live: 1 in flight, ")
        .says(" calls/s, ");
}

#[test]
fn machines_are_told_the_same() {
    let (_server, project) = slow_project();
    let ran = project.run(&format!("{SLOW} --json -q")).exits(0);
    let event = ran.events().into_iter().find(|event| event["event"] == "progress").unwrap();
    let live = &event["backends"][0];
    assert_eq!((&live["name"], &live["in_flight"]), (&"live".into(), &1.into()), "{live}");
    assert!(live["calls"].as_u64() >= Some(5) && live["calls_per_second"].as_f64() > Some(0.5), "{live}");
    assert!(live["input_tokens"].as_u64() > Some(0), "{live}");
}

#[test]
fn a_terminal_shows_a_line_below_the_bar() {
    let (_server, project) = slow_project();
    let command = format!("{} {SLOW}", env!("CARGO_BIN_EXE_fthost"));
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(project.root());
    let shown = String::from_utf8_lossy(&script.output().unwrap().stdout).into_owned();
    assert!(shown.contains("live: 1 in flight, "), "{shown}");
    assert!(shown.contains("0/1"), "{shown}");
}

/// One persona at a server that is at its limit for 8 s.
fn limited_project() -> (ModelServer, TestProject) {
    let server = ModelServer::start();
    server.push_reply(Answer::Usual);
    server.push_reply(Answer::error(429, "slow\ndown", "rate_limit").header("retry-after", "8"));
    let project = TestProject::shipped_live(&server);
    (server, project)
}

/// `until HH:MM:SS` in a text, as seconds of the day.
fn until_time(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once("waiting until ")?;
    let mut parts = rest.get(..8)?.split(':').map(|part| part.parse::<i64>().ok());
    Some(parts.next()?? * 3600 + parts.next()?? * 60 + parts.next()??)
}

#[test]
fn a_wait_is_told_with_its_end_and_shown_while_it_lasts() {
    let (_server, project) = limited_project();
    let mut command = project.command(&QUICK.split_whitespace().collect::<Vec<_>>());
    command.env("TZ", "UTC");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let ran = Ran::of(command).exits(0);
    let told = ran.err.lines().find(|line| line.starts_with("waiting until ")).unwrap();
    assert!(told.ends_with(" for live (rate limit (429): slow down)"), "{told}");
    let after = (until_time(told).unwrap() - now).rem_euclid(86_400);
    assert!((8..13).contains(&after), "{told}, after {after} s");
    let shown = ran.err.lines().find(|line| line.starts_with("  live: ")).unwrap();
    assert!(shown.starts_with(&told[..22].replace("waiting", "  live: waiting")), "{shown}");
    assert!(
        shown.contains(" (rate limit (429): slow down), 0 in flight, 48 of 64 at once after rate limits, ")
    );
    assert_eq!(ran.err.matches("waiting until").count(), 2, "{}", ran.err);
}

#[test]
fn machines_are_told_of_waits() {
    let (_server, project) = limited_project();
    let events = project.run(&format!("{QUICK} --json -q")).exits(0).events();
    let find = |name: &str| events.iter().find(|event| event["event"] == name).unwrap();
    let waiting = find("waiting");
    assert_eq!((&waiting["backend"], &waiting["seconds"]), (&"live".into(), &8.0.into()), "{waiting}");
    assert_eq!(waiting["reason"], "rate limit (429): slow\ndown");
    let live = &find("progress")["backends"][0];
    assert_eq!((&live["waiting"]["until"], &live["concurrency"]), (&waiting["until"], &48.into()), "{live}");
    assert_eq!(waiting["until"].as_str().unwrap().len(), "2026-11-24T13:03:20Z".len());
}

#[test]
fn many_workers_that_wait_make_few_lines() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::status(503));
    let script = r#"
        let items = [];
        for i in 0..64 { items.push(#{id: `i${i}`}); }
        process(items, #{concurrency: 64}, |item| #{id: item.id, text: get_backend("assistant").complete("hi").content});
    "#;
    let project = TestProject::live(&server, script);
    project.edit("config/fthost.yaml", "api_key_env: null", "api_key_env: null, max_attempts: 3");
    let ran = project.main("");
    assert!(ran.code != 0 && ran.err.matches("waiting until").count() < 8, "{}", ran.err);
}
