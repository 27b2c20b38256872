//! What a project has come to: figures of its funnel, verdicts, judges, lengths and cost, the advice that follows from
//! them, and the page that shows them beside the transcripts. It only looks: a run may go on meanwhile.

pub mod charts;
pub mod data;
pub mod figures;
pub mod next_step;
pub mod page;

pub use data::{Data, Depth};
pub use figures::Figures;
