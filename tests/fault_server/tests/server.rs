//! The server over real connections: every wire, every fault, limits, the bill, the binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fault_server::{Allowance, Answer, Fault, Faults, ModelServer, most_in_window};
use serde_json::{Value, json};

const SCHEMA: &str = r#"{"type":"object","properties":{"reasoning":{"type":"string"},"answer":{"enum":["YES","NO"]}},
    "required":["reasoning","answer"],"additionalProperties":false}"#;

/// An answer as it came.
#[derive(Debug)]
struct Got {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// One request on a connection of its own, read to the end of the connection or for so long.
fn send(server: &ModelServer, method: &str, path: &str, body: &str, patience: Duration) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(server.origin().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nAnthropic-Version: 2023-06-01\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let (mut bytes, mut part) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => return (bytes, true),
            Ok(n) => bytes.extend(&part[..n]),
            Err(_) => return (bytes, false),
        }
        if is_whole(&bytes) {
            return (bytes, true);
        }
    }
}

fn split(bytes: &[u8]) -> Option<(String, &[u8])> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&bytes[..at]).into_owned(), &bytes[at + 4..]))
}

fn is_whole(bytes: &[u8]) -> bool {
    split(bytes).is_some_and(|(head, body)| {
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        length.map_or(body.ends_with(b"\r\n0\r\n\r\n"), |length: usize| body.len() >= length)
    })
}

fn post(server: &ModelServer, path: &str, body: &Value) -> Got {
    let (bytes, _) = send(server, "POST", path, &body.to_string(), Duration::from_secs(20));
    let (head, body) = split(&bytes).unwrap_or_else(|| panic!("{path}: no answer"));
    Got { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body: body.to_vec() }
}

/// The same question on each wire: the path, the body, where the text of a reply is.
fn wires(schema: Option<&Value>) -> Vec<(&'static str, Value, &'static str)> {
    let turns = json!([{"role": "user", "content": "Hi \u{7f}\u{1f}ä"}, {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Why?"}]);
    let with_system = json!([{"role": "system", "content": "be kind"}, turns[0], turns[1], turns[2]]);
    let part = |text: &Value| json!([{"text": text}]);
    let contents = json!([{"role": "user", "parts": part(&turns[0]["content"])},
        {"role": "model", "parts": part(&turns[1]["content"])}, {"role": "user", "parts": part(&turns[2]["content"])}]);
    let mut all = vec![
        (
            "/v1/responses",
            json!({"model": "m", "instructions": "be kind", "input": turns}),
            "/output/0/content/0/text",
        ),
        (
            "/v1/chat/completions",
            json!({"model": "m", "messages": with_system}),
            "/choices/0/message/content",
        ),
        (
            "/v1beta/models/m:generateContent",
            json!({"contents": contents, "systemInstruction": {"parts": [{"text": "be kind"}]}, "generationConfig": {}}),
            "/candidates/0/content/parts/0/text",
        ),
        (
            "/v1/messages",
            json!({"model": "m", "max_tokens": 99, "system": "be kind", "messages": turns}),
            "/content/0/text",
        ),
        ("/api/chat", json!({"model": "m", "stream": false, "messages": with_system}), "/message/content"),
    ];
    if let Some(schema) = schema {
        all[0].1["text"] =
            json!({"format": {"type": "json_schema", "name": "a", "strict": true, "schema": schema}});
        all[1].1["response_format"] =
            json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
        all[2].1["generationConfig"] =
            json!({"responseMimeType": "application/json", "responseJsonSchema": schema});
        all[3].1["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}});
        all[4].1["format"] = schema.clone();
    }
    all
}

fn text_at(got: &Got, place: &str) -> String {
    got.json().pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("{place}: {got:?}")).into()
}

#[test]
fn all_wires_say_the_same() {
    let server = ModelServer::start();
    for schema in [None, Some(serde_json::from_str(SCHEMA).unwrap())] {
        let texts: Vec<String> = wires(schema.as_ref())
            .iter()
            .map(|(path, body, place)| text_at(&post(&server, path, body), place))
            .collect();
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
        let expected = if schema.is_some() {
            r#"{"reasoning":"ok","answer":"YES"}"#
        } else {
            "This answers a prompt of 3"
        };
        assert!(texts[0].starts_with(expected), "{}", texts[0]);
    }
    let hashes: std::collections::HashSet<String> =
        server.bill().into_iter().map(|charge| charge.hash).collect();
    assert_eq!((server.bill().len(), hashes.len()), (10, 2));
    assert!(server.bill().iter().all(|charge| charge.model == "m" && charge.kind == "usual"));
}

#[test]
fn usage_is_the_same_in_each_wire_s_words() {
    let server = ModelServer::start();
    let places = [
        ["/usage/input_tokens", "/usage/output_tokens"],
        ["/usage/prompt_tokens", "/usage/completion_tokens"],
        ["/usageMetadata/promptTokenCount", "/usageMetadata/candidatesTokenCount"],
        ["/usage/input_tokens", "/usage/output_tokens"],
        ["/prompt_eval_count", "/eval_count"],
    ];
    for ((path, body, _), places) in wires(None).iter().zip(places) {
        let got = post(&server, path, body).json();
        let charge = server.bill().pop().unwrap();
        let number = |place: &str| got.pointer(place).and_then(Value::as_u64).unwrap();
        let cached = got["usage"]["cache_read_input_tokens"].as_u64().unwrap_or(0);
        assert_eq!(
            (number(places[0]) + cached, number(places[1])),
            (charge.input_tokens, charge.output_tokens),
            "{path}"
        );
    }
}

#[test]
fn ends_are_told_in_each_wire_s_words() {
    let server = ModelServer::start();
    let ends = [
        [
            ("/output/0/content/0/refusal", "no"),
            ("/incomplete_details/reason", "max_output_tokens"),
            ("/incomplete_details/reason", "content_filter"),
        ],
        [
            ("/choices/0/message/refusal", "no"),
            ("/choices/0/finish_reason", "length"),
            ("/choices/0/finish_reason", "content_filter"),
        ],
        [
            ("/promptFeedback/blockReason", "PROHIBITED_CONTENT"),
            ("/candidates/0/finishReason", "MAX_TOKENS"),
            ("/candidates/0/finishReason", "SAFETY"),
        ],
        [("/stop_reason", "refusal"), ("/stop_reason", "max_tokens"), ("/stop_reason", "refusal")],
        [("/message/content", "no"), ("/done_reason", "length"), ("/done_reason", "stop")],
    ];
    for ((path, body, _), ends) in wires(None).iter().zip(ends) {
        let answers = [Answer::Refusal("no".into()), Answer::Truncated("ha".into()), Answer::Filtered];
        for (answer, (place, value)) in answers.into_iter().zip(ends) {
            server.push_reply(answer);
            assert_eq!(text_at(&post(&server, path, body), place), value, "{path}");
        }
        server.push_reply(Answer::Reasoned("hm, let me see".into(), "hi".into()));
        let got = String::from_utf8(post(&server, path, body).body).unwrap();
        assert!(got.contains("hm, let me see"), "{path}: {got}");
    }
}

#[test]
fn what_the_real_server_rejects_is_rejected() {
    let server = ModelServer::start();
    let open = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let strict = json!({"model": "m", "input": "x", "text": {"format": {"strict": true, "schema": open}}});
    for (path, body) in [
        ("/v1/responses", strict),
        ("/v1/messages", json!({"model": "m", "messages": [{"role": "user", "content": "x"}]})),
        ("/v1/messages", json!({"max_tokens": 1, "messages": [{"role": "system", "content": "x"}]})),
        ("/v1beta/models/m:generateContent", json!({"contents": [{"role": "assistant", "parts": []}]})),
        ("/api/chat", json!({"model": "m", "messages": []})),
        ("/v1/chat/completions", json!({"messages": []})),
    ] {
        let got = post(&server, path, &body);
        assert_eq!(got.status, 400, "{path} {body}");
        assert!(!got.json()["error"].is_null());
    }
    assert_eq!(post(&server, "/v2/other", &json!({})).status, 404);
    assert!(server.bill().is_empty());
}

/// What each fault is to the client, on every wire: a status, or 0 for no whole answer.
#[test]
fn every_fault_is_what_its_name_says() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (path, body, place) in wires(Some(&schema)) {
        let server = ModelServer::start();
        for (fault, name) in Fault::ALL {
            server.push_reply(Answer::Fault(*fault));
            let patience =
                Duration::from_millis(if matches!(fault, Fault::Hang | Fault::Drip) { 300 } else { 20_000 });
            let (bytes, ended) = send(&server, "POST", path, &body.to_string(), patience);
            check_fault(*fault, &bytes, ended, place, path);
            let billed = server.bill().iter().any(|charge| charge.kind == *name);
            let status =
                split(&bytes).map_or(0, |(head, _)| head.split(' ').nth(1).unwrap().parse().unwrap());
            assert_eq!(billed, status == 200 && is_whole(&bytes), "{path} {name}");
        }
        until(|| server.partials().len() == 2);
        let kinds: Vec<String> = server.partials().into_iter().map(|charge| charge.kind).collect();
        assert!(kinds.contains(&"half-body".into()) && kinds.contains(&"drip".into()), "{kinds:?}");
    }
}

fn until(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "waited too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn check_fault(fault: Fault, bytes: &[u8], ended: bool, place: &str, path: &str) {
    let (head, body) = split(bytes).unwrap_or_default();
    let what = format!("{path} {fault:?} {head} {}", String::from_utf8_lossy(&body[..body.len().min(300)]));
    let starts = |status: &str| assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{what}");
    let value = || serde_json::from_slice::<Value>(body);
    let said = || value().unwrap().pointer(place).and_then(Value::as_str).map(str::to_string).unwrap();
    match fault {
        Fault::RateLimit => {
            assert!(head.starts_with("HTTP/1.1 429") && head.contains("retry-after: 1"), "{what}")
        }
        Fault::RateLimitBare => {
            assert!(head.starts_with("HTTP/1.1 429") && !head.contains("retry-after"), "{what}")
        }
        Fault::RateLimitExact => {
            let google = value().unwrap()["error"]["details"][1]["retryDelay"] == "1s";
            assert!(
                head.starts_with("HTTP/1.1 429") && google != head.contains("retry-after-ms: 1000"),
                "{what}"
            );
        }
        Fault::Failed => starts("500"),
        Fault::BadGateway => assert!(head.starts_with("HTTP/1.1 502") && value().is_err(), "{what}"),
        Fault::Unavailable => starts("503"),
        Fault::Overloaded => starts("529"),
        Fault::Redirect => assert!(
            head.starts_with("HTTP/1.1 307") && head.contains("location: http://127.0.0.1:9/"),
            "{what}"
        ),
        Fault::Reset => assert!(bytes.is_empty() && !ended, "{what}"),
        Fault::HalfBody => assert!(!is_whole(bytes) && !ended, "{what}"),
        Fault::Drip => assert!(bytes.len() == 1 && !ended, "{what}"),
        Fault::Hang => assert!(bytes.is_empty() && !ended, "{what}"),
        Fault::Malformed | Fault::TruncatedJson => assert!(value().is_err() && is_whole(bytes), "{what}"),
        Fault::NonUtf8 => assert!(str::from_utf8(body).is_err() && is_whole(bytes), "{what}"),
        Fault::Oversized => assert!(body.len() > 16 << 20 && head.contains("chunked"), "{what}"),
        Fault::WrongSchema => assert!(said().starts_with('['), "{what}"),
        Fault::NotJson => assert!(serde_json::from_str::<Value>(&said()).is_err(), "{what}"),
        Fault::DuplicateKey => assert_eq!(said().matches("\"reasoning\"").count(), 2, "{what}"),
        Fault::TokenLimit => assert!(serde_json::from_str::<Value>(&said()).is_err(), "{what}"),
        Fault::Empty => assert_eq!(said(), "", "{what}"),
        Fault::Refusal | Fault::Filter => starts("200"),
    }
}

/// What 40 different requests get, in order of the requests, whatever the order of arrival.
fn kinds(seed: u64, backwards: bool, wire: usize) -> Vec<u16> {
    let server = ModelServer::start();
    let kinds = vec![Fault::RateLimitBare, Fault::Failed, Fault::Overloaded];
    server.set_faults(Faults { seed, rate: 0.5, kinds, ..Faults::default() });
    let ask = |number: usize| {
        let (path, mut body, _) = wires(None).swap_remove(wire);
        let key = if body["messages"].is_null() { "input" } else { "messages" };
        let turns = body[key].as_array_mut().unwrap();
        turns.last_mut().unwrap()["content"] = number.to_string().into();
        post(&server, path, &body).status
    };
    let mut order: Vec<usize> = (0..40).collect();
    if backwards {
        order.reverse();
    }
    let mut got: Vec<(usize, u16)> = order.into_iter().map(|number| (number, ask(number))).collect();
    got.sort();
    got.into_iter().map(|(_, status)| status).collect()
}

#[test]
fn faults_depend_on_the_request_not_on_order_or_wire() {
    let first = kinds(3, false, 0);
    assert!(first.contains(&200) && first.contains(&429) && first.contains(&500));
    for (backwards, wire) in [(true, 0), (false, 1), (true, 3)] {
        assert_eq!(kinds(3, backwards, wire), first);
    }
    assert_ne!(kinds(4, false, 0), first);
}

#[test]
fn more_than_allowed_is_told_to_wait() {
    let server = ModelServer::start();
    server.set_allowance(Allowance { calls: 3.0, tokens: None, headers: true });
    let (path, body, _) = wires(None).swap_remove(1);
    let got: Vec<Got> = (0..5).map(|_| post(&server, path, &body)).collect();
    assert_eq!(got[0].status, 200);
    assert!(got[0].head.contains("x-ratelimit-limit-requests: 180"), "{}", got[0].head);
    let over: Vec<&Got> = got.iter().filter(|got| got.status == 429).collect();
    assert!(!over.is_empty() && over.iter().all(|got| got.head.contains("retry-after: 1")));
    let arrivals = server.arrivals();
    assert_eq!(arrivals.iter().filter(|arrival| arrival.over).count(), over.len());
    assert_eq!(most_in_window(&arrivals, Duration::from_secs(60)).0, 5);
    assert_eq!(server.totals().calls as usize, 5 - over.len());
}

#[test]
fn scripts_go_before_rules_and_rules_before_faults() {
    let server = ModelServer::start();
    let (path, body, place) = wires(None).swap_remove(1);
    server.set_faults(Faults { rate: 1.0, kinds: vec![Fault::Failed], ..Faults::default() });
    assert_eq!(post(&server, path, &body).status, 500);
    server.set_rule(|_| Answer::Text("rule".into()));
    server.push_reply(Answer::Text("script".into()));
    assert_eq!(text_at(&post(&server, path, &body), place), "script");
    assert_eq!(text_at(&post(&server, path, &body), place), "rule");
    let totals = server.totals();
    assert_eq!((totals.calls, totals.partial, server.requests().len()), (2, 0, 3));
}

#[test]
fn a_client_that_left_is_not_charged() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(300));
    let (path, body, _) = wires(None).swap_remove(0);
    send(&server, "POST", path, &body.to_string(), Duration::from_millis(50));
    until(|| server.partials().len() == 1);
    assert!(server.bill().is_empty());
}

#[test]
fn many_connections_at_once() {
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(100));
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                let (path, body, _) = wires(None).swap_remove(3);
                assert_eq!(post(&server, path, &body).status, 200);
            });
        }
    });
    assert_eq!(server.bill().len(), 200);
    assert!(server.peak() > 20, "{}", server.peak());
}

#[test]
fn the_binary_serves_and_keeps_its_bill() {
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("bill.jsonl");
    let mut child = Command::new(env!("CARGO_BIN_EXE_fault-server"))
        .args(["--seed", "7", "--rate", "0.5", "--kinds", "429,500", "--bill"])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let address = address.trim().trim_start_matches("http://").to_string();
    let ask = |head: &str, body: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream
            .write_all(format!("{head} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
            .unwrap();
        let mut bytes = vec![0; 1 << 16];
        let mut all = Vec::new();
        while !is_whole(&all) {
            let n = stream.read(&mut bytes).unwrap();
            all.extend(&bytes[..n]);
        }
        all
    };
    let (_, body, _) = wires(None).swap_remove(0);
    let good =
        (0..30).filter(|_| ask("POST /v1/responses", &body.to_string()).starts_with(b"HTTP/1.1 200")).count();
    let bill: Value = serde_json::from_slice(split(&ask("GET /bill", "")).unwrap().1).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!((1..30).contains(&good), "{good}");
    assert_eq!(bill["totals"]["calls"], good);
    let lines: Vec<Value> = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(Value::from(lines), bill["charges"]);
}
