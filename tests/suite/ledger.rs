//! The ledger through the binary: what was paid for is given again, what is edited is asked anew, and the
//! document says what is so.

use std::collections::BTreeSet;
use std::time::Duration;

use fault_server::{Answer, Fault, Faults, ModelServer};
use serde_json::{Value, json};

use crate::docs::sql_blocks;
use crate::support::{PIPELINE, TestProject, live_config, root, until};

/// One conversation of four turns.
const TALK: &str = r#"
    let model = get_backend("assistant");
    process([#{id: "a"}], #{checkpoint: "data/c.jsonl"}, |item| {
        let said = [];
        for turn in 0..4 { said.push(model.complete(`Turn ${turn} after ${said}`).content); }
        #{id: item.id, said: said}
    });
"#;

fn calls(server: &ModelServer) -> u64 {
    server.totals().calls
}

#[test]
fn a_killed_conversation_goes_on_at_its_turn() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, TALK);
    server.set_rule(|request| match request.logical().text().contains("Turn 2") {
        true => Answer::Hang,
        false => Answer::Usual,
    });
    let run = project.start("run scripts/main.rhai");
    until("the third turn", || server.requests().len() == 3);
    run.signal("KILL");
    run.wait();
    server.set_rule(|_| Answer::Usual);
    project.main("").exits(0).prints("2 kept replies given again from the ledger, at no cost");
    assert_eq!(calls(&server), 4);
    let said = project.lines("data/c.jsonl")[0]["said"].clone();
    let kept = project.ledger("SELECT content FROM replies ORDER BY id");
    assert_eq!(json!(kept.iter().map(|row| row["content"].clone()).collect::<Vec<_>>()), said);
}

#[test]
fn what_is_edited_is_asked_anew_and_the_rest_is_not() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, TALK);
    project.main("").exits(0);
    assert_eq!(calls(&server), 4);
    project.main("--redo all").exits(0);
    assert_eq!(calls(&server), 4, "nothing has changed");
    project.edit(
        "scripts/main.rhai",
        "`Turn ${turn} after ${said}`",
        "`Turn ${turn} after ${said}` + if turn == 2 { \"!\" } else { \"\" }",
    );
    project.main("--redo stale").exits(0);
    assert_eq!(calls(&server), 6, "the third turn, and the fourth, which depends on it");
    project.edit("config/fthost.yaml", "model: m", "model: m, temperature: 0.5");
    project.main("--redo stale").exits(0);
    assert_eq!(calls(&server), 10, "other parameters are another question");
    project.main("--redo all --fresh").exits(0);
    assert_eq!(calls(&server), 14);
    project.edit("scripts/main.rhai", "data/c.jsonl", "./data/../data/c.jsonl");
    project.main("--redo all").exits(0);
    assert_eq!(calls(&server), 14);
}

#[test]
fn only_what_is_of_use_outlives_a_failure() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, TALK);
    for answer in [Answer::Usual, Answer::Usual, Answer::Refusal("no".into())] {
        server.push_reply(answer);
    }
    project.main("").exits(1);
    server.push_reply(Answer::Truncated("cut".into()));
    project.main("").exits(1);
    assert_eq!(calls(&server), 4, "two turns are given again, the third is asked anew");
    project.main("").exits(0);
    assert_eq!(calls(&server), 6);
    let outcomes = project.ledger("SELECT outcome FROM replies ORDER BY id");
    let outcomes: Vec<&str> = outcomes.iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["ok", "ok", "refusal", "truncated", "ok", "ok"]);
}

#[test]
fn a_repaired_reply_is_given_again_with_its_repair() {
    let server = ModelServer::start();
    let script = r#"
        let verdict = schema(#{type: "object", properties: #{a: #{enum: ["YES", "NO"]}}, required: ["a"]});
        process([#{id: "a"}], #{checkpoint: "data/c.jsonl"}, |item| {
            let judge = get_backend("judges");
            let answer = judge.complete_structured("Judge.", verdict).a;
            judge.complete("And why?");
            #{id: item.id, answer: answer}
        });
    "#;
    let project = TestProject::live(&server, script);
    for answer in ["{\"a\": \"MAYBE\"}", "{\"a\": \"YES\"}"] {
        server.push_reply(Answer::Text(answer.into()));
    }
    server.push_reply(Answer::Refusal("no".into()));
    project.main("").exits(1);
    project.main("").exits(0);
    assert_eq!(calls(&server), 4, "only the refused question is asked anew");
    assert_eq!(project.lines("data/c.jsonl")[0]["answer"], "YES");
    let rows = project.ledger("SELECT id, outcome, structured, repairs FROM replies ORDER BY id LIMIT 2");
    assert_eq!(rows[0]["outcome"], "schema_mismatch");
    assert_eq!((&rows[1]["repairs"], &rows[1]["outcome"]), (&rows[0]["id"], &"ok".into()));
}

#[test]
fn each_call_has_its_usage_latency_attempts_and_cost() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(20));
    let more = "api_key_env: null, price: {input: 3, output: 15}, max_tokens: 50";
    let project = TestProject::of_config(TALK, &live_config("openai-chat", &server.url(), more));
    server.push_reply(Answer::Usual);
    server.push_reply(Answer::Fault(Fault::RateLimitExact));
    server.set_faults(Faults { retry_after: Duration::from_millis(10), ..Faults::default() });
    project.main("").exits(0);
    let rows = project.ledger("SELECT * FROM replies ORDER BY id");
    let served = server.bill();
    assert_eq!(rows.len(), 4);
    for (row, charge) in rows.iter().zip(&served) {
        let usd = (charge.input_tokens as f64 * 3.0 + charge.output_tokens as f64 * 15.0) / 1e6;
        assert_eq!(
            (row["input_tokens"].as_u64(), row["output_tokens"].as_u64()),
            (Some(charge.input_tokens), Some(charge.output_tokens))
        );
        assert!((row["usd"].as_f64().unwrap() - usd).abs() < 1e-12, "{row}");
        assert!((20..2000).contains(&row["latency_ms"].as_u64().unwrap()), "{row}");
        assert_eq!((row["unknown"].as_i64(), row["finish_reason"].as_str()), (Some(0), Some("stop")));
    }
    let attempts: Vec<_> = rows.iter().map(|row| row["attempts"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [1, 2, 1, 1]);
}

#[test]
fn what_a_script_backend_asks_a_provider_belongs_to_the_item() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, TALK);
    project.write(
        "scripts/proxy.rhai",
        "fn complete(request) { get_backend(\"live\").complete(request.messages, #{}).content }",
    );
    project.edit("config/fthost.yaml", "roles:", "  proxy: {kind: script, file: scripts/proxy.rhai}\nroles:");
    project.edit("config/fthost.yaml", "assistant: live", "assistant: proxy");
    project.main("--max-calls 3").exits(3).says("1 item stopped in its middle and goes on there next time");
    project.main("").exits(0);
    assert_eq!(calls(&server), 4);
}

#[test]
fn another_address_is_another_question() {
    let (mock, real) = (ModelServer::start(), ModelServer::start());
    let project = TestProject::live(&mock, TALK);
    project.main("").exits(0);
    project.edit("config/fthost.yaml", &mock.url(), &real.url());
    project.main("--redo stale").exits(0);
    assert_eq!((calls(&mock), calls(&real)), (4, 4), "what a stand-in said is not the model's word");
}

#[test]
fn two_checkpoints_share_no_replies_whatever_the_job_is_called() {
    let server = ModelServer::start();
    let script = r#"
        let model = get_backend("assistant");
        for name in ["one", "two"] {
            process([#{id: "a"}], #{checkpoint: `data/${name}.jsonl`, job: "talk"}, |item| {
                #{said: model.complete("Hello").content}
            });
        }
    "#;
    let project = TestProject::live(&server, script);
    project.main("").exits(0);
    assert_eq!(calls(&server), 2);
    let names = project.ledger("SELECT name, checkpoint FROM jobs ORDER BY id");
    assert!(names.iter().all(|row| row["name"] == row["checkpoint"]), "{names:?}");
}

#[test]
fn what_fresh_asked_is_not_forgotten_by_the_same_run() {
    let server = ModelServer::start();
    let script = r#"
        let model = get_backend("assistant");
        for round in 1..=2 {
            process([#{id: "a"}], #{checkpoint: "data/c.jsonl"}, |item| {
                let said = model.complete("Hello").content;
                if load_checkpoint("data/other.jsonl").len == 0 {
                    append_checkpoint("data/other.jsonl", #{id: "x"});
                    throw "once more";
                }
                #{said: said}
            });
        }
    "#;
    let project = TestProject::live(&server, script);
    project.main("--fresh").exits(1);
    assert_eq!(calls(&server), 1, "the second round gives again what the first has paid for");
}

#[test]
fn a_command_can_be_run_again_as_it_is_kept() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    let words = "run scripts/generate.rhai -s personas=3 -s turns=2";
    project.run(&format!("{words} --max-calls 5")).exits(3);
    assert_eq!(project.ledger("SELECT command FROM runs")[0]["command"], format!("{words} --max-calls 5"));
    project.run("status").exits(0).prints(&format!("to go on: fthost {words} works on 3 items"));
    project.run(words).exits(0);
    assert_eq!(calls(&server), 12);
    let ran = project.run(&format!("{words} --redo all --fresh --max-calls 2")).exits(3);
    ran.says("go on without --fresh");
}

#[test]
fn calls_outside_of_items_are_kept_for_the_bill_alone() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, "get_backend(\"assistant\").complete(\"x\");");
    project.main("").exits(0);
    project.main("").exits(0);
    let rows = project.ledger("SELECT item, branch, request, n FROM replies");
    assert_eq!(rows, vec![json!({"item": null, "branch": null, "request": null, "n": null}); 2]);
}

#[test]
fn a_ledger_that_cannot_be_used_is_told_before_the_first_call() {
    for (what, breaks) in
        [("a newer fthost", "PRAGMA user_version = 2"), ("no ledger of fthost", "PRAGMA application_id = 1")]
    {
        let server = ModelServer::start();
        let project = TestProject::live(&server, TALK);
        project.main("").exits(0);
        project.ledger(breaks);
        project.main("--redo all --fresh").exits(2).says(what).says(".fthost/ledger.sqlite");
        assert_eq!(calls(&server), 4);
    }
}

// The document

fn document() -> String {
    std::fs::read_to_string(root().join("docs/ledger.md")).unwrap()
}

#[test]
fn the_questions_of_the_document_have_answers() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    project.run(&format!("{PIPELINE} -s personas=2 -s turns=3")).exits(0);
    let questions = sql_blocks("docs/ledger.md");
    assert_eq!(questions.len(), 3);
    for question in questions {
        assert!(!project.ledger(&question).is_empty(), "{question}");
    }
}

#[test]
fn the_document_names_every_column() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, TALK);
    project.main("").exits(0);
    let text = document();
    let told: BTreeSet<&str> = text.split('`').skip(1).step_by(2).collect();
    let columns = project.ledger(
        "SELECT t.name AS tbl, c.name AS col FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
         WHERE t.type IN ('table', 'view')",
    );
    assert!(columns.len() > 40);
    for column in columns {
        for name in [&column["tbl"], &column["col"]].map(Value::as_str) {
            assert!(told.contains(name.unwrap()), "docs/ledger.md says nothing of {column}");
        }
    }
    let version = project.ledger("PRAGMA user_version")[0]["user_version"].to_string();
    assert!(text.contains(&format!("the version of its tables: {version}.")));
}
