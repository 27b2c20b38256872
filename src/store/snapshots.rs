//! Snapshots of tests: what a value was when it was last looked at, a file each, beside the tests.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::ids::encode_id;
use crate::base::{Error, Kind, Result};

/// Where they stand, below the project's root.
const DIR: &str = "tests/snapshots";

/// The snapshots of a project, in one run of its tests.
pub struct Snapshots {
    root: PathBuf,
    update: bool,
    /// Those that were asked for, and with what.
    used: Mutex<BTreeMap<String, String>>,
}

/// What a value is beside its snapshot.
#[derive(Debug, PartialEq, Eq)]
pub enum Compared {
    /// The same, or written just now.
    Same,
    /// There is none.
    Missing,
    /// Another: this is what is kept.
    Differs(String),
    /// Another test has written it in this run, with another value.
    Twice,
}

impl Snapshots {
    /// Those of the project at `root`; `update` writes them.
    pub fn of(root: &Path, update: bool) -> Snapshots {
        Snapshots { root: root.into(), update, used: Mutex::default() }
    }

    /// The path of a snapshot of a test file: `tests/prompts_test.rhai`, `first` -> `tests/snapshots/prompts_test/first.snap`.
    pub fn path(test_file: &str, name: &str) -> String {
        format!("{}/{}.snap", dir_of(test_file), encode_id(name))
    }

    /// Holds a text against its snapshot, or writes it.
    pub fn compare(&self, path: &str, text: &str) -> Result<Compared> {
        let before = self.used().insert(path.into(), text.into());
        match self.kept(path)? {
            Some(kept) if kept == text => Ok(Compared::Same),
            Some(_) if self.update && before.is_some_and(|before| before != text) => Ok(Compared::Twice),
            _ if self.update => self.write(path, text).map(|()| Compared::Same),
            Some(kept) => Ok(Compared::Differs(kept)),
            None => Ok(Compared::Missing),
        }
    }

    /// Snapshots that nobody asked for; those of these test files are left out.
    pub fn unused(&self, except: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        files(&self.root, DIR, &mut found);
        let used = self.used();
        let spared =
            |path: &String| except.iter().any(|file| path.starts_with(&format!("{}/", dir_of(file))));
        found.retain(|path| path.ends_with(".snap") && !used.contains_key(path) && !spared(path));
        found.sort();
        found
    }

    fn used(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, path: &str) -> Result<Option<String>> {
        match fs::read_to_string(self.root.join(path)) {
            Ok(text) => Ok(Some(text.strip_suffix('\n').map(str::to_string).unwrap_or(text))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(Kind::Data, "read", path, &error)),
        }
    }

    /// With a line break at its end, as every text file has.
    fn write(&self, path: &str, text: &str) -> Result<()> {
        let place = self.root.join(path);
        let dir = place.parent().unwrap_or(&self.root);
        let written = fs::create_dir_all(dir).and_then(|()| fs::write(&place, format!("{text}\n")));
        written.map_err(|e| Error::io(Kind::Disk, "write", path, &e))
    }
}

/// The directory of a test file's snapshots.
fn dir_of(test_file: &str) -> String {
    let inner = test_file.strip_prefix("tests/").unwrap_or(test_file);
    format!("{DIR}/{}", inner.strip_suffix(".rhai").unwrap_or(inner))
}

fn files(root: &Path, dir: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(dir)).into_iter().flatten().flatten() {
        let path = format!("{dir}/{}", entry.file_name().to_string_lossy());
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => files(root, &path, found),
            false => found.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: &str = "tests/sub/prompts_test.rhai";

    #[test]
    fn a_snapshot_is_written_on_demand_and_then_held() {
        let dir = tempfile::tempdir().unwrap();
        let path = Snapshots::path(TEST, "first turn");
        assert_eq!(path, "tests/snapshots/sub/prompts_test/first%20turn.snap");
        let compared = |update, text| Snapshots::of(dir.path(), update).compare(&path, text).unwrap();
        assert_eq!(compared(false, "a\n"), Compared::Missing);
        assert_eq!(compared(true, "a\n"), Compared::Same);
        assert_eq!(fs::read_to_string(dir.path().join(&path)).unwrap(), "a\n\n");
        assert_eq!(compared(false, "a\n"), Compared::Same);
        assert_eq!(compared(false, "a"), Compared::Differs("a\n".into()));
    }

    #[test]
    fn two_values_for_one_name_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::of(dir.path(), true);
        assert_eq!(snapshots.compare("tests/snapshots/x.snap", "a").unwrap(), Compared::Same);
        assert_eq!(snapshots.compare("tests/snapshots/x.snap", "a").unwrap(), Compared::Same);
        assert_eq!(snapshots.compare("tests/snapshots/x.snap", "b").unwrap(), Compared::Twice);
    }

    #[test]
    fn what_nobody_asks_for_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name| Snapshots::path(TEST, name);
        for name in ["a", "b"] {
            Snapshots::of(dir.path(), true).compare(&path(name), "x").unwrap();
        }
        let snapshots = Snapshots::of(dir.path(), false);
        snapshots.compare(&path("a"), "x").unwrap();
        assert_eq!(snapshots.unused(&[]), [path("b")]);
        assert!(snapshots.unused(&[TEST]).is_empty());
    }
}
