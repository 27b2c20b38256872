//! Runs that are frozen, and several commands at one ledger.

use std::time::Duration;

use fault_server::{Answer, ModelServer};

use super::audit::rows;
use super::many;
use super::setup::Dice;
use crate::support::{TestProject, figure, until};

/// Items that each ask four times, into the checkpoint of the setting `to`.
const TALKS: &str = r#"
    let model = get_backend("assistant");
    let to = setting("to", "c");
    let items = [];
    for i in 0..setting("items", 12) { items.push(#{id: `item_${i}`}); }
    process(items, #{checkpoint: `data/${to}.jsonl`, concurrency: 4}, |item| {
        let said = [];
        for turn in 1..=4 { said.push(model.complete(`${to} ${item.id} ${turn} ${said}`).content); }
        #{said: said}
    });
"#;

/// Calls of an item of [`TALKS`].
pub const CALLS: usize = 4;

/// A project that makes such calls, and its server.
pub fn talks(latency: Duration) -> (ModelServer, TestProject) {
    let server = ModelServer::start();
    server.set_latency(latency);
    let project = TestProject::live(&server, TALKS);
    (server, project)
}

/// Replies in the ledger, each at a place of its own.
#[track_caller]
fn check_kept(project: &TestProject, calls: usize) {
    let rows = rows(project);
    let mut places: Vec<_> = rows.iter().map(|row| row.place.clone()).collect();
    places.sort();
    places.dedup();
    assert_eq!((rows.len(), places.len()), (calls, calls));
}

#[test]
fn a_frozen_run_goes_on() {
    let (server, project) = talks(Duration::from_millis(10));
    let run = project.start("run scripts/main.rhai -s items=30");
    until("a few calls", || server.requests().len() > 10);
    for _ in 0..many(1, 5) {
        run.signal("STOP");
        std::thread::sleep(Duration::from_millis(many(600, 3000) as u64));
        run.signal("CONT");
        std::thread::sleep(Duration::from_millis(20));
    }
    run.wait().exits(0);
    assert_eq!(server.bill().len(), 30 * CALLS);
    check_kept(&project, 30 * CALLS);
}

#[test]
fn no_script_sees_a_reply_before_it_is_on_disk() {
    let (server, project) = talks(Duration::ZERO);
    project.main("-s to=a -s items=1").exits(0);
    let ledger = rusqlite::Connection::open(project.path(".fthost/ledger.sqlite")).unwrap();
    ledger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let run = project.start("run scripts/main.rhai -s items=6");
    until("the first calls", || server.requests().len() == CALLS + 4);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.requests().len(), CALLS + 4, "nobody goes on while nothing can be written");
    ledger.execute_batch("ROLLBACK").unwrap();
    run.wait().exits(0);
    check_kept(&project, 7 * CALLS);
}

#[test]
fn requests_that_are_given_up_are_in_the_ledger() {
    let (server, project) = talks(Duration::ZERO);
    server.set_rule(|_| Answer::Hang);
    let run = project.start("run scripts/main.rhai");
    until("the first calls", || server.requests().len() == 4);
    run.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    run.signal("INT");
    run.wait().exits(130);
    assert_eq!(rows(&project).iter().filter(|row| row.is_lost()).count(), 4, "nobody knows what they cost");
}

#[test]
fn two_commands_share_a_ledger() {
    for _ in 0..many(2, 40) {
        let (server, project) = talks(Duration::from_millis(2));
        // Nothing is there yet: both want to make the ledger.
        let runs = ["a", "b"].map(|to| project.start(&format!("run scripts/main.rhai -s to={to}")));
        let mut looks = 0;
        while server.requests().len() < 60 && looks < 100 {
            project.run("status").exits(0);
            looks += 1;
        }
        assert!(looks > 0);
        for run in runs {
            run.wait().exits(0);
        }
        assert_eq!(server.bill().len(), 2 * 12 * CALLS);
        check_kept(&project, 2 * 12 * CALLS);
        assert!(["data/a.jsonl", "data/b.jsonl"].iter().all(|path| project.ids(path).len() == 12));
    }
    figure(&format!("two commands begun at once on one new ledger, {} times: nothing lost", many(2, 40)));
}

#[test]
fn a_command_works_beside_a_frozen_one_and_beside_one_that_was_killed() {
    let mut dice = Dice::new(5);
    for round in 0..many(1, 20) {
        let (server, project) = talks(Duration::from_millis(4));
        let first = project.start("run scripts/main.rhai -s to=a -s items=30");
        until("a few calls", || server.requests().len() > 10);
        let second = project.start("run scripts/main.rhai -s to=b -s items=30");
        std::thread::sleep(dice.time(10, 90));
        first.signal("STOP");
        std::thread::sleep(Duration::from_millis(many(300, 1500) as u64));
        first.signal(if round % 2 == 0 { "KILL" } else { "CONT" });
        second.wait().exits(0);
        let ran = first.wait();
        assert_eq!(ran.code, if round % 2 == 0 { -1 } else { 0 }, "{ran:?}");
        project.run("run scripts/main.rhai -s to=a -s items=30").exits(0);
        check_kept(&project, 2 * 30 * CALLS);
        assert!(server.bill().len() <= 2 * 30 * CALLS + 4, "{} were served", server.bill().len());
    }
}
