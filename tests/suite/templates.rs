//! The projects of `fthost init --template`: complete, without a mistake, and at work offline.

use std::path::Path;

use fthost::host::templates::TEMPLATES;

use crate::support::{PIPELINE, TestProject, files_of};

fn made(template: &str) -> TestProject {
    let place = TestProject::nothing();
    place.run(&format!("init --template {template}")).exits(0).prints("works offline");
    place
}

#[test]
fn each_one_is_without_a_mistake_passes_its_tests_and_makes_training_data() {
    for template in TEMPLATES {
        let project = made(template.name);
        assert_eq!(project.run("check").exits(0).out, "no mistakes found\n", "{}", template.name);
        project.run("test").exits(0).prints(" 0 failed");
        project.run(&format!("{PIPELINE} -s personas=8 -s turns=5")).exits(0).prints("8 of 8 complete");
        let examples = project.read("data/processed/training_data.jsonl");
        assert!(!examples.is_empty(), "{}: nothing passed", template.name);
        project.run(&format!("{PIPELINE} -s personas=8 -s turns=5")).exits(0).prints("nothing to do");
    }
}

#[test]
fn every_file_of_a_template_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for name in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()) {
        let (name, project) = (name.to_str().unwrap(), made(name.to_str().unwrap()));
        let written = project.files("");
        let own = files_of(&root.join(name), &root.join(name));
        let left_out: Vec<_> =
            own.iter().filter(|file| !written.contains(file)).map(|(path, _)| path).collect();
        assert!(left_out.is_empty(), "{name}: {left_out:?}");
    }
}

#[test]
fn a_template_that_there_is_not() {
    let place = TestProject::nothing();
    place.run("init --template tutorin").exits(2).says("'tutoring'").says("customer-support");
    assert!(place.files("").is_empty());
}
