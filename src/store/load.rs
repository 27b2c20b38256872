//! Reads a checkpoint's records into its index: of a large one, a second thread reads while this one takes in what was
//! read.

use std::fs::File;
use std::io::BufReader;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, ScopedJoinHandle, scope};

use super::index::{Entry, Index};
use super::lines::{self, Tail};
use crate::base::{Error, Kind, Result};

/// How much is read at once.
pub(super) const BLOCK: usize = 1 << 18;

/// Bytes of a file that are worth a thread.
const LARGE: u64 = 1 << 20;

/// Records that are handed over at once, ...
const BATCH: usize = 1_000;

/// ... and batches that may wait.
const WAITING: usize = 4;

/// What stands in a file, and after its last line break. `shown` names it in errors.
pub(super) fn load(shown: &str, file: &File) -> Result<(Index, Option<Tail>)> {
    let large = file.metadata().is_ok_and(|meta| meta.len() >= LARGE);
    let on_two = if large { load_on_two(shown, file) } else { None };
    on_two.unwrap_or_else(|| {
        let mut index = Index::default();
        let tail = read(shown, file, |id, entry| index.insert(id, entry))?;
        Ok((index, tail))
    })
}

/// None: there is no thread to be had.
fn load_on_two(shown: &str, file: &File) -> Option<Result<(Index, Option<Tail>)>> {
    let (sender, batches) = sync_channel(WAITING);
    scope(|scope| {
        let reader = Builder::new().name("reader".into());
        let reading = reader.spawn_scoped(scope, move || read_in_batches(shown, file, &sender)).ok()?;
        let mut index = Index::default();
        let taken = batches.iter().try_for_each(|batch| batch.insert_into(&mut index));
        // It would wait for ever for a place.
        drop(batches);
        let tail = joined(reading);
        let taken = taken.map_err(|what| Error::new(Kind::Data, format!("{shown} cannot be read: {what}")));
        Some(taken.and_then(|()| Ok((index, tail?))))
    })
}

fn joined<T>(thread: ScopedJoinHandle<Result<T>>) -> Result<T> {
    thread
        .join()
        .unwrap_or_else(|_| Err(Error::new(Kind::Internal, "the thread that reads ended unexpectedly")))
}

/// Calls `each` with every record's id and what else decides.
fn read(
    shown: &str,
    file: &File,
    mut each: impl FnMut(&str, Entry) -> Result<(), String>,
) -> Result<Option<Tail>> {
    lines::scan(shown, BufReader::with_capacity(BLOCK, file), |line| {
        let (head, offset, length) = (line.head, line.offset, length_of(line.bytes)?);
        each(&head.id, Entry { version: head.version, complete: head.complete, offset, length })
    })
}

/// The length of a line, as the index keeps it.
pub(super) fn length_of(line: &[u8]) -> Result<u32, String> {
    u32::try_from(line.len()).map_err(|_| "it is longer than 4 GiB".into())
}

fn read_in_batches(shown: &str, file: &File, sender: &SyncSender<Batch>) -> Result<Option<Tail>> {
    let mut batch = Batch::default();
    let tail = read(shown, file, |id, entry| {
        batch.push(id, entry);
        if batch.entries.len() < BATCH {
            return Ok(());
        }
        // Whoever takes them in has failed, and says why.
        sender.send(std::mem::take(&mut batch)).map_err(|_| "its index is full".into())
    })?;
    // Likewise.
    let _ = sender.send(batch);
    Ok(tail)
}

/// Records on their way into the index.
#[derive(Default)]
struct Batch {
    /// The ids, one behind the other.
    ids: String,
    /// Where each id ends, and what belongs to it.
    entries: Vec<(usize, Entry)>,
}

impl Batch {
    fn push(&mut self, id: &str, entry: Entry) {
        self.ids.push_str(id);
        self.entries.push((self.ids.len(), entry));
    }

    fn insert_into(&self, index: &mut Index) -> Result<(), String> {
        let mut from = 0;
        for &(end, entry) in &self.entries {
            index.insert(&self.ids[from..end], entry)?;
            from = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(text: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        file
    }

    fn records(count: usize) -> String {
        (0..count).map(|n| format!("{{\"id\":\"p{}\",\"complete\":{}}}\n", n % 30_000, n % 2 == 0)).collect()
    }

    #[test]
    fn two_threads_read_what_one_reads() {
        let text = records(40_000) + "{\"id\":\"torn";
        assert!(text.len() as u64 > LARGE);
        let (index, tail) = load("c.jsonl", &file(&text)).unwrap();
        let mut alone = Index::default();
        let tail_alone = read("c.jsonl", &file(&text), |id, entry| alone.insert(id, entry)).unwrap();
        assert!(index.iter().eq(alone.iter()) && index.len() == 30_000);
        assert_eq!((tail.is_some(), tail), (true, tail_alone));
    }

    #[test]
    fn damage_is_told_with_its_line_on_two_threads_too() {
        let text = format!("{0}{{\"id\":7}}\n{0}", records(40_000));
        let error = load("c.jsonl", &file(&text)).err().unwrap();
        assert_eq!(error.place().unwrap().line, 40_001);
    }
}
