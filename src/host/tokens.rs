//! Token counts: `count_tokens`, `count_messages_tokens`, `find_max_exchanges_under_limit`.

use rhai::plugin::*;
use rhai::{Array, Dynamic, ImmutableString, Module};
use serde::de::DeserializeOwned;

use crate::base::{Error, Kind, Result};
use crate::pipeline::tokens::{self, Encoding, Message};
use crate::pipeline::transcript::Exchange;
use crate::script::{ScriptResult, values};

/// What is counted in when nothing is named.
const DEFAULT: &str = "cl100k_base";

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// Tokens of a text, in `cl100k_base` or another encoding of tiktoken (`o200k_base`, ...).
    ///
    /// Ordinary text encoding: a special token's text counts as plain text.
    ///
    /// ```rhai
    /// count_tokens("Hello world")   // -> 2
    /// ```
    #[rhai_fn(return_raw)]
    pub fn count_tokens(text: &str) -> ScriptResult<i64> {
        count_tokens_in(text, DEFAULT)
    }

    #[rhai_fn(name = "count_tokens", return_raw)]
    pub fn count_tokens_in(text: &str, encoding: &str) -> ScriptResult<i64> {
        Ok(tokens::count(text, Encoding::named(encoding)?) as i64)
    }

    /// Tokens of messages `#{role, content}`: their contents, and 4 for each.
    ///
    /// ```rhai
    /// count_messages_tokens([#{role: "user", content: "Hello world"}])   // -> 6
    /// ```
    #[rhai_fn(return_raw)]
    pub fn count_messages_tokens(messages: Array) -> ScriptResult<i64> {
        count_messages_tokens_in(messages, DEFAULT)
    }

    #[rhai_fn(name = "count_messages_tokens", return_raw)]
    pub fn count_messages_tokens_in(messages: Array, encoding: &str) -> ScriptResult<i64> {
        let messages: Vec<Message> = plain("messages", "#{role, content}", messages)?;
        Ok(tokens::count_messages(&messages, Encoding::named(encoding)?) as i64)
    }

    /// How many exchanges, from the first on, fit into `max_tokens` together with the system prompt.
    ///
    /// ```rhai
    /// find_max_exchanges_under_limit([#{user: "Hi", assistant: "Hello"}], "Be kind.", 100)   // -> 1
    /// ```
    #[rhai_fn(return_raw)]
    pub fn find_max_exchanges_under_limit(
        exchanges: Array,
        system_prompt: &str,
        max_tokens: i64,
    ) -> ScriptResult<i64> {
        find_max_exchanges_under_limit_in(exchanges, system_prompt, max_tokens, DEFAULT)
    }

    #[rhai_fn(name = "find_max_exchanges_under_limit", return_raw)]
    pub fn find_max_exchanges_under_limit_in(
        exchanges: Array,
        system_prompt: &str,
        max_tokens: i64,
        encoding: &str,
    ) -> ScriptResult<i64> {
        let exchanges = super::exchanges(exchanges)?;
        let limit = usize::try_from(max_tokens).unwrap_or(0);
        let encoding = Encoding::named(encoding)?;
        Ok(tokens::find_max_exchanges_under_limit(&exchanges, system_prompt, limit, encoding) as i64)
    }
}

/// An array of maps of one shape.
pub fn plain<T: DeserializeOwned>(what: &str, shape: &str, items: Array) -> Result<Vec<T>> {
    let one = |(i, item): (usize, &Dynamic)| {
        let json = values::to_json(item)?;
        serde_json::from_value(json)
            .map_err(|e| Error::new(Kind::Argument, format!("{what}: number {} is not {shape} ({e})", i + 1)))
    };
    items.iter().enumerate().map(one).collect()
}

/// Exchanges as scripts write them: `#{user, assistant}`, or `[user, assistant]`.
pub fn exchanges(items: Array) -> Result<Vec<Exchange>> {
    Ok(pairs(&items)?.into_iter().map(|(user, reply)| Exchange::new(user, reply)).collect())
}

/// The same, as the script's own texts: nothing is copied.
pub fn pairs(items: &Array) -> Result<Vec<(ImmutableString, ImmutableString)>> {
    items.iter().enumerate().map(|(place, item)| pair(item).ok_or_else(|| no_pair(place, item))).collect()
}

fn pair(item: &Dynamic) -> Option<(ImmutableString, ImmutableString)> {
    if let Ok(map) = item.as_map_ref() {
        return Some((text(map.get("user")?)?, text(map.get("assistant")?)?));
    }
    match &item.as_array_ref().ok()?[..] {
        [user, reply] => Some((text(user)?, text(reply)?)),
        _ => None,
    }
}

fn text(value: &Dynamic) -> Option<ImmutableString> {
    let character = || value.as_char().ok().map(|c| c.to_string().into());
    value.as_immutable_string_ref().ok().map(|text| (*text).clone()).or_else(character)
}

/// Why an element is no exchange.
fn no_pair(place: usize, item: &Dynamic) -> Error {
    let what = values::to_json(item).and_then(|json| {
        serde_json::from_value::<Exchange>(json)
            .map(drop)
            .map_err(|e| Error::new(Kind::Argument, e.to_string()))
    });
    let why = what.err().map_or("its texts are no strings".into(), |error| error.message().to_string());
    Error::new(Kind::Argument, format!("exchanges: number {} is not #{{user, assistant}} ({why})", place + 1))
}
