//! A Chat Completions server that costs little: it answers every request alike, after a while.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const ANSWER: &str = r#"{"id": "x", "object": "chat.completion", "model": "stand-in",
  "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content":
  "Turn the dial two steps finer, keep 18 g in the basket, and time the next shot: it should take 25 to 30 seconds. If it still runs through faster than that, tell me how old the beans are, and I will look at the dose with you."}}],
  "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960}}"#;

/// The server; it listens until the process ends.
pub struct Server {
    pub port: u16,
    served: Arc<AtomicUsize>,
}

impl Server {
    /// Listens on a free local port, and answers after this time.
    pub fn start(latency: Duration) -> std::io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let served = Arc::new(AtomicUsize::new(0));
        let count = served.clone();
        std::thread::spawn(move || serve(&listener, latency, &count));
        Ok(Server { port, served })
    }

    /// How many requests it has answered.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

/// One thread a connection: they only wait.
fn serve(listener: &TcpListener, latency: Duration, served: &Arc<AtomicUsize>) {
    for stream in listener.incoming().flatten() {
        let served = served.clone();
        std::thread::spawn(move || answer_all(stream, latency, &served));
    }
}

/// Answers the requests of one connection until its client hangs up.
fn answer_all(stream: TcpStream, latency: Duration, served: &AtomicUsize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        ANSWER.len()
    );
    while let Some(length) = body_length(&mut reader)? {
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if !latency.is_zero() {
            std::thread::sleep(latency);
        }
        served.fetch_add(1, Ordering::SeqCst);
        writer.write_all(format!("{head}{ANSWER}").as_bytes())?;
    }
    Ok(())
}

/// Reads a request's head; none when the connection has ended.
fn body_length(reader: &mut impl BufRead) -> std::io::Result<Option<usize>> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        } else if line.is_empty() {
            return Ok(Some(length));
        }
    }
}
