//! Option maps: only known keys, each of its type. The known keys stand in the namespaces' lists, by
//! which `check` finds a misspelled one before the first call.

use rhai::{Dynamic, FnPtr, Map};

use super::table;
use crate::base::config::Params;
use crate::base::{Error, Kind, Result, suggest};
use crate::pipeline::sampling::Sampling;
use crate::script::values;

/// The options of one function: which of its parameters they are, and their names.
pub struct OptionsOf {
    /// The function.
    pub function: &'static str,
    /// Position of the map among the parameters, a method's object counting as the first.
    pub parameter: usize,
    /// The names.
    pub names: &'static [&'static str],
}

/// Sampling parameters, wherever they are taken.
pub const SAMPLING: [&str; 5] = ["max_tokens", "temperature", "top_p", "seed", "stop"];

/// What an option must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wants {
    /// A string.
    Text,
    /// True or false.
    Truth,
    /// A number, whole or not, from the first to the second.
    Number(f64, f64),
    /// A whole number of at least so much.
    Whole(i64),
    /// A string or an array of strings.
    Texts,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A closure.
    Closure,
    /// Whatever there is.
    Anything,
}

impl Wants {
    /// In words: "a string".
    pub fn words(self) -> String {
        match self {
            Wants::Text => "a string".into(),
            Wants::Truth => "true or false".into(),
            Wants::Number(least, most) => format!("a number from {least} to {most}"),
            Wants::Whole(i64::MIN) => "a whole number".into(),
            Wants::Whole(least) => format!("a whole number of at least {least}"),
            Wants::Texts => "a string or an array of strings".into(),
            Wants::OneOf(names) => format!("one of {}", names.join(", ")),
            Wants::Closure => "a closure".into(),
            Wants::Anything => "a value".into(),
        }
    }
}

/// What each option must be, whichever function takes it.
const WANTS: &[(&str, Wants)] = &[
    ("allow", Wants::Texts),
    ("assistant", Wants::Text),
    ("checkpoint", Wants::Text),
    ("concurrency", Wants::Whole(1)),
    ("constraints", Wants::Anything),
    ("empty", Wants::Text),
    ("encoding", Wants::Text),
    ("gates", Wants::Anything),
    ("group", Wants::Text),
    ("id", Wants::Text),
    ("job", Wants::Text),
    ("language", Wants::Text),
    ("key", Wants::Closure),
    ("last", Wants::Whole(0)),
    ("loss", Wants::OneOf(&["all", "new"])),
    ("max_gap", Wants::Whole(0)),
    ("max_tokens", Wants::Whole(1)),
    ("max_words", Wants::Whole(2)),
    ("min_context", Wants::Whole(0)),
    ("min_gap", Wants::Whole(0)),
    ("min_words", Wants::Whole(2)),
    ("mix_offline", Wants::Truth),
    ("model", Wants::Text),
    ("most", Wants::Whole(1)),
    ("numbered", Wants::Truth),
    ("over_budget", Wants::OneOf(&["skip", "recent"])),
    ("phrases", Wants::Texts),
    ("praise", Wants::Texts),
    ("quoted", Wants::Truth),
    ("sampling", Wants::OneOf(Sampling::NAMES)),
    ("ratio", Wants::Number(0.0, 1000.0)),
    ("refusals", Wants::Texts),
    ("role_leaks", Wants::Texts),
    ("seed", Wants::Whole(i64::MIN)),
    ("speakers", Wants::Texts),
    ("stop", Wants::Texts),
    ("stop_words", Wants::Texts),
    ("swapped_roles", Wants::Texts),
    ("system", Wants::Text),
    ("temperature", Wants::Number(0.0, 2.0)),
    ("top_p", Wants::Number(0.0, 1.0)),
    ("user", Wants::Text),
    ("validation", Wants::Number(0.0, 1.0)),
    ("version", Wants::Anything),
];

/// What an option must be.
pub fn wants(option: &str) -> Option<Wants> {
    WANTS.iter().find(|(name, _)| *name == option).map(|(_, wants)| *wants)
}

/// A checked option map.
pub struct Options<'a> {
    function: &'static str,
    map: &'a Map,
}

impl<'a> Options<'a> {
    /// Refuses options that the function does not know.
    pub fn of(function: &'static str, map: &'a Map) -> Result<Options<'a>> {
        let known = table::options(function).map_or(&[][..], |options| options.names);
        match map.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(Options { function, map }),
            Some(key) => Err(unknown(function, key, known)),
        }
    }

    /// The raw value of an option that is set.
    pub fn get(&self, name: &str) -> Option<&'a Dynamic> {
        self.map.get(name).filter(|value| !value.is_unit())
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        self.typed(name, "a string", |value| value.clone().into_string().ok())
    }

    /// A whole number of at least `least`.
    pub fn whole(&self, name: &str, least: i64) -> Result<Option<usize>> {
        let what = format!("a whole number of at least {least}");
        let fits = |value: &Dynamic| value.as_int().ok().filter(|n| *n >= least);
        self.typed(name, &what, |value| fits(value).and_then(|n| usize::try_from(n).ok()))
    }

    /// A number, whole or not.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        self.typed(name, "a number", values::number)
    }

    /// True or false.
    pub fn truth(&self, name: &str) -> Result<Option<bool>> {
        self.typed(name, "true or false", |value| value.as_bool().ok())
    }

    /// A string, or an array of strings.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        self.typed(name, "a string or an array of strings", texts)
    }

    /// A closure, when it is one.
    pub fn closure(&self, name: &str) -> Option<FnPtr> {
        self.get(name).and_then(|value| value.clone().try_cast::<FnPtr>())
    }

    /// What must be a closure.
    pub fn only_closure(&self, name: &str) -> Result<Option<FnPtr>> {
        self.typed(name, "a closure", |value| value.clone().try_cast::<FnPtr>())
    }

    /// The sampling parameters among the options.
    pub fn params(&self) -> Result<Params> {
        Ok(Params {
            max_tokens: self.whole("max_tokens", 1)?.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            temperature: self.number("temperature")?,
            top_p: self.number("top_p")?,
            seed: self.typed("seed", "a whole number", |value| value.as_int().ok())?,
            stop: self.typed("stop", "a string or an array of strings", texts)?,
        })
    }

    fn typed<T>(&self, name: &str, what: &str, read: impl Fn(&Dynamic) -> Option<T>) -> Result<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let wrong = || {
            let found = values::type_name(value);
            let message =
                format!("option `{name}` of `{}` must be {what}, not {found} {value}", self.function);
            Error::new(Kind::Argument, message)
        };
        read(value).map(Some).ok_or_else(wrong)
    }
}

/// The error of an option that a function does not know.
pub fn unknown(function: &str, key: &str, known: &[&str]) -> Error {
    let message = format!("`{function}` has no option `{key}`");
    let near = suggest::nearest(key, known.iter().copied());
    let near = near.map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
    let list = known.join(", ");
    Error::new(Kind::UnknownOption, message).hint(format!("{near}It knows: {list}"))
}

fn texts(value: &Dynamic) -> Option<Vec<String>> {
    if let Ok(text) = value.clone().into_string() {
        return Some(vec![text]);
    }
    let items = value.as_array_ref().ok()?;
    items.iter().map(|item| item.clone().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_what_every_option_must_be() {
        let names = table::NAMESPACES.iter().flat_map(|namespace| namespace.options).flat_map(|of| of.names);
        let missing: Vec<&&str> = names.filter(|name| wants(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
