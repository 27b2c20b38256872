//! Caps through the binary: never exceeded, told at their place, resumed.

use std::time::Duration;

use fault_server::{Answer, Fault, Faults, ModelServer};

use crate::support::{Ran, TestProject, live_config};

const PRICED: &str = "api_key_env: null, concurrency: 64, max_tokens: 100, price: {input: 3, output: 15}";

/// 300 items of three calls each, 64 at a time.
const SCRIPT: &str = r#"
    let items = [];
    for i in 0..300 { items.push(#{id: `item_${i}`}); }
    let model = get_backend("assistant");
    process(items, #{checkpoint: "data/checkpoint.jsonl", concurrency: 64}, |item| {
        for turn in 0..3 { model.complete(`Question ${turn} of ${item.id}: how are you?`); }
        #{id: item.id}
    });
"#;

fn project(server: &ModelServer, more: &str) -> TestProject {
    TestProject::of_config(SCRIPT, &live_config("openai-chat", &server.url(), more))
}

/// What the server would charge, in dollars, at the prices of `PRICED`.
fn bill(server: &ModelServer) -> f64 {
    let totals = server.totals();
    (totals.input_tokens as f64 * 3.0 + totals.output_tokens as f64 * 15.0) / 1e6
}

fn usage(project: &TestProject) -> Vec<serde_json::Value> {
    project.ledger("SELECT * FROM replies")
}

/// What is written down, in dollars.
fn written(project: &TestProject) -> f64 {
    usage(project).iter().map(|charge| charge["usd"].as_f64().unwrap_or(0.0)).sum()
}

fn server() -> ModelServer {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(5));
    server
}

#[test]
fn a_cap_in_dollars_holds_to_the_cent_under_64_calls_at_once() {
    let server = server();
    let project = project(&server, PRICED);
    let ran = project.main("--max-usd 0.12").exits(3).says("--max-usd $0.12 has no room for another call");
    // The worst case of a call: at most 150 tokens of prompt, 100 of reply.
    let spent = bill(&server);
    assert!(spent <= 0.12 && spent > 0.12 - 0.002, "{spent}");
    assert!((written(&project) - spent).abs() < 1e-9);
    assert_eq!(usage(&project).len() as u64, server.totals().calls);
    assert!(ran.out.contains("of $0.12 (--max-usd)"), "{}", ran.out);
    assert!(!project.exists("data/checkpoint.failed.jsonl"), "what was cut off is pending, not failed");
    project.main("").exits(0);
    assert_eq!(project.ids("data/checkpoint.jsonl").len(), 300);
}

#[test]
fn a_cap_in_calls_is_met_exactly() {
    let server = server();
    let project = project(&server, "api_key_env: null, concurrency: 64");
    project.main("--max-calls 100").exits(3).says("--max-calls is used up: 100 calls made");
    assert_eq!(server.totals().calls, 100);
    let events = project.main("--max-calls 0 --json").exits(3).events();
    let end = events.last().unwrap();
    assert_eq!((&end["exit"], &end["caps"][0]["cap"]), (&3.into(), &"--max-calls".into()));
    assert_eq!(server.totals().calls, 100);
}

#[test]
fn the_project_s_budget_counts_all_commands() {
    let server = server();
    let project = project(&server, PRICED);
    let text = project.read("config/fthost.yaml");
    project.write("config/fthost.yaml", &format!("{text}budget: {{usd: 0.05, calls: null}}\n"));
    project.main("--max-calls 50").exits(3).says("--max-calls");
    project.main("").exits(3).says("budget.usd $0.05").says("raise budget.usd in config/fthost.yaml");
    let spent = bill(&server);
    assert!(spent <= 0.05 && spent > 0.048, "{spent}");
    let eval = project.run_args(&["eval", "get_backend(\"assistant\").complete(\"Hello\").content"]);
    eval.exits(3).says("budget.usd $0.05");
    assert!((bill(&server) - spent).abs() < 1e-12);
}

#[test]
fn a_cap_in_dollars_needs_prices_and_limits_before_the_first_call() {
    let server = server();
    for (more, missing) in [
        ("api_key_env: null, max_tokens: 100", "has none"),
        ("api_key_env: null, price: {input: 3, output: 15}", "has no `max_tokens`"),
    ] {
        let project = project(&server, more);
        let ran = project.main("--max-usd 1").exits(2).says(missing).says("config/fthost.yaml:2");
        assert!(ran.err.contains("nothing was run"), "{}", ran.err);
        project.main("--max-calls 1").exits(3);
    }
    assert_eq!(server.totals().calls, 2);
    TestProject::of(SCRIPT).main("--max-usd 1").exits(0);
}

#[test]
fn declined_requests_cost_nothing_and_broken_ones_their_worst_case() {
    let server = server();
    let kinds = vec![Fault::RateLimitExact, Fault::HalfBody];
    let retry_after = Duration::from_millis(10);
    server.set_faults(Faults { seed: 3, rate: 0.3, kinds, retry_after, ..Faults::default() });
    let project = project(&server, PRICED);
    let ran = project.main("--limit 40 --max-usd 0.5").exits(0);
    let unknown = usage(&project).iter().filter(|charge| charge["unknown"] == 1).count() as u64;
    let totals = server.totals();
    assert!(totals.partial > 5 && unknown == totals.partial, "{unknown} {totals:?}");
    assert_eq!(usage(&project).len() as u64, 120 + unknown);
    let worst = written(&project) - bill(&server);
    assert!(worst > 0.0015 * unknown as f64 && worst < 0.002 * unknown as f64, "{worst}");
    assert!(ran.out.contains(&format!("unknown bills, taken at their worst case: {unknown}")), "{}", ran.out);
}

#[test]
fn slips_on_the_command_line_are_told() {
    let project = TestProject::of("1");
    for word in ["--max-usd=-1", "--max-usd=much", "--max-usd=inf", "--max-calls=-3", "--max-calls=1.5"] {
        let ran: Ran = project.main(word).exits(2);
        assert!(ran.err.contains("--max-"), "{}", ran.err);
    }
}

#[test]
fn a_judge_s_repair_round_is_a_call_too() {
    let server = server();
    server.set_rule(|request| match request.schema() {
        Some(_) => Answer::Text("no JSON".into()),
        None => Answer::Usual,
    });
    let script = r#"
        let schema = schema(#{type: "object", properties: #{a: #{type: "string"}}, required: ["a"]});
        get_backend("assistant").complete_structured("Judge.", schema)
    "#;
    let project = TestProject::of_config(script, &live_config("openai-chat", &server.url(), PRICED));
    project.main("--max-calls 1").exits(3);
    assert_eq!(server.totals().calls, 1);
    assert_eq!(usage(&project)[0]["structured"], 1);
}
