//! How backends are opened: on a wire, on a wire that is a script, on a program, on nothing at all (for a
//! dry run). Nothing is sent.

use std::sync::Arc;

use super::super::Secret;
use super::super::adapter::{self, Functions};
use super::super::claude::Claude;
use super::super::limits::Limits;
use super::super::provider::{HttpProvider, Provider};
use super::super::retry::Retry;
use super::super::stats::Counters;
use super::super::stub::{Stand, Stub};
use super::super::table::{MakeWire, wire_of};
use super::super::transport::{self, Http};
use super::super::wire::{Setup, Wire};
use super::{Backend, Identity, Shared};
use crate::base::config::kinds::{Answers, base_url, key_variable, kind_of};
use crate::base::config::{BackendConfig, Timeouts};
use crate::base::{Error, Kind, Result};

impl Backend {
    /// Opens a backend of a kind with a wire. `key` is the value of its [`key_variable`]. Sends nothing.
    pub fn open(name: &str, config: &BackendConfig, key: Option<Secret>, shared: &Shared) -> Result<Backend> {
        Backend::on_wire(name, config, key, shared, made_wire(name, config)?)
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
        backend.identity.origin = with_script(&backend.identity.origin, &functions);
        Ok(backend)
    }

    /// Opens a backend that answers itself, for a dry run: its identity is that of the real one, with these
    /// functions when it is an adapter. It needs no key, and there are no limits to wait for.
    pub fn open_stub(
        name: &str,
        config: &BackendConfig,
        functions: Option<Functions>,
        stub: Stub,
        shared: &Shared,
    ) -> Result<Backend> {
        let functions = functions.map(Arc::new);
        let (wire, origin) = match kind_of(&config.kind).map(|kind| kind.answers) {
            Some(Answers::Program) => (None, String::new()),
            _ => {
                let (wire, origin) = unsent(name, config, functions.clone())
                    .map_err(|error| error.context(format!("backend `{name}`")))?;
                (Some(wire), functions.map_or(origin.clone(), |functions| with_script(&origin, &functions)))
            }
        };
        let free = BackendConfig { concurrency: Some(usize::MAX), rpm: None, tpm: None, ..config.clone() };
        let model = config.model.clone().unwrap_or_default();
        Ok(Backend::assemble(name, &free, origin, Box::new(Stand { stub, model, wire }), shared))
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
        let usual = Retry::of(&config.kind);
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
            limits: Limits::new(config, retry.max_wait),
            retry,
            each: Timeouts::duration(config.timeouts.total),
            events: shared.events.clone(),
            purse: shared.purse.clone(),
            counters: Counters::default(),
        }
    }
}

/// The origin of an adapter: its script is a part of it.
fn with_script(origin: &str, functions: &Functions) -> String {
    format!("{origin} {}", functions.origin)
}

/// A wire that writes requests for nobody, and where they would go.
fn unsent(
    name: &str,
    config: &BackendConfig,
    functions: Option<Arc<Functions>>,
) -> Result<(Box<dyn Wire>, String)> {
    let address = base_url(config).unwrap_or_default();
    let origin = transport::origin(config, address)?;
    let wire = match functions {
        Some(functions) => adapter::wire(setup(config, address), functions),
        None => made_wire(name, config)?(setup(config, address)),
    };
    Ok((wire, origin))
}

fn made_wire(name: &str, config: &BackendConfig) -> Result<MakeWire> {
    wire_of(&config.kind).ok_or_else(|| {
        Error::new(Kind::Internal, format!("backend `{name}`: kind `{}` has no wire", config.kind))
    })
}

fn setup(config: &BackendConfig, address: &str) -> Setup {
    Setup {
        config: Arc::new(config.clone()),
        key_env: key_variable(config).map(str::to_string),
        own_server: kind_of(&config.kind).is_some_and(|kind| kind.base_url == Some(address)),
    }
}

/// The key, where one is needed.
fn demand_key(name: &str, config: &BackendConfig, key: Option<Secret>) -> Result<Option<Secret>> {
    let Some(variable) = key_variable(config) else { return Ok(None) };
    match key.filter(|key| !key.is_empty()) {
        Some(key) if key.has_more() => {
            let message = format!(
                "backend `{name}`: the key in {variable} has a blank in it, or quotation marks around it"
            );
            Err(Error::new(Kind::Config, message)
                .hint("put the bare key there: no quotation marks, no `Bearer`, nothing after it"))
        }
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
    Ok((HttpProvider::new(wire(setup(config, address)), channel, key)?, origin))
}
