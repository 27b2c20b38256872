//! What lies before the reviewer: verdicts, transcripts, the rubric, and what was said of them so far.

use std::sync::Arc;

use crate::base::{Error, Kind, Result, suggest};
use crate::pipeline::human::judged::Judged;
use crate::pipeline::human::{Answer, Review, Reviews};
use crate::pipeline::rubric::{Criterion, Rubric};
use crate::pipeline::talk::Talk;
use crate::store::checkpoint::{Checkpoint, Mode};
use crate::store::ids::transcript_path;
use crate::work::World;
use crate::work::reviews::{self, Journal};

/// Today's rubric.
pub const RUBRIC: &str = "config/rubric.yaml";

/// The verdicts.
pub const ASSESSMENTS: &str = "data/assessments/checkpoint.jsonl";

/// See the [module](self).
pub struct Desk<'w> {
    /// The project.
    pub world: &'w World,
    /// Today's rubric, as it was when the command began: what the reviewer answers by.
    pub rubric: Rubric,
    /// All verdicts.
    pub assessments: Arc<Checkpoint>,
    /// All reviews.
    pub reviews: Reviews,
    reviewer: String,
    journal: Option<Journal>,
}

/// A transcript as it is today.
pub struct Text {
    /// What the user and the assistant said, in turn.
    pub exchanges: Vec<[String; 2]>,
    /// What identifies it.
    pub hash: String,
}

impl<'w> Desk<'w> {
    /// Lays out what there is; nothing is locked, and no file is changed.
    pub fn open(world: &'w World, reviewer: String) -> Result<Desk<'w>> {
        let rubric = Rubric::parse(RUBRIC, &world.project.read_text(RUBRIC)?)?;
        let assessments = Checkpoint::open(&world.project, ASSESSMENTS, Mode::Read)?.checkpoint;
        let reviews = reviews::read(&world.project)?;
        Ok(Desk { world, rubric, assessments, reviews, reviewer, journal: None })
    }

    /// Becomes the one who writes; what others have written meanwhile counts.
    pub fn lock(&mut self) -> Result<()> {
        if self.journal.is_none() {
            self.journal = Some(Journal::open(self.world)?);
            self.reviews = reviews::read(&self.world.project)?;
        }
        Ok(())
    }

    /// The verdict on a transcript.
    pub fn judged(&self, id: &str) -> Result<Option<Judged>> {
        let Some(record) = self.assessments.record(id)? else { return Ok(None) };
        Judged::of(&record).map(Some).map_err(|what| self.assessments.damage(id, &what))
    }

    /// The verdict on a transcript that was named.
    pub fn judged_by_name(&self, id: &str) -> Result<Judged> {
        self.judged(id)?.ok_or_else(|| {
            let known = self.assessments.ids();
            let hint = match suggest::nearest(id, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "run `fthost run scripts/assess.rhai` first".into(),
            };
            Error::new(Kind::NotFound, format!("there is no verdict on `{id}` in {ASSESSMENTS}")).hint(hint)
        })
    }

    /// A transcript as it is today.
    pub fn text(&self, id: &str) -> Result<Text> {
        let path = transcript_path(id);
        let text = self.world.project.read_text(&path)?;
        let talk = Talk::parse(&path, &text)?;
        let owned =
            |[user, assistant]: &[std::borrow::Cow<str>; 2]| [user.to_string(), assistant.to_string()];
        Ok(Text { exchanges: talk.exchanges.iter().map(owned).collect(), hash: talk.hash() })
    }

    /// The review of a transcript, if it is of this text, with the answers to what is asked today. One that does not
    /// say of which text is of any.
    pub fn review_of(&self, id: &str, hash: &str) -> Option<Review> {
        let review = self.reviews.get(id)?;
        let same_text = review.transcript_hash.is_none() || review.is_of_transcript(hash);
        same_text.then(|| review.by_rubric(&self.rubric))
    }

    /// Writes a review down, signed and dated; it is on disk when this returns.
    pub fn save(&mut self, mut review: Review) -> Result<()> {
        self.lock()?;
        review.reviewer = self.reviewer.clone();
        review.reviewed_at = (self.world.clock)();
        review.rubric_hash = Some(self.rubric.hash().to_string());
        review.note_questions(&self.rubric);
        if let Some(journal) = &self.journal {
            journal.append(&review)?;
        }
        self.reviews.insert(review);
        Ok(())
    }

    /// The criterion of this id.
    pub fn criterion(&self, id: &str) -> Result<&Criterion> {
        self.rubric.criterion(id).ok_or_else(|| {
            let known = self.rubric.all_criteria().iter().map(|criterion| criterion.id.as_str());
            Error::new(Kind::Usage, format!("the rubric has no criterion `{id}`"))
                .hint(suggest::hint(id, known))
        })
    }
}

/// Whether NA can be an answer to a criterion in a transcript of so many turns.
pub fn may_be_na(criterion: &Criterion, turns: usize) -> bool {
    criterion.na_valid || turns < criterion.min_turns
}

/// The answers that one may give.
pub fn possible(criterion: &Criterion, turns: usize) -> impl Iterator<Item = Answer> {
    let na = may_be_na(criterion, turns);
    Answer::ALL.into_iter().filter(move |answer| na || *answer != Answer::Na)
}
