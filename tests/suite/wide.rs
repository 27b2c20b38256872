//! Many at a time, and many in all: ranges as items, limits of the system on files, elements that are read when it is
//! their turn.

use std::process::Command;
use std::time::Duration;

use fault_server::{Answer, ModelServer};
use serde_json::json;

use crate::support::{Ran, Running, TestProject, figure, live_config, long, until};

// Ranges

/// What a script prints.
#[track_caller]
fn prints(script: &str, text: &str) {
    TestProject::of(script).main("").exits(0).prints(text);
}

#[test]
fn the_items_of_a_range_are_maps_with_an_id() {
    let script = r#"
        let n = 4;
        let all = [process(0..3, #{checkpoint: "data/a.jsonl"}, |item| #{twice: item.n * 2}),
                   process(3..=n, #{checkpoint: "data/a.jsonl"}, |item| #{id: item.id}),
                   process(range(10, 0, -4), #{checkpoint: "data/b.jsonl"}, |item| #{}),
                   process(range(0, 9, 3), #{checkpoint: "data/c.jsonl"}, |item| #{}),
                   process(5..5, #{checkpoint: "data/d.jsonl"}, |item| #{})];
        for summary in all { print(summary.completed); }
    "#;
    let project = TestProject::of(script);
    let ran = project.main("").exits(0);
    assert!(ran.out.starts_with("3\n2\n3\n3\n0\n"), "{}", ran.out);
    assert_eq!(project.ids("data/a.jsonl"), ["0", "1", "2", "3", "4"]);
    let lines = project.lines("data/a.jsonl");
    let two = lines.iter().find(|line| line["id"] == "2").unwrap();
    assert_eq!(two["twice"], json!(4));
    assert_eq!(project.ids("data/b.jsonl"), ["10", "2", "6"]);
    assert_eq!(project.ids("data/c.jsonl"), ["0", "3", "6"]);
    let again = project.main("").exits(0);
    assert!(again.out.starts_with("0\n0\n0\n0\n0\n"), "what is done is skipped: {}", again.out);
}

#[test]
fn a_range_of_items_is_limited_and_redone_like_others() {
    let script =
        r#"let s = process(0..1000000, #{checkpoint: "data/a.jsonl"}, |item| #{}); print(s.completed);"#;
    let project = TestProject::of(script);
    project.main("--limit 2").exits(0).prints("2\n");
    project.main("--limit 3 --redo 1").exits(0).prints("2\n");
    assert_eq!(project.ids("data/a.jsonl"), ["0", "1", "1", "2"]);
}

#[test]
fn ranges_without_an_end_or_without_ids_are_explained() {
    let of =
        |range: &str| TestProject::of(&format!("process({range}, #{{}}, |item| #{{}});")).main("").exits(2);
    of("0..").says("the range has more than 4 billion numbers").says("give it an end");
    of("range(0.0, 1.0, 0.1)").says("not one of whole numbers");
    of("parse_json(\"7\")").says("`process` needs an array of items, not int").says("a range");
}

#[test]
fn parallel_map_takes_ranges_and_readers() {
    prints("print(parallel_map(1..=3, |n| n * n));", "[1, 4, 9]");
    prints("print(parallel_map(range(6, 0, -2), #{concurrency: 2}, |n| n));", "[6, 4, 2]");
    let script = r#"
        write_jsonl("data/x.jsonl", [#{n: 1}, #{n: 2}]);
        print(parallel_map(stream_jsonl("data/x.jsonl"), |line| line.n + 1));
    "#;
    prints(script, "[2, 3]");
}

#[test]
fn parallel_map_works_on_elements_at_the_same_time() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Hang);
    let script = r#"let model = get_backend("assistant"); parallel_map(0..5, |n| model.complete(`${n}`));"#;
    let project = TestProject::live(&server, script);
    let run = project.start("run scripts/main.rhai");
    until("five calls at once", || server.requests().len() == 5);
    run.signal("KILL");
    run.wait();
}

#[test]
fn an_element_that_cannot_be_read_fails_when_all_have_ended() {
    let script = r#"parallel_map(stream_jsonl("x.jsonl"), |line| append_checkpoint("data/c.jsonl", line));"#;
    let project = TestProject::of(script);
    project.write("x.jsonl", "{\"id\": \"a\"}\n{\"id\": \n{\"id\": \"c\"}\n");
    project.main("").exits(2).says("this line is not JSON").says("x.jsonl:2");
    assert_eq!(project.ids("data/c.jsonl"), ["a", "c"]);
}

/// The most memory that a command held, in bytes.
fn peak(mut run: Running) -> f64 {
    let path = format!("/proc/{}/status", run.pid());
    let mut most = 0.0_f64;
    while !run.has_ended() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        most = most.max(kb.unwrap_or(0.0) * 1024.0);
        std::thread::sleep(Duration::from_millis(2));
    }
    run.wait().exits(0);
    most
}

/// A map of an item takes about 500 bytes, its plan 50.
#[test]
fn the_items_of_a_range_are_not_all_held_at_once() {
    let (few, many) = if long() { (10_000, 1_000_000) } else { (5_000, 40_000) };
    let peak = |items: usize| {
        let script = "process(0..setting(\"items\", 1), #{}, |item| #{});";
        peak(TestProject::of(script).start(&format!("run scripts/main.rhai -s items={items}")))
    };
    let bytes = (peak(many) - peak(few)) / (many - few) as f64;
    figure(&format!("an item of a range costs {bytes:.0} bytes"));
    assert!(bytes < 300.0, "{bytes} bytes an item");
}

// Limits of the system

/// A command of a shell with limits of its own.
fn limited(project: &TestProject, limits: &str, words: &str) -> Ran {
    let mut command = Command::new("sh");
    let line = format!("{limits} && exec \"$0\" {words}");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_fthost")]).current_dir(project.root());
    Ran::of(command)
}

/// Items that each ask twice, as many at a time as there are.
fn wide(server: &ModelServer, items: usize) -> TestProject {
    let script = format!(
        "let model = get_backend(\"assistant\");
         process(0..{items}, #{{checkpoint: \"data/c.jsonl\", concurrency: {items}}}, |item| {{
             model.complete(item.id);
             #{{said: model.complete(`${{item.id}}?`).content}}
         }});"
    );
    let more = format!("api_key_env: null, concurrency: {items}");
    TestProject::of_config(&script, &live_config("openai-chat", &server.url(), &more))
}

#[test]
fn fewer_files_than_calls_are_told_and_enough() {
    let server = ModelServer::start();
    let items = if long() { 1000 } else { 250 };
    let project = wide(&server, items);
    let ran = limited(&project, "ulimit -n 200", "run scripts/main.rhai").exits(0);
    let told = format!("data/c.jsonl asks for {} items at a time, and 69 are possible", items_text(items));
    assert_eq!(ran.err.matches(&told).count(), 1, "{}", ran.err);
    assert_eq!(ran.err.matches("warning: ").count(), 1, "{}", ran.err);
    assert!(ran.err.contains("may open 200 files") && ran.err.contains("ulimit -n"), "{}", ran.err);
    assert_eq!((project.lines("data/c.jsonl").len(), server.requests().len()), (items, 2 * items));
    assert!(!ran.out.contains("without a reply"), "no call failed: {}", ran.out);
}

fn items_text(items: usize) -> String {
    if items == 1000 { "1,000".into() } else { items.to_string() }
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_can_be() {
    let server = ModelServer::start();
    let ran = limited(&wide(&server, 120), "ulimit -Sn 100", "run scripts/main.rhai");
    let ran = ran.exits(0);
    assert!(!ran.err.contains("warning"), "{}", ran.err);
}

#[test]
fn judges_beyond_the_threads_are_told_once() {
    let script =
        "process(0..20, #{concurrency: 20}, |item| #{all: parallel_map(0..40, |n| { sleep(0.001); n })});";
    let project = TestProject::of(script);
    let ran = limited(&project, "ulimit -n 128", "run scripts/main.rhai").exits(0);
    let told = "warning: more is to do at a time than 33 threads, and no more are possible: this process may open 128";
    assert_eq!(ran.err.matches(told).count(), 1, "{}", ran.err);
    assert_eq!(ran.err.matches("warning: ").count(), 1, "{}", ran.err);
}
