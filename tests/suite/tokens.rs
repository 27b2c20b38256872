//! Token counts are those of tiktoken: of made-up strings that aim at trouble, of every code point, of long texts of one thing.
//!
//! The long form has ten million strings and every code point; it takes some minutes, and prints what it counted:
//! `FTHOST_LONG=1 cargo test --release --test suite -- --nocapture tokens::`

mod strings;

use std::fs;
use std::thread;
use std::time::Instant;

use fthost::pipeline::tokens::{Encoding, count};
use serde::Deserialize;
use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton, o200k_harmony_singleton};

use crate::support::{figure, long, root};
use strings::Strings;

/// The encodings that are counted by this project's own code, and what they must equal.
fn encodings() -> [(Encoding, &'static CoreBPE); 2] {
    [(Encoding::Cl100kBase, cl100k_base_singleton()), (Encoding::O200kBase, o200k_base_singleton())]
}

/// A text's counts must be tiktoken's.
fn assert_counts(text: &str) {
    for (encoding, tiktoken) in encodings() {
        let name = encoding.name();
        assert_eq!(count(text, encoding), tiktoken.count_ordinary(text), "{name}: {text:?}");
    }
}

/// Counts the strings of a seed; how many bytes they had.
fn compare(seed: u64, strings: usize) -> usize {
    let mut source = Strings::new(seed);
    let mut bytes = 0;
    for _ in 0..strings {
        let text = source.next();
        bytes += text.len();
        assert_counts(&text);
    }
    bytes
}

#[test]
fn made_up_strings() {
    let (each, threads) = if long() { (5_000_000, 2) } else { (4_000, 2) };
    let started = Instant::now();
    let bytes: usize = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|seed| scope.spawn(move || compare(seed, each))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let (strings, seconds) = (each * threads as usize, started.elapsed().as_secs());
    figure(&format!("{strings} strings of {bytes} bytes have tiktoken's counts, in {seconds} s"));
}

/// The code points at which some class of Unicode begins or ends; in the long form all.
fn code_points() -> Vec<char> {
    match long() {
        true => ('\0'..=char::MAX).collect(),
        false => strings::edges(),
    }
}

#[test]
fn every_code_point() {
    let points = code_points();
    thread::scope(|scope| {
        for half in points.chunks(points.len().div_ceil(2)) {
            scope.spawn(move || {
                for c in half {
                    assert_counts(&format!("{c}"));
                    assert_counts(&format!("a{c}b {c} {c}{c}A{c}'s{c}\n{c}1"));
                }
            });
        }
    });
    figure(&format!("{} code points have tiktoken's counts", points.len()));
}

#[test]
fn whole_documents() {
    for text in strings::documents() {
        assert_counts(&text);
    }
}

#[test]
fn harmony_is_o200k() {
    let mut source = Strings::new(7);
    for _ in 0..200 {
        let text = source.next();
        let harmony = o200k_harmony_singleton().count_ordinary(&text);
        assert_eq!(count(&text, Encoding::O200kHarmony), harmony, "{text:?}");
    }
}

/// A long text of one thing, and its counts by tiktoken for Python 0.14. Where that gives up (long runs of white space), it
/// was given the pieces one by one.
#[derive(Deserialize)]
struct LongText {
    head: String,
    unit: String,
    times: usize,
    tail: String,
    cl100k_base: usize,
    o200k_base: usize,
}

#[test]
fn long_texts() {
    let all: Vec<LongText> = serde_json::from_str(include_str!("../golden/long_texts.json")).unwrap();
    assert_eq!(all.len(), 40);
    let short = |case: &LongText| case.unit.len() * case.times <= 60_000;
    for case in all.into_iter().filter(|case| long() || short(case)) {
        let LongText { head, unit, times, tail, .. } = &case;
        let text = [head, unit.repeat(*times).as_str(), tail].concat();
        let started = Instant::now();
        assert_eq!(count(&text, Encoding::Cl100kBase), case.cl100k_base, "{head:?} {unit:?} {tail:?}");
        assert_eq!(count(&text, Encoding::O200kBase), case.o200k_base, "{head:?} {unit:?} {tail:?}");
        figure(&format!(
            "{head:?} {times} x {unit:?} {tail:?}: {} ms in both",
            started.elapsed().as_millis()
        ));
    }
}

/// The file that holds an encoding's vocabulary.
fn vocabulary_file(encoding: Encoding) -> std::path::PathBuf {
    root().join("vocabulary").join(format!("{}.bin", encoding.name()))
}

/// The vocabularies are tiktoken-rs's. `FTHOST_UPDATE=1` writes them.
#[test]
fn vocabularies() {
    for (encoding, tiktoken) in encodings() {
        let mut file = Vec::new();
        for token in (0..).map_while(|rank| tiktoken.decode_bytes(&[rank]).ok()) {
            file.push(u8::try_from(token.len()).unwrap());
            file.extend(token);
        }
        if std::env::var_os("FTHOST_UPDATE").is_some() {
            fs::write(vocabulary_file(encoding), &file).unwrap();
        }
        assert!(fs::read(vocabulary_file(encoding)).unwrap() == file, "{}", encoding.name());
    }
}
