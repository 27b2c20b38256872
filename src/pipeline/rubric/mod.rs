//! The rubric: the criteria that judges answer with YES, NO or NA, how they weigh, and which of them
//! are gates. Reading it finds every fault at its line (`faults`); using it is cheap to copy.

mod content;
mod faults;
mod insert;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use content::Content;
pub use content::{Calibration, Category, Criterion};
pub use faults::faults;
pub use insert::with_example;

use crate::base::yaml::Document;
use crate::base::{Error, Kind, Result, suggest};
use crate::pipeline::transcript::content_hash;

/// A rubric without faults, or a part of one: see [`without`](Rubric::without).
///
/// A part restricts what is *asked*: [`ids`](Rubric::ids), [`criteria`](Rubric::criteria) and
/// [`schema`](Rubric::schema). Scoring always goes by the whole rubric: weights, gates, threshold and
/// hash stay, so a criterion that is not asked must be answered by code, and is an ERROR otherwise.
#[derive(Debug, Clone)]
pub struct Rubric {
    whole: Arc<Whole>,
    /// Indexes into the whole's criteria, ascending.
    asked: Arc<[usize]>,
}

#[derive(Debug)]
struct Whole {
    content: Content,
    hash: String,
    index: HashMap<String, usize>,
}

impl Rubric {
    /// The JSON Schema of a rubric's file: what an editor completes by. [`schema`](Rubric::schema) is that of a
    /// judge's output.
    pub fn file_schema() -> Value {
        schemars::schema_for!(Content).to_value()
    }

    /// Reads a rubric's YAML; `file` is its name in errors. Of several faults the first one is the
    /// error, and says how many more there are.
    pub fn parse(file: &str, text: &str) -> Result<Rubric> {
        let doc = Document::parse(file, text)?;
        let content: Content = doc.read()?;
        let faults = faults::of_content(&doc, &content);
        let more = faults.len().saturating_sub(1);
        match faults.into_iter().next() {
            None => Ok(Rubric::new(content)),
            Some(fault) if more > 0 => {
                let hint = fault.get_hint().map(|hint| format!("{hint}; ")).unwrap_or_default();
                Err(fault.hint(format!("{hint}{more} more in this file: `fthost check` lists them all")))
            }
            Some(fault) => Err(fault),
        }
    }

    /// Makes a rubric of a map of the same shape as the file's. All faults are in the one error.
    pub fn from_value(value: Value) -> Result<Rubric> {
        // JSON is YAML: reading its text finds the same faults in the same words. Its lines mean
        // nothing to the user, so the places are left out.
        let text = yaml_of(&value);
        let faults = faults("the rubric", &text);
        if let Some(first) = faults.first() {
            let messages: Vec<&str> = faults.iter().map(Error::message).collect();
            let error = Error::new(Kind::Argument, format!("not a rubric: {}", messages.join("; ")));
            return Err(error.or_hint(first.get_hint().map(str::to_string)));
        }
        Rubric::parse("the rubric", &text)
    }

    fn new(content: Content) -> Rubric {
        let hash = hash_of(&content);
        let ids = content.criteria.iter().map(|criterion| criterion.id.clone());
        let index: HashMap<String, usize> = ids.zip(0..).collect();
        let asked = (0..content.criteria.len()).collect();
        Rubric { whole: Arc::new(Whole { content, hash, index }), asked }
    }

    /// The criteria that are asked, in the order of the file.
    pub fn criteria(&self) -> impl Iterator<Item = &Criterion> {
        self.asked.iter().filter_map(|index| self.whole.content.criteria.get(*index))
    }

    /// The ids of the criteria that are asked, in the order of the file.
    pub fn ids(&self) -> Vec<&str> {
        self.criteria().map(|criterion| criterion.id.as_str()).collect()
    }

    /// All criteria, asked or not, in the order of the file: what scoring goes by.
    pub fn all_criteria(&self) -> &[Criterion] {
        &self.whole.content.criteria
    }

    /// The criterion of an id, asked or not.
    pub fn criterion(&self, id: &str) -> Option<&Criterion> {
        self.whole.index.get(id).and_then(|index| self.whole.content.criteria.get(*index))
    }

    /// All categories, in the order of the file.
    pub fn categories(&self) -> &[Category] {
        &self.whole.content.categories
    }

    /// The weight of each category, by name, in the order of the file. They sum to 1.
    pub fn weights(&self) -> Vec<(String, f64)> {
        self.categories().iter().map(|category| (category.name.clone(), category.weight)).collect()
    }

    /// The ids of the criteria that fail a transcript on their own.
    pub fn gates(&self) -> &[String] {
        &self.whole.content.gates
    }

    /// The ids of all criteria for which NA is no valid answer.
    pub fn na_invalid(&self) -> Vec<&str> {
        let invalid = self.all_criteria().iter().filter(|criterion| !criterion.na_valid);
        invalid.map(|criterion| criterion.id.as_str()).collect()
    }

    /// The score from which a transcript passes, from 0 to 1.
    pub fn threshold(&self) -> f64 {
        self.whole.content.threshold
    }

    /// How many exchanges a transcript needs to be judged at all; 0: any number.
    pub fn min_turns(&self) -> usize {
        self.whole.content.min_turns
    }

    /// What identifies the content of the whole rubric, asked or not: see [`content_hash`]. Comments,
    /// layout, the order of keys, criteria's names and values that equal their default do not change it.
    pub fn hash(&self) -> &str {
        &self.whole.hash
    }

    /// The JSON schema of a judge's output: an object with, for each criterion that is asked,
    /// `{reasoning, answer}`. The reasoning comes first, since a model writes in this order.
    pub fn schema(&self) -> Value {
        let properties: Map<String, Value> =
            self.criteria().map(|criterion| (criterion.id.clone(), criterion_schema(criterion))).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": self.ids(),
            "additionalProperties": false,
        })
    }

    /// The part that does not ask these criteria.
    pub fn without<S: AsRef<str>>(&self, ids: &[S]) -> Result<Rubric> {
        let left_out = self.indexes(ids)?;
        Ok(self.part(|index| !left_out.contains(index)))
    }

    /// The part that asks, of what is asked here, these criteria only; the order stays the file's.
    pub fn only<S: AsRef<str>>(&self, ids: &[S]) -> Result<Rubric> {
        let kept = self.indexes(ids)?;
        Ok(self.part(|index| kept.contains(index)))
    }

    /// The part to ask about a transcript of so many exchanges: criteria whose `min_turns` it does not reach are NA
    /// by rule, and nothing is asked about one that is too short for the rubric.
    pub fn applicable(&self, turns: usize) -> Rubric {
        let criteria = &self.whole.content.criteria;
        let reached = |index: &usize| criteria.get(*index).is_some_and(|known| turns >= known.min_turns);
        self.part(|index| turns >= self.min_turns() && reached(index))
    }

    fn part(&self, keep: impl Fn(&usize) -> bool) -> Rubric {
        let asked = self.asked.iter().copied().filter(keep).collect();
        Rubric { whole: Arc::clone(&self.whole), asked }
    }

    fn indexes<S: AsRef<str>>(&self, ids: &[S]) -> Result<Vec<usize>> {
        let index_of = |id: &S| {
            self.whole.index.get(id.as_ref()).copied().ok_or_else(|| {
                let known = self.all_criteria().iter().map(|criterion| criterion.id.as_str());
                Error::new(Kind::Argument, format!("the rubric has no criterion `{}`", id.as_ref()))
                    .hint(suggest::hint(id.as_ref(), known))
            })
        };
        ids.iter().map(index_of).collect()
    }
}

fn hash_of(content: &Content) -> String {
    let mut value = json!(content);
    for criterion in value["criteria"].as_array_mut().into_iter().flatten() {
        // A new label makes no verdict wrong.
        criterion.as_object_mut().map(|criterion| criterion.remove("name"));
    }
    content_hash(&value)
}

/// A value's JSON text, with those characters escaped that YAML wants escaped and JSON does not.
fn yaml_of(value: &Value) -> String {
    let escaped = |c: char| c.is_control() || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let mut text = String::new();
    for c in value.to_string().chars() {
        match escaped(c) {
            true => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => text.push(c),
        }
    }
    text
}

fn criterion_schema(criterion: &Criterion) -> Value {
    let answers: &[&str] = if criterion.na_valid { &["YES", "NO", "NA"] } else { &["YES", "NO"] };
    json!({
        "type": "object",
        "properties": {
            "reasoning": {"type": "string"},
            "answer": {"type": "string", "enum": answers},
        },
        "required": ["reasoning", "answer"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUBRIC: &str = "
threshold: 0.8
gates: [C3]
categories:
  - {name: accuracy, weight: 0.75, criteria: [C2, C1]}
  - {name: tone, weight: 0.25, criteria: [C4]}
criteria:
  - {id: C1, question: Is it right?}
  - {id: C2, question: Is it complete?, na_valid: true, min_turns: 3}
  - {id: C3, question: Is it safe?, guidance: Think., examples: [{type: FAIL, response: No., reasoning: Rude.}]}
  - {id: C4, question: Is it kind?}
";

    fn rubric() -> Rubric {
        Rubric::parse("rubric.yaml", RUBRIC).unwrap()
    }

    #[test]
    fn it_keeps_the_order_of_the_file() {
        let rubric = rubric();
        assert_eq!(rubric.ids(), ["C1", "C2", "C3", "C4"]);
        assert_eq!(rubric.weights(), [("accuracy".to_string(), 0.75), ("tone".to_string(), 0.25)]);
        assert_eq!(rubric.na_invalid(), ["C1", "C3", "C4"]);
        assert_eq!(rubric.gates(), ["C3"]);
        assert_eq!(
            (rubric.criterion("C2").unwrap().min_turns, rubric.criterion("C1").unwrap().min_turns),
            (3, 0)
        );
    }

    #[test]
    fn the_schema_asks_for_the_reasoning_first() {
        let schema = rubric().only(&["C2", "C1"]).unwrap().schema();
        assert_eq!(
            schema.to_string(),
            concat!(
                r#"{"type":"object","properties":{"#,
                r#""C1":{"type":"object","properties":{"reasoning":{"type":"string"},"#,
                r#""answer":{"type":"string","enum":["YES","NO"]}},"#,
                r#""required":["reasoning","answer"],"additionalProperties":false},"#,
                r#""C2":{"type":"object","properties":{"reasoning":{"type":"string"},"#,
                r#""answer":{"type":"string","enum":["YES","NO","NA"]}},"#,
                r#""required":["reasoning","answer"],"additionalProperties":false}},"#,
                r#""required":["C1","C2"],"additionalProperties":false}"#
            )
        );
    }

    #[test]
    fn parts_restrict_what_is_asked_and_nothing_else() {
        let part = rubric().without(&["C3"]).unwrap().without(&["C1"]).unwrap();
        assert_eq!(part.ids(), ["C2", "C4"]);
        assert_eq!(part.only(&["C1", "C4"]).unwrap().ids(), ["C4"]);
        assert_eq!((part.hash(), part.gates()), (rubric().hash(), rubric().gates()));
        assert_eq!(part.all_criteria().len(), 4);
        let error = part.without(&["c4"]).unwrap_err();
        assert_eq!(error.message(), "the rubric has no criterion `c4`");
    }

    #[test]
    fn the_hash_is_of_the_content() {
        let hash = |from: &str, to: &str| {
            assert!(RUBRIC.contains(from));
            Rubric::parse("r", &RUBRIC.replace(from, to)).unwrap().hash().to_string()
        };
        let same = rubric().hash().to_string();
        assert_eq!(hash("threshold: 0.8", "# a comment\nthreshold:   0.80"), same);
        assert_eq!(
            hash("{id: C1, question: Is it right?}", "{question: Is it right?, min_turns: 0, id: C1}"),
            same
        );
        assert_ne!(hash("Is it kind?", "Is it very kind?"), same);
        assert_ne!(hash("guidance: Think.", "guidance: Think twice."), same);
        assert_ne!(hash("threshold: 0.8", "threshold: 0.81"), same);
        assert_ne!(hash("threshold: 0.8", "threshold: 0.8\nmin_turns: 2"), same);
        assert_eq!(hash("threshold: 0.8", "threshold: 0.8\nmin_turns: 0"), same);
        assert_eq!(hash("{id: C4,", "{id: C4, name: kindness,"), same);
        // What it was before there were names and a `min_turns` of the whole.
        assert_eq!(same, "5c34209a400efd66d8e2898907cde5adfcb4e61439cd6d611aa978f15ebe11c2");
    }

    #[test]
    fn only_what_a_transcript_is_long_enough_for_is_asked() {
        assert_eq!(rubric().applicable(2).ids(), ["C1", "C3", "C4"]);
        assert_eq!(rubric().without(&["C4"]).unwrap().applicable(3).ids(), ["C1", "C2", "C3"]);
        let whole = Rubric::parse("r", &RUBRIC.replace("gates", "min_turns: 5\ngates")).unwrap();
        assert_eq!((whole.applicable(4).ids().len(), whole.applicable(5).ids().len()), (0, 4));
    }

    #[test]
    fn a_map_is_read_like_a_file() {
        let mut value = json!({
            "threshold": 0.5, "gates": ["A"], "categories": [{"name": "x", "weight": 1, "criteria": ["B"]}],
            "criteria": [{"id": "A", "question": "a \u{7f}\u{85}\u{feff}\u{1f600}\n?"}, {"id": "B", "question": "b?", "na_valid": true}],
        });
        let rubric = Rubric::from_value(value.clone()).unwrap();
        assert_eq!(rubric.ids(), ["A", "B"]);
        assert_eq!(json!(rubric.criterion("A").unwrap().question), value["criteria"][0]["question"]);
        value["gates"][0] = json!("AA");
        value["threshold"] = json!(80);
        let error = Rubric::from_value(value).unwrap_err();
        assert_eq!(
            error.message(),
            "not a rubric: the threshold is 80, not from 0 to 1; the gate `AA` is no criterion; \
             criterion `A` is in no category and no gate"
        );
        assert!(error.place().is_none() && error.kind() == Kind::Argument);
    }
}
