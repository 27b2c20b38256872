//! A script's tokens with their places: what syntax trees do not keep (where a parameter is named, comments).

use std::collections::HashMap;

use rhai::{Engine, Position, Token};

/// The tokens of a text, as far as it can be read.
pub struct Tokens {
    all: Vec<(Token, Position)>,
    at: HashMap<Position, usize>,
    comments: Vec<(String, Position)>,
}

impl Tokens {
    /// Reads a text.
    pub fn of(engine: &Engine, text: &str) -> Tokens {
        let texts = [text];
        let (mut tokens, control) = engine.lex(&texts);
        tokens.state.include_comments = true;
        let (mut all, mut comments) = (Vec::new(), Vec::new());
        // How many braces are open within each `${...}` that is open.
        let mut within: Vec<usize> = Vec::new();
        for (token, position) in tokens {
            match token {
                Token::EOF | Token::LexError(_) => break,
                Token::Comment(comment) => {
                    // Behind a comment that is never closed the engine gives empty ones for ever.
                    if comment.is_empty() {
                        break;
                    }
                    comments.push((comment.to_string(), position));
                    continue;
                }
                Token::InterpolatedString(_) => within.push(0),
                Token::LeftBrace | Token::MapStart => {
                    within.iter_mut().next_back().into_iter().for_each(|n| *n += 1)
                }
                Token::RightBrace if within.last() == Some(&1) => {
                    within.pop();
                    control.borrow_mut().is_within_text = true;
                }
                Token::RightBrace => within.iter_mut().next_back().into_iter().for_each(|n| *n -= 1),
                _ => {}
            }
            all.push((token, position));
        }
        let at = all.iter().enumerate().map(|(index, (_, position))| (*position, index)).collect();
        Tokens { all, at, comments }
    }

    /// All of them but the comments, in order.
    pub fn all(&self) -> &[(Token, Position)] {
        &self.all
    }

    /// The comments, in order.
    pub fn comments(&self) -> &[(String, Position)] {
        &self.comments
    }

    /// Where a comment begins that goes on to the end of the text: the engine takes it for a whole one.
    pub fn open_comment(&self) -> Option<Position> {
        let (comment, position) = self.comments.last()?;
        let is_open = comment.matches("/*").count() > comment.matches("*/").count();
        (comment.starts_with("/*") && is_open).then_some(*position)
    }

    /// Whether the text ends in `;`.
    pub fn ends_a_statement(&self) -> bool {
        matches!(self.all.last(), Some((Token::SemiColon, _)))
    }

    /// `=+ 1` and `=- 1`, which are most likely meant the other way round: the sign, and where it stands.
    pub fn swapped_signs(&self) -> Vec<(&'static str, Position)> {
        let sign = |token: &Token| match token {
            Token::UnaryPlus | Token::Plus => Some("+"),
            Token::UnaryMinus | Token::Minus => Some("-"),
            _ => None,
        };
        let beside = |from: &Position, to: &Position| {
            from.line() == to.line() && from.position().map(|column| column + 1) == to.position()
        };
        let found = self.all.windows(3).filter_map(|three| match three {
            [(Token::Equals, at), (signed, next), (_, operand)]
                if beside(at, next) && !beside(next, operand) =>
            {
                sign(signed).map(|sign| (sign, *at))
            }
            _ => None,
        });
        found.collect()
    }

    /// Whether a text stands between double quotes: in backticks, `${` would be no part of it.
    pub fn is_quoted(&self, position: Position) -> bool {
        self.at.get(&position).is_some_and(|index| matches!(self.all[*index].0, Token::StringConstant(_)))
    }

    /// Where the parameters of a closure are named whose first `|` stands at a position.
    pub fn closure_parameters(&self, position: Position) -> Vec<(String, Position)> {
        let start = self.at.get(&position).filter(|start| matches!(self.all[**start].0, Token::Pipe));
        // `||` is one token, and has none.
        let Some(start) = start else { return Vec::new() };
        names(self.all.iter().skip(start + 1).take_while(|(token, _)| !matches!(token, Token::Pipe)))
    }

    /// Where a function of that many parameters is defined: its name and its parameters.
    pub fn function(&self, name: &str, count: usize) -> Option<(Position, Vec<(String, Position)>)> {
        let definitions = self.all.iter().enumerate().filter(|(_, (token, _))| matches!(token, Token::Fn));
        definitions
            .map(|(index, _)| self.definition(index, name))
            .find_map(|found| found.filter(|(_, params)| params.len() == count))
    }

    fn definition(&self, index: usize, name: &str) -> Option<(Position, Vec<(String, Position)>)> {
        let rest = &self.all[index + 1..];
        // A typed method has its type before its name: `fn int.double()`.
        let is_open = |(token, _): &(Token, Position)| matches!(token, Token::LeftParen | Token::Unit);
        let open = rest.iter().take(4).position(is_open)?;
        let (Token::Identifier(found), position) = rest.get(open.checked_sub(1)?)? else { return None };
        let params =
            rest[open..].iter().take_while(|(token, _)| !matches!(token, Token::RightParen | Token::Unit));
        (**found == *name).then(|| (*position, names(params)))
    }
}

fn names<'a>(tokens: impl Iterator<Item = &'a (Token, Position)>) -> Vec<(String, Position)> {
    tokens
        .filter_map(|(token, position)| match token {
            Token::Identifier(name) => Some((name.to_string(), *position)),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_comments_are_found_around_texts_with_values() {
        let text = "let a = `x ${#{b: 1}.b} // no ${`y ${1}`} z`; // yes\nfn f(one, two) { [1].map(|x| x) }";
        let tokens = Tokens::of(&Engine::new(), text);
        assert_eq!(tokens.comments().len(), 1);
        let (name, params) = tokens.function("f", 2).unwrap();
        assert_eq!((name.position(), params[1].0.as_str()), (Some(4), "two"));
        assert_eq!(tokens.closure_parameters(Position::new(2, 26))[0].1, Position::new(2, 27));
        assert!(!tokens.ends_a_statement());
    }

    #[test]
    fn an_open_comment_ends_with_the_text() {
        for text in ["print(1);\n/* abc", "/*", "/* a /* b */", "/* a */ /* b */ 1"] {
            assert!(Tokens::of(&Engine::new(), text).comments().len() <= 2, "{text}");
        }
        let open = |text| Tokens::of(&Engine::new(), text).open_comment();
        assert_eq!(open("print(1);\n/* abc"), Some(Position::new(2, 1)));
        assert_eq!(open("/* a /* b */"), Some(Position::new(1, 1)));
        assert_eq!(open("/* a */ /* b */ 1 // c"), None);
    }

    #[test]
    fn functions_are_found_behind_documentation() {
        let text = "/// Doubles.\nfn double(n) { n * 2 }\nprivate fn hidden() { 1 }\n/** Block */ fn third(a, b) { a }";
        let tokens = Tokens::of(&Engine::new(), text);
        let place = |name: &str, count| {
            tokens.function(name, count).map(|(position, _)| (position.line(), position.position()))
        };
        assert_eq!(place("double", 1), Some((Some(2), Some(4))));
        assert_eq!(place("hidden", 0), Some((Some(3), Some(12))));
        assert_eq!(place("third", 2), Some((Some(4), Some(17))));
    }
}
