//! What stands in a project: its checkpoints, and what writes that were cut short left behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cap_std::fs::DirEntry;

use super::{Project, atomic, paths};
use crate::base::Result;

/// A write takes less; what is younger may still get its name.
const YOUNG: Duration = Duration::from_secs(60);

/// What humans said. It is locked and appended to like a checkpoint, and is none: no job runs on it, and a damaged
/// line, which may be a rejection, is never moved aside.
pub const HUMAN: &str = "data/assessments/human.jsonl";

/// Every checkpoint below `data/`: by its name, or by the lock that a run left beside it.
pub fn checkpoints(project: &Project) -> Result<Vec<String>> {
    let mut found = project.list("data/**/*checkpoint.jsonl")?;
    let locks = project.list("data/**/*.jsonl.lock")?;
    found.extend(locks.iter().filter_map(|lock| lock.strip_suffix(".lock")).map(str::to_string));
    found.retain(|path| path != HUMAN);
    found.sort();
    found.dedup();
    Ok(found)
}

/// Files written aside that never got their names, since the program was killed.
pub fn leftovers(project: &Project) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::from("data"), PathBuf::from(".fthost")]);
    while let Some(dir) = open.pop() {
        for entry in project.dir().read_dir(&dir).into_iter().flatten().flatten() {
            let path = dir.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(path),
                Ok(kind) if kind.is_file() && is_leftover(&entry) => found.push(paths::display(&path)),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn is_leftover(entry: &DirEntry) -> bool {
    let written = entry.metadata().and_then(|meta| meta.modified()).map(|time| time.into_std());
    let age = written.ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
    age >= YOUNG && entry.file_name().to_str().is_some_and(atomic::is_cut_short)
}

/// Removes one of the [`leftovers`].
pub fn remove_leftover(project: &Project, path: &str) -> Result<()> {
    let path = Path::new(path);
    atomic::remove_leftover(project.dir(), path).map_err(|e| atomic::disk_error("remove", path, &e))
}
