//! What a run tells of itself while it works: on a terminal, in a log, to machines.

use std::process::Command;
use std::time::Duration;

use crate::support::TestProject;
use fault_server::ModelServer;

/// One persona, 0.7 s a call: long enough for a look at what goes on.
const SLOW: &str = "run scripts/generate.rhai -s personas=1 -s turns=5";

fn slow_project() -> (ModelServer, TestProject) {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(700));
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
