//! Programs in the place of the Claude CLI that do what none should do, and prompts that it could take amiss.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Ran, Running, TestProject, root, until};

const ASK: &str = r#"print(get_backend("assistant").complete("hi").content);"#;

/// A whole answer.
const SAYS: &str = r#"echo '{"type": "result", "subtype": "success", "result": "all is said"}'"#;

/// A project whose program is this shell script.
fn project(script: &str, program: &str, more: &str) -> TestProject {
    let config = format!(
        "backends:\n  cli: {{kind: claude, command: ./program.sh, max_attempts: 1, {more}}}\nroles: {{assistant: cli}}\n"
    );
    let project = TestProject::of_config(script, &config);
    project.write("program.sh", &format!("#!/bin/sh\n{program}\n"));
    fs::set_permissions(project.path("program.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    project
}

/// The same with the stand-in that keeps a bill.
fn with_bill(script: &str, more: &str, orders: Value) -> TestProject {
    let fake = root().join("tests/fake_claude.py");
    let project = project(script, &format!("exec '{}' \"$@\"", fake.display()), more);
    project.write("fake_claude.json", &orders.to_string());
    project
}

fn command(project: &TestProject) -> std::process::Command {
    let mut command = project.command(&["run", "scripts/main.rhai"]);
    command.env("HOME", project.root());
    command
}

fn main(project: &TestProject) -> Ran {
    Ran::of(command(project))
}

fn begun(project: &TestProject) -> Vec<Value> {
    let lines = project.lines("fake_claude_bill.jsonl").into_iter();
    lines.filter(|line| line["event"] == "begun").collect()
}

#[test]
fn an_answer_counts_however_the_program_ends() {
    for program in [
        format!("{SAYS}; exec >&- 2>&-; exec sleep 1000"),
        format!("sleep 1000 & {SAYS}"),
        format!("(setsid sleep 30 </dev/null &) ; {SAYS}"),
        format!("echo 'An update is there: 3.0'; {SAYS}"),
        format!("echo warning >&2; {SAYS}; exit 3"),
    ] {
        let began = Instant::now();
        main(&project(ASK, &program, "")).exits(0).prints("all is said");
        assert!(began.elapsed() < Duration::from_secs(10), "{program}");
    }
}

#[test]
fn what_is_no_answer_is_told() {
    for (program, code, words) in [
        ("head -c 20000000 /dev/zero", 2, "larger than 16 MiB"),
        ("head -c 20000000 /dev/zero >&2; sleep 1000", 2, "larger than 16 MiB"),
        (r"printf '\377\376'", 2, "not UTF-8"),
        ("printf '[1, {'", 2, "claude failed: [1, {"),
        ("echo '{\"result\": 7}'", 2, "ended without an answer"),
        ("kill -KILL $$", 2, "claude gave no answer"),
    ] {
        let began = Instant::now();
        main(&project(ASK, program, "")).exits(code).says(words);
        assert!(began.elapsed() < Duration::from_secs(10), "{program}");
    }
}

#[test]
fn what_cannot_be_started_is_told() {
    let project = project(ASK, SAYS, "");
    fs::write(project.path("program.sh"), b"\x7fELFgarbage").unwrap();
    main(&project).exits(4).says("cannot start program.sh").says("`command` of the backend");
    fs::set_permissions(project.path("program.sh"), PermissionsExt::from_mode(0o644)).unwrap();
    main(&project).exits(2).says("no program `").says("`command` of the backend");
}

#[test]
fn the_program_s_path_is_relative_to_the_project() {
    let project = project(ASK, SAYS, "");
    let mut elsewhere = std::process::Command::new(env!("CARGO_BIN_EXE_fthost"));
    elsewhere.args(["run", "scripts/main.rhai", "--project"]).arg(project.root()).current_dir("/");
    Ran::of(elsewhere).exits(0).prints("all is said");
    project.edit("config/fthost.yaml", "./program.sh", "program.sh");
    let mut by_path = command(&project);
    by_path.env("PATH", ".:/usr/bin:/bin");
    Ran::of(by_path).exits(0).prints("all is said");
}

#[test]
fn a_prompt_is_no_command_and_not_empty() {
    let ask = |prompt: &str| format!("print(get_backend(\"assistant\").complete(\"{prompt}\").content);");
    let slash = project(&ask("/logout now"), &format!("cat >\"$HOME/stdin\"; {SAYS}"), "");
    main(&slash).exits(0);
    assert!(slash.read("stdin").starts_with("[user]\n/logout now\n\n"), "{}", slash.read("stdin"));
    let plain = project(&ask("no /command"), &format!("cat >\"$HOME/stdin\"; {SAYS}"), "");
    main(&plain).exits(0);
    assert_eq!(plain.read("stdin"), "no /command");
    main(&project(&ask("  "), SAYS, "")).exits(2).says("the prompt is empty").says("scripts/main.rhai:1:");
}

#[test]
fn a_schema_that_is_too_long_for_an_argument_goes_into_the_prompt() {
    let script = r#"
        let long = "";
        long.pad(200000, "x");
        let schema = schema(#{type: "object", description: long, properties: #{mood: #{type: "string"}}, required: ["mood"]});
        print(get_backend("assistant").complete_structured("How is it?", schema).mood);
    "#;
    let project = with_bill(script, "", json!({}));
    main(&project).exits(0).prints("ok");
    assert!(!begun(&project)[0]["argv"].to_string().contains("--json-schema"));
}

#[test]
fn a_key_is_handed_over_under_its_own_name() {
    for (variable, expected) in
        [("MY_KEY", "ANTHROPIC_API_KEY"), ("CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")]
    {
        let project = with_bill(ASK, &format!("api_key_env: {variable}"), json!({}));
        let mut command = command(&project);
        command.env(variable, "sk-canary-1122");
        Ran::of(command).exits(0);
        let names = begun(&project)[0]["env"].to_string();
        let keys =
            ["MY_KEY", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"].map(|name| names.contains(name));
        assert_eq!(
            keys,
            ["MY_KEY", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"].map(|name| name == expected)
        );
    }
}

#[test]
fn a_second_ctrl_c_kills_it_with_its_children() {
    let program = "sleep 1000 & echo $! >\"$HOME/child\"; echo $$ >\"$HOME/parent\"; wait";
    let project = project(ASK, program, "");
    let running = Running::start(command(&project));
    until("the program", || project.exists("parent") && !project.read("parent").is_empty());
    running.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    let lives = |file: &str| Path::new(&format!("/proc/{}/cmdline", project.read(file).trim())).exists();
    assert!(lives("parent") && lives("child"), "the first one lets it go on");
    running.signal("INT");
    running.wait().exits(130);
    until("their end", || !lives("parent") && !lives("child"));
}

#[test]
fn one_that_was_killed_is_no_zombie() {
    let script = r#"
        try { get_backend("assistant").complete("one"); } catch (e) { print(e.kind); }
        print(get_backend("assistant").complete("two").content);
    "#;
    let orders = json!({"answers": [{"kind": "hang"}, {"kind": "hang", "seconds": 1.5}]});
    let project = with_bill(script, "timeouts: {total: 3}", orders);
    let running = Running::start(command(&project));
    until("the second call", || begun(&project).len() == 2);
    let pid = running.pid().to_string();
    let listed =
        std::process::Command::new("ps").args(["-o", "stat=,args=", "--ppid", &pid]).output().unwrap();
    let children = String::from_utf8_lossy(&listed.stdout).into_owned();
    running.wait().exits(0).prints("timeout").prints("This answers");
    assert_eq!(children.lines().count(), 1, "{children}");
    assert!(!children.starts_with('Z'), "{children}");
}
