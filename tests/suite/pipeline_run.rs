//! The shipped pipeline, offline, through the binary: what it makes, that it goes on where it was, and
//! what an edit makes stale.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{PIPELINE, Ran, TestProject};

const GENERATION: &str = "data/raw/generation_checkpoint.jsonl";
const ASSESSMENT: &str = "data/assessments/checkpoint.jsonl";

type Files = Vec<(String, Vec<u8>)>;

/// A few short conversations, so that a test is quick.
const SMALL: &str = "-s personas=4 -s turns=3";

fn generate(project: &TestProject, more: &str) -> Ran {
    project.run(&format!("run scripts/generate.rhai {SMALL} {more}"))
}

fn assess(project: &TestProject, more: &str) -> Ran {
    project.run(&format!("run scripts/assess.rhai {more}"))
}

/// The summaries of the `process` calls of a `--json` run.
fn summaries(ran: &Ran) -> Vec<Value> {
    let events = ran.events();
    events.iter().filter(|e| e["event"] == "process").map(|e| e["summary"].clone()).collect()
}

/// The summary of the only `process` of a `--json` run.
#[track_caller]
fn summary(ran: Ran) -> Value {
    let all = summaries(&ran.exits(0));
    assert_eq!(all.len(), 1);
    all[0].clone()
}

/// How many of a summary's items are new, kept as they are, and stale.
fn counts(summary: &Value) -> [u64; 3] {
    ["completed", "skipped", "stale"].map(|key| summary[key].as_u64().unwrap())
}

#[test]
fn the_shipped_pipeline_makes_training_data_and_then_nothing_more() {
    let project = TestProject::shipped();
    let first = project.run(PIPELINE).exits(0);
    assert_eq!(project.ids(GENERATION).len(), 20);
    assert_eq!(project.files("data/raw/transcripts").len(), 20);
    let assessments = project.lines(ASSESSMENT);
    let passed = assessments.iter().filter(|record| record["pass"] == true).count();
    assert_eq!(assessments.len(), 20);
    assert!((1..20).contains(&passed), "{passed} of 20 pass");
    assert!(assessments.iter().all(|record| record["verdicts"].as_array().unwrap().len() == 2));
    check_training_data(&project);
    for word in ["CONVERSATIONS", "ASSESSMENT", "TRAINING DATA", "tokens in"] {
        assert!(first.out.contains(word), "no {word:?} in\n{}", first.out);
    }

    let before = project.files("data");
    let again = project.run(PIPELINE).exits(0);
    same_files(&project.files("data"), &before);
    again.prints("nothing to do").prints("nothing was written").prints("no calls");
}

/// The same files with the same contents.
#[track_caller]
fn same_files(found: &Files, expected: &Files) {
    let differing = found.iter().filter(|file| !expected.contains(file)).map(|(path, _)| path);
    assert_eq!(differing.collect::<Vec<_>>(), [""; 0]);
    assert_eq!(found.len(), expected.len());
}

/// The manifest tells of each line where it comes from; no group is on both sides.
fn check_training_data(project: &TestProject) {
    let mut groups = BTreeMap::<String, BTreeSet<String>>::new();
    let mut order = BTreeMap::<String, Vec<(String, u64)>>::new();
    for entry in project.lines("data/processed/manifest.jsonl") {
        let text = |key: &str| entry[key].as_str().unwrap().to_string();
        let lines = order.entry(text("file")).or_default();
        lines.push((text("transcript"), entry["last"].as_u64().unwrap()));
        assert_eq!(entry["line"], lines.len());
        groups.entry(text("group")).or_default().insert(text("file"));
    }
    assert!(groups.values().all(|files| files.len() == 1), "{groups:?}");
    for (file, origins) in &order {
        assert!(origins.is_sorted(), "{file} is in transcript order");
        let text = project.read(&format!("data/processed/{file}"));
        assert_eq!(text.lines().count(), origins.len());
        for (line, (transcript, last)) in text.lines().zip(origins) {
            check_example(project, line, transcript, *last as usize);
        }
    }
    assert!(order.contains_key("training_data.jsonl"));
}

/// A line has the system prompt and the transcript's first exchanges, `role` before `content`.
fn check_example(project: &TestProject, line: &str, transcript: &str, last: usize) {
    assert!(line.starts_with(r#"{"messages":[{"role":"system","content":"#), "{line}");
    let example: Value = serde_json::from_str(line).unwrap();
    let messages = example["messages"].as_array().unwrap();
    let keys = |message: &Value| message.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(messages.iter().all(|message| keys(message) == ["role", "content"]));
    let told = project.json(&format!("data/raw/transcripts/{transcript}.json"));
    let mut expected = Vec::new();
    for exchange in &told["exchanges"].as_array().unwrap()[..last] {
        expected.extend([&exchange["user"], &exchange["assistant"]]);
    }
    assert_eq!(messages[1..].iter().map(|message| &message["content"]).collect::<Vec<_>>(), expected);
}

#[test]
fn training_data_does_not_depend_on_scheduling() {
    let made = ["1", "16"].map(|concurrency| {
        let project = TestProject::shipped();
        let words = format!("{PIPELINE} -s personas=8 -s turns=5 --concurrency {concurrency}");
        project.run(&words).exits(0);
        project.files("data/processed")
    });
    assert_eq!(made[0].len(), 3);
    assert!(made[0].iter().any(|(_, text)| !text.is_empty()));
    assert!(made[0] == made[1], "the files differ");
}

#[test]
fn limit_takes_the_first_items_done_ones_included() {
    let project = TestProject::shipped();
    generate(&project, "--limit 2").exits(0);
    assert_eq!(project.ids(GENERATION).len(), 2);
    assert_eq!(counts(&summary(generate(&project, "--limit 3 --json"))), [1, 2, 0]);
    assert_eq!(project.ids(GENERATION).len(), 3);
}

#[test]
fn an_edited_prompt_makes_conversations_stale() {
    let project = TestProject::shipped();
    generate(&project, "").exits(0);
    let before = project.files("data");
    project.edit(
        "scripts/prompts.rhai",
        "fn load_system_prompt() {",
        "// A remark.\nfn load_system_prompt() {\n",
    );
    generate(&project, "").exits(0).prints("nothing to do");
    project.edit("scripts/prompts.rhai", "turns: persona.turns,", "turns: persona.turns + 1,");
    generate(&project, "").exits(0).prints("stale 4 (code changed)").prints("--redo stale");
    same_files(&project.files("data"), &before);
    assert_eq!(counts(&summary(generate(&project, "--redo stale --json"))), [4, 0, 0]);
    generate(&project, "").exits(0).prints("nothing to do");
    project.edit("config/prompts/user_sim.md", "e", "ee");
    generate(&project, "").exits(0).prints("stale 4 (version changed)");
}

#[test]
fn other_settings_of_an_item_make_it_stale() {
    let project = TestProject::shipped();
    generate(&project, "").exits(0);
    let longer = project.run("run scripts/generate.rhai -s personas=4 -s turns=2").exits(0);
    longer.prints("stale 4 (item changed)");
}

#[test]
fn another_role_makes_conversations_stale() {
    let project = TestProject::shipped();
    generate(&project, "").exits(0);
    project.edit("config/fthost.yaml", "temperature: 0.8", "temperature: 0.7");
    generate(&project, "").exits(0).prints("stale 4 (backends changed)");
    project.edit("config/fthost.yaml", "temperature: 0.7", "temperature: 0.8");
    generate(&project, "").exits(0).prints("nothing to do");
    project.edit("config/fthost.yaml", "user_sim: offline", "user_sim: offline-strict");
    generate(&project, "").exits(0).prints("stale 4 (backends changed)");
}

#[test]
fn two_roles_that_change_places_make_conversations_stale() {
    let project = TestProject::shipped();
    let roles = |user_sim: &str, assistant: &str| {
        let models = "a: {kind: offline, model: weak}, b: {kind: offline, model: strong}";
        let roles = format!("user_sim: {user_sim}, assistant: {assistant}, judges: [a]");
        project.write("config/fthost.yaml", &format!("backends: {{{models}}}\nroles: {{{roles}}}\n"));
    };
    roles("a", "b");
    generate(&project, "").exits(0);
    roles("b", "a");
    generate(&project, "").exits(0).prints("stale 4 (backends changed)");
}

#[test]
fn an_edited_criterion_makes_verdicts_stale() {
    let project = TestProject::shipped();
    generate(&project, "").exits(0);
    assert_eq!(counts(&summary(assess(&project, "--json"))), [4, 0, 0]);
    project.edit("config/rubric.yaml", "Is every direct question", "Is each direct question");
    assess(&project, "").exits(0).prints("stale 4 (version changed)");
    project.run("run scripts/slice.rhai").exits(0).prints("judged by an older rubric");
    assert_eq!(counts(&summary(assess(&project, "--redo stale --json"))), [4, 0, 0]);
    assess(&project, "").exits(0).prints("nothing to do");
}

#[test]
fn redo_takes_ids_and_all() {
    let project = TestProject::shipped();
    generate(&project, "").exits(0);
    let id = project.ids(GENERATION)[1].clone();
    assert_eq!(counts(&summary(generate(&project, &format!("--redo {id} --json")))), [1, 3, 0]);
    assert_eq!(counts(&summary(generate(&project, "--redo all --json"))), [4, 0, 0]);
    generate(&project, "--redo nobody").exits(0).says("nobody");
}

#[test]
fn a_third_judge_is_one_line_of_configuration() {
    let project = TestProject::shipped();
    generate(&project, "").exits(0);
    assess(&project, "").exits(0);
    project.edit(
        "config/fthost.yaml",
        "[offline-strict, offline-lenient]",
        "[offline-strict, offline-lenient, offline]",
    );
    assess(&project, "").exits(0).prints("stale 4 (backends, version changed)");
    assess(&project, "--redo stale").exits(0);
    let records = project.lines(ASSESSMENT);
    assert_eq!(records.len(), 8);
    assert!(records[4..].iter().all(|record| record["verdicts"].as_array().unwrap().len() == 3));
}

#[test]
fn what_a_human_rejects_is_not_trained_on() {
    let project = TestProject::shipped();
    project.run(&format!("{PIPELINE} -s personas=6 -s turns=3")).exits(0);
    let manifest = project.lines("data/processed/manifest.jsonl");
    let id = manifest[0]["transcript"].as_str().unwrap();
    project
        .write("data/assessments/human.jsonl", &format!("{{\"id\": \"{id}\", \"verdict\": \"reject\"}}\n"));
    project.run("run scripts/slice.rhai").exits(0).prints("rejected by a human");
    assert!(!project.read("data/processed/manifest.jsonl").contains(id));
}

#[test]
fn a_damaged_transcript_fails_alone() {
    let project = TestProject::shipped();
    generate(&project, "").exits(0);
    let (path, text) = project.files("data/raw/transcripts")[2].clone();
    project.write(&path, std::str::from_utf8(&text[..text.len() / 2]).unwrap());
    let line = text[..text.len() / 2].split(|byte| *byte == b'\n').count();
    assess(&project, "").exits(1).says(&format!("{path}:{line}")).says("generate the transcript again");
    assert_eq!(project.lines(ASSESSMENT).len(), 3);
    let failed = project.lines("data/assessments/checkpoint.failed.jsonl");
    assert!(failed.len() == 1 && failed[0]["place"].as_str().unwrap().starts_with(&path), "{failed:?}");
    project.write(&path, std::str::from_utf8(&text).unwrap());
    assess(&project, "").exits(0).prints("new 1, already there 3");
}

#[test]
fn an_edited_transcript_is_not_trained_on() {
    let project = TestProject::shipped();
    generate(&project, "").exits(0);
    assess(&project, "").exits(0);
    for (path, text) in project.files("data/raw/transcripts") {
        project.write(
            &path,
            &String::from_utf8(text).unwrap().replacen("\"user\": \"", "\"user\": \"Well, ", 1),
        );
    }
    project.run("run scripts/slice.rhai").exits(0).prints("transcript was edited after its verdict");
    assert_eq!(project.read("data/processed/training_data.jsonl"), "");
}

#[test]
fn a_file_in_the_way_stops_the_run_before_more_is_paid_for() {
    let project = TestProject::shipped();
    project.write("data/raw", "in the way");
    let ran = generate(&project, "--json");
    let end = ran.events().pop().unwrap();
    assert_eq!(end["event"], "end");
    let calls: u64 = end["backends"].as_array().unwrap().iter().map(|b| b["calls"].as_u64().unwrap()).sum();
    assert_eq!(calls, 0);
    ran.exits(4).says("data/raw");
    assert_eq!(project.files("data"), [("data/raw".to_string(), b"in the way".to_vec())]);
}

#[test]
fn a_file_in_the_way_of_the_transcripts_stops_the_run_and_leaves_nothing_by_halves() {
    let project = TestProject::shipped();
    project.write("data/raw/transcripts", "in the way");
    generate(&project, "--concurrency 1").exits(4).says("data/raw/transcripts");
    assert!(project.lines(GENERATION).is_empty());
    assert!(!project.exists("data/raw/generation_checkpoint.failed.jsonl"));
}

#[test]
fn a_criterion_that_nobody_answers_is_named() {
    let project = TestProject::shipped();
    generate(&project, "").exits(0);
    // What the check cannot see: the ids are not written out.
    let criteria = project.read("scripts/criteria.rhai").replace("[\"C5\"]", "\"C4 C5\".split(\" \")");
    project.write("scripts/criteria.rhai", &criteria);
    let ran = assess(&project, "").exits(0);
    ran.prints("0 of 4 judged").prints("no answer to C4 in 4 of 4").prints("compute_criteria()");
}
