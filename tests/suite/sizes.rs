//! Answers without measure: what is over 16 MiB ends the call, whatever its form, and memory stays near the cap.
//!
//! The long form asks several at once: `FTHOST_LONG=1 cargo test --release --test suite sizes:: -- --nocapture`

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use crate::support::{Ran, TestProject, figure, live_config, long};
use fault_server::{Answer, Fault, ModelServer};

/// What an answer may have.
const CAP: u64 = 16 << 20;

/// Asks so many times at once; what was said, and the most memory in bytes.
fn measured(url: &str, at_once: usize) -> (Ran, u64) {
    let script = format!(
        r#"let all = [];
        for n in 0..{at_once} {{ all.push(n); }}
        parallel_map(all, #{{concurrency: {at_once}}}, |n| get_backend("live").complete(`x${{n}}`).content);"#
    );
    let more = "api_key_env: null, max_attempts: 1, timeouts: {first_byte: 1, total: 60}";
    let project = TestProject::of_config(&script, &live_config("openai-chat", url, more));
    project.measured("run scripts/main.rhai")
}

/// The memory of a call that brings little.
fn usual(at_once: usize) -> u64 {
    let server = ModelServer::start();
    let (ran, peak) = measured(&server.url(), at_once);
    assert_eq!(ran.code, 0, "{}", ran.err);
    peak
}

/// A server of its own kind: each request gets the head, then this again and again until it hangs up.
fn endless(head: &'static str, again: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let again = again.clone();
            std::thread::spawn(move || pour(&stream, head, &again));
        }
    });
    format!("http://{address}/v1")
}

fn pour(stream: &TcpStream, head: &str, again: &[u8]) {
    let mut lines = BufReader::new(stream).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let mut writer = stream;
    let mut sent = writer.write_all(head.as_bytes());
    while sent.is_ok() {
        sent = writer.write_all(again);
    }
}

#[test]
fn memory_stays_near_the_cap() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Fault(Fault::Oversized));
    for at_once in if long() { vec![1, 4, 16] } else { vec![1] } {
        let (least, (ran, most)) = (usual(at_once), measured(&server.url(), at_once));
        assert!(ran.code == 2 && ran.err.contains("larger than 16 MiB"), "{}", ran.err);
        let over = most.saturating_sub(least) as f64 / f64::from(1 << 20);
        figure(&format!(
            "{at_once} at once: {:.1} MiB, of which {over:.1} for the answers",
            most as f64 / f64::from(1 << 20)
        ));
        assert!(most < least + at_once as u64 * (CAP + (10 << 20)), "{at_once}: {over:.1} MiB");
    }
}

#[test]
fn what_never_ends_ends_the_call() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let megabyte = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
    let least = usual(1);
    let long_line = format!("x-long: {}\r\n", "y".repeat(1 << 16));
    for (name, head, again, says) in [
        ("chunks", CHUNKED, megabyte, "larger than 16 MiB"),
        (
            "small chunks",
            CHUNKED,
            [b"100\r\n".to_vec(), vec![b' '; 256], b"\r\n".to_vec()].concat().repeat(1 << 10),
            "larger than 16 MiB",
        ),
        ("until it hangs up", "HTTP/1.1 200 OK\r\n\r\n", vec![b' '; 1 << 20], "larger than 16 MiB"),
        ("headers", "HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n".to_vec(), "broke"),
        ("long headers", "HTTP/1.1 200 OK\r\n", long_line.into_bytes(), "broke"),
        ("one header", "HTTP/1.1 200 OK\r\nx-endless: ", vec![b'y'; 1 << 16], "broke"),
        ("early hints", "", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(1 << 10), "to begin"),
        ("an error's body", "HTTP/1.1 500 Oh\r\n\r\n", vec![b'x'; 1 << 20], "larger than 16 MiB"),
    ] {
        let (ran, most) = measured(&endless(head, again), 1);
        let over = most.saturating_sub(least) >> 20;
        figure(&format!("{name}: {over} MiB, {}", ran.err.lines().next().unwrap_or_default()));
        assert!(ran.code == 2 && ran.err.contains(says), "{name}: {}", ran.err);
        assert!(over < 26, "{name}: {over} MiB");
    }
}

#[test]
fn a_compressed_answer_is_not_unpacked() {
    // 64 MiB of blanks, by gzip; it was not asked for.
    let pack = "import gzip, sys; sys.stdout.buffer.write(gzip.compress(b' ' * (64 << 20)))";
    let bomb = Command::new("python3").args(["-c", pack]).output().unwrap().stdout;
    assert!(bomb.len() > 10_000 && bomb.len() < 1 << 20);
    let (server, least) = (ModelServer::start(), usual(1));
    server.set_rule(move |_| Answer::raw(bomb.clone()).header("content-encoding", "gzip"));
    let (ran, most) = measured(&server.url(), 1);
    figure(&format!("a bomb: {} KiB more than usual", most.saturating_sub(least) >> 10));
    assert!(ran.code == 2 && ran.err.contains("not UTF-8"), "{}", ran.err);
    assert!(most < least + (10 << 20), "{most} {least}");
    assert!(server.requests().iter().all(|request| request.header("accept-encoding").is_none()));
}

#[test]
fn an_answer_of_very_many_values_is_not_read() {
    let most = |values: usize| {
        let server = ModelServer::start();
        let body = format!(
            "{{\"choices\": [{{\"message\": {{\"content\": \"hi\"}}, \"finish_reason\": \"stop\"}}], \"more\": [{}0]}}",
            "0,".repeat(values)
        );
        server.push_reply(Answer::raw(body));
        measured(&server.url(), 1)
    };
    let (few, many) = (most(400_000), most(7 << 20));
    figure(&format!("400,000 values: {} MiB; 7,000,000: {} MiB", few.1 >> 20, many.1 >> 20));
    assert_eq!(few.0.code, 0, "{}", few.0.err);
    assert!(many.0.code == 2 && many.0.err.contains("more than 500,000 values"), "{}", many.0.err);
    assert!(many.1 < usual(1) + CAP + (10 << 20), "{}", many.1);
}
