//! A checkpoint: one JSON object a line, the last one of an id wins. In memory are only the ids and
//! where their records stand.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use super::append::Appender;
use super::head::{Head, json_fault};
use super::index::Index;
use super::lines;
use super::load::{BLOCK, length_of, load};
use super::lock::Lock;
use super::version::Version;
use super::{Project, atomic, mend, paths};
use crate::base::{Error, Kind, Result};

pub use super::index::Entry;

/// What a checkpoint is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To work on it: locked, its torn tail mended, open for appending.
    Run,
    /// To look at it: nothing on disk changes, a torn tail is passed over.
    Read,
}

/// An open checkpoint; see the [module](self).
pub struct Checkpoint {
    path: String,
    /// `None` when there is no file (only to be read).
    file: Option<File>,
    index: RwLock<Index>,
    writer: Option<Appender>,
    _lock: Option<Lock>,
    claimed: AtomicBool,
}

/// The right to work on a checkpoint, until it is dropped.
pub struct Claim(Arc<Checkpoint>);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.claimed.store(false, Ordering::Release);
    }
}

/// A checkpoint, and what the user should know about its opening.
pub struct Opened {
    /// The checkpoint; one run shares it however often it opens it.
    pub checkpoint: Arc<Checkpoint>,
    /// What was mended.
    pub warnings: Vec<String>,
}

impl Checkpoint {
    /// Opens the checkpoint at `path`; a missing one is empty.
    pub fn open(project: &Project, path: &str, mode: Mode) -> Result<Opened> {
        match mode {
            Mode::Read => open_to_read(project, path),
            Mode::Run => open_to_run(project, path),
        }
    }

    /// Its path below the project's root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Claims it for one job: two at once would each do every item.
    pub fn claim(self: &Arc<Self>) -> Result<Claim> {
        if self.claimed.swap(true, Ordering::AcqRel) {
            let message = format!("another `process` of this run works on {} right now", self.path);
            return Err(
                Error::new(Kind::Argument, message).hint("give each its own checkpoint, or run them in turn")
            );
        }
        Ok(Claim(self.clone()))
    }

    /// Whether the last record of `id` is complete.
    pub fn contains_complete(&self, id: &str) -> bool {
        self.read_index(|index| index.get(id).is_some_and(|entry| entry.complete))
    }

    /// What is known of `id`.
    pub fn entry(&self, id: &str) -> Option<Entry> {
        self.read_index(|index| index.get(id).copied())
    }

    /// The ids, in the order of their first records.
    pub fn ids(&self) -> Vec<String> {
        self.read_index(|index| index.iter().map(|(id, _)| id.to_string()).collect())
    }

    /// How many ids have a record.
    pub fn len(&self) -> usize {
        self.read_index(Index::len)
    }

    /// Whether no id has a record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last record of `id`.
    pub fn record(&self, id: &str) -> Result<Option<Value>> {
        self.entry(id).map(|entry| self.read(&entry)).transpose()
    }

    /// Calls `each` with every id's last record, in the order of the ids' first records, one in memory at a time.
    pub fn for_each_record(&self, mut each: impl FnMut(&str, Value) -> Result<()>) -> Result<()> {
        for position in 0.. {
            let Some((id, entry)) = self.at(position) else { break };
            each(&id, self.read(&entry)?)?;
        }
        Ok(())
    }

    /// An id by its place among the ids, in the order of their first records, and what is known of it now.
    pub fn at(&self, position: usize) -> Option<(String, Entry)> {
        self.read_index(|index| index.at(position).map(|(id, entry)| (id.to_string(), *entry)))
    }

    /// Appends a record; it is on disk when this returns. One that could not be read again is refused.
    pub fn append(&self, record: &Map<String, Value>) -> Result<()> {
        let record = Record::of(record).map_err(|what| {
            Error::new(Kind::Argument, format!("the record cannot be kept: {what}"))
                .hint("`id` is a text, `complete` is true or false, and `_version` is left to `process`")
        })?;
        self.keep(&record)
    }

    /// The same of one that is known to be good.
    pub fn keep(&self, record: &Record) -> Result<()> {
        let writer = self
            .writer
            .as_ref()
            .ok_or_else(|| Error::new(Kind::Internal, format!("{} was opened only to be read", self.path)))?;
        let too_much = |what| Error::new(Kind::Limit, format!("the record cannot be kept: {what}"));
        let length = length_of(&record.line).map_err(too_much)?;
        let offset = writer.append(&record.line)?;
        let entry = Entry { version: record.version, complete: record.complete, offset, length };
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.insert(&record.id, entry).map_err(too_much)
    }

    /// Forgets the records of all other ids, as long as it is open. The file keeps them.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.index.write().unwrap_or_else(PoisonError::into_inner).retain(keep);
    }

    fn read_index<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn line(&self, entry: &Entry) -> Result<Vec<u8>> {
        let mut line = vec![0; entry.length as usize];
        if let Some(file) = &self.file {
            file.read_exact_at(&mut line, entry.offset)
                .map_err(|e| Error::io(Kind::Data, "read", &self.path, &e))?;
        }
        Ok(line)
    }

    /// The record that an entry speaks of, also when a later one has come since.
    pub fn read(&self, entry: &Entry) -> Result<Value> {
        let line = self.line(entry)?;
        serde_json::from_slice(&line).map_err(|e| self.damaged(entry, &line, &json_fault(&e)))
    }

    /// The error of the last record of `id`, in which something is wrong that only its reader knows.
    pub fn damage(&self, id: &str, what: &str) -> Error {
        let known = self.entry(id);
        let line = known.and_then(|entry| Some((entry, self.line(&entry).ok()?)));
        match line {
            Some((entry, line)) => self.damaged(&entry, &line, what),
            None => {
                Error::new(Kind::Data, format!("the record of `{id}` in {} is damaged: {what}", self.path))
            }
        }
    }

    fn damaged(&self, entry: &Entry, line: &[u8], what: &str) -> Error {
        let before = self.file.as_ref().and_then(|file| breaks_before(file, entry.offset).ok());
        lines::damage(&self.path, before.unwrap_or(0) + 1, line, what)
    }
}

/// How many line breaks stand before a place of the file.
fn breaks_before(file: &File, offset: u64) -> std::io::Result<usize> {
    let (mut count, mut at, mut block) = (0, 0, vec![0; BLOCK]);
    while at < offset {
        let wanted = BLOCK.min(usize::try_from(offset - at).unwrap_or(BLOCK));
        file.read_exact_at(&mut block[..wanted], at)?;
        count += block[..wanted].iter().filter(|byte| **byte == b'\n').count();
        at += wanted as u64;
    }
    Ok(count)
}

fn open_to_run(project: &Project, path: &str) -> Result<Opened> {
    let real = project.ensure_writable(path)?;
    let mut held = project.held();
    if let Some(checkpoint) = held.get(&real).and_then(std::sync::Weak::upgrade) {
        return Ok(Opened { checkpoint, warnings: Vec::new() });
    }
    let lock = Lock::take(project, &real)?;
    let shown = paths::display(&real);
    let (_, file) = project.open_append(&shown)?;
    let file = file.into_std();
    let (index, tail) = load(&shown, &file)?;
    let warning = tail.map(|tail| mend::mend(project, &real, &file, &tail)).transpose()?;
    // Of a copy that is thrown away there is nothing to tell.
    let warning = warning.filter(|_| !project.has_scratch());
    if index.len() > 0 {
        // A run that was killed may have written records that it did not come to flush: now they count.
        file.sync_data().map_err(|e| atomic::disk_error("flush", &real, &e))?;
    }
    let writer = writer(&real, &file).map_err(|e| atomic::disk_error("open", &real, &e))?;
    let checkpoint = Arc::new(Checkpoint {
        path: shown,
        file: Some(file),
        index: RwLock::new(index),
        writer: Some(writer),
        _lock: Some(lock),
        claimed: AtomicBool::new(false),
    });
    held.insert(real, Arc::downgrade(&checkpoint));
    Ok(Opened { checkpoint, warnings: warning.into_iter().collect() })
}

fn writer(real: &Path, file: &File) -> std::io::Result<Appender> {
    let length = file.metadata()?.len();
    Ok(Appender::new(real, Box::new(file.try_clone()?), length))
}

fn open_to_read(project: &Project, path: &str) -> Result<Opened> {
    let (file, index) = match project.open_read(path) {
        Ok(file) => {
            let file = file.into_std();
            let (index, _) = load(path, &file)?;
            (Some(file), index)
        }
        Err(error) if error.kind() == Kind::NotFound => (None, Index::default()),
        Err(error) => return Err(error),
    };
    let checkpoint = Checkpoint {
        path: path.into(),
        file,
        index: RwLock::new(index),
        writer: None,
        _lock: None,
        claimed: AtomicBool::new(false),
    };
    Ok(Opened { checkpoint: Arc::new(checkpoint), warnings: Vec::new() })
}

/// A record as it is written, which can be read again.
pub struct Record {
    line: Vec<u8>,
    id: String,
    version: Option<Version>,
    complete: bool,
}

impl Record {
    /// That of a map; the error says what is wrong with it.
    pub fn of(record: &Map<String, Value>) -> Result<Record, String> {
        let line = serde_json::to_vec(record).map_err(|e| e.to_string())?;
        let Head { id, version, complete } = Head::parse(&line)?;
        Ok(Record { id: id.into_owned(), version, complete, line })
    }

    /// What it says.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.line).unwrap_or_default()
    }

    /// Whether it counts as done.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}
