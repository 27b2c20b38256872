//! Several processes at once on one checkpoint: one works, the others say who does.

use crate::process::TWENTY;
use crate::support::{Ran, Running, TestProject, figure, long, until};
use fault_server::{Answer, ModelServer};

const RUN: &str = "run scripts/main.rhai";

/// A project whose model never answers: who holds the checkpoint goes on holding it.
fn silent() -> (ModelServer, TestProject) {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Hang);
    let project = TestProject::live(&server, TWENTY);
    (server, project)
}

/// Starts so many at once; gives the one that works, and what the others left.
fn race(project: &TestProject, starters: usize) -> (Running, Vec<Ran>) {
    let mut runs: Vec<Running> = (0..starters).map(|_| project.start(RUN)).collect();
    let mut ended = Vec::new();
    until("all but one to give way", || {
        let gone = runs.iter_mut().position(Running::has_ended).map(|at| runs.swap_remove(at));
        ended.extend(gone.map(Running::wait));
        runs.len() == 1
    });
    (runs.pop().expect("one works"), ended)
}

#[track_caller]
fn names(ran: Ran, holder: u32) {
    let ran = ran.exits(75);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    ran.says(&format!("process {holder} on {}, since 20", host.trim())).says("data/c.jsonl");
}

/// Again and again: each holder is killed, and its lock, which still names it, is free at once.
#[test]
fn of_runs_at_once_one_works_and_the_others_name_it() {
    let (server, project) = silent();
    let rounds = if long() { 100 } else { 10 };
    for round in 0..rounds {
        let (winner, others) = race(&project, 2 + round % 2);
        assert_eq!(others.len(), 1 + round % 2);
        others.into_iter().for_each(|ran| names(ran, winner.pid()));
        winner.signal("KILL");
        assert_eq!(winner.wait().code, -1);
        let lock = project.json("data/c.jsonl.lock");
        assert!(lock["pid"].is_u64(), "it names the dead one: {lock}");
    }
    figure(&format!("{rounds} races, each after a holder was killed"));
    server.set_rule(|_| Answer::Usual);
    project.run(RUN).exits(0);
    assert_eq!(project.ids("data/c.jsonl").len(), 20);
    assert_eq!(project.read("data/c.jsonl.lock"), "");
}

/// What a lock file says is for people; the system knows whether it is held.
#[test]
fn a_lock_file_that_names_another_program_is_in_nobodys_way() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, TWENTY);
    let alive = std::process::id();
    for text in [&format!("{{\"pid\":{alive},\"host\":\"h\",\"since\":\"s\"}}"), "{\"pid\":", "\0\0", ""] {
        project.write("data/c.jsonl.lock", text);
        project.run(RUN).exits(0);
    }
    assert_eq!(server.requests().len(), 20);
}
