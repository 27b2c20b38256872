//! Of phrases that hold one another only the longest: joined where they overlap, dropped where a longer one says as much.

use rustc_hash::FxHashMap;

use super::hits::Hits;
use super::words::{Said, Word, sequence};

/// How much more frequent a part of a phrase must be to be told, too.
const MORE: f64 = 0.75;

/// No phrase becomes longer.
const LONGEST: usize = 40;

/// More are not compared: the most frequent ones are.
const MOST: usize = 20_000;

/// A phrase that was counted.
#[derive(Debug, Clone)]
pub struct Phrase {
    /// Its words.
    pub words: Vec<u64>,
    /// As it stood where it was first seen.
    pub text: String,
    /// Where it stands.
    pub hits: Hits,
    /// Its last word, and what stands before that.
    tail: String,
}

impl Phrase {
    /// Of these words of a reply; not counted yet.
    pub fn new(said: &Said, words: &[Word]) -> Phrase {
        let text = said.slice(words).to_string();
        let before = said.slice(&words[..words.len().saturating_sub(1)]).len();
        let tail = text.get(before..).unwrap_or_default().to_string();
        Phrase { words: words.iter().map(|word| word.hash).collect(), text, hits: Hits::default(), tail }
    }

    fn is_like(&self, other: &Phrase) -> bool {
        let (one, two) = (self.hits.count as f64, other.hits.count as f64);
        one >= MORE * two && two >= MORE * one
    }
}

/// The longest of these phrases, the most frequent first.
pub fn longest(mut phrases: Vec<Phrase>) -> Vec<Phrase> {
    // In an order that does not depend on hashes, but for phrases of the same words.
    phrases
        .sort_by(|a, b| (b.hits.count, b.words.len(), &a.text).cmp(&(a.hits.count, a.words.len(), &b.text)));
    phrases.truncate(MOST);
    let mut all = joined(&phrases);
    all.extend(phrases);
    all.sort_by_key(|phrase| std::cmp::Reverse(phrase.words.len()));
    let mut kept = without_parts(all);
    kept.sort_by(|a, b| (b.hits.count, b.words.len(), &a.text).cmp(&(a.hits.count, a.words.len(), &b.text)));
    kept
}

/// Phrases of which each goes on where another ends: "a b c" and "b c d" are "a b c d".
fn joined(phrases: &[Phrase]) -> Vec<Phrase> {
    let (mut by_head, mut by_tail) = (FxHashMap::default(), FxHashMap::default());
    for phrase in phrases {
        let (len, words) = (phrase.words.len(), &phrase.words);
        // The most frequent one goes first.
        by_head.entry((len, sequence(words[..len - 1].iter().copied()))).or_insert(phrase);
        by_tail.entry((len, sequence(words[1..].iter().copied()))).or_insert(phrase);
    }
    let starts = phrases.iter().filter(|phrase| {
        let head = sequence(phrase.words[..phrase.words.len() - 1].iter().copied());
        let before = by_tail.get(&(phrase.words.len(), head));
        !before.is_some_and(|before| before.is_like(phrase))
    });
    starts.filter_map(|start| followed(start, &by_head)).collect()
}

fn followed(start: &Phrase, by_head: &FxHashMap<(usize, u64), &Phrase>) -> Option<Phrase> {
    let (mut whole, mut last, len) = (start.clone(), start, start.words.len());
    while whole.words.len() < LONGEST {
        let Some(next) = by_head.get(&(len, sequence(last.words[1..].iter().copied()))) else { break };
        if !next.is_like(last) {
            break;
        }
        whole.words.extend(next.words.last());
        whole.text.push_str(&next.tail);
        if next.hits.count < whole.hits.count {
            whole.hits = next.hits.clone();
        }
        last = next;
    }
    (whole.words.len() > len).then_some(whole)
}

/// Without those that are a part of a longer one and hardly more frequent. Longer ones come first.
fn without_parts(phrases: Vec<Phrase>) -> Vec<Phrase> {
    let mut kept: Vec<Phrase> = Vec::new();
    let mut by_word: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
    for phrase in phrases {
        let first = phrase.words.first().copied().unwrap_or_default();
        let holders = by_word.get(&first).into_iter().flatten();
        let is_part = holders.map(|place| &kept[*place]).any(|longer| {
            let counts = (longer.hits.count as f64, phrase.hits.count as f64);
            counts.0 >= MORE * counts.1 && holds(&longer.words, &phrase.words)
        });
        if is_part {
            continue;
        }
        for word in &phrase.words {
            let places = by_word.entry(*word).or_default();
            if places.last() != Some(&kept.len()) {
                places.push(kept.len());
            }
        }
        kept.push(phrase);
    }
    kept
}

/// Whether words stand one after the other in other words.
pub fn holds(words: &[u64], part: &[u64]) -> bool {
    part.is_empty() || words.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str, count: usize) -> Phrase {
        let said = Said::new(text);
        let mut phrase = Phrase::new(&said, &said.words);
        phrase.hits.count = count;
        phrase
    }

    fn left(phrases: &[(&str, usize)]) -> Vec<(String, usize)> {
        let phrases = phrases.iter().map(|(text, count)| phrase(text, *count)).collect();
        longest(phrases).into_iter().map(|phrase| (phrase.text, phrase.hits.count)).collect()
    }

    #[test]
    fn a_part_counts_when_it_is_more_frequent() {
        let told = left(&[("a b c", 90), ("a b c d", 80), ("b c d", 80), ("b c", 200)]);
        assert_eq!(told, [("b c".to_string(), 200), ("a b c d".into(), 80)]);
    }

    #[test]
    fn windows_of_a_long_phrase_are_joined() {
        let told = left(&[("a b c d", 50), ("b c d e", 52), ("c d e f", 51), ("x y z w", 50)]);
        assert_eq!(told, [("a b c d e f".to_string(), 50), ("x y z w".into(), 50)]);
        // What goes on in two ways of which each is rarer is no whole.
        let told = left(&[("a b c d", 90), ("b c d e", 45), ("b c d f", 45)]);
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn a_phrase_that_returns_to_itself_ends() {
        assert_eq!(left(&[("a a a", 10), ("x a a", 10)])[0].0.split(' ').count(), LONGEST);
        assert!(left(&[]).is_empty());
    }
}
