//! Looks through a whole file of lines for damage, and moves it aside. (A run stops at the first damaged line.)

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use super::lines::{self, Raw};
use super::{Project, atomic, mend, paths};
use crate::base::{Kind, Result};

/// What is wrong with a file of lines.
#[derive(Debug, Default)]
pub struct Survey {
    /// Lines that cannot be read.
    pub damaged: Vec<Damage>,
    /// What stands after the last line break.
    pub torn: Option<Torn>,
}

/// A line that cannot be read.
#[derive(Debug)]
pub struct Damage {
    /// Counted from 1.
    pub number: usize,
    /// What is wrong with it.
    pub what: String,
    offset: u64,
    length: u64,
}

/// Bytes without a line break.
#[derive(Debug, Clone, Copy)]
pub struct Torn {
    /// How many.
    pub bytes: usize,
    /// Whether they are a whole line that only lacks its end.
    pub whole: bool,
}

/// Looks at every line of a file, one in memory at a time; `judge` says what is wrong with it. A file that is
/// not there has nothing wrong with it.
pub fn survey(
    project: &Project,
    path: &str,
    mut judge: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<Survey> {
    let mut found = Survey::default();
    let file = match project.open_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == Kind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    let reader = BufReader::with_capacity(1 << 18, file);
    let tail = lines::walk(path, reader, |Raw { number, offset, length, bytes }| {
        if let Err(what) = judge(bytes.trim_ascii()) {
            found.damaged.push(Damage { number, what, offset, length });
        }
        Ok(())
    })?;
    found.torn = tail.map(|tail| Torn { bytes: tail.bytes.len(), whole: tail.whole });
    Ok(found)
}

/// Moves the damaged lines to `<path>.damaged`, whose path is returned. They are on disk there before the file
/// is replaced.
pub fn move_aside(project: &Project, path: &str, damaged: &[Damage]) -> Result<String> {
    let real = project.ensure_writable(path)?;
    let mut file = project.open_read(path)?.into_std();
    let aside = paths::display(&mend::suffixed(&real, ".damaged"));
    let (real_aside, out) = project.open_append(&aside)?;
    let mut out = out.into_std();
    let copied = damaged.iter().try_for_each(|line| copy_line(&mut file, line, &mut out));
    copied.and_then(|()| out.sync_all()).map_err(|e| atomic::disk_error("write", &real_aside, &e))?;
    atomic::replace_with(project.target(), &real, |new| copy_others(&mut file, damaged, new))?;
    Ok(aside)
}

/// Adds a line to a file.
fn copy_line(file: &mut File, line: &Damage, out: &mut File) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(line.offset))?;
    file.take(line.length).read_to_end(&mut bytes)?;
    if bytes.last() != Some(&b'\n') {
        bytes.push(b'\n');
    }
    out.write_all(&bytes)
}

/// Copies what stands between the damaged lines.
fn copy_others(file: &mut File, damaged: &[Damage], out: &mut impl Write) -> io::Result<()> {
    let mut from = 0;
    for line in damaged {
        file.seek(SeekFrom::Start(from))?;
        io::copy(&mut file.take(line.offset - from), out)?;
        from = line.offset + line.length;
    }
    file.seek(SeekFrom::Start(from))?;
    io::copy(file, out).map(drop)
}

/// Mends the end of a file without damaged lines, as a run does, and says what was done.
pub fn mend_tail(project: &Project, path: &str) -> Result<Option<String>> {
    let (real, file) = project.open_append(path)?;
    let file = file.into_std();
    let tail = lines::scan(path, BufReader::new(&file), |_| Ok(()))?;
    tail.map(|tail| mend::mend(project, &real, &file, &tail)).transpose()
}
