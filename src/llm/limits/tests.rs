//! Tests of the limits together, in tokio's own time.

use super::*;
use crate::base::Kind;

fn limits(more: &str) -> Limits {
    let text = format!("backends:\n  b: {{kind: openai-chat, model: m, {more}}}\n");
    let config = crate::base::config::Config::parse("c", &text).unwrap().backends.remove("b").unwrap();
    Limits::new(&config, Duration::from_secs(600))
}

/// How long it takes until a request is admitted.
async fn wait(limits: &Limits) -> Duration {
    let began = Instant::now();
    drop(limits.admit(10, &Stop::default()).await.unwrap());
    began.elapsed()
}

fn about(time: Duration, seconds: f64) -> bool {
    (time.as_secs_f64() - seconds).abs() < 0.2
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everybody() {
    let limits = limits("concurrency: 4");
    assert!(limits.pause(Duration::from_secs(5), Named::ByServer, Instant::now(), "rate limit"));
    assert_eq!(limits.paused().unwrap().1, "rate limit");
    let waits = tokio::join!(wait(&limits), wait(&limits));
    assert!(about(waits.0, 5.0) && about(waits.1, 5.0), "{waits:?}");
    assert!(limits.paused().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_burst_pauses_once_and_a_named_time_is_a_floor() {
    let limits = limits("concurrency: 4");
    let sent = Instant::now();
    tokio::time::advance(Duration::from_millis(100)).await;
    let pause = |seconds, named| limits.pause(Duration::from_secs(seconds), named, sent, "rate limit");
    assert!(pause(2, Named::ByNobody));
    assert!(!pause(50, Named::ByNobody), "it was sent before the pause began");
    assert!(about(wait(&limits).await, 2.0));
    let later = Instant::now();
    tokio::time::advance(Duration::from_millis(100)).await;
    assert!(!pause(50, Named::ByNobody), "still of the first burst");
    assert!(limits.pause(Duration::from_secs(3), Named::ByNobody, later, "rate limit"), "a new burst");
    assert!(limits.pause(Duration::from_secs(9), Named::ByServer, sent, "rate limit"));
    assert!(about(wait(&limits).await, 9.0));
}

#[tokio::test(start_paused = true)]
async fn what_was_admitted_before_a_pause_waits_too() {
    let limits = limits("concurrency: 4");
    let _permit = limits.admit(10, &Stop::default()).await.unwrap();
    limits.pause(Duration::from_secs(5), Named::ByServer, Instant::now(), "rate limit");
    let began = Instant::now();
    limits.until_open(&Stop::default()).await.unwrap();
    assert!(about(began.elapsed(), 5.0));
}

#[tokio::test(start_paused = true)]
async fn what_the_server_has_left_is_not_exceeded() {
    let limits = limits("concurrency: 4");
    let left = |remaining| Some(Left { remaining, reset: Duration::from_secs(20) });
    limits.learn(&Rates { requests: left(3), tokens: None }, 1);
    assert!(
        about(wait(&limits).await, 0.0) && about(wait(&limits).await, 0.0),
        "three are left, one is on the wire"
    );
    assert!(about(wait(&limits).await, 20.0));
    limits.learn(&Rates { requests: None, tokens: left(15) }, 0);
    assert!(about(wait(&limits).await, 0.0));
    assert!(about(wait(&limits).await, 20.0));
    assert!(about(wait(&limits).await, 0.0));
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_is_too_far_is_not_waited_for() {
    let limits = limits("concurrency: 4");
    limits.learn(
        &Rates { requests: Some(Left { remaining: 0, reset: Duration::from_secs(86_400) }), tokens: None },
        0,
    );
    assert!(about(wait(&limits).await, 600.0));
}

#[tokio::test(start_paused = true)]
async fn tokens_are_booked_by_estimate_and_given_back() {
    let limits = limits("concurrency: 4, tpm: 600");
    let stop = Stop::default();
    let permit = limits.admit(600, &stop).await.unwrap();
    limits.settle(&permit, 30);
    drop(permit);
    assert!(wait(&limits).await < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn every_wait_ends_when_the_run_drains() {
    let paused = limits("concurrency: 1");
    paused.pause(Duration::from_secs(500), Named::ByServer, Instant::now(), "rate limit");
    let paced = limits("concurrency: 2, rpm: 1");
    drop(paced.admit(1, &Stop::default()).await.unwrap());
    let full = limits("concurrency: 1");
    let _place = full.admit(1, &Stop::default()).await.unwrap();
    let learned = limits("concurrency: 1");
    learned.learn(
        &Rates { requests: Some(Left { remaining: 0, reset: Duration::from_secs(99) }), tokens: None },
        0,
    );
    for limits in [&paused, &paced, &full, &learned] {
        let stop = Stop::default();
        let began = Instant::now();
        let drain = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stop.drain_because(Error::new(Kind::Interrupted, "interrupted"));
        };
        let (admitted, ()) = tokio::join!(limits.admit(1, &stop), drain);
        assert_eq!(admitted.err().map(|error| error.kind()), Some(Kind::Interrupted));
        assert!(began.elapsed() < Duration::from_millis(80));
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_wait_in_order() {
    let limits = std::sync::Arc::new(limits("concurrency: 100000, rpm: 60000"));
    let order = std::sync::Arc::new(Mutex::new(Vec::new()));
    let mut all = tokio::task::JoinSet::new();
    for number in 0..10_000 {
        let (limits, order) = (limits.clone(), order.clone());
        all.spawn(async move {
            drop(limits.admit(1, &Stop::default()).await.unwrap());
            order.lock().unwrap().push(number);
        });
    }
    while all.join_next().await.is_some() {}
    let order = order.lock().unwrap();
    assert!(order.len() == 10_000 && order.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn what_everybody_waits_for_can_be_told() {
    let limits = limits("concurrency: 4");
    assert!(limits.waiting().is_none());
    let none_left = |seconds| Rates {
        requests: Some(Left { remaining: 0, reset: Duration::from_secs_f64(seconds) }),
        tokens: None,
    };
    limits.learn(&none_left(0.5), 0);
    assert!(limits.waiting().is_none(), "too short to tell");
    limits.learn(&none_left(20.0), 0);
    let (until, reason) = limits.waiting().unwrap();
    assert!(about(until - Instant::now(), 20.0));
    assert_eq!(reason, "the server's limit is used up");
    limits.pause(Duration::from_secs(50), Named::ByServer, Instant::now(), "rate limit");
    assert_eq!(limits.waiting().unwrap().1, "rate limit");
}
