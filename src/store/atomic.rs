//! Files that appear whole or not at all: written aside, flushed, renamed, and the directory flushed.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions};

use super::paths::display;
use crate::base::{Error, Kind, Result};

const SUFFIX: &str = ".tmp";

/// Digits of the random part of a name.
const DIGITS: usize = 16;

/// Whether a file of this name is one that is written aside, or that a crash left behind: `.<name>.<random>.tmp`.
pub fn is_aside(name: &str) -> bool {
    let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(SUFFIX));
    inner.and_then(|inner| inner.rsplit_once('.')).is_some_and(|(_, random)| {
        random.len() == DIGITS && random.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// Removes what crashes left in a directory. Best effort: a leftover is in nobody's way.
pub fn tidy(dir: &Dir, parent: &Path) {
    let Ok(entries) = dir.read_dir(parent) else { return };
    let names = entries.flatten().map(|entry| entry.file_name());
    for name in names.filter(|name| name.to_str().is_some_and(is_aside)) {
        let _ = remove_leftover(dir, &parent.join(name));
    }
}

/// Removes a file that was written aside, unless it still is.
pub(super) fn remove_leftover(dir: &Dir, path: &Path) -> io::Result<()> {
    let file = dir.open_with(path, OpenOptions::new().write(true))?.into_std();
    // Held until it is removed: whoever writes a file aside holds it, too.
    match file.try_lock() {
        Ok(()) => dir.remove_file(path),
        Err(_) => Ok(()),
    }
}

/// The same of databases, which have journals beside.
pub(super) fn is_cut_short(name: &str) -> bool {
    let journal = ["-wal", "-shm", "-journal"].iter().find_map(|end| name.strip_suffix(end));
    is_aside(journal.unwrap_or(name))
}

/// A failed write, with its path and the remedy.
pub fn disk_error(doing: &str, path: &Path, error: &io::Error) -> Error {
    use io::ErrorKind::*;
    let remedy = match error.kind() {
        StorageFull | QuotaExceeded => "free some space, then run again: what was saved is kept",
        FileTooLarge => {
            "raise the limit on the size of files (`ulimit -f`), then run again: what was saved is kept"
        }
        PermissionDenied | ReadOnlyFilesystem => "make the directory writable for this user, then run again",
        NotADirectory | AlreadyExists => {
            "a file stands where a directory is needed: move it away, then run again"
        }
        _ => "check the disk, then run again: what was saved is kept",
    };
    Error::io(Kind::Disk, doing, display(path), error).hint(remedy)
}

/// Replaces the file at `path`; after an error the old file stands as it was.
pub fn replace(dir: &Dir, path: &Path, bytes: &[u8]) -> Result<()> {
    replace_with(dir, path, |file| file.write_all(bytes))
}

/// The same with whatever `write` writes.
pub fn replace_with(dir: &Dir, path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let mut aside = Aside::open(dir, path)?;
    write(&mut aside.file).map_err(|e| disk_error("write", path, &e))?;
    aside.flush()?;
    aside.put()
}

/// A file that is written aside. Unless it is put in its place, it goes.
pub struct Aside<'d> {
    dir: &'d Dir,
    path: PathBuf,
    /// Where it stands until then; none once it has its name.
    aside: Option<PathBuf>,
    /// It stays open, and so locked, until it has its name.
    pub file: File,
}

impl<'d> Aside<'d> {
    /// Begins a file that is to stand at `path`, with the permissions of the one that stands there now.
    pub fn open(dir: &'d Dir, path: &Path) -> Result<Aside<'d>> {
        let failed = |e| disk_error("write", path, &e);
        let old = dir.metadata(path).ok().map(|old| old.permissions());
        let (aside, file) = open_aside(dir, path).map_err(failed)?;
        let aside = Aside { dir, path: path.into(), aside: Some(aside), file };
        if let Some(permissions) = old {
            let permissions = permissions.into_std(&aside.file).map_err(failed)?;
            aside.file.set_permissions(permissions).map_err(failed)?;
        }
        Ok(aside)
    }

    /// Brings what was written to the disk.
    pub fn flush(&self) -> Result<()> {
        self.file.sync_all().map_err(|e| disk_error("write", &self.path, &e))
    }

    /// Gives it its name, for good.
    pub fn put(mut self) -> Result<()> {
        if let Some(aside) = &self.aside {
            self.dir.rename(aside, self.dir, &self.path).map_err(|e| disk_error("write", &self.path, &e))?;
            self.aside = None;
        }
        sync_parent(self.dir, &self.path)
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        if let Some(aside) = &self.aside {
            // Best effort: a leftover is in nobody's way.
            let _ = self.dir.remove_file(aside);
        }
    }
}

/// A new file beside `path`, locked for as long as it is open: so another run can tell it from a leftover.
fn open_aside(dir: &Dir, path: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        let aside = aside(path);
        let file = dir.open_with(&aside, OpenOptions::new().write(true).create_new(true))?.into_std();
        // Where files cannot be locked, nothing is taken for a leftover either.
        let _ = file.lock();
        // It may have been taken for one before it was locked.
        if file.metadata()?.nlink() > 0 {
            return Ok((aside, file));
        }
    }
}

/// A fresh name beside `path`; cut so that it never grows too long for the file system.
pub(super) fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String = name.chars().take(50).collect();
    let random = RandomState::new().build_hasher().finish();
    path.with_file_name(format!(".{name}.{random:0DIGITS$x}{SUFFIX}"))
}

/// Removes the file at `path`, if there is one.
pub fn remove(dir: &Dir, path: &Path) -> Result<()> {
    match dir.remove_file(path) {
        Ok(()) => sync_parent(dir, path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(disk_error("remove", path, &error)),
    }
}

/// Makes the directories above `path`, each one's entry flushed.
pub fn make_parents(dir: &Dir, path: &Path) -> Result<()> {
    let Some(parent) = path.parent().filter(|parent| !dir.is_dir(parent)) else { return Ok(()) };
    let mut made = PathBuf::new();
    for part in parent.components() {
        made.push(part);
        if dir.is_dir(&made) {
            continue;
        }
        match dir.create_dir(&made) {
            Ok(()) => sync_parent(dir, &made)?,
            // Another thread was faster.
            Err(_) if dir.is_dir(&made) => {}
            Err(error) => return Err(disk_error("make the directory", &made, &error)),
        }
    }
    Ok(())
}

/// Flushes the directory that holds `path`: without it, a new name may be gone after a power cut.
pub fn sync_parent(dir: &Dir, path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    dir.open(parent)
        .and_then(|file| file.sync_all())
        .map_err(|e| disk_error("flush the directory", parent, &e))
}
