//! When a backend's next request may be sent: its concurrency, its requests and tokens a minute, what the
//! server says is left of its own limits, and the pauses that it asks for. Shared by all callers of the
//! backend, first come first served.

mod learned;
mod pace;
mod slots;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::Error;
use crate::base::cancel::Stop;
use crate::base::config::BackendConfig;

use learned::Window;
pub use learned::{Left, Rates};
use pace::Pace;
pub use slots::Permit;
use slots::Slots;

/// The span that `rpm` and `tpm` count over.
const MINUTE: Duration = Duration::from_secs(60);

/// Between two looks at whether a request may be sent.
const LOOK: Duration = Duration::from_millis(100);

/// A wait that is shorter is nothing to tell of.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// The limits of one backend.
pub struct Limits {
    slots: Slots,
    max_wait: Duration,
    /// Who holds it is the next to be sent.
    queue: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

struct State {
    requests: Option<Pace>,
    tokens: Option<Pace>,
    requests_left: Window,
    tokens_left: Window,
    pause: Option<Pause>,
}

/// Nobody sends for a while.
#[derive(Clone)]
struct Pause {
    began: Instant,
    until: Instant,
    reason: String,
}

/// How a pause came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The server named the time: it is a floor.
    ByServer,
    /// Nobody did: what was sent before the pause began teaches nothing new.
    ByNobody,
}

/// A request's entry among the tokens that were sent.
#[derive(Debug, Clone, Copy)]
struct Ticket {
    number: u64,
    estimated: u64,
}

impl State {
    /// Counts a request of so many tokens, if it may be sent now; else says when to look again.
    fn take(&mut self, tokens: u64, now: Instant) -> Result<Option<Ticket>, Instant> {
        let waits = [
            self.pause.as_ref().map(|pause| pause.until),
            self.requests_left.closed_until(1, now),
            self.tokens_left.closed_until(tokens, now),
            self.requests.as_mut().map(|pace| pace.ready_at(1, now)),
            self.tokens.as_mut().map(|pace| pace.ready_at(tokens, now)),
        ];
        if let Some(until) = waits.into_iter().flatten().max().filter(|until| *until > now) {
            return Err(until);
        }
        self.requests_left.take(1);
        self.tokens_left.take(tokens);
        if let Some(pace) = &mut self.requests {
            pace.take(1, now);
        }
        Ok(self.tokens.as_mut().map(|pace| Ticket { number: pace.take(tokens, now), estimated: tokens }))
    }
}

impl Limits {
    /// Those of the configuration; what the server says is left is waited for so long at most.
    pub fn new(config: &BackendConfig, max_wait: Duration) -> Limits {
        Limits::over(config, max_wait, MINUTE)
    }

    /// With minutes of another length: tests have none of sixty seconds.
    pub fn over(config: &BackendConfig, max_wait: Duration, minute: Duration) -> Limits {
        let now = Instant::now();
        let pace = |limit: Option<u64>| limit.map(|limit| Pace::new(limit, minute, now));
        Limits {
            slots: Slots::new(config.concurrency()),
            max_wait,
            queue: tokio::sync::Mutex::new(()),
            state: Mutex::new(State {
                requests: pace(config.rpm),
                tokens: pace(config.tpm),
                requests_left: Window::default(),
                tokens_left: Window::default(),
                pause: None,
            }),
        }
    }

    /// Waits until a request of about so many tokens may be sent. Keep the permit while it is on the
    /// wire. A run that drains ends the wait.
    pub async fn admit(&self, tokens: u64, stop: &Stop) -> Result<Permit<'_>, Error> {
        let enter = async {
            let mut permit = self.slots.enter().await?;
            permit.ticket = self.turn(tokens).await;
            Ok(permit)
        };
        tokio::select! {
            biased;
            () = stop.drain.cancelled() => Err(stop.error()),
            permit = enter => permit,
        }
    }

    /// Waits for the end of a pause that began since a request was admitted.
    pub async fn until_open(&self, stop: &Stop) -> Result<(), Error> {
        let open = async {
            while let Some(until) = self.paused_until() {
                tokio::time::sleep_until(until).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.drain.cancelled() => Err(stop.error()),
            () = open => Ok(()),
        }
    }

    /// Waits for its turn: one at a time, so that all go in the order in which they came, and each by what is
    /// known at that moment.
    async fn turn(&self, tokens: u64) -> Option<Ticket> {
        let _first = self.queue.lock().await;
        loop {
            let now = Instant::now();
            let taken = self.state().take(tokens, now);
            match taken {
                Ok(ticket) => return ticket,
                // A correction may let it go earlier.
                Err(until) => tokio::time::sleep_until(until.min(now + LOOK)).await,
            }
        }
    }

    /// Nobody sends for a while, after a request that was sent at that moment; whether that is news.
    pub fn pause(&self, wait: Duration, named: Named, sent: Instant, reason: &str) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let current = state.pause.as_ref().filter(|pause| pause.until > now || pause.began > sent);
        let taught = current.is_some_and(|pause| pause.began > sent);
        if taught && named == Named::ByNobody {
            return false;
        }
        let until = now + wait;
        let (began, known) = current.map_or((now, now), |pause| (pause.began, pause.until));
        state.pause = Some(Pause { began, until: until.max(known), reason: reason.into() });
        // A second more is no news.
        until > known + Duration::from_secs(1) || known == now
    }

    /// Until when nobody sends, and why.
    pub fn paused(&self) -> Option<(Instant, String)> {
        let state = self.state();
        let pause = state.pause.as_ref().filter(|pause| pause.until > Instant::now())?;
        Some((pause.until, pause.reason.clone()))
    }

    /// Until when a request would have to wait, and why: for the end of a pause, or until the server's own
    /// limit is whole again.
    pub fn waiting(&self) -> Option<(Instant, String)> {
        let used_up = |state: &mut State| {
            let now = Instant::now();
            let waits = [state.requests_left.closed_until(1, now), state.tokens_left.closed_until(1, now)];
            waits.into_iter().flatten().max().filter(|until| *until > now + WORTH_TELLING)
        };
        let limit = || Some((used_up(&mut self.state())?, "the server's limit is used up".to_string()));
        self.paused().or_else(limit)
    }

    /// A rate limit was met by a request with this permit.
    pub fn rate_limited(&self, permit: &Permit<'_>) {
        self.slots.cut(permit);
    }

    /// A request went well.
    pub fn succeeded(&self) {
        self.slots.grow();
    }

    /// Requests that may be on the wire by the configuration.
    pub fn configured(&self) -> usize {
        self.slots.most()
    }

    /// Requests that may be on the wire at this moment.
    pub fn concurrency(&self) -> usize {
        self.slots.limit()
    }

    /// Takes in what the server says is left, while so many other requests are on the wire: it may not have
    /// counted them yet.
    pub fn learn(&self, rates: &Rates, in_flight: u64) {
        let now = Instant::now();
        let mut state = self.state();
        state.requests_left.learn(rates.requests, in_flight, now, self.max_wait);
        state.tokens_left.learn(rates.tokens, 0, now, self.max_wait);
    }

    /// Corrects a request's estimate by what was really used.
    pub fn settle(&self, permit: &Permit<'_>, used: u64) {
        if let (Some(tokens), Some(ticket)) = (&mut self.state().tokens, permit.ticket) {
            tokens.correct(ticket.number, ticket.estimated, used);
        }
    }

    fn paused_until(&self) -> Option<Instant> {
        self.paused().map(|(until, _)| until)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
