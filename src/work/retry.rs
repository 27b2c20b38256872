//! Items begin anew: their failures are cleared, and, when that is asked for, their replies forgotten.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::World;
use super::replay::items_around;
use super::status::is_of;
use crate::base::{Error, Kind, Result, suggest};
use crate::store::ledger::{Entry, ItemKey, JobState, Sums, write_now};
use crate::store::lock::Lock;
use crate::store::{Checkpoint, FailedFile, FailedItem, Mode, found};

/// What was done for one job.
#[derive(Debug, Default)]
pub struct Retried {
    /// Its checkpoint's path, or without one the job's name.
    pub job: String,
    /// The command that ran it last.
    pub command: Option<String>,
    /// Failures that were cleared, by kind.
    pub cleared: BTreeMap<String, usize>,
    /// Items whose old record is complete and was to be redone: they stay listed, and are run again.
    pub redone: Vec<String>,
    /// Items whose replies are forgotten.
    pub forgotten: BTreeSet<String>,
    /// What these had cost.
    pub spent: Sums,
    /// Those of them that are complete: a run skips them.
    pub complete: Vec<String>,
}

/// Clears what is named by an item's id or an error's kind; all failures, when nothing is named. `fresh`: forgets
/// the replies, also of named items that have not failed.
pub fn retry(world: &World, names: &[String], fresh: bool) -> Result<Vec<Retried>> {
    let known = world.ledger.jobs()?;
    let mut locks = BTreeMap::new();
    for target in
        Search::new(world, names, fresh, &known).find()?.iter().filter(|target| target.has_checkpoint)
    {
        let lock = Lock::take(&world.project, &world.project.ensure_writable(&target.job)?)?;
        locks.insert(target.job.clone(), lock);
    }
    // Once more, now that nobody changes it; what came into being meanwhile is another command's.
    let targets = Search::new(world, names, fresh, &known).find()?.into_iter();
    let targets = targets.filter(|target| !target.has_checkpoint || locks.contains_key(&target.job));
    targets.map(|target| target.carry_out(world, &known)).collect()
}

/// Looks for what is named.
struct Search<'a> {
    world: &'a World,
    names: &'a [String],
    fresh: bool,
    known: &'a [JobState],
    found: HashSet<&'a str>,
}

/// What is to be done for one job.
struct Target {
    job: String,
    has_checkpoint: bool,
    failed: Vec<FailedItem>,
    /// Items whose replies are to be forgotten.
    owners: BTreeSet<String>,
    /// What the ledger knows of them, and of the jobs inside of them.
    forget: Vec<ItemKey>,
    spent: Sums,
}

impl<'a> Search<'a> {
    fn new(world: &'a World, names: &'a [String], fresh: bool, known: &'a [JobState]) -> Search<'a> {
        Search { world, names, fresh, known, found: HashSet::new() }
    }

    fn find(mut self) -> Result<Vec<Target>> {
        let mut targets = Vec::new();
        let paths = found::checkpoints(&self.world.project)?;
        for path in &paths {
            targets.push(self.target(path, true)?);
        }
        let others = self.known.iter().filter(|job| job.plan.checkpoint.is_none() && job.begun.is_some());
        for job in others.filter(|job| !paths.contains(&job.plan.name)) {
            targets.push(self.target(&job.plan.name, false)?);
        }
        if let Some(unknown) = self.names.iter().find(|name| !self.found.contains(name.as_str())) {
            return Err(self.unknown(unknown, &paths));
        }
        targets.retain(|target| !target.failed.is_empty() || !target.forget.is_empty());
        Ok(targets)
    }

    fn target(&mut self, job: &str, has_checkpoint: bool) -> Result<Target> {
        let mut target = Target {
            job: job.into(),
            has_checkpoint,
            failed: Vec::new(),
            owners: BTreeSet::new(),
            forget: Vec::new(),
            spent: Sums::default(),
        };
        if has_checkpoint {
            let items = FailedFile::open(&self.world.project, job)?.items();
            target.failed = items.into_iter().filter(|item| self.wants(item)).collect();
        }
        if self.fresh {
            self.find_replies(&mut target)?;
        }
        Ok(target)
    }

    /// Whether a failure is named, by its id or its kind.
    fn wants(&mut self, item: &FailedItem) -> bool {
        let named: Vec<&'a str> = self
            .names
            .iter()
            .map(String::as_str)
            .filter(|name| *name == item.id || *name == item.kind)
            .collect();
        self.found.extend(&named);
        self.names.is_empty() || !named.is_empty()
    }

    fn find_replies(&mut self, target: &mut Target) -> Result<()> {
        let failed = target.failed.iter().map(|item| item.id.clone());
        let wanted: HashSet<String> = failed.chain(self.names.iter().cloned()).collect();
        let known = self.known;
        let checkpoint = target.job.clone();
        for job in known.iter().filter(|job| is_of(job, &checkpoint)) {
            let name = job.plan.name.as_str();
            self.forget_items(target, name, |item| wanted.get(item).cloned())?;
            // What was begun inside of an item belongs to it.
            for inner in known {
                if let Some(item) = items_around(&inner.plan.name, name).find(|item| wanted.contains(*item)) {
                    self.forget_items(target, &inner.plan.name, |_| Some(item.into()))?;
                }
            }
        }
        Ok(())
    }

    /// Notes the items of a job of the ledger that belong to one that is to be forgotten.
    fn forget_items(
        &mut self,
        target: &mut Target,
        job: &str,
        whose: impl Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let name: Arc<str> = job.into();
        let (names, found) = (self.names, &mut self.found);
        self.world.ledger.for_each_item(job, &mut |item| {
            let Some(owner) = whose(&item.item) else { return };
            found.extend(names.iter().map(String::as_str).filter(|name| *name == owner));
            target.owners.insert(owner);
            target.spent.join(&item.spent);
            target.forget.push(ItemKey { job: name.clone(), item: item.item.into() });
        })
    }

    fn unknown(&self, name: &str, paths: &[String]) -> Error {
        match self.place_of(name, paths) {
            Ok(Some(error)) => return error,
            Ok(None) => {}
            Err(error) => return error,
        }
        let (what, known) = match self.everything(paths) {
            Ok(known) if known.is_empty() && !self.fresh => return nothing_failed(name),
            Ok(known) if self.fresh => ("no item or failure is called", known),
            Ok(known) => ("no failed item has the id or the kind", known),
            Err(error) => return error,
        };
        let error = Error::new(Kind::Usage, format!("{what} `{name}`"));
        match suggest::nearest(name, known.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`? nothing was changed")),
            None => error.hint("`fthost status` shows what failed; nothing was changed"),
        }
    }

    /// The error of an item that is known, and has nothing to be cleared.
    fn place_of(&self, name: &str, paths: &[String]) -> Result<Option<Error>> {
        for path in paths {
            let checkpoint = Checkpoint::open(&self.world.project, path, Mode::Read)?.checkpoint;
            let Some(entry) = checkpoint.entry(name) else { continue };
            let (what, hint) = match (entry.complete, self.fresh) {
                (_, true) => ("has no replies to forget", format!("`--redo {name}` makes it anew")),
                (true, _) => (
                    "has not failed: it is complete",
                    format!("`fthost run SCRIPT --redo {name}` makes it anew"),
                ),
                (false, _) => ("has not failed: it is incomplete", "the next run works on it anyway".into()),
            };
            let message = format!("`{name}` of {path} {what}");
            return Ok(Some(Error::new(Kind::Usage, message).hint(format!("{hint}; nothing was changed"))));
        }
        Ok(None)
    }

    /// All that could have been named.
    fn everything(&self, paths: &[String]) -> Result<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        for path in paths {
            let items = FailedFile::open(&self.world.project, path)?.items();
            all.extend(items.into_iter().flat_map(|item| [item.id, item.kind]));
        }
        for job in self.known.iter().filter(|_| self.fresh) {
            self.world.ledger.for_each_item(&job.plan.name, &mut |item| all.extend([item.item]))?;
        }
        Ok(all)
    }
}

fn nothing_failed(name: &str) -> Error {
    Error::new(Kind::Usage, format!("nothing has failed, also not `{name}`"))
        .hint("--fresh forgets the replies of items that have not failed, too")
}

impl Target {
    fn carry_out(self, world: &World, known: &[JobState]) -> Result<Retried> {
        let own = known.iter().filter(|job| is_of(job, &self.job) && job.begun.is_some());
        let command = own.max_by_key(|job| &job.begun).and_then(|job| job.plan.command());
        let mut done = Retried {
            job: self.job,
            command,
            spent: self.spent,
            forgotten: self.owners,
            ..Retried::default()
        };
        // First: when this is interrupted, the failures are still there to be named.
        for key in self.forget {
            write_now(&*world.ledger, Entry::Forget(key))?;
        }
        if self.has_checkpoint {
            let checkpoint = Checkpoint::open(&world.project, &done.job, Mode::Read)?.checkpoint;
            let failed: HashSet<&str> = self.failed.iter().map(|item| item.id.as_str()).collect();
            let skipped = |id: &&String| checkpoint.contains_complete(id) && !failed.contains(id.as_str());
            done.complete = done.forgotten.iter().filter(skipped).cloned().collect();
        }
        if !self.failed.is_empty() {
            let file = FailedFile::open(&world.project, &done.job)?;
            world.stop_on_disk_error(
                file.clear(&world.project, self.failed.iter().map(|item| item.id.clone())),
            )?;
        }
        for item in self.failed {
            *done.cleared.entry(item.kind).or_default() += 1;
            done.redone.extend(Some(item.id).filter(|_| item.redo));
        }
        Ok(done)
    }
}
