//! A backend: a provider with its limits, its retries and its bill.

mod open;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::failure::{Again, Failure};
use super::limits::{Limits, Named, Permit, Rest, WORTH_TELLING};
use super::provider::{Attempt, Provider};
use super::purse::{Bill, Charge, Payment, Purse, Reservation, Unlimited};
use super::retry::{Attempts, Pause, Retry};
use super::stats::{Counters, Stats, Waiting};
use super::transport::Http;
use super::{Reply, Request};
use crate::base::cancel::Stop;
use crate::base::config::kinds::refused;
use crate::base::config::{BackendConfig, Price};
use crate::base::events::{Event, Events};
use crate::base::latency::Latency;
use crate::base::{Error, Kind, Result};

/// So many requests without a reply, one after the other, and a call that gives up: the backend is dead.
const DEAD_AFTER: usize = 25;

/// What makes two backends the same: of these, the version of a record is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The kind.
    pub kind: String,
    /// The model.
    pub model: String,
    /// Scheme, host and port of the server; empty where there is none.
    pub origin: String,
}

/// A reply, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The reply, whatever its outcome.
    pub reply: Reply,
    /// What it cost.
    pub charge: Charge,
    /// From sending the last request to the end of its reply.
    pub took: Duration,
}

/// What all backends of a run share.
#[derive(Clone)]
pub struct Shared {
    /// The connections.
    pub http: Http,
    /// Where events go.
    pub events: Arc<dyn Events>,
    /// What may be spent.
    pub purse: Arc<dyn Purse>,
}

impl Shared {
    /// Connections of their own, and no caps.
    pub fn new(events: Arc<dyn Events>) -> Shared {
        Shared { http: Http::new(), events, purse: Arc::new(Unlimited) }
    }
}

/// A configured model, ready to be called from anywhere.
pub struct Backend {
    name: String,
    identity: Identity,
    price: Option<Price>,
    provider: Box<dyn Provider>,
    limits: Limits,
    retry: Retry,
    /// The deadline of an attempt.
    each: Duration,
    events: Arc<dyn Events>,
    purse: Arc<dyn Purse>,
    counters: Counters,
}

impl Backend {
    /// Changes the pauses between attempts: tests have no minutes.
    pub fn with_pauses(mut self, base: Duration, cap: Duration) -> Backend {
        self.retry = Retry { base, cap, floor: self.retry.floor.min(cap), ..self.retry };
        self
    }

    /// Changes what `rpm` and `tpm` count over, likewise.
    pub fn with_minute(mut self, config: &BackendConfig, minute: Duration) -> Backend {
        self.limits = Limits::over(config, self.retry.max_wait, minute);
        self
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind, model and origin.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it has done so far, and what it does now.
    pub fn stats(&self) -> Stats {
        let waiting = self.limits.waiting().map(|(until, reason)| {
            let left = until.saturating_duration_since(Instant::now());
            Waiting { until: SystemTime::now() + left, reason }
        });
        let (concurrency, configured) = (self.limits.concurrency(), self.limits.configured());
        Stats { waiting, concurrency, configured, ..self.counters.stats() }
    }

    /// How long its replies took.
    pub fn latency(&self) -> Latency {
        self.counters.latency()
    }

    /// What so many tokens cost, where the configuration gives a price.
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> Option<f64> {
        Some(self.price?.of(input_tokens, output_tokens))
    }

    /// Asks, again if need be, and returns the reply whatever its outcome. A run that drains sends
    /// nothing more and ends waits; a request on the wire goes on until the run aborts.
    pub async fn call(&self, request: &Request, stop: &Stop) -> Result<Answered> {
        self.check(request)?;
        let mut attempts = self.retry.attempts(self.each);
        let before = self.counters.stats().calls;
        loop {
            let mut permit = self.limits.enter(stop).await?;
            let attempt = attempts.begin();
            let (result, took) = self.attempt(request, &mut permit, stop).await?;
            let failure = match result {
                Ok((reply, charge)) => {
                    return Ok(Answered { reply: Reply { attempts: attempt, ..reply }, charge, took });
                }
                Err(failure) => failure,
            };
            let in_a_row = self.counters.failed();
            let pause = self.rest(failure, took, &permit, &mut attempts);
            drop(permit);
            match pause.map_err(|error| self.given_up(error, in_a_row, before))? {
                // The next attempt is admitted when the pause has ended.
                Pause::Everybody(..) => {}
                Pause::Own(wait) => sleep(wait, stop).await?,
            }
        }
    }

    /// What a kind has no words for must not be left out in silence.
    fn check(&self, request: &Request) -> Result<()> {
        let kind = &self.identity.kind;
        match refused(kind, &request.params) {
            None => Ok(()),
            Some(name) => {
                let message = format!("backend `{}`: the kind `{kind}` knows no `{name}`", self.name);
                Err(Error::new(Kind::Argument, message)
                    .hint("leave it out, or use a backend of another kind"))
            }
        }
    }

    /// One request on the wire, and how long it took; the outer error is that of a cap, or of a run that stops.
    async fn attempt(
        &self,
        request: &Request,
        permit: &mut Permit<'_>,
        stop: &Stop,
    ) -> Result<(Result<(Reply, Charge), Failure>, Duration)> {
        let reserved = self.reserve(request, stop).await?;
        // The last thing that is waited for: what is known of the limits holds at the moment of sending.
        if let Err(stopped) = self.limits.turn(permit, || self.counters.guess(request), stop).await {
            reserved.failed(Bill::Nothing);
            return Err(stopped);
        }
        let sent = Instant::now();
        let on_the_wire = self.counters.send();
        let Attempt { result, rates } = tokio::select! {
            biased;
            () = stop.aborted() => return Err(stop.error()),
            attempt = self.provider.send(request) => attempt,
        };
        drop(on_the_wire);
        let took = sent.elapsed();
        let bill = self.bill(&result);
        self.counters.billed(&bill);
        self.limits.learn(permit, &rates);
        let result = match result {
            Ok(reply) => {
                self.limits.succeeded(permit, reply.usage.total());
                self.counters.replied(request, &reply, took);
                Ok((reply, reserved.replied(bill)))
            }
            Err(failure) => {
                reserved.failed(bill);
                Err(failure)
            }
        };
        Ok((result, took))
    }

    /// Waits until the purse allows it; a run that drains ends the wait.
    async fn reserve(&self, request: &Request, stop: &Stop) -> Result<Box<dyn Reservation>> {
        let payment = Payment { backend: &self.name, request, price: self.price };
        tokio::select! {
            biased;
            () = stop.drained() => Err(stop.error()),
            reserved = self.purse.reserve(payment) => reserved,
        }
    }

    /// What an attempt cost: dollars by the configuration's prices, else by the provider's own word.
    fn bill(&self, result: &Result<Reply, Failure>) -> Bill {
        match result.as_ref().map_or_else(|failure| failure.bill, Reply::bill) {
            Bill::Served { usage, usd } => {
                Bill::Served { usage, usd: self.cost(usage.input_tokens, usage.output_tokens).or(usd) }
            }
            bill => bill,
        }
    }

    /// What follows from a failure: for everybody at once, and for this call, which waits or has its error. A time that the
    /// server names holds for the others also when this call gives up.
    fn rest(
        &self,
        failure: Failure,
        took: Duration,
        permit: &Permit<'_>,
        attempts: &mut Attempts,
    ) -> Result<Pause> {
        let (error, again) = (failure.error.clone(), failure.again);
        let next = attempts.after(self.named(failure), took);
        let limited = error.kind() == Kind::RateLimit;
        let (wait, named) = match (&next, again) {
            (Ok(Pause::Everybody(wait, named)), _) => (*wait, *named),
            (Err(_), Again::After(wait)) => (wait.min(self.retry.max_wait), Named::ByServer),
            (Err(_), _) => (Duration::ZERO, Named::ByNobody),
            (Ok(Pause::Own(wait)), _) => {
                if *wait >= WORTH_TELLING {
                    self.tell(*wait, &error);
                }
                return next;
            }
        };
        let rest = Rest { wait, named, reason: error.message() };
        let news = match (limited, wait.is_zero()) {
            (true, _) => self.limits.turned_away(permit, &rest),
            (false, false) => self.limits.pause(permit, &rest),
            (false, true) => false,
        };
        if news && next.is_ok() {
            self.tell(wait, &error);
        }
        next
    }

    fn tell(&self, wait: Duration, reason: &Error) {
        let (backend, reason) = (self.name.clone(), reason.message().to_string());
        self.events.emit(Event::Waiting { backend, reason, wait });
    }

    /// The error of a call, or of the whole backend: when nothing has gone well for long, each of the items
    /// to come would fail after all of its attempts, too. `before`: the calls that had gone well when this one
    /// began. Servers that limit rates turn away many at once, and serve others in between.
    fn given_up(&self, error: Error, in_a_row: usize, before: u64) -> Error {
        let dead = match error.kind() {
            Kind::Connection | Kind::Timeout | Kind::Server => true,
            Kind::RateLimit => self.counters.stats().calls == before,
            _ => false,
        };
        if !dead || in_a_row < DEAD_AFTER {
            return error;
        }
        let message = format!("{} (the last {in_a_row} requests failed)", error.message());
        Error::new(Kind::DeadBackend, message)
            .or_hint(error.get_hint().map(str::to_string))
            .or_hint(Some("run the same command again when the server is well".into()))
    }

    /// Says which backend failed.
    fn named(&self, failure: Failure) -> Failure {
        Failure { error: failure.error.context(format!("backend `{}`", self.name)), ..failure }
    }
}

/// A call's own pause; a run that drains ends it.
async fn sleep(wait: Duration, stop: &Stop) -> Result<()> {
    tokio::select! {
        biased;
        () = stop.drained() => Err(stop.error()),
        () = tokio::time::sleep(wait) => Ok(()),
    }
}
