//! A disk that refuses: nothing more is paid for, the path and the remedy are named, nothing stands half-written,
//! and the same command goes on when it is mended.

use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::strace::{self, Calls};
use crate::support::{Ran, TestProject, figure, long, remark};
use fault_server::ModelServer;

/// Twenty items, a model call and a file each, and a record of about 1 KiB.
const SCRIPT: &str = r#"
    let model = get_backend("assistant");
    let items = [];
    for i in 0..20 { items.push(#{id: `item_${i}`}); }
    let filler = "";
    filler.pad(1000, "filler ");
    process(items, #{checkpoint: "data/c.jsonl", concurrency: setting("width", 1)}, |item| {
        let said = model.complete(item.id).content;
        write_text(`data/out/${item.id}.txt`, said);
        #{said: said, filler: filler}
    });
"#;

const RUN: &str = "run scripts/main.rhai";

type Files = Vec<(String, Vec<u8>)>;

/// What a run comes to when nothing happens to it.
fn clean() -> &'static Files {
    static CLEAN: OnceLock<Files> = OnceLock::new();
    CLEAN.get_or_init(|| {
        let server = ModelServer::start();
        let project = TestProject::live(&server, SCRIPT);
        project.run(RUN).exits(0);
        let result = result(&project);
        assert_eq!(result.len(), 40);
        result
    })
}

/// What a project has come to.
fn result(project: &TestProject) -> Files {
    let files = project.files("data/out").into_iter();
    let lines = project.lines("data/c.jsonl").into_iter().map(|mut line| {
        line.as_object_mut().unwrap().remove("_version");
        (line["id"].to_string(), line.to_string().into_bytes())
    });
    let mut all: Vec<_> = files.chain(lines).collect();
    all.sort();
    all
}

/// The project after the fault, and what was served until then.
struct Struck<'a> {
    server: &'a ModelServer,
    project: &'a TestProject,
    ran: Ran,
}

impl Struck<'_> {
    /// Stopped by its surroundings, with these words, after so many calls; and goes on when all is well again.
    #[track_caller]
    fn stopped_well(self, path: &str, remedy: &str, calls: std::ops::RangeInclusive<usize>) {
        let Struck { server, project, ran } = self;
        let served = server.requests().len();
        assert!(calls.contains(&served), "{path}: {served} calls, not {calls:?}\n{}", ran.err);
        ran.exits(4).says(path).says(remedy);
        for (path, bytes) in project.files("data") {
            let whole = !path.ends_with(".jsonl") || bytes.is_empty() || bytes.ends_with(b"\n");
            assert!(whole && !path.ends_with(".tmp"), "{path} is left half-written");
        }
        let kept = project.ids("data/c.jsonl").len();
        goes_on(server, project, kept);
    }
}

/// What is not in the checkpoint is asked (again), and nothing else.
#[track_caller]
fn goes_on(server: &ModelServer, project: &TestProject, kept: usize) {
    let before = server.requests().len();
    project.run(RUN).exits(0);
    // With a ledger, replies that came before the fault are not asked for again.
    let asked = server.requests().len() - before;
    assert!(asked <= 20 - kept, "{asked} were asked, {kept} were there");
    assert!(result(project) == *clean(), "another result");
}

/// A fault of one file's calls under strace: they fail from the `nth` on.
struct Fault {
    calls: Calls,
    error: &'static str,
    nth: &'static str,
    /// What must be told.
    says: [&'static str; 2],
    /// How many are asked before it, one at a time.
    asked: std::ops::RangeInclusive<usize>,
}

const fn fault(
    (name, files): (&'static str, &'static [&'static str]),
    (error, nth): (&'static str, &'static str),
    says: [&'static str; 2],
    asked: std::ops::RangeInclusive<usize>,
) -> Fault {
    Fault { calls: Calls(name, files), error, nth, says, asked }
}

const SPACE: &str = "free some space, then run again";
const CHECK: &str = "check the disk";
const ACCESS: &str = "make the directory writable";

const FAULTS: &[Fault] = &[
    fault(("write", &["data/c.jsonl"]), ("ENOSPC", "3+"), ["append to data/c.jsonl", SPACE], 3..=3),
    fault(("write", &["data/c.jsonl"]), ("EDQUOT", "3"), ["append to data/c.jsonl", SPACE], 3..=3),
    // One flush fails, those after it do not: it must not be believed all the same.
    fault(("fdatasync", &["data/c.jsonl"]), ("EIO", "3"), ["append to data/c.jsonl", CHECK], 3..=3),
    fault(("/^rename", &["data/out"]), ("EIO", "2"), ["write data/out/item_1.txt", CHECK], 2..=2),
    fault(("/^rename", &["data/out"]), ("EROFS", "1+"), ["write data/out/item_0.txt", ACCESS], 1..=1),
    // The flush of a directory.
    fault(("fsync", &["data/out"]), ("EIO", "2"), ["flush the directory data/out", CHECK], 2..=2),
    fault(("fsync", &["data"]), ("EIO", "1"), ["flush the directory data", CHECK], 0..=0),
    fault(("/^mkdir", &["data"]), ("ENOSPC", "1"), ["make the directory data/out", SPACE], 1..=1),
    fault(("ftruncate", &["data/c.jsonl.lock"]), ("EIO", "1"), ["lock data/c.jsonl.lock", CHECK], 0..=0),
    fault(("write", &["data/c.jsonl.lock"]), ("ENOSPC", "1"), ["lock data/c.jsonl.lock", SPACE], 0..=0),
];

/// The ledger's own: from the nth call on, the error, the remedy.
const LEDGER_FAULTS: &[(Calls, &str, &str, &str)] = &[
    (Calls("pwrite64", &[LOG]), "ENOSPC", "60+", SPACE),
    (Calls("pwrite64", &[LOG]), "EIO", "85", CHECK),
    (Calls("/^f(data)?sync", &[LOG]), "EIO", "9", CHECK),
    (Calls("/^f(data)?sync", &[LOG]), "EIO", "1", CHECK),
];

const LOG: &str = ".fthost/ledger.sqlite-wal";

/// What cannot be kept is not paid for: one call at a time, at most the one whose reply could not be written.
#[test]
fn a_ledger_that_cannot_be_written_stops_the_paid_calls() {
    if !strace::is_there() {
        return;
    }
    for (calls, error, nth, remedy) in LEDGER_FAULTS {
        let server = ModelServer::start();
        let project = TestProject::live(&server, SCRIPT);
        let traced = strace::fail_at(&project, *calls, error, nth, RUN);
        assert!(traced.failed_at().is_some(), "{calls:?} was never failed:\n{}", traced.log);
        let served = server.requests().len();
        let has_tables = !project.ledger("SELECT name FROM sqlite_schema WHERE name = 'replies'").is_empty();
        let rows = if has_tables { project.ledger("SELECT id FROM replies").len() } else { 0 };
        figure(&format!("{calls:?} {error} {nth}: {served} served, {rows} kept"));
        assert!(served <= rows + 1, "{calls:?}: {served} served, {rows} kept");
        traced.ran.exits(4).says(".fthost").says(remedy);
        let before = server.requests().len();
        project.run(RUN).exits(0);
        assert_eq!(server.requests().len() - before, 20 - rows, "{calls:?}: {rows} were there");
        assert!(result(&project) == *clean(), "another result");
    }
}

#[test]
fn every_call_that_fails_stops_the_paid_calls() {
    if !strace::is_there() {
        return;
    }
    for Fault { calls, error, nth, says: [path, remedy], asked } in FAULTS {
        let server = ModelServer::start();
        let project = TestProject::live(&server, SCRIPT);
        let traced = strace::fail_at(&project, *calls, error, nth, RUN);
        assert!(traced.failed_at().is_some(), "{calls:?} was never failed:\n{}", traced.log);
        Struck { server: &server, project: &project, ran: traced.ran }.stopped_well(
            path,
            remedy,
            asked.clone(),
        );
    }
}

/// What a killed run wrote and did not flush counts when the next run has flushed it, not before.
#[test]
fn records_that_are_found_are_flushed_before_they_count() {
    if !strace::is_there() {
        return;
    }
    let server = ModelServer::start();
    let project = TestProject::live(&server, SCRIPT);
    let calls = Calls("fdatasync", &["data/c.jsonl"]);
    assert_eq!(strace::kill_at(&project, calls, 3, RUN).ran.code, -1);
    assert_eq!((project.ids("data/c.jsonl").len(), server.requests().len()), (3, 3));
    let traced = strace::fail_at(&project, calls, "EIO", "1", RUN);
    traced.ran.exits(4).says("flush data/c.jsonl").says(CHECK);
    assert_eq!(server.requests().len(), 3, "nothing was asked");
    goes_on(&server, &project, 3);
}

/// What is in the database's journal is on disk: that it cannot be brought over yet loses nothing.
#[test]
fn a_journal_that_cannot_be_brought_over_is_kept() {
    if !strace::is_there() {
        return;
    }
    let server = ModelServer::start();
    let project = TestProject::live(&server, SCRIPT);
    let calls = Calls("pwrite64", &[".fthost/ledger.sqlite"]);
    let traced = strace::fail_at(&project, calls, "ENOSPC", "1+", RUN);
    assert!(traced.failed_at().is_some(), "{calls:?} was never failed:\n{}", traced.log);
    traced.ran.exits(0);
    project.run(&format!("{RUN} --redo all")).exits(0);
    assert_eq!((server.requests().len(), project.ledger("SELECT id FROM replies").len()), (20, 20));
}

/// The flush of a file that is written aside, which has no name of its own to be told apart by.
#[test]
fn a_file_whose_flush_fails_does_not_appear() {
    if !strace::is_there() {
        return;
    }
    let server = ModelServer::start();
    let script =
        "write_text(\"data/x.txt\", \"old\");\nwrite_text(\"data/x.txt\", setting(\"text\", \"new\"));";
    let project = TestProject::live(&server, script);
    // data/, the file and data/ again; then the file once more.
    for nth in ["2", "4"] {
        let traced = strace::fail_at(&project, Calls("fsync", &[]), "EIO", nth, RUN);
        assert!(traced.log.contains(".tmp>) = -1 EIO"), "{}", traced.log);
        traced.ran.exits(4).says("write data/x.txt").says(CHECK);
        assert!(!project.exists("data/x.txt") || project.read("data/x.txt") == "old");
        assert!(!project.files("data").iter().any(|(path, _)| path.ends_with(".tmp")));
        std::fs::remove_dir_all(project.path("data")).unwrap();
    }
}

#[test]
fn no_call_begins_after_a_failed_write_however_many_are_under_way() {
    if !strace::is_there() {
        return;
    }
    let server = ModelServer::start();
    server.set_latency(Duration::from_millis(100));
    let project = TestProject::live(&server, SCRIPT);
    let words = format!("{RUN} -s width=4");
    let calls = Calls("fdatasync", &["data/c.jsonl"]);
    let traced = strace::fail_at(&project, calls, "EIO", "2", &words);
    let failed = Duration::from_secs_f64(traced.failed_at().unwrap());
    let ago = SystemTime::now().duration_since(UNIX_EPOCH + failed).unwrap();
    let failed = Instant::now() - ago;
    let late = server.arrivals().iter().filter_map(|arrival| arrival.at.checked_duration_since(failed)).max();
    figure(&format!("the last call came {late:?} after the failed write"));
    // What was being sent at that moment takes a moment to arrive. If nothing stopped, it would go on for 400 ms.
    let moment = Duration::from_millis(if long() { 40 } else { 250 });
    assert!(late.unwrap_or_default() < moment, "a call came {late:?} after it");
    let asked = server.requests().len();
    assert!(asked < 20, "{asked} were asked");
    Struck { server: &server, project: &project, ran: traced.ran }.stopped_well(
        "data/c.jsonl",
        CHECK,
        4..=16,
    );
}

/// Without a handler, the signal of a file that grows over its limit would kill the process.
#[test]
fn a_limit_on_file_sizes_is_a_failed_write() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, SCRIPT);
    let mut command = Command::new("bash");
    let limited = format!("ulimit -f 200; exec \"$0\" {RUN}");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_fthost")]).current_dir(project.root());
    let ran = Ran::of(command);
    let struck = Struck { server: &server, project: &project, ran };
    struck.stopped_well(".fthost/ledger.sqlite", "`ulimit -f`", 1..=19);
}

/// Whatever it is that fails, and wherever: elements of a `parallel_map` that have not begun ask nothing more.
#[test]
fn a_checkpoint_that_cannot_be_opened_stops_the_paid_calls() {
    let server = ModelServer::start();
    let script = r#"
        let model = get_backend("assistant");
        parallel_map([1, 2, 3, 4], #{concurrency: 1}, |n| {
            process([#{id: "a"}], #{checkpoint: `data/${n}/c.jsonl`}, |item| #{said: model.complete(`${n}`).content})
        });
    "#;
    let project = TestProject::live(&server, script);
    project.write("data/2", "in the way");
    project.run(RUN).exits(4).says("make the directory data/2").says("move it away");
    assert_eq!(server.requests().len(), 1);
}

/// Runs shell words in which `$0` is the binary, as root of its own mounts; none where that may not be.
fn with_mounts(project: &TestProject, words: &str) -> Option<Ran> {
    let mut probe = Command::new("unshare");
    let may = probe.args(["-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        remark("mounts are not allowed here: full and read-only disks are left out");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", words, env!("CARGO_BIN_EXE_fthost")]).current_dir(project.root());
    Some(Ran::of(command))
}

#[test]
fn a_full_disk_and_one_that_is_read_only() {
    let server = ModelServer::start();
    for (words, remedy, calls) in [
        // What is kept is brought out of the small disk, to go on from it.
        (
            "mkdir data; mount -t tmpfs -o size=48k tmpfs data && \"$0\" run scripts/main.rhai; code=$?; \
             mkdir kept; cp -r data/. kept; umount data && mv kept/* data; exit $code",
            SPACE,
            1..=19,
        ),
        (
            "mkdir data; mount --bind data data && mount -o remount,ro,bind data && exec \"$0\" run scripts/main.rhai",
            ACCESS,
            0..=0,
        ),
    ] {
        let before = server.requests().len();
        let project = TestProject::live(&server, SCRIPT);
        let Some(ran) = with_mounts(&project, words) else { return };
        let asked = server.requests().len() - before;
        assert!(calls.contains(&asked), "{asked} calls, not {calls:?}\n{}", ran.err);
        let kept = project.ids("data/c.jsonl").len();
        assert!(kept < 20);
        ran.exits(4).says("data/").says(remedy);
        goes_on(&server, &project, kept);
    }
}
