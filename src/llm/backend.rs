//! A backend: a provider with its limits, its retries and its bill.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::adapter::{self, Functions};
use super::claude::Claude;
use super::failure::Failure;
use super::limits::Limits;
use super::provider::{HttpProvider, Provider};
use super::purse::{Bill, Purse, Unlimited};
use super::retry::{Pause, Retry};
use super::table::wire_of;
use super::transport::Http;
use super::wire::{Setup, Wire};
use super::{Reply, Request, Secret};
use crate::base::cancel::Stop;
use crate::base::config::kinds::{base_url, key_variable, kind_of, refused};
use crate::base::config::{BackendConfig, Price, Timeouts};
use crate::base::events::{Event, Events};
use crate::base::{Error, Kind, Result};

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

/// What a backend has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Calls that brought a reply.
    pub calls: u64,
    /// Requests sent.
    pub attempts: u64,
    /// Requests on the wire at this moment.
    pub in_flight: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of replies.
    pub output_tokens: u64,
    /// Dollars, where the configuration gives a price.
    pub usd: Option<f64>,
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
    events: Arc<dyn Events>,
    purse: Arc<dyn Purse>,
    stats: Mutex<Stats>,
}

impl Backend {
    /// Opens a backend of a kind with a wire. `key` is the value of its [`key_variable`]. Sends nothing.
    pub fn open(name: &str, config: &BackendConfig, key: Option<Secret>, shared: &Shared) -> Result<Backend> {
        let wire = wire_of(&config.kind).ok_or_else(|| {
            Error::new(Kind::Internal, format!("backend `{name}`: kind `{}` has no wire", config.kind))
        })?;
        Backend::on_wire(name, config, key, shared, wire)
    }

    /// Opens a backend whose wire is written as a script.
    pub fn open_adapter(
        name: &str,
        config: &BackendConfig,
        key: Option<Secret>,
        functions: Functions,
        shared: &Shared,
    ) -> Result<Backend> {
        let functions = Arc::new(functions);
        let wire = |setup| adapter::wire(setup, functions.clone());
        let mut backend = Backend::on_wire(name, config, key, shared, wire)?;
        backend.identity.origin = format!("{} {}", backend.identity.origin, functions.origin);
        Ok(backend)
    }

    /// Opens a backend that is a program of this machine; `variable` looks up the environment.
    pub fn open_program(
        name: &str,
        config: &BackendConfig,
        variable: &dyn Fn(&str) -> Option<String>,
        shared: &Shared,
    ) -> Result<Backend> {
        let named = |error: Error| error.context(format!("backend `{name}`"));
        let key = key_variable(config).and_then(variable).map(Secret::new);
        let key = demand_key(name, config, key)?;
        let provider = Claude::open(config, key, variable).map_err(named)?;
        Ok(Backend::assemble(name, config, String::new(), Box::new(provider), shared))
    }

    fn on_wire(
        name: &str,
        config: &BackendConfig,
        key: Option<Secret>,
        shared: &Shared,
        wire: impl FnOnce(Setup) -> Box<dyn Wire>,
    ) -> Result<Backend> {
        let key = demand_key(name, config, key)?;
        let (provider, origin) = http_provider(wire, config, key, &shared.http)
            .map_err(|error| error.context(format!("backend `{name}`")))?;
        Ok(Backend::assemble(name, config, origin, Box::new(provider), shared))
    }

    /// Puts limits, retries and counters around any provider. `origin` is where it is: a server's, or empty.
    pub fn assemble(
        name: &str,
        config: &BackendConfig,
        origin: String,
        provider: Box<dyn Provider>,
        shared: &Shared,
    ) -> Backend {
        let model = config.model.clone().unwrap_or_default();
        let usual = Retry::default();
        let retry = Retry {
            attempts: config.max_attempts.unwrap_or(usual.attempts),
            max_wait: config.max_wait.map_or(usual.max_wait, Timeouts::duration),
            ..usual
        };
        Backend {
            name: name.into(),
            identity: Identity { kind: config.kind.clone(), model, origin },
            price: config.price,
            provider,
            limits: Limits::new(config),
            retry,
            events: shared.events.clone(),
            purse: shared.purse.clone(),
            stats: Mutex::new(Stats { usd: config.price.map(|_| 0.0), ..Stats::default() }),
        }
    }

    /// Changes the pauses between attempts: tests have no minutes.
    pub fn with_pauses(mut self, base: Duration, cap: Duration) -> Backend {
        self.retry = Retry { base, cap, ..self.retry };
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

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        *lock(&self.stats)
    }

    /// What so many tokens cost, where the configuration gives a price.
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> Option<f64> {
        let Price { input, output } = self.price?;
        Some((input_tokens as f64 * input + output_tokens as f64 * output) / 1e6)
    }

    /// Asks, again if need be, and returns the reply whatever its outcome. A run that drains sends
    /// nothing more and ends waits; a request on the wire goes on until the run aborts.
    pub async fn call(&self, request: &Request, stop: &Stop) -> Result<Reply> {
        self.check(request)?;
        let mut attempts = self.retry.attempts();
        loop {
            let permit = self.limits.admit(request.estimated_tokens(), stop).await?;
            let attempt = attempts.begin();
            let result = self.attempt(request, stop).await?;
            drop(permit);
            let failure = match result {
                Ok(reply) => return Ok(Reply { attempts: attempt, ..reply }),
                Err(failure) => self.named(failure),
            };
            let reason = failure.error.clone();
            self.wait(attempts.after(failure)?, &reason, stop).await?;
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

    /// One request on the wire; the outer error is that of a cap, or of a run that aborts.
    async fn attempt(&self, request: &Request, stop: &Stop) -> Result<Result<Reply, Failure>> {
        let reserved = self.purse.reserve(request, self.price).await?;
        let _on_the_wire = OnTheWire::enter(&self.stats);
        let result = tokio::select! {
            biased;
            () = stop.abort.cancelled() => return Err(stop.error()),
            result = self.provider.send(request) => result,
        };
        reserved.settle(self.bill(&result));
        if let Ok(reply) = &result {
            self.count(request, reply);
        }
        Ok(result)
    }

    /// What an attempt cost: a server that counts no tokens does not say.
    fn bill(&self, result: &Result<Reply, Failure>) -> Bill {
        match result {
            Ok(reply) if reply.usage.total() == 0 && reply.cost.is_none() => Bill::Unknown,
            Ok(reply) => Bill::Served { usd: self.cost(reply.usage.input_tokens, reply.usage.output_tokens) },
            Err(failure) => failure.bill,
        }
    }

    /// Dollars by the configuration's prices, else by the provider's own word.
    fn charged(&self, reply: &Reply) -> Option<f64> {
        self.cost(reply.usage.input_tokens, reply.usage.output_tokens).or(reply.cost)
    }

    fn count(&self, request: &Request, reply: &Reply) {
        let used = reply.usage;
        if used.total() > 0 {
            self.limits.settle(request.estimated_tokens(), used.total());
        }
        let cost = self.charged(reply);
        let mut stats = lock(&self.stats);
        stats.calls += 1;
        stats.input_tokens += used.input_tokens;
        stats.output_tokens += used.output_tokens;
        stats.usd = cost.map(|cost| stats.usd.unwrap_or(0.0) + cost).or(stats.usd);
    }

    async fn wait(&self, pause: Pause, reason: &Error, stop: &Stop) -> Result<()> {
        let (Pause::Own(wait) | Pause::Everybody(wait)) = pause;
        let reason = reason.message().to_string();
        self.events.emit(Event::Waiting { backend: self.name.clone(), reason, wait });
        if pause == Pause::Everybody(wait) {
            // The next attempt is admitted when the pause has ended.
            self.limits.pause(wait);
            return Ok(());
        }
        tokio::select! {
            biased;
            () = stop.drain.cancelled() => Err(stop.error()),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Says which backend failed.
    fn named(&self, failure: Failure) -> Failure {
        Failure { error: failure.error.context(format!("backend `{}`", self.name)), ..failure }
    }
}

fn lock(stats: &Mutex<Stats>) -> MutexGuard<'_, Stats> {
    stats.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a request as on the wire while it lives, however it ends.
struct OnTheWire<'a>(&'a Mutex<Stats>);

impl<'a> OnTheWire<'a> {
    fn enter(stats: &'a Mutex<Stats>) -> OnTheWire<'a> {
        let mut counts = lock(stats);
        counts.attempts += 1;
        counts.in_flight += 1;
        drop(counts);
        OnTheWire(stats)
    }
}

impl Drop for OnTheWire<'_> {
    fn drop(&mut self) {
        lock(self.0).in_flight -= 1;
    }
}

/// The key, where one is needed.
fn demand_key(name: &str, config: &BackendConfig, key: Option<Secret>) -> Result<Option<Secret>> {
    let Some(variable) = key_variable(config) else { return Ok(None) };
    match key.filter(|key| !key.is_empty()) {
        Some(key) => Ok(Some(key)),
        None => Err(Error::new(Kind::Config, format!("backend `{name}` needs a key: {variable} is not set"))
            .hint(format!(
                "set {variable} in the environment or in a .env file at the project's root; \
                 for a server without keys write `api_key_env: null` in config/fthost.yaml"
            ))),
    }
}

fn http_provider(
    wire: impl FnOnce(Setup) -> Box<dyn Wire>,
    config: &BackendConfig,
    key: Option<Secret>,
    http: &Http,
) -> Result<(HttpProvider, String)> {
    let address = base_url(config).unwrap_or_default();
    let channel = http.channel(config, address)?;
    let origin = channel.origin().to_string();
    let setup = Setup {
        config: Arc::new(config.clone()),
        key_env: key_variable(config).map(str::to_string),
        own_server: kind_of(&config.kind).is_some_and(|kind| kind.base_url == Some(address)),
    };
    Ok((HttpProvider::new(wire(setup), channel, key)?, origin))
}
