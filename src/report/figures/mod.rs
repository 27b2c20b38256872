//! The figures: plain values that are the same in the report, in the terminal and for machines.

pub mod audit;
pub mod cost;
pub mod coverage;
pub mod criteria;
pub mod funnel;
pub mod histogram;
pub mod human;
pub mod judges;
pub mod lengths;
pub mod rates;

use serde::Serialize;

use super::data::{Data, Depth};
use super::next_step::{self, Step};
use crate::base::Result;
use crate::work::World;
use crate::work::status::JobStatus;

/// All figures of a project.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// From what was asked for to training examples.
    pub funnel: funnel::Funnel,
    /// How many pass, and how that has changed.
    pub rates: rates::Rates,
    /// The answers to each criterion.
    pub criteria: Vec<criteria::Criterion>,
    /// The scores of each category.
    pub categories: Vec<criteria::Category>,
    /// The weighted scores.
    pub scores: Option<histogram::Histogram>,
    /// How far the judges agree.
    pub judges: Option<judges::Judges>,
    /// What humans say of the verdicts.
    pub human: Option<human::Human>,
    /// Personas asked for and drawn.
    pub coverage: Option<coverage::Coverage>,
    /// How long transcripts and messages are; none where they were not counted.
    pub lengths: Option<lengths::Lengths>,
    /// What transcripts are cut into.
    pub slices: Option<lengths::Slices>,
    /// What an audit found.
    pub audit: Option<audit::Audit>,
    /// What it cost, by backend.
    pub cost: cost::Cost,
    /// What to do next, the most urgent first.
    pub next: Vec<Step>,
    /// What could not be read.
    pub notes: Vec<String>,
}

impl Figures {
    /// The figures of what was read; `jobs` are the project's.
    pub fn of(world: &World, data: &mut Data, jobs: &[JobStatus], depth: Depth) -> Result<Figures> {
        let coverage = data.coverage.take().and_then(|value| data.notes.keep(coverage::of(value)));
        let audit = data.audit.take().and_then(|value| data.notes.keep(audit::of(value)));
        let mut figures = Figures {
            funnel: funnel::of(data, jobs),
            rates: rates::of(data),
            criteria: criteria::criteria(data),
            categories: criteria::categories(data),
            scores: criteria::scores(data),
            judges: judges::of(data),
            human: human::of(data),
            coverage,
            lengths: (depth == Depth::Whole).then(|| lengths::of(data)).flatten(),
            slices: lengths::slices(data),
            audit,
            cost: cost::of(world)?,
            next: Vec::new(),
            notes: data.notes.lines(),
        };
        figures.next = next_step::steps(world, &figures, jobs)?;
        Ok(figures)
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.funnel.made == 0 && self.funnel.judged == 0
    }
}
