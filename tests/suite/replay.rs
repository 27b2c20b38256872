//! A run that stops, wherever that is, and goes on later gives the same as one that does not stop, and pays for
//! nothing twice: every call of these scripts is a place to stop at.

mod again;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::{TestProject, long};
use fault_server::{Answer, ModelServer, Received, fit};

/// Two items, with a schema at hand; `WORK` is what is done with `item`.
const ITEMS: &str = r#"
    let model = get_backend("assistant");
    let answer = schema(#{type: "object", properties: #{mood: #{type: "string"}}, required: ["mood"]});
    let items = [#{id: "a"}, #{id: "b"}];
    process(items, #{checkpoint: "data/c.jsonl", concurrency: 1}, |item| { WORK });
"#;

/// A backend that asks another one for its replies.
const CRITIC: &str = r#"
    fn complete(request) {
        let text = request.messages[0].content;
        let model = get_backend("live");
        let draft = model.complete(`draft: ${text}`, #{}).content;
        model.complete(`better: ${draft}`, #{}).content
    }
    fn complete_structured(request, schema) {
        get_backend("live").complete_structured("structured: " + request.messages[0].content, schema, #{})
    }
"#;

fn items(work: &str) -> String {
    ITEMS.replace("WORK", work)
}

/// Replies are numbered in the order of their requests, so that one at a wrong place shows.
fn numbered() -> ModelServer {
    let (server, count) = (ModelServer::start(), Arc::new(AtomicUsize::new(0)));
    server.set_rule(move |asked| answer(asked, count.fetch_add(1, Ordering::SeqCst)));
    server
}

fn answer(asked: &Received, number: usize) -> Answer {
    let (logical, text) = (asked.logical(), asked.logical().text());
    let first = logical.messages.len() == 1;
    match &logical.schema {
        _ if text.contains("refuse") => Answer::Refusal(format!("No, {number}.")),
        _ if text.contains("cut off") => Answer::Truncated(format!("Half {number}")),
        _ if text.contains("parallel") => Answer::Text(format!("{} bytes", text.len())),
        Some(_) if first && text.contains("sloppy") => Answer::Text(format!("words, {number}")),
        Some(schema) => {
            let mut value = fit(schema);
            value["mood"] = format!("mood {number}").into();
            Answer::Text(value.to_string())
        }
        None => Answer::Text(format!("reply {number} \u{0}\u{1F600}")),
    }
}

fn project(server: &ModelServer, script: &str) -> TestProject {
    let project = TestProject::live(server, script);
    let config = project.read("config/fthost.yaml");
    let config = config.replace(
        "\nroles: {",
        "\n  critic: {kind: script, file: scripts/critic.rhai}\nroles: {critic: critic, ",
    );
    project.write("config/fthost.yaml", &config);
    project.write("scripts/critic.rhai", CRITIC);
    project
}

/// All that a run leaves below data/, but for its locks and the version of records, which has the server's port.
fn left(project: &TestProject) -> Outcome {
    let files = project.files("data").into_iter().filter(|(path, _)| !path.ends_with(".lock"));
    let plain = |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| line.split(",\"_version\"").next().unwrap().to_string()).collect()
    };
    files.map(|(path, bytes)| (path, plain(bytes))).collect()
}

/// Files, and their lines.
type Outcome = Vec<(String, Vec<String>)>;

/// Runs a script to its end; gives the outcome, and the number of its calls.
fn undisturbed(script: &str) -> (Outcome, usize) {
    let server = numbered();
    let project = project(&server, script);
    project.main("--concurrency 1").exits(0);
    (left(&project), server.requests().len())
}

/// Stops after so many calls, again and again, or goes on to the end after the first time.
fn stopping(script: &str, calls: usize, always: bool) -> (Outcome, usize) {
    let server = numbered();
    let project = project(&server, script);
    let mut words = format!("--concurrency 1 --max-calls {calls}");
    for _ in 0..100 {
        let ran = project.main(&words);
        if ran.code == 0 {
            return (left(&project), server.requests().len());
        }
        ran.exits(3).says("--max-calls");
        if !always {
            words = "--concurrency 1".into();
        }
    }
    panic!("it comes to no end");
}

/// Stops after every so many calls; in the long form after every call, and in runs of their own once after each.
#[track_caller]
fn exact(script: &str, calls: usize) {
    let (expected, made) = undisturbed(script);
    assert_eq!(made, calls, "calls without a stop");
    assert!(!expected.is_empty());
    let check = |found: (Outcome, usize), how: &str| {
        assert_eq!(found.0, expected, "{how}");
        assert_eq!(found.1, calls, "paid for twice: {how}");
    };
    let step = if long() { 1 } else { calls.div_ceil(4) };
    check(stopping(script, step, true), &format!("{step} calls a run"));
    for stop in 1..=if long() { calls } else { 0 } {
        check(stopping(script, stop, false), &format!("stopped after {stop} calls"));
    }
}

// The table

#[test]
fn a_conversation() {
    let work = "let said = []; for turn in 1..=3 { said.push(model.complete(`${item.id} ${said}`).content); } #{said: said}";
    exact(&items(work), 6);
}

#[test]
fn the_same_question_twice_and_in_two_items() {
    exact(
        &items(
            r#"let said = []; for turn in 1..=3 { said.push(model.complete("the same").content); } #{said: said}"#,
        ),
        6,
    );
}

#[test]
fn parallel_maps_in_each_other() {
    let work = r#"
        #{said: parallel_map([1, 2], |x| parallel_map(["s", "t"], |y| {
            [model.complete("parallel").content, model.complete(`parallel ${x}`).content]
        }))}"#;
    exact(&items(work), 16);
    let server = numbered();
    let project = project(&server, &items(work));
    project.main("").exits(0);
    let places = "SELECT branch, count(DISTINCT request) AS asked FROM replies WHERE n = 0 GROUP BY branch";
    let expected = ["0/0", "0/1", "1/0", "1/1"].map(|branch| json!({"branch": branch, "asked": 2}));
    assert_eq!(project.ledger(places), expected);
}

#[test]
fn jobs_without_a_checkpoint_in_an_item() {
    let work = r#"
        let ask = |inner| { write_text(`data/${item.id}_${inner.id}.txt`, model.complete("the same").content); #{} };
        process([#{id: "x"}, #{id: "y"}], #{concurrency: 1}, ask);
        process([#{id: "x"}], #{concurrency: 1}, ask);
        parallel_map(["p", "q"], #{concurrency: 1}, |name| {
            process([#{id: name}], #{concurrency: 1}, ask);
        });
        #{}"#;
    exact(&items(work), 10);
}

#[test]
fn jobs_without_a_checkpoint_in_one_script() {
    let script = r#"
        let model = get_backend("assistant");
        for round in 1..=2 {
            process([#{id: "x"}, #{id: "y"}], #{concurrency: 1}, |item| {
                write_text(`data/${item.id}_${round}.txt`, model.complete("the same").content);
                #{}
            });
        }
        process([#{id: "x"}], #{job: "named"}, |item| { write_text("data/named.txt", model.complete("the same").content); #{} });
        print("done");"#;
    exact(script, 5);
}

#[test]
fn a_reply_that_is_repaired() {
    let work = r#"
        let first = model.complete_structured("sloppy", answer).mood;
        let second = model.complete_structured("sloppy", answer).mood;
        #{said: [first, second, model.complete(first).content]}"#;
    exact(&items(work), 10);
}

#[test]
fn a_script_backend_that_asks_a_provider() {
    let work = r#"
        let critic = get_backend("critic");
        #{said: [critic.complete("the same").content, critic.complete("the same").content,
            critic.complete_structured("sloppy", answer).mood]}"#;
    exact(&items(work), 12);
}

#[test]
fn refusals_that_the_script_lives_with() {
    let work = r#"
        let said = [];
        for prompt in ["hello", "refuse", "cut off", "refuse", "go on"] {
            try { said.push(model.complete(prompt).content); } catch (e) { said.push([e.kind, e.raw]); }
        }
        #{said: said}"#;
    exact(&items(work), 10);
}

#[test]
fn a_failure_without_a_reply_takes_no_place() {
    let server = ModelServer::start();
    server.push_reply(Answer::error(400, "not today", "bad_request"));
    let work = r#"
        let said = [];
        while said.len() < 2 { try { said.push(model.complete("the same").content); } catch { print("again"); } }
        said.push(model.complete("bye").content);
        #{said: said}"#;
    let project = TestProject::live(&server, &items(work));
    project.main("--concurrency 1 --max-calls 2").exits(3).prints("again");
    project.main("--concurrency 1").exits(0);
    assert_eq!(server.bill().len(), 6, "what was paid for after the failure is not paid for again");
}

#[test]
fn a_resumed_conversation_hears_the_time_that_it_heard() {
    let server = numbered();
    let work = r#"
        let times = [];
        for turn in 1..=3 { times.push(now_utc()); model.complete(`${times}`); }
        let inner = parallel_map([1, 2], #{concurrency: 1}, |n| { let now = now_utc(); model.complete(`parallel ${now}`); now });
        #{times: times, inner: inner}"#;
    let project = project(&server, &items(work));
    for calls in [2, 2, 1, 2] {
        project.main(&format!("--concurrency 1 --max-calls {calls}")).exits(3);
        std::thread::sleep(std::time::Duration::from_millis(400));
    }
    project.main("--concurrency 1").exits(0);
    assert_eq!(server.requests().len(), 10);
    let asked: Vec<String> = server.requests().iter().map(|asked| asked.logical().text()).collect();
    for record in project.lines("data/c.jsonl") {
        let times: Vec<&str> =
            record["times"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
        assert!(
            asked.iter().any(|text| times.iter().all(|time| text.contains(time))),
            "{times:?} in {asked:?}"
        );
    }
    let before = project.read("data/c.jsonl");
    project.main("--redo all").exits(0);
    assert_eq!(server.requests().len(), 10);
    assert_eq!(project.lines("data/c.jsonl")[2..], project.lines("data/c.jsonl")[..2], "{before}");
}
