//! Backends on HTTP against a real server on this machine: both wires, every fault, deadlines,
//! retries, limits, cancellation, and that keys stay where they belong.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fthost::base::cancel::Stop;
use fthost::base::config::kinds::key_variable;
use fthost::base::config::{BackendConfig, Config};
use fthost::base::events::{Event, Events, Silent};
use fthost::base::{Error, Kind};
use fthost::llm::{Backend, Outcome, Reply, Request, Schema, Secret, Shared};
use serde_json::{Value, json};

use fault_server::{Answer, ModelServer};

const KEY: &str = "sk-canary-4711";

/// The configuration of one backend at the server.
fn config(server: &ModelServer, kind: &str, more: &str) -> BackendConfig {
    let text = format!("backends:\n  b: {{kind: {kind}, model: m, base_url: \"{}\"{more}}}\n", server.url());
    Config::parse("c", &text).unwrap().backends.remove("b").unwrap()
}

fn open_with(config: &BackendConfig, events: Arc<dyn Events>) -> Backend {
    let key = key_variable(config).map(|_| Secret::new(KEY));
    let quick = Duration::from_millis(2);
    Backend::open("b", config, key, &Shared::new(events)).unwrap().with_pauses(quick, quick * 4)
}

fn backend(server: &ModelServer, kind: &str, more: &str) -> Backend {
    open_with(&config(server, kind, more), Arc::new(Silent))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(future)
}

fn ask(backend: &Backend, request: &Request) -> Result<Reply, Error> {
    block_on(backend.call(request, &Stop::default())).map(|answered| answered.reply)
}

/// One call with these answers scripted, on Chat Completions; also how many requests it took.
fn after(answers: impl IntoIterator<Item = Answer>, more: &str) -> (Result<Reply, Error>, usize) {
    let server = ModelServer::start();
    answers.into_iter().for_each(|answer| server.push_reply(answer));
    let reply = ask(&backend(&server, "openai-chat", more), &Request::of("hello"));
    (reply, server.requests().len())
}

fn verdict() -> Request {
    let answer = json!({"type": "object", "required": ["reasoning", "answer"], "properties": {
        "reasoning": {"type": "string"}, "answer": {"enum": ["YES", "NO"]}, "note": {"type": "string"}}});
    Request { schema: Some(Arc::new(Schema::new("verdict", answer).unwrap())), ..Request::of("judge") }
}

#[test]
fn chat_sends_what_is_set_and_nothing_else() {
    let server = ModelServer::start();
    let mut request = Request::of("hello");
    ask(&backend(&server, "openai-chat", ""), &request).unwrap();
    let plain = server.request();
    assert_eq!(plain.path, "/v1/chat/completions");
    assert_eq!(plain.body, json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]}));
    assert_eq!(plain.header("authorization"), Some("Bearer sk-canary-4711"));
    request.system = Some("be kind".into());
    request.params.max_tokens = Some(9);
    request.params.stop = Some(vec!["END".into()]);
    let more = ", max_tokens_param: max_completion_tokens, extra_body: {top_k: 5}, headers: {X-Title: t}";
    ask(&backend(&server, "openai-chat", more), &request).unwrap();
    let full = &server.requests()[1];
    assert_eq!(full.body["messages"][0], json!({"role": "system", "content": "be kind"}));
    assert_eq!((&full.body["max_completion_tokens"], &full.body["top_k"]), (&json!(9), &json!(5)));
    assert_eq!(full.body["stop"], json!(["END"]));
    assert_eq!(full.header("x-title"), Some("t"));
}

#[test]
fn responses_sends_what_is_set_and_nothing_else() {
    let server = ModelServer::start();
    let mut request = Request::of("hello");
    request.system = Some("be kind".into());
    request.params.max_tokens = Some(9);
    request.params.temperature = Some(0.5);
    let reply = ask(&backend(&server, "openai", ""), &request).unwrap();
    let sent = server.request();
    assert_eq!(sent.path, "/v1/responses");
    let expected = json!({"model": "m", "instructions": "be kind", "input": [{"role": "user", "content": "hello"}],
        "max_output_tokens": 9, "temperature": 0.5, "store": false});
    assert_eq!(sent.body, expected);
    assert!(reply.content.starts_with("This answers a prompt of 1 messages"));
    assert_eq!((reply.outcome, reply.model.as_str(), reply.attempts), (Outcome::Ok, "m", 1));
    assert!(reply.usage.input_tokens > 0 && reply.usage.output_tokens > 0 && reply.usage.cached_tokens == 1);
}

#[test]
fn stop_texts_have_no_place_on_responses() {
    let server = ModelServer::start();
    let mut request = Request::of("hello");
    request.params.stop = Some(vec!["END".into()]);
    let error = ask(&backend(&server, "openai", ""), &request).unwrap_err();
    assert_eq!(error.kind(), Kind::Argument);
    assert!(server.requests().is_empty());
}

#[test]
fn structured_replies_come_on_both_wires() {
    for kind in ["openai", "openai-chat"] {
        let server = ModelServer::start();
        let request = verdict();
        let reply = ask(&backend(&server, kind, ""), &request).unwrap();
        let value = request.schema.unwrap().parse_and_validate(&reply.content).unwrap();
        assert_eq!(value["answer"], "YES", "{kind}");
        let body = server.request().body;
        let chat = &body["response_format"]["json_schema"];
        let format = if kind == "openai" { &body["text"]["format"] } else { chat };
        assert_eq!((&format["name"], &format["strict"]), (&json!("verdict"), &json!(true)));
        assert_eq!(format["schema"]["required"], json!(["reasoning", "answer", "note"]));
        let expected_type = if kind == "openai" { json!("json_schema") } else { Value::Null };
        assert_eq!(format["type"], expected_type);
    }
}

#[test]
fn servers_without_schemas_get_them_in_the_prompt() {
    for (mode, format) in [("json_object", json!({"type": "json_object"})), ("prompt", Value::Null)] {
        for kind in ["openai", "openai-chat"] {
            let server = ModelServer::start();
            let reply = ask(&backend(&server, kind, &format!(", structured: {mode}")), &verdict()).unwrap();
            assert_eq!(
                verdict().schema.unwrap().parse_and_validate(&reply.content).unwrap()["answer"],
                "YES"
            );
            let body = server.request().body;
            let sent = if kind == "openai" { &body["text"]["format"] } else { &body["response_format"] };
            assert_eq!(sent, &format, "{kind} {mode}");
        }
    }
}

#[test]
fn every_outcome_is_told_on_both_wires() {
    for kind in ["openai", "openai-chat"] {
        for (answer, outcome, content) in [
            (Answer::Text("<think>hm</think>hi".into()), Outcome::Ok, "hi"),
            (Answer::Reasoned("hm".into(), "hi".into()), Outcome::Ok, "hi"),
            (Answer::Refusal("I cannot".into()), Outcome::Refusal, "I cannot"),
            (Answer::Truncated("half a".into()), Outcome::Truncated, "half a"),
            (Answer::Filtered, Outcome::Filtered, ""),
        ] {
            let server = ModelServer::start();
            let thinks = !matches!(answer, Answer::Refusal(_) | Answer::Truncated(_) | Answer::Filtered);
            server.push_reply(answer);
            let reply = ask(&backend(&server, kind, ""), &Request::of("hello")).unwrap();
            assert_eq!((reply.outcome, reply.content.as_str()), (outcome, content), "{kind}");
            assert_eq!(reply.reasoning.as_deref(), thinks.then_some("hm"), "{kind}");
        }
    }
}

#[test]
fn passing_faults_are_retried() {
    for answer in [
        Answer::status(500),
        Answer::status(503),
        Answer::status(429),
        Answer::status(408),
        Answer::status(409),
        Answer::Reset,
        Answer::HalfBody,
        Answer::raw("{\"choices\": [{"),
        Answer::raw("[]"),
        Answer::raw(vec![0xff, 0xfe]),
        Answer::raw(r#"{"error": {"code": 502, "message": "upstream"}}"#),
        Answer::status(400).header("x-should-retry", "true"),
    ] {
        let what = format!("{answer:?}");
        let (reply, requests) = after([answer.clone(), answer], "");
        let reply = reply.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((reply.outcome, reply.attempts, requests), (Outcome::Ok, 3, 3), "{what}");
    }
}

#[test]
fn lasting_faults_are_told_at_once() {
    for (answer, kind, words) in [
        (Answer::status(400), Kind::BadRequest, "rejects the request (400): scripted 400"),
        (Answer::status(401), Kind::DeadBackend, "rejects the key (401)"),
        (Answer::status(403), Kind::DeadBackend, "no permission (403)"),
        (Answer::status(404), Kind::DeadBackend, "does not know this model"),
        (
            Answer::error(429, "no credit", "insufficient_quota"),
            Kind::DeadBackend,
            "quota exhausted for key OPENAI_API_KEY (429): no credit",
        ),
        (Answer::status(429).header("x-should-retry", "false"), Kind::RateLimit, "rate limit"),
        (Answer::raw(vec![b' '; 17 << 20]), Kind::Limit, "larger than 16 MiB"),
    ] {
        let (reply, requests) = after([answer], "");
        let error = reply.unwrap_err();
        assert_eq!((error.kind(), requests), (kind, 1), "{error}");
        assert!(error.message().starts_with("backend `b`: ") && error.message().contains(words), "{error}");
        if kind == Kind::DeadBackend && !words.contains("model") {
            assert!(error.get_hint().unwrap().contains("OPENAI_API_KEY"), "{error}");
        }
    }
}

#[test]
fn attempts_are_finite() {
    let (reply, requests) = after(vec![Answer::status(500); 9], "");
    let error = reply.unwrap_err();
    assert_eq!((error.kind(), requests), (Kind::Server, 5));
    assert!(error.message().starts_with("after 5 attempts: backend `b`: "), "{error}");
    assert_eq!(after(vec![Answer::status(429); 9], ", max_attempts: 2").1, 2);
    assert_eq!(after(vec![Answer::status(429).header("retry-after", "0"); 9], "").1, 5);
}

#[test]
fn nobody_listens() {
    let server = ModelServer::start();
    let config = config(&server, "openai-chat", ", max_attempts: 1");
    drop(server);
    std::thread::sleep(Duration::from_millis(50));
    let error = ask(&open_with(&config, Arc::new(Silent)), &Request::of("hello")).unwrap_err();
    assert_eq!(error.kind(), Kind::Connection);
    assert!(error.message().contains("cannot connect to http://127.0.0.1:"), "{error}");
    assert!(error.message().contains("refused") && !error.message().contains("os error"), "{error}");
}

#[test]
fn deadlines_end_attempts() {
    for (answer, deadline) in [
        (Answer::Hang, "first_byte: 0.1"),
        (Answer::Stall, "idle: 0.1"),
        (Answer::Hang, "total: 0.1"),
        (Answer::Stall, "total: 0.1"),
    ] {
        let begun = Instant::now();
        let more = format!(", max_attempts: 2, timeouts: {{{deadline}}}");
        let (reply, requests) = after([answer.clone(), answer], &more);
        let error = reply.unwrap_err();
        assert_eq!((error.kind(), requests), (Kind::Timeout, 2), "{error}");
        assert!(error.message().contains("waited 0.1 s for"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}

#[test]
fn redirects_are_not_followed() {
    let (trap, server) = (ModelServer::start(), ModelServer::start());
    server.push_reply(Answer::redirect(&format!("{}/chat/completions", trap.url())));
    let error = ask(&backend(&server, "openai-chat", ""), &Request::of("hello")).unwrap_err();
    assert!(error.message().contains("the server redirects"), "{error}");
    assert!(error.get_hint().unwrap().contains("base_url"));
    assert!(trap.requests().is_empty());
}

#[test]
fn a_key_shows_nowhere() {
    let server = ModelServer::start();
    for status in [400, 401, 500] {
        server.push_reply(Answer::error(status, &format!("bad key {KEY}"), KEY));
        let backend = backend(&server, "openai-chat", ", max_attempts: 1");
        let error = ask(&backend, &Request::of("hello")).unwrap_err();
        assert!(!format!("{error:?} {:?}", error.get_hint()).contains("canary"), "{error:?}");
        assert!(error.message().contains("bad key [secret]"), "{error}");
    }
    server.push_reply(Answer::Text(format!("your key is {KEY}")));
    let reply = ask(&backend(&server, "openai-chat", ""), &Request::of("hello")).unwrap();
    assert_eq!(reply.content, "your key is [secret]");
}

#[test]
fn keys_are_demanded_or_left_out() {
    let server = ModelServer::start();
    let open = |more: &str, key: Option<&str>| {
        let config = config(&server, "openai-chat", more);
        Backend::open("b", &config, key.map(Secret::new), &Shared::new(Arc::new(Silent)))
    };
    for key in [None, Some(" \n")] {
        let error = open("", key).err().unwrap();
        assert_eq!(error.message(), "backend `b` needs a key: OPENAI_API_KEY is not set");
        assert!(error.get_hint().unwrap().contains(".env"));
    }
    assert!(open(", api_key_env: MINE", None).err().unwrap().message().contains("MINE"));
    let odd = open("", Some("two\nlines")).err().unwrap();
    assert!(odd.message().contains("cannot be sent") && !odd.message().contains("two"), "{odd}");
    ask(&open(", api_key_env: null", None).unwrap(), &Request::of("hello")).unwrap();
    assert_eq!(server.request().header("authorization"), None);
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Events for Heard {
    fn emit(&self, event: Event) {
        if let Event::Waiting { backend, reason, wait } = event {
            self.0.lock().unwrap().push(format!("{backend} {} {reason}", wait.as_millis()));
        }
    }
}

#[test]
fn a_named_wait_is_a_floor_and_uses_no_attempt() {
    let server = ModelServer::start();
    for _ in 0..3 {
        server.push_reply(Answer::status(429).header("retry-after-ms", "120"));
    }
    let heard = Arc::new(Heard::default());
    let backend = open_with(&config(&server, "openai-chat", ", max_attempts: 1"), heard.clone());
    ask(&backend, &Request::of("hello")).unwrap();
    let times: Vec<Instant> = server.requests().iter().map(|request| request.at).collect();
    assert_eq!(times.len(), 4);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(120)), "{times:?}");
    assert_eq!(heard.0.lock().unwrap()[0], "b 120 rate limit (429): scripted 429");
    assert_eq!((backend.stats().calls, backend.stats().attempts), (1, 4));
}

#[test]
fn a_named_wait_has_an_end() {
    let begun = Instant::now();
    let late = Answer::status(429).header("retry-after", "3600");
    let (reply, requests) = after([late], ", max_wait: 600");
    let error = reply.unwrap_err();
    assert_eq!((error.kind(), requests), (Kind::DeadBackend, 1));
    assert!(error.message().starts_with("the server asks to wait 60 min"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_named_wait_is_everybodys() {
    let server = ModelServer::start();
    server.push_reply(Answer::status(429).header("retry-after-ms", "300"));
    let backend = backend(&server, "openai-chat", "");
    block_on(async {
        let (stop, request) = (Stop::default(), Request::of("hello"));
        let late = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            backend.call(&request, &stop).await
        };
        let (first, second) = tokio::join!(backend.call(&request, &stop), late);
        assert!(first.is_ok() && second.is_ok());
    });
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[1].at - requests[0].at >= Duration::from_millis(300));
}

/// Calls, and drains the run after a while.
fn drained(backend: &Backend, abort: bool) -> (Result<Reply, Error>, Duration) {
    let stop = Stop::default();
    block_on(async {
        let begun = Instant::now();
        let drain = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stop.drain_because(Error::new(Kind::Interrupted, "Ctrl-C"));
            if abort {
                stop.abort();
            }
        };
        let request = Request::of("hello");
        let (reply, ()) = tokio::join!(backend.call(&request, &stop), drain);
        (reply.map(|answered| answered.reply), begun.elapsed())
    })
}

#[test]
fn draining_ends_waits_but_not_requests_on_the_wire() {
    let waits = [Answer::status(429).header("retry-after", "20"), Answer::status(500)];
    for answer in waits {
        let server = ModelServer::start();
        server.push_reply(answer);
        let slow = Duration::from_secs(3000);
        let backend = backend(&server, "openai-chat", "").with_pauses(slow, slow);
        let (reply, took) = drained(&backend, false);
        assert_eq!(reply.unwrap_err().message(), "Ctrl-C");
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_eq!(server.requests().len(), 1);
    }
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(300));
    let (reply, _) = drained(&backend(&server, "openai-chat", ""), false);
    assert_eq!(reply.unwrap().outcome, Outcome::Ok);
}

#[test]
fn aborting_gives_up_requests_on_the_wire() {
    let server = ModelServer::start();
    server.push_reply(Answer::Hang);
    let (reply, took) = drained(&backend(&server, "openai-chat", ""), true);
    assert_eq!(reply.unwrap_err().kind(), Kind::Interrupted);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_drained_run_sends_nothing() {
    let server = ModelServer::start();
    let stop = Stop::default();
    stop.drain_because(Error::new(Kind::Disk, "disk full"));
    let error = block_on(backend(&server, "openai-chat", "").call(&Request::of("hello"), &stop)).unwrap_err();
    assert_eq!(error.kind(), Kind::Disk);
    assert!(server.requests().is_empty());
}

/// So many calls at once; how long they took.
fn burst(backend: Backend, calls: usize) -> Duration {
    let backend = Arc::new(backend);
    let begun = Instant::now();
    block_on(async {
        let mut set = tokio::task::JoinSet::new();
        for _ in 0..calls {
            let backend = backend.clone();
            set.spawn(async move { backend.call(&Request::of("hello"), &Stop::default()).await });
        }
        set.join_all().await.into_iter().for_each(|reply| assert!(reply.is_ok()));
    });
    begun.elapsed()
}

#[test]
fn concurrency_is_capped_and_used() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(20));
    let backend = backend(&server, "openai-chat", ", concurrency: 4");
    let took = burst(backend, 40);
    assert_eq!(server.requests().len(), 40);
    assert_eq!(server.peak(), 4);
    assert!(took >= Duration::from_millis(200) && took < Duration::from_millis(800), "{took:?}");
}

#[test]
fn requests_a_minute_are_paced() {
    let server = ModelServer::start();
    let backend = backend(&server, "openai-chat", ", rpm: 1200");
    let took = burst(backend, 70);
    assert!(took >= Duration::from_millis(400), "60 may go at once, then 19 a second: {took:?}");
    assert_eq!(server.requests().len(), 70);
}

#[test]
fn usage_and_cost_are_counted() {
    let server = ModelServer::start();
    let backend = backend(&server, "openai-chat", ", price: {input: 1000000, output: 2000000}");
    let reply = ask(&backend, &Request::of("hello")).unwrap();
    let stats = backend.stats();
    assert_eq!((stats.calls, stats.input_tokens), (1, reply.usage.input_tokens));
    let expected = reply.usage.input_tokens as f64 + 2.0 * reply.usage.output_tokens as f64;
    assert_eq!(stats.usd, Some(expected));
    assert_eq!(backend.identity().origin, server.url().trim_end_matches("/v1"));
}
