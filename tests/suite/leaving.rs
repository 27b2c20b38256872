//! Leaving: what the first signal lets end, and what the second one leaves behind.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::TWENTY;
use crate::support::{Running, TestProject, until};
use fault_server::{Answer, ModelServer};

/// The second signal gives about two seconds; a busy machine takes longer.
const SOON: Duration = Duration::from_secs(10);

/// A host function that looks at no stop flag while it works, for longer than anybody waits.
const DEAF: &str = r#"
    let text = "";
    text.pad(16000000, "many words ");
    write_text("data/here.txt", "");
    process([#{id: "a"}], #{checkpoint: "data/c.jsonl"}, |item| {
        for i in 0..1000 { count_tokens(text); }
        #{}
    });
"#;

/// Sends a signal twice; gives how long it took from the second one.
fn twice(run: &Running, name: &str) -> Instant {
    run.signal(name);
    std::thread::sleep(Duration::from_millis(300));
    run.signal(name);
    Instant::now()
}

#[test]
fn the_first_signal_lets_end_what_is_on_the_wire() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(700));
    let project = TestProject::live(&server, TWENTY);
    let run = project.start("run scripts/main.rhai --concurrency 4");
    until("four calls", || server.requests().len() == 4);
    let signalled = Instant::now();
    run.signal("TERM");
    run.wait().exits(130).says("waiting for 4 calls on the wire");
    assert!(signalled.elapsed() > Duration::from_millis(400), "it waited for them");
    assert!(server.arrivals().iter().all(|arrival| arrival.at < signalled), "a call began after the signal");
    assert_eq!(project.ids("data/c.jsonl").len(), 4, "every reply that was on its way is saved");
    server.set_latency(Duration::ZERO);
    project.main("").exits(0);
    assert_eq!((project.ids("data/c.jsonl").len(), server.requests().len()), (20, 20));
}

#[test]
fn the_second_signal_leaves_what_can_be_resumed() {
    let server = ModelServer::start();
    server.set_rule(|request| match request.logical().text().contains("item_1") {
        true => Answer::Hang,
        false => Answer::Usual,
    });
    let project = TestProject::live(&server, TWENTY);
    let run = project.start("run scripts/main.rhai --json");
    until("two calls that hang", || server.requests().len() > project.lines("data/c.jsonl").len() + 1);
    let second = twice(&run, "INT");
    let ran = run.wait().exits(130);
    assert!(second.elapsed() < SOON, "{:?}", second.elapsed());
    ends_well(&ran.events());
    let done = project.ids("data/c.jsonl").len();
    server.set_rule(|_| Answer::Usual);
    let before = server.requests().len();
    project.main("").exits(0);
    assert_eq!(project.ids("data/c.jsonl").len(), 20);
    assert!(server.requests().len() - before <= 20 - done);
}

#[track_caller]
fn ends_well(events: &[Value]) {
    let ends: Vec<_> = events.iter().filter(|event| event["event"] == "end").collect();
    assert!(ends.len() == 1 && Some(&ends[0]) == events.last().as_ref(), "{events:?}");
    assert_eq!(ends[0]["exit"], 130);
    assert!(ends[0]["backends"].is_array() && ends[0]["seconds"].as_f64().unwrap() > 0.0);
}

/// What does not hear the signal is left behind; machines hear of the end all the same.
#[test]
fn the_end_is_told_when_a_script_does_not_hear() {
    let project = TestProject::of(DEAF);
    for words in ["run scripts/main.rhai --json", "run scripts/main.rhai --json --dry-run"] {
        // Where a dry run writes.
        project.write("tmp/.keep", "");
        let mut command = project.command(&words.split_whitespace().collect::<Vec<_>>());
        command.env("TMPDIR", project.path("tmp"));
        let run = Running::start(command);
        let here = |dir: &str| project.files(dir).iter().any(|(path, _)| path.ends_with("data/here.txt"));
        until("the script", || here(if words.contains("dry") { "tmp" } else { "data" }));
        std::thread::sleep(Duration::from_millis(500));
        let second = twice(&run, "INT");
        let ran = run.wait().exits(130);
        assert!(second.elapsed() > Duration::from_millis(1500), "it was heard: {:?}", second.elapsed());
        assert!(second.elapsed() < SOON, "{:?}", second.elapsed());
        ends_well(&ran.events());
        assert_eq!((project.ids("data/c.jsonl").len(), project.files("tmp").len()), (0, 1));
    }
}

/// Whoever reads the output has stopped reading: that keeps nobody from leaving.
#[test]
fn a_reader_that_stands_still_is_not_waited_for() {
    let script =
        "for i in 0..100000 { print(\"a line that nobody reads, and another one, and another one\"); }";
    let project = TestProject::of(script);
    for words in ["run scripts/main.rhai --json", "run scripts/main.rhai"] {
        let mut run = project.start(words);
        std::thread::sleep(Duration::from_millis(500));
        assert!(!run.has_ended(), "it waits for its reader");
        let second = twice(&run, "INT");
        until("the end", || run.has_ended());
        assert!(second.elapsed() < SOON, "{:?}", second.elapsed());
        assert_eq!(run.wait().code, 130);
    }
}
