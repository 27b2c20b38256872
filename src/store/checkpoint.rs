//! A checkpoint: one JSON object a line, the last one of an id wins. In memory are only the ids and
//! where their records stand.

use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::append::Appender;
use super::lines::{self, Head, Tail};
use super::lock::Lock;
use super::{Project, atomic, mend, paths};
use crate::base::{Error, Kind, Result};

/// What a checkpoint is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To work on it: locked, its torn tail mended, open for appending.
    Run,
    /// To look at it: nothing on disk changes, a torn tail is passed over.
    Read,
}

/// What is known of an id without reading its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The record's `_version`.
    pub version: Option<Box<str>>,
    /// Whether the record is complete (its `complete` is not false).
    pub complete: bool,
    offset: u64,
    length: u32,
}

type Index = IndexMap<Box<str>, Entry>;

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
        self.read_index(|index| index.get(id).cloned())
    }

    /// The ids, in the order of their first records.
    pub fn ids(&self) -> Vec<String> {
        self.read_index(|index| index.keys().map(|id| id.to_string()).collect())
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
        self.entry(id).map(|entry| self.read_record(id, &entry)).transpose()
    }

    /// Calls `each` with every id's last record, in the order of the ids' first records, one in memory at a time.
    pub fn for_each_record(&self, mut each: impl FnMut(&str, Value) -> Result<()>) -> Result<()> {
        for position in 0.. {
            let next = self
                .read_index(|index| index.get_index(position).map(|(id, entry)| (id.clone(), entry.clone())));
            let Some((id, entry)) = next else { break };
            each(&id, self.read_record(&id, &entry)?)?;
        }
        Ok(())
    }

    /// Appends a record (it needs a string `id`); it is on disk when this returns.
    pub fn append(&self, record: &Map<String, Value>) -> Result<()> {
        let head = head_of(record)?;
        let writer = self
            .writer
            .as_ref()
            .ok_or_else(|| Error::new(Kind::Internal, format!("{} was opened only to be read", self.path)))?;
        let line = serde_json::to_vec(record).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
        let length = u32::try_from(line.len())
            .map_err(|_| Error::new(Kind::Limit, "a record is longer than 4 GiB"))?;
        let offset = writer.append(&line)?;
        insert(&mut self.index.write().unwrap_or_else(PoisonError::into_inner), head, offset, length);
        Ok(())
    }

    /// Forgets the records of all other ids, as long as it is open. The file keeps them.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.index.write().unwrap_or_else(PoisonError::into_inner).retain(|id, _| keep(id));
    }

    fn read_index<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn read_record(&self, id: &str, entry: &Entry) -> Result<Value> {
        let mut line = vec![0; entry.length as usize];
        if let Some(file) = &self.file {
            file.read_exact_at(&mut line, entry.offset)
                .map_err(|e| Error::io(Kind::Data, "read", &self.path, &e))?;
        }
        serde_json::from_slice(&line).map_err(|e| {
            Error::new(Kind::Data, format!("the record of `{id}` in {} cannot be read: {e}", self.path))
                .hint("the file was changed by something else, or the line is damaged: restore it, or delete the line")
        })
    }
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
    if !index.is_empty() {
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

fn load(shown: &str, file: &File) -> Result<(Index, Option<Tail>)> {
    let mut index = Index::default();
    let reader = BufReader::with_capacity(1 << 18, file);
    let tail = lines::scan(shown, reader, |head, offset, length| insert(&mut index, head, offset, length))?;
    Ok((index, tail))
}

/// The record that stands last in the file wins, in whatever order threads come back from the disk.
fn insert(index: &mut Index, head: Head, offset: u64, length: u32) {
    let entry = Entry { version: head.version.map(Box::from), complete: head.complete, offset, length };
    match index.entry(head.id.into_boxed_str()) {
        indexmap::map::Entry::Occupied(mut old) if old.get().offset < offset => *old.get_mut() = entry,
        indexmap::map::Entry::Occupied(_) => {}
        indexmap::map::Entry::Vacant(free) => {
            free.insert(entry);
        }
    }
}

fn head_of(record: &Map<String, Value>) -> Result<Head> {
    let Some(Value::String(id)) = record.get("id") else {
        return Err(Error::new(Kind::Argument, "a record needs an `id` that is a string"));
    };
    let version = record.get("_version").and_then(Value::as_str).map(str::to_string);
    Ok(Head { id: id.clone(), version, complete: record.get("complete") != Some(&Value::Bool(false)) })
}
