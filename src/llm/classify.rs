//! What an error status means, for servers that word their errors as OpenAI does (most do).

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::failure::{Again, Failure};
use super::wire::Answer;
use crate::base::Kind;

/// The longest part of a server's own words that an error repeats.
const LONGEST: usize = 500;

/// What advice about a failure can name.
pub(super) struct Remedy<'a> {
    /// The key's variable.
    pub key_env: Option<&'a str>,
    /// The model asked for.
    pub model: &'a str,
}

impl Remedy<'_> {
    fn key(&self) -> String {
        match self.key_env {
            Some(name) => format!("check {name} in the environment or in .env"),
            None => "the server wants a key: name its variable as `api_key_env` in config/fthost.yaml".into(),
        }
    }

    fn quota(&self) -> String {
        let key = self.key_env.map_or(String::new(), |name| format!(" for key {name}"));
        format!("the quota{key} is exhausted: add credit at the provider, or use another backend")
    }
}

/// An answer other than 2xx as a failure.
pub(super) fn failure(answer: &Answer, remedy: &Remedy) -> Failure {
    let words = Words::of(&answer.body);
    let mut failure = by_status(answer.status, &words, remedy);
    if failure.error.kind() != Kind::DeadBackend {
        failure.again = again(answer, failure.again);
    }
    failure.free()
}

fn by_status(status: u16, words: &Words, remedy: &Remedy) -> Failure {
    let said = |what: &str| format!("{what} ({status}){}", words.after_colon());
    let dead = |what: &str, hint: String| Failure::fatal(Kind::DeadBackend, said(what)).hint(hint);
    if words.is("insufficient_quota") {
        return dead("the quota is exhausted", remedy.quota());
    }
    let model = || format!("check `model: {}` and `base_url` in config/fthost.yaml", remedy.model);
    match status {
        300..=399 => Failure::fatal(Kind::Server, said("the server redirects, which is not followed"))
            .hint("give the server's final address as `base_url` in config/fthost.yaml"),
        401 => dead("the server rejects the key", remedy.key()),
        402 => dead("the account has no credit", remedy.quota()),
        403 => dead("the key has no permission", remedy.key()),
        404 => dead("the server does not know this model or address", model()),
        400 if words.is("model_not_found") => dead("the server does not know this model", model()),
        400 if words.is("invalid_api_key") => dead("the server rejects the key", remedy.key()),
        429 => Failure::passing(Kind::RateLimit, said("rate limit")),
        408 => Failure::passing(Kind::Timeout, said("the server gave up waiting")),
        409 => Failure::passing(Kind::Server, said("the server reports a conflict")),
        500.. => Failure::passing(Kind::Server, said("the server failed")),
        _ => Failure::fatal(Kind::BadRequest, said("the server rejects the request")),
    }
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

/// A failure that is reported inside an answer of status 200.
pub(super) fn inner(error: &Value, remedy: &Remedy) -> Failure {
    let words = Words::of(&if error.is_null() { String::new() } else { error.to_string() });
    let status = match words.code.as_str() {
        "rate_limit_exceeded" => 429,
        "server_error" | "" => 500,
        code => code.parse().ok().filter(|code| (400..600).contains(code)).unwrap_or(400),
    };
    by_status(status, &words, remedy)
}

/// What a server says about a failure.
struct Words {
    message: String,
    code: String,
    sort: String,
}

impl Words {
    /// From `{"error": {"message", "code", "type"}}`, `{"error": "..."}` and their like, else the text.
    fn of(body: &str) -> Words {
        let value: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let error = value.get("error").unwrap_or(&value);
        let text = |key: &str| match error.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let message = [text("message"), text("detail"), error.as_str().unwrap_or("").to_string()]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| body.to_string());
        let message = message.trim().chars().take(LONGEST).collect();
        Words { message, code: text("code"), sort: text("type") }
    }

    fn is(&self, code: &str) -> bool {
        self.code == code || self.sort == code
    }

    fn after_colon(&self) -> String {
        if self.message.is_empty() { String::new() } else { format!(": {}", self.message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Answer { status, headers, body: body.into() }
    }

    fn classify(status: u16, headers: &[(&str, &str)], body: &str) -> (Kind, Again) {
        let remedy = Remedy { key_env: Some("OPENAI_API_KEY"), model: "m" };
        let failure = failure(&answer(status, headers, body), &remedy);
        (failure.error.kind(), failure.again)
    }

    #[test]
    fn statuses_mean_what_the_table_says() {
        for status in [408, 409, 429, 500, 502, 503, 529] {
            assert_eq!(classify(status, &[], "").1, Again::Backoff, "{status}");
        }
        for status in [301, 400, 401, 402, 403, 404, 413, 422] {
            assert_eq!(classify(status, &[], "").1, Again::Never, "{status}");
        }
        for status in [401, 402, 403, 404] {
            assert_eq!(classify(status, &[], "").0, Kind::DeadBackend, "{status}");
        }
    }

    #[test]
    fn an_exhausted_quota_is_no_rate_limit() {
        let body = r#"{"error": {"message": "You exceeded", "code": "insufficient_quota"}}"#;
        let got = classify(429, &[("retry-after", "1"), ("x-should-retry", "true")], body);
        assert_eq!(got, (Kind::DeadBackend, Again::Never));
    }

    #[test]
    fn the_servers_times_are_read() {
        let second = Again::After(Duration::from_secs(1));
        assert_eq!(classify(429, &[("retry-after", "1")], "").1, second);
        let exact = classify(429, &[("retry-after-ms", "250"), ("retry-after", "1")], "").1;
        assert_eq!(exact, Again::After(Duration::from_millis(250)));
        let date = answer(503, &[("retry-after", "Thu, 01 Jan 1970 00:01:40 GMT")], "");
        let at_90 = SystemTime::UNIX_EPOCH + Duration::from_secs(90);
        assert_eq!(retry_after(&date, at_90), Some(Duration::from_secs(10)));
    }

    #[test]
    fn the_servers_word_on_repetition_goes_first() {
        assert_eq!(classify(429, &[("x-should-retry", "false")], "").1, Again::Never);
        assert_eq!(classify(400, &[("x-should-retry", "true")], "").1, Again::Backoff);
    }

    #[test]
    fn advice_names_the_variable() {
        let remedy = Remedy { key_env: Some("OPENAI_API_KEY"), model: "m" };
        let failure = failure(&answer(401, &[], r#"{"error": {"message": "Incorrect"}}"#), &remedy);
        assert_eq!(failure.error.message(), "the server rejects the key (401): Incorrect");
        assert!(failure.error.get_hint().unwrap().contains("OPENAI_API_KEY"));
    }
}
