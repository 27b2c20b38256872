//! Where the cursor stands: what could be written there.

use super::scan::{Sort, Token, tokens};

/// What could stand at the cursor. Each has the beginning that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context<'a> {
    /// A command: `:he`.
    Command(&'a str),
    /// A script's path, behind `:load`.
    Script(&'a str),
    /// Any name, behind `:help`.
    Anything(&'a str),
    /// A module's name: `import "pro`.
    Import(&'a str),
    /// A text, as an argument of a function (the first is 0).
    Argument(Called<'a>, &'a str),
    /// Any other text.
    Text(&'a str),
    /// A key of a map that is an argument of a function; these are there already.
    Key(Called<'a>, Vec<&'a str>, &'a str),
    /// What a value has: `x.na`.
    Member(Receiver<'a>, &'a str),
    /// What a module has: `prompts::bu`.
    Inside(&'a str, &'a str),
    /// A name.
    Name(&'a str),
    /// Nothing that could be known.
    Nothing,
}

/// A function that is being called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called<'a> {
    /// Its name.
    pub name: &'a str,
    /// The module that it is called of.
    pub module: Option<&'a str>,
    /// Whether it is called on a value.
    pub is_method: bool,
    /// Which argument the cursor is in.
    pub argument: usize,
}

/// What stands before a dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver<'a> {
    /// A variable, and the properties after it.
    Path(Vec<&'a str>),
    /// A text.
    Text,
    /// An array.
    Array,
    /// What a function gives.
    Result(&'a str),
    /// Something else.
    Unknown,
}

/// The context at the end of `text`.
pub fn context(text: &str) -> Context<'_> {
    if let Some(command) = text.trim_start().strip_prefix(':') {
        return in_command(command);
    }
    in_code(text)
}

fn in_command(command: &str) -> Context<'_> {
    let Some((name, argument)) = command.split_once(char::is_whitespace) else {
        return Context::Command(command);
    };
    let is = |full: &str| !name.is_empty() && full.starts_with(name);
    let argument = argument.trim_start();
    match name {
        _ if is("load") => Context::Script(argument),
        _ if is("help") => Context::Anything(argument),
        _ if is("type") || is("time") => in_code(argument),
        _ => Context::Nothing,
    }
}

fn in_code(text: &str) -> Context<'_> {
    let all = tokens(text);
    let Some(last) = all.last() else { return Context::Name("") };
    match last.sort {
        Sort::Text('"' | '`') if last.open => in_text(text, &all, last),
        Sort::Comment if last.open || last.of(text).starts_with("//") && last.end == text.len() => {
            Context::Nothing
        }
        Sort::Number if last.end == text.len() => Context::Nothing,
        Sort::Word if last.end == text.len() => word(text, &all[..all.len() - 1], last.of(text)),
        _ => word(text, &all, ""),
    }
}

fn in_text<'a>(text: &'a str, all: &[Token], last: &Token) -> Context<'a> {
    let begun = &text[last.start + 1..];
    let before = &all[..all.len() - 1];
    let is_import = before.last().is_some_and(|token| token.of(text) == "import");
    match called(text, before) {
        _ if is_import => Context::Import(begun),
        Some(call) => Context::Argument(call, begun),
        None => Context::Text(begun),
    }
}

fn word<'a>(text: &'a str, before: &[Token], begun: &'a str) -> Context<'a> {
    match before.last().map(|token| token.of(text)) {
        Some("." | "?.") => Context::Member(receiver(text, &before[..before.len() - 1]), begun),
        Some("::") => match before.len().checked_sub(2).map(|i| before[i].of(text)) {
            Some(module) => Context::Inside(module, begun),
            None => Context::Nothing,
        },
        _ => key(text, before, begun).unwrap_or(Context::Name(begun)),
    }
}

/// A bracket that is open, and the commas behind it so far.
struct Frame {
    /// Its token's place.
    open: usize,
    commas: usize,
}

fn frames(text: &str, all: &[Token]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for (i, token) in all.iter().enumerate().filter(|(_, token)| token.sort == Sort::Sign) {
        match token.of(text) {
            "(" | "[" | "{" | "#{" | "${" => frames.push(Frame { open: i, commas: 0 }),
            ")" | "]" | "}" => drop(frames.pop()),
            "," => frames.iter_mut().next_back().into_iter().for_each(|frame| frame.commas += 1),
            _ => {}
        }
    }
    frames
}

/// The function whose argument comes next.
pub fn called<'a>(text: &'a str, all: &[Token]) -> Option<Called<'a>> {
    let frames = frames(text, all);
    of_frame(text, all, frames.last()?)
}

fn of_frame<'a>(text: &'a str, all: &[Token], frame: &Frame) -> Option<Called<'a>> {
    let name = all.get(frame.open.checked_sub(1)?)?;
    let calls = all[frame.open].of(text) == "(" && name.sort == Sort::Word;
    let sign = frame.open.checked_sub(2).map(|i| all[i].of(text));
    let module = frame.open.checked_sub(3).filter(|_| sign == Some("::")).map(|i| all[i].of(text));
    let is_method = matches!(sign, Some("." | "?."));
    // What is defined is not called.
    let called = calls && sign != Some("fn") && !super::paint::keywords().contains(&name.of(text));
    called.then(|| Called { name: name.of(text), module, is_method, argument: frame.commas })
}

/// A key of a map that is an argument.
fn key<'a>(text: &'a str, before: &[Token], begun: &'a str) -> Option<Context<'a>> {
    let frames = frames(text, before);
    let [.., outer, map] = frames.as_slice() else { return None };
    let starts = before.last().is_some_and(|token| matches!(token.of(text), "#{" | ","));
    if before[map.open].of(text) != "#{" || !starts {
        return None;
    }
    let call = of_frame(text, before, outer)?;
    let inside = &before[map.open + 1..];
    let given = inside.windows(2).filter(|pair| pair[1].of(text) == ":" && pair[0].sort == Sort::Word);
    Some(Context::Key(call, given.map(|pair| pair[0].of(text)).collect(), begun))
}

fn receiver<'a>(text: &'a str, before: &[Token]) -> Receiver<'a> {
    let Some(last) = before.last() else { return Receiver::Unknown };
    match (last.sort, last.of(text)) {
        (Sort::Text(quote), _) if quote != '\'' => Receiver::Text,
        (Sort::Sign, "]") => array(text, before),
        (Sort::Sign, ")") => result(text, before),
        (Sort::Word, _) => path(text, before),
        _ => Receiver::Unknown,
    }
}

/// `a.b.c`, read backwards.
fn path<'a>(text: &'a str, before: &[Token]) -> Receiver<'a> {
    let mut words = Vec::new();
    let mut rest = before;
    while let Some((last, others)) = rest.split_last() {
        if last.sort != Sort::Word {
            return Receiver::Unknown;
        }
        words.insert(0, last.of(text));
        match others.last().map(|token| token.of(text)) {
            Some("." | "?.") => rest = &others[..others.len() - 1],
            Some("::") => return Receiver::Unknown,
            _ => break,
        }
    }
    Receiver::Path(words)
}

/// The place of the bracket that the last token closes.
fn opening(text: &str, before: &[Token]) -> Option<usize> {
    frames(text, &before[..before.len() - 1]).last().map(|frame| frame.open)
}

/// `[1, 2]` is an array, `x[1]` anything.
fn array<'a>(text: &'a str, before: &[Token]) -> Receiver<'a> {
    let Some(open) = opening(text, before) else { return Receiver::Unknown };
    let value_before = open.checked_sub(1).map(|i| &before[i]);
    let indexes = value_before.is_some_and(|token| {
        token.sort == Sort::Word && !super::paint::keywords().contains(&token.of(text))
            || matches!(token.of(text), ")" | "]")
    });
    if indexes { Receiver::Unknown } else { Receiver::Array }
}

fn result<'a>(text: &'a str, before: &[Token]) -> Receiver<'a> {
    let name = opening(text, before).and_then(|open| before.get(open.checked_sub(1)?));
    name.filter(|token| token.sort == Sort::Word)
        .map_or(Receiver::Unknown, |token| Receiver::Result(token.of(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_what_stands_behind_them() {
        assert_eq!(context(":he"), Context::Command("he"));
        assert_eq!(context(":load scr"), Context::Script("scr"));
        assert_eq!(context(":help cou"), Context::Anything("cou"));
        assert_eq!(context(":type x.na"), Context::Member(Receiver::Path(vec!["x"]), "na"));
        assert_eq!(context(":vars x"), Context::Nothing);
    }

    #[test]
    fn names_members_and_modules() {
        assert_eq!(context(""), Context::Name(""));
        assert_eq!(context("let x = cou"), Context::Name("cou"));
        assert_eq!(context("backend."), Context::Member(Receiver::Path(vec!["backend"]), ""));
        assert_eq!(context("1 + a.b?.c"), Context::Member(Receiver::Path(vec!["a", "b"]), "c"));
        assert_eq!(context("\"a\".tr"), Context::Member(Receiver::Text, "tr"));
        assert_eq!(context("[1, 2].le"), Context::Member(Receiver::Array, "le"));
        assert_eq!(context("x[0].le"), Context::Member(Receiver::Unknown, "le"));
        assert_eq!(context("return [1].le"), Context::Member(Receiver::Array, "le"));
        assert_eq!(context("get_backend(\"a\").c"), Context::Member(Receiver::Result("get_backend"), "c"));
        assert_eq!(context("prompts::bu"), Context::Inside("prompts", "bu"));
        assert_eq!(context("f(p::"), Context::Inside("p", ""));
        assert_eq!(context("`a ${back"), Context::Name("back"));
        assert_eq!(context("// com"), Context::Nothing);
        assert_eq!(context("12"), Context::Nothing);
    }

    fn call(name: &str, argument: usize) -> Called<'_> {
        Called { name, module: None, is_method: false, argument }
    }

    #[test]
    fn texts() {
        assert_eq!(context("import \"std/te"), Context::Import("std/te"));
        assert_eq!(context("read_text(\"con"), Context::Argument(call("read_text", 0), "con"));
        assert_eq!(context("f(1, [2, 3], \"x"), Context::Argument(call("f", 2), "x"));
        assert_eq!(context("let x = \"ab"), Context::Text("ab"));
        assert_eq!(context("if x == \"ab"), Context::Text("ab"));
    }

    #[test]
    fn keys_of_options() {
        assert_eq!(context("process(a, #{con"), Context::Key(call("process", 1), vec![], "con"));
        let given = Context::Key(call("process", 1), vec!["checkpoint"], "");
        assert_eq!(context("process(a, #{checkpoint: \"x\", "), given);
        let method = Called { is_method: true, ..call("complete", 1) };
        assert_eq!(context("b.complete(\"x\", #{"), Context::Key(method, vec![], ""));
        assert_eq!(context("process(a, #{job: na"), Context::Name("na"));
        assert_eq!(context("#{a"), Context::Name("a"));
    }
}
