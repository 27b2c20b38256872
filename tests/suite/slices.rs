//! From verdicts to training files: that both ways to slice write the same, whatever the number of threads, that only
//! what was judged is trained on, and that a slicing that fails leaves the files of the one before.
//!
//! The long form measures memory: `FTHOST_LONG=1 cargo test --release --test suite slices:: -- --nocapture`

use std::process::Command;
use std::sync::{Arc, OnceLock};

use fthost::base::cancel::Stop;
use fthost::base::config::Config;
use fthost::base::events::{Event, Events, Silent};
use fthost::base::{Error, Kind};
use fthost::host::Session;
use fthost::host::examples::Examples;
use fthost::pipeline::rubric::Rubric;
use fthost::pipeline::rules::{GroupBy, Loss, Rules};
use fthost::pipeline::transcript::content_hash;
use fthost::store::Project;
use fthost::work::World;
use serde_json::{Value, json};

use crate::support::{Ran, TestProject, figure, long};

/// Ids whose files stand in another order than they.
const IDS: [&str; 7] = ["b", "a b", "a-b", "a", "a.b", "ä", "a_b"];

/// A project whose transcripts all pass.
fn judged(ids: &[String], turns: usize) -> TestProject {
    let project = TestProject::shipped();
    let text = project.read("config/rubric.yaml");
    let rubric = Rubric::parse("config/rubric.yaml", &text).unwrap();
    let mut records = String::new();
    for (n, id) in ids.iter().enumerate() {
        let say = |turn: usize| format!("\"{id}\" says\n{} ", n * turn).repeat(1 + (n + turn) % 7);
        let exchanges: Vec<Value> =
            (0..turns + n % 5).map(|turn| json!({"user": say(turn), "assistant": say(turn + 3)})).collect();
        let transcript =
            json!({"id": id, "persona": {"id": format!("p{}", n % 4)}, "exchanges": exchanges, "model": "m"});
        let path = fthost::store::ids::transcript_path(id);
        project.write(&path, &serde_json::to_string_pretty(&transcript).unwrap());
        let record = json!({"id": id, "pass": true, "complete": true, "score": 0.9, "note": "because ".repeat(1000),
            "rubric_hash": rubric.hash(), "transcript_hash": content_hash(&transcript)});
        records += &format!("{record}\n");
    }
    project.write("data/assessments/checkpoint.jsonl", &records);
    project
}

fn some(ids: &[&str]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("t{n}")).collect()
}

/// The beginning of the scripts here.
const PASSED: &str = r#"
    let options = #{max_tokens: 400, over_budget: "recent"};
    let passed = passing(load_checkpoint("data/assessments/checkpoint.jsonl"));
"#;

fn run(project: &TestProject, script: &str) -> Ran {
    project.write("scripts/main.rhai", &format!("{PASSED}{script}"));
    project.main("")
}

#[test]
fn all_ways_write_the_same_files() {
    let project = judged(&some(&IDS), 6);
    let ran = run(
        &project,
        r#"
        let by_hand = |records| flatten(records.map(|r| slice_transcript(read_transcript(r.id), "Be \"kind\".", options)));
        let maps = [];
        for example in slice_transcripts(passed, "Be \"kind\".", options) { maps.push(example); }
        let lazy = |transcripts| slice_transcripts(transcripts, "Be \"kind\".", options);
        let read = passed.records.map(|r| read_transcript(r.id));
        let ids = load_checkpoint("data/assessments/checkpoint.jsonl").ids;
        let ways = [by_hand.call(passed.records), maps, lazy.call(passed), lazy.call(passed.records), lazy.call(ids),
            lazy.call(read), lazy.call(read_transcripts())];
        for (way, i) in ways {
            for rules in [#{validation: 0.6}, #{validation: 0.6, loss: "new", group: "transcript"}] {
                let written = write_training_data(`data/out/${rules.loss ?? "all"}/${i}`, way, rules);
                written.remove("over_budget");
                print(written);
            }
        }
        "#,
    )
    .exits(0);
    for (loss, weights) in [("all", false), ("new", true)] {
        let files = |way: usize| {
            let dir = format!("data/out/{loss}/{way}");
            let named = project.files(&dir).into_iter();
            named.map(|(path, text)| (path[dir.len()..].to_string(), text)).collect::<Vec<_>>()
        };
        let first = files(0);
        assert!(first.len() == 3 && first.iter().all(|(_, text)| text.len() > 1000));
        let text = String::from_utf8_lossy(&first[1].1).into_owned();
        assert_eq!(text.contains(r#","weight":0}"#), weights);
        for way in 1..7 {
            assert!(files(way) == first, "way {way} differs ({loss})");
        }
    }
    let told: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("#{")).collect();
    assert!(told.len() == 14 && told.iter().all(|line| *line == told[0] || *line == told[1]), "{told:#?}");
    assert!(told[0].contains(r#""warnings": []"#) && told[0].contains(r#""truncated": "#), "{}", told[0]);
}

#[test]
fn the_same_id_twice_is_one_transcript() {
    let project = judged(&some(&["b", "a"]), 9);
    run(
        &project,
        r#"
        let ids = ["b", "a", "b"];
        let by_hand = flatten(ids.map(|id| slice_transcript(read_transcript(id), "", options)));
        let rules = #{loss: "new"};
        print(write_training_data("data/one", by_hand, rules) == write_training_data("data/two", slice_transcripts(ids, "", options), rules));
        "#,
    )
    .exits(0)
    .prints("true");
    let files = |dir: &str| project.files(dir).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert!(files("data/one") == files("data/two"));
    assert_eq!(project.lines("data/one/manifest.jsonl")[0]["transcript"], "a");
}

/// A world whose script ended with examples.
fn session(project: &TestProject, events: Arc<dyn Events>) -> Session {
    let config = Config::parse("config/fthost.yaml", &project.read("config/fthost.yaml")).unwrap();
    let files = Project::open(project.root()).unwrap();
    Session::new(World::new(files, config, events, Box::new(|_| None), "test"))
}

fn examples(session: &Session) -> Examples {
    let script = format!("{PASSED} slice_transcripts(passed, \"Be kind.\", options)");
    let unit = session.load_expression(&script).unwrap();
    session.eval(&unit).unwrap().cast()
}

const RULES: Rules = Rules { validation: 0.3, loss: Loss::New, group: GroupBy::Group, mix_offline: false };

#[test]
fn the_number_of_threads_makes_no_difference() {
    let project = judged(&numbered(60), 4);
    let examples = examples(&session(&project, Arc::new(Silent)));
    let made = [1, 2, 9].map(|width| {
        let mut sheets = Vec::new();
        let take = |sheet| {
            sheets.push(sheet);
            Ok(())
        };
        examples.each_sheet(width, &RULES, take).unwrap();
        sheets
    });
    assert_eq!(made[0].len(), 60);
    assert!(made[0].iter().map(|sheet| &sheet.transcript).is_sorted());
    assert!(made[0] == made[1] && made[0] == made[2]);
}

/// Whoever stops a run does so at the first warning.
#[derive(Default)]
struct StopAtWarning(OnceLock<Stop>);

impl Events for StopAtWarning {
    fn emit(&self, event: Event) {
        if let (Event::Warning(_), Some(stop)) = (event, self.0.get()) {
            stop.drain_because(Error::new(Kind::Interrupted, "interrupted"));
        }
    }
}

#[test]
fn an_interrupted_slicing_leaves_the_files_as_they_were() {
    let project = judged(&numbered(40), 4);
    let slicing = format!(
        "{PASSED} write_text(\"data/raw/transcripts/t30.json\", read_text(\"data/raw/transcripts/t3.json\")); \
         write_training_data(\"data/processed\", slice_transcripts(passed, \"Be kind.\", options), #{{}})"
    );
    let old = [("data/processed/training_data.jsonl", "old\n"), ("data/processed/manifest.jsonl", "{}\n")];
    old.iter().for_each(|(path, text)| project.write(path, text));
    let events = Arc::new(StopAtWarning::default());
    let session = session(&project, events.clone());
    let stop = session.world.stop.clone();
    events.0.set(stop).ok().unwrap();
    let unit = session.load_expression(&slicing).unwrap();
    let error = session.eval(&unit).unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted, "{error}");
    assert_eq!(
        left(&project),
        old.map(|(path, text)| (path.to_string(), text.to_string())).into_iter().rev().collect::<Vec<_>>()
    );
}

/// All files where training data is, those written aside included.
fn left(project: &TestProject) -> Vec<(String, String)> {
    let files = project.files("data/processed").into_iter();
    files.map(|(path, text)| (path, String::from_utf8(text).unwrap())).collect()
}

#[test]
fn a_slicing_that_fails_leaves_the_files_as_they_were() {
    let project = judged(&numbered(30), 4);
    let slicing =
        r#"write_training_data("data/processed", slice_transcripts(read_transcripts(), "", options), #{})"#;
    run(&project, slicing).exits(0);
    let before = left(&project);
    assert_eq!(before.len(), 3);
    let path = "data/raw/transcripts/t29.json";
    let whole = project.read(path);
    let other = whole.replacen("\"model\": \"m\"", "\"offline\": true", 1);
    project.write(path, &other);
    run(&project, slicing).exits(2).says("examples were made offline, the rest by a real model");
    assert_eq!(left(&project), before);
    project.write(path, &whole.replacen("\"id\": \"t29\"", "\"id\": \"t29\", \"exchanges\": 3", 1));
    run(&project, slicing).exits(2).says(path);
    assert_eq!(left(&project), before);
}

#[test]
fn a_full_disk_leaves_the_files_as_they_were() {
    let project = judged(&numbered(60), 8);
    project.write("data/processed/training_data.jsonl", "old\n");
    project.write(
        "scripts/main.rhai",
        &format!("{PASSED} write_training_data(\"data/processed\", slice_transcripts(passed, \"\", options), #{{}});"),
    );
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -f 40; exec \"$0\" run scripts/main.rhai", env!("CARGO_BIN_EXE_fthost")]);
    command.current_dir(project.root());
    Ran::of(command).exits(4).says("cannot write data/processed/training_data.jsonl").says("ulimit -f");
    assert_eq!(left(&project), [("data/processed/training_data.jsonl".to_string(), "old\n".to_string())]);
}

#[test]
fn only_what_was_judged_is_trained_on() {
    let project = judged(&numbered(6), 4);
    let ran = run(
        &project,
        r#"
        let edited = read_transcript("t1");
        edited.exchanges[0].user = "Well";
        write_transcript(edited);
        write_text("data/raw/transcripts/t2.json", "{");
        write_text("data/raw/transcripts/t3.json", read_text("data/raw/transcripts/t4.json"));
        for (way, i) in [passed, passed.records] {
            let written = write_training_data(`data/out${i}`, slice_transcripts(way, "", options), #{validation: 0.0});
            print(written.training.transcripts);
        }
        print(passing(load_checkpoint("data/assessments/checkpoint.jsonl")).counts);
        "#,
    )
    .exits(0)
    .says("transcript `t1` was judged, and is left out now: it has changed since then")
    .says("transcript `t2` was judged, and is left out now: the file ends in the middle")
    .says("transcript `t3` was judged, and is left out now");
    assert!(ran.out.starts_with("3\n3\n"), "{}", ran.out);
    ran.prints(r#""transcript_changed": 3"#).prints(r#""passed": 3"#);
    let sliced: Vec<Value> = project.lines("data/out0/manifest.jsonl");
    assert!(sliced.iter().all(|line| ["t0", "t4", "t5"].contains(&line["transcript"].as_str().unwrap())));
}

#[test]
fn what_passes_is_like_a_map() {
    let project = judged(&some(&["b", "a"]), 4);
    let ran = run(
        &project,
        r#"
        print([passed.records.len(), passed.records[0].id, passed.records.map(|r| r.score), passed.counts.passed]);
        print([passed["counts"].failed, passed["records"][1].id, passed["other"]]);
        for record in passed.records { print(record.id); }
        append_checkpoint("data/assessments/checkpoint.jsonl", #{id: "a", pass: false, complete: true});
        print([passed.records[0].pass, passing(load_checkpoint("data/assessments/checkpoint.jsonl")).counts.failed]);
        print(parse_json(passed.to_json()).counts.passed);
        print(passed);
        "#,
    )
    .exits(0);
    let mut lines = ran.out.lines();
    for expected in [r#"[2, "a", [0.9, 0.9], 2]"#, r#"[0, "b", ()]"#, "a", "b", "[true, 1]", "2"] {
        assert_eq!(lines.next(), Some(expected));
    }
    assert!(lines.next().unwrap().starts_with(r##"#{"counts": #{"failed": 0, "##));
}

#[test]
fn what_cannot_be_sliced_is_refused_with_what_can() {
    let project = judged(&some(&["a"]), 4);
    let refused = |transcripts: &str, says: &str| {
        run(&project, &format!("slice_transcripts({transcripts}, \"\", options)")).exits(2).says(says);
    };
    refused("7", "cannot slice int");
    refused("[7]", "number 1 is neither an id, a record nor a transcript");
    refused("[#{id: \"a\", exchanges: [7]}]", "`exchanges[0]`");
    refused("stream_jsonl(\"data/assessments/checkpoint.jsonl\")", "the lines of a file");
    run(&project, "slice_transcripts(passed, \"\", #{max_token: 7})")
        .exits(2)
        .says("did you mean `max_tokens`");
    run(&project, "slice_transcripts(passed, \"\", #{})").exits(2).says("needs the option `max_tokens`");
    run(&project, "for e in slice_transcripts([\"z\"], \"\", options) { print(e); }").exits(2).says("z.json");
}

/// How much memory a slicing takes at most, in bytes, and what it wrote.
fn peak(transcripts: usize) -> (u64, u64) {
    let project = judged(&numbered(transcripts), 100);
    let (ran, peak) = project.measured("run scripts/slice.rhai -s max_tokens=100000");
    ran.exits(0);
    let written = project.path("data/processed/training_data.jsonl").metadata().unwrap().len();
    figure(&format!(
        "{transcripts} transcripts, {} MB written: {} MB of memory",
        written / 1_000_000,
        peak / 1_000_000
    ));
    (peak, written)
}

#[test]
fn memory_does_not_grow_with_the_number_of_transcripts() {
    if !long() {
        return;
    }
    let ((few, _), (many, written)) = (peak(100), peak(2000));
    assert!(many < few + (30 << 20), "{few} and {many}");
    assert!(many < written / 4);
}
