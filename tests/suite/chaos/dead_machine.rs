//! A ledger from a machine that died: copied in the middle of a run, and cut at random places.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fault_server::ModelServer;
use serde_json::Value;

use super::audit::{Row, rows, rows_of};
use super::frozen::{CALLS, talks};
use super::many;
use super::setup::Dice;
use crate::support::{TestProject, figure, until};

const ITEMS: usize = 12;

/// The state of the disk in the middle of a run: the project without the file that only the living use. The run goes
/// on for a moment, and is killed.
fn copied_in_the_middle(dice: &mut Dice) -> (ModelServer, TestProject) {
    let (server, project) = talks(Duration::from_millis(4));
    let run = project.start("run scripts/main.rhai");
    until("a few calls", || server.requests().len() > 8);
    std::thread::sleep(dice.time(0, 30));
    run.signal("STOP");
    let copy = copy(&project);
    run.signal("CONT");
    run.signal("KILL");
    run.wait();
    (server, copy)
}

fn copy(project: &TestProject) -> TestProject {
    let copy = TestProject::nothing();
    for dir in ["config", "scripts", "data", ".fthost"] {
        for (path, bytes) in project.files(dir).into_iter().filter(|(path, _)| !path.ends_with("-shm")) {
            fs::create_dir_all(copy.path(&path).parent().unwrap()).unwrap();
            fs::write(copy.path(&path), bytes).unwrap();
        }
    }
    copy
}

/// Calls that are still to be made: those of items without a record that are not in the ledger.
fn to_ask(project: &TestProject, rows: &[Row]) -> usize {
    let text = fs::read_to_string(project.path("data/c.jsonl")).unwrap_or_default();
    // Half a line is no record.
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let done: Vec<String> = whole
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().into())
        .collect();
    let open = rows.iter().filter(|row| row.place.as_ref().is_some_and(|place| !done.contains(&place.1)));
    (ITEMS - done.len()) * CALLS - open.count()
}

/// Goes on with a copy: what its ledger holds is not asked again.
fn goes_on(server: &ModelServer, project: &TestProject) {
    let expected = to_ask(project, &rows(project));
    let before = server.requests().len();
    project.main("").exits(0);
    assert_eq!(server.requests().len() - before, expected);
    assert_eq!(project.ids("data/c.jsonl").len(), ITEMS);
}

#[test]
fn a_copy_from_the_middle_of_a_run_goes_on() {
    let mut dice = Dice::new(1);
    for _ in 0..many(1, 50) {
        let (server, copy) = copied_in_the_middle(&mut dice);
        goes_on(&server, &copy);
    }
    figure(&format!("{} copies from the middle of a run went on", many(1, 50)));
}

/// Where transactions end in a write-ahead log, in bytes: after a frame that tells the size of the database.
fn ends(log: &[u8]) -> Vec<usize> {
    const HEAD: usize = 32;
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let frame = 24 + number(8) as usize;
    let salt = &log[16..24];
    let frames = (0..).map(|n| HEAD + n * frame).take_while(|at| at + frame <= log.len());
    // Frames of an earlier round have another salt.
    let frames = frames.take_while(|at| log[at + 8..at + 16] == *salt);
    frames.filter(|at| number(at + 4) != 0).map(|at| at + frame).collect()
}

/// The replies of the ledger when its log ends here.
fn rows_when_cut(ledger: &Path, log: &[u8]) -> Vec<Row> {
    let dir = tempfile::TempDir::new().unwrap();
    fs::copy(ledger, dir.path().join("ledger.sqlite")).unwrap();
    fs::write(dir.path().join("ledger.sqlite-wal"), log).unwrap();
    rows_of(&dir.path().join("ledger.sqlite"))
}

#[test]
fn a_log_that_was_cut_off_holds_every_transaction_before_the_cut() {
    let mut dice = Dice::new(2);
    let (mut cuts, mut resumed) = (0, 0);
    for _ in 0..many(1, 10) {
        let (server, copy) = copied_in_the_middle(&mut dice);
        let (ledger, log_path) = (copy.path(".fthost/ledger.sqlite"), copy.path(".fthost/ledger.sqlite-wal"));
        let log = fs::read(&log_path).unwrap();
        let (ends, all) = (ends(&log), rows(&copy));
        assert!(ends.len() > 3 && all.len() > 3, "{} transactions", ends.len());
        for _ in 0..many(6, 100) {
            let cut = dice.below(log.len() as u64 + 1) as usize;
            let whole = ends.iter().rev().find(|end| **end <= cut).copied().unwrap_or(0);
            let (torn, clean) = (rows_when_cut(&ledger, &log[..cut]), rows_when_cut(&ledger, &log[..whole]));
            assert!(torn == clean && all.starts_with(&torn), "cut at {cut} of {}", log.len());
            cuts += 1;
        }
        for _ in 0..many(1, 10) {
            let torn = self::copy(&copy);
            fs::write(
                torn.path(".fthost/ledger.sqlite-wal"),
                &log[..dice.below(log.len() as u64 + 1) as usize],
            )
            .unwrap();
            goes_on(&server, &torn);
            resumed += 1;
        }
    }
    figure(&format!(
        "{cuts} logs cut at random: every transaction before the cut was there; {resumed} runs went on from one"
    ));
}
