//! Tests of the ledger: what counts again and what does not, who may write, and what cannot be opened.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::store::Project;

struct Home {
    dir: tempfile::TempDir,
    project: Arc<Project>,
    failures: Arc<AtomicUsize>,
}

impl Home {
    fn new() -> Home {
        let dir = tempfile::TempDir::new().unwrap();
        let project = Arc::new(Project::open(dir.path()).unwrap());
        Home { dir, project, failures: Arc::default() }
    }

    fn ledger(&self) -> SqliteLedger {
        let failures = self.failures.clone();
        let note = move |_| {
            failures.fetch_add(1, Ordering::SeqCst);
        };
        SqliteLedger::of(self.project.clone(), "test", Arc::new(note))
    }

    fn sql(&self, batch: &str) {
        let connection = rusqlite::Connection::open(self.dir.path().join(PATH)).unwrap();
        connection.execute_batch(batch).unwrap();
    }
}

fn key(item: &str) -> ItemKey {
    ItemKey { job: "data/c.jsonl".into(), item: item.into() }
}

fn reply(item: &str, n: u32, outcome: &str, repairs: Option<i64>) -> Entry {
    let place = Place { branch: "1/0".into(), request: [7; 16], n };
    let reply = KeptReply {
        backend: "gpt".into(),
        outcome: outcome.into(),
        content: Some(format!("{item} {n} {outcome}")),
        input_tokens: 10,
        output_tokens: 5,
        usd: Some(0.25),
        repairs,
        ..KeptReply::default()
    };
    Entry::Reply { place: Some((key(item), place)), reply: Box::new(reply) }
}

fn end(item: &str, ending: Ending) -> Entry {
    Entry::End { item: key(item), ending }
}

/// What would be given again: the texts.
fn texts(ledger: &SqliteLedger, item: &str) -> Vec<String> {
    let past = ledger.past(&key(item)).unwrap();
    past.replies.into_iter().map(|(_, _, reply)| reply.content.unwrap()).collect()
}

#[test]
fn a_reply_is_found_again_as_it_was() {
    let home = Home::new();
    let ledger = home.ledger();
    assert_eq!(ledger.past(&key("a")).unwrap(), Past::default());
    assert!(!home.dir.path().join(PATH).exists(), "who only reads makes no file");
    let row = write_now(&ledger, reply("a", 0, OK, None)).unwrap();
    write_now(&ledger, Entry::Time { item: key("a"), branch: "".into(), n: 0, time: "now".into() }).unwrap();
    ledger.close();
    let past = home.ledger().past(&key("a")).unwrap();
    let Entry::Reply { place: Some((_, place)), reply } = reply("a", 0, OK, None) else { unreachable!() };
    assert_eq!(past.replies, [(row, place, *reply)]);
    assert_eq!(past.times, [("".to_string(), 0, "now".to_string())]);
    assert_eq!(home.ledger().past(&key("b")).unwrap(), Past::default());
}

#[test]
fn after_a_failure_only_what_is_of_use_counts() {
    let home = Home::new();
    let ledger = home.ledger();
    write_now(&ledger, reply("a", 0, OK, None)).unwrap();
    write_now(&ledger, reply("a", 1, "refusal", None)).unwrap();
    let misfit = write_now(&ledger, reply("a", 2, "schema_mismatch", None)).unwrap();
    write_now(&ledger, reply("a", 3, OK, Some(misfit))).unwrap();
    let misfit = write_now(&ledger, reply("a", 4, "invalid_json", None)).unwrap();
    write_now(&ledger, reply("a", 5, "invalid_json", Some(misfit))).unwrap();
    write_now(&ledger, reply("a", 6, LOST, None)).unwrap();
    let all = texts(&ledger, "a");
    assert_eq!(all.len(), 6, "in an item that has not ended all replies count: {all:?}");
    write_now(&ledger, end("a", Ending::Complete)).unwrap();
    assert_eq!(texts(&ledger, "a"), all);
    write_now(&ledger, end("a", Ending::Failed)).unwrap();
    assert_eq!(texts(&ledger, "a"), ["a 0 ok", "a 2 schema_mismatch", "a 3 ok"]);
    write_now(&ledger, reply("a", 1, "truncated", None)).unwrap();
    assert_eq!(texts(&ledger, "a").len(), 4, "what came after the failure counts until the next");
    write_now(&ledger, end("a", Ending::Incomplete)).unwrap();
    assert_eq!(texts(&ledger, "a").len(), 3);
}

#[test]
fn what_is_forgotten_stays_spent() {
    let home = Home::new();
    let ledger = home.ledger();
    write_now(&ledger, reply("a", 0, OK, None)).unwrap();
    write_now(&ledger, Entry::Time { item: key("a"), branch: "".into(), n: 0, time: "now".into() }).unwrap();
    write_now(&ledger, reply("b", 0, OK, None)).unwrap();
    write_now(&ledger, Entry::Forget(key("a"))).unwrap();
    assert_eq!(ledger.past(&key("a")).unwrap(), Past::default());
    assert_eq!(texts(&ledger, "b").len(), 1);
    write_now(&ledger, reply("a", 1, OK, None)).unwrap();
    assert_eq!(texts(&ledger, "a"), ["a 1 ok"]);
    let (spent, _) = home.ledger().spent_by_others(0).unwrap();
    let all = Sums { calls: 3, unknown: 0, input_tokens: 30, output_tokens: 15, usd: 0.75 };
    assert_eq!(spent["gpt"], all);
}

#[test]
fn each_command_sees_what_the_others_spend() {
    let home = Home::new();
    let (one, other) = (home.ledger(), home.ledger());
    let calls = |ledger: &SqliteLedger, since| {
        let (spent, last) = ledger.spent_by_others(since).unwrap();
        (Sums::of(spent.values()).calls, last)
    };
    assert_eq!(calls(&one, 0), (0, 0));
    write_now(&one, reply("a", 0, OK, None)).unwrap();
    write_now(&other, reply("b", 0, OK, None)).unwrap();
    write_now(&one, reply("a", 1, OK, None)).unwrap();
    assert_eq!((calls(&one, 0), calls(&other, 0)), ((1, 3), (2, 3)));
    write_now(&other, reply("b", 1, LOST, None)).unwrap();
    assert_eq!((calls(&one, 3), calls(&other, 3)), ((1, 4), (0, 4)));
}

#[test]
fn the_latest_replies_tell_how_long_the_next_will_be() {
    let home = Home::new();
    let ledger = home.ledger();
    let give = |tokens: u64, count: usize| {
        for _ in 0..count {
            let reply = KeptReply { backend: "gpt".into(), output_tokens: tokens, ..KeptReply::default() };
            ledger.write(Entry::Reply { place: None, reply: Box::new(reply) }, nobody_waits());
        }
        write_now(&ledger, Entry::Job(JobPlan::default())).unwrap();
        ledger.reply_lengths().unwrap()
    };
    give(0, 10);
    assert_eq!(give(900, 4).mean("gpt", false), None);
    assert_eq!(give(900, 96).mean("gpt", false), Some((900, 100)));
    assert_eq!(give(60, 900).mean("gpt", false), Some((144, 1000)));
    assert_eq!(give(60, 200).mean("gpt", false), Some((60, 1000)));
    assert_eq!(give(60, 1).mean("gpt", true), None);
}

#[test]
fn jobs_and_items_are_told() {
    let home = Home::new();
    let ledger = home.ledger();
    let plan = |to_do| JobPlan {
        name: "data/c.jsonl".into(),
        checkpoint: Some("data/c.jsonl".into()),
        script: "scripts/main.rhai".into(),
        settings: "-s personas=5".into(),
        total: Some(9),
        to_do,
    };
    write_now(&ledger, Entry::Job(plan(9))).unwrap();
    write_now(&ledger, reply("a", 0, OK, None)).unwrap();
    write_now(&ledger, reply("b", 0, OK, None)).unwrap();
    write_now(&ledger, end("b", Ending::Complete)).unwrap();
    write_now(&ledger, reply("c", 0, OK, None)).unwrap();
    write_now(&ledger, Entry::Forget(key("c"))).unwrap();
    write_now(&ledger, Entry::Job(plan(8))).unwrap();
    let jobs = ledger.jobs().unwrap();
    assert_eq!((jobs.len(), &jobs[0].plan), (1, &plan(8)));
    let mut seen = Vec::new();
    ledger.for_each_item("data/c.jsonl", &mut |item| seen.push((item.item, item.state, item.kept))).unwrap();
    let item = |id: &str, state: &str, kept| (id.to_string(), state.to_string(), kept);
    assert_eq!(seen, [item("a", "begun", 1), item("b", "complete", 1), item("c", "begun", 0)]);
}

#[test]
fn many_threads_of_several_commands_lose_nothing() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for command in 0..4 {
            let ledger = Arc::new(home.ledger());
            for thread in 0..8 {
                let ledger = ledger.clone();
                scope.spawn(move || {
                    for n in 0..20 {
                        write_now(&*ledger, reply(&format!("{command}-{thread}"), n, OK, None)).unwrap();
                    }
                });
            }
        }
    });
    let ledger = home.ledger();
    for item in (0..4).flat_map(|command| (0..8).map(move |thread| format!("{command}-{thread}"))) {
        let expected: Vec<String> = (0..20).map(|n| format!("{item} {n} ok")).collect();
        assert_eq!(texts(&ledger, &item), expected);
    }
    assert_eq!(home.failures.load(Ordering::SeqCst), 0);
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_is() {
    let refused = |home: &Home, words: &[&str]| {
        let before = std::fs::read(home.dir.path().join(PATH)).unwrap();
        let error = home.ledger().check().unwrap_err();
        let shown = format!("{} {}", error.message(), error.get_hint().unwrap());
        words.iter().for_each(|word| assert!(shown.contains(word), "{shown}"));
        assert!(write_now(&home.ledger(), reply("a", 0, OK, None)).is_err());
        assert_eq!(std::fs::read(home.dir.path().join(PATH)).unwrap(), before);
        assert_eq!(home.failures.load(Ordering::SeqCst), 1);
    };
    let home = Home::new();
    let ledger = home.ledger();
    write_now(&ledger, reply("a", 0, OK, None)).unwrap();
    // Its writer has the file open until then.
    ledger.close();
    home.sql("PRAGMA user_version = 7; PRAGMA journal_mode = DELETE");
    refused(&home, &["newer fthost: its version is 7, this program knows 1", "install the newer"]);
    let home = Home::new();
    std::fs::create_dir(home.dir.path().join(".fthost")).unwrap();
    home.sql("CREATE TABLE t (x)");
    refused(&home, &["no ledger of fthost", "move it away"]);
    let home = Home::new();
    std::fs::create_dir(home.dir.path().join(".fthost")).unwrap();
    std::fs::write(home.dir.path().join(PATH), "garbage ".repeat(100)).unwrap();
    refused(&home, &["is damaged", "fthost doctor"]);
}

#[test]
fn a_ledger_with_other_tables_is_told_as_such() {
    let home = Home::new();
    let ledger = home.ledger();
    write_now(&ledger, reply("a", 0, OK, None)).unwrap();
    ledger.close();
    home.sql("ALTER TABLE jobs DROP COLUMN settings");
    let error = home.ledger().jobs().unwrap_err();
    assert!(error.message().contains("other tables: no such column: settings"), "{error}");
    assert!(error.get_hint().unwrap().contains("move the file away"), "{error}");
}

#[test]
fn what_cannot_be_written_fails_once_and_for_all() {
    let home = Home::new();
    let ledger = home.ledger();
    ledger.ready().unwrap();
    write_now(&ledger, reply("a", 0, OK, None)).unwrap();
    home.sql("CREATE TRIGGER broken BEFORE INSERT ON replies BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert!(write_now(&ledger, reply("a", 1, OK, None)).is_err());
    home.sql("DROP TRIGGER broken");
    assert!(write_now(&ledger, reply("a", 2, OK, None)).is_err(), "a failure is believed");
    assert!(ledger.ready().is_err());
    assert_eq!(home.failures.load(Ordering::SeqCst), 1);
    assert_eq!(texts(&ledger, "a"), ["a 0 ok"]);
}
