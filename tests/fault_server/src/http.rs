//! HTTP/1.1, as much of it as a server needs that is asked by one well-behaved client.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use crate::request::Received;

/// What a proxy says when the server behind it is gone.
pub(crate) const PROXY_PAGE: &[u8] =
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n";

/// The largest request that is read.
const LARGEST: usize = 64 << 20;

/// The next request of a connection; none when it has ended.
pub(crate) fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let first = read_line(reader)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_string(), words.next()?);
    let path = target.split('?').next()?.to_string();
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.trim().to_lowercase(), value.trim().to_string()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length =
        length.map_or(Some(0), |(_, value)| value.parse().ok()).filter(|length| *length <= LARGEST)?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Received { method, path, headers, body, at: Instant::now() })
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(n) if n > 0 => Some(line.trim_end().to_string()),
        _ => None,
    }
}

/// An answer with its length.
pub(crate) fn answer(status: u16, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let length = ("content-length".to_string(), body.len().to_string());
    [head(status, headers, length).as_bytes(), body].concat()
}

/// An answer of status 200 in chunks of 1 MiB, which does not tell its length.
pub(crate) fn chunked(headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut bytes = head(200, headers, ("transfer-encoding".into(), "chunked".into())).into_bytes();
    for chunk in body.chunks(1 << 20) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn head(status: u16, headers: &[(String, String)], last: (String, String)) -> String {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\n");
    for (name, value) in headers.iter().chain([&last]) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n"
}

/// The body of an answer.
pub(crate) fn body(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    text.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_string())
}

/// The length of an answer's head.
pub(crate) fn head_length(answer: &[u8]) -> usize {
    answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(0, |at| at + 4)
}
