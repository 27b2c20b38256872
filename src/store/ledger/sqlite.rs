//! The ledger in a file: a database, opened when it is first needed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rusqlite::Connection;

use super::writer::{OnFailure, Writer};
use super::{
    Begun, Done, Entry, ItemKey, ItemState, JobState, Ledger, Past, ReplyLengths, Sums, guard, health, open,
    read,
};
use crate::base::Result;
use crate::base::latency::Latency;
use crate::store::Project;

/// The ledger of a project.
pub struct SqliteLedger {
    project: Arc<Project>,
    command: String,
    on_failure: OnFailure,
    reader: Mutex<Option<Connection>>,
    writer: OnceLock<Writer>,
    starting: Mutex<()>,
    /// Set once its whole file was looked through.
    checked: OnceLock<()>,
}

impl SqliteLedger {
    /// That of a project. `command` is what it will say of this command; `on_failure` is called when it
    /// cannot be written, or what an item was answered cannot be read.
    pub fn of(project: Arc<Project>, command: &str, on_failure: OnFailure) -> SqliteLedger {
        let (reader, writer, starting, checked) = Default::default();
        SqliteLedger { project, command: command.into(), on_failure, reader, writer, starting, checked }
    }

    /// The writer, started when it is first needed.
    fn writer(&self) -> Result<&Writer> {
        if let Some(writer) = self.writer.get() {
            return Ok(writer);
        }
        let _one = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = self.writer.get() {
            return Ok(writer);
        }
        let guard = guard::share(&self.project)?;
        // Nothing is added to what cannot be trusted, whatever the command.
        self.check()?;
        let connection = open::create(&self.project)?;
        let writer = Writer::start(connection, guard, &self.command, self.on_failure.clone())?;
        Ok(self.writer.get_or_init(|| writer))
    }

    /// Reads; what is asked of a ledger that is not there is nothing.
    fn read<T: Default>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if reader.is_none() {
            *reader = open::existing(&self.project)?;
        }
        match &*reader {
            Some(connection) => read(connection).map_err(|e| open::failed("read", &e)),
            None => Ok(T::default()),
        }
    }
}

impl Ledger for SqliteLedger {
    fn check(&self) -> Result<()> {
        if self.checked.get().is_some() {
            return Ok(());
        }
        let damage = self.read(|connection| health::damage(connection, "quick_check(1)"))?;
        damage.first().map_or(Ok(()), |what| Err(open::damaged(what)))?;
        let _ = self.checked.set(());
        Ok(())
    }

    fn ready(&self) -> Result<()> {
        self.writer()?.check()
    }

    fn write(&self, entry: Entry, done: Done) {
        match self.writer() {
            Ok(writer) => writer.write(entry, done),
            Err(error) => {
                (self.on_failure)(error.clone());
                done(Err(error));
            }
        }
    }

    fn past(&self, item: &ItemKey) -> Result<Past> {
        // Whoever asks is about to pay: not for what may be there already.
        let past = self.read(|connection| read::past(connection, item)).map_err(open::stopping);
        past.inspect_err(|error| (self.on_failure)(error.clone()))
    }

    fn spent_by_others(&self, since: i64) -> Result<(BTreeMap<String, Sums>, i64)> {
        let own = self.writer.get().and_then(Writer::run);
        let (sums, last) = self.read(|connection| read::spent(connection, own, since))?;
        Ok((sums, last.max(since)))
    }

    fn reply_lengths(&self) -> Result<ReplyLengths> {
        self.read(read::reply_lengths)
    }

    fn jobs(&self) -> Result<Vec<JobState>> {
        self.read(read::jobs)
    }

    fn latencies(&self) -> Result<BTreeMap<String, Latency>> {
        self.read(read::latencies)
    }

    fn oldest_in_work(&self, job: &str) -> Result<Option<Begun>> {
        self.read(|connection| read::oldest_in_work(connection, job))
    }

    fn for_each_item(&self, job: &str, each: &mut dyn FnMut(ItemState)) -> Result<()> {
        self.read(|connection| read::items(connection, job, each))
    }

    fn close(&self) {
        drop(self.reader.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(writer) = self.writer.get() {
            writer.close();
        }
    }
}
