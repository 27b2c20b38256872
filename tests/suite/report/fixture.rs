//! Projects with verdicts, written by hand: as the shipped scripts leave them, at any size.

use fthost::pipeline::rubric::Rubric;
use fthost::pipeline::score::score_assessment;
use fthost::pipeline::transcript::content_hash;
use serde_json::{Value, json};

use crate::support::TestProject;

pub const ASSESSED: &str = "data/assessments/checkpoint.jsonl";

/// What nobody may take for markup.
pub const HOSTILE: &str = "</script><script>alert(1)</script><!--\"><img src=x onerror=alert(2)><svg onload=alert(3)>'`${alert(4)}\u{2028}";

/// Draws numbers that are the same ones each time.
pub struct Draw(u64);

impl Draw {
    pub fn of(seed: u64) -> Draw {
        Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

const WORDS: &[&str] = &[
    "the", "grinder", "hums", "and", "stops", "water", "lukewarm", "order", "parcel", "late", "refund",
    "days", "please", "send", "label", "fine", "grind", "shot", "bitter", "sour", "warranty", "covers",
    "repair", "invoice", "account", "coffee", "beans", "machine", "pressure", "gauge", "below", "bar",
    "again", "thanks", "tomorrow", "carrier",
];

pub fn words(draw: &mut Draw, count: usize) -> String {
    let words: Vec<&str> = (0..count).map(|_| WORDS[draw.below(WORDS.len())]).collect();
    words.join(" ")
}

pub fn id(i: usize) -> String {
    format!("persona_{i:04}")
}

/// A conversation of so many turns. The one word that few of them have is `espresso`.
pub fn transcript(i: usize, turns: usize, length: usize) -> Value {
    let mut draw = Draw::of(i as u64 + 1);
    let style = ["terse", "plain", "chatty", "formal"][draw.below(4)];
    let topic = ["delivery", "brewing_help", "returns"][draw.below(3)];
    let exchanges: Vec<Value> = (0..turns)
        .map(|turn| {
            let rare = if i % 10 == 3 && turn == 1 { "ESPRESSO " } else { "" };
            let [user, assistant] = [length / 2, length].map(|most| {
                let count = most / 2 + draw.below(most.max(1));
                words(&mut draw, count)
            });
            json!({"user": format!("{rare}{user}?"), "assistant": format!("{assistant}.")})
        })
        .collect();
    let persona =
        json!({"id": id(i), "style": style, "topic": topic, "turns": turns, "flaws": [{"id": "typos"}]});
    json!({"id": id(i), "persona": persona, "exchanges": exchanges})
}

pub fn rubric(project: &TestProject) -> Rubric {
    Rubric::parse("config/rubric.yaml", &project.read("config/rubric.yaml")).unwrap()
}

/// What a judge says: NO to each criterion of `no`, with a reasoning that names a turn.
pub fn verdict(transcript: &Value, rubric: &Rubric, judge: &str, no: &[&str]) -> Value {
    let answer = |id: &str| match no.contains(&id) {
        true => json!({"answer": "NO", "reasoning": format!("Turn 2: {id} does not hold, says {judge}.")}),
        false => json!({"answer": "YES", "reasoning": format!("All is well with {id}, says {judge}.")}),
    };
    let output: serde_json::Map<_, _> =
        rubric.ids().into_iter().map(|id| (id.to_string(), answer(id))).collect();
    score_assessment(transcript, &json!(output), rubric, judge).unwrap()
}

/// The record of two judges, of whom the first is the stricter one.
pub fn record(verdicts: [Value; 2], disputed: &[&str], judged_at: &str) -> Value {
    let score = |i: usize| verdicts[i]["score"].as_f64().unwrap();
    let (spread, mut record) = ((score(1) - score(0)).abs(), verdicts[0].clone());
    record["spread"] = json!(spread);
    record["disagreement"] = json!(spread > 0.15 || verdicts[0]["pass"] != verdicts[1]["pass"]);
    record["disputed"] = json!(disputed);
    record["verdicts"] = json!(verdicts);
    record["judged_at"] = json!(judged_at);
    record
}

/// Two judges on a transcript: three in ten fail, one in ten is disputed.
pub fn judged(i: usize, transcript: &Value, rubric: &Rubric) -> Value {
    let no: &[&str] = match i % 10 {
        0 => &["C1"],
        1 => &["C3", "C4"],
        2 => &["C3", "C6", "C7"],
        3 => &["C6"],
        _ => &[],
    };
    let lenient = if i.is_multiple_of(10) { &[][..] } else { no };
    let verdicts =
        [verdict(transcript, rubric, "strict", no), verdict(transcript, rubric, "lenient", lenient)];
    let disputed = if i.is_multiple_of(10) { no } else { &[] };
    record(verdicts, disputed, &format!("2026-03-01T{:02}:{:02}:00Z", i / 60 % 24, i % 60))
}

/// A project of so many judged transcripts, with all that a report can show.
pub fn project(count: usize, turns: usize, length: usize) -> TestProject {
    let project = TestProject::shipped();
    let rubric = rubric(&project);
    let (mut records, mut made, mut manifest, mut human) = Default::default();
    let line = |to: &mut String, value: Value| to.push_str(&format!("{value}\n"));
    for i in 0..count {
        let transcript = transcript(i, turns, length);
        project.write(&format!("data/raw/transcripts/{}.json", id(i)), &format!("{transcript}\n"));
        let record = judged(i, &transcript, &rubric);
        line(&mut made, json!({"id": id(i), "_version": "00000001-00000002-00000003-00000004"}));
        if record["pass"] == true {
            line(
                &mut manifest,
                json!({"file": "training_data.jsonl", "line": i + 1, "transcript": id(i), "group": id(i), "first": 1, "last": turns, "tokens": turns * 90, "truncated": false}),
            );
        }
        if i % 5 == 3 {
            let hash = content_hash(&transcript);
            line(
                &mut human,
                json!({"id": id(i), "verdict": if i == 3 { "reject" } else { "accept" }, "answers": {"C6": "NO"}, "note": "Stock phrases.", "reviewer": "mara", "transcript_hash": hash, "rubric_hash": record["rubric_hash"]}),
            );
        }
        line(&mut records, record);
    }
    project.write(ASSESSED, &records);
    project.write("data/raw/generation_checkpoint.jsonl", &made);
    project.write("data/processed/manifest.jsonl", &manifest);
    project.write("data/assessments/human.jsonl", &human);
    let dimension = json!({"terse": {"asked": 0.25, "drawn": count / 4}, "plain": {"asked": 0.75, "drawn": count - count / 4}});
    let coverage = json!({"personas": count, "sampling": "quota", "dimensions": {"style": dimension}});
    project.write("data/raw/coverage.json", &coverage.to_string());
    let finding = json!({"kind": "repeated_phrase", "message": "a phrase that comes back", "count": 7, "share": 0.1, "ids": [id(3)], "examples": [{"id": id(3), "turn": 2, "text": "the phrase"}]});
    let gate = json!({"name": "repeated_phrase", "limit": 0.05, "value": 0.1, "pass": false});
    let audit = json!({"transcripts": count, "replies": count * turns, "pass": false, "gates": [gate], "findings": [finding], "phrases": []});
    project.write("data/audit/findings.json", &audit.to_string());
    project
}
