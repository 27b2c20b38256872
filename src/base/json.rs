//! JSON as it stands in a text: strings without escapes are borrowed from it, so that large files are read
//! with few copies. Keys stay as they are, twice where they stand there twice.

use std::borrow::Cow;
use std::fmt;
use std::ops::Index;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::escape::push_json;

/// A JSON value that borrows from its text.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// Null, true, false, or a number.
    Plain(Value),
    /// A string; borrowed when it stands in the text without an escape.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Json<'a>>),
    /// An object.
    Object(Vec<Entry<'a>>),
}

/// A key of an object and its value.
pub type Entry<'a> = (Cow<'a, str>, Json<'a>);

impl<'a> Json<'a> {
    /// Reads a text.
    pub fn parse(text: &'a str) -> serde_json::Result<Json<'a>> {
        serde_json::from_str(text)
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Json::Plain(Value::Null))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    /// The items of an array.
    pub fn as_array(&self) -> Option<&[Json<'a>]> {
        if let Json::List(items) = self { Some(items) } else { None }
    }

    /// A number from 0 up that is whole.
    pub fn as_u64(&self) -> Option<u64> {
        if let Json::Plain(value) = self { value.as_u64() } else { None }
    }

    /// A value of its own. Of a key that is there twice, the last one counts.
    pub fn into_value(self) -> Value {
        match self {
            Json::Plain(value) => value,
            Json::Text(text) => Value::String(text.into_owned()),
            Json::List(items) => Value::Array(items.into_iter().map(Json::into_value).collect()),
            Json::Object(entries) => {
                let own = |(key, value): Entry| (key.into_owned(), value.into_value());
                Value::Object(entries.into_iter().map(own).collect::<Map<_, _>>())
            }
        }
    }

    /// Appends the canonical text: compact, keys sorted by code point at every level.
    pub fn write_canonical(&self, out: &mut String) {
        match self {
            Json::Plain(value) => out.push_str(&value.to_string()),
            Json::Text(text) => push_json(out, text),
            Json::List(items) => write_list(items, out, |item, out| item.write_canonical(out)),
            Json::Object(entries) => write_object(entries, out, |(_, value), out| value.write_canonical(out)),
        }
    }
}

/// What is not there is null.
static NULL: Json = Json::Plain(Value::Null);

/// The value of a key; of one that is there twice, the last.
impl<'a> Index<&str> for Json<'a> {
    type Output = Json<'a>;

    fn index(&self, key: &str) -> &Json<'a> {
        let Json::Object(entries) = self else { return &NULL };
        entries.iter().rev().find(|entry| entry.0 == key).map_or(&NULL, |entry| &entry.1)
    }
}

/// An item of an array.
impl<'a> Index<usize> for Json<'a> {
    type Output = Json<'a>;

    fn index(&self, place: usize) -> &Json<'a> {
        self.as_array().and_then(|items| items.get(place)).unwrap_or(&NULL)
    }
}

impl PartialEq<str> for Json<'_> {
    fn eq(&self, text: &str) -> bool {
        self.as_str() == Some(text)
    }
}

impl<'a> From<&'a Value> for Json<'a> {
    fn from(value: &'a Value) -> Json<'a> {
        match value {
            Value::String(text) => Json::Text(text.into()),
            Value::Array(items) => Json::List(items.iter().map(Json::from).collect()),
            Value::Object(map) => {
                Json::Object(map.iter().map(|(key, value)| (key.into(), value.into())).collect())
            }
            plain => Json::Plain(plain.clone()),
        }
    }
}

/// Appends an array; `write` appends an item.
pub fn write_list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    mut write: impl FnMut(T, &mut String),
) {
    out.push('[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

/// Appends an object, its keys sorted; `write` appends a value. Of a key that is there twice, the last one counts.
pub fn write_object<'a>(
    entries: &[Entry<'a>],
    out: &mut String,
    mut write: impl FnMut(&Entry<'a>, &mut String),
) {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let begin = out.len();
    out.push('{');
    for (i, entry) in sorted.iter().enumerate() {
        if sorted.get(i + 1).is_some_and(|next| next.0 == entry.0) {
            continue;
        }
        if out.len() > begin + 1 {
            out.push(',');
        }
        push_json(out, &entry.0);
        out.push(':');
        write(entry, out);
    }
    out.push('}');
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

/// A string that borrows where it can, which serde does only when told so.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Plain(value.into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.to_string().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some((Key(key), value)) = map.next_entry()? {
            entries.push((key, value));
        }
        Ok(Json::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::hash;

    fn canonical(text: &str) -> String {
        let mut out = String::new();
        Json::parse(text).unwrap().write_canonical(&mut out);
        out
    }

    /// The same by serde, which writes keys in the order in which they were put in.
    fn sorted(value: Value) -> Value {
        match value {
            Value::Array(items) => items.into_iter().map(sorted).collect(),
            Value::Object(map) => {
                let mut entries: Vec<_> = map.into_iter().collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
            }
            plain => plain,
        }
    }

    #[test]
    fn strings_are_borrowed_where_they_can_be() {
        let text = r#"{"plain": "words", "escaped": "a\nb"}"#;
        let Json::Object(entries) = Json::parse(text).unwrap() else { panic!() };
        assert!(matches!(&entries[0], (Cow::Borrowed("plain"), Json::Text(Cow::Borrowed("words")))));
        assert!(matches!(&entries[1].1, Json::Text(Cow::Owned(text)) if text == "a\nb"));
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_last_one_counts() {
        let text = r#"{"b": 1, "a": {"x": 1, "y": 2, "x": [3]}, "b": 2}"#;
        assert_eq!(canonical(text), r#"{"a":{"x":[3],"y":2},"b":2}"#);
        assert_eq!(Json::parse(text).unwrap().into_value(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn what_is_no_json_is_refused_as_ever() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in [
            "",
            "{",
            "{\"a\":1,}",
            "[1 2]",
            "\"\u{1}\"",
            "1e999",
            "{} {}",
            "nul",
            "\"\\ud800\"",
            deep.as_str(),
        ] {
            let [ours, theirs] = [
                Json::parse(text).map(Json::into_value).map_err(|e| e.to_string()),
                serde_json::from_str(text).map_err(|e| e.to_string()),
            ];
            assert_eq!(ours, theirs, "{text}");
            assert!(ours.is_err(), "{text}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let map = proptest::collection::vec((any::<String>(), inner.clone()), 0..5);
            prop_oneof![
                proptest::collection::vec(inner, 0..5).prop_map(Value::from),
                map.prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_says_what_a_value_says(value in values(), pretty: bool) {
            let text = match pretty {
                true => serde_json::to_string_pretty(&value).unwrap(),
                false => value.to_string(),
            };
            prop_assert_eq!(canonical(&text), hash::canonical(&serde_json::from_str(&text).unwrap()));
            prop_assert_eq!(canonical(&text), sorted(serde_json::from_str(&text).unwrap()).to_string());
            prop_assert_eq!(Json::parse(&text).unwrap().into_value(), serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}
