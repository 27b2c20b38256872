//! Reads a file of records, one JSON object a line, in memory of one line: only the fields that
//! decide what is done are kept. A line that is not a record is damage and is named.

use std::io::{self, BufRead};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::base::{Error, Kind, Place, Result};

/// What a checkpoint keeps of a record in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The record's `id`.
    pub id: String,
    /// Its `_version`, when that is a string.
    pub version: Option<String>,
    /// False when its `complete` is false.
    pub complete: bool,
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

#[derive(Deserialize)]
struct RawHead {
    id: Option<Scalar>,
    #[serde(rename = "_version")]
    version: Option<Scalar>,
    complete: Option<Scalar>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Flag(bool),
    Other(IgnoredAny),
}

/// Reads a line as a record; the error says what is wrong with it.
pub fn parse_head(line: &[u8]) -> Result<Head, String> {
    let text =
        std::str::from_utf8(line).map_err(|e| format!("not UTF-8 text at byte {}", e.valid_up_to() + 1))?;
    if text.contains('\0') {
        return Err("it holds NUL bytes".into());
    }
    if !text.trim_start().starts_with('{') {
        return Err("it is not a JSON object".into());
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let raw = RawHead::deserialize(&mut json).map_err(|e| json_fault(&e))?;
    json.end().map_err(|_| "more follows after the record, as if two lines had been merged")?;
    let Some(Scalar::Text(id)) = raw.id else {
        return Err("it has no `id` that is a string".into());
    };
    let version = if let Some(Scalar::Text(version)) = raw.version { Some(version) } else { None };
    Ok(Head { id, version, complete: !matches!(raw.complete, Some(Scalar::Flag(false))) })
}

fn json_fault(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "it is cut off".into(),
        Category::Data => "a field that may stand there once stands there twice".into(),
        Category::Syntax | Category::Io => format!("not valid JSON at column {}", error.column()),
    }
}

/// Whether these bytes are one JSON object, be it a record or not.
pub(super) fn is_object(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
    })
}

/// Calls `each` with every record's head, offset and length, the unended last one included when it is
/// whole; returns what stands after the last line break. Blank lines are passed over.
pub fn scan(
    file: &str,
    mut reader: impl BufRead,
    mut each: impl FnMut(Head, u64, u32),
) -> Result<Option<Tail>> {
    let (mut offset, mut number) = (0u64, 0usize);
    let mut line = Vec::new();
    loop {
        line.clear();
        number += 1;
        let length = reader.read_until(b'\n', &mut line).map_err(|e| read_error(file, &e))?;
        if length == 0 {
            return Ok(None);
        }
        let ended = line.last() == Some(&b'\n');
        if !ended && !is_object(&line) {
            return Ok(Some(Tail { offset, bytes: line, whole: false }));
        }
        let record = if ended { &line[..length - 1] } else { &line[..] };
        if !record.trim_ascii().is_empty() {
            let fault = |what: &str| damage(file, number, record, what);
            let head = parse_head(record).map_err(|what| fault(&what))?;
            let size = u32::try_from(record.len()).map_err(|_| fault("it is longer than 4 GiB"))?;
            each(head, offset, size);
        }
        if !ended {
            return Ok(Some(Tail { offset, bytes: line, whole: true }));
        }
        offset += length as u64;
    }
}

fn read_error(file: &str, error: &io::Error) -> Error {
    Error::io(Kind::Data, "read", file, error)
}

/// The error of a line that is not a record. Nothing is changed: a person must look.
fn damage(file: &str, number: usize, line: &[u8], what: &str) -> Error {
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

    fn fault(line: &[u8]) -> String {
        parse_head(line).unwrap_err()
    }

    #[test]
    fn a_head_keeps_what_decides() {
        let head =
            parse_head(br#"{"x":[1,{"id":"no"}],"id":"\u0061b","_version":"v","complete":false} "#).unwrap();
        assert_eq!(head, Head { id: "ab".into(), version: Some("v".into()), complete: false });
        let head = parse_head(br#"{"id":"a","complete":null,"_version":3}"#).unwrap();
        assert_eq!(head, Head { id: "a".into(), version: None, complete: true });
    }

    #[test]
    fn every_sort_of_damage_has_its_words() {
        assert_eq!(
            fault(b"{\"id\":\"a\"}{\"id\":\"b\"}"),
            "more follows after the record, as if two lines had been merged"
        );
        assert_eq!(fault(b"{\"id\":\"a\",\"x\":\"b"), "it is cut off");
        assert_eq!(fault(b"{\"id\":\"a\0\"}"), "it holds NUL bytes");
        assert_eq!(fault(b"{\"id\":\"\xff\"}"), "not UTF-8 text at byte 8");
        assert_eq!(fault(b"[\"a\",null,null]"), "it is not a JSON object");
        assert_eq!(fault(b"{\"id\":7}"), "it has no `id` that is a string");
        assert_eq!(fault(b"{\"id\":\"a\",}"), "not valid JSON at column 11");
        assert_eq!(
            fault(b"{\"id\":\"a\",\"id\":\"b\"}"),
            "a field that may stand there once stands there twice"
        );
    }
}
