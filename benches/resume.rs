//! How soon a run that is nearly done goes on, and in how much memory: a checkpoint of a million records,
//! ten new items that ask a model server of its own. Run `cargo bench --bench resume`; it prints the
//! seconds to the first call and the peak of resident memory, and fails above 5 s and 200 MB. Then
//! the memory that one more item costs, in runs that do 10,000 and 100,000 items; at most 300 bytes.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use fault_server::ModelServer;
use fthost::base::hash;

const RECORDS: usize = 1_000_000;
const NEW: usize = 10;
const SECONDS: f64 = 5.0;
const MEGABYTES: f64 = 200.0;
const BYTES_AN_ITEM: f64 = 300.0;

const SCRIPT: &str = r#"let model = get_backend("local");
process(stream_jsonl("data/items.jsonl"), #{checkpoint: "data/c.jsonl", concurrency: 64}, |item| {
    if item.ask == true { return #{text: model.complete("Hello").content}; }
    #{n: item.n}
});
"#;

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

/// Whether all bars are met.
fn measure() -> Result<bool> {
    let resumed = resume()?;
    let (seconds, megabytes) = (resumed.first_call.as_secs_f64(), resumed.peak / 1e6);
    println!(
        "{RECORDS} records: first call after {seconds:.2} s (at most {SECONDS}), \
         peak {megabytes:.0} MB (at most {MEGABYTES})"
    );
    let bytes = (work(100_000)? - work(10_000)?) / 90_000.0;
    println!("an item that is done costs {bytes:.0} bytes (at most {BYTES_AN_ITEM})");
    Ok(seconds <= SECONDS && megabytes <= MEGABYTES && bytes <= BYTES_AN_ITEM)
}

struct Seen {
    first_call: Duration,
    /// In bytes.
    peak: f64,
}

/// A run that finds all but a few items done.
fn resume() -> Result<Seen> {
    let server = ModelServer::start();
    let project = tempfile::tempdir()?;
    prepare(project.path(), &server)?;
    write_records(project.path())?;
    let started = Instant::now();
    let child = start(project.path())?;
    let mut first_call = None;
    let peak = watch(child, || {
        if first_call.is_none() && !server.requests().is_empty() {
            first_call = Some(started.elapsed());
        }
    })?;
    let calls = server.requests().len();
    match first_call {
        Some(first_call) if calls == NEW => Ok(Seen { first_call, peak }),
        _ => Err(format!("{calls} calls were made, not {NEW}").into()),
    }
}

/// The peak of a run that does so many items, none of which asks.
fn work(items: usize) -> Result<f64> {
    let server = ModelServer::start();
    let project = tempfile::tempdir()?;
    prepare(project.path(), &server)?;
    let lines: String = (0..items).map(|n| item(n) + "\n").collect();
    fs::write(project.path().join("data/items.jsonl"), lines)?;
    watch(start(project.path())?, || {})
}

/// A project of one script that asks the server.
fn prepare(project: &Path, server: &ModelServer) -> Result<()> {
    for dir in ["config", "scripts", "data"] {
        fs::create_dir(project.join(dir))?;
    }
    let url = server.url();
    let config = format!(
        "backends:\n  local: {{kind: openai-chat, model: stand-in, base_url: \"{url}\", api_key_env: null}}\n"
    );
    fs::write(project.join("config/fthost.yaml"), config)?;
    Ok(fs::write(project.join("scripts/main.rhai"), SCRIPT)?)
}

fn item(n: usize) -> String {
    format!("{{\"id\":\"item_{n:07}\",\"n\":{n}}}")
}

/// Records as the program writes them: what it says of the first one holds for all but their items' hashes.
fn write_records(project: &Path) -> Result<()> {
    let (items, records) = (project.join("data/items.jsonl"), project.join("data/c.jsonl"));
    fs::write(&items, item(0) + "\n")?;
    watch(start(project)?, || {})?;
    let first: serde_json::Value = serde_json::from_str(&fs::read_to_string(&records)?)?;
    let version = first["_version"].as_str().and_then(|text| text.split_once('-'));
    let (_, rest) = version.ok_or("the first record has no version")?;
    let (mut items, mut records) =
        (BufWriter::new(File::create(items)?), BufWriter::new(File::create(records)?));
    for n in 0..RECORDS {
        let item = item(n);
        let mut record = item.clone();
        record.truncate(item.len() - 1);
        write!(record, ",\"_version\":\"{}-{rest}\"}}", &hash::sha256(&item)[..8])?;
        writeln!(items, "{item}")?;
        writeln!(records, "{record}")?;
    }
    for n in 0..NEW {
        writeln!(items, "{{\"id\":\"new_{n}\",\"ask\":true}}")?;
    }
    items.flush()?;
    Ok(records.flush()?)
}

fn start(project: &Path) -> Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fthost"));
    command.current_dir(project).args(["--quiet", "run", "scripts/main.rhai"]);
    // The server is on this machine.
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    Ok(command.stderr(std::process::Stdio::null()).spawn()?)
}

/// Waits for the end, calling `look` all the while; the most memory that was resident.
fn watch(mut child: Child, mut look: impl FnMut()) -> Result<f64> {
    let mut peak = 0.0;
    loop {
        look();
        peak = peak_of(child.id()).unwrap_or(peak);
        if let Some(status) = child.try_wait()? {
            return if status.success() {
                Ok(peak)
            } else {
                Err(format!("the run ended with {status}").into())
            };
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn peak_of(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}
