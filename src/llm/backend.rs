//! A backend: a provider with its limits, its retries and its bill.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::limits::Limits;
use super::provider::{HttpProvider, Provider};
use super::retry::{Pause, Retry};
use super::table::{HttpKind, http_kind, key_variable};
use super::transport::Http;
use super::wire::Setup;
use super::{Reply, Request, Secret};
use crate::base::cancel::Stop;
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
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of replies.
    pub output_tokens: u64,
    /// Dollars, where the configuration gives a price.
    pub usd: Option<f64>,
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
    stats: Mutex<Stats>,
}

impl Backend {
    /// Opens a backend of an HTTP kind. `key` is the value of its [`key_variable`]. Sends nothing.
    pub fn open(
        name: &str,
        config: &BackendConfig,
        key: Option<Secret>,
        http: &Http,
        events: Arc<dyn Events>,
    ) -> Result<Backend> {
        let kind = http_kind(&config.kind).ok_or_else(|| {
            Error::new(Kind::Internal, format!("backend `{name}`: kind `{}` is not on HTTP", config.kind))
        })?;
        let key = demand_key(name, config, key)?;
        let (provider, origin) = http_provider(kind, config, key, http)
            .map_err(|error| error.context(format!("backend `{name}`")))?;
        let model = config.model.clone().unwrap_or_default();
        let identity = Identity { kind: config.kind.clone(), model, origin };
        Ok(Backend::assemble(name, config, identity, Box::new(provider), events))
    }

    /// Puts limits, retries and counters around any provider.
    pub fn assemble(
        name: &str,
        config: &BackendConfig,
        identity: Identity,
        provider: Box<dyn Provider>,
        events: Arc<dyn Events>,
    ) -> Backend {
        let usual = Retry::default();
        let retry = Retry {
            attempts: config.max_attempts.unwrap_or(usual.attempts),
            max_wait: config.max_wait.map_or(usual.max_wait, Timeouts::duration),
            ..usual
        };
        let limits = Limits::new(config);
        let stats = Mutex::new(Stats { usd: config.price.map(|_| 0.0), ..Stats::default() });
        Backend { name: name.into(), identity, price: config.price, provider, limits, retry, events, stats }
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
        *self.lock()
    }

    /// What so many tokens cost, where the configuration gives a price.
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> Option<f64> {
        let Price { input, output } = self.price?;
        Some((input_tokens as f64 * input + output_tokens as f64 * output) / 1e6)
    }

    /// Asks, again if need be, and returns the reply whatever its outcome. A run that drains sends
    /// nothing more and ends waits; a request on the wire goes on until the run aborts.
    pub async fn call(&self, request: &Request, stop: &Stop) -> Result<Reply> {
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

    /// One request on the wire; the outer error is that of a run that aborts.
    async fn attempt(&self, request: &Request, stop: &Stop) -> Result<Result<Reply, Failure>> {
        self.lock().attempts += 1;
        let result = tokio::select! {
            biased;
            () = stop.abort.cancelled() => return Err(stop.error()),
            result = self.provider.send(request) => result,
        };
        if let Ok(reply) = &result {
            self.count(request, reply);
        }
        Ok(result)
    }

    fn count(&self, request: &Request, reply: &Reply) {
        let used = reply.usage;
        if used.total() > 0 {
            self.limits.settle(request.estimated_tokens(), used.total());
        }
        let cost = self.cost(used.input_tokens, used.output_tokens);
        let mut stats = self.lock();
        stats.calls += 1;
        stats.input_tokens += used.input_tokens;
        stats.output_tokens += used.output_tokens;
        stats.usd = stats.usd.zip(cost).map(|(sum, cost)| sum + cost);
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

    fn lock(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
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
    kind: &HttpKind,
    config: &BackendConfig,
    key: Option<Secret>,
    http: &Http,
) -> Result<(HttpProvider, String)> {
    let base_url = config.base_url.as_deref().unwrap_or(kind.base_url);
    let channel = http.channel(config, base_url)?;
    let origin = channel.origin().to_string();
    let setup = Setup {
        config: Arc::new(config.clone()),
        key_env: key_variable(config).map(str::to_string),
        own_server: base_url == kind.base_url,
    };
    Ok((HttpProvider::new((kind.wire)(setup), channel, key)?, origin))
}
