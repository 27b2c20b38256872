//! Which items of a job a dry run tries, and for how many each of them stands.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Step;
use crate::base::hash;
use crate::work::plan::{Fate, Plan};

/// Items that are tried, of those that stand for equally many.
const TRIED: usize = 3;

/// The same of those that have got replies before: each may stop at another place.
const TRIED_BEGUN: usize = 16;

/// The items that are tried.
#[derive(Debug, Default)]
pub struct Sample {
    /// What each stands for, by the hash of its id.
    pub(super) weights: HashMap<u64, f64>,
}

impl Sample {
    /// For how many an item stands.
    pub fn weight(&self, id: &str) -> f64 {
        self.weights.get(&hash::short(id)).copied().unwrap_or(1.0)
    }

    /// The hashes of the ids that would be worked on, and are not.
    pub(super) fn left_out<'a>(&self, plan: &'a Plan) -> impl Iterator<Item = u64> + use<'a> {
        plan.ids().filter(|(_, fate)| *fate == Fate::LeftOut).map(|(id, _)| id)
    }
}

/// Chooses, and takes what is not chosen out of the plan. An item for which another stands is left out also
/// when an older version of it is there: the one that stands for it has its weight. `begun`: the hashes of the
/// ids that the ledger knows.
pub(super) fn choose(
    job: &str,
    plan: &mut Plan,
    begun: &HashSet<u64>,
    weights: &HashMap<u64, f64>,
    left_out: &HashSet<u64>,
) -> (Sample, Step) {
    // Without any of those that were tried, nobody stands for the others here.
    let known = plan.ids().any(|(id, _)| weights.contains_key(&id));
    let weigh = |id: u64| match weights.get(&id) {
        Some(weight) => *weight,
        None if known && left_out.contains(&id) => 0.0,
        None => 1.0,
    };
    let (mut to_do, mut done, mut stale) = (0.0, 0.0, 0.0);
    // By weight: what is new and what an earlier step would make differ in more than their number.
    let mut groups: BTreeMap<(u64, bool), Vec<usize>> = BTreeMap::new();
    let mut rest = Vec::new();
    for (place, (id, fate)) in plan.ids().enumerate() {
        let weight = weigh(id);
        if weight == 0.0 {
            rest.push(place);
            continue;
        }
        match fate {
            Fate::ToDo | Fate::LeftOut => to_do += weight,
            Fate::Done => done += weight,
            Fate::Stale => stale += weight,
        }
        if fate == Fate::ToDo {
            groups.entry((weight.to_bits(), begun.contains(&id))).or_default().push(place);
        }
    }
    rest.into_iter().for_each(|place| plan.fates[place] = Fate::LeftOut);
    let sample = take(plan, &groups);
    let (to_do, done, stale) = (to_do.round() as u64, done.round() as u64, stale.round() as u64);
    let step = Step { job: job.into(), tried: sample.weights.len(), failed: 0, to_do, done, stale };
    (sample, step)
}

/// The chosen of each group; all others that are to do are left out.
fn take(plan: &mut Plan, groups: &BTreeMap<(u64, bool), Vec<usize>>) -> Sample {
    let mut sample = Sample::default();
    let mut chosen = HashSet::new();
    for ((bits, begun), places) in groups {
        let some = spread(places.len(), if *begun { TRIED_BEGUN } else { TRIED });
        let weight = f64::from_bits(*bits) * places.len() as f64 / some.len() as f64;
        for place in some.into_iter().map(|i| places[i]) {
            sample.weights.extend(plan.id_at(place).map(|id| (id, weight)));
            chosen.insert(place);
        }
    }
    for (place, fate) in plan.fates.iter_mut().enumerate() {
        if *fate == Fate::ToDo && !chosen.contains(&place) {
            *fate = Fate::LeftOut;
        }
    }
    sample
}

/// So many places of `count`, from the first to the last.
fn spread(count: usize, wanted: usize) -> Vec<usize> {
    if count <= wanted {
        return (0..count).collect();
    }
    (0..wanted).map(|i| i * (count - 1) / (wanted - 1)).collect()
}
