//! Chaos: the shipped scripts are killed at random instants, over and over, against a server that keeps a bill.
//! After each kill the bill, the ledger, the checkpoints and the files are held against each other.
//!
//! The short form takes seconds. The long one, 1,000 kills and more, prints what it counted:
//! `FTHOST_LONG=1 cargo test --release --test suite -- --nocapture chaos::`

mod audit;
mod dead_machine;
mod frozen;
mod setup;
mod storm;

use std::collections::BTreeSet;

use crate::support::{PIPELINE, TestProject, figure, long};
use setup::{Dice, Size, pipeline, serve};
use storm::{Storm, Totals};

/// The short form's number, or the long one's.
fn many(short: usize, more: usize) -> usize {
    if long() { more } else { short }
}

#[test]
fn what_is_paid_for_survives_kills_at_any_instant() {
    let (kills, mut dice) = (many(8, 1000), Dice::new(4711));
    let mut totals = Totals::default();
    while totals.kills < kills {
        let size = Size { personas: many(4, 24), turns: 3, share_of_faults: 0 };
        totals.join(Storm::new(size, dice.fork()).rage(kills - totals.kills));
    }
    figure(&format!("kills at random instants: {totals}"));
}

#[test]
fn faults_and_kills_together_lose_no_money() {
    let (kills, mut dice) = (many(4, 300), Dice::new(99));
    let mut totals = Totals::default();
    while totals.kills < kills {
        let size = Size { personas: many(4, 16), turns: 3, share_of_faults: 10 + dice.below(21) };
        totals.join(Storm::new(size, dice.fork()).rage(kills - totals.kills));
    }
    figure(&format!("kills with 10 to 30 % faults: {totals}"));
}

/// The records of a checkpoint, as a set, without their version, which has the server's port, and without when they
/// were judged.
fn records(project: &TestProject, path: &str) -> BTreeSet<String> {
    let without_version = |line: &str| {
        let (record, version) = line.split_once(",\"_version\":").unwrap();
        assert!(!version.contains(','), "{line}");
        match record.split_once("\"judged_at\":\"") {
            Some((before, after)) => format!("{before}{}", after.split_once('"').unwrap().1),
            None => record.to_string(),
        }
    };
    project.read(path).lines().map(without_version).collect()
}

/// Files, and the records of each checkpoint.
type Outcome = (Vec<(String, Vec<u8>)>, Vec<BTreeSet<String>>);

/// What does not depend on when things happened.
fn outcome(project: &TestProject) -> Outcome {
    let files = ["data/raw/transcripts", "data/processed"].iter().flat_map(|dir| audit::files(project, dir));
    (files.collect(), audit::CHECKPOINTS.iter().map(|path| records(project, path)).collect())
}

#[test]
fn a_run_that_was_killed_twenty_times_gives_the_same_as_one_that_was_not() {
    for round in 0..many(1, 5) as u64 {
        let size = Size { personas: many(4, 16), turns: 4, share_of_faults: 0 };
        let server = serve(&size, Dice::new(round));
        let calm = pipeline(&server);
        calm.run(&size.words(PIPELINE)).exits(0);
        let mut storm = Storm::new(size, Dice::new(round));
        let totals = storm.rage_through(many(4, 20));
        let (calm, killed) = (outcome(&calm), outcome(storm.project()));
        assert_eq!(
            calm.0.iter().map(|file| &file.0).collect::<Vec<_>>(),
            killed.0.iter().map(|file| &file.0).collect::<Vec<_>>()
        );
        assert!(calm == killed, "the files differ");
        assert!(calm.0.len() >= 3 + size.personas && calm.1.iter().all(|set| set.len() == size.personas));
        figure(&format!(
            "a run killed {} times and one never killed: {} files and all records are the same",
            totals.kills,
            calm.0.len()
        ));
    }
}
