//! What a failed answer means: one reader of error bodies for all wires, and one table of what each
//! sense of failure becomes. What only one provider says stands in its own file.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::failure::{Again, Failure};
use super::wire::Answer;
use crate::base::Kind;
use crate::base::json::Json;

/// The longest part of a server's own words that an error repeats.
const LONGEST: usize = 500;

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    /// The key is wrong.
    BadKey,
    /// The key, or its account, may not do this.
    NoPermission,
    /// Nothing is left to spend: no wait mends it.
    NoCredit,
    /// There is no such model, or no such address.
    NoModel,
    /// Too many requests for now.
    RateLimit,
    /// Too many requests of others.
    Overloaded,
    /// The server's own deadline passed.
    Timeout,
    /// The server is not ready for this request yet.
    NotNow,
    /// The server failed.
    Failed,
    /// The server is elsewhere.
    Moved,
    /// The provider's filter withholds an answer.
    Filtered,
    /// This request is wrong.
    Rejected,
}

/// The words of OpenAI, and of those who speak as it does.
const CODES: &[(&str, Sense)] = &[
    ("insufficient_quota", Sense::NoCredit),
    ("billing_hard_limit_reached", Sense::NoCredit),
    ("billing_not_active", Sense::NoCredit),
    ("account_deactivated", Sense::NoPermission),
    ("invalid_api_key", Sense::BadKey),
    ("model_not_found", Sense::NoModel),
    ("content_filter", Sense::Filtered),
    ("content_policy_violation", Sense::Filtered),
];

/// What advice about a failure can name.
pub(super) struct Remedy<'a> {
    /// The key's variable.
    pub key_env: Option<&'a str>,
    /// The model asked for.
    pub model: &'a str,
    /// The configured address as it should perhaps be: it has no version.
    pub better_url: Option<String>,
}

impl Remedy<'_> {
    fn key(&self) -> String {
        match self.key_env {
            Some(name) => format!("check {name} in the environment or in .env"),
            None => "the server wants a key: name its variable as `api_key_env` in config/fthost.yaml".into(),
        }
    }

    fn quota(&self) -> (String, String) {
        let (key, account) = match self.key_env {
            Some(name) => (format!(" for key {name}"), format!("the account of {name}")),
            None => (String::new(), "the account".into()),
        };
        (format!("quota exhausted{key}"), format!("add credit to {account}, or use another backend"))
    }

    fn model(&self) -> String {
        let model = self.model;
        match &self.better_url {
            Some(url) => format!("perhaps `base_url` should be {url}; otherwise check `model: {model}`"),
            None => format!("check `model: {model}` and `base_url` in config/fthost.yaml"),
        }
    }
}

/// An answer other than 2xx as a failure.
pub(super) fn failure(answer: &Answer, remedy: &Remedy) -> Failure {
    failure_by(answer, remedy, |_| None)
}

/// The same, where a provider has words of its own.
pub(super) fn failure_by(answer: &Answer, remedy: &Remedy, own: fn(&Words) -> Option<Sense>) -> Failure {
    let words = Words::of(&answer.body);
    let mut failure = told(sense(answer.status, &words, own), answer.status, &words, remedy);
    if failure.error.kind() != Kind::DeadBackend {
        failure.again = again(answer, failure.again);
    }
    failure.free()
}

/// A failure that is reported inside an answer of status 200.
pub(super) fn inner(error: &Json, remedy: &Remedy) -> Failure {
    inner_by(error, remedy, |_| None)
}

/// The same, where a provider has words of its own.
pub(super) fn inner_by(error: &Json, remedy: &Remedy, own: fn(&Words) -> Option<Sense>) -> Failure {
    let words =
        Words::of(&if error.is_null() { String::new() } else { error.clone().into_value().to_string() });
    let status = match words.code.as_str() {
        "rate_limit_exceeded" => 429,
        "server_error" | "" => 500,
        code => code.parse().ok().filter(|code| (400..600).contains(code)).unwrap_or(400),
    };
    told(sense(status, &words, own), status, &words, remedy)
}

/// A reply that ended in a way that makes it no answer: by a call of a tool, by an abort, or in a word
/// that is not known to be a good one.
pub(super) fn unfinished(finish: &str) -> Failure {
    let how = if finish.is_empty() { "no finish reason".into() } else { format!("finish reason `{finish}`") };
    Failure::passing(Kind::Server, format!("the model's reply did not come to its end ({how})"))
}

/// The server's own words go before its status.
fn sense(status: u16, words: &Words, own: fn(&Words) -> Option<Sense>) -> Sense {
    let known = || CODES.iter().find(|(code, _)| words.is(code)).map(|(_, sense)| *sense);
    own(words).or_else(known).unwrap_or(match status {
        300..=399 => Sense::Moved,
        401 => Sense::BadKey,
        402 => Sense::NoCredit,
        // OpenRouter's word for a prompt that a moderator withholds.
        403 if !words.error["metadata"]["flagged_input"].is_null() => Sense::Filtered,
        403 => Sense::NoPermission,
        404 => Sense::NoModel,
        408 => Sense::Timeout,
        409 | 425 => Sense::NotNow,
        429 => Sense::RateLimit,
        529 => Sense::Overloaded,
        500.. => Sense::Failed,
        _ => Sense::Rejected,
    })
}

fn told(sense: Sense, status: u16, words: &Words, remedy: &Remedy) -> Failure {
    let said = |what: &str| format!("{what} ({status}){}", words.after_colon());
    let dead = |what: &str, hint: String| Failure::fatal(Kind::DeadBackend, said(what)).hint(hint);
    match sense {
        Sense::BadKey => dead("the server rejects the key", remedy.key()),
        Sense::NoPermission => dead("the key has no permission", remedy.key()),
        Sense::NoCredit => {
            let (what, hint) = remedy.quota();
            dead(&what, hint)
        }
        Sense::NoModel => dead("the server does not know this model or address", remedy.model()),
        Sense::RateLimit => Failure::passing(Kind::RateLimit, said("rate limit")),
        Sense::Overloaded => Failure::passing(Kind::Server, said("the server is overloaded")),
        Sense::Timeout => Failure::passing(Kind::Timeout, said("the server gave up waiting")),
        Sense::NotNow => Failure::passing(Kind::Server, said("the server reports a conflict")),
        Sense::Failed => Failure::passing(Kind::Server, said("the server failed")),
        // Its page would only name the other place.
        Sense::Moved => {
            let message = format!("the server redirects, which is not followed ({status})");
            Failure::fatal(Kind::Server, message)
                .hint("give the server's final address as `base_url` in config/fthost.yaml")
        }
        Sense::Filtered => Failure::fatal(Kind::Filtered, said("the provider filters this request")),
        Sense::Rejected => {
            let failure = Failure::fatal(Kind::BadRequest, said("the server rejects the request"));
            Failure { error: failure.error.or_hint(advice(words)), ..failure }
        }
    }
}

/// What to change when a model does not take what was sent.
fn advice(words: &Words) -> Option<String> {
    const DECLINED: &[&str] =
        &["unsupported", "not support", "deprecated", "cannot both", "unrecognized", "unknown name"];
    if !DECLINED.iter().any(|sign| words.mentions(sign)) {
        return None;
    }
    if words.names("max_completion_tokens") {
        return Some(
            "set `max_tokens_param: max_completion_tokens` for this backend in config/fthost.yaml".into(),
        );
    }
    let params = ["temperature", "top_p", "seed", "stop", "max_tokens", "topP", "stop_sequences"];
    if let Some(name) = params.into_iter().find(|name| words.names(name)) {
        return Some(format!(
            "this model takes no such `{name}`: leave it unset in the backend, the role and the call"
        ));
    }
    let formats = ["response_format", "json_schema", "output_config", "responseJsonSchema"];
    let structured =
        "set `structured: json_object` or `structured: prompt` for this backend in config/fthost.yaml";
    formats.into_iter().any(|name| words.names(name)).then(|| structured.into())
}

/// The server's own word on repetition goes first, then the time that it names.
fn again(answer: &Answer, usual: Again) -> Again {
    let worth = match answer.header("x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => usual != Again::Never,
    };
    match (worth, retry_after(answer, SystemTime::now())) {
        (false, _) => Again::Never,
        (true, Some(wait)) => Again::After(wait),
        (true, None) => Again::Backoff,
    }
}

/// `retry-after-ms`, else `retry-after` in seconds or as a date.
pub(super) fn retry_after(answer: &Answer, now: SystemTime) -> Option<Duration> {
    let number = |text: &str| text.parse::<f64>().ok();
    if let Some(ms) = answer.header("retry-after-ms").and_then(number) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let text = answer.header("retry-after")?;
    match number(text) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => httpdate::parse_http_date(text).ok().map(|at| at.duration_since(now).unwrap_or_default()),
    }
}

/// What a server says about a failure.
pub(super) struct Words {
    message: String,
    code: String,
    sort: String,
    param: String,
    error: Value,
}

impl Words {
    /// From `{"error": {"message", "code", "type"}}`, `{"error": "..."}`, a list of one of these, and
    /// their like, else the text. A page of HTML says nothing.
    pub(super) fn of(body: &str) -> Words {
        let mut value: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        if let Some(first) = value.get_mut(0) {
            value = first.take();
        }
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(&value).clone();
        let text = |key: &str| match error.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let page = if body.trim_start().starts_with('<') { "" } else { body };
        let said = [text("message"), text("detail"), error.as_str().unwrap_or("").into(), page.into()];
        let message = said.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        let message = message.trim().chars().take(LONGEST).collect();
        // Google's word is its `status`.
        let sort = [text("type"), text("status")].into_iter().find(|text| !text.is_empty());
        Words { message, code: text("code"), sort: sort.unwrap_or_default(), param: text("param"), error }
    }

    /// The error object.
    pub(super) fn error(&self) -> &Value {
        &self.error
    }

    /// Its type.
    pub(super) fn sort(&self) -> &str {
        &self.sort
    }

    /// Whether the message holds this, in whatever case.
    pub(super) fn mentions(&self, text: &str) -> bool {
        self.message.to_lowercase().contains(text)
    }

    fn is(&self, code: &str) -> bool {
        self.code == code || self.sort == code
    }

    /// Whether it is about this parameter, as a word of its own.
    fn names(&self, param: &str) -> bool {
        let mut words = self.message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        self.param == param || words.any(|word| word == param)
    }

    fn after_colon(&self) -> String {
        if self.message.is_empty() { String::new() } else { format!(": {}", self.message) }
    }
}

#[cfg(test)]
mod tests;
