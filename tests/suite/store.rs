//! The files layer from outside: what is torn is mended, what is damaged is named, and no path leaves.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use fthost::base::{Error, Kind};
use fthost::store::failed::{FailedFile, FailedItem};
use fthost::store::{Checkpoint, Mode, Opened, Project, Version};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const CKPT: &str = "data/raw/c.jsonl";

fn project() -> (TempDir, Project) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("config/fthost.yaml", "{}"),
        ("config/rubric.yaml", "a: 1"),
        ("scripts/a.rhai", "let x = 1;"),
        (".env", "KEY=secret"),
        (".git/config", "secret"),
        (".fthost/history", "secret"),
        ("data/raw/old.json", "old"),
    ] {
        put(dir.path(), path, text.as_bytes());
    }
    let project = Project::open(dir.path()).unwrap();
    (dir, project)
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn kind<T>(result: Result<T, Error>) -> Kind {
    result.err().map_or_else(|| panic!("should have failed"), |error| error.kind())
}

fn run(project: &Project) -> Opened {
    Checkpoint::open(project, CKPT, Mode::Run).unwrap()
}

fn record(id: &str, more: Value) -> Map<String, Value> {
    let mut record = Map::new();
    record.insert("id".into(), id.into());
    record.insert("x".into(), more);
    record
}

#[test]
fn a_project_is_found_from_below() {
    let (dir, _) = project();
    assert_eq!(Project::find(&dir.path().join("data/raw")).unwrap(), dir.path());
    assert_eq!(Project::find(&dir.path().join("nowhere/at/all")).unwrap(), dir.path());
    assert_eq!(Project::find(Path::new("/")), None);
    assert_eq!(kind(Project::open(&dir.path().join("nowhere"))), Kind::NotFound);
}

#[test]
fn no_read_escapes() {
    let (dir, project) = project();
    let outside = tempfile::tempdir().unwrap();
    put(outside.path(), "secret", b"secret");
    let data = dir.path().join("data");
    symlink("../.env", data.join("to_env")).unwrap();
    symlink("..", data.join("up")).unwrap();
    symlink("../.git", data.join("repo")).unwrap();
    symlink(outside.path(), data.join("out")).unwrap();
    symlink(outside.path().join("secret"), data.join("secret")).unwrap();
    symlink("../config/rubric.yaml", data.join("inside")).unwrap();
    let absolute = dir.path().join("config/rubric.yaml");
    for path in [
        ".env",
        ".ENV",
        "./.env",
        ".env.local",
        "data/../.env",
        "data/to_env",
        "data/up/.env",
        "data/repo/config",
        ".git/config",
        ".Git/config",
        ".fthost/history",
        ".fthost",
        "data/out/secret",
        "data/secret",
        "..",
        "../x",
        "data/../../x",
        "data/out/../x",
        "/etc/passwd",
        absolute.to_str().unwrap(),
    ] {
        assert_eq!(kind(project.read_text(path)), Kind::Denied, "read {path}");
        assert_eq!(kind(project.exists(path)), Kind::Denied, "exists {path}");
        assert_eq!(kind(project.script_text(path)), Kind::Denied, "import {path}");
        assert_eq!(kind(project.write_whole(path, b"x")), Kind::Denied, "write {path}");
    }
    assert_eq!(project.read_text("data/inside").unwrap(), "a: 1");
    assert_eq!(project.read_text("data/up/config/rubric.yaml").unwrap(), "a: 1");
    assert_eq!(project.read_text("data/../config/rubric.yaml").unwrap(), "a: 1");
    assert_eq!(project.script_text("scripts/a.rhai").unwrap(), "let x = 1;");
    assert_eq!(kind(project.script_text("config/rubric.yaml")), Kind::Denied);
    assert_eq!(project.read_private(".env").unwrap().unwrap(), "KEY=secret");
    assert_eq!(project.read_private(".env2").unwrap(), None);
    let all = project.list("**").unwrap();
    assert!(all.contains(&"data/inside".to_string()) && all.contains(&"scripts/a.rhai".to_string()));
    for hidden in ["env", "secret", "git", "fthost/", "up/", "out/"] {
        assert!(!all.iter().any(|path| path.contains(hidden)), "{hidden} in {all:?}");
    }
    assert_eq!(project.list("data/up/*").map_err(|e| e.kind()), Ok(vec![]));
    assert_eq!(kind(project.list("data/out/*")), Kind::Denied);
    assert_eq!(kind(project.list("/etc/*")), Kind::Denied);
    assert_eq!(kind(project.list("../*")), Kind::Denied);
}

#[test]
fn no_write_escapes() {
    let (dir, project) = project();
    let data = dir.path().join("data");
    symlink("../.envrc", data.join("new_env")).unwrap();
    symlink("../config", data.join("conf")).unwrap();
    symlink("../config/rubric.yaml", data.join("rubric")).unwrap();
    symlink("/tmp", data.join("tmp")).unwrap();
    for path in [
        "config/new.yaml",
        "new.txt",
        "data",
        "data/..",
        "data/../new",
        "data/new_env",
        "data/conf/x",
        "data/rubric",
        "data/tmp/x",
        "data/.env",
        "data/sub/.git/x",
        "data/nope/../x",
        "scripts/b.rhai",
    ] {
        assert_eq!(kind(project.write_whole(path, b"x")), Kind::Denied, "write {path}");
        assert_eq!(kind(Checkpoint::open(&project, path, Mode::Run)), Kind::Denied, "append {path}");
    }
    for path in ["data/raw", "data/new/"] {
        assert_eq!(kind(project.write_whole(path, b"x")), Kind::Argument, "write {path}");
    }
    assert!(!dir.path().join(".envrc").exists() && !data.join("sub").exists());
    assert_eq!(project.read_text("config/rubric.yaml").unwrap(), "a: 1");
}

#[test]
fn faults_of_reading_say_what_to_do() {
    let (dir, project) = project();
    let error = project.read_text("config/rubrik.yaml").unwrap_err();
    assert_eq!(
        (error.kind(), error.get_hint()),
        (Kind::NotFound, Some("did you mean `config/rubric.yaml`?"))
    );
    let error = project.read_text("confg/rubric.yaml").unwrap_err();
    assert_eq!(error.get_hint(), Some("did you mean `config`?"));
    put(dir.path(), "data/latin.txt", b"caf\xe9");
    let error = project.read_text("data/latin.txt").unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.message().contains("offset 3"), "{error}");
    assert_eq!(kind(project.read_text("data")), Kind::Argument);
    assert!(!project.exists("data/x").unwrap() && project.exists("data/raw").unwrap());
    assert_eq!(kind(project.list("data/[")), Kind::Argument);
}

#[test]
fn lists_are_sorted_and_pass_over_leftovers() {
    let (dir, project) = project();
    for name in ["b.json", "a.json", "deep/c.json", ".a.json.00112233445566ff.tmp", ".own.tmp", "x.txt"] {
        put(dir.path(), &format!("data/raw/{name}"), b"");
    }
    assert_eq!(
        project.list("data/raw/*.json").unwrap(),
        ["data/raw/a.json", "data/raw/b.json", "data/raw/old.json"]
    );
    assert_eq!(project.list("./scripts/*").unwrap(), ["scripts/a.rhai"]);
    assert_eq!(project.list("data/**/c.json").unwrap(), ["data/raw/deep/c.json"]);
    let aside = |path: &String| path.ends_with(".tmp") && !path.ends_with("/.own.tmp");
    assert!(!project.list("data/**").unwrap().iter().any(aside));
    assert!(project.list("data/none/*.json").unwrap().is_empty());
}

#[test]
fn a_whole_write_replaces_or_leaves_the_old_file() {
    let (dir, project) = project();
    project.write_whole("data/new/deep/x.json", b"1").unwrap();
    project.write_whole("data/new/deep/x.json", b"2").unwrap();
    assert_eq!(project.read_text("data/new/deep/x.json").unwrap(), "2");
    let error = project.write_whole("data/raw/old.json/x.json", b"new").unwrap_err();
    assert_eq!(error.kind(), Kind::Disk);
    assert!(error.message().contains("data/raw/old.json") && error.get_hint().is_some());
    assert_eq!(project.read_text("data/raw/old.json").unwrap(), "old");
    let names: Vec<_> = fs::read_dir(dir.path().join("data/new/deep")).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left aside");
}

/// A file-size limit makes writes fail for root, too; it binds a child, never the test itself.
#[test]
fn a_failed_write_leaves_the_old_file_and_no_rest() {
    let (dir, _) = project();
    if std::env::var_os("STORE_CHILD").is_none() {
        let test = std::env::current_exe().unwrap();
        let name = "store::a_failed_write_leaves_the_old_file_and_no_rest";
        let script =
            format!("trap '' XFSZ; ulimit -f 1; exec '{}' --exact {name} --nocapture", test.display());
        let output = Command::new("sh").args(["-c", &script]).env("STORE_CHILD", "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let project = Project::open(dir.path()).unwrap();
    let error = project.write_whole("data/raw/old.json", &[b'x'; 9000]).unwrap_err();
    assert_eq!(error.kind(), Kind::Disk);
    assert_eq!(project.read_text("data/raw/old.json").unwrap(), "old");
    assert_eq!(fs::read_dir(dir.path().join("data/raw")).unwrap().count(), 1);
    let checkpoint = run(&project).checkpoint;
    checkpoint.append(&record("a", json!(1))).unwrap();
    assert_eq!(kind(checkpoint.append(&record("b", json!("x".repeat(9000))))), Kind::Disk);
    assert_eq!(kind(checkpoint.append(&record("c", json!(1)))), Kind::Disk);
    assert_eq!(checkpoint.ids(), ["a"]);
    assert_eq!(fs::read_to_string(dir.path().join(CKPT)).unwrap(), "{\"id\":\"a\",\"x\":1}\n");
}

#[test]
fn a_checkpoint_keeps_the_last_record_of_an_id() {
    let (dir, project) = project();
    let lines = "{\"id\":\"b\",\"n\":1}\n\n{\"id\":\"a\",\"_version\":\"00000001-00000002-00000003-0\"}\r\n{\"complete\":false,\"id\":\"b\",\"n\":2}\n";
    put(dir.path(), CKPT, lines.as_bytes());
    let opened = Checkpoint::open(&project, CKPT, Mode::Read).unwrap();
    let checkpoint = opened.checkpoint;
    assert_eq!((checkpoint.len(), checkpoint.ids()), (2, vec!["b".to_string(), "a".into()]));
    assert!(
        checkpoint.contains_complete("a")
            && !checkpoint.contains_complete("b")
            && !checkpoint.contains_complete("c")
    );
    assert_eq!(checkpoint.entry("a").unwrap().version, Some(Version([1, 2, 3, 0])));
    assert_eq!(checkpoint.record("b").unwrap(), Some(json!({"complete": false, "id": "b", "n": 2})));
    assert_eq!(checkpoint.record("c").unwrap(), None);
    assert_eq!(kind(checkpoint.append(&record("z", json!(1)))), Kind::Internal);
    let checkpoint = run(&project).checkpoint;
    checkpoint.append(&record("b", json!("ü"))).unwrap();
    checkpoint.append(&record("c", json!(3))).unwrap();
    assert_eq!(kind(checkpoint.append(&Map::new())), Kind::Argument);
    let mut seen = Vec::new();
    checkpoint
        .for_each_record(|id, value| {
            seen.push((id.to_string(), value));
            Ok(())
        })
        .unwrap();
    assert_eq!(seen[0], ("b".into(), json!({"id": "b", "x": "ü"})));
    assert_eq!(seen.iter().map(|(id, _)| &id[..]).collect::<Vec<_>>(), ["b", "a", "c"]);
}

#[test]
fn a_missing_checkpoint_is_empty_and_reading_makes_nothing() {
    let (dir, project) = project();
    assert!(Checkpoint::open(&project, "data/none/c.jsonl", Mode::Read).unwrap().checkpoint.is_empty());
    assert!(!dir.path().join("data/none").exists());
    assert!(run(&project).checkpoint.is_empty());
}

#[test]
fn torn_anywhere_in_the_last_three_records_nothing_whole_is_lost() {
    let (dir, project) = project();
    let lines: Vec<String> =
        (0..5).map(|n| format!("{{\"id\":\"i{n}\",\"text\":\"ü {n} {{}}\"}}\n")).collect();
    let text = lines.concat().into_bytes();
    let start = lines[..2].concat().len();
    for cut in start..=text.len() {
        let torn_path = dir.path().join(format!("{CKPT}.torn"));
        let _ = fs::remove_file(&torn_path);
        put(dir.path(), CKPT, &text[..cut]);
        let ends: Vec<usize> = (1..=5).map(|n| lines[..n].concat().len()).collect();
        let whole = ends.iter().filter(|end| cut >= **end - 1).count();
        let kept = if whole == 0 { 0 } else { ends[whole - 1] };
        let read = Checkpoint::open(&project, CKPT, Mode::Read).unwrap();
        assert_eq!((read.checkpoint.len(), read.warnings.len()), (whole, 0), "read, cut at {cut}");
        assert_eq!(fs::read(dir.path().join(CKPT)).unwrap(), &text[..cut], "reading changes nothing");
        let opened = run(&project);
        assert_eq!(opened.checkpoint.len(), whole, "cut at {cut}");
        assert_eq!(opened.warnings.len(), usize::from(!ends.contains(&cut)), "cut at {cut}");
        opened.checkpoint.append(&record("next", json!(1))).unwrap();
        assert_eq!(opened.checkpoint.record("next").unwrap().unwrap()["x"], 1);
        let after = [&text[..kept], b"{\"id\":\"next\",\"x\":1}\n"].concat();
        assert_eq!(fs::read(dir.path().join(CKPT)).unwrap(), after, "cut at {cut}");
        let torn = fs::read(&torn_path).unwrap_or_default();
        let expected = if cut > kept { [&text[kept..cut], b"\n"].concat() } else { vec![] };
        assert_eq!(torn, expected, "cut at {cut}");
    }
}

#[test]
fn damage_inside_is_named_and_nothing_is_changed() {
    let (dir, project) = project();
    let good = "{\"id\":\"a\",\"t\":\"x\"}\n";
    for (bad, says) in [
        (&b"{\"id\":\"b\",\"t\":\"x\n"[..], "cut off"),
        (b"{\"id\":\"b\",\"t\":\"x\"}{\"id\":\"c\"}\n", "merged"),
        (b"{\"id\":\"b\",\"t\":\"\0\0\"}\n", "NUL"),
        (b"\0\0\0\0\n", "NUL"),
        (b"{\"id\":\"b\",\"t\":\"\xff\"}\n", "UTF-8"),
        (b"{\"id\":\"b\"-\"t\":\"x\"}\n", "column 10"),
        (b"[1]\n", "not a JSON object"),
        (b"{\"id\":5}\n", "`id`"),
        (b"{\"t\":5}\n", "`id`"),
        (b"{\"id\":\"b\",\"t\":\"a{\"id\":\"c\"}\n", "JSON"),
    ] {
        let text = [good.as_bytes(), bad, good.as_bytes(), b"{\"id\":\"to"].concat();
        put(dir.path(), CKPT, &text);
        for mode in [Mode::Run, Mode::Read] {
            let error = Checkpoint::open(&project, CKPT, mode).err().unwrap();
            assert_eq!(error.kind(), Kind::Data);
            assert_eq!(error.place().unwrap().to_string(), "data/raw/c.jsonl:2");
            assert!(error.message().contains(says), "{error} should say {says}");
            assert!(error.get_hint().is_some());
            assert_eq!(fs::read(dir.path().join(CKPT)).unwrap(), text);
        }
    }
    put(dir.path(), CKPT, b"{\"id\":\"a\"}\n{\"no_id\":1}");
    assert_eq!(kind(Checkpoint::open(&project, CKPT, Mode::Run)), Kind::Data);
}

#[test]
fn sixty_four_threads_append_whole_lines_once() {
    let (dir, project) = project();
    let checkpoint = run(&project).checkpoint;
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let checkpoint = &checkpoint;
            scope.spawn(move || {
                for n in 0..10 {
                    let text = format!("{thread} {n} ").repeat(thread * 7);
                    checkpoint.append(&record(&format!("{thread}-{n}"), json!(text))).unwrap();
                }
            });
        }
    });
    assert_eq!(checkpoint.len(), 640);
    let text = fs::read_to_string(dir.path().join(CKPT)).unwrap();
    let ids: std::collections::HashSet<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_string())
        .collect();
    assert_eq!((text.lines().count(), ids.len()), (640, 640));
    for id in checkpoint.ids() {
        assert_eq!(checkpoint.record(&id).unwrap().unwrap()["id"], id);
    }
}

#[test]
fn one_run_holds_a_checkpoint() {
    let (dir, first) = project();
    let opened = run(&first);
    assert!(Arc::ptr_eq(&opened.checkpoint, &run(&first).checkpoint), "a run shares its checkpoint");
    let second = Project::open(dir.path()).unwrap();
    let error = Checkpoint::open(&second, CKPT, Mode::Run).err().unwrap();
    assert_eq!(error.kind(), Kind::Locked);
    let who = format!("another run holds data/raw/c.jsonl: process {} on ", std::process::id());
    assert!(error.message().starts_with(&who) && error.message().contains(", since 20"), "{error}");
    assert!(Checkpoint::open(&second, CKPT, Mode::Read).is_ok());
    drop(opened);
    assert!(Checkpoint::open(&second, CKPT, Mode::Run).is_ok());
}

#[test]
fn a_dead_holder_gives_way() {
    let (dir, project) = project();
    let lock = dir.path().join(format!("{CKPT}.lock"));
    put(dir.path(), &format!("{CKPT}.lock"), b"{\"pid\":1,\"host\":\"h\",\"since\":\"long ago\"}");
    let script = "exec 9<>\"$1\"; flock -n 9 && echo held && exec sleep 60";
    let mut child =
        Command::new("bash").args(["-c", script, "x"]).arg(&lock).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0; 5]).unwrap();
    let error = Checkpoint::open(&project, CKPT, Mode::Run).err().unwrap();
    assert!(error.message().contains("process 1 on h, since long ago"), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    let opened = run(&project);
    assert!(fs::read_to_string(&lock).unwrap().contains(&format!("\"pid\":{}", std::process::id())));
    drop(opened);
    assert_eq!(fs::read_to_string(&lock).unwrap(), "");
}

#[test]
fn whole_writes_refuse_a_checkpoint() {
    let (dir, project) = project();
    let opened = run(&project);
    for path in [
        CKPT,
        "data/raw/c.jsonl.lock",
        "data/raw/c.jsonl.torn",
        "data/raw/../raw/c.jsonl",
        "data/raw/c.failed.jsonl",
    ] {
        assert_eq!(kind(project.write_whole(path, b"")), Kind::Denied, "{path}");
    }
    drop(opened);
    // One that came from elsewhere has no lock: its name says what it is.
    project.write_whole("data/raw/my_checkpoint.jsonl", b"{\"id\":\"a\"}\n").unwrap();
    assert_eq!(kind(project.write_whole("data/raw/my_checkpoint.jsonl", b"")), Kind::Denied);
    let later = Project::open(dir.path()).unwrap();
    assert_eq!(kind(later.write_whole(CKPT, b"")), Kind::Denied);
    later.write_whole("data/raw/other.jsonl", b"").unwrap();
}

#[test]
fn failures_are_kept_until_they_succeed() {
    let (dir, project) = project();
    let path = dir.path().join("data/raw/c.failed.jsonl");
    let failed = FailedFile::open(&project, CKPT).unwrap();
    let error = Error::new(Kind::Refusal, "no").hint("ask again").raw("I cannot");
    for id in ["a", "b"] {
        failed.append(&project, FailedItem::new(id, &error, failed.attempts(id) + 1)).unwrap();
    }
    fs::write(&path, [&fs::read(&path).unwrap()[..], b"{\"id\":\"to"].concat()).unwrap();
    let failed = FailedFile::open(&project, CKPT).unwrap();
    assert_eq!((failed.attempts("a"), failed.attempts("c")), (1, 0));
    failed.append(&project, FailedItem::new("a", &error, failed.attempts("a") + 1)).unwrap();
    assert_eq!(FailedFile::open(&project, CKPT).unwrap().attempts("a"), 2, "the torn line swallowed nothing");
    failed.settle(&project, |id| id == "a").unwrap();
    let failed = FailedFile::open(&project, CKPT).unwrap();
    let items = failed.items();
    assert_eq!((items.len(), items[0].attempts, items[0].kind.as_str()), (1, 2, "refusal"));
    assert_eq!(items[0].raw.as_deref(), Some("I cannot"));
    failed.settle(&project, |_| false).unwrap();
    assert!(!path.exists());
}
