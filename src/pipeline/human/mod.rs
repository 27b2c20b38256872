//! What humans said of transcripts: the lines of `data/assessments/human.jsonl`, and what follows from them.

pub mod agreement;
pub mod judged;
pub mod mentions;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::{Result, hash};
use crate::pipeline::rubric::{Criterion, Rubric};

/// What a human says of a whole transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is good; a transcript that failed does not pass by that.
    Accept,
    /// It is never trained on.
    Reject,
}

impl Verdict {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Accept => "accept",
            Verdict::Reject => "reject",
        }
    }
}

/// A human's own answer to a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Answer {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It does not apply.
    Na,
}

impl Answer {
    /// All of them.
    pub const ALL: [Answer; 3] = [Answer::Yes, Answer::No, Answer::Na];

    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Answer::Yes => "YES",
            Answer::No => "NO",
            Answer::Na => "NA",
        }
    }

    /// The answer of a word; none for ERROR and whatever else.
    pub fn of(word: &str) -> Option<Answer> {
        Answer::ALL.into_iter().find(|answer| answer.word() == word)
    }
}

/// One review of one transcript: a line of the file. Only `id` and `verdict` must be there; fields that are not
/// known here are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The transcript's.
    pub id: String,
    /// What is said of the whole.
    pub verdict: Verdict,
    /// The human's own answers, by criterion, where there are any.
    #[serde(default)]
    pub answers: BTreeMap<String, Answer>,
    /// What the human has to say besides.
    #[serde(default)]
    pub note: String,
    /// Who it was.
    #[serde(default)]
    pub reviewer: String,
    /// When, as RFC 3339.
    #[serde(default)]
    pub reviewed_at: String,
    /// What the transcript was then.
    #[serde(default)]
    pub transcript_hash: Option<String>,
    /// What the rubric was then.
    #[serde(default)]
    pub rubric_hash: Option<String>,
    /// What was asked: the [`question_hash`] of each criterion that has an answer.
    #[serde(default)]
    pub questions: BTreeMap<String, String>,
}

impl Review {
    /// Reads a line; the error says what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Review, String> {
        let text = std::str::from_utf8(line)
            .map_err(|e| format!("not UTF-8 text at byte {}", e.valid_up_to() + 1))?;
        if !text.trim_start().starts_with('{') {
            return Err("it is not a JSON object".into());
        }
        let review: Review = serde_json::from_str(text).map_err(|e| plain(&e))?;
        if review.id.is_empty() {
            return Err("its `id` is empty".into());
        }
        Ok(review)
    }

    /// Whether it is about this text.
    pub fn is_of_transcript(&self, hash: &str) -> bool {
        self.transcript_hash.as_deref() == Some(hash)
    }

    /// The same for this rubric: answers to questions that are others by now, or gone, are left out.
    pub fn by_rubric(&self, rubric: &Rubric) -> Review {
        let same_rubric = self.rubric_hash.as_deref() == Some(rubric.hash());
        let is_same = |id: &String| {
            let today = rubric.criterion(id).map(question_hash);
            today.is_some() && (same_rubric || self.questions.get(id) == today.as_ref())
        };
        let answers = self.answers.iter().filter(|(id, _)| is_same(id));
        Review { answers: answers.map(|(id, answer)| (id.clone(), *answer)).collect(), ..self.clone() }
    }

    /// Keeps what was asked, beside the answers.
    pub fn note_questions(&mut self, rubric: &Rubric) {
        let asked = |id: &String| Some((id.clone(), question_hash(rubric.criterion(id)?)));
        self.questions = self.answers.keys().filter_map(asked).collect();
    }
}

/// What identifies a criterion's question. A judge's calibration examples are no part of it: a human's answer stays
/// good when one is added.
pub fn question_hash(criterion: &Criterion) -> String {
    let content = json!([criterion.question, criterion.guidance, criterion.na_valid]);
    hash::sha256(&hash::canonical(&content))[..16].to_string()
}

/// All reviews; of an id the last one counts.
#[derive(Debug, Clone, Default)]
pub struct Reviews {
    by_id: HashMap<String, Review>,
}

impl Reviews {
    /// Takes in a later one.
    pub fn insert(&mut self, review: Review) {
        self.by_id.insert(review.id.clone(), review);
    }

    /// The last one of an id.
    pub fn get(&self, id: &str) -> Option<&Review> {
        self.by_id.get(id)
    }

    /// How many transcripts have one.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The last ones, in the order of the ids.
    pub fn sorted(&self) -> Vec<&Review> {
        let mut all: Vec<&Review> = self.by_id.values().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// The ids that are never trained on.
    pub fn rejected(&self) -> HashSet<String> {
        let rejected = self.by_id.values().filter(|review| review.verdict == Verdict::Reject);
        rejected.map(|review| review.id.clone()).collect()
    }
}

/// What is wrong with a line, without the words of the parser.
fn plain(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let full = error.to_string();
    let what = full.split(" at line ").next().unwrap_or(&full);
    const WORDS: &[(&str, &str)] = &[
        ("invalid type: ", "wrong type: "),
        ("missing field", "it has no"),
        ("duplicate field", "there twice:"),
        ("unknown variant", "unknown word"),
        ("struct Review", "a review"),
    ];
    match error.classify() {
        Category::Eof => "it is cut off".into(),
        Category::Data => WORDS.iter().fold(what.to_string(), |text, (from, to)| text.replace(from, to)),
        Category::Syntax | Category::Io => format!("not valid JSON at column {}", error.column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> String {
        Review::parse(line.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_review_needs_an_id_and_a_verdict_and_keeps_the_rest() {
        let review = Review::parse(br#"{"verdict": "reject", "id": "a", "colour": {"x": 1}}"#).unwrap();
        assert_eq!(
            (review.verdict, review.answers.len(), review.transcript_hash.is_none()),
            (Verdict::Reject, 0, true)
        );
        let line = r#"{"id":"a","verdict":"accept","answers":{"C1":"NA"},"note":"n","reviewer":"r","reviewed_at":"t","transcript_hash":"h","rubric_hash":null,"questions":{"C1":"q"}}"#;
        let review = Review::parse(line.as_bytes()).unwrap();
        assert_eq!(review.answers["C1"], Answer::Na);
        assert_eq!(serde_json::to_string(&review).unwrap(), line);
    }

    #[test]
    fn answers_to_other_questions_are_left_out() {
        let rubric = |a: &str| {
            let criteria = json!([{"id": "A", "question": a}, {"id": "B", "question": "b?"}]);
            let category = json!({"name": "x", "weight": 1.0, "criteria": ["A", "B"]});
            Rubric::from_value(json!({"threshold": 0.5, "categories": [category], "criteria": criteria}))
                .unwrap()
        };
        let line = br#"{"id": "t", "verdict": "accept", "answers": {"A": "NO", "B": "NO", "C": "NO"}}"#;
        let mut review = Review::parse(line).unwrap();
        let kept =
            |review: &Review, a: &str| review.by_rubric(&rubric(a)).answers.into_keys().collect::<Vec<_>>();
        assert!(kept(&review, "a?").is_empty(), "it does not say what was asked");
        review.note_questions(&rubric("a?"));
        assert_eq!(kept(&review, "a?"), ["A", "B"]);
        assert_eq!(kept(&review, "other?"), ["B"]);
        review.rubric_hash = Some(rubric("other?").hash().into());
        assert_eq!(kept(&review, "other?"), ["A", "B"]);
    }

    #[test]
    fn what_is_no_review_is_told_in_plain_words() {
        for (line, what) in [
            ("[]", "it is not a JSON object"),
            (r#"{"id": "a"}"#, "it has no `verdict`"),
            (r#"{"verdict": "accept"}"#, "it has no `id`"),
            (r#"{"id": "", "verdict": "accept"}"#, "its `id` is empty"),
            (r#"{"id": 7, "verdict": "accept"}"#, "wrong type: integer `7`, expected a string"),
            (r#"{"id": "a", "verdict": "maybe"}"#, "unknown word `maybe`, expected `accept` or `reject`"),
            (r#"{"id": "a", "verdict": "reject", "verdict": "accept"}"#, "there twice: `verdict`"),
            (r#"{"id": "a", "verdict": "accept", "answers": {"C1": "ERROR"}}"#, "unknown word `ERROR`"),
            (r#"{"id": "a", "verdict": "accept""#, "it is cut off"),
            (r#"{"id": "a", "verdict": "accept"} {}"#, "not valid JSON at column 34"),
        ] {
            assert!(fault(line).contains(what), "{line}: {}", fault(line));
        }
    }

    #[test]
    fn the_last_of_an_id_counts() {
        let mut reviews = Reviews::default();
        for (id, verdict) in [("a", "reject"), ("b", "reject"), ("a", "accept")] {
            let line = format!("{{\"id\": \"{id}\", \"verdict\": \"{verdict}\"}}");
            reviews.insert(Review::parse(line.as_bytes()).unwrap());
        }
        assert_eq!((reviews.len(), reviews.rejected()), (2, HashSet::from(["b".to_string()])));
    }
}
