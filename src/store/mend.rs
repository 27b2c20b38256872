//! Mends what a killed run left at the end of a file of records: half a line is kept aside and cut
//! off, a whole line gets the line break that it lacks.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::lines::Tail;
use super::{Project, atomic, paths};
use crate::base::Result;

/// Mends `file` (opened for appending; it stands at `real`), and says in words what was done.
pub(super) fn mend(project: &Project, real: &Path, file: &File, tail: &Tail) -> Result<String> {
    let failed = |e| atomic::disk_error("mend", real, &e);
    let mut file = file;
    if tail.whole {
        file.write_all(b"\n").and_then(|()| file.sync_all()).map_err(failed)?;
        return Ok(format!("the last line of {} lacked its end, which was added", paths::display(real)));
    }
    let aside = suffixed(real, ".torn");
    keep_aside(project, &aside, &tail.bytes)?;
    file.set_len(tail.offset).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(format!(
        "the last line of {} was torn (an earlier run was killed while it wrote): its {} bytes were moved to {}",
        paths::display(real),
        tail.bytes.len(),
        paths::display(&aside)
    ))
}

/// Adds the torn bytes to the file beside; they are on disk before anything is cut.
fn keep_aside(project: &Project, aside: &Path, bytes: &[u8]) -> Result<()> {
    let (real, file) = project.open_append(&paths::display(aside))?;
    let mut file = file.into_std();
    let written = file.write_all(bytes).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all());
    written.map_err(|e| atomic::disk_error("write", &real, &e))
}

/// A path with more behind its name.
pub(super) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}
