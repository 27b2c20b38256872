//! Which turns a judge's reasoning speaks of: by their numbers ("turn 3", "turns 2 and 5", "turn 2-4", "the third reply",
//! `[3]`), or by a passage of four words or more that it quotes.

use std::ops::Range;

/// Fewer words could stand anywhere.
const LEAST_WORDS: usize = 4;

/// What numbers are counted by.
const NOUNS: [&str; 10] = [
    "turn",
    "turns",
    "exchange",
    "exchanges",
    "reply",
    "replies",
    "message",
    "messages",
    "response",
    "responses",
];

const ORDINALS: [&str; 10] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

/// What may stand between two numbers, and whether it makes them a range.
const BETWEEN: [(&str, bool); 10] = [
    (",", false),
    ("and", false),
    ("or", false),
    ("&", false),
    ("/", false),
    ("-", true),
    ("–", true),
    ("—", true),
    ("to", true),
    ("through", true),
];

/// The quotes, as they open and close.
const QUOTES: [(char, char); 5] = [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('‘', '’')];

/// A turn that a text speaks of, and where it does so first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Counted from 1.
    pub turn: usize,
    /// The place in the text.
    pub at: usize,
}

/// The turns that `reasoning` speaks of, in the order in which it does; each once.
pub fn mentions<T: AsRef<str>>(reasoning: &str, talk: &[[T; 2]]) -> Vec<Mention> {
    let mut found = numbered(reasoning, talk.len());
    found.extend(quoted(reasoning, talk));
    found.sort_by_key(|mention| mention.at);
    let mut once: Vec<Mention> = Vec::new();
    for mention in found {
        if (1..=talk.len()).contains(&mention.turn) && once.iter().all(|known| known.turn != mention.turn) {
            once.push(mention);
        }
    }
    once
}

/// The sentence that stands at a place of a text.
pub fn sentence_at(text: &str, at: usize) -> &str {
    let ends = |text: &str, from: usize| text[from..].find(". ").map(|place| from + place + 2);
    let (mut begin, mut end) = (0, text.len());
    while let Some(next) = ends(text, begin) {
        if next > at {
            end = next;
            break;
        }
        begin = next;
    }
    text[begin..end].trim()
}

/// A word in lower case, or a sign, and where it stands.
struct Token {
    text: String,
    at: usize,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut end = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let joins = c.is_alphanumeric() && at == end && at > 0;
        let word = tokens.last_mut().filter(|last| joins && last.text.ends_with(char::is_alphanumeric));
        match word {
            Some(word) => word.text.extend(c.to_lowercase()),
            None => tokens.push(Token { text: c.to_lowercase().collect(), at }),
        }
        end = at + c.len_utf8();
    }
    tokens
}

fn numbered(text: &str, turns: usize) -> Vec<Mention> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        let word = |offset: usize| tokens.get(place + offset).map_or("", |token| token.text.as_str());
        let mut note = |turn: usize| found.push(Mention { turn, at: token.at });
        if token.text == "[" && word(2) == "]" {
            number(word(1)).into_iter().for_each(&mut note);
        } else if NOUNS.contains(&token.text.as_str()) {
            let skip = 1 + usize::from(word(1) == "#");
            list(&tokens[(place + skip).min(tokens.len())..])
                .into_iter()
                .flatten()
                .take(turns)
                .for_each(&mut note);
        } else if NOUNS.contains(&word(1)) {
            ordinal(&token.text, turns).into_iter().for_each(&mut note);
        }
    }
    found
}

fn number(word: &str) -> Option<usize> {
    word.parse().ok()
}

/// `third` and `3rd`; `last` and `final`.
fn ordinal(word: &str, turns: usize) -> Option<usize> {
    if word == "last" || word == "final" {
        return Some(turns);
    }
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end));
    let by_name = || ORDINALS.iter().position(|name| *name == word).map(|place| place + 1);
    digits.and_then(number).or_else(by_name)
}

/// The numbers at the beginning: `2, 3 and 5-7`.
fn list(tokens: &[Token]) -> Vec<Range<usize>> {
    let word = |place: usize| tokens.get(place).map_or("", |token| token.text.as_str());
    let Some(first) = number(word(0)) else { return Vec::new() };
    let mut numbers: Vec<Range<usize>> = std::iter::once(first..first + 1).collect();
    let mut place = 1;
    while let Some((_, is_range)) = BETWEEN.iter().find(|(between, _)| *between == word(place)) {
        // `2, and 3`
        let next = if word(place + 1) == "and" { place + 2 } else { place + 1 };
        let next = if NOUNS.contains(&word(next)) { next + 1 } else { next };
        let Some(to) = number(word(next)) else { break };
        let from = numbers.last().map_or(to, |last| last.end);
        numbers.push(if *is_range && from <= to { from..to + 1 } else { to..to + 1 });
        place = next + 1;
    }
    numbers
}

/// The words of a text, in lower case, with a blank around each: so that only whole words are found in it.
fn words(text: &str) -> String {
    let mut words = String::from(" ");
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        words.extend(word.chars().flat_map(char::to_lowercase));
        words.push(' ');
    }
    words
}

fn quoted<T: AsRef<str>>(reasoning: &str, talk: &[[T; 2]]) -> Vec<Mention> {
    let passages = passages(reasoning);
    if passages.is_empty() {
        return Vec::new();
    }
    let turns: Vec<[String; 2]> =
        talk.iter().map(|sides| [words(sides[0].as_ref()), words(sides[1].as_ref())]).collect();
    let holds = |passage: &str, sides: &[String; 2]| sides.iter().any(|side| side.contains(passage));
    let mut found = Vec::new();
    for (at, passage) in &passages {
        let here = turns.iter().enumerate().filter(|(_, sides)| holds(passage, sides));
        found.extend(here.map(|(place, _)| Mention { turn: place + 1, at: *at }));
    }
    found
}

/// What is quoted, as [`words`], where there are enough of them. What is left out ("...") parts passages.
fn passages(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (open, close) in QUOTES {
        let mut from = 0;
        while let Some(begin) = text[from..].find(open).map(|place| from + place + open.len_utf8()) {
            let Some(end) = text[begin..].find(close).map(|place| begin + place) else { break };
            for part in text[begin..end].split("...").flat_map(|part| part.split('…')) {
                let words = words(part);
                if words.split_whitespace().count() >= LEAST_WORDS {
                    found.push((begin, words));
                }
            }
            from = end + close.len_utf8();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TALK: [[&str; 2]; 6] = [
        ["hi, where is my parcel?", "It left on Monday."],
        ["and the grinder?", "Turn it two steps finer, then try."],
        ["no", "I have extended your return period to 90 days."],
        ["ok", "Fine."],
        ["hm", "I have extended your return period to 90 days!"],
        ["bye", "Bye."],
    ];

    fn turns(reasoning: &str) -> Vec<usize> {
        mentions(reasoning, &TALK).into_iter().map(|mention| mention.turn).collect()
    }

    #[test]
    fn numbers_are_found() {
        for (text, expected) in [
            ("In turn 3 it is wrong.", vec![3]),
            ("Turns 2 and 5, also turn 1.", vec![2, 5, 1]),
            ("turn 2-4", vec![2, 3, 4]),
            ("Turns 1, 3, and 5 to 6.", vec![1, 3, 5, 6]),
            ("[2] and [9]", vec![2]),
            ("turn #4; turn 4 again", vec![4]),
            ("The third reply and the last turn; the 2nd message", vec![3, 6, 2]),
            ("turns 5 and turn 6", vec![5, 6]),
            ("turn 0, turn 7, turn 99999999999999999999", vec![]),
            ("It took 3 turns and turned 4 times.", vec![]),
            ("turn 1 to 999999999999", vec![1, 2, 3, 4, 5, 6]),
            ("", vec![]),
        ] {
            assert_eq!(turns(text), expected, "{text}");
        }
    }

    #[test]
    fn quotes_are_found_by_their_words() {
        assert_eq!(turns("It says \"have extended YOUR return\" twice."), [3, 5]);
        assert_eq!(turns("“where is my parcel” is answered"), [1]);
        assert_eq!(turns("\"it left on ... two steps finer, then\""), [2]);
        assert_eq!(turns("\"return period to\" is short"), Vec::<usize>::new());
        assert_eq!(turns("\"tended your return period to\" is cut"), Vec::<usize>::new());
    }

    #[test]
    fn a_mention_has_its_sentence() {
        let text = "All is well. In turn 3, \"I have extended your return\" is false. Else fine.";
        let mention = &mentions(text, &TALK)[0];
        assert_eq!(sentence_at(text, mention.at), "In turn 3, \"I have extended your return\" is false.");
        assert_eq!(sentence_at("no end", 3), "no end");
        assert_eq!(sentence_at("", 0), "");
    }

    proptest! {
        #[test]
        fn any_text_is_looked_through(text in "(turns? |[0-9]{1,3}|[-–,\"“”.\\[\\]]| and |é|\\PC){0,40}") {
            for mention in mentions(&text, &TALK) {
                prop_assert!((1..=6).contains(&mention.turn) && text.is_char_boundary(mention.at));
                sentence_at(&text, mention.at);
            }
        }
    }
}
