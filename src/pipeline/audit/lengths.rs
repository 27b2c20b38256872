//! Replies that are long beside the messages that they answer, and conversations in which they grow.

use super::chat::Chat;
use super::hits::{Finding, Hits, Measure, Totals, of, share};
use super::words::Said;
use super::{Check, Setup};
use crate::pipeline::length::words;

/// Conversations of fewer turns have no thirds to compare.
const LEAST_TURNS: usize = 6;

/// How long replies are.
#[derive(Default)]
pub struct Lengths {
    over: Hits,
    /// Transcripts whose mean ratio is over.
    long: Hits,
    /// Replies in the first and the last third, and their words.
    thirds: [(usize, usize); 2],
    /// Transcripts that grow by more than the limit.
    growing: Hits,
}

impl Check for Lengths {
    fn of(chat: &Chat, setup: &Setup) -> Lengths {
        let mut all = Lengths::default();
        let mut ratios = Vec::new();
        for (place, [user, assistant]) in chat.turns.iter().enumerate() {
            let (asked, said) = (words(&user.text), words(&assistant.text));
            if asked == 0 {
                continue;
            }
            let ratio = said as f64 / asked as f64;
            ratios.push(ratio);
            if ratio > setup.ratio {
                all.over.add(&chat.id, place + 1, 1, assistant, 0..0);
            }
        }
        let mean = ratios.iter().sum::<f64>() / ratios.len().max(1) as f64;
        if mean > setup.ratio {
            all.long.count += 1;
            all.long.note(&chat.id);
        }
        all.grow(chat, setup);
        all
    }

    fn merge(&mut self, later: Lengths) {
        self.over.merge(later.over);
        self.long.merge(later.long);
        self.growing.merge(later.growing);
        for (mine, theirs) in self.thirds.iter_mut().zip(later.thirds) {
            *mine = (mine.0 + theirs.0, mine.1 + theirs.1);
        }
    }

    fn measures(self, totals: &Totals, setup: &Setup) -> Vec<Measure> {
        let (over, long) =
            (share(self.over.count, totals.replies), share(self.long.count, totals.transcripts));
        let replies = of(self.over.count, totals.replies, "replies");
        let transcripts = of(self.long.count, totals.transcripts, "transcripts");
        let [early, late] = self.thirds.map(|(replies, words)| words as f64 / replies.max(1) as f64);
        let growth = if early > 0.0 { late / early } else { 0.0 };
        let grown = format!(
            "a reply has {early:.0} words in the first third of a conversation, and {late:.0} in the last"
        );
        let told = |gate, value, hits: Hits, message| {
            let is_over = setup.limits.of(gate).is_some_and(|limit| value > limit);
            Measure::new(gate, value).with(is_over.then(|| Finding::new(gate, message, value, hits)))
        };
        let ratio = setup.ratio;
        vec![
            told(
                "over_ratio",
                over,
                self.over,
                format!("{replies} have more than {ratio} times the words of their message"),
            ),
            told(
                "long_transcripts",
                long,
                self.long,
                format!("{transcripts} have a mean ratio above {ratio}"),
            ),
            told("growth", growth, self.growing, grown),
        ]
    }
}

impl Lengths {
    fn grow(&mut self, chat: &Chat, setup: &Setup) {
        let turns = chat.turns.len();
        if turns < LEAST_TURNS {
            return;
        }
        let third = turns / 3;
        let count = |turns: &[[Said; 2]]| turns.iter().map(|[_, said]| words(&said.text)).sum::<usize>();
        let (early, late) = (count(&chat.turns[..third]), count(&chat.turns[turns - third..]));
        self.thirds = [(third, early), (third, late)];
        if setup.limits.of("growth").is_some_and(|limit| late as f64 > limit * early as f64) {
            self.growing.count += 1;
            self.growing.note(&chat.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{audited, chat, gate, unlike};
    use super::*;

    #[test]
    fn long_replies_and_growing_ones_are_found() {
        let talk = |id: usize| {
            chat(
                &format!("t{id}"),
                (1..=6).map(|n| (unlike(id * 100 + n, 5), unlike(id * 100 + 50 + n, 4 * n))),
            )
        };
        let report = audited((0..3).map(talk));
        // 4, 8 and 12 words to 5: from turn 3 on it is more than twice as much.
        assert_eq!(gate(&report, "over_ratio").value, share(12, 18).mul_add(1e6, 0.5).floor() / 1e6);
        assert_eq!(gate(&report, "long_transcripts").value, 1.0);
        assert_eq!(gate(&report, "growth").value, rounded(44.0 / 12.0));
        let finding = report.findings.iter().find(|finding| finding.kind == "over_ratio").unwrap();
        assert!(
            finding.message.starts_with("12 of 18 replies (67 %) have more than 2 times"),
            "{}",
            finding.message
        );
        assert_eq!(finding.examples[0].turn, 3);
        assert!(report.findings.iter().any(|finding| finding.kind == "growth" && finding.ids.len() == 3));
    }

    #[test]
    fn twice_as_long_is_not_over_and_no_message_is_no_measure() {
        let report = audited([chat("t", (0..30).map(|n| (unlike(n, 10), unlike(n + 100, 20))))]);
        assert!(gate(&report, "over_ratio").pass && gate(&report, "growth").pass);
        let report = audited([chat("t", [("", "Many words to say nothing at all")])]);
        assert_eq!(gate(&report, "over_ratio").value, 0.0);
    }

    use super::super::hits::rounded;
}
