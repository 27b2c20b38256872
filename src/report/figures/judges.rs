//! How far the judges agree, and about which transcripts they do not.

use serde::Serialize;

use crate::pipeline::agreement::{Agreement, CriterionAgreement};
use crate::report::data::Data;
use crate::report::data::record::Record;

/// Transcripts that are named.
const NAMED: usize = 100;

/// The judges.
#[derive(Debug, Serialize)]
pub struct Judges {
    /// How far they agree.
    #[serde(flatten)]
    pub agreement: Agreement,
    /// Transcripts on which they differ, in any criterion.
    pub disputed: usize,
    /// Those on which they are far apart.
    pub far: usize,
    /// The transcripts, the widest apart first; a hundred at most.
    pub disagreements: Vec<Disagreement>,
}

/// A transcript on which judges differ.
#[derive(Debug, Clone, Serialize)]
pub struct Disagreement {
    /// The transcript.
    pub id: String,
    /// Most and least score, apart.
    pub spread: f64,
    /// Whether they are far apart.
    pub far: bool,
    /// The criteria on which they differ.
    pub criteria: Vec<String>,
    /// What each judge says.
    pub judges: Vec<Opinion>,
}

/// A judge's verdict in short.
#[derive(Debug, Clone, Serialize)]
pub struct Opinion {
    /// The judge.
    pub judge: String,
    /// Its score.
    pub score: Option<f64>,
    /// Whether it lets pass.
    pub pass: bool,
}

impl Judges {
    /// The criteria that judges were asked about, and not code.
    pub fn asked(&self) -> impl Iterator<Item = &CriterionAgreement> {
        self.agreement.criteria.iter().filter(|criterion| !criterion.by_code && criterion.records > 0)
    }
}

/// The figures; none without the verdicts of two judges.
pub fn of(data: &mut Data) -> Option<Judges> {
    let agreement = data.agreement.take().filter(|agreement| agreement.records > 0)?;
    let records = data.verdicts.latest.values().map(|latest| &latest.record);
    let differ = records.filter(|record| record.disagreement || !record.disputed.is_empty());
    let mut disagreements: Vec<Disagreement> = differ.map(disagreement).collect();
    disagreements.sort_by(|a, b| {
        let apart = b.far.cmp(&a.far).then(b.spread.total_cmp(&a.spread));
        apart.then_with(|| b.criteria.len().cmp(&a.criteria.len()))
    });
    let (disputed, far) = (disagreements.len(), disagreements.iter().filter(|one| one.far).count());
    disagreements.truncate(NAMED);
    Some(Judges { agreement, disputed, far, disagreements })
}

fn disagreement(record: &Record) -> Disagreement {
    let opinion = |verdict: &Record| Opinion {
        judge: verdict.judge.clone().unwrap_or_default(),
        score: verdict.score,
        pass: verdict.pass,
    };
    Disagreement {
        id: record.id.clone(),
        spread: record.spread.unwrap_or(0.0),
        far: record.disagreement,
        criteria: record.disputed.clone(),
        judges: record.verdicts.iter().map(opinion).collect(),
    }
}
