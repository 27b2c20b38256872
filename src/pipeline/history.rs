//! A conversation as text for a prompt.

use crate::pipeline::transcript::Exchange;

/// How a conversation is written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryOptions {
    /// What stands before a user's message; `User` by default.
    pub user: String,
    /// What stands before a reply; `Assistant` by default.
    pub assistant: String,
    /// Only this many exchanges, the most recent ones; all by default.
    pub last: Option<usize>,
    /// Whether a line `Turn 3` stands above each exchange, counted from the conversation's beginning;
    /// false by default.
    pub numbered: bool,
    /// The text of a conversation without exchanges; empty by default.
    pub empty: String,
}

impl Default for HistoryOptions {
    fn default() -> HistoryOptions {
        HistoryOptions {
            user: "User".into(),
            assistant: "Assistant".into(),
            last: None,
            numbered: false,
            empty: String::new(),
        }
    }
}

/// Each exchange as `User: ...` and `Assistant: ...` on lines of their own, a blank line between
/// exchanges, no newline at the end.
pub fn format_history(exchanges: &[Exchange], options: &HistoryOptions) -> String {
    if exchanges.is_empty() {
        return options.empty.clone();
    }
    let skipped = options.last.map_or(0, |last| exchanges.len().saturating_sub(last));
    let text = |(index, exchange): (usize, &Exchange)| {
        let number = if options.numbered { format!("Turn {}\n", index + 1) } else { String::new() };
        let HistoryOptions { user, assistant, .. } = options;
        format!("{number}{user}: {}\n{assistant}: {}", exchange.user, exchange.assistant)
    };
    exchanges.iter().enumerate().skip(skipped).map(text).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_written_as_its_options_say() {
        let exchanges = [Exchange::new("Hi", "Hello"), Exchange::new("Why?", "Because.")];
        let plain = format_history(&exchanges, &HistoryOptions::default());
        assert_eq!(plain, "User: Hi\nAssistant: Hello\n\nUser: Why?\nAssistant: Because.");
        let options = HistoryOptions {
            user: "Customer".into(),
            last: Some(1),
            numbered: true,
            empty: "(nothing yet)".into(),
            ..Default::default()
        };
        assert_eq!(format_history(&exchanges, &options), "Turn 2\nCustomer: Why?\nAssistant: Because.");
        assert_eq!(format_history(&[], &options), "(nothing yet)");
        assert_eq!(format_history(&exchanges, &HistoryOptions { last: Some(0), ..options }), "");
    }
}
