//! The values of `-s key=value`, and which of them a script has read.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Error, Kind, Result, suggest};

/// What the command line set.
#[derive(Debug, Default, Clone)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Takes `key=value` words; a key given twice is an error.
    pub fn parse(words: &[String]) -> Result<Settings> {
        let mut values = BTreeMap::new();
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(|| {
                Error::new(Kind::Usage, format!("`-s {word}` has no value")).hint("write -s key=value")
            })?;
            if values.insert(key.trim().to_string(), value.to_string()).is_some() {
                return Err(Error::new(Kind::Usage, format!("setting `{key}` is given twice")));
            }
        }
        Ok(Settings(values))
    }

    /// Gives a key a value.
    pub fn set(&mut self, key: &str, value: String) {
        self.0.insert(key.into(), value);
    }

    /// The keys that have a value.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// As they stand on a command line.
    pub fn words(&self) -> String {
        let word = |(key, value): (&String, &String)| format!("-s {}", shell_word(&format!("{key}={value}")));
        self.0.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// The text given for a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// A key that no script reads is most likely a slip.
    pub fn check_known(&self, read: &[String]) -> Result<()> {
        match self.0.keys().find(|key| !read.contains(key)) {
            None => Ok(()),
            Some(key) => {
                let known: BTreeSet<&str> = read.iter().map(String::as_str).collect();
                let hint = match read.is_empty() {
                    true => "these scripts read no settings".to_string(),
                    false => suggest::hint(key, known),
                };
                Err(Error::new(Kind::Usage, format!("no script reads the setting `{key}`")).hint(hint))
            }
        }
    }

    /// The value of a key in the type of its default, which only tells the type.
    pub fn whole_number(&self, key: &str) -> Result<Option<i64>> {
        self.typed(key, "a whole number", |text| text.replace('_', "").parse().ok())
    }

    /// As [`whole_number`](Self::whole_number), for numbers with a fraction.
    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        self.typed(key, "a number", |text| text.parse().ok().filter(|n: &f64| n.is_finite()))
    }

    /// As [`whole_number`](Self::whole_number), for true and false.
    pub fn truth(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "true or false", |text| text.parse().ok())
    }

    fn typed<T>(&self, key: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
        let Some(text) = self.get(key) else { return Ok(None) };
        let wrong = || Error::new(Kind::Usage, format!("setting `{key}` must be {what}, not `{text}`"));
        parse(text.trim()).map(Some).ok_or_else(wrong)
    }
}

/// A word as a shell reads it.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_can_be_run_again() {
        let settings = Settings::parse(&["b=it's 5 %".into(), "a=data/x.jsonl".into()]).unwrap();
        assert_eq!(settings.words(), r"-s a=data/x.jsonl -s 'b=it'\''s 5 %'");
        assert_eq!(shell_word(""), "''");
    }

    fn settings(words: &[&str]) -> Result<Settings> {
        Settings::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn values_take_the_type_that_is_asked_for() {
        let settings = settings(&["n=1_000", "x=0.5", "on=true", "t=a=b"]).unwrap();
        assert_eq!(settings.whole_number("n").unwrap(), Some(1000));
        assert_eq!(settings.number("x").unwrap(), Some(0.5));
        assert_eq!(settings.truth("on").unwrap(), Some(true));
        assert_eq!(settings.get("t"), Some("a=b"));
        assert_eq!(settings.whole_number("missing").unwrap(), None);
        let error = settings.whole_number("x").unwrap_err();
        assert_eq!(error.message(), "setting `x` must be a whole number, not `0.5`");
    }

    #[test]
    fn slips_are_found() {
        assert!(settings(&["turns"]).is_err());
        assert!(settings(&["a=1", "a=2"]).is_err());
        let error = settings(&["trun=3"]).unwrap().check_known(&["turns".into()]).unwrap_err();
        assert_eq!(error.get_hint(), Some("did you mean `turns`?"));
        let twice = ["turns", "a", "turns"].map(String::from);
        let error = settings(&["zebra=3"]).unwrap().check_known(&twice).unwrap_err();
        assert_eq!(error.get_hint(), Some("known: a, turns"));
    }
}
