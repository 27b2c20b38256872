//! What of a record's line decides what is done: its `id`, `_version` and `complete`. A value there that
//! the program would not have written is damage.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::version::Version;
use crate::base::Result;

/// What a checkpoint keeps of a record in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    /// The record's `id`.
    pub id: Cow<'a, str>,
    /// Its `_version`, when it has one.
    pub version: Option<Version>,
    /// False when its `complete` is false.
    pub complete: bool,
}

/// The fields that decide.
const KNOWN: [&str; 3] = ["id", "_version", "complete"];

impl Head<'_> {
    /// Reads a line as a record; the error says what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Head<'_>, String> {
        let text = std::str::from_utf8(line)
            .map_err(|e| format!("not UTF-8 text at byte {}", e.valid_up_to() + 1))?;
        if !text.trim_start().starts_with('{') {
            return Err(with_nul(text, "it is not a JSON object"));
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let fields = Fields::deserialize(&mut json).map_err(|e| with_nul(text, &json_fault(&e)))?;
        json.end()
            .map_err(|_| with_nul(text, "more follows after the record, as if two lines had been merged"))?;
        fields.head()
    }
}

/// Bytes that a disk never wrote are the better explanation.
fn with_nul(text: &str, fault: &str) -> String {
    if text.contains('\0') { "it holds NUL bytes".into() } else { fault.into() }
}

/// What is wrong with a text that is no record.
pub(super) fn json_fault(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "it is cut off".into(),
        Category::Data => "a field that may stand there once stands there twice".into(),
        Category::Syntax | Category::Io => format!("not valid JSON at column {}", error.column()),
    }
}

/// The known fields as they stand there, and keys that look like one of them.
#[derive(Default)]
struct Fields<'a> {
    known: [Option<Field<'a>>; 3],
    alike: Vec<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    fn head(self) -> Result<Head<'a>, String> {
        for (name, _) in KNOWN.iter().zip(&self.known).filter(|(_, field)| field.is_none()) {
            if let Some(key) = self.alike.iter().find(|key| a_bit_apart(key, name)) {
                return Err(format!("it has no `{name}`, but `{key}`, which is one flipped bit away"));
            }
        }
        let [id, version, complete] = self.known;
        let id = match id {
            Some(Field::Text(id)) if !id.is_empty() => id,
            Some(Field::Text(_)) => return Err("its `id` is empty".into()),
            _ => return Err("it has no `id` that is a string".into()),
        };
        let version = match version {
            None => None,
            Some(Field::Text(text)) => Some(Version::parse(&text).ok_or_else(no_version)?),
            Some(_) => return Err(no_version()),
        };
        let complete = match complete {
            None => true,
            Some(Field::Flag(complete)) => complete,
            Some(_) => return Err("its `complete` is neither true nor false".into()),
        };
        Ok(Head { id, version, complete })
    }
}

fn no_version() -> String {
    "its `_version` is not four parts of 8 hexadecimal digits".into()
}

/// Whether two keys differ in a single bit.
fn a_bit_apart(one: &str, other: &str) -> bool {
    let bits = || one.bytes().zip(other.bytes()).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
    one.len() == other.len() && bits() == 1
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(Key(key)) = map.next_key()? {
            let Some(place) = KNOWN.iter().position(|name| *name == key) else {
                map.next_value::<IgnoredAny>()?;
                if KNOWN.iter().any(|name| a_bit_apart(&key, name)) {
                    fields.alike.push(key);
                }
                continue;
            };
            if fields.known[place].replace(map.next_value()?).is_some() {
                return Err(A::Error::custom("twice"));
            }
        }
        Ok(fields)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value, as far as it can be one that decides.
enum Field<'a> {
    Text(Cow<'a, str>),
    Flag(bool),
    Other,
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(text.to_string().into()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Field<'de>, E> {
        Ok(Field::Flag(flag))
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &[u8]) -> String {
        Head::parse(line).unwrap_err()
    }

    #[test]
    fn a_head_keeps_what_decides() {
        let line = br#"{"x":[1,{"id":"no"}],"id":"\u0061b","_version":"00000001-00000002-00000003-0","complete":false} "#;
        let version = Some(Version([1, 2, 3, 0]));
        assert_eq!(Head::parse(line).unwrap(), Head { id: "ab".into(), version, complete: false });
        let head = Head::parse(br#"{"id":"a","Complete":1,"complete":true}"#).unwrap();
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
        assert_eq!(fault(b"{\"id\":\"\"}"), "its `id` is empty");
        assert_eq!(fault(b"{\"id\":\"a\",}"), "not valid JSON at column 11");
        let twice = "a field that may stand there once stands there twice";
        assert_eq!(fault(b"{\"id\":\"a\",\"id\":\"b\"}"), twice);
        assert_eq!(fault(b"{\"id\":\"a\",\"complete\":null,\"complete\":true}"), twice);
    }

    #[test]
    fn known_values_have_their_form() {
        let version = "its `_version` is not four parts of 8 hexadecimal digits";
        for value in ["3", "null", "\"v1\"", "[]", "{\"a\":1}", "1.5", "true"] {
            assert_eq!(
                fault(format!("{{\"id\":\"a\",\"_version\":{value}}}").as_bytes()),
                version,
                "{value}"
            );
        }
        for value in ["null", "\"false\"", "0", "-1", "[false]", "{}"] {
            let line = format!("{{\"id\":\"a\",\"complete\":{value}}}");
            assert_eq!(fault(line.as_bytes()), "its `complete` is neither true nor false", "{value}");
        }
    }

    #[test]
    fn a_key_that_is_nearly_known_is_told() {
        let says = "it has no `complete`, but `comqlete`, which is one flipped bit away";
        assert_eq!(fault(b"{\"id\":\"a\",\"comqlete\":false}"), says);
        assert!(fault(b"{\"hd\":\"a\"}").contains("no `id`, but `hd`"));
        assert!(Head::parse(b"{\"id\":\"a\",\"completed\":1,\"complexe\":2}").is_ok());
    }
}
