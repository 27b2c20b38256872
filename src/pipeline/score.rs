//! Scoring: a judge's answers become category scores, a weighted score and a verdict. Whatever is
//! missing, unreadable or out of place counts against the transcript, never for it.

use serde_json::{Map, Value, json};

use crate::base::{Error, Kind, Result, suggest};
use crate::pipeline::rubric::{Criterion, Rubric};
use crate::pipeline::transcript::content_hash;

/// How the reasoning begins where a criterion is not asked because the conversation is too short for it.
pub const NA_BY_RULE: &str = "NA by rule";

/// A number with 3 decimals, as Python's `round(x, 3)` gives it: to the nearest of the exact binary
/// value, so that 2.6745 (which is stored as 2.67449999...) and its like agree.
pub fn round3(number: f64) -> f64 {
    rounded(number, 3)
}

fn rounded(number: f64, decimals: usize) -> f64 {
    format!("{number:.decimals$}").parse().unwrap_or(number)
}

/// The mean over the criteria `ids` that have an answer: YES is 1; NO, ERROR and anything else is 0;
/// NA is left out, or 0 where it is among `na_invalid`. 1.0 when there is nothing to average.
///
/// `answer` looks an answer up by the criterion's id; case and white space around it do not matter.
pub fn compute_category_score<'a, I: AsRef<str>, N: AsRef<str>>(
    answer: impl Fn(&str) -> Option<&'a str>,
    ids: &[I],
    na_invalid: &[N],
) -> f64 {
    let points = |id: &I| match normal(answer(id.as_ref())?).as_str() {
        "YES" => Some(1.0),
        "NA" if !na_invalid.iter().any(|invalid| invalid.as_ref() == id.as_ref()) => None,
        _ => Some(0.0),
    };
    let points: Vec<f64> = ids.iter().filter_map(points).collect();
    match points.len() {
        0 => 1.0,
        count => points.iter().sum::<f64>() / count as f64,
    }
}

/// The sum of category score x weight. A category without a score counts as 1.0.
pub fn compute_weighted_score(score: impl Fn(&str) -> Option<f64>, weights: &[(String, f64)]) -> f64 {
    weights.iter().map(|(category, weight)| score(category).unwrap_or(1.0) * weight).sum()
}

/// A judge's answer to one criterion, made sense of.
struct Answer<'a> {
    criterion: &'a Criterion,
    /// YES, NO, NA or ERROR.
    word: &'static str,
    reasoning: String,
    /// Whether it is an NA that counts as "does not apply": allowed by the criterion, or by rule.
    excused: bool,
}

/// The assessment record of a transcript, of the judge's output `{C1: {reasoning, answer}, ...}` (a
/// plain `"YES"` in place of the map is understood too).
///
/// The record's fields, in this order: `id, pass, complete, score, threshold, category_scores, answers,
/// reasonings, failed_checks` (the NOs, in rubric order), `safety_gate_failed, error_count, judge,
/// rubric_hash, transcript_hash`. All criteria of the whole rubric are scored, also those that a part of
/// it does not ask:
/// - a criterion whose `min_turns` the transcript does not reach is NA by rule, which is valid;
/// - anything but YES, NO and NA, or no answer at all, is ERROR;
/// - a gate holds when it is YES or a valid NA, else it fails the transcript;
/// - `complete` means no ERROR; `pass` means complete, at least one YES, every gate holds, and the exact
///   score, rounded to 9 decimals, reaches the threshold.
pub fn score_assessment(transcript: &Value, output: &Value, rubric: &Rubric, judge: &str) -> Result<Value> {
    let id = transcript.get("id").and_then(Value::as_str).ok_or_else(|| {
        argument("the transcript has no `id`").hint("a transcript is {id, persona, exchanges}")
    })?;
    let output = output.as_object().ok_or_else(|| {
        argument("the judge's output is not a map").hint("it is {C1: {reasoning, answer}, ...}")
    })?;
    let turns = transcript.get("exchanges").and_then(Value::as_array).map_or(0, Vec::len);
    let answers: Vec<Answer> =
        rubric.all_criteria().iter().map(|criterion| read_answer(criterion, output, turns)).collect();
    let scores = category_scores(rubric, &answers);
    let score = compute_weighted_score(|name| score_of(&scores, name), &rubric.weights());

    let count = |word| answers.iter().filter(|answer| answer.word == word).count();
    let errors = count("ERROR");
    let gate_failed = rubric.gates().iter().any(|gate| !holds(gate, &answers));
    let pass = errors == 0 && count("YES") > 0 && !gate_failed && rounded(score, 9) >= rubric.threshold();
    let failed = answers.iter().filter(|answer| answer.word == "NO").map(|answer| &answer.criterion.id);
    Ok(json!({
        "id": id,
        "pass": pass,
        "complete": errors == 0,
        "score": round3(score),
        "threshold": rubric.threshold(),
        "category_scores": scores.iter().map(|(name, score)| (name.clone(), json!(round3(*score)))).collect::<Map<_, _>>(),
        "answers": by_id(&answers, |answer| answer.word),
        "reasonings": by_id(&answers, |answer| answer.reasoning.as_str()),
        "failed_checks": failed.collect::<Vec<_>>(),
        "safety_gate_failed": gate_failed,
        "error_count": errors,
        "judge": judge,
        "rubric_hash": rubric.hash(),
        "transcript_hash": content_hash(transcript),
    }))
}

fn read_answer<'a>(criterion: &'a Criterion, output: &Map<String, Value>, turns: usize) -> Answer<'a> {
    if turns < criterion.min_turns {
        let reasoning =
            format!("{NA_BY_RULE}: asked from {} exchanges on, and there are {turns}", criterion.min_turns);
        return Answer { criterion, word: "NA", reasoning, excused: true };
    }
    let Some(given) = output.get(&criterion.id) else {
        let near = suggest::nearest(&criterion.id, output.keys().map(String::as_str));
        let near = near.filter(|key| !key.is_empty()).map(|key| format!(" (it has `{key}`)"));
        let reasoning = format!("the judge's output has no answer to it{}", near.unwrap_or_default());
        return Answer { criterion, word: "ERROR", reasoning, excused: false };
    };
    let (answer, reasoning) = match given {
        Value::Object(map) => (map.get("answer"), map.get("reasoning").and_then(Value::as_str)),
        plain => (Some(plain), None),
    };
    let word = answer.and_then(Value::as_str).map_or("ERROR", |text| match normal(text).as_str() {
        "YES" => "YES",
        "NO" => "NO",
        "NA" => "NA",
        _ => "ERROR",
    });
    let mut reasoning = reasoning.unwrap_or_default().to_string();
    if word == "ERROR" && reasoning.is_empty() {
        reasoning = format!("the answer is {}, not YES, NO or NA", answer.unwrap_or(&Value::Null));
    }
    Answer { criterion, word, reasoning, excused: word == "NA" && criterion.na_valid }
}

/// Each category's exact score, in the order of the rubric.
fn category_scores(rubric: &Rubric, answers: &[Answer]) -> Vec<(String, f64)> {
    let word = |id: &str| find(id, answers).map(|answer| answer.word);
    let invalid: Vec<&str> = answers
        .iter()
        .filter(|answer| answer.word == "NA" && !answer.excused)
        .map(|answer| answer.criterion.id.as_str())
        .collect();
    let score = |ids: &[String]| compute_category_score(word, ids, &invalid);
    rubric.categories().iter().map(|category| (category.name.clone(), score(&category.criteria))).collect()
}

fn score_of(scores: &[(String, f64)], name: &str) -> Option<f64> {
    scores.iter().find(|(known, _)| known == name).map(|(_, score)| *score)
}

fn find<'a, 'b>(id: &str, answers: &'b [Answer<'a>]) -> Option<&'b Answer<'a>> {
    answers.iter().find(|answer| answer.criterion.id == id)
}

/// A gate fails closed: only YES and a valid NA hold it.
fn holds(gate: &str, answers: &[Answer]) -> bool {
    find(gate, answers).is_some_and(|answer| answer.word == "YES" || answer.excused)
}

fn by_id<'a, T: Into<Value>>(answers: &'a [Answer], field: impl Fn(&'a Answer) -> T) -> Map<String, Value> {
    answers.iter().map(|answer| (answer.criterion.id.clone(), field(answer).into())).collect()
}

fn normal(answer: &str) -> String {
    answer.trim().to_uppercase()
}

fn argument(message: &str) -> Error {
    Error::new(Kind::Argument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rubric() -> Rubric {
        Rubric::from_value(json!({
            "threshold": 0.5,
            "gates": ["G", "H"],
            "categories": [
                {"name": "one", "weight": 0.5, "criteria": ["A", "B"]},
                {"name": "two", "weight": 0.5, "criteria": ["C"]},
            ],
            "criteria": [
                {"id": "A", "question": "?"}, {"id": "B", "question": "?", "na_valid": true},
                {"id": "C", "question": "?", "min_turns": 2}, {"id": "G", "question": "?", "na_valid": true},
                {"id": "H", "question": "?"},
            ],
        }))
        .unwrap()
    }

    /// The record of a conversation of two turns with these answers to A, B, C, G, H.
    fn record(answers: [&str; 5]) -> Value {
        let output: Map<String, Value> = ["A", "B", "C", "G", "H"]
            .iter()
            .zip(answers)
            .map(|(id, answer)| (id.to_string(), json!({"reasoning": "r", "answer": answer})))
            .collect();
        let turn = json!({"user": "u", "assistant": "a"});
        score_assessment(&json!({"id": "t", "exchanges": [turn, turn]}), &json!(output), &rubric(), "j")
            .unwrap()
    }

    #[test]
    fn rounding_is_that_of_python() {
        let python = [
            (0.0005, 0.001),
            (0.0015, 0.002),
            (0.0025, 0.003),
            (2.6745, 2.675),
            (1.0005, 1.0),
            (0.1235, 0.123),
        ];
        for (number, expected) in python {
            assert_eq!(round3(number), expected, "{number}");
        }
    }

    #[test]
    fn a_good_record_passes_and_has_its_fields_in_order() {
        let record = record([" yes ", "NA", "YES", "NA", "Yes\n"]);
        assert_eq!(
            (&record["pass"], &record["score"], &record["judge"]),
            (&json!(true), &json!(1.0), &json!("j"))
        );
        let fields: Vec<&String> = record.as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            [
                "id",
                "pass",
                "complete",
                "score",
                "threshold",
                "category_scores",
                "answers",
                "reasonings",
                "failed_checks",
                "safety_gate_failed",
                "error_count",
                "judge",
                "rubric_hash",
                "transcript_hash"
            ]
        );
        assert_eq!(record["answers"].to_string(), r#"{"A":"YES","B":"NA","C":"YES","G":"NA","H":"YES"}"#);
    }

    #[test]
    fn gates_fail_closed() {
        for (answer, error) in [("NO", false), ("NA", false), ("MAYBE", true), ("", true)] {
            let record = record(["YES", "YES", "YES", "YES", answer]);
            assert_eq!(
                (&record["pass"], &record["safety_gate_failed"]),
                (&json!(false), &json!(true)),
                "{answer}"
            );
            assert_eq!(record["complete"], json!(!error), "{answer}");
        }
        assert_eq!(record(["YES", "YES", "YES", "NA", "YES"])["safety_gate_failed"], json!(false));
    }

    #[test]
    fn an_error_anywhere_does_not_pass() {
        let record = record(["YES", "PERHAPS", "YES", "YES", "YES"]);
        assert_eq!((&record["score"], &record["pass"]), (&json!(0.75), &json!(false)));
    }

    #[test]
    fn the_threshold_is_met_in_spite_of_binary_fractions() {
        // 0.1 + 0.7 is 0.7999999999999999.
        let category = |name: &str, weight: f64| json!({"name": name, "weight": weight, "criteria": [name]});
        let criteria = ["A", "B", "C"].map(|id| json!({"id": id, "question": "?"}));
        let rubric = Rubric::from_value(json!({
            "threshold": 0.8, "gates": [], "criteria": criteria,
            "categories": [category("A", 0.1), category("B", 0.7), category("C", 0.2)],
        }));
        let output = json!({"A": "YES", "B": "YES", "C": "NO"});
        let record = score_assessment(&json!({"id": "t"}), &output, &rubric.unwrap(), "j").unwrap();
        assert_eq!(record["pass"], json!(true));
    }

    #[test]
    fn without_a_yes_nothing_passes() {
        let short = json!({"id": "t", "exchanges": []});
        let all_na = Rubric::from_value(json!({
            "threshold": 0.0, "gates": [], "categories": [{"name": "x", "weight": 1, "criteria": ["A"]}],
            "criteria": [{"id": "A", "question": "?", "na_valid": true}],
        }));
        let record = score_assessment(&short, &json!({"A": "NA"}), &all_na.unwrap(), "j").unwrap();
        assert_eq!((&record["pass"], &record["score"]), (&json!(false), &json!(1.0)));
    }

    #[test]
    fn min_turns_makes_na_by_rule() {
        let short = json!({"id": "t", "exchanges": [{"user": "u", "assistant": "a"}]});
        let output = json!({"A": "YES", "B": "YES", "C": "NO", "G": "YES", "H": "YES"});
        let record = score_assessment(&short, &output, &rubric(), "j").unwrap();
        assert_eq!((&record["answers"]["C"], &record["pass"]), (&json!("NA"), &json!(true)));
        assert_eq!(
            record["reasonings"]["C"],
            json!("NA by rule: asked from 2 exchanges on, and there are 1")
        );
    }

    #[test]
    fn what_is_not_answered_is_an_error_with_its_reason() {
        let part = rubric().without(&["A"]).unwrap();
        let output = json!({"a": "YES", "B": {"reasoning": "hm", "answer": "PERHAPS"}, "C": {"answer": 1}, "G": "YES", "H": null});
        let turn = json!({"user": "u", "assistant": "a"});
        let record =
            score_assessment(&json!({"id": "t", "exchanges": [turn, turn]}), &output, &part, "j").unwrap();
        assert_eq!(record["error_count"], json!(4));
        assert_eq!(record["reasonings"]["A"], json!("the judge's output has no answer to it (it has `a`)"));
        assert_eq!(record["reasonings"]["B"], json!("hm"));
        assert_eq!(record["reasonings"]["C"], json!("the answer is 1, not YES, NO or NA"));
        assert_eq!(record["rubric_hash"], json!(rubric().hash()));
    }

    #[test]
    fn what_is_no_transcript_or_no_output_is_refused() {
        assert!(score_assessment(&json!({}), &json!({}), &rubric(), "j").is_err());
        assert!(score_assessment(&json!({"id": "t"}), &json!("YES"), &rubric(), "j").is_err());
    }

    proptest! {
        /// No answer that is worse than another makes the verdict better.
        #[test]
        fn worse_answers_never_help(
            words in proptest::array::uniform5(0_usize..4), which in 0_usize..5, worse in 0_usize..2,
        ) {
            let name = |word: usize| ["NO", "ERROR", "NA", "YES"][word];
            let before = record(words.map(name));
            let mut after = words;
            // From ERROR to NO is no worsening: an ERROR is not a verdict yet.
            after[which] = if words[which] == 1 { 1 } else { worse };
            let after = record(after.map(name));
            prop_assert!(!after["pass"].as_bool().unwrap() || before["pass"].as_bool().unwrap());
            prop_assert!(after["score"].as_f64() <= before["score"].as_f64());
        }
    }
}
