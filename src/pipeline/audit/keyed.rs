//! What messages have in common word for word: how replies begin, whole replies, and the first message and reply of
//! conversations. Counted by hash in a first pass; in the second, the most frequent ones are looked at.

use rustc_hash::{FxHashMap, FxHashSet};

use super::chat::Chat;
use super::hits::{Finding, Hits, Measure, Totals, of, share};
use super::words::{Said, Word, sequence};
use super::{Check, Outcome, Setup};

/// In fewer messages, nothing is common.
const LEAST: u32 = 3;

/// Below so many replies, how most of them begin may be chance.
const LEAST_REPLIES: usize = 20;

/// Replies of fewer words may well be the same.
const LEAST_WORDS: usize = 8;

/// How many of one sort are looked at.
const MOST: usize = 20;

/// What two messages may have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Sort {
    Opener,
    FirstWord,
    FirstMessage,
    FirstReply,
    Reply,
}

use Sort::*;

const SORTS: [Sort; 5] = [Opener, FirstWord, FirstMessage, FirstReply, Reply];

impl Sort {
    fn gate(self) -> &'static str {
        match self {
            Opener => "openers",
            FirstWord => "first_word",
            FirstMessage => "duplicate_first_messages",
            FirstReply => "duplicate_first_replies",
            Reply => "duplicate_replies",
        }
    }

    /// Whether each message counts that has it in common, or only those that repeat an earlier one.
    fn is_opening(self) -> bool {
        matches!(self, Opener | FirstWord)
    }
}

type Key = (Sort, u64);

/// A message as it counts: by which keys, and what of it shows that.
fn keys(chat: &Chat) -> impl Iterator<Item = (Key, usize, usize, &Said, &[Word])> {
    chat.messages().flat_map(|(turn, side, said)| {
        let of =
            |sort: Sort| (side == 1).then(|| part(sort, turn, said)).flatten().map(|words| (sort, words));
        let first =
            (side == 0 && turn == 1 && !said.words.is_empty()).then_some((FirstMessage, &said.words[..]));
        let all = [first, of(Opener), of(FirstWord), of(FirstReply), of(Reply)];
        let key = |words: &[Word]| sequence(words.iter().map(|word| word.hash));
        all.into_iter().flatten().map(move |(sort, words)| ((sort, key(words)), turn, side, said, words))
    })
}

/// The words of a reply that count.
fn part(sort: Sort, turn: usize, said: &Said) -> Option<&[Word]> {
    let first = said.sentences().next()?;
    match sort {
        Opener => Some(&first[..first.len().min(3)]),
        FirstWord => Some(&first[..1]),
        FirstReply => (turn == 1).then_some(&said.words),
        Reply => (said.words.len() >= LEAST_WORDS).then_some(&said.words),
        FirstMessage => None,
    }
}

/// How often each is there.
#[derive(Default)]
pub struct Counts(FxHashMap<Key, u32>);

impl Check for Counts {
    fn of(chat: &Chat, _: &Setup) -> Counts {
        let mut counts = FxHashMap::default();
        for (key, ..) in keys(chat) {
            *counts.entry(key).or_default() += 1;
        }
        Counts(counts)
    }

    fn merge(&mut self, later: Counts) {
        for (key, count) in later.0 {
            *self.0.entry(key).or_default() += count;
        }
    }

    /// Nothing yet: which ones they are is seen in the second pass.
    fn measures(self, _: &Totals, _: &Setup) -> Vec<Measure> {
        Vec::new()
    }
}

/// What is common, by its figures: what the second pass looks at.
pub struct Wanted {
    values: [f64; SORTS.len()],
    keys: FxHashSet<Key>,
}

impl Wanted {
    /// What is over its limit, the most frequent ones of each sort.
    pub fn new(counts: &Counts, totals: &Totals, setup: &Setup) -> Wanted {
        let (mut keys, mut values) = (FxHashSet::default(), [0.0; SORTS.len()]);
        for (sort, value) in SORTS.into_iter().zip(&mut values) {
            let own = counts.0.iter().filter(|((of, _), _)| *of == sort);
            let mut own: Vec<(Key, u32)> = own.map(|(key, count)| (*key, *count)).collect();
            own.sort_unstable_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
            *value = measured(sort, &own, totals);
            let limit = setup.limits.of(sort.gate()).unwrap_or(f64::INFINITY);
            let is_over = |count: u32| match sort.is_opening() {
                true => *value > limit && share(count as usize, totals.replies) > limit,
                false => count > 1,
            };
            keys.extend(own.iter().take(MOST).filter(|(_, count)| is_over(*count)).map(|(key, _)| *key));
        }
        Wanted { values, keys }
    }

    /// Those of a conversation.
    pub fn of(&self, chat: &Chat) -> Here {
        let mut found = Here::default();
        for (key, turn, side, said, words) in keys(chat).filter(|(key, ..)| self.keys.contains(key)) {
            found.hits(key, || said.slice(words).to_string()).add(&chat.id, turn, side, said, 0..0);
        }
        found
    }
}

/// What was seen of them.
#[derive(Default)]
pub struct Common(FxHashMap<Key, (String, Hits)>);

impl Common {
    /// Adds those of the next conversation.
    pub fn add(&mut self, found: Here) {
        for (key, text, hits) in found.0 {
            self.0.entry(key).or_insert_with(|| (text, Hits::default())).1.merge(hits);
        }
    }

    /// The measures.
    pub fn judge(self, wanted: &Wanted, totals: &Totals, outcome: &mut Outcome) {
        let mut hits: Vec<(Sort, String, Hits)> =
            self.0.into_iter().map(|((sort, _), (text, hits))| (sort, text, hits)).collect();
        // Among equals by the text: the order must not depend on hashes.
        hits.sort_by(|a, b| (b.2.count, a.0, &a.1).cmp(&(a.2.count, b.0, &b.1)));
        for (sort, value) in SORTS.into_iter().zip(wanted.values) {
            let own = || hits.iter().filter(|(of, ..)| *of == sort);
            let findings = own().map(|(_, text, hits)| told(sort, text, hits, totals));
            outcome.measures.push(Measure::new(sort.gate(), value).with(findings));
            if sort == Opener {
                // One word is too little to be avoided.
                let texts = own().map(|(_, text, _)| text).filter(|text| text.split_whitespace().count() > 1);
                outcome.phrases.extend(texts.cloned());
            }
        }
    }
}

/// What is common in one conversation.
#[derive(Default)]
pub struct Here(Vec<(Key, String, Hits)>);

impl Here {
    fn hits(&mut self, key: Key, text: impl FnOnce() -> String) -> &mut Hits {
        let place = self.0.iter().position(|(known, ..)| *known == key).unwrap_or_else(|| {
            self.0.push((key, text(), Hits::default()));
            self.0.len() - 1
        });
        &mut self.0[place].2
    }
}

/// The figure of one sort; its keys come with the most frequent first.
fn measured(sort: Sort, own: &[(Key, u32)], totals: &Totals) -> f64 {
    let most = own.first().map_or(0, |(_, count)| *count);
    let again: u32 = own.iter().map(|(_, count)| count - 1).sum();
    match sort {
        Opener | FirstWord if totals.replies < LEAST_REPLIES || most < LEAST => 0.0,
        Opener | FirstWord => share(most as usize, totals.replies),
        Reply => share(again as usize, totals.replies),
        FirstMessage | FirstReply => share(again as usize, totals.transcripts),
    }
}

fn told(sort: Sort, text: &str, hits: &Hits, totals: &Totals) -> Finding {
    let text = shortened(text);
    let replies = of(hits.count, totals.replies, "replies");
    let message = match sort {
        Opener | FirstWord => format!("{replies} begin with \"{text}\""),
        FirstMessage => format!("{} conversations begin with the same message: \"{text}\"", hits.count),
        FirstReply => format!("{} conversations begin with the same reply: \"{text}\"", hits.count),
        Reply => {
            format!("{} replies in {} transcripts are the same: \"{text}\"", hits.count, hits.transcripts)
        }
    };
    let whole = if sort.is_opening() || sort == Reply { totals.replies } else { totals.transcripts };
    Finding::new(sort.gate(), message, share(hits.count, whole), hits.clone())
}

/// A text on one line, cut where it is long.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{audited, chat, gate, unlike, varied};
    use super::*;

    #[test]
    fn the_same_opener_is_found() {
        let reply = |n: usize| match n % 4 {
            0 => format!("Sure thing, friend: {}", unlike(n, 7)),
            1 => format!("Right! {}", unlike(n, 7)),
            _ => unlike(n, 9),
        };
        let report =
            audited((0..5).map(|i| {
                chat(&format!("t{i}"), (0..8).map(|t| (unlike(i * 8 + t + 500, 9), reply(i * 8 + t))))
            }));
        assert_eq!(gate(&report, "openers").value, 0.25);
        let openers: Vec<_> =
            report.findings.iter().filter(|one| one.kind == "openers").map(|one| &*one.message).collect();
        assert_eq!(
            openers,
            [
                "10 of 40 replies (25 %) begin with \"Right\"",
                "10 of 40 replies (25 %) begin with \"Sure thing, friend\""
            ]
        );
        assert!(
            report.phrases.contains(&"Sure thing, friend".to_string())
                && !report.phrases.contains(&"Right".to_string())
        );
        assert!(gate(&report, "first_word").pass);
    }

    #[test]
    fn the_same_first_messages_and_replies_are_found() {
        let mut chats = varied(10, 3);
        for chat in &mut chats[..3] {
            chat.turns[0] = ["Is it open?", "It opens at nine, and closes at six today."].map(Said::new);
        }
        let report = audited(chats);
        for (name, value) in [
            ("duplicate_first_messages", 0.2),
            ("duplicate_first_replies", 0.2),
            ("duplicate_replies", 0.066_667),
        ] {
            assert_eq!(gate(&report, name).value, value, "{name}");
        }
        let replies = report.findings.iter().find(|one| one.kind == "duplicate_replies").unwrap();
        assert_eq!(
            replies.message,
            "3 replies in 3 transcripts are the same: \"It opens at nine, and closes at six today\""
        );
        assert_eq!(replies.ids.len(), 3);
    }

    #[test]
    fn empty_messages_are_not_alike() {
        let report = audited((0..30).map(|i| chat(&format!("t{i}"), [("", "")])));
        assert!(
            report.gates.iter().filter(|gate| gate.name != "duplicate_transcripts").all(|gate| gate.pass),
            "{:?}",
            report.gates
        );
    }
}
