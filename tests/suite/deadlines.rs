//! Deadlines: each wait for a server ends at its time, a call ends by its own, and Ctrl-C ends what no server would.
//!
//! The long form holds times more exactly, and waits as long as a drain may last:
//! `FTHOST_LONG=1 cargo test --release --test suite deadlines:: -- --nocapture`

use std::sync::Arc;
use std::time::{Duration, Instant};

use fthost::base::cancel::Stop;
use fthost::base::config::Config;
use fthost::base::events::Silent;
use fthost::base::{Error, Kind};
use fthost::llm::retry::Retry;
use fthost::llm::{Backend, Reply, Request, Shared};

use crate::process::TWENTY;
use crate::support::{TestProject, figure, live_config, long, until};
use fault_server::{Answer, BlackHole, Fault, ModelServer};

/// One call of a keyless backend; also how long it took.
fn call(url: &str, more: &str) -> (Result<Reply, Error>, Duration) {
    let text = format!(
        "backends: {{b: {{kind: openai-chat, model: m, base_url: \"{url}\", api_key_env: null, {more}}}}}\n"
    );
    let config = Config::parse("c", &text).unwrap().backends.remove("b").unwrap();
    let quick = Duration::from_millis(2);
    let backend = Backend::open("b", &config, None, &Shared::new(Arc::new(Silent))).unwrap();
    let backend = backend.with_pauses(quick, quick * 4);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let begun = Instant::now();
    let reply = runtime.block_on(backend.call(&Request::of("hello"), &Stop::default()));
    (reply.map(|answered| answered.reply), begun.elapsed())
}

/// A machine that does much else is late.
fn late() -> Duration {
    Duration::from_millis(if long() { 200 } else { 1500 })
}

/// The deadlines, one of which ends the attempt: the name, what the server does, all of them, and what is said.
fn cases() -> Vec<(&'static str, Option<Answer>, f64, &'static str, &'static str)> {
    let often = Duration::from_millis(100);
    vec![
        ("connect", None, 0.7, "connect: 0.7, first_byte: 9, idle: 9, total: 9", "no connection to"),
        ("first byte", Some(Answer::Hang), 0.7, "connect: 9, first_byte: 0.7, idle: 9, total: 9", "to begin"),
        (
            "first byte, of a head in drops",
            Some(Answer::Fault(Fault::Drip)),
            1.4,
            "connect: 9, first_byte: 1.4, idle: 9, total: 9",
            "to begin",
        ),
        ("idle", Some(Answer::Stall), 0.7, "connect: 9, first_byte: 9, idle: 0.7, total: 9", "more of"),
        (
            "idle, of drops",
            Some(Answer::Trickle(Duration::from_secs(5))),
            0.7,
            "connect: 9, first_byte: 9, idle: 0.7, total: 9",
            "more of",
        ),
        (
            "total, though something always comes",
            Some(Answer::Trickle(often)),
            1.5,
            "connect: 9, first_byte: 9, idle: 1, total: 1.5",
            "the whole answer",
        ),
        (
            "total, of a hang",
            Some(Answer::Hang),
            0.7,
            "connect: 9, first_byte: 9, idle: 9, total: 0.7",
            "the whole",
        ),
    ]
}

#[test]
fn each_deadline_ends_its_attempt_at_its_time() {
    let hole = BlackHole::open().unwrap();
    std::thread::scope(|scope| {
        for (name, answer, seconds, timeouts, says) in cases() {
            let hole = &hole;
            scope.spawn(move || {
                let server = ModelServer::start();
                let url = if answer.is_none() { hole.origin() } else { server.url() };
                answer.into_iter().for_each(|answer| server.push_reply(answer));
                let (reply, took) = call(&url, &format!("max_attempts: 1, timeouts: {{{timeouts}}}"));
                let error = reply.unwrap_err();
                figure(&format!("{name}: {:.3} s of {seconds}", took.as_secs_f64()));
                assert_eq!(error.kind(), Kind::Timeout, "{name}: {error}");
                assert!(error.message().contains(says), "{name}: {error}");
                let deadline = Duration::from_secs_f64(seconds);
                assert!(took >= deadline && took < deadline + late(), "{name}: {took:?}");
            });
        }
    });
}

#[test]
fn a_call_ends_by_its_deadline_whatever_the_server_does() {
    let limit = |ms| Answer::status(429).header("retry-after-ms", ms);
    let cases: Vec<(&str, Answer, usize, f64)> = vec![
        ("it hangs", Answer::Hang, 3, 0.0),
        ("it stalls", Answer::Stall, 3, 0.0),
        ("it drips", Answer::Trickle(Duration::from_millis(50)), 3, 0.0),
        ("it fails", Answer::status(500), 3, 0.0),
        // Each counts for a second at least.
        ("it names waits without an end", limit("100"), 3, 3.0),
        ("it names longer ones", limit("900"), 3, 3.0),
    ];
    std::thread::scope(|scope| {
        for (name, answer, attempts, max_wait) in cases {
            scope.spawn(move || {
                let server = ModelServer::start();
                server.set_rule(move |_| answer.clone());
                let more = format!(
                    "max_attempts: {attempts}, max_wait: {max_wait}, timeouts: {{idle: 9, total: 0.5}}"
                );
                let (reply, took) = call(&server.url(), &more);
                let cap = Duration::from_millis(8);
                let retry =
                    Retry { attempts, cap, max_wait: Duration::from_secs_f64(max_wait), ..Retry::of("") };
                let deadline = retry.deadline(Duration::from_millis(500));
                figure(&format!("{name}: {:.3} s of {:.3}", took.as_secs_f64(), deadline.as_secs_f64()));
                assert!(reply.is_err() && took < deadline + late(), "{name}: {took:?} of {deadline:?}");
            });
        }
    });
}

/// A run of twenty items that waits in one way or another.
fn waiting(answer: Answer, more: &str) -> (TestProject, ModelServer) {
    let server = ModelServer::start();
    server.set_rule(move |_| answer.clone());
    let more = format!("api_key_env: null, {more}");
    (TestProject::of_config(TWENTY, &live_config("openai-chat", &server.url(), &more)), server)
}

#[test]
fn ctrl_c_ends_every_wait() {
    let hour = || Answer::status(429).header("retry-after", "3600");
    let cases: Vec<(&str, Answer, &str, usize)> = vec![
        ("a rate limit of an hour", hour(), "max_wait: 7200", 0),
        ("a pause between attempts", Answer::status(500), "max_attempts: 20", 0),
        ("a pace of one a minute", Answer::Usual, "rpm: 1", 1),
    ];
    std::thread::scope(|scope| {
        for (name, answer, more, kept) in cases {
            scope.spawn(move || {
                let (project, server) = waiting(answer, more);
                let run = project.start("run scripts/main.rhai");
                until("the first request", || !server.requests().is_empty());
                std::thread::sleep(Duration::from_millis(400));
                run.signal("INT");
                let signalled = Instant::now();
                run.wait().exits(130).says("interrupted");
                let took = signalled.elapsed();
                figure(&format!("{name}: ended {:.3} s after Ctrl-C", took.as_secs_f64()));
                assert!(took < Duration::from_secs(8), "{name}: {took:?}");
                assert_eq!(project.lines("data/c.jsonl").len(), kept, "{name}");
                assert!(project.lines("data/c.failed.jsonl").is_empty(), "{name}: the items are pending");
                server.set_rule(|_| Answer::Usual);
                project.edit("config/fthost.yaml", more, "rpm: null");
                project.main("").exits(0);
                assert_eq!(project.ids("data/c.jsonl").len(), 20, "{name}");
            });
        }
    });
}

#[test]
fn ctrl_c_waits_for_what_is_on_the_wire_a_minute_at_most() {
    let (project, server) = waiting(Answer::Hang, "concurrency: 2");
    let run = project.start("run scripts/main.rhai");
    until("the first request", || !server.requests().is_empty());
    run.signal("INT");
    let signalled = Instant::now();
    if !long() {
        // The drain itself takes a minute: here only that it is not left before, and that a second signal ends it.
        std::thread::sleep(Duration::from_millis(1500));
        run.signal("INT");
    }
    run.wait().exits(130);
    let took = signalled.elapsed().as_secs_f64();
    figure(&format!("a request that hangs: ended {took:.3} s after Ctrl-C"));
    let expected = if long() { 60.0..65.0 } else { 1.5..10.0 };
    assert!(expected.contains(&took), "{took}");
    assert!(project.lines("data/c.failed.jsonl").is_empty(), "what was interrupted has not failed");
}
