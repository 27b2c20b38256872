//! The server as a command:
//! `cargo run -p fault-server -- --port 8400 --seed 7 --rate 0.3 --kinds 429,reset --bill bill.jsonl`

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use fault_server::{Allowance, Fault, Faults, ModelServer};

/// A model server for tests, on the wires of all providers. It prints its address, and serves until it is
/// killed. `GET /bill` shows what it would charge.
#[derive(Parser)]
struct Options {
    /// The local port; 0 is any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Another seed, other faults.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The share of requests that get a fault, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// The faults that may happen [default: all]; `--kinds list` names them.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// What rate limits ask for, in seconds.
    #[arg(long, default_value_t = 1.0)]
    retry_after: f64,
    /// The origin that redirects lead to.
    #[arg(long)]
    redirect_to: Option<String>,
    /// How long each answer takes.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// The calls a second that are allowed [default: any number].
    #[arg(long)]
    allow: Option<f64>,
    /// The tokens of prompts a second that are allowed, beside --allow.
    #[arg(long, requires = "allow")]
    allow_tokens: Option<f64>,
    /// Sends x-ratelimit headers, beside --allow.
    #[arg(long, requires = "allow")]
    headers: bool,
    /// A file that the bill is appended to, one JSON line a charge.
    #[arg(long)]
    bill: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    if options.kinds == ["list"] {
        Fault::ALL.iter().for_each(|(_, name)| println!("{name}"));
        return Ok(());
    }
    let server = ModelServer::start_at(options.port)?;
    set_up(&server, &options)?;
    println!("{}", server.origin());
    std::io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}

fn set_up(server: &ModelServer, options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let unknown = |name: &str| format!("there is no fault `{name}`; `--kinds list` names them");
    let kinds: Result<Vec<Fault>, String> =
        options.kinds.iter().map(|name| Fault::named(name).ok_or_else(|| unknown(name))).collect();
    let usual = Faults::default();
    server.set_faults(Faults {
        seed: options.seed,
        rate: options.rate,
        kinds: kinds?,
        retry_after: Duration::try_from_secs_f64(options.retry_after)?,
        redirect_to: options.redirect_to.clone().unwrap_or(usual.redirect_to),
    });
    server.set_latency(Duration::from_millis(options.latency_ms));
    if let Some(calls) = options.allow {
        server.set_allowance(Allowance { calls, tokens: options.allow_tokens, headers: options.headers });
    }
    if let Some(path) = &options.bill {
        server.write_bill(OpenOptions::new().create(true).append(true).open(path)?);
    }
    server.keep_no_requests();
    Ok(())
}
