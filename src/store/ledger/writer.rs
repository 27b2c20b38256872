//! The one writer of a command: a thread that takes all entries that wait, and brings them to disk in one
//! transaction, with one flush. Whoever waits for an entry is told then.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::guard::Guard;
use super::{Done, Ending, Entry, ItemKey, JobPlan, KeptReply, Place, open};
use crate::base::{Error, Kind, Result};

/// Entries of one transaction, at the most: what waits must not wait long.
const MOST: usize = 1000;

/// What is called with the first failure.
pub(super) type OnFailure = Arc<dyn Fn(Error) + Send + Sync>;

/// The handle on the thread.
pub(super) struct Writer {
    sender: Mutex<Option<Sender<(Entry, Done)>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    state: Arc<State>,
}

/// What others may know of it.
#[derive(Default)]
struct State {
    failed: OnceLock<Error>,
    /// The number of this command in the table of runs, once it has one.
    run: OnceLock<i64>,
}

impl Writer {
    /// Starts it; `command` is what the table of runs says of this command.
    pub fn start(
        connection: Connection,
        guard: Guard,
        command: &str,
        on_failure: OnFailure,
    ) -> Result<Writer> {
        let (sender, receiver) = mpsc::channel();
        let state = Arc::new(State::default());
        let scribe = Scribe {
            connection,
            _guard: guard,
            command: command.into(),
            state: state.clone(),
            on_failure,
            items: HashMap::new(),
        };
        let thread = std::thread::Builder::new().name("ledger".into()).spawn(move || scribe.work(&receiver));
        let thread = thread.map_err(|e| Error::new(Kind::Internal, format!("cannot start a thread: {e}")))?;
        Ok(Writer { sender: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)), state })
    }

    /// The first failure: after it, nothing is kept any more.
    pub fn check(&self) -> Result<()> {
        self.state.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// The number of this command in the table of runs; none before its first entry.
    pub fn run(&self) -> Option<i64> {
        self.state.run.get().copied()
    }

    /// Takes an entry.
    pub fn write(&self, entry: Entry, done: Done) {
        let returned = match &*self.sender.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(sender) => sender.send((entry, done)).map_err(|returned| returned.0.1).err(),
            None => Some(done),
        };
        if let Some(done) = returned {
            // Closed, or its thread has died: nothing is kept any more.
            let closed =
                Error::new(Kind::Disk, "the ledger is closed").hint("run again: what was saved is kept");
            let _ = self.state.failed.set(closed);
            done(self.check().map(|()| 0));
        }
    }

    /// Ends it when all is written.
    pub fn close(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

/// What the thread holds.
struct Scribe {
    connection: Connection,
    /// Given back after the connection is closed.
    _guard: Guard,
    command: String,
    state: Arc<State>,
    on_failure: OnFailure,
    /// The rows of items in work.
    items: HashMap<ItemKey, i64>,
}

impl Scribe {
    fn work(mut self, receiver: &Receiver<(Entry, Done)>) {
        while let Ok(first) = receiver.recv() {
            let batch: Vec<_> = std::iter::once(first).chain(receiver.try_iter()).take(MOST).collect();
            let (entries, waiting): (Vec<Entry>, Vec<Done>) = batch.into_iter().unzip();
            let rows = self.keep(&entries);
            for (place, done) in waiting.into_iter().enumerate() {
                done(rows.as_ref().map(|rows| rows[place]).map_err(Error::clone));
            }
        }
    }

    /// Brings entries to disk. After the first failure nothing is tried again: a flush that failed once must
    /// not be believed later.
    fn keep(&mut self, entries: &[Entry]) -> Result<Vec<i64>> {
        if let Some(error) = self.state.failed.get() {
            return Err(error.clone());
        }
        self.transact(entries).map_err(|error| {
            let error = open::stopping(open::failed("write", &error));
            let _ = self.state.failed.set(error.clone());
            (self.on_failure)(error.clone());
            error
        })
    }

    fn transact(&mut self, entries: &[Entry]) -> rusqlite::Result<Vec<i64>> {
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let run = match self.state.run.get() {
            Some(run) => *run,
            None => insert_run(&change, &self.command)?,
        };
        let mut page = Page { change: &change, run, items: &mut self.items };
        let rows = entries.iter().map(|entry| page.keep(entry)).collect::<rusqlite::Result<Vec<i64>>>()?;
        // Before others can see its rows: they are told apart by it.
        let _ = self.state.run.set(run);
        change.commit()?;
        Ok(rows)
    }
}

/// One transaction.
struct Page<'a> {
    change: &'a Transaction<'a>,
    run: i64,
    items: &'a mut HashMap<ItemKey, i64>,
}

impl Page<'_> {
    fn keep(&mut self, entry: &Entry) -> rusqlite::Result<i64> {
        match entry {
            Entry::Reply { place, reply } => {
                let place = match place {
                    Some((item, place)) => Some((self.item(item)?, place)),
                    None => None,
                };
                insert_reply(self.change, self.run, place, reply)
            }
            Entry::Time { item, branch, n, time } => {
                let item = self.item(item)?;
                let sql = "INSERT OR REPLACE INTO times VALUES (?1, ?2, ?3, ?4)";
                self.change.prepare_cached(sql)?.execute(params![item, branch, n, time])?;
                Ok(item)
            }
            Entry::End { item, ending } => {
                let row = self.item(item)?;
                self.items.remove(item);
                end(self.change, row, *ending)
            }
            Entry::Forget(item) => {
                let row = self.item(item)?;
                forget(self.change, row)
            }
            Entry::Job(plan) => set_job(self.change, plan),
        }
    }

    /// The row of an item, which has begun by that.
    fn item(&mut self, key: &ItemKey) -> rusqlite::Result<i64> {
        if let Some(row) = self.items.get(key) {
            return Ok(*row);
        }
        let sql = "INSERT INTO jobs (name) VALUES (?1) ON CONFLICT DO NOTHING";
        self.change.prepare_cached(sql)?.execute([&key.job])?;
        let sql = "INSERT INTO items (job, item, state) SELECT id, ?2, 'begun' FROM jobs WHERE name = ?1 \
                   ON CONFLICT (job, item) DO UPDATE SET state = 'begun' RETURNING id";
        let row = self.change.prepare_cached(sql)?.query_row([&key.job, &key.item], |row| row.get(0))?;
        self.items.insert(key.clone(), row);
        Ok(row)
    }
}

fn insert_run(change: &Transaction, command: &str) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO runs (began, command, version) VALUES (?1, ?2, ?3)";
    change.execute(sql, params![now(), command, env!("CARGO_PKG_VERSION")])?;
    Ok(change.last_insert_rowid())
}

fn insert_reply(
    change: &Transaction,
    run: i64,
    place: Option<(i64, &Place)>,
    reply: &KeptReply,
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO replies (run, time, item, branch, request, n, repairs, backend, model, structured, \
               outcome, content, reasoning, finish_reason, input_tokens, output_tokens, cached_tokens, \
               reasoning_tokens, usd, unknown, latency_ms, attempts) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, \
               ?21, ?22)";
    let values = params![
        run,
        now(),
        place.map(|(item, _)| item),
        place.map(|(_, place)| &place.branch),
        place.map(|(_, place)| &place.request[..]),
        place.map(|(_, place)| place.n),
        reply.repairs,
        reply.backend,
        reply.model,
        reply.structured,
        reply.outcome,
        reply.content,
        reply.reasoning,
        reply.finish_reason,
        reply.input_tokens,
        reply.output_tokens,
        reply.cached_tokens,
        reply.reasoning_tokens,
        reply.usd,
        reply.unknown,
        reply.latency_ms,
        reply.attempts,
    ];
    change.prepare_cached(sql)?.insert(values)
}

/// Replies of use (`ok`, or made so by a repair) of an item that failed still count; others that came before
/// its end do not: see `read::past`.
fn end(change: &Transaction, item: i64, ending: Ending) -> rusqlite::Result<i64> {
    let sql = match ending {
        Ending::Complete => "UPDATE items SET state = ?2 WHERE id = ?1",
        _ => {
            "UPDATE items SET state = ?2, ended_after = \
             (SELECT ifnull(max(id), 0) FROM replies WHERE item = ?1) WHERE id = ?1"
        }
    };
    change.prepare_cached(sql)?.execute(params![item, ending.name()])?;
    Ok(item)
}

fn forget(change: &Transaction, item: i64) -> rusqlite::Result<i64> {
    let sql = "UPDATE items SET forgotten_up_to = (SELECT ifnull(max(id), 0) FROM replies WHERE item = ?1) \
               WHERE id = ?1";
    change.prepare_cached(sql)?.execute([item])?;
    change.prepare_cached("DELETE FROM times WHERE item = ?1")?.execute([item])?;
    Ok(item)
}

fn set_job(change: &Transaction, plan: &JobPlan) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO jobs (name, checkpoint, script, total, to_do, begun, settings) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
               ON CONFLICT (name) DO UPDATE SET checkpoint = ?2, script = ?3, total = ifnull(?4, total), to_do = ?5, begun = ?6, \
               settings = ?7 \
               RETURNING id";
    let JobPlan { name, checkpoint, script, settings, total, to_do } = plan;
    let values =
        params![name, checkpoint, script, total.map(|total| total as i64), *to_do as i64, now(), settings];
    change.prepare_cached(sql)?.query_row(values, |row| row.get(0))
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
