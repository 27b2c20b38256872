//! Waits for edits of a project's files. The system's notices only say when to look: what changed is found by
//! comparing the files with what they were, so that no notice that is missed, doubled or misread matters.
//! Where the system gives none (some network disks, no watches left), it looks by itself now and then.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::base::hash;

/// The directories that a run is made from.
pub const SOURCES: [&str; 2] = ["scripts", "config"];

/// The one hidden file that counts.
const DOT_ENV: &str = ".env";

/// Editors write a file in several steps: they are over when it has been the same for so long.
const QUIET: Duration = Duration::from_millis(100);

/// A file that is written all the time is looked at all the same.
const LONGEST: Duration = Duration::from_secs(2);

/// How often it is looked whether the wait is to end.
const STEP: Duration = Duration::from_millis(50);

/// How often files are looked at without a notice: where notices come, and where none do.
const EVERY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(300));

/// Of a larger file only length and time are looked at.
const LARGE: u64 = 4 << 20;

/// Directories deeper than this are left out: links may lead in circles.
const DEPTH: usize = 16;

/// Watches the files of a project.
pub struct Watcher {
    root: PathBuf,
    dirs: Vec<&'static str>,
    /// Files outside of the watched directories.
    others: Vec<PathBuf>,
    notices: Option<Notices>,
    files: Files,
}

/// What each file was when it was last looked at, by its path below the root.
type Files = BTreeMap<String, File>;

#[derive(Clone, PartialEq, Eq)]
struct File {
    length: u64,
    written: Option<std::time::SystemTime>,
    content: Option<u64>,
}

/// The system's notices.
struct Notices {
    watcher: RecommendedWatcher,
    came: Receiver<()>,
    /// Directories that the system watches; the others are not there yet.
    watched: Vec<PathBuf>,
}

impl Watcher {
    /// Watches these directories of the project at `root` and its `.env`, from their present state on, and `others`:
    /// single files elsewhere.
    pub fn of_project(
        root: &Path,
        dirs: &[&'static str],
        others: impl IntoIterator<Item = PathBuf>,
    ) -> Watcher {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        let inside = |path: &PathBuf| dirs.iter().any(|dir| path.starts_with(root.join(dir)));
        let others = others.into_iter().map(|path| path.canonicalize().unwrap_or(path));
        let others = others.filter(|path| !inside(path)).collect();
        let mut watcher =
            Watcher { notices: Notices::open(), root, dirs: dirs.to_vec(), others, files: Files::new() };
        watcher.ask_for_notices();
        watcher.files = watcher.look();
        watcher
    }

    /// Waits until files have changed, and gives their paths, relative to the root; none when `ended` says that the
    /// wait is over. What changed since the last look counts, too.
    pub fn wait_for_change(&mut self, ended: impl Fn() -> bool) -> Option<Vec<String>> {
        loop {
            let changed = self.changed();
            if !changed.is_empty() {
                return Some(changed);
            }
            if !self.wait_for_notice(&ended) {
                return None;
            }
        }
    }

    /// The paths that differ from the last look, without waiting for any to come.
    pub fn changed(&mut self) -> Vec<String> {
        self.ask_for_notices();
        let mut now = self.look();
        let mut changed = self.differences(&now);
        let first = Instant::now();
        while !changed.is_empty() && first.elapsed() < LONGEST {
            std::thread::sleep(QUIET);
            let later = self.look();
            let is_quiet = later == now;
            now = later;
            changed = self.differences(&now);
            if is_quiet {
                break;
            }
        }
        self.files = now;
        changed
    }

    fn differences(&self, now: &Files) -> Vec<String> {
        let differs = |path: &&String| match (self.files.get(*path), now.get(*path)) {
            (Some(before), Some(now)) => before.differs(now),
            _ => true,
        };
        let gone = self.files.keys().filter(|path| !now.contains_key(*path));
        let mut changed: Vec<String> = now.keys().chain(gone).filter(differs).cloned().collect();
        changed.sort();
        changed
    }

    /// Waits until it is worth looking; false when the wait is to end.
    fn wait_for_notice(&self, ended: &impl Fn() -> bool) -> bool {
        let every = if self.notices.is_some() { EVERY.0 } else { EVERY.1 };
        let start = Instant::now();
        while start.elapsed() < every {
            if ended() {
                return false;
            }
            if self.came(STEP) {
                break;
            }
        }
        true
    }

    /// Whether notices come within this time.
    fn came(&self, within: Duration) -> bool {
        match self.notices.as_ref().map(|notices| (notices, notices.came.recv_timeout(within))) {
            // One look is enough for all of them.
            Some((notices, Ok(()))) => {
                notices.came.try_iter().for_each(drop);
                true
            }
            Some((_, Err(RecvTimeoutError::Timeout))) => false,
            Some((_, Err(RecvTimeoutError::Disconnected))) | None => {
                std::thread::sleep(within);
                false
            }
        }
    }

    fn ask_for_notices(&mut self) {
        let dirs = self.dirs.iter().map(|dir| (self.root.join(dir), RecursiveMode::Recursive));
        let parents = self.others.iter().filter_map(|file| file.parent()).chain([self.root.as_path()]);
        let parents = parents.map(|dir| (dir.to_path_buf(), RecursiveMode::NonRecursive));
        if let Some(notices) = &mut self.notices
            && !notices.ask(dirs.chain(parents))
        {
            self.notices = None;
        }
    }

    fn look(&self) -> Files {
        let mut files = Files::new();
        for dir in &self.dirs {
            walk(&self.root.join(dir), dir, DEPTH, &mut files);
        }
        let env = self.root.join(DOT_ENV);
        for (path, name) in
            self.others.iter().map(|path| (path, self.shown(path))).chain([(&env, DOT_ENV.into())])
        {
            note(path, name, &mut files);
        }
        // What has the same length and time was read before.
        files.into_iter().map(|(name, file)| (name.clone(), self.read(&name, file))).collect()
    }

    fn read(&self, name: &str, file: File) -> File {
        let known =
            self.files.get(name).filter(|known| known.written == file.written && known.length == file.length);
        match known {
            Some(known) if !is_recent(&file) => known.clone(),
            _ if file.length > LARGE => file,
            _ => {
                let content = fs::read(self.root.join(name)).ok().map(|bytes| hash::short_of(&bytes));
                File { content, ..file }
            }
        }
    }

    /// Relative to the root where it stands below it.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// Whether a file was written so shortly ago that a second write may have the same time.
fn is_recent(file: &File) -> bool {
    file.written.is_none_or(|written| written.elapsed().is_ok_and(|age| age < LONGEST))
}

impl Notices {
    fn open() -> Option<Notices> {
        let (sender, came) = mpsc::channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading is no change, and looking at files is reading.
            if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
                let _ = sender.send(());
            }
        });
        Some(Notices { watcher: watcher.ok()?, came, watched: Vec::new() })
    }

    /// Asks for notices of those directories that are there and were not before; false when the system gives none.
    fn ask(&mut self, dirs: impl Iterator<Item = (PathBuf, RecursiveMode)>) -> bool {
        for (dir, mode) in dirs {
            let is_watched = self.watched.contains(&dir);
            if !dir.is_dir() {
                self.watched.retain(|watched| *watched != dir);
            } else if !is_watched {
                if self.watcher.watch(&dir, mode).is_err() {
                    return false;
                }
                self.watched.push(dir);
            }
        }
        true
    }
}

fn walk(dir: &Path, name: &str, depth: usize, files: &mut Files) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let file = entry.file_name();
        if is_ignored(&file) {
            continue;
        }
        let (path, name) = (entry.path(), format!("{name}/{}", file.to_string_lossy()));
        match path.is_dir() {
            true if depth > 0 => walk(&path, &name, depth - 1, files),
            true => {}
            false => note(&path, name, files),
        }
    }
}

fn note(path: &Path, name: String, files: &mut Files) {
    if let Ok(found) = fs::metadata(path).as_ref().map(File::of) {
        files.insert(name, found);
    }
}

impl File {
    fn of(metadata: &Metadata) -> File {
        File { length: metadata.len(), written: metadata.modified().ok(), content: None }
    }

    /// By content, where that was read.
    fn differs(&self, now: &File) -> bool {
        self.content != now.content || now.content.is_none() && self != now
    }
}

/// Hidden files, and what editors keep beside the files that they edit.
fn is_ignored(name: &OsStr) -> bool {
    const ENDS: [&str; 10] =
        ["~", ".swp", ".swo", ".swx", ".tmp", ".bak", ".orig", ".rej", "___jb_tmp___", "___jb_old___"];
    let name = name.to_string_lossy();
    // 4913: Vim tries out whether it may write.
    name.starts_with(['.', '#']) || name == "4913" || ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests;
