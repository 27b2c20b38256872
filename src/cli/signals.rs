//! Ctrl-C and SIGTERM: the first drains, the second leaves. And the signal of a file that grows over a limit.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::exit;
use super::output::Output;
use crate::base::cancel::Stop;
use crate::base::numbers::count;
use crate::base::{Error, Kind, Result};
use crate::store::ledger::Ledger;
use crate::work::World;

/// How long requests on the wire may take once the run drains.
const DRAIN: Duration = Duration::from_secs(60);

/// How long it takes until what waits has heard of the end.
const MOMENT: Duration = Duration::from_millis(50);

/// How long scripts have to write down what they have, once requests are given up.
const LEAVE: Duration = Duration::from_secs(2);

/// How long words may take to be written, before nobody seems to read them.
const HEARD: Duration = Duration::from_millis(500);

/// The signals that tell a command to end, from when they are first listened to: none is missed, whoever looks when.
#[derive(Clone)]
pub struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Listens for the rest of the process's life.
    pub fn listen(runtime: &Runtime) -> Result<Interrupts> {
        Interrupts::listen_to(runtime, None)
    }

    /// The same, and also for a terminal that goes away. (A run goes on then, if it was told to: `nohup`.)
    pub fn listen_at_terminal(runtime: &Runtime) -> Result<Interrupts> {
        Interrupts::listen_to(runtime, Some(SignalKind::hangup()))
    }

    fn listen_to(runtime: &Runtime, also: Option<SignalKind>) -> Result<Interrupts> {
        let _inside = runtime.enter();
        let unheard = |e: std::io::Error| Error::io(Kind::Internal, "listen for", "signals", &e);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
        let mut other = signal(also.unwrap_or(SignalKind::terminate())).map_err(unheard)?;
        let (count, counted) = watch::channel(0);
        runtime.spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = other.recv(), if also.is_some() => {}
                }
                count.send_modify(|count| *count += 1);
            }
        });
        Ok(Interrupts(counted))
    }

    /// Whether one came.
    pub fn came(&self) -> bool {
        *self.0.borrow() > 0
    }

    async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What is left to do when the process leaves before the command has come to its end.
pub struct Leaving {
    /// A directory that is only for this command.
    pub scratch: Option<PathBuf>,
    /// Tells the end to machines.
    pub tell_end: Box<dyn FnOnce() + Send>,
}

/// Listens for the rest of the process's life; requests on the wire may come to their end, and are saved.
pub fn listen(world: &World, output: &Output, leaving: Leaving) -> Result<()> {
    listen_with(world, output, DRAIN, leaving)
}

/// Likewise, where nothing is saved: requests on the wire are given up at once.
pub fn listen_impatiently(world: &World, output: &Output) -> Result<()> {
    listen_with(world, output, Duration::ZERO, Leaving { scratch: None, tell_end: Box::new(|| {}) })
}

/// Likewise, where nothing is sent, either: leaves at once, and leaves nothing in this directory.
pub fn leave_at_once(output: &Output, scratch: PathBuf) -> Result<()> {
    let unheard = |e: std::io::Error| Error::io(Kind::Internal, "listen for", "signals", &e);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unheard)?;
    let mut interrupts = Interrupts::listen(&runtime)?;
    let output = output.clone();
    let listen = move || {
        runtime.block_on(async move {
            interrupts.next().await;
            // Whatever is still written meanwhile.
            while std::fs::remove_dir_all(&scratch)
                .is_err_and(|e| e.kind() == std::io::ErrorKind::DirectoryNotEmpty)
            {}
            say(move || output.remark("interrupted")).await;
            std::process::exit(exit::INTERRUPTED.into());
        });
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).map(drop).map_err(unheard)
}

/// A file that grows over the system's limit (`ulimit -f`) is a failed write like any other; but the signal of it
/// kills a process that does not listen. Nobody waits for it here: that there is a handler is enough, and it
/// stays when the runtime that set it has gone.
pub fn outlive_file_limits() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
    let _inside = runtime.enter();
    let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
}

fn listen_with(world: &World, output: &Output, drain: Duration, leaving: Leaving) -> Result<()> {
    let runtime = world.runtime()?;
    let interrupts = Interrupts::listen(runtime)?;
    runtime.spawn(Listener::new(interrupts, world, output, drain).run(leaving));
    Ok(())
}

/// Listens in one round of a command, until this is dropped.
pub struct InRound(JoinHandle<()>);

impl InRound {
    /// Likewise; what came before the round counts, too.
    pub fn listen(
        interrupts: &Interrupts,
        world: &World,
        output: &Output,
        leaving: Leaving,
    ) -> Result<InRound> {
        let listener = Listener::new(interrupts.clone(), world, output, DRAIN);
        Ok(InRound(world.runtime()?.spawn(listener.run(leaving))))
    }
}

impl Drop for InRound {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Listener {
    interrupts: Interrupts,
    stop: Stop,
    ledger: Arc<dyn Ledger>,
    output: Output,
    drain: Duration,
}

impl Listener {
    fn new(interrupts: Interrupts, world: &World, output: &Output, drain: Duration) -> Listener {
        let (stop, ledger, output) = (world.stop.clone(), world.ledger.clone(), output.clone());
        Listener { interrupts, stop, ledger, output, drain }
    }

    async fn run(mut self, leaving: Leaving) {
        self.interrupts.next().await;
        self.stop.drain_because(interrupted());
        // What only waited has ended a moment later.
        tokio::time::sleep(MOMENT).await;
        let (words, output) = (self.words(), self.output.clone());
        say(move || output.remark(&words)).await;
        let _ = tokio::time::timeout(self.drain, self.interrupts.next()).await;
        self.stop.abort();
        tokio::time::sleep(LEAVE).await;
        // The replies that have arrived are kept.
        let ledger = self.ledger.clone();
        let _ = tokio::time::timeout(LEAVE, tokio::task::spawn_blocking(move || ledger.close())).await;
        if let Some(scratch) = &leaving.scratch {
            let _ = std::fs::remove_dir_all(scratch);
        }
        say(leaving.tell_end).await;
        std::process::exit(exit::INTERRUPTED.into());
    }

    fn words(&self) -> String {
        match self.stop.calls() {
            _ if self.drain.is_zero() => "interrupted".to_string(),
            0 => "interrupted: saving".to_string(),
            n => {
                let calls = count(n, "call");
                format!("interrupted: waiting for {calls} on the wire, then saving (again: leave at once)")
            }
        }
    }
}

/// Says something, but waits no longer than a moment for a terminal that stands still or a pipe that is full.
async fn say(words: impl FnOnce() + Send + 'static) {
    let _ = tokio::time::timeout(HEARD, tokio::task::spawn_blocking(words)).await;
}

fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted")
        .hint("run the same command again: it goes on where it stopped")
}
