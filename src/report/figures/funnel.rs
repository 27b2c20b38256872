//! From what was asked for to training examples, and what was lost on the way.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::pipeline::passing::TOO_SHORT;
use crate::report::data::{Data, GENERATED};
use crate::work::status::JobStatus;

/// The stages of a project, each with what did not come through to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Funnel {
    /// Conversations that the last run was to make, if that is known.
    pub asked: Option<usize>,
    /// Transcripts that are there.
    pub made: usize,
    /// Those with a verdict.
    pub judged: usize,
    /// Those whose verdict is complete.
    pub complete: usize,
    /// Those that pass.
    pub passed: usize,
    /// Those that may be trained on today.
    pub trainable: usize,
    /// Those in the training data.
    pub in_training: usize,
    /// Those of them that may not be trained on any more.
    pub not_any_more: usize,
    /// Training examples.
    pub examples: usize,
    /// What was lost, in the order of the stages.
    pub losses: Vec<Loss>,
}

/// What was lost for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The stage that it did not reach.
    pub stage: &'static str,
    /// The reason's name.
    pub reason: &'static str,
    /// The reason in words.
    pub words: &'static str,
    /// How many.
    pub count: usize,
}

/// What becomes of a transcript, in the order of the stages: the stage that it misses, its name, its words.
const LOSSES: [(&str, &str, &str); 12] = [
    ("made", "failed_to_generate", "failed while they were made"),
    ("made", "not_made", "not made yet"),
    ("judged", "not_judged", "not judged yet"),
    ("complete", TOO_SHORT, "too short to judge"),
    ("complete", "incomplete", "not judged completely"),
    ("passed", "gate", "a gate failed"),
    ("passed", "score", "the score is below the threshold"),
    ("trainable", "transcript_missing", "the transcript is gone"),
    ("trainable", "transcript_changed", "edited after the verdict"),
    ("trainable", "rubric_changed", "judged by an older rubric"),
    ("trainable", "rejected_by_human", "rejected by a human"),
    ("in_training", "not_sliced", "no example of it in the training data"),
];

/// The figures.
pub fn of(data: &Data, jobs: &[JobStatus]) -> Funnel {
    let latest = &data.verdicts.latest;
    let count = |keep: &dyn Fn(&str) -> bool| latest.values().filter(|latest| keep(latest.reason)).count();
    let job = jobs.iter().find(|job| job.name == GENERATED);
    let in_training: BTreeSet<&str> = data.manifest.iter().map(|slice| slice.transcript.as_str()).collect();
    let complete = count(&|reason| reason != "incomplete" && reason != TOO_SHORT);
    let is_trainable = |id: &str| latest.get(id).is_some_and(|latest| latest.reason == "passed");
    let made = data.transcripts.seen.len() + data.transcripts.damaged.len();
    Funnel {
        asked: job.and_then(|job| job.total).filter(|total| *total >= made),
        made,
        judged: latest.len(),
        complete,
        passed: complete - count(&|reason| reason == "failed"),
        trainable: count(&|reason| reason == "passed"),
        in_training: in_training.len(),
        not_any_more: in_training.iter().filter(|id| !is_trainable(id)).count(),
        examples: data.manifest.len(),
        losses: losses(data, job, &in_training),
    }
}

fn losses(data: &Data, job: Option<&JobStatus>, in_training: &BTreeSet<&str>) -> Vec<Loss> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, latest) in &data.verdicts.latest {
        let reason = match latest.reason {
            "failed" if latest.record.safety_gate_failed => "gate",
            "failed" => "score",
            "passed" if !in_training.contains(id.as_str()) => "not_sliced",
            reason => reason,
        };
        *counts.entry(reason).or_default() += 1;
    }
    let judged = |id: &&String| data.verdicts.latest.contains_key(*id);
    counts.insert("not_judged", data.transcripts.seen.keys().filter(|id| !judged(id)).count());
    if let Some(job) = job {
        counts.insert("failed_to_generate", job.failures());
        counts.insert("not_made", job.pending.unwrap_or(0) + job.in_flight.len() + job.incomplete);
    }
    let loss = |(stage, reason, words): (&'static str, &'static str, &'static str)| {
        let count = counts.get(reason).copied().unwrap_or(0);
        Loss { stage, reason, words, count }
    };
    LOSSES.into_iter().map(loss).filter(|loss| loss.count > 0).collect()
}
