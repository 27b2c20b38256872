//! A dry run: a few items of each job on stubs, and from these what the whole would ask for and cost.
//!
//! Each call counts as often as its item stands for others. Later jobs work on what earlier ones made, so what
//! an item stands for is kept by its id.

mod assume;
mod sample;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use assume::{Assumed, assumed_reply};
pub use sample::Sample;

use super::backends::{Backend, Line};
use super::plan::Plan;
use super::process::Job;
use super::{Scope, World};
use crate::base::{Result, hash};
use crate::llm::stub::{self, Stub};
use crate::llm::{Request, Usage};
use crate::pipeline::tokens::{self, Encoding};
use crate::store::ledger::ReplyLengths;

/// What a dry run knows so far.
pub struct DryRun {
    lengths: Arc<ReplyLengths>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What each item that was tried stands for, by the hash of its id.
    weights: HashMap<u64, f64>,
    /// Items for which others stand.
    left_out: HashSet<u64>,
    steps: Vec<Step>,
    spent: BTreeMap<String, Spent>,
    /// Calls outside of items, after items were left out.
    uncertain: bool,
}

/// What a top-level `process` would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The job's name.
    pub job: String,
    /// Items that the dry run worked on.
    pub tried: usize,
    /// Those of them that failed.
    pub failed: usize,
    /// Items that a run would work on.
    pub to_do: u64,
    /// Items that are done already.
    pub done: u64,
    /// Items whose stale record a run would keep.
    pub stale: u64,
}

/// What a backend would be asked for. Items stand for others, so counts are no whole numbers.
#[derive(Default, Clone)]
struct Spent {
    calls: f64,
    input_tokens: f64,
    output_tokens: f64,
    usd: Option<f64>,
    if_half: f64,
    if_double: f64,
    is_script: bool,
    free: bool,
    structured: bool,
}

/// What of a request matters for its cost.
pub struct Asked {
    structured: bool,
    /// Tokens of the prompt that are earlier replies.
    from_replies: u64,
    /// The most tokens that the reply may have.
    most: f64,
}

impl Asked {
    /// That of a request.
    pub fn of(request: &Request) -> Asked {
        Asked {
            structured: request.schema.is_some(),
            from_replies: stub::filler_in(request),
            most: request.params.max_tokens.map_or(f64::INFINITY, f64::from),
        }
    }

    /// Tokens in and out, if all replies were longer by this factor.
    fn tokens(&self, usage: &Usage, factor: f64) -> (u64, u64) {
        let more = (factor - 1.0) * self.from_replies as f64;
        let input = (usage.input_tokens as f64 + more).max(0.0);
        let output = (usage.output_tokens as f64 * factor).min(self.most);
        (input.round() as u64, output.round() as u64)
    }
}

/// What a backend would be asked for, and what that costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// Its name.
    pub backend: String,
    /// Calls.
    pub calls: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of replies.
    pub output_tokens: u64,
    /// Dollars, when the configuration has a price.
    pub usd: Option<f64>,
    /// Dollars, if all replies were half as long, and twice as long.
    pub usd_between: (f64, f64),
    /// Whether a script answers, which costs nothing.
    pub is_script: bool,
    /// The length of its replies, of each sort that was asked for: free text, structured.
    pub assumed: Vec<Assumed>,
}

/// What the real command would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// The backends that would be asked anything, by name.
    pub backends: Vec<Expected>,
    /// Whether there were calls outside of `process` that may depend on items which were left out.
    pub uncertain: bool,
}

impl DryRun {
    /// Begins one; the replies that backends gave so far tell how long the next will be.
    pub fn new(lengths: ReplyLengths) -> DryRun {
        DryRun { lengths: Arc::new(lengths), state: Mutex::default() }
    }

    /// What the stub of a backend needs.
    pub(super) fn stub_of(&self, name: &str) -> Stub {
        let (name, lengths) = (name.to_string(), self.lengths.clone());
        Stub {
            count: Arc::new(|text| tokens::count(text, Encoding::default()) as u64),
            assume: Box::new(move |structured| assumed_reply(&lengths, &name, structured).length),
        }
    }

    /// Chooses which of a job's items are tried. The others are left out of the plan.
    fn sample(&self, job: &str, begun: &HashSet<u64>, plan: &mut Plan) -> Sample {
        let mut state = self.state();
        let (sample, step) = sample::choose(job, plan, begun, &state.weights, &state.left_out);
        for id in sample.left_out(plan) {
            state.weights.remove(&id);
            state.left_out.insert(id);
        }
        state.weights.extend(&sample.weights);
        state.steps.push(step);
        sample
    }

    /// Notes how many of the tried items of a job failed.
    pub fn failed(&self, job: &str, failed: usize) {
        if let Some(step) = self.state().steps.iter_mut().rev().find(|step| step.job == job) {
            step.failed = failed;
        }
    }

    /// Counts a reply.
    pub fn count(&self, backend: &Backend, scope: &Scope, asked: Asked, usage: &Usage) {
        let mut state = self.state();
        state.uncertain |= scope.weight.is_none() && !state.left_out.is_empty();
        let weight = scope.weight.unwrap_or(1.0);
        let spent = state.spent.entry(backend.name.clone()).or_default();
        spent.calls += weight;
        spent.input_tokens += weight * usage.input_tokens as f64;
        spent.output_tokens += weight * usage.output_tokens as f64;
        spent.free |= !asked.structured;
        spent.structured |= asked.structured;
        let Line::Remote(remote) = &backend.line else {
            spent.is_script = true;
            return;
        };
        let cost = |factor| {
            let (input, output) = asked.tokens(usage, factor);
            remote.cost(input, output).map(|usd| weight * usd)
        };
        if let (Some(usual), Some(half), Some(double)) = (cost(1.0), cost(0.5), cost(2.0)) {
            spent.usd = Some(spent.usd.unwrap_or(0.0) + usual);
            spent.if_half += half;
            spent.if_double += double;
        }
    }

    /// What it comes to.
    pub fn estimate(&self) -> Estimate {
        let state = self.state();
        let backends = state.spent.iter().map(|(name, spent)| spent.expected(name, &self.lengths)).collect();
        Estimate { steps: state.steps.clone(), backends, uncertain: state.uncertain }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spent {
    fn expected(&self, name: &str, lengths: &ReplyLengths) -> Expected {
        let sorts = [(self.free, false), (self.structured, true)];
        let asked = sorts.into_iter().filter(|(asked, _)| *asked && !self.is_script);
        Expected {
            backend: name.into(),
            calls: self.calls.round() as u64,
            input_tokens: self.input_tokens.round() as u64,
            output_tokens: self.output_tokens.round() as u64,
            usd: self.usd,
            usd_between: (self.if_half, self.if_double),
            is_script: self.is_script,
            assumed: asked.map(|(_, structured)| assumed_reply(lengths, name, structured)).collect(),
        }
    }
}

/// The sample of a job in a dry run; items of items are all tried.
pub(super) fn sample<T>(world: &World, job: &Job<T>, key: &str, plan: &mut Plan) -> Result<Option<Sample>> {
    let Some(dry) = world.dry.as_ref().filter(|_| !job.is_nested()) else { return Ok(None) };
    let mut begun = HashSet::new();
    world.ledger.for_each_item(key, &mut |item| begun.extend([hash::short(&item.item)]))?;
    Ok(Some(dry.sample(&job.name, &begun, plan)))
}
