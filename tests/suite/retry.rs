//! `fthost retry`: failures cleared, replies forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fault_server::{Answer, ModelServer};
use serde_json::json;

use crate::process::three;
use crate::status::{PRICED, TALKS, killed};
use crate::support::{TestProject, live_config, until};

const FAILED: &str = "data/c.failed.jsonl";

/// Item a is always done; b and c ask for what is not there.
fn failing() -> TestProject {
    let project = TestProject::of(&three(
        "if item.id == \"b\" { throw #{kind: \"no_luck\", message: \"bad luck\"} }
         if item.id == \"c\" { read_text(\"nowhere\" + \".txt\") }
         #{ok: true}",
    ));
    project.main("").exits(1);
    project.main("").exits(1);
    assert_eq!(attempts(&project), [("b".into(), 2), ("c".into(), 2)]);
    project
}

fn attempts(project: &TestProject) -> Vec<(String, u64)> {
    let lines = project.lines(FAILED);
    lines
        .iter()
        .map(|line| (line["id"].as_str().unwrap().into(), line["attempts"].as_u64().unwrap()))
        .collect()
}

#[test]
fn failures_are_cleared_by_id_by_kind_and_all() {
    let project = failing();
    let ran = project.run("retry b").exits(0);
    assert_eq!(ran.out, "data/c.jsonl: 1 failure cleared (no_luck 1)\nnext: fthost run scripts/main.rhai\n");
    assert_eq!(attempts(&project), [("c".into(), 2)]);
    project.main("").exits(1);
    assert_eq!(attempts(&project), [("b".into(), 1), ("c".into(), 3)], "b began anew");
    project.run("retry not_found").exits(0).prints("1 failure cleared (not_found 1)");
    assert_eq!(attempts(&project), [("b".into(), 1)]);
    project.main("").exits(1);
    project.run("retry").exits(0).prints("2 failures cleared (no_luck 1, not_found 1)");
    assert!(!project.exists(FAILED));
    project.run("retry").exits(0).prints("nothing has failed\n");
}

#[test]
fn what_nobody_knows_changes_nothing() {
    let project = failing();
    let before = project.files("");
    project.run("retry b no_lukc").exits(2).says("`no_lukc`").says("did you mean `no_luck`?");
    project
        .run("retry a")
        .exits(2)
        .says("`a` of data/c.jsonl has not failed: it is complete")
        .says("--redo a");
    project.run("retry zzzzzzzz").exits(2).says("fthost status");
    assert_eq!(project.files(""), before);
    TestProject::of("1").run("retry b").exits(2).says("nothing has failed, also not `b`");
}

#[test]
fn what_was_to_be_redone_still_is() {
    let project = TestProject::of(&three(
        "if item.id == \"b\" && \"storm.txt\" in list_files(\"*.txt\") { throw \"it broke\" }\n #{ok: true}",
    ));
    project.main("").exits(0);
    project.write("storm.txt", "");
    project.main("--redo b").exits(1);
    project
        .run("retry b")
        .exits(0)
        .prints("  b failed when it was to be redone: it stays listed, with 0 attempts");
    assert_eq!(attempts(&project), [("b".into(), 0)]);
    std::fs::remove_file(project.path("storm.txt")).unwrap();
    project.main("").exits(0);
    assert_eq!(project.ids("data/c.jsonl"), ["a", "b", "b", "c"], "it was run again");
    assert!(!project.exists(FAILED));
}

#[test]
fn a_run_keeps_its_failures_to_itself() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Refusal("No.".into()));
    let project = TestProject::live(&server, TALKS);
    project.main("--fail-fast").exits(1);
    server.set_rule(|_| Answer::Hang);
    let run = project.start("run scripts/main.rhai");
    let before = project.read("data/talks.failed.jsonl");
    until("the run's lock", || project.read("data/talks.jsonl.lock").contains(&run.pid().to_string()));
    project.run("retry").exits(75).says(&format!("process {}", run.pid()));
    assert_eq!(project.read("data/talks.failed.jsonl"), before);
    run.signal("KILL");
    run.wait();
}

#[test]
fn fresh_forgets_replies_and_keeps_the_bill() {
    let server = ModelServer::start();
    let project = killed(&server);
    let spent = || project.ledger("SELECT * FROM spent")[0]["calls"].as_u64().unwrap();
    let before = spent();
    let ran = project.run("retry item_4 item_0 --fresh").exits(0);
    assert!(ran.out.contains("data/talks.jsonl: what 2 items got is forgotten (5 replies, $"), "{}", ran.out);
    assert!(
        ran.out.contains("  item_0 is complete: a run skips it, unless it has `--redo item_0`\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("next: fthost run scripts/main.rhai --redo item_0\n"), "{}", ran.out);
    assert_eq!(spent(), before);
    project.run("status").exits(0).prints("4 of 8 done, 1 in flight, 3 pending").prints("(item_5: 2)");
    let asked = server.requests().len();
    project.main("--redo item_0").exits(0);
    assert_eq!(server.requests().len() - asked, 3 + 3 + 1 + 6, "items 0, 4, the rest of 5, and two more");
    project
        .run("retry item_9 --fresh")
        .exits(2)
        .says("no item or failure is called `item_9`")
        .says("did you mean `item_");
}

#[test]
fn fresh_forgets_what_was_begun_inside_too() {
    let server = ModelServer::start();
    let script = r#"
        let model = get_backend("assistant");
        process([#{id: "a"}, #{id: "aa"}], #{checkpoint: "data/c.jsonl"}, |item| {
            process([#{id: "x"}, #{id: "y"}], #{job: "inner"}, |inner| #{said: model.complete(item.id + inner.id).content});
            #{}
        });
    "#;
    let project = TestProject::live(&server, script);
    project.main("").exits(0);
    project.main("--redo all").exits(0);
    assert_eq!(server.requests().len(), 4, "all is replayed");
    project.run("retry a --fresh").exits(0);
    project.main("--redo all").exits(0);
    assert_eq!(server.requests().len(), 6, "only what a asked is asked anew");
}

#[test]
fn a_run_says_when_items_failed_on_kept_replies() {
    let server = ModelServer::start();
    let script = TALKS.replace("#{said: said}", "if item.id == \"item_3\" { throw \"odd\" }\n #{said: said}");
    let project = TestProject::of_config(&script, &live_config("openai-chat", &server.url(), PRICED));
    let hint = "data/talks.jsonl: 1 of 1 failed on replies that are kept: `fthost retry item_3 --fresh` asks the models anew";
    let first = project.main("").exits(1);
    assert!(!first.err.contains("fthost retry"), "it asked for all of them: {}", first.err);
    project.main("").exits(1).says(hint);
    let infos = project.main("--json").exits(1).events();
    assert!(infos.contains(&json!({"event": "info", "message": hint})), "{infos:?}");
    project.run("retry item_3 --fresh").exits(0);
    let fresh = project.main("").exits(1);
    assert!(!fresh.err.contains("fthost retry"), "{}", fresh.err);
    assert_eq!(server.requests().len(), 24 + 3);
}

#[test]
fn a_refusal_is_asked_anew_by_itself() {
    let server = ModelServer::start();
    let refuses = Arc::new(AtomicBool::new(true));
    let rule = refuses.clone();
    server.set_rule(move |request| {
        match request.logical().text().contains("item_3, turn 2") && rule.load(Ordering::SeqCst) {
            true => Answer::Refusal("No.".into()),
            false => Answer::Usual,
        }
    });
    let project = TestProject::live(&server, TALKS);
    project.main("").exits(1);
    let again = project.main("").exits(1);
    assert!(!again.err.contains("fthost retry"), "{}", again.err);
    refuses.store(false, Ordering::SeqCst);
    project.main("").exits(0);
    assert_eq!(server.requests().len(), 24 + 2);
}
