//! The phrases of a conversation's replies as hashes, and a table that counts those of all conversations in memory
//! that does not grow with them.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Setup;
use super::chat::Chat;
use super::words::{Said, Word, and_then};

/// A run of words in a reply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gram {
    /// The hash of its words.
    pub hash: u64,
    /// Which reply it is in, from 0.
    pub reply: u32,
    /// At which of its words it begins.
    pub begin: u32,
    /// How many words it has.
    pub len: u32,
}

/// All of a conversation, those of the same words together, in the order of replies. They stay within sentences, and have
/// a word at least that is neither a stop word nor part of what is allowed. A whole sentence of two words or more is one, too.
pub fn grams(chat: &Chat, setup: &Setup) -> Vec<Gram> {
    grams_where(chat, setup, |_| true)
}

/// The same, of hashes that are wanted.
pub fn grams_where(chat: &Chat, setup: &Setup, is_wanted: impl Fn(u64) -> bool) -> Vec<Gram> {
    let mut found = Vec::new();
    for (reply, [_, said]) in chat.turns.iter().enumerate() {
        let says = says(said, setup);
        let mut first = 0;
        for sentence in said.sentences() {
            let end = first + sentence.len();
            of_sentence(sentence, &says[first..end], setup, |begin, len, hash| {
                if is_wanted(hash) {
                    let (begin, len) = ((first + begin) as u32, len as u32);
                    found.push(Gram { hash, reply: reply as u32, begin, len });
                }
            });
            first = end;
        }
    }
    found.sort_unstable_by_key(|gram| (gram.hash, gram.reply, gram.begin));
    found
}

/// Of each word, whether it says something.
fn says(said: &Said, setup: &Setup) -> Vec<bool> {
    let mut says: Vec<bool> = said.words.iter().map(|word| !setup.stop_words.contains(&word.hash)).collect();
    for found in setup.allow.all(&said.words) {
        says[found.at..found.at + found.len].fill(false);
    }
    says
}

fn of_sentence(words: &[Word], says: &[bool], setup: &Setup, mut take: impl FnMut(usize, usize, u64)) {
    let (least, most) = setup.phrase_words;
    for begin in 0..words.len() {
        let (mut hash, mut has_content) = (1, false);
        for (place, word) in words[begin..].iter().enumerate().take(most) {
            hash = and_then(hash, word.hash);
            has_content |= says[begin + place];
            let len = place + 1;
            let is_whole = begin == 0 && len == words.len() && len > 1;
            if has_content && (len >= least || is_whole) {
                take(begin, len, hash);
            }
        }
    }
}

/// The words of a gram.
pub fn words_of<'a>(said: &'a Said, gram: &Gram) -> &'a [Word] {
    let begin = gram.begin as usize;
    said.words.get(begin..begin + gram.len as usize).unwrap_or_default()
}

/// In how many replies the grams of one hash stand.
pub fn replies(same: &[Gram]) -> u32 {
    same.chunk_by(|one, next| one.reply == next.reply).count() as u32
}

/// Counts of phrases by their hashes. Two phrases may share a counter: a count is never too low.
pub struct Sketch {
    counters: Vec<AtomicU32>,
    shift: u32,
}

impl Sketch {
    /// One for so many transcripts.
    pub fn new(transcripts: usize) -> Sketch {
        // A conversation has some thousand phrases. 64 MiB are enough for 16 million different ones; with more of them
        // counts become too high by a few, which costs time later, and changes nothing.
        let bits = (transcripts * 4096).clamp(1 << 12, 1 << 24).next_power_of_two().trailing_zeros();
        let counters = (0..1usize << bits).map(|_| AtomicU32::new(0)).collect();
        Sketch { counters, shift: 64 - bits }
    }

    fn counter(&self, hash: u64) -> Option<&AtomicU32> {
        self.counters.get((hash >> self.shift) as usize)
    }

    /// Counts the phrases of a conversation, once for each reply.
    pub fn add(&self, grams: &[Gram]) {
        for same in grams.chunk_by(|one, next| one.hash == next.hash) {
            if let Some(counter) = self.counter(same[0].hash) {
                counter.fetch_add(replies(same), Ordering::Relaxed);
            }
        }
    }

    /// In how many replies a phrase stands, at most.
    pub fn at_most(&self, hash: u64) -> u32 {
        self.counter(hash).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::testing::chat;
    use super::*;

    fn phrases(reply: &str) -> Vec<String> {
        let (chat, setup) = (chat("t", [("Hi", reply)]), Setup::new(&Options::default()).unwrap());
        let said = &chat.turns[0][1];
        let mut found: Vec<_> =
            grams(&chat, &setup).iter().map(|gram| said.slice(words_of(said, gram)).to_string()).collect();
        found.sort();
        found
    }

    #[test]
    fn phrases_stay_within_sentences_and_say_something() {
        assert_eq!(
            phrases("Grind it finer today now. It is what it is then."),
            ["Grind it finer today", "Grind it finer today now", "it finer today now"]
        );
        assert_eq!(phrases("Happy grinding! Yes."), ["Happy grinding"]);
        assert!(phrases("").is_empty());
    }

    #[test]
    fn what_is_allowed_says_nothing() {
        let allow = vec!["Lira One".to_string(), "costs 449 dollars".into()];
        let setup = Setup::new(&Options { allow, ..Options::default() }).unwrap();
        let count = |reply: &str| grams(&chat("t", [("Hi", reply)]), &setup).len();
        assert_eq!(count("So the Lira One costs 449 dollars."), 0);
        assert!(count("So the Lira One costs 450 dollars.") > 0);
    }

    #[test]
    fn a_reply_counts_once() {
        let setup = Setup::new(&Options::default()).unwrap();
        let said = "Check the water tank. Check the water tank.";
        let chat = chat("t", [("a", said), ("b", said), ("c", "Check the water pump.")]);
        let (grams, sketch) = (grams(&chat, &setup), Sketch::new(1));
        sketch.add(&grams);
        let most = grams.iter().map(|gram| sketch.at_most(gram.hash)).max();
        assert_eq!(most, Some(2));
    }
}
