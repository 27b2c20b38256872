//! Holds the ledger, the checkpoints and the files against each other. Changes nothing unless it is to mend, and
//! then only what is safe.

mod ledger;
mod records;
mod reviews;
mod texts;

use std::path::Path;
use std::sync::Arc;

use crate::base::Result;
use crate::store::lock::{self, Lock};
use crate::store::{Project, found};

/// What the doctor says.
#[derive(Debug)]
pub enum Said {
    /// Something is wrong.
    Finding(Finding),
    /// Something was wrong, and is mended: what was done.
    Mended(String),
    /// Something that one may want to know, and that is in order.
    Note(String),
}

/// Something that is wrong.
#[derive(Debug)]
pub struct Finding {
    /// The file.
    pub place: String,
    /// What is wrong, and what it means.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    fn new(place: &str, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { place: place.into(), what: what.into(), remedy: remedy.into() }
    }
}

/// Looks at a project, and tells what it finds as it goes. `repair` mends: the run that holds a checkpoint is the
/// error then.
pub fn examine(project: &Arc<Project>, repair: bool, tell: &mut dyn FnMut(Said)) -> Result<()> {
    let checkpoints = found::checkpoints(project)?;
    let mut _locks = Vec::new();
    if repair {
        for path in &checkpoints {
            _locks.push(Lock::take(project, &project.ensure_writable(path)?)?);
        }
    }
    let mut doctor = Doctor { project, repair, runs: false, tell };
    for path in checkpoints.iter().filter(|_| !repair) {
        if let Some(holder) = lock::holder(project, path) {
            doctor.runs = true;
            doctor.note(format!("a run works on {path} ({holder}): what it may be writing is not looked at"));
        }
    }
    doctor.leftovers()?;
    let is_sound = ledger::look(&mut doctor)?;
    for path in &checkpoints {
        records::look(&mut doctor, path)?;
    }
    if is_sound {
        ledger::compare(&mut doctor, &checkpoints)?;
    }
    reviews::look(&mut doctor)?;
    texts::look(&mut doctor)
}

struct Doctor<'a> {
    project: &'a Arc<Project>,
    repair: bool,
    /// Whether a run works at this moment.
    runs: bool,
    tell: &'a mut dyn FnMut(Said),
}

impl Doctor<'_> {
    fn note(&mut self, text: String) {
        (self.tell)(Said::Note(text));
    }

    /// What nobody but the user can mend.
    fn tell(&mut self, finding: Finding) {
        (self.tell)(Said::Finding(finding));
    }

    /// What can be mended: `mend` says what it did.
    fn mendable(&mut self, finding: Finding, mend: impl FnOnce() -> Result<String>) -> Result<()> {
        let said = if self.repair { Said::Mended(mend()?) } else { Said::Finding(finding) };
        (self.tell)(said);
        Ok(())
    }

    /// Writes that a kill cut short. A run may be in the middle of one.
    fn leftovers(&mut self) -> Result<()> {
        let project = self.project;
        let left = if self.runs { Vec::new() } else { found::leftovers(project) };
        for path in left {
            let what = "a write that was cut short left it; it is of no use";
            let finding = Finding::new(&path, what, "`fthost doctor --repair` removes it");
            self.mendable(finding, || {
                found::remove_leftover(project, &path)?;
                Ok(format!("{path}: removed, a write that was cut short"))
            })?;
        }
        Ok(())
    }

    fn stands(&self, path: &str) -> bool {
        self.project.root().join(Path::new(path)).exists()
    }
}

/// The first few of many, and how many more there are.
fn some<T: AsRef<str>>(all: &[T]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = all.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match all.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
