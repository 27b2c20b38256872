//! Weights as whole numbers of which the sum is the whole: quotas must not depend on how a computer rounds 0.1.

use crate::base::{Error, Kind, Result};

/// What a weight is at most split into.
const FINEST: u64 = 1_000_000_000_000;

/// Parts of a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares {
    parts: Vec<u64>,
    whole: u64,
}

impl Shares {
    /// Of weights in any proportion; one at least must be above 0.
    pub fn of(weights: &[f64]) -> Result<Shares> {
        let total: f64 = weights.iter().sum();
        if weights.iter().any(|weight| !weight.is_finite() || *weight < 0.0)
            || !total.is_finite()
            || total <= 0.0
        {
            return Err(Error::new(Kind::Argument, format!("weights cannot be {weights:?}"))
                .hint("they are numbers from 0 up, and at least one is above 0"));
        }
        let parts = decimals(weights).unwrap_or_else(|| rounded(weights, total));
        let whole = parts.iter().sum();
        Ok(Shares { parts, whole })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// All parts.
    pub fn parts(&self) -> &[u64] {
        &self.parts
    }

    /// The part of an entry.
    pub fn part(&self, entry: usize) -> u64 {
        self.parts[entry]
    }

    /// The sum of all parts.
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// The part of an entry, the whole being 1.
    pub fn share(&self, entry: usize) -> f64 {
        self.parts[entry] as f64 / self.whole as f64
    }
}

/// Exactly, where the weights are written with nine decimals at most.
fn decimals(weights: &[f64]) -> Option<Vec<u64>> {
    let scaled = |power: i32| {
        let scale = 10_f64.powi(power);
        let part = |weight: &f64| {
            let (exact, whole) = (weight * scale, (weight * scale).round());
            ((exact - whole).abs() <= exact * 1e-12 && whole <= FINEST as f64).then_some(whole as u64)
        };
        weights.iter().map(part).collect::<Option<Vec<u64>>>()
    };
    let fits = |parts: &Vec<u64>| (1..=FINEST).contains(&parts.iter().sum());
    (0..=9).find_map(|power| scaled(power).filter(fits))
}

/// Rounded to the finest parts, the largest remainders up, so that they sum to the whole.
fn rounded(weights: &[f64], total: f64) -> Vec<u64> {
    let exact: Vec<f64> = weights.iter().map(|weight| weight / total * FINEST as f64).collect();
    let mut parts: Vec<u64> = exact.iter().map(|part| part.floor() as u64).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
    let left = FINEST.saturating_sub(parts.iter().sum());
    order.iter().cycle().take(left as usize).for_each(|entry| parts[*entry] += 1);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_weights_are_exact() {
        let of = |weights: &[f64]| Shares::of(weights).unwrap();
        assert_eq!((of(&[0.28, 0.72]).parts, of(&[0.28, 0.72]).whole), (vec![28, 72], 100));
        assert_eq!(of(&[3.0, 1.0]).parts, [3, 1]);
        assert_eq!(of(&[0.15 * 0.25, 1.0 - 0.15 * 0.25]).parts, [375, 9625]);
        assert_eq!(of(&[0.1 + 0.2, 0.7]).parts, [3, 7]);
        assert_eq!(of(&[0.25, 0.25]).share(0), 0.5);
        assert_eq!(of(&[1e-7, 1.0]).parts, [1, 10_000_000]);
    }

    #[test]
    fn others_are_rounded_and_sum_to_the_whole() {
        let thirds = Shares::of(&[1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]).unwrap();
        assert_eq!(thirds.whole, FINEST);
        assert_eq!(thirds.parts.iter().max().unwrap() - thirds.parts.iter().min().unwrap(), 1);
        assert_eq!(Shares::of(&[1e300, 1e300]).unwrap().share(1), 0.5);
        assert_eq!(Shares::of(&[1e-300, 1.0]).unwrap().share(0), 0.0);
    }

    #[test]
    fn what_is_no_weight_is_an_error() {
        for wrong in [&[][..], &[0.0, 0.0], &[-1.0, 2.0], &[f64::NAN], &[f64::INFINITY]] {
            assert!(Shares::of(wrong).unwrap_err().get_hint().is_some());
        }
    }
}
