//! Draws by weight in which every beginning keeps its quota: after n draws each entry was drawn n times its
//! share, rounded down or up. So a larger draw extends a smaller one, which the largest remainder alone does not.
//!
//! This is the chairman assignment problem (R. Tijdeman, Discrete Mathematics 32, 1980), in the form that scheduling
//! gives it (S. K. Baruah, N. K. Cohen, C. G. Plaxton, D. A. Varvel, "Proportionate progress", Algorithmica 15, 1996):
//! the j-th draw of an entry of share w has the window of places from floor((j-1)/w) + 1 to ceil(j/w), and there always
//! is a choice that leaves all later windows reachable. Where those works take one such choice, a die is thrown
//! here among all of them, so that two lists with the same weights have nothing to do with each other.
//!
//! Which choices are safe: let F(d) be the sum of the fractional parts of w*d over all entries. An entry is *ahead* at
//! place d when it was drawn oftener than floor(w*d). All windows stay reachable as long as at no later place more
//! entries are ahead than F(d): Hall's condition for unit jobs, with the shares summing to 1.

use super::rng::Rng;
use super::shares::Shares;

/// How far ahead windows are looked at: no draw is longer.
const HORIZON: u64 = 1 << 20;

/// A draw that goes on and on.
#[derive(Debug, Clone)]
pub struct Quota {
    shares: Shares,
    /// How often each entry was drawn.
    counts: Vec<u64>,
    drawn: u64,
    /// For each draw that came early, the place at which it is no longer ahead. The latest first.
    ahead: Vec<u64>,
    /// At `m - 1`: the first place of which it is not yet known that F is at least m.
    clear_to: Vec<u64>,
    /// F, as far as it was needed.
    fractions: Vec<u32>,
}

impl Quota {
    /// Nothing drawn yet.
    pub fn new(shares: Shares) -> Quota {
        let counts = vec![0; shares.len()];
        Quota { shares, counts, drawn: 0, ahead: Vec::new(), clear_to: Vec::new(), fractions: Vec::new() }
    }

    /// The next entry, of those that are `allowed`; none when nothing is.
    ///
    /// As long as everything is allowed, or one of the safe choices is, every count stays within one of its share.
    /// Otherwise what is overdue comes first, so that the draw comes back to its shares as soon as it may.
    pub fn draw(&mut self, allowed: impl Fn(usize) -> bool, dice: &mut Rng) -> Option<usize> {
        let place = self.drawn + 1;
        let may: Vec<usize> =
            (0..self.counts.len()).filter(|entry| self.shares.part(*entry) > 0 && allowed(*entry)).collect();
        let due: Vec<usize> = may.iter().copied().filter(|entry| self.lag(*entry, place) > 0).collect();
        let safe = self.safe(&due, place);
        let overdue = |entry: &usize| self.lag(*entry, place) >= self.shares.whole() as i64;
        let furthest = |entries: Vec<usize>| entries.into_iter().rev().max_by_key(|e| self.lag(*e, place));
        let chosen = self
            .by_window(&safe, dice)
            .or_else(|| furthest(may.iter().copied().filter(overdue).collect()))
            .or_else(|| self.by_window(&due, dice))
            .or_else(|| furthest(may))?;
        self.take(chosen);
        Some(chosen)
    }

    /// How much an entry is behind its share at `place`, in parts of the whole.
    fn lag(&self, entry: usize, place: u64) -> i64 {
        (self.shares.part(entry) * place) as i64 - (self.shares.whole() * self.counts[entry]) as i64
    }

    /// One of the entries, the likelier the sooner its window ends: a rare entry thus comes as often late as early.
    fn by_window(&self, entries: &[usize], dice: &mut Rng) -> Option<usize> {
        let chances = || entries.iter().map(|entry| 1.0 / self.places_left(*entry));
        let target = if entries.len() > 1 { dice.random() * chances().sum::<f64>() } else { 0.0 };
        let mut reached = 0.0;
        let found = entries.iter().zip(chances()).find(|(_, chance)| {
            reached += chance;
            reached > target
        });
        found.map(|(entry, _)| *entry).or(entries.last().copied())
    }

    /// How many places an entry has for its next draw until it is overdue.
    fn places_left(&self, entry: usize) -> f64 {
        let part = self.shares.part(entry);
        let behind = (self.shares.whole() * (self.counts[entry] + 1)) as i64 - (part * self.drawn) as i64;
        behind.max(1) as f64 / part as f64
    }

    fn take(&mut self, entry: usize) {
        self.drawn += 1;
        self.counts[entry] += 1;
        let end = self.end_of_lead(entry, self.counts[entry]);
        if end > self.drawn {
            let at = self.ahead.partition_point(|other| *other > end);
            self.ahead.insert(at, end);
        }
    }

    /// The first place at which an entry that was drawn `count` times is no longer ahead: ceil(count / w).
    fn end_of_lead(&self, entry: usize, count: u64) -> u64 {
        (count * self.shares.whole()).div_ceil(self.shares.part(entry)).min(HORIZON)
    }

    /// Those of the entries whose draw at `place` leaves all windows reachable.
    fn safe(&mut self, due: &[usize], place: u64) -> Vec<usize> {
        while self.ahead.last().is_some_and(|end| *end <= place) {
            self.ahead.pop();
        }
        let ahead = self.ahead.clone();
        // The m-th latest lead must end before F falls below m; a lead that comes before it makes it the next one.
        if !ahead.iter().enumerate().all(|(m, end)| self.is_clear(m + 1, *end, place)) {
            return Vec::new();
        }
        let cannot_move = (0..ahead.len()).rev().find(|m| !self.is_clear(m + 2, ahead[*m], place));
        let barrier = cannot_move.map_or(0, |m| m + 1);
        let fits = |entry: &usize| {
            let end = self.end_of_lead(*entry, self.counts[*entry] + 1);
            let rank = ahead.partition_point(|other| *other > end);
            rank >= barrier && self.is_clear(rank + 1, end, place)
        };
        due.iter().copied().filter(fits).collect()
    }

    /// Whether F is at least `m` at all places from `place` to before `end`.
    fn is_clear(&mut self, m: usize, end: u64, place: u64) -> bool {
        if self.clear_to.len() < m {
            self.clear_to.resize(m, 0);
        }
        let mut at = self.clear_to[m - 1].max(place);
        while at < end && self.fraction(at) as usize >= m {
            at += 1;
        }
        self.clear_to[m - 1] = at;
        at >= end
    }

    /// F: the fractional parts of all shares at a place, which sum to a whole number.
    fn fraction(&mut self, place: u64) -> u32 {
        while self.fractions.len() as u64 <= place {
            let next = self.fractions.len() as u64;
            let whole: u64 = self.shares.parts().iter().map(|part| part * next / self.shares.whole()).sum();
            self.fractions.push((next - whole) as u32);
        }
        self.fractions[place as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, prop_oneof};

    fn quota(weights: &[f64]) -> Quota {
        Quota::new(Shares::of(weights).unwrap())
    }

    fn drawn(weights: &[f64], count: usize, seed: &str) -> Vec<usize> {
        let (mut quota, mut dice) = (quota(weights), Rng::from_text(seed));
        (0..count).map(|_| quota.draw(|_| true, &mut dice).unwrap()).collect()
    }

    /// The largest distance of any count from its share, after each draw of all.
    fn furthest(weights: &[f64], draw: &[usize]) -> f64 {
        let total: f64 = weights.iter().sum();
        let mut counts = vec![0.0; weights.len()];
        let mut most: f64 = 0.0;
        for (place, entry) in draw.iter().enumerate() {
            counts[*entry] += 1.0;
            let distance =
                |(count, weight): (&f64, &f64)| (count - weight / total * (place + 1) as f64).abs();
            most = counts.iter().zip(weights).map(distance).fold(most, f64::max);
        }
        most
    }

    #[test]
    fn what_comes_out_even_is_exact() {
        let draw = drawn(&[0.24, 0.2, 0.2, 0.16, 0.12, 0.08], 1000, "a");
        let count = |entry| draw.iter().filter(|drawn| **drawn == entry).count();
        assert_eq!([0, 1, 2, 3, 4, 5].map(count), [240, 200, 200, 160, 120, 80]);
        assert_eq!(furthest(&[1.0; 7], &drawn(&[1.0; 7], 70, "b")).floor(), 0.0);
    }

    #[test]
    fn seeds_give_different_orders_and_the_same_seed_the_same() {
        let weights = [0.5, 0.3, 0.2];
        assert_eq!(drawn(&weights, 50, "a"), drawn(&weights, 50, "a"));
        assert_ne!(drawn(&weights, 50, "a"), drawn(&weights, 50, "b"));
    }

    #[test]
    fn a_rare_entry_may_come_early_or_late() {
        let first = |seed: i32| drawn(&[0.98, 0.02], 50, &seed.to_string()).iter().position(|e| *e == 1);
        let places: Vec<usize> = (0..200).filter_map(first).collect();
        assert_eq!(places.len(), 200);
        let early = places.iter().filter(|place| **place < 25).count();
        assert!((70..130).contains(&early), "{early} of 200 in the first half");
    }

    #[test]
    fn what_was_not_allowed_is_caught_up_with() {
        let (mut quota, mut dice) = (quota(&[0.5, 0.3, 0.2]), Rng::from_text("a"));
        let mut draw: Vec<usize> = (0..20).map(|_| quota.draw(|e| e != 0, &mut dice).unwrap()).collect();
        assert!(!draw.contains(&0));
        draw.extend((0..180).map(|_| quota.draw(|_| true, &mut dice).unwrap()));
        draw[20..30].iter().for_each(|entry| assert_eq!(*entry, 0));
        let count = |entry| draw.iter().filter(|drawn| **drawn == entry).count();
        assert_eq!([0, 1, 2].map(count), [100, 60, 40]);
        assert_eq!(quota.draw(|_| false, &mut dice), None);
    }

    #[test]
    fn a_weight_of_zero_is_never_drawn() {
        let (mut quota, mut dice) = (quota(&[0.0, 1.0]), Rng::from_text("a"));
        assert_eq!(quota.draw(|entry| entry == 0, &mut dice), None);
        assert_eq!(quota.draw(|_| true, &mut dice), Some(1));
    }

    /// Up to a dozen weights: shares with two decimals, proportions, or whatever a computation gives.
    fn weights() -> impl Strategy<Value = Vec<f64>> {
        let decimals = proptest::collection::vec(1_u32..100, 1..12)
            .prop_map(|all| all.into_iter().map(|n| f64::from(n) / 100.0).collect());
        let uneven = proptest::collection::vec(0.001_f64..1.0, 1..12);
        let steep = proptest::collection::vec(0_i32..9, 2..9)
            .prop_map(|all| all.into_iter().map(|n| 0.5_f64.powi(n)).collect());
        prop_oneof![decimals, uneven, steep]
    }

    proptest::proptest! {
        #[test]
        fn every_beginning_is_within_one_of_every_share(weights in weights(), seed: u16) {
            let draw = drawn(&weights, 400, &seed.to_string());
            let most = furthest(&weights, &draw);
            prop_assert!(most < 1.0 + 1e-9, "{most} of {weights:?}");
        }

        #[test]
        fn a_larger_draw_extends_a_smaller_one(weights in weights(), seed: u16, few in 0_usize..60) {
            let seed = seed.to_string();
            prop_assert_eq!(&drawn(&weights, 120, &seed)[..few], drawn(&weights, few, &seed));
        }
    }
}
