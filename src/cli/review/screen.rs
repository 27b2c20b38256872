//! The terminal while it shows the review: given back as it was, however the command ends.

use std::io::{Stdout, Write, stdout};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyEventKind};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};

use super::app::{App, Effect};
use super::page::Theme;
use super::view;
use crate::base::{Error, Kind, Result};
use crate::cli::signals::Interrupts;

/// How often signals are looked for.
const LOOK: Duration = Duration::from_millis(50);

/// The terminal. Dropping it gives it back, also when the program fails.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    theme: Theme,
    interrupts: Interrupts,
}

impl Screen {
    /// Takes the terminal.
    pub fn take(colour: bool, interrupts: Interrupts) -> Result<Screen> {
        let taken = || -> std::io::Result<_> {
            enable_raw_mode()?;
            execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
            Terminal::new(CrosstermBackend::new(stdout()))
        };
        match taken() {
            Ok(terminal) => Ok(Screen { terminal, theme: Theme { colour }, interrupts }),
            Err(error) => {
                give_back();
                Err(unusable(&error))
            }
        }
    }

    /// Shows a transcript until a key asks for something.
    pub fn show(&mut self, app: &mut App, position: &str) -> Result<Effect> {
        loop {
            let theme = self.theme;
            self.terminal.draw(|frame| view::draw(frame, app, position, theme)).map_err(|e| unusable(&e))?;
            match self.next()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match app.press(key) {
                    Effect::None => {}
                    effect => return Ok(effect),
                },
                Event::Paste(text) => app.paste(&text),
                _ => {}
            }
        }
    }

    /// The next event; an error when a signal ends the command.
    fn next(&self) -> Result<Event> {
        loop {
            if self.interrupts.came() {
                return Err(Error::new(Kind::Interrupted, "interrupted"));
            }
            if event::poll(LOOK).map_err(|e| unusable(&e))? {
                return event::read().map_err(|e| unusable(&e));
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    let _ = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
    let _ = stdout().flush();
}

fn unusable(error: &std::io::Error) -> Error {
    Error::io(Kind::Usage, "use", "the terminal", error)
        .hint("without a terminal: fthost review ID --accept (or --reject)")
}
