//! What the reviewer says of the transcript at hand, until and after it is written.

use std::collections::BTreeMap;

use super::desk;
use super::subject::Subject;
use crate::pipeline::human::{Answer, Review, Verdict};

/// What is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// Of the whole.
    pub verdict: Option<Verdict>,
    /// Of single criteria.
    pub answers: BTreeMap<String, Answer>,
    /// Besides.
    pub note: String,
}

/// What is said, what of it is written, and what was said before.
#[derive(Debug, Default)]
pub struct Draft {
    now: Said,
    written: Said,
    before: Vec<Said>,
}

impl Draft {
    /// That of a transcript, which may have a review.
    pub fn of(review: Option<&Review>) -> Draft {
        let said = review.map(|review| Said {
            verdict: Some(review.verdict),
            answers: review.answers.clone(),
            note: review.note.clone(),
        });
        let said = said.unwrap_or_default();
        Draft { now: said.clone(), written: said, before: Vec::new() }
    }

    /// What is said now.
    pub fn said(&self) -> &Said {
        &self.now
    }

    /// Changes it; `undo` leads back.
    pub fn change(&mut self, change: impl FnOnce(&mut Said)) {
        let before = self.now.clone();
        change(&mut self.now);
        if self.now != before {
            self.before.push(before);
        }
    }

    /// Takes the last change back; false when there is none.
    pub fn undo(&mut self) -> bool {
        match self.before.pop() {
            Some(before) => {
                self.now = before;
                true
            }
            None => false,
        }
    }

    /// Whether something is said that is not written.
    pub fn is_open(&self) -> bool {
        self.now != self.written
    }

    /// Forgets what is not written.
    pub fn drop_open(&mut self) {
        self.now = self.written.clone();
    }

    /// It was written.
    pub fn set_written(&mut self) {
        self.written = self.now.clone();
    }

    /// The review to write; none without a verdict, or of a text that cannot be read.
    pub fn review(&self, subject: &Subject) -> Option<Review> {
        let text = subject.text.as_ref().ok()?;
        Some(Review {
            id: subject.judged.id.clone(),
            verdict: self.now.verdict?,
            answers: self.now.answers.clone(),
            note: self.now.note.clone(),
            reviewer: String::new(),
            reviewed_at: String::new(),
            transcript_hash: Some(text.hash.clone()),
            rubric_hash: None,
            questions: BTreeMap::new(),
        })
    }
}

/// The answers to a criterion that are not the shown one.
pub fn others(subject: &Subject, criterion: usize) -> Vec<Answer> {
    let Some(criterion) = subject.criteria.get(criterion) else { return Vec::new() };
    let shown = subject.judged.answer(&criterion.id);
    let possible = desk::possible(criterion, subject.exchanges().len());
    possible.filter(|answer| answer.word() != shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::review::subject::tests::subject;

    #[test]
    fn changes_are_open_until_they_are_written_and_can_be_taken_back() {
        let mut draft = Draft::default();
        assert!(!draft.is_open() && !draft.undo());
        draft.change(|said| _ = said.answers.insert("A".into(), Answer::No));
        draft.change(|said| _ = said.answers.insert("A".into(), Answer::No));
        assert!(draft.is_open() && draft.review(&subject()).is_none());
        draft.change(|said| said.verdict = Some(Verdict::Reject));
        let review = draft.review(&subject()).unwrap();
        assert_eq!((review.verdict, review.transcript_hash.as_deref()), (Verdict::Reject, Some("h")));
        draft.set_written();
        assert!(!draft.is_open());
        assert!(draft.undo() && draft.is_open() && draft.said().verdict.is_none());
        assert!(draft.undo() && !draft.undo());
        draft.drop_open();
        assert_eq!(draft.said().verdict, Some(Verdict::Reject));
    }

    #[test]
    fn the_other_answers_are_those_that_are_possible() {
        assert_eq!(others(&subject(), 0), [Answer::Yes, Answer::Na]);
        assert_eq!(others(&subject(), 1), [Answer::No]);
    }
}
