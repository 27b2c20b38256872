//! The Claude CLI as a backend, through the built binary: a stand-in speaks in its place.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Ran, TestProject, root, until};

/// Asks once, and prints the reply.
const ASK: &str =
    r#"print(get_backend("assistant").complete("the secret prompt", #{system: "the system"}).content);"#;

/// A project with the stand-in in every role; its home is the project's own directory.
fn project(script: &str, more: &str, orders: Value) -> TestProject {
    let command = root().join("tests/fake_claude.py");
    let config = format!(
        "backends:\n  cli: {{kind: claude, command: \"{}\", {more}}}\n\
         roles: {{user_sim: cli, assistant: cli, judges: [cli]}}\n",
        command.display()
    );
    let project = TestProject::of_config(script, &config);
    project.write("fake_claude.json", &orders.to_string());
    project
}

fn command(project: &TestProject, words: &str) -> std::process::Command {
    let mut command = project.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env("HOME", project.root()).env("CANARY", "canary-of-the-environment");
    command
}

fn main(project: &TestProject) -> Ran {
    Ran::of(command(project, "run scripts/main.rhai"))
}

fn bill(project: &TestProject) -> Vec<Value> {
    project.lines("fake_claude_bill.jsonl")
}

#[test]
fn a_reply_comes_back_and_nothing_of_the_prompt_is_shown() {
    let project = project(ASK, "model: sonnet, max_tokens: 300", json!({}));
    main(&project).exits(0).prints("This answers a prompt of 1 messages").prints("1 call in");
    let began = &bill(&project)[0];
    let argv = began["argv"].to_string();
    assert!(argv.contains("--system-prompt-file") && argv.contains("\"sonnet\""), "{argv}");
    assert!(!argv.contains("secret") && !argv.contains("the system"), "{argv}");
    let names: Vec<&str> =
        began["env"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&"CLAUDE_CODE_MAX_OUTPUT_TOKENS"), "{names:?}");
    assert!(!names.contains(&"CANARY") && !names.contains(&"ANTHROPIC_API_KEY"), "{names:?}");
    assert_eq!(began["files"], json!([]), "it works in an empty directory");
}

#[test]
fn a_structured_reply_is_validated_and_repaired() {
    let script = r#"
        let schema = schema(#{type: "object", properties: #{mood: #{type: "string"}}, required: ["mood"]});
        print(get_backend("judges").complete_structured("How is it?", schema).mood);
    "#;
    let project = project(script, "", json!({"answers": [{"kind": "wrong-schema"}]}));
    main(&project).exits(0).prints("ok");
    assert_eq!(bill(&project).iter().filter(|line| line["event"] == "served").count(), 2);
}

#[test]
fn a_limit_is_waited_for_until_it_is_reset() {
    let resets = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1;
    let project = project(ASK, "", json!({"answers": [{"kind": "old-limit", "resets": resets}]}));
    main(&project).exits(0).says("waiting").says("for cli (").prints("This answers");
}

#[test]
fn what_ends_a_run_and_what_fails_an_item_are_told_apart() {
    let login = project(ASK, "", json!({"always": {"kind": "login"}}));
    main(&login).exits(4).says("/login");
    let refusal = project(ASK, "", json!({"always": {"kind": "refusal"}}));
    main(&refusal).exits(2).says("refused");
    let cut = project(ASK, "", json!({"always": {"kind": "token-limit"}}));
    main(&cut).exits(2).says("cut off");
    let crash = project(ASK, "max_attempts: 1", json!({"always": {"kind": "exit", "code": 3}}));
    main(&crash).exits(2).says("exit code 3");
}

#[test]
fn a_program_that_is_not_there_is_told_before_any_call() {
    let config = "backends: {cli: {kind: claude, command: no-such-claude}}\nroles: {assistant: cli}\n";
    let project = TestProject::of_config(ASK, config);
    project.run("run scripts/main.rhai").exits(2).says("no program `no-such-claude`").says("`command`");
}

#[test]
fn what_it_has_no_words_for_is_refused() {
    let project = project(ASK, "temperature: 0.5", json!({}));
    main(&project).exits(2).says("the kind `claude` knows no `temperature`").says("config/fthost.yaml:2:");
}

#[test]
fn ctrl_c_saves_the_call_that_is_paid_for() {
    let script = r#"
        process([#{id: "a"}, #{id: "b"}], #{checkpoint: "data/c.jsonl", concurrency: 1}, |item| {
            #{id: item.id, text: get_backend("assistant").complete("hi").content}
        });
    "#;
    let project = project(script, "", json!({"latency": 2}));
    let mut command = command(&project, "run scripts/main.rhai");
    // A terminal sends the signal to its whole foreground group.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let running = crate::support::Running::start(command);
    until("the call", || !bill(&project).is_empty());
    running.signal_group("INT");
    running.wait().exits(130).says("waiting for 1 call");
    assert_eq!(project.ids("data/c.jsonl"), ["a"]);
    assert!(bill(&project).iter().all(|line| line["event"] != "killed"));
}

#[test]
fn the_deadline_kills_it_with_its_children() {
    let project = project(ASK, "max_attempts: 1, timeouts: {total: 1}", json!({}));
    let pid = project.path("pid");
    let script = format!("#!/bin/sh\nsleep 1000 &\necho $! >{}\nwait\n", pid.display());
    project.write("hangs.sh", &script);
    fs::set_permissions(project.path("hangs.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    project.edit(
        "config/fthost.yaml",
        &root().join("tests/fake_claude.py").display().to_string(),
        "./hangs.sh",
    );
    let began = Instant::now();
    main(&project).exits(2).says("gave no answer in 1 s");
    assert!(began.elapsed() < Duration::from_secs(20));
    let child = fs::read_to_string(pid).unwrap();
    until("the child's end", || !Path::new(&format!("/proc/{}/cmdline", child.trim())).exists());
}

#[test]
fn a_long_prompt_and_no_reader_do_not_hang() {
    let script = r#"
        let long = "";
        long.pad(1000000, "x");
        print(get_backend("assistant").complete(long).content);
    "#;
    let long = project(script, "", json!({}));
    main(&long).exits(0).prints("This answers a prompt of 1 messages");
    let deaf = project(script, "max_attempts: 1", json!({}));
    deaf.write("deaf.sh", "#!/bin/sh\nexec <&-\necho '{\"subtype\": \"success\", \"result\": \"deaf\"}'\n");
    fs::set_permissions(deaf.path("deaf.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    deaf.edit("config/fthost.yaml", &root().join("tests/fake_claude.py").display().to_string(), "./deaf.sh");
    main(&deaf).exits(0).prints("deaf");
}
