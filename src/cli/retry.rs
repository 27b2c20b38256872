//! `fthost retry`: failures cleared, replies forgotten, and which command comes next.

use std::collections::BTreeMap;

use super::args::{Common, Retry};
use super::output::Output;
use super::{exit, project};
use crate::base::Result;
use crate::base::numbers::count;
use crate::work::budget::dollars;
use crate::work::retry::{self, Retried};

/// Clears, and tells what was cleared.
pub fn run(common: &Common, args: &Retry, output: &Output) -> Result<u8> {
    let world = project::open(common, "retry", output)?;
    let done = retry::retry(&world, &args.names, args.fresh);
    world.close();
    let done = done?;
    if done.is_empty() {
        output.result("nothing has failed");
    }
    done.iter().for_each(|job| tell(job, output));
    for (command, redo) in next_commands(&done) {
        let redo = if redo.is_empty() { String::new() } else { format!(" --redo {}", redo.join(",")) };
        output.result(&format!("next: {command}{redo}"));
    }
    Ok(exit::DONE)
}

fn tell(done: &Retried, output: &Output) {
    let job = &done.job;
    let cleared: usize = done.cleared.values().sum();
    if cleared > 0 {
        let kinds: Vec<String> = done.cleared.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        output.result(&format!("{job}: {} cleared ({})", count(cleared, "failure"), kinds.join(", ")));
    }
    for id in &done.redone {
        output.result(&format!(
            "  {id} failed when it was to be redone: it stays listed, with 0 attempts, or its old record would count"
        ));
    }
    if !done.forgotten.is_empty() {
        let (items, replies) =
            (count(done.forgotten.len(), "item"), count(done.spent.calls as usize, "reply"));
        let usd = if done.spent.usd > 0.0 { format!(", {}", dollars(done.spent.usd)) } else { String::new() };
        output.result(&format!("{job}: what {items} got is forgotten ({replies}{usd}: that stays spent)"));
    }
    for id in &done.complete {
        output.result(&format!("  {id} is complete: a run skips it, unless it has `--redo {id}`"));
    }
}

/// The commands to run, with the complete items to redo.
fn next_commands(done: &[Retried]) -> BTreeMap<&str, Vec<&str>> {
    let mut commands: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for job in done {
        let command = job.command.as_deref().unwrap_or("fthost run SCRIPT");
        commands.entry(command).or_default().extend(job.complete.iter().map(String::as_str));
    }
    commands
}
