//! Edits as editors make them, and what is none.

use super::*;
use tempfile::TempDir;

const ALL: [&str; 3] = ["scripts", "config", "tests"];

fn project() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("config/prompts")).unwrap();
    fs::create_dir_all(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("config/prompts/a.md"), "one").unwrap();
    dir
}

/// The next change; gives up after a while.
fn next(watcher: &mut Watcher) -> Vec<String> {
    let end = Instant::now() + Duration::from_secs(20);
    watcher.wait_for_change(|| Instant::now() > end).unwrap_or_default()
}

fn later(change: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        std::thread::sleep(STEP);
        change();
    });
}

/// Whether nothing is told within half a second.
fn is_quiet(watcher: &mut Watcher) -> bool {
    let end = Instant::now() + Duration::from_millis(500);
    watcher.wait_for_change(|| Instant::now() > end).is_none()
}

#[test]
fn an_edit_is_told_once_also_when_an_editor_renames() {
    let dir = project();
    let mut watcher = Watcher::of_project(dir.path(), &ALL, []);
    let path = dir.path().join("config/prompts/a.md");
    later(move || {
        fs::write(path.with_extension("md.swp"), "swap").unwrap();
        fs::write(path.with_file_name("4913"), "").unwrap();
        fs::rename(&path, path.with_extension("md~")).unwrap();
        fs::write(&path, "two").unwrap();
    });
    assert_eq!(next(&mut watcher), ["config/prompts/a.md"]);
    assert!(is_quiet(&mut watcher), "the backup stays, and is no change");
}

#[test]
fn a_file_that_is_still_being_written_is_waited_for() {
    let dir = project();
    let mut watcher = Watcher::of_project(dir.path(), &ALL, []);
    let path = dir.path().join("config/prompts/a.md");
    // Found without a notice: emptied a moment ago, and about to be filled.
    fs::write(&path, "").unwrap();
    later(move || fs::write(path, "one").unwrap());
    assert!(watcher.changed().is_empty(), "in the end it says what it said");
}

#[test]
fn directories_may_come_and_go_and_dot_env_counts() {
    let dir = project();
    let mut watcher = Watcher::of_project(dir.path(), &ALL, []);
    let root = dir.path().to_path_buf();
    let at = root.clone();
    later(move || {
        fs::create_dir_all(at.join("tests/deep")).unwrap();
        fs::write(at.join("tests/deep/t.rhai"), "1").unwrap();
    });
    assert_eq!(next(&mut watcher), ["tests/deep/t.rhai"]);
    let at = root.clone();
    later(move || fs::write(at.join(".env"), "A=b").unwrap());
    assert_eq!(next(&mut watcher), [".env"]);
    fs::remove_dir_all(root.join("tests")).unwrap();
    assert_eq!(next(&mut watcher), ["tests/deep/t.rhai"], "what is gone is a change");
}

#[test]
fn what_commands_write_and_what_says_the_same_is_no_change() {
    let dir = project();
    let mut watcher = Watcher::of_project(dir.path(), &ALL, []);
    fs::write(dir.path().join("data/x.jsonl"), "{}").unwrap();
    fs::write(dir.path().join("config/.hidden"), "x").unwrap();
    fs::write(dir.path().join("config/prompts/a.md"), "one").unwrap();
    assert!(is_quiet(&mut watcher));
}

#[test]
fn without_notices_it_looks_by_itself() {
    let dir = project();
    let mut watcher = Watcher { notices: None, ..Watcher::of_project(dir.path(), &ALL, []) };
    let path = dir.path().join("config/prompts/a.md");
    later(move || fs::write(path, "two").unwrap());
    assert_eq!(next(&mut watcher), ["config/prompts/a.md"]);
}

#[test]
fn single_files_elsewhere_count_too() {
    let dir = project();
    let script = dir.path().join("try.rhai");
    fs::write(&script, "1").unwrap();
    let mut watcher = Watcher::of_project(dir.path(), &ALL, [script.clone()]);
    later(move || fs::write(script, "2").unwrap());
    assert_eq!(next(&mut watcher), ["try.rhai"]);
}
