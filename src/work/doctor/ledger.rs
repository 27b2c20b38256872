//! The ledger: whether it can be trusted, and what it says of items.

use std::sync::Arc;

use super::super::status::is_of;
use super::{Doctor, Finding};
use crate::base::Result;
use crate::base::numbers::count;
use crate::llm::Outcome;
use crate::store::ledger::{
    self, Ending, Entry, Health, ItemKey, LOST, Ledger, PATH, SqliteLedger, write_now,
};
use crate::store::{Checkpoint, Mode};

/// What a reply can end as.
const OUTCOMES: [Outcome; 6] = [
    Outcome::Ok,
    Outcome::Refusal,
    Outcome::Truncated,
    Outcome::Filtered,
    Outcome::InvalidJson,
    Outcome::SchemaMismatch,
];

/// Looks at the file alone; whether it can be read now.
pub(super) fn look(doctor: &mut Doctor) -> Result<bool> {
    let known: Vec<&str> = OUTCOMES.iter().map(|outcome| outcome.name()).chain([LOST]).collect();
    let Health { unusable, damage, unknown_outcomes } = ledger::examine(doctor.project, &known)?;
    let is_sound = unusable.is_none() && (damage.is_empty() || doctor.repair);
    if let Some(error) = unusable {
        doctor.tell(Finding::new(PATH, error.message(), error.get_hint().unwrap_or_default()));
    }
    if !damage.is_empty() {
        damaged(doctor, &damage)?;
    }
    for (outcome, replies) in unknown_outcomes {
        let what =
            format!("{} of an outcome that nobody knows: `{outcome}`", count(replies as usize, "reply"));
        let remedy = "items that meet one stop with an error: `fthost retry ID --fresh` asks anew for them";
        doctor.tell(Finding::new(PATH, what, remedy));
    }
    Ok(is_sound)
}

fn damaged(doctor: &mut Doctor, damage: &[String]) -> Result<()> {
    let prefix = format!("{PATH} is damaged: ");
    // SQLite's own words may have lines.
    let damage: Vec<String> =
        damage.iter().map(|what| what.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let words: Vec<&str> = damage.iter().map(|what| what.strip_prefix(&prefix).unwrap_or(what)).collect();
    let what = format!("damaged: {}; no run uses it", words.join("; "));
    let remedy = "put it back from a copy, with its -wal; or `fthost doctor --repair` moves it away and saves what can be read of it";
    let project = doctor.project;
    doctor.mendable(Finding::new(PATH, what, remedy), || {
        let saved = ledger::salvage(project)?;
        let adrift = match saved.adrift {
            0 => String::new(),
            n => format!(" ({n} of them count as spent alone: their items could not be read, and are asked anew)"),
        };
        Ok(format!(
            "{PATH}: was damaged ({}); {} saved in a new one{adrift}, the damaged one is {}; what could not be read is \
             paid for again, and missing in what was spent",
            words.join("; "),
            count(saved.replies as usize, "reply"),
            saved.moved_to
        ))
    })
}

/// Holds it against the checkpoints.
pub(super) fn compare(doctor: &mut Doctor, checkpoints: &[String]) -> Result<()> {
    let ledger = SqliteLedger::of(doctor.project.clone(), "doctor", Arc::new(|_| {}));
    for job in ledger.jobs()? {
        let name = &job.plan.name;
        match &job.plan.checkpoint {
            Some(path) if !doctor.stands(path) => gone(doctor, &ledger, name, path)?,
            _ => {
                for path in checkpoints.iter().filter(|path| is_of(&job, path)) {
                    late(doctor, &ledger, name, path)?;
                }
            }
        }
    }
    ledger.close();
    Ok(())
}

fn gone(doctor: &mut Doctor, ledger: &dyn Ledger, job: &str, path: &str) -> Result<()> {
    let (mut items, mut replies) = (0, 0);
    ledger.for_each_item(job, &mut |item| (items, replies) = (items + 1, replies + item.kept))?;
    doctor.note(format!(
        "{path} is gone; the ledger has {replies} replies of {}: a run gives them again for nothing",
        count(items, "item")
    ));
    Ok(())
}

/// Items whose record is there and whose end is not noted: a kill between two writes. Nothing depends on it.
fn late(doctor: &mut Doctor, ledger: &dyn Ledger, job: &str, path: &str) -> Result<()> {
    let Ok(opened) = Checkpoint::open(doctor.project, path, Mode::Read) else { return Ok(()) };
    let mut late = Vec::new();
    ledger.for_each_item(job, &mut |item| {
        if item.state == "begun" && opened.checkpoint.contains_complete(&item.item) {
            late.push(item.item);
        }
    })?;
    if late.is_empty() || doctor.runs {
        return Ok(());
    }
    let items = count(late.len(), "item");
    if !doctor.repair {
        doctor.note(format!("{path}: {items} complete here, and not yet in the ledger; that does no harm"));
        return Ok(());
    }
    let job: Arc<str> = job.into();
    for item in late {
        let item = ItemKey { job: job.clone(), item: item.into() };
        write_now(ledger, Entry::End { item, ending: Ending::Complete })?;
    }
    doctor.note(format!("{path}: {items} noted as complete in the ledger"));
    Ok(())
}
