//! Tests of the purse: many at once, and what is written down.

use super::*;
use crate::base::Kind;
use crate::llm::purse::Bill;
use crate::llm::{Request, Usage};
use crate::store::Project;
use crate::store::ledger::SqliteLedger;

const PRICE: Price = Price { input: 1.0, output: 10.0 };

struct Till {
    _dir: tempfile::TempDir,
    project: Arc<Project>,
    budget: Budget,
}

fn till(command: Caps, project: Caps) -> Till {
    let dir = tempfile::TempDir::new().unwrap();
    let files = Arc::new(Project::open(dir.path()).unwrap());
    let budget = Budget::new(ledger(&files), command, project);
    Till { _dir: dir, project: files, budget }
}

fn ledger(project: &Arc<Project>) -> Arc<dyn Ledger> {
    Arc::new(SqliteLedger::of(project.clone(), "test", Arc::new(|_| {})))
}

/// A request that comes to $0.0105 at the most: 500 bytes of prompt (with what is added), 1000 tokens of reply.
fn request() -> Request {
    let mut request = Request::of("x".repeat(420));
    request.params.max_tokens = Some(1000);
    request
}

fn usd(cap: f64) -> Caps {
    Caps { usd: Some(cap), calls: None }
}

async fn reserve(budget: &Budget, request: &Request) -> Result<Box<dyn Reservation>> {
    budget.reserve(Payment { backend: "b", request, price: Some(PRICE) }).await
}

fn served(output_tokens: u64) -> Bill {
    let usage = Usage { input_tokens: 100, output_tokens, ..Usage::default() };
    Bill::Served { usage, usd: Some(PRICE.of(100, output_tokens)) }
}

#[tokio::test(start_paused = true)]
async fn many_at_once_never_exceed_the_cap_and_leave_little_of_it() {
    for calls_cap in [None, Some(60)] {
        let till = till(Caps { usd: Some(0.3), calls: calls_cap }, Caps::default());
        let mut all = tokio::task::JoinSet::new();
        for number in 0..64 {
            let budget = till.budget.clone();
            all.spawn(async move {
                for round in 0u64.. {
                    let Ok(held) = reserve(&budget, &request()).await else { return };
                    tokio::time::sleep(std::time::Duration::from_millis(10 + (number * 7 + round) % 5)).await;
                    match round % 7 {
                        3 => held.failed(Bill::Nothing),
                        _ => drop(held.replied(served(100 + 50 * (number % 3)))),
                    }
                }
            });
        }
        while all.join_next().await.is_some() {}
        let spent = till.budget.spent();
        match calls_cap {
            Some(cap) => assert_eq!(spent.calls, cap),
            None => assert!(spent.usd <= 0.3 + 1e-9 && spent.usd > 0.3 - 0.0105, "{spent:?}"),
        }
    }
}

#[tokio::test]
async fn a_cap_that_is_reached_says_so() {
    let till = till(usd(0.02), Caps::default());
    let first = reserve(&till.budget, &request()).await.unwrap();
    assert_eq!(first.replied(served(990)).usage.output_tokens, 990);
    let error = reserve(&till.budget, &request()).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Budget);
    assert_eq!(
        error.message(),
        "--max-usd $0.02 has no room for another call: $0.01 spent, and one to `b` may cost $0.0102"
    );
    assert_eq!(till.budget.caps().unwrap()[0].line(), "$0.01 of $0.02 (--max-usd)");
}

#[tokio::test]
async fn what_nobody_knows_counts_at_its_worst() {
    let till = till(usd(0.02), Caps::default());
    drop(reserve(&till.budget, &request()).await.unwrap());
    assert!(reserve(&till.budget, &request()).await.is_err());
    let spent = till.budget.spent();
    assert_eq!((spent.calls, spent.unknown, dollars(spent.usd).as_str()), (1, 1, "$0.0105"));
    assert!(till.budget.caps().unwrap()[0].line().ends_with("; unknown bills, taken at their worst case: 1"));
}

#[tokio::test]
async fn the_project_s_cap_counts_other_commands() {
    let till = till(Caps::default(), Caps { usd: None, calls: Some(3) });
    let others = ledger(&till.project);
    let other = Budget::new(others.clone(), Caps::default(), Caps::default());
    for budget in [&other, &till.budget, &other] {
        reserve(budget, &request()).await.unwrap().failed(served(10));
    }
    others.close();
    let error = reserve(&till.budget, &request()).await.err().unwrap();
    assert_eq!(error.message(), "budget.calls is used up: 3 calls made");
    assert!(error.get_hint().unwrap().contains("raise budget.calls in config/fthost.yaml"));
}

#[tokio::test]
async fn a_cap_in_dollars_needs_a_price_and_a_limit() {
    let till = till(usd(1.0), Caps::default());
    let open = Request::of("x");
    for (request, price, word) in [(&request(), None, "price"), (&open, Some(PRICE), "max_tokens")] {
        let error = till.budget.reserve(Payment { backend: "b", request, price }).await.err().unwrap();
        assert!(error.kind() == Kind::Config && error.get_hint().unwrap().contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_lets_nothing_through() {
    let till = till(Caps::default(), Caps::default());
    std::fs::write(till.project.root().join(".fthost"), "in the way").unwrap();
    let error = reserve(&till.budget, &request()).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Disk);
}
