//! Text that says nothing, of a known length: common words, each one a token of the usual encodings.

const WORDS: &[&str] = &[
    "the", "order", "was", "sent", "on", "time", "and", "then", "it", "came", "back", "with", "a", "note",
    "that", "said", "we", "should", "look", "at", "this", "again", "before", "there", "is", "more", "to",
    "say", "about", "how", "you", "can", "use", "one", "of", "them", "for", "your", "home", "so", "please",
    "let", "me", "know", "what", "they", "have", "done", "since", "last", "week",
];

/// From a word to the next one: without a common divisor with their number, so that all come.
const STEP: usize = 7;

/// Tokens of a sentence: words, and its full stop.
const SENTENCE: u64 = 11;

/// About so many tokens, one at least; another seed begins elsewhere, so that no two replies of a talk are alike.
pub(super) fn of(tokens: u64, seed: usize) -> String {
    let (mut text, mut place) = (String::new(), seed);
    let mut left = tokens.max(1);
    while left > 0 {
        // One token alone makes no sentence.
        let sentence = if left <= SENTENCE + 1 { left } else { SENTENCE };
        for i in 0..(sentence - 1).max(1) {
            let word = WORDS[place.wrapping_mul(STEP) % WORDS.len()];
            text += if text.is_empty() { "" } else { " " };
            text += &if i == 0 { capital(word) } else { word.into() };
            place += 1;
        }
        text += if sentence > 1 { "." } else { "" };
        left -= sentence;
    }
    text
}

/// So many words in a row are no chance.
const RUN: usize = 4;

/// The tokens of a text that are from [`of`]: what earlier replies are in a prompt.
pub(super) fn found_in(text: &str) -> u64 {
    let (mut tokens, mut run, mut run_tokens) = (0, 0, 0);
    let mut expected = usize::MAX;
    for word in text.split_whitespace() {
        let plain = word.trim_end_matches('.').to_lowercase();
        let cost = if word.ends_with('.') { 2 } else { 1 };
        let place = WORDS.iter().position(|known| *known == plain);
        if place != Some(expected) {
            tokens += if run >= RUN { run_tokens } else { 0 };
            (run, run_tokens) = (0, 0);
        }
        if let Some(place) = place {
            (run, run_tokens) = (run + 1, run_tokens + cost);
            expected = (place + STEP) % WORDS.len();
        } else {
            expected = usize::MAX;
        }
    }
    tokens + if run >= RUN { run_tokens } else { 0 }
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_the_length_that_is_asked_for() {
        assert_eq!(of(1, 0), "The");
        assert_eq!(of(4, 0).split_whitespace().count(), 3);
        let long = of(240, 3);
        let tokens = long.split_whitespace().count() + long.matches('.').count();
        assert_eq!(tokens, 240);
        assert!(long.ends_with('.') && !long.contains(". .") && !long.contains(".."), "{long}");
        assert_ne!(of(30, 1), of(30, 2));
    }

    #[test]
    fn replies_are_found_again_in_a_prompt() {
        let words: std::collections::BTreeSet<_> = WORDS.iter().collect();
        assert_eq!(words.len(), WORDS.len(), "no word is there twice");
        let prompt = format!("Answer this:\n| customer: {}\n\nand | {}", of(120, 5), of(57, 8));
        assert_eq!(found_in(&prompt), 177);
        assert_eq!(
            found_in("The order was sent on time, and then it came back with a note. Look at this."),
            0
        );
    }
}
