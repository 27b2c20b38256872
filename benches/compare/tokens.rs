//! Counting tokens: tiktoken for Python, tiktoken-rs as it is, and fthost's `count`, on the same texts.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use fthost::pipeline::tokens::{Encoding, count};
use serde_json::Value;
use tiktoken_rs::CoreBPE;

use crate::corpus::Writer;
use crate::python::{Python, number, told};
use crate::table::{Contestant, Outcome, Sample, Table, short, take_turns};
use crate::{Result, Scale};

/// How one of them counts a text.
type Count = fn(&str, Encoding) -> usize;

/// What is counted, and where it is kept for Python.
struct Texts<'a> {
    texts: Vec<String>,
    file: &'a Path,
    python: Python,
}

pub fn measure(scale: &Scale) -> Result<Table> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = dir.path().join("texts.jsonl");
    let texts = Texts {
        texts: write_texts(&file, scale.of(8_000_000, 400_000))?,
        file: &file,
        python: Python::prepare()?,
    };
    let bytes: usize = texts.texts.iter().map(String::len).sum();
    let cl100k = rates(&texts, Encoding::Cl100kBase, scale.rounds())?;
    let o200k = rates(&texts, Encoding::O200kBase, scale.rounds())?;
    let row = |(one, other): (&Outcome, &Outcome)| {
        let mut row = vec![one.name.clone()];
        row.extend(cells(one, &cl100k[0], bytes));
        row.extend(cells(other, &o200k[0], bytes));
        row
    };
    Ok(Table {
        title: "Tokens",
        about: format!(
            "{} messages of chats, {} MB, one call a message, every contestant warmed up by a pass over all of them; \
             MB/s. All count {}.",
            texts.texts.len(),
            short(bytes as f64 / 1e6),
            "the same tokens"
        ),
        head: vec!["MB/s", "cl100k_base", "x", "o200k_base", "x"],
        rows: cl100k.iter().zip(&o200k).map(row).collect(),
    })
}

/// Messages of so many bytes, also as JSON, one a line.
fn write_texts(path: &Path, bytes: usize) -> Result<Vec<String>> {
    let (mut writer, mut texts, mut size) = (Writer::new(1), Vec::new(), 0);
    while size < bytes {
        for exchange in writer.conversation(25) {
            size += exchange.user.len() + exchange.assistant.len();
            texts.extend([exchange.user, exchange.assistant]);
        }
    }
    let mut file = BufWriter::new(File::create(path)?);
    for text in &texts {
        writeln!(file, "{}", Value::from(text.as_str()))?;
    }
    file.flush()?;
    Ok(texts)
}

/// Rate and how many times that of the first.
fn cells(one: &Outcome, first: &Outcome, bytes: usize) -> [String; 2] {
    let rate = |outcome: &Outcome| outcome.spread(|sample| bytes as f64 / 1e6 / sample.seconds);
    [rate(one).to_string(), short(rate(one).median / rate(first).median)]
}

fn rates(texts: &Texts, encoding: Encoding, rounds: usize) -> Result<Vec<Outcome>> {
    let expected: usize = texts.texts.iter().map(|text| count(text, encoding)).sum();
    let python = |threads| {
        let name = format!("tiktoken in Python, {}", plural(threads));
        Contestant::new(name, move || in_python(texts, encoding, threads, expected))
    };
    let rust = |name: &str, threads, count: Count| {
        let name = format!("{name}, {}", plural(threads));
        Contestant::new(name, move || in_rust(texts, encoding, threads, count, expected))
    };
    let mut contestants = [
        python(1),
        rust("tiktoken-rs", 1, encode),
        rust("fthost", 1, count),
        python(2),
        rust("fthost", 2, count),
    ];
    take_turns(rounds, &mut contestants)
}

fn plural(threads: usize) -> String {
    if threads == 1 { "1 thread".into() } else { format!("{threads} threads") }
}

/// As the crate's readers do it first: encode, and look how long that is.
fn encode(text: &str, encoding: Encoding) -> usize {
    let tables: &CoreBPE = match encoding {
        Encoding::O200kBase => tiktoken_rs::o200k_base_singleton(),
        _ => tiktoken_rs::cl100k_base_singleton(),
    };
    tables.encode_ordinary(text).len()
}

fn in_rust(
    texts: &Texts,
    encoding: Encoding,
    threads: usize,
    count: Count,
    expected: usize,
) -> Result<Sample> {
    let pass = || -> usize {
        let parts = texts.texts.chunks(texts.texts.len().div_ceil(threads));
        let sum = |part: &[String]| part.iter().map(|text| count(text, encoding)).sum::<usize>();
        std::thread::scope(|scope| {
            let workers: Vec<_> = parts.map(|part| scope.spawn(move || sum(part))).collect();
            workers.into_iter().filter_map(|worker| worker.join().ok()).sum()
        })
    };
    pass();
    let began = Instant::now();
    let tokens = pass();
    let sample = Sample::of(began.elapsed().as_secs_f64());
    same(tokens, expected)?;
    Ok(sample)
}

fn in_python(texts: &Texts, encoding: Encoding, threads: usize, expected: usize) -> Result<Sample> {
    let mut script = texts.python.script("tokens.py");
    let (_, told) = told(script.arg(texts.file).args([encoding.name(), &threads.to_string()]))?;
    same(number(&told, "tokens")? as usize, expected)?;
    Ok(Sample::of(number(&told, "seconds")?))
}

fn same(tokens: usize, expected: usize) -> Result<()> {
    if tokens == expected { Ok(()) } else { Err(format!("{tokens} tokens, not {expected}").into()) }
}
