//! Files of records, cut at every byte of their last three: what is whole is kept, what is torn is put aside, and
//! exactly the rest is done again.

use std::fs;

use fthost::base::{Error, Kind};
use fthost::store::failed::{FailedFile, FailedItem};
use fthost::store::{Checkpoint, Mode, Project};
use serde_json::Value;

use crate::process::three;
use crate::support::{TestProject, long};

const CKPT: &str = "data/c.jsonl";
const FAILED: &str = "data/c.failed.jsonl";

/// Where each line ends, its break included.
fn ends(text: &[u8]) -> Vec<usize> {
    (0..text.len()).filter(|i| text[*i] == b'\n').map(|i| i + 1).collect()
}

/// A cut, and what of the text must be found after it: whole lines (one may lack its break), and torn bytes.
struct Cut<'a> {
    at: usize,
    lines: usize,
    torn: &'a [u8],
}

/// Every byte of the last three lines, or each `step`-th.
fn cuts(text: &[u8], step: usize) -> impl Iterator<Item = Cut<'_>> {
    let ends = ends(text);
    let first = ends[ends.len() - 4];
    (first..=text.len()).step_by(step).map(move |at| {
        let lines = ends.iter().filter(|end| at >= **end - 1).count();
        Cut { at, lines, torn: text[..at].get(ends[lines - 1]..).unwrap_or_default() }
    })
}

/// What is kept aside, without the break that ends it.
fn torn(project: &TestProject, path: &str) -> Vec<u8> {
    let kept = fs::read(project.path(&format!("{path}.torn"))).unwrap_or_default();
    kept.strip_suffix(b"\n").map(<[u8]>::to_vec).unwrap_or(kept)
}

/// The real binary, on a real run's file.
#[test]
fn a_run_does_exactly_what_a_torn_checkpoint_lacks() {
    let script = three("print(`does ${item.id}`); #{text: \"ü {} \\\" \\n\"}");
    let ids = ["a", "b", "c", "d", "e"];
    let script = script.replace("#{id: \"c\"}]", "#{id: \"c\"}, #{id: \"d\"}, #{id: \"e\"}]");
    let project = TestProject::of(&script);
    project.main("--concurrency 1").exits(0);
    let text = fs::read(project.path(CKPT)).unwrap();
    for cut in cuts(&text, if long() { 1 } else { 23 }) {
        let _ = fs::remove_file(project.path(&format!("{CKPT}.torn")));
        fs::write(project.path(CKPT), &text[..cut.at]).unwrap();
        let ran = project.main("--concurrency 1").exits(0);
        let expected: Vec<String> = ids[cut.lines..].iter().map(|id| format!("does {id}")).collect();
        assert_eq!(ran.out.lines().filter(|line| line.starts_with("does")).collect::<Vec<_>>(), expected);
        assert_eq!(fs::read(project.path(CKPT)).unwrap(), text, "cut at {}", cut.at);
        assert_eq!(torn(&project, CKPT), cut.torn, "cut at {}", cut.at);
        assert_eq!(ran.err.contains("torn"), !cut.torn.is_empty(), "{}", ran.err);
    }
}

/// The library, on records as scripts make them.
#[test]
fn a_checkpoint_is_mended_wherever_it_is_cut() {
    let project = TestProject::of("");
    let opened = Project::open(project.root()).unwrap();
    let long_text = "long ".repeat(60);
    for (n, text) in ["", "ü \" \\ \n {}", "[1]\u{2028}", &long_text, "}"].iter().enumerate() {
        let record = serde_json::json!({"id": format!("i{n}"), "text": text, "more": {"id": "inner"}});
        let Value::Object(record) = record else { unreachable!() };
        Checkpoint::open(&opened, CKPT, Mode::Run).unwrap().checkpoint.append(&record).unwrap();
    }
    let text = fs::read(project.path(CKPT)).unwrap();
    for cut in cuts(&text, 1) {
        let _ = fs::remove_file(project.path(&format!("{CKPT}.torn")));
        fs::write(project.path(CKPT), &text[..cut.at]).unwrap();
        let found = Checkpoint::open(&opened, CKPT, Mode::Run).unwrap().checkpoint;
        assert_eq!(found.ids(), ["i0", "i1", "i2", "i3", "i4"][..cut.lines], "cut at {}", cut.at);
        for id in found.ids() {
            assert_eq!(found.record(&id).unwrap().unwrap()["id"], *id, "cut at {}", cut.at);
        }
        assert_eq!(torn(&project, CKPT), cut.torn, "cut at {}", cut.at);
        assert_eq!(fs::read(project.path(CKPT)).unwrap(), text[..ends(&text)[cut.lines - 1]]);
    }
}

/// The failed file: as it is rewritten at the end, whether anything fails or not.
#[test]
fn a_failed_file_is_mended_wherever_it_is_cut() {
    let project = TestProject::of("");
    let opened = Project::open(project.root()).unwrap();
    let error = Error::new(Kind::Refusal, "no \"way\"\n").hint("ask ü").raw("I cannot {}");
    let failed = FailedFile::open(&opened, CKPT).unwrap();
    for id in ["a", "b", "c", "d", "e"] {
        failed.append(&opened, FailedItem::new(id, &error, 1)).unwrap();
    }
    let text = fs::read(project.path(FAILED)).unwrap();
    for cut in cuts(&text, 1) {
        for one_more in [false, true] {
            let _ = fs::remove_file(project.path(&format!("{FAILED}.torn")));
            fs::write(project.path(FAILED), &text[..cut.at]).unwrap();
            let failed = FailedFile::open(&opened, CKPT).unwrap();
            let mut ids: Vec<&str> = ["a", "b", "c", "d", "e"][..cut.lines].into();
            assert_eq!(failed.items().iter().map(|item| &item.id).collect::<Vec<_>>(), ids);
            if one_more {
                failed.append(&opened, FailedItem::new("new", &error, 1)).unwrap();
                ids.push("new");
            }
            failed.settle(&opened, |_| true).unwrap();
            assert_eq!(project.ids(FAILED), ids, "cut at {}, {one_more}", cut.at);
            assert_eq!(torn(&project, FAILED), cut.torn, "cut at {}, {one_more}", cut.at);
        }
    }
}

#[test]
fn a_run_does_again_what_a_torn_failed_file_lacks() {
    let project = TestProject::of(&three("if setting(\"calm\", false) { #{} } else { throw \"it broke\" }"));
    project.main("").exits(1);
    let text = project.read(FAILED);
    project.write(FAILED, &text[..text.len() - 9]);
    project.main("").exits(1);
    let attempts: Vec<Value> =
        project.lines(FAILED).into_iter().map(|line| line["attempts"].clone()).collect();
    assert_eq!(attempts.iter().filter(|n| **n == 2).count(), 2, "{attempts:?}");
    assert!(attempts.contains(&1.into()) && !torn(&project, FAILED).is_empty());
    project.main("-s calm=true").exits(0);
    assert_eq!(project.ids(CKPT), ["a", "b", "c"]);
    assert!(!project.exists(FAILED));
}
