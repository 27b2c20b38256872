//! What humans say of the verdicts: by transcript, and by criterion where they answered it themselves.

use serde::Serialize;

use crate::pipeline::agreement::{ANSWERS, Confusion};
use crate::report::data::Data;
use crate::report::data::human::{Review, Verdict};
use crate::report::data::record::Record;

/// Humans against judges.
#[derive(Debug, Serialize)]
pub struct Human {
    /// Transcripts that a human has reviewed.
    pub reviews: usize,
    /// Those that are accepted.
    pub accepted: usize,
    /// Reviews of a transcript or a rubric that is another one by now, or without a verdict: not compared.
    pub outdated: usize,
    /// What passes, and is accepted.
    pub pass_accept: usize,
    /// What passes, and is rejected: bad data that the judges let through.
    pub pass_reject: usize,
    /// What does not pass, and is accepted: good data that is lost.
    pub fail_accept: usize,
    /// What does not pass, and is rejected.
    pub fail_reject: usize,
    /// How alike they are; what is found are transcripts that pass.
    #[serde(flatten)]
    pub measures: Measures,
    /// By criterion, where humans answered.
    pub criteria: Vec<OfCriterion>,
    /// The transcripts on which they differ.
    pub differ: Vec<String>,
}

/// How alike a human and the judges are.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Measures {
    /// The share that both say alike.
    pub agreement: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
    /// Of what the judges find, the share that the human finds, too.
    pub precision: Option<f64>,
    /// Of what the human finds, the share that the judges find, too.
    pub recall: Option<f64>,
}

/// A criterion that humans answered.
#[derive(Debug, Serialize)]
pub struct OfCriterion {
    /// Its id.
    pub id: String,
    /// Answers of both.
    pub answers: u64,
    /// How alike they are; what is found are NOs.
    #[serde(flatten)]
    pub measures: Measures,
}

impl Measures {
    /// The judges are the first of the table, the human is the second; `found` is the word that is looked for.
    fn of(table: &Confusion, found: &str) -> Measures {
        let both = table.count_of(&[found], &[found]);
        let share = |all: u64| (all > 0).then(|| both as f64 / all as f64);
        Measures {
            agreement: table.percent(),
            kappa: table.kappa(),
            precision: share(table.count_of(&[found], &ANSWERS)),
            recall: share(table.count_of(&ANSWERS, &[found])),
        }
    }
}

/// A review and the verdict that it is about.
type Both<'a> = (&'a Review, &'a Record);

/// The figures; none without a review.
pub fn of(data: &Data) -> Option<Human> {
    let reviews = data.human.values();
    let compared: Vec<Both> = reviews.clone().filter_map(|review| compared(data, review)).collect();
    let count = |pass: bool, accepts: bool| {
        compared.iter().filter(|both| both.1.pass == pass && accepts_it(both.0) == accepts).count()
    };
    let mut verdicts = Confusion::default();
    compared.iter().for_each(|both| verdicts.add(yes(both.1.pass), yes(accepts_it(both.0))));
    let differ = compared.iter().filter(|both| both.1.pass != accepts_it(both.0));
    (!data.human.is_empty()).then(|| Human {
        reviews: data.human.len(),
        accepted: reviews.filter(|review| accepts_it(review)).count(),
        outdated: data.human.len() - compared.len(),
        pass_accept: count(true, true),
        pass_reject: count(true, false),
        fail_accept: count(false, true),
        fail_reject: count(false, false),
        measures: Measures::of(&verdicts, "YES"),
        criteria: data.criteria().into_iter().filter_map(|id| of_criterion(id, &compared)).collect(),
        differ: differ.map(|both| both.0.id.clone()).collect(),
    })
}

fn accepts_it(review: &Review) -> bool {
    review.verdict == Verdict::Accept
}

/// The verdict that a review is about, unless one of the two has changed since.
fn compared<'a>(data: &'a Data, review: &'a Review) -> Option<Both<'a>> {
    let latest = data.verdicts.latest.get(&review.id).filter(|latest| latest.is_judged())?;
    let same = |theirs: &Option<String>, ours: &Option<String>| theirs.is_none() || theirs == ours;
    let record = &latest.record;
    let is_of_it = same(&review.transcript_hash, &record.transcript_hash)
        && same(&review.rubric_hash, &record.rubric_hash);
    is_of_it.then_some((review, record))
}

fn of_criterion(id: String, compared: &[Both]) -> Option<OfCriterion> {
    let mut table = Confusion::default();
    for (review, record) in compared {
        if let (Some(judges), Some(human)) = (record.answers.get(&id), review.answers.get(&id)) {
            table.add(judges, human);
        }
    }
    let answers = table.count();
    (answers > 0).then(|| OfCriterion { id, answers, measures: Measures::of(&table, "NO") })
}

fn yes(flag: bool) -> &'static str {
    if flag { "YES" } else { "NO" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::verdicts::Latest;
    use std::collections::BTreeMap;

    fn data(reviewed: &[(&str, bool, &str, &str)]) -> Data {
        let mut data = Data::default();
        for (i, (verdict, pass, judges, human)) in reviewed.iter().enumerate() {
            let (id, hash) = (format!("t{i}"), Some("h".to_string()));
            let answers = |word: &str| BTreeMap::from([("C1".to_string(), word.to_string())]);
            let record = Record {
                id: id.clone(),
                pass: *pass,
                complete: true,
                answers: answers(judges),
                transcript_hash: hash,
                ..Record::default()
            };
            data.verdicts.latest.insert(id.clone(), Latest { record, reason: "failed" });
            let review = serde_json::json!({
                "id": id, "verdict": verdict, "answers": answers(human), "transcript_hash": "h"
            });
            data.human.insert(id, serde_json::from_value(review).unwrap());
        }
        data
    }

    #[test]
    fn judges_are_held_against_the_human() {
        let mut data = data(&[
            ("accept", true, "YES", "YES"),
            ("accept", true, "NO", "NO"),
            ("reject", true, "YES", "NO"),
            ("accept", false, "NO", "YES"),
            ("reject", false, "NO", "NO"),
            ("reject", true, "YES", "NO"),
        ]);
        data.human.get_mut("t5").unwrap().transcript_hash = Some("another".into());
        let human = of(&data).unwrap();
        let cells = (human.pass_accept, human.pass_reject, human.fail_accept, human.fail_reject);
        assert_eq!((human.reviews, human.outdated, cells), (6, 1, (2, 1, 1, 1)));
        let two_thirds = (Some(2.0 / 3.0), Some(2.0 / 3.0));
        assert_eq!((human.measures.precision, human.measures.recall), two_thirds);
        assert_eq!(human.differ, ["t2", "t3"]);
        let first = &human.criteria[0];
        assert_eq!(first.answers, 5);
        assert_eq!((first.measures.precision, first.measures.recall), two_thirds);
        assert!(of(&Data::default()).is_none());
    }
}
