//! Where dry runs and tests write: a directory laid over the project. What stands in it hides the project's file of
//! the same place; the project itself stays as it is. Paths are judged by the project, as ever.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use super::{atomic, paths};
use crate::base::{Error, Kind, Result};

/// The directory, as a handle that no path leaves.
pub(super) struct Scratch {
    dir: Dir,
    /// What stands below `data/` in the project is not seen.
    hides_data: bool,
}

impl Scratch {
    /// Writes go to this directory.
    pub fn open(at: &Path, hides_data: bool) -> Result<Scratch> {
        let dir = Dir::open_ambient_dir(at, ambient_authority())
            .map_err(|e| Error::io(Kind::Disk, "open", at.display(), &e))?;
        Ok(Scratch { dir, hides_data })
    }

    /// The handle.
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Whether a place of the project is as good as empty.
    pub fn hides(&self, real: &Path) -> bool {
        self.hides_data && real.starts_with("data")
    }

    /// Where a path of the project stands here, if anything does.
    pub fn find(&self, project: &Dir, path: &str) -> Option<PathBuf> {
        let (real, _) = paths::place(project, path).ok()?;
        let real = if real.as_os_str().is_empty() { Path::new(".") } else { &real };
        let real = paths::plain(&self.dir.canonicalize(real).ok()?);
        (!paths::has_forbidden(&real)).then_some(real)
    }

    /// Brings the project's file here, so that more can be appended to it.
    pub fn copy_up(&self, project: &Dir, real: &Path) -> Result<()> {
        if self.dir.exists(real) || self.hides(real) || !project.is_file(real) {
            return Ok(());
        }
        let copied = || -> io::Result<()> {
            let mut from = project.open(real)?.into_std();
            let options = OpenOptions::new().write(true).create_new(true).clone();
            let mut to = self.dir.open_with(real, &options)?.into_std();
            io::copy(&mut from, &mut to).map(drop)
        };
        copied().map_err(|e| atomic::disk_error("copy", real, &e))
    }

    /// Makes a file as good as absent: an empty one, where the project's would show through.
    pub fn remove(&self, project: &Dir, real: &Path) -> Result<()> {
        if project.is_file(real) && !self.hides(real) {
            atomic::make_parents(&self.dir, real)?;
            return atomic::replace(&self.dir, real, b"");
        }
        atomic::remove(&self.dir, real)
    }
}
