//! What a killed run was writing aside: it goes, but never from under a run that is writing.

use std::fs::{self, File};

use fthost::store::Project;

use crate::support::TestProject;

const LEFT: &str = "data/out/.x.json.0123456789abcdef.tmp";
const HELD: &str = "data/out/.y.json.fedcba9876543210.tmp";

#[test]
fn the_next_run_removes_what_nobody_writes_any_more() {
    let project = TestProject::of("write_text(\"data/out/x.json\", \"1\");");
    // Names of other makers, and another directory, are none of its business.
    let others = ["data/out/.own.tmp", "data/out/.x.0123456789abcdef.tmp~", "data/.x.0123456789abcdef.tmp"];
    for path in others.iter().chain([&LEFT, &HELD]) {
        project.write(path, "half a fi");
    }
    let held = File::open(project.path(HELD)).unwrap();
    held.lock().unwrap();
    project.main("").exits(0);
    assert!(!project.exists(LEFT) && project.exists(HELD));
    assert!(others.iter().all(|path| project.exists(path)));
    drop(held);
    project.main("--dry-run").exits(0);
    assert!(project.exists(HELD), "a dry run removes nothing");
    project.main("").exits(0);
    assert!(!project.exists(HELD));
}

/// Each of them looks for leftovers anew with its first write: a file that is just being made is none.
#[test]
fn runs_that_write_at_once_leave_each_others_files_alone() {
    let project = TestProject::of("");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let root = project.root();
            scope.spawn(move || {
                for n in 0..150 {
                    let path = format!("data/out/{thread}_{n}.txt");
                    Project::open(root).unwrap().write_whole(&path, path.as_bytes()).unwrap();
                }
            });
        }
    });
    let names = fs::read_dir(project.path("data/out")).unwrap();
    assert_eq!(names.count(), 600, "all are there, and nothing else");
}
