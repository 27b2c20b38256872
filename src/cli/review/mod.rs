//! `fthost review`: transcripts beside their verdicts, read and judged by a person.

mod agreement;
mod app;
mod desk;
mod draft;
mod example;
mod page;
mod queue;
mod screen;
mod session;
mod shown;
mod single;
mod subject;
mod view;

use std::io::IsTerminal;

use super::args::{Common, Review};
use super::output::Output;
use super::signals::Interrupts;
use super::{exit, project};
use crate::base::{Error, Kind, Result};
use desk::Desk;
use queue::Queue;
use screen::Screen;
use session::Session;

/// Reviews at the terminal, or does what the arguments say.
pub fn run(common: &Common, args: &Review, output: &Output) -> Result<u8> {
    let world = project::open(common, "review", output)?;
    let mut desk = Desk::open(&world, reviewer(args))?;
    if args.agreement {
        agreement::show(&desk, output)?;
    } else if args.accept || args.reject {
        single::review(&mut desk, args, output)?;
    } else if args.note.is_some() || !args.answer.is_empty() {
        return Err(Error::new(Kind::Usage, "a review needs a verdict").hint("add --accept or --reject"));
    } else {
        at_the_terminal(&mut desk, args, output)?;
    }
    world.close();
    Ok(exit::DONE)
}

fn at_the_terminal(desk: &mut Desk, args: &Review, output: &Output) -> Result<()> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Err(no_terminal());
    }
    desk.lock()?;
    let queue = queue::choose(desk, args)?;
    if queue.missing > 0 {
        output.remark(&format!("left out {}: the transcript is gone", queue.missing));
    }
    if queue.ids.is_empty() {
        output.result(&nothing(desk, &queue));
        return Ok(());
    }
    let colour = std::env::var_os("NO_COLOR").is_none();
    let interrupts = Interrupts::listen_at_terminal(desk.world.runtime()?)?;
    let screen = Screen::take(colour, interrupts)?;
    Session::new(desk, queue, args.criterion.clone()).run(screen, output)
}

/// Why there is nothing to review.
fn nothing(desk: &Desk, queue: &Queue) -> String {
    if desk.assessments.is_empty() {
        return "nothing is judged yet: run scripts/assess.rhai first".into();
    }
    match queue.reviewed {
        0 => "no transcript is of that sort; --filter all shows every one".into(),
        n => format!("all {n} are reviewed; --filter all shows them again"),
    }
}

fn reviewer(args: &Review) -> String {
    let user = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    args.reviewer.clone().or_else(|| user().ok()).unwrap_or_default()
}

fn no_terminal() -> Error {
    Error::new(Kind::Usage, "a review needs a terminal for input and output").hint(
        "without one: fthost review ID --accept (or --reject) [--note TEXT] [--answer C3=NO]; \
         fthost review --agreement [--json]",
    )
}
