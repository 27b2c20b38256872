//! The backends that scripts get: a name, the sampling parameters that hold, and a line to either a
//! provider or a script.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::testing::STUB;
use super::{Scope, World};
use crate::base::config::kinds::{Answers, key_variables, kind_names, kind_of};
use crate::base::config::{BackendConfig, Choice, KeyEnv, Params};
use crate::base::latency::Latency;
use crate::base::{Error, Kind, Result, suggest};
use crate::llm::{self, Reply, Request, Schema, Secret};

/// What a script holds: cheap to copy.
#[derive(Clone)]
pub struct Backend {
    /// Its name in the configuration.
    pub name: String,
    /// The role that it was got by; empty when it was named itself.
    pub role: String,
    /// Sampling parameters of the role over those of the backend.
    pub params: Params,
    /// What else the configuration sends with each request.
    pub extra_body: Value,
    /// Who answers.
    pub line: Line,
}

/// Who answers.
#[derive(Clone)]
pub enum Line {
    /// A provider, over the network.
    Remote(Arc<llm::Backend>),
    /// A script, on its caller's thread.
    Local(Arc<Local>),
}

/// Answers a request on the caller's thread; the role is that of the backend, the scope the caller's.
pub type Respond = Box<dyn Fn(&Request, &str, &Scope) -> Result<Reply> + Send + Sync>;

/// A script that answers.
pub struct Local {
    /// `offline` or `script`.
    pub kind: String,
    /// The configuration's `model`.
    pub model: String,
    /// The script and a hash of its code: what makes its answers what they are.
    pub origin: String,
    /// The script's function.
    pub respond: Respond,
    /// Whether it answers by schemas itself.
    pub structured: bool,
    /// What it did.
    pub stats: LocalStats,
}

/// Counters of a script backend.
#[derive(Default)]
pub struct LocalStats {
    calls: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
}

impl LocalStats {
    /// Counts one answered request.
    pub fn count(&self, usage: &llm::Usage) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.input_tokens.fetch_add(usage.input_tokens, Ordering::Relaxed);
        self.output_tokens.fetch_add(usage.output_tokens, Ordering::Relaxed);
    }
}

/// What a backend did in this command.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spent {
    /// Calls that were answered or given up.
    pub calls: u64,
    /// Requests that brought no reply: they failed, and were sent again or given up.
    pub unanswered: u64,
    /// Requests on the wire at this moment.
    pub in_flight: u64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Reply tokens.
    pub output_tokens: u64,
    /// Dollars, when the configuration has a price.
    pub usd: Option<f64>,
    /// Whether tokens are estimated (script backends bill none).
    pub estimated: bool,
    /// How long replies took; of scripts nobody counts it.
    pub latency: Latency,
    /// Why nothing is sent at this moment, and until when.
    pub waiting: Option<llm::Waiting>,
    /// Requests that may be on the wire at this moment, and by the configuration; none for scripts.
    pub concurrency: Option<(usize, usize)>,
}

impl Backend {
    /// The model's name.
    pub fn model(&self) -> &str {
        match &self.line {
            Line::Remote(backend) => &backend.identity().model,
            Line::Local(local) => &local.model,
        }
    }

    /// Whether a script answers in place of a model.
    pub fn is_script(&self) -> bool {
        matches!(self.line, Line::Local(_))
    }

    /// Whether a test has put it there.
    pub fn is_stub(&self) -> bool {
        matches!(&self.line, Line::Local(local) if local.kind == STUB)
    }

    /// What makes its replies what they are, and what it was asked for as: part of the version of every
    /// record made with it. Two roles that change places change the records.
    pub fn identity(&self) -> String {
        let (kind, model, origin) = match &self.line {
            Line::Remote(backend) => {
                let identity = backend.identity();
                (&identity.kind, &identity.model, &identity.origin)
            }
            Line::Local(local) => (&local.kind, &local.model, &local.origin),
        };
        json!([self.role, kind, model, origin, self.params, self.extra_body]).to_string()
    }
}

/// The backends that are open, by name.
#[derive(Default)]
pub struct OpenBackends(Mutex<BTreeMap<String, Line>>);

impl OpenBackends {
    fn get_or_open(&self, name: &str, open: impl FnOnce() -> Result<Line>) -> Result<Line> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(name) {
            return Ok(line.clone());
        }
        let line = open()?;
        lines.insert(name.into(), line.clone());
        Ok(line)
    }

    /// Closes all of them.
    pub(super) fn clear(&self) {
        let lines = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(lines);
    }

    /// Opens script backends anew when they are next asked for: their files may have changed.
    pub fn forget_scripts(&self) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|_, line| matches!(line, Line::Remote(_)));
    }

    /// What each backend did, by name.
    pub fn spent(&self) -> Vec<(String, Spent)> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(name, line)| (name.clone(), spent(line))).collect()
    }
}

fn spent(line: &Line) -> Spent {
    match line {
        Line::Remote(backend) => {
            let stats = backend.stats();
            Spent {
                calls: stats.calls,
                unanswered: stats.attempts.saturating_sub(stats.calls + stats.in_flight),
                in_flight: stats.in_flight,
                input_tokens: stats.input_tokens,
                output_tokens: stats.output_tokens,
                usd: stats.usd,
                estimated: false,
                latency: backend.latency(),
                waiting: stats.waiting,
                concurrency: Some((stats.concurrency, stats.configured)),
            }
        }
        Line::Local(local) => Spent {
            calls: local.stats.calls.load(Ordering::Relaxed),
            input_tokens: local.stats.input_tokens.load(Ordering::Relaxed),
            output_tokens: local.stats.output_tokens.load(Ordering::Relaxed),
            estimated: true,
            ..Spent::default()
        },
    }
}

/// The backends of a role, of a backend's name, or (with a model) of a kind.
pub fn get(world: &World, name: &str, model: Option<&str>, params: Params) -> Result<Vec<Backend>> {
    if let Some(model) = model {
        return of_kind(world, name, model, params).map(|backend| vec![backend]);
    }
    let role = if world.config.roles.contains_key(name) { name } else { "" };
    if let Some(stubs) = of_stubbed_role(world, role, &params) {
        return Ok(stubs);
    }
    let choices = match world.config.choices(name) {
        Err(_) if is_local_kind(name) => return of_kind(world, name, "", params).map(|b| vec![b]),
        choices => choices?,
    };
    let with_params = |choice: Choice| Choice { params: params.clone().over(&choice.params), ..choice };
    choices.into_iter().map(|choice| of_choice(world, role, with_params(choice))).collect()
}

/// A role in whose place a test has put stubs, however many backends the configuration gives it.
fn of_stubbed_role(world: &World, role: &str, params: &Params) -> Option<Vec<Backend>> {
    let stub = world.test.as_ref()?.stub(role)?;
    let first = world.config.choices(role).ok().and_then(|choices| choices.into_iter().next());
    let params = params.clone().over(&first.map(|choice| choice.params).unwrap_or_default());
    let name = |i: usize| if stub.lines.len() == 1 { role.into() } else { format!("{role}-{}", i + 1) };
    let backend = |(i, line): (usize, &Arc<Local>)| Backend {
        name: name(i),
        role: role.into(),
        params: params.clone(),
        extra_body: Value::Null,
        line: Line::Local(line.clone()),
    };
    Some(stub.lines.iter().enumerate().map(backend).collect())
}

/// The stub that a test has put in the place of this backend.
fn stub(world: &World, name: &str) -> Option<Line> {
    world.test.as_ref()?.stub(name)?.lines.first().cloned().map(Line::Local)
}

/// One backend of a role (or of none: an empty text), with exactly these parameters.
pub fn of_choice(world: &World, role: &str, choice: Choice) -> Result<Backend> {
    let Choice { backend: name, params } = choice;
    let line = line(world, &name, || open(world, &name))?;
    let extra_body = world.config.backends.get(&name).map(|config| json!(config.extra_body));
    Ok(Backend { name, role: role.into(), params, extra_body: extra_body.unwrap_or_default(), line })
}

/// Who answers for a backend, opened once.
fn line(world: &World, name: &str, open: impl FnOnce() -> Result<Line>) -> Result<Line> {
    stub(world, name).map_or_else(|| world.backends.get_or_open(name, open), Ok)
}

fn is_local_kind(kind: &str) -> bool {
    kind == "offline"
}

/// A backend that no configuration names: a kind with its usual origin and key, and a model.
fn of_kind(world: &World, kind: &str, model: &str, params: Params) -> Result<Backend> {
    if kind_of(kind).is_none() {
        let configured = world.config.backends.contains_key(kind) || world.config.roles.contains_key(kind);
        return Err(if configured { model_is_config(kind) } else { no_kind(kind) });
    }
    let name = if model.is_empty() { kind.to_string() } else { format!("{kind}:{model}") };
    let shape = if model.is_empty() { json!({"kind": kind}) } else { json!({"kind": kind, "model": model}) };
    let config: BackendConfig = serde_json::from_value(shape)
        .map_err(|e| Error::new(Kind::Internal, format!("a bare backend cannot be made: {e}")))?;
    let line = line(world, &name, || open_with(world, &name, &config))?;
    let params = params.over(&config.params());
    Ok(Backend { name, role: String::new(), params, extra_body: Value::Null, line })
}

fn no_kind(name: &str) -> Error {
    Error::new(Kind::NotFound, format!("`{name}` is no kind of backend"))
        .hint(suggest::hint(name, kind_names()))
}

fn model_is_config(name: &str) -> Error {
    Error::new(Kind::Argument, format!("the model of `{name}` is set in config/fthost.yaml, not in a script"))
        .hint("change it there, or name a kind: get_backend(\"openai\", #{model: \"gpt-4o\"})")
}

fn open(world: &World, name: &str) -> Result<Line> {
    match world.config.backends.get(name) {
        Some(config) => open_with(world, name, config),
        None => Err(Error::new(Kind::NotFound, format!("no backend is named `{name}`"))),
    }
}

fn open_with(world: &World, name: &str, config: &BackendConfig) -> Result<Line> {
    if let Some(test) = &world.test
        && kind_of(&config.kind).is_none_or(|kind| kind.answers != Answers::Script)
    {
        return Err(test.refuses(name, &config.kind));
    }
    let shared = world.shared();
    let (config, key) = with_key(world, config);
    let config = &config;
    let backend = match kind_of(&config.kind).map(|kind| kind.answers) {
        Some(Answers::Script) => {
            return world.open_local(name, config).map(|local| Line::Local(Arc::new(local)));
        }
        answers if let Some(dry) = &world.dry => {
            let is_adapter = answers == Some(Answers::Adapter);
            let functions = is_adapter.then(|| world.open_adapter(config)).transpose()?;
            llm::Backend::open_stub(name, config, functions, dry.stub_of(name), &shared)?
        }
        Some(Answers::Adapter) => {
            let functions = world.open_adapter(config)?;
            llm::Backend::open_adapter(name, config, key, functions, &shared)?
        }
        Some(Answers::Program) => {
            let config = with_command(world, config);
            llm::Backend::open_program(name, &config, &*world.secrets, &shared)?
        }
        _ => llm::Backend::open(name, config, key, &shared)?,
    };
    world.budget.check_price(name, config.price)?;
    Ok(Line::Remote(Arc::new(backend)))
}

/// A program's path is relative to the project, as all paths of the configuration are.
fn with_command(world: &World, config: &BackendConfig) -> BackendConfig {
    let path = |command: &String| match command.contains('/') {
        true => world.project.root().join(command).to_string_lossy().into_owned(),
        false => command.clone(),
    };
    BackendConfig { command: config.command.as_ref().map(path), ..config.clone() }
}

/// The key, and a configuration that names the variable that it came from, so that errors do, too.
fn with_key(world: &World, config: &BackendConfig) -> (BackendConfig, Option<Secret>) {
    let set = |name: &str| (world.secrets)(name).map(Secret::new).filter(|key| !key.is_empty());
    let found = key_variables(config).into_iter().find_map(|name| Some((name, set(name)?)));
    let Some((name, key)) = found else { return (config.clone(), None) };
    (BackendConfig { api_key_env: KeyEnv::Variable(name.into()), ..config.clone() }, Some(key))
}

/// A schema from a script's value: the name is its title.
pub fn schema(value: Value) -> Result<Arc<Schema>> {
    let name = value.get("title").and_then(Value::as_str).unwrap_or("reply").to_string();
    Schema::new(&name, value).map(Arc::new)
}
