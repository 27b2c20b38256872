//! What is wrong with a configuration that has the right shape.

use reqwest::Url;

use super::kinds::{KindOf, Needs, kind_names, kind_of, refused};
use super::{BackendConfig, Config, KeyEnv, MOST_CALL_LEVELS, Params, Price, hide};
use crate::base::{Error, suggest, yaml::Document};

/// Every fault, in the order backends, roles, limits, budget.
pub(super) fn all(config: &Config, document: &Document) -> Vec<Error> {
    let mut check = Check { document, found: Vec::new() };
    for (name, backend) in &config.backends {
        check.backend(&format!("backends.{name}"), backend);
    }
    check.roles(config);
    check.limits(config);
    check.budget(config);
    check.found
}

struct Check<'a> {
    document: &'a Document,
    found: Vec<Error>,
}

impl Check<'_> {
    fn fault(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.found.push(self.document.fault(path, message).hint(hint));
    }

    fn unless(&mut self, good: bool, path: String, rule: &str) {
        if !good {
            let key = path.rsplit('.').next().unwrap_or(&path).to_string();
            self.fault(&path, format!("`{key}` must be {rule}"), format!("write a number that is {rule}"));
        }
    }

    fn backend(&mut self, at: &str, backend: &BackendConfig) {
        match kind_of(&backend.kind) {
            Some(kind) => self.needs(at, kind, backend),
            None => {
                let hint = suggest::hint(&backend.kind, kind_names());
                self.fault(&format!("{at}.kind"), format!("unknown kind `{}`", backend.kind), hint);
            }
        }
        self.address(at, backend);
        self.numbers(at, backend);
        self.params(at, &backend.params());
        self.words(at, &backend.kind, &backend.params());
    }

    fn needs(&mut self, at: &str, kind: &KindOf, backend: &BackendConfig) {
        for needed in kind.needs {
            let (key, value, hint) = match needed {
                Needs::Model => (
                    "model",
                    &backend.model,
                    "add the model's name at the provider, for instance `model: gpt-4o`",
                ),
                Needs::File => (
                    "file",
                    &backend.file,
                    "add the script's path, for instance `file: scripts/my_backend.rhai`",
                ),
                Needs::BaseUrl => (
                    "base_url",
                    &backend.base_url,
                    "add the server's address, for instance `base_url: \"http://127.0.0.1:11434\"`",
                ),
            };
            if value.as_deref().unwrap_or("").trim().is_empty() {
                self.fault(at, format!("a backend of kind `{}` needs a `{key}`", kind.name), hint);
            }
        }
    }

    fn address(&mut self, at: &str, backend: &BackendConfig) {
        if let KeyEnv::Variable(name) = &backend.api_key_env
            && !hide::is_variable(name)
        {
            let hint = "write the variable's name, and put the key into the environment or .env";
            let message = "`api_key_env` must be the name of an environment variable, not a key";
            self.fault(&format!("{at}.api_key_env"), message, hint);
        }
        if let Some(Err(why)) = backend.base_url.as_deref().map(base_url) {
            let hint = "write it like `https://api.example.com/v1` or `http://127.0.0.1:8000/v1`";
            self.fault(&format!("{at}.base_url"), format!("`base_url` {why}"), hint);
        }
        for name in backend.headers.keys() {
            let secret = ["authorization", "x-api-key", "x-goog-api-key", "proxy-authorization", "cookie"];
            if secret.contains(&name.to_lowercase().as_str()) {
                let hint = "name the variable that holds the key: `api_key_env: MY_KEY`";
                self.fault(
                    &format!("{at}.headers.{name}"),
                    format!("the header `{name}` does not belong into the configuration"),
                    hint,
                );
            }
        }
    }

    fn numbers(&mut self, at: &str, backend: &BackendConfig) {
        let positive = "greater than 0";
        let whole = [
            ("concurrency", backend.concurrency.map(|n| n as u64)),
            ("rpm", backend.rpm),
            ("tpm", backend.tpm),
            ("max_attempts", backend.max_attempts.map(|n| n as u64)),
        ];
        for (key, value) in whole {
            self.unless(value != Some(0), format!("{at}.{key}"), positive);
        }
        let times = &backend.timeouts;
        let seconds = [
            ("timeouts.connect", times.connect),
            ("timeouts.first_byte", times.first_byte),
            ("timeouts.idle", times.idle),
            ("timeouts.total", times.total),
        ];
        for (key, value) in seconds {
            self.unless(value.is_finite() && value > 0.0, format!("{at}.{key}"), positive);
        }
        let Price { input, output } = backend.price.unwrap_or(Price { input: 0.0, output: 0.0 });
        let amounts =
            [("price.input", input), ("price.output", output), ("max_wait", backend.max_wait.unwrap_or(0.0))];
        for (key, value) in amounts {
            self.unless(value.is_finite() && value >= 0.0, format!("{at}.{key}"), "0 or more");
        }
    }

    fn params(&mut self, at: &str, params: &Params) {
        self.unless(params.max_tokens != Some(0), format!("{at}.max_tokens"), "greater than 0");
        let hot = params.temperature.unwrap_or(0.0);
        self.unless((0.0..=2.0).contains(&hot), format!("{at}.temperature"), "from 0 to 2");
        let share = params.top_p.unwrap_or(1.0);
        self.unless(share > 0.0 && share <= 1.0, format!("{at}.top_p"), "greater than 0 and at most 1");
    }

    fn words(&mut self, at: &str, kind: &str, params: &Params) {
        if let Some(name) = refused(kind, params) {
            let message = format!("the kind `{kind}` knows no `{name}`");
            self.fault(&format!("{at}.{name}"), message, "leave it out");
        }
    }

    fn roles(&mut self, config: &Config) {
        for (name, role) in &config.roles {
            let at = format!("roles.{name}");
            if role.choices.is_empty() {
                self.fault(&at, format!("the role `{name}` has no backend"), "name at least one");
            }
            for (index, choice) in role.choices.iter().enumerate() {
                let item = format!("{at}[{index}]");
                let listed = self.document.place(&item) != self.document.place(&at);
                let here = if listed { &item } else { &at };
                self.params(here, &choice.params);
                if let Some(backend) = config.backends.get(&choice.backend) {
                    self.words(here, &backend.kind, &choice.params);
                }
                if !config.backends.contains_key(&choice.backend) {
                    let known = config.backends.keys().map(String::as_str);
                    let hint = suggest::hint(&choice.backend, known);
                    let message = format!("no backend is named `{}`", choice.backend);
                    self.fault(&format!("{here}.backend"), message, hint);
                }
            }
        }
    }

    fn limits(&mut self, config: &Config) {
        let limits = &config.limits;
        let numbers = [
            ("operations", limits.operations),
            ("string_bytes", limits.string_bytes as u64),
            ("array_size", limits.array_size as u64),
            ("map_size", limits.map_size as u64),
            ("item_minutes", limits.item_minutes),
        ];
        for (key, value) in numbers {
            self.unless(value > 0, format!("limits.{key}"), "greater than 0");
        }
        let deep = (1..=MOST_CALL_LEVELS).contains(&limits.call_levels);
        self.unless(deep, "limits.call_levels".into(), "from 1 to 64");
    }

    fn budget(&mut self, config: &Config) {
        let usd = config.budget.usd.unwrap_or(0.0);
        self.unless(usd.is_finite() && usd >= 0.0, "budget.usd".into(), "0 or more");
    }
}

/// A server's address, or what is wrong with it.
fn base_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a valid URL")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a `?` or `#` part");
    }
    Ok(url)
}
