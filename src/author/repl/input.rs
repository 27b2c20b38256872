//! Whether what was typed so far is an entry, or the beginning of one.

use rhai::{Engine, ParseErrorType, Scope};

use super::scan::{Sort, Token, tokens};

/// Whether an entry goes on in the next line. What is wrong already is not waited for.
pub fn is_incomplete(parser: &Engine, scope: &Scope, text: &str) -> bool {
    let all = tokens(text);
    if let Some(last) = all.last().filter(|token| token.open) {
        return goes_on(text, last);
    }
    let Err(error) = parser.compile_with_scope(scope, text) else { return false };
    matches!(error.err_type(), ParseErrorType::UnexpectedEOF) || is_behind(text, &all, error.position())
}

/// A text or comment without an end: one between plain quotes ends on its line, unless a backslash continues it.
fn goes_on(text: &str, last: &Token) -> bool {
    match last.sort {
        Sort::Text('"') => last.end == text.len() && text.trim_end_matches('\n').ends_with('\\'),
        Sort::Text('\'') => false,
        _ => true,
    }
}

/// Whether a position is that of the text's end.
fn is_behind(text: &str, all: &[Token], position: rhai::Position) -> bool {
    let (Some(line), Some(column)) = (position.line(), position.position()) else { return true };
    let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let within = text[before.min(text.len())..].char_indices().nth(column.saturating_sub(1)).map(|(i, _)| i);
    let at = within.map_or(text.len(), |i| before + i);
    let code = all.iter().rev().find(|token| token.sort != Sort::Comment);
    code.is_none_or(|last| at >= last.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Limits;
    use crate::script::engine::parser;

    fn incomplete(text: &str) -> bool {
        let mut scope = Scope::new();
        scope.push("a", 1_i64);
        is_incomplete(&parser(&Limits::default(), ["p"].into_iter()), &scope, text)
    }

    #[test]
    fn beginnings_go_on() {
        let beginnings = [
            "fn f(x) {",
            "fn f(x) {\n  x +",
            "fn f(",
            "fn f",
            "if a > 1 {",
            "if a > 1",
            "if",
            "for i in",
            "while",
            "switch a {",
            "switch a { 1 =>",
            "[1, 2,",
            "[1",
            "#{a: 1,",
            "#{a:",
            "#{a",
            "#{",
            "print(",
            "print(a,",
            "print(p::f(1)",
            "a +",
            "a.",
            "let x =",
            "let",
            "const K =",
            "parallel_map(1..3, |n| {",
            "parallel_map(1..3, |n| { n *",
            "`one\ntwo",
            "`one ${a",
            "`one ${a} two",
            "/* a comment",
            "1 + /* a comment",
            "\"continued \\",
            "a ==",
            "!",
            "import",
            "import \"x\" as",
            "do { a } while",
            "try { a } catch",
            "try { a }",
            "a ??",
            "#\"raw",
        ];
        let wrong: Vec<&str> = beginnings.into_iter().filter(|text| !incomplete(text)).collect();
        assert!(wrong.is_empty(), "taken for entries: {wrong:?}");
    }

    #[test]
    fn entries_and_mistakes_do_not() {
        let entries = [
            "1",
            "a + 1",
            "let x = 1;",
            "let x",
            "let x = 1",
            "fn f(x) { x }",
            "if a > 1 { 2 }",
            "p::f(1)",
            "",
            "// a comment",
            "\"abc",
            "print(\"abc)",
            "print(1 2",
            "foo(1))",
            ")",
            "}",
            "let 1 = 2",
            "unknown + 1",
            "fn f(x { x }",
            "a b",
            "'x",
            "let x = ;",
            "1 +;",
            "[1, 2 3",
            "return 1",
            "`a` + `b`",
            "/* a */ 1",
        ];
        let wrong: Vec<&str> = entries.into_iter().filter(|text| incomplete(text)).collect();
        assert!(wrong.is_empty(), "waited for: {wrong:?}");
    }
}
