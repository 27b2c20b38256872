//! Rate limits, seen from the server: nothing comes before the end of a pause, no more comes than is allowed, and a run
//! takes hardly longer than what is allowed needs.
//!
//! The long form has exact bars, runs of ten seconds, and a real minute:
//! `FTHOST_LONG=1 cargo test --release --test suite rate_limits:: -- --nocapture`

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fthost::base::cancel::Stop;
use fthost::base::config::{BackendConfig, Config};
use fthost::base::events::Silent;
use fthost::llm::{Backend, Request, Shared};

use crate::support::{TestProject, figure, live_config, long};
use fault_server::{Allowance, Answer, Arrival, Fault, Faults, ModelServer, most_in_window, too_early};

fn config(server: &ModelServer, more: &str) -> BackendConfig {
    let url = server.url();
    let text = format!(
        "backends: {{b: {{kind: openai-chat, model: m, base_url: \"{url}\", api_key_env: null, {more}}}}}\n"
    );
    Config::parse("c", &text).unwrap().backends.remove("b").unwrap()
}

fn backend(config: &BackendConfig) -> Backend {
    Backend::open("b", config, None, &Shared::new(Arc::new(Silent))).unwrap()
}

/// So many calls, all at once; none may fail.
fn burst(backend: Backend, calls: usize) {
    let backend = Arc::new(backend);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut all = tokio::task::JoinSet::new();
        for number in 0..calls {
            let (backend, prompt) = (backend.clone(), format!("{number} {}", "word ".repeat(80)));
            all.spawn(async move { backend.call(&Request::of(prompt), &Stop::default()).await });
        }
        all.join_all().await.into_iter().for_each(|reply| assert!(reply.is_ok(), "{reply:?}"));
    });
}

/// From the first arrival to the last.
fn span(arrivals: &[Arrival]) -> Duration {
    let at = || arrivals.iter().map(|arrival| arrival.at);
    at().max().unwrap() - at().min().unwrap()
}

fn turned_away(arrivals: &[Arrival]) -> usize {
    arrivals.iter().filter(|arrival| arrival.wait.is_some()).count()
}

/// Requests that were on their way when a server began to say 429 come a moment later; on a machine that does
/// much else, a longer one.
fn on_its_way() -> Duration {
    Duration::from_millis(if long() { 100 } else { 300 })
}

#[track_caller]
fn check_none_is_early(name: &str, arrivals: &[Arrival]) {
    let early = too_early(arrivals, on_its_way());
    assert!(early.is_empty(), "{name}: sent after {early:?}");
}

/// What a run may take, measured by what the server allows. A short run has more noise.
fn bar() -> f64 {
    if long() { 1.1 } else { 1.25 }
}

/// Against a server that allows so many calls a second; twice as many want to come.
fn allowed(name: &str, rate: f64, calls: usize, run: impl FnOnce(&ModelServer)) {
    let server = ModelServer::start();
    server.set_allowed(rate);
    run(&server);
    let arrivals = server.arrivals();
    let ratio = span(&arrivals).as_secs_f64() / (calls as f64 / rate);
    let away = turned_away(&arrivals);
    figure(&format!(
        "{name}: {calls} calls at {rate}/s took {ratio:.3} of what is allowed, {away} turned away"
    ));
    check_none_is_early(name, &arrivals);
    assert_eq!(arrivals.len() - away, calls, "{name}");
    assert!(ratio <= bar(), "{name}: {ratio:.3}");
}

/// The same, by `process` of the binary.
fn by_process(server: &ModelServer, calls: usize) {
    let script = format!(
        r#"let items = [];
        for n in 0..{calls} {{ items.push(#{{id: `i${{n}}`}}); }}
        process(items, #{{checkpoint: "data/c.jsonl", concurrency: 64}}, |item| {{
            #{{said: get_backend("assistant").complete(item.id).content}}
        }});"#
    );
    let project =
        TestProject::of_config(&script, &live_config("openai-chat", &server.url(), "api_key_env: null"));
    project.main("-q").exits(0);
    assert_eq!(project.lines("data/c.jsonl").len(), calls);
}

#[test]
fn a_run_takes_hardly_longer_than_the_server_allows() {
    let direct = |server: &ModelServer, calls| burst(backend(&config(server, "concurrency: 64")), calls);
    if !long() {
        return allowed("process", 50.0, 200, |server| by_process(server, 200));
    }
    allowed("direct", 50.0, 500, |server| direct(server, 500));
    allowed("direct", 200.0, 2000, |server| direct(server, 2000));
    allowed("process", 50.0, 500, |server| by_process(server, 500));
    allowed("process", 200.0, 2000, |server| by_process(server, 2000));
    for latency in [50, 200] {
        let slow = |server: &ModelServer, calls| {
            server.set_latency(Duration::from_millis(latency));
            direct(server, calls);
        };
        allowed(&format!("answers after {latency} ms"), 50.0, 500, |server| slow(server, 500));
        allowed(&format!("answers after {latency} ms"), 200.0, 2000, |server| slow(server, 2000));
    }
}

#[test]
fn every_second_call_is_turned_away_and_none_fails() {
    let (calls, wait) = if long() { (120, 1.0) } else { (16, 0.4) };
    let server = ModelServer::start();
    let retry_after = Duration::from_secs_f64(wait);
    server.set_faults(Faults {
        seed: 3,
        rate: 0.5,
        kinds: vec![Fault::RateLimit],
        retry_after,
        ..Faults::default()
    });
    let begun = Instant::now();
    burst(backend(&config(&server, "concurrency: 8")), calls);
    let arrivals = server.arrivals();
    let away = turned_away(&arrivals);
    // Eight at once, and half of them are served before each pause.
    let ratio = begun.elapsed().as_secs_f64() / (calls as f64 / 4.0 * wait);
    figure(&format!("{calls} calls, {away} turned away for {wait} s each: {ratio:.2} of what is possible"));
    assert!(!long() || ratio < 3.0, "{ratio}");
    check_none_is_early("half", &arrivals);
    assert!(away * 3 > calls, "{away}");
}

#[test]
fn no_window_sees_more_than_rpm_and_tpm() {
    // A second stands for a minute; a machine that does much else blurs its ends.
    let second = Duration::from_secs(1);
    let seen = |more: &str, calls| {
        let server = ModelServer::start();
        let config = config(&server, more);
        burst(backend(&config).with_minute(&config, second), calls);
        let arrivals = server.arrivals();
        let most = most_in_window(&arrivals, second.mul_f64(if long() { 0.98 } else { 0.9 }));
        figure(&format!("{more}: at most {most:?} in a window, {:.2} s", span(&arrivals).as_secs_f64()));
        (most, span(&arrivals).as_secs_f64())
    };
    let (most, took) = seen("rpm: 40", 120);
    assert!(most.0 <= 40 && took < 5.0, "{most:?} {took}");
    // About 130 tokens a call, guessed as 1200 at first.
    let (most, took) = seen("tpm: 13000", 200);
    assert!(most.1 <= 13_000 && took < 6.0, "{most:?} {took}");
    let (most, _) = seen("rpm: 80, tpm: 8000", 120);
    assert!(most.0 <= 80 && most.1 <= 8000, "{most:?}");
}

#[test]
fn a_minute_is_a_minute() {
    if !long() {
        return;
    }
    let server = ModelServer::start();
    burst(backend(&config(&server, "rpm: 300, tpm: 60000")), 450);
    let arrivals = server.arrivals();
    let most = most_in_window(&arrivals, Duration::from_secs(60));
    figure(&format!(
        "rpm 300, tpm 60000: at most {most:?} in a minute, {:.1} s",
        span(&arrivals).as_secs_f64()
    ));
    assert!(most.0 <= 300 && most.1 <= 60_000, "{most:?}");
}

/// The most of these requests that were being answered at once.
fn peak(arrivals: &[Arrival]) -> usize {
    let open =
        |at| arrivals.iter().filter(move |a| a.at <= at && a.answered.is_some_and(|end| end > at)).count();
    arrivals.iter().map(|arrival| open(arrival.at)).max().unwrap_or(0)
}

#[test]
fn a_burst_takes_a_quarter_of_the_places_and_successes_give_them_back() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(60));
    let asked = AtomicUsize::new(0);
    server.set_rule(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0..16 => Answer::status(429).header("retry-after-ms", "300"),
        _ => Answer::Usual,
    });
    burst(backend(&config(&server, "concurrency: 16")), 250);
    let arrivals = server.arrivals();
    let (burst, early, late) = (peak(&arrivals[..16]), peak(&arrivals[16..40]), peak(&arrivals[200..]));
    figure(&format!("at once: {burst} in the burst, {early} after it, {late} after 200 good replies"));
    // The places are the client's; how many of them are seen taken at once also depends on the machine.
    let least = if long() { (16, 12, 16) } else { (13, 10, 13) };
    assert!((least.0..=16).contains(&burst) && (least.1..=12).contains(&early), "{burst} {early}");
    assert!((least.2..=16).contains(&late), "{late}");
}

#[test]
fn what_is_left_by_the_headers_is_kept() {
    let (rate, calls) = if long() { (100.0, 1000) } else { (50.0, 150) };
    let shares = [true, false].map(|headers| {
        let server = ModelServer::start();
        server.set_allowance(Allowance { calls: rate, tokens: None, headers });
        server.set_latency(Duration::from_millis(20));
        burst(backend(&config(&server, "concurrency: 40")), calls);
        let arrivals = server.arrivals();
        let ratio = span(&arrivals).as_secs_f64() / (calls as f64 / rate);
        figure(&format!("headers {headers}: {} turned away of {calls}, {ratio:.3}", turned_away(&arrivals)));
        check_none_is_early("headers", &arrivals);
        assert!(!headers || ratio <= bar(), "{ratio}");
        turned_away(&arrivals) as f64 / calls as f64
    });
    assert!(shares[0] < 0.02, "{shares:?}");
}
