//! The two lines below the page: what there is to tell, and the keys or what is asked.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use tui_input::Input;

use crate::cli::review::app::{App, KINDS, Mode, key_of};
use crate::cli::review::page::Theme;
use crate::cli::review::shown::one_line;

/// What stands below, as much of it as fits.
const KEYS: [&str; 9] = [
    "? keys",
    "y agree",
    "n disagree",
    "A accept",
    "R reject",
    "space next",
    "q quit",
    "t note",
    "e example",
];

/// Keys, or what is asked.
pub fn foot(app: &App, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let note = one_line(&app.draft.said().note);
    let above = match (app.message.as_str(), note.as_str()) {
        ("", "") => Line::default(),
        ("", note) => Line::styled(format!("note: {note}"), theme.faint()),
        (message, _) => Line::styled(one_line(message), theme.warning()),
    };
    let asked = |text: String| Line::styled(text, Style::new().add_modifier(Modifier::BOLD));
    let below = match &app.mode {
        Mode::Answer(answers) => {
            let keys: Vec<String> =
                answers.iter().map(|answer| format!("{} {}", key_of(*answer), answer.word())).collect();
            asked(format!("your answer to {}?  {}  Esc none", app.criterion(), keys.join("  ")))
        }
        Mode::Kind => {
            let keys = KINDS.map(|(key, kind)| format!("{key} {kind}")).join("  ");
            asked(format!("turn {} as an example of {}:  {keys}  Esc none", app.turn, app.criterion()))
        }
        Mode::Leave(_) => {
            asked("not written, for want of a verdict:  A accept  R reject  d drop it  Esc stay".into())
        }
        mode => match line_of(mode) {
            Some((prompt, input)) => {
                let room = width.saturating_sub(prompt.chars().count() + 1);
                let text: String = input.value().chars().skip(hidden(input, room)).collect();
                Line::from(vec![Span::styled(prompt, theme.heading()), Span::raw(text)])
            }
            None => Line::styled(keys(width), theme.faint()),
        },
    };
    vec![above, below]
}

fn keys(width: usize) -> String {
    KEYS.iter().fold(String::new(), |line, key| match line.as_str() {
        "" => key.to_string(),
        _ if line.len() + 2 + key.len() > width => line,
        _ => format!("{line}  {key}"),
    })
}

/// What is being written, and what stands before it.
pub fn line_of(mode: &Mode) -> Option<(String, &Input)> {
    match mode {
        Mode::Note(input) => Some(("note: ".into(), input)),
        Mode::Search(input) => Some(("search: ".into(), input)),
        Mode::Reason(kind, input) => Some((format!("why {kind}: "), input)),
        _ => None,
    }
}

/// How many characters at the beginning do not fit.
fn hidden(input: &Input, room: usize) -> usize {
    let before: Vec<char> = input.value().chars().take(input.cursor()).collect();
    let width = |chars: &[char]| textwrap::core::display_width(&chars.iter().collect::<String>());
    (0..before.len()).find(|from| width(&before[*from..]) < room.max(1)).unwrap_or(before.len())
}

/// Puts the cursor where the next character goes.
pub fn cursor(frame: &mut Frame, below: Rect, prompt: &str, input: &Input) {
    let room = usize::from(below.width).saturating_sub(prompt.chars().count() + 1);
    let skipped = hidden(input, room);
    let before: String = input.value().chars().take(input.cursor()).skip(skipped).collect();
    let x = prompt.chars().count() + textwrap::core::display_width(&before);
    frame.set_cursor_position((
        below.x + (x as u16).min(below.width.saturating_sub(1)),
        below.bottom().saturating_sub(1),
    ));
}
