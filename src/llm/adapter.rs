//! A wire that is written as a script: two pure functions shape the request and read the answer. Sending,
//! keys, retries and limits are the core's, as for every other wire.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify;
use super::failure::{Again, Failure};
use super::purse::Bill;
use super::wire::{Answer, Post, Setup, Wire};
use super::{Outcome, Reply, Request, Usage};
use crate::base::config::Timeouts;
use crate::base::json::Json;
use crate::base::{Error, Kind, Result};

/// Shapes a request for a model: gives `{path, body}`.
pub type ToHttp = Box<dyn Fn(&Request, &str) -> Result<Value> + Send + Sync>;

/// Reads an answer of any status; null leaves it to the core.
pub type FromHttp = Box<dyn Fn(u16, Value) -> Result<Value> + Send + Sync>;

/// The functions of an adapter.
pub struct Functions {
    /// Their file, to say whose mistake it is.
    pub file: String,
    /// The file and a hash of its code: what makes its replies what they are.
    pub origin: String,
    /// See [`ToHttp`].
    pub to_http: ToHttp,
    /// See [`FromHttp`].
    pub from_http: FromHttp,
}

/// The wire.
pub(super) struct Adapter {
    setup: Setup,
    functions: Arc<Functions>,
}

/// Makes the wire.
pub(super) fn wire(setup: Setup, functions: Arc<Functions>) -> Box<dyn Wire> {
    Box::new(Adapter { setup, functions })
}

impl Wire for Adapter {
    fn encode(&self, request: &Request) -> Result<Post> {
        let shaped = aside(|| (self.functions.to_http)(request, self.setup.model()))?;
        let sent: Sent = self.read("to_http", "#{path: \"/...\", body: #{...}}", shaped)?;
        if !sent.path.starts_with('/') {
            let message = format!("`path` is `{}`, which does not begin with `/`", sent.path);
            return Err(self.wrong("to_http", &message).hint("it is appended to `base_url`"));
        }
        Ok(Post { path: sent.path, body: self.setup.with_extra(sent.body.into()) })
    }

    fn decode(&self, answer: &Answer, _request: &Request) -> Result<Reply, Failure> {
        let read = answer.json().map(Json::into_value);
        let body = read.clone().unwrap_or_else(|_| answer.body.clone().into());
        // It was served, and perhaps paid for, whatever the script makes of it.
        let paid = |error: Error| Failure { bill: Bill::Unknown, ..error.into() };
        let shaped = aside(|| (self.functions.from_http)(answer.status, body));
        if let (200, Err(damaged), Ok(Value::Null) | Err(_)) = (answer.status, read, &shaped) {
            return Err(damaged);
        }
        match shaped.map_err(paid)? {
            Value::Null if (200..300).contains(&answer.status) => {
                let error = self.wrong("from_http", "it returned () for a success");
                Err(paid(error.hint("return #{content: \"...\", usage: #{...}, outcome: \"ok\"}")))
            }
            Value::Null => Err(classify::failure(answer, &self.setup.remedy())),
            Value::Object(map) if map.contains_key("error") => Err(self.failure(map, answer)),
            other => self.reply(other).map_err(paid),
        }
    }
}

impl Adapter {
    fn reply(&self, shaped: Value) -> Result<Reply> {
        let got: Got =
            self.read("from_http", "#{content: \"...\", usage: #{...}, outcome: \"ok\"}", shaped)?;
        Ok(Reply {
            outcome: got.outcome,
            content: got.content,
            reasoning: got.reasoning.filter(|text| !text.is_empty()),
            model: got.model.unwrap_or_else(|| self.setup.model().into()),
            usage: sane(got.usage),
            finish_reason: got.finish_reason,
            cost: None,
            attempts: 1,
        })
    }

    /// An error that the script has read: of its kind, else of what the status means.
    fn failure(&self, map: Map<String, Value>, answer: &Answer) -> Failure {
        let shape = "#{error: \"...\", kind: \"rate_limit\", wait: 1.5}";
        let usual = match answer.status {
            // The server means no error by it, the script does.
            200..=299 => Failure::passing(Kind::Server, ""),
            _ => classify::failure(answer, &self.setup.remedy()),
        };
        let mistaken = |error: Error| Failure { bill: usual.bill, ..error.into() };
        let told: Told = match self.read("from_http", shape, map.into()) {
            Ok(told) => told,
            Err(error) => return mistaken(error),
        };
        let kind = match told.kind.as_deref().map(Kind::from_name) {
            None => usual.error.kind(),
            Some(Some(kind)) if KINDS.contains(&kind) => kind,
            Some(_) => return mistaken(self.unknown_kind(&told)),
        };
        let again = match (told.wait, kind) {
            (_, Kind::BadRequest | Kind::DeadBackend) => Again::Never,
            (Some(seconds), _) => Again::After(Timeouts::duration(seconds)),
            (None, _) if kind == usual.error.kind() => usual.again,
            (None, _) => Again::Backoff,
        };
        let error = Error::new(kind, format!("{} ({})", told.error, answer.status));
        let hint = usual.error.get_hint().filter(|_| kind == usual.error.kind()).map(str::to_string);
        Failure { error: error.or_hint(hint), again, bill: usual.bill }
    }

    fn unknown_kind(&self, told: &Told) -> Error {
        let known = KINDS.map(Kind::name).join(", ");
        let message = format!("`kind` is `{}`", told.kind.as_deref().unwrap_or_default());
        self.wrong("from_http", &message).hint(format!("it is one of {known}"))
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, function: &str, shape: &str, value: Value) -> Result<T> {
        T::deserialize(value).map_err(|error| {
            let message = format!("what it returned has another shape: {error}");
            self.wrong(function, &message).hint(format!("return {shape}"))
        })
    }

    fn wrong(&self, function: &str, what: &str) -> Error {
        Error::new(Kind::Script, format!("`{function}` of {}: {what}", self.functions.file))
    }
}

/// Absurd numbers must not overflow a sum.
fn sane(usage: Usage) -> Usage {
    let most = |n: u64| n.min(u64::from(u32::MAX));
    Usage {
        input_tokens: most(usage.input_tokens),
        output_tokens: most(usage.output_tokens),
        cached_tokens: most(usage.cached_tokens),
        reasoning_tokens: most(usage.reasoning_tokens),
    }
}

/// The kinds of errors that an adapter may tell.
const KINDS: [Kind; 5] = [Kind::RateLimit, Kind::Server, Kind::Timeout, Kind::BadRequest, Kind::DeadBackend];

/// What `to_http` returns.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map")]
struct Sent {
    path: String,
    body: Map<String, Value>,
}

/// What `from_http` returns for a reply.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map")]
struct Got {
    content: String,
    #[serde(default)]
    usage: Usage,
    #[serde(default)]
    outcome: Outcome,
    #[serde(default)]
    finish_reason: String,
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    model: Option<String>,
}

/// What `from_http` returns for an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map")]
struct Told {
    error: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    wait: Option<f64>,
}

/// Scripts take their time: the other requests of this thread go on elsewhere meanwhile.
fn aside<T>(call: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(call)
}

#[cfg(test)]
mod tests {
    use super::super::wire::tests::{answer, setup};
    use super::*;
    use serde_json::json;

    fn read(status: u16, shaped: Result<Value>) -> Failure {
        let functions = Functions {
            file: "f".into(),
            origin: String::new(),
            to_http: Box::new(|_, _| Ok(Value::Null)),
            from_http: Box::new(move |_, _| shaped.clone()),
        };
        let wire = wire(setup("adapter", "file: f, base_url: \"http://x\""), Arc::new(functions));
        wire.decode(&answer(status, "{}"), &Request::of("x")).unwrap_err()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_served_may_cost_whatever_the_script_makes_of_it() {
        let wrong = [json!({"error": 1}), json!({"error": "x", "kind": "odd"})].map(Ok);
        let usual = [Ok(json!(7)), Ok(Value::Null), Ok(json!({"error": "x"}))];
        let thrown = [Err(Error::new(Kind::Script, "boom"))];
        for shaped in thrown.into_iter().chain(usual).chain(wrong) {
            assert_eq!(read(200, shaped.clone()).bill, Bill::Unknown, "{shaped:?}");
        }
        assert_eq!(read(500, Ok(json!({"error": "x"}))).bill, Bill::Nothing);
        assert_eq!(read(500, Ok(Value::Null)).bill, Bill::Nothing);
        assert_eq!(read(500, Ok(json!({"error": 1}))).bill, Bill::Nothing);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_wrong_shape_is_told_without_names_of_types() {
        let message = read(200, Ok(json!(42))).error.message().to_string();
        assert!(message.ends_with("another shape: invalid type: integer `42`, expected a map"), "{message}");
    }
}
