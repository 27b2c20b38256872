//! The pure part of a provider: how a request is written, and how an answer is read.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::classify::Remedy;
use super::dialect::Dialect;
use super::failure::Failure;
use super::{Message, Reply, Request, Schema, Text};
use crate::base::config::kinds::kind_of;
use crate::base::config::{BackendConfig, Structured};
use crate::base::escape::push_json;
use crate::base::json::{Json, write_list};
use crate::base::{Error, Kind, Result};

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    /// Appended to the base URL.
    pub path: String,
    /// As JSON.
    pub body: String,
}

#[cfg(test)]
impl Post {
    /// The body as a value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A JSON object that is written once, name by name, straight from what it is made of: a conversation is long, and
/// is copied nowhere else on its way.
#[derive(Debug)]
pub struct Body(String);

impl Body {
    /// An empty object with room for what is asked.
    pub fn of(request: &Request) -> Body {
        let around = 500 + 40 * request.messages.len();
        Body(String::with_capacity(request.bytes() + request.bytes() / 16 + around))
    }

    /// Adds a text.
    pub fn put_text(&mut self, name: &str, text: &str) {
        self.name(name);
        push_json(&mut self.0, text);
    }

    /// Adds the turns of a conversation, each a text between what stands before and after it.
    pub fn put_turns<'a>(
        &mut self,
        name: &str,
        turns: impl Iterator<Item = (&'a str, &'a Text)>,
        [before, between, after]: [&str; 3],
    ) {
        self.name(name);
        write_list(turns, &mut self.0, |(role, content), out| {
            out.push_str(before);
            push_json(out, role);
            out.push_str(between);
            out.push_str(content.json());
            out.push_str(after);
        });
    }

    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        push_json(&mut self.0, name);
        self.0.push(':');
    }

    /// Adds a value.
    pub fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.name(name);
        self.0.push_str(&value.into().to_string());
    }

    /// Adds those that are set: what is not set is not sent.
    pub fn put_set<'a>(&mut self, all: impl IntoIterator<Item = (&'a str, Option<Value>)>) {
        all.into_iter().for_each(|(name, value)| {
            if let Some(value) = value {
                self.put(name, value);
            }
        });
    }

    /// The whole object.
    fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole text.
    pub body: String,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// The body of a success as JSON.
    pub fn json(&self) -> Result<Json<'_>, Failure> {
        Json::parse(&self.body).map_err(|error| {
            Failure::passing(Kind::Server, format!("the server's answer is not JSON: {error}"))
        })
    }
}

/// A provider's language, without any input or output of its own.
pub trait Wire: Send + Sync {
    /// Writes a request; fails when the wire has no words for it.
    fn encode(&self, request: &Request) -> Result<Post>;

    /// Reads an answer of any status.
    fn decode(&self, answer: &Answer, request: &Request) -> Result<Reply, Failure>;

    /// The header that carries the key: name (in lower case) and value.
    fn auth(&self, key: &str) -> (&'static str, String) {
        ("authorization", format!("Bearer {key}"))
    }

    /// Headers that go with every request, unless the configuration sets them: names in lower case.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}

/// What a wire is made from.
#[derive(Clone)]
pub struct Setup {
    /// The backend's configuration.
    pub config: Arc<BackendConfig>,
    /// The variable that the key came from.
    pub key_env: Option<String>,
    /// Whether `base_url` is the kind's own.
    pub own_server: bool,
}

impl Setup {
    /// The model to ask for.
    pub fn model(&self) -> &str {
        self.config.model.as_deref().unwrap_or_default()
    }

    /// What errors may advise.
    pub(super) fn remedy(&self) -> Remedy<'_> {
        Remedy { key_env: self.key_env.as_deref(), model: self.model(), better_url: self.better_url() }
    }

    /// The address with a version at its end, as the kind's own has one, when no part of it is a version.
    fn better_url(&self) -> Option<String> {
        let usual = kind_of(&self.config.kind)?.base_url?;
        let url = self.config.base_url.as_deref().filter(|url| !url.split('/').skip(3).any(is_version))?;
        usual
            .split('/')
            .find(|part| is_version(part))
            .map(|version| format!("{}/{version}", url.trim_end_matches('/')))
    }

    /// How to ask for this schema: servers take only objects at the root.
    pub fn structured(&self, schema: &Schema) -> Structured {
        if schema.is_object() { self.config.structured } else { Structured::Prompt }
    }

    /// How to ask a server for this schema that holds a reply only to what its subset can say.
    pub fn structured_in(&self, dialect: Dialect, schema: &Schema) -> Structured {
        match self.structured(schema) {
            Structured::JsonSchema if schema.adapted(dialect).is_none() => Structured::Prompt,
            mode => mode,
        }
    }

    /// The model that answered, as the server names it, else the one that was asked for.
    pub fn answered(&self, named: &Json) -> String {
        named.as_str().filter(|name| !name.is_empty()).unwrap_or(self.model()).to_string()
    }

    /// The name under which the server wants the reply's limit.
    pub fn limit_param<'a>(&'a self, usual: &'a str) -> &'a str {
        self.config.max_tokens_param.as_deref().unwrap_or(usual)
    }

    /// The body as it is sent, with what the configuration adds.
    pub fn finish(&self, body: Body) -> String {
        let text = body.finish();
        if self.config.extra_body.is_empty() {
            return text;
        }
        serde_json::from_str(&text).map_or(text, |value| self.with_extra(value))
    }

    /// The same, of a body that is there as a value.
    pub fn with_extra(&self, mut body: Value) -> String {
        merge(&mut body, &self.config.extra_body);
        body.to_string()
    }
}

/// Whether a part of a URL's path is `v1` or its like.
fn is_version(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Objects are merged at every depth; anything else is replaced.
fn merge(into: &mut Value, from: &Map<String, Value>) {
    let Value::Object(into) = into else { return };
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(old @ Value::Object(_)), Value::Object(new)) => merge(old, new),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The system text, with the schema where the server is not told it otherwise.
pub fn system_text(request: &Request, mode: Option<Structured>) -> Option<Cow<'_, str>> {
    with_schema(request.system.as_deref().map(Cow::Borrowed), request, mode)
}

fn with_schema<'a>(
    system: Option<Cow<'a, str>>,
    request: &Request,
    mode: Option<Structured>,
) -> Option<Cow<'a, str>> {
    let asked = match (&request.schema, mode) {
        (Some(schema), Some(Structured::JsonObject | Structured::Prompt)) => format!(
            "Answer with a JSON value that fits this JSON Schema, and with nothing else:\n{}",
            schema.value()
        ),
        _ => return system,
    };
    Some(system.map_or(asked.clone(), |system| format!("{system}\n\n{asked}")).into())
}

/// The system text and the turns, for wires whose conversation takes no system messages: they are
/// joined to the system text, wherever they stand.
pub fn apart(request: &Request, mode: Option<Structured>) -> Result<(Option<Cow<'_, str>>, Vec<&Message>)> {
    let (system, turns): (Vec<&Message>, Vec<&Message>) =
        request.messages.iter().partition(|message| message.role == "system");
    if turns.is_empty() {
        return Err(Error::new(Kind::Argument, "the prompt has no message of the user")
            .hint("this provider answers a user: give what is asked the role `user`"));
    }
    let above = request.system.as_deref().map(Cow::Borrowed).into_iter();
    let texts: Vec<_> = above.chain(system.into_iter().map(|message| message.content.plain())).collect();
    let joined = (!texts.is_empty()).then(|| texts.join("\n\n").into());
    Ok((with_schema(joined, request, mode), turns))
}

/// The texts, joined; none when there are none.
pub fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let texts: Vec<&str> = texts.collect();
    (!texts.is_empty()).then(|| texts.concat())
}

/// The schema as OpenAI's two wires want it: strict where its subset allows, else as it is.
pub fn json_schema_format(schema: &Schema) -> Value {
    match schema.adapted(Dialect::OpenAi) {
        Some(strict) => json!({"name": schema.name(), "schema": strict, "strict": true}),
        None => json!({"name": schema.name(), "schema": schema.value(), "strict": false}),
    }
}

/// A turn as most wires write it.
pub const CHAT_TURN: [&str; 3] = ["{\"role\":", ",\"content\":", "}"];

/// The role and the text of each message.
pub fn turns<'a>(
    messages: impl IntoIterator<Item = &'a Message>,
) -> impl Iterator<Item = (&'a str, &'a Text)> {
    messages.into_iter().map(|message| (&*message.role, &message.content))
}

/// A number of the answer's usage. An absurd one must not overflow a sum.
pub fn count(value: &Json) -> u64 {
    value.as_u64().unwrap_or(0).min(u64::from(u32::MAX))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::config::Config;
    use crate::base::config::kinds::key_variable;

    /// What a wire of a kind is made from, with more of its configuration.
    pub fn setup(kind: &str, more: &str) -> Setup {
        let more = if more.is_empty() { String::new() } else { format!(", {more}") };
        let text = format!("backends: {{b: {{kind: {kind}, model: m{more}}}}}\n");
        let config = Config::parse("c", &text).unwrap().backends.remove("b").unwrap();
        let key_env = key_variable(&config).map(str::to_string);
        Setup { config: Arc::new(config), key_env, own_server: true }
    }

    /// An answer without headers.
    pub fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: vec![], body: body.into() }
    }

    /// A structured request.
    pub fn verdict() -> Request {
        let schema = json!({"type": "object", "required": ["answer", "reasoning"], "properties": {
            "reasoning": {"type": "string"}, "answer": {"enum": ["YES", "NO"]}}});
        Request { schema: Some(Arc::new(Schema::new("verdict", schema).unwrap())), ..Request::of("judge") }
    }

    #[test]
    fn extra_keys_are_merged_at_depth() {
        let mut body = json!({"model": "m", "options": {"a": 1, "b": 2}});
        let extra = json!({"options": {"b": 3}, "top_k": 4});
        merge(&mut body, extra.as_object().unwrap());
        assert_eq!(body, json!({"model": "m", "options": {"a": 1, "b": 3}, "top_k": 4}));
    }
}
