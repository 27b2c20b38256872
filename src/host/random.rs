//! Seeded random choices: `rng(seed_text)`. The same seed gives the same draws, everywhere and always.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map, Module};

use crate::base::{Error, Kind, Result};
use crate::pipeline::rng::Rng;
use crate::script::{ScriptResult, values};

/// The namespace.
pub fn module() -> Module {
    let mut module = rhai::exported_module!(functions);
    module.set_custom_type::<Rng>("Rng");
    module
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// A generator of random numbers, seeded by a text: the Mersenne Twister, drawn as CPython draws.
    ///
    /// Make one for each item, from its id, inside of the closure: workers must not share one.
    ///
    /// ```rhai
    /// rng("a").randint(1, 6) == rng("a").randint(1, 6)   // -> true
    /// ```
    pub fn rng(seed_text: &str) -> Rng {
        Rng::from_text(seed_text)
    }

    /// A number from 0 (included) to 1 (not included).
    ///
    /// ```rhai
    /// let x = rng("a").random();
    /// x >= 0.0 && x < 1.0   // -> true
    /// ```
    pub fn random(random: &mut Rng) -> f64 {
        random.random()
    }

    /// A whole number from `a` to `b`, both included.
    ///
    /// ```rhai
    /// let n = rng("a").randint(1, 6);
    /// n >= 1 && n <= 6   // -> true
    /// ```
    #[rhai_fn(return_raw)]
    pub fn randint(random: &mut Rng, a: i64, b: i64) -> ScriptResult<i64> {
        Ok(random.randint(a, b)?)
    }

    /// One element of an array.
    ///
    /// ```rhai
    /// rng("a").choice(["only"])   // -> "only"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn choice(random: &mut Rng, items: Array) -> ScriptResult<Dynamic> {
        let index = random.choice(items.len())?;
        Ok(items.into_iter().nth(index).unwrap_or_default())
    }

    /// One key of a map of key to weight, the more often the greater its weight.
    ///
    /// ```rhai
    /// rng("a").weighted_choice(#{yes: 1.0, no: 0.0})   // -> "yes"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn weighted_choice(random: &mut Rng, weights: Map) -> ScriptResult<String> {
        let pairs = super::weights(&weights)?;
        Ok(random.weighted_choice(&pairs)?.to_string())
    }

    /// A copy of an array in random order.
    ///
    /// ```rhai
    /// let mixed = rng("a").shuffle([3, 1, 2]);
    /// mixed.sort();
    /// mixed   // -> [1, 2, 3]
    /// ```
    pub fn shuffle(random: &mut Rng, items: Array) -> Array {
        let mut items = items;
        random.shuffle(&mut items);
        items
    }

    /// `n` different elements of an array, in random order.
    ///
    /// ```rhai
    /// rng("a").sample([1, 2, 3, 4], 2).len()   // -> 2
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sample(random: &mut Rng, items: Array, n: i64) -> ScriptResult<Array> {
        let count = usize::try_from(n).unwrap_or(usize::MAX);
        Ok(random.sample(items.len(), count)?.into_iter().map(|i| items[i].clone()).collect())
    }

    /// True with probability `p`.
    ///
    /// ```rhai
    /// [rng("a").chance(1.0), rng("a").chance(0.0)]   // -> [true, false]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn chance(random: &mut Rng, p: Dynamic) -> ScriptResult<bool> {
        Ok(random.chance(super::number("the probability", &p)?)?)
    }
}

fn number(what: &str, value: &Dynamic) -> Result<f64> {
    values::number(value)
        .ok_or_else(|| Error::new(Kind::Argument, format!("{what} must be a number, not {value}")))
}

fn weights(map: &Map) -> Result<Vec<(String, f64)>> {
    map.iter()
        .map(|(key, weight)| Ok((key.to_string(), number(&format!("the weight of `{key}`"), weight)?)))
        .collect()
}
