//! How close a run comes to what its model server allows: 256 personas, 64 at a time, against a local
//! Chat Completions server that answers every request after 50 ms. Run `cargo bench --bench throughput`;
//! it prints wall time over the ideal (calls x 50 ms / 64) and fails above 1.2.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod server;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use server::Server;

const PERSONAS: usize = 256;
const TURNS: usize = 12;
const AT_A_TIME: usize = 64;
const LATENCY: Duration = Duration::from_millis(50);
const ALLOWED: f64 = 1.2;

fn main() -> ExitCode {
    // `cargo test --all-targets` starts benches, too, but without what `cargo bench` adds.
    if !std::env::args().any(|argument| argument == "--bench") {
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
    let server = Server::start(LATENCY)?;
    let project = tempfile::tempdir()?;
    prepare(project.path(), server.port)?;
    let started = Instant::now();
    generate(project.path())?;
    let took = started.elapsed().as_secs_f64();
    let calls = server.served();
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
