//! A review by arguments: `fthost review ID --reject --answer C3=NO`.

use std::collections::BTreeMap;

use super::desk::{self, Desk};
use crate::base::{Error, Kind, Result};
use crate::cli::args;
use crate::cli::output::Output;
use crate::pipeline::human::{Answer, Review, Verdict};

/// Writes the same review of each transcript that is named. All is checked before anything is written.
pub fn review(desk: &mut Desk, args: &args::Review, output: &Output) -> Result<()> {
    let verdict = if args.accept { Verdict::Accept } else { Verdict::Reject };
    desk.lock()?;
    let reviews = args.ids.iter().map(|id| one(desk, id, verdict, args)).collect::<Result<Vec<_>>>()?;
    for review in reviews {
        let said = said(&review);
        desk.save(review)?;
        output.result(&said);
    }
    Ok(())
}

fn one(desk: &Desk, id: &str, verdict: Verdict, args: &args::Review) -> Result<Review> {
    desk.judged_by_name(id)?;
    let text = desk.text(id)?;
    let earlier = desk.review_of(id, &text.hash);
    // What was answered before stays: a verdict that changes is no reason to lose it.
    let mut answers = earlier.as_ref().map(|review| review.answers.clone()).unwrap_or_default();
    answers.extend(answers_of(desk, &args.answer, text.exchanges.len())?);
    let note = args.note.clone().or_else(|| earlier.map(|review| review.note)).unwrap_or_default();
    Ok(Review {
        id: id.into(),
        verdict,
        answers,
        note,
        reviewer: String::new(),
        reviewed_at: String::new(),
        transcript_hash: Some(text.hash),
        rubric_hash: None,
        questions: BTreeMap::new(),
    })
}

fn answers_of(desk: &Desk, given: &[String], turns: usize) -> Result<BTreeMap<String, Answer>> {
    given.iter().map(|given| answer_of(desk, given, turns)).collect()
}

fn answer_of(desk: &Desk, given: &str, turns: usize) -> Result<(String, Answer)> {
    let usage = |what: String| Error::new(Kind::Usage, what).hint("write --answer C3=NO: YES, NO or NA");
    let (id, word) = given.split_once('=').ok_or_else(|| usage(format!("`{given}` is no answer")))?;
    let criterion = desk.criterion(id)?;
    let word = word.to_uppercase();
    let answer = Answer::of(&word).ok_or_else(|| usage(format!("`{word}` is no answer to {id}")))?;
    if answer == Answer::Na && !desk::may_be_na(criterion, turns) {
        return Err(usage(format!("NA is no valid answer to {id}")));
    }
    Ok((id.into(), answer))
}

fn said(review: &Review) -> String {
    let answers: Vec<String> =
        review.answers.iter().map(|(id, answer)| format!("{id} {}", answer.word())).collect();
    let answers = if answers.is_empty() { String::new() } else { format!(" ({})", answers.join(", ")) };
    format!("{} {}{answers}", review.verdict.word(), review.id)
}
