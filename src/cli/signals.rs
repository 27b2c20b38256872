//! Ctrl-C and SIGTERM: the first drains, the second leaves.

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output::Output;
use super::summary::count;
use crate::base::cancel::Stop;
use crate::base::{Error, Kind, Result};
use crate::work::World;

/// How long requests on the wire may take once the run drains.
const DRAIN: Duration = Duration::from_secs(60);

/// How long it takes until what waits has heard of the end.
const MOMENT: Duration = Duration::from_millis(50);

/// How long scripts have to write down what they have, once requests are given up.
const LEAVE: Duration = Duration::from_secs(2);

/// Listens for the rest of the process's life; requests on the wire may come to their end, and are saved. A
/// directory that is only for this run goes when it leaves.
pub fn listen(world: &World, output: &Output, scratch: Option<PathBuf>) -> Result<()> {
    listen_with(world, output, DRAIN, scratch)
}

/// Likewise, where nothing is saved: requests on the wire are given up at once.
pub fn listen_impatiently(world: &World, output: &Output) -> Result<()> {
    listen_with(world, output, Duration::ZERO, None)
}

fn listen_with(world: &World, output: &Output, drain: Duration, scratch: Option<PathBuf>) -> Result<()> {
    let runtime = world.runtime()?;
    let _inside = runtime.enter();
    let unheard = |e: std::io::Error| Error::io(Kind::Internal, "listen for", "signals", &e);
    let interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let (stop, output) = (world.stop.clone(), output.clone());
    let listener = Listener { stop, output, drain, scratch, interrupt, terminate };
    runtime.spawn(listener.run());
    Ok(())
}

struct Listener {
    stop: Stop,
    output: Output,
    drain: Duration,
    scratch: Option<PathBuf>,
    interrupt: Signal,
    terminate: Signal,
}

impl Listener {
    async fn run(mut self) {
        self.next().await;
        self.stop.drain_because(interrupted());
        // What only waited has ended a moment later.
        tokio::time::sleep(MOMENT).await;
        let calls = self.stop.calls();
        self.output.remark(&match calls {
            _ if self.drain.is_zero() => "interrupted".to_string(),
            0 => "interrupted: saving".to_string(),
            n => {
                let calls = count(n, "call");
                format!("interrupted: waiting for {calls} on the wire, then saving (again: leave at once)")
            }
        });
        let _ = tokio::time::timeout(self.drain, self.next()).await;
        self.stop.abort.cancel();
        tokio::time::sleep(LEAVE).await;
        if let Some(scratch) = &self.scratch {
            let _ = std::fs::remove_dir_all(scratch);
        }
        self.output.flush();
        std::process::exit(130);
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted")
        .hint("run the same command again: it goes on where it stopped")
}
