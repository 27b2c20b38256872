//! A Chat Completions server that costs little: it answers every request alike, after a while. Connections are
//! tasks, so that ten thousand of them cost no more than what they carry.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const ANSWER: &str = r#"{"id": "x", "object": "chat.completion", "model": "stand-in",
  "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content":
  "Turn the dial two steps finer, keep 18 g in the basket, and time the next shot: it should take 25 to 30 seconds. If it still runs through faster than that, tell me how old the beans are, and I will look at the dose with you."}}],
  "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960}}"#;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 16_384;

/// The server; it listens as long as this lives.
pub struct Server {
    pub port: u16,
    seen: Arc<Seen>,
    _runtime: tokio::runtime::Runtime,
}

/// What has come in.
#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

#[allow(dead_code)] // each benchmark looks at what it needs
impl Server {
    /// Listens on a free local port, and answers after this time.
    pub fn start(latency: Duration) -> std::io::Result<Server> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let guard = runtime.enter();
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        drop(guard);
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Seen::default());
        runtime.spawn(serve(listener, latency, seen.clone()));
        Ok(Server { port, seen, _runtime: runtime })
    }

    /// How many requests it has answered.
    pub fn served(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// How many bytes their bodies had.
    pub fn bytes(&self) -> usize {
        self.seen.bytes.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, latency: Duration, seen: Arc<Seen>) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let answer: Arc<str> = answer.into();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(answer_all(stream, latency, answer.clone(), seen.clone()));
    }
}

/// Answers the requests of one connection until its client hangs up.
async fn answer_all(
    mut stream: TcpStream,
    latency: Duration,
    answer: Arc<str>,
    seen: Arc<Seen>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(16_384);
    while let Some(body) = read_request(&mut stream, &mut buffer).await? {
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        seen.requests.fetch_add(1, Ordering::SeqCst);
        seen.bytes.fetch_add(body, Ordering::SeqCst);
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// Reads a request to its end, and says how long its body was; none when the connection has ended.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<usize>> {
    buffer.clear();
    let head = loop {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let length = body_length(&buffer[..head]);
    let mut read = buffer.len() - head;
    while read < length {
        buffer.clear();
        match stream.read_buf(buffer).await? {
            0 => return Ok(None),
            more => read += more,
        }
    }
    Ok(Some(length))
}

fn body_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}
