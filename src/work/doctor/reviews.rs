//! What humans said: lines that cannot be read. They are told and never moved, since they may be rejections.

use super::{Doctor, Finding};
use crate::base::Result;
use crate::base::numbers::count;
use crate::pipeline::human::Review;
use crate::store::found::HUMAN;
use crate::store::survey;

/// Looks at every line.
pub(super) fn look(doctor: &mut Doctor) -> Result<()> {
    let survey::Survey { damaged, torn } =
        survey::survey(doctor.project, HUMAN, |line| Review::parse(line).map(drop))?;
    if torn.is_some_and(|torn| !torn.whole) {
        let remedy =
            "review that transcript again, or delete the rest; if it is a rejection, it holds until then";
        doctor.tell(Finding::new(
            HUMAN,
            "its last line is cut off: a review was stopped while it was written",
            remedy,
        ));
    }
    if damaged.is_empty() {
        return Ok(());
    }
    let all: Vec<String> =
        damaged.iter().map(|line| format!("line {}: {}", line.number, line.what)).collect();
    let lines = count(damaged.len(), "line");
    let what =
        format!("{lines} damaged ({}); no training files are made before that is mended", all.join("; "));
    let remedy = "put them right, or delete them and review these transcripts again; a line may be a rejection, \
                  so `--repair` leaves it";
    doctor.tell(Finding::new(HUMAN, what, remedy));
    Ok(())
}
