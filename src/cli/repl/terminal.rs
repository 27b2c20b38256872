//! The line editor: prompt, completion, hints, colours, history.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use rustyline::completion::{Completer, Pair};
use rustyline::config::{BellStyle, Config};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, CompletionType, Context, Editor, Helper};

use super::{Next, Shell};
use crate::author::repl::{Repl, history, keys, paint};
use crate::base::{Error, Kind, Result};

/// Where entries are kept for the next session.
const HISTORY: &str = ".fthost/repl_history";

/// Entries that one can go back to.
const MOST: usize = 2000;

/// Candidates that are listed without a question.
const LISTED: usize = 120;

/// Reads entries until Ctrl-D; a project keeps them.
pub fn read(shell: &Shell, in_project: bool) -> Result<()> {
    let colour = std::env::var_os("NO_COLOR").is_none();
    let mut editor = editor(shell, colour)?;
    greet(shell, in_project);
    if in_project {
        remember(shell, &mut editor);
    }
    loop {
        let prompt = format!("{}> ", shell.repl.borrow().next());
        shell.interrupts.editing.store(true, Ordering::Release);
        let line = editor.readline(&prompt);
        shell.interrupts.editing.store(false, Ordering::Release);
        match line {
            Ok(entry) => {
                let _ = editor.add_history_entry(entry.as_str());
                if in_project {
                    keep(shell, &entry);
                }
                if shell.take(&entry) == Next::End {
                    return Ok(());
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(no_terminal(&error)),
        }
    }
}

type Terminal = Editor<Assistant, MemHistory>;

fn editor(shell: &Shell, colour: bool) -> Result<Terminal> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .completion_prompt_limit(LISTED)
        .bell_style(BellStyle::None)
        .color_mode(if colour { ColorMode::Enabled } else { ColorMode::Disabled })
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor = Editor::with_history(config, history).map_err(|e| no_terminal(&e))?;
    editor.set_helper(Some(Assistant { repl: shell.repl.clone(), colour }));
    Ok(editor)
}

fn no_terminal(error: &ReadlineError) -> Error {
    Error::new(Kind::Usage, format!("the terminal cannot be used: {error}"))
        .hint("entries can come from a pipe, too: echo '1 + 1' | fthost repl")
}

fn greet(shell: &Shell, in_project: bool) {
    let root = shell.repl.borrow().session.world.project.root().display().to_string();
    let place = if in_project { root } else { "no project here: the shipped configuration".into() };
    let version = env!("CARGO_PKG_VERSION");
    shell.output.remark(&format!(
        "fthost {version}, {place}\n:help lists the commands, Tab completes, Ctrl-D leaves"
    ));
}

/// The entries of earlier sessions; none when they cannot be read.
fn remember(shell: &Shell, editor: &mut Terminal) {
    let text = shell.repl.borrow().session.world.project.read_private(HISTORY).ok().flatten();
    for entry in history::entries(&text.unwrap_or_default(), MOST) {
        let _ = editor.add_history_entry(entry);
    }
}

/// Keeps an entry for later sessions, unless it holds a key.
fn keep(shell: &Shell, entry: &str) {
    if entry.trim().is_empty() {
        return;
    }
    let repl = shell.repl.borrow();
    let world = &repl.session.world;
    if keys::holds_key(world, entry) {
        shell.output.remark("not kept in the history: it seems to hold a key");
    } else if let Err(error) = world.project.append_private(HISTORY, &history::to_line(entry)) {
        shell.output.detail(&format!("the history cannot be written: {}", error.message()));
    }
}

/// What helps to write entries.
struct Assistant {
    repl: Rc<RefCell<Repl>>,
    colour: bool,
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (length, found) = self.repl.borrow().complete(&line[..at]);
        let pair = |candidate: crate::author::repl::complete::Candidate| Pair {
            display: candidate.shown,
            replacement: candidate.text,
        };
        Ok((at - length, found.into_iter().map(pair).collect()))
    }
}

/// Parameters: shown, and never inserted.
struct Parameters(String);

impl Hint for Parameters {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Assistant {
    type Hint = Parameters;

    fn hint(&self, line: &str, at: usize, _: &Context) -> Option<Parameters> {
        let hint = (at == line.len()).then(|| self.repl.borrow().hint(line)).flatten();
        hint.map(Parameters)
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, at: usize) -> Cow<'l, str> {
        if self.colour { Cow::Owned(paint::painted(line, at)) } else { Cow::Borrowed(line) }
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        if self.colour { Cow::Owned(paint::prompt(prompt)) } else { Cow::Borrowed(prompt) }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.colour { Cow::Owned(paint::faint(hint)) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.colour
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let incomplete = !text.trim_start().starts_with(':') && self.repl.borrow().is_incomplete(text);
        Ok(if incomplete { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}
