//! Lists of phrases, found in texts word by word: case, punctuation and layout make no difference.

use rustc_hash::FxHashMap;

use super::words::{Said, Word, words};

/// A list of phrases to look for.
#[derive(Debug, Default)]
pub struct Lexicon {
    phrases: Vec<String>,
    /// The words of each phrase, and which it is, by the first word.
    by_first: FxHashMap<u64, Vec<(Vec<u64>, usize)>>,
}

/// A phrase that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'a> {
    /// The phrase, as the list has it.
    pub phrase: &'a str,
    /// Which of the list it is.
    pub number: usize,
    /// At which word it begins.
    pub at: usize,
    /// How many words it has.
    pub len: usize,
}

impl Lexicon {
    /// A list of these phrases; one without a word is never found.
    pub fn new<T: AsRef<str>>(phrases: impl IntoIterator<Item = T>) -> Lexicon {
        let mut lexicon = Lexicon::default();
        for phrase in phrases {
            let hashes: Vec<u64> = words(phrase.as_ref()).iter().map(|word| word.hash).collect();
            if let Some(first) = hashes.first() {
                lexicon.by_first.entry(*first).or_default().push((hashes, lexicon.phrases.len()));
            }
            lexicon.phrases.push(phrase.as_ref().to_string());
        }
        lexicon
    }

    /// A phrase of the list, by its number.
    pub fn phrase(&self, number: usize) -> &str {
        self.phrases.get(number).map_or("", String::as_str)
    }

    /// The phrases that stand in these words, in the order of their beginnings.
    pub fn all<'a>(&'a self, words: &'a [Word]) -> impl Iterator<Item = Found<'a>> {
        words.iter().enumerate().flat_map(move |(at, word)| {
            let known = self.by_first.get(&word.hash).into_iter().flatten();
            let here = known.filter(move |(hashes, _)| stands(hashes, &words[at..]));
            here.map(move |(hashes, number)| Found {
                phrase: &self.phrases[*number],
                number: *number,
                at,
                len: hashes.len(),
            })
        })
    }

    /// The first one in these words.
    pub fn first<'a>(&'a self, words: &'a [Word]) -> Option<Found<'a>> {
        self.all(words).next()
    }

    /// The first one in a message, with its place in the text.
    pub fn in_text(&self, said: &Said) -> Option<(&str, std::ops::Range<usize>)> {
        let found = self.first(&said.words)?;
        let (first, last) = (said.words[found.at], said.words[found.at + found.len - 1]);
        Some((&self.phrases[found.number], first.begin as usize..last.end as usize))
    }
}

fn stands(hashes: &[u64], words: &[Word]) -> bool {
    hashes.len() <= words.len() && hashes.iter().zip(words).all(|(hash, word)| *hash == word.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_as_words() {
        let lexicon = Lexicon::new(["as an AI", "great question", "?!"]);
        let said = Said::new("A GREAT question -- As an ai, greatly questioned.");
        let found: Vec<_> =
            lexicon.all(&said.words).map(|found| (found.phrase, found.at, found.len)).collect();
        assert_eq!(found, [("great question", 1, 2), ("as an AI", 3, 3)]);
        assert_eq!(lexicon.in_text(&said), Some(("great question", 2..16)));
        assert_eq!(lexicon.in_text(&Said::new("as an")), None);
        assert_eq!(Lexicon::new(["..."]).in_text(&said), None);
    }
}
