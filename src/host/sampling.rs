//! Personas drawn by weights over all their dimensions: `draw_dimensions`, and what came of it: `persona_coverage`.

use std::sync::{Arc, PoisonError};

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map, Module, NativeCallContext};

use super::dimensions::{Dimensions, id_of};
use super::options::{Options, OptionsOf};
use crate::base::{Error, Kind, Result, suggest};
use crate::pipeline::constraints::{Constraint, Fault};
use crate::pipeline::coverage::{self, Values};
use crate::pipeline::dimensions::{Dimension, known};
use crate::pipeline::sampling::{self, Sampling};
use crate::script::context::Drawn;
use crate::script::{Ctx, ScriptResult, values};

/// The functions that take options.
#[rustfmt::skip]
pub const OPTIONS: &[OptionsOf] = &[
    OptionsOf { function: "draw_dimensions", parameter: 2, names: &["sampling", "seed", "constraints", "id"] },
];

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// `count` personas, each with a value of every dimension. A larger count extends a smaller one: persona_0003 stays
    /// the same when 5 become 2,000.
    ///
    /// A dimension is `#{name, entries}`. Entries are maps with an `id` and a `weight` (in any proportion), or texts that
    /// are equally likely. The persona gets the id under the dimension's name, and by `fields: #{words: "word_limit"}` more
    /// of the entry's keys. With `within: "topic", entries: "situations"` each topic has its own entries, in its list
    /// `situations`. With `counts: #{"0": 0.2, "1": 0.8}` none or one is drawn, never one twice, and the persona gets
    /// an array of the entries.
    ///
    /// Options: `sampling`: "quota" (default: of every beginning of the draw, each value's count is within one of its
    /// share) or "independent" (a die for each persona and dimension); `seed`, a whole number (0); `constraints`, maps like
    /// `#{"if": #{level: "expert"}, never: #{situation: ["first_machine"]}}`, or `only` for `never`; `id`, how the ids
    /// begin ("persona").
    ///
    /// ```rhai
    /// let style = #{name: "style", entries: [#{id: "terse", weight: 0.25, words: 18}, #{id: "chatty", weight: 0.75, words: 90}], fields: #{words: "word_limit"}};
    /// let drawn = draw_dimensions(8, [style, #{name: "name", entries: ["Ada", "Ben"]}]);
    /// [drawn[0].id, drawn.filter(|persona| persona.style == "terse").len()]   // -> ["persona_0001", 2]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn draw_dimensions(context: NativeCallContext, count: i64, dimensions: Array) -> ScriptResult<Array> {
        draw_dimensions_with(context, count, dimensions, Map::new())
    }

    #[rhai_fn(name = "draw_dimensions", return_raw)]
    pub fn draw_dimensions_with(
        context: NativeCallContext,
        count: i64,
        dimensions: Array,
        options: Map,
    ) -> ScriptResult<Array> {
        Ok(super::draw(&Ctx::of(&context)?, count, &dimensions, &options)?)
    }

    /// The distribution of personas that was asked for beside the one that there is, by what this script drew last with
    /// `draw_dimensions`; `()` when it drew nothing, or when these personas have nothing of it.
    ///
    /// `#{personas, sampling, dimensions, missed}`: `dimensions` has for each dimension and value `asked`, a share of the
    /// personas, and `drawn`, a count; `missed` has the values that are more than one away from their share.
    ///
    /// ```rhai
    /// let drawn = draw_dimensions(10, [#{name: "style", entries: [#{id: "terse", weight: 0.2}, #{id: "chatty", weight: 0.8}]}]);
    /// let terse = persona_coverage(drawn).dimensions.style.terse;
    /// [terse.asked, terse.drawn]   // -> [0.2, 2]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn persona_coverage(context: NativeCallContext, personas: Dynamic) -> ScriptResult<Dynamic> {
        Ok(super::coverage(&Ctx::of(&context)?, &personas)?)
    }
}

fn draw(ctx: &Ctx, count: i64, dimensions: &Array, options: &Map) -> Result<Array> {
    let options = Options::of("draw_dimensions", options)?;
    let dimensions = Dimensions::of(dimensions)?;
    let sampling = sampling_of(&options)?;
    let constraints = constraints(&options, &dimensions.plain)?;
    let seed = options.params()?.seed.unwrap_or(0);
    let prefix = options.text("id")?.unwrap_or_else(|| "persona".into());
    let count = usize::try_from(count).map_err(|_| {
        Error::new(Kind::Argument, format!("{count} personas cannot be drawn")).hint("draw 0 or more")
    })?;
    let people = sampling::draw(count, &dimensions.plain, &constraints, sampling, seed)?;
    let persona = |(place, person): (usize, &sampling::Person)| {
        let mut persona = dimensions.persona(person);
        persona.insert("id".into(), format!("{prefix}_{:04}", place + 1).into());
        persona.into()
    };
    let personas = people.iter().enumerate().map(persona).collect();
    let drawn = Drawn { dimensions: dimensions.plain, sampling };
    *ctx.run.drawn.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(drawn));
    Ok(personas)
}

fn sampling_of(options: &Options) -> Result<Sampling> {
    let Some(name) = options.text("sampling")? else { return Ok(Sampling::Quota) };
    Sampling::named(&name).ok_or_else(|| {
        let message = format!("there is no sampling `{name}`");
        Error::new(Kind::Argument, message).hint(suggest::hint(&name, Sampling::NAMES.iter().copied()))
    })
}

fn constraints(options: &Options, dimensions: &[Dimension]) -> Result<Vec<Constraint>> {
    let Some(given) = options.get("constraints") else { return Ok(Vec::new()) };
    let no_list =
        || Error::new(Kind::Argument, "`constraints` is no array").hint("write one a line, each behind `- `");
    let list = given.as_array_ref().map_err(|_| no_list())?;
    let known = known(dimensions);
    let one = |(place, value): (usize, &Dynamic)| {
        let told = |fault: Fault| {
            let at = if fault.path.is_empty() { String::new() } else { format!(", at `{}`", fault.path) };
            let message = format!("constraint number {}{at}: {}", place + 1, fault.message);
            Error::new(Kind::Argument, message).hint(fault.hint)
        };
        let constraint = Constraint::parse(&values::to_json(value)?).map_err(told)?;
        constraint.faults(&known).into_iter().next().map_or(Ok(constraint), |fault| Err(told(fault)))
    };
    list.iter().enumerate().map(one).collect()
}

fn coverage(ctx: &Ctx, personas: &Dynamic) -> Result<Dynamic> {
    let drawn = ctx.run.drawn.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (Some(drawn), Ok(personas)) = (drawn, personas.as_array_ref()) else { return Ok(Dynamic::UNIT) };
    let people: Vec<Values> = personas.iter().map(|persona| values_of(&drawn.dimensions, persona)).collect();
    if people.iter().flatten().all(Vec::is_empty) {
        return Ok(Dynamic::UNIT);
    }
    values::from_serialize(&coverage::compare(&drawn.dimensions, drawn.sampling, &people))
}

/// What a persona has of each dimension.
fn values_of(dimensions: &[Dimension], persona: &Dynamic) -> Values {
    let Ok(map) = persona.as_map_ref() else { return vec![Vec::new(); dimensions.len()] };
    let field = |dimension: &Dimension| match map.get(dimension.name.as_str()) {
        Some(value) => ids(value),
        None => Vec::new(),
    };
    let mut all: Values = dimensions.iter().map(field).collect();
    for (place, dimension) in dimensions.iter().enumerate() {
        let counted = dimension.count.filter(|_| map.contains_key(dimension.name.as_str()));
        if let Some(count) = counted {
            all[count] = vec![all[place].len().to_string()];
        }
    }
    all
}

/// A value, or those of a list of entries.
fn ids(value: &Dynamic) -> Vec<String> {
    let Ok(list) = value.as_array_ref() else { return id_of(value).into_iter().collect() };
    let of_entry = |entry: &Dynamic| match entry.as_map_ref() {
        Ok(map) => map.get("id").and_then(id_of),
        Err(_) => id_of(entry),
    };
    list.iter().filter_map(of_entry).collect()
}
