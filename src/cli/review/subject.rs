//! One transcript under review: its text, its verdict, and the judges' words beside the turns that they speak of.

use super::desk::{Desk, Text};
use crate::base::{Error, Result};
use crate::pipeline::human::Review;
use crate::pipeline::human::judged::Judged;
use crate::pipeline::human::mentions::{mentions, sentence_at};
use crate::pipeline::rubric::Criterion;

/// See the [module](self).
pub struct Subject {
    /// What the judges said.
    pub judged: Judged,
    /// The transcript today, or why it cannot be shown.
    pub text: Result<Text, Error>,
    /// The criteria of today's rubric, in its order.
    pub criteria: Vec<Criterion>,
    /// What is to be read beside the turns.
    pub remarks: Vec<Remark>,
    /// The review of this text, if there is one.
    pub review: Option<Review>,
    /// What the reviewer should know before.
    pub warnings: Vec<String>,
    gates: Vec<String>,
}

/// A judge's answer and reasoning, at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Remark {
    /// The criterion.
    pub criterion: String,
    /// Who says so: judges that say the same are one.
    pub judges: Vec<String>,
    /// The answer.
    pub answer: String,
    /// All of the reasoning, or of a further turn the sentence that names it.
    pub words: String,
    /// Beside which turn, counted from 1; none: it names none.
    pub turn: Option<usize>,
}

impl Subject {
    /// Fetches a transcript with its verdict.
    pub fn load(desk: &Desk, id: &str) -> Result<Subject> {
        let judged = desk.judged_by_name(id)?;
        let text = desk.text(id);
        let review = text.as_ref().ok().and_then(|text| desk.review_of(id, &text.hash));
        let exchanges = text.as_ref().map_or(&[][..], |text| &text.exchanges);
        let criteria = desk.rubric.all_criteria().to_vec();
        let remarks = remarks(&judged, &criteria, exchanges);
        let warnings = warnings(desk, &judged, &text, review.is_some());
        Ok(Subject { judged, text, criteria, remarks, review, warnings, gates: desk.rubric.gates().to_vec() })
    }

    /// The exchanges, none when the text cannot be shown.
    pub fn exchanges(&self) -> &[[String; 2]] {
        self.text.as_ref().map_or(&[], |text| &text.exchanges)
    }

    /// Whether a criterion fails the transcript on its own.
    pub fn is_gate(&self, criterion: &str) -> bool {
        self.gates.iter().any(|gate| gate == criterion)
    }

    /// The first turn that judges speak of at a criterion.
    pub fn first_turn(&self, criterion: &str) -> Option<usize> {
        self.remarks.iter().filter(|remark| remark.criterion == criterion).find_map(|remark| remark.turn)
    }
}

fn warnings(desk: &Desk, judged: &Judged, text: &Result<Text, Error>, reviewed: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if text.as_ref().is_ok_and(|text| judged.transcript_hash.as_ref().is_some_and(|hash| *hash != text.hash))
    {
        warnings.push("edited since it was judged".to_string());
    }
    if judged.rubric_hash.as_deref().is_some_and(|hash| hash != desk.rubric.hash()) {
        warnings.push("judged by another rubric".into());
    }
    if let Some(earlier) = desk.reviews.get(&judged.id).filter(|_| !reviewed) {
        warnings.push(format!("an earlier text was reviewed: {}", earlier.verdict.word()));
    }
    warnings
}

fn remarks(judged: &Judged, criteria: &[Criterion], exchanges: &[[String; 2]]) -> Vec<Remark> {
    criteria
        .iter()
        .flat_map(|criterion| opinions(judged, &criterion.id))
        .flat_map(|whole| placed(whole, exchanges))
        .collect()
}

/// What judges say to a criterion; who says the same stands together.
fn opinions(judged: &Judged, criterion: &str) -> Vec<Remark> {
    let mut opinions: Vec<Remark> = Vec::new();
    for (judge, name) in judged.judges().iter().zip(judged.names()) {
        let (answer, words) = (judge.answer(criterion), judge.reasoning(criterion));
        match opinions.iter_mut().find(|known| known.answer == answer && known.words == words) {
            Some(same) => same.judges.push(name),
            None if answer.is_empty() && words.is_empty() => {}
            None => opinions.push(Remark {
                criterion: criterion.into(),
                judges: vec![name],
                answer: answer.into(),
                words: words.into(),
                turn: None,
            }),
        }
    }
    opinions
}

/// All of it at the first turn that it names, and at the others the sentence that does so.
fn placed(whole: Remark, exchanges: &[[String; 2]]) -> Vec<Remark> {
    let found = mentions(&whole.words, exchanges);
    let Some((first, others)) = found.split_first() else { return vec![whole] };
    let sentence = |at| format!("… {}", sentence_at(&whole.words, at));
    let others = others.iter().map(|mention| Remark {
        turn: Some(mention.turn),
        words: sentence(mention.at),
        ..whole.clone()
    });
    let others: Vec<Remark> = others.collect();
    [Remark { turn: Some(first.turn), ..whole }].into_iter().chain(others).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::pipeline::rubric::Rubric;
    use serde_json::json;

    /// A transcript of three turns, judged by two judges on two criteria.
    pub fn subject() -> Subject {
        let rubric = Rubric::from_value(json!({
            "threshold": 0.5, "gates": ["G"], "categories": [{"name": "x", "weight": 1.0, "criteria": ["A"]}],
            "criteria": [{"id": "A", "question": "Is it right?", "na_valid": true}, {"id": "G", "question": "Is it safe?"}],
        }))
        .unwrap();
        let verdict = |judge, a, why: &str, g| json!({"id": "t", "judge": judge, "answers": {"A": a, "G": g}, "reasonings": {"A": why, "G": "Safe."}});
        let strict = verdict("strict", "NO", "Turn 2 is wrong. So is turn 3.", "YES");
        let mut jury = strict.clone();
        jury["verdicts"] = json!([strict, verdict("mild", "YES", "All is well.", "YES")]);
        jury["disputed"] = json!(["A"]);
        let judged = Judged::of(&jury).unwrap();
        let exchanges: Vec<[String; 2]> =
            (1..=3).map(|n| [format!("question {n}"), format!("answer {n}")]).collect();
        let criteria = rubric.all_criteria().to_vec();
        let remarks = remarks(&judged, &criteria, &exchanges);
        let text = Ok(Text { exchanges, hash: "h".into() });
        Subject {
            judged,
            text,
            criteria,
            remarks,
            review: None,
            warnings: Vec::new(),
            gates: vec!["G".into()],
        }
    }

    #[test]
    fn words_stand_beside_their_turns_and_judges_that_agree_together() {
        let subject = subject();
        let found: Vec<(&str, Option<usize>, &str)> = subject
            .remarks
            .iter()
            .map(|remark| (remark.criterion.as_str(), remark.turn, remark.words.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("A", Some(2), "Turn 2 is wrong. So is turn 3."),
                ("A", Some(3), "… So is turn 3."),
                ("A", None, "All is well."),
                ("G", None, "Safe."),
            ]
        );
        assert_eq!(subject.remarks[3].judges, ["strict", "mild"]);
        assert_eq!((subject.first_turn("A"), subject.first_turn("G")), (Some(2), None));
        assert!(subject.is_gate("G") && !subject.is_gate("A"));
    }
}
