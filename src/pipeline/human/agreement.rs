//! Human against judge: how far the judges' answers are those of the reviewers, per criterion and judge. What is
//! looked for is a fault, so NO is the positive answer.

use serde::Serialize;

use super::judged::Judged;
use super::{Review, Verdict, question_hash};
use crate::pipeline::agreement::{ANSWERS, Confusion};
use crate::pipeline::rubric::Rubric;
use crate::pipeline::score::round3;

/// The name of the final answers of several judges, beside the judges'.
pub const FINAL: &str = "final";

/// What stands for all criteria together.
pub const ALL: &str = "all";

/// The whole comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct HumanAgreement {
    /// Transcripts with a review.
    pub reviews: usize,
    /// Those whose answers count.
    pub counted: usize,
    /// Those of another text or rubric than the one that was judged, or that do not say of which.
    pub stale: usize,
    /// Those that no judge has a verdict on.
    pub not_judged: usize,
    /// The verdicts on the whole, of those that count.
    pub verdicts: Verdicts,
    /// A row a judge and criterion; the judges in order, the final answers last.
    pub rows: Vec<Row>,
}

/// What judges and humans say of whole transcripts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    /// Passed, and accepted.
    pub passed_accepted: usize,
    /// Passed, and rejected: what judges overlooked.
    pub passed_rejected: usize,
    /// Failed, and accepted: where judges were too strict.
    pub failed_accepted: usize,
    /// Failed, and rejected.
    pub failed_rejected: usize,
}

/// One judge on one criterion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The judge, or [`FINAL`].
    pub judge: String,
    /// The criterion, or [`ALL`].
    pub criterion: String,
    /// Answers that stand against a human's.
    pub answers: usize,
    /// Those that are the same.
    pub agree: usize,
    /// NO by both.
    pub both_no: usize,
    /// NO by the judge alone.
    pub judge_no: usize,
    /// NO by the human alone.
    pub human_no: usize,
    /// Of the judge's NOs, the share that the human says, too; none when the judge never says NO.
    pub precision: Option<f64>,
    /// Of the human's NOs, the share that the judge says, too; none when the human never says NO.
    pub recall: Option<f64>,
    /// Cohen's kappa over YES, NO and NA; none where it is not defined.
    pub kappa: Option<f64>,
    /// Where the judge has no answer (ERROR): they count nowhere else.
    pub errors: usize,
}

/// A judge's and a human's answer to a criterion.
struct Pair<'a> {
    judge: String,
    criterion: &'a str,
    judged: &'a str,
    human: &'static str,
}

/// Compares reviews with what was judged; `judged` is none where no judge has a verdict.
pub fn human_agreement(reviews: &[(&Review, Option<Judged>)], rubric: &Rubric) -> HumanAgreement {
    let mut all = HumanAgreement { reviews: reviews.len(), ..HumanAgreement::default() };
    let (mut pairs, mut judges) = (Vec::new(), Vec::<String>::new());
    for (review, judged) in reviews {
        let Some(judged) = judged else {
            all.not_judged += 1;
            continue;
        };
        if !counts(review, judged, rubric) {
            all.stale += 1;
            continue;
        }
        all.counted += 1;
        *all.verdicts.of(judged.pass, review.verdict) += 1;
        collect(review, judged, rubric, &mut pairs);
        judges.extend(judged.names());
    }
    judges.sort();
    judges.dedup();
    if judges.len() > 1 {
        judges.push(FINAL.into());
    }
    all.rows = judges.iter().flat_map(|judge| rows(judge, &pairs, rubric)).collect();
    all
}

impl Verdicts {
    fn of(&mut self, pass: bool, verdict: Verdict) -> &mut usize {
        match (pass, verdict) {
            (true, Verdict::Accept) => &mut self.passed_accepted,
            (true, Verdict::Reject) => &mut self.passed_rejected,
            (false, Verdict::Accept) => &mut self.failed_accepted,
            (false, Verdict::Reject) => &mut self.failed_rejected,
        }
    }
}

/// Whether a review speaks of what was judged: the same text, and the same rubric or at least one same question.
fn counts(review: &Review, judged: &Judged, rubric: &Rubric) -> bool {
    let same_text = judged.transcript_hash.as_deref().is_some_and(|hash| review.is_of_transcript(hash));
    let same = |criterion: &String| same_question(review, judged, criterion, rubric);
    same_text && (same_rubric(review, judged) || review.answers.keys().any(same))
}

fn same_rubric(review: &Review, judged: &Judged) -> bool {
    review.rubric_hash.is_some() && review.rubric_hash == judged.rubric_hash
}

/// A review stays good when the rubric changes elsewhere, or gets a calibration example: the judges can be measured again
/// without new reviews. What was judged by another rubric than today's cannot be told question by question.
fn same_question(review: &Review, judged: &Judged, criterion: &str, rubric: &Rubric) -> bool {
    if same_rubric(review, judged) {
        return true;
    }
    let today = rubric.criterion(criterion).map(question_hash);
    judged.rubric_hash.as_deref() == Some(rubric.hash())
        && today.is_some()
        && review.questions.get(criterion) == today.as_ref()
}

fn collect<'a>(review: &'a Review, judged: &'a Judged, rubric: &Rubric, pairs: &mut Vec<Pair<'a>>) {
    for (criterion, human) in &review.answers {
        if !same_question(review, judged, criterion, rubric) {
            continue;
        }
        let mut add = |judge: String, answers: &'a Judged| {
            pairs.push(Pair { judge, criterion, judged: answers.answer(criterion), human: human.word() });
        };
        judged.judges().iter().zip(judged.names()).for_each(|(judge, name)| add(name, judge));
        if judged.is_of_a_jury() {
            add(FINAL.into(), judged);
        }
    }
}

fn rows(judge: &str, pairs: &[Pair], rubric: &Rubric) -> Vec<Row> {
    let of: Vec<&Pair> = pairs.iter().filter(|pair| pair.judge == judge).collect();
    let ids = rubric.all_criteria().iter().map(|criterion| criterion.id.as_str());
    let by_criterion = ids.filter_map(|id| {
        let of: Vec<&Pair> = of.iter().copied().filter(|pair| pair.criterion == id).collect();
        (!of.is_empty()).then(|| row(judge, id, &of))
    });
    let mut rows: Vec<Row> = by_criterion.collect();
    if rows.len() > 1 {
        rows.push(row(judge, ALL, &of));
    }
    rows
}

fn row(judge: &str, criterion: &str, pairs: &[&Pair]) -> Row {
    let mut confusion = Confusion::default();
    pairs.iter().for_each(|pair| confusion.add(pair.judged, pair.human));
    let no = &["NO"][..];
    let other: Vec<&str> = ANSWERS.into_iter().filter(|answer| *answer != "NO").collect();
    let count = |judge: &[&str], human: &[&str]| confusion.count_of(judge, human) as usize;
    let (both_no, judge_no, human_no) = (count(no, no), count(no, &other), count(&other, no));
    let share = |of: usize| (of > 0).then(|| round3(both_no as f64 / of as f64));
    let answers = confusion.count() as usize;
    Row {
        judge: judge.into(),
        criterion: criterion.into(),
        answers,
        agree: ANSWERS.iter().map(|answer| count(&[*answer], &[*answer])).sum(),
        both_no,
        judge_no,
        human_no,
        precision: share(both_no + judge_no),
        recall: share(both_no + human_no),
        kappa: confusion.kappa().map(round3),
        errors: pairs.len() - answers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rubric(question: &str, examples: serde_json::Value) -> Rubric {
        Rubric::from_value(json!({
            "threshold": 0.5, "gates": [], "categories": [{"name": "x", "weight": 1.0, "criteria": ["A", "B"]}],
            "criteria": [{"id": "A", "question": question, "na_valid": true}, {"id": "B", "question": "b?", "examples": examples}],
        }))
        .unwrap()
    }

    fn review(id: &str, verdict: &str, answers: serde_json::Value, rubric: &Rubric) -> Review {
        let hash = format!("{id:0>64}");
        let line = json!({"id": id, "verdict": verdict, "answers": answers, "transcript_hash": hash, "rubric_hash": rubric.hash()});
        let mut review = Review::parse(line.to_string().as_bytes()).unwrap();
        review.note_questions(rubric);
        review
    }

    /// A verdict of two judges: the first's answers to A and B, then the second's.
    fn judged(id: &str, pass: bool, answers: [&str; 4], rubric: &Rubric) -> Judged {
        let hashes = |mut record: serde_json::Value| {
            record["transcript_hash"] = json!(format!("{id:0>64}"));
            record["rubric_hash"] = json!(rubric.hash());
            record
        };
        let one = |judge, a, b| hashes(json!({"id": id, "judge": judge, "answers": {"A": a, "B": b}}));
        let [a, b, c, d] = answers;
        let mut jury = hashes(json!({"id": id, "pass": pass, "complete": pass, "answers": {"A": a, "B": b}}));
        jury["verdicts"] = json!([one("p", a, b), one("q", c, d)]);
        Judged::of(&jury).unwrap()
    }

    #[test]
    fn judges_are_measured_by_criterion() {
        let rubric = rubric("a?", json!([]));
        let reviews = [
            (
                review("1", "reject", json!({"A": "NO", "B": "NO"}), &rubric),
                judged("1", true, ["NO", "YES", "NO", "NO"], &rubric),
            ),
            (
                review("2", "accept", json!({"A": "YES", "B": "YES"}), &rubric),
                judged("2", true, ["YES", "NO", "YES", "YES"], &rubric),
            ),
            (
                review("3", "accept", json!({"A": "NA", "B": "YES"}), &rubric),
                judged("3", false, ["YES", "YES", "NA", "ERROR"], &rubric),
            ),
        ];
        let reviews: Vec<_> = reviews.iter().map(|(review, judged)| (review, Some(judged.clone()))).collect();
        let found = human_agreement(&reviews, &rubric);
        assert_eq!((found.reviews, found.counted, found.stale), (3, 3, 0));
        let verdicts =
            Verdicts { passed_accepted: 1, passed_rejected: 1, failed_accepted: 1, failed_rejected: 0 };
        assert_eq!(found.verdicts, verdicts);
        let of = |judge: &str, criterion: &str| {
            found.rows.iter().find(|row| row.judge == judge && row.criterion == criterion).unwrap()
        };
        let row = of("p", "B");
        assert_eq!((row.answers, row.agree, row.both_no, row.judge_no, row.human_no), (3, 1, 0, 1, 1));
        assert_eq!((row.precision, row.recall, row.kappa), (Some(0.0), Some(0.0), Some(-0.5)));
        let row = of("p", "A");
        assert_eq!((row.precision, row.recall, row.agree), (Some(1.0), Some(1.0), 2));
        let row = of("q", "B");
        assert_eq!((row.answers, row.agree, row.errors, row.kappa), (2, 2, 1, Some(1.0)));
        assert_eq!((of("q", ALL).answers, of("q", ALL).agree), (5, 5));
        assert_eq!(of(FINAL, "A").agree, 2);
        let judges: Vec<&str> = found.rows.iter().map(|row| row.judge.as_str()).collect();
        assert_eq!(judges, ["p", "p", "p", "q", "q", "q", FINAL, FINAL, FINAL]);
    }

    #[test]
    fn what_is_of_another_text_or_rubric_does_not_count() {
        let before = rubric("a?", json!([]));
        let reviewed = review("1", "accept", json!({"A": "YES", "B": "YES"}), &before);
        let count = |review: &Review, today: &Rubric| {
            let judged = judged("1", true, ["YES", "YES", "YES", "YES"], today);
            let found = human_agreement(&[(review, Some(judged))], today);
            (found.counted, found.stale, found.rows.iter().map(|row| row.answers).sum::<usize>())
        };
        assert_eq!(count(&reviewed, &before), (1, 0, 12));
        // A calibration example changes no question; another question leaves the rest.
        assert_eq!(count(&reviewed, &rubric("a?", json!([{"type": "FAIL"}]))), (1, 0, 12));
        assert_eq!(count(&reviewed, &rubric("other?", json!([]))), (1, 0, 3));
        let edited = Review { transcript_hash: Some("0".repeat(64)), ..reviewed.clone() };
        assert_eq!(count(&edited, &before), (0, 1, 0));
        let by_hand = Review { transcript_hash: None, rubric_hash: None, ..reviewed };
        assert_eq!(count(&by_hand, &before), (0, 1, 0));
        assert_eq!(human_agreement(&[(&by_hand, None)], &before).not_judged, 1);
    }
}
