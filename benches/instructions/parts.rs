//! The parts that are counted: each is made ready, and gives what runs it once.

use std::hint::black_box;
use std::path::Path;

use fthost::pipeline::history::{HistoryOptions, format_history};
use fthost::pipeline::length::compute_length_stats;
use fthost::pipeline::rubric::Rubric;
use fthost::pipeline::score::score_assessment;
use fthost::pipeline::slices::{Bounds, SliceOptions, get_slice_points, slice_transcript};
use fthost::pipeline::template::{render, var};
use fthost::pipeline::tokens::{Encoding, count};
use fthost::pipeline::transcript::{Exchange, Transcript};
use fthost::store::Project;
use fthost::store::checkpoint::{Checkpoint, Mode};
use serde_json::{Map, Value, json};

use crate::Result;
use crate::corpus::Writer;

/// Exchanges of the chat that is worked on.
const EXCHANGES: usize = 25;

/// What runs a part once.
type Once = Box<dyn Fn() -> Result<()>>;

/// A part of the program.
pub struct Part {
    pub name: &'static str,
    /// How often it runs to be counted: the longer one takes, the fewer.
    pub times: usize,
    pub ready: fn() -> Result<Once>,
}

pub const PARTS: &[Part] = &[
    Part { name: "count 8 kB, cl100k_base", times: 10, ready: || counting(Encoding::Cl100kBase) },
    Part { name: "count 8 kB, o200k_base", times: 10, ready: || counting(Encoding::O200kBase) },
    Part { name: "slice 25 exchanges", times: 3, ready: slicing },
    Part { name: "slice points of 25 exchanges", times: 300, ready: points },
    Part { name: "score a verdict", times: 30, ready: scoring },
    Part { name: "length statistics of 25 exchanges", times: 30, ready: lengths },
    Part { name: "history of 25 exchanges", times: 300, ready: history },
    Part { name: "render user_sim.md", times: 30, ready: || rendering("user_sim") },
    Part { name: "render assistant.md", times: 30, ready: || rendering("assistant") },
    Part { name: "render assessor.md", times: 30, ready: || rendering("assessor") },
    Part { name: "index a checkpoint of 1,000 records", times: 10, ready: indexing },
];

fn chat() -> Vec<Exchange> {
    Writer::new(3).conversation(EXCHANGES)
}

/// The same, as the host passes it on.
fn pairs(chat: &[Exchange]) -> Vec<(&str, &str)> {
    chat.iter().map(|exchange| (exchange.user.as_str(), exchange.assistant.as_str())).collect()
}

fn transcript() -> Value {
    json!({"id": "chat_00003", "persona": {"id": "persona_0003"}, "exchanges": chat()})
}

fn counting(encoding: Encoding) -> Result<Once> {
    let mut text = format_history(&pairs(&chat()), &HistoryOptions::default());
    text.truncate(text.floor_char_boundary(8_000));
    Ok(Box::new(move || {
        black_box(count(black_box(&text), encoding));
        Ok(())
    }))
}

fn slicing() -> Result<Once> {
    let transcript = Transcript::from_value(&transcript())?;
    let options = SliceOptions::new(16_000);
    Ok(Box::new(move || {
        black_box(slice_transcript(black_box(&transcript), "Be kind.", &options)?);
        Ok(())
    }))
}

fn points() -> Result<Once> {
    Ok(Box::new(|| {
        black_box(get_slice_points(EXCHANGES, black_box("chat_00003"), &Bounds::default())?);
        Ok(())
    }))
}

fn scoring() -> Result<Once> {
    let rubric = Rubric::parse("config/rubric.yaml", include_str!("../../config/rubric.yaml"))?;
    let yes = |id: &str| (id.to_string(), json!({"reasoning": "Turn 3 says so.", "answer": "YES"}));
    let output = Value::Object(rubric.ids().into_iter().map(yes).collect::<Map<_, _>>());
    let transcript = transcript();
    Ok(Box::new(move || {
        black_box(score_assessment(black_box(&transcript), &output, &rubric, "judge")?);
        Ok(())
    }))
}

fn lengths() -> Result<Once> {
    let chat = chat();
    Ok(Box::new(move || {
        black_box(compute_length_stats(black_box(&chat)));
        Ok(())
    }))
}

fn history() -> Result<Once> {
    let chat = chat();
    Ok(Box::new(move || {
        black_box(format_history(black_box(&pairs(&chat)), &HistoryOptions::default()));
        Ok(())
    }))
}

/// A prompt of the shipped project, as late in a chat as it gets.
fn rendering(name: &'static str) -> Result<Once> {
    let prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prompts");
    let text = std::fs::read_to_string(prompts.join(format!("{name}.md")))?;
    let vars = var(&values());
    Ok(Box::new(move || {
        black_box(render(name, black_box(&text), &vars, &|_| Ok(None))?);
        Ok(())
    }))
}

/// What the scripts give to all three of them.
fn values() -> Value {
    let history = format_history(&pairs(&chat()), &HistoryOptions::default());
    let persona = json!({
        "name": "Ada", "style": "terse", "style_description": "Few words.", "word_limit": 40, "experience": "expert",
        "experience_description": "Knows machines.", "product": "Lira Duo", "order_number": "BH-10001",
        "postcode": "04109", "topic": "repair", "situation": "It leaks.", "problem": "A gasket.", "goal": "A new one.",
        "edge_case": "none", "edge_behaviour": "",
    });
    json!({
        "persona": persona, "turn": 20, "turns": EXCHANGES, "phase": "late", "guidance": "Come to an end.",
        "flaws": [{"id": "typos", "instruction": "Swap two letters."}], "history": history,
        "user_message": "And when will it be here? Can I pay later?", "words": 9, "questions": 2,
        "openings": ["I am sorry to", "Thank you for the"], "anti_patterns": [], "transcript": history, "instructions": "Be kind.",
        "length_stats": compute_length_stats(&chat()), "criteria": "C1: Is it true?", "ids": ["C1", "C2"],
    })
}

/// The whole of a small file: what opening it costs is spread over its records.
fn indexing() -> Result<Once> {
    let dir = tempfile::tempdir()?;
    let line =
        |n| format!("{{\"id\":\"item_{n:07}\",\"n\":{n},\"_version\":\"{n:08x}-5a839632-32eb9f4a-0\"}}\n");
    std::fs::write(dir.path().join("c.jsonl"), (0..1000).map(line).collect::<String>())?;
    let project = Project::open(dir.path())?;
    Ok(Box::new(move || {
        let _kept = &dir;
        black_box(Checkpoint::open(&project, "c.jsonl", Mode::Read)?.checkpoint.len());
        Ok(())
    }))
}
