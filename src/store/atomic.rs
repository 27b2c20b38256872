//! Files that appear whole or not at all: written aside, flushed, renamed, and the directory flushed.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, File, OpenOptions};

use super::paths::display;
use crate::base::{Error, Kind, Result};

const SUFFIX: &str = ".tmp";

/// Whether a crash left a file of this name behind: `.<name>.<random>.tmp`.
pub fn is_leftover(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(SUFFIX)
}

/// Whether a name is exactly of that form: then nobody misses the file. Databases have journals beside.
pub(super) fn is_cut_short(name: &str) -> bool {
    let journal = ["-wal", "-shm", "-journal"].iter().find_map(|end| name.strip_suffix(end));
    let whole = journal.unwrap_or(name);
    let random = whole.strip_suffix(SUFFIX).and_then(|name| name.rsplit_once('.'));
    let is_random = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.starts_with('.') && random.is_some_and(|(_, random)| is_random(random))
}

/// A failed write, with its path and the remedy.
pub fn disk_error(doing: &str, path: &Path, error: &io::Error) -> Error {
    use io::ErrorKind::*;
    let remedy = match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            "free some space, then run again: what was saved is kept"
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
    let aside = aside(path);
    let result = write_aside(dir, path, &aside, write).and_then(|()| dir.rename(&aside, dir, path));
    if let Err(error) = result {
        let _ = dir.remove_file(&aside);
        return Err(disk_error("write", path, &error));
    }
    sync_parent(dir, path)
}

fn write_aside(
    dir: &Dir,
    path: &Path,
    aside: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = dir.open_with(aside, OpenOptions::new().write(true).create_new(true))?;
    if let Ok(old) = dir.metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    write(&mut file)?;
    file.sync_all()
}

/// A fresh name beside `path`; cut so that it never grows too long for the file system.
pub(super) fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String = name.chars().take(50).collect();
    let random = RandomState::new().build_hasher().finish();
    path.with_file_name(format!(".{name}.{random:016x}{SUFFIX}"))
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
    let Some(parent) = path.parent() else { return Ok(()) };
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
