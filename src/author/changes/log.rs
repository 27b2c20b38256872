//! Looks on while a run works, and notes what becomes different.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use super::compare::{Rate, Standing, VerdictChange, transcript_change, verdict_change};
use super::prompts::{Call, ITEMS, Memory, PromptChanges};
use super::{Changes, JobChange, Verdicts};
use crate::base::{Result, hash};
use crate::llm::{Reply, Request};
use crate::pipeline::transcript::Transcript;
use crate::store::checkpoint::Mode;
use crate::work::observer::Observer;
use crate::work::plan::{Fate, Plan};
use crate::work::{Backend, Scope, World};

/// What it saw, round by round; of earlier rounds it remembers a few prompts.
#[derive(Default)]
pub struct Log(Mutex<State>);

#[derive(Default)]
struct State {
    memory: Memory,
    jobs: Vec<Job>,
    changes: Changes,
    /// Ids of transcripts that are others than before.
    rewritten: HashSet<String>,
    /// By job and item.
    calls: BTreeMap<(String, String), Vec<Call>>,
}

#[derive(Default)]
struct Job {
    change: JobChange,
    /// The hashes of its items' ids.
    items: HashSet<u64>,
    /// Of these the ones whose calls are noted.
    noted: Vec<u64>,
    /// What each new verdict stands in place of.
    judged: Vec<(Option<Standing>, Standing)>,
    verdicts: Vec<VerdictChange>,
}

impl Log {
    /// What the run in this world has changed. To be asked while the world still has its checkpoints.
    pub fn finish(&self, world: &World) -> Changes {
        let mut locked = self.lock();
        let mut state = std::mem::take(&mut *locked);
        let mut prompts = state.memory.take_in(state.calls);
        locked.memory = state.memory;
        drop(locked);
        let mut changes = state.changes;
        changes.transcripts.sort_by(|a, b| a.id.cmp(&b.id));
        for job in state.jobs {
            let verdicts = job.verdicts(world);
            let PromptChanges { changes: others, same } =
                prompts.remove(&job.change.name).unwrap_or_default();
            let change = JobChange { verdicts, prompts: others, same_prompts: same, ..job.change };
            changes.jobs.push(change);
        }
        changes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A job, by its name.
    fn job(&mut self, name: &str) -> &mut Job {
        let known = self.jobs.iter().position(|job| job.change.name == name);
        let place = known.unwrap_or_else(|| {
            self.jobs.push(Job {
                change: JobChange { name: name.into(), ..JobChange::default() },
                ..Job::default()
            });
            self.jobs.len() - 1
        });
        &mut self.jobs[place]
    }
}

impl Job {
    fn verdicts(&self, world: &World) -> Option<Verdicts> {
        if self.judged.is_empty() {
            return None;
        }
        // A file that cannot be read any more stops the run; here there is nothing to be told of it.
        let after = self.rate(world).unwrap_or_default();
        let mut before = after;
        self.judged.iter().for_each(|(old, new)| before.undo(*old, *new));
        let (mut changes, same): (Vec<_>, Vec<_>) =
            self.verdicts.iter().cloned().partition(|verdict| verdict.before != verdict.after);
        changes.sort_by(|a, b| a.id.cmp(&b.id));
        let other_answers = same.iter().filter(|verdict| !verdict.criteria.is_empty()).count();
        Some(Verdicts { before, after, changes, other_answers })
    }

    /// How many of the run's items pass.
    fn rate(&self, world: &World) -> Result<Rate> {
        let (checkpoint, mut rate) = (world.checkpoint(&self.change.name, Mode::Run)?, Rate::default());
        for position in 0.. {
            let Some((id, entry)) = checkpoint.at(position) else { break };
            if self.items.contains(&hash::short(&id))
                && let Some(standing) = Standing::of(&checkpoint.read(&entry)?)
            {
                rate.add(standing);
            }
        }
        Ok(rate)
    }
}

impl Observer for Log {
    fn job_begins(&self, name: &str, plan: &Plan) {
        let mut state = self.lock();
        state.memory.retain(name, |id| plan.has(id));
        let known: Vec<u64> = state.memory.items(name).map(|id| hash::short(id)).collect();
        let to_do = plan.ids().filter(|(id, fate)| *fate == Fate::ToDo && !known.contains(id));
        let noted: Vec<u64> = known.iter().copied().chain(to_do.map(|(id, _)| id)).take(ITEMS).collect();
        let job = state.job(name);
        job.noted = noted;
        job.items.extend(plan.ids().map(|(id, _)| id));
    }

    fn job_ended(&self, name: &str, summary: &Map<String, Value>) {
        let count = |key| summary.get(key).and_then(Value::as_u64).unwrap_or(0) as usize;
        let mut state = self.lock();
        let change = &mut state.job(name).change;
        change.failed += count("failed");
        change.kept += count("skipped");
        change.stale += count("stale");
        change.pending += count("pending");
    }

    fn record_kept(&self, name: &str, id: &str, before: Option<&Value>, after: &Value) {
        let mut state = self.lock();
        let job = state.job(name);
        match before {
            Some(_) => job.change.redone += 1,
            None => job.change.new += 1,
        }
        if let Some(standing) = Standing::of(after) {
            job.judged.push((before.and_then(Standing::of), standing));
            job.verdicts.extend(before.and_then(|before| verdict_change(id, before, after)));
        }
    }

    fn transcript_written(&self, before: Option<&Transcript>, after: &Transcript) {
        let change = transcript_change(before, after);
        let mut state = self.lock();
        match change {
            Some(change) => {
                state.rewritten.insert(change.id.clone());
                state.changes.transcripts.push(change);
            }
            None => state.changes.same_transcripts += 1,
        }
    }

    fn wants_calls_of(&self, scope: &Scope) -> bool {
        let Some(item) = scope.replay.as_ref().map(|replay| replay.item()) else { return false };
        let state = self.lock();
        let job = state.jobs.iter().find(|job| *job.change.name == *item.job);
        job.is_some_and(|job| job.noted.contains(&hash::short(&item.item)))
    }

    fn answered(&self, scope: &Scope, backend: &Backend, request: &Request, reply: &Reply) {
        let Some(item) = scope.replay.as_ref().map(|replay| replay.item()) else { return };
        let call = Call::new(&scope.branch, backend, request, reply);
        let mut state = self.lock();
        let of_new_transcript = state.rewritten.contains(&*item.item);
        let calls = state.calls.entry((item.job.to_string(), item.item.to_string())).or_default();
        calls.push(Call { of_new_transcript, ..call });
    }
}
