//! The items that failed, beside their checkpoint: why, where, and how often they were tried. They
//! are run again next time; those that then succeed leave the file.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::append::Appender;
use super::{Project, atomic, lines, mend};
use crate::base::{Error, Kind, Result};

/// A failed item.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FailedItem {
    /// The item's id.
    pub id: String,
    /// The name of the error's kind.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// Where in the script: `file:line:column`.
    pub place: Option<String>,
    /// The script's calls that led there, innermost first.
    pub trace: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The reply that could not be used.
    pub raw: Option<String>,
    /// How often it was tried, this time included.
    pub attempts: u32,
    /// Whether it failed while a complete record was being redone: that record alone would not bring it back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redo: bool,
}

impl FailedItem {
    /// The item `id` failed by `error`, in its attempt number `attempts`.
    pub fn new(id: &str, error: &Error, attempts: u32) -> FailedItem {
        FailedItem {
            id: id.into(),
            kind: error.kind_name().into(),
            message: error.message().into(),
            place: error.place().map(ToString::to_string),
            trace: error
                .get_trace()
                .iter()
                .map(|frame| format!("{} at {}", frame.function, frame.place))
                .collect(),
            hint: error.get_hint().map(str::to_string),
            raw: error.get_raw().map(str::to_string),
            attempts,
            redo: false,
        }
    }
}

/// The failed file of a checkpoint. It comes into being with the first failure.
pub struct FailedFile {
    path: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    items: BTreeMap<String, FailedItem>,
    writer: Option<Arc<Appender>>,
    /// Whether a killed run left half a line at the end.
    torn: bool,
}

/// `<checkpoint stem>.failed.jsonl`, beside the checkpoint.
pub fn path_of(checkpoint: &str) -> String {
    let stem = checkpoint.strip_suffix(".jsonl").unwrap_or(checkpoint);
    format!("{stem}.failed.jsonl")
}

impl FailedFile {
    /// Loads the failures that earlier runs left for `checkpoint`. Changes nothing on disk.
    pub fn open(project: &Project, checkpoint: &str) -> Result<FailedFile> {
        let path = path_of(checkpoint);
        let mut state = State::default();
        match project.open_read(&path) {
            Ok(file) => state.torn = load(&path, file, &mut state.items)?,
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(FailedFile { path, state: Mutex::new(state) })
    }

    /// The failures, by id.
    pub fn items(&self) -> Vec<FailedItem> {
        self.lock().items.values().cloned().collect()
    }

    /// How often `id` failed until now.
    pub fn attempts(&self, id: &str) -> u32 {
        self.lock().items.get(id).map_or(0, |item| item.attempts)
    }

    /// Notes a failure; it is on disk when this returns.
    pub fn append(&self, project: &Project, item: FailedItem) -> Result<()> {
        let line = serde_json::to_vec(&item).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
        let writer = self.writer(project)?;
        writer.append(&line)?;
        self.lock().items.insert(item.id.clone(), item);
        Ok(())
    }

    /// Whether `id` failed when it was to be redone, and so is to be run although its old record is complete.
    pub fn wants_redo(&self, id: &str) -> bool {
        self.lock().items.get(id).is_some_and(|item| item.redo)
    }

    /// Notes that `id` is done now; [`settle`](Self::settle) brings it to disk.
    pub fn forget(&self, id: &str) {
        self.lock().items.remove(id);
    }

    /// Clears failures: the next run begins these items as if they had never failed. One that is to be redone
    /// stays listed, or its old record would count again.
    pub fn clear(&self, project: &Project, ids: impl IntoIterator<Item = String>) -> Result<()> {
        let mut state = self.lock();
        for id in ids {
            match state.items.get_mut(&id) {
                Some(item) if item.redo => item.attempts = 0,
                _ => drop(state.items.remove(&id)),
            }
        }
        drop(state);
        self.settle(project, |_| true)
    }

    /// At the end of a run: keeps only the items that `still_failing` says of and those to be redone, and
    /// removes an empty file.
    pub fn settle(&self, project: &Project, still_failing: impl Fn(&str) -> bool) -> Result<()> {
        if self.lock().torn {
            // What is rewritten now would lose it.
            self.writer(project)?;
        }
        let mut state = self.lock();
        state.items.retain(|id, item| item.redo || still_failing(id));
        state.writer = None;
        if state.items.is_empty() {
            return project.remove(&self.path);
        }
        project.replace(&project.ensure_writable(&self.path)?, &whole_text(&state.items)?)
    }

    fn writer(&self, project: &Project) -> Result<Arc<Appender>> {
        let mut state = self.lock();
        if let Some(writer) = &state.writer {
            return Ok(writer.clone());
        }
        let (real, file) = project.open_append(&self.path)?;
        let file = file.into_std();
        if let Some(tail) = lines::scan(&self.path, BufReader::new(&file), |_| Ok(()))? {
            mend::mend(project, &real, &file, &tail)?;
        }
        let length = file.metadata().map_err(|e| atomic::disk_error("open", &real, &e))?.len();
        state.torn = false;
        let writer = Arc::new(Appender::new(&real, Box::new(file), length));
        state.writer = Some(writer.clone());
        Ok(writer)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the items; says whether half a line stands at the end.
fn load(path: &str, file: cap_std::fs::File, items: &mut BTreeMap<String, FailedItem>) -> Result<bool> {
    let tail = lines::scan(path, BufReader::new(file), |line| {
        let mut json = serde_json::Deserializer::from_slice(line.bytes);
        let item: FailedItem = serde_path_to_error::deserialize(&mut json)
            .map_err(|e| format!("its `{}` is not one of a failed item", e.path()))?;
        items.insert(item.id.clone(), item);
        Ok(())
    })?;
    Ok(tail.is_some_and(|tail| !tail.whole))
}

fn whole_text(items: &BTreeMap<String, FailedItem>) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for item in items.values() {
        serde_json::to_writer(&mut text, item).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
        text.push(b'\n');
    }
    Ok(text)
}
