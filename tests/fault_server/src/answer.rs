//! What the server does with a request, and how that becomes bytes and a charge.

use std::time::Duration;

use serde_json::{Value, json};

use crate::faults::{Fault, Faults};
use crate::http;
use crate::reply::usual_text;
use crate::request::{Logical, Received};
use crate::wires::{End, Reply, Trouble, Wire};

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// What it does by itself.
    Usual,
    /// This text as the model's.
    Text(String),
    /// A refusal in these words.
    Refusal(String),
    /// This text, cut off at the token limit.
    Truncated(String),
    /// Withheld.
    Filtered,
    /// A text with reasoning in its own field or item: the reasoning, the text.
    Reasoned(String, String),
    /// Any status, headers and body.
    Http(u16, Vec<(String, String)>, Vec<u8>),
    /// Never answers.
    Hang,
    /// Closes the connection without a word.
    Reset,
    /// Closes it in the middle of the body.
    HalfBody,
    /// Sends all but the end, then nothing.
    Stall,
    /// Sends the head at once, then a byte each time that this has passed.
    Trickle(Duration),
    /// A fault, in the words of the request's wire.
    Fault(Fault),
}

impl Answer {
    /// An answer of a status, with an error's body.
    pub fn status(status: u16) -> Answer {
        Answer::error(status, &format!("scripted {status}"), "scripted")
    }

    /// An error in OpenAI's words.
    pub fn error(status: u16, message: &str, code: &str) -> Answer {
        let body = json!({"error": {"message": message, "code": code, "type": code}});
        Answer::Http(status, vec![], body.to_string().into_bytes())
    }

    /// A 200 with any body.
    pub fn raw(body: impl Into<Vec<u8>>) -> Answer {
        Answer::Http(200, vec![], body.into())
    }

    /// A redirect.
    pub fn redirect(to: &str) -> Answer {
        Answer::status(307).header("location", to)
    }

    /// Adds a header to an answer made by `status`, `error` or `raw`.
    pub fn header(mut self, name: &str, value: &str) -> Answer {
        if let Answer::Http(_, headers, _) = &mut self {
            headers.push((name.into(), value.into()));
        }
        self
    }
}

/// How an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// At once.
    Whole,
    /// A byte a second.
    Drip,
    /// The head, then a byte each time.
    Trickle(Duration),
    /// Most of it; then the end of the connection, or its reset.
    Part { reset: bool },
    /// Most of it, then nothing.
    Stall,
    /// Nothing; the connection ends, or is reset.
    Close { reset: bool },
    /// Nothing, and the connection stays.
    Hang,
}

/// An answer, ready to be sent.
pub(crate) struct Plan {
    pub bytes: Vec<u8>,
    pub manner: Manner,
    /// The kind on the bill.
    pub kind: &'static str,
    pub output: u64,
    /// Whether a provider would charge for it.
    pub charged: bool,
    /// The wait that it asks for.
    pub wait: Option<Duration>,
    /// The place of its request among the arrivals.
    pub place: usize,
}

impl Plan {
    fn reply(kind: &'static str, bytes: Vec<u8>, output: u64) -> Plan {
        Plan { bytes, manner: Manner::Whole, kind, output, charged: true, wait: None, place: usize::MAX }
    }

    fn free(kind: &'static str, bytes: Vec<u8>) -> Plan {
        Plan { output: 0, charged: false, ..Plan::reply(kind, bytes, 0) }
    }

    fn sent(self, manner: Manner) -> Plan {
        Plan { manner, ..self }
    }

    fn of_kind(self, kind: &'static str) -> Plan {
        Plan { kind, ..self }
    }
}

/// A request with all that an answer is made from.
pub(crate) struct Asked<'a> {
    pub request: &'a Received,
    pub logical: &'a Logical,
    pub wire: Option<&'static Wire>,
    pub sequence: u64,
    pub input: u64,
    /// Counts the tokens of a text.
    pub count: &'a dyn Fn(&str) -> u64,
    /// Added to every answer.
    pub headers: Vec<(String, String)>,
}

impl Asked<'_> {
    /// The answer as bytes.
    pub fn plan(&self, answer: &Answer, faults: &Faults) -> Plan {
        match answer {
            Answer::Usual => self.usual(),
            Answer::Text(text) => self.words("text", text, End::Stop, None),
            Answer::Refusal(text) => self.words("refusal", text, End::Refusal, None),
            Answer::Truncated(text) => self.words("truncated", text, End::Length, None),
            Answer::Filtered => self.words("filtered", "", End::Filter, None),
            Answer::Reasoned(thought, text) => self.words("reasoned", text, End::Stop, Some(thought)),
            Answer::Http(status, headers, body) => self.raw(*status, headers, body),
            Answer::Hang => self.usual().sent(Manner::Hang).of_kind("hang"),
            Answer::Reset => self.usual().sent(Manner::Close { reset: false }).of_kind("reset"),
            Answer::HalfBody => self.usual().sent(Manner::Part { reset: false }).of_kind("half-body"),
            Answer::Stall => self.usual().sent(Manner::Stall).of_kind("stall"),
            Answer::Trickle(each) => self.usual().sent(Manner::Trickle(*each)).of_kind("trickle"),
            Answer::Fault(fault) => self.fault(*fault, faults),
        }
    }

    /// What the server does by itself: it rejects what the real one would reject.
    fn usual(&self) -> Plan {
        match self.wire {
            None => self.trouble("unknown-path", 404, "this path is not known", &[], None),
            Some(wire) => match (wire.problem)(self.request) {
                Some(why) => self.trouble("rejected", 400, why, &[], None),
                None => self.words("usual", &usual_text(self.logical), End::Stop, None),
            },
        }
    }

    /// A reply of the model's.
    pub(crate) fn words(&self, kind: &'static str, text: &str, end: End, thought: Option<&str>) -> Plan {
        let Some(wire) = self.wire else { return self.usual() };
        let thinking = thought.map_or(0, |text| (self.count)(text));
        // A short reply is not cut off at max_tokens; but no server counts more than that.
        let most = self.logical.max_tokens.unwrap_or(u64::MAX).max(thinking);
        let output = ((self.count)(text) + thinking).min(most);
        let (id, model) = (format!("{:06}", self.sequence), self.logical.model.as_str());
        let reply = Reply { id, model, text, end, thought, input: self.input, output, thinking };
        Plan::reply(kind, self.ok((wire.write)(&reply).to_string().as_bytes()), output)
    }

    fn raw(&self, status: u16, headers: &[(String, String)], body: &[u8]) -> Plan {
        let bytes = http::answer(status, &[&self.headers, headers].concat(), body);
        match status {
            200 => Plan::reply("scripted", bytes, (self.count)(&String::from_utf8_lossy(body))),
            _ => Plan { wait: wait_of(headers), ..Plan::free("error", bytes) },
        }
    }

    /// An error in the words of the wire.
    pub(crate) fn trouble(
        &self,
        kind: &'static str,
        status: u16,
        message: &str,
        headers: &[(&str, String)],
        wait: Option<f64>,
    ) -> Plan {
        let body = match self.wire {
            Some(wire) => (wire.error)(&Trouble { status, message, wait }),
            None => json!({"error": message}),
        };
        let more = headers.iter().map(|(name, value)| (name.to_string(), value.clone()));
        let headers: Vec<_> = self.headers.iter().cloned().chain(more).collect();
        let named = wait.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let plan = Plan::free(kind, http::answer(status, &headers, body.to_string().as_bytes()));
        Plan { wait: named.or_else(|| wait_of(&headers)), ..plan }
    }

    fn ok(&self, body: &[u8]) -> Vec<u8> {
        http::answer(200, &self.headers, body)
    }

    /// The answer to one call more than allowed.
    pub(crate) fn too_many(&self) -> Plan {
        let wait = [("retry-after", "1".to_string())];
        self.trouble("over-rate", 429, "Rate limit reached: too many requests", &wait, None)
    }

    fn fault(&self, fault: Fault, faults: &Faults) -> Plan {
        let wait = faults.retry_after.as_secs_f64();
        let kind = fault.name();
        let limit = "Rate limit reached for requests";
        let error = |status, message| self.trouble(kind, status, message, &[], None);
        let said = |text: &str, end| self.words(kind, text, end, None);
        let usual = || self.usual().of_kind(kind);
        match fault {
            Fault::RateLimit => self.trouble(kind, 429, limit, &[("retry-after", wait.to_string())], None),
            Fault::RateLimitBare => error(429, limit),
            Fault::RateLimitExact => self.exact_limit(kind, limit, wait),
            Fault::Failed => error(500, "The server had an error while processing your request"),
            Fault::BadGateway => Plan::free(kind, http::answer(502, &[], http::PROXY_PAGE)),
            Fault::Unavailable => error(503, "The server is temporarily unavailable"),
            Fault::Overloaded => error(529, "Overloaded"),
            Fault::Reset => usual().sent(Manner::Close { reset: true }),
            Fault::HalfBody => usual().sent(Manner::Part { reset: true }),
            Fault::Drip => usual().sent(Manner::Drip),
            Fault::Hang => usual().sent(Manner::Hang),
            Fault::Malformed => self.bent(kind, |body| body.replacen(':', "::", 1).into_bytes()),
            Fault::TruncatedJson => self.bent(kind, |body| body.as_bytes()[..body.len() / 2].to_vec()),
            Fault::NonUtf8 => {
                self.bent(kind, |body| [&body.as_bytes()[..2], &[0xff, 0xfe], &body.as_bytes()[2..]].concat())
            }
            Fault::Oversized => self.oversized(kind),
            Fault::WrongSchema => said(&wrong(&usual_text(self.logical)), End::Stop),
            Fault::NotJson => said("I think that it is fine.", End::Stop),
            Fault::DuplicateKey => said(&doubled(&usual_text(self.logical)), End::Stop),
            Fault::Refusal => said("I cannot help with that.", End::Refusal),
            Fault::TokenLimit => said(half(&usual_text(self.logical)), End::Length),
            Fault::Filter => said("", End::Filter),
            Fault::Redirect => {
                let to = format!("{}{}", faults.redirect_to, self.request.path);
                self.trouble(kind, 307, "this has moved", &[("location", to)], None)
            }
            Fault::Empty => said("", End::Stop),
        }
    }

    /// A wait finer than seconds: in Gemini's body, else in a header.
    fn exact_limit(&self, kind: &'static str, message: &str, wait: f64) -> Plan {
        if self.request.path.contains(":generateContent") {
            return self.trouble(kind, 429, message, &[], Some(wait));
        }
        let header = ("retry-after-ms", (wait * 1000.0).round().to_string());
        self.trouble(kind, 429, message, &[header], None)
    }

    /// The usual body, bent; its length is told as it is.
    fn bent(&self, kind: &'static str, bend: impl Fn(&str) -> Vec<u8>) -> Plan {
        let usual = self.usual();
        let body = http::body(&usual.bytes);
        Plan { bytes: self.ok(&bend(&body)), kind, ..usual }
    }

    /// Valid, but with 17 MiB of blanks; no length warns of it.
    fn oversized(&self, kind: &'static str) -> Plan {
        let usual = self.usual();
        let body = [" ".repeat(17 << 20), http::body(&usual.bytes)].concat();
        Plan { bytes: http::chunked(&self.headers, body.as_bytes()), kind, ..usual }
    }
}

/// The wait that headers ask for.
fn wait_of(headers: &[(String, String)]) -> Option<Duration> {
    let number = |name: &str| headers.iter().find(|(known, _)| known == name)?.1.parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A value of another type.
fn wrong(usual: &str) -> String {
    if usual.starts_with('{') {
        json!(["not what was asked for"]).to_string()
    } else {
        "{\"not\": \"this\"}".into()
    }
}

/// An object whose first key is there twice, with another value at first.
fn doubled(usual: &str) -> String {
    let value: Value = serde_json::from_str(usual).unwrap_or(Value::Null);
    match value.as_object().and_then(|object| object.keys().next()) {
        Some(key) => format!("{{{}:null,{}", json!(key), &usual[1..]),
        None => "{\"a\":1,\"a\":2}".into(),
    }
}

fn half(text: &str) -> &str {
    let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at));
    &text[..middle.unwrap_or(0)]
}
