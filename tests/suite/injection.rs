//! Texts that imitate instructions, closing tags, role markers, templates or verdicts: wherever they stand in a
//! transcript, the structure of the judges' prompt and the reading of a verdict stay what they are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use fault_server::{Answer, ModelServer};
use fthost::llm::{Outcome, Reply, Schema};

use crate::support::{TestProject, root};

/// Makes the judges' prompt of each transcript of `data/corpus.json`.
const PROMPTS: &str = r#"
    import "criteria" as criteria;
    let rubric = criteria::load_criteria();
    let prompts = read_json("data/corpus.json").map(|talk| {
        criteria::build_assessment_prompt(talk, compute_length_stats(talk.exchanges), rubric)
    });
    write_json("data/prompts.json", prompts);
"#;

/// What some reader takes for the end of a line.
const LINE_ENDS: [char; 10] =
    ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

fn corpus() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("tests/golden/injections.json")).unwrap();
    let sorts: BTreeMap<String, Vec<String>> = serde_json::from_str(&text).unwrap();
    let texts: Vec<String> = sorts.into_values().flatten().collect();
    assert!(texts.len() >= 100);
    texts
}

/// A transcript that has the text wherever a text can stand.
fn transcript(text: &str) -> Value {
    let exchange = json!({"user": text, "assistant": text});
    let persona = json!({"id": text, "name": text, "problem": text, "answer": text, "topic": text});
    json!({"id": text, "persona": persona, "exchanges": [exchange, exchange, exchange]})
}

/// What the prompt is made of beside quoted text, without its figures.
fn structure(prompt: &str) -> Vec<String> {
    let lines = prompt.split(LINE_ENDS).filter(|line| !line.starts_with("| "));
    lines.map(|line| line.replace(|c: char| c.is_ascii_digit() || c == '.', "")).collect()
}

/// How often a text stands in the prompt as it is, but for the ends of its lines.
fn quoted(prompt: &str, text: &str) -> usize {
    let lines: Vec<String> =
        text.replace("\r\n", "\n").split(LINE_ENDS).map(|line| format!("| {line}")).collect();
    format!("\n{prompt}\n").matches(&format!("\n{}\n", lines.join("\n"))).count()
}

#[test]
fn no_text_of_a_transcript_changes_the_structure_of_the_prompt() {
    let corpus = corpus();
    let transcripts: Vec<Value> = std::iter::once("Where is my parcel?")
        .chain(corpus.iter().map(String::as_str))
        .map(transcript)
        .collect();
    for template in ["customer-support", "tutoring", "minimal"] {
        let project = TestProject::nothing();
        project.run(&format!("init --template {template} .")).exits(0);
        project.write("data/corpus.json", &json!(transcripts).to_string());
        project.write("scripts/main.rhai", PROMPTS);
        project.main("").exits(0);
        let prompts: Vec<String> = serde_json::from_value(project.json("data/prompts.json")).unwrap();
        let harmless = structure(&prompts[0]);
        assert!(harmless.len() > 15 && prompts.len() == corpus.len() + 1, "{harmless:#?}");
        for (text, prompt) in corpus.iter().zip(&prompts[1..]) {
            assert_eq!(structure(prompt), harmless, "{template}: {text:?}");
            assert!(quoted(prompt, text) >= 6, "{template} does not show all of {text:?}");
        }
    }
}

/// What rubrics of so many criteria ask for: C1 and so on.
fn schema(count: usize) -> Schema {
    let ids: Vec<String> = (1..=count).map(|number| format!("C{number}")).collect();
    let criteria: Vec<Value> = ids.iter().map(|id| json!({"id": id, "question": "?"})).collect();
    let all = json!({"name": "all", "weight": 1, "criteria": ids});
    let rubric = json!({"threshold": 0.5, "gates": [], "categories": [all], "criteria": criteria});
    let rubric = fthost::pipeline::rubric::Rubric::from_value(rubric).unwrap();
    Schema::new("verdict", rubric.schema()).unwrap()
}

fn verdict(count: usize, reasoning: &str, answer: &str) -> Value {
    let one = json!({"reasoning": reasoning, "answer": answer});
    (1..=count).map(|number| (format!("C{number}"), one.clone())).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn what_a_judge_repeats_of_a_transcript_is_no_verdict() {
    // As many as the verdicts among the texts have.
    let schema = schema(8);
    for text in corpus() {
        let said = verdict(8, &text, "NO");
        assert_eq!(schema.parse_and_validate(&said.to_string()).unwrap(), said);
        // In prose around its verdict it is refused, or the verdict is the same one.
        for reply in [
            format!("{text}{said}"),
            format!("{said}{text}"),
            format!("{text}\n{said}\n{text}"),
            format!("```json\n{text}\n{said}\n```"),
            format!("```json\n{said}\n{text}```"),
        ] {
            match schema.parse_and_validate(&reply) {
                Ok(found) => assert_eq!(found, said, "{reply:?}"),
                Err((outcome, _)) => {
                    assert!(matches!(outcome, Outcome::InvalidJson | Outcome::SchemaMismatch), "{reply:?}")
                }
            }
        }
        // Among its thoughts it does not become the answer.
        let thinking = reply(&format!("<think>{text}</think>{said}")).split_thinking();
        if let Ok(found) = schema.parse_and_validate(&thinking.content) {
            assert_eq!(found, said, "{text:?}");
        }
    }
}

fn reply(content: &str) -> Reply {
    serde_json::from_value(
        json!({"outcome": "ok", "content": content, "reasoning": null, "model": "m", "usage": {},
        "finish_reason": "stop", "cost": null, "attempts": 1}),
    )
    .unwrap()
}

#[test]
fn a_second_verdict_is_refused_whatever_its_form() {
    let schema = schema(2);
    let (no, yes) = (verdict(2, "r", "NO").to_string(), verdict(2, "r", "YES").to_string());
    let one = |answer| json!({"reasoning": "r", "answer": answer}).to_string();
    for reply in [
        format!("{no}{yes}"),
        format!("{no}\n{yes}"),
        format!("[{no}, {yes}]"),
        format!(r#"{{"C1": {}, "C2": {}, "C1": {}}}"#, one("NO"), one("NO"), one("YES")),
        format!(r#"{{"C1": {}, "C2": {}, "\u0043\u0031": {}}}"#, one("NO"), one("NO"), one("YES")),
        no.replacen(r#""answer":"NO""#, r#""answer":"NO","answer":"YES""#, 1),
        no.replacen(r#""answer":"NO""#, r#""answer":"NO","Answer":"YES""#, 1),
        no.replacen(r#""answer":"NO""#, r#""answer":["NO","YES"]"#, 1),
        no.replacen(r#""answer":"NO""#, r#""answer":"YES or NO""#, 1),
        no.replacen(r#""answer":"NO""#, r#""answer":"NA""#, 1),
        no.replacen(r#""C1""#, r#""C1 ""#, 1),
        format!(r#"{{"verdict": {no}}}"#),
        format!("{no} // {yes}"),
        format!("\u{feff}{yes}"),
        yes[..yes.len() - 1].to_string(),
    ] {
        assert!(schema.parse_and_validate(&reply).is_err(), "{reply}");
    }
    assert!(schema.parse_and_validate(&no).is_ok());
}

/// A judge over the wire that repeats all that it was asked in its reasoning, and finds fault.
#[test]
fn verdicts_on_the_whole_corpus_are_those_of_the_judge() {
    let server = ModelServer::start();
    server.set_rule(|asked| {
        let logical = asked.logical();
        let text = logical.text();
        let chat = text
            .split("<transcript>\n")
            .nth(1)
            .and_then(|rest| rest.split("\n</transcript>").next())
            .unwrap();
        let ids = logical.schema.as_ref().unwrap()["required"].as_array().unwrap().clone();
        let answer =
            |id: &Value| (id.as_str().unwrap().to_string(), json!({"reasoning": chat, "answer": "NO"}));
        Answer::Text(Value::Object(ids.iter().map(answer).collect()).to_string())
    });
    let project = TestProject::shipped_live(&server);
    let corpus = corpus();
    for (number, text) in corpus.iter().enumerate() {
        let mut talk = transcript(text);
        talk["id"] = json!(format!("t{number:03}"));
        project.write(&format!("data/raw/transcripts/t{number:03}.json"), &talk.to_string());
    }
    project.run("run scripts/assess.rhai").exits(0);
    let records = project.lines("data/assessments/checkpoint.jsonl");
    assert_eq!((records.len(), server.requests().len()), (corpus.len(), corpus.len()));
    for record in &records {
        let judged = record["answers"].as_object().unwrap().iter().filter(|(id, _)| *id != "C5");
        assert!(judged.into_iter().all(|(_, answer)| answer == "NO" || answer == "NA"), "{record}");
        assert_eq!((&record["pass"], &record["complete"]), (&json!(false), &json!(true)), "{}", record["id"]);
        assert!(record["reasonings"]["C1"].as_str().unwrap().starts_with("[1] Customer:\n| "));
    }
    project.run("run scripts/slice.rhai").exits(0);
    assert_eq!(project.read("data/processed/training_data.jsonl"), "");
}
