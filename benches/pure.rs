//! What the core does without a model: counting, cutting, scoring. Run `cargo bench --bench pure`.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fthost::pipeline::rubric::Rubric;
use fthost::pipeline::score::score_assessment;
use fthost::pipeline::slices::{Bounds, SliceOptions, get_slice_points, slice_transcript};
use fthost::pipeline::tokens::{Encoding, count};
use fthost::pipeline::transcript::Transcript;
use serde_json::{Map, Value, json};

const TURNS: usize = 40;
const SENTENCE: &str = "Turn the dial two steps finer, keep 18 g in the basket, and time the next shot. ";

fn cl100k() -> Encoding {
    Encoding::named("cl100k_base").unwrap()
}

/// A long conversation, as a judge's script sees it.
fn conversation() -> Value {
    let turn = |i: usize| json!({"user": format!("{i}: {SENTENCE}"), "assistant": SENTENCE.repeat(4)});
    json!({"id": "persona_0001", "persona": null, "exchanges": (0..TURNS).map(turn).collect::<Vec<_>>()})
}

fn rubric() -> Rubric {
    Rubric::parse("config/rubric.yaml", include_str!("../config/rubric.yaml")).unwrap()
}

fn counting(bench: &mut Criterion) {
    let text = SENTENCE.repeat(100);
    bench.bench_function("count_tokens, 8 kB", |b| b.iter(|| count(black_box(&text), cl100k())));
}

fn cutting(bench: &mut Criterion) {
    bench.bench_function("get_slice_points, 1000 turns", |b| {
        b.iter(|| get_slice_points(1000, black_box("persona_0001"), &Bounds::default()));
    });
    let transcript = Transcript::from_value(&conversation()).unwrap();
    let options = SliceOptions::new(16_000);
    bench.bench_function("slice_transcript, 40 turns", |b| {
        b.iter(|| slice_transcript(black_box(&transcript), SENTENCE, &options));
    });
}

fn scoring(bench: &mut Criterion) {
    let (transcript, rubric) = (conversation(), rubric());
    let answer = |id: &str| (id.to_string(), json!({"reasoning": SENTENCE, "answer": "YES"}));
    let output = Value::Object(rubric.ids().into_iter().map(answer).collect::<Map<_, _>>());
    bench.bench_function("score_assessment, 8 criteria", |b| {
        b.iter(|| score_assessment(black_box(&transcript), &output, &rubric, "judge"));
    });
}

criterion_group!(benches, counting, cutting, scoring);
criterion_main!(benches);
