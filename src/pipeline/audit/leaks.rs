//! What should have stayed behind the scenes: the model behind the assistant, labels of speakers, marks of templates, the
//! names of a persona's fields, a user who speaks as support, passages of the system prompt.

use std::ops::Range;

use super::chat::Chat;
use super::hits::{Finding, Hits, Measure, Totals, of, share};
use super::lists::MARKS;
use super::words::{Said, sequence};
use super::{Check, Setup};

/// So many words of the system prompt in a row are no fact that is quoted.
pub const SYSTEM_RUN: usize = 16;

/// What was found.
#[derive(Default)]
pub struct Leaks {
    /// Messages with one of the first four.
    role: usize,
    model: Hits,
    labels: Hits,
    marks: Hits,
    fields: Hits,
    swapped: Hits,
    system: Hits,
}

impl Check for Leaks {
    fn of(chat: &Chat, setup: &Setup) -> Leaks {
        let mut all = Leaks::default();
        for (turn, side, said) in chat.messages().filter(|(_, _, said)| !said.words.is_empty()) {
            let words = if side == 1 { &setup.role_leaks } else { &setup.swapped };
            let spoken = words.in_text(said).map(|(_, place)| place);
            let model = spoken.clone().filter(|_| side == 1);
            let seen = [
                (model, &mut all.model),
                (label(&said.text, &setup.speakers), &mut all.labels),
                (mark(&said.text), &mut all.marks),
                (field(&said.text, &chat.fields), &mut all.fields),
            ];
            let mut is_one = false;
            for (place, hits) in seen {
                if let Some(place) = place {
                    hits.add(&chat.id, turn, side, said, place);
                    is_one = true;
                }
            }
            all.role += usize::from(is_one);
            if let Some(place) = spoken.filter(|_| side == 0) {
                all.swapped.add(&chat.id, turn, side, said, place);
            }
            if let Some(place) = passage(said, setup) {
                all.system.add(&chat.id, turn, side, said, place);
            }
        }
        all
    }

    fn merge(&mut self, later: Leaks) {
        self.role += later.role;
        self.model.merge(later.model);
        self.labels.merge(later.labels);
        self.marks.merge(later.marks);
        self.fields.merge(later.fields);
        self.swapped.merge(later.swapped);
        self.system.merge(later.system);
    }

    fn measures(self, totals: &Totals, _: &Setup) -> Vec<Measure> {
        let messages = 2 * totals.replies;
        let told = |kind, hits: Hits, what: &str| {
            let message = format!("{} {what}", of(hits.count, messages, "messages"));
            let value = share(hits.count, messages);
            (hits.count > 0).then(|| Finding::new(kind, message, value, hits))
        };
        let roles = [
            told("model_talk", self.model, "speak as a model, not as the assistant that it plays"),
            told("speaker_label", self.labels, "have a line that begins with a speaker's name"),
            told("template_mark", self.marks, "have a mark of a chat template or a prompt"),
            told("persona_field", self.fields, "name a field of the persona"),
        ];
        let swapped = format!(
            "{} sound like support, or speak of the role",
            of(self.swapped.count, totals.replies, "messages of users")
        );
        let swapped_share = share(self.swapped.count, totals.replies);
        let system_share = share(self.system.count, messages);
        let system = told("system_leaks", self.system, "have a passage of the system prompt");
        vec![
            Measure::new("role_leaks", share(self.role, messages)).with(roles.into_iter().flatten()),
            Measure::of_hits("swapped_roles", swapped_share, self.swapped, swapped),
            Measure::new("system_leaks", system_share).with(system),
        ]
    }
}

/// A line that begins with a speaker's name and a colon: `User:`, `[3] Customer:`, `**Assistant**:`.
fn label(text: &str, speakers: &[String]) -> Option<Range<usize>> {
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        if let Some((name, _)) = line.split_once(':').filter(|(name, _)| name.len() < 40) {
            let name = name
                .trim_matches(|c: char| c.is_whitespace() || "*_#>[]0123456789".contains(c))
                .to_lowercase();
            if speakers.contains(&name) {
                return Some(begin..begin + line.trim_end().len());
            }
        }
        begin += line.len();
    }
    None
}

fn mark(text: &str) -> Option<Range<usize>> {
    if !text.contains(['<', '[']) {
        return None;
    }
    MARKS
        .iter()
        .filter_map(|mark| text.find(mark).map(|place| place..place + mark.len()))
        .min_by_key(|place| place.start)
}

/// A field's name of two words as the file has it (`word_limit`): nobody writes like that.
fn field(text: &str, fields: &[String]) -> Option<Range<usize>> {
    if !text.contains('_') {
        return None;
    }
    let fields = fields.iter().filter(|field| field.trim_matches('_').contains('_'));
    fields
        .filter_map(|field| text.find(field.as_str()).map(|place| place..place + field.len()))
        .min_by_key(|place| place.start)
}

/// A long run of words of the system prompt.
fn passage(said: &Said, setup: &Setup) -> Option<Range<usize>> {
    if setup.system_runs.is_empty() {
        return None;
    }
    let is_run = |words: &&[super::words::Word]| {
        setup.system_runs.contains(&sequence(words.iter().map(|word| word.hash)))
    };
    let run = said.words.windows(SYSTEM_RUN).find(is_run)?;
    Some(run[0].begin as usize..run[SYSTEM_RUN - 1].end as usize)
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::testing::{audited, audited_with, gate, varied};
    use super::*;

    #[test]
    fn each_sort_of_leak_is_found() {
        for (kind, side, said) in [
            ("model_talk", 1, "Sorry, as an AI I have no hands."),
            ("speaker_label", 1, "It is open.\n[3] Customer: Thanks!"),
            ("speaker_label", 0, "**User:** When?"),
            ("template_mark", 1, "Done.<|im_end|>"),
            ("template_mark", 0, "[INST] Hi"),
            ("persona_field", 0, "My word_limit is reached"),
            ("swapped_roles", 0, "How can I help you today?"),
        ] {
            let mut chats = varied(3, 4);
            chats[1].turns[2][side] = Said::new(said);
            chats[1].fields = vec!["name".into(), "word_limit".into()];
            let report = audited(chats);
            let [finding] = &report.findings[..] else { panic!("{kind}: {:?}", report.findings) };
            assert_eq!((finding.kind, finding.count, &*finding.ids[0]), (kind, 1, "t001"));
            let example = &finding.examples[0];
            assert_eq!((example.turn, example.side), (3, ["user", "assistant"][side]));
            assert!(!gate(&report, finding.gate).pass && !report.pass);
        }
    }

    #[test]
    fn what_only_looks_like_a_leak() {
        for said in [
            "The system is fine: it works.",
            "Open at: nine",
            "a < b [1]",
            "Your name is on it",
            "I help as I can",
        ] {
            let mut chats = varied(3, 4);
            chats[0].turns[0] = [Said::new(said), Said::new(said)];
            chats[0].fields = vec!["name".into(), "style".into()];
            assert!(audited(chats).findings.is_empty(), "{said}");
        }
    }

    #[test]
    fn a_passage_of_the_system_prompt_is_found_and_a_fact_is_not() {
        let system = "You are the support of a shop. Never give discounts, vouchers or exceptions in the chat, whatever the customer says or wants of it.";
        let mut chats = varied(3, 4);
        chats[2].turns[0][1] = Said::new("Never give discounts, vouchers or exceptions in the chat.");
        let options = || Options { system: system.into(), ..Options::default() };
        assert!(audited_with(chats, options()).findings.is_empty());
        let mut chats = varied(3, 4);
        chats[2].turns[0][1] = Said::new(
            "My orders: never give discounts vouchers, or exceptions in the chat - whatever the customer says or wants of it!",
        );
        let report = audited_with(chats, options());
        assert_eq!((report.findings.len(), gate(&report, "system_leaks").pass), (1, false));
    }
}
