//! The commands: what begins with a colon is no entry.

use crate::base::{Error, Kind, Result, suggest};

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Says what a name is.
    Help,
    /// Runs a script here.
    Load,
    /// Reads scripts anew.
    Reload,
    /// Lists what there is.
    Vars,
    /// Says how long an entry takes.
    Time,
    /// Says of what type an entry's value is.
    Type,
    /// Says what was spent.
    Cost,
    /// Forgets all.
    Reset,
    /// Shows the last value whole.
    Full,
    /// Ends.
    Quit,
}

/// How a command is written, and what it does.
pub struct Known {
    /// Its name, without the colon.
    pub name: &'static str,
    /// What stands behind it.
    pub argument: &'static str,
    /// What it does.
    pub about: &'static str,
    /// The command.
    pub command: Command,
}

/// All commands, in the order of `:help`.
#[rustfmt::skip]
pub const COMMANDS: &[Known] = &[
    Known { name: "help", argument: "[NAME]", about: "what a function, module, variable or command is", command: Command::Help },
    Known { name: "load", argument: "FILE", about: "run a script's top level here, and bring its functions", command: Command::Load },
    Known { name: "reload", argument: "", about: "read edited scripts and modules anew; runs nothing", command: Command::Reload },
    Known { name: "vars", argument: "", about: "the variables, functions and modules at hand", command: Command::Vars },
    Known { name: "time", argument: "ENTRY", about: "evaluate, and say how long it took", command: Command::Time },
    Known { name: "type", argument: "ENTRY", about: "evaluate, and say the value's type", command: Command::Type },
    Known { name: "cost", argument: "", about: "what was spent here: calls, tokens, dollars of each backend", command: Command::Cost },
    Known { name: "full", argument: "", about: "the last value, unfolded", command: Command::Full },
    Known { name: "reset", argument: "", about: "forget variables, functions and modules", command: Command::Reset },
    Known { name: "quit", argument: "", about: "leave (as does Ctrl-D)", command: Command::Quit },
];

/// What others type when they want to leave.
const LEAVE: &[&str] = &["exit", "exit()", "quit", "quit()"];

/// Whether an entry only wants to leave.
pub fn leaves(entry: &str) -> bool {
    LEAVE.contains(&entry.trim().trim_end_matches(';'))
}

/// A command and what stands behind it; `None` when the text is an entry. Names may be cut short.
pub fn parse(text: &str) -> Option<Result<(Command, &str)>> {
    let rest = text.trim().strip_prefix(':')?;
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    Some(find(name).map(|known| (known.command, argument.trim())))
}

fn find(name: &str) -> Result<&'static Known> {
    let exact = COMMANDS.iter().find(|known| known.name == name);
    let mut begun = COMMANDS.iter().filter(|known| !name.is_empty() && known.name.starts_with(name));
    let only = begun.next().filter(|_| begun.next().is_none());
    let hint = || {
        let known = COMMANDS.iter().map(|known| known.name);
        match suggest::nearest(name, known) {
            Some(near) => format!("did you mean `:{near}`? `:help` lists all"),
            None => "`:help` lists all".into(),
        }
    };
    exact
        .or(only)
        .ok_or_else(|| Error::new(Kind::Usage, format!("there is no command `:{name}`")).hint(hint()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_may_be_cut_short() {
        assert!(parse("1 + 1").is_none());
        assert_eq!(parse(" :load  a b ").unwrap().unwrap(), (Command::Load, "a b"));
        assert_eq!(parse(":q").unwrap().unwrap().0, Command::Quit);
        let wrong = |text: &str| parse(text).unwrap().unwrap_err();
        assert_eq!(wrong(":re").message(), "there is no command `:re`");
        assert!(wrong(":relaod").get_hint().unwrap().contains("`:reload`"));
        assert!(wrong(":").get_hint().unwrap().contains(":help"));
    }

    #[test]
    fn those_who_want_to_leave_are_understood() {
        assert!(leaves("exit()") && leaves(" quit; ") && !leaves("exit(1)") && !leaves("let quit = 1"));
    }
}
