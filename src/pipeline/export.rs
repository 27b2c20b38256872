//! Examples become training files: split by group, in an order that does not depend on scheduling,
//! with a manifest that says of each line where it comes from.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::base::{Error, Kind, Result};
use crate::pipeline::slices::Example;
use crate::pipeline::split::{Side, check_share, side_of};

/// The file that is trained on.
pub const TRAINING_FILE: &str = "training_data.jsonl";
/// The file that is held out.
pub const VALIDATION_FILE: &str = "validation.jsonl";
/// The file that says where each line comes from.
pub const MANIFEST_FILE: &str = "manifest.jsonl";

/// Which assistant messages are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loss {
    /// `all`: every one, in every example.
    #[default]
    All,
    /// `new`: only those that no earlier slice of the same transcript carries; the others get
    /// `"weight": 0`, so that early turns are not learned many times over.
    New,
}

impl Loss {
    /// By its name, `all` or `new`.
    pub fn named(name: &str) -> Result<Loss> {
        match name {
            "all" => Ok(Loss::All),
            "new" => Ok(Loss::New),
            _ => {
                Err(Error::new(Kind::Argument, format!("`loss` is `{name}`"))
                    .hint("it is \"all\" or \"new\""))
            }
        }
    }
}

/// The texts of the training files.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingSet {
    /// Of [`TRAINING_FILE`]: a line `{"messages": [{"role", "content"}, ...]}` an example, in the order
    /// of transcript id, then last exchange; an assistant message may carry a third key, `"weight": 0`.
    pub training: String,
    /// Of [`VALIDATION_FILE`], likewise.
    pub validation: String,
    /// Of [`MANIFEST_FILE`]: `{file, line, transcript, group, first, last, tokens, truncated}` a line,
    /// lines and exchanges counted from 1; the training file's first.
    pub manifest: String,
    /// What is in them.
    pub summary: Summary,
}

/// What is in the training files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// What is trained on.
    pub training: SideSummary,
    /// What is held out.
    pub validation: SideSummary,
    /// Examples on both sides whose beginning was cut off to fit the budget.
    pub truncated: usize,
    /// What the user should look at: an empty side.
    pub warnings: Vec<String>,
}

/// What is on one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SideSummary {
    /// Lines of its file.
    pub examples: usize,
    /// Their tokens, added up.
    pub tokens: usize,
    /// Different groups.
    pub groups: usize,
    /// Different transcripts.
    pub transcripts: usize,
}

impl TrainingSet {
    /// Makes the files' texts of examples in any order. `validation` is the share of groups to hold out
    /// (0 <= share < 1; 0 holds out nothing): see [`side_of`].
    pub fn build(examples: &[Example], validation: f64, loss: Loss) -> Result<TrainingSet> {
        check_share(validation)?;
        let mut order: Vec<&Example> = examples.iter().collect();
        order.sort_by_key(|example| (&example.transcript, example.last, example.first));
        let silent = match loss {
            Loss::All => vec![HashSet::new(); order.len()],
            Loss::New => seen_before(&order)?,
        };
        let (mut training, mut held_out) = (Output::new(TRAINING_FILE), Output::new(VALIDATION_FILE));
        for (example, silent) in order.iter().zip(&silent) {
            match side_of(&example.group, validation) {
                Side::Training => training.add(example, silent)?,
                Side::Validation => held_out.add(example, silent)?,
            }
        }
        let summary = Summary {
            training: training.summary(),
            validation: held_out.summary(),
            truncated: examples.iter().filter(|example| example.truncated).count(),
            warnings: warnings(&training, &held_out, validation),
        };
        let manifest = training.manifest + held_out.manifest.as_str();
        Ok(TrainingSet { training: training.text, validation: held_out.text, manifest, summary })
    }
}

/// A file in the making.
struct Output<'a> {
    file: &'static str,
    text: String,
    manifest: String,
    counts: SideSummary,
    groups: BTreeSet<&'a str>,
    transcripts: BTreeSet<&'a str>,
}

impl<'a> Output<'a> {
    fn new(file: &'static str) -> Output<'a> {
        Output {
            file,
            text: String::new(),
            manifest: String::new(),
            counts: SideSummary::default(),
            groups: BTreeSet::new(),
            transcripts: BTreeSet::new(),
        }
    }

    fn add(&mut self, example: &'a Example, silent: &HashSet<usize>) -> Result<()> {
        self.counts.examples += 1;
        self.counts.tokens += example.tokens;
        self.groups.insert(&example.group);
        self.transcripts.insert(&example.transcript);
        let message = |(index, message): (usize, &'a crate::pipeline::tokens::Message)| ChatMessage {
            role: &message.role,
            content: &message.content,
            weight: silent.contains(&index).then_some(0),
        };
        let messages = example.messages.iter().enumerate().map(message).collect();
        push_line(&mut self.text, &ChatLine { messages })?;
        let Example { transcript, group, first, last, tokens, truncated, .. } = example;
        let (first, last, tokens, truncated) = (*first, *last, *tokens, *truncated);
        let line = self.counts.examples;
        let entry = ManifestLine { file: self.file, line, transcript, group, first, last, tokens, truncated };
        push_line(&mut self.manifest, &entry)
    }

    fn summary(&self) -> SideSummary {
        SideSummary { groups: self.groups.len(), transcripts: self.transcripts.len(), ..self.counts.clone() }
    }
}

// Typed, since a map would not keep the order of its keys.
#[derive(Serialize)]
struct ChatLine<'a> {
    messages: Vec<ChatMessage<'a>>,
}

#[derive(Serialize)]
struct ChatMessage<'a> {
    role: &'a str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u8>,
}

#[derive(Serialize)]
struct ManifestLine<'a> {
    file: &'a str,
    line: usize,
    transcript: &'a str,
    group: &'a str,
    first: usize,
    last: usize,
    tokens: usize,
    truncated: bool,
}

fn push_line(text: &mut String, line: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string(line);
    text.push_str(&json.map_err(|e| Error::new(Kind::Internal, format!("cannot write JSON: {e}")))?);
    text.push('\n');
    Ok(())
}

/// For each example, which of its messages (by index) are replies that an earlier one of the same
/// transcript carries. The examples are in order.
fn seen_before(order: &[&Example]) -> Result<Vec<HashSet<usize>>> {
    let mut seen: HashMap<&str, HashSet<usize>> = HashMap::new();
    let mut all = Vec::with_capacity(order.len());
    for example in order {
        let replies = replies(example)?;
        let seen = seen.entry(&example.transcript).or_default();
        let silent = replies.iter().filter(|(_, exchange)| seen.contains(exchange));
        all.push(silent.map(|(index, _)| *index).collect());
        seen.extend(replies.iter().map(|(_, exchange)| *exchange));
    }
    Ok(all)
}

/// The replies of an example: each one's index among the messages, and its exchange's number.
fn replies(example: &Example) -> Result<Vec<(usize, usize)>> {
    let messages = example.messages.iter().enumerate();
    let indexes = messages.filter(|(_, message)| message.role == "assistant").map(|(index, _)| index);
    let replies: Vec<(usize, usize)> = indexes.zip(example.first..).collect();
    if replies.len() == (example.last + 1).saturating_sub(example.first) {
        return Ok(replies);
    }
    let Example { transcript, first, last, .. } = example;
    let message = format!(
        "an example of transcript `{transcript}` has {} assistant messages for exchanges {first} to {last}",
        replies.len()
    );
    Err(Error::new(Kind::Argument, message)
        .hint("`loss: \"new\"` needs one assistant message an exchange: use `loss: \"all\"`"))
}

fn warnings(training: &Output, held_out: &Output, share: f64) -> Vec<String> {
    let groups = training.groups.len() + held_out.groups.len();
    let plural = if groups == 1 { "group is" } else { "groups are" };
    let mut warnings = Vec::new();
    if groups == 0 {
        warnings.push("there are no examples: the training files are empty".to_string());
    } else if training.groups.is_empty() {
        warnings.push(format!(
            "nothing to train on: at a validation share of {share}, all {groups} {plural} held out"
        ));
    } else if held_out.groups.is_empty() && share > 0.0 {
        warnings.push(format!(
            "nothing is held out: at a validation share of {share}, all {groups} {plural} trained on; \
             raise the share or add groups"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tokens::Message;
    use proptest::prelude::*;

    fn example(transcript: &str, group: &str, first: usize, last: usize) -> Example {
        let mut messages = vec![Message::new("system", "s")];
        for turn in first..=last {
            messages.push(Message::new("user", format!("u{turn}")));
            messages.push(Message::new("assistant", format!("a{turn}")));
        }
        let (transcript, group) = (transcript.to_string(), group.to_string());
        Example {
            transcript,
            group,
            first,
            last,
            tokens: 10 * last,
            truncated: first > 1,
            offline: false,
            messages,
        }
    }

    #[test]
    fn lines_have_their_keys_in_order() {
        let set = TrainingSet::build(&[example("t", "g", 2, 3)], 0.0, Loss::All).unwrap();
        assert_eq!(
            set.training,
            concat!(
                r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u2"},"#,
                r#"{"role":"assistant","content":"a2"},{"role":"user","content":"u3"},"#,
                r#"{"role":"assistant","content":"a3"}]}"#,
                "\n"
            )
        );
        assert_eq!(
            set.manifest,
            concat!(
                r#"{"file":"training_data.jsonl","line":1,"transcript":"t","group":"g","#,
                r#""first":2,"last":3,"tokens":30,"truncated":true}"#,
                "\n"
            )
        );
        assert_eq!((set.validation.as_str(), set.summary.truncated), ("", 1));
        assert_eq!(set.summary.warnings, [""; 0]);
    }

    #[test]
    fn replies_that_were_seen_weigh_nothing() {
        let examples = [
            example("t", "g", 3, 5),
            example("t", "g", 1, 2),
            example("t", "g", 1, 3),
            example("u", "g", 1, 1),
        ];
        let set = TrainingSet::build(&examples, 0.0, Loss::New).unwrap();
        let line_of = |line: &str| -> Vec<String> {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let messages = line["messages"].as_array().unwrap().clone();
            let silent = messages.iter().filter(|message| message["weight"] == 0);
            silent.map(|message| message["content"].as_str().unwrap().to_string()).collect()
        };
        let silent: Vec<Vec<String>> = set.training.lines().map(line_of).collect();
        assert_eq!(silent, [vec![], vec!["a1", "a2"], vec!["a3"], vec![]]);
        assert!(set.training.contains(r#"{"role":"assistant","content":"a1","weight":0}"#));
        assert!(!set.training.contains("weight\":1"));
    }

    #[test]
    fn replies_that_cannot_be_told_apart_are_an_error() {
        let mut odd = example("t", "g", 1, 2);
        odd.messages.pop();
        assert!(TrainingSet::build(std::slice::from_ref(&odd), 0.1, Loss::All).is_ok());
        assert_eq!(TrainingSet::build(&[odd], 0.1, Loss::New).unwrap_err().kind(), Kind::Argument);
    }

    #[test]
    fn an_empty_side_warns() {
        let warning = |examples: &[Example], share| {
            TrainingSet::build(examples, share, Loss::All).unwrap().summary.warnings
        };
        assert!(warning(&[], 0.1)[0].starts_with("there are no examples"));
        let one = [example("t", "g", 1, 3)];
        assert!(warning(&one, 1e-9)[0].starts_with("nothing is held out"));
        assert!(warning(&one, 1.0 - 1e-9)[0].starts_with("nothing to train on"));
        assert_eq!(warning(&one, 0.0), [""; 0]);
    }

    fn sets() -> impl Strategy<Value = Vec<Example>> {
        let one = (0_usize..30, 0_usize..8, 1_usize..9).prop_map(|(transcript, group, last)| {
            example(&format!("t{transcript}"), &format!("g{group}"), 1, last)
        });
        proptest::collection::vec(one, 0..40)
    }

    proptest! {
        #[test]
        fn the_order_of_examples_does_not_matter(examples in sets(), share in 0.0..1.0) {
            let set = |examples: &[Example]| TrainingSet::build(examples, share, Loss::All).unwrap();
            let mut turned = examples.clone();
            turned.reverse();
            // Examples of one transcript and exchange that differ in their group only may swap places.
            let key = |example: &Example| (example.transcript.clone(), example.last);
            let mut keys: Vec<_> = examples.iter().map(key).collect();
            keys.sort();
            keys.dedup();
            prop_assume!(keys.len() == examples.len());
            prop_assert_eq!(set(&examples), set(&turned));
        }

        #[test]
        fn no_group_is_on_both_sides(examples in sets(), share in 0.0..1.0) {
            let set = TrainingSet::build(&examples, share, Loss::New).unwrap();
            let mut sides: HashMap<String, HashSet<String>> = HashMap::new();
            for line in set.manifest.lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let group = line["group"].to_string();
                sides.entry(group).or_default().insert(line["file"].to_string());
            }
            prop_assert!(sides.values().all(|files| files.len() == 1));
            prop_assert_eq!(set.summary.training.groups + set.summary.validation.groups, sides.len());
            let lines = set.training.lines().count() + set.validation.lines().count();
            prop_assert!(lines == examples.len() && set.manifest.lines().count() == lines);
        }
    }
}
