//! The audit: what was paid for (the bill), what is on disk (ledger, checkpoints, transcripts), and whether the one
//! agrees with the other. A server with `setup::serve` is taken for granted: replies tell their question.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fault_server::{Charge, ModelServer};
use rusqlite::Connection;
use serde_json::Value;

use super::setup::{AT_ONCE, JUDGES, PRICE, Size, mark};
use crate::support::{TestProject, until};

pub const CHECKPOINTS: [&str; 2] =
    ["data/raw/generation_checkpoint.jsonl", "data/assessments/checkpoint.jsonl"];

/// What a server does so that nobody knows what it charges.
const UNCLEAR: [&str; 3] = ["reset", "half-body", "malformed"];

/// A model and the mark of what it was asked.
type Question = (String, String);

/// How often each question was asked, or answered.
type Counts = BTreeMap<Question, usize>;

/// A reply in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub id: i64,
    /// Job, item, branch, request, n.
    pub place: Option<(String, String, String, Vec<u8>, i64)>,
    pub outcome: String,
    model: String,
    content: String,
    tokens: (u64, u64),
    usd: f64,
    unknown: bool,
}

impl Row {
    fn question(&self) -> Question {
        (self.model.clone(), mark(&self.content).unwrap_or_else(|| panic!("no mark in {:?}", self.content)))
    }

    pub fn is_lost(&self) -> bool {
        self.outcome == "lost"
    }
}

/// The files of a directory, without the halves that a kill left aside: they are hidden, and no script sees them.
pub fn files(project: &TestProject, dir: &str) -> Vec<(String, Vec<u8>)> {
    let files = project.files(dir).into_iter();
    files.filter(|(path, _)| !(path.contains("/.") && path.ends_with(".tmp"))).collect()
}

/// The replies of a ledger, read from a copy: to read the ledger itself would mend it.
pub fn rows(project: &TestProject) -> Vec<Row> {
    let copy = tempfile::TempDir::new().unwrap();
    for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
        let _ = fs::copy(project.path(".fthost").join(name), copy.path().join(name));
    }
    rows_of(&copy.path().join("ledger.sqlite"))
}

/// The replies of a ledger without tables are none: that run was killed when it made them.
pub fn rows_of(path: &Path) -> Vec<Row> {
    if !path.exists() {
        return vec![];
    }
    let ledger = Connection::open(path).unwrap();
    let version: i64 = ledger.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    if version == 0 {
        return vec![];
    }
    let sql = "SELECT r.id, j.name, i.item, r.branch, r.request, r.n, r.outcome, r.model, r.content, \
               r.input_tokens, r.output_tokens, r.usd, r.unknown FROM replies r \
               LEFT JOIN items i ON i.id = r.item LEFT JOIN jobs j ON j.id = i.job ORDER BY r.id";
    let mut query = ledger.prepare(sql).unwrap();
    let row = |row: &rusqlite::Row| {
        let job: Option<String> = row.get(1)?;
        let place = job
            .map(|job| Ok::<_, rusqlite::Error>((job, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)));
        Ok(Row {
            id: row.get(0)?,
            place: place.transpose()?,
            outcome: row.get(6)?,
            model: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
            content: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
            tokens: (row.get(9)?, row.get(10)?),
            usd: row.get::<_, Option<f64>>(11)?.unwrap_or_default(),
            unknown: row.get(12)?,
        })
    };
    let rows = query.query_map([], row).unwrap();
    rows.map(Result::unwrap).collect()
}

/// What was seen so far.
pub struct Audit {
    size: Size,
    checkpoints: [String; 2],
    rows: Vec<Row>,
    bill: Vec<Charge>,
    requests: usize,
    pub kills: usize,
    /// Replies that were served and are not in the ledger, by what was asked.
    lost: Counts,
}

impl Audit {
    pub fn new(size: Size) -> Audit {
        let (checkpoints, rows, bill, requests, kills, lost) = Default::default();
        Audit { size, checkpoints, rows, bill, requests, kills, lost }
    }

    /// After a command that was killed, or has ended: nothing that was there is gone, nothing is there twice, and what
    /// is not in the ledger was on its way. Gives how many replies were.
    pub fn hold(&mut self, project: &TestProject, server: &ModelServer, killed: bool) -> usize {
        settle(server);
        self.kills += usize::from(killed);
        let (rows, bill) = (rows(project), server.bill());
        self.checkpoints(project);
        self.no_row_is_gone_or_twice(&rows);
        self.money(&rows, &bill);
        self.unknown_bills(&rows, server, killed);
        let lost = self.lost_now(&rows, &bill);
        assert!(killed || lost.is_empty(), "a run that ended by itself lost {lost:?}");
        self.nobody_has_seen(&lost, server);
        let count = lost.values().sum();
        assert!(count <= AT_ONCE * JUDGES, "{count} replies lost by one kill");
        lost.into_iter().for_each(|(asked, times)| *self.lost.entry(asked).or_default() += times);
        self.items(&rows);
        transcripts(project, &rows, &bill);
        (self.rows, self.bill) = (rows, bill);
        count
    }

    /// What stood in the checkpoints stands there still, and each id is complete once.
    fn checkpoints(&mut self, project: &TestProject) {
        for (path, before) in CHECKPOINTS.iter().zip(&mut self.checkpoints) {
            let text = fs::read_to_string(project.path(path)).unwrap_or_default();
            // Half a line at the end was never a record.
            let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
            assert!(whole.starts_with(before.as_str()), "{path} has lost records:\n{before}\n---\n{whole}");
            *before = whole.into();
            let ids = complete(whole);
            assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "twice in {path}: {ids:?}");
        }
    }

    fn no_row_is_gone_or_twice(&self, rows: &[Row]) {
        assert!(rows.starts_with(&self.rows), "the ledger has lost rows");
        let mut places = BTreeSet::new();
        for row in rows.iter().filter(|row| !row.is_lost()) {
            let place = row.place.as_ref().expect("the shipped scripts ask in items");
            assert!(places.insert(place), "twice: {row:?}");
        }
    }

    /// Each reply has its price; what nobody knows has the worst.
    fn money(&self, rows: &[Row], bill: &[Charge]) {
        let price = |(input, output): (u64, u64)| (input as f64 * PRICE.0 + output as f64 * PRICE.1) / 1e6;
        let charged: BTreeSet<(Question, u64, u64)> =
            bill.iter().map(|c| (question(c), c.input_tokens, c.output_tokens)).collect();
        for row in &rows[self.rows.len()..] {
            if row.is_lost() {
                let known = row.tokens != (0, 0);
                assert!(
                    known != row.unknown
                        && row.usd >= if known { price(row.tokens) } else { price((0, 900)) } - 1e-12,
                    "{row:?}"
                );
                continue;
            }
            assert!((row.usd - price(row.tokens)).abs() < 1e-12 && !row.unknown, "{row:?}");
            assert!(
                charged.contains(&(row.question(), row.tokens.0, row.tokens.1)),
                "not on the bill: {row:?}"
            );
        }
    }

    /// Requests that broke off, or whose reply says nothing, are in the ledger at their worst case.
    fn unknown_bills(&self, rows: &[Row], server: &ModelServer, killed: bool) {
        let arrivals = server.arrivals();
        let unclear = arrivals[self.requests..].iter().filter(|a| UNCLEAR.contains(&a.kind)).count();
        let noted = rows[self.rows.len()..].iter().filter(|row| row.is_lost()).count();
        let missing = unclear.saturating_sub(noted);
        assert!(
            missing <= if killed { AT_ONCE * JUDGES } else { 0 },
            "{missing} of {unclear} are not in the ledger"
        );
        assert!(killed || noted == unclear, "{noted} are in the ledger, {unclear} were unclear");
    }

    /// What was served since last time, and is not in the ledger.
    fn lost_now(&self, rows: &[Row], bill: &[Charge]) -> Counts {
        let mut missing = counts(bill[self.bill.len()..].iter().filter(|c| is_reply(c)).map(question));
        for row in rows[self.rows.len()..].iter().filter(|row| !row.is_lost()) {
            let served = missing.get_mut(&row.question()).filter(|times| **times > 0);
            *served.unwrap_or_else(|| panic!("not on the bill: {row:?}")) -= 1;
        }
        missing.retain(|_, times| *times > 0);
        missing
    }

    /// A reply that is not on disk was shown to no script: no later prompt has it.
    fn nobody_has_seen(&mut self, lost: &Counts, server: &ModelServer) {
        let requests = server.requests();
        for (_, mark) in lost.keys() {
            let said = format!("number {mark}.");
            let seen = requests[self.requests..].iter().any(|asked| asked.logical().text().contains(&said));
            assert!(!seen, "a script saw {mark} before it was on disk");
        }
        self.requests = requests.len();
    }

    /// A record stands only after all of its replies.
    fn items(&self, rows: &[Row]) {
        let kept = |job: &str, id: &str| {
            let own = |row: &&Row| row.place.as_ref().is_some_and(|place| place.0 == job && place.1 == id);
            rows.iter().filter(own).filter(|row| row.outcome == "ok").count()
        };
        for (path, (text, calls)) in
            CHECKPOINTS.iter().zip(self.checkpoints.iter().zip([2 * self.size.turns, JUDGES]))
        {
            for id in complete(text) {
                assert_eq!(kept(path, &id), calls, "replies of {id} in {path}");
            }
        }
    }

    /// At the end: all is done, and nothing was asked twice but what was on its way at a kill.
    pub fn end(&self, project: &TestProject) {
        for path in CHECKPOINTS {
            assert_eq!(project.ids(path).len(), self.size.personas, "{path}");
        }
        assert_eq!(files(project, "data/raw/transcripts").len(), self.size.personas);
        assert_eq!(files(project, "data/processed").len(), 3);
        let calls = self.size.personas * (2 * self.size.turns + JUDGES);
        assert_eq!(self.rows.iter().filter(|row| row.outcome == "ok").count(), calls);
        let (served, kept) = (
            counts(self.bill.iter().filter(|c| is_reply(c)).map(question)),
            counts(self.rows.iter().filter(|row| !row.is_lost()).map(Row::question)),
        );
        for (asked, times) in served {
            let lost = self.lost.get(&asked).copied().unwrap_or(0);
            assert_eq!(times, kept.get(&asked).copied().unwrap_or(0) + lost, "{asked:?}");
            assert!(lost <= self.kills, "{asked:?}");
        }
    }

    pub fn replies(&self) -> usize {
        self.rows.iter().filter(|row| !row.is_lost()).count()
    }

    /// Requests of unknown cost that are in the ledger.
    pub fn unknown(&self) -> usize {
        self.rows.iter().filter(|row| row.is_lost()).count()
    }
}

/// Whether a charge is for a reply that a client can use.
fn is_reply(charge: &Charge) -> bool {
    ["usual", "text"].contains(&charge.kind.as_str())
}

fn question(charge: &Charge) -> Question {
    (charge.model.clone(), charge.hash[..8].to_string())
}

fn counts(questions: impl Iterator<Item = Question>) -> Counts {
    questions.fold(Counts::new(), |mut counts, asked| {
        *counts.entry(asked).or_default() += 1;
        counts
    })
}

/// The ids of complete records, one for each record.
pub fn complete(text: &str) -> Vec<String> {
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|r| r["complete"] != false).map(|r| r["id"].as_str().unwrap().to_string()).collect()
}

/// What stands in a transcript is in the ledger and on the bill.
fn transcripts(project: &TestProject, rows: &[Row], bill: &[Charge]) {
    let kept: BTreeSet<&str> = rows.iter().map(|row| row.content.as_str()).collect();
    let paid: BTreeSet<String> = bill.iter().map(|charge| question(charge).1).collect();
    for (path, bytes) in files(project, "data/raw/transcripts") {
        let transcript: Value = serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
        for exchange in transcript["exchanges"].as_array().unwrap() {
            for side in ["user", "assistant"] {
                let said = exchange[side].as_str().unwrap();
                assert!(kept.contains(said) && paid.contains(&mark(said).unwrap()), "{path}: {said}");
            }
        }
    }
}

/// Waits until the server has heard of the client's end on all of its connections.
fn settle(server: &ModelServer) {
    let state = || {
        let (arrivals, bill) = (server.arrivals(), server.bill().len() + server.partials().len());
        let open = arrivals.iter().filter(|arrival| arrival.answered.is_none()).count();
        (open, arrivals.len(), bill)
    };
    let quiet = || {
        let (before, since) = (state(), Instant::now());
        while before.0 == 0 && since.elapsed() < Duration::from_millis(12) {
            std::thread::sleep(Duration::from_millis(4));
            if state() != before {
                return false;
            }
        }
        before.0 == 0
    };
    until("the server to be quiet", quiet);
}
