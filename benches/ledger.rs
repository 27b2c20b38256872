//! The price of durability: the same calls with every reply kept in the ledger, and with nothing kept. Run
//! `cargo bench --bench ledger`; it prints calls a second at no latency, and wall time at 50 ms a call with 256
//! in flight, and fails when the ledger halves the one or adds 3 % to the other.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod server;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fthost::base::config::Config;
use fthost::base::config::Params;
use fthost::base::events::Silent;
use fthost::llm::Request;
use fthost::store::Project;
use fthost::store::ledger::ReadOnly;
use fthost::work::process::{self, Item, Items, Job, Unread};
use fthost::work::{Scope, World, backends, call};
use serde_json::json;
use server::Server;

/// Calls of an item, one after the other.
const TURNS: usize = 20;

/// Rounds, of which the median counts: with and without take turns, so that what else the machine does hits both.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    // `cargo test --all-targets` starts benches, too, but without what `cargo bench` adds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let (with, without) = measure(Duration::ZERO, 64, 1000);
    let speed = without / with;
    let calls = (1000 * TURNS) as f64;
    println!(
        "no latency, 64 in flight: {:.0} calls/s with the ledger, {:.0} without; ratio {speed:.2} (at least 0.5)",
        calls / with,
        calls / without
    );
    let (with, without) = measure(Duration::from_millis(50), 256, 512);
    let price = with / without - 1.0;
    println!(
        "50 ms a call, 256 in flight: {with:.3} s with the ledger, {without:.3} s without; {:+.1} % (under 3 %)",
        price * 100.0
    );
    if speed >= 0.5 && price < 0.03 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Seconds with the ledger, and without: medians.
fn measure(latency: Duration, width: usize, items: usize) -> (f64, f64) {
    let server = Server::start(latency).unwrap();
    // The first run of a process is slower.
    run(&server, width, width, false);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(run(&server, width, items, false));
        with.push(run(&server, width, items, true));
    }
    (median(with), median(without))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

struct Numbers(usize);

impl Items<usize> for Numbers {
    fn pass(&self) -> Box<dyn Iterator<Item = Unread<'_, usize>> + Send + '_> {
        Box::new((0..self.0).map(|n| -> Unread<'_, usize> {
            Box::new(move || Ok(Item { id: n.to_string(), plain: json!({"id": n}), payload: n }))
        }))
    }
}

/// Seconds for so many items in a fresh project.
fn run(server: &Server, width: usize, items: usize, keep: bool) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}/v1", server.port);
    let text = format!(
        "backends: {{m: {{kind: openai-chat, model: m, base_url: \"{url}\", api_key_env: null, concurrency: {width}}}}}\n"
    );
    let config = Config::parse("c", &text).unwrap();
    let project = Project::open(dir.path()).unwrap();
    let mut world = World::new(project, config, Arc::new(Silent), Box::new(|_| None), "bench");
    if !keep {
        world.ledger = Arc::new(ReadOnly::of(world.ledger.clone()));
    }
    let backend = backends::get(&world, "m", None, Params::default()).unwrap().remove(0);
    let worker = |item: Item<usize>, scope: Scope| {
        for turn in 0..TURNS {
            let n = item.payload;
            call::complete(
                &world,
                &scope,
                &backend,
                Request::of(format!("{n} {turn} {}", "word ".repeat(400))),
            )?;
        }
        Ok(json!({}))
    };
    let job = Job {
        checkpoint: None,
        name: "bench".into(),
        script: String::new(),
        outer: &Scope::default(),
        concurrency: width,
        items: &Numbers(items),
        backends: String::new(),
        code: String::new(),
        version_of: &|_| Ok(fthost::work::plan::Extra::default()),
        worker: &worker,
    };
    let (began, before) = (Instant::now(), server.served());
    process::run(&world, job).unwrap();
    world.close();
    let took = began.elapsed().as_secs_f64();
    assert_eq!(server.served() - before, items * TURNS);
    took
}
