//! What the keys do. The screen shows it, and the session carries out what it asks for.

mod keys;
mod moves;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

pub use self::keys::key_of;
use self::keys::request;
use super::draft::{Draft, Said, others};
use super::page::Page;
use super::shown::one_line;
use super::subject::{Remark, Subject};
use crate::pipeline::human::{Answer, Verdict};

/// The sorts of calibration examples, by their keys.
pub const KINDS: [(char, &str); 3] = [('p', "PASS"), ('f', "FAIL"), ('b', "BORDERLINE")];

/// Where to go from a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the next one.
    Next,
    /// To the one before.
    Previous,
    /// Away.
    End,
    /// Away at once, by Ctrl-C.
    Interrupt,
}

/// What the reviewer is asked at the moment.
pub enum Mode {
    /// Nothing: the keys read on.
    Read,
    /// Which of several answers is right.
    Answer(Vec<Answer>),
    /// A note.
    Note(Input),
    /// What to search for.
    Search(Input),
    /// What sort of example the turn is.
    Kind,
    /// Why it is one.
    Reason(&'static str, Input),
    /// What becomes of answers without a verdict.
    Leave(Way),
    /// Nothing: a text is shown, until a key is pressed.
    Told(Vec<String>),
    /// Likewise the keys.
    Help,
}

/// What is to be done outside.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Write the review.
    Save,
    /// Write the review if something of it is not, and go on.
    Leave(Way),
    /// Add an example to the rubric.
    Example {
        /// Of what sort.
        kind: &'static str,
        /// Why.
        reasoning: String,
    },
}

/// A transcript under review.
pub struct App {
    /// The transcript.
    pub subject: Subject,
    /// What is said of it.
    pub draft: Draft,
    /// What is asked.
    pub mode: Mode,
    /// The criterion that is marked, by its place.
    pub selected: usize,
    /// The turn that is marked, from 1.
    pub turn: usize,
    /// The row that is on top.
    pub top: usize,
    /// The row that was found, and what was searched for.
    pub found: Option<usize>,
    searched: String,
    /// The page as it was drawn last, and how many rows of it.
    pub page: Page,
    /// See `page`.
    pub height: usize,
    /// What to tell below.
    pub message: String,
}

impl App {
    /// Begins with a transcript, at a criterion if one is wished.
    pub fn new(subject: Subject, criterion: Option<&str>) -> App {
        let draft = Draft::of(subject.review.as_ref());
        let wished = criterion.and_then(|id| subject.criteria.iter().position(|known| known.id == id));
        let mut app = App {
            subject,
            draft,
            mode: Mode::Read,
            selected: 0,
            turn: 1,
            top: 0,
            found: None,
            searched: String::new(),
            page: Page::default(),
            height: 1,
            message: String::new(),
        };
        app.select(wished.unwrap_or(0));
        app.turn = app.turn.max(1);
        app
    }

    /// The id of the criterion that is marked.
    pub fn criterion(&self) -> &str {
        self.subject.criteria.get(self.selected).map_or("", |criterion| &criterion.id)
    }

    /// Takes in the page that is about to be drawn.
    pub fn set_page(&mut self, page: Page, height: usize) {
        let first = self.page.rows.is_empty();
        (self.page, self.height) = (page, height.max(1));
        if first && self.subject.first_turn(self.criterion()).is_some() {
            self.show_turn();
        }
        self.top = self.top.min(self.last_top());
    }

    /// A pasted text: only where a line is being written.
    pub fn paste(&mut self, text: &str) {
        if let Mode::Note(input) | Mode::Search(input) | Mode::Reason(_, input) = &mut self.mode {
            for c in one_line(text).chars() {
                input.handle(InputRequest::InsertChar(c));
            }
        }
    }

    /// A key.
    pub fn press(&mut self, key: KeyEvent) -> Effect {
        self.message.clear();
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return match self.mode {
                Mode::Leave(_) => Effect::Leave(Way::Interrupt),
                _ => self.leave(Way::Interrupt),
            };
        }
        match std::mem::replace(&mut self.mode, Mode::Read) {
            Mode::Read if control => Effect::None,
            Mode::Read => self.read(key.code),
            Mode::Answer(answers) => self.answer_asked(answers, key.code),
            Mode::Note(input) => self.line(input, key, Mode::Note, App::noted),
            Mode::Search(input) => self.line(input, key, Mode::Search, App::search),
            Mode::Kind => self.kind(key.code),
            Mode::Reason(kind, input) => {
                let done = move |_: &mut App, reasoning: String| Effect::Example { kind, reasoning };
                self.line(input, key, move |input| Mode::Reason(kind, input), done)
            }
            Mode::Leave(way) => self.leaving(way, key.code),
            Mode::Told(_) | Mode::Help => Effect::None,
        }
    }

    fn read(&mut self, code: KeyCode) -> Effect {
        match code {
            KeyCode::Down | KeyCode::Char('j') => self.scroll(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(-1),
            KeyCode::PageDown => self.scroll(self.height.saturating_sub(1).max(1) as isize),
            KeyCode::PageUp => self.scroll(-(self.height.saturating_sub(1).max(1) as isize)),
            KeyCode::Home => self.scroll(isize::MIN / 2),
            KeyCode::End => self.scroll(isize::MAX / 2),
            KeyCode::Char(']') => self.mark_turn(self.turn + 1),
            KeyCode::Char('[') => self.mark_turn(self.turn.saturating_sub(1)),
            KeyCode::Tab => self.select(self.selected + 1),
            KeyCode::BackTab => self.select(self.selected.checked_sub(1).unwrap_or(usize::MAX)),
            KeyCode::Char(digit @ '1'..='9') => self.select(digit as usize - '1' as usize),
            KeyCode::Char('y') => self.agree(),
            KeyCode::Char('Y') => self.agree_with_the_rest(),
            KeyCode::Char('n') => self.disagree(),
            KeyCode::Char('A') => return self.decide(Verdict::Accept),
            KeyCode::Char('R') => return self.decide(Verdict::Reject),
            KeyCode::Char('t') => self.mode = Mode::Note(Input::new(self.draft.said().note.clone())),
            KeyCode::Char('e') if self.subject.exchanges().is_empty() => {
                self.tell("there is no reply to show")
            }
            KeyCode::Char('e') => self.mode = Mode::Kind,
            KeyCode::Char('/') => self.mode = Mode::Search(Input::default()),
            KeyCode::Char('u') => self.undo(),
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Char(' ') | KeyCode::Right => return self.leave(Way::Next),
            KeyCode::Left => return self.leave(Way::Previous),
            KeyCode::Char('q') => return self.leave(Way::End),
            _ => {}
        }
        Effect::None
    }

    fn tell(&mut self, message: impl Into<String>) {
        self.message = message.into();
    }

    fn agree(&mut self) {
        let id = self.criterion().to_string();
        match Answer::of(self.subject.judged.answer(&id)) {
            Some(answer) => self.answer(answer),
            None => self.tell("the judges gave no answer here: press n to give yours"),
        }
    }

    /// To all criteria that have no answer of the reviewer's yet.
    fn agree_with_the_rest(&mut self) {
        let Subject { criteria, judged, .. } = &self.subject;
        let shown = criteria
            .iter()
            .filter_map(|criterion| Some((criterion.id.clone(), Answer::of(judged.answer(&criterion.id))?)));
        let shown: Vec<(String, Answer)> = shown.collect();
        self.change(|said| {
            for (id, answer) in shown {
                said.answers.entry(id).or_insert(answer);
            }
        });
    }

    fn disagree(&mut self) {
        match others(&self.subject, self.selected)[..] {
            [] => self.tell("there is no other answer"),
            [only] => self.answer(only),
            [..] => self.mode = Mode::Answer(others(&self.subject, self.selected)),
        }
    }

    fn answer_asked(&mut self, answers: Vec<Answer>, code: KeyCode) -> Effect {
        let pressed = |answer: &&Answer| code == KeyCode::Char(key_of(**answer));
        match answers.iter().find(pressed).copied() {
            Some(answer) => self.answer(answer),
            None if code == KeyCode::Esc => {}
            None => self.mode = Mode::Answer(answers),
        }
        Effect::None
    }

    /// The reviewer's answer to the marked criterion; then the next is marked, if there is one.
    fn answer(&mut self, answer: Answer) {
        let id = self.criterion().to_string();
        self.change(|said| _ = said.answers.insert(id, answer));
    }

    fn change(&mut self, change: impl FnOnce(&mut Said)) {
        match self.subject.text {
            Ok(_) => self.draft.change(change),
            Err(_) => self.tell("what cannot be read cannot be reviewed"),
        }
    }

    fn decide(&mut self, verdict: Verdict) -> Effect {
        self.change(|said| said.verdict = Some(verdict));
        if self.draft.said().verdict == Some(verdict) { Effect::Save } else { Effect::None }
    }

    fn noted(&mut self, note: String) -> Effect {
        self.change(|said| said.note = note);
        Effect::None
    }

    fn undo(&mut self) {
        match self.draft.undo() {
            true if self.draft.said().verdict.is_none() && self.draft.is_open() => {
                self.tell("taken back; what is written stays until you accept or reject anew");
            }
            true => self.tell("taken back"),
            false => self.tell("there is nothing to take back here"),
        }
    }

    fn leave(&mut self, way: Way) -> Effect {
        if self.draft.is_open() && self.draft.said().verdict.is_none() {
            self.mode = Mode::Leave(way);
            return Effect::None;
        }
        Effect::Leave(way)
    }

    fn leaving(&mut self, way: Way, code: KeyCode) -> Effect {
        let verdict = match code {
            KeyCode::Char('A') => Some(Verdict::Accept),
            KeyCode::Char('R') => Some(Verdict::Reject),
            KeyCode::Char('d') => None,
            KeyCode::Esc => return Effect::None,
            _ => {
                self.mode = Mode::Leave(way);
                return Effect::None;
            }
        };
        match verdict {
            Some(_) => self.draft.change(|said| said.verdict = verdict),
            None => self.draft.drop_open(),
        }
        Effect::Leave(way)
    }

    fn kind(&mut self, code: KeyCode) -> Effect {
        match KINDS.iter().find(|(key, _)| code == KeyCode::Char(*key)) {
            Some((_, kind)) => self.mode = Mode::Reason(kind, Input::new(self.words(kind))),
            None if code == KeyCode::Esc => {}
            None => self.mode = Mode::Kind,
        }
        Effect::None
    }

    /// What is said of the marked criterion: the reviewer's note, else the words of the first judge whose answer goes with
    /// such an example.
    fn words(&self, kind: &str) -> String {
        let note = &self.draft.said().note;
        let fits = |answer: &str| match kind {
            "PASS" => answer == "YES",
            "FAIL" => answer == "NO",
            _ => true,
        };
        let of_it = |remark: &&Remark| remark.criterion == self.criterion() && fits(&remark.answer);
        let remark = || self.subject.remarks.iter().find(of_it);
        let words = if note.is_empty() { remark().map_or("", |remark| &remark.words) } else { note };
        one_line(words)
    }

    /// A key of a line that is being written: Enter ends it, Esc gives it up.
    fn line(
        &mut self,
        mut input: Input,
        key: KeyEvent,
        again: impl FnOnce(Input) -> Mode,
        done: impl FnOnce(&mut App, String) -> Effect,
    ) -> Effect {
        match key.code {
            KeyCode::Enter => return done(self, input.value().to_string()),
            KeyCode::Esc => return Effect::None,
            _ => {}
        }
        if let Some(request) = request(key) {
            input.handle(request);
        }
        self.mode = again(input);
        Effect::None
    }
}

#[cfg(test)]
mod tests;
