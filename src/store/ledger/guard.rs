//! Who works on the ledger's file: many write to it, and one may move it away when nobody does.

use std::fs::{File, TryLockError};
use std::path::Path;

use cap_std::fs::OpenOptions;

use super::PATH;
use crate::base::{Error, Kind, Result};
use crate::store::{Project, atomic};

/// The file that is locked, beside the ledger: its own file is moved.
const LOCK: &str = ".fthost/ledger.lock";

/// The right to work on it, until it is dropped.
pub(super) struct Guard {
    /// Closing it gives the lock back.
    _file: File,
}

/// To write to it, beside others.
pub(super) fn share(project: &Project) -> Result<Guard> {
    take(project, File::try_lock_shared)
}

/// To move it away: nobody else may have it open.
pub(super) fn alone(project: &Project) -> Result<Guard> {
    take(project, File::try_lock)
}

fn take(
    project: &Project,
    lock: impl FnOnce(&File) -> std::result::Result<(), TryLockError>,
) -> Result<Guard> {
    let failed = |e| atomic::disk_error("lock", Path::new(LOCK), &e);
    atomic::make_parents(project.dir(), Path::new(LOCK))?;
    let options = OpenOptions::new().read(true).write(true).create(true).clone();
    let file = project.dir().open_with(LOCK, &options).map_err(failed)?.into_std();
    match lock(&file) {
        Ok(()) => Ok(Guard { _file: file }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
        Err(TryLockError::WouldBlock) => {
            Err(Error::new(Kind::Locked, format!("another command uses {PATH} right now"))
                .hint("wait until it has ended; nothing was changed"))
        }
    }
}
