//! Length statistics: `compute_length_stats`, `length_stats`.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Module};

use super::tokens::exchanges as to_exchanges;
use crate::pipeline::length;
use crate::script::{ScriptResult, values};

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// Words per turn and their ratios, as a text for a judge's prompt.
    ///
    /// Words are separated by white space, as Python's `str.split()` does. Takes `#{user, assistant}` or
    /// `[user, assistant]`.
    ///
    /// ```rhai
    /// compute_length_stats([["a b", "c d e"]]).split("\n")[1]   // -> "Turn 1: User=2w, Asst=3w, Ratio=1.50x"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn compute_length_stats(exchanges: Array) -> ScriptResult<String> {
        Ok(length::compute_length_stats(&to_exchanges(exchanges)?))
    }

    /// The same as numbers: `#{turns: [#{turn, user, assistant, ratio}], count, average_ratio, ...}`.
    ///
    /// ```rhai
    /// length_stats([["a b", "c d e"]]).average_ratio   // -> 1.5
    /// ```
    #[rhai_fn(return_raw)]
    pub fn length_stats(exchanges: Array) -> ScriptResult<Dynamic> {
        Ok(values::from_serialize(&length::length_stats(&to_exchanges(exchanges)?))?)
    }

    /// The number of words in a text.
    ///
    /// ```rhai
    /// words_in("no steam, sorry")   // -> 3
    /// ```
    pub fn words_in(text: &str) -> i64 {
        length::words(text) as i64
    }

    /// The first `count` words of a text, a space between them.
    ///
    /// ```rhai
    /// leading_words("the pump hums and stops", 2)   // -> "the pump"
    /// ```
    pub fn leading_words(text: &str, count: i64) -> String {
        length::leading_words(text, usize::try_from(count).unwrap_or(0))
    }
}
