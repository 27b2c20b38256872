//! Which values may stand together in one persona: constraints, held against what is drawn already and against what
//! is still to be drawn, so that no draw ends where nothing is left.

use super::constraints::{Constraint, Values};
use super::dimensions::Dimension;
use super::sampling::Person;
use crate::base::{Error, Kind, Result};

/// For one dimension: which of its entries are meant.
type Meant = (usize, Vec<bool>);

/// Where `when` holds of all these dimensions, only what `then` means is drawn.
struct Rule {
    when: Vec<Meant>,
    then: Meant,
}

/// The constraints of a draw, and the order in which its dimensions are drawn.
pub struct Combinations {
    rules: Vec<Rule>,
    order: Vec<usize>,
    /// The dimensions that must be looked at together, in that order: those of the rules, and those around them.
    bound: Vec<usize>,
}

impl Combinations {
    /// Of constraints whose names are known. An error when they leave nothing for a value.
    pub fn of(dimensions: &[Dimension], constraints: &[Constraint]) -> Result<Combinations> {
        let rules: Vec<Rule> =
            constraints.iter().flat_map(|constraint| rules(dimensions, constraint)).collect();
        // Of what is drawn several times there can always be less: it comes last.
        let (several, single): (Vec<usize>, Vec<usize>) =
            (0..dimensions.len()).partition(|dimension| dimensions[*dimension].count.is_some());
        let bound = bound(dimensions, &rules);
        let combinations = Combinations {
            bound: single.iter().copied().filter(|dimension| bound[*dimension]).collect(),
            order: single.into_iter().chain(several).collect(),
            rules,
        };
        combinations.leave_something(dimensions)?;
        Ok(combinations)
    }

    /// The dimensions in the order in which they are drawn.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Whether an entry goes with what the persona has, and leaves something for the dimensions to come.
    pub fn allow(
        &self,
        dimensions: &[Dimension],
        person: &mut Person,
        dimension: usize,
        entry: usize,
    ) -> bool {
        if person[dimension].contains(&entry) {
            return false;
        }
        let free =
            !self.bound.contains(&dimension) && !self.rules.iter().any(|rule| rule.is_about(dimension));
        if free {
            return true;
        }
        person[dimension].push(entry);
        let allowed = self.holds(person) && self.can_go_on(dimensions, person, 0);
        person[dimension].pop();
        allowed
    }

    fn holds(&self, person: &Person) -> bool {
        !self.rules.iter().any(|rule| rule.is_broken(person))
    }

    /// Whether the bound dimensions from a place on can be drawn.
    fn can_go_on(&self, dimensions: &[Dimension], person: &mut Person, place: usize) -> bool {
        let Some(dimension) = self.bound.get(place).copied() else { return true };
        if !person[dimension].is_empty() {
            return self.can_go_on(dimensions, person, place + 1);
        }
        let of = &dimensions[dimension];
        let Some(list) = of.within.map_or(Some(0), |parent| person[parent].first().copied()) else {
            return true;
        };
        of.list(list).filter(|entry| of.is_drawn(*entry)).any(|entry| {
            person[dimension].push(entry);
            let goes = self.holds(person) && self.can_go_on(dimensions, person, place + 1);
            person[dimension].pop();
            goes
        })
    }

    /// An error for a value that has a weight and that no persona could have.
    fn leave_something(&self, dimensions: &[Dimension]) -> Result<()> {
        for dimension in &self.bound {
            let of = &dimensions[*dimension];
            for entry in (0..of.entries().len()).filter(|entry| of.is_drawn(*entry)) {
                let mut person: Person = vec![Vec::new(); dimensions.len()];
                place(dimensions, &mut person, *dimension, entry);
                if !(self.holds(&person) && self.can_go_on(dimensions, &mut person, 0)) {
                    let message = format!(
                        "the constraints leave nobody whose `{}` is `{}`",
                        of.name,
                        of.entries()[entry].id
                    );
                    return Err(Error::new(Kind::Argument, message)
                        .hint("take one of them back, or give the value the weight 0"));
                }
            }
        }
        Ok(())
    }
}

/// Gives the persona an entry, and what it stands within.
fn place(dimensions: &[Dimension], person: &mut Person, dimension: usize, entry: usize) {
    person[dimension].push(entry);
    if let Some(parent) = dimensions[dimension].within {
        place(dimensions, person, parent, dimensions[dimension].list_of(entry));
    }
}

impl Rule {
    fn is_about(&self, dimension: usize) -> bool {
        self.then.0 == dimension || self.when.iter().any(|(of, _)| *of == dimension)
    }

    /// What is not drawn yet breaks nothing.
    fn is_broken(&self, person: &Person) -> bool {
        let has = |(dimension, meant): &Meant| person[*dimension].iter().any(|entry| meant[*entry]);
        let (then, meant) = &self.then;
        person[*then].iter().any(|entry| !meant[*entry]) && self.when.iter().all(has)
    }
}

fn rules(dimensions: &[Dimension], constraint: &Constraint) -> Vec<Rule> {
    let meant = |values: &Values, named_are: bool| {
        let place = dimensions.iter().position(|dimension| dimension.name == values.dimension)?;
        let is_named = |id: &str| values.values.iter().any(|(_, value)| value == id);
        Some((place, dimensions[place].entries().iter().map(|e| is_named(&e.id) == named_are).collect()))
    };
    let when: Vec<Meant> = constraint.when.iter().filter_map(|values| meant(values, true)).collect();
    let never = constraint.never.iter().filter_map(|values| meant(values, false));
    let only = constraint.only.iter().filter_map(|values| meant(values, true));
    never.chain(only).map(|then| Rule { when: when.clone(), then }).collect()
}

/// Which dimensions rules are about, and what these stand within.
fn bound(dimensions: &[Dimension], rules: &[Rule]) -> Vec<bool> {
    let mut bound: Vec<bool> =
        (0..dimensions.len()).map(|dimension| rules.iter().any(|rule| rule.is_about(dimension))).collect();
    for dimension in (0..dimensions.len()).rev() {
        if let Some(parent) = dimensions[dimension].within.filter(|_| bound[dimension]) {
            bound[parent] = true;
        }
    }
    bound
}
