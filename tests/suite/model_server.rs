//! A model server for tests: real HTTP on a local port, speaking Chat Completions and Responses,
//! with scripted answers and faults, and a log of what it was asked.
//!
//! ```ignore
//! let server = ModelServer::start();
//! server.push_reply(Answer::status(429).header("retry-after", "1"));   // the next request gets it
//! // config: base_url = server.url()
//! assert_eq!(server.requests().len(), 2);
//! ```
//! A request without a scripted answer gets one of its own: a value that fits its schema (the first
//! of an enum, "ok" for a text), else a text that depends on the request alone.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Value,
    pub at: Instant,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it came on the Responses wire.
    pub fn is_responses(&self) -> bool {
        self.path.ends_with("/responses")
    }

    /// The schema that it asks for: in its format, or spelled out in its prompt.
    pub fn schema(&self) -> Option<Value> {
        let formats =
            [&self.body["response_format"]["json_schema"]["schema"], &self.body["text"]["format"]["schema"]];
        formats.into_iter().find(|schema| schema.is_object()).cloned().or_else(|| self.prompted_schema())
    }

    fn prompted_schema(&self) -> Option<Value> {
        let system = self.body["instructions"].as_str().or(self.body["messages"][0]["content"].as_str())?;
        let (_, rest) = system.split_once("JSON Schema")?;
        let text = &rest[rest.find('{')?..];
        serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
    }
}

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
    /// A text with reasoning in its own field or item.
    Reasoned(String, String),
    /// Any status, headers and body.
    Http(u16, Vec<(String, String)>, Vec<u8>),
    /// Never answers.
    Hang,
    /// Closes the connection without a word.
    Reset,
    /// Closes it in the middle of the body.
    HalfBody,
    /// Sends the head, then nothing.
    Stall,
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

type Rule = Box<dyn Fn(&Received) -> Answer + Send>;

#[derive(Default)]
struct State {
    latency: Mutex<Duration>,
    scripted: Mutex<VecDeque<Answer>>,
    rule: Mutex<Option<Rule>>,
    requests: Mutex<Vec<Received>>,
    open: AtomicUsize,
    peak: AtomicUsize,
    closing: AtomicBool,
}

/// The server; it ends when dropped.
pub struct ModelServer {
    address: SocketAddr,
    state: Arc<State>,
}

impl ModelServer {
    /// Listens on a free local port.
    pub fn start() -> ModelServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.closing.load(Ordering::SeqCst) {
                    return;
                }
                let state = shared.clone();
                std::thread::spawn(move || serve(&state, stream));
            }
        });
        ModelServer { address, state }
    }

    /// What `base_url` is to be.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// All requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Received> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The only request so far.
    pub fn request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "one request is expected");
        requests.into_iter().next().unwrap()
    }

    /// Each answer takes this long.
    pub fn set_latency(&self, latency: Duration) {
        *self.state.latency.lock().unwrap() = latency;
    }

    /// The answer of the next request that has none yet.
    pub fn push_reply(&self, answer: Answer) {
        self.state.scripted.lock().unwrap().push_back(answer);
    }

    /// Decides on every request that has no scripted answer.
    pub fn set_rule(&self, rule: impl Fn(&Received) -> Answer + Send + 'static) {
        *self.state.rule.lock().unwrap() = Some(Box::new(rule));
    }

    /// The most requests that were being answered at once.
    pub fn peak(&self) -> usize {
        self.state.peak.load(Ordering::SeqCst)
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.state.closing.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// One connection, kept alive until either side ends it.
fn serve(state: &State, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
        state.peak.fetch_max(open, Ordering::SeqCst);
        state.requests.lock().unwrap().push(request.clone());
        let answer = choose(state, &request);
        let latency = *state.latency.lock().unwrap();
        std::thread::sleep(latency);
        let bytes = render(&answer, &request);
        state.open.fetch_sub(1, Ordering::SeqCst);
        if !send(state, &mut writer, &answer, &bytes) {
            let _ = writer.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn choose(state: &State, request: &Received) -> Answer {
    let scripted = state.scripted.lock().unwrap().pop_front();
    let rule = state.rule.lock().unwrap();
    scripted.or_else(|| rule.as_ref().map(|rule| rule(request))).unwrap_or(Answer::Usual)
}

/// Writes the answer; says whether the connection lives on.
fn send(state: &State, writer: &mut TcpStream, answer: &Answer, bytes: &[u8]) -> bool {
    match answer {
        Answer::Reset => return false,
        Answer::Hang => hang(state),
        Answer::HalfBody => {
            let _ = writer.write_all(&bytes[..bytes.len() - 20]);
            return false;
        }
        Answer::Stall => {
            let _ = writer.write_all(&bytes[..bytes.len() - 20]);
            hang(state);
        }
        _ => return writer.write_all(bytes).is_ok(),
    }
    false
}

fn hang(state: &State) {
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end && !state.closing.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let first = read_line(reader)?;
    let path = first.split(' ').nth(1)?.to_string();
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.trim().to_lowercase(), value.trim().to_string()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Received { path, headers, body, at: Instant::now() })
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(n) if n > 0 => Some(line.trim_end().to_string()),
        _ => None,
    }
}

/// The bytes of an answer.
fn render(answer: &Answer, request: &Received) -> Vec<u8> {
    let body = match answer {
        Answer::Http(status, headers, body) => return http(*status, headers, body),
        Answer::Text(text) => completion(request, text, "ok", None),
        Answer::Refusal(text) => completion(request, text, "refusal", None),
        Answer::Truncated(text) => completion(request, text, "length", None),
        Answer::Filtered => completion(request, "", "content_filter", None),
        Answer::Reasoned(thought, text) => completion(request, text, "ok", Some(thought)),
        _ => completion(request, &usual_text(request), "ok", None),
    };
    http(200, &[], body.to_string().as_bytes())
}

fn http(status: u16, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// A reply on the request's wire; `how` is ok, refusal, length or content_filter.
fn completion(request: &Received, text: &str, how: &str, thought: Option<&str>) -> Value {
    let input = request.body.to_string().len() as u64 / 4;
    let output = text.len() as u64 / 4 + 1;
    let model = &request.body["model"];
    if request.is_responses() {
        responses(model, text, how, thought, input, output)
    } else {
        chat(model, text, how, thought, input, output)
    }
}

fn chat(model: &Value, text: &str, how: &str, thought: Option<&str>, input: u64, output: u64) -> Value {
    let (content, refusal) =
        if how == "refusal" { (Value::Null, json!(text)) } else { (json!(text), Value::Null) };
    let mut message = json!({"role": "assistant", "content": content, "refusal": refusal});
    if let Some(thought) = thought {
        message["reasoning_content"] = thought.into();
    }
    let finish = if matches!(how, "length" | "content_filter") { how } else { "stop" };
    json!({"id": "c1", "object": "chat.completion", "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens_details": {"reasoning_tokens": 0}}})
}

fn responses(model: &Value, text: &str, how: &str, thought: Option<&str>, input: u64, output: u64) -> Value {
    let part = match how {
        "refusal" => json!({"type": "refusal", "refusal": text}),
        _ => json!({"type": "output_text", "text": text, "annotations": []}),
    };
    let message = json!({"type": "message", "role": "assistant", "content": [part]});
    let thinking =
        thought.map(|text| json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}));
    let output_items: Vec<Value> = thinking.into_iter().chain([message]).collect();
    let (status, details) = match how {
        "length" => ("incomplete", json!({"reason": "max_output_tokens"})),
        "content_filter" => ("incomplete", json!({"reason": "content_filter"})),
        _ => ("completed", Value::Null),
    };
    json!({"id": "r1", "object": "response", "model": model, "status": status, "error": null,
        "incomplete_details": details, "output": output_items,
        "usage": {"input_tokens": input, "output_tokens": output, "total_tokens": input + output,
            "input_tokens_details": {"cached_tokens": 1}, "output_tokens_details": {"reasoning_tokens": 0}}})
}

fn usual_text(request: &Received) -> String {
    match request.schema() {
        Some(schema) => fit(&schema).to_string(),
        None => {
            let turns =
                if request.is_responses() { &request.body["input"] } else { &request.body["messages"] };
            let mut hasher = DefaultHasher::new();
            turns.to_string().hash(&mut hasher);
            let count = turns.as_array().map_or(0, Vec::len);
            format!("This answers a prompt of {count} messages, number {:08x}.", hasher.finish() as u32)
        }
    }
}

/// The plainest value that fits a schema.
pub fn fit(schema: &Value) -> Value {
    let first = |list: &Value| list.as_array().and_then(|list| list.first()).cloned();
    if let Some(value) = schema.get("const").cloned().or_else(|| first(&schema["enum"])) {
        return value;
    }
    if let Some(branch) = first(&schema["anyOf"]).or_else(|| first(&schema["oneOf"])) {
        return fit(&branch);
    }
    let kind = schema["type"]
        .as_str()
        .map(str::to_string)
        .or_else(|| first(&schema["type"]).and_then(|name| name.as_str().map(str::to_string)));
    match kind.as_deref() {
        Some("string") => "ok".into(),
        Some("integer") => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
        Some("number") => schema.get("minimum").cloned().unwrap_or_else(|| 1.0.into()),
        Some("boolean") => true.into(),
        Some("array") => vec![fit(&schema["items"])].into(),
        Some("null") => Value::Null,
        _ => {
            let empty = Map::new();
            let properties = schema["properties"].as_object().unwrap_or(&empty);
            properties.iter().map(|(name, schema)| (name.clone(), fit(schema))).collect::<Map<_, _>>().into()
        }
    }
}
