//! Several judges over the wire: what an edit asks again, and what policies make of the answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use fault_server::{Answer, ModelServer, Received};

use crate::support::{Ran, TestProject};

const RUBRIC: &str = "config/rubric.yaml";
const CONFIG: &str = "config/fthost.yaml";
const ASSESSMENT: &str = "data/assessments/checkpoint.jsonl";

/// Transcripts `a` and `b` of four exchanges, and judges of these names, all of whom are asked all eight criteria.
fn project(server: &ModelServer, judges: &[&str]) -> TestProject {
    let project = TestProject::shipped();
    project.edit("scripts/criteria.rhai", "[\"C5\"]", "[]");
    project.edit("scripts/criteria.rhai", "#{C5: in_proportion(transcript.exchanges)}", "#{}");
    judged_by(&project, server, judges);
    ["a", "b"].iter().for_each(|id| write(&project, id, 4));
    project
}

fn judged_by(project: &TestProject, server: &ModelServer, judges: &[&str]) {
    let backend = |name: &&str| {
        format!(
            "  {name}: {{kind: openai-chat, model: {name}, base_url: \"{}\", api_key_env: null}}\n",
            server.url()
        )
    };
    let backends: String = ["one", "two", "three"].iter().map(backend).collect();
    let roles = format!("roles: {{user_sim: one, assistant: one, judges: [{}]}}\n", judges.join(", "));
    project.write(CONFIG, &format!("backends:\n{backends}{roles}"));
}

fn write(project: &TestProject, id: &str, turns: usize) {
    let exchange = json!({"user": format!("How much is it, {id}?"), "assistant": "It is 449 dollars."});
    let talk = json!({"id": id, "persona": {"id": id}, "exchanges": vec![exchange; turns]});
    project.write(&format!("data/raw/transcripts/{id}.json"), &talk.to_string());
}

fn assess(project: &TestProject, more: &str) -> Ran {
    project.run(&format!("run scripts/assess.rhai {more}")).exits(0)
}

/// What was asked since the last look: the judge, and the criterion of a prompt that has only one.
fn asked(server: &ModelServer, before: &mut usize) -> Vec<(String, String)> {
    let requests = server.requests();
    let new = requests[*before..].iter().map(|request| {
        let logical = request.logical();
        let ids: Vec<&str> = logical.schema.as_ref().unwrap()["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap())
            .collect();
        let text = logical.text();
        let headings: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("## ")?.split(':').next()).collect();
        assert_eq!(headings, ids, "what is asked stands in the prompt, and nothing else");
        (model_of(request), ids.join(" "))
    });
    let new: Vec<(String, String)> = new.collect();
    *before = requests.len();
    new
}

fn model_of(request: &Received) -> String {
    request.logical().model
}

/// Puts the criterion C8, the last one, before the others.
fn move_last_first(project: &TestProject) {
    let text = project.read(RUBRIC);
    let (head, last) = text.split_at(text.find("  - id: C8").unwrap());
    project.write(RUBRIC, &head.replace("criteria:\n  - id: C1", &format!("criteria:\n{last}\n  - id: C1")));
}

#[test]
fn with_a_call_for_each_criterion_an_edit_asks_again_what_it_changes() {
    let server = ModelServer::start();
    let project = project(&server, &["one", "two"]);
    let calls = |more: &str| assess(&project, &format!("-s calls=criterion --redo stale {more}"));
    let mut seen = 0;
    calls("");
    assert_eq!(asked(&server, &mut seen).len(), 2 * 2 * 8);

    project.edit(RUBRIC, "Go through the question marks", "Go through all question marks");
    calls("").prints("new 2,");
    let again = asked(&server, &mut seen);
    assert_eq!(again.len(), 2 * 2);
    assert_eq!(
        again.into_iter().collect::<BTreeSet<_>>(),
        ["one", "two"].map(|judge| (judge.to_string(), "C3".to_string())).into()
    );

    // A comment, another order of keys, another label: not even the verdicts are made anew.
    project.edit(
        RUBRIC,
        "  - id: C3\n    name: answers\n",
        "  # The third.\n  - name: questions\n    id: C3\n",
    );
    project.edit(
        RUBRIC,
        "    na_valid: false\n    min_turns: 2\n",
        "    min_turns: 2\n    na_valid: false\n",
    );
    calls("").prints("nothing to do");
    assert_eq!(asked(&server, &mut seen), []);

    // What makes them anew without a question.
    move_last_first(&project);
    calls("").prints("new 2,");
    project.edit(RUBRIC, "threshold: 0.8", "threshold: 0.7");
    calls("").prints("new 2,");
    project.edit(RUBRIC, "min_turns: 3", "min_turns: 5");
    calls("").prints("new 2,");
    calls("-s policy=majority").prints("new 2,");
    judged_by(&project, &server, &["two", "one"]);
    calls("-s policy=majority");
    assert_eq!(asked(&server, &mut seen), []);
    let records = project.lines(ASSESSMENT);
    let last = records.last().unwrap();
    assert_eq!((&last["policy"], &last["answers"]["C4"]), (&json!("majority"), &json!("NA")));
    assert!(last["judged_at"].as_str().unwrap().ends_with('Z'));

    // A judge in front of the others is the only one to be asked. C4 is not asked any more.
    judged_by(&project, &server, &["three", "two", "one"]);
    calls("-s policy=majority").prints("new 2,");
    let by_three = asked(&server, &mut seen);
    assert_eq!(by_three.len(), 2 * 7);
    assert!(by_three.iter().all(|(judge, criterion)| judge == "three" && criterion != "C4"), "{by_three:?}");
}

#[test]
fn with_a_call_for_each_judge_another_judge_asks_the_others_nothing() {
    let server = ModelServer::start();
    let project = project(&server, &["one"]);
    let mut seen = 0;
    assess(&project, "");
    assert_eq!(asked(&server, &mut seen).len(), 2);
    judged_by(&project, &server, &["two", "one"]);
    assess(&project, "--redo stale");
    assert!(
        matches!(&asked(&server, &mut seen)[..], [(a, ids), (b, _)] if a == "two" && b == "two" && ids.len() == 23)
    );
    // Two judges of one backend are two judges.
    judged_by(&project, &server, &["two", "one", "{backend: one, temperature: 1.0}"]);
    assess(&project, "--redo stale");
    assert!(matches!(&asked(&server, &mut seen)[..], [(a, _), (b, _)] if a == "one" && b == "one"));
    let record = project.lines(ASSESSMENT).pop().unwrap();
    let judges: Vec<&str> = record["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|verdict| verdict["judge"].as_str().unwrap())
        .collect();
    assert_eq!(judges, ["two", "one", "one #2"]);
}

/// Judge `two` says NO to C2 and C3, `three` to C3 and C7.
fn strict_judges(asked: &Received) -> Answer {
    let against: &[&str] = match model_of(asked).as_str() {
        "two" => &["C2", "C3"],
        "three" => &["C3", "C7"],
        _ => &[],
    };
    let ids = asked.logical().schema.as_ref().unwrap()["required"].as_array().unwrap().clone();
    let answer = |id: &Value| {
        let word = if against.contains(&id.as_str().unwrap()) { "NO" } else { "YES" };
        (id.as_str().unwrap().to_string(), json!({"reasoning": model_of(asked), "answer": word}))
    };
    Answer::Text(Value::Object(ids.iter().map(answer).collect()).to_string())
}

#[test]
fn a_policy_is_changed_without_a_call_and_the_judges_are_compared() {
    let server = ModelServer::start();
    server.set_rule(strict_judges);
    let project = project(&server, &["one", "two", "three"]);
    let verdict = |policy: &str| {
        assess(&project, &format!("-s policy={policy} --redo stale"));
        let record = project.lines(ASSESSMENT).pop().unwrap();
        assert_eq!((&record["policy"], &record["disputed"]), (&json!(policy), &json!(["C2", "C3", "C7"])));
        assert_eq!(server.totals().calls, 2 * 3);
        record["failed_checks"].clone()
    };
    assert_eq!(verdict("strictest"), json!(["C2", "C3"]));
    assert_eq!(verdict("majority"), json!(["C3"]));
    assert_eq!(verdict("unanimous"), json!(["C2", "C3", "C7"]));
    let ran = assess(&project, "-s policy=unanimous");
    ran.prints("judges agree: C2 33 % (alpha ").prints("the lenient judge is one: ");
    let ran = project.run("run scripts/assess.rhai -s policy=mildest").exits(2);
    ran.says("the setting policy is \"mildest\"");
    assert_eq!(server.totals().calls, 2 * 3);
}

#[test]
fn too_short_a_transcript_costs_nothing_and_is_not_trained_on() {
    let server = ModelServer::start();
    let project = project(&server, &["one", "two"]);
    write(&project, "b", 1);
    let ran = assess(&project, "");
    assert!(ran.out.contains("passed 1 of 1") && ran.out.contains("too short 1: below"), "{}", ran.out);
    assert_eq!(server.totals().calls, 2);
    let records = project.lines(ASSESSMENT);
    let short = records.iter().find(|record| record["id"] == "b").unwrap();
    assert_eq!(
        (&short["status"], &short["turns"], short.get("score")),
        (&json!("TOO_SHORT"), &json!(1), None)
    );
    let ran = project.run("run scripts/slice.rhai -s validation=0.0").exits(0);
    assert!(ran.out.contains("from 1 passing transcript"), "{}", ran.out);
    ran.prints("1      too short to be judged");
    // A lower bar makes the verdict stale; then it is judged.
    project.edit(RUBRIC, "\nmin_turns: 2\n", "\nmin_turns: 1\n");
    assess(&project, "--redo stale").prints("passed 2 of 2");
    assert_eq!(server.totals().calls, 4, "and nothing of the other one is asked again but what b has");
}

#[test]
fn keys_tell_elements_apart_or_nothing_is_asked() {
    let server = ModelServer::start();
    let script = r#"
        let model = get_backend("assistant");
        process([#{id: "a"}], #{checkpoint: "data/c.jsonl"}, |item| {
            let said = parallel_map(["x", "y"], #{key: KEY}, |text| model.complete(text).content);
            #{id: item.id, said: said}
        });
    "#;
    let fails = |key: &str, message: &str| {
        let project = TestProject::live(&server, &script.replace("KEY", key));
        project.main("").exits(1);
        let failed = project.lines("data/c.failed.jsonl").pop().unwrap();
        assert!(failed["message"].as_str().unwrap().contains(message), "{failed}");
        assert!(server.requests().is_empty());
    };
    fails("|text| \"same\"", "two elements have the key `same`");
    fails("|text| text.len()", "`key` of `parallel_map` must give a string, not int");
    fails("|text| model.complete(text).content", "`key` may not ask a model");
    let project = TestProject::live(&server, &script.replace("KEY", "\"text\""));
    project.main("").exits(2).says("option `key` of `parallel_map` must be a closure");

    let project = TestProject::live(&server, &script.replace("KEY", "|text| text"));
    project.main("").exits(0);
    project.edit("scripts/main.rhai", "[\"x\", \"y\"]", "[\"z\", \"y\", \"x\"]");
    project.main("--redo stale").exits(0);
    assert_eq!(server.totals().calls, 3);
    let branches = project.ledger("SELECT branch FROM replies ORDER BY branch");
    assert_eq!(json!(branches), json!([{"branch": "x"}, {"branch": "y"}, {"branch": "z"}]));
}
