//! The JSON Schemas for editors: they are those of the code, and they say yes and no where the program does.

use std::fs;

use fthost::author::schemas;
use fthost::base::config::Config;
use fthost::host::templates::TEMPLATES;
use fthost::pipeline::rubric::Rubric;
use serde_json::Value;

use crate::support::root;

/// The schema of a YAML file.
fn schema(yaml: &str) -> jsonschema::Validator {
    let (_, _, text) = schemas::files().find(|(of, _, _)| *of == yaml).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn json(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap()
}

#[test]
fn the_written_schemas_are_those_of_the_code() {
    for (_, path, text) in schemas::files() {
        if std::env::var_os("FTHOST_UPDATE").is_some() {
            fs::write(root().join(path), &text).unwrap();
        }
        let written = fs::read_to_string(root().join(path)).unwrap_or_default();
        assert!(written == text, "{path} is not that of the code: FTHOST_UPDATE=1 cargo test writes it");
    }
}

#[test]
fn every_shipped_file_names_its_schema_and_fits_it() {
    let mut seen = 0;
    for template in TEMPLATES {
        let files = template.files();
        for (path, text) in
            files.iter().filter(|(path, _)| path.starts_with("config/") && path.ends_with(".yaml"))
        {
            let first = text.lines().next().unwrap();
            let named = first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| {
                panic!("{path} of {} does not name a schema in its first line", template.name)
            });
            let (_, text_of_schema) =
                files.iter().find(|(path, _)| *path == format!("config/{named}")).expect(named);
            let schema: Value = serde_json::from_str(text_of_schema).unwrap();
            let validator = jsonschema::validator_for(&schema).unwrap();
            let faults: Vec<String> = validator.iter_errors(&json(text)).map(|e| e.to_string()).collect();
            assert!(faults.is_empty(), "{path} of {}: {faults:?}", template.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 10);
}

/// A change to a good file, and whether it stays good.
type Change = (&'static str, &'static str, bool);

const CONFIG: &str = "
backends:
  a: {kind: openai-chat, model: m, price: {input: 1, output: 2}, stop: [x], timeouts: {idle: 3}}
roles: {user_sim: a, assistant: {backend: a, temperature: 0.5}, judges: [a, {backend: a, seed: 3}]}
limits: {operations: 5000}
budget: {usd: 3}
";

#[test]
fn the_configuration_and_its_schema_agree() {
    let changes: &[Change] = &[
        ("idle: 3", "idle: 3.5", true),
        ("stop: [x]", "stop: x", true),
        ("stop: [x]", "api_key_env: null", true),
        ("stop: [x]", "structured: json_object", true),
        ("stop: [x]", "stop: 3", false),
        ("stop: [x]", "structured: xml", false),
        ("stop: [x]", "modle: m", false),
        ("kind: openai-chat", "kind: openai-cha", false),
        ("input: 1", "inptu: 1", false),
        ("idle: 3", "idel: 3", false),
        ("temperature: 0.5", "temprature: 0.5", false),
        ("temperature: 0.5", "temperature: warm", false),
        ("user_sim: a", "user_sim: 3", false),
        ("{backend: a, seed: 3}", "{seed: 3}", false),
        ("operations: 5000", "operation: 5000", false),
        ("budget:", "bugdet:", false),
    ];
    let good = |text: &str| Config::parse("f", text).is_ok();
    agree("config/fthost.yaml", CONFIG, changes, good);
}

const RUBRIC: &str = "
threshold: 0.8
gates: [C2]
categories: [{name: tone, weight: 1.0, criteria: [C1]}]
criteria:
  - {id: C1, question: Is it kind?, na_valid: true, min_turns: 2}
  - {id: C2, question: Is it safe?, examples: [{type: PASS, context: c, response: r, reasoning: s}]}
";

#[test]
fn the_rubric_and_its_schema_agree() {
    let changes: &[Change] = &[
        ("min_turns: 2", "guidance: Look closely.", true),
        ("gates: [C2]\n", "gates: [C2, C1]\n", true),
        ("threshold: 0.8", "threshold: 80", false),
        ("threshold: 0.8", "treshold: 0.8", false),
        ("na_valid: true", "na_valid: maybe", false),
        ("min_turns: 2", "min_turns: two", false),
        ("min_turns: 2", "min_turn: 2", false),
        ("question: Is it kind?", "questoin: Is it kind?", false),
        ("reasoning: s", "reason: s", false),
        ("type: PASS, ", "", false),
        ("type: PASS", "type: Pass", false),
        ("threshold: 0.8", "threshold: 0.8\nmin_turns: 3", true),
        ("threshold: 0.8", "threshold: 0.8\nmin_turns: few", false),
        ("id: C1, question", "id: C1, name: kindness, question", true),
        ("weight: 1.0", "weight: much", false),
        ("categories: [{name: tone, weight: 1.0, criteria: [C1]}]", "categories: []", false),
    ];
    agree("config/rubric.yaml", RUBRIC, changes, |text| Rubric::parse("f", text).is_ok());
}

fn agree(file: &str, text: &str, changes: &[Change], reads: impl Fn(&str) -> bool) {
    let schema = schema(file);
    assert!(reads(text), "{file}");
    schema.validate(&json(text)).unwrap();
    for (from, to, good) in changes {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert_eq!(reads(&changed), *good, "the program on {to}");
        assert_eq!(schema.is_valid(&json(&changed)), *good, "the schema on {to}");
    }
}

const TAXONOMY: &str = "
topics: [{id: a, weight: 1, situations: [{id: s, weight: 1, product: p, problem: x}]}]
products: {p: [One]}
edge_cases: {share: 0.1, cases: [{id: e, weight: 1, behaviour: b}]}
constraints: [{if: {topic: a}, never: {situation: [s]}}]
";

const TEMPLATE: &str = "
styles: [{id: terse, weight: 1, words: 18, description: d}]
names: [Amara]
flaws: [{id: typos, weight: 1, probability: 0.5, instruction: i}]
flaws_per_persona: {\"1\": 1.0}
seed: 1
";

/// Only scripts read these two, with more than the schemas know: what a schema refuses is no shape that they take.
#[test]
fn the_schemas_of_personas_refuse_what_scripts_cannot_use() {
    let refused = |name: &str, text: &str, changes: &[(&str, &str)]| {
        let path = root().join(format!("config/schemas/{name}.schema.json"));
        let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        schema.validate(&json(text)).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            assert!(!schema.is_valid(&json(&text.replacen(from, to, 1))), "{to}");
        }
    };
    let changes = [
        ("weight: 1", "weight: much"),
        ("share: 0.1", "share: 10"),
        ("p: [One]", "p: One"),
        ("never", "nevr"),
        ("{if: {topic: a}, ", "{"),
    ];
    refused("taxonomy", TAXONOMY, &changes);
    let changes = [
        ("words: 18", "words: few"),
        ("probability: 0.5", "probability: 5"),
        ("\"1\"", "one"),
        ("seed: 1", "seed: [1]"),
    ];
    refused("persona-template", TEMPLATE, &changes);
}
