//! A session at the terminal: one transcript after another, each review written as soon as it has a verdict.

use super::app::{App, Effect, Mode, Way};
use super::desk::Desk;
use super::example;
use super::queue::Queue;
use super::screen::Screen;
use super::subject::Subject;
use crate::base::{Error, Kind, Result};
use crate::cli::output::Output;

/// Goes through the queue; what was written, and whether the end was reached.
pub struct Session<'d, 'w> {
    desk: &'d mut Desk<'w>,
    queue: Queue,
    criterion: Option<String>,
    /// Transcripts that got a review in this session.
    written: Vec<String>,
}

impl<'d, 'w> Session<'d, 'w> {
    /// Begins; the queue is not empty.
    pub fn new(desk: &'d mut Desk<'w>, queue: Queue, criterion: Option<String>) -> Session<'d, 'w> {
        Session { desk, queue, criterion, written: Vec::new() }
    }

    /// Until the reviewer leaves; then tells what was done.
    pub fn run(mut self, screen: Screen, output: &Output) -> Result<()> {
        let ended = self.review(screen);
        // The terminal is given back by now.
        output.remark(&self.told());
        ended
    }

    fn review(&mut self, mut screen: Screen) -> Result<()> {
        let mut place = 0;
        let mut app = self.open(place)?;
        loop {
            let effect = match screen.show(&mut app, &self.position(place)) {
                Ok(effect) => effect,
                Err(error) => return Err(self.broken_off(&mut app, error)),
            };
            match effect {
                Effect::None => {}
                Effect::Save => self.save(&mut app)?,
                Effect::Example { kind, reasoning } => {
                    app.mode = Mode::Told(example::add(self.desk, &app, kind, reasoning));
                }
                Effect::Leave(way) => {
                    if app.draft.is_open() && way != Way::Interrupt {
                        self.save(&mut app)?;
                    }
                    match self.step(place, way)? {
                        Some(next) if next == place => app.message = "this is the first one".into(),
                        Some(next) => {
                            place = next;
                            app = self.open(place)?;
                        }
                        None if way == Way::Next => {
                            app.message = "this was the last one: q quits".into();
                        }
                        None => return Ok(()),
                    }
                }
            }
        }
    }

    fn open(&self, place: usize) -> Result<App> {
        let id = self.queue.ids.get(place).map_or("", String::as_str);
        Ok(App::new(Subject::load(self.desk, id)?, self.criterion.as_deref()))
    }

    /// Where to go; none: there is nothing more, or away.
    fn step(&self, place: usize, way: Way) -> Result<Option<usize>> {
        match way {
            Way::Next => Ok(Some(place + 1).filter(|next| *next < self.queue.ids.len())),
            Way::Previous => Ok(Some(place.saturating_sub(1))),
            Way::End => Ok(None),
            Way::Interrupt => Err(Error::new(Kind::Interrupted, "interrupted")),
        }
    }

    fn save(&mut self, app: &mut App) -> Result<()> {
        let Some(review) = app.draft.review(&app.subject) else { return Ok(()) };
        let (id, word) = (review.id.clone(), review.verdict.word());
        self.desk.save(review)?;
        app.draft.set_written();
        app.message = format!("{word}: written");
        if !self.written.contains(&id) {
            self.written.push(id);
        }
        Ok(())
    }

    /// What is open is written when it has a verdict, and else told.
    fn broken_off(&mut self, app: &mut App, error: Error) -> Error {
        if !app.draft.is_open() {
            return error;
        }
        let id = app.subject.judged.id.clone();
        match self.save(app) {
            Err(error) => error,
            Ok(()) if !app.draft.is_open() => error,
            Ok(()) => error.hint(format!("what you said of {id} had no verdict yet, and was not written")),
        }
    }

    fn position(&self, place: usize) -> String {
        let before = match self.queue.reviewed {
            0 => String::new(),
            n => format!(", {n} reviewed before"),
        };
        format!("{} of {}{before}", place + 1, self.queue.ids.len())
    }

    fn told(&self) -> String {
        let left = self.queue.ids.iter().filter(|id| !self.written.contains(id)).count();
        let written = crate::base::numbers::count(self.written.len(), "transcript");
        format!("{written} reviewed, {left} left; human against judges: fthost review --agreement")
    }
}
