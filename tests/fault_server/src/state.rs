//! What the connections share: settings, logs, and the decision on each request.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::allowance::{Arrival, Bucket};
use crate::answer::{Answer, Asked, Plan};
use crate::bill::{Bill, Charge};
use crate::faults::{Fault, Faults};
use crate::http;
use crate::request::Received;
use crate::wires;

type Rule = Box<dyn Fn(&Received) -> Answer + Send>;
type Counter = Arc<dyn Fn(&str) -> u64 + Send + Sync>;

/// What the connections share.
pub(crate) struct State {
    pub latency: Mutex<Duration>,
    pub scripted: Mutex<VecDeque<Answer>>,
    pub rule: Mutex<Option<Rule>>,
    pub faults: Mutex<Faults>,
    /// How often each thing was asked, as far as faults go.
    asked: Mutex<HashMap<String, u64>>,
    pub bucket: Mutex<Option<Bucket>>,
    pub counter: Mutex<Counter>,
    pub requests: Mutex<Vec<Received>>,
    pub arrivals: Mutex<Vec<Arrival>>,
    pub bill: Mutex<Bill>,
    sequence: AtomicU64,
    open: AtomicUsize,
    pub peak: AtomicUsize,
    pub forgetful: AtomicBool,
    pub closing: AtomicBool,
}

/// What is decided on a request.
enum Decision {
    Answer(Answer),
    TooMany,
}

impl State {
    pub fn new() -> State {
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
        let plan = Plan { place, ..plan };
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
        // Held together: the two are in one order.
        let mut arrivals = lock(&self.arrivals);
        lock(&self.requests).push(request.clone());
        arrivals.push(Arrival::new(request.at, input_tokens));
        (sequence, arrivals.len() - 1)
    }

    fn note(&self, place: usize, plan: &Plan, over: bool) {
        if let Some(arrival) = lock(&self.arrivals).get_mut(place) {
            arrival.output_tokens = plan.output;
            arrival.over = over;
            arrival.kind = plan.kind;
            arrival.wait = plan.wait;
        }
    }

    /// Its answer begins to be sent.
    pub fn answers(&self, plan: &Plan) {
        if let Some(arrival) = lock(&self.arrivals).get_mut(plan.place) {
            arrival.answered = Some(Instant::now());
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
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
