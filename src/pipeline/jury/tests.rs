//! What a jury makes of its judges' records.

use super::*;
use crate::pipeline::score::score_assessment;
use proptest::prelude::*;
use std::sync::LazyLock;

fn record(judge: &str, pass: bool, score: f64, answers: Value) -> Value {
    json!({
        "id": "t", "pass": pass, "complete": true, "score": score, "answers": answers,
        "safety_gate_failed": false, "error_count": 0, "judge": judge, "rubric_hash": "r", "transcript_hash": "t",
    })
}

#[test]
fn the_strictest_is_taken_and_all_are_kept() {
    let records = [
        record("mild", true, 0.9, json!({"A": "YES", "B": "YES", "C": "NA"})),
        record("hard", false, 0.7, json!({"A": "YES", "B": "NO", "C": "NO"})),
        record("harder", false, 0.6, json!({"A": "YES", "B": "NO", "C": "ERROR"})),
    ];
    let verdict = strictest(&records).unwrap();
    assert_eq!(
        (&verdict["judge"], &verdict["score"], &verdict["spread"]),
        (&json!("harder"), &json!(0.6), &json!(0.3))
    );
    assert_eq!((&verdict["disagreement"], &verdict["disputed"]), (&json!(true), &json!(["B", "C"])));
    assert_eq!(verdict["verdicts"], json!(records));
}

#[test]
fn a_failing_verdict_wins_over_a_lower_score() {
    let records = [record("low", true, 0.8, json!({})), record("fails", false, 0.9, json!({}))];
    let verdict = strictest(&records).unwrap();
    assert_eq!((&verdict["judge"], &verdict["pass"]), (&json!("fails"), &json!(false)));
    assert_eq!((&verdict["spread"], &verdict["disagreement"]), (&json!(0.1), &json!(true)));
}

#[test]
fn a_spread_of_exactly_the_limit_is_no_disagreement() {
    let spread = |low: f64| {
        strictest(&[record("a", true, 1.0, json!({})), record("b", true, low, json!({}))]).unwrap()
    };
    assert_eq!(spread(0.85)["disagreement"], json!(false));
    assert_eq!(spread(0.849)["disagreement"], json!(true));
}

#[test]
fn any_gate_and_any_gap_fails_all() {
    let good = record("a", true, 0.9, json!({}));
    let mut gate = record("b", false, 0.95, json!({}));
    gate["safety_gate_failed"] = json!(true);
    let verdict = strictest(&[good.clone(), gate, record("c", false, 0.1, json!({}))]).unwrap();
    assert_eq!((&verdict["judge"], &verdict["safety_gate_failed"]), (&json!("c"), &json!(true)));

    let mut careless = good.clone();
    careless["safety_gate_failed"] = json!(true);
    assert_eq!(strictest(&[good.clone(), careless]).unwrap()["pass"], json!(false));

    let mut gap = record("b", true, 0.95, json!({}));
    gap["complete"] = json!(false);
    gap["error_count"] = json!(2);
    let verdict = strictest(&[good, gap]).unwrap();
    assert_eq!(
        (&verdict["complete"], &verdict["pass"], &verdict["error_count"]),
        (&json!(false), &json!(false), &json!(2))
    );
}

#[test]
fn one_judge_is_a_jury_and_none_is_not() {
    let only = record("a", true, 0.9, json!({"A": "YES"}));
    let verdict = strictest(std::slice::from_ref(&only)).unwrap();
    assert_eq!(
        (&verdict["pass"], &verdict["disagreement"], &verdict["disputed"]),
        (&json!(true), &json!(false), &json!([]))
    );
    assert!(strictest(&[]).is_err());
    let mut other = only.clone();
    other["id"] = json!("u");
    assert_eq!(strictest(&[only, other]).unwrap_err().message(), "the judges' records differ in `id`");
    assert!(strictest(&[json!({"id": "t"})]).is_err());
}

/// Four criteria of equal weight beside a gate; the gate and the second may be NA.
static RUBRIC: LazyLock<Rubric> = LazyLock::new(|| {
    let criteria = ["A", "B", "C", "D", "G"]
        .map(|id| json!({"id": id, "question": "?", "na_valid": id == "B" || id == "G"}));
    let categories = ["A", "B", "C", "D"].map(|id| json!({"name": id, "weight": 0.25, "criteria": [id]}));
    let value = json!({"threshold": 0.5, "gates": ["G"], "categories": categories, "criteria": criteria});
    Rubric::from_value(value).unwrap()
});

/// Judges' records with these answers, a letter each: Yes, No, na (-), error (?).
fn records(judges: &[&str]) -> Vec<Value> {
    let word = |letter| match letter {
        'Y' => "YES",
        'N' => "NO",
        '-' => "NA",
        _ => "what",
    };
    let talk = json!({"id": "t", "exchanges": [{"user": "u", "assistant": "a"}]});
    let of_judge = |(number, answers): (usize, &&str)| {
        let output: Map<String, Value> = ["A", "B", "C", "D", "G"]
            .into_iter()
            .zip(answers.chars())
            .map(|(id, letter)| {
                (id.into(), json!({"reasoning": format!("{number} says"), "answer": word(letter)}))
            })
            .collect();
        score_assessment(&talk, &json!(output), &RUBRIC, &format!("judge {number}")).unwrap()
    };
    judges.iter().enumerate().map(of_judge).collect()
}

fn by(policy: Policy, judges: &[&str]) -> Value {
    jury(&records(judges), &RUBRIC, 1, policy).unwrap()
}

fn answers(record: &Value) -> String {
    let letter = |word: &Value| match word.as_str().unwrap() {
        "NA" => '-',
        "ERROR" => '?',
        word => word.chars().next().unwrap(),
    };
    record["answers"].as_object().unwrap().values().map(letter).collect()
}

#[test]
fn answers_are_counted_as_the_policy_says() {
    for (judges, majority, unanimous) in [
        (&["YYYYY", "YYYYY"][..], "YYYYY", "YYYYY"),
        (&["YYNYY", "NYNYY"], "NYNYY", "NYNYY"),
        (&["YYNYY", "NYNYY", "YYYYY"], "YYNYY", "NYNYY"),
        (&["YYYYY", "Y-YYY"], "Y-YYY", "Y-YYY"),
        (&["YYYYY", "Y-YYY", "YNYYY"], "YNYYY", "YNYYY"),
        (&["YYYYY", "Y-YYY", "Y-YYY"], "Y-YYY", "Y-YYY"),
        (&["YYYYY", "YYYYY", "Y-YYY"], "YYYYY", "Y-YYY"),
        (&["YY?YY", "YYYYY", "YYYYY"], "YY?YY", "YY?YY"),
    ] {
        let found = [Policy::Majority, Policy::Unanimous].map(|policy| answers(&by(policy, judges)));
        assert_eq!(found, [majority, unanimous], "{judges:?}");
    }
}

#[test]
fn a_merged_record_is_scored_anew_and_gives_the_reasons_of_its_answers() {
    let record = by(Policy::Majority, &["YYNNY", "NYYNY", "NYYYY"]);
    assert_eq!((&record["score"], &record["pass"]), (&json!(0.5), &json!(true)));
    assert_eq!(record["reasonings"]["A"], "1 says");
    assert_eq!((&record["judge"], &record["policy"]), (&json!("majority of 3 judges"), &json!("majority")));
    assert_eq!(
        (&record["failed_checks"], &record["disputed"]),
        (&json!(["A", "D"]), &json!(["A", "C", "D"]))
    );
    assert_eq!(record["verdicts"].as_array().unwrap().len(), 3);
    // More than half of the judges must pass it themselves.
    assert_eq!(by(Policy::Majority, &["YNNNY", "NYNNY", "YYNNY"])["pass"], json!(false));
    let unanimous = by(Policy::Unanimous, &["YYYNY", "YNYYY", "NYYYY"]);
    assert_eq!((&unanimous["score"], &unanimous["pass"]), (&json!(0.25), &json!(false)));
}

#[test]
fn what_every_judge_passes_passes_by_majority() {
    let judges = ["YYNNY", "YNYNY", "YNNYY"];
    let record = by(Policy::Majority, &judges);
    assert_eq!((&record["pass"], &record["judge"]), (&json!(true), &json!("judge 0")));
    assert_eq!(by(Policy::Strictest, &judges)["pass"], json!(true));
}

#[test]
fn what_is_too_short_is_no_verdict_of_a_jury() {
    let short = json!({"id": "t", "status": "TOO_SHORT", "pass": false, "complete": true});
    let records = [short.clone(), short.clone()];
    assert_eq!(strictest(&records).unwrap(), short);
    assert_eq!(jury(&records, &RUBRIC, 0, Policy::Majority).unwrap(), short);
}

#[test]
fn a_policy_must_be_known_and_the_rubric_that_of_the_records() {
    assert!(Policy::NAMES.iter().all(|name| Policy::named(name).unwrap().name() == *name));
    assert_eq!(Policy::named("majorty").unwrap_err().message(), "there is no policy `majorty`");
    let error = jury(&[record("a", true, 1.0, json!({}))], &RUBRIC, 1, Policy::Strictest).unwrap_err();
    assert_eq!(error.message(), "the judges' records were made with another rubric");
    assert!(jury(&[], &RUBRIC, 1, Policy::Majority).is_err());
}

proptest! {
    /// Each policy is at least as strict as the next, and none passes what a gate or an error stands against.
    #[test]
    fn no_policy_is_more_lenient_than_it_may_be(judges in proptest::collection::vec("[YYYN?-]{3}[YN-][YYYYN?-]", 1..6)) {
        let judges: Vec<&str> = judges.iter().map(String::as_str).collect();
        let own = records(&judges);
        let [unanimous, strictest, majority] =
            [Policy::Unanimous, Policy::Strictest, Policy::Majority].map(|policy| by(policy, &judges));
        let passes = |record: &Value| record["pass"] == json!(true);
        prop_assert!(!passes(&unanimous) || passes(&strictest));
        prop_assert!(!passes(&strictest) || passes(&majority));
        let passing = own.iter().filter(|record| passes(record)).count();
        prop_assert!(!passes(&majority) || 2 * passing > own.len());
        prop_assert_eq!(passes(&strictest), passing == own.len());
        let any = |flag: &str, is: bool| own.iter().any(|record| record[flag] == json!(is));
        for record in [&unanimous, &strictest, &majority] {
            prop_assert!(!passes(record) || !any("safety_gate_failed", true) && !any("complete", false));
            prop_assert_eq!(record["complete"] == json!(false), any("complete", false));
            prop_assert!(record["safety_gate_failed"] == json!(true) || !any("safety_gate_failed", true));
            prop_assert!(crate::pipeline::verdict::check(record).is_ok());
        }
        prop_assert!(unanimous["score"].as_f64() <= strictest["score"].as_f64() || !passes(&unanimous));
        if own.len() == 1 {
            for record in [&unanimous, &strictest, &majority] {
                prop_assert!(["pass", "score", "answers", "judge"].iter().all(|field| record[field] == own[0][field]));
            }
        }
    }
}
