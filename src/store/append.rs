//! Durable appends by many threads: a caller returns when its line is on disk. Whoever finds nobody
//! writing becomes the leader and writes the lines of all that wait, in one write and one flush.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::atomic::disk_error;
use crate::base::{Error, Kind, Result};

/// What an appender writes to: a file, or a test's double.
pub trait Sink: Send {
    /// Writes all of `bytes` at the end.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when what was written is on disk.
    fn flush(&mut self) -> io::Result<()>;
    /// Cuts off what stands after `length`.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Sink for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.sync_data()
    }
}

/// A file that is only ever appended to. Share it by reference or `Arc`.
pub struct Appender {
    path: PathBuf,
    state: Mutex<State>,
    turn: Condvar,
}

struct State {
    /// `None` while a leader writes.
    sink: Option<Box<dyn Sink>>,
    waiting: Vec<u8>,
    /// The batch that `waiting` will be.
    batch: u64,
    /// The last batch on disk.
    durable: u64,
    /// The file's length when all that was handed in is written.
    end: u64,
    /// The file's length on disk.
    good: u64,
    failed: Option<Error>,
}

impl Appender {
    /// Appends to `sink`, which is `length` bytes long; `path` is for errors.
    pub fn new(path: &Path, sink: Box<dyn Sink>, length: u64) -> Appender {
        let state = State {
            sink: Some(sink),
            waiting: Vec::new(),
            batch: 1,
            durable: 0,
            end: length,
            good: length,
            failed: None,
        };
        Appender { path: path.into(), state: Mutex::new(state), turn: Condvar::new() }
    }

    /// Appends a line (without its end) and returns its offset once it is durable. After the first
    /// failure every call fails: a flush that failed once must not be believed later.
    pub fn append(&self, line: &[u8]) -> Result<u64> {
        if line.contains(&b'\n') {
            return Err(Error::new(Kind::Internal, "a line to append holds a line break"));
        }
        let mut state = self.lock();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let offset = state.end;
        state.waiting.extend_from_slice(line);
        state.waiting.push(b'\n');
        state.end += line.len() as u64 + 1;
        self.wait_durable(state).map(|()| offset)
    }

    /// Waits for the batch that is open now; leads whenever nobody does.
    fn wait_durable<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Result<()> {
        let mine = state.batch;
        loop {
            if state.durable >= mine {
                return Ok(());
            }
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            state = match state.sink.take() {
                Some(sink) => self.lead(state, sink),
                None => self.turn.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Writes all that waits, with the lock released: others hand in the next batch meanwhile.
    fn lead<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        mut sink: Box<dyn Sink>,
    ) -> MutexGuard<'a, State> {
        let lines = std::mem::take(&mut state.waiting);
        let (batch, good) = (state.batch, state.good);
        state.batch += 1;
        drop(state);
        let result = sink.write(&lines).and_then(|()| sink.flush());
        if result.is_err() {
            // Best effort: half a line must not stand before what a later run appends.
            let _ = sink.cut(good);
        }
        let mut state = self.lock();
        match result {
            Ok(()) => {
                state.durable = batch;
                state.good += lines.len() as u64;
            }
            Err(error) => state.failed = Some(disk_error("append to", &self.path, &error)),
        }
        state.sink = Some(sink);
        self.turn.notify_all();
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A disk in memory that fails at the given write or flush, after half of the bytes.
    struct Disk {
        bytes: Arc<Mutex<Vec<u8>>>,
        writes: Arc<AtomicUsize>,
        fail_write: usize,
        fail_flush: usize,
    }

    impl Sink for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
            let fails = self.writes.fetch_add(1, Ordering::SeqCst) + 1 == self.fail_write;
            let kept = if fails { &bytes[..bytes.len() / 2] } else { bytes };
            self.bytes.lock().unwrap().extend_from_slice(kept);
            if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            std::thread::sleep(std::time::Duration::from_millis(2));
            let fails = self.writes.load(Ordering::SeqCst) == self.fail_flush;
            if fails { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
        }

        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.bytes.lock().unwrap().truncate(length as usize);
            Ok(())
        }
    }

    type Seen = (Appender, Arc<Mutex<Vec<u8>>>, Arc<AtomicUsize>);

    fn appender(fail_write: usize, fail_flush: usize) -> Seen {
        let (bytes, writes) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let disk = Disk { bytes: bytes.clone(), writes: writes.clone(), fail_write, fail_flush };
        (Appender::new(Path::new("data/x.jsonl"), Box::new(disk), 0), bytes, writes)
    }

    #[test]
    fn the_first_failure_is_final_and_leaves_whole_lines() {
        for (fail_write, fail_flush) in [(2, 0), (0, 2)] {
            let (appender, bytes, writes) = appender(fail_write, fail_flush);
            assert_eq!(appender.append(b"one").unwrap(), 0);
            let error = appender.append(b"second").unwrap_err();
            assert_eq!(error.kind(), Kind::Disk);
            assert!(error.message().contains("data/x.jsonl") && error.get_hint().is_some());
            assert_eq!(appender.append(b"third").unwrap_err().kind(), Kind::Disk);
            assert_eq!(*bytes.lock().unwrap(), b"one\n");
            assert_eq!(writes.load(Ordering::SeqCst), 2, "nothing is tried again");
        }
    }

    #[test]
    fn lines_that_wait_share_a_write_and_know_their_offsets() {
        let (appender, bytes, writes) = appender(0, 0);
        let offsets: Vec<(u64, String)> = std::thread::scope(|scope| {
            let one = |n: usize| {
                let line = format!("line {n}");
                (appender.append(line.as_bytes()).unwrap(), line)
            };
            let all: Vec<_> = (0..64).map(|n| scope.spawn(move || one(n))).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let text = String::from_utf8(bytes.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 64);
        for (offset, line) in offsets {
            assert!(text[offset as usize..].starts_with(&format!("{line}\n")));
        }
        assert!(writes.load(Ordering::SeqCst) < 32, "{writes:?} writes for 64 lines");
    }

    #[test]
    fn everybody_who_waits_for_a_failed_batch_hears_of_it() {
        let (appender, bytes, _) = appender(2, 0);
        let results: Vec<bool> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..16).map(|_| scope.spawn(|| appender.append(b"line").is_ok())).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let kept = bytes.lock().unwrap().len() / 5;
        assert_eq!(
            results.iter().filter(|ok| **ok).count(),
            kept,
            "exactly what is on disk was acknowledged"
        );
        assert!(kept < 16);
    }
}
