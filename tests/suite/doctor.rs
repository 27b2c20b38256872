//! `fthost doctor`: damage is found before it costs anything, and mended without a loss.

use std::fs;
use std::time::{Duration, SystemTime};

use fault_server::{Answer, ModelServer};

use crate::process::three;
use crate::status::{PRICED, TALKS, killed};
use crate::support::{PIPELINE, TestProject, live_config, until};

const LEDGER: &str = ".fthost/ledger.sqlite";
const CHECKPOINT: &str = "data/talks.jsonl";

/// Eight conversations that are done, of 24 replies, long enough for many pages.
fn done(server: &ModelServer) -> TestProject {
    server.set_rule(|request| Answer::Text(format!("{} {}", request.logical().text(), "blah ".repeat(150))));
    let project = TestProject::of_config(TALKS, &live_config("openai-chat", &server.url(), PRICED));
    project.main("").exits(0);
    project.run("doctor").exits(0).prints("all is well\n");
    project
}

fn change(project: &TestProject, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = fs::read(project.path(path)).unwrap();
    change(&mut bytes);
    fs::write(project.path(path), &bytes).unwrap();
    bytes
}

/// Damages the ledger: no run goes on, the doctor finds it and changes nothing, and saves at least so many replies.
#[track_caller]
fn damaged(harm: impl FnOnce(&mut Vec<u8>), says: &str, saved: u64) -> (TestProject, ModelServer) {
    let server = ModelServer::start();
    let project = done(&server);
    let bytes = change(&project, LEDGER, harm);
    let asked = server.requests().len();
    project.main("--redo all").exits(2).says(".fthost/ledger.sqlite is damaged").says("fthost doctor");
    project.run_args(&["eval", "get_backend(\"assistant\").complete(\"Hi\")"]).exits(2).says("fthost doctor");
    assert_eq!(server.requests().len(), asked, "nothing was paid for");
    project.run("status").exits(2).says("fthost doctor");
    let before = project.files("");
    let ran = project.run("doctor").exits(1);
    assert!(ran.out.starts_with(".fthost/ledger.sqlite: damaged: ") && ran.out.contains(says), "{}", ran.out);
    assert!(project.files("") == before, "nothing changed");
    let ran = project.run("doctor --repair").exits(0);
    assert!(ran.out.contains("the damaged one is .fthost/ledger.sqlite.damaged-1"), "{}", ran.out);
    assert_eq!(fs::read(project.path(".fthost/ledger.sqlite.damaged-1")).unwrap(), bytes);
    let replies = project.ledger("SELECT count(*) AS n FROM replies")[0]["n"].as_u64().unwrap();
    let noun = if replies == 1 { "reply" } else { "replies" };
    assert!(ran.out.contains(&format!("; {replies} {noun} saved in a new one")), "{}", ran.out);
    assert!(replies >= saved, "{replies} replies were saved");
    project.run("doctor").exits(0).prints("all is well");
    assert!(project.files(".fthost").iter().all(|(path, _)| !path.ends_with(".tmp")), "copies are gone");
    project.main("--redo all").exits(0);
    assert_eq!((server.requests().len() - asked) as u64, 24 - replies, "only what was lost is asked again");
    (project, server)
}

/// The page of a ledger, 4096 bytes long.
fn page(bytes: &mut [u8], number: usize) -> &mut [u8] {
    &mut bytes[(number - 1) * 4096..number * 4096]
}

/// The numbers of the pages that hold rows of replies.
fn pages_of_replies(bytes: &[u8]) -> Vec<usize> {
    let is_leaf = |page: &[u8]| page[0] == 13 && page.windows(5).any(|words| words == b"blah ");
    (1..=bytes.len() / 4096).filter(|n| is_leaf(&bytes[(n - 1) * 4096..n * 4096])).collect()
}

#[test]
fn replies_whose_items_are_lost_are_told_as_money_spent() {
    let server = ModelServer::start();
    let project = done(&server);
    let root =
        project.ledger("SELECT rootpage FROM sqlite_schema WHERE name = 'items'")[0]["rootpage"].as_u64();
    change(&project, LEDGER, |bytes| page(bytes, root.unwrap() as usize)[0] ^= 0x40);
    let ran = project.run("doctor --repair").exits(0);
    let told =
        "24 replies saved in a new one (24 of them count as spent alone: their items could not be read";
    assert!(ran.out.contains(told), "{}", ran.out);
    let asked = server.requests().len();
    project.main("--redo all").exits(0);
    assert_eq!(server.requests().len() - asked, 24);
}

#[test]
fn a_flipped_byte_in_the_ledger_costs_a_page_at_the_most() {
    damaged(
        |bytes| {
            let pages = pages_of_replies(bytes);
            page(bytes, pages[pages.len() / 2])[3] ^= 0x5a;
        },
        "no run uses it",
        16,
    );
}

#[test]
fn a_page_of_zeros_is_gone_around() {
    damaged(
        |bytes| {
            let pages = pages_of_replies(bytes);
            page(bytes, pages[1]).fill(0);
        },
        "no run uses it",
        16,
    );
}

#[test]
fn a_ledger_without_its_head_is_read_all_the_same() {
    damaged(|bytes| bytes[..24].fill(b'x'), "file is not a database", 24);
}

#[test]
fn a_truncated_ledger_is_read_as_far_as_it_goes() {
    damaged(
        |bytes| {
            let pages = pages_of_replies(bytes);
            bytes.truncate((pages[pages.len() - 2] - 1) * 4096);
        },
        "malformed",
        8,
    );
}

#[test]
fn an_empty_ledger_and_one_that_is_none_are_damage() {
    damaged(Vec::clear, "it is empty", 0);
    damaged(|bytes| *bytes = b"what is this?\n".repeat(1000), "not a database", 0);
}

#[test]
fn rows_that_belong_to_nothing_are_found_and_stay_money() {
    let server = ModelServer::start();
    let project = done(&server);
    let ledger = rusqlite::Connection::open(project.path(LEDGER)).unwrap();
    ledger.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM items WHERE item = 'item_3';").unwrap();
    drop(ledger);
    project.run("doctor").exits(1).prints("3 of its replies belong to items that are not there");
    project.run("doctor --repair").exits(0).prints("24 replies saved");
    assert_eq!(project.ledger("SELECT calls FROM spent")[0]["calls"], 24);
    project.run("doctor").exits(0);
}

#[test]
fn ledgers_of_others_are_left_alone() {
    let server = ModelServer::start();
    let project = done(&server);
    let set = |name: &str, value: i64| {
        let ledger = rusqlite::Connection::open(project.path(LEDGER)).unwrap();
        ledger.pragma_update(None, name, value).unwrap();
    };
    set("user_version", 99);
    let before = fs::read(project.path(LEDGER)).unwrap();
    project
        .run("doctor --repair")
        .exits(1)
        .prints("written by a newer fthost")
        .prints("install the newer fthost");
    assert_eq!(fs::read(project.path(LEDGER)).unwrap(), before);
    set("user_version", 1);
    set("application_id", 7);
    project
        .run("doctor --repair")
        .exits(1)
        .prints("is a database, but no ledger of fthost")
        .prints("move it away");
    project.main("").exits(2).says("no ledger of fthost");
}

#[test]
fn outcomes_that_nobody_knows_are_told() {
    let server = ModelServer::start();
    let project = done(&server);
    let ledger = rusqlite::Connection::open(project.path(LEDGER)).unwrap();
    ledger.execute_batch("UPDATE replies SET outcome = 'bliss' WHERE id < 3").unwrap();
    drop(ledger);
    project.run("doctor --repair").exits(1).prints("2 replies of an outcome that nobody knows: `bliss`");
}

#[test]
fn a_repair_that_was_cut_short_goes_on() {
    let server = ModelServer::start();
    let project = done(&server);
    fs::rename(project.path(LEDGER), project.path(".fthost/ledger.sqlite.damaged-1")).unwrap();
    let asked = server.requests().len();
    project.main("--redo all").exits(2).says("it was moved away to be mended, and is not back");
    project.run("doctor").exits(1).prints("--repair");
    project.run("doctor --repair").exits(0).prints("24 replies saved");
    project.main("--redo all").exits(0);
    assert_eq!(server.requests().len(), asked);
    assert!(!project.exists(".fthost/ledger.sqlite.damaged-2"));
}

#[test]
fn a_journal_alone_is_no_new_beginning() {
    let server = ModelServer::start();
    let project = killed(&server);
    fs::remove_file(project.path(LEDGER)).unwrap();
    let asked = server.requests().len();
    project.main("").exits(2).says("only its journal is there");
    assert_eq!(server.requests().len(), asked);
    project.run("doctor --repair").exits(0).prints("0 replies saved");
    assert!(project.exists(".fthost/ledger.sqlite.damaged-1-wal"));
    project.main("").exits(0);
}

#[test]
fn all_damaged_lines_are_named_and_moved_aside() {
    let server = ModelServer::start();
    let project = done(&server);
    let mut lines: Vec<String> = project.read(CHECKPOINT).lines().map(str::to_string).collect();
    lines[1].truncate(20);
    lines[4] = "{\"no\": \"id\"}".into();
    let torn = lines[7].split_off(30);
    let text = lines.join("\n");
    project.write(CHECKPOINT, &text);
    let before = project.files("");
    let ran = project.run("doctor").exits(1);
    let says =
        "data/talks.jsonl: 2 lines damaged (line 2: it is cut off; line 5: it has no `id` that is a string)";
    assert!(ran.out.contains(says) && ran.out.contains("ends in 30 bytes of a torn line"), "{}", ran.out);
    assert!(ran.out.ends_with("2 findings\n"), "{}", ran.out);
    assert!(project.files("") == before, "nothing changed");
    let ran = project.run("doctor --repair").exits(0);
    assert!(
        ran.out.contains("2 lines moved to data/talks.jsonl.damaged") && ran.out.contains("talks.jsonl.torn"),
        "{}",
        ran.out
    );
    assert_eq!(project.read("data/talks.jsonl.damaged"), format!("{}\n{}\n", lines[1], lines[4]));
    assert_eq!(project.lines(CHECKPOINT).len(), 5);
    project.run("doctor").exits(0);
    let asked = server.requests().len();
    project.main("").exits(0);
    assert_eq!(project.ids(CHECKPOINT).len(), 8, "{torn}");
    assert_eq!(server.requests().len(), asked, "their replies were kept");
}

#[test]
fn a_damaged_failed_file_loses_only_its_damage() {
    let project = TestProject::of(&three("if item.id != \"a\" { throw \"odd\" }\n #{}"));
    project.main("").exits(1);
    let failed = project.read("data/c.failed.jsonl");
    let over = failed.lines().next().unwrap().replace("\"id\":\"b\"", "\"id\":\"a\"");
    project
        .write("data/c.failed.jsonl", &format!("{over}\n{{\"id\": \"b\", \"attempts\": \"x\"}}\n{failed}"));
    project.main("").exits(2).says("fthost doctor --repair");
    let ran = project.run("doctor").exits(1);
    assert!(ran.out.contains("data/c.failed.jsonl: 1 line damaged (line 2: no failed item"), "{}", ran.out);
    let ran = project.run("doctor --repair").exits(0);
    assert!(ran.out.contains("1 item taken off, complete by now (a)"), "{}", ran.out);
    assert_eq!(project.ids("data/c.failed.jsonl"), ["b", "c"]);
    assert_eq!(project.read("data/c.failed.jsonl.damaged"), "{\"id\": \"b\", \"attempts\": \"x\"}\n");
}

#[test]
fn items_to_be_redone_stay_listed() {
    let project = TestProject::of(&three(
        "if item.id == \"b\" && \"storm.txt\" in list_files(\"*.txt\") { throw \"it broke\" }\n #{ok: true}",
    ));
    project.main("").exits(0);
    project.write("storm.txt", "");
    project.main("--redo b").exits(1);
    project.run("doctor --repair").exits(0).prints("all is well\n");
    assert_eq!(project.ids("data/c.failed.jsonl"), ["b"]);
}

#[test]
fn leftovers_of_cut_writes_are_removed_and_nothing_else() {
    let project = TestProject::of(&three("#{}"));
    project.main("").exits(0);
    let old = SystemTime::now() - Duration::from_secs(3600);
    let age = |path: &str| fs::File::open(project.path(path)).unwrap().set_modified(old).unwrap();
    for path in ["data/.x.json.0123456789abcdef.tmp", "data/.mine.tmp", "data/.y.json.0123456789abcdee.tmp"] {
        project.write(path, "half");
    }
    age("data/.x.json.0123456789abcdef.tmp");
    age("data/.mine.tmp");
    project.run("doctor").exits(1).prints("data/.x.json.0123456789abcdef.tmp: a write that was cut short");
    project.run("doctor --repair").exits(0).prints("mended: data/.x.json.0123456789abcdef.tmp: removed");
    assert!(!project.exists("data/.x.json.0123456789abcdef.tmp"));
    assert!(project.exists("data/.mine.tmp"), "not of this program");
    assert!(project.exists("data/.y.json.0123456789abcdee.tmp"), "it may be in the middle of its write");
}

#[test]
fn transcripts_verdicts_and_training_files_are_held_against_each_other() {
    let project = TestProject::shipped();
    project.run(PIPELINE).exits(0);
    project.run("doctor").exits(0).prints("all is well\n");
    let ids = project.ids("data/raw/generation_checkpoint.jsonl");
    let path = |id: &str| format!("data/raw/transcripts/{id}.json");
    fs::remove_file(project.path(&path(&ids[0]))).unwrap();
    project.write(&path(&ids[1]), "{\"id\": \"x\", ");
    project.edit(&path(&ids[2]), "\"exchanges\"", "\"new\": 1, \"exchanges\"");
    project.write("data/processed/manifest.jsonl", "");
    project.edit("data/processed/training_data.jsonl", "{\"messages\"", "messages");
    let ran = project.run("doctor").exits(1);
    for says in [
        format!("1 record complete, whose transcripts are missing ({})", ids[0]),
        format!("--redo {}", ids[0]),
        format!("{}:1:12: the file ends in the middle of the transcript", path(&ids[1])),
        format!("1 verdict on transcripts that are missing ({})", ids[0]),
        format!("2 verdicts on transcripts that have changed since ({}, {})", ids[1], ids[2]),
        "data/processed/training_data.jsonl: 1 line no JSON (line 1)".into(),
        "data/processed/manifest.jsonl: it names 0 lines of training_data.jsonl".into(),
        "fthost run scripts/slice.rhai".into(),
    ] {
        assert!(ran.out.contains(&says), "no {says:?} in\n{}", ran.out);
    }
    project.run("doctor --repair").exits(1).prints("6 findings");
    project.run(&format!("run scripts/generate.rhai --redo {},{}", ids[0], ids[1])).exits(0);
    project.run("run scripts/assess.rhai scripts/slice.rhai --redo stale").exits(0);
    project.run("doctor").exits(0).prints("all is well\n");
}

#[test]
fn what_is_in_order_is_only_noted() {
    let server = ModelServer::start();
    let project = done(&server);
    let ledger = rusqlite::Connection::open(project.path(LEDGER)).unwrap();
    ledger.execute_batch("UPDATE items SET state = 'begun' WHERE item = 'item_3'").unwrap();
    drop(ledger);
    let ran = project.run("doctor").exits(0);
    assert!(
        ran.out.contains("note: data/talks.jsonl: 1 item complete here, and not yet in the ledger"),
        "{}",
        ran.out
    );
    project.run("doctor --repair").exits(0);
    assert_eq!(project.ledger("SELECT state FROM items WHERE item = 'item_3'")[0]["state"], "complete");
    fs::remove_file(project.path(CHECKPOINT)).unwrap();
    project.write("config/fthost.yaml", "}: it needs no configuration");
    project
        .run("doctor")
        .exits(0)
        .prints("note: data/talks.jsonl is gone; the ledger has 24 replies of 8 items");
}

#[test]
fn a_ledger_in_use_is_not_moved_away() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, "get_backend(\"assistant\").complete(\"x\");");
    project.run("run scripts/main.rhai").exits(0);
    server.set_rule(|_| Answer::Hang);
    let run = project.start("run scripts/main.rhai");
    until("the second call", || server.requests().len() == 2);
    // No checkpoint is locked: the run is known by its ledger alone.
    let damaged = rusqlite::Connection::open(project.path(LEDGER)).unwrap();
    damaged.execute_batch("PRAGMA foreign_keys = OFF; UPDATE replies SET item = 77").unwrap();
    drop(damaged);
    project.run("doctor --repair").exits(75).says("another command uses .fthost/ledger.sqlite");
    run.signal("KILL");
    run.wait();
    project.run("doctor --repair").exits(0).prints("1 reply saved");
}

#[test]
fn nothing_is_mended_while_a_run_works() {
    let server = ModelServer::start();
    let project = done(&server);
    server.set_rule(|_| Answer::Hang);
    let asked = server.requests().len();
    let run = project.start("run scripts/main.rhai --redo all --fresh");
    until("a call", || server.requests().len() > asked);
    project.run("doctor").exits(0).prints("note: a run works on data/talks.jsonl (process ");
    project.run("doctor --repair").exits(75).says(&format!("process {}", run.pid()));
    run.signal("KILL");
    run.wait();
    project.run("doctor --repair").exits(0);
}
