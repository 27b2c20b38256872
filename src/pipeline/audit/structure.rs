//! How replies are built: headings, lists, bold words, the sequence of their blocks, the number of sentences, and
//! whether they end with a question. What most replies share, a model learns to do always.

use std::collections::BTreeMap;

use super::chat::Chat;
use super::hits::{Finding, Hits, Measure, Totals, of, share};
use super::{Check, Setup};

/// Below so many replies, what most of them have in common may be chance.
const LEAST: usize = 20;

/// What replies look like.
#[derive(Default)]
pub struct Structure {
    headings: Hits,
    bullets: Hits,
    numbered: Hits,
    bold: Hits,
    questions: Hits,
    /// By the letters of the blocks.
    skeletons: BTreeMap<String, Hits>,
    /// By how many there are.
    sentences: BTreeMap<usize, Hits>,
}

impl Check for Structure {
    fn of(chat: &Chat, _: &Setup) -> Structure {
        let mut all = Structure::default();
        for (turn, said) in chat.replies().filter(|(_, said)| !said.words.is_empty()) {
            let blocks = blocks(&said.text);
            let seen = [
                (blocks.contains('H'), &mut all.headings),
                (blocks.contains('B'), &mut all.bullets),
                (blocks.contains('N'), &mut all.numbered),
                (has_bold(&said.text), &mut all.bold),
                (said.text.trim_end().ends_with(['?', '\u{ff1f}']), &mut all.questions),
                (blocks != "P", all.skeletons.entry(blocks).or_default()),
                (true, all.sentences.entry(said.sentences().count()).or_default()),
            ];
            for (_, hits) in seen.into_iter().filter(|(is_so, _)| *is_so) {
                hits.add(&chat.id, turn, 1, said, 0..0);
            }
        }
        all
    }

    fn merge(&mut self, later: Structure) {
        self.headings.merge(later.headings);
        self.bullets.merge(later.bullets);
        self.numbered.merge(later.numbered);
        self.bold.merge(later.bold);
        self.questions.merge(later.questions);
        for (blocks, hits) in later.skeletons {
            self.skeletons.entry(blocks).or_default().merge(hits);
        }
        for (count, hits) in later.sentences {
            self.sentences.entry(count).or_default().merge(hits);
        }
    }

    fn measures(self, totals: &Totals, setup: &Setup) -> Vec<Measure> {
        let replies = totals.replies;
        let tell = |gate, hits, what: &str| rigid(gate, hits, replies, setup, what);
        let most = |(_, one): &(_, Hits), (_, other): &(_, Hits)| one.count.cmp(&other.count);
        let (blocks, skeleton) = self.skeletons.into_iter().max_by(most).unwrap_or_default();
        let by_count = |(_, one): &(usize, Hits), (_, other): &(usize, Hits)| one.count.cmp(&other.count);
        let (count, sentences) = self.sentences.into_iter().max_by(by_count).unwrap_or_default();
        vec![
            tell("headings", self.headings, "have a heading"),
            tell("bullets", self.bullets, "have a bullet list"),
            tell("numbered", self.numbered, "have a numbered list"),
            tell("bold", self.bold, "have bold words"),
            tell("skeletons", skeleton, &format!("are built alike: {}", in_words(&blocks))),
            tell(
                "sentences",
                sentences,
                &format!("have {count} sentence{}", if count == 1 { "" } else { "s" }),
            ),
            tell("questions", self.questions, "end with a question"),
        ]
    }
}

/// The measure of what many replies have: a finding when they are too many, and there are enough of them to tell.
fn rigid(gate: &'static str, hits: Hits, replies: usize, setup: &Setup, what: &str) -> Measure {
    let value = if replies < LEAST { 0.0 } else { share(hits.count, replies) };
    let is_over = setup.limits.of(gate).is_some_and(|limit| value > limit);
    let message = format!("{} {what}", of(hits.count, replies, "replies"));
    Measure::new(gate, value).with(is_over.then(|| Finding::new(gate, message, value, hits)))
}

/// The blocks of a text, a letter each: paragraph, heading, bullets, numbers, quote, table, code.
fn blocks(text: &str) -> String {
    let (mut blocks, mut last, mut in_code) = (String::new(), ' ', false);
    for line in text.lines().map(str::trim) {
        let fence = line.starts_with("```");
        let kind = if in_code || fence { 'C' } else { kind(line) };
        in_code ^= fence;
        if kind != last && kind != ' ' {
            blocks.push(kind);
        }
        // Items of a list with room between them are one list; paragraphs with room between them are two.
        if kind != ' ' || last == 'P' {
            last = kind;
        }
    }
    blocks
}

fn kind(line: &str) -> char {
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    match line.chars().next() {
        None => ' ',
        Some('#') if line.trim_start_matches('#').starts_with(' ') => 'H',
        Some('*')
            if line.len() > 4 && line.starts_with("**") && line.trim_end_matches(':').ends_with("**") =>
        {
            'H'
        }
        Some('-' | '*' | '+') if line[1..].starts_with(' ') => 'B',
        Some('\u{2022}' | '\u{2013}') => 'B',
        Some('>') => 'Q',
        Some('|') => 'T',
        _ if digits.len() < line.len() && (digits.starts_with(". ") || digits.starts_with(") ")) => 'N',
        _ => 'P',
    }
}

fn in_words(blocks: &str) -> String {
    let word = |letter| match letter {
        'H' => "heading",
        'B' => "bullets",
        'N' => "numbered list",
        'Q' => "quote",
        'T' => "table",
        'C' => "code",
        _ => "paragraph",
    };
    blocks.chars().map(word).collect::<Vec<_>>().join(", ")
}

fn has_bold(text: &str) -> bool {
    let mut parts = text.split("**").skip(1).step_by(2);
    text.matches("**").count() > 1 && parts.any(|part| !part.is_empty() && !part.contains('\n'))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{audited, chat, gate, varied};
    use super::*;

    #[test]
    fn blocks_of_a_text() {
        for (text, expected) in [
            ("One.\nTwo.", "P"),
            ("One.\n\nTwo.", "PP"),
            ("# A\nOne:\n- a\n- b\n\n- c\nTwo.", "HPBP"),
            ("**Steps:**\n1. a\n2) b", "HN"),
            ("Look:\n```\n# no heading\n\n- x\n```\n> said\n| a |", "PCQT"),
            ("3.5 bar - that is 7. No list", "P"),
            ("**Bold** at first", "P"),
            ("\u{2022} a", "B"),
            ("", ""),
        ] {
            assert_eq!(blocks(text), expected, "{text:?}");
        }
        assert!(has_bold("so **bold** it") && !has_bold("2**3") && !has_bold("** \n **"));
    }

    #[test]
    fn what_most_replies_have_is_found() {
        let reply = |n: usize| format!("## Word{n}\n- **a{n}**\n- b\n\nIs word{n} right?");
        let chats = (0..4).map(|i| chat(&format!("t{i}"), (0..6).map(|t| ("Hi", reply(10 * i + t)))));
        let report = audited(chats);
        for name in ["headings", "bullets", "bold", "skeletons", "questions", "sentences"] {
            assert_eq!(gate(&report, name).value, 1.0, "{name}");
            assert!(!gate(&report, name).pass, "{name}");
        }
        assert!(gate(&report, "numbered").pass);
        let skeleton = report.findings.iter().find(|finding| finding.kind == "skeletons").unwrap();
        assert_eq!(skeleton.message, "24 of 24 replies (100 %) are built alike: heading, bullets, paragraph");
        assert_eq!((skeleton.count, skeleton.ids.len(), skeleton.examples.len()), (24, 4, 3));
    }

    #[test]
    fn plain_replies_and_few_replies_are_no_finding() {
        assert!(audited(varied(4, 6)).findings.is_empty());
        let few = audited([chat("t", (0..6).map(|n| ("Hello there", format!("# Head{n}\n- one{n}?"))))]);
        assert!(gate(&few, "headings").pass && gate(&few, "questions").pass);
    }
}
