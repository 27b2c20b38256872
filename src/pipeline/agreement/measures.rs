//! How far raters agree, in the measures of the field: percentage, Cohen's kappa, Krippendorff's alpha.
//! Both take answers as they come and keep only counts. `tests/golden/agreement.json` holds what scikit-learn and
//! the krippendorff package give for the same tables.

/// What a rater can answer. Anything else (ERROR, nothing) is no answer, and is left out.
pub const ANSWERS: [&str; 3] = ["YES", "NO", "NA"];

/// The place of an answer among the [`ANSWERS`].
pub(super) fn place(answer: &str) -> Option<usize> {
    ANSWERS.iter().position(|known| *known == answer)
}

/// How two raters answered the same questions: a row for each answer of the first, a column for each of the second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confusion([[u64; ANSWERS.len()]; ANSWERS.len()]);

impl Confusion {
    /// Adds what both said to one question; without two answers nothing.
    pub fn add(&mut self, first: &str, second: &str) {
        if let (Some(row), Some(column)) = (place(first), place(second)) {
            self.0[row][column] += 1;
        }
    }

    /// Adds what another one counted.
    pub(super) fn merge(&mut self, other: &Confusion) {
        let cells = self.0.iter_mut().flatten().zip(other.0.iter().flatten());
        cells.for_each(|(own, other)| *own += other);
    }

    /// How many questions both answered.
    pub fn count(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// How often the first said one of these, and the second one of those.
    pub fn count_of(&self, first: &[&str], second: &[&str]) -> u64 {
        let places = |answers: &[&str]| -> Vec<usize> { answers.iter().filter_map(|a| place(a)).collect() };
        let columns = places(second);
        let row_sum = |row: usize| columns.iter().map(|column| self.0[row][*column]).sum::<u64>();
        places(first).into_iter().map(row_sum).sum()
    }

    /// The share of the questions that both answered alike, from 0 to 1; none without a question.
    pub fn percent(&self) -> Option<f64> {
        let alike = (0..ANSWERS.len()).map(|place| self.0[place][place]).sum::<u64>();
        share(alike as f64, self.count() as f64)
    }

    /// Cohen's kappa (Cohen 1960): agreement beyond that of two raters who answer by chance, each at their own
    /// rates. 1 is perfect, 0 is chance. None when chance alone would agree always (both gave one answer throughout), as
    /// nothing can be told then.
    pub fn kappa(&self) -> Option<f64> {
        let n = self.count() as f64;
        let observed = self.percent()?;
        let rate = |sum: u64| sum as f64 / n;
        let row = |place: usize| rate(self.0[place].iter().sum());
        let column = |place: usize| rate(self.0.iter().map(|row| row[place]).sum());
        let chance = (0..ANSWERS.len()).map(|place| row(place) * column(place)).sum::<f64>();
        (1.0 - chance > EPSILON).then(|| (observed - chance) / (1.0 - chance))
    }
}

/// Below this a difference is dust of binary fractions.
const EPSILON: f64 = 1e-12;

/// How any number of raters answered the same questions, some of which may lack answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Coincidences {
    /// Each pair of answers to one question, weighted 1 / (answers - 1).
    pairs: [[f64; ANSWERS.len()]; ANSWERS.len()],
    questions: u64,
    /// Sum over the questions of the share of pairs that are alike.
    alike: f64,
}

impl Coincidences {
    /// Adds all answers to one question; with fewer than two nothing.
    pub fn add<'a>(&mut self, answers: impl IntoIterator<Item = &'a str>) {
        let mut counts = [0_u64; ANSWERS.len()];
        answers.into_iter().filter_map(place).for_each(|place| counts[place] += 1);
        let all: u64 = counts.iter().sum();
        if all < 2 {
            return;
        }
        let others = (all - 1) as f64;
        for (row, of_one) in counts.iter().enumerate() {
            for (column, of_other) in counts.iter().enumerate() {
                let other = if row == column { of_other.saturating_sub(1) } else { *of_other };
                self.pairs[row][column] += (of_one * other) as f64 / others;
            }
        }
        let alike: u64 = counts.iter().map(|count| count * count.saturating_sub(1)).sum();
        self.alike += alike as f64 / (all * (all - 1)) as f64;
        self.questions += 1;
    }

    /// How many questions have two answers or more.
    pub fn questions(&self) -> u64 {
        self.questions
    }

    /// The share of pairs of raters that answered alike, as the mean over the questions, from 0 to 1. With two raters this
    /// is the share of questions that they answered alike.
    pub fn percent(&self) -> Option<f64> {
        share(self.alike, self.questions as f64)
    }

    /// Krippendorff's alpha for nominal data (Krippendorff 2011, "Computing Krippendorff's alpha-reliability"): 1 is perfect,
    /// 0 is chance. None when all answers are the same one, as nothing can be told then.
    pub fn alpha(&self) -> Option<f64> {
        let of = |row: &[f64; ANSWERS.len()]| row.iter().sum::<f64>();
        let sums: Vec<f64> = self.pairs.iter().map(of).collect();
        let all: f64 = sums.iter().sum();
        let alike: f64 = (0..ANSWERS.len()).map(|place| self.pairs[place][place]).sum();
        let by_chance = all * all - sums.iter().map(|sum| sum * sum).sum::<f64>();
        (by_chance > EPSILON).then(|| 1.0 - (all - 1.0) * (all - alike) / by_chance)
    }
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(pairs: &[(&str, &str)]) -> Confusion {
        let mut confusion = Confusion::default();
        pairs.iter().for_each(|(a, b)| confusion.add(a, b));
        confusion
    }

    /// The example of Cohen's paper as it is usually given: 20, 5, 10, 15 of 50.
    #[test]
    fn kappa_of_a_known_table() {
        let table = [("YES", "YES", 20), ("YES", "NO", 5), ("NO", "YES", 10), ("NO", "NO", 15)];
        let pairs: Vec<_> = table.iter().flat_map(|(a, b, n)| std::iter::repeat_n((*a, *b), *n)).collect();
        let confusion = confusion(&pairs);
        assert_eq!((confusion.count(), confusion.percent()), (50, Some(0.7)));
        assert!((confusion.kappa().unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(confusion.count_of(&["YES"], &["NO", "NA"]), 5);
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        assert_eq!((confusion(&[]).percent(), confusion(&[]).kappa()), (None, None));
        let constant = confusion(&[("YES", "YES"), ("YES", "YES"), ("ERROR", "YES"), ("", "NO")]);
        assert_eq!((constant.count(), constant.percent(), constant.kappa()), (2, Some(1.0), None));
        let mut same = Coincidences::default();
        assert_eq!((same.percent(), same.alpha()), (None, None));
        same.add(["YES", "YES"]);
        same.add(["NO"]);
        same.add(["NO", "ERROR"]);
        assert_eq!((same.questions(), same.percent(), same.alpha()), (1, Some(1.0), None));
    }

    #[test]
    fn three_raters_agree_by_pairs() {
        let mut three = Coincidences::default();
        three.add(["YES", "YES", "NO"]);
        three.add(["NO", "NO", "NO"]);
        assert!((three.percent().unwrap() - (1.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
        // By hand: n = 6, alike pairs YES 1, NO 4; sums YES 2, NO 4: 1 - 5 * (6 - 4) / (36 - 20).
        assert!((three.alpha().unwrap() - (1.0 - 5.0 * 2.0 / 16.0)).abs() < 1e-12);
    }
}
