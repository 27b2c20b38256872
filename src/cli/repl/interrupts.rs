//! Ctrl-C stops an entry, and the session goes on; SIGTERM ends the session.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::base::{Error, Kind, Result};
use crate::cli::exit;
use crate::work::World;

/// How long the world may take to be closed.
const LEAVE: Duration = Duration::from_secs(3);

/// What ends the line editor's own modes, and its line.
const EDITOR_OFF: &str = "\x1b[?2004l\r\n";

/// Who may be interrupted.
pub struct Interrupts {
    /// Whether an entry runs. Held while one is stopped, so that the next one is not.
    running: Mutex<bool>,
    /// Whether the line editor has the terminal.
    pub editing: AtomicBool,
    interactive: bool,
    /// The terminal as it was before the line editor.
    before: Option<Termios>,
}

impl Interrupts {
    /// Listens for the rest of the process's life.
    pub fn listen(world: &Arc<World>, interactive: bool) -> Result<Arc<Interrupts>> {
        let before = interactive.then(|| tcgetattr(std::io::stdin().as_fd()).ok()).flatten();
        let (running, editing) = Default::default();
        let interrupts = Arc::new(Interrupts { running, editing, interactive, before });
        let runtime = world.runtime()?;
        let _inside = runtime.enter();
        let unheard = |e: std::io::Error| Error::io(Kind::Internal, "listen for", "signals", &e);
        let interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
        let terminate = signal(SignalKind::terminate()).map_err(unheard)?;
        runtime.spawn(interrupts.clone().run(world.clone(), interrupt, terminate));
        Ok(interrupts)
    }

    /// An entry runs from now on.
    pub fn begin(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// It has ended.
    pub fn end(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    async fn run(self: Arc<Self>, world: Arc<World>, mut interrupt: Signal, mut terminate: Signal) {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {
                    let stopped = self.stop(&world);
                    // At a terminal an idle Ctrl-C is the line editor's.
                    if !stopped && !self.interactive {
                        self.leave(&world).await;
                    }
                }
                _ = terminate.recv() => {
                    self.stop(&world);
                    self.leave(&world).await;
                }
            }
        }
    }

    /// Stops the entry that runs, if one does.
    fn stop(&self, world: &World) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if *running {
            world.stop.drain_because(Error::new(Kind::Interrupted, "interrupted"));
            world.stop.abort();
        }
        *running
    }

    /// Closes the ledger, gives the terminal back as it was, and ends the process.
    async fn leave(&self, world: &Arc<World>) {
        world.stop.abort();
        let closing = world.clone();
        let _ = tokio::time::timeout(LEAVE, tokio::task::spawn_blocking(move || closing.close())).await;
        self.give_terminal_back();
        std::process::exit(exit::INTERRUPTED.into());
    }

    fn give_terminal_back(&self) {
        use std::io::Write;
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin().as_fd(), OptionalActions::Now, before);
        }
        if self.editing.load(Ordering::Acquire) {
            let mut out = std::io::stdout();
            let _ = out.write_all(EDITOR_OFF.as_bytes()).and_then(|()| out.flush());
        }
    }
}
