//! Lines become training files: split by group, in an order that does not depend on scheduling,
//! with a manifest that says of each line where it comes from.

use serde::Serialize;

use super::lines::{Line, Sheet};
use super::rules::Rules;
use super::slices::Example;
use super::split::{Side, check_share};
use super::summary::{Counts, Summary, warnings};
use crate::base::{Error, Kind, Result};

/// The file that is trained on.
pub const TRAINING_FILE: &str = "training_data.jsonl";
/// The file that is held out.
pub const VALIDATION_FILE: &str = "validation.jsonl";
/// The file that says where each line comes from.
pub const MANIFEST_FILE: &str = "manifest.jsonl";

/// A file of the training data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// [`TRAINING_FILE`].
    Training,
    /// [`VALIDATION_FILE`].
    Validation,
    /// [`MANIFEST_FILE`]: `{file, line, transcript, group, first, last, tokens, truncated}` a
    /// line, lines and exchanges counted from 1; the training file's first.
    Manifest,
}

impl Part {
    /// All of them; the manifest last, since it speaks of the others.
    pub const ALL: [Part; 3] = [Part::Training, Part::Validation, Part::Manifest];

    /// The file's name.
    pub fn file(self) -> &'static str {
        match self {
            Part::Training => TRAINING_FILE,
            Part::Validation => VALIDATION_FILE,
            Part::Manifest => MANIFEST_FILE,
        }
    }
}

/// Writes the training files, a transcript at a time, in the order of their ids.
pub struct Writer<P> {
    /// Takes what comes next in a file.
    put: P,
    rules: Rules,
    training: Counts,
    validation: Counts,
    /// The manifest of what is held out, which follows when all the rest has been written.
    held_out: Vec<u8>,
    truncated: usize,
    offline: usize,
    over_budget: usize,
}

impl<P: FnMut(Part, &[u8]) -> Result<()>> Writer<P> {
    /// Begins files that `put` takes.
    pub fn new(rules: Rules, put: P) -> Result<Writer<P>> {
        check_share(rules.validation)?;
        let (training, validation, held_out) = Default::default();
        Ok(Writer { put, rules, training, validation, held_out, truncated: 0, offline: 0, over_budget: 0 })
    }

    /// Adds the lines of the next transcript.
    pub fn add(&mut self, sheet: &Sheet) -> Result<()> {
        self.over_budget += sheet.over_budget;
        let mut begin = 0;
        for run in sheet.lines.chunk_by(|one, next| one.side == next.side) {
            let (side, end) = (run[0].side, run.last().map_or(begin, |line| line.end));
            (self.put)(part_of(side), &sheet.text[begin..end])?;
            begin = end;
            self.note(side, &sheet.transcript, run)?;
        }
        for side in [Side::Training, Side::Validation] {
            self.counts(side).of.transcripts += usize::from(sheet.lines.iter().any(|line| line.side == side));
        }
        Ok(())
    }

    fn counts(&mut self, side: Side) -> &mut Counts {
        match side {
            Side::Training => &mut self.training,
            Side::Validation => &mut self.validation,
        }
    }

    /// Counts lines, and puts them into the manifest.
    fn note(&mut self, side: Side, transcript: &str, lines: &[Line]) -> Result<()> {
        let mut entries = Vec::new();
        for line in lines {
            self.truncated += usize::from(line.truncated);
            self.offline += usize::from(line.offline);
            let counts = self.counts(side);
            counts.note(line);
            let number = counts.of.examples;
            push_line(&mut entries, &ManifestLine::of(line, part_of(side), number, transcript))?;
        }
        match side {
            Side::Training => (self.put)(Part::Manifest, &entries),
            Side::Validation => {
                self.held_out.append(&mut entries);
                Ok(())
            }
        }
    }

    /// Ends the files. An error says that they must not be kept.
    pub fn finish(mut self) -> Result<Summary> {
        self.refuse_mixture()?;
        (self.put)(Part::Manifest, &self.held_out)?;
        let warnings = warnings(&self.training, &self.validation, self.rules.validation);
        let (training, validation) = (self.training.summary(), self.validation.summary());
        let (truncated, over_budget) = (self.truncated, self.over_budget as u64);
        Ok(Summary { training, validation, truncated, over_budget, warnings })
    }

    /// Text of the offline stand-ins in a real training file is poison.
    fn refuse_mixture(&self) -> Result<()> {
        let (offline, all) = (self.offline, self.training.of.examples + self.validation.of.examples);
        if self.rules.mix_offline || offline == 0 || offline == all {
            return Ok(());
        }
        let message = format!("{offline} of {all} examples were made offline, the rest by a real model");
        Err(Error::new(Kind::Data, message).hint(
            "`--redo stale` makes and judges the offline conversations anew; else remove them from \
             data/raw/transcripts, or pass #{mix_offline: true}",
        ))
    }
}

/// The examples of one transcript each, in the order of ids.
pub fn by_transcript(examples: &[Example]) -> Vec<Vec<&Example>> {
    let mut order: Vec<&Example> = examples.iter().collect();
    order.sort_by_key(|example| &example.transcript);
    order.chunk_by(|one, next| one.transcript == next.transcript).map(<[_]>::to_vec).collect()
}

fn part_of(side: Side) -> Part {
    match side {
        Side::Training => Part::Training,
        Side::Validation => Part::Validation,
    }
}

// Typed, since a map would not keep the order of its keys.
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

impl<'a> ManifestLine<'a> {
    fn of(line: &'a Line, part: Part, number: usize, transcript: &'a str) -> ManifestLine<'a> {
        let Line { group, first, last, tokens, truncated, .. } = line;
        let (first, last, tokens, truncated) = (*first, *last, *tokens, *truncated);
        ManifestLine { file: part.file(), line: number, transcript, group, first, last, tokens, truncated }
    }
}

fn push_line(out: &mut Vec<u8>, line: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, line)
        .map_err(|e| Error::new(Kind::Internal, format!("cannot write JSON: {e}")))?;
    out.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::pipeline::rules::{GroupBy, Loss};
    use crate::pipeline::tokens::Message;
    use proptest::prelude::*;

    /// The texts of the three files, and the summary.
    #[derive(Debug, PartialEq)]
    struct TrainingSet {
        training: String,
        validation: String,
        manifest: String,
        summary: Summary,
    }

    impl TrainingSet {
        fn build(examples: &[Example], validation: f64, loss: Loss) -> Result<TrainingSet> {
            let rules = Rules { validation, loss, group: GroupBy::Group, mix_offline: false };
            let mut files = Part::ALL.map(|_| Vec::new());
            let mut writer = Writer::new(rules, |part, bytes: &[u8]| {
                files[part as usize].extend_from_slice(bytes);
                Ok(())
            })?;
            for examples in by_transcript(examples) {
                writer.add(&Sheet::of_examples(&examples, &rules)?)?;
            }
            let summary = writer.finish()?;
            let [training, validation, manifest] = files.map(|bytes| String::from_utf8(bytes).unwrap());
            Ok(TrainingSet { training, validation, manifest, summary })
        }
    }

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

    #[test]
    fn offline_text_and_a_models_do_not_mix() {
        let mut examples = [example("a", "g", 1, 3), example("b", "h", 1, 3)];
        examples[1].offline = true;
        let error = TrainingSet::build(&examples, 0.1, Loss::All).unwrap_err();
        assert_eq!(error.message(), "1 of 2 examples were made offline, the rest by a real model");
        assert!(TrainingSet::build(&examples[1..], 0.1, Loss::All).is_ok());
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
