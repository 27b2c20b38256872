//! Histograms: counts of values in bins of one width.

use serde::Serialize;

/// About how many bins there are.
const BINS: f64 = 18.0;

/// A histogram, and what sums its values up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// How many values there are.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Half of them are not above this.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// All of them together.
    pub sum: f64,
    /// The width of a bin.
    pub step: f64,
    /// Where the first bin begins.
    pub from: f64,
    /// The values in each bin: from its beginning up to, not including, its end.
    pub bins: Vec<usize>,
}

impl Histogram {
    /// That of whole numbers, in bins of a width that is easy to read; none without a value.
    pub fn of(values: impl IntoIterator<Item = usize>) -> Option<Histogram> {
        let values: Vec<f64> = values.into_iter().map(|value| value as f64).collect();
        let (least, most) = ends(&values)?;
        let step = step((most - least + 1.0) / BINS);
        Some(Histogram::with(values, (least / step).floor() * step, step, None))
    }

    /// That of shares from 0 to 1, in ten bins; 1 itself is in the last.
    pub fn of_shares(values: impl IntoIterator<Item = f64>) -> Option<Histogram> {
        let values: Vec<f64> = values.into_iter().collect();
        ends(&values)?;
        Some(Histogram::with(values, 0.0, 0.1, Some(10)))
    }

    fn with(mut values: Vec<f64>, from: f64, step: f64, bins: Option<usize>) -> Histogram {
        values.sort_by(f64::total_cmp);
        // A tenth is no binary number: 0.3 / 0.1 is a bit less than 3.
        let place = |value: f64| (((value - from) / step) + 1e-9).floor() as usize;
        let (least, most) = ends(&values).unwrap_or_default();
        let count = bins.unwrap_or_else(|| place(most) + 1);
        let mut counts = vec![0; count];
        values.iter().for_each(|value| counts[place(*value).min(count - 1)] += 1);
        let sum: f64 = values.iter().sum();
        let median = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
        let mean = sum / values.len() as f64;
        Histogram { count: values.len(), mean, median, least, most, sum, step, from, bins: counts }
    }

    /// The beginning and the end of a bin.
    pub fn bin(&self, place: usize) -> (f64, f64) {
        let at = |place: usize| self.from + self.step * place as f64;
        (at(place), at(place + 1))
    }
}

fn ends(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().reduce(f64::min)?;
    Some((least, values.iter().copied().fold(least, f64::max)))
}

/// 1, 2 or 5 times a power of ten, at least 1 and at least so much.
fn step(least: f64) -> f64 {
    let mut power = 1.0;
    loop {
        for step in [1.0, 2.0, 5.0].map(|digit| digit * power) {
            if step >= least {
                return step;
            }
        }
        power *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bin() {
        let histogram = Histogram::of([3, 3, 4, 250, 120]).unwrap();
        assert_eq!((histogram.step, histogram.from, histogram.bins.len()), (20.0, 0.0, 13));
        assert_eq!(histogram.bins.iter().sum::<usize>(), 5);
        assert_eq!((histogram.bins[0], histogram.bins[6], histogram.bins[12]), (3, 1, 1));
        assert_eq!((histogram.median, histogram.mean, histogram.sum), (4.0, 76.0, 380.0));
        assert_eq!(histogram.bin(1), (20.0, 40.0));
        assert_eq!(Histogram::of([]), None);
        assert_eq!(Histogram::of([7]).unwrap().bins, [1]);
    }

    #[test]
    fn shares_have_ten_bins_whose_borders_are_exact() {
        let tenths = (0..=10).map(|tenth| f64::from(tenth) / 10.0);
        assert_eq!(Histogram::of_shares(tenths).unwrap().bins, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    }
}
