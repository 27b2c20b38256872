//! `config/fthost.yaml`: which backends there are, which role uses which, and the limits of a run.
//! The shapes are here; what makes a well-shaped file wrong all the same is in `faults`.

mod faults;
mod hide;
pub mod kinds;
mod shapes;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Error, Kind, Result, suggest, yaml::Document};

/// The deepest nesting of script calls that the script threads' stacks hold.
pub const MOST_CALL_LEVELS: usize = 64;

/// Backends, roles, limits and budget.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "config/fthost.yaml")]
pub struct Config {
    /// The backends by name.
    pub backends: BTreeMap<String, BackendConfig>,
    /// What scripts ask for, mapped to backends.
    #[serde(default)]
    #[schemars(schema_with = "shapes::roles_schema")]
    pub roles: BTreeMap<String, Role>,
    /// What a script may use up.
    #[serde(default)]
    pub limits: Limits,
    /// What may be spent.
    #[serde(default)]
    pub budget: Budget,
}

impl Config {
    /// The JSON Schema of the file: what an editor completes by. The description of a key is its documentation here.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Config).to_value()
    }

    /// Reads the configuration; the error is the first fault of the file, with its place.
    pub fn parse(file: &str, text: &str) -> Result<Config> {
        let (config, faults) = Config::read(file, text);
        match (config, faults.into_iter().next()) {
            (_, Some(fault)) => Err(fault),
            (Some(config), None) => Ok(config),
            (None, None) => Err(Error::new(Kind::Internal, "a configuration without faults is missing")),
        }
    }

    /// Every fault of the file, each with its place.
    pub fn faults(file: &str, text: &str) -> Vec<Error> {
        Config::read(file, text).1
    }

    /// The configuration, if it has the right shape, and all that is wrong with it.
    fn read(file: &str, text: &str) -> (Option<Config>, Vec<Error>) {
        let shaped = || {
            let document = Document::parse(file, text)?;
            let config: Config = document.read()?;
            Ok((faults::all(&config, &document), config))
        };
        let (config, faults) = match shaped() {
            Ok((faults, config)) => (Some(config), faults),
            Err(fault) => (None, vec![fault]),
        };
        (config, faults.into_iter().map(hide::keys).collect())
    }

    /// The backends behind a role, or the one backend of that name, each with the sampling
    /// parameters that hold: the role's over the backend's own.
    pub fn choices(&self, name: &str) -> Result<Vec<Choice>> {
        let chosen = match self.roles.get(name) {
            Some(role) => role.choices.clone(),
            None if self.backends.contains_key(name) => vec![Choice::of(name)],
            None => return Err(self.unknown(name)),
        };
        Ok(chosen.into_iter().map(|choice| self.with_defaults(choice)).collect())
    }

    fn with_defaults(&self, choice: Choice) -> Choice {
        let defaults = self.backends.get(&choice.backend).map(BackendConfig::params).unwrap_or_default();
        Choice { params: choice.params.over(&defaults), backend: choice.backend }
    }

    fn unknown(&self, name: &str) -> Error {
        let known = self.roles.keys().chain(self.backends.keys()).map(String::as_str);
        Error::new(Kind::NotFound, format!("no role and no backend is named `{name}`"))
            .hint(format!("{} (they are in config/fthost.yaml)", suggest::hint(name, known)))
    }
}

/// One backend.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackendConfig {
    /// What answers.
    #[schemars(schema_with = "shapes::kind_schema")]
    pub kind: String,
    /// The model's name at the provider.
    #[serde(default)]
    pub model: Option<String>,
    /// Which environment variable holds the key; null sends none.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub api_key_env: KeyEnv,
    /// Where the server is, up to and with `/v1`; else the kind's own.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Requests on the wire at once, else the kind's own.
    #[serde(default)]
    pub concurrency: Option<usize>,
    /// Requests a minute.
    #[serde(default)]
    pub rpm: Option<u64>,
    /// Tokens a minute, in and out together.
    #[serde(default)]
    pub tpm: Option<u64>,
    /// What tokens cost.
    #[serde(default)]
    pub price: Option<Price>,
    /// How the server is asked for structured output.
    #[serde(default)]
    pub structured: Structured,
    /// The name under which the server wants the reply's token limit.
    #[serde(default)]
    pub max_tokens_param: Option<String>,
    /// Merged into each request's body.
    #[serde(default)]
    pub extra_body: serde_json::Map<String, serde_json::Value>,
    /// Sent with each request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Deadlines of one attempt.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Seconds that a call waits for rate limits whose end the server names.
    #[serde(default)]
    pub max_wait: Option<f64>,
    /// Attempts of one call, else the kind's own.
    #[serde(default)]
    pub max_attempts: Option<usize>,
    /// The script of a `script` or `adapter` backend, relative to the project.
    #[serde(default)]
    pub file: Option<String>,
    /// The program of a `claude` backend.
    #[serde(default)]
    pub command: Option<String>,
    /// The reply's limit, reasoning included.
    #[serde(default)]
    pub max_tokens: Option<u32>,
    /// Randomness; 0 is the least.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Nucleus sampling's share.
    #[serde(default)]
    pub top_p: Option<f64>,
    /// A seed, for servers that know one.
    #[serde(default)]
    pub seed: Option<i64>,
    /// Texts that end the reply.
    #[serde(default, deserialize_with = "shapes::stop")]
    #[schemars(schema_with = "shapes::stop_schema")]
    pub stop: Option<Vec<String>>,
}

impl BackendConfig {
    /// Requests on the wire at once.
    pub fn concurrency(&self) -> usize {
        self.concurrency.unwrap_or_else(|| kinds::kind_of(&self.kind).map_or(1, |kind| kind.concurrency))
    }

    /// The sampling parameters that hold when neither a role nor a call sets any.
    pub fn params(&self) -> Params {
        Params {
            max_tokens: self.max_tokens.or_else(|| kinds::kind_of(&self.kind)?.max_tokens),
            temperature: self.temperature,
            top_p: self.top_p,
            seed: self.seed,
            stop: self.stop.clone(),
        }
    }
}

/// Sampling parameters; what is not set is not sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The reply's limit, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Randomness; 0 is the least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling's share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// A seed, for servers that know one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Texts that end the reply.
    #[serde(default, deserialize_with = "shapes::stop", skip_serializing_if = "Option::is_none")]
    pub stop: Option<Vec<String>>,
}

impl Params {
    /// These, filled up with `defaults`.
    pub fn over(self, defaults: &Params) -> Params {
        Params {
            max_tokens: self.max_tokens.or(defaults.max_tokens),
            temperature: self.temperature.or(defaults.temperature),
            top_p: self.top_p.or(defaults.top_p),
            seed: self.seed.or(defaults.seed),
            stop: self.stop.or_else(|| defaults.stop.clone()),
        }
    }
}

/// Where a backend's key comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KeyEnv {
    /// Nothing is said: the kind's usual variable.
    #[default]
    Usual,
    /// `null`: the server wants no key.
    Keyless,
    /// This variable.
    Variable(String),
}

/// How a server is asked for structured output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Structured {
    /// It holds the reply to the schema itself.
    #[default]
    JsonSchema,
    /// It promises JSON; the schema stands in the prompt.
    JsonObject,
    /// It promises nothing; the schema stands in the prompt.
    Prompt,
}

/// Dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of the prompt.
    pub input: f64,
    /// Of the reply.
    pub output: f64,
}

impl Price {
    /// Dollars for so many tokens.
    pub fn of(&self, input_tokens: u64, output_tokens: u64) -> f64 {
        (input_tokens as f64 * self.input + output_tokens as f64 * self.output) / 1e6
    }
}

/// Deadlines of one attempt, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: f64,
    /// Until the answer begins: for most servers, until the model has finished.
    pub first_byte: f64,
    /// Between two pieces of the answer.
    pub idle: f64,
    /// For all of it.
    pub total: f64,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { connect: 10.0, first_byte: 300.0, idle: 60.0, total: 600.0 }
    }
}

impl Timeouts {
    /// Seconds of the configuration as a duration, a year at most; nonsense (which `parse` refuses) is zero.
    pub fn duration(seconds: f64) -> Duration {
        const YEAR: f64 = 365.0 * 86_400.0;
        Duration::try_from_secs_f64(seconds.min(YEAR)).unwrap_or_default()
    }
}

/// What a role stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// The backends, one unless the role is a list.
    pub choices: Vec<Choice>,
}

/// One backend of a role, with the sampling parameters that the role sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The backend's name.
    pub backend: String,
    /// Sampling parameters.
    pub params: Params,
}

impl Choice {
    fn of(backend: &str) -> Choice {
        Choice { backend: backend.into(), params: Params::default() }
    }
}

/// What a script may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Operations of one closure call.
    pub operations: u64,
    /// Nested function calls.
    pub call_levels: usize,
    /// Bytes of one string.
    pub string_bytes: usize,
    /// Elements of one array.
    pub array_size: usize,
    /// Entries of one map.
    pub map_size: usize,
    /// Minutes that one item may take.
    pub item_minutes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            operations: 50_000_000,
            call_levels: 48,
            string_bytes: 64 << 20,
            array_size: 1_000_000,
            map_size: 1_000_000,
            item_minutes: 240,
        }
    }
}

/// What may be spent; nothing means no cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Dollars.
    pub usd: Option<f64>,
    /// Calls.
    pub calls: Option<u64>,
}

#[cfg(test)]
mod tests;
