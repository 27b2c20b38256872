//! Conversations for the tests of the checks.

use super::words::Said;
use super::{Chat, First, Gate, Options, Report, Seen, Setup, Sum};

/// Words from which sentences are made up.
const WORDS: &[&str] = &[
    "water", "steam", "grinder", "valve", "morning", "parcel", "filter", "copper", "handle", "winter",
    "signal", "carpet", "engine", "window", "garden", "bottle", "pepper", "silver", "ticket", "bridge",
    "candle", "ladder", "mirror", "needle", "orange", "pillow", "rabbit", "saddle", "temple", "violin",
    "walnut", "yellow", "anchor", "basket", "cactus", "dragon",
];

/// A sentence that no other number gives.
pub fn unlike(number: usize, words: usize) -> String {
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let word = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        WORDS[(state >> 20) as usize % WORDS.len()]
    };
    (0..words).map(word).collect::<Vec<_>>().join(" ")
}

/// A conversation of these messages.
pub fn chat<U: Into<String>, A: Into<String>>(id: &str, turns: impl IntoIterator<Item = (U, A)>) -> Chat {
    let turns = turns.into_iter().map(|(user, assistant)| [Said::new(user), Said::new(assistant)]);
    Chat { id: id.into(), fields: Vec::new(), turns: turns.collect() }
}

/// Conversations that have nothing in common, and no fault.
pub fn varied(count: usize, turns: usize) -> Vec<Chat> {
    let reply = |number: usize| {
        // One to four sentences, whichever turn it is.
        let count = 1 + number.count_ones() as usize % 4;
        let sentences =
            (0..count).map(|part| unlike(7 * number + part + 5000, 5 + (number + part) % 4) + ".");
        sentences.collect::<Vec<_>>().join(" ")
    };
    let talk = |i: usize| (0..turns).map(move |turn| (unlike(i * turns + turn, 12), reply(i * turns + turn)));
    (0..count).map(|i| chat(&format!("t{i:03}"), talk(i))).collect()
}

/// The report on conversations.
pub fn audited(chats: impl IntoIterator<Item = Chat>) -> Report {
    audited_with(chats, Options::default())
}

/// The same with options.
pub fn audited_with(chats: impl IntoIterator<Item = Chat>, options: Options) -> Report {
    let chats: Vec<Chat> = chats.into_iter().collect();
    let first = First::new(Setup::new(&options).unwrap(), chats.len());
    let seen = chats.iter().fold(Seen::default(), |mut seen, chat| {
        seen.merge(first.see(chat));
        seen
    });
    let (second, mut sum) = (first.end(seen), Sum::default());
    for chat in chats {
        sum.add(second.see(chat));
    }
    second.end(sum, Vec::new())
}

/// A gate of a report.
pub fn gate(report: &Report, name: &str) -> Gate {
    report.gates.iter().find(|gate| gate.name == name).unwrap().clone()
}
