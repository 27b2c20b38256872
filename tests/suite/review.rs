//! `fthost review`: at a real terminal, by arguments, and what comes of it.

mod arguments;
mod screen;

use serde_json::{Value, json};

use crate::support::TestProject;

/// Where humans say what they think.
pub const HUMAN: &str = "data/assessments/human.jsonl";

const ASSESSMENTS: &str = "data/assessments/checkpoint.jsonl";

/// A project with these transcripts of three turns, judged by two judges: `strict` says NO to C3 in all whose id begins
/// with `bad`, `mild` never does. C3 is no gate: all pass but those of that sort.
pub fn judged(ids: &[&str]) -> TestProject {
    let project = TestProject::shipped();
    let rubric = fthost::pipeline::rubric::Rubric::parse("r", &project.read("config/rubric.yaml")).unwrap();
    let mut records = String::new();
    for id in ids {
        let transcript = transcript(id);
        project.write(&format!("data/raw/transcripts/{id}.json"), &transcript.to_string());
        records += &record(&transcript, &rubric).to_string();
        records.push('\n');
    }
    project.write(ASSESSMENTS, &records);
    project
}

fn transcript(id: &str) -> Value {
    let turn = |n: usize| {
        let user = format!("question {n} of {id}: how long does it take?");
        json!({"user": user, "assistant": format!("answer {n}: it takes about {n} days")})
    };
    json!({"id": id, "persona": {"id": id}, "exchanges": [turn(1), turn(2), turn(3)]})
}

fn record(transcript: &Value, rubric: &fthost::pipeline::rubric::Rubric) -> Value {
    use fthost::pipeline::{jury::strictest, score::score_assessment};
    let bad = transcript["id"].as_str().unwrap().starts_with("bad");
    let output = |strict: bool| {
        let answer = |id: &str| match (id, strict && bad) {
            ("C3", true) => {
                json!({"answer": "NO", "reasoning": "In turn 2 the question is dodged: \"it takes about 2 days\"."})
            }
            ("C4", true) => json!({"answer": "NO", "reasoning": "No next step."}),
            ("C7", _) => json!({"answer": "NA", "reasoning": "Nobody is annoyed."}),
            _ => json!({"answer": "YES", "reasoning": format!("{id} holds.")}),
        };
        let ids = rubric.ids().into_iter().map(|id| (id.to_string(), answer(id)));
        Value::Object(ids.collect())
    };
    let judge = |name, strict| score_assessment(transcript, &output(strict), rubric, name).unwrap();
    strictest(&[judge("strict", true), judge("mild", false)]).unwrap()
}
