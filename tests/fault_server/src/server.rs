//! The server: what tests hold, and what its connections share.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use crate::allowance::{Allowance, Arrival, Bucket};
use crate::answer::{Answer, Asked, Plan};
use crate::bill::{Bill, Charge, Totals};
use crate::connection;
use crate::faults::{Fault, Faults};
use crate::http;
use crate::request::Received;
use crate::wires;

/// Threads only wait: hundreds of them should not need much.
const STACK: usize = 512 << 10;

type Rule = Box<dyn Fn(&Received) -> Answer + Send>;
type Counter = Arc<dyn Fn(&str) -> u64 + Send + Sync>;

/// The server; it ends when dropped.
pub struct ModelServer {
    address: SocketAddr,
    state: Arc<State>,
}

impl ModelServer {
    /// Listens on a free local port.
    pub fn start() -> ModelServer {
        ModelServer::start_at(0).expect("a free port")
    }

    /// Listens on this local port; 0 is any.
    pub fn start_at(port: u16) -> std::io::Result<ModelServer> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new());
        let shared = state.clone();
        std::thread::spawn(move || accept(&listener, &shared));
        Ok(ModelServer { address, state })
    }

    /// What `base_url` is to be for OpenAI's wires and Anthropic's.
    pub fn url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.state.requests).clone()
    }

    /// The only request so far.
    pub fn request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "one request is expected");
        requests.into_iter().next().expect("there is one")
    }

    /// Each answer takes this long.
    pub fn set_latency(&self, latency: Duration) {
        *lock(&self.state.latency) = latency;
    }

    /// The answer of the next request that has none yet.
    pub fn push_reply(&self, answer: Answer) {
        lock(&self.state.scripted).push_back(answer);
    }

    /// Decides on every request that has no scripted answer.
    pub fn set_rule(&self, rule: impl Fn(&Received) -> Answer + Send + 'static) {
        *lock(&self.state.rule) = Some(Box::new(rule));
    }

    /// Faults for requests that neither script nor rule answers.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.state.faults) = faults;
    }

    /// Allows so many calls a second; beyond, requests without script or rule get 429 and `Retry-After: 1`.
    pub fn set_allowed(&self, calls_per_second: f64) {
        self.set_allowance(Allowance { calls: calls_per_second, tokens: None, headers: false });
    }

    /// Allows so much.
    pub fn set_allowance(&self, allowance: Allowance) {
        *lock(&self.state.bucket) = Some(Bucket::new(allowance));
    }

    /// Counts tokens by this; else a text has as many as its bytes / 4, and one.
    pub fn set_counter(&self, count: impl Fn(&str) -> u64 + Send + Sync + 'static) {
        *lock(&self.state.counter) = Arc::new(count);
    }

    /// The most requests that were being answered at once.
    pub fn peak(&self) -> usize {
        self.state.peak.load(Ordering::SeqCst)
    }

    /// When requests arrived, and how many tokens they had.
    pub fn arrivals(&self) -> Vec<Arrival> {
        lock(&self.state.arrivals).clone()
    }

    /// What was served in full and would be charged for.
    pub fn bill(&self) -> Vec<Charge> {
        lock(&self.state.bill).charges(false)
    }

    /// What would have been charged for, but was served in part only.
    pub fn partials(&self) -> Vec<Charge> {
        lock(&self.state.bill).charges(true)
    }

    /// The sums of the bill.
    pub fn totals(&self) -> Totals {
        lock(&self.state.bill).totals()
    }

    /// Appends the bill to a file, too: one JSON line a charge.
    pub fn write_bill(&self, file: File) {
        lock(&self.state.bill).write_to(file);
    }

    /// Forgets requests and arrivals once they are answered, so that memory does not grow with them.
    pub fn keep_no_requests(&self) {
        self.state.forgetful.store(true, Ordering::SeqCst);
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.state.closing.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        if state.is_closing() {
            return;
        }
        let state = state.clone();
        let thread = std::thread::Builder::new().stack_size(STACK);
        // Without a thread the stream is dropped, and the client sees a connection that ends.
        let _ = thread.spawn(move || connection::serve(&state, stream));
    }
}

/// What the connections share.
pub(crate) struct State {
    latency: Mutex<Duration>,
    scripted: Mutex<VecDeque<Answer>>,
    rule: Mutex<Option<Rule>>,
    faults: Mutex<Faults>,
    /// How often each thing was asked, as far as faults go.
    asked: Mutex<HashMap<String, u64>>,
    bucket: Mutex<Option<Bucket>>,
    counter: Mutex<Counter>,
    requests: Mutex<Vec<Received>>,
    arrivals: Mutex<Vec<Arrival>>,
    bill: Mutex<Bill>,
    sequence: AtomicU64,
    open: AtomicUsize,
    peak: AtomicUsize,
    forgetful: AtomicBool,
    closing: AtomicBool,
}

/// What is decided on a request.
enum Decision {
    Answer(Answer),
    TooMany,
}

impl State {
    fn new() -> State {
        State {
            latency: Mutex::default(),
            scripted: Mutex::default(),
            rule: Mutex::default(),
            faults: Mutex::default(),
            asked: Mutex::default(),
            bucket: Mutex::default(),
            counter: Mutex::new(Arc::new(|text| (text.len() as u64).div_ceil(4))),
            requests: Mutex::default(),
            arrivals: Mutex::default(),
            bill: Mutex::default(),
            sequence: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            forgetful: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        }
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub fn charge(&self, charge: Charge) {
        lock(&self.bill).add(charge);
    }

    /// What a GET shows: the bill.
    pub fn page(&self, path: &str) -> Vec<u8> {
        if path != "/bill" {
            return http::answer(404, &[], b"{\"error\": \"GET /bill is all there is\"}");
        }
        let bill = lock(&self.bill);
        let body =
            json!({"totals": bill.totals(), "charges": bill.charges(false), "partial": bill.charges(true)});
        http::answer(200, &[], body.to_string().as_bytes())
    }

    /// Decides on a request, waits as long as answers take, and says what it would cost.
    pub fn answer(&self, request: Received) -> (Plan, Option<Charge>) {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(open, Ordering::SeqCst);
        let (plan, charge) = self.plan(&request);
        let latency = *lock(&self.latency);
        std::thread::sleep(latency);
        self.open.fetch_sub(1, Ordering::SeqCst);
        (plan, charge)
    }

    fn plan(&self, request: &Received) -> (Plan, Option<Charge>) {
        let count = lock(&self.counter).clone();
        let (logical, wire) = (request.logical(), wires::of(&request.path));
        let input = count(&logical.text()) + 4 * logical.messages.len() as u64;
        let (sequence, place) = self.log(request, input);
        let mut asked =
            Asked { request, logical: &logical, wire, sequence, input, count: &*count, headers: vec![] };
        let decision = self.decide(&asked);
        asked.headers = lock(&self.bucket).as_ref().map(Bucket::headers).unwrap_or_default();
        let faults = lock(&self.faults).clone();
        let plan = match &decision {
            Decision::Answer(answer) => asked.plan(answer, &faults),
            Decision::TooMany => asked.too_many(),
        };
        self.note(place, &plan, matches!(decision, Decision::TooMany));
        let charge = plan.charged.then(|| Charge::new(&asked, &plan));
        (plan, charge)
    }

    /// Writes the request down; gives its number, and its place among the arrivals.
    fn log(&self, request: &Received, input_tokens: u64) -> (u64, usize) {
        let sequence = self.sequence.fetch_add(1, Ordering::SeqCst) + 1;
        if self.forgetful.load(Ordering::SeqCst) {
            return (sequence, usize::MAX);
        }
        lock(&self.requests).push(request.clone());
        let mut arrivals = lock(&self.arrivals);
        arrivals.push(Arrival { at: request.at, input_tokens, output_tokens: 0, over: false });
        (sequence, arrivals.len() - 1)
    }

    fn note(&self, place: usize, plan: &Plan, over: bool) {
        if let Some(arrival) = lock(&self.arrivals).get_mut(place) {
            arrival.output_tokens = plan.output;
            arrival.over = over;
        }
    }

    /// Script, rule, fault, limit, in this order.
    fn decide(&self, asked: &Asked) -> Decision {
        if let Some(answer) = lock(&self.scripted).pop_front() {
            return Decision::Answer(answer);
        }
        if let Some(rule) = &*lock(&self.rule) {
            return Decision::Answer(rule(asked.request));
        }
        let faults = lock(&self.faults).clone();
        let hash = asked.logical.hash();
        let mut counts = lock(&self.asked);
        let before = counts.entry(hash.clone()).or_default();
        let refuses = asked.wire.is_some_and(|wire| wire.refuses);
        let fault = faults.pick(&hash, *before, asked.logical.schema.is_some(), refuses);
        // A call over the limit is no occurrence: how many there are depends on timing, and faults must not.
        // A limit that is a fault takes nothing from the allowance.
        if !fault.is_some_and(Fault::is_rate_limit) && !self.allows(asked) {
            return Decision::TooMany;
        }
        *before += 1;
        Decision::Answer(fault.map_or(Answer::Usual, Answer::Fault))
    }

    fn allows(&self, asked: &Asked) -> bool {
        lock(&self.bucket).as_mut().is_none_or(|bucket| bucket.take(asked.input, asked.request.at))
    }
}

/// A rule that panics fails its own request; the others go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
