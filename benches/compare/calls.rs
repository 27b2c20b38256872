//! Calls: the shipped generation against the same calls by plain tokio and reqwest.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fthost::base::config::Config;
use fthost::base::events::Silent;
use fthost::host::{Session, embedded};
use fthost::store::Project;
use fthost::store::ledger::ReadOnly;
use fthost::work::World;
use fthost::work::settings::Settings;
use serde::{Deserialize, Serialize};

use crate::plain;
use crate::server::Server;
use crate::table::{Contestant, Outcome, Sample, Table, short, take_turns};
use crate::{Result, Scale};

/// Makes this program a client, of the load that follows.
pub const CLIENT: &str = "--client";

/// The clients by their names on the command line, and in the table.
const CLIENTS: [(&str, &str); 3] = [
    ("plain", "tokio and reqwest"),
    ("off", "the shipped scripts, no ledger"),
    ("on", "the shipped scripts"),
];

/// Milliseconds of an answer, conversations at a time, conversations, and their turns.
type Shape = (u64, usize, usize, usize);

const LOADS: &[Shape] = &[(0, 64, 128, 25), (50, 64, 64, 25), (50, 256, 256, 12), (50, 1024, 1024, 4)];

/// As many at a time as one process is made for, with answers that take as long as a model's.
const WIDE: &[Shape] = &[(1000, 9000, 9000, 10)];

/// What is asked for, and by whom.
#[derive(Clone, Serialize, Deserialize)]
pub struct Load {
    /// `plain`, `off` (scripted, without a ledger) or `on`.
    pub client: String,
    pub port: u16,
    /// Conversations at a time, each with one call in flight.
    pub width: usize,
    pub items: usize,
    pub turns: usize,
    /// Where its projects are made. They stay until all rounds are over: a file system looks long for a place when
    /// thousands of files have just been removed, and no user does that.
    pub room: PathBuf,
}

impl Load {
    pub fn calls(&self) -> usize {
        self.items * self.turns * 2
    }
}

/// What one run took.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Took {
    pub seconds: f64,
    /// Of all threads, user and system.
    pub cpu: f64,
    /// The most memory that was resident, in bytes.
    pub peak: f64,
}

/// Runs as a client of its own, and tells what it took: what a benchmark's child does.
pub fn client(load: &str) -> Result<()> {
    let load: Load = serde_json::from_str(load)?;
    let began = Instant::now();
    match load.client.as_str() {
        "plain" => plain::run(&load).map_err(|e| e.to_string())?,
        ledger => scripted(&load, ledger == "on")?,
    }
    let took = Took { seconds: began.elapsed().as_secs_f64(), cpu: cpu_seconds(), peak: peak() };
    println!("{}", serde_json::to_string(&took)?);
    Ok(())
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) * 1024.0
}

/// The shipped scripts, in a fresh project.
fn scripted(load: &Load, keep: bool) -> Result<()> {
    fthost::cli::room::make();
    let dir = tempfile::tempdir_in(&load.room)?.keep();
    for (path, text) in embedded::PROJECT {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().ok_or("a file without a directory")?)?;
        std::fs::write(path, text)?;
    }
    let Load { port, width, items, turns, .. } = load;
    let config = format!(
        "backends: {{m: {{kind: openai-chat, model: m, base_url: \"http://127.0.0.1:{port}/v1\", api_key_env: null, concurrency: {width}}}}}\n\
         roles: {{user_sim: m, assistant: m}}\n"
    );
    let config = Config::parse("c", &config)?;
    let project = Project::open(&dir)?;
    let mut world = World::new(project, config, Arc::new(Silent), Box::new(|_| None), "bench");
    if !keep {
        world.ledger = Arc::new(ReadOnly::of(world.ledger.clone()));
    }
    let settings = [format!("personas={items}"), format!("turns={turns}"), format!("concurrency={width}")];
    world.settings = Settings::parse(&settings)?;
    let session = Session::new(world);
    let unit = session.load("scripts/generate.rhai")?;
    session.run(&unit)?;
    session.world.close();
    Ok(())
}

/// One run of one client in a process of its own.
fn run(server: &Server, load: &Load) -> Result<Sample> {
    let before = (server.served(), server.bytes());
    let text = serde_json::to_string(load)?;
    let output = Command::new(std::env::current_exe()?).arg(CLIENT).arg(text).output()?;
    let served = server.served() - before.0;
    if !output.status.success() || served != load.calls() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{served} of {} calls were made: {said}", load.calls()).into());
    }
    let took: Took = serde_json::from_slice(&output.stdout)?;
    let sent = (server.bytes() - before.1) as f64;
    Ok(Sample { seconds: took.seconds, peak: Some(took.peak), cpu: Some(took.cpu), sent: Some(sent) })
}

pub fn measure(scale: &Scale) -> Result<Table> {
    table(scale, "Calls", LOADS)
}

pub fn measure_wide(scale: &Scale) -> Result<Table> {
    table(scale, "Thousands in flight", WIDE)
}

fn table(scale: &Scale, title: &'static str, loads: &[Shape]) -> Result<Table> {
    let mut rows = Vec::new();
    let room = tempfile::tempdir()?;
    for &(latency, width, items, turns) in loads {
        let server = Server::start(Duration::from_millis(latency))?;
        let items = scale.of(items, items.min(64));
        let load = |client: &str| {
            let (client, room) = (client.into(), room.path().into());
            Load { client, port: server.port, width, items, turns, room }
        };
        let contestant = |(client, name): (&str, &str)| {
            let load = load(client);
            let server = &server;
            Contestant::new(name, move || run(server, &load))
        };
        let outcomes = take_turns(scale.rounds(), &mut CLIENTS.map(contestant))?;
        let (first, calls) = (outcomes[0].seconds().median, load("plain").calls() as f64);
        let ideal = calls / width as f64 * latency as f64 / 1e3;
        let row = |one: &Outcome| row(&format!("{latency} ms, {width}"), one, first, calls, ideal);
        rows.extend(outcomes.iter().map(row));
    }
    Ok(Table {
        title,
        about: "The shipped generation beside the same calls by plain tokio and reqwest, without scripts, limits, retries or \
                ledger. Each client is a process of its own, beside its server. The ideal: as if only the server took time."
            .into(),
        head: vec!["latency, in flight", "client", "seconds", "x", "of the ideal", "CPU us a call", "peak MB", "kB a call"],
        rows,
    })
}

fn row(load: &str, one: &Outcome, first: f64, calls: f64, ideal: f64) -> Vec<String> {
    let cpu = one.spread(|sample| sample.cpu.unwrap_or(f64::NAN) * 1e6 / calls);
    let sent = one.spread(|sample| sample.sent.unwrap_or(f64::NAN) / 1e3 / calls);
    let seconds = one.seconds();
    let of_ideal = if ideal > 0.0 { short(seconds.median / ideal) } else { "-".into() };
    let figures = [
        seconds.to_string(),
        short(first / seconds.median),
        of_ideal,
        cpu.to_string(),
        one.megabytes().to_string(),
    ];
    [load.into(), one.name.clone()].into_iter().chain(figures).chain([short(sent.median)]).collect()
}
