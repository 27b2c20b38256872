//! Checkpoints and failed files: damaged lines, torn tails, failures that are none any more.

use super::{Doctor, Finding, some};
use crate::base::Result;
use crate::base::numbers::count;
use crate::store::failed::path_of;
use crate::store::head::Head;
use crate::store::survey::{self, Survey};
use crate::store::{Checkpoint, FailedFile, FailedItem, Mode, lock};

/// Looks at a checkpoint and what stands beside it.
pub(super) fn look(doctor: &mut Doctor, checkpoint: &str) -> Result<()> {
    let judge = |line: &[u8]| Head::parse(line).map(drop);
    file(doctor, checkpoint, checkpoint, "their items are run again, from the replies that are kept", judge)?;
    let failed = path_of(checkpoint);
    file(doctor, checkpoint, &failed, "only why items failed is lost", |line| {
        let item = serde_json::from_slice::<FailedItem>(line).map_err(|e| format!("no failed item: {e}"));
        item.and_then(|_| Head::parse(line)).map(drop)
    })?;
    outlived(doctor, checkpoint, &failed)
}

/// Looks at every line of a file. What a run may be writing is no damage.
fn file(
    doctor: &mut Doctor,
    checkpoint: &str,
    path: &str,
    meaning: &str,
    judge: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<()> {
    let project = doctor.project;
    let Survey { damaged, torn } = survey::survey(project, path, judge)?;
    if !damaged.is_empty() {
        let all: Vec<String> =
            damaged.iter().map(|line| format!("line {}: {}", line.number, line.what)).collect();
        let lines = count(damaged.len(), "line");
        let remedy = format!(
            "put them back from a copy; or `fthost doctor --repair` moves them to {path}.damaged: {meaning}"
        );
        let finding = Finding::new(
            path,
            format!("{lines} damaged ({}); a run stops at the first", all.join("; ")),
            remedy,
        );
        doctor.mendable(finding, || {
            let aside = survey::move_aside(project, path, &damaged)?;
            Ok(format!("{path}: {lines} moved to {aside} ({}); {meaning}", all.join("; ")))
        })?;
    }
    let Some(torn) = torn.filter(|_| doctor.repair || lock::holder(project, checkpoint).is_none()) else {
        return Ok(());
    };
    let what = match torn.whole {
        true => "its last line lacks its end: a run was killed while it wrote".to_string(),
        false => format!(
            "it ends in {} of a torn line: a run was killed while it wrote",
            count(torn.bytes, "byte")
        ),
    };
    doctor.mendable(
        Finding::new(path, what, "the next run mends it, as `fthost doctor --repair` does"),
        || {
            Ok(survey::mend_tail(project, path)?
                .unwrap_or_else(|| format!("{path}: its torn end is gone with its damaged lines")))
        },
    )
}

/// Failures of items that are complete by now: the run that made them so was killed before its end.
fn outlived(doctor: &mut Doctor, checkpoint: &str, path: &str) -> Result<()> {
    let project = doctor.project;
    let (Ok(opened), Ok(failed)) =
        (Checkpoint::open(project, checkpoint, Mode::Read), FailedFile::open(project, checkpoint))
    else {
        return Ok(());
    };
    let is_over = |item: &FailedItem| !item.redo && opened.checkpoint.contains_complete(&item.id);
    let over: Vec<String> = failed.items().into_iter().filter(is_over).map(|item| item.id).collect();
    if over.is_empty() || !doctor.repair && lock::holder(project, checkpoint).is_some() {
        return Ok(());
    }
    let what =
        format!("{} listed as failed and complete by now ({})", count(over.len(), "item"), some(&over));
    let finding =
        Finding::new(path, what, "the next run takes them off the list, as `fthost doctor --repair` does");
    doctor.mendable(finding, || {
        let text =
            format!("{path}: {} taken off, complete by now ({})", count(over.len(), "item"), some(&over));
        failed.clear(project, over)?;
        Ok(text)
    })
}
