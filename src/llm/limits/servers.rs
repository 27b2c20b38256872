//! Tests of the limits against servers that limit rates in one way or another, in tokio's own time: how long a
//! run takes, measured by what the server allows, and how many requests are turned away.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// What a server allows.
#[derive(Clone, Copy)]
enum Rule {
    /// So many a second, and so many at once.
    Bucket(f64, f64),
    /// So many in each window of this length.
    Fixed(usize, f64),
    /// So many in any window of this length.
    Sliding(usize, f64),
    /// This share of all, whatever the rate.
    Random(f64),
}

/// A server with its books.
struct Server {
    rule: Rule,
    began: Instant,
    level: (f64, f64),
    served: VecDeque<f64>,
}

impl Server {
    fn of(rule: Rule) -> Mutex<Server> {
        let level = if let Rule::Bucket(_, size) = rule { (size, 0.0) } else { (0.0, 0.0) };
        Mutex::new(Server { rule, began: Instant::now(), level, served: VecDeque::new() })
    }

    fn serves(&mut self) -> bool {
        let now = self.began.elapsed().as_secs_f64();
        let (size, from) = match self.rule {
            Rule::Bucket(rate, size) => {
                self.level = ((self.level.0 + (now - self.level.1) * rate).min(size), now);
                let serves = self.level.0 >= 1.0 - 1e-9;
                self.level.0 -= f64::from(u8::from(serves));
                return serves;
            }
            Rule::Random(share) => {
                self.level.0 += 1.0;
                // Evenly spread, without a pattern: the fractional parts of the multiples of the golden ratio.
                return (self.level.0 * 0.618_033_988_749_895).fract() < share;
            }
            Rule::Fixed(size, span) => (size, (now / span).floor() * span),
            Rule::Sliding(size, span) => (size, now - span + 1e-9),
        };
        while self.served.front().is_some_and(|at| *at < from) {
            self.served.pop_front();
        }
        let serves = self.served.len() < size;
        if serves {
            self.served.push_back(now);
        }
        serves
    }
}

/// So many calls, answered after so long, turned away at once for a second; gives the seconds until the last one was sent, and
/// the share that was turned away.
async fn run(rule: Rule, calls: usize, concurrency: usize, latency: f64) -> (f64, f64) {
    let text = format!("backends:\n  b: {{kind: openai-chat, model: m, concurrency: {concurrency}}}\n");
    let config = crate::base::config::Config::parse("c", &text).unwrap().backends.remove("b").unwrap();
    let (limits, server) = (Limits::new(&config, Duration::from_secs(600)), Server::of(rule));
    let shared = Arc::new((limits, server, AtomicU64::new(0)));
    let began = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for number in 0..calls {
        let shared = shared.clone();
        // Answers do not come in time.
        let latency = latency * (0.7 + 0.6 * (number * 37 % 100) as f64 / 100.0);
        all.spawn(async move { call(&shared, latency).await });
    }
    all.join_all().await;
    let turned_away = shared.2.load(Ordering::SeqCst) as f64;
    (began.elapsed().as_secs_f64() - latency, turned_away / calls as f64)
}

async fn call((limits, server, turned_away): &(Limits, Mutex<Server>, AtomicU64), latency: f64) {
    let stop = Stop::default();
    loop {
        let mut permit = limits.enter(&stop).await.unwrap();
        limits.turn(&mut permit, || 1, &stop).await.unwrap();
        let serves = server.lock().unwrap().serves();
        tokio::time::sleep(Duration::from_secs_f64(if serves { latency } else { 0.005 })).await;
        if serves {
            return limits.succeeded(&permit, 0);
        }
        turned_away.fetch_add(1, Ordering::SeqCst);
        let rest = Rest { wait: Duration::from_secs(1), named: Named::ByServer, reason: "rate limit" };
        limits.turned_away(&permit, &rest);
    }
}

/// What is measured: the name, the rule, its rate, the seconds of work, the concurrency, the latency; the most that the
/// run may take, in units of what is allowed, and the most that may be turned away.
type Case = (&'static str, Rule, f64, f64, usize, f64, f64, f64);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("a second's calls at once",        Rule::Bucket(50.0, 50.0),   50.0,  10.0,   64, 0.005, 1.1, 0.2),
    ("the same, slow answers",          Rule::Bucket(50.0, 50.0),   50.0,  10.0,   64, 0.3,   1.1, 0.1),
    ("the same, a second each",         Rule::Bucket(50.0, 50.0),   50.0,  60.0,  100, 1.0,   1.1, 0.05),
    ("the same, five seconds each",     Rule::Bucket(50.0, 50.0),   50.0, 120.0,  500, 5.0,   1.1, 0.2),
    ("200 a second",                    Rule::Bucket(200.0, 200.0), 200.0, 10.0,   64, 0.005, 1.1, 0.1),
    ("200 a second, slow answers",      Rule::Bucket(200.0, 200.0), 200.0, 10.0,  128, 0.3,   1.1, 0.1),
    ("few",                             Rule::Bucket(2.0, 2.0),      2.0, 120.0,   64, 3.0,   1.1, 1.5),
    ("a window of a second",            Rule::Fixed(50, 1.0),       50.0,  60.0,  128, 0.3,   1.3, 0.2),
    ("a sliding window of ten seconds", Rule::Sliding(500, 10.0),   50.0, 300.0,  128, 1.0,   1.2, 0.3),
    ("a window of a minute",            Rule::Fixed(120, 60.0),      2.0, 600.0,   64, 1.0,   1.1, 5.0),
    ("a third of a second's at once",   Rule::Bucket(50.0, 15.0),   50.0,  60.0,  128, 0.3,   1.4, 0.2),
    ("half of all, at random",          Rule::Random(0.5),          32.0,  60.0,   64, 0.3,   1.2, 1.2),
    ("half of all, of a few",           Rule::Random(0.5),           4.0,  60.0,    8, 0.3,   1.5, 1.2),
    ("a few at once",                   Rule::Bucket(50.0, 5.0),    50.0,  60.0,  128, 1.0,   1.5, 0.2),
];

#[tokio::test(start_paused = true)]
async fn a_run_takes_hardly_longer_than_the_server_allows() {
    for (name, rule, rate, seconds, concurrency, latency, longest, most) in CASES {
        let (took, turned_away) = run(*rule, (rate * seconds) as usize, *concurrency, *latency).await;
        let ratio = took / seconds;
        assert!(ratio <= *longest, "{name}: {ratio:.3}");
        assert!(turned_away <= *most, "{name}: {turned_away:.3} turned away");
    }
}
