//! How far judges agree, with each other and with people: `agreement`, `human_agreement`.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Module, NativeCallContext};
use serde_json::{Value, json};

use super::checkpoints::CheckpointValue;
use crate::pipeline::agreement::Tally;
use crate::pipeline::rubric::Rubric;
use crate::script::{Ctx, ScriptResult, values};
use crate::work::{agreement, reviews};

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// How far the judges of a run agree: `#{records, judges, criteria, pairs, lenient}`.
    ///
    /// `criteria` has `#{id, records, percent, kappa, alpha, by_code}` for each criterion: the share of pairs of judges that
    /// agree, Cohen's kappa (of two judges), and Krippendorff's alpha (of any number); `()` where nothing can be told,
    /// as when all answers are the same. `judges` has `#{judge, records, pass_rate, mean_score, milder, stricter}`: `milder`
    /// counts answers that are not NO where another judge says NO. `pairs` has `#{first, second, answers, percent, kappa}`.
    /// `lenient` is the judge that is milder in 5 answers or more, and more than twice as often as it is stricter, or `()`.
    ///
    /// Errors and what is NA by rule are no answers. `by_code` says that code answers: the criterion is not in the records' `asked`, or
    /// without that, all judges gave the same reasoning each time. Of a checkpoint only verdicts of this rubric count.
    ///
    /// ```rhai
    /// let said = |judge, answer| #{judge: judge, answers: #{C1: answer}, reasonings: #{C1: judge + " thinks so"}, score: 1.0, pass: true};
    /// let records = ["YES", "NO", "YES", "YES"].map(|answer| #{verdicts: [said.call("a", answer), said.call("b", "YES")]});
    /// let c1 = agreement(records).criteria[0];
    /// [c1.percent, c1.kappa]   // -> [0.75, 0.0]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn agreement(records: Array) -> ScriptResult<Dynamic> {
        let mut tally = Tally::default();
        for record in &records {
            tally.add(&values::to_json(record)?);
        }
        Ok(values::from_serialize(&tally.agreement())?)
    }

    #[rhai_fn(name = "agreement", return_raw)]
    pub fn agreement_of_checkpoint(
        context: NativeCallContext,
        checkpoint: CheckpointValue,
        rubric: Rubric,
    ) -> ScriptResult<Dynamic> {
        let world = &Ctx::of(&context)?.world;
        let by_this = |record: &Value| record.get("rubric_hash") == Some(&json!(rubric.hash()));
        let found = agreement::agreement(world, &checkpoint.0, rubric.ids(), by_this)?;
        Ok(values::from_serialize(&found)?)
    }

    /// How far the judges agree with people (`data/assessments/human.jsonl`, written by `fthost review`):
    /// `#{reviews, counted, stale, not_judged, verdicts, rows}`.
    ///
    /// `rows` has, for each judge and criterion that people answered, `#{judge, criterion, answers, agree, both_no, judge_no,
    /// human_no, precision, recall, kappa, errors}`. A fault is what is looked for, so NO is the positive answer: `precision` is the
    /// share of the judge's NOs that people say, too, `recall` the share of theirs that the judge says; `()` where there are none. The
    /// judge `final` is the jury, the criterion `all` all together. `verdicts` counts `passed_accepted`, `passed_rejected`,
    /// `failed_accepted` and `failed_rejected`. Reviews of another text than the one that was judged are `stale`, and so are those by another
    /// rubric, unless a question that they answer is the same.
    ///
    /// ```rhai
    /// let found = human_agreement(load_checkpoint("data/assessments/checkpoint.jsonl"), load_rubric("config/rubric.yaml"));
    /// [found.reviews, found.rows]   // -> [0, []]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn human_agreement(
        context: NativeCallContext,
        checkpoint: CheckpointValue,
        rubric: Rubric,
    ) -> ScriptResult<Dynamic> {
        let project = &Ctx::of(&context)?.world.project;
        let said = reviews::read(project)?;
        Ok(values::from_serialize(&reviews::agreement(&said, &checkpoint.0, &rubric, Err)?)?)
    }
}
