//! The reference implementation's vectors (`tests/golden`), through the Rhai functions.

use std::sync::Arc;

use fthost::base::config::Config;
use fthost::base::events::Silent;
use fthost::host::Session;
use fthost::script::values;
use fthost::store::Project;
use fthost::work::World;
use serde_json::{Map, Value, json};

use crate::support::TestProject;

const ENCODINGS: [&str; 2] = ["cl100k_base", "o200k_base"];

/// The vectors of one key. There must be as many as the reference file is known to hold.
fn vectors(key: &str, expected: usize) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../golden/reference.json")).unwrap();
    let vectors = all[key].as_array().unwrap().clone();
    assert_eq!(vectors.len(), expected, "{key}");
    vectors
}

/// What `fn of(v)` of a script gives for each vector.
fn through(vectors: &[Value], of: &str) -> Vec<Value> {
    let files = TestProject::of("");
    files.write("data/vectors.json", &json!(vectors).to_string());
    let project = Project::open(files.root()).unwrap();
    let config = Config::parse("config/fthost.yaml", &files.read("config/fthost.yaml")).unwrap();
    let session = Session::new(World::new(project, config, Arc::new(Silent), Box::new(|_| None), "test"));
    let script = format!("{of}\nread_json(\"data/vectors.json\").map(|v| of(v))");
    let unit = session.load_expression(&script).unwrap();
    let results = session.eval(&unit).unwrap_or_else(|e| panic!("{e} at {:?}", e.place()));
    let results = values::to_json(&results).unwrap().as_array().unwrap().clone();
    assert_eq!(results.len(), vectors.len());
    results
}

/// Checks `fn of(v)` against one field of each vector.
#[track_caller]
fn gives(vectors: &[Value], of: &str, expected: impl Fn(&Value) -> Value) {
    for (vector, found) in vectors.iter().zip(through(vectors, of)) {
        assert_eq!(found, expected(vector), "{vector}");
    }
}

fn by_encoding(vector: &Value) -> Value {
    json!(ENCODINGS.map(|name| &vector[name]))
}

#[test]
fn slice_points() {
    let vectors = vectors("slice_points", 250);
    gives(&vectors, "fn of(v) { get_slice_points(v.total_turns, v.id) }", |v| v["points"].clone());
}

#[test]
fn slice_points_custom_bounds() {
    let of = "fn of(v) { get_slice_points(v.total_turns, v.id,
        #{min_context: v.min_context, min_gap: v.min_gap, max_gap: v.max_gap}) }";
    gives(&vectors("slice_points_custom_bounds", 80), of, |v| v["points"].clone());
}

#[test]
fn count_tokens() {
    let of = r#"fn of(v) { [count_tokens(v.text), count_tokens(v.text, "o200k_base")] }"#;
    gives(&vectors("count_tokens", 128), of, by_encoding);
}

#[test]
fn count_messages_tokens() {
    let of = r#"fn of(v) { [count_messages_tokens(v.messages), count_messages_tokens(v.messages, "o200k_base")] }"#;
    gives(&vectors("count_messages_tokens", 40), of, by_encoding);
}

#[test]
fn max_exchanges_under_limit() {
    let of = r#"fn of(v) { [
        find_max_exchanges_under_limit(v.exchanges, v.system_prompt, v.max_tokens),
        find_max_exchanges_under_limit(v.exchanges, v.system_prompt, v.max_tokens, "o200k_base"),
    ] }"#;
    gives(&vectors("find_max_exchanges_under_limit", 60), of, by_encoding);
}

#[test]
fn length_stats() {
    gives(&vectors("length_stats", 35), "fn of(v) { compute_length_stats(v.turns) }", |v| v["text"].clone());
}

#[track_caller]
fn near(found: &Value, expected: &Value, vector: &Value) {
    let difference = found.as_f64().unwrap() - expected.as_f64().unwrap();
    assert!(difference.abs() <= 1e-12, "{found} is not {expected}: {vector}");
}

/// The scoring functions get maps: `weights` as the rubric file has them.
const SCORES: &str = "fn of(v) {
    let scores = #{};
    let weights = #{};
    for name in v.categories.keys() {
        let category = v.categories[name];
        scores[name] = compute_category_score(v.answers, category.criteria, v.na_invalid);
        weights[name] = category.weight;
    }
    #{scores: scores, weighted: compute_weighted_score(scores, weights)}
}";

#[test]
fn category_and_weighted_scores() {
    let vectors = vectors("scoring", 200);
    for (vector, found) in vectors.iter().zip(through(&vectors, SCORES)) {
        let expected = vector["compute_category_score"].as_object().unwrap();
        assert_eq!(found["scores"].as_object().unwrap().len(), expected.len());
        for (name, score) in expected {
            near(&found["scores"][name], score, vector);
        }
        near(&found["weighted"], &vector["compute_weighted_score"], vector);
    }
}

/// A rubric made in the script; an answer may also be given as a bare word.
const RECORD: &str = r#"fn of(v) {
    let categories = [];
    for name in v.order {
        categories.push(#{name: name, weight: v.categories[name].weight, criteria: v.categories[name].criteria});
    }
    let criteria = [];
    for id in v.criteria {
        criteria.push(#{id: id, question: "?", na_valid: !(id in v.na_invalid)});
    }
    let mine = rubric(#{threshold: v.pass_threshold, gates: v.safety_gates, categories: categories, criteria: criteria});
    let output = #{};
    for id in v.answers.keys() { output[id] = #{reasoning: "because", answer: v.answers[id]}; }
    score_assessment(#{id: "t", exchanges: []}, output, mine, "judge")
}"#;

#[test]
fn assessment_records() {
    let mut vectors = vectors("scoring", 200);
    for vector in &mut vectors {
        // A Rhai map does not keep the order of the categories.
        let order: Vec<String> = vector["categories"].as_object().unwrap().keys().cloned().collect();
        vector["order"] = json!(order);
    }
    let fields = [
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
        "transcript_hash",
    ];
    for (vector, record) in vectors.iter().zip(through(&vectors, RECORD)) {
        let expected: &Map<_, _> = vector["score_assessment"].as_object().unwrap();
        assert_eq!(expected.len(), 10);
        for (field, value) in expected {
            assert_eq!(record[field], *value, "{field}: {vector}");
        }
        assert!(fields.iter().all(|field| record.get(field).is_some()), "{record}");
    }
}
