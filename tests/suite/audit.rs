//! The audit through the binary: faults that were planted are found with their ids, gates fail, and what is adopted
//! reaches the prompts without any paid work being lost.

use fthost::pipeline::audit::GATES;
use serde_json::{Value, json};

use crate::support::{TestProject, root};

const AUDIT: &str = "run scripts/audit.rhai";
const FINDINGS: &str = "data/audit/findings.json";
const ADOPTED: &str = "data/audit/anti_patterns.json";
const PHRASE: &str = "I will gladly look into that for you";

/// A sentence that no other number gives.
fn sentence(number: usize, words: usize) -> String {
    const WORDS: [&str; 32] = [
        "pump", "valve", "filter", "basket", "grinder", "steam", "water", "label", "parcel", "morning",
        "lever", "gasket", "boiler", "spout", "handle", "tray", "copper", "winter", "signal", "carpet",
        "window", "garden", "bottle", "pepper", "silver", "ticket", "bridge", "candle", "ladder", "mirror",
        "needle", "orange",
    ];
    let mut state = number as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        WORDS[(state >> 59) as usize]
    };
    next();
    (0..words).map(|_| next()).collect::<Vec<_>>().join(" ")
}

fn transcript(i: usize) -> Value {
    let turn = |turn: usize| {
        let number = 8 * i + turn;
        let sentences = (0..1 + number.count_ones() % 4)
            .map(|part| sentence(10 * number + part as usize + 10_000, 6) + ".");
        json!({"user": sentence(number, 14) + "?", "assistant": sentences.collect::<Vec<_>>().join(" ")})
    };
    json!({"id": format!("t{i:02}"), "persona": {"id": format!("p{i}"), "word_limit": 20}, "exchanges": (0..8).map(turn).collect::<Vec<_>>()})
}

/// The shipped project with 40 transcripts, after changes to some.
fn project(change: impl Fn(usize, &mut Value)) -> TestProject {
    let project = TestProject::shipped();
    for i in 0..40 {
        let mut transcript = transcript(i);
        change(i, &mut transcript);
        project.write(&format!("data/raw/transcripts/t{i:02}.json"), &transcript.to_string());
    }
    project
}

fn planted(i: usize, transcript: &mut Value) {
    let reply = |transcript: &mut Value, turn: usize, text: &str| {
        transcript["exchanges"][turn]["assistant"] = text.into()
    };
    if i < 14 {
        reply(transcript, 2, &format!("{PHRASE}. {}.", sentence(i + 30_000, 6)));
    }
    match i {
        20 => reply(transcript, 4, "As an AI language model, I have no taste."),
        21 => transcript["exchanges"][3]["user"] = "How can I help you today?".into(),
        22 => reply(transcript, 1, "Dear {{ customer_name }}, the parcel is on its way."),
        23 => *transcript = json!({"id": "t23", "exchanges": self::transcript(24)["exchanges"]}),
        25 => reply(transcript, 5, "I'm sorry, but I can't do that."),
        26 => reply(transcript, 6, "\u{8bf7}\u{7a0d}\u{7b49}\u{7247}\u{523b}\u{3002}"),
        _ => {}
    }
}

/// The first ids of the findings by their kinds.
fn found(findings: &Value) -> Vec<(String, String)> {
    let findings = findings["findings"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    findings.iter().map(|finding| (text(&finding["kind"]), text(&finding["ids"][0]))).collect()
}

#[test]
fn planted_faults_are_found_and_gates_fail() {
    let project = project(planted);
    project.write("data/raw/transcripts/t30.json", "{\"id\": \"t30\"");
    let ran = project.run(AUDIT).exits(0);
    let findings = project.json(FINDINGS);
    for (kind, id) in [
        ("unreadable", "data/raw/transcripts/t30.json"),
        ("repeated_phrase", "t00"),
        ("model_talk", "t20"),
        ("swapped_roles", "t21"),
        ("leftovers", "t22"),
        ("duplicate_transcripts", "t24"),
        ("refusals", "t25"),
        ("script", "t26"),
    ] {
        assert!(found(&findings).contains(&(kind.into(), id.into())), "{kind}: {:?}", found(&findings));
    }
    assert_eq!(
        (&findings["transcripts"], &findings["replies"], &findings["pass"]),
        (&json!(39), &json!(312), &json!(false))
    );
    let phrase =
        findings["findings"].as_array().unwrap().iter().find(|one| one["kind"] == "repeated_phrase").unwrap();
    assert_eq!(
        phrase["message"],
        format!("\"{PHRASE}\" stands in 14 of 312 replies (4.5 %), in 14 of 39 transcripts (36 %)")
    );
    assert_eq!((&phrase["examples"][0]["turn"], phrase["ids"].as_array().unwrap().len()), (&json!(3), 14));
    let ran = ran
        .prints("AUDIT  39 transcripts, 312 replies: 7 of 30 gates fail")
        .says("the file ends in the middle");
    let ran = ran.prints("t20 turn 5: As an AI language model, I have no taste.").prints(PHRASE);
    assert!(
        ran.out.find("role_leaks").unwrap() < ran.out.find("phrase_transcripts").unwrap(),
        "the worst first: {}",
        ran.out
    );
    // Again, whatever the threads did: the same.
    project.run(AUDIT).exits(0);
    assert_eq!(project.json(FINDINGS), findings);
}

#[test]
fn clean_data_pass_and_a_failed_gate_can_be_an_error() {
    let clean = project(|_, _| {});
    clean
        .run("run scripts/audit.rhai -s strict=true")
        .exits(0)
        .prints("40 transcripts, 320 replies: all gates pass");
    assert_eq!(clean.json(FINDINGS)["findings"], json!([]));
    let project = project(planted);
    project
        .run("run scripts/audit.rhai -s strict=true")
        .exits(2)
        .says("the audit fails")
        .prints("gates fail");
    project.edit("scripts/audit.rhai", "GATES = #{}", "GATES = #{phrase_shares: 0.2}");
    project.run(AUDIT).exits(2).says("no gate `phrase_shares`").says("did you mean `phrase_share`?");
    project.edit("scripts/audit.rhai", "system: ", "sistem: \"\", system: ");
    project.run(AUDIT).exits(2).says("no option `sistem`");
}

#[test]
fn nothing_and_one_transcript() {
    let empty = TestProject::shipped();
    empty
        .run(AUDIT)
        .exits(0)
        .prints("0 transcripts, 0 replies: nothing to audit")
        .prints("run scripts/generate.rhai first");
    empty.run("run scripts/audit.rhai -s strict=true").exits(2);
    empty.write(
        "data/raw/transcripts/a.json",
        r#"{"id": "a", "exchanges": [["", ""], ["\u00dcber \ud83d\ude00", ""]]}"#,
    );
    empty.run(AUDIT).exits(0).prints("1 transcript, 2 replies: all gates pass");
    // Only what may be trained on.
    empty.run("run scripts/audit.rhai -s of=passing").exits(0).prints("0 transcripts");
    empty.run("run scripts/audit.rhai -s of=some").exits(2).says("of=passing");
}

const GENERATE: &str = "run scripts/generate.rhai -s personas=3 -s turns=3";

#[test]
fn adopted_phrases_reach_the_prompts_and_nothing_is_redone_by_itself() {
    let project = project(planted);
    project.run(GENERATE).exits(0).prints("new 3");
    project.run(AUDIT).exits(0);
    assert!(!project.exists(ADOPTED), "an audit alone changes no prompt");
    project.run(GENERATE).exits(0).prints("nothing to do");
    project.run("run scripts/audit.rhai -s adopt=true").exits(0).prints("prompts warn of");
    let adopted = project.json(ADOPTED);
    assert!(adopted.as_array().unwrap().contains(&json!(PHRASE)), "{adopted}");
    let before = project.files("data/raw");
    project.run(GENERATE).exits(0).prints("stale 3 (version changed)");
    assert!(project.files("data/raw") == before, "conversations are kept");
    let ran = project.run_args(&[
        "eval",
        r#"import "prompts" as prompts; prompts::build_assistant_prompt([], "Hi")[0].content"#,
    ]);
    ran.exits(0).prints("Use none of them").prints(&format!("  - {PHRASE}"));
    // A second time adds only what is new.
    project.run("run scripts/audit.rhai -s adopt=true").exits(0);
    assert_eq!(project.json(ADOPTED), adopted);
    project.write(ADOPTED, "{}");
    project.run(GENERATE).exits(2).says("must be an array of texts");
}

#[test]
fn nothing_is_adopted_while_conversations_are_unfinished() {
    let project = project(planted);
    // The first conversation fails at its second turn: what it was told is kept.
    project.edit(
        "scripts/generate.rhai",
        "        let reply",
        "        if turn == 2 { throw \"oh\"; }\n        let reply",
    );
    project.run(GENERATE).exits(1);
    let ran = project.run("run scripts/audit.rhai -s adopt=true").exits(2);
    ran.says("not complete").says("Nothing was adopted");
    assert!(!project.exists(ADOPTED));
    project.run("run scripts/audit.rhai -s adopt=true -s force=true").exits(0).prints("prompts warn of");
}

#[test]
fn the_document_has_every_gate_with_its_limit() {
    let document = std::fs::read_to_string(root().join("docs/audit.md")).unwrap();
    let rows: Vec<(String, f64, String)> = document
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let name = cells.first()?.strip_prefix("| `")?.strip_suffix('`')?;
            Some((name.into(), cells.get(1)?.parse().ok()?, cells.get(2)?.to_string()))
        })
        .collect();
    let known = GATES.iter().map(|gate| (gate.name.to_string(), gate.limit, gate.about.to_string()));
    assert_eq!(rows, known.collect::<Vec<_>>());
}
