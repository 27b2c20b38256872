//! `tests/fake_claude.py`: it says what the server says, fails as it is told, and keeps its bill.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use fault_server::ModelServer;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A home directory for the stand-in.
struct Home(TempDir);

impl Home {
    fn new(orders: Value) -> Home {
        let home = Home(TempDir::new().unwrap());
        std::fs::create_dir(home.0.path().join("empty")).unwrap();
        std::fs::write(home.0.path().join("fake_claude.json"), orders.to_string()).unwrap();
        home
    }

    fn start(&self, more: &[&str], prompt: &str) -> Child {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fake_claude.py");
        let mut child = Command::new(script)
            .args([
                "-p",
                "--output-format",
                "json",
                "--model",
                "m",
                "--tools",
                "",
                "--setting-sources=",
                "--strict-mcp-config",
            ])
            .args(more)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", self.0.path())
            .current_dir(self.0.path().join("empty"))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that rejects its arguments does not read.
        let _ = child.stdin.take().unwrap().write_all(prompt.as_bytes());
        child
    }

    fn ask(&self, more: &[&str], prompt: &str) -> Output {
        self.start(more, prompt).wait_with_output().unwrap()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn bill(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.0.path().join("fake_claude_bill.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn result(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// What the server says on Chat Completions.
fn server_says(server: &ModelServer, system: &str, prompt: &str, schema: Option<&Value>) -> String {
    let mut body = json!({"model": "m", "messages":
        [{"role": "system", "content": system}, {"role": "user", "content": prompt}]});
    if let Some(schema) = schema {
        body["response_format"] =
            json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
    }
    let body = body.to_string();
    let mut stream = TcpStream::connect(server.origin().trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
    let body: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {head}"));
    body["choices"][0]["message"]["content"].as_str().unwrap().into()
}

#[test]
fn it_says_what_the_server_says() {
    let (server, home) = (ModelServer::start(), Home::new(json!({})));
    let system = home.file("system.txt", "be kind \u{1f}\u{7f} ä \u{2028} \"");
    let prompt = "Why?\n\n\tä 🦀 \u{1}";
    let schemas = [
        json!({"type": "object", "properties": {"reasoning": {"type": "string"}, "answer": {"enum": [null, "YES"]},
            "n": {"type": ["null", "integer"], "description": "Must fit {\"minimum\":3}."},
            "x": {"type": "number", "maximum": 0.5}, "y": {"type": "number"}, "c": {"const": {"b": 1, "a": [2.5]}},
            "list": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/b"}}, "any": {},
            "odd": {"anyOf": [{"type": "null"}, {"type": "boolean"}]}}, "$defs": {"b": {"type": "boolean"}}}),
        json!({"allOf": [{"properties": {"a": {"type": "null"}}}, {"properties": {"next": {"$ref": "#"}}}]}),
    ];
    for schema in [None, Some(&schemas[0]), Some(&schemas[1])] {
        let text = schema.map(Value::to_string).unwrap_or_default();
        let mut more = vec!["--system-prompt-file", system.to_str().unwrap()];
        more.extend(schema.iter().flat_map(|_| ["--json-schema", text.as_str()]));
        let output = home.ask(&more, prompt);
        let said = result(&output);
        let expected = server_says(&server, &std::fs::read_to_string(&system).unwrap(), prompt, schema);
        assert_eq!(said["result"], expected.as_str());
        assert_eq!(said["structured_output"].is_object(), schema.is_some());
        let (bill, charge) = (home.bill().pop().unwrap(), server.bill().pop().unwrap());
        assert_eq!((&bill["hash"], &bill["event"]), (&json!(charge.hash), &json!("served")));
        assert_eq!(bill["input_tokens"], charge.input_tokens);
        assert_eq!(bill["output_tokens"], charge.output_tokens);
        let usage = &said["usage"];
        assert_eq!(usage["input_tokens"].as_u64().unwrap() + 1, charge.input_tokens);
    }
}

#[test]
fn the_bill_tells_how_it_was_called() {
    let home = Home::new(json!({}));
    let child = home.start(&["--max-turns", "2"], "hello");
    let pid = child.id();
    child.wait_with_output().unwrap();
    let begun = &home.bill()[0];
    assert_eq!(
        (&begun["event"], &begun["pgid"], &begun["files"]),
        (&json!("begun"), &json!(pid), &json!([]))
    );
    assert!(begun["argv"].as_array().unwrap().contains(&json!("--max-turns")));
    let names: Vec<&str> = begun["env"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(names.contains(&"HOME") && !names.contains(&"CARGO_MANIFEST_DIR"), "{names:?}");
    assert!(begun["stdin"].as_str().unwrap().starts_with("2cf24dba5fb0a30e26e83b2ac5b9e29e"));
}

#[test]
fn it_fails_as_it_is_told() {
    let kinds = [
        ("limit", 1, "You've hit your limit - resets 3am (UTC)"),
        ("old-limit", 1, "usage limit reached|"),
        ("not-json", 0, "Welcome"),
        ("exit", 7, "fetch failed"),
        ("error", 1, "overloaded_error"),
        ("login", 1, "/login"),
        ("max-turns", 1, "error_max_turns"),
        ("refusal", 0, "I cannot"),
        ("token-limit", 0, "max_tokens"),
        ("crash", 9, "\"subtype\""),
        ("wrong-schema", 0, "not what was asked for"),
        ("empty", 0, "\"result\":\"\""),
        ("text", 0, "I think"),
        ("usual", 0, "\"ok\""),
    ];
    let answers: Vec<Value> = kinds
        .iter()
        .map(|(kind, code, _)| match *kind {
            "limit" => json!({"kind": kind, "resets": "3am (UTC)"}),
            "exit" | "crash" => json!({"kind": kind, "code": code}),
            _ => json!({"kind": kind}),
        })
        .collect();
    let home = Home::new(json!({"answers": answers}));
    for (kind, code, words) in kinds {
        let output = home.ask(&["--json-schema", r#"{"properties":{"a":{"type":"string"}}}"#], "hello");
        let all = String::from_utf8([output.stdout.clone(), output.stderr.clone()].concat()).unwrap();
        assert!(output.status.code() == Some(code) && all.contains(words), "{kind}: {output:?}");
        let free = ["limit", "old-limit", "not-json", "exit", "error", "login"].contains(&kind);
        assert_eq!(home.bill().pop().unwrap()["event"], if free { "failed" } else { "served" }, "{kind}");
    }
}

#[test]
fn faults_come_by_seed_and_rate() {
    let once = || {
        let home = Home::new(json!({"faults": {"seed": 5, "rate": 0.5, "kinds": ["exit", "empty"]}}));
        for number in 0..12 {
            home.ask(&[], &format!("hello {}", number / 2));
        }
        let kinds = home.bill().into_iter().filter_map(|line| Some(line.get("kind")?.as_str()?.to_string()));
        kinds.collect::<Vec<_>>()
    };
    let kinds = once();
    assert!(["usual", "exit", "empty"].iter().all(|kind| kinds.iter().any(|k| k == kind)), "{kinds:?}");
    assert_eq!(once(), kinds);
}

#[test]
fn wrong_arguments_are_told() {
    let home = Home::new(json!({}));
    let output = home.ask(&["--no-such-flag"], "hello");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--no-such-flag"));
    assert!(!home.ask(&["a prompt that ps would show"], "").status.success());
}

#[test]
fn a_kill_is_on_the_bill() {
    for name in ["INT", "TERM"] {
        let home = Home::new(json!({"always": {"kind": "hang"}}));
        let child = home.start(&[], "hello");
        let end = Instant::now() + Duration::from_secs(20);
        while home.bill().is_empty() {
            assert!(Instant::now() < end, "it did not begin");
            std::thread::sleep(Duration::from_millis(10));
        }
        Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
        assert!(!child.wait_with_output().unwrap().status.success());
        let last = home.bill().pop().unwrap();
        assert_eq!((&last["event"], &last["signal"]), (&json!("killed"), &json!(format!("SIG{name}"))));
    }
}
