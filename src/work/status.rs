//! How far each job is, what the last stop left in its middle, and what going on would take. Only looks: a run
//! may go on meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::World;
use crate::base::Result;
use crate::store::ledger::{Begun, ItemState, JobState};
use crate::store::lock::{self, Holder};
use crate::store::{Checkpoint, FailedFile, FailedItem, Mode, found, paths};

/// One job.
#[derive(Debug, Default)]
pub struct JobStatus {
    /// Its checkpoint's path, or without one the job's name.
    pub name: String,
    /// Whether it has a checkpoint.
    pub has_checkpoint: bool,
    /// The script that ran it last.
    pub script: Option<String>,
    /// The command that goes on with it.
    pub command: Option<String>,
    /// When it last began.
    pub begun: Option<String>,
    /// The run that works on it at this moment.
    pub running: Option<Holder>,
    /// Items when it last began, if that is known.
    pub total: Option<usize>,
    /// Items with a record that counts.
    pub complete: usize,
    /// Items whose record says of itself that it does not count.
    pub incomplete: usize,
    /// Failed items, alike ones together.
    pub failed: Vec<Failures>,
    /// Items that have replies, and have not come to an end.
    pub in_flight: Vec<InFlight>,
    /// The one of them that a run works on for the longest time.
    pub oldest: Option<Begun>,
    /// Items that nothing is known of.
    pub pending: Option<usize>,
    /// What a run would do; none when nothing is left.
    pub resume: Option<Resume>,
}

/// Failed items of one kind and place.
#[derive(Debug)]
pub struct Failures {
    /// The first of them.
    pub first: FailedItem,
    /// How many.
    pub count: usize,
}

/// An item that was in work when the last run stopped, or is.
#[derive(Debug)]
pub struct InFlight {
    /// Its id.
    pub id: String,
    /// Replies that it has got: they are given again.
    pub replies: u64,
    /// What they cost, in dollars.
    pub usd: f64,
}

/// What a run would do.
#[derive(Debug)]
pub struct Resume {
    /// Items to work on.
    pub items: usize,
    /// About how many calls that takes, and how many dollars; none before an item is complete.
    pub cost: Option<(u64, f64)>,
}

impl JobStatus {
    /// Failed items.
    pub fn failures(&self) -> usize {
        self.failed.iter().map(|alike| alike.count).sum()
    }

    /// Failed items by the kind of their error.
    pub fn failed_by_kind(&self) -> BTreeMap<&str, usize> {
        let mut kinds = BTreeMap::new();
        for alike in &self.failed {
            *kinds.entry(alike.first.kind.as_str()).or_default() += alike.count;
        }
        kinds
    }
}

/// Every job: those with a checkpoint by its path, then those without.
pub fn jobs(world: &World) -> Result<Vec<JobStatus>> {
    let known = world.ledger.jobs()?;
    let mut paths: BTreeSet<String> = found::checkpoints(&world.project)?.into_iter().collect();
    paths.extend(known.iter().filter_map(|job| job.plan.checkpoint.as_ref()).map(|path| plain(path)));
    let mut jobs = Vec::new();
    for path in &paths {
        let own: Vec<&JobState> = known.iter().filter(|job| is_of(job, path)).collect();
        jobs.push(of_checkpoint(world, path, &own)?);
    }
    // Jobs inside of items have no beginning of their own.
    let others = known.iter().filter(|job| job.plan.checkpoint.is_none() && job.begun.is_some());
    for job in others.filter(|job| !paths.contains(&job.plan.name)) {
        jobs.push(without_checkpoint(world, job)?);
    }
    Ok(jobs)
}

/// Whether a job works on a checkpoint: also one that has a name of its own.
pub(super) fn is_of(job: &JobState, checkpoint: &str) -> bool {
    plain(job.plan.checkpoint.as_ref().unwrap_or(&job.plan.name)) == checkpoint
}

/// A path as it is listed: `./data/c.jsonl` is no other file.
fn plain(path: &str) -> String {
    paths::display(Path::new(path))
}

fn of_checkpoint(world: &World, path: &str, known: &[&JobState]) -> Result<JobStatus> {
    let checkpoint = Checkpoint::open(&world.project, path, Mode::Read)?.checkpoint;
    let failed = FailedFile::open(&world.project, path)?.items().into_iter();
    let failed: Vec<FailedItem> =
        failed.filter(|item| item.redo || !checkpoint.contains_complete(&item.id)).collect();
    let complete = checkpoint.ids().iter().filter(|id| checkpoint.contains_complete(id)).count();
    let failed_ids: HashSet<&str> = failed.iter().map(|item| item.id.as_str()).collect();
    let mut left = Left::default();
    for job in known {
        world.ledger.for_each_item(&job.plan.name, &mut |item| {
            let is_failed = failed_ids.contains(item.item.as_str());
            let is_done = checkpoint.contains_complete(&item.item) && !is_failed;
            let has_ended = is_failed || checkpoint.entry(&item.item).is_some();
            left.add(item, is_done, is_failed, has_ended);
        })?;
    }
    let mut job = JobStatus {
        running: lock::holder(&world.project, path),
        has_checkpoint: true,
        complete,
        incomplete: checkpoint.len() - complete,
        ..planned(path, known)
    };
    if job.running.is_some() {
        job.oldest = oldest(world, known)?;
    }
    let redone = failed.iter().filter(|item| checkpoint.contains_complete(&item.id)).count();
    let without_record = failed.iter().filter(|item| checkpoint.entry(&item.id).is_none()).count();
    job.settle(left, failed, checkpoint.len() + without_record, complete - redone);
    Ok(job)
}

fn oldest(world: &World, known: &[&JobState]) -> Result<Option<Begun>> {
    let begun = known.iter().map(|job| world.ledger.oldest_in_work(&job.plan.name));
    let begun = begun.collect::<Result<Vec<_>>>()?;
    Ok(begun.into_iter().flatten().min_by(|a, b| a.since.cmp(&b.since)))
}

/// All items of such a job run again, and get what they were told.
fn without_checkpoint(world: &World, known: &JobState) -> Result<JobStatus> {
    let (mut left, mut complete, mut ended) = (Left::default(), 0, 0);
    world.ledger.for_each_item(&known.plan.name, &mut |item| {
        complete += usize::from(item.state == "complete");
        ended += usize::from(item.state != "begun");
        let (is_failed, has_ended) = (item.state == "failed", item.state != "begun");
        left.add(item, false, is_failed, has_ended);
    })?;
    let mut job = JobStatus { complete, ..planned(&known.plan.name, &[known]) };
    job.settle(left, Vec::new(), ended, 0);
    Ok(job)
}

/// What was known when the job last began.
fn planned(name: &str, known: &[&JobState]) -> JobStatus {
    let last = known.iter().filter(|job| job.begun.is_some()).max_by_key(|job| &job.begun);
    JobStatus {
        name: name.into(),
        script: last.map(|job| job.plan.script.clone()),
        command: last.and_then(|job| job.plan.command()),
        begun: last.and_then(|job| job.begun.clone()),
        total: last.and_then(|job| job.plan.total),
        ..JobStatus::default()
    }
}

impl JobStatus {
    /// `ended`: items with a record or an error; `done`: those that a run skips.
    fn settle(&mut self, left: Left, failed: Vec<FailedItem>, ended: usize, done: usize) {
        let begun = left.in_flight.len() - left.in_flight_with_record;
        self.pending = self.total.map(|total| total.saturating_sub(ended + begun));
        let to_do = ended - done + begun + self.pending.unwrap_or(0);
        self.resume = (to_do > 0).then(|| Resume { items: to_do, cost: left.cost(to_do) });
        self.in_flight = left.in_flight;
        self.failed = grouped(failed);
    }
}

/// What the ledger says of a job's items.
#[derive(Default)]
struct Left {
    in_flight: Vec<InFlight>,
    /// Those of them that have an incomplete record from before.
    in_flight_with_record: usize,
    /// Complete items, and what they took.
    complete: u64,
    calls: u64,
    usd: f64,
    /// What each item that is not done has got.
    kept: Vec<(u64, f64)>,
}

impl Left {
    fn add(&mut self, item: ItemState, is_done: bool, is_failed: bool, has_ended: bool) {
        if item.state == "complete" {
            self.complete += 1;
            self.calls += item.spent.calls;
            self.usd += item.spent.usd;
        }
        if is_done {
            return;
        }
        self.kept.push((item.kept, item.kept_usd));
        if item.state == "begun" && !is_failed && item.kept > 0 {
            self.in_flight_with_record += usize::from(has_ended);
            self.in_flight.push(InFlight { id: item.item, replies: item.kept, usd: item.kept_usd });
        }
    }

    /// What so many items take, when each takes as much as those that are complete, less what they have got.
    fn cost(&self, items: usize) -> Option<(u64, f64)> {
        if self.complete == 0 {
            return None;
        }
        let (items, complete) = (items as f64, self.complete as f64);
        let (calls, usd) = (self.calls as f64 / complete, self.usd / complete);
        let got = self.kept.iter().map(|kept| (calls.min(kept.0 as f64), usd.min(kept.1)));
        let got = got.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let calls = (calls * items - got.0).max(0.0).round() as u64;
        // Without a call there is only dust.
        Some((calls, if calls == 0 { 0.0 } else { (usd * items - got.1).max(0.0) }))
    }
}

/// Alike ones together, the most first.
fn grouped(failed: Vec<FailedItem>) -> Vec<Failures> {
    let mut groups: BTreeMap<(String, Option<String>), Failures> = BTreeMap::new();
    for item in failed {
        let key = (item.kind.clone(), item.place.clone());
        groups.entry(key).or_insert(Failures { first: item, count: 0 }).count += 1;
    }
    let mut groups: Vec<Failures> = groups.into_values().collect();
    groups.sort_by_key(|alike| std::cmp::Reverse(alike.count));
    groups
}
