//! When a backend's next request may be sent: its concurrency, its requests and tokens a minute, what the
//! server says is left of its own limits, what it turned out to serve, and the pauses that it asks for. Shared
//! by all callers of the backend, first come first served.

mod learned;
mod pace;
mod served;
mod slots;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::Error;
use crate::base::cancel::Stop;
use crate::base::config::BackendConfig;

pub use learned::{Left, Rates};
use learned::{Window, Word};
use pace::Pace;
use served::{Served, Turn};
pub use slots::Permit;
use slots::Slots;

/// The span that `rpm` and `tpm` count over.
const MINUTE: Duration = Duration::from_secs(60);

/// Places beyond those that are needed on average.
const ROOM: f64 = 1.25;

/// Between two looks at whether a request may be sent.
const LOOK: Duration = Duration::from_millis(100);

/// A wait that is shorter is nothing to tell of.
pub(super) const WORTH_TELLING: Duration = Duration::from_secs(1);

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
    served: Served,
    pause: Option<Pause>,
    /// Sent so far.
    sent: Counted,
    /// How long good answers took of late.
    latency: Option<Duration>,
}

/// Requests and tokens.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    requests: u64,
    tokens: u64,
}

/// Nobody sends for a while.
#[derive(Clone)]
struct Pause {
    began: Instant,
    until: Instant,
    reason: String,
}

/// A pause that a failure asks for.
pub struct Rest<'a> {
    /// How long.
    pub wait: Duration,
    /// By whom.
    pub named: Named,
    /// In words.
    pub reason: &'a str,
}

/// How a pause came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The server named the time: it is a floor.
    ByServer,
    /// Nobody did: what was sent before the pause began teaches nothing new.
    ByNobody,
}

/// What is known of a request that was sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Instant,
    /// What was sent by then, itself included.
    so_far: Counted,
    turn: Turn,
    ticket: Option<Ticket>,
}

/// A request's entry among the tokens that were sent.
#[derive(Debug, Clone, Copy)]
struct Ticket {
    number: u64,
    estimated: u64,
}

impl State {
    /// Counts a request of so many tokens, if it may be sent now; else says when to look again.
    fn take(&mut self, tokens: u64, now: Instant) -> Result<Sent, Instant> {
        let waits = [
            self.pause.as_ref().map(|pause| pause.until),
            self.requests_left.closed_until(1, now),
            self.tokens_left.closed_until(tokens, now),
            self.served.ready_at(now),
            self.requests.as_mut().map(|pace| pace.ready_at(1, now)),
            self.tokens.as_mut().map(|pace| pace.ready_at(tokens, now)),
        ];
        if let Some(until) = waits.into_iter().flatten().max().filter(|until| *until > now) {
            return Err(until);
        }
        Ok(self.count(tokens, now))
    }

    fn count(&mut self, tokens: u64, now: Instant) -> Sent {
        self.requests_left.take(1);
        self.tokens_left.take(tokens);
        if let Some(pace) = &mut self.requests {
            pace.take(1, now);
        }
        let Counted { requests, tokens: before } = self.sent;
        self.sent = Counted { requests: requests + 1, tokens: before + tokens };
        Sent {
            at: now,
            so_far: self.sent,
            turn: self.served.take(now),
            ticket: self
                .tokens
                .as_mut()
                .map(|pace| Ticket { number: pace.take(tokens, now), estimated: tokens }),
        }
    }

    /// Requests on the wire that are needed to keep up with what the server serves: as many as there are, when
    /// fewer would be turned away as often.
    fn needed(&self) -> usize {
        if self.served.at_random() {
            return usize::MAX;
        }
        let both = self.served.rate().zip(self.latency);
        both.map_or(0, |(rate, latency)| (rate * latency.as_secs_f64() * ROOM).ceil() as usize)
    }

    /// Nobody sends for a while, after a request that was sent at that moment; whether that is news.
    fn pause(&mut self, rest: &Rest, sent: Instant, now: Instant) -> bool {
        let current = self.pause.as_ref().filter(|pause| pause.until > now || pause.began > sent);
        let taught = current.is_some_and(|pause| pause.began > sent);
        if taught && rest.named == Named::ByNobody {
            return false;
        }
        let until = now + rest.wait;
        let (began, known) = current.map_or((now, now), |pause| (pause.began, pause.until));
        self.pause = Some(Pause { began, until: until.max(known), reason: rest.reason.into() });
        // A second more is no news.
        until > known + Duration::from_secs(1) || known == now
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
                served: Served::new(now),
                pause: None,
                sent: Counted::default(),
                latency: None,
            }),
        }
    }

    /// Waits for a place on the wire. Keep the permit until the answer is there. A run that drains ends the wait.
    pub async fn enter(&self, stop: &Stop) -> Result<Permit<'_>, Error> {
        tokio::select! {
            biased;
            () = stop.drained() => Err(stop.error()),
            permit = self.slots.enter() => permit,
        }
    }

    /// Waits until a request may be sent, which is to be done at once. `tokens` guesses how many it comes to, by
    /// what is known when it is its turn. A run that drains ends the wait.
    pub async fn turn(
        &self,
        permit: &mut Permit<'_>,
        tokens: impl Fn() -> u64,
        stop: &Stop,
    ) -> Result<(), Error> {
        tokio::select! {
            biased;
            () = stop.drained() => Err(stop.error()),
            sent = self.take(tokens) => {
                permit.sent = Some(sent);
                Ok(())
            }
        }
    }

    /// One at a time, so that all go in the order in which they came, and each by what is known at that
    /// moment.
    async fn take(&self, tokens: impl Fn() -> u64) -> Sent {
        let _first = self.queue.lock().await;
        loop {
            let (now, tokens) = (Instant::now(), tokens());
            let taken = self.state().take(tokens, now);
            match taken {
                Ok(sent) => return sent,
                // A correction may let it go earlier.
                Err(until) => tokio::time::sleep_until(until.min(now + LOOK)).await,
            }
        }
    }

    /// Nobody sends for a while, since this request failed; whether that is news.
    pub fn pause(&self, permit: &Permit<'_>, rest: &Rest) -> bool {
        let now = Instant::now();
        self.state().pause(rest, permit.sent.map_or(now, |sent| sent.at), now)
    }

    /// The same, for a rate limit: fewer are sent afterwards.
    pub fn turned_away(&self, permit: &Permit<'_>, rest: &Rest) -> bool {
        let Some(sent) = permit.sent else { return false };
        let now = Instant::now();
        let mut state = self.state();
        let news = state.pause(rest, sent.at, now);
        let open_at = state.pause.as_ref().map_or(now, |pause| pause.until);
        let needed = state.needed();
        if state.served.turned_away(sent.turn, open_at, now) {
            self.slots.cut(needed);
        }
        news
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

    /// A request went well, and used so many tokens; 0 when the server does not say.
    pub fn succeeded(&self, permit: &Permit<'_>, used: u64) {
        self.slots.grow();
        let Some(sent) = permit.sent else { return };
        let mut state = self.state();
        let took = sent.at.elapsed();
        state.latency = Some(state.latency.map_or(took, |latency| latency.mul_f64(0.9) + took.mul_f64(0.1)));
        if let (Some(tokens), Some(ticket)) = (&mut state.tokens, sent.ticket.filter(|_| used > 0)) {
            tokens.correct(ticket.number, ticket.estimated, used);
        }
    }

    /// Requests that may be on the wire by the configuration.
    pub fn configured(&self) -> usize {
        self.slots.most()
    }

    /// Requests that may be on the wire at this moment.
    pub fn concurrency(&self) -> usize {
        self.slots.limit()
    }

    /// Takes in what the answer to a request says is left: what was sent after it is not in that.
    pub fn learn(&self, permit: &Permit<'_>, rates: &Rates) {
        let Some(Sent { at, so_far, .. }) = permit.sent else { return };
        let mut state = self.state();
        let Counted { requests, tokens } = state.sent;
        let word = |told, unseen| Word { told, sent: at, unseen };
        if let Some(told) = rates.requests {
            state.requests_left.learn(&word(told, requests - so_far.requests), self.max_wait);
        }
        if let Some(told) = rates.tokens {
            state.tokens_left.learn(&word(told, tokens - so_far.tokens), self.max_wait);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod servers;
#[cfg(test)]
mod tests;
