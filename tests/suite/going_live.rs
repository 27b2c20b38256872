//! The mistakes of a first day with real models: each is told in words that help, before it costs anything.

use std::time::Duration;

use fault_server::{Answer, ModelServer};

use crate::support::{PIPELINE, Ran, TestProject, chat_config, live_config};

/// Talks at `live`, judges by a backend whose key is in `JUDGE_KEY`.
fn judged_elsewhere(server: &ModelServer) -> TestProject {
    let project = TestProject::shipped();
    let judge = format!(
        "  judge: {{kind: google, model: m, base_url: \"{}\", api_key_env: JUDGE_KEY}}",
        server.url()
    );
    let config = chat_config(server).replace("judges: [live]", "judges: [live, judge]");
    project.write("config/fthost.yaml", &config.replace("roles:", &format!("{judge}\nroles:")));
    project
}

fn run_with(project: &TestProject, key: &str, words: &str) -> Ran {
    let mut command = project.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env("JUDGE_KEY", key);
    Ran::of(command)
}

#[test]
fn a_key_that_only_a_later_script_needs_is_missed_before_the_first_call() {
    let server = ModelServer::start();
    let project = judged_elsewhere(&server);
    let words = format!("{PIPELINE} -s personas=2 -s turns=3");
    let ran = project.run(&words).exits(2);
    assert!(ran.err.contains("backend `judge` needs a key: JUDGE_KEY is not set"), "{}", ran.err);
    assert!(ran.err.contains("config/fthost.yaml:3:3") && ran.err.contains("nothing was run"), "{}", ran.err);
    assert!(server.requests().is_empty());
    project.run("run scripts/generate.rhai -s personas=1 -s turns=1").exits(0);
    project.run(&format!("{words} --dry-run")).exits(0);
}

#[test]
fn a_key_in_quotation_marks_is_not_sent() {
    let server = ModelServer::start();
    let project = judged_elsewhere(&server);
    for key in ["\"sk-canary-77\"", "'sk-canary-77'", "Bearer sk-canary-77", "sk-canary-77 # mine"] {
        let ran = run_with(&project, key, PIPELINE).exits(2);
        assert!(
            ran.err.contains("the key in JUDGE_KEY has a blank in it, or quotation marks around it"),
            "{}",
            ran.err
        );
        assert!(!ran.err.contains("sk-canary"), "{}", ran.err);
    }
    assert!(server.requests().is_empty());
}

#[test]
fn an_address_without_its_version_is_recognised() {
    let server = ModelServer::start();
    for (kind, path) in
        [("openai", "/v1"), ("openai-chat", "/v1"), ("google", "/v1beta"), ("anthropic", "/v1")]
    {
        let project = TestProject::shipped();
        let hint = |address: &str| {
            project.write("config/fthost.yaml", &live_config(kind, address, "api_key_env: null"));
            server.push_reply(Answer::status(404));
            project.run("run scripts/generate.rhai -s personas=1").exits(4).err
        };
        let (origin, perhaps) =
            (server.origin(), format!("perhaps `base_url` should be {}{path}", server.origin()));
        assert!(hint(&format!("{origin}/")).contains(&perhaps), "{kind}");
        assert!(!hint(&format!("{origin}{path}")).contains("perhaps"), "{kind}");
    }
}

#[test]
fn tls_with_a_server_that_has_none_is_explained() {
    let server = ModelServer::start();
    let project = TestProject::shipped();
    let address = server.url().replace("http:", "https:");
    project.write("config/fthost.yaml", &live_config("openai-chat", &address, "api_key_env: null"));
    let ran = project.run("check --live").exits(2);
    assert!(ran.err.contains("write http://"), "{}", ran.err);
}

#[test]
fn a_cap_that_is_met_in_the_middle_of_all_items_loses_nothing() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(20));
    let project = TestProject::shipped_live(&server);
    let ran = project.run("run scripts/generate.rhai -s personas=3 -s turns=4 --max-calls 9").exits(3);
    assert!(ran.err.contains("3 items stopped in their middle and go on there next time"), "{}", ran.err);
    let ran = project.run("run scripts/generate.rhai -s personas=3 -s turns=4 --max-calls 9 --concurrency 1");
    assert!(ran.err.contains("1 item stopped in its middle and goes on there next time"), "{}", ran.err);
    project.run("run scripts/generate.rhai -s personas=3 -s turns=4 --max-calls 6").exits(0);
    assert_eq!((project.files("data/raw/transcripts").len(), server.totals().calls), (3, 24));
}

#[test]
fn conversations_too_short_for_an_example_are_named_as_such() {
    let project = TestProject::shipped();
    let ran = project.run(&format!("{PIPELINE} -s personas=6 -s turns=2")).exits(0);
    assert!(ran.out.contains("each conversation is shorter than the shortest example may be"), "{}", ran.out);
}

#[test]
fn what_is_not_there_has_no_elements_and_a_wrong_choice_is_a_value() {
    let ran = TestProject::of("let answer = #{}; print(answer.choises[0].text);").main("").exits(2);
    assert!(ran.err.contains("there is nothing here to take an element of"), "{}", ran.err);
    let ran = TestProject::of("let x = parse_json(\"5.0\"); print(x[\"a\"]);").main("").exits(2);
    assert!(ran.err.contains("float has no elements to be taken by string"), "{}", ran.err);
    let server = ModelServer::start();
    let project = TestProject::shipped();
    project.write("config/fthost.yaml", &live_config("openai-chat", &server.url(), "structured: yes"));
    let ran = project.run("check").exits(2);
    assert!(ran.err.contains("unknown value `yes`, expected one of `json_schema`"), "{}", ran.err);
}
