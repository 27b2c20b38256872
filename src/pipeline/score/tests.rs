//! What a record says, and that worse answers never help.

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
    score_assessment(&json!({"id": "t", "exchanges": [turn, turn]}), &json!(output), &rubric(), "j").unwrap()
}

#[test]
fn rounding_is_that_of_python() {
    let python =
        [(0.0005, 0.001), (0.0015, 0.002), (0.0025, 0.003), (2.6745, 2.675), (1.0005, 1.0), (0.1235, 0.123)];
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
    assert_eq!(record["reasonings"]["C"], json!("NA by rule: asked from 2 exchanges on, and there are 1"));
}

#[test]
fn what_is_too_short_for_the_rubric_is_not_scored() {
    let rubric = Rubric::from_value(json!({
        "threshold": 0.5, "gates": [], "min_turns": 2,
        "categories": [{"name": "x", "weight": 1, "criteria": ["A"]}], "criteria": [{"id": "A", "question": "?"}],
    }))
    .unwrap();
    let turn = json!({"user": "u", "assistant": "a"});
    let record = |turns: usize| {
        let talk = json!({"id": "t", "exchanges": vec![&turn; turns]});
        score_assessment(&talk, &json!({"A": "YES"}), &rubric, "j").unwrap()
    };
    let short = record(1);
    assert_eq!(
        short.as_object().unwrap().keys().collect::<Vec<_>>(),
        [
            "id",
            "status",
            "pass",
            "complete",
            "turns",
            "min_turns",
            "safety_gate_failed",
            "failed_checks",
            "rubric_hash",
            "transcript_hash"
        ]
    );
    let expected = (&json!("TOO_SHORT"), &json!(false), &json!(true), &json!(1), &json!(2));
    assert_eq!(
        (&short["status"], &short["pass"], &short["complete"], &short["turns"], &short["min_turns"]),
        expected
    );
    assert_eq!(short["rubric_hash"], rubric.hash());
    assert_eq!((&record(2)["pass"], record(2).get("status")), (&json!(true), None));
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
