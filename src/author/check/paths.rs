//! Paths that are written out in a call: files that must be there, and places that scripts may not touch.

use std::collections::BTreeSet;

use rhai::Position;

use super::Finding;
use super::look::{Called, Look};
use super::tree::Node;
use crate::base::{Error, Kind};
use crate::pipeline::rubric;

/// The functions whose first argument names a file that must be there before the run.
const READERS: &[&str] = &[
    "render",
    "load_rubric",
    "load_yaml",
    "load_schema",
    "read_text",
    "read_json",
    "read_jsonl",
    "stream_jsonl",
];

/// The functions that write to the path that is their first argument.
const WRITERS: &[&str] =
    &["write_text", "write_json", "write_jsonl", "write_training_data", "append_checkpoint"];

/// The functions that replace a file.
const REPLACERS: &[&str] = &["write_text", "write_json", "write_jsonl"];

/// Paths that will be refused, or lead nowhere.
pub fn check(look: &Look) -> Vec<Finding> {
    // A test may well ask for what is not there, to see the error.
    if look.tree.unit.path.starts_with("tests/") {
        return Vec::new();
    }
    let checkpoints = checkpoints(look);
    let nodes = look.tree.nodes.iter();
    let calls = nodes.filter_map(|node| Some((node, look.called(node)?)));
    calls
        .flat_map(|(node, called)| {
            let finding = of_call(look, node, &called, &checkpoints);
            finding.into_iter().chain(rubric(look, &called)).collect::<Vec<_>>()
        })
        .collect()
}

/// What is wrong with a rubric other than the project's own, which is looked at anyway.
fn rubric(look: &Look, called: &Called) -> Vec<Finding> {
    let path =
        called.text(0).filter(|_| called.name() == "load_rubric" && !look.is_own("load_rubric", false));
    let Some((path, _)) =
        path.filter(|(path, _)| *path != "config/rubric.yaml" && !path.starts_with("data/"))
    else {
        return Vec::new();
    };
    let Ok(text) = look.session.world.project.read_text(path) else { return Vec::new() };
    rubric::faults(path, &text).into_iter().map(|error| Finding::of("rubric", error)).collect()
}

fn checkpoints<'a>(look: &Look<'a>) -> BTreeSet<&'a str> {
    let calls = look.tree.nodes.iter().filter_map(|node| look.called(node));
    calls.filter_map(|called| checkpoint(&called)).map(|(path, _)| path).collect()
}

fn checkpoint<'a>(called: &Called<'a>) -> Option<(&'a str, Position)> {
    match called.name() {
        "process" => match called.option(1, "checkpoint")? {
            rhai::Expr::StringConstant(path, position) => Some((path, *position)),
            _ => None,
        },
        "append_checkpoint" | "load_checkpoint" => called.text(0),
        _ => None,
    }
}

fn of_call<'a>(
    look: &Look<'a>,
    node: &Node<'a>,
    called: &Called<'a>,
    checkpoints: &BTreeSet<&str>,
) -> Option<Finding> {
    let name = called.name();
    if look.is_own(name, called.is_method) {
        return None;
    }
    let written = if WRITERS.contains(&name) {
        called.text(0)
    } else {
        checkpoint(called).filter(|_| name == "process")
    };
    if let Some((path, position)) = written {
        if REPLACERS.contains(&name) && checkpoints.contains(path) {
            let error =
                Error::new(Kind::Script, format!("`{path}` is a checkpoint: `{name}` may not replace it"))
                    .hint("records are added by `process` and `append_checkpoint`; write elsewhere");
            return Some(look.finding("write-to-checkpoint", position, error));
        }
        let error = look.session.world.project.check_writable(path).err()?;
        // What else is in the way may be gone when the script runs.
        let error = Some(error).filter(|error| error.kind() == Kind::Denied)?;
        return Some(look.finding("path-outside", position, plain(&error)));
    }
    let (path, position) = called.text(0).filter(|_| READERS.contains(&name) && !node.in_try)?;
    let project = &look.session.world.project;
    match project.exists(path) {
        Ok(true) => None,
        Ok(false) if path.starts_with("data/") => None,
        Ok(false) => Some(look.finding("missing-file", position, plain(&project.read_text(path).err()?))),
        Err(error) if error.kind() == Kind::Denied => {
            Some(look.finding("path-outside", position, plain(&error)))
        }
        Err(_) => None,
    }
}

fn plain(error: &Error) -> Error {
    Error::new(Kind::Script, error.message()).or_hint(error.get_hint().map(str::to_string))
}
