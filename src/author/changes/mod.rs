//! What a run changed, against what was there before it: records, transcripts, verdicts, and the prompts of a few
//! items. A [`Log`] looks on while the run works, and says in the end what came of it.

mod compare;
mod log;
mod prompts;

pub use compare::{
    Criterion, Rate, Said, Standing, TranscriptChange, VerdictChange, transcript_change, verdict_change,
};
pub use log::Log;
pub use prompts::PromptChange;

/// What a run changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Its jobs, in the order in which they began.
    pub jobs: Vec<JobChange>,
    /// Transcripts that are new, or say something else than before.
    pub transcripts: Vec<TranscriptChange>,
    /// Transcripts that were written anew and say what they said before.
    pub same_transcripts: usize,
}

/// What became of a job's records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobChange {
    /// Its name: the checkpoint's path.
    pub name: String,
    /// Records in place of earlier ones.
    pub redone: usize,
    /// Records of items that had none.
    pub new: usize,
    /// Items that failed.
    pub failed: usize,
    /// Items whose records hold as they are.
    pub kept: usize,
    /// Items whose records are stale and were kept.
    pub stale: usize,
    /// Items that were to be done, and that the run did not come to.
    pub pending: usize,
    /// What became of verdicts; none of a job that brought none.
    pub verdicts: Option<Verdicts>,
    /// Prompts that were sent otherwise than before: those of one item, the first of each role.
    pub prompts: Vec<PromptChange>,
    /// Items whose prompts are known to be the same as before; a few are looked at.
    pub same_prompts: usize,
}

/// What became of a job's verdicts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdicts {
    /// How many passed before, of the items of this run.
    pub before: Rate,
    /// How many pass now.
    pub after: Rate,
    /// Transcripts on which the verdict is another one.
    pub changes: Vec<VerdictChange>,
    /// Transcripts on which the verdict is the same, with other answers.
    pub other_answers: usize,
}

impl Changes {
    /// Whether nothing was done.
    pub fn is_empty(&self) -> bool {
        let idle = |job: &JobChange| job.redone + job.new + job.failed + job.pending == 0;
        self.transcripts.is_empty() && self.same_transcripts == 0 && self.jobs.iter().all(idle)
    }
}
