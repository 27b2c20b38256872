//! How many pass: over time, by the rubric's version and by the prompts'.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::data::verdicts::Line;
use crate::report::data::{Data, Generated};
use crate::store::Version;

/// Points in time are this many at most ...
const POINTS: usize = 24;
/// ... and each is of this many verdicts at least.
const FEWEST: usize = 10;

/// The share that passes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// Complete verdicts.
    pub judged: usize,
    /// Those that pass.
    pub passed: usize,
    /// Their share, from 0 to 1; 0 without a verdict.
    pub rate: f64,
    /// The share is above this, as far as so few can tell (Wilson, 95 %).
    pub low: f64,
    /// It is below this.
    pub high: f64,
}

/// The rates.
#[derive(Debug, Serialize)]
pub struct Rates {
    /// That of the last verdicts of all transcripts.
    pub now: Rate,
    /// Verdicts in the order in which they were given, so many together.
    pub over_time: Vec<Point>,
    /// By rubric, in the order in which they came first.
    pub by_rubric: Vec<OfRubric>,
    /// By what the conversations were made from, in the order in which that came first.
    pub by_prompts: Vec<OfPrompts>,
}

/// Some verdicts that were given one after another.
#[derive(Debug, Serialize)]
pub struct Point {
    /// When the first of them was given, if that is known.
    pub from: Option<String>,
    /// When the last.
    pub to: Option<String>,
    /// The rubric, shortened.
    pub rubric: String,
    /// How many passed.
    #[serde(flatten)]
    pub rate: Rate,
}

/// The last verdicts of one rubric.
#[derive(Debug, Serialize)]
pub struct OfRubric {
    /// Its hash, shortened.
    pub rubric: String,
    /// Whether it is today's.
    pub is_today: bool,
    /// When it first judged, if that is known.
    pub from: Option<String>,
    /// How many passed.
    #[serde(flatten)]
    pub rate: Rate,
}

/// The verdicts of conversations that were made from the same.
#[derive(Debug, Serialize)]
pub struct OfPrompts {
    /// The prompts' hash, as in `_version`.
    pub prompts: String,
    /// What is another than in the one before: `models`, `scripts`, `prompts`.
    pub changed: Vec<&'static str>,
    /// How many passed.
    #[serde(flatten)]
    pub rate: Rate,
}

impl Rate {
    /// That of so many.
    pub fn of(passed: usize, judged: usize) -> Rate {
        let (n, z) = (judged.max(1) as f64, 1.96_f64);
        let rate = passed as f64 / n;
        let (middle, scale) = (rate + z * z / (2.0 * n), 1.0 + z * z / n);
        let reach = z * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt();
        let [low, high] = [middle - reach, middle + reach].map(|end| (end / scale).clamp(0.0, 1.0));
        Rate { judged, passed, rate, low, high }
    }

    fn of_lines<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Rate {
        let (mut passed, mut judged) = (0, 0);
        for line in lines {
            judged += 1;
            passed += usize::from(line.pass);
        }
        Rate::of(passed, judged)
    }
}

/// The figures.
pub fn of(data: &Data) -> Rates {
    let lines: Vec<&Line> = data.verdicts.lines.iter().filter(|line| line.counts).collect();
    let latest = data.verdicts.latest.values().filter(|latest| latest.is_judged());
    let passes: Vec<bool> = latest.map(|latest| latest.record.pass).collect();
    let today = data.rubric.as_ref().map(|rubric| rubric.hash());
    Rates {
        now: Rate::of(passes.iter().filter(|pass| **pass).count(), passes.len()),
        over_time: over_time(&lines),
        by_rubric: by_rubric(&lines, today),
        by_prompts: by_prompts(&lines, &data.generated),
    }
}

/// The first digits, as people compare them.
pub fn short(hash: &str) -> String {
    hash.chars().take(8).collect()
}

/// So many verdicts together that there are not too many points; a new rubric begins a new one.
fn over_time(lines: &[&Line]) -> Vec<Point> {
    let size = lines.len().div_ceil(POINTS).max(FEWEST);
    let of_one_rubric = lines.chunk_by(|a, b| a.rubric == b.rubric);
    // All of a rubric's are about equally large: a last one of a few verdicts would jump about.
    let parts = |lines: &&[&Line]| (lines.len() / size).max(1);
    let of_rubric = |lines: &[&Line]| -> Vec<Point> {
        let parts = parts(&lines);
        let ends = (0..parts).map(|part| part * lines.len() / parts..(part + 1) * lines.len() / parts);
        ends.map(|range| point(&lines[range])).collect()
    };
    of_one_rubric.flat_map(of_rubric).collect()
}

fn point(lines: &[&Line]) -> Point {
    let time = |line: Option<&&Line>| line.and_then(|line| line.judged_at.clone());
    Point {
        from: time(lines.first()),
        to: time(lines.last()),
        rubric: lines.first().map(|line| short(&line.rubric)).unwrap_or_default(),
        rate: Rate::of_lines(lines.iter().copied()),
    }
}

/// A transcript that a rubric judged twice counts once, as it was judged last.
fn by_rubric(lines: &[&Line], today: Option<&str>) -> Vec<OfRubric> {
    let mut order: Vec<&Line> = Vec::new();
    let mut last: BTreeMap<&str, BTreeMap<&str, &Line>> = BTreeMap::new();
    for line in lines {
        let of = last.entry(&line.rubric).or_insert_with(|| {
            order.push(line);
            BTreeMap::new()
        });
        of.insert(&line.id, line);
    }
    let of_rubric = |first: &Line| OfRubric {
        rubric: short(&first.rubric),
        is_today: today == Some(first.rubric.as_str()),
        from: first.judged_at.clone(),
        rate: Rate::of_lines(last[first.rubric.as_str()].values().copied()),
    };
    order.into_iter().map(of_rubric).collect()
}

/// The models, the code and the prompts of a version; the item itself is left out.
type Made = [u32; 3];

fn by_prompts(lines: &[&Line], generated: &[Generated]) -> Vec<OfPrompts> {
    let mut order: Vec<Made> = Vec::new();
    let mut made: BTreeMap<&str, Vec<Made>> = BTreeMap::new();
    for Generated { id, version } in generated {
        let Some(Version([_, models, code, prompts])) = version else { continue };
        let version = [*models, *code, *prompts];
        if !order.contains(&version) {
            order.push(version);
        }
        made.entry(id).or_default().push(version);
    }
    let counts = counts(&made, lines);
    order.retain(|version| counts.contains_key(version));
    let before = [None].into_iter().chain(order.iter().map(Some));
    let of_prompts = |(version, before): (&Made, Option<&Made>)| {
        let (passed, judged) = counts[version];
        OfPrompts {
            prompts: format!("{:08x}", version[2]),
            changed: before.map(|before| changed(before, version)).unwrap_or_default(),
            rate: Rate::of(passed, judged),
        }
    };
    order.iter().zip(before).map(of_prompts).collect()
}

/// Of each version, how many passed of how many. The last content that was judged is what was made last.
fn counts(made: &BTreeMap<&str, Vec<Made>>, lines: &[&Line]) -> BTreeMap<Made, (usize, usize)> {
    let mut counts: BTreeMap<Made, (usize, usize)> = BTreeMap::new();
    for (id, lines) in last_verdicts(lines) {
        let made = made.get(id).map(Vec::as_slice).unwrap_or_default();
        for (version, line) in made.iter().rev().zip(lines.iter().rev()) {
            let (passed, judged) = counts.entry(*version).or_default();
            *judged += 1;
            *passed += usize::from(line.pass);
        }
    }
    counts
}

/// The last verdict of each content that an id's transcript had, in their order.
fn last_verdicts<'a>(lines: &[&'a Line]) -> BTreeMap<&'a str, Vec<&'a Line>> {
    let mut of: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        let known = of.entry(&line.id).or_default();
        match known.iter_mut().find(|known| known.transcript == line.transcript) {
            Some(known) => *known = line,
            None => known.push(line),
        }
    }
    of
}

fn changed(before: &Made, after: &Made) -> Vec<&'static str> {
    let names = ["models", "scripts", "prompts"].into_iter().zip(before.iter().zip(after));
    names.filter(|(_, (before, after))| before != after).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, pass: bool, rubric: &str, transcript: &str) -> Line {
        let [id, rubric, transcript] = [id, rubric, transcript].map(str::to_string);
        Line { id, pass, counts: true, rubric, transcript, judged_at: None }
    }

    #[test]
    fn the_interval_is_wilson_s() {
        let rate = Rate::of(41, 60);
        assert!((rate.low - 0.5575).abs() < 1e-3 && (rate.high - 0.7873).abs() < 1e-3, "{rate:?}");
        assert_eq!(Rate::of(0, 0).rate, 0.0);
    }

    #[test]
    fn a_rubric_s_edit_gives_two_points_and_two_rates() {
        let of = |i: usize, pass, rubric| line(&format!("t{i}"), pass, rubric, "h");
        let mut lines: Vec<Line> = (0..10).map(|i| of(i, i < 3, "aaaaaaaaaa")).collect();
        lines.extend((0..10).map(|i| of(i, i < 8, "bbbbbbbbbb")));
        // Judged again by the same rubric: the last one counts.
        lines.push(of(9, true, "bbbbbbbbbb"));
        let lines: Vec<&Line> = lines.iter().collect();
        let rates = by_rubric(&lines, Some("bbbbbbbbbb"));
        let told: Vec<_> = rates
            .iter()
            .map(|of| (of.rubric.as_str(), of.is_today, of.rate.passed, of.rate.judged))
            .collect();
        assert_eq!(told, [("aaaaaaaa", false, 3, 10), ("bbbbbbbb", true, 9, 10)]);
        let points = over_time(&lines);
        assert_eq!(points.iter().map(|point| point.rate.judged).sum::<usize>(), 21);
        assert_eq!(points.iter().map(|point| point.rate.judged).collect::<Vec<_>>(), [10, 11]);
        let many: Vec<Line> = (0..1000).map(|i| of(i, true, "aaaaaaaaaa")).collect();
        assert_eq!(over_time(&many.iter().collect::<Vec<_>>()).len(), 23);
    }

    #[test]
    fn verdicts_belong_to_what_was_made_last() {
        let made =
            |id: &str, prompts| Generated { id: id.into(), version: Some(Version([9, 1, 2, prompts])) };
        let generated = [made("a", 3), made("b", 3), made("a", 4)];
        let lines = [line("a", false, "r", "old"), line("b", true, "r", "x"), line("a", true, "r", "new")];
        let rates = by_prompts(&lines.iter().collect::<Vec<_>>(), &generated);
        let told: Vec<_> =
            rates.iter().map(|of| (of.prompts.as_str(), of.rate.passed, of.rate.judged)).collect();
        assert_eq!(told, [("00000003", 1, 2), ("00000004", 1, 1)]);
        assert_eq!((rates[0].changed.len(), rates[1].changed.as_slice()), (0, &["prompts"][..]));
    }
}
