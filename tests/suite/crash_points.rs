//! Killed at every point at which it touches a file, a run goes on to the same result.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::strace::{self, Calls};
use crate::support::{TestProject, figure, long};
use fault_server::ModelServer;

/// The three shipped scripts on one thread: strace counts the calls of each thread apart.
const ALL_STEPS: &str =
    "import \"generate\" as one;\nimport \"assess\" as two;\nimport \"slice\" as three;\n";

/// Turns of a conversation; two calls each.
const TURNS: usize = 3;

const CHECKPOINTS: [&str; 2] = ["data/raw/generation_checkpoint.jsonl", "data/assessments/checkpoint.jsonl"];

/// Files that are appended to by the threads that scripts run on.
const APPENDED: &[&str] = &[
    CHECKPOINTS[0],
    CHECKPOINTS[1],
    "data/raw/generation_checkpoint.jsonl.lock",
    "data/assessments/checkpoint.jsonl.lock",
];

const LEDGER_FILES: &[&str] =
    &[".fthost/ledger.sqlite", ".fthost/ledger.sqlite-wal", ".fthost/ledger.sqlite-journal"];

/// All by which the binary changes something on disk. Writes elsewhere (terminal, sockets, what wakes threads) are
/// left out; of a file that is written aside, its lock, flush and rename are points enough.
const ALL: &[Calls] = &[
    Calls("write", APPENDED),
    Calls("fdatasync", APPENDED),
    Calls("/^f(data)?sync", LEDGER_FILES),
    Calls("pwrite64", LEDGER_FILES),
    Calls("fsync", &[]),
    Calls("flock", &[]),
    Calls("ftruncate", &[]),
    Calls("/^rename", &[]),
    Calls("/^unlink", &[]),
    Calls("/^mkdir", &[]),
];

/// A few of each, for the short form: by their place in `ALL`.
const FEW: &[(usize, usize)] = &[
    (0, 2),
    (0, 8),
    (1, 3),
    (1, 6),
    (2, 5),
    (2, 17),
    (3, 3),
    (3, 60),
    (3, 90),
    (4, 4),
    (4, 14),
    (5, 2),
    (6, 1),
    (7, 5),
    (7, 9),
    (9, 4),
];

fn shipped(server: &ModelServer) -> TestProject {
    let project = TestProject::shipped_live(server);
    project.write("scripts/all.rhai", ALL_STEPS);
    project
}

/// What a run is to leave, however often it was killed.
#[derive(Debug, PartialEq)]
struct Result {
    files: Vec<(String, Vec<u8>)>,
    records: Vec<BTreeMap<String, Value>>,
}

impl Result {
    fn of(project: &TestProject) -> Result {
        let files = [project.files("data/raw/transcripts"), project.files("data/processed")].concat();
        Result { files, records: CHECKPOINTS.map(|path| records(project, path)).into() }
    }
}

/// By id; without the version, since each server has an address of its own, and without when they were judged.
fn records(project: &TestProject, path: &str) -> BTreeMap<String, Value> {
    let lines = project.lines(path);
    let count = lines.len();
    let by_id = lines.into_iter().map(|mut line| {
        let record = line.as_object_mut().unwrap();
        record.remove("_version").unwrap();
        record.remove("judged_at");
        (line["id"].as_str().unwrap().to_string(), line)
    });
    let by_id: BTreeMap<_, _> = by_id.collect();
    assert_eq!(by_id.len(), count, "{path}: nothing is done twice");
    by_id
}

/// A run, and what it comes to when nothing happens to it.
struct Course {
    words: String,
    width: usize,
    result: Result,
    calls: usize,
    took: Duration,
}

impl Course {
    fn new(items: usize, width: usize) -> Course {
        let words =
            format!("run scripts/all.rhai -q -s personas={items} -s turns={TURNS} --concurrency {width}");
        let (server, began) = (ModelServer::start(), Instant::now());
        let project = shipped(&server);
        project.run(&words).exits(0);
        let (result, calls) = (Result::of(&project), server.bill().len());
        assert_eq!(result.records[0].len(), items);
        assert!(result.files.len() > items && calls == items * (2 * TURNS + 1));
        Course { words, width, result, calls, took: began.elapsed() }
    }

    /// Begins it, lets `kill` end it, and runs it to its end: all is as if it had never been killed. Says
    /// whether it was killed at all.
    fn killed(&self, what: &str, kill: impl FnOnce(&TestProject) -> bool) -> bool {
        let server = ModelServer::start();
        let project = shipped(&server);
        if !kill(&project) {
            return false;
        }
        let ran = project.run(&self.words);
        assert_eq!(ran.code, 0, "after {what}:\n{}", ran.err);
        assert!(Result::of(&project) == self.result, "after {what} the result is another");
        let aside = |(path, _): &(String, _)| path.ends_with(".tmp");
        assert!(!project.files("data").iter().any(aside), "{what} left something");
        // One call a worker was on the wire, or on its way to the ledger.
        let served = server.bill().len();
        assert!(served <= self.calls + self.width, "after {what}: {served} calls, {} are needed", self.calls);
        true
    }

    fn killed_at(&self, calls: Calls, nth: usize) -> bool {
        self.killed(&format!("{calls:?} number {nth}"), |project| {
            let traced = strace::kill_at(project, calls, nth, &self.words);
            assert!(traced.ran.code == 0 || traced.ran.code == -1, "{}", traced.ran.err);
            traced.ran.code == -1
        })
    }

    fn killed_after(&self, time: Duration) -> bool {
        self.killed(&format!("{time:?}"), |project| {
            let run = project.start(&self.words);
            std::thread::sleep(time);
            run.signal("KILL");
            run.wait().code == -1
        })
    }

    /// At times that are spread over it.
    fn killed_now_and_then(&self, times: u32) {
        let struck = (1..=times).filter(|n| self.killed_after(self.took * *n / (times + 1))).count();
        figure(&format!("{} at once: {struck} of {times} kills at times struck", self.width));
    }

    /// Every point there is, two at a time; says how many there are of each kind.
    fn killed_everywhere(&self) {
        let mut all = 0;
        for calls in ALL {
            let (next, struck) = (AtomicUsize::new(1), AtomicUsize::new(0));
            at_once(2, || {
                while self.killed_at(*calls, next.fetch_add(1, Ordering::SeqCst)) {
                    struck.fetch_add(1, Ordering::SeqCst);
                }
            });
            let struck = struck.into_inner();
            figure(&format!("{} at once: {struck} points at {calls:?}", self.width));
            all += struck;
        }
        figure(&format!("{} at once: {all} points in all", self.width));
        assert!(all > 40, "only {all} points");
    }
}

/// So many lanes, until all have ended.
fn at_once(lanes: usize, lane: impl Fn() + Sync) {
    std::thread::scope(|scope| (0..lanes).for_each(|_| drop(scope.spawn(&lane))));
}

#[test]
fn killed_at_any_point_a_run_goes_on_to_the_same_result() {
    let traced = strace::is_there();
    if long() && traced {
        Course::new(20, 1).killed_everywhere();
        Course::new(20, 8).killed_everywhere();
    }
    let course = Course::new(4, 1);
    if !traced || long() {
        course.killed_now_and_then(if long() { 100 } else { 12 });
    }
    if traced {
        let (struck, next) = (AtomicUsize::new(0), Mutex::new(FEW.iter()));
        at_once(3, || {
            while let Some((kind, nth)) = { next.lock().unwrap().next() } {
                struck.fetch_add(usize::from(course.killed_at(ALL[*kind], *nth)), Ordering::SeqCst);
            }
        });
        let struck = struck.into_inner();
        assert!(struck >= FEW.len() - 3, "only {struck} of {} kills struck", FEW.len());
    }
}
