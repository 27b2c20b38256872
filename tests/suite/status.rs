//! `fthost status`: what is done, what failed, what the last stop left, what going on takes, what it cost.

use std::time::Instant;

use fault_server::{Answer, ModelServer};
use serde_json::{Value, json};

use crate::support::{TestProject, figure, live_config, long, until};

const SCRIPT: &str = r#"
    let items = [];
    for i in 0..6 { items.push(#{id: `item_${i}`}); }
    let model = get_backend("assistant");
    process(items, #{checkpoint: "./data/raw/answers.jsonl"}, |item| {
        #{answer: model.complete(item.id).content, complete: item.id != "item_5"}
    });
"#;

/// Eight conversations of three turns, two at a time.
pub const TALKS: &str = r#"
    let items = [];
    for i in 0..8 { items.push(#{id: `item_${i}`}); }
    let model = get_backend("assistant");
    process(items, #{checkpoint: "data/talks.jsonl", concurrency: 2}, |item| {
        let said = [];
        for turn in 0..3 { said.push(model.complete(`${item.id}, turn ${turn}`).content); }
        #{said: said}
    });
"#;

pub const PRICED: &str = "api_key_env: null, max_tokens: 50, price: {input: 1000, output: 1000}";

/// A run of [`TALKS`] that was killed in the last turn of items 4 and 5.
pub fn killed(server: &ModelServer) -> TestProject {
    let project = TestProject::of_config(TALKS, &live_config("openai-chat", &server.url(), PRICED));
    server.set_rule(|request| match request.logical().text() {
        text if text.contains("item_4, turn 2") || text.contains("item_5, turn 2") => Answer::Hang,
        _ => Answer::Usual,
    });
    let run = project.start("run scripts/main.rhai");
    until("two calls that hang", || server.requests().len() == 18);
    let status = project.run("status").exits(0);
    let says = format!("a run works on it: process {} on ", run.pid());
    assert!(status.out.contains(&says) && status.out.contains("2 in work, 2 pending"), "{}", status.out);
    assert!(status.out.contains("in work: 4 replies") && !status.out.contains("to go on"), "{}", status.out);
    assert!(status.out.contains("the oldest in work: item_"), "{}", status.out);
    let job = project.run("status --json").exits(0).events()[0]["jobs"][0].clone();
    let oldest = &job["oldest_in_work"];
    assert!(oldest["id"] == "item_4" || oldest["id"] == "item_5", "{job}");
    assert!(oldest["since"].as_str() >= job["begun"].as_str(), "{job}");
    run.signal("KILL");
    run.wait();
    server.set_rule(|_| Answer::Usual);
    project
}

/// All files, but for the one in which those who have the ledger open at one time find each other.
fn files(project: &TestProject) -> Vec<(String, Vec<u8>)> {
    let mut files = project.files("");
    files.retain(|(path, _)| !path.ends_with("-shm"));
    assert!(files.iter().any(|(path, _)| path.ends_with("-wal")));
    files
}

#[test]
fn before_anything_was_run_it_says_so() {
    TestProject::shipped().run("status").exits(0).prints("nothing was run here yet");
}

#[test]
fn it_tells_what_is_done_what_failed_and_what_it_cost() {
    let server = ModelServer::start();
    server.set_rule(|request| match request.logical().text().contains("item_3") {
        true => Answer::Refusal("No.".into()),
        false => Answer::Usual,
    });
    let project = TestProject::of_config(SCRIPT, &live_config("openai-chat", &server.url(), PRICED));
    project.main("--max-calls 9").exits(1);
    let totals = server.totals();
    let usd = (totals.input_tokens + totals.output_tokens) as f64 / 1000.0;
    let before = project.files("");
    let ran = project.run("status").exits(0);
    assert!(
        ran.out.starts_with("data/raw/answers.jsonl  4 of 6 done, 1 incomplete, 1 failed (refusal 1)\n"),
        "{}",
        ran.out
    );
    let place = "scripts/main.rhai:6:25";
    let failure = format!("  1 refusal at {place}: the reply of live refused to answer (item_3)\n");
    assert!(ran.out.contains(&failure), "{}", ran.out);
    assert!(
        ran.out.contains("to go on: fthost run scripts/main.rhai works on 2 items, about 1 call"),
        "{}",
        ran.out
    );
    let line =
        format!("  live  6 calls, {} tokens in, {} out, ${usd}", totals.input_tokens, totals.output_tokens);
    assert!(ran.out.contains(&line), "{}", ran.out);
    let event = &project.run("status --json").exits(0).events()[0];
    assert_eq!(event["jobs"][0]["failed_by_kind"], json!({"refusal": 1}));
    let failed = &event["jobs"][0]["failed"][0];
    assert_eq!(
        (&failed["place"], &failed["count"], &failed["example"]),
        (&json!(place), &json!(1), &json!("item_3"))
    );
    assert_eq!(event["spent"]["live"]["calls"], 6);
    assert_eq!(project.files(""), before, "nothing changed");
}

#[test]
fn it_tells_what_a_killed_run_left_and_what_the_rest_takes() {
    let server = ModelServer::start();
    let project = killed(&server);
    let before = files(&project);
    let ran = project.run("status").exits(0);
    assert!(ran.out.starts_with("data/talks.jsonl  4 of 8 done, 2 in flight, 2 pending\n"), "{}", ran.out);
    assert!(ran.out.contains("in flight at the last stop: 4 replies, $"), "{}", ran.out);
    assert!(!ran.out.contains("the oldest in work"), "{}", ran.out);
    assert!(ran.out.contains("given again for nothing (item_4: 2, item_5: 2)"), "{}", ran.out);
    let event = project.run("status --json").exits(0).events().remove(0);
    assert!(files(&project) == before, "nothing changed");
    let job = &event["jobs"][0];
    let resume = &job["resume"];
    assert_eq!((&job["total"], &job["pending"], &job["running"]), (&json!(8), &json!(2), &Value::Null));
    assert_eq!((&resume["command"], &resume["items"]), (&json!("fthost run scripts/main.rhai"), &json!(4)));
    assert_eq!(resume["calls"], 4 * 3 - 2 * 2, "three each, less what two have got");
    let asked = server.requests().len();
    let spent = |event: &Value| event["spent"]["live"]["usd"].as_f64().unwrap();
    project.main("").exits(0);
    assert_eq!(server.requests().len() - asked, 8, "as foretold");
    let after = project.run("status --json").exits(0).events().remove(0);
    let (told, paid) = (resume["usd"].as_f64().unwrap(), spent(&after) - spent(&event));
    assert!((told - paid).abs() < paid / 5.0, "{told} was foretold, {paid} paid");
    assert_eq!(after["jobs"][0]["resume"], Value::Null);
}

#[test]
fn before_an_item_is_complete_nobody_knows_what_the_rest_costs() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Refusal("No.".into()));
    let project = TestProject::of_config(SCRIPT, &live_config("openai-chat", &server.url(), PRICED));
    project.main("--fail-fast --concurrency 1").exits(1);
    project
        .run("status")
        .exits(0)
        .prints("works on 6 items, at a cost that is unknown before an item is complete: --dry-run");
    let resume = project.run("status --json").exits(0).events()[0]["jobs"][0]["resume"].clone();
    assert_eq!((&resume["calls"], &resume["usd"]), (&Value::Null, &Value::Null));
}

#[test]
fn jobs_without_a_checkpoint_are_told_too() {
    let server = ModelServer::start();
    let script = TALKS.replace("checkpoint: \"data/talks.jsonl\"", "job: \"talks\"");
    let project = TestProject::of_config(&script, &live_config("openai-chat", &server.url(), PRICED));
    project.main("").exits(0);
    let ran = project.run("status").exits(0);
    assert!(ran.out.starts_with("talks  8 of 8 done\n"), "{}", ran.out);
    assert!(
        ran.out.contains("works on 8 items, about 0 calls\n"),
        "all are run again, and replayed: {}",
        ran.out
    );
}

#[test]
fn it_does_without_a_ledger_and_names_one_that_it_cannot_read() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, SCRIPT);
    project.main("").exits(0);
    let ledger = rusqlite::Connection::open(project.path(".fthost/ledger.sqlite")).unwrap();
    ledger.pragma_update(None, "user_version", 99).unwrap();
    drop(ledger);
    project.run("status").exits(2).says("written by a newer fthost: its version is 99");
    std::fs::remove_dir_all(project.path(".fthost")).unwrap();
    let ran = project.run("status").exits(0);
    assert!(ran.out.starts_with("data/raw/answers.jsonl  5 done, 1 incomplete\n"), "{}", ran.out);
    assert!(!project.exists(".fthost"));
}

#[test]
fn many_items_are_summed_up() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, TALKS);
    project.main("--limit 1").exits(0);
    let items = if long() { 100_000 } else { 500 };
    let ledger = rusqlite::Connection::open(project.path(".fthost/ledger.sqlite")).unwrap();
    let text = "x".repeat(400);
    let sql = format!(
        "UPDATE jobs SET total = {items};
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {items})
         INSERT INTO items (job, item, state) SELECT 1, 'more_' || i, iif(i <= 60, 'begun', 'complete') FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
         INSERT INTO replies (run, time, item, branch, request, n, backend, structured, outcome, content,
             input_tokens, output_tokens, cached_tokens, reasoning_tokens, usd, unknown)
         SELECT 1, '', items.id, '', x'00', n.i, 'live', 0, 'ok', '{text}', 100, 10, 0, 0, 0.01, 0
         FROM items, n WHERE items.item <> 'item_0';"
    );
    ledger.execute_batch(&sql).unwrap();
    drop(ledger);
    let lines: String = (61..=items).map(|i| format!("{{\"id\":\"more_{i}\"}}\n")).collect();
    project.write("data/talks.jsonl", &(project.read("data/talks.jsonl") + lines.as_str()));
    let started = Instant::now();
    let ran = project.run("status --json").exits(0);
    let seconds = started.elapsed().as_secs_f64();
    figure(&format!("status of {items} items with {} replies: {seconds:.2} s", items * 10));
    let job = &ran.events()[0]["jobs"][0];
    assert_eq!((&job["complete"], job["in_flight"].as_array().unwrap().len()), (&json!(items - 59), 60));
    assert!(!long() || seconds < 10.0, "{seconds} s");
}

/// Two backends; the last of three runs has 10,000 replies of one, which took 1 to 10,000 ms.
#[test]
fn how_long_replies_took_is_told_of_the_last_run() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, TALKS);
    let ran = project.main("--limit 1").exits(0);
    let line = ran.out.lines().find(|line| line.starts_with("live  3 calls")).unwrap();
    assert!(line.contains("; median ") && line.contains(" ms, 99 % within "), "{line}");
    let ledger = rusqlite::Connection::open(project.path(".fthost/ledger.sqlite")).unwrap();
    let more = if long() { 1_000_000 } else { 1_000 };
    let text = "x".repeat(400);
    let replies = |run: usize, backend: &str, count: usize, took: &str| {
        format!(
            "INSERT INTO runs VALUES ({run}, '', '', '');
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             INSERT INTO replies (run, time, backend, structured, outcome, content, input_tokens, output_tokens,
                 cached_tokens, reasoning_tokens, unknown, latency_ms)
             SELECT {run}, '', '{backend}', 0, 'ok', '{text}', 100, 10, 0, 0, 0, {took} FROM n;"
        )
    };
    ledger.execute_batch(&replies(8, "earlier", more, "7")).unwrap();
    ledger.execute_batch(&replies(9, "last", 10_000, "i")).unwrap();
    drop(ledger);
    let started = Instant::now();
    let event = project.run("status --json").exits(0).events().remove(0);
    figure(&format!("status of a ledger of {more} replies: {:.2} s", started.elapsed().as_secs_f64()));
    let latency = event["latency"].as_object().unwrap();
    assert_eq!(latency.len(), 1, "of the last run only: {latency:?}");
    let last = &latency["last"];
    assert_eq!((&last["replies"], &last["max_ms"]), (&json!(10_000), &json!(10_000)));
    for (name, exact) in [("median_ms", 5_000.0), ("p95_ms", 9_500.0), ("p99_ms", 9_900.0)] {
        let told = last[name].as_f64().unwrap();
        assert!((told / exact - 1.0).abs() < 0.02, "{name}: {told}");
    }
    let text = project.run("status").exits(0).out;
    assert!(text.contains("\nreplies of the last run took:\n  last  median "), "{text}");
    assert!(text.contains("the longest 10.0 s (10,000 replies)\n"), "{text}");
}

#[test]
fn the_project_s_budget_is_shown() {
    let project = TestProject::of("1");
    project.edit("config/fthost.yaml", "  calls: null", "  calls: 100");
    project.run("status").exits(0).prints("0 calls of 100 calls (budget.calls)");
}
