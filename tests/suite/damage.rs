//! Records that something else has changed: what can be known to be wrong is told, with its line, and
//! nothing is lost or becomes lenient without a word.

use std::fs;

use fthost::base::{Kind, hash};
use fthost::pipeline::verdict;
use fthost::store::{Checkpoint, Mode, Project};
use serde_json::{Value, json};

use crate::process::three;
use crate::support::TestProject;
use fault_server::ModelServer;

const CKPT: &str = "data/assessments/checkpoint.jsonl";

/// A verdict that is not complete and fails by its gate, and one that passes.
fn verdicts() -> String {
    let hash = "0123456789abcdef".repeat(4);
    let record = |id: &str, pass: bool| {
        json!({
            "id": id, "pass": pass, "complete": pass, "score": if pass { 0.9 } else { 0.25 }, "threshold": 0.8,
            "answers": {"C1": if pass { "YES" } else { "ERROR" }, "C2": "NA"}, "safety_gate_failed": !pass,
            "error_count": u8::from(!pass), "judge": "j", "transcript_hash": hash, "_version": "3ef79c43-5a839632-32eb9f4a-0",
        })
    };
    format!("{}\n{}\n", record("a", false), record("k", true))
}

/// The ids, whether each is complete, and the verdicts; or the line that is named.
fn read(project: &Project) -> Result<Vec<(String, bool, Value)>, usize> {
    let line = |error: fthost::base::Error| {
        assert_eq!(error.kind(), Kind::Data, "{error}");
        error.place().unwrap_or_else(|| panic!("no line: {error}")).line
    };
    let checkpoint = Checkpoint::open(project, CKPT, Mode::Read).map_err(line)?.checkpoint;
    let mut found = Vec::new();
    checkpoint
        .for_each_record(|id, record| {
            verdict::check(&record).map_err(|what| checkpoint.damage(id, &what))?;
            found.push((id.to_string(), checkpoint.contains_complete(id), record));
            Ok(())
        })
        .map_err(line)?;
    Ok(found)
}

#[test]
fn no_flipped_bit_loses_a_record_or_makes_a_verdict_lenient() {
    let dir = TestProject::of("");
    let text = verdicts().into_bytes();
    dir.write(CKPT, &verdicts());
    let project = Project::open(dir.root()).unwrap();
    let before = read(&project).unwrap();
    let path = dir.path(CKPT);
    let (mut refused, mut taken) = (0, 0);
    for (byte, bit) in (0..text.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
        let mut damaged = text.clone();
        damaged[byte] ^= 1 << bit;
        fs::write(&path, &damaged).unwrap();
        let at = format!("byte {byte}, bit {bit}: {}", String::from_utf8_lossy(&damaged));
        let line = 1 + text[..byte].iter().filter(|byte| **byte == b'\n').count();
        let after = match read(&project) {
            Err(named) => {
                assert_eq!(named, line, "{at}");
                refused += 1;
                continue;
            }
            Ok(after) => after,
        };
        taken += 1;
        assert_eq!(after.len(), before.len(), "{at}");
        for ((id, complete, record), (old_id, was_complete, old)) in after.iter().zip(&before) {
            assert_eq!((id.len(), complete), (old_id.len(), was_complete), "{at}");
            assert!(record["pass"] != true || old["pass"] == true, "{at}");
        }
    }
    assert!(refused > taken, "{refused} refused, {taken} taken");
}

#[test]
fn a_wrong_known_value_stops_the_run_and_names_the_line() {
    let project = TestProject::of(&three("#{n: 1}"));
    project.main("--concurrency 1").exits(0);
    let good = project.read("data/c.jsonl");
    for (from, to, says) in [
        ("\"id\":\"b\"", "\"id\":\"\"", "its `id` is empty"),
        ("\"id\":\"b\"", "\"id\":null", "no `id` that is a string"),
        ("\"id\":\"b\"", "\"hd\":\"b\"", "but `hd`"),
        ("\"_version\":\"", "\"_version\":\"0", "`_version`"),
        ("\"n\":1", "\"n\":1,\"complete\":null", "`complete` is neither true nor false"),
        ("\"n\":1", "\"n\":1,\"complete\":\"false\"", "`complete` is neither true nor false"),
        ("\"n\":1", "\"n\":1,\"complete\":0", "`complete` is neither true nor false"),
        ("\"n\":1", "\"n\":1,\"Complete\":false", "but `Complete`"),
    ] {
        let lines: Vec<String> = good.lines().map(str::to_string).collect();
        let damaged = good.replace(&lines[1], &lines[1].replace(from, to));
        assert_ne!(damaged, good, "{from}");
        project.write("data/c.jsonl", &damaged);
        project.main("").exits(2).says("line 2 of data/c.jsonl is damaged").says(says);
        assert_eq!(project.read("data/c.jsonl"), damaged);
    }
}

#[test]
fn what_reading_alone_finds_has_its_line_too() {
    let project = TestProject::of("print(load_checkpoint_results(\"data/c.jsonl\").len());");
    project.write("data/c.jsonl", "{\"id\":\"a\"}\n\n{\"id\":\"b\",\"x\":\"\\ud800\"}\n");
    project.main("").exits(2).says("line 3 of data/c.jsonl is damaged").says("not valid JSON");
}

#[test]
fn a_script_cannot_write_what_cannot_be_read() {
    for (record, says) in [
        ("#{complete: ()}", "its `complete` is neither true nor false"),
        ("#{complete: \"no\"}", "its `complete` is neither true nor false"),
        ("#{Complete: false}", "but `Complete`"),
    ] {
        let project = TestProject::of(&three(record));
        project.main("").exits(2).says("the closure of `process` returned").says(says);
        assert!(project.lines("data/c.jsonl").is_empty());
    }
    let project = TestProject::of("append_checkpoint(\"data/c.jsonl\", #{id: \"a\", _version: \"mine\"});");
    project.main("").exits(2).says("the record cannot be kept: its `_version`");
    let project = TestProject::of("append_checkpoint(\"data/c.jsonl\", #{id: \"\"});");
    project.main("").exits(2).says("its `id` is empty");
}

#[test]
fn a_verdict_that_contradicts_itself_is_not_trained_on() {
    let project = TestProject::shipped();
    project.write(CKPT, &verdicts());
    project.run("run scripts/slice.rhai").exits(0);
    let damaged = verdicts().replacen("\"pass\":false,\"complete\":false", "\"pass\":true", 1);
    project.write(CKPT, &damaged);
    let ran = project.run("run scripts/slice.rhai").exits(2);
    ran.says(&format!("line 1 of {CKPT} is damaged: it passes, and its safety gate failed"));
    assert_eq!(project.read(CKPT), damaged);
}

#[test]
fn a_damaged_failure_is_named_and_the_others_stay() {
    let project = TestProject::of(&three("if item.id != \"c\" { throw \"no\"; } #{n: 1}"));
    project.main("").exits(1);
    let good = project.read("data/c.failed.jsonl");
    let cut = good.lines().next().unwrap()[..20].to_string();
    for (damaged, says) in [
        (good.replacen("\"attempts\":1", "\"attempts\":\"1\"", 1), "its `attempts`"),
        (good.replacen("\"attempts\"", "\"attempus\"", 1), "`attempus`"),
        (format!("{cut}\n{good}"), "cut off"),
        (good.replacen("{\"id\"", "[\"id\"", 1), "not a JSON object"),
    ] {
        project.write("data/c.failed.jsonl", &damaged);
        project.main("").exits(2).says("line 1 of data/c.failed.jsonl is damaged").says(says);
        assert_eq!(project.read("data/c.failed.jsonl"), damaged);
    }
    project.write("data/c.failed.jsonl", &good);
    project.main("").exits(1);
    let attempts: Vec<Value> =
        project.lines("data/c.failed.jsonl").iter().map(|item| item["attempts"].clone()).collect();
    assert_eq!(attempts, [2, 2]);
}

#[test]
fn of_many_records_only_what_is_missing_is_asked_for() {
    const MANY: usize = 20_000;
    let server = ModelServer::start();
    let script = "let model = get_backend(\"assistant\");\nlet s = process(stream_jsonl(\"data/items.jsonl\"), \
                  #{checkpoint: \"data/c.jsonl\"}, |item| #{text: model.complete(`Hello ${item.id}`).content});\n\
                  print(`${s.total} skipped ${s.skipped} stale ${s.stale} completed ${s.completed}`);";
    let project = TestProject::live(&server, script);
    let item = |n: usize| format!("{{\"id\":\"item_{n}\"}}");
    project.write("data/items.jsonl", &item(0));
    project.main("").exits(0);
    let first = project.lines("data/c.jsonl").remove(0);
    let (_, rest) = first["_version"].as_str().unwrap().split_once('-').unwrap();
    let record = |n: usize, more: &str, rest: &str| {
        format!("{{\"id\":\"item_{n}\"{more},\"_version\":\"{}-{rest}\"}}\n", &hash::sha256(&item(n))[..8])
    };
    let mut records = String::new();
    for n in 0..MANY {
        records += &match n % 1000 {
            // No record; one that is not complete; a stale one; one that was made anew.
            1 => String::new(),
            2 => record(n, ",\"complete\":false", rest),
            3 => record(n, "", "00000001-00000002-0"),
            4 => record(n, ",\"complete\":false", rest) + record(n, "", rest).as_str(),
            _ => record(n, "", rest),
        };
    }
    project.write("data/c.jsonl", &records);
    project.write("data/items.jsonl", &(0..MANY).map(|n| item(n) + "\n").collect::<String>());
    project.main("").exits(0).prints("20000 skipped 19940 stale 20 completed 40");
    assert_eq!(server.requests().len(), 1 + 40);
    let text = project.read("data/c.jsonl");
    assert!(text.starts_with(&records) && text.lines().count() == records.lines().count() + 40);
}
