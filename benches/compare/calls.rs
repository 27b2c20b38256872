//! Calls: the shipped generation against the same calls by plain tokio and reqwest.

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

use super::plain;
use super::server::Server;

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

/// Runs as a client of its own: what a benchmark's child does.
pub fn client(load: &Load) -> Took {
    let began = Instant::now();
    match load.client.as_str() {
        "plain" => plain::run(load).unwrap(),
        ledger => scripted(load, ledger == "on"),
    }
    Took { seconds: began.elapsed().as_secs_f64(), cpu: cpu_seconds(), peak: peak() }
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
fn scripted(load: &Load, keep: bool) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in embedded::PROJECT {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let Load { port, width, items, turns, .. } = load;
    let config = format!(
        "backends: {{m: {{kind: openai-chat, model: m, base_url: \"http://127.0.0.1:{port}/v1\", api_key_env: null, concurrency: {width}}}}}\n\
         roles: {{user_sim: m, assistant: m}}\n"
    );
    let config = Config::parse("c", &config).unwrap();
    let project = Project::open(dir.path()).unwrap();
    let mut world = World::new(project, config, Arc::new(Silent), Box::new(|_| None), "bench");
    if !keep {
        world.ledger = Arc::new(ReadOnly::of(world.ledger.clone()));
    }
    let settings = [format!("personas={items}"), format!("turns={turns}"), format!("concurrency={width}")];
    world.settings = Settings::parse(&settings).unwrap();
    let session = Session::new(world);
    let unit = session.load("scripts/generate.rhai").unwrap();
    session.run(&unit).unwrap();
    session.world.close();
}

/// One run of one client in a process of its own.
pub fn measure(server: &Server, load: &Load) -> Took {
    let before = (server.served(), server.bytes());
    let text = serde_json::to_string(load).unwrap();
    let output = Command::new(std::env::current_exe().unwrap()).arg("--client").arg(text).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(server.served() - before.0, load.calls());
    let bytes = (server.bytes() - before.1) as f64 / load.calls() as f64;
    let took: Took = serde_json::from_slice(&output.stdout).unwrap();
    println!(
        "{:6} width {:5}: {:.3} s, {:6.1} us CPU a call, {:.0} MB, {:.1} kB a call",
        load.client,
        load.width,
        took.seconds,
        took.cpu * 1e6 / load.calls() as f64,
        took.peak / 1e6,
        bytes / 1e3
    );
    took
}

pub fn run() {
    for (latency, width, items, turns) in
        [(0, 64, 128, 25), (50, 64, 64, 25), (50, 256, 256, 12), (50, 1024, 1024, 4)]
    {
        let server = Server::start(Duration::from_millis(latency)).unwrap();
        println!("{latency} ms:");
        for client in ["plain", "off", "on"] {
            let load = Load { client: client.into(), port: server.port, width, items, turns };
            measure(&server, &load);
        }
    }
}
