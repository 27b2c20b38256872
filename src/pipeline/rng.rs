//! Random numbers that CPython's `random.Random` draws alike, so that whoever has the seed's text can
//! check a draw in Python. The draws follow CPython 3.11's `Lib/random.py`.

use rand_mt::Mt;
use sha2::{Digest, Sha256};

use crate::base::{Error, Kind, Result};

/// A Mersenne Twister (MT19937), seeded by a text.
#[derive(Debug, Clone)]
pub struct Rng(Mt);

impl Rng {
    /// Seeded by a text: as `random.Random(n)`, n being the first 4 bytes of the SHA-256 of the text
    /// (UTF-8), big-endian.
    pub fn from_text(text: &str) -> Rng {
        let digest = Sha256::digest(text.as_bytes());
        let seed = digest.iter().take(4).fold(0_u32, |seed, byte| seed << 8 | u32::from(*byte));
        // It goes through its key again and again: this kind of iterator costs a third of an array's.
        Rng(Mt::new_with_key(std::iter::once(seed)))
    }

    /// A number in 0 <= x < 1, with 53 random bits.
    pub fn random(&mut self) -> f64 {
        let high = f64::from(self.0.next_u32() >> 5);
        let low = f64::from(self.0.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// An integer in a <= n <= b, each as likely.
    pub fn randint(&mut self, a: i64, b: i64) -> Result<i64> {
        if a > b {
            return Err(argument(format!("no number lies between {a} and {b}"))
                .hint("the smaller bound comes first: randint(1, 6)"));
        }
        let width = (i128::from(b) - i128::from(a) + 1).unsigned_abs();
        // At most b - a, so the sum is within a..=b.
        Ok(a.wrapping_add(self.below(width) as i64))
    }

    /// An index into a list of `len` elements.
    pub fn choice(&mut self, len: usize) -> Result<usize> {
        match len {
            0 => Err(argument("cannot choose from an empty array").hint("check its length first")),
            _ => Ok(self.below(len as u128) as usize),
        }
    }

    /// The name that is drawn with a likelihood in proportion to its weight (CPython's `choices` with
    /// k = 1: cumulative sums in the given order, bisected by one `random()`).
    pub fn weighted_choice<'a, S: AsRef<str>>(&mut self, pairs: &'a [(S, f64)]) -> Result<&'a str> {
        if pairs.is_empty() {
            return Err(argument("cannot choose from nothing").hint("give at least one name with a weight"));
        }
        if let Some((name, weight)) = pairs.iter().find(|(_, weight)| !weight.is_finite() || *weight < 0.0) {
            let message = format!("the weight of `{}` is {weight}", name.as_ref());
            return Err(argument(message).hint("weights are numbers from 0 up"));
        }
        let total: f64 = pairs.iter().map(|(_, weight)| weight).sum();
        if total <= 0.0 || !total.is_finite() {
            return Err(argument(format!("the weights sum to {total}")).hint("at least one must be above 0"));
        }
        let target = self.random() * total;
        let mut sum = 0.0;
        let drawn = pairs.iter().find(|(_, weight)| {
            sum += weight;
            sum > target
        });
        Ok(drawn.or(pairs.last()).map_or("", |(name, _)| name.as_ref()))
    }

    /// Puts the items in random order (from the last down, each swapped with one at or before it).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u128 + 1) as usize;
            items.swap(last, other);
        }
    }

    /// The indexes of `n` different elements of a list of `len`, in the order drawn. As CPython's
    /// `sample`: from a shrinking pool, or, where n is small beside len, by redrawing what was taken.
    pub fn sample(&mut self, len: usize, n: usize) -> Result<Vec<usize>> {
        if n > len {
            return Err(argument(format!("cannot take {n} different elements of {len}"))
                .hint("ask for as many as there are at most: min(n, array.len)"));
        }
        Ok(if len <= pool_limit(n) { self.sample_from_pool(len, n) } else { self.sample_by_redraw(len, n) })
    }

    /// True with probability `p`: `random() < p`.
    pub fn chance(&mut self, p: f64) -> Result<bool> {
        if !(0.0..=1.0).contains(&p) {
            return Err(
                argument(format!("a probability is from 0 to 1, not {p}")).hint("15 percent is chance(0.15)")
            );
        }
        Ok(self.random() < p)
    }

    fn sample_from_pool(&mut self, len: usize, n: usize) -> Vec<usize> {
        let mut pool: Vec<usize> = (0..len).collect();
        let draw = |_| {
            let index = self.below(pool.len() as u128) as usize;
            pool.swap_remove(index)
        };
        (0..n).map(draw).collect()
    }

    fn sample_by_redraw(&mut self, len: usize, n: usize) -> Vec<usize> {
        let mut taken = std::collections::HashSet::new();
        let draw = |_| {
            loop {
                let index = self.below(len as u128) as usize;
                if taken.insert(index) {
                    return index;
                }
            }
        };
        (0..n).map(draw).collect()
    }

    /// A number below `n` (at least 1): as many bits as n has, drawn until they are below it.
    fn below(&mut self, n: u128) -> u128 {
        let bits = u128::BITS - n.leading_zeros();
        loop {
            let drawn = self.bits(bits);
            if drawn < n {
                return drawn;
            }
        }
    }

    /// `count` random bits: whole words, the lowest first, the last one shifted down.
    fn bits(&mut self, count: u32) -> u128 {
        (0..count.div_ceil(32)).fold(0, |sum, word| {
            let wanted = (count - word * 32).min(32);
            sum | u128::from(self.0.next_u32() >> (32 - wanted)) << (word * 32)
        })
    }
}

/// The longest list that CPython's `sample` copies into a pool: what a set of n would take in memory.
fn pool_limit(n: usize) -> usize {
    match n {
        0..=5 => 21,
        _ => 21 + 4_usize.saturating_pow(((n as f64 * 3.0).ln() / 4_f64.ln()).ceil() as u32),
    }
}

fn argument(message: impl Into<String>) -> Error {
    Error::new(Kind::Argument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Rng {
        Rng::from_text("alice")
    }

    // The expected values of this test are CPython 3.11's.
    #[test]
    fn draws_are_those_of_cpython() {
        let mut rng = alice();
        let randoms: Vec<f64> = (0..3).map(|_| rng.random()).collect();
        assert_eq!(randoms, [0.5764117767267061, 0.1138838100488957, 0.04197727733081835]);
        let dice: Vec<i64> = (0..8).map(|_| rng.randint(1, 6).unwrap()).collect();
        assert_eq!(dice, [3, 5, 5, 1, 1, 3, 3, 1]);
        let big = 1_000_000_000_000;
        let wide: Vec<i64> = (0..3).map(|_| rng.randint(-big, big).unwrap()).collect();
        assert_eq!(wide, [-219452856622, 667664721816, -168378379369]);

        let mut rng = Rng::from_text("b");
        assert_eq!(rng.randint(i64::MIN, i64::MAX).unwrap(), 9076449561898286810);
        assert_eq!(rng.randint(0, (1 << 32) - 1).unwrap(), 341538434);
        assert_eq!(rng.randint(0, 1 << 32).unwrap(), 1057663408);
        assert_eq!(rng.randint(5, 5).unwrap(), 5);
        assert_eq!(rng.random(), 0.6343052354273605);
    }

    #[test]
    fn shuffles_and_samples_are_those_of_cpython() {
        let mut rng = alice();
        let mut items: Vec<usize> = (0..10).collect();
        rng.shuffle(&mut items);
        assert_eq!(items, [4, 6, 3, 5, 2, 0, 7, 8, 1, 9]);
        assert_eq!(rng.choice(6).unwrap(), 2);
        let weights = [("x", 1.0), ("y", 0.0), ("z", 2.5)];
        assert_eq!(rng.weighted_choice(&weights).unwrap(), "x");
        assert_eq!(rng.weighted_choice(&weights).unwrap(), "z");

        let mut rng = alice();
        assert_eq!(rng.sample(10, 4).unwrap(), [9, 1, 8, 7]);
        assert_eq!(rng.sample(100, 5).unwrap(), [5, 44, 76, 73, 7]);
        let many = [7, 38, 99, 37, 6, 94, 45, 36, 97, 80, 48, 98, 71, 72, 77, 83, 39, 46, 68, 12];
        assert_eq!(rng.sample(100, 20).unwrap(), many);
        assert_eq!(rng.sample(1000, 8).unwrap(), [813, 487, 419, 635, 724, 353, 227, 554]);
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        let mut rng = alice();
        let messages = [
            rng.randint(6, 1).unwrap_err(),
            rng.choice(0).unwrap_err(),
            rng.weighted_choice::<&str>(&[]).unwrap_err(),
            rng.weighted_choice(&[("a", -1.0)]).unwrap_err(),
            rng.weighted_choice(&[("a", 0.0)]).unwrap_err(),
            rng.sample(2, 3).unwrap_err(),
            rng.chance(15.0).unwrap_err(),
            rng.chance(f64::NAN).unwrap_err(),
        ];
        assert!(messages.iter().all(|error| error.kind() == Kind::Argument && error.get_hint().is_some()));
        assert!(!rng.chance(0.0).unwrap() && rng.chance(1.0).unwrap());
        assert_eq!(rng.sample(3, 0).unwrap(), [0; 0]);
    }

    proptest::proptest! {
        #[test]
        fn randint_stays_within_its_bounds(text: String, a: i64, b: i64) {
            let (a, b) = (a.min(b), a.max(b));
            let drawn = Rng::from_text(&text).randint(a, b).unwrap();
            proptest::prop_assert!((a..=b).contains(&drawn));
        }

        #[test]
        fn samples_have_no_duplicates(text: String, len in 0_usize..200, share in 0.0..=1.0) {
            let n = (len as f64 * share) as usize;
            let mut drawn = Rng::from_text(&text).sample(len, n).unwrap();
            drawn.sort_unstable();
            drawn.dedup();
            proptest::prop_assert!(drawn.len() == n && drawn.iter().all(|index| *index < len));
        }
    }
}
