//! `fthost repl`: entries of a script, one by one, at a terminal or from a pipe.

mod interrupts;
mod terminal;

use std::cell::{Cell, RefCell};
use std::io::{BufRead, IsTerminal};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::args::{Common, Repl as Arguments};
use super::output::Output;
use super::{exit, project, room, summary};
use crate::author::repl::Repl;
use crate::author::repl::commands::{self, Command};
use crate::base::{Error, Kind, Result};
use crate::host::Session;
use crate::script::values;
use crate::store::ledger::Sums;
use crate::work::budget::Caps;
use crate::work::settings::Settings;
use interrupts::Interrupts;

/// Reads entries until there are no more.
pub fn run(common: &Common, args: &Arguments, output: &Output) -> Result<u8> {
    output.set_verbose(common.verbose);
    room::make();
    let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let shell = open(common, args, interactive, output)?;
    for script in &args.scripts {
        shell.told(|shell| shell.load(script));
    }
    match interactive {
        true => terminal::read(&shell, project::root(common).is_ok())?,
        false => shell.read_all(std::io::stdin().lock())?,
    }
    shell.repl.borrow().session.world.close();
    Ok(if interactive { exit::DONE } else { shell.code.get() })
}

fn open(common: &Common, args: &Arguments, interactive: bool, output: &Output) -> Result<Shell> {
    let mut world = project::open_or_bare(common, "repl", output)?;
    world.settings = Settings::parse(&args.setting)?;
    world.cap(Caps { usd: args.max_usd, calls: args.max_calls }, Sums::default());
    world.ledger.check()?;
    let session = Session::new(world);
    let world = session.world.clone();
    let interrupts = Interrupts::listen(&world, interactive)?;
    output.watch(Box::new(move || world.backends.spent()));
    let repl = Rc::new(RefCell::new(Repl::new(session)));
    Ok(Shell { repl, output: output.clone(), interrupts, code: Cell::new(exit::DONE) })
}

/// What takes entries and tells what comes of them.
struct Shell {
    repl: Rc<RefCell<Repl>>,
    output: Output,
    interrupts: Arc<Interrupts>,
    /// What went wrong so far, for who reads no screen.
    code: Cell<u8>,
}

/// Whether to go on.
#[derive(PartialEq)]
enum Next {
    Entry,
    End,
}

impl Shell {
    /// Entries from a pipe: no prompt, each as soon as it is whole.
    fn read_all(&self, input: impl BufRead) -> Result<()> {
        let mut entry = String::new();
        for line in input.lines() {
            entry += &line.map_err(|e| Error::io(Kind::Usage, "read", "the standard input", &e))?;
            let is_command = entry.trim_start().starts_with(':');
            if !is_command && self.repl.borrow().is_incomplete(&entry) {
                entry.push('\n');
                continue;
            }
            // Ctrl-C means all entries, where nobody types them.
            let next = self.take(&std::mem::take(&mut entry));
            if next == Next::End || self.code.get() == exit::INTERRUPTED {
                return Ok(());
            }
        }
        self.take(&entry);
        Ok(())
    }

    /// An entry or a command.
    fn take(&self, text: &str) -> Next {
        if text.trim().is_empty() {
            return Next::Entry;
        }
        match commands::parse(text) {
            None if self.wants_to_leave(text) => return Next::End,
            None => self.told(|shell| shell.evaluate(text).map(|value| shell.show(&value))),
            Some(Ok((Command::Quit, _))) => return Next::End,
            Some(command) => self.told(|shell| {
                let (command, argument) = command.map_err(|error| vec![error])?;
                shell.command(command, argument)
            }),
        }
        Next::Entry
    }

    fn wants_to_leave(&self, text: &str) -> bool {
        let word = text.trim().trim_end_matches([';', '(', ')']);
        commands::leaves(text) && self.repl.borrow().workspace().variable(word).is_none()
    }

    /// Does something that can be interrupted, and tells what went wrong.
    fn told(&self, work: impl FnOnce(&Shell) -> Result<(), Vec<Error>>) {
        self.interrupts.begin();
        let result = work(self);
        self.interrupts.end();
        self.output.end_progress();
        let failures = self.output.take_failures();
        summary::failures(&failures, true, &self.output);
        for error in result.as_ref().err().into_iter().flatten() {
            match error.kind() {
                Kind::Interrupted => self.output.remark("interrupted"),
                _ => self.output.error(error),
            }
        }
        let interrupted = |errors: &Vec<Error>| errors.iter().any(|error| error.kind() == Kind::Interrupted);
        let code = match &result {
            Err(errors) if interrupted(errors) => exit::INTERRUPTED,
            Ok(()) if failures.is_empty() => exit::DONE,
            _ => exit::MISTAKE,
        };
        self.code.set(self.code.get().max(code));
        self.repl.borrow().settle();
    }

    fn evaluate(&self, text: &str) -> Result<rhai::Dynamic, Vec<Error>> {
        self.repl.borrow_mut().enter(text)
    }

    fn show(&self, value: &rhai::Dynamic) {
        if !value.is_unit() {
            self.output.result(&self.repl.borrow().folded(value));
        }
    }

    fn load(&self, named: &str) -> Result<(), Vec<Error>> {
        let root = self.repl.borrow().session.world.project.root().to_path_buf();
        let (path, text) = project::entry_script(&root, named).map_err(|error| vec![error])?;
        self.repl.borrow_mut().load(&path, &text)
    }

    fn command(&self, command: Command, argument: &str) -> Result<(), Vec<Error>> {
        let output = &self.output;
        match command {
            Command::Help => output.result(&self.repl.borrow().help(argument).map_err(|error| vec![error])?),
            Command::Load if argument.is_empty() => return Err(vec![nothing_named(":load", "FILE")]),
            Command::Load => return self.load(argument),
            Command::Reload => return self.reload(),
            Command::Vars => output.result(&self.repl.borrow().vars()),
            Command::Time if argument.is_empty() => return Err(vec![nothing_named(":time", "ENTRY")]),
            Command::Time => return self.time(argument),
            Command::Type if argument.is_empty() => return Err(vec![nothing_named(":type", "ENTRY")]),
            Command::Type => output.result(&values::type_name(&self.evaluate(argument)?)),
            Command::Cost => self.cost(),
            Command::Full => {
                let repl = self.repl.borrow();
                output.result(&repl.full(repl.last()));
            }
            Command::Reset => {
                self.repl.borrow_mut().reset();
                output.remark("variables, functions and modules are forgotten");
            }
            Command::Quit => {}
        }
        Ok(())
    }

    fn reload(&self) -> Result<(), Vec<Error>> {
        let found = self.repl.borrow_mut().reload();
        for path in &found.changed {
            let again =
                if found.loaded.contains(path) { " (its functions; `:load` runs it again)" } else { "" };
            self.output.remark(&format!("{path} is new{again}"));
        }
        if found.changed.is_empty() && found.broken.is_empty() {
            self.output.remark("no script has changed");
        }
        if found.broken.is_empty() {
            return Ok(());
        }
        self.output.remark("these stay as they were before:");
        Err(found.broken)
    }

    fn time(&self, text: &str) -> Result<(), Vec<Error>> {
        let start = Instant::now();
        let result = self.evaluate(text);
        let seconds = start.elapsed().as_secs_f64();
        let value = result?;
        self.show(&value);
        self.output.remark(&match seconds {
            long if long >= 1.0 => format!("it took {long:.2} s"),
            short => format!("it took {:.1} ms", short * 1000.0),
        });
        Ok(())
    }

    fn cost(&self) {
        if summary::spending(&self.repl.borrow().session.world, &self.output).is_none() {
            self.output.result("no calls");
        }
    }
}

fn nothing_named(command: &str, argument: &str) -> Error {
    Error::new(Kind::Usage, format!("{command} needs something behind it"))
        .hint(format!("{command} {argument}"))
}
