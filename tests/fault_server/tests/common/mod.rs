//! A client that sees every byte, and the same question on every wire.
#![allow(dead_code, missing_docs)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use fault_server::ModelServer;
use serde_json::{Value, json};

pub const SCHEMA: &str = r#"{"type":"object","properties":{"reasoning":{"type":"string"},"answer":{"enum":["YES","NO"]}},
    "required":["reasoning","answer"],"additionalProperties":false}"#;

/// An answer as it came.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// One request on a connection of its own, read to the end of the connection or for so long.
pub fn send(
    server: &ModelServer,
    method: &str,
    path: &str,
    body: &str,
    patience: Duration,
) -> (Vec<u8>, bool) {
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

pub fn split(bytes: &[u8]) -> Option<(String, &[u8])> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&bytes[..at]).into_owned(), &bytes[at + 4..]))
}

pub fn is_whole(bytes: &[u8]) -> bool {
    split(bytes).is_some_and(|(head, body)| {
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        length.map_or(body.ends_with(b"\r\n0\r\n\r\n"), |length: usize| body.len() >= length)
    })
}

pub fn post(server: &ModelServer, path: &str, body: &Value) -> Got {
    let (bytes, _) = send(server, "POST", path, &body.to_string(), Duration::from_secs(20));
    let (head, body) = split(&bytes).unwrap_or_else(|| panic!("{path}: no answer"));
    Got { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body: body.to_vec() }
}

/// The same question on each wire: the path, the body, where the text of a reply is.
pub fn wires(schema: Option<&Value>) -> Vec<(&'static str, Value, &'static str)> {
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

pub fn text_at(got: &Got, place: &str) -> String {
    got.json().pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("{place}: {got:?}")).into()
}

pub fn until(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "waited too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A request on a connection that is kept.
pub fn exchange(stream: &mut TcpStream, request: &str) -> Vec<u8> {
    stream.write_all(request.as_bytes()).unwrap();
    let (mut all, mut part) = (Vec::new(), vec![0; 1 << 14]);
    while !is_whole(&all) {
        let n = stream.read(&mut part).unwrap();
        assert!(n > 0, "the connection ended");
        all.extend(&part[..n]);
    }
    all
}
