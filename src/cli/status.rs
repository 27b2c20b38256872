//! `fthost status`: how far each checkpoint is, and what the project has spent.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::{Common, Status};
use super::output::Output;
use super::summary::{count, thousands};
use super::{exit, project};
use crate::base::Result;
use crate::store::ledger::Sums;
use crate::store::{Checkpoint, FailedFile, Mode};
use crate::work::World;
use crate::work::budget::{Cap, dollars};

/// Prints it. Takes no locks and changes nothing: a run may go on meanwhile.
pub fn run(common: &Common, _args: &Status, output: &Output) -> Result<u8> {
    let world = project::open(common, "status", output)?;
    let jobs = jobs(&world)?;
    let spent = world.ledger.spent_by_others(0)?.0;
    let caps = world.budget.caps()?;
    output.machine(&event(&jobs, &spent, &caps));
    show(&jobs, &spent, &caps, output);
    Ok(exit::DONE)
}

/// One checkpoint.
struct Job {
    path: String,
    complete: usize,
    incomplete: usize,
    /// Failed items by the kind of their error.
    failed: BTreeMap<String, usize>,
}

/// Every checkpoint below `data/`: by its name, or by the lock that a run left beside it.
fn jobs(world: &World) -> Result<Vec<Job>> {
    let project = &world.project;
    let mut paths = project.list("data/**/*checkpoint.jsonl")?;
    let locks = project.list("data/**/*.jsonl.lock")?;
    paths.extend(locks.iter().filter_map(|lock| lock.strip_suffix(".lock")).map(str::to_string));
    paths.sort();
    paths.dedup();
    paths.into_iter().map(|path| job(world, path)).collect()
}

fn job(world: &World, path: String) -> Result<Job> {
    let checkpoint = Checkpoint::open(&world.project, &path, Mode::Read)?.checkpoint;
    let complete = checkpoint.ids().iter().filter(|id| checkpoint.contains_complete(id)).count();
    let mut failed = BTreeMap::new();
    for item in FailedFile::open(&world.project, &path)?.items() {
        *failed.entry(item.kind).or_default() += 1;
    }
    Ok(Job { path, complete, incomplete: checkpoint.len() - complete, failed })
}

fn show(jobs: &[Job], spent: &BTreeMap<String, Sums>, caps: &[Cap], output: &Output) {
    if jobs.is_empty() {
        output.result("nothing was run here yet");
    }
    let width = jobs.iter().map(|job| job.path.len()).max().unwrap_or(0);
    jobs.iter().for_each(|job| output.result(&format!("{:width$}  {}", job.path, job.text())));
    if !spent.is_empty() {
        output.result("\nspent by all commands so far:");
    }
    let width = spent.keys().map(String::len).max().unwrap_or(0);
    spent.iter().for_each(|(name, sums)| output.result(&format!("  {name:width$}  {}", sums_text(sums))));
    if spent.len() > 1 {
        let all = Sums::of(spent.values());
        output.result(&format!("  {:width$}  {}", "all", sums_text(&all)));
    }
    caps.iter().for_each(|cap| output.result(&format!("  {}", cap.line())));
}

impl Job {
    fn text(&self) -> String {
        let mut parts = vec![format!("{} done", thousands(self.complete as u64))];
        if self.incomplete > 0 {
            parts.push(format!("{} incomplete", thousands(self.incomplete as u64)));
        }
        if !self.failed.is_empty() {
            let kinds: Vec<String> = self.failed.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
            let failed: usize = self.failed.values().sum();
            parts.push(format!("{} failed ({})", thousands(failed as u64), kinds.join(", ")));
        }
        parts.join(", ")
    }
}

fn sums_text(sums: &Sums) -> String {
    let calls = count(sums.calls as usize, "call");
    let (input, output) = (thousands(sums.input_tokens), thousands(sums.output_tokens));
    let usd = if sums.usd > 0.0 { format!(", {}", dollars(sums.usd)) } else { String::new() };
    let unknown = match sums.unknown {
        0 => String::new(),
        n => format!(" ({} of unknown cost)", thousands(n)),
    };
    format!("{calls}{unknown}, {input} tokens in, {output} out{usd}")
}

fn event(jobs: &[Job], spent: &BTreeMap<String, Sums>, caps: &[Cap]) -> Value {
    let job = |job: &Job| {
        let Job { path, complete, incomplete, failed } = job;
        json!({"checkpoint": path, "complete": complete, "incomplete": incomplete, "failed_by_kind": failed})
    };
    json!({
        "event": "status",
        "jobs": jobs.iter().map(job).collect::<Vec<_>>(),
        "spent": spent,
        "caps": caps.iter().map(Cap::json).collect::<Vec<_>>(),
    })
}
