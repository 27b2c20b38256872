//! Examples become lines of training files, a transcript at a time: so they can be made on all cores, and only
//! those of a few transcripts are in memory.

use std::collections::HashSet;

use super::rules::{Loss, Rules};
use super::slices::{Example, SliceOptions, cut};
use super::split::{Side, side_of};
use super::talk::Talk;
use super::tokens::count_system;
use crate::base::escape::push_json;
use crate::base::{Error, Kind, Result};

/// The lines of one transcript, in the order of last exchange, then first.
#[derive(Debug, Default, PartialEq)]
pub struct Sheet {
    /// The transcript's id.
    pub transcript: String,
    /// What is known of each line.
    pub lines: Vec<Line>,
    /// The lines one behind the other: `{"messages": [{"role", "content"}, ...]}`, where an assistant message may
    /// carry a third key, `"weight": 0`.
    pub text: Vec<u8>,
    /// Slices that were left out because they cost too much.
    pub over_budget: usize,
}

/// One line, as the manifest tells of it.
#[derive(Debug, PartialEq)]
pub struct Line {
    /// Where it goes.
    pub side: Side,
    /// What must not be on both sides.
    pub group: String,
    /// Its first exchange, 1-based.
    pub first: usize,
    /// Its last exchange, included.
    pub last: usize,
    /// What its messages cost.
    pub tokens: usize,
    /// Whether its beginning was cut off to fit the budget.
    pub truncated: bool,
    /// Whether no real model made it.
    pub offline: bool,
    /// Where it ends in the sheet's text.
    pub end: usize,
}

impl Sheet {
    /// The lines of examples of one transcript, in any order.
    pub fn of_examples(examples: &[&Example], rules: &Rules) -> Result<Sheet> {
        let messages: Vec<Messages> = examples.iter().map(|example| Messages::of(example)).collect();
        let drafts = examples.iter().zip(&messages);
        let drafts = drafts.map(|(example, messages)| Draft::of(example, messages)).collect();
        Sheet::write(drafts, rules, 0)
    }

    /// The lines of a transcript, or of several of the same id, cut with this system message.
    pub fn of_talks(talks: &[Talk], system: &System, options: &SliceOptions, rules: &Rules) -> Result<Sheet> {
        let messages: Vec<Messages> = talks.iter().map(|talk| Messages::told(talk, &system.text)).collect();
        let (mut drafts, mut over_budget) = (Vec::new(), 0);
        for (talk, messages) in talks.iter().zip(&messages) {
            let texts = talk.exchanges.iter().map(|pair| pair.each_ref().map(|text| &**text));
            let cut = cut(&talk.id, texts, system.tokens, options)?;
            over_budget += cut.over_budget;
            drafts.extend(cut.parts.iter().map(|part| Draft {
                transcript: &talk.id,
                group: &talk.group,
                first: part.skipped + 1,
                last: part.last,
                tokens: part.tokens,
                truncated: part.skipped > 0,
                offline: talk.offline,
                messages,
                from: messages.before + 2 * part.skipped,
                to: messages.before + 2 * part.last,
            }));
        }
        Sheet::write(drafts, rules, over_budget)
    }

    fn write(mut drafts: Vec<Draft>, rules: &Rules, over_budget: usize) -> Result<Sheet> {
        drafts.sort_by_key(|draft| (draft.last, draft.first));
        let transcript = drafts.first().map(|draft| draft.transcript.to_string()).unwrap_or_default();
        let mut sheet = Sheet { transcript, over_budget, ..Sheet::default() };
        let mut seen = HashSet::new();
        for draft in &drafts {
            draft.write(rules.loss, &mut seen, &mut sheet.text)?;
            let Draft { first, last, tokens, truncated, offline, .. } = *draft;
            let group = rules.group.of(draft);
            let (side, end) = (side_of(&group, rules.validation), sheet.text.len());
            sheet.lines.push(Line { side, group, first, last, tokens, truncated, offline, end });
        }
        Ok(sheet)
    }
}

/// A system message, counted once for all transcripts.
#[derive(Debug, Clone)]
pub struct System {
    text: String,
    tokens: usize,
}

impl System {
    /// That of a prompt; of an empty one there is none.
    pub fn new(text: &str, options: &SliceOptions) -> System {
        System { text: text.into(), tokens: count_system(text, options.encoding) }
    }
}

/// Messages as they stand in a line, one behind the other: escaped once, copied into every slice that has them.
#[derive(Default)]
struct Messages {
    json: Vec<u8>,
    /// Where each ends, and whether it is a reply.
    ends: Vec<(usize, bool)>,
    /// How many stand before the first exchange, in every slice.
    before: usize,
}

impl Messages {
    fn of(example: &Example) -> Messages {
        let mut messages = Messages::default();
        for message in &example.messages {
            messages.push(&message.role, as_json(&message.content).as_bytes());
        }
        messages
    }

    fn told(talk: &Talk, system: &str) -> Messages {
        let mut messages = Messages::default();
        if !system.is_empty() {
            messages.push("system", as_json(system).as_bytes());
            messages.before = 1;
        }
        for [user, assistant] in talk.quoted() {
            messages.push("user", user);
            messages.push("assistant", assistant);
        }
        messages
    }

    /// Adds a message, but for the brace that closes it.
    fn push(&mut self, role: &str, quoted: &[u8]) {
        self.json.extend_from_slice(b"{\"role\":");
        self.json.extend_from_slice(as_json(role).as_bytes());
        self.json.extend_from_slice(b",\"content\":");
        self.json.extend_from_slice(quoted);
        self.ends.push((self.json.len(), role == "assistant"));
    }

    fn get(&self, place: usize) -> (&[u8], bool) {
        let begin = if place == 0 { 0 } else { self.ends[place - 1].0 };
        let (end, reply) = self.ends[place];
        (&self.json[begin..end], reply)
    }
}

fn as_json(text: &str) -> String {
    let mut quoted = String::new();
    push_json(&mut quoted, text);
    quoted
}

/// An example whose messages are those before the first exchange, and those from one place to another.
pub(super) struct Draft<'a> {
    pub transcript: &'a str,
    pub group: &'a str,
    pub first: usize,
    pub last: usize,
    pub tokens: usize,
    pub truncated: bool,
    pub offline: bool,
    messages: &'a Messages,
    from: usize,
    to: usize,
}

impl<'a> Draft<'a> {
    fn of(example: &'a Example, messages: &'a Messages) -> Draft<'a> {
        let Example { transcript, group, first, last, tokens, truncated, offline, .. } = example;
        let (first, last, tokens, truncated, offline) = (*first, *last, *tokens, *truncated, *offline);
        let to = messages.ends.len();
        Draft { transcript, group, first, last, tokens, truncated, offline, messages, from: 0, to }
    }

    fn messages(&self) -> impl Iterator<Item = (&'a [u8], bool)> + use<'a> {
        let messages = self.messages;
        (0..messages.before).chain(self.from..self.to).map(|place| messages.get(place))
    }

    /// Appends its line. `seen` are the exchanges whose replies earlier lines of the transcript carry.
    fn write(&self, loss: Loss, seen: &mut HashSet<usize>, out: &mut Vec<u8>) -> Result<()> {
        if loss == Loss::New {
            self.check_replies()?;
        }
        out.extend_from_slice(b"{\"messages\":[");
        let mut exchange = self.first;
        for (i, (message, reply)) in self.messages().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            out.extend_from_slice(message);
            if loss == Loss::New && reply {
                if !seen.insert(exchange) {
                    out.extend_from_slice(b",\"weight\":0");
                }
                exchange += 1;
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"]}\n");
        Ok(())
    }

    /// Replies can be told apart by number when there is one for each exchange.
    fn check_replies(&self) -> Result<()> {
        let replies = self.messages().filter(|(_, reply)| *reply).count();
        let Draft { transcript, first, last, .. } = *self;
        if replies == (last + 1).saturating_sub(first) {
            return Ok(());
        }
        let message = format!(
            "an example of transcript `{transcript}` has {replies} assistant messages for exchanges {first} to {last}"
        );
        Err(Error::new(Kind::Argument, message)
            .hint("`loss: \"new\"` needs one assistant message an exchange: use `loss: \"all\"`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::rules::GroupBy;
    use crate::pipeline::slices::{OverBudget, slice_transcript};
    use crate::pipeline::transcript::Transcript;
    use proptest::prelude::*;

    const RULES: Rules =
        Rules { validation: 0.0, loss: Loss::All, group: GroupBy::Group, mix_offline: false };

    /// A transcript's file, with texts that need escapes.
    fn file(id: &str, turns: usize) -> String {
        let turn =
            |n| serde_json::json!({"user": format!("\"{n}\"\n"), "assistant": "wörd ".repeat(n % 5 + 1)});
        let exchanges: Vec<_> = (1..=turns).map(turn).collect();
        serde_json::json!({"id": id, "persona": {"id": "p"}, "exchanges": exchanges, "offline": true})
            .to_string()
    }

    #[test]
    fn every_key_of_an_example_can_be_its_group() {
        let file = file("t", 4);
        let talks = [Talk::parse("t.json", &file).unwrap()];
        let options = SliceOptions::new(1000);
        for (name, expected) in [
            ("group", "p"),
            ("transcript", "t"),
            ("first", "1"),
            ("last", "3"),
            ("truncated", "false"),
            ("offline", "true"),
        ] {
            let rules = Rules { group: GroupBy::named(name).unwrap(), ..RULES };
            let sheet = Sheet::of_talks(&talks, &System::new("", &options), &options, &rules).unwrap();
            assert_eq!(sheet.lines[0].group, expected, "{name}");
        }
        assert!(GroupBy::named("topic").unwrap_err().message().contains("`topic`"));
    }

    proptest! {
        /// Twice the same id is one sheet, as it is one transcript to whoever reads the files.
        #[test]
        fn both_ways_make_the_same_lines(
            turns in proptest::collection::vec(0_usize..20, 1..3), max_tokens in 10_usize..300,
            system in "[a\"]{0,3}", new: bool, recent: bool, validation in 0.0..1.0,
        ) {
            let loss = if new { Loss::New } else { Loss::All };
            let rules = Rules { validation, loss, ..RULES };
            let over_budget = if recent { OverBudget::Recent } else { OverBudget::Skip };
            let options = SliceOptions { over_budget, ..SliceOptions::new(max_tokens) };
            let files: Vec<String> = turns.iter().map(|turns| file("t", *turns)).collect();
            let talks: Vec<Talk> = files.iter().map(|file| Talk::parse("t.json", file).unwrap()).collect();
            let (mut examples, mut over) = (Vec::new(), 0);
            for file in &files {
                let transcript = Transcript::parse("t.json", file).unwrap();
                let sliced = slice_transcript(&transcript, &system, &options).unwrap();
                examples.extend(sliced.examples);
                over += sliced.over_budget;
            }
            let sheet = Sheet::of_talks(&talks, &System::new(&system, &options), &options, &rules).unwrap();
            let examples = Sheet::of_examples(&examples.iter().collect::<Vec<_>>(), &rules).unwrap();
            prop_assert_eq!(sheet, Sheet { over_budget: over, ..examples });
        }
    }
}
