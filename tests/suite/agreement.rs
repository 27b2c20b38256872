//! Agreement of judges, held against scikit-learn and the krippendorff package (`tests/golden/agreement.json`).

use fthost::pipeline::agreement::{Coincidences, Confusion};
use serde_json::Value;

/// Both are undefined, or equal but for the last digits.
fn assert_close(found: Option<f64>, expected: &Value, what: &str) {
    match (found, expected.as_f64()) {
        (None, None) => {}
        (Some(found), Some(expected)) => {
            assert!((found - expected).abs() < 1e-9, "{what}: {found}, {expected}")
        }
        _ => panic!("{what}: {found:?}, {expected}"),
    }
}

#[test]
fn kappa_and_alpha_are_those_of_the_reference() {
    let golden: Value = serde_json::from_str(include_str!("../golden/agreement.json")).unwrap();
    let tables = golden["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 200);
    for (number, table) in tables.iter().enumerate() {
        let (mut first_two, mut all) = (Confusion::default(), Coincidences::default());
        for row in table["rows"].as_array().unwrap() {
            let answers: Vec<&str> =
                row.as_array().unwrap().iter().map(|a| a.as_str().unwrap_or("")).collect();
            first_two.add(answers[0], answers[1]);
            all.add(answers);
        }
        assert_close(first_two.kappa(), &table["kappa"], &format!("kappa of table {number}"));
        assert_close(all.alpha(), &table["alpha"], &format!("alpha of table {number}"));
    }
}
