//! Draws personas over all their dimensions: by quota (every beginning of the draw has each value within one of its
//! share) or by independent dice, and only combinations that the constraints allow.

use std::collections::HashMap;

use super::combinations::Combinations;
use super::constraints::Constraint;
use super::dimensions::Dimension;
use super::quota::Quota;
use super::rng::Rng;
use crate::base::{Error, Kind, Result};

/// The longest draw.
pub const MOST: usize = 1_000_000;

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Each value as often as its weight says, within one, however many are drawn.
    Quota,
    /// By a die for each persona and dimension.
    Independent,
}

impl Sampling {
    /// Their names.
    pub const NAMES: &'static [&'static str] = &["quota", "independent"];

    /// By its name.
    pub fn named(name: &str) -> Option<Sampling> {
        match name {
            "quota" => Some(Sampling::Quota),
            "independent" => Some(Sampling::Independent),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Sampling::Quota => "quota",
            Sampling::Independent => "independent",
        }
    }
}

/// What was drawn for one persona: of each dimension, the entries.
pub type Person = Vec<Vec<usize>>;

/// The first `count` personas of a seed. More of them change nobody.
pub fn draw(
    count: usize,
    dimensions: &[Dimension],
    constraints: &[Constraint],
    sampling: Sampling,
    seed: i64,
) -> Result<Vec<Person>> {
    if count > MOST {
        let message = format!("{count} personas are too many for one draw");
        return Err(Error::new(Kind::Argument, message).hint(format!("draw {MOST} at most")));
    }
    let combinations = Combinations::of(dimensions, constraints)?;
    let mut sampler =
        Sampler { dimensions, combinations: &combinations, sampling, seed, draws: HashMap::new() };
    Ok((1..=count).map(|number| sampler.person(number)).collect())
}

struct Sampler<'a> {
    dimensions: &'a [Dimension],
    combinations: &'a Combinations,
    sampling: Sampling,
    seed: i64,
    /// By dimension and list: what has been drawn of it, and its dice.
    draws: HashMap<(usize, usize), (Quota, Rng)>,
}

impl Sampler<'_> {
    fn person(&mut self, number: usize) -> Person {
        let mut person: Person = vec![Vec::new(); self.dimensions.len()];
        let combinations = self.combinations;
        for dimension in combinations.order().iter().copied() {
            let wanted = self.wanted(dimension, &person);
            for turn in 0..wanted {
                if let Some(entry) = self.entry(dimension, &mut person, number, turn) {
                    person[dimension].push(entry);
                }
            }
        }
        person
    }

    /// How many entries of a dimension the persona gets.
    fn wanted(&self, dimension: usize, person: &Person) -> usize {
        let Some(count) = self.dimensions[dimension].count else { return 1 };
        let chosen = person[count].first().map(|entry| &self.dimensions[count].entries()[*entry].id);
        chosen.and_then(|id| id.parse().ok()).unwrap_or(0)
    }

    fn entry(&mut self, dimension: usize, person: &mut Person, number: usize, turn: usize) -> Option<usize> {
        let of = &self.dimensions[dimension];
        let list = of.within.map_or(Some(0), |parent| person[parent].first().copied())?;
        let range = of.list(list);
        let allowed: Vec<bool> = range
            .clone()
            .map(|entry| {
                of.is_drawn(entry) && self.combinations.allow(self.dimensions, person, dimension, entry)
            })
            .collect();
        let place = match self.sampling {
            Sampling::Quota => self.by_quota(dimension, of.drawn_as(list), &allowed),
            Sampling::Independent => self.by_dice(dimension, list, &allowed, number, turn),
        };
        place.map(|place| range.start + place)
    }

    fn by_quota(&mut self, dimension: usize, list: usize, allowed: &[bool]) -> Option<usize> {
        let begun = self.draws.remove(&(dimension, list));
        let (mut quota, mut dice) = begun.unwrap_or_else(|| self.begin(dimension, list));
        let drawn = quota.draw(|entry| allowed[entry], &mut dice);
        self.draws.insert((dimension, list), (quota, dice));
        drawn
    }

    fn begin(&self, dimension: usize, list: usize) -> (Quota, Rng) {
        let seed = format!("{} {}", self.seed, self.path(dimension, list));
        (Quota::new(self.dimensions[dimension].shares(list).clone()), Rng::from_text(&seed))
    }

    /// The name of a list: `situation of delivery`.
    fn path(&self, dimension: usize, list: usize) -> String {
        let of = &self.dimensions[dimension];
        let Some(parent) = of.within else { return of.name.clone() };
        let around = &self.dimensions[parent];
        let outer = around.within.map(|_| format!(" in {}", self.path(parent, around.list_of(list))));
        format!("{} of {}{}", of.name, around.entries()[list].id, outer.unwrap_or_default())
    }

    fn by_dice(
        &self,
        dimension: usize,
        list: usize,
        allowed: &[bool],
        number: usize,
        turn: usize,
    ) -> Option<usize> {
        let of = &self.dimensions[dimension];
        let seed = match turn {
            0 => format!("{} {} {number}", self.seed, of.name),
            _ => format!("{} {} {number} {turn}", self.seed, of.name),
        };
        let weights = of.shares(list).parts().iter().zip(allowed);
        let weights: Vec<f64> =
            weights.map(|(part, allowed)| if *allowed { *part as f64 } else { 0.0 }).collect();
        let target = Rng::from_text(&seed).random() * weights.iter().sum::<f64>();
        let mut reached = 0.0;
        let found = weights.iter().position(|weight| {
            reached += weight;
            reached > target
        });
        found.or_else(|| allowed.iter().rposition(|allowed| *allowed))
    }
}

#[cfg(test)]
mod tests;
