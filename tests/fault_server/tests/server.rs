//! The server: faults by seed, limits, scripts, the bill, many connections, the binary.

mod common;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Got, exchange, post, send, split, text_at, until, wires};
use fault_server::{Allowance, Answer, Fault, Faults, ModelServer, most_in_window};
use serde_json::Value;

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
fn ten_thousand_calls_over_hundreds_of_connections() {
    let server = ModelServer::start();
    let (path, body, _) = wires(None).swap_remove(3);
    let body = body.to_string();
    let head = "Anthropic-Version: 2023-06-01\r\nContent-Length";
    let request = format!("POST {path} HTTP/1.1\r\n{head}: {}\r\n\r\n{body}", body.len());
    std::thread::scope(|scope| {
        for _ in 0..400 {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(server.origin().trim_start_matches("http://")).unwrap();
                (0..25).for_each(|_| assert!(exchange(&mut stream, &request).starts_with(b"HTTP/1.1 200")));
            });
        }
    });
    assert_eq!((server.bill().len(), server.partials().len()), (10_000, 0));
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
        exchange(&mut stream, &format!("{head} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
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
