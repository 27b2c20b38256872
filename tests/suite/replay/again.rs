//! What is asked anew when items run again: what has changed, and what was of no use; all else is given again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fthost::base::Kind;
use fthost::base::config::{Config, Params};
use fthost::base::events::Silent;
use fthost::llm::Request;
use fthost::store::Project;
use fthost::store::ledger::Ending;
use fthost::work::replay::Replay;
use fthost::work::{Scope, World, backends, call};
use serde_json::{Value, json};

use super::{items, numbered, project};
use crate::support::TestProject;
use fault_server::{Answer, ModelServer};

// What has changed

/// Four turns of two items.
const TURNS: &str = r#"
    let said = [];
    for turn in ["one", "two", "three", "four"] { said.push(model.complete(`${item.id} ${turn} ${said}`).content); }
    #{said: said}"#;

/// How many calls a command makes.
fn calls(server: &ModelServer, project: &TestProject, words: &str, code: i32) -> usize {
    let before = server.requests().len();
    project.main(&format!("--concurrency 1 {words}")).exits(code);
    server.requests().len() - before
}

#[test]
fn an_edited_prompt_is_asked_anew_with_what_follows_from_it() {
    let server = numbered();
    let project = project(&server, &items(TURNS));
    assert_eq!(calls(&server, &project, "", 0), 8);
    project.edit("scripts/main.rhai", "three", "third");
    assert_eq!(calls(&server, &project, "", 0), 0, "the records are stale, and kept");
    assert_eq!(calls(&server, &project, "--redo stale", 0), 4);
    let records = project.lines("data/c.jsonl");
    assert_eq!(records[2]["said"][1], records[0]["said"][1]);
    assert_ne!(records[2]["said"][2], records[0]["said"][2]);
    project.edit("scripts/main.rhai", "third", "three");
    assert_eq!(calls(&server, &project, "--redo stale", 0), 0, "the old words are known");
    assert_eq!(project.lines("data/c.jsonl")[4], records[0]);
}

#[test]
fn another_temperature_is_another_question() {
    let server = numbered();
    let project = project(&server, &items(TURNS));
    assert_eq!(calls(&server, &project, "", 0), 8);
    project.edit("config/fthost.yaml", "assistant: live", "assistant: {backend: live, temperature: 0.5}");
    assert_eq!(calls(&server, &project, "--redo stale", 0), 8);
    project.edit("config/fthost.yaml", "temperature: 0.5", "temperature: 0.25");
    assert_eq!(calls(&server, &project, "--redo stale", 0), 8);
    project.edit("config/fthost.yaml", "temperature: 0.25", "temperature: 0.5");
    assert_eq!(calls(&server, &project, "--redo stale", 0), 0);
    assert_eq!(calls(&server, &project, "--redo all", 0), 0);
}

#[test]
fn fresh_asks_all_anew_and_goes_on_with_the_new() {
    let server = numbered();
    let project = project(&server, &items(TURNS));
    assert_eq!(calls(&server, &project, "", 0), 8);
    assert_eq!(calls(&server, &project, "--redo all --fresh", 0), 8);
    let newest = project.lines("data/c.jsonl")[2..].to_vec();
    assert_eq!(calls(&server, &project, "--redo all", 0), 0);
    assert_eq!(project.lines("data/c.jsonl")[4..], newest);
    // Stopped in the first item's third turn: its first two are new ones, the other item has none.
    assert_eq!(calls(&server, &project, "--redo all --fresh --max-calls 2", 3), 2);
    assert_eq!(calls(&server, &project, "--redo all", 0), 2, "it goes on with the new");
    let last = project.lines("data/c.jsonl")[6..].to_vec();
    assert_ne!(last[0], newest[0]);
    assert_eq!(last[1], newest[1], "the other item was not begun");
    assert_eq!(calls(&server, &project, "--redo all", 0), 0);
}

#[test]
fn what_fresh_has_begun_to_replace_is_not_given_again() {
    let server = numbered();
    let work = r#"let said = []; for turn in 1..=3 { said.push(model.complete("the same").content); } #{said: said}"#;
    let project = project(&server, &items(work));
    assert_eq!(calls(&server, &project, "", 0), 6);
    assert_eq!(calls(&server, &project, "--redo all --fresh --max-calls 2", 3), 2);
    assert_eq!(calls(&server, &project, "--redo all", 0), 1, "the third of the first item");
}

// Items that end without a record that counts

#[test]
fn of_a_failed_item_only_what_is_of_use_is_given_again() {
    let server = numbered();
    let work = r#"
        let said = [model.complete("hello").content, model.complete_structured("sloppy", answer).mood];
        try { model.complete("refuse"); } catch { said.push("no"); }
        if !("calm.txt" in list_files("*.txt")) { throw "it broke" }
        said.push(model.complete("bye").content);
        #{said: said}"#;
    let project = project(&server, &items(work));
    assert_eq!(calls(&server, &project, "", 1), 8);
    assert_eq!(calls(&server, &project, "", 1), 2, "the refusals, not the repaired pair");
    project.write("calm.txt", "");
    assert_eq!(calls(&server, &project, "--max-calls 2", 3), 2, "the refusal, then on");
    assert_eq!(calls(&server, &project, "", 0), 2);
    assert_eq!(calls(&server, &project, "--redo all", 0), 0);
}

#[test]
fn a_reply_that_could_not_be_repaired_is_asked_for_again() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Text("words".into()));
    let project = TestProject::live(
        &server,
        &items(r#"model.complete("x"); #{m: model.complete_structured("y", answer).mood}"#),
    );
    assert_eq!(calls(&server, &project, "", 1), 6);
    assert_eq!(calls(&server, &project, "", 1), 4);
    server.set_rule(|_| Answer::Usual);
    assert_eq!(calls(&server, &project, "", 0), 2);
}

#[test]
fn an_item_that_fails_before_it_asks_has_failed_all_the_same() {
    let server = numbered();
    let work = r#"
        if "storm.txt" in list_files("*.txt") { throw "it broke" }
        let said = "";
        try { said = model.complete("refuse").content; } catch { said = "no"; }
        model.complete("on");
        #{said: said}"#;
    let project = project(&server, &items(work));
    assert_eq!(calls(&server, &project, "--max-calls 1", 3), 1);
    project.write("storm.txt", "");
    assert_eq!(calls(&server, &project, "", 1), 0);
    std::fs::remove_file(project.path("storm.txt")).unwrap();
    assert_eq!(calls(&server, &project, "", 0), 4, "the refusal of a failed item is asked for again");
}

#[test]
fn an_incomplete_verdict_is_asked_for_again_where_it_was_of_no_use() {
    let server = numbered();
    let work = r#"
        let said = [model.complete("hello").content];
        try { said.push(model.complete("refuse").content); } catch { said.push("ERROR"); }
        #{said: said, complete: said[1] != "ERROR"}"#;
    let project = project(&server, &items(work));
    assert_eq!(calls(&server, &project, "", 0), 4);
    assert_eq!(calls(&server, &project, "", 0), 2, "the refusals");
    server.set_rule(|_| Answer::Text("yes".into()));
    assert_eq!(calls(&server, &project, "", 0), 2);
    let complete: Vec<Value> =
        project.lines("data/c.jsonl").into_iter().filter(|r| r["complete"] == true).collect();
    assert_eq!(complete.len(), 2);
    assert_eq!(calls(&server, &project, "", 0), 0);
}

#[test]
fn a_reply_that_comes_too_late_for_its_item_is_kept() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(1000));
    let project = TestProject::live(&server, "");
    let config = Config::parse("c", &project.read("config/fthost.yaml")).unwrap();
    let files = Project::open(project.root()).unwrap();
    let world = World::new(files, config, Arc::new(Silent), Box::new(|_| None), "test");
    let backend = backends::get(&world, "live", None, Params::default()).unwrap().remove(0);
    let replay = Arc::new(Replay::new(world.ledger.clone(), &"job".into(), "a", false));
    let deadline = Instant::now() + Duration::from_millis(500);
    let scope = Scope { replay: Some(replay.clone()), ..Scope::item("a", Some(deadline)) };
    let error = call::complete(&world, &scope, &backend, Request::of("x")).unwrap_err();
    assert_eq!(error.kind(), Kind::Limit);
    replay.end(Ending::Failed).unwrap();
    world.close();
    let kept =
        "SELECT outcome, state, ended_after = r.id AS before FROM replies r JOIN items i ON i.id = r.item";
    assert_eq!(project.ledger(kept), [json!({"outcome": "ok", "state": "failed", "before": 1})]);
}
