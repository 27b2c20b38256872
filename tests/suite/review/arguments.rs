//! Without a terminal: reviews by arguments, human against judges, and broken files.

use serde_json::{Value, json};

use super::{HUMAN, judged};
use crate::support::TestProject;

fn agreement(project: &TestProject) -> Value {
    project.run("review --agreement --json").exits(0).events().remove(0)
}

fn row<'a>(agreement: &'a Value, judge: &str, criterion: &str) -> &'a Value {
    let rows = agreement["rows"].as_array().unwrap();
    rows.iter().find(|row| row["judge"] == judge && row["criterion"] == criterion).unwrap()
}

#[test]
fn a_rejection_is_written_and_not_trained_on() {
    let project = judged(&["good_1", "good_2"]);
    project.run("run scripts/slice.rhai").exits(0);
    assert!(project.read("data/processed/manifest.jsonl").contains("good_1"));
    let args = ["review", "good_1", "--reject", "--note", "dull", "--answer", "C3=no", "--reviewer", "Ann"];
    project.run_args(&args).exits(0).prints("reject good_1 (C3 NO)");
    let line = &project.lines(HUMAN)[0];
    for (field, value) in [
        ("id", json!("good_1")),
        ("verdict", json!("reject")),
        ("answers", json!({"C3": "NO"})),
        ("note", json!("dull")),
        ("reviewer", json!("Ann")),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
    assert!(line["transcript_hash"].is_string() && line["rubric_hash"].is_string());
    project.run("run scripts/slice.rhai").exits(0).prints("rejected by a human");
    assert!(!project.read("data/processed/manifest.jsonl").contains("good_1"));
    // The last line counts, and keeps what was said before.
    project.run("review good_1 --accept").exits(0).prints("accept good_1 (C3 NO)");
    project.run("run scripts/slice.rhai").exits(0);
    assert!(project.read("data/processed/manifest.jsonl").contains("good_1"));
    assert_eq!(project.lines(HUMAN).len(), 2);
}

#[test]
fn an_acceptance_makes_nothing_pass() {
    let project = judged(&["bad_1"]);
    project.run("review bad_1 --accept").exits(0);
    project.run("run scripts/slice.rhai").exits(0).prints("did not pass");
    assert_eq!(project.read("data/processed/manifest.jsonl"), "");
}

#[test]
fn judges_are_measured_against_humans() {
    let project = judged(&["bad_1", "good_1", "good_2"]);
    project.run("review --agreement").exits(0).prints("no reviews yet");
    project.run("review bad_1 --reject --answer C3=NO").exits(0);
    project.run("review good_1 --reject --answer C3=NO").exits(0);
    project.run("review good_2 --accept --answer C3=YES --answer C7=NA").exits(0);
    let found = agreement(&project);
    assert_eq!((&found["counted"], &found["verdicts"]["passed_rejected"]), (&json!(3), &json!(1)));
    let strict = row(&found, "strict", "C3");
    assert_eq!(
        (&strict["precision"], &strict["recall"], &strict["kappa"]),
        (&json!(1.0), &json!(0.5), &json!(0.4))
    );
    let mild = row(&found, "mild", "C3");
    assert_eq!(
        (&mild["precision"], &mild["recall"], &mild["kappa"]),
        (&json!(null), &json!(0.0), &json!(0.0))
    );
    assert_eq!(row(&found, "final", "C3"), &{
        let mut same = strict.clone();
        same["judge"] = json!("final");
        same
    });
    project
        .run("review --agreement")
        .exits(0)
        .prints("of 2 that passed, 1 rejected; of 1 that did not pass, 0 accepted");

    let script = r#"print(human_agreement(load_checkpoint("data/assessments/checkpoint.jsonl"), load_rubric("config/rubric.yaml")).rows.len());"#;
    project.write("scripts/measure.rhai", script);
    project
        .run("run scripts/measure.rhai")
        .exits(0)
        .prints(&found["rows"].as_array().unwrap().len().to_string());

    // What is edited afterwards does not count any more, and is a case for another review.
    project.edit("data/raw/transcripts/good_2.json", "about 1 days", "about one day");
    project.run("review good_2 --accept").exits(0);
    assert_eq!(agreement(&project)["stale"], json!(1));
}

#[test]
fn wrong_arguments_are_told_and_nothing_is_written() {
    let project = judged(&["good_1"]);
    for (args, says) in [
        ("good_2 --accept", "did you mean `good_1`?"),
        ("good_1 good_2 --accept", "there is no verdict on `good_2`"),
        ("good_1 --accept --answer C33=NO", "the rubric has no criterion `C33`"),
        ("good_1 --accept --answer C3=MAYBE", "`MAYBE` is no answer to C3"),
        ("good_1 --accept --answer C3", "`C3` is no answer"),
        ("good_1 --accept --answer C3=NA", "NA is no valid answer to C3"),
        ("good_1 --note x", "a review needs a verdict"),
        ("--filter failed --criterion C33", "a review needs a terminal"),
        ("good_1 --accept --reject", "cannot be used with"),
        ("--json", "--agreement"),
    ] {
        project.run(&format!("review {args}")).exits(2).says(says);
    }
    assert!(!project.exists(HUMAN) || project.read(HUMAN).is_empty());
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    judged(&["good_1"]).run("review").exits(2).says("needs a terminal").says("fthost review ID --accept");
}

#[test]
fn a_damaged_line_is_named_by_all_who_read_it() {
    let project = judged(&["good_1", "good_2"]);
    let good = "{\"id\": \"good_1\", \"verdict\": \"reject\", \"colour\": \"red\"}\n";
    for (line, what) in [
        ("{\"id\": \"good_2\", \"verdict\": \"rejekt\"}\n", "unknown word `rejekt`"),
        (
            "{\"id\": \"good_2\", \"verdict\": \"reject\", \"verdict\": \"accept\"}\n",
            "there twice: `verdict`",
        ),
        ("{\"verdict\": \"reject\"}\n", "it has no `id`"),
        ("nonsense\n", "not a JSON object"),
    ] {
        let text = format!("{good}{line}{good}");
        project.write(HUMAN, &text);
        for command in ["run scripts/slice.rhai", "review --agreement", "review good_1 --accept"] {
            project.run(command).exits(2).says(&format!("{HUMAN}:2")).says(what);
        }
        assert_eq!(project.read(HUMAN), text, "nothing was changed");
    }
}

#[test]
fn a_torn_last_line_is_passed_over_by_readers_and_moved_aside_by_writers() {
    let project = judged(&["good_1", "good_2"]);
    let torn = "{\"id\": \"good_2\", \"verd";
    project.write(HUMAN, &format!("{{\"id\": \"good_1\", \"verdict\": \"reject\"}}\n{torn}"));
    project.run("run scripts/slice.rhai").exits(0).prints("rejected by a human");
    project.run("review good_2 --accept").exits(0).says("torn");
    assert_eq!(project.ids(HUMAN), ["good_1", "good_2"]);
    assert_eq!(project.read(&format!("{HUMAN}.torn")), format!("{torn}\n"));
}

/// What it says of its verdict is in doubt, and not trained on.
#[test]
fn a_torn_rejection_holds() {
    let project = judged(&["good_1", "good_2"]);
    let rejection = "{\"id\": \"good_1\", \"verdict\": \"reject\"}";
    project
        .write(HUMAN, &format!("{rejection}\n{}", "{\"id\":\"good_2\",\"verdict\":\"reject\",\"note\":\"b"));
    project.run("run scripts/slice.rhai").exits(0).prints("left out 2      rejected by a human");
    project.run("doctor").exits(1).prints("its last line is cut off");
}

#[test]
fn a_rejection_of_nobody_is_told() {
    let project = judged(&["good_1", "good_2"]);
    project.write(HUMAN, "{\"id\": \"good_3\", \"verdict\": \"reject\"}\n");
    project.run("run scripts/slice.rhai").exits(0).says("rejects `good_3` (did you mean `good_1`?)");
}

#[test]
fn it_is_no_job_and_is_not_mended_by_moving_lines() {
    let project = judged(&["good_1"]);
    project.run("review good_1 --reject").exits(0);
    assert!(!project.run("status").exits(0).out.contains("human.jsonl"));
    let text = format!("{}broken\n", project.read(HUMAN));
    project.write(HUMAN, &text);
    project.run("doctor --repair").exits(1).prints("line 2: it is not a JSON object");
    assert_eq!(project.read(HUMAN), text);
}
