//! The reference implementation's vectors (`tests/golden`), through the Rust functions.

use fthost::pipeline::length::compute_length_stats;
use fthost::pipeline::rubric::Rubric;
use fthost::pipeline::score::{compute_category_score, compute_weighted_score, score_assessment};
use fthost::pipeline::slices::{Bounds, get_slice_points};
use fthost::pipeline::tokens::{Encoding, Message, count, count_messages, find_max_exchanges_under_limit};
use fthost::pipeline::transcript::Exchange;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The vectors of one key. There must be as many as the reference file is known to hold.
fn vectors(key: &str, expected: usize) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../golden/reference.json")).unwrap();
    let vectors = all[key].as_array().unwrap().clone();
    assert_eq!(vectors.len(), expected, "{key}");
    vectors
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    T::deserialize(value).unwrap()
}

fn size(value: &Value) -> usize {
    read(value)
}

const ENCODINGS: [&str; 2] = ["cl100k_base", "o200k_base"];

#[test]
fn slice_points() {
    for vector in vectors("slice_points", 250) {
        let id: String = read(&vector["id"]);
        let points = get_slice_points(size(&vector["total_turns"]), &id, &Bounds::default()).unwrap();
        assert_eq!(json!(points), vector["points"], "{vector}");
    }
}

#[test]
fn slice_points_custom_bounds() {
    for vector in vectors("slice_points_custom_bounds", 80) {
        let of = |key: &str| size(&vector[key]);
        let bounds =
            Bounds { min_context: of("min_context"), min_gap: of("min_gap"), max_gap: of("max_gap") };
        let points = get_slice_points(of("total_turns"), &read::<String>(&vector["id"]), &bounds).unwrap();
        assert_eq!(json!(points), vector["points"], "{vector}");
    }
}

#[test]
fn count_tokens() {
    for vector in vectors("count_tokens", 128) {
        let text: String = read(&vector["text"]);
        for name in ENCODINGS {
            assert_eq!(count(&text, Encoding::named(name).unwrap()), size(&vector[name]), "{name}: {text:?}");
        }
    }
}

#[test]
fn count_messages_tokens() {
    for vector in vectors("count_messages_tokens", 40) {
        let messages: Vec<Message> = read(&vector["messages"]);
        for name in ENCODINGS {
            let tokens = count_messages(&messages, Encoding::named(name).unwrap());
            assert_eq!(tokens, size(&vector[name]), "{name}: {vector}");
        }
    }
}

#[test]
fn max_exchanges_under_limit() {
    for vector in vectors("find_max_exchanges_under_limit", 60) {
        let exchanges: Vec<Exchange> = read(&vector["exchanges"]);
        let system: String = read(&vector["system_prompt"]);
        for name in ENCODINGS {
            let encoding = Encoding::named(name).unwrap();
            let found =
                find_max_exchanges_under_limit(&exchanges, &system, size(&vector["max_tokens"]), encoding);
            assert_eq!(found, size(&vector[name]), "{name}: {vector}");
        }
    }
}

#[test]
fn length_stats() {
    for vector in vectors("length_stats", 35) {
        let turns: Vec<Exchange> = read(&vector["turns"]);
        assert_eq!(compute_length_stats(&turns), vector["text"].as_str().unwrap());
    }
}

/// A vector's rubric, in the shape of the rubric file.
fn rubric(vector: &Value) -> Rubric {
    let categories: Vec<Value> = vector["categories"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, it)| json!({"name": name, "weight": it["weight"], "criteria": it["criteria"]}))
        .collect();
    let na_invalid: Vec<String> = read(&vector["na_invalid"]);
    let criteria: Vec<Value> = read::<Vec<String>>(&vector["criteria"])
        .iter()
        .map(|id| json!({"id": id, "question": "?", "na_valid": !na_invalid.contains(id)}))
        .collect();
    let (threshold, gates) = (&vector["pass_threshold"], &vector["safety_gates"]);
    Rubric::from_value(json!({
        "threshold": threshold, "gates": gates, "categories": categories, "criteria": criteria,
    }))
    .unwrap()
}

fn near(a: f64, b: &Value) -> bool {
    (a - b.as_f64().unwrap()).abs() <= 1e-12
}

#[test]
fn category_and_weighted_scores() {
    for vector in vectors("scoring", 200) {
        let rubric = rubric(&vector);
        let answer = |id: &str| vector["answers"].get(id).and_then(Value::as_str);
        let scores: Map<String, Value> = rubric
            .categories()
            .iter()
            .map(|it| {
                (it.name.clone(), json!(compute_category_score(answer, &it.criteria, &rubric.na_invalid())))
            })
            .collect();
        for (name, score) in vector["compute_category_score"].as_object().unwrap() {
            assert!(near(scores[name].as_f64().unwrap(), score), "{name}: {vector}");
        }
        let weighted = compute_weighted_score(|name| scores.get(name)?.as_f64(), &rubric.weights());
        assert!(near(weighted, &vector["compute_weighted_score"]), "{weighted}: {vector}");
    }
}

#[test]
fn assessment_records() {
    for vector in vectors("scoring", 200) {
        let answers: Map<String, Value> = read(&vector["answers"]);
        let output: Map<String, Value> = answers
            .into_iter()
            .map(|(id, answer)| (id, json!({"reasoning": "because", "answer": answer})))
            .collect();
        let transcript = json!({"id": "t", "exchanges": []});
        let record = score_assessment(&transcript, &json!(output), &rubric(&vector), "judge").unwrap();
        let expected = vector["score_assessment"].as_object().unwrap();
        assert_eq!(expected.len(), 10);
        for (field, value) in expected {
            assert_eq!(record[field], *value, "{field}: {vector}");
        }
        // In rubric order, which equality of maps does not see.
        assert_eq!(record["answers"].to_string(), expected["answers"].to_string());
    }
}
