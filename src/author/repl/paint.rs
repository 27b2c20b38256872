//! Colours for what is being typed.

use super::scan::{Sort, Token, tokens};

const KEYWORDS: &[&str] = &[
    "as", "break", "catch", "const", "continue", "do", "else", "export", "false", "fn", "for", "global",
    "if", "import", "in", "let", "loop", "private", "return", "switch", "this", "throw", "true", "try",
    "until", "while",
];

const RESET: &str = "\x1b[0m";
const KEYWORD: &str = "\x1b[35m";
const NUMBER: &str = "\x1b[36m";
const TEXT: &str = "\x1b[32m";
const COMMENT: &str = "\x1b[2m";
const COMMAND: &str = "\x1b[34m";
const BRACKET: &str = "\x1b[1;33m";

/// The language's keywords.
pub fn keywords() -> &'static [&'static str] {
    KEYWORDS
}

/// A text in colours; the bracket at the cursor and its other half stand out.
pub fn painted(text: &str, cursor: usize) -> String {
    if text.trim_start().starts_with(':') {
        let end = text.find(char::is_whitespace).filter(|end| *end > 0).unwrap_or(text.len());
        return format!("{COMMAND}{}{RESET}{}", &text[..end], &text[end..]);
    }
    let all = tokens(text);
    let pair = pair_at(text, &all, cursor);
    let (mut out, mut at) = (String::with_capacity(text.len() * 2), 0);
    for (i, token) in all.iter().enumerate() {
        out.push_str(&text[at..token.start]);
        let colour =
            if pair.is_some_and(|(a, b)| i == a || i == b) { Some(BRACKET) } else { colour(text, token) };
        match colour {
            Some(colour) => out.push_str(&format!("{colour}{}{RESET}", token.of(text))),
            None => out.push_str(token.of(text)),
        }
        at = token.end;
    }
    out.push_str(&text[at..]);
    out
}

/// What is suggested behind the cursor.
pub fn faint(text: &str) -> String {
    format!("{COMMENT}{text}{RESET}")
}

/// The prompt.
pub fn prompt(text: &str) -> String {
    format!("{COMMAND}{text}{RESET}")
}

fn colour(text: &str, token: &Token) -> Option<&'static str> {
    match token.sort {
        Sort::Word if KEYWORDS.contains(&token.of(text)) => Some(KEYWORD),
        Sort::Number => Some(NUMBER),
        Sort::Text(_) => Some(TEXT),
        Sort::Comment => Some(COMMENT),
        _ => None,
    }
}

/// The tokens of the bracket at the cursor, or just before it, and of its other half.
fn pair_at(text: &str, all: &[Token], cursor: usize) -> Option<(usize, usize)> {
    let mut open: Vec<usize> = Vec::new();
    let mut pairs = Vec::new();
    for (i, token) in all.iter().enumerate().filter(|(_, token)| token.sort == Sort::Sign) {
        match token.of(text) {
            "(" | "[" | "{" | "#{" | "${" => open.push(i),
            ")" | "]" | "}" => pairs.extend(open.pop().map(|start| (start, i))),
            _ => {}
        }
    }
    let touches = |i: usize| all[i].start == cursor || all[i].end == cursor;
    pairs.into_iter().find(|(a, b)| touches(*a) || touches(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_colours() {
        let text = "let x = f(\"a\", 1); // c";
        let shown = painted(text, 0);
        let expected = "\x1b[35mlet\x1b[0m x = f(\x1b[32m\"a\"\x1b[0m, \x1b[36m1\x1b[0m); \x1b[2m// c\x1b[0m";
        assert_eq!(shown, expected);
        assert_eq!(painted(":load a", 0), "\x1b[34m:load\x1b[0m a");
    }

    #[test]
    fn brackets_stand_out_in_pairs() {
        let shown = painted("f([1])", 6);
        assert!(
            shown.starts_with("f\x1b[1;33m(\x1b[0m[") && shown.ends_with("]\x1b[1;33m)\x1b[0m"),
            "{shown:?}"
        );
    }
}
