//! The laws of a draw: quotas, dice, growth, constraints.

use super::*;
use crate::pipeline::dimensions::{Entry, known};
use serde_json::json;

fn list(weights: &[(&str, f64)]) -> Vec<Entry> {
    weights.iter().map(|(id, weight)| Entry { id: (*id).into(), weight: *weight }).collect()
}

fn flat(name: &str, weights: &[(&str, f64)]) -> Dimension {
    Dimension::new(name, None, None, vec![list(weights)]).unwrap()
}

const STYLES: &[(&str, f64)] =
    &[("terse", 0.22), ("plain", 0.26), ("chatty", 0.18), ("formal", 0.14), ("cross", 0.2)];
const TOPICS: &[(&str, f64)] = &[("fault", 0.24), ("delivery", 0.41), ("advice", 0.35)];
const LEVELS: &[(&str, f64)] = &[("beginner", 0.45), ("intermediate", 0.38), ("expert", 0.17)];
const FLAWS: &[(&str, f64)] = &[("typos", 0.4), ("caps", 0.35), ("vague", 0.25)];

fn dimensions() -> Vec<Dimension> {
    let situations = vec![
        list(&[("leak", 0.28), ("cold", 0.72)]),
        list(&[("late", 0.4), ("wrong", 0.25), ("broken", 0.35)]),
        list(&[("first_machine", 0.55), ("upgrade", 0.45)]),
    ];
    vec![
        flat("style", STYLES),
        flat("topic", TOPICS),
        Dimension::new("situation", Some(1), None, situations).unwrap(),
        flat("level", LEVELS),
        flat("flaws_count", &[("0", 0.2), ("1", 0.44), ("2", 0.36)]),
        Dimension::new("flaws", None, Some(4), vec![list(FLAWS)]).unwrap(),
    ]
}

fn constraints(all: &[serde_json::Value]) -> Vec<Constraint> {
    let parsed: Vec<Constraint> = all.iter().map(|one| Constraint::parse(one).unwrap()).collect();
    let dimensions = dimensions();
    assert!(parsed.iter().all(|one| one.faults(&known(&dimensions)).is_empty()));
    parsed
}

fn people(count: usize, sampling: Sampling, seed: i64) -> Vec<Person> {
    draw(count, &dimensions(), &[], sampling, seed).unwrap()
}

/// How many have the entry.
fn having(people: &[Person], dimension: usize, entry: usize) -> f64 {
    people.iter().filter(|person| person[dimension].contains(&entry)).count() as f64
}

/// Pearson's chi-square of counts against what was expected.
fn chi_square(counts: &[f64], expected: &[f64]) -> f64 {
    counts.iter().zip(expected).map(|(count, expected)| (count - expected).powi(2) / expected).sum()
}

/// Above this, chi-square is in one of a hundred fair draws, by its degrees of freedom from 1 on: NIST/SEMATECH
/// e-Handbook of Statistical Methods, section 1.3.6.7.4, column 0.99.
const ONE_IN_A_HUNDRED: [f64; 16] = [
    6.635, 9.210, 11.345, 13.277, 15.086, 16.812, 18.475, 20.090, 21.666, 23.209, 24.725, 26.217, 27.688,
    29.141, 30.578, 32.000,
];

#[test]
fn a_thousand_by_quota_hit_every_weight_within_one() {
    let dimensions = dimensions();
    for seed in 0..5 {
        let people = people(1000, Sampling::Quota, seed);
        for (place, dimension) in dimensions.iter().enumerate().filter(|(_, d)| d.count.is_none()) {
            for entry in 0..dimension.entries().len() {
                let list = dimension.list_of(entry);
                let all = dimension.within.map_or(1000.0, |parent| having(&people, parent, list));
                let share = dimension.shares(list).share(entry - dimension.list(list).start);
                let off = having(&people, place, entry) - all * share;
                assert!(
                    off.abs() < 1.0,
                    "{} {} of seed {seed}: {off}",
                    dimension.name,
                    dimension.entries()[entry].id
                );
            }
        }
        let draws: usize = people.iter().map(|person| person[5].len()).sum();
        for (entry, (id, share)) in FLAWS.iter().enumerate() {
            assert!((having(&people, 5, entry) - draws as f64 * share).abs() < 1.0, "{id} of seed {seed}");
        }
    }
}

#[test]
fn independent_dice_pass_a_chi_square_test() {
    for seed in 0..5 {
        let people = people(2000, Sampling::Independent, seed);
        for (place, weights) in [(0, STYLES), (1, TOPICS), (3, LEVELS)] {
            let counts: Vec<f64> = (0..weights.len()).map(|entry| having(&people, place, entry)).collect();
            let expected: Vec<f64> = weights.iter().map(|(_, weight)| weight * 2000.0).collect();
            let found = chi_square(&counts, &expected);
            assert!(found < ONE_IN_A_HUNDRED[weights.len() - 2], "{weights:?} of seed {seed}: {found}");
            assert!(found > 0.01, "these are no dice: {weights:?} of seed {seed}");
        }
    }
}

/// Chi-square of how often the values of two dimensions stand together.
fn joint(people: &[Person], first: (usize, &[(&str, f64)]), second: (usize, &[(&str, f64)])) -> f64 {
    let cells =
        first.1.iter().enumerate().flat_map(|one| second.1.iter().enumerate().map(move |other| (one, other)));
    let (counts, expected): (Vec<f64>, Vec<f64>) = cells
        .map(|((a, (_, share_a)), (b, (_, share_b)))| {
            let both = |p: &&Person| p[first.0].contains(&a) && p[second.0].contains(&b);
            let count = people.iter().filter(both).count() as f64;
            (count, people.len() as f64 * share_a * share_b)
        })
        .unzip();
    chi_square(&counts, &expected)
}

#[test]
fn two_dimensions_have_nothing_to_do_with_each_other() {
    // The same weights twice: what goes round in strides would draw the same value of both each time.
    let twice = [flat("first", STYLES), flat("second", STYLES)];
    for (sampling, seeds) in [(Sampling::Quota, 0..8), (Sampling::Independent, 8..16)] {
        let one = |seed| {
            let people = draw(2000, &twice, &[], sampling, seed).unwrap();
            joint(&people, (0, STYLES), (1, STYLES))
        };
        let found: Vec<f64> = seeds.map(one).collect();
        // 16 degrees of freedom; by quota, neighbours depend on each other a little.
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        assert!((10.0..25.0).contains(&mean), "{sampling:?}: {found:?}");
        let most = found.iter().copied().fold(0.0, f64::max);
        assert!(most < ONE_IN_A_HUNDRED[15] * 1.5, "{sampling:?}: {found:?}");
    }
}

#[test]
fn lists_that_are_the_same_share_one_quota() {
    let products = list(&[("one", 1.0), ("two", 1.0), ("three", 1.0)]);
    let lists = vec![products.clone(), list(&[("beans", 1.0)]), products];
    let dimensions = [flat("topic", TOPICS), Dimension::new("product", Some(0), None, lists).unwrap()];
    let people = draw(300, &dimensions, &[], Sampling::Quota, 1).unwrap();
    let about = |product: usize| having(&people, 1, product) + having(&people, 1, product + 4);
    let all = 300.0 - having(&people, 0, 1);
    assert!((0..3).all(|product| (about(product) - all / 3.0).abs() < 1.0), "{:?}", [0, 1, 2].map(about));
}

#[test]
fn the_first_five_of_two_thousand_are_the_five() {
    let constraints =
        constraints(&[json!({"if": {"level": "expert"}, "never": {"situation": "first_machine"}})]);
    for sampling in [Sampling::Quota, Sampling::Independent] {
        let of = |count, seed| draw(count, &dimensions(), &constraints, sampling, seed).unwrap();
        assert_eq!(of(2000, 3)[..5], of(5, 3));
        assert_ne!(of(5, 3), of(5, 4));
    }
}

#[test]
fn flaws_are_never_there_twice() {
    for sampling in [Sampling::Quota, Sampling::Independent] {
        let people = people(500, sampling, 1);
        let twice = people.iter().filter(|p| p[5].len() == 2 && p[5][0] == p[5][1]).count();
        let count = |wanted| people.iter().filter(|p| p[5].len() == wanted).count();
        assert_eq!(twice, 0);
        assert!(count(0) > 70 && count(1) > 180 && count(2) > 140, "{sampling:?}");
    }
}

#[test]
fn constraints_hold_of_everybody_and_quotas_as_well() {
    let constraints = constraints(&[
        json!({"if": {"level": "expert"}, "never": {"situation": ["first_machine"]}}),
        json!({"if": {"style": "formal"}, "never": {"flaws": ["caps"]}}),
        json!({"if": {"topic": "fault", "level": "beginner"}, "only": {"style": ["terse", "chatty", "cross"]}}),
    ]);
    let dimensions = dimensions();
    for sampling in [Sampling::Quota, Sampling::Independent] {
        let people = draw(1000, &dimensions, &constraints, sampling, 7).unwrap();
        let id = |person: &Person, at: usize| dimensions[at].entries()[person[at][0]].id.as_str();
        for person in &people {
            assert!(!(id(person, 3) == "expert" && id(person, 2) == "first_machine"), "{sampling:?}");
            assert!(!(id(person, 0) == "formal" && person[5].contains(&1)), "{sampling:?}");
            let bound = id(person, 1) == "fault" && id(person, 3) == "beginner";
            assert!(!bound || !["plain", "formal"].contains(&id(person, 0)), "{sampling:?}");
        }
        if sampling == Sampling::Quota {
            let off = |at: usize, of: &[(&str, f64)]| {
                let off =
                    |(entry, (_, share)): (usize, &(&str, f64))| having(&people, at, entry) - share * 1000.0;
                of.iter().enumerate().map(off).fold(0.0, |most: f64, off| most.max(off.abs()))
            };
            assert!([off(0, STYLES), off(1, TOPICS), off(3, LEVELS)].iter().all(|off| *off <= 1.0));
        }
    }
}

#[test]
fn a_dead_end_is_seen_before_it_is_entered() {
    // Whoever is terse and a beginner has no topic left: the draw must not come to that.
    let constraints = constraints(&[
        json!({"if": {"style": "terse"}, "never": {"topic": ["fault", "delivery"]}}),
        json!({"if": {"level": "beginner"}, "never": {"topic": "advice"}}),
    ]);
    for sampling in [Sampling::Quota, Sampling::Independent] {
        let people = draw(400, &dimensions(), &constraints, sampling, 1).unwrap();
        assert!(people.iter().all(|person| person[..4].iter().all(|entries| entries.len() == 1)));
        assert!(people.iter().all(|person| !(person[0] == [0] && person[3] == [0])));
    }
}

#[test]
fn constraints_that_leave_nobody_are_an_error() {
    let constraints = constraints(&[
        json!({"if": {"style": "terse"}, "never": {"topic": ["fault", "delivery"]}}),
        json!({"if": {"style": "terse"}, "never": {"topic": "advice"}}),
    ]);
    let error = draw(1, &dimensions(), &constraints, Sampling::Quota, 1).unwrap_err();
    assert_eq!(error.message(), "the constraints leave nobody whose `style` is `terse`");
    assert!(draw(MOST + 1, &dimensions(), &[], Sampling::Quota, 1).is_err());
}
