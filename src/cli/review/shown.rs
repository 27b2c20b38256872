//! Texts as they may reach the terminal: nothing in a transcript is obeyed by it, and lines have a width.

/// Columns that a tab takes.
const TAB: &str = "    ";

/// A text without what a terminal would obey, or what hides or turns around other characters: each such character is
/// shown as a sign.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\t' => out.push_str(TAB),
            // The signs for control characters stand in their order.
            '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\u{7f}' => out.push('\u{2421}'),
            _ if c.is_control() || is_hidden(c) => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

/// The same on one line.
pub fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that are not seen and change what is: directions, tags, blanks without width. Joiners of emoji stay.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The lines of a text in so many columns, each with `first` or `then` before it.
pub fn wrapped(text: &str, width: usize, first: &str, then: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in clean(text).split('\n') {
        let indent = if lines.is_empty() { first } else { then };
        let options = textwrap::Options::new(width.max(8)).initial_indent(indent).subsequent_indent(then);
        lines.extend(textwrap::wrap(line, options).into_iter().map(|line| line.into_owned()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_as_a_sign() {
        assert_eq!(clean("\x1b[2J\x07a\x7f\u{9b}31m\r\nb\rc\td"), "␛[2J␇a␡\u{fffd}31m\nb␍c    d");
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{2028}d"), "a\u{fffd}b\u{fffd}c\nd");
        assert_eq!(clean("日本 👩\u{200d}💻 é"), "日本 👩\u{200d}💻 é");
        assert_eq!(one_line(" a\n\n b "), "a b");
    }

    #[test]
    fn lines_have_their_indents() {
        assert_eq!(wrapped("one two three\nfour", 9, "> ", "  "), ["> one two", "  three", "  four"]);
        assert_eq!(wrapped("", 9, "> ", "  "), ["> "]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_there_is_room(text in "(\\PC|[\\x00-\\x7f]| |日本|👍){0,60}", width in 8_usize..40) {
            for line in wrapped(&text, width, "> ", "  ") {
                prop_assert!(textwrap::core::display_width(&line) <= width, "{:?}", line);
                prop_assert!(!line.chars().any(char::is_control));
            }
        }
    }
}
