//! Google's Gemini: `generateContent`.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::classify::{self, Sense, Words};
use super::dialect::Dialect;
use super::failure::{Again, Failure};
use super::wire::{Answer, Body, Post, Setup, Wire, apart, count, joined, turns};
use super::{Outcome, Reply, Request, Usage};
use crate::base::Result;
use crate::base::config::Structured;
use crate::base::json::Json;

/// What a model's name may hold as it is, in a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The server's clock is not ours: what it names is waited for, and so much more.
const MARGIN: Duration = Duration::from_secs(1);

/// The wire.
pub(super) struct Google(Setup);

/// Makes the wire.
pub(super) fn wire(setup: Setup) -> Box<dyn Wire> {
    Box::new(Google(setup))
}

impl Wire for Google {
    fn encode(&self, request: &Request) -> Result<Post> {
        let mode = request.schema.as_deref().map(|schema| self.0.structured_in(Dialect::Google, schema));
        let (system, said) = apart(request, mode)?;
        let mut body = Body::of(request);
        if let Some(text) = &system {
            body.put("systemInstruction", json!({"parts": [{"text": text}]}));
        }
        body.put_turns("contents", turns(said).map(|(role, text)| (role_of(role), text)), TURN);
        let generation = self.generation(request, mode);
        if !generation.is_empty() {
            body.put("generationConfig", generation);
        }
        Ok(Post { path: path(self.0.model()), body: self.0.finish(body) })
    }

    fn decode(&self, answer: &Answer, _request: &Request) -> Result<Reply, Failure> {
        let remedy = self.0.remedy();
        if answer.status != 200 {
            let failure = classify::failure_by(answer, &remedy, sense);
            return Err(wait_as_told(failure, &Words::of(&answer.body)));
        }
        let body = answer.json()?;
        if !body["error"].is_null() {
            return Err(classify::inner_by(&body["error"], &remedy, sense));
        }
        self.reply(&body)
    }

    fn auth(&self, key: &str) -> (&'static str, String) {
        ("x-goog-api-key", key.into())
    }
}

impl Google {
    /// Only what is set.
    fn generation(&self, request: &Request, mode: Option<Structured>) -> Map<String, Value> {
        let params = &request.params;
        let held = match mode {
            Some(Structured::JsonSchema) => request.schema.as_ref().and_then(|s| s.adapted(Dialect::Google)),
            _ => None,
        };
        let json = matches!(mode, Some(Structured::JsonSchema | Structured::JsonObject));
        let all = [
            (self.0.limit_param("maxOutputTokens"), params.max_tokens.map(Value::from)),
            ("temperature", params.temperature.map(Value::from)),
            ("topP", params.top_p.map(Value::from)),
            ("seed", params.seed.map(Value::from)),
            ("stopSequences", params.stop.clone().map(Value::from)),
            ("responseMimeType", json.then(|| "application/json".into())),
            ("responseJsonSchema", held.cloned()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect()
    }

    fn reply(&self, body: &Json) -> Result<Reply, Failure> {
        let candidate = &body["candidates"][0];
        // A prompt that is blocked has no candidates.
        let blocked = body["promptFeedback"]["blockReason"].as_str();
        let finish = blocked.or(candidate["finishReason"].as_str()).unwrap_or_default();
        let outcome = match finish {
            _ if blocked.is_some() => Outcome::Filtered,
            "STOP" => Outcome::Ok,
            "MAX_TOKENS" => Outcome::Truncated,
            "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE" => {
                Outcome::Filtered
            }
            image if image.starts_with("IMAGE_") => Outcome::Filtered,
            other => return Err(classify::unfinished(other)),
        };
        Ok(Reply {
            outcome,
            content: texts(candidate, false).unwrap_or_default(),
            reasoning: texts(candidate, true).filter(|text| !text.is_empty()),
            model: self.0.answered(&body["modelVersion"]),
            usage: usage(&body["usageMetadata"]),
            finish_reason: finish.into(),
            cost: None,
            attempts: 1,
        })
    }
}

/// `m`, `models/m` or `tunedModels/m`. A script may name a model, so nothing in it may lead elsewhere.
fn path(model: &str) -> String {
    let (collection, name) = match model.split_once('/') {
        Some((collection @ ("models" | "tunedModels"), name)) => (collection, name),
        _ => ("models", model),
    };
    format!("/{collection}/{}:generateContent", utf8_percent_encode(name, PLAIN))
}

/// A turn on this wire.
const TURN: [&str; 3] = ["{\"role\":", ",\"parts\":[{\"text\":", "}]}"];

fn role_of(role: &str) -> &str {
    if role == "assistant" { "model" } else { role }
}

/// The texts of the parts that are thoughts, or of those that are not.
fn texts(candidate: &Json, thoughts: bool) -> Option<String> {
    let parts = candidate["content"]["parts"].as_array()?.iter();
    joined(
        parts
            .filter(|part| (part["thought"] == Json::Plain(true.into())) == thoughts)
            .filter_map(|part| part["text"].as_str()),
    )
}

/// Thoughts are paid for as output, and counted apart.
fn usage(usage: &Json) -> Usage {
    let thoughts = count(&usage["thoughtsTokenCount"]);
    Usage {
        input_tokens: count(&usage["promptTokenCount"]),
        output_tokens: count(&usage["candidatesTokenCount"]) + thoughts,
        cached_tokens: count(&usage["cachedContentTokenCount"]),
        reasoning_tokens: thoughts,
    }
}

/// What the API's own words mean.
fn sense(words: &Words) -> Option<Sense> {
    let daily = |violation: &Value| violation["quotaId"].as_str().is_some_and(|id| id.contains("PerDay"));
    let quotas = |detail: &Value| detail["violations"].as_array().is_some_and(|all| all.iter().any(daily));
    if details(words, "QuotaFailure").any(quotas) {
        return Some(Sense::NoCredit);
    }
    if details(words, "ErrorInfo").any(|detail| detail["reason"] == "API_KEY_INVALID") {
        return Some(Sense::BadKey);
    }
    let sense = match words.sort() {
        "RESOURCE_EXHAUSTED" => Sense::RateLimit,
        "UNAUTHENTICATED" => Sense::BadKey,
        // A precondition is a place or an account that is not served.
        "PERMISSION_DENIED" | "FAILED_PRECONDITION" => Sense::NoPermission,
        "NOT_FOUND" => Sense::NoModel,
        "UNAVAILABLE" if words.mentions("overloaded") => Sense::Overloaded,
        _ => return None,
    };
    Some(sense)
}

/// The details of one type: their names are `type.googleapis.com/google.rpc.<type>`.
fn details<'a>(words: &'a Words, name: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = words.error()["details"].as_array().into_iter().flatten();
    all.filter(move |detail| detail["@type"].as_str().is_some_and(|kind| kind.ends_with(name)))
}

/// Not before the time that the server names, with the margin.
fn wait_as_told(failure: Failure, words: &Words) -> Failure {
    let named = details(words, "RetryInfo").find_map(|detail| seconds(detail["retryDelay"].as_str()?));
    let again = match (failure.again, named) {
        (Again::Backoff, Some(wait)) => Again::After(wait.saturating_add(MARGIN)),
        (Again::After(header), Some(wait)) => Again::After(header.max(wait.saturating_add(MARGIN))),
        (again, _) => again,
    };
    Failure { again, ..failure }
}

/// A duration as `34.07s` or `900ms`.
fn seconds(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1000.0),
        None => (text.strip_suffix('s')?, 1.0),
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? / unit).ok()
}

#[cfg(test)]
mod tests;
