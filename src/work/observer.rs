//! Who looks on while a run works: what is asked and what is kept is told to it as it happens, since later the
//! earlier state is gone.

use serde_json::{Map, Value};

use super::plan::Plan;
use super::{Backend, Scope};
use crate::llm::{Reply, Request};
use crate::pipeline::transcript::Transcript;

/// Is told from any thread, and only of what it needs: a run without an observer does nothing for it.
pub trait Observer: Send + Sync {
    /// A job begins, with this plan; those inside of items are not told.
    fn job_begins(&self, job: &str, plan: &Plan);

    /// It has ended, with its summary.
    fn job_ended(&self, job: &str, summary: &Map<String, Value>);

    /// An item's record was kept; `before`: the one in whose place it is.
    fn record_kept(&self, job: &str, id: &str, before: Option<&Value>, after: &Value);

    /// A transcript was written; `before`: the one in whose place it is.
    fn transcript_written(&self, before: Option<&Transcript>, after: &Transcript);

    /// Whether [`answered`](Self::answered) is to be told of this item: a prompt is copied for it.
    fn wants_calls_of(&self, scope: &Scope) -> bool;

    /// A call was answered, by a model, a script or the ledger.
    fn answered(&self, scope: &Scope, backend: &Backend, request: &Request, reply: &Reply);
}
