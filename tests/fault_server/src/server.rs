//! The server: what tests hold.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::allowance::{Allowance, Arrival, Bucket};
use crate::answer::Answer;
use crate::bill::{Charge, Totals};
use crate::connection;
use crate::faults::Faults;
use crate::request::Received;
use crate::state::{State, lock};

/// Threads only wait: hundreds of them should not need much.
const STACK: usize = 512 << 10;

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

    /// When requests arrived, how many tokens they had, and what was served; in the order of `requests`.
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

/// A port that takes no connection and refuses none, as behind a firewall; until it is dropped.
pub struct BlackHole {
    listener: Socket,
    _waiting: Vec<Socket>,
}

impl BlackHole {
    /// On a free local port.
    pub fn open() -> std::io::Result<BlackHole> {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None);
        let listener = socket()?;
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        listener.listen(0)?;
        let address = listener.local_addr()?;
        let mut waiting = Vec::new();
        // More than its queue holds: whoever comes next is not heard.
        for _ in 0..8 {
            let client = socket()?;
            client.set_nonblocking(true)?;
            let _ = client.connect(&address);
            waiting.push(client);
        }
        Ok(BlackHole { listener, _waiting: waiting })
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        let address = self.listener.local_addr().ok().and_then(|address| address.as_socket());
        format!("http://{}", address.expect("it is bound"))
    }
}
