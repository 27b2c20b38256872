//! What this project has spent: one JSON line in `.fthost/usage.jsonl` for each request that a provider
//! may charge for, whichever command sent it.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cap_std::fs::OpenOptions;
use serde::{Deserialize, Serialize};

use super::{Project, atomic};
use crate::base::{Error, Kind, Result};

/// Where it stands, below the project's root.
const PATH: &str = ".fthost/usage.jsonl";

/// Replies whose lengths count: prompts and models change, and with them the lengths.
const LATEST: usize = 1000;

/// Fewer replies say nothing of the length of the next.
const FEWEST: usize = 5;

/// One request that was served, or may have been.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// When it ended, as RFC 3339 in UTC.
    pub time: String,
    /// The backend's name.
    pub backend: String,
    /// Whether the reply was to fit a schema.
    pub structured: bool,
    /// Whether nobody knows what it cost: the connection broke, or the server does not count. The dollars
    /// are then those of the worst case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the reply.
    pub output_tokens: u64,
    /// Dollars; none where there is no price.
    pub usd: Option<f64>,
}

/// Sums of charges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Sums {
    /// Requests that were served, or may have been.
    pub calls: u64,
    /// Those of them of which nobody knows what they cost.
    pub unknown: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of replies.
    pub output_tokens: u64,
    /// Dollars, as far as there are prices.
    pub usd: f64,
}

impl Sums {
    /// Adds a charge.
    pub fn add(&mut self, charge: &Charge) {
        self.join(&Sums {
            calls: 1,
            unknown: u64::from(charge.unknown),
            input_tokens: charge.input_tokens,
            output_tokens: charge.output_tokens,
            usd: charge.usd.unwrap_or(0.0),
        });
    }

    /// Adds other sums.
    pub fn join(&mut self, other: &Sums) {
        self.calls += other.calls;
        self.unknown += other.unknown;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.usd += other.usd;
    }
}

/// The file, from the first charge on open for appending.
pub struct UsageFile {
    project: Arc<Project>,
    file: Mutex<Option<File>>,
}

impl UsageFile {
    /// That of a project; it comes into being with the first charge.
    pub fn of(project: Arc<Project>) -> UsageFile {
        UsageFile { project, file: Mutex::default() }
    }

    /// Opens it, so that a file that cannot be written is known before anything is spent.
    pub fn ready(&self) -> Result<()> {
        self.with(|_| Ok(()))
    }

    /// Writes a charge down: one write, so that several commands can share the file. It is not flushed:
    /// what a power cut takes is the count of money, no paid work.
    pub fn append(&self, charge: &Charge) -> Result<()> {
        let mut line = serde_json::to_vec(charge).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
        line.push(b'\n');
        self.with(|file| file.write_all(&line).map_err(|e| atomic::disk_error("write", Path::new(PATH), &e)))
    }

    fn with<T>(&self, work: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
        match &mut *self.lock() {
            Some(file) => work(file),
            none => work(none.insert(self.open()?)),
        }
    }

    fn open(&self) -> Result<File> {
        let dir = self.project.target();
        let failed = |e| atomic::disk_error("open", Path::new(PATH), &e);
        atomic::make_parents(dir, Path::new(PATH))?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = dir.open_with(PATH, &options).map_err(failed)?.into_std();
        end_last_line(&mut file).map_err(failed)?;
        Ok(file)
    }

    fn lock(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a killed command was writing stays a line of its own.
fn end_last_line(file: &mut File) -> std::io::Result<()> {
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == [b'\n'] { Ok(()) } else { file.write_all(b"\n") }
}

/// Reads the file on from where it was last read: other commands may have added to it.
pub struct UsageReader {
    project: Arc<Project>,
    offset: u64,
}

impl UsageReader {
    /// From the beginning.
    pub fn of(project: Arc<Project>) -> UsageReader {
        UsageReader { project, offset: 0 }
    }

    /// Calls `each` with every charge since the last time. Lines that are no charges are passed over; an
    /// unended one is read when it has its end.
    pub fn read(&mut self, mut each: impl FnMut(&Charge)) -> Result<()> {
        let failed = |e: std::io::Error| Error::io(Kind::Data, "read", PATH, &e);
        let file = match self.project.dir().open(PATH) {
            Ok(file) => file.into_std(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let mut reader = BufReader::with_capacity(1 << 16, file);
        reader.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(failed)?;
            if line.last() != Some(&b'\n') {
                return Ok(());
            }
            self.offset += length as u64;
            if let Ok(charge) = serde_json::from_slice(&line) {
                each(&charge);
            }
        }
    }
}

/// The sums of each backend.
pub fn by_backend(project: Arc<Project>) -> Result<BTreeMap<String, Sums>> {
    let mut all = BTreeMap::<String, Sums>::new();
    UsageReader::of(project).read(|charge| all.entry(charge.backend.clone()).or_default().add(charge))?;
    Ok(all)
}

/// How long the latest replies of each backend were: free ones, and structured ones (true).
#[derive(Default)]
pub struct ReplyLengths(BTreeMap<(String, bool), VecDeque<u64>>);

impl ReplyLengths {
    /// Those of a project.
    pub fn of(project: Arc<Project>) -> Result<ReplyLengths> {
        let mut all = ReplyLengths::default();
        UsageReader::of(project).read(|charge| all.note(charge))?;
        Ok(all)
    }

    fn note(&mut self, charge: &Charge) {
        if charge.output_tokens > 0 {
            let lengths = self.0.entry((charge.backend.clone(), charge.structured)).or_default();
            lengths.push_back(charge.output_tokens);
            if lengths.len() > LATEST {
                lengths.pop_front();
            }
        }
    }

    /// The mean in tokens, and of how many replies; none when there are too few to say.
    pub fn mean(&self, backend: &str, structured: bool) -> Option<(u64, usize)> {
        let lengths = self.0.get(&(backend.to_string(), structured))?;
        let count = lengths.len();
        (count >= FEWEST).then(|| ((lengths.iter().sum::<u64>() as f64 / count as f64).round() as u64, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(backend: &str) -> Charge {
        Charge {
            backend: backend.into(),
            input_tokens: 7,
            output_tokens: 2,
            usd: Some(0.5),
            ..Charge::default()
        }
    }

    fn project() -> (tempfile::TempDir, Arc<Project>) {
        let dir = tempfile::TempDir::new().unwrap();
        let project = Arc::new(Project::open(dir.path()).unwrap());
        (dir, project)
    }

    #[test]
    fn charges_of_several_commands_are_summed() {
        let (_dir, project) = project();
        let (one, other) = (UsageFile::of(project.clone()), UsageFile::of(project.clone()));
        let mut reader = UsageReader::of(project.clone());
        reader.read(|_| panic!("there is no file yet")).unwrap();
        for backend in ["gpt", "local", "gpt"] {
            one.append(&charge(backend)).unwrap();
        }
        let mut seen = 0;
        reader.read(|_| seen += 1).unwrap();
        other.append(&Charge { unknown: true, ..charge("gpt") }).unwrap();
        reader.read(|_| seen += 10).unwrap();
        assert_eq!(seen, 13);
        let gpt = by_backend(project).unwrap()["gpt"];
        assert_eq!(gpt, Sums { calls: 3, unknown: 1, input_tokens: 21, output_tokens: 6, usd: 1.5 });
    }

    #[test]
    fn the_latest_replies_tell_how_long_the_next_will_be() {
        let (_dir, project) = project();
        let file = UsageFile::of(project.clone());
        let of = |output_tokens, structured| Charge { output_tokens, structured, ..charge("gpt") };
        (0..4).for_each(|_| file.append(&of(900, true)).unwrap());
        file.append(&Charge { unknown: true, ..of(0, true) }).unwrap();
        assert_eq!(ReplyLengths::of(project.clone()).unwrap().mean("gpt", true), None);
        (0..100).for_each(|_| file.append(&of(900, false)).unwrap());
        (0..500).for_each(|i| file.append(&of(50 + 2 * (i % 2), false)).unwrap());
        let lengths = ReplyLengths::of(project.clone()).unwrap();
        assert_eq!(lengths.mean("gpt", false), Some(((100 * 900 + 500 * 51) / 600 + 1, 600)));
        (0..1000).for_each(|_| file.append(&of(60, false)).unwrap());
        assert_eq!(ReplyLengths::of(project).unwrap().mean("gpt", false), Some((60, 1000)));
    }

    #[test]
    fn half_a_line_spoils_no_other() {
        let (dir, project) = project();
        UsageFile::of(project.clone()).append(&charge("gpt")).unwrap();
        let path = dir.path().join(PATH);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], &whole[..20]].concat()).unwrap();
        assert_eq!(by_backend(project.clone()).unwrap()["gpt"].calls, 1);
        UsageFile::of(project.clone()).append(&charge("gpt")).unwrap();
        assert_eq!(by_backend(project).unwrap()["gpt"].calls, 2);
    }
}
