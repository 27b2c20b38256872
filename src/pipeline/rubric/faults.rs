//! What can be wrong with a rubric that YAML itself does not know, each fault at its line.

use std::collections::{HashMap, HashSet};

use super::content::{Category, Content, Criterion};
use crate::base::yaml::Document;
use crate::base::{Error, suggest};

/// How far the weights' sum may be from 1.
const TOLERANCE: f64 = 1e-6;

/// What a calibration example can stand for.
const KINDS: [&str; 3] = ["PASS", "FAIL", "BORDERLINE"];

/// Every fault of a rubric's text: none when it is sound. Of broken YAML, or of a key that is unknown,
/// missing or of a wrong type, only the first is found; of all else, every one.
pub fn faults(file: &str, text: &str) -> Vec<Error> {
    let read = Document::parse(file, text).and_then(|doc| Ok((doc.read::<Content>()?, doc)));
    match read {
        Ok((content, doc)) => of_content(&doc, &content),
        Err(error) => vec![error],
    }
}

/// Every fault of a rubric whose shape is right, in the order of threshold, gates, categories, criteria.
pub(super) fn of_content(doc: &Document, content: &Content) -> Vec<Error> {
    let mut check = Check { doc, content, faults: Vec::new() };
    check.threshold();
    check.gates();
    check.categories();
    check.weights();
    check.members();
    check.criteria();
    check.faults
}

struct Check<'a> {
    doc: &'a Document,
    content: &'a Content,
    faults: Vec<Error>,
}

impl<'a> Check<'a> {
    fn fault(&mut self, path: &str, message: String, hint: impl Into<String>) {
        self.faults.push(self.doc.fault(path, message).hint(hint));
    }

    fn ids(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.content.criteria.iter().map(|criterion| criterion.id.as_str())
    }

    fn threshold(&mut self) {
        let threshold = self.content.threshold;
        if !(0.0..=1.0).contains(&threshold) {
            let message = format!("the threshold is {threshold}, not from 0 to 1");
            self.fault("threshold", message, "80 percent is 0.8");
        }
    }

    fn gates(&mut self) {
        let known: HashSet<&str> = self.ids().collect();
        let mut seen = HashSet::new();
        for (index, gate) in self.content.gates.iter().enumerate() {
            let path = format!("gates[{index}]");
            if !known.contains(gate.as_str()) {
                let hint = suggest::hint(gate, self.ids());
                self.fault(&path, format!("the gate `{gate}` is no criterion"), hint);
            } else if !seen.insert(gate) {
                self.fault(&path, format!("the gate `{gate}` is there twice"), "remove one");
            }
        }
    }

    fn categories(&mut self) {
        let mut names = HashSet::new();
        for (index, Category { name, weight, criteria }) in self.content.categories.iter().enumerate() {
            let path = |key| format!("categories[{index}].{key}");
            if name.trim().is_empty() {
                self.fault(&path("name"), "a category has no name".into(), "records name it: `accuracy`");
            } else if !names.insert(name) {
                self.fault(&path("name"), format!("two categories are named `{name}`"), "rename one");
            }
            if !(0.0..=1.0).contains(weight) {
                let message = format!("the weight of `{name}` is {weight}, not from 0 to 1");
                self.fault(&path("weight"), message, "a quarter of the score is 0.25");
            }
            if criteria.is_empty() {
                let message = format!("category `{name}` has no criteria");
                let hint = "it would always score 1.0: give it criteria, or remove it";
                self.fault(&path("criteria"), message, hint);
            }
        }
    }

    fn weights(&mut self) {
        let categories = &self.content.categories;
        let sum: f64 = categories.iter().map(|category| category.weight).sum();
        if categories.is_empty() {
            self.fault("categories", "there are no categories".into(), "without one there is no score");
        } else if sum.is_nan() || (sum - 1.0).abs() > TOLERANCE {
            let terms: Vec<String> =
                categories.iter().map(|category| format!("{} {}", category.name, category.weight)).collect();
            // As many digits as the tolerance needs, and no more.
            let sum = format!("{sum:.7}").trim_end_matches('0').trim_end_matches('.').to_string();
            let message = format!("the weights of the categories sum to {sum}, not to 1");
            self.fault("categories", message, format!("they are {}", terms.join(", ")));
        }
    }

    /// The criteria that the categories name: each known, and in one place only.
    fn members(&mut self) {
        let known: HashSet<&str> = self.ids().collect();
        let mut home: HashMap<&str, &str> = HashMap::new();
        for (index, category) in self.content.categories.iter().enumerate() {
            for (position, id) in category.criteria.iter().enumerate() {
                let path = format!("categories[{index}].criteria[{position}]");
                if !known.contains(id.as_str()) {
                    let message = format!("`{id}` in category `{}` is no criterion", category.name);
                    let hint = suggest::hint(id, self.ids());
                    self.fault(&path, message, hint);
                } else if let Some(first) = home.insert(id, &category.name) {
                    let message = match first == category.name {
                        true => format!("`{id}` is in category `{first}` twice"),
                        false => format!("`{id}` is in two categories, `{first}` and `{}`", category.name),
                    };
                    self.fault(&path, message, "a criterion is in one category at most: remove one");
                }
            }
        }
    }

    fn criteria(&mut self) {
        let categories = &self.content.categories;
        let used: HashSet<&String> =
            categories.iter().flat_map(|category| &category.criteria).chain(&self.content.gates).collect();
        let mut seen = HashSet::new();
        for (index, criterion) in self.content.criteria.iter().enumerate() {
            let id = &criterion.id;
            let path = format!("criteria[{index}].id");
            if id.trim().is_empty() {
                self.fault(&path, "a criterion has no id".into(), "judges answer by it: `C1`");
            } else if !seen.insert(id) {
                self.fault(&path, format!("two criteria have the id `{id}`"), "rename one");
            } else if !used.contains(id) {
                let hint = "its answer would change nothing: put it into a category, or among the gates";
                self.fault(&path, format!("criterion `{id}` is in no category and no gate"), hint);
            }
            if criterion.question.trim().is_empty() {
                let path = format!("criteria[{index}].question");
                let hint = "ask something that YES is a good answer to";
                self.fault(&path, format!("criterion `{id}` has no question"), hint);
            }
            self.examples(index, criterion);
        }
        if self.content.criteria.is_empty() {
            self.fault("criteria", "there are no criteria".into(), "a rubric needs at least one");
        }
    }

    /// A judge learns from an example only when it knows what the example stands for.
    fn examples(&mut self, index: usize, criterion: &Criterion) {
        for (position, example) in criterion.examples.iter().enumerate() {
            let kind = example.kind.as_str();
            if !KINDS.contains(&kind) {
                let path = format!("criteria[{index}].examples[{position}].type");
                let message = format!("an example of criterion `{}` has the type `{kind}`", criterion.id);
                self.fault(&path, message, "it is PASS, FAIL or BORDERLINE");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "\
threshold: 0.8
gates:
  - C3
categories:
  - name: accuracy
    weight: 0.75
    criteria: [C2, C1]
  - name: tone
    weight: 0.25
    criteria:
      - C4
criteria:
  - {id: C1, question: Is it right?}
  - {id: C2, question: Is it complete?, na_valid: true}
  - {id: C3, question: Is it safe?}
  - {id: C4, question: Is it kind?}
";

    /// The faults after one edit, as `line: message`.
    fn after(from: &str, to: &str) -> Vec<String> {
        assert!(SOUND.contains(from), "{from}");
        let found = faults("r.yaml", &SOUND.replace(from, to));
        assert!(found.iter().all(|fault| fault.get_hint().is_some() || fault.message().contains("key")));
        found.iter().map(|fault| format!("{}: {}", fault.place().unwrap().line, fault.message())).collect()
    }

    #[test]
    fn each_fault_is_found_at_its_line() {
        assert_eq!(faults("r.yaml", SOUND).len(), 0);
        let cases = [
            ("threshold: 0.8", "threshold: 8", "1: the threshold is 8, not from 0 to 1"),
            ("  - C3\n", "  - C3\n  - C33\n", "4: the gate `C33` is no criterion"),
            ("  - C3\n", "  - C3\n  - C3\n", "4: the gate `C3` is there twice"),
            ("name: tone", "name: accuracy", "8: two categories are named `accuracy`"),
            ("name: tone", "name: ''", "8: a category has no name"),
            ("weight: 0.25", "weight: 0.15", "4: the weights of the categories sum to 0.9, not to 1"),
            (
                "weight: 0.25",
                "weight: 0.250002",
                "4: the weights of the categories sum to 1.000002, not to 1",
            ),
            ("- C4\n", "- C4\n      - C5\n", "12: `C5` in category `tone` is no criterion"),
            ("- C4\n", "- C4\n      - C1\n", "12: `C1` is in two categories, `accuracy` and `tone`"),
            ("[C2, C1]", "[C2, C1, C2]", "7: `C2` is in category `accuracy` twice"),
            ("  - C3\n", "  - C4\n", "15: criterion `C3` is in no category and no gate"),
            ("Is it safe?", "' '", "15: criterion `C3` has no question"),
            ("{id: C3", "{idd: C3", "15: unknown key `idd`"),
            ("gates:", "gate:", "2: unknown key `gate`"),
            ("question: Is it right?", "", "13: `criteria[0]`: missing key `question`"),
            (
                "question: Is it kind?",
                "question: Is it kind?, examples: [{type: FAIL},\n      {type: Pass}]",
                "17: an example of criterion `C4` has the type `Pass`",
            ),
        ];
        for (from, to, expected) in cases {
            assert_eq!(after(from, to), [expected]);
        }
        assert_eq!(after("weight: 0.25", "weight: 0.2500005"), [""; 0]);
    }

    #[test]
    fn all_faults_are_found_at_once() {
        assert_eq!(
            after("    criteria: [C2, C1]", "    criteria: []"),
            [
                "7: category `accuracy` has no criteria",
                "13: criterion `C1` is in no category and no gate",
                "14: criterion `C2` is in no category and no gate",
            ]
        );
        assert_eq!(
            after("weight: 0.75", "weight: -.5"),
            [
                "6: the weight of `accuracy` is -0.5, not from 0 to 1",
                "4: the weights of the categories sum to -0.25, not to 1"
            ]
        );
        assert_eq!(
            after("{id: C4,", "{id: C1,"),
            ["11: `C4` in category `tone` is no criterion", "16: two criteria have the id `C1`",]
        );
    }
}
