//! What the core does without a model: counting, cutting, scoring. Run `cargo bench --bench pure`.
//!
//! Counting stands beside tiktoken-rs, as throughput of one thread; what a second thread adds is printed as a ratio:
//! `cargo bench --bench pure -- count`.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fthost::pipeline::rubric::Rubric;
use fthost::pipeline::score::score_assessment;
use fthost::pipeline::slices::{Bounds, SliceOptions, get_slice_points, slice_transcript};
use fthost::pipeline::tokens::{Encoding, count};
use fthost::pipeline::transcript::Transcript;
use serde_json::{Map, Value, json};

const TURNS: usize = 40;
const SENTENCE: &str = "Turn the dial two steps finer, keep 18 g in the basket, and time the next shot. ";

/// A long conversation, as a judge's script sees it.
fn conversation() -> Value {
    let turn = |i: usize| json!({"user": format!("{i}: {SENTENCE}"), "assistant": SENTENCE.repeat(4)});
    json!({"id": "persona_0001", "persona": null, "exchanges": (0..TURNS).map(turn).collect::<Vec<_>>()})
}

fn rubric() -> Rubric {
    Rubric::parse("config/rubric.yaml", include_str!("../config/rubric.yaml")).unwrap()
}

/// Messages of a conversation's length: paragraphs of this repository's documents, which are prose with some code.
fn messages() -> Vec<&'static str> {
    let documents = [
        include_str!("../README.md"),
        include_str!("../ARCHITECTURE.md"),
        include_str!("../docs/guide.md"),
        include_str!("../docs/configuration.md"),
        include_str!("../docs/operations.md"),
        include_str!("../docs/ledger.md"),
        include_str!("../docs/host-api.md"),
    ];
    documents.iter().flat_map(|text| text.split("\n\n")).collect()
}

fn count_all(messages: &[&str], encoding: Encoding) -> usize {
    messages.iter().map(|text| count(black_box(text), encoding)).sum()
}

fn counting(bench: &mut Criterion) {
    let messages = messages();
    let tiktoken = [tiktoken_rs::cl100k_base_singleton as fn() -> _, tiktoken_rs::o200k_base_singleton];
    let mut group = bench.benchmark_group("count_tokens");
    group.throughput(Throughput::Bytes(messages.iter().map(|text| text.len() as u64).sum()));
    for (name, tiktoken) in ["cl100k_base", "o200k_base"].into_iter().zip(tiktoken) {
        let encoding = Encoding::named(name).unwrap();
        group.bench_function(name, |b| b.iter(|| count_all(&messages, encoding)));
        let count = |text: &&str| tiktoken().count_ordinary(black_box(text));
        group.bench_function(format!("{name}, tiktoken-rs"), |b| {
            b.iter(|| messages.iter().map(count).sum::<usize>());
        });
        println!("{name}: two threads count {:.2} times as fast as one\n", scaling(&messages, encoding));
    }
    group.finish();
}

/// How many times as fast two threads count as one: the best of some rounds, in turns.
fn scaling(messages: &[&str], encoding: Encoding) -> f64 {
    let work = || {
        for _ in 0..20 {
            black_box(count_all(messages, encoding));
        }
    };
    let time = |threads: usize| {
        let started = Instant::now();
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        started.elapsed()
    };
    let best = (0..20).map(|_| (time(1), time(2)));
    let (one, two) =
        best.fold((Duration::MAX, Duration::MAX), |best, now| (best.0.min(now.0), best.1.min(now.1)));
    2.0 * one.as_secs_f64() / two.as_secs_f64()
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
