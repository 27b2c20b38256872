//! A project's root as scripts see it: reads inside of it, writes below `data/`, both through a
//! directory handle that no path leaves.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions};
use globset::GlobBuilder;

use super::known::{self, KnownTexts};
use super::rewrite::Rewrite;
use super::scratch::Scratch;
use super::{Checkpoint, atomic, paths};
use crate::base::{Error, Kind, Result};

/// The file that makes a directory a project.
pub const MARKER: &str = "config/fthost.yaml";

/// An open project; share it by `Arc`.
pub struct Project {
    root: PathBuf,
    dir: Dir,
    /// Where a dry run or a test writes.
    scratch: Option<Scratch>,
    /// Files that this run appends to: a whole write would lose what others have appended.
    appended: Mutex<HashSet<PathBuf>>,
    /// Directories that were searched for what crashes left.
    tidied: Mutex<HashSet<PathBuf>>,
    /// Texts that were read, by the path that scripts used.
    texts: KnownTexts,
    /// The checkpoints that this run holds, so that its scripts share them instead of locking each other out.
    held: Mutex<HashMap<PathBuf, Weak<Checkpoint>>>,
}

impl Project {
    /// The nearest directory at or above `start` that is a project.
    pub fn find(start: &Path) -> Option<PathBuf> {
        let start = std::path::absolute(start).ok()?;
        start.ancestors().find(|dir| dir.join(MARKER).is_file()).map(Path::to_path_buf)
    }

    /// Opens the project at `root`.
    pub fn open(root: &Path) -> Result<Project> {
        let absolute = std::path::absolute(root).unwrap_or_else(|_| root.to_path_buf());
        let dir = Dir::open_ambient_dir(&absolute, ambient_authority()).map_err(|e| {
            Error::io(Kind::NotFound, "open the project at", absolute.display(), &e)
                .hint("name its directory with --project DIR, or make one with `fthost init DIR`")
        })?;
        let (scratch, appended, tidied, texts, held) = Default::default();
        Ok(Project { root: absolute, dir, scratch, appended, tidied, texts, held })
    }

    /// The same, left as it is: what is written goes to another directory, and is read from there.
    pub fn with_scratch(self, at: &Path) -> Result<Project> {
        Ok(Project { scratch: Some(Scratch::open(at, false)?), ..self })
    }

    /// Likewise, and what stands below `data/` is not seen: a project in which nothing has run yet.
    pub fn with_empty_data(self, at: &Path) -> Result<Project> {
        Ok(Project { scratch: Some(Scratch::open(at, true)?), ..self })
    }

    /// The project's directory, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether writes go elsewhere, locks included.
    pub(super) fn has_scratch(&self) -> bool {
        self.scratch.is_some()
    }

    /// The handle on the root itself.
    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The handle on where this layer writes.
    pub(super) fn target(&self) -> &Dir {
        self.scratch.as_ref().map_or(&self.dir, Scratch::dir)
    }

    /// Where a file may stand; the first that has it counts.
    fn dirs(&self, real: &Path) -> impl Iterator<Item = &Dir> {
        let below = (!self.hides(real)).then_some(&self.dir);
        self.scratch.iter().map(Scratch::dir).chain(below)
    }

    /// Where an existing `path` stands, if scripts may read it.
    fn locate(&self, path: &str) -> Result<(&Dir, PathBuf)> {
        if let Some(scratch) = &self.scratch
            && let Some(real) = scratch.find(&self.dir, path)
        {
            return Ok((scratch.dir(), real));
        }
        let real = paths::resolve(&self.dir, path)?;
        if self.hides(&real) {
            return Err(Error::new(Kind::NotFound, format!("there is no file `{path}`"))
                .hint("in a test data/ begins empty; what a test is to read may stand below tests/"));
        }
        Ok((&self.dir, real))
    }

    /// Whether a place is as good as empty.
    fn hides(&self, real: &Path) -> bool {
        self.scratch.as_ref().is_some_and(|scratch| scratch.hides(real))
    }

    /// The checkpoints of this run.
    pub(super) fn held(&self) -> MutexGuard<'_, HashMap<PathBuf, Weak<Checkpoint>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A text file, whole.
    pub fn read_text(&self, path: &str) -> Result<String> {
        text_of(path, self.open_read(path)?)
    }

    /// A text file that is read many times: from memory for as long as the file stays what it is.
    pub fn known_text(&self, path: &str) -> Result<Arc<str>> {
        // Links are followed: one that leads elsewhere now has another file's stamp.
        let place = self.root.join(path);
        if let Some(text) = self.texts.get(path, &place) {
            return Ok(text);
        }
        let stamp = known::stamp(&place);
        let (dir, real) = self.locate(path)?;
        let text: Arc<str> = text_of(path, open_at(dir, &real, path)?)?.into();
        // What scripts may write is read anew.
        if !real.starts_with("data") {
            self.texts.keep(path, stamp, &text);
        }
        Ok(text)
    }

    /// A file to stream from.
    pub fn open_read(&self, path: &str) -> Result<File> {
        let (dir, real) = self.locate(path)?;
        open_at(dir, &real, path)
    }

    /// Whether a file or directory is there that scripts may read.
    pub fn exists(&self, path: &str) -> Result<bool> {
        match self.locate(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The files that match a glob (`*` stays within a directory, `**` does not), sorted. Linked files
    /// are listed when they stand inside of the root; linked directories are not entered.
    pub fn list(&self, glob: &str) -> Result<Vec<String>> {
        let glob = glob.trim_start_matches("./");
        let matcher = GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .map_err(|e| Error::new(Kind::Argument, format!("bad pattern `{glob}`: {}", e.kind())))?
            .compile_matcher();
        let start = literal_start(glob);
        let mut found = Vec::new();
        match paths::resolve(&self.dir, start) {
            Ok(real) if self.hides(&real) => {}
            Ok(_) => self.walk(&self.dir, start, start, &mut found),
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
        found.retain(|path| !self.hides(Path::new(path)));
        if let Some(scratch) = &self.scratch
            && let Some(real) = scratch.find(&self.dir, start)
        {
            self.walk(scratch.dir(), &paths::display(&real), start, &mut found);
        }
        found.retain(|path| matcher.is_match(path));
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// The files below `real`, by their paths below `start`, as which it was named.
    fn walk(&self, dir: &Dir, real: &str, start: &str, found: &mut Vec<String>) {
        let mut open = vec![(real.to_string(), start.to_string())];
        while let Some((real, base)) = open.pop() {
            let Ok(entries) = dir.read_dir(if real.is_empty() { "." } else { &real }) else { continue };
            for entry in entries.flatten() {
                let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
                    continue;
                };
                if paths::is_forbidden(&name) || atomic::is_aside(&name) {
                    continue;
                }
                let path = below(&base, &name);
                if kind.is_dir() {
                    open.push((below(&real, &name), path));
                } else if kind.is_file() || kind.is_symlink() && self.is_readable_file(&path) {
                    found.push(path);
                }
            }
        }
    }

    fn is_readable_file(&self, path: &str) -> bool {
        paths::resolve(&self.dir, path).is_ok_and(|real| self.dir.is_file(real))
    }

    /// Makes the directories that a file at `path` needs, and says where it really stands.
    pub fn ensure_writable(&self, path: &str) -> Result<PathBuf> {
        let real = self.place_to_write(path)?;
        atomic::make_parents(self.target(), &real)?;
        Ok(real)
    }

    /// Whether scripts may write to `path` at all; nothing is made.
    pub fn check_writable(&self, path: &str) -> Result<()> {
        self.place_to_write(path).map(drop)
    }

    fn place_to_write(&self, path: &str) -> Result<PathBuf> {
        let real = paths::resolve_for_write(&self.dir, path)?;
        // In the root itself it has been looked for.
        if self.has_scratch() && self.target().is_dir(&real) {
            Err(paths::is_directory(path))
        } else {
            Ok(real)
        }
    }

    /// Replaces the file at `path`, wholly or not at all. Refuses a checkpoint.
    pub fn write_whole(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let real = self.place_to_overwrite(path)?;
        self.replace(&real, bytes)
    }

    /// Replaces a file below `config/`, likewise, for the user who asked the program to: scripts cannot come here.
    pub fn replace_config(&self, path: &str, text: &str) -> Result<()> {
        let real = paths::resolve(&self.dir, path)?;
        if !real.starts_with("config") {
            return Err(Error::new(Kind::Denied, format!("`{path}` does not really stand below config/")));
        }
        self.replace(&real, text.as_bytes())
    }

    /// The same bit by bit.
    pub fn rewrite(&self, path: &str) -> Result<Rewrite<'_>> {
        Rewrite::open(self, path)
    }

    /// Where a file stands that may be replaced wholly.
    pub(super) fn place_to_overwrite(&self, path: &str) -> Result<PathBuf> {
        let real = self.place_to_write(path)?;
        self.refuse_checkpoint(path, &real)?;
        Ok(real)
    }

    /// The same for a file of this layer's own, by where it really stands.
    pub(super) fn replace(&self, real: &Path, bytes: &[u8]) -> Result<()> {
        self.make_room(real)?;
        atomic::replace(self.target(), real, bytes)
    }

    /// Makes the directories above a file, rid of what crashes left there.
    pub(super) fn make_room(&self, real: &Path) -> Result<()> {
        let parent = real.parent().unwrap_or(Path::new("."));
        atomic::make_parents(self.target(), real)?;
        // Once a run: a directory may be large.
        if self.tidied.lock().unwrap_or_else(PoisonError::into_inner).insert(parent.into()) {
            atomic::tidy(self.target(), parent);
        }
        Ok(())
    }

    /// Removes a file of this layer's own below `data/`, if there is one.
    pub(super) fn remove(&self, path: &str) -> Result<()> {
        let real = self.place_to_write(path)?;
        match &self.scratch {
            Some(scratch) => scratch.remove(&self.dir, &real),
            None => atomic::remove(&self.dir, &real),
        }
    }

    /// A file of the root that only the program itself may read (`.env`); `None` when there is none.
    pub fn read_private(&self, name: &str) -> Result<Option<String>> {
        match std::fs::read_to_string(self.root.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(Kind::Config, "read", name, &error)),
        }
    }

    /// Adds to such a file, which is made with what is above it when it is not there; others may not read it.
    pub fn append_private(&self, name: &str, text: &str) -> Result<()> {
        use cap_std::fs::{OpenOptions, OpenOptionsExt};
        let failed = |e| atomic::disk_error("write", Path::new(name), &e);
        atomic::make_parents(&self.dir, Path::new(name))?;
        let options = OpenOptions::new().append(true).create(true).mode(0o600).clone();
        let mut file = self.dir.open_with(name, &options).map_err(failed)?;
        std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
    }

    /// The text of a script below `scripts/`.
    pub fn script_text(&self, path: &str) -> Result<String> {
        let real = paths::resolve(&self.dir, path)?;
        if !real.starts_with("scripts") {
            return Err(Error::new(Kind::Denied, format!("`{path}` is not below scripts/"))
                .hint("scripts import from the project's scripts/ and from `std/` only"));
        }
        self.read_text(path)
    }

    /// Opens a file below `data/` for appending, its name durable. From now on a whole write refuses it.
    pub(super) fn open_append(&self, path: &str) -> Result<(PathBuf, File)> {
        let real = self.ensure_writable(path)?;
        if let Some(scratch) = &self.scratch {
            scratch.copy_up(&self.dir, &real)?;
        }
        let target = self.target();
        let file = target
            .open_with(&real, OpenOptions::new().read(true).append(true).create(true))
            .map_err(|e| atomic::disk_error("open", &real, &e))?;
        // Also of a file that is there: the run that made it may have been killed before it came to this.
        atomic::sync_parent(target, &real)?;
        self.appended.lock().unwrap_or_else(PoisonError::into_inner).insert(real.clone());
        Ok((real, file))
    }

    /// What runs append to, by this run's memory, by the lock that an earlier one left, or by its name: a
    /// checkpoint copied from elsewhere has no lock.
    fn refuse_checkpoint(&self, path: &str, real: &Path) -> Result<()> {
        let shown = real.to_string_lossy();
        let appended = self.appended.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = |suffix: &str| shown.strip_suffix(suffix).map(PathBuf::from);
        let hidden = self.hides(real);
        let belongs = |owner: PathBuf| {
            appended.contains(&owner) || !hidden && self.dir.exists(super::lock::path_of(&owner))
        };
        let named = shown.ends_with("checkpoint.jsonl") && self.dirs(real).any(|dir| dir.is_file(real));
        let mut owners =
            vec![owner(""), owner(".lock"), owner(".torn"), owner(".damaged"), owner(".failed.jsonl")];
        owners.push(owner(".failed.jsonl").map(|stem| super::mend::suffixed(&stem, ".jsonl")));
        if !named && !owners.into_iter().flatten().any(belongs) {
            return Ok(());
        }
        Err(Error::new(
            Kind::Denied,
            format!("`{path}` is a checkpoint (or belongs to one) and cannot be overwritten"),
        )
        .hint("write to another file, or use append_checkpoint(path, record)"))
    }
}

/// Opens the file that scripts call `path`, where it really stands.
fn open_at(dir: &Dir, real: &Path, path: &str) -> Result<File> {
    let meta = dir.metadata(real).map_err(|e| paths::lookup_error(dir, path, &e))?;
    if meta.is_dir() {
        return Err(Error::new(Kind::Argument, format!("`{path}` is a directory, not a file"))
            .hint("list_files(\"dir/*\") names the files in it"));
    }
    if !meta.is_file() {
        return Err(paths::denied(path, "it is not a regular file"));
    }
    dir.open(real).map_err(|e| paths::lookup_error(dir, path, &e))
}

fn text_of(path: &str, mut file: File) -> Result<String> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| Error::io(Kind::Data, "read", path, &e))?;
    String::from_utf8(bytes).map_err(|e| not_utf8(path, e.utf8_error().valid_up_to()))
}

fn not_utf8(path: &str, offset: usize) -> Error {
    Error::new(Kind::Data, format!("`{path}` is not UTF-8 text: a bad byte stands at offset {offset}"))
        .hint("save the file as UTF-8")
}

/// A name in a directory, or in the root.
fn below(base: &str, name: &str) -> String {
    if base == "." || base.is_empty() { name.into() } else { format!("{base}/{name}") }
}

/// The directories of a glob before its first special character, so that a walk begins there.
fn literal_start(glob: &str) -> &str {
    let special = glob.find(['*', '?', '[', '{', '\\']).unwrap_or(glob.len());
    match glob[..special].rfind('/') {
        Some(0) => "/",
        Some(end) => &glob[..end],
        None => ".",
    }
}
