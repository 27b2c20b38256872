//! `fthost status`: what is done, what failed, what it cost.

use fault_server::{Answer, ModelServer};
use serde_json::json;

use crate::support::{TestProject, live_config};

const SCRIPT: &str = r#"
    let items = [];
    for i in 0..6 { items.push(#{id: `item_${i}`}); }
    let model = get_backend("assistant");
    process(items, #{checkpoint: "data/raw/answers.jsonl"}, |item| {
        #{answer: model.complete(item.id).content, complete: item.id != "item_5"}
    });
"#;

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
    let priced = "api_key_env: null, max_tokens: 50, price: {input: 1000, output: 1000}";
    let project = TestProject::of_config(SCRIPT, &live_config("openai-chat", &server.url(), priced));
    project.main("--max-calls 9").exits(1);
    let totals = server.totals();
    let usd = (totals.input_tokens + totals.output_tokens) as f64 / 1000.0;
    let before = project.files("");
    let ran = project.run("status").exits(0);
    assert!(
        ran.out.starts_with("data/raw/answers.jsonl  4 done, 1 incomplete, 1 failed (refusal 1)\n"),
        "{}",
        ran.out
    );
    let line =
        format!("  live  6 calls, {} tokens in, {} out, ${usd}", totals.input_tokens, totals.output_tokens);
    assert!(ran.out.contains(&line), "{}", ran.out);
    let event = &project.run("status --json").exits(0).events()[0];
    assert_eq!(event["jobs"][0]["failed_by_kind"], json!({"refusal": 1}));
    assert_eq!(event["spent"]["live"]["calls"], 6);
    assert_eq!(project.files(""), before, "nothing changed");
}

#[test]
fn the_project_s_budget_is_shown() {
    let project = TestProject::of("1");
    project.edit("config/fthost.yaml", "  calls: null", "  calls: 100");
    project.run("status").exits(0).prints("0 calls of 100 calls (budget.calls)");
}
