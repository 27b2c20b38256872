//! What a run leaves and finds: torn and locked checkpoints, signals, kills, a disk that refuses.

use std::time::{Duration, Instant};

use crate::process::{TWENTY, three};
use crate::support::{TestProject, live_config, until};
use fault_server::{Answer, ModelServer};

// Checkpoints

#[test]
fn a_torn_last_line_is_mended() {
    let project = TestProject::of(&three("#{n: 1}"));
    project.main("").exits(0);
    let whole = project.read("data/c.jsonl");
    project.write("data/c.jsonl", &whole[..whole.len() - 9]);
    project.main("").exits(0).says("torn");
    assert_eq!(project.ids("data/c.jsonl"), ["a", "b", "c"]);
    let torn = project.read("data/c.jsonl.torn");
    assert!(whole.contains(torn.trim_end()) && torn.len() > 5, "{torn}");
}

#[test]
fn damage_in_the_middle_stops_the_run() {
    let project = TestProject::of(&three("#{n: 1}"));
    project.main("").exits(0);
    let mut lines: Vec<String> = project.read("data/c.jsonl").lines().map(str::to_string).collect();
    lines[1].truncate(12);
    let damaged = lines.join("\n") + "\n";
    project.write("data/c.jsonl", &damaged);
    project.main("").exits(2).says("data/c.jsonl").says("2");
    assert_eq!(project.read("data/c.jsonl"), damaged);
}

#[test]
fn a_checkpoint_belongs_to_one_run() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Hang);
    let project = TestProject::live(&server, TWENTY);
    let first = project.start("run scripts/main.rhai");
    until("the first call", || !server.requests().is_empty());
    let asked = server.requests().len();
    project.main("").exits(75).says(&format!("process {}", first.pid())).says("data/c.jsonl");
    assert!(server.requests().len() <= asked.max(2), "the second run asked nothing");
    first.signal("KILL");
    first.wait();
    server.set_rule(|_| Answer::Usual);
    project.main("").exits(0);
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(100));
    let project = TestProject::live(&server, TWENTY);
    let run = project.start("run scripts/main.rhai");
    until("a few records", || {
        project.exists("data/c.jsonl") && project.read("data/c.jsonl").lines().count() >= 4
    });
    run.signal("KILL");
    run.wait();
    let kept = project.read("data/c.jsonl");
    server.set_latency(Duration::ZERO);
    project.main("").exits(0);
    assert!(project.read("data/c.jsonl").starts_with(&kept));
    assert_eq!(project.lines("data/c.jsonl").len(), 20);
    assert!(server.requests().len() <= 22, "only what was on its way is asked again");
}

#[test]
fn one_may_look_while_a_run_works() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(100));
    let project = TestProject::live(&server, TWENTY);
    let run = project.start("run scripts/main.rhai");
    until("a record", || project.exists("data/c.jsonl") && !project.read("data/c.jsonl").is_empty());
    let seen = project.run_args(&["eval", "load_checkpoint(\"data/c.jsonl\").len > 0"]).exits(0);
    assert_eq!(seen.out, "true\n");
    run.signal("INT");
    run.wait().exits(130);
}

#[test]
fn the_sequential_style_goes_on_too() {
    let project = TestProject::of(
        r#"
        let done = load_checkpoint("data/c.jsonl");
        for item in [#{id: "a"}, #{id: "b/ü"}, #{id: "c"}] {
            if item.id in done { continue; }
            print(item.id);
            append_checkpoint("data/c.jsonl", #{id: item.id});
            if item.id == setting("stop_at", "") { throw "stopped" }
        }
        "#,
    );
    project.main("-s stop_at=a").exits(2).prints("a\n");
    assert!(project.main("").exits(0).out.starts_with("b/ü\nc\n"));
    assert_eq!(project.ids("data/c.jsonl"), ["a", "b/ü", "c"]);
}

#[test]
fn a_checkpoint_is_not_overwritten() {
    let project = TestProject::of(&three("#{}"));
    project.main("").exits(0);
    let before = project.read("data/c.jsonl");
    project.write("scripts/main.rhai", "write_jsonl(\"data/c.jsonl\", []);");
    project.main("").exits(2).says("data/c.jsonl");
    assert_eq!(project.read("data/c.jsonl"), before);
}

// Signals

#[test]
fn a_signal_saves_what_is_done_and_the_next_run_goes_on() {
    for signal in ["INT", "TERM"] {
        let server = ModelServer::start();
        server.set_latency(Duration::from_millis(150));
        let project = TestProject::live(&server, TWENTY);
        let run = project.start("run scripts/main.rhai");
        until("a few calls", || server.requests().len() >= 5);
        run.signal(signal);
        run.wait().exits(130).says("interrupted");
        let (asked, done) = (server.requests().len(), project.ids("data/c.jsonl").len());
        assert!(asked < 12, "{asked} were asked");
        assert_eq!(done, asked, "every reply that was on its way is saved");
        assert!(project.lines("data/c.failed.jsonl").is_empty(), "what was not begun has not failed");
        server.set_latency(Duration::ZERO);
        project.main("").exits(0);
        assert_eq!(project.ids("data/c.jsonl").len(), 20);
        assert_eq!(server.requests().len(), 20, "nothing was asked twice");
    }
}

#[test]
fn an_interruption_is_not_caught() {
    let server = ModelServer::start();
    let script = "loop { try { get_backend(\"assistant\").complete(\"x\"); } catch { print(\"caught\"); } }";
    let project = TestProject::live(&server, script);
    let run = project.start("run scripts/main.rhai");
    until("the first call", || !server.requests().is_empty());
    run.signal("INT");
    let ran = run.wait().exits(130);
    assert!(!ran.out.contains("caught"));
}

#[test]
fn a_signal_ends_a_script_that_computes() {
    let script =
        "write_text(\"data/here.txt\", \"\");\nlet n = 0;\nloop { try { n += 1; } catch { n = 0; } }";
    let project = TestProject::of(script);
    let config = project.read("config/fthost.yaml");
    project.write("config/fthost.yaml", &config.replace("operations: 50000000", "operations: 9000000000"));
    let run = project.start("run scripts/main.rhai");
    until("the loop", || project.exists("data/here.txt"));
    run.signal("INT");
    let signalled = Instant::now();
    run.wait().exits(130);
    assert!(signalled.elapsed() < Duration::from_secs(10), "{:?}", signalled.elapsed());
}

#[test]
fn a_signal_ends_a_wait() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::status(429).header("retry-after", "50"));
    let project = TestProject::live(&server, TWENTY);
    let run = project.start("run scripts/main.rhai");
    until("the first call", || !server.requests().is_empty());
    std::thread::sleep(Duration::from_millis(200));
    run.signal("INT");
    let signalled = Instant::now();
    run.wait().exits(130);
    assert!(signalled.elapsed() < Duration::from_secs(10), "{:?}", signalled.elapsed());
    assert!(project.lines("data/c.failed.jsonl").is_empty());
}

#[test]
fn a_second_signal_leaves_at_once() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Hang);
    let project = TestProject::live(&server, TWENTY);
    let run = project.start("run scripts/main.rhai");
    until("the first call", || !server.requests().is_empty());
    run.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    let second = Instant::now();
    run.signal("INT");
    run.wait().exits(130);
    assert!(second.elapsed() < Duration::from_secs(5), "{:?}", second.elapsed());
    assert!(project.lines("data/c.failed.jsonl").is_empty(), "what was interrupted has not failed");
}

#[test]
fn no_other_script_begins_after_a_signal() {
    let wait = "write_text(\"data/here.txt\", \"\");\nwhile list_files(\"data/go.txt\").is_empty() {}";
    let project = TestProject::of(wait);
    project.write("scripts/two.rhai", "print(\"two\");");
    let run = project.start("run scripts/main.rhai scripts/two.rhai");
    until("the loop", || project.exists("data/here.txt"));
    run.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    project.write("data/go.txt", "");
    let ran = run.wait().exits(130);
    assert!(!ran.out.contains("two"), "{}", ran.out);
}

#[test]
fn a_signal_ends_a_parallel_map_of_short_calls() {
    let project = TestProject::of(
        r#"
        let text = "";
        text.pad(400000, "word ");
        write_text("data/here.txt", "");
        let elements = [];
        elements.pad(400, 1);
        parallel_map(elements, #{concurrency: 2}, |n| count_tokens(text));
        "#,
    );
    let run = project.start("run scripts/main.rhai");
    until("the calls", || project.exists("data/here.txt"));
    run.signal("INT");
    let signalled = Instant::now();
    run.wait().exits(130);
    assert!(signalled.elapsed() < Duration::from_secs(10), "{:?}", signalled.elapsed());
}

// The disk

#[test]
fn a_failed_write_stops_paid_calls() {
    let server = ModelServer::start();
    let script = TWENTY.replace(
        "#{said: model.complete(item.id).content}",
        "{ let said = model.complete(item.id).content; write_text(\"data/out/x.txt\", said); #{} }",
    );
    let project =
        TestProject::of_config(&script, &live_config("openai-chat", &server.url(), "api_key_env: null"));
    project.write("data/out", "a file in the way");
    project.main("--concurrency 1").exits(4).says("data/out");
    assert_eq!(server.requests().len(), 1, "after the first failed write no further call is paid for");
    assert!(project.lines("data/c.jsonl").is_empty() && project.lines("data/c.failed.jsonl").is_empty());
}
