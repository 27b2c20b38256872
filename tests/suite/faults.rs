//! Thousands of calls against servers of which three answers in ten are faults, of all kinds, on all wires: every
//! call ends in time, in a way that fits what was served, and the key goes nowhere.
//!
//! The short form takes seconds. The long one, ten times as many calls:
//! `FTHOST_LONG=1 cargo test --release --test suite faults:: -- --nocapture`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fthost::base::Result;
use fthost::base::config::{BackendConfig, Config};
use fthost::base::events::{Event, Events};
use fthost::llm::adapter::Functions;
use fthost::llm::retry::Retry;
use fthost::llm::{Request, Schema, Secret, Shared};
use fthost::store::Project;
use fthost::work::backends::{Backend, Line};
use fthost::work::{Scope, World, call};
use serde_json::{Value, json};

use crate::support::{TestProject, figure, long, root};
use fault_server::{Fault, Faults, ModelServer};

const KEY: &str = "sk-canary+4711/fault";

/// Calls at a time on each wire.
const AT_ONCE: usize = 8;

/// The wires: kind, path of the base address, calls of the short form. A wait that Gemini names counts a second more.
const WIRES: [(&str, &str, usize); 5] = [
    ("openai", "/v1", 250),
    ("openai-chat", "/v1", 250),
    ("anthropic", "/v1", 250),
    ("adapter", "", 200),
    ("google", "/v1beta", 50),
];

/// How calls end: `ok`, or the error's kind.
type End = &'static str;

/// What a fault may make of a call when it is the last thing that the call was served.
fn ends(fault: &str, structured: bool) -> &'static [End] {
    match fault {
        "usual" => &["ok"],
        "429" | "429-bare" | "429-exact" => &["rate_limit"],
        "500" | "502" | "503" | "529" | "malformed" | "truncated-json" | "non-utf8" | "empty"
        | "redirect" => &["server"],
        "reset" | "half-body" => &["connection"],
        "drip" | "hang" => &["timeout"],
        "oversized" => &["limit"],
        // Gemini has only the other one.
        "refusal" => &["refusal", "filtered"],
        "token-limit" => &["truncated"],
        // The Messages API has one word for both.
        "filter" => &["filtered", "refusal"],
        "not-json" | "duplicate-key" => &["invalid_json"],
        "wrong-schema" if structured => &["schema_mismatch"],
        _ => &[],
    }
}

/// A call that has ended.
struct Ended {
    prompt: String,
    structured: bool,
    end: End,
    /// All that is told of it.
    told: String,
    took: Duration,
}

/// Events that show no key.
#[derive(Default)]
struct Watched(AtomicUsize);

impl Events for Watched {
    fn emit(&self, event: Event) {
        if let Event::Waiting { reason, .. } = event {
            assert!(!shows_the_key(&reason), "{reason}");
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The key's own characters, and what all of its encoded forms hold.
fn shows_the_key(text: &str) -> bool {
    ["canary", "Y2FuYXJ5", "jYW5hcn", "NhbmFye"].iter().any(|part| text.contains(part))
}

fn config(kind: &str, url: &str) -> BackendConfig {
    let more = if kind == "adapter" { ", file: x.rhai" } else { "" };
    let text = format!(
        "backends:\n  b: {{kind: {kind}, model: m, base_url: \"{url}\", api_key_env: CANARY{more}, \
         timeouts: {{connect: 2, first_byte: 1.5, idle: 1.5, total: 5}}, max_wait: 30}}\n"
    );
    Config::parse("c", &text).unwrap().backends.remove("b").unwrap()
}

/// Ollama's wire, as `std/ollama` has it.
fn ollama() -> Functions {
    let to_http = |request: &Request, model: &str| {
        let turns: Vec<Value> =
            request.messages.iter().map(|m| json!({"role": m.role, "content": m.content})).collect();
        let mut body = json!({"model": model, "messages": turns, "stream": false});
        if let Some(schema) = &request.schema {
            body["format"] = schema.value().clone();
        }
        Ok(json!({"path": "/api/chat", "body": body}))
    };
    let from_http = |status: u16, body: Value| {
        if status != 200 || !body.is_object() {
            return Ok(Value::Null);
        }
        let outcome = if body["done_reason"] == "length" { "truncated" } else { "ok" };
        Ok(
            json!({"content": body["message"]["content"], "outcome": outcome, "finish_reason": body["done_reason"]}),
        )
    };
    let (file, origin) = ("x.rhai".to_string(), "x".to_string());
    Functions { file, origin, to_http: Box::new(to_http), from_http: Box::new(from_http) }
}

fn open(kind: &str, url: &str, shared: &Shared) -> Backend {
    let (config, key) = (config(kind, url), Some(Secret::new(KEY)));
    let remote = match kind {
        "adapter" => fthost::llm::Backend::open_adapter("b", &config, key, ollama(), shared),
        _ => fthost::llm::Backend::open("b", &config, key, shared),
    };
    in_work(remote.unwrap())
}

/// As a script holds it, with short pauses.
fn in_work(remote: fthost::llm::Backend) -> Backend {
    let quick = Duration::from_millis(2);
    let line = Line::Remote(Arc::new(remote.with_pauses(quick, quick * 4)));
    Backend {
        name: "b".into(),
        role: String::new(),
        params: Default::default(),
        extra_body: Value::Null,
        line,
    }
}

fn world(project: &TestProject, events: Arc<Watched>) -> World {
    project.write("config/fthost.yaml", "backends: {}\n");
    let project = Project::open(project.root()).unwrap();
    World::new(project, Config::parse("c", "backends: {}\n").unwrap(), events, Box::new(|_| None), "test")
}

/// Asks once; every second call is structured.
fn ask(world: &World, backend: &Backend, number: usize) -> Ended {
    let (prompt, structured) = (format!("question {number}"), number % 2 == 1);
    let begun = Instant::now();
    let result: Result<String> = if structured {
        let schema = json!({"type": "object", "required": ["answer", "reasoning"], "properties": {
            "reasoning": {"type": "string"}, "answer": {"enum": ["YES", "NO"]}}});
        let schema = Arc::new(Schema::new("verdict", schema).unwrap());
        call::complete_structured(world, &Scope::default(), backend, Request::of(prompt.as_str()), &schema)
            .map(|value| value.to_string())
    } else {
        call::complete(world, &Scope::default(), backend, Request::of(prompt.as_str()))
            .map(|reply| format!("{reply:?}"))
    };
    let end = result.as_ref().map_or_else(|error| error.kind().name(), |_| "ok");
    Ended { prompt, structured, end, told: format!("{result:?}"), took: begun.elapsed() }
}

/// All calls of a wire.
fn storm(world: &World, backend: &Backend, calls: usize) -> Vec<Ended> {
    let next = AtomicUsize::new(0);
    let one = || -> Vec<Ended> {
        let numbers =
            std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < calls));
        numbers.map(|number| ask(world, backend, number)).collect()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// What each prompt was served, in order.
fn served(server: &ModelServer) -> BTreeMap<String, Vec<&'static str>> {
    let mut all: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (request, arrival) in server.requests().iter().zip(server.arrivals()) {
        let prompt = request.logical().messages[0].content.clone();
        all.entry(prompt).or_default().push(arrival.kind);
    }
    all
}

/// Whether all that went wrong may go well when it is asked again.
fn can_be_retried(kinds: &[&str]) -> bool {
    kinds.iter().all(|kind| Fault::named(kind).is_none_or(Fault::may_retry))
}

/// Whether one reply was to be repaired, and the rest could be retried.
fn can_be_repaired(kinds: &[&str]) -> bool {
    let repairs = |kind: &&&str| Fault::named(kind).is_some_and(Fault::may_repair);
    let rest: Vec<&str> = kinds.iter().filter(|kind| !repairs(kind)).copied().collect();
    rest.len() + 1 == kinds.len() && can_be_retried(&rest)
}

/// Calls, and those of them that ended ok.
#[derive(Default)]
struct Share {
    all: usize,
    ok: usize,
}

impl Share {
    fn count(&mut self, end: End) {
        self.all += 1;
        self.ok += usize::from(end == "ok");
    }
}

/// Holds each call against what it was served.
fn check(kind: &str, ended: &[Ended], server: &ModelServer, retried: &mut Share, repaired: &mut Share) {
    let deadline =
        Retry { cap: Duration::from_millis(8), max_wait: Duration::from_secs(30), ..Retry::of(kind) }
            .deadline(Duration::from_secs(5));
    let served = served(server);
    for call in ended {
        let kinds = &served[&call.prompt];
        let last = kinds.last().unwrap();
        let fits = ends(last, call.structured).contains(&call.end);
        assert!(fits, "{kind}, {}: served {kinds:?}, ended {}: {}", call.prompt, call.end, call.told);
        assert!(!shows_the_key(&call.told), "{kind}: {}", call.told);
        // A structured call may be asked a second time.
        assert!(call.took < deadline * 2, "{kind}: {:?} of {deadline:?}", call.took);
        if can_be_retried(kinds) {
            retried.count(call.end);
        } else if can_be_repaired(kinds) {
            repaired.count(call.end);
        }
    }
}

#[test]
fn every_call_ends_in_time_and_as_it_was_served() {
    let (project, events, elsewhere) =
        (TestProject::nothing(), Arc::new(Watched::default()), ModelServer::start());
    let world = world(&project, events.clone());
    let shared = Shared::new(events.clone());
    let times = if long() { 10 } else { 1 };
    let begun = Instant::now();
    let all: Vec<_> = std::thread::scope(|scope| {
        let wires = WIRES.iter().enumerate().map(|(seed, (kind, path, calls))| {
            let (world, shared, to) = (&world, &shared, elsewhere.origin());
            scope.spawn(move || {
                let server = ModelServer::start();
                let retry_after = Duration::from_millis(20);
                let seed = seed as u64 + 1;
                server.set_faults(Faults {
                    seed,
                    rate: 0.3,
                    retry_after,
                    redirect_to: to,
                    ..Faults::default()
                });
                let backend = open(kind, &format!("{}{path}", server.origin()), shared);
                (*kind, storm(world, &backend, calls * times), server, begun.elapsed())
            })
        });
        wires.collect::<Vec<_>>().into_iter().map(|wire| wire.join().unwrap()).collect()
    });
    let (mut retried, mut repaired, mut ends) =
        (Share::default(), Share::default(), BTreeMap::<End, usize>::new());
    for (kind, ended, server, took) in &all {
        check(kind, ended, server, &mut retried, &mut repaired);
        ended.iter().for_each(|call| *ends.entry(call.end).or_default() += 1);
        let longest = ended.iter().map(|call| call.took).max().unwrap();
        figure(&format!(
            "{kind}: {} calls, {} requests, {took:.1?}, the longest {longest:.1?}",
            ended.len(),
            server.arrivals().len()
        ));
    }
    figure(&format!("ends: {ends:?}, waits told: {}", events.0.load(Ordering::Relaxed)));
    figure(&format!(
        "can be retried: {} of {} ok; can be repaired: {} of {}",
        retried.ok, retried.all, repaired.ok, repaired.all
    ));
    assert!(retried.ok * 1000 >= retried.all * 999, "{} of {}", retried.ok, retried.all);
    assert!(
        repaired.all > 20 && repaired.ok * 100 >= repaired.all * 98,
        "{} of {}",
        repaired.ok,
        repaired.all
    );
    assert!(elsewhere.requests().is_empty(), "a redirect was followed");
}

/// What the claude CLI does, and how a call ends then: when it happens once, and when it happens always.
const CLAUDE: [(&str, End, End); 12] = [
    ("exit", "ok", "server"),
    ("error", "ok", "server"),
    ("not-json", "ok", "server"),
    ("crash", "ok", "server"),
    ("max-turns", "ok", "server"),
    ("empty", "ok", "server"),
    ("hang", "ok", "timeout"),
    ("wrong-schema", "ok", "schema_mismatch"),
    ("text", "ok", "invalid_json"),
    ("refusal", "refusal", "refusal"),
    ("token-limit", "truncated", "truncated"),
    ("login", "dead_backend", "dead_backend"),
];

/// One structured call of the stand-in, with a home of its own, and so many seconds for each attempt.
fn ask_claude(orders: &Value, seconds: u32) -> End {
    let (project, events) = (TestProject::nothing(), Arc::new(Watched::default()));
    project.write("fake_claude.json", &orders.to_string());
    let command = root().join("tests/fake_claude.py");
    let text = format!(
        "backends: {{b: {{kind: claude, model: m, command: \"{}\", max_attempts: 2, timeouts: {{total: {seconds}}}}}}}\n",
        command.display()
    );
    let config = Config::parse("c", &text).unwrap().backends.remove("b").unwrap();
    let home = project.root().to_string_lossy().into_owned();
    let variable =
        move |name: &str| if name == "HOME" { Some(home.clone()) } else { std::env::var(name).ok() };
    let shared = Shared::new(events.clone());
    let remote = fthost::llm::Backend::open_program("b", &config, &variable, &shared).unwrap();
    let (begun, ended) = (Instant::now(), ask(&world(&project, events), &in_work(remote), 1));
    assert!(begun.elapsed() < Duration::from_secs(120), "{orders}");
    ended.end
}

#[test]
fn the_claude_cli_fails_in_its_own_ways() {
    std::thread::scope(|scope| {
        for (kind, once, always) in CLAUDE {
            let answer = json!({"kind": kind});
            let orders =
                [(json!({"answers": [answer]}), once, "once"), (json!({"always": answer}), always, "always")];
            // Nobody waits for a deadline but those who hang: a busy machine starts programs slowly.
            let seconds = if kind == "hang" { 6 } else { 50 };
            for (orders, end, how) in orders {
                scope.spawn(move || assert_eq!(ask_claude(&orders, seconds), end, "{kind} {how}"));
            }
        }
    });
}
