//! The audit of a large data set: 2,000 transcripts of 25 exchanges, in a project with the shipped prompts, by the whole
//! command. Run `cargo bench --bench audit`; it prints the seconds and the peak of resident memory, and fails above
//! 15 s and 500 MB.
#![allow(missing_docs, dead_code, clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

#[path = "corpus/mod.rs"]
mod corpus;

const TRANSCRIPTS: usize = 2000;
const EXCHANGES: usize = 25;
const SECONDS: f64 = 15.0;
const MEGABYTES: f64 = 500.0;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // `cargo test --all-targets` starts benches, too, but without what `cargo bench` adds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("cannot measure: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether both bars are met.
fn measure() -> Result<bool> {
    let project = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let bytes = prepare(project.path())?;
    let started = Instant::now();
    let peak = audit(project.path())? / 1e6;
    let seconds = started.elapsed().as_secs_f64();
    let text = fs::read_to_string(project.path().join("data/audit/findings.json"))?;
    let report: serde_json::Value = serde_json::from_str(&text)?;
    let replies = report["replies"].as_u64().unwrap_or_default();
    if replies != (TRANSCRIPTS * EXCHANGES) as u64 {
        return Err(format!("{replies} replies were audited").into());
    }
    println!(
        "{TRANSCRIPTS} transcripts of {EXCHANGES} exchanges, {:.0} MB: {seconds:.2} s (at most {SECONDS}), \
         peak {peak:.0} MB (at most {MEGABYTES})",
        bytes as f64 / 1e6
    );
    Ok(seconds <= SECONDS && peak <= MEGABYTES)
}

/// The shipped project with made-up transcripts; how many bytes these have.
fn prepare(project: &Path) -> Result<usize> {
    let made =
        Command::new(env!("CARGO_BIN_EXE_fthost")).arg("init").arg(project).stdout(Stdio::null()).status()?;
    if !made.success() {
        return Err("no project was made".into());
    }
    let dir = project.join("data/raw/transcripts");
    fs::create_dir_all(&dir)?;
    let mut writer = corpus::Writer::new(7);
    let mut bytes = 0;
    for number in 0..TRANSCRIPTS {
        let id = format!("persona_{number:04}");
        let transcript =
            json!({"id": id, "persona": {"id": id}, "exchanges": writer.conversation(EXCHANGES)});
        let text = serde_json::to_string_pretty(&transcript)?;
        bytes += text.len();
        fs::write(dir.join(format!("{id}.json")), text)?;
    }
    Ok(bytes)
}

/// Audits them; the most memory that was resident, in bytes.
fn audit(project: &Path) -> Result<f64> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fthost"));
    command.current_dir(project).args(["--quiet", "run", "scripts/audit.rhai"]).stdout(Stdio::null());
    let mut child = command.spawn()?;
    let mut peak = 0.0;
    loop {
        peak = peak_of(child.id()).unwrap_or(peak);
        if let Some(status) = child.try_wait()? {
            return if status.success() {
                Ok(peak)
            } else {
                Err(format!("the audit ended with {status}").into())
            };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn peak_of(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}
