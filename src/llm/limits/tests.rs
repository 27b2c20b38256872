//! Tests of the limits together, in tokio's own time.

use super::*;
use crate::base::Kind;

fn limits(more: &str) -> Limits {
    let text = format!("backends:\n  b: {{kind: openai-chat, model: m, {more}}}\n");
    let config = crate::base::config::Config::parse("c", &text).unwrap().backends.remove("b").unwrap();
    Limits::new(&config, Duration::from_secs(600))
}

/// A place, and the turn to send so many tokens.
async fn admit<'a>(limits: &'a Limits, tokens: u64, stop: &Stop) -> Result<Permit<'a>, Error> {
    let mut permit = limits.enter(stop).await?;
    limits.turn(&mut permit, || tokens, stop).await?;
    Ok(permit)
}

/// A request that is on the wire.
async fn sent(limits: &Limits) -> Permit<'_> {
    admit(limits, 10, &Stop::default()).await.unwrap()
}

/// How long it takes until a request is sent.
async fn wait(limits: &Limits) -> Duration {
    let began = Instant::now();
    drop(sent(limits).await);
    began.elapsed()
}

/// A pause of so many seconds, after a request.
fn pause(limits: &Limits, permit: &Permit<'_>, seconds: u64, named: Named) -> bool {
    let rest = Rest { wait: Duration::from_secs(seconds), named, reason: "rate limit" };
    limits.pause(permit, &rest)
}

fn about(time: Duration, seconds: f64) -> bool {
    (time.as_secs_f64() - seconds).abs() < 0.2
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everybody() {
    let limits = limits("concurrency: 4");
    let permit = sent(&limits).await;
    assert!(pause(&limits, &permit, 5, Named::ByServer));
    assert_eq!(limits.paused().unwrap().1, "rate limit");
    let waits = tokio::join!(wait(&limits), wait(&limits));
    assert!(about(waits.0, 5.0) && about(waits.1, 5.0), "{waits:?}");
    assert!(limits.paused().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_burst_pauses_once_and_a_named_time_is_a_floor() {
    let limits = limits("concurrency: 4");
    let first = sent(&limits).await;
    tokio::time::advance(Duration::from_millis(100)).await;
    assert!(pause(&limits, &first, 2, Named::ByNobody));
    assert!(!pause(&limits, &first, 50, Named::ByNobody), "it was sent before the pause began");
    assert!(about(wait(&limits).await, 2.0));
    let later = sent(&limits).await;
    tokio::time::advance(Duration::from_millis(100)).await;
    assert!(!pause(&limits, &first, 50, Named::ByNobody), "still of the first burst");
    assert!(pause(&limits, &later, 3, Named::ByNobody), "a new burst");
    assert!(pause(&limits, &first, 9, Named::ByServer));
    assert!(about(wait(&limits).await, 9.0));
}

#[tokio::test(start_paused = true)]
async fn what_has_a_place_waits_for_the_end_of_a_pause_too() {
    let limits = limits("concurrency: 4");
    let first = sent(&limits).await;
    let mut permit = limits.enter(&Stop::default()).await.unwrap();
    pause(&limits, &first, 5, Named::ByServer);
    let began = Instant::now();
    limits.turn(&mut permit, || 10, &Stop::default()).await.unwrap();
    assert!(about(began.elapsed(), 5.0));
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_rate_limits_cuts_once() {
    let limits = limits("concurrency: 8");
    let rest = Rest { wait: Duration::from_secs(1), named: Named::ByServer, reason: "rate limit" };
    let (first, second) = (sent(&limits).await, sent(&limits).await);
    let mut waiting = limits.enter(&Stop::default()).await.unwrap();
    let news = [&first, &second].map(|permit| limits.turned_away(permit, &rest));
    assert_eq!(news, [true, false]);
    assert_eq!(limits.concurrency(), 6);
    limits.turn(&mut waiting, || 10, &Stop::default()).await.unwrap();
    limits.turned_away(&waiting, &rest);
    assert_eq!(limits.concurrency(), 4, "it had its place before, but was sent after");
}

fn left(remaining: u64) -> Option<Left> {
    Some(Left { remaining, reset: Duration::from_secs(20) })
}

#[tokio::test(start_paused = true)]
async fn what_the_server_has_left_is_not_exceeded() {
    let limits = limits("concurrency: 4");
    let (told, _later) = (sent(&limits).await, sent(&limits).await);
    tokio::time::advance(Duration::from_secs(5)).await;
    limits.learn(&told, &Rates { requests: left(3), tokens: None });
    let waits = [wait(&limits).await, wait(&limits).await];
    assert!(waits.iter().all(|wait| about(*wait, 0.0)), "three are left, one was sent since: {waits:?}");
    assert!(about(wait(&limits).await, 15.0), "from the request on, not from its answer");
    let waits = [wait(&limits).await, wait(&limits).await];
    assert!(waits.iter().all(|wait| about(*wait, 0.0)), "as many as ever: {waits:?}");
    assert!(about(wait(&limits).await, 20.0));
    assert!(about(wait(&limits).await, 0.0), "nothing more was said: nothing is known");
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_later_request_counts() {
    let limits = limits("concurrency: 4");
    let first = sent(&limits).await;
    tokio::time::advance(Duration::from_millis(100)).await;
    let (second, third) = (sent(&limits).await, sent(&limits).await);
    limits.learn(&third, &Rates { requests: left(9), tokens: left(15) });
    limits.learn(&second, &Rates { requests: left(2), tokens: None });
    limits.learn(&first, &Rates { requests: left(0), tokens: left(0) });
    assert!(about(wait(&limits).await, 0.0), "of two that were sent together the least holds: one is left");
    assert!(about(wait(&limits).await, 20.0));
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_is_too_far_is_not_waited_for() {
    let limits = limits("concurrency: 4");
    let permit = sent(&limits).await;
    let day = Left { remaining: 0, reset: Duration::from_secs(86_400) };
    limits.learn(&permit, &Rates { requests: Some(day), tokens: None });
    assert!(about(wait(&limits).await, 600.0));
}

#[tokio::test(start_paused = true)]
async fn tokens_are_booked_by_estimate_and_given_back() {
    let limits = limits("concurrency: 4, tpm: 600");
    let permit = admit(&limits, 600, &Stop::default()).await.unwrap();
    limits.succeeded(&permit, 30);
    drop(permit);
    assert!(wait(&limits).await < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn every_wait_ends_when_the_run_drains() {
    let paused = limits("concurrency: 1");
    pause(&paused, &sent(&paused).await, 500, Named::ByServer);
    let paced = limits("concurrency: 2, rpm: 1");
    drop(sent(&paced).await);
    let full = limits("concurrency: 1");
    let _place = sent(&full).await;
    let learned = limits("concurrency: 1");
    learned.learn(&sent(&learned).await, &Rates { requests: left(0), tokens: None });
    for limits in [&paused, &paced, &full, &learned] {
        let stop = Stop::default();
        let began = Instant::now();
        let drain = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stop.drain_because(Error::new(Kind::Interrupted, "interrupted"));
        };
        let (admitted, ()) = tokio::join!(admit(limits, 1, &stop), drain);
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
            drop(sent(&limits).await);
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
    let permit = sent(&limits).await;
    limits.learn(&permit, &none_left(0.5));
    assert!(limits.waiting().is_none(), "too short to tell");
    limits.learn(&permit, &none_left(20.0));
    let (until, reason) = limits.waiting().unwrap();
    assert!(about(until - Instant::now(), 20.0));
    assert_eq!(reason, "the server's limit is used up");
    let rest = Rest { wait: Duration::from_secs(50), named: Named::ByServer, reason: "rate limit" };
    limits.pause(&permit, &rest);
    assert_eq!(limits.waiting().unwrap().1, "rate limit");
}
