//! Phrases that stand in too many replies, without anybody naming them first.
//!
//! Two passes: in the first, every phrase is counted in a table of fixed size ([`Sketch`]); in the second, those that may be
//! frequent are counted exactly, with their words. What then remains are the longest phrases: a part of one says nothing
//! more, unless it is a good deal more frequent.

use rustc_hash::FxHashMap;

use super::chat::Chat;
use super::grams::{Gram, Sketch, grams_where, replies, words_of};
use super::hits::{Finding, Hits, Measure, Totals, of, share};
use super::maximal::{Phrase, longest};
use super::{Outcome, Setup};

/// In fewer replies, or transcripts, nothing is frequent.
const LEAST: usize = 3;

/// What the share of replies, and of transcripts, is measured for.
const PHRASE_GATES: [&str; 2] = ["phrase_share", "phrase_transcripts"];

/// In which part of its replies a conversation may not repeat itself.
const WITHIN: f64 = 0.25;

/// Conversations that repeat a phrase in many of their own replies.
#[derive(Default)]
pub struct Within(Hits);

impl Within {
    /// What a conversation repeats.
    pub fn of(chat: &Chat, grams: &[Gram]) -> Within {
        let least = LEAST.max((WITHIN * chat.turns.len() as f64).ceil() as usize) as u32;
        let worst = grams
            .chunk_by(|one, next| one.hash == next.hash)
            .map(|same| (replies(same), same[0]))
            .filter(|(count, _)| *count >= least)
            // The same words begin earlier in a longer phrase, and the order must not depend on hashes.
            .max_by_key(|(count, gram)| (count * gram.len, std::cmp::Reverse((gram.reply, gram.begin))));
        let mut hits = Hits::default();
        if let Some((count, gram)) = worst {
            let said = &chat.turns[gram.reply as usize][1];
            let words = words_of(said, &gram);
            let place = words[0].begin as usize..words[0].end as usize;
            hits.add(&chat.id, gram.reply as usize + 1, 1, said, place);
            if let Some(example) = hits.examples.first_mut() {
                example.text =
                    format!("\"{}\" in {count} of {} replies", said.slice(words), chat.turns.len());
            }
        }
        Within(hits)
    }

    /// Adds what later conversations repeat.
    pub fn merge(&mut self, later: Within) {
        self.0.merge(later.0);
    }

    /// The measure.
    pub fn measure(self, totals: &Totals, setup: &Setup) -> Measure {
        let value = share(self.0.count, totals.transcripts);
        let is_over = setup.limits.of("phrase_within").is_some_and(|limit| value > limit);
        let transcripts = of(self.0.count, totals.transcripts, "transcripts");
        let message = format!("{transcripts} repeat a phrase in a quarter of their own replies");
        Measure::new("phrase_within", value)
            .with(is_over.then(|| Finding::new("repeated_within", message, value, self.0)))
    }
}

/// What may be frequent, counted exactly.
#[derive(Default)]
pub struct Candidates(FxHashMap<u64, Phrase>);

/// A candidate of one conversation: in how many replies it stands, and where first.
pub struct Here {
    count: u32,
    gram: Gram,
}

impl Candidates {
    /// The phrases of a conversation that may be frequent.
    pub fn of(chat: &Chat, setup: &Setup, sketch: &Sketch, least: u32) -> Vec<Here> {
        let grams = grams_where(chat, setup, |hash| sketch.at_most(hash) >= least);
        let same = grams.chunk_by(|one, next| one.hash == next.hash);
        same.map(|same| Here { count: replies(same), gram: same[0] }).collect()
    }

    /// Counts those of the next conversation.
    pub fn add(&mut self, chat: &Chat, found: Vec<Here>) {
        for Here { count, gram } in found {
            let said = &chat.turns[gram.reply as usize][1];
            let words = words_of(said, &gram);
            let phrase = self.0.entry(gram.hash).or_insert_with(|| Phrase::new(said, words));
            let place = words.first().map_or(0, |word| word.begin as usize);
            phrase.hits.add(&chat.id, gram.reply as usize + 1, 1, said, place..place);
            phrase.hits.count += count as usize - 1;
        }
    }

    /// The phrases that are over a limit, the most frequent first, and what was measured.
    pub fn judge(self, totals: &Totals, setup: &Setup, outcome: &mut Outcome) {
        let bars = Bars::new(totals, setup);
        let (mut most, mut over) = ([0; 2], Vec::new());
        for phrase in self.0.into_values() {
            let counts = phrase.counts();
            for (most, count) in most.iter_mut().zip(counts) {
                *most = (*most).max(count);
            }
            if bars.over(counts).is_some() {
                over.push(phrase);
            }
        }
        let wholes = [totals.replies, totals.transcripts];
        let value = |which: usize| if most[which] < LEAST { 0.0 } else { share(most[which], wholes[which]) };
        let mut measures = [0, 1].map(|which| Measure::new(PHRASE_GATES[which], value(which)));
        for phrase in longest(over) {
            let which = bars.over(phrase.counts()).unwrap_or(0);
            measures[which].findings.push(told(phrase, which, totals, setup, outcome));
        }
        outcome.measures.extend(measures);
    }
}

impl Phrase {
    /// Replies and transcripts with it.
    fn counts(&self) -> [usize; 2] {
        [self.hits.count, self.hits.transcripts]
    }
}

fn told(phrase: Phrase, which: usize, totals: &Totals, setup: &Setup, outcome: &mut Outcome) -> Finding {
    let [count, transcripts] = phrase.counts();
    let value = [share(count, totals.replies), share(transcripts, totals.transcripts)][which];
    let in_system = setup.is_in_system(&phrase.words);
    let note = if in_system { "; it stands in the system prompt" } else { "" };
    let replies = of(count, totals.replies, "replies");
    let transcripts = of(transcripts, totals.transcripts, "transcripts");
    let message = format!("\"{}\" stands in {replies}, in {transcripts}{note}", phrase.text);
    if !in_system {
        outcome.phrases.push(phrase.text);
    }
    Finding::new("repeated_phrase", message, value, phrase.hits)
}

/// From how many replies, or transcripts, a phrase is a finding.
struct Bars([Option<usize>; 2]);

impl Bars {
    fn new(totals: &Totals, setup: &Setup) -> Bars {
        let bar = |gate, whole: usize| {
            let limit = setup.limits.of(gate)?;
            // More than the share, and never by a rounding error.
            Some(((limit * whole as f64 + 1e-9).floor() as usize + 1).max(LEAST))
        };
        Bars([bar(PHRASE_GATES[0], totals.replies), bar(PHRASE_GATES[1], totals.transcripts)])
    }

    /// The first gate that fails by these counts.
    fn over(&self, counts: [usize; 2]) -> Option<usize> {
        self.0.iter().zip(counts).position(|(bar, count)| bar.is_some_and(|bar| count >= bar))
    }
}

/// From which count on phrases are counted exactly: half of what makes a finding, so that gates tell how near the
/// limit the data are.
pub fn least(totals: &Totals, setup: &Setup) -> u32 {
    let bars = Bars::new(totals, setup);
    let lowest = bars.0.into_iter().flatten().min();
    lowest.map_or(u32::MAX, |bar| u32::try_from((bar / 2).max(LEAST)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{audited, audited_with, chat, gate, unlike};
    use super::super::{Options, Report};
    use super::*;

    /// Conversations of which the first `count` have a phrase in each of the first `turns` replies.
    fn planted(phrase: &str, count: usize, turns: usize) -> impl Iterator<Item = Chat> {
        let reply = move |i: usize, turn: usize| match i < count && turn < turns {
            true => format!("{}. {phrase}. {}", unlike(1000 * i + turn, 7), unlike(1000 * i + turn + 500, 5)),
            false => unlike(1000 * i + turn, 12),
        };
        (0..20).map(move |i| {
            chat(&format!("t{i:02}"), (0..10).map(|turn| (unlike(1000 * i + turn + 900, 6), reply(i, turn))))
        })
    }

    fn phrases(report: &Report) -> Vec<String> {
        report
            .findings
            .iter()
            .filter(|one| one.kind == "repeated_phrase")
            .map(|one| one.message.clone())
            .collect()
    }

    #[test]
    fn a_long_phrase_is_found_as_a_whole_once() {
        let long =
            "Please let me know at any time if there is anything else that you would like to ask about it";
        let report = audited(planted(long, 12, 2));
        let text = long.replace("Please let", "\"Please let");
        assert_eq!(
            phrases(&report),
            [format!("{text}\" stands in 24 of 200 replies (12 %), in 12 of 20 transcripts (60 %)")]
        );
        assert_eq!(report.phrases, [long]);
        let finding = &report.findings[0];
        assert_eq!((finding.count, &*finding.ids[0], finding.examples[0].turn), (24, "t00", 1));
        assert_eq!(
            (gate(&report, "phrase_share").value, gate(&report, "phrase_transcripts").value),
            (0.12, 0.6)
        );
        assert!(!report.pass && !gate(&report, "phrase_share").pass);
    }

    #[test]
    fn the_share_must_be_exceeded() {
        // 20 of 200 replies are a tenth; 6 of 20 transcripts three tenths.
        let report = audited(planted("I will gladly look into it", 2, 10));
        assert_eq!((phrases(&report).len(), gate(&report, "phrase_share").value), (0, 0.1));
        assert!(gate(&report, "phrase_share").pass && gate(&report, "phrase_within").pass);
        assert!(phrases(&audited(planted("I will gladly look into it", 6, 1))).is_empty());
        assert_eq!(phrases(&audited(planted("I will gladly look into it", 7, 1))).len(), 1);
    }

    #[test]
    fn a_conversation_that_repeats_itself() {
        let report = audited(planted("I will gladly look into it", 3, 4));
        let finding = report.findings.iter().find(|finding| finding.kind == "repeated_within").unwrap();
        assert!(finding.message.starts_with("3 of 20 transcripts (15 %)"), "{}", finding.message);
        assert_eq!(finding.examples[0].text, "\"I will gladly look into it\" in 4 of 10 replies");
    }

    #[test]
    fn case_and_punctuation_make_no_difference_and_other_languages_are_found() {
        let forms = [
            "I WILL, gladly, look into it",
            "I will gladly look into it",
            "i will gladly look \u{201c}into\u{201d} it",
        ];
        let chats = (0..9).map(|i| {
            chat(&format!("t{i}"), [(unlike(i, 6), format!("{}! {}", forms[i % 3], unlike(50 + i, 8)))])
        });
        assert_eq!(phrases(&audited(chats)).len(), 1);
        let chats = (0..9).map(|i| {
            chat(&format!("t{i}"), [(unlike(i, 6), format!("\u{8bf7}\u{7a0d}\u{7b49}\u{7247}\u{523b}{i}"))])
        });
        assert_eq!(audited(chats).phrases, ["\u{8bf7}\u{7a0d}\u{7b49}\u{7247}\u{523b}"]);
    }

    #[test]
    fn what_is_allowed_or_a_fact_of_the_system_prompt() {
        let fact = "the Lira One costs 449 dollars";
        let with = |options: Options| audited_with(planted(fact, 12, 2), options);
        assert_eq!(phrases(&with(Options::default())).len(), 1);
        let allow = vec!["Lira One".to_string(), "costs 449 Dollars".into()];
        let report = with(Options { allow, ..Options::default() });
        assert!(phrases(&report).is_empty() && gate(&report, "phrase_share").pass);
        let report =
            with(Options { system: "Prices: the Lira One costs 449 dollars.".into(), ..Options::default() });
        assert!(phrases(&report)[0].ends_with("; it stands in the system prompt"));
        assert!(report.phrases.is_empty());
    }
}
