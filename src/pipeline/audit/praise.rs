//! Praise and stock sympathy at the beginning of replies, early against late in conversations; and phrases of a list.

use std::collections::BTreeMap;

use super::chat::Chat;
use super::hits::{Finding, Hits, Measure, Totals, of, share};
use super::{Check, Outcome, Setup};

/// Conversations of fewer turns have no thirds to compare.
const LEAST_TURNS: usize = 3;

/// How replies begin.
#[derive(Default)]
pub struct Praise {
    all: Hits,
    /// The phrases, by their number in the list.
    phrases: BTreeMap<usize, usize>,
    /// Replies in the first and in the last third, and how many of them praise.
    thirds: [(usize, usize); 2],
}

impl Check for Praise {
    fn of(chat: &Chat, setup: &Setup) -> Praise {
        let (mut all, turns) = (Praise::default(), chat.turns.len());
        for (turn, said) in chat.replies() {
            let first = said.sentences().next().unwrap_or_default();
            let found = setup.praise.first(first);
            if let Some(found) = found {
                let place = first[found.at].begin as usize;
                all.all.add(&chat.id, turn, 1, said, place..place);
                *all.phrases.entry(found.number).or_default() += 1;
            }
            let third = (turn - 1) * 3 / turns;
            if turns >= LEAST_TURNS && third != 1 {
                let (replies, praising) = &mut all.thirds[third / 2];
                *replies += 1;
                *praising += usize::from(found.is_some());
            }
        }
        all
    }

    fn merge(&mut self, later: Praise) {
        self.all.merge(later.all);
        for (number, count) in later.phrases {
            *self.phrases.entry(number).or_default() += count;
        }
        for (mine, theirs) in self.thirds.iter_mut().zip(later.thirds) {
            *mine = (mine.0 + theirs.0, mine.1 + theirs.1);
        }
    }

    fn measures(self, totals: &Totals, setup: &Setup) -> Vec<Measure> {
        let value = share(self.all.count, totals.replies);
        let often = self.often(setup).join(", ");
        let message = format!(
            "{} begin with praise or sympathy: {often}",
            of(self.all.count, totals.replies, "replies")
        );
        let [early, late] = self.thirds.map(|(replies, praising)| share(praising, replies));
        let [first, last] = [early, late].map(|share| format!("{:.0} %", 100.0 * share));
        let shift = format!(
            "{first} of the replies in the first third of conversations begin with praise, {last} in the last"
        );
        let shifted = setup.limits.of("praise_shift").is_some_and(|limit| (early - late).abs() > limit);
        let shift =
            shifted.then(|| Finding::new("praise_shift", shift, (early - late).abs(), self.all.clone()));
        vec![
            Measure::of_hits("praise", value, self.all, message),
            Measure::new("praise_shift", (early - late).abs()).with(shift),
        ]
    }
}

impl Praise {
    /// The phrases that come most often.
    fn often(&self, setup: &Setup) -> Vec<String> {
        let mut counts: Vec<_> = self.phrases.iter().collect();
        counts.sort_by_key(|(number, count)| (std::cmp::Reverse(**count), **number));
        counts
            .iter()
            .take(5)
            .map(|(number, count)| format!("\"{}\" {count}", setup.praise.phrase(**number)))
            .collect()
    }

    /// Those that a prompt should warn of: all that come, when there is too much praise.
    pub fn tell(&self, totals: &Totals, setup: &Setup, outcome: &mut Outcome) {
        let is_over = |limit| share(self.all.count, totals.replies) > limit;
        if setup.limits.of("praise").is_some_and(is_over) {
            let texts = self.phrases.keys().map(|number| setup.praise.phrase(*number).to_string());
            outcome.phrases.extend(texts);
        }
    }
}

/// Phrases that the user has named.
#[derive(Default)]
pub struct Listed {
    replies: usize,
    phrases: BTreeMap<usize, Hits>,
}

impl Check for Listed {
    fn of(chat: &Chat, setup: &Setup) -> Listed {
        let mut all = Listed::default();
        for (turn, said) in chat.replies() {
            let mut seen = Vec::new();
            for found in setup.phrases.all(&said.words) {
                if !seen.contains(&found.number) {
                    seen.push(found.number);
                    let place = said.words[found.at].begin as usize;
                    all.phrases.entry(found.number).or_default().add(&chat.id, turn, 1, said, place..place);
                }
            }
            all.replies += usize::from(!seen.is_empty());
        }
        all
    }

    fn merge(&mut self, later: Listed) {
        self.replies += later.replies;
        for (number, hits) in later.phrases {
            self.phrases.entry(number).or_default().merge(hits);
        }
    }

    fn measures(self, totals: &Totals, setup: &Setup) -> Vec<Measure> {
        let mut phrases: Vec<_> = self.phrases.into_iter().collect();
        phrases.sort_by_key(|(number, hits)| (std::cmp::Reverse(hits.count), *number));
        let findings = phrases.into_iter().map(|(number, hits)| {
            let (value, phrase) = (share(hits.count, totals.replies), setup.phrases.phrase(number));
            let message = format!("\"{phrase}\" stands in {}", of(hits.count, totals.replies, "replies"));
            Finding::new("listed_phrase", message, value, hits)
        });
        vec![Measure::new("listed_phrases", share(self.replies, totals.replies)).with(findings)]
    }
}

impl Listed {
    /// What is listed and found.
    pub fn tell(&self, setup: &Setup, outcome: &mut Outcome) {
        outcome.phrases.extend(self.phrases.keys().map(|number| setup.phrases.phrase(*number).to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::testing::{audited, audited_with, chat, gate, unlike, varied};

    #[test]
    fn praise_that_wears_off_is_found() {
        let reply = |i: usize, turn: usize| match turn {
            0 | 1 => format!("Great question, {}!", unlike(100 * i + turn, 6)),
            4 => format!("{}. I completely understand.", unlike(100 * i + turn, 6)),
            _ => unlike(100 * i + turn, 6),
        };
        let report = audited(
            (0..3)
                .map(|i| chat(&format!("t{i}"), (0..6).map(|t| (unlike(100 * i + t + 50, 5), reply(i, t))))),
        );
        let praise = report.findings.iter().find(|one| one.kind == "praise").unwrap();
        assert_eq!(
            praise.message,
            "6 of 18 replies (33 %) begin with praise or sympathy: \"great question\" 6"
        );
        let shift = report.findings.iter().find(|one| one.kind == "praise_shift").unwrap();
        assert_eq!(
            shift.message,
            "100 % of the replies in the first third of conversations begin with praise, 0 % in the last"
        );
        assert_eq!((shift.value, gate(&report, "praise_shift").pass), (1.0, false));
        assert!(report.phrases.contains(&"great question".to_string()));
    }

    #[test]
    fn another_list_of_praise_and_phrases_of_ones_own() {
        let chats = || {
            (0..2).map(|i| {
                chat(
                    &format!("t{i}"),
                    [("Guten Tag", "Sehr gute Frage! Great question. Kein Problem, kein Problem.")],
                )
            })
        };
        let list = |phrases: &[&str]| phrases.iter().map(|phrase| phrase.to_string()).collect::<Vec<_>>();
        let options = Options {
            praise: Some(list(&["gute frage"])),
            phrases: list(&["kein problem", "nie"]),
            ..Options::default()
        };
        let report = audited_with(chats(), options);
        assert_eq!((gate(&report, "praise").value, gate(&report, "listed_phrases").value), (1.0, 1.0));
        let listed: Vec<_> = report
            .findings
            .iter()
            .filter(|one| one.kind == "listed_phrase")
            .map(|one| &*one.message)
            .collect();
        assert_eq!(listed, ["\"kein problem\" stands in 2 of 2 replies (100 %)"]);
        assert!(gate(&audited(varied(3, 6)), "praise").pass);
    }
}
