//! Which turns a judge's reasoning speaks of: those that it numbers (`turn 3`, `turns 3 and 5`, `[3]`) and those whose
//! words it quotes.

use std::collections::BTreeSet;

use crate::pipeline::transcript::Exchange;

/// A shorter quotation could stand anywhere.
const QUOTED: usize = 12;
/// What stands in more turns than this is not about one of them.
const TURNS: usize = 3;

/// What was said, ready to be compared.
pub struct Turns(Vec<[String; 2]>);

impl Turns {
    /// Those of a conversation.
    pub fn of(exchanges: &[Exchange]) -> Turns {
        let plain = |text: &str| plain(text);
        Turns(exchanges.iter().map(|pair| [plain(&pair.user), plain(&pair.assistant)]).collect())
    }

    /// The numbers of the turns, from 1, in their order.
    pub fn of_reasoning(&self, reasoning: &str) -> Vec<usize> {
        let is_turn = |number: &usize| (1..=self.0.len()).contains(number);
        let mut found: BTreeSet<usize> = numbered(reasoning).into_iter().filter(is_turn).collect();
        // What is quoted beside a number stands there; elsewhere it is not meant.
        if found.is_empty() {
            quotations(reasoning).for_each(|quoted| found.extend(self.with(quoted)));
        }
        found.into_iter().collect()
    }

    fn with(&self, quoted: &str) -> Vec<usize> {
        let quoted = plain(quoted);
        let quoted = quoted.trim_matches(|c: char| c == '.' || c == '…' || c.is_whitespace());
        let has = |(place, sides): (usize, &[String; 2])| {
            sides.iter().any(|side| side.contains(quoted)).then_some(place + 1)
        };
        let places: Vec<usize> = match quoted.len() >= QUOTED {
            true => self.0.iter().enumerate().filter_map(has).collect(),
            false => Vec::new(),
        };
        if places.len() <= TURNS { places } else { Vec::new() }
    }
}

/// Lower case, with one space between words.
fn plain(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The texts between quotation marks.
fn quotations(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let begin = rest.find(['"', '“', '«'])?;
        let opening = rest[begin..].chars().next()?;
        let closing = match opening {
            '“' => '”',
            '«' => '»',
            same => same,
        };
        let inside = &rest[begin + opening.len_utf8()..];
        let end = inside.find(closing)?;
        rest = &inside[end + closing.len_utf8()..];
        Some(&inside[..end])
    })
}

/// The numbers behind `turn` and its like, and those in brackets.
fn numbered(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let lower = text.to_lowercase();
    for word in ["turn", "exchange", "reply", "replies", "message"] {
        for (at, _) in lower.match_indices(word) {
            let begins = !lower[..at].ends_with(char::is_alphanumeric);
            let rest = lower[at + word.len()..].trim_start_matches('s');
            if let Some(rest) = rest.strip_prefix(' ').filter(|_| begins) {
                found.extend(list(rest.trim_start_matches('#')));
            }
        }
    }
    let brackets = lower.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    found.extend(brackets.filter_map(|(inside, _)| inside.parse::<usize>().ok()));
    found
}

/// `3`, `3 and 5`, `2, 4 & 7`, `3-5`, `3 to 5`
fn list(text: &str) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let (mut rest, mut is_range) = (text, false);
    loop {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Ok(number) = rest[..digits].parse::<usize>() else { return found };
        match found.last() {
            Some(last) if is_range && number > *last && number - last < 100 => {
                found.extend(last + 1..=number)
            }
            _ => found.push(number),
        }
        rest = &rest[digits..];
        let between = [
            (" to ", true),
            ("-", true),
            ("–", true),
            (", and ", false),
            (" and ", false),
            (", ", false),
            (" & ", false),
        ];
        let Some((next, range)) =
            between.iter().find_map(|(word, range)| Some((rest.strip_prefix(word)?, *range)))
        else {
            return found;
        };
        (rest, is_range) = (next, range);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns() -> Turns {
        let said = [
            ("Hi there", "Hello,  good that you write."),
            ("How long does a refund take?", "Ten days."),
            ("ok", "Ten days."),
            ("ok", "Anything else I can do?"),
            ("no", "Goodbye."),
        ];
        Turns::of(&said.map(|(user, assistant)| Exchange::new(user, assistant)))
    }

    #[test]
    fn turns_are_found_by_their_numbers() {
        for (reasoning, expected) in [
            ("Turn 2: no answer.", &[2][..]),
            ("In turns 1, 3 and 4 it repeats itself", &[1, 3, 4]),
            ("Replies 2-4 are alike, see [5]", &[2, 3, 4, 5]),
            ("exchange 1 to 3", &[1, 2, 3]),
            ("turn 9 does not exist, nor does [x] or turn", &[]),
            ("turn 3 and the customer", &[3]),
            ("It returns 3 times to it", &[]),
            ("turn 99999999999999999999999 and turn 2 to 1000000", &[2]),
        ] {
            assert_eq!(turns().of_reasoning(reasoning), expected, "{reasoning}");
        }
    }

    #[test]
    fn turns_are_found_by_their_words() {
        for (reasoning, expected) in [
            ("\"How long does a refund take?\" gets no answer.", &[2][..]),
            ("“hello, good that you ...” is a start", &[1]),
            ("«Anything else I can»", &[4]),
            ("\"ok\" is too short to tell", &[]),
            ("\"never said this anywhere\"", &[]),
            ("an open \"quotation", &[]),
            ("turn 4: \"How long does a refund take?\"", &[4]),
        ] {
            assert_eq!(turns().of_reasoning(reasoning), expected, "{reasoning}");
        }
    }
}
