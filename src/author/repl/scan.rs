//! The words and signs of a text that is still being written: it need not parse, and each byte belongs to a place
//! that the cursor may stand at.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A name or keyword.
    Word,
    /// A number.
    Number,
    /// A text, or a piece of one between `${...}`; its quote.
    Text(char),
    /// A comment.
    Comment,
    /// Anything else: one sign, or `::`, `#{`, `${`, `?.`, `..`.
    Sign,
}

/// One token, by its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub sort: Sort,
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// A text or comment that has no end yet.
    pub open: bool,
}

impl Token {
    /// Its text.
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.end]
    }
}

/// The tokens of a text, without white space.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut scan = Scan { text, at: 0, found: Vec::new(), inside: Vec::new() };
    while scan.at < text.len() {
        scan.step();
    }
    scan.found
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    found: Vec<Token>,
    /// The `${` that are open, each with the number of braces open inside of it.
    inside: Vec<usize>,
}

const SIGNS: &[&str] = &["::", "#{", "?.", ".."];

impl Scan<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn step(&mut self) {
        let Some(first) = self.rest().chars().next() else { return };
        match first {
            _ if first.is_whitespace() => self.at += first.len_utf8(),
            _ if first.is_alphabetic() || first == '_' => {
                self.take(Sort::Word, |c| c.is_alphanumeric() || c == '_')
            }
            '0'..='9' => self.number(),
            '"' | '\'' => self.quoted(first),
            '`' => {
                self.at += 1;
                self.piece(self.at - 1);
            }
            '/' if self.rest().starts_with("//") => self.line_comment(),
            '/' if self.rest().starts_with("/*") => self.block_comment(),
            '#' if self.raw_hashes().is_some() => self.raw(),
            _ => self.sign(first),
        }
    }

    fn push(&mut self, sort: Sort, end: usize, open: bool) {
        self.found.push(Token { sort, start: self.at, end, open });
        self.at = end;
    }

    fn take(&mut self, sort: Sort, belongs: impl Fn(char) -> bool) {
        let length = self.rest().find(|c| !belongs(c)).unwrap_or(self.rest().len());
        self.push(sort, self.at + length, false);
    }

    /// Digits, with a fraction: `1..3` are two numbers, `1.max(2)` has a method.
    fn number(&mut self) {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let bytes = self.rest().as_bytes();
        let whole = self.rest().find(|c| !is_part(c)).unwrap_or(bytes.len());
        let fraction =
            bytes.get(whole) == Some(&b'.') && bytes.get(whole + 1).is_some_and(u8::is_ascii_digit);
        let more = if fraction { self.rest()[whole + 1..].find(|c| !is_part(c)) } else { Some(0) };
        let length = match (fraction, more) {
            (true, Some(more)) => whole + 1 + more,
            (true, None) => bytes.len(),
            _ => whole,
        };
        self.push(Sort::Number, self.at + length, false);
    }

    /// A text on one line; a backslash at the line's end continues it.
    fn quoted(&mut self, quote: char) {
        let mut escaped = false;
        for (i, c) in self.rest().char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\n' => return self.push(Sort::Text(quote), self.at + i, true),
                _ if c == quote => return self.push(Sort::Text(quote), self.at + i + 1, false),
                _ => {}
            }
        }
        self.push(Sort::Text(quote), self.text.len(), true);
    }

    /// A text between backticks, or what follows on a `${...}` in it, up to its end or the next `${`.
    fn piece(&mut self, start: usize) {
        let rest = self.rest();
        let end =
            rest.char_indices().find(|(i, c)| *c == '`' || rest[*i..].starts_with("${")).map(|(i, _)| i);
        let (length, inner) = match end {
            Some(i) if rest[i..].starts_with('`') => (i + 1, false),
            Some(i) => (i, true),
            None => (rest.len(), false),
        };
        let end_at = self.at + length;
        self.at = start;
        self.push(Sort::Text('`'), end_at, end.is_none());
        if inner {
            self.push(Sort::Sign, end_at + 2, false);
            self.inside.push(0);
        }
    }

    fn line_comment(&mut self) {
        let length = self.rest().find('\n').unwrap_or(self.rest().len());
        self.push(Sort::Comment, self.at + length, false);
    }

    /// They nest.
    fn block_comment(&mut self) {
        let (mut depth, mut at) = (0usize, 0);
        let rest = self.rest();
        while at < rest.len() {
            match &rest[at..] {
                part if part.starts_with("/*") => {
                    depth += 1;
                    at += 2;
                }
                part if part.starts_with("*/") => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return self.push(Sort::Comment, self.at + at, false);
                    }
                }
                part => at += part.chars().next().map_or(1, char::len_utf8),
            }
        }
        self.push(Sort::Comment, self.text.len(), true);
    }

    /// `#"` or `##"`: how many.
    fn raw_hashes(&self) -> Option<usize> {
        let hashes = self.rest().find(|c| c != '#')?;
        self.rest()[hashes..].starts_with('"').then_some(hashes)
    }

    fn raw(&mut self) {
        let hashes = self.raw_hashes().unwrap_or(0);
        let end = format!("\"{}", "#".repeat(hashes));
        match self.rest()[hashes + 1..].find(&end) {
            Some(i) => self.push(Sort::Text('#'), self.at + hashes + 1 + i + end.len(), false),
            None => self.push(Sort::Text('#'), self.text.len(), true),
        }
    }

    fn sign(&mut self, first: char) {
        let known = SIGNS.iter().find(|sign| self.rest().starts_with(**sign));
        let length = known.map_or(first.len_utf8(), |sign| sign.len());
        let opens = self.rest()[..length].ends_with('{');
        self.push(Sort::Sign, self.at + length, false);
        let Some(braces) = self.inside.last_mut() else { return };
        match first {
            _ if opens => *braces += 1,
            '}' if *braces > 0 => *braces -= 1,
            '}' => {
                self.inside.pop();
                self.piece(self.at);
            }
            _ => {}
        }
    }
}

/// The brackets that are still open where the tokens end: their tokens.
pub fn open_brackets(text: &str, tokens: &[Token]) -> Vec<Token> {
    let mut open = Vec::new();
    for token in tokens.iter().filter(|token| token.sort == Sort::Sign) {
        match token.of(text) {
            "(" | "[" | "{" | "#{" | "${" => open.push(*token),
            ")" | "]" | "}" => drop(open.pop()),
            _ => {}
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        tokens(text).iter().map(|t| format!("{}{}", t.of(text), if t.open { "<" } else { "" })).collect()
    }

    #[test]
    fn texts_comments_and_numbers_are_told_apart() {
        assert_eq!(shown("a.b?.c::d(1..3)"), ["a", ".", "b", "?.", "c", "::", "d", "(", "1", "..", "3", ")"]);
        assert_eq!(shown(r#"x = "a \" b" // c"#), ["x", "=", r#""a \" b""#, "// c"]);
        assert_eq!(shown("1.5.max(2)"), ["1.5", ".", "max", "(", "2", ")"]);
        assert_eq!(shown(r##"#"a"b"# é"##), [r##"#"a"b"#"##, "é"]);
        assert_eq!(shown("/* a /* b */ c */ 1"), ["/* a /* b */ c */", "1"]);
    }

    #[test]
    fn what_is_open_is_known() {
        assert_eq!(shown("\"abc"), ["\"abc<"]);
        assert_eq!(shown("`a\nb"), ["`a\nb<"]);
        assert_eq!(
            shown("`a ${f(#{x: 1})} b` + 1"),
            ["`a ", "${", "f", "(", "#{", "x", ":", "1", "}", ")", "}", " b`", "+", "1"]
        );
        assert_eq!(shown("/* a"), ["/* a<"]);
        let text = "f([1, #{a: (";
        assert_eq!(open_brackets(text, &tokens(text)).len(), 4);
    }
}
