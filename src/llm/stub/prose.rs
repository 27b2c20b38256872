//! Text that says nothing, of a known length: common words, each one a token of the usual encodings.

const WORDS: &[&str] = &[
    "the", "order", "was", "sent", "on", "time", "and", "then", "it", "came", "back", "with", "a", "note",
    "that", "said", "we", "should", "look", "at", "this", "again", "before", "there", "is", "more", "to",
    "say", "about", "how", "you", "can", "use", "one", "of", "them", "for", "your", "home", "so", "please",
    "let", "me", "know", "what", "they", "have", "done", "since", "last", "week",
];

/// A sentence has so many words, and its full stop is a token, too.
const SENTENCE: usize = 11;

/// About so many tokens, one at least; another seed begins elsewhere, so that no two replies of a talk are alike.
pub(super) fn of(tokens: u64, seed: usize) -> String {
    let (mut text, mut first) = (String::new(), true);
    let mut left = tokens.max(1);
    for place in seed.. {
        if left == 0 {
            break;
        }
        let word = WORDS[place.wrapping_mul(7) % WORDS.len()];
        match (first, text.is_empty()) {
            (true, true) => text.push_str(&capital(word)),
            (true, false) => text.push_str(&format!(" {}", capital(word))),
            (false, _) => text.push_str(&format!(" {word}")),
        }
        left -= 1;
        first = left > 0 && (place - seed) % SENTENCE == SENTENCE - 2;
        if first || left == 1 {
            text.push('.');
            left -= 1;
        }
    }
    text
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
}
