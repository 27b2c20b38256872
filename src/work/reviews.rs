//! The file of human verdicts: read strictly, appended to durably, by one reviewer at a time.

use std::sync::Arc;

use serde_json::Value;

use super::World;
use crate::base::events::Event;
use crate::base::{Error, Kind, Place, Result};
use crate::pipeline::human::agreement::{HumanAgreement, human_agreement};
use crate::pipeline::human::judged::Judged;
use crate::pipeline::human::{Review, Reviews};
use crate::pipeline::rubric::Rubric;
use crate::store::checkpoint::{Checkpoint, Mode};
use crate::store::found::HUMAN;
use crate::store::{Project, survey};

/// All reviews of a project. A line that is none is an error that names it: it may be a rejection. What a killed
/// writer left at the end is passed over.
pub fn read(project: &Project) -> Result<Reviews> {
    let mut reviews = Reviews::default();
    let mut first = None;
    let survey = survey::survey(project, HUMAN, |line| match Review::parse(line) {
        Ok(review) => {
            reviews.insert(review);
            Ok(())
        }
        Err(what) => {
            first.get_or_insert_with(|| String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned());
            Err(what)
        }
    })?;
    if survey.torn.is_some_and(|torn| !torn.whole) {
        cut_rejection(project).into_iter().for_each(|review| reviews.insert(review));
    }
    let Some(damage) = survey.damaged.first() else { return Ok(reviews) };
    let place = Place { file: HUMAN.into(), line: damage.number, column: 0, text: first.unwrap_or_default() };
    let message = format!("line {} of {HUMAN} is no review: {}", damage.number, damage.what);
    Err(Error::new(Kind::Data, message).at(place).hint(
        "nothing was changed: put the line right, or delete it and review that transcript again; \
         a line is {\"id\": \"...\", \"verdict\": \"accept\"} or \"reject\"",
    ))
}

/// A last line that is cut off, but says whom it rejects: what is in doubt is not trained on.
fn cut_rejection(project: &Project) -> Option<Review> {
    let text = project.read_text(HUMAN).ok()?;
    let plain: String = text.rsplit('\n').next()?.chars().filter(|c| !c.is_whitespace()).collect();
    let (head, _) = plain.split_once("\"verdict\":\"r")?;
    Review::parse(format!("{head}\"verdict\":\"reject\"}}").as_bytes()).ok()
}

/// How far the judges of these records agree with the reviews. A record that no judge can have written is `damage`: when
/// that is no error, nothing is judged there.
pub fn agreement(
    reviews: &Reviews,
    records: &Checkpoint,
    rubric: &Rubric,
    damage: impl Fn(Error) -> Result<()>,
) -> Result<HumanAgreement> {
    let judged = |id: &str| {
        let Some(record) = records.record(id)? else { return Ok(None) };
        let read = Judged::of(&record).map_err(|what| records.damage(id, &what));
        read.map_or_else(|error| damage(error).map(|()| None), |judged| Ok(Some(judged)))
    };
    let sorted = reviews.sorted().into_iter();
    let pairs = sorted.map(|review| Ok((review, judged(&review.id)?))).collect::<Result<Vec<_>>>()?;
    Ok(human_agreement(&pairs, rubric))
}

/// The file, open for one reviewer.
pub struct Journal {
    file: Arc<Checkpoint>,
}

impl Journal {
    /// Opens and locks it; a torn last line is moved aside.
    pub fn open(world: &World) -> Result<Journal> {
        let opened =
            Checkpoint::open(&world.project, HUMAN, Mode::Run).map_err(|error| match error.kind() {
                Kind::Locked => error.hint("one reviewer at a time: wait until the other has ended"),
                _ => error,
            })?;
        opened.warnings.into_iter().for_each(|text| world.emit(Event::Warning(text)));
        Ok(Journal { file: opened.checkpoint })
    }

    /// Adds a review; it is on disk when this returns.
    pub fn append(&self, review: &Review) -> Result<()> {
        match serde_json::to_value(review) {
            Ok(Value::Object(line)) => self.file.append(&line),
            _ => Err(Error::new(Kind::Internal, "a review is no JSON object")),
        }
    }
}
