//! How long messages are, in words: judges are told, and code decides what is about length.

use serde::Serialize;

use crate::pipeline::transcript::Exchange;

/// From which ratio of assistant to user words on a turn is counted as long (exclusive).
const LONG: f64 = 2.0;

/// The words of a text, as Python's `str.split()` counts them: runs of anything but Unicode white
/// space, to which Python adds the separators U+001C to U+001F.
pub fn words(text: &str) -> usize {
    split(text).count()
}

/// The first words of a text, a space between them.
pub fn leading_words(text: &str, count: usize) -> String {
    split(text).take(count).collect::<Vec<_>>().join(" ")
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    let blank = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    text.split(blank).filter(|word| !word.is_empty())
}

/// The lengths of one turn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TurnLength {
    /// Its number, 1-based.
    pub turn: usize,
    /// Words of the user's message.
    pub user: usize,
    /// Words of the assistant's reply.
    pub assistant: usize,
    /// Assistant words per user word; 0 when the user said nothing.
    pub ratio: f64,
}

/// The lengths of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LengthStats {
    /// Each turn's.
    pub turns: Vec<TurnLength>,
    /// How many turns there are.
    pub count: usize,
    /// The mean of the turns' user words; 0 without turns, as all means here.
    pub average_user: f64,
    /// The mean of the turns' assistant words.
    pub average_assistant: f64,
    /// The mean of the turns' ratios.
    pub average_ratio: f64,
    /// How many turns have a ratio above 2.
    pub over_2x: usize,
    /// The most words of a reply.
    pub longest_assistant: usize,
}

/// Measures a conversation.
pub fn length_stats(exchanges: &[Exchange]) -> LengthStats {
    let turns: Vec<TurnLength> = exchanges.iter().enumerate().map(measure).collect();
    LengthStats {
        count: turns.len(),
        average_user: mean(turns.iter().map(|turn| turn.user as f64)),
        average_assistant: mean(turns.iter().map(|turn| turn.assistant as f64)),
        average_ratio: mean(turns.iter().map(|turn| turn.ratio)),
        over_2x: turns.iter().filter(|turn| turn.ratio > LONG).count(),
        longest_assistant: turns.iter().map(|turn| turn.assistant).max().unwrap_or(0),
        turns,
    }
}

fn measure((index, exchange): (usize, &Exchange)) -> TurnLength {
    let (user, assistant) = (words(&exchange.user), words(&exchange.assistant));
    let ratio = if user == 0 { 0.0 } else { assistant as f64 / user as f64 };
    TurnLength { turn: index + 1, user, assistant, ratio }
}

fn mean(numbers: impl ExactSizeIterator<Item = f64>) -> f64 {
    match numbers.len() {
        0 => 0.0,
        count => numbers.fold(0.0, |sum, number| sum + number) / count as f64,
    }
}

/// The statistics as the text block of an assessment prompt: a heading, a line for each turn, the
/// average ratio, and how many turns are above 2x. No newline at its end.
pub fn compute_length_stats(exchanges: &[Exchange]) -> String {
    let stats = length_stats(exchanges);
    let mut lines = vec!["LENGTH STATISTICS (pre-computed):".to_string()];
    lines.extend(stats.turns.iter().map(|TurnLength { turn, user, assistant, ratio }| {
        format!("Turn {turn}: User={user}w, Asst={assistant}w, Ratio={ratio:.2}x")
    }));
    lines.push(format!("Average ratio: {:.2}x", stats.average_ratio));
    lines.push(format!("Turns > 2x: {}/{}", stats.over_2x, stats.count));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_where_python_splits() {
        // [c for c in range(0x110000) if len(f"a{chr(c)}b".split()) == 2], surrogates aside
        let python = [
            0x9, 0xa, 0xb, 0xc, 0xd, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x2001,
            0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f,
            0x205f, 0x3000,
        ];
        let ours: Vec<u32> =
            ('\0'..=char::MAX).filter(|c| words(&format!("a{c}b")) == 2).map(u32::from).collect();
        assert_eq!(ours, python);
    }

    #[test]
    fn no_turns_give_zeros() {
        assert_eq!(
            compute_length_stats(&[]),
            "LENGTH STATISTICS (pre-computed):\nAverage ratio: 0.00x\nTurns > 2x: 0/0"
        );
        assert_eq!(length_stats(&[]).average_assistant, 0.0);
    }

    #[test]
    fn twice_as_long_is_not_yet_long() {
        let stats = length_stats(&[Exchange::new("a b", "a b c d"), Exchange::new("a", "a b c")]);
        assert_eq!((stats.over_2x, stats.average_ratio, stats.longest_assistant), (1, 2.5, 4));
    }
}
