//! Asks every backend that is in use, as a run would: once in free text, once for JSON by a schema. It goes
//! the way of every call, so what a run would meet (limits, a refused parameter, a server that ignores the
//! schema) is met here, for a few tokens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::base::config::kinds::{Answers, kind_of};
use crate::base::config::{BackendConfig, Choice, Config, Params, Structured};
use crate::base::panic::catch_panic;
use crate::base::{Error, Kind, Result};
use crate::llm::{Request, Schema};
use crate::work::backends::{self, Backend, Line, Spent};
use crate::work::threads::STACK_BYTES;
use crate::work::{Scope, World, call};

/// Times that the server names are waited for so long, in seconds: it shows at once what is wrong, or not at all.
const MAX_WAIT: f64 = 10.0;

/// The longest part of a reply that an error repeats.
const LONGEST: usize = 200;

const FREE: &str = "This is a test of the connection. Reply with one short sentence.";

const STRUCTURED: &str =
    "Is ice colder than steam? Give your reasoning in one short sentence, then your answer.";

/// A backend with sampling parameters, and the roles that use it so; none when no role uses any.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The backend and the parameters.
    pub choice: Choice,
    /// The roles.
    pub roles: Vec<String>,
}

/// What became of a probe.
pub struct Seen {
    /// What was asked.
    pub probe: Probe,
    /// The backend's kind.
    pub kind: String,
    /// The model, as the server names it; by the configuration where it did not answer.
    pub model: String,
    /// The call in free text.
    pub free: Tried,
    /// The call for JSON.
    pub structured: Tried,
    /// Tokens and dollars of both.
    pub spent: Spent,
}

/// What became of one call.
pub enum Tried {
    /// It was answered.
    Ok {
        /// After so long.
        took: Duration,
        /// Only after the model was shown that its first reply did not fit the schema.
        repaired: bool,
    },
    /// It failed.
    Failed(Error),
    /// It was not made, for this reason.
    Not(&'static str),
}

impl Tried {
    /// Why it failed.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Tried::Failed(error) => Some(error),
            _ => None,
        }
    }
}

/// A configuration that tries once and hardly waits.
pub fn impatient(config: &mut Config) {
    for backend in config.backends.values_mut() {
        backend.max_attempts = Some(1);
        backend.max_wait = Some(backend.max_wait.unwrap_or(MAX_WAIT).min(MAX_WAIT));
    }
}

/// Every combination of backend and parameters of the roles, by backend; without any, all backends.
pub fn probes(config: &Config) -> BTreeMap<String, Vec<Probe>> {
    let mut all: BTreeMap<String, Vec<Probe>> = BTreeMap::new();
    let mut add = |choice: Choice, role: Option<&String>| {
        let probes = all.entry(choice.backend.clone()).or_default();
        match probes.iter_mut().find(|known| known.choice == choice) {
            Some(known) => known.roles.extend(role.filter(|role| !known.roles.contains(role)).cloned()),
            None => probes.push(Probe { choice, roles: role.into_iter().cloned().collect() }),
        }
    };
    for role in config.roles.keys() {
        config.choices(role).into_iter().flatten().for_each(|choice| add(choice, Some(role)));
    }
    if config.roles.is_empty() {
        config
            .backends
            .keys()
            .filter_map(|name| config.choices(name).ok())
            .flatten()
            .for_each(|c| add(c, None));
    }
    all
}

/// Asks all at the same time, one probe of a backend after the other; tells of each in the order of names.
pub fn ask_all(world: &World, mut tell: impl FnMut(Seen)) -> Result<()> {
    let probes = probes(&world.config);
    thread::scope(|scope| {
        let ask_these =
            |probes: Vec<Probe>| probes.into_iter().map(|probe| ask(world, probe)).collect::<Vec<_>>();
        let start = |probes: Vec<Probe>| {
            // Script backends answer on this thread.
            let thread = thread::Builder::new().stack_size(STACK_BYTES);
            let failed = |e| Error::new(Kind::Internal, format!("cannot start a thread: {e}"));
            thread.spawn_scoped(scope, move || ask_these(probes)).map_err(failed)
        };
        let threads = probes.into_values().map(start).collect::<Result<Vec<_>>>()?;
        threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().for_each(&mut tell);
        Ok(())
    })
}

fn ask(world: &World, probe: Probe) -> Seen {
    let (name, config) = (&probe.choice.backend, world.config.backends.get(&probe.choice.backend));
    let before = spent(world, name);
    let role = probe.roles.first().map_or("", String::as_str);
    let asked = catch_panic("a check", || {
        let backend = backends::of_choice(world, role, probe.choice.clone())?;
        let (model, free) = ask_free(world, &backend);
        let structured = ask_structured(world, &backend, config, &free);
        Ok((model, free, structured))
    });
    let (model, free, structured) =
        asked.unwrap_or_else(|error| (None, Tried::Failed(error), Tried::Not("not tried")));
    let kind = config.map_or(String::new(), |config| config.kind.clone());
    let model = model.or_else(|| config?.model.clone()).unwrap_or_default();
    let spent = difference(spent(world, name), &before);
    Seen { probe, kind, model, free, structured, spent }
}

/// The model's name, and what became of the call.
fn ask_free(world: &World, backend: &Backend) -> (Option<String>, Tried) {
    let began = Instant::now();
    match call::complete(world, &Scope::default(), backend, request(FREE, &backend.params)) {
        Ok(reply) => (Some(reply.model), Tried::Ok { took: began.elapsed(), repaired: false }),
        Err(error) => (None, Tried::Failed(explained(error, None))),
    }
}

fn ask_structured(world: &World, backend: &Backend, config: Option<&BackendConfig>, free: &Tried) -> Tried {
    if free.error().is_some_and(|error| is_out_of_reach(error.kind())) {
        return Tried::Not("not tried");
    }
    if matches!(&backend.line, Line::Local(local) if !local.structured) {
        return Tried::Not("not defined");
    }
    let (began, before) = (Instant::now(), spent(world, &backend.name).calls);
    let request = request(STRUCTURED, &backend.params);
    let answer = schema()
        .and_then(|schema| call::complete_structured(world, &Scope::default(), backend, request, &schema));
    let repaired = spent(world, &backend.name).calls > before + 1;
    match answer {
        Ok(_) => Tried::Ok { took: began.elapsed(), repaired },
        Err(error) => Tried::Failed(explained(error, config.map(another_way))),
    }
}

fn request(prompt: &str, params: &Params) -> Request {
    Request { params: params.clone(), ..Request::of(prompt) }
}

fn schema() -> Result<Arc<Schema>> {
    let properties =
        json!({"reasoning": {"type": "string"}, "answer": {"type": "string", "enum": ["YES", "NO"]}});
    let schema = json!({"type": "object", "properties": properties, "required": ["reasoning", "answer"],
        "additionalProperties": false});
    Schema::new("verdict", schema).map(Arc::new)
}

/// Whether another request would meet the same.
fn is_out_of_reach(kind: Kind) -> bool {
    use Kind::*;
    kind.stops_the_run() || matches!(kind, Connection | Timeout | RateLimit | Config | NotFound | Denied)
}

/// The error with what a check can say about it: what the model said, and what to change.
fn explained(error: Error, another_way: Option<&str>) -> Error {
    let error = match error.kind() {
        // Its usual hint is about how long a run waits.
        Kind::RateLimit => return error.hint("the server answers, and is at its limit: try again later"),
        Kind::InvalidJson | Kind::SchemaMismatch => error.or_hint(another_way.map(str::to_string)),
        _ => error,
    };
    let Some(raw) = error.get_raw().filter(|raw| !raw.trim().is_empty()) else { return error };
    let said: String = raw.trim().chars().take(LONGEST).collect();
    let message = format!("{}; it said: {said}", error.message());
    Error::new(error.kind(), message).or_hint(error.get_hint().map(str::to_string))
}

/// What may help when a server does not hold its replies to the schema.
pub fn another_way(config: &BackendConfig) -> &'static str {
    match config.structured {
        _ if kind_of(&config.kind).is_some_and(|kind| kind.answers == Answers::Adapter) => {
            "the server ignores the schema: `to_http` must give it `request.schema` in the way that it knows, or \
             write it into the prompt"
        }
        Structured::JsonSchema => {
            "the server ignores the schema: set `structured: json_object` or `structured: prompt` for this backend \
             in config/fthost.yaml"
        }
        Structured::JsonObject => {
            "the schema stands in the prompt, and the model does not keep to it: set `structured: prompt` for this \
             backend in config/fthost.yaml, or use another model"
        }
        Structured::Prompt => {
            "the schema stands in the prompt, and the model does not keep to it: use another model for judges"
        }
    }
}

fn spent(world: &World, name: &str) -> Spent {
    let all = world.backends.spent();
    all.into_iter().find(|(known, _)| known == name).map(|(_, spent)| spent).unwrap_or_default()
}

fn difference(after: Spent, before: &Spent) -> Spent {
    Spent {
        calls: after.calls - before.calls,
        unanswered: after.unanswered - before.unanswered,
        input_tokens: after.input_tokens - before.input_tokens,
        output_tokens: after.output_tokens - before.output_tokens,
        usd: after.usd.map(|usd| usd - before.usd.unwrap_or(0.0)),
        ..after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse("c", text).unwrap()
    }

    #[test]
    fn each_backend_is_asked_with_all_the_parameters_that_roles_set() {
        let config = config(
            "backends: {a: {kind: offline, temperature: 1}, b: {kind: offline}, c: {kind: offline}}\n\
             roles: {x: a, y: [{backend: a, temperature: 0}, b, b], z: {backend: a, temperature: 1}}\n",
        );
        let probes = probes(&config);
        let seen: Vec<_> =
            probes.values().flatten().map(|p| (p.choice.backend.as_str(), p.roles.join(" "))).collect();
        assert_eq!(seen, [("a", "x z".into()), ("a", "y".into()), ("b", "y".to_string())]);
        assert_eq!(probes["a"][1].choice.params.temperature, Some(0.0));
    }

    #[test]
    fn an_adapter_is_not_told_to_set_what_it_does_not_heed() {
        let config = config(
            "backends: {a: {kind: adapter, model: m, file: f, base_url: \"http://x\"}, b: {kind: openai, model: m}}\n",
        );
        assert!(another_way(&config.backends["a"]).contains("`to_http` must give it `request.schema`"));
        assert!(another_way(&config.backends["b"]).contains("`structured: json_object`"));
    }

    #[test]
    fn without_roles_all_are_asked() {
        let config = config("backends: {a: {kind: offline}, b: {kind: offline}}\n");
        assert_eq!(probes(&config).into_keys().collect::<Vec<_>>(), ["a", "b"]);
        assert!(probes(&config)["a"][0].roles.is_empty());
    }

    #[test]
    fn a_check_tries_once() {
        let mut config =
            config("backends: {a: {kind: offline, max_wait: 3}, b: {kind: offline, max_attempts: 9}}\n");
        impatient(&mut config);
        let waits: Vec<_> = config.backends.values().map(|b| (b.max_attempts, b.max_wait)).collect();
        assert_eq!(waits, [(Some(1), Some(3.0)), (Some(1), Some(MAX_WAIT))]);
    }
}
