//! One run a checkpoint: a lock on the file beside it, which the system gives back when its holder
//! dies. The lock file stays: removing it would let two runs lock two files of one name.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cap_std::fs::OpenOptions;
use serde::{Deserialize, Serialize};

use super::{Project, atomic, mend, paths};
use crate::base::{Error, Kind, Result};

/// How often a lock that is held is looked at, and how long between: its holder may be about to write down
/// who it is, or about to leave.
const LOOKS: (usize, Duration) = (25, Duration::from_millis(20));

/// Where the lock of a checkpoint stands.
pub fn path_of(checkpoint: &Path) -> PathBuf {
    mend::suffixed(checkpoint, ".lock")
}

/// A held lock; dropping it gives it back.
pub struct Lock {
    file: File,
}

/// Who holds a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process; 0 while it has not yet written who it is.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// Since when.
    pub since: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            0 => f.write_str("it began just now"),
            pid => write!(f, "process {pid} on {}, since {}", self.host, self.since),
        }
    }
}

impl Lock {
    /// Locks the checkpoint at `real`, or says who holds it.
    pub fn take(project: &Project, real: &Path) -> Result<Lock> {
        let path = project.ensure_writable(&paths::display(&path_of(real)))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let failed = |e| atomic::disk_error("lock", &path, &e);
        let mut file = project.target().open_with(&path, &options).map_err(failed)?.into_std();
        let mut seen = None;
        for _ in 0..LOOKS.0 {
            match file.try_lock() {
                Ok(()) => return write_holder(&mut file).map(|()| Lock { file }).map_err(failed),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            // What stands there at the first look may be of an earlier holder.
            let holder = read_holder(&mut file);
            if holder.is_some() && holder == seen {
                break;
            }
            seen = holder;
            std::thread::sleep(LOOKS.1);
        }
        Err(held(real, seen))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

/// Who holds the lock of a checkpoint at this moment. Changes nothing.
pub fn holder(project: &Project, checkpoint: &str) -> Option<Holder> {
    let real = paths::resolve(project.dir(), checkpoint).unwrap_or_else(|_| checkpoint.into());
    let mut file = project.dir().open(path_of(&real)).ok()?.into_std();
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read_holder(&mut file).unwrap_or_default()),
        _ => None,
    }
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    let since = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let holder = Holder { pid: std::process::id(), host: host_name(), since };
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(&holder)?)
}

/// The system's name; only for people to read.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"));
    name.map_or_else(|_| "an unknown machine".into(), |name| name.trim().to_string())
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    serde_json::from_str(&text).ok()
}

fn held(real: &Path, holder: Option<Holder>) -> Error {
    let who = holder.unwrap_or_default();
    Error::new(Kind::Locked, format!("another run holds {}: {who}", paths::display(real)))
        .hint("wait until it has ended, or end it; what it has saved is kept")
}
