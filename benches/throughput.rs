//! How close a run comes to what its model server allows: 256 personas, 64 at a time, against a local
//! Chat Completions server that answers every request after 50 ms. Run `cargo bench --bench throughput`;
//! it prints wall time over the ideal (calls x 50 ms / 64) and fails above 1.2.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const PERSONAS: usize = 256;
const TURNS: usize = 12;
const AT_A_TIME: usize = 64;
const LATENCY: Duration = Duration::from_millis(50);
const ALLOWED: f64 = 1.2;

const ANSWER: &str = r#"{"id": "x", "object": "chat.completion", "model": "stand-in",
  "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content":
  "Turn the dial two steps finer, keep 18 g in the basket, and time the next shot: it should take 25 to 30 seconds. If it still runs through faster than that, tell me how old the beans are, and I will look at the dose with you."}}],
  "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960}}"#;

fn main() -> ExitCode {
    // `cargo test --all-targets` starts benches, too; there is nothing to measure then.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    match measure() {
        Ok(ratio) if ratio <= ALLOWED => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("cannot measure: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the generation once, and says how many times the ideal it took.
fn measure() -> Result<f64, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    std::thread::spawn(move || serve(&listener, &count));
    let project = tempfile::tempdir()?;
    prepare(project.path(), port)?;
    let started = Instant::now();
    generate(project.path())?;
    let took = started.elapsed().as_secs_f64();
    let calls = served.load(Ordering::SeqCst);
    let expected = PERSONAS * TURNS * 2;
    if calls != expected {
        return Err(format!("{calls} calls were served, not {expected}").into());
    }
    let ideal = calls as f64 * LATENCY.as_secs_f64() / AT_A_TIME as f64;
    let ratio = took / ideal;
    println!("{calls} calls in {took:.2} s; ideal {ideal:.2} s; ratio {ratio:.3} (at most {ALLOWED})");
    Ok(ratio)
}

/// A new project whose roles are all played by the server at `port`.
fn prepare(project: &Path, port: u16) -> Result<(), Box<dyn Error>> {
    succeed(fthost(project).arg("init").arg(project))?;
    let config = format!(
        "backends:\n  local: {{kind: openai-chat, model: stand-in, base_url: \"http://127.0.0.1:{port}/v1\", \
         api_key_env: null, concurrency: {AT_A_TIME}}}\nroles: {{user_sim: local, assistant: local, judges: local}}\n"
    );
    Ok(std::fs::write(project.join("config/fthost.yaml"), config)?)
}

fn generate(project: &Path) -> Result<(), Box<dyn Error>> {
    let mut command = fthost(project);
    command.args(["--quiet", "run", "scripts/generate.rhai"]);
    for setting in
        [format!("personas={PERSONAS}"), format!("turns={TURNS}"), format!("concurrency={AT_A_TIME}")]
    {
        command.args(["-s", &setting]);
    }
    succeed(&mut command)
}

fn fthost(project: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fthost"));
    command.current_dir(project);
    // The server is on this machine.
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command
}

fn succeed(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// One thread a connection: they only wait.
fn serve(listener: &TcpListener, served: &Arc<AtomicUsize>) {
    for stream in listener.incoming().flatten() {
        let served = served.clone();
        std::thread::spawn(move || answer_all(stream, &served));
    }
}

/// Answers the requests of one connection until its client hangs up.
fn answer_all(stream: TcpStream, served: &AtomicUsize) -> std::io::Result<()> {
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
        std::thread::sleep(LATENCY);
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
