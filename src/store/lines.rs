//! Reads a file of records, one JSON object a line, in memory of one line: only the fields that
//! decide what is done are kept. A line that is not a record is damage and is named.

use std::io::{self, BufRead};

use serde::de::IgnoredAny;

use super::head::Head;
use crate::base::{Error, Kind, Place, Result};

/// A record, where it stands.
pub struct Line<'a> {
    /// What decides.
    pub head: Head<'a>,
    /// Where it begins.
    pub offset: u64,
    /// All of it, without its line break.
    pub bytes: &'a [u8],
}

/// Bytes after the last line break: what a killed run was writing.
#[derive(Debug, PartialEq, Eq)]
pub struct Tail {
    /// Where they begin.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether they are a whole record that only lacks its line break.
    pub whole: bool,
}

/// Whether these bytes are the beginning of a JSON value, and no whole one: what is left of a line when
/// its writer is killed. After a power cut, NUL bytes may stand for the rest.
fn is_torn(bytes: &[u8]) -> bool {
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = match std::str::from_utf8(&bytes[..written]) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => return true,
        Err(_) => return false,
    };
    match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) => error.is_eof(),
        Ok(_) => written < bytes.len(),
    }
}

/// A line that is not blank, where it stands.
pub(super) struct Raw<'a> {
    /// Counted from 1.
    pub number: usize,
    /// Where it begins.
    pub offset: u64,
    /// How long it is, with its line break if it has one.
    pub length: u64,
    /// All of it, without its line break.
    pub bytes: &'a [u8],
}

/// Calls `each` with every line of a file, one in memory at a time, the unended last one included when it is whole;
/// returns what stands after the last line break. Blank lines are passed over.
pub(super) fn walk(
    file: &str,
    mut reader: impl BufRead,
    mut each: impl FnMut(Raw) -> Result<()>,
) -> Result<Option<Tail>> {
    let (mut offset, mut line) = (0, Vec::new());
    for number in 1.. {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(|e| read_error(file, &e))?;
        if length == 0 {
            break;
        }
        let bytes = line.strip_suffix(b"\n");
        if bytes.is_none() && is_torn(&line) {
            return Ok(Some(Tail { offset, bytes: line, whole: false }));
        }
        let (ended, bytes) = (bytes.is_some(), bytes.unwrap_or(&line));
        if !bytes.trim_ascii().is_empty() {
            each(Raw { number, offset, length: length as u64, bytes })?;
        }
        if !ended {
            return Ok(Some(Tail { offset, bytes: line, whole: true }));
        }
        offset += length as u64;
    }
    Ok(None)
}

/// Calls `each` with every record, the unended last one included when it is whole; returns what stands
/// after the last line break. Blank lines are passed over. What `each` finds wrong with a line is damage, too.
pub fn scan(
    file: &str,
    reader: impl BufRead,
    mut each: impl FnMut(Line) -> Result<(), String>,
) -> Result<Option<Tail>> {
    walk(file, reader, |Raw { number, offset, bytes, .. }| {
        let head = Head::parse(bytes);
        head.and_then(|head| each(Line { head, offset, bytes }))
            .map_err(|what| damage(file, number, bytes, &what))
    })
}

fn read_error(file: &str, error: &io::Error) -> Error {
    Error::io(Kind::Data, "read", file, error)
}

/// The error of a line that is not a record. Nothing is changed: a person must look.
pub(super) fn damage(file: &str, number: usize, line: &[u8], what: &str) -> Error {
    let shown = &line[..line.len().min(200)];
    let text = String::from_utf8_lossy(shown).into_owned();
    let place = Place { file: file.into(), line: number, column: 0, text };
    Error::new(Kind::Data, format!("line {number} of {file} is damaged: {what}")).at(place).hint(
        "nothing was changed: put the line back from a copy, or let `fthost doctor --repair` move it aside (its item is run again)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_killed_writer_leaves_is_torn() {
        for torn in
            [&b"{"[..], b"{\"id\":\"a", b"{\"id\":\"\xc3", b"{\"id\":\"a\"\0\0", b"\0\0", b"{\"id\":\"a\"}\0"]
        {
            assert!(is_torn(torn), "{:?}", String::from_utf8_lossy(torn));
        }
        for other in
            [&b"{\"id\":\"a\"}"[..], b"{\"id\":\"a\"}*", b"{\"id\":\"\xff", b"{id", b"{\"a\0b", b"[1]"]
        {
            assert!(!is_torn(other), "{:?}", String::from_utf8_lossy(other));
        }
    }
}
