//! The screen: what it is about above, the page in the middle, keys and questions below.

mod foot;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use self::foot::{cursor, foot, line_of};
use super::app::{App, Mode};
use super::page::{GAP, Page, Theme};
use super::shown::{one_line, wrapped};
use crate::pipeline::human::Answer;

/// Lines of criteria that are shown at once.
const MOST_CRITERIA: usize = 3;

/// Lines of the marked criterion's question.
const MOST_QUESTION: usize = 2;

const HELP: [(&str, &str); 15] = [
    ("↑ ↓ PgUp PgDn", "scroll"),
    ("[ ]", "the turn before, the next turn"),
    ("Tab, 1-9", "mark a criterion, and go to the turn that the judges speak of"),
    ("y", "agree with the answer shown: it is your own, too"),
    ("Y", "agree with all that you have not answered"),
    ("n", "disagree: your answer is another one"),
    ("A  R", "accept or reject the transcript; it is written at once"),
    ("t", "write a note"),
    ("e", "make the marked turn a calibration example of the marked criterion"),
    ("u", "take back the last choice"),
    ("/", "search; again with Enter for the next place"),
    ("space →", "the next transcript"),
    ("←", "the transcript before"),
    ("q", "quit: the next session goes on here"),
    ("Esc", "leave a question"),
];

/// Draws everything; `position` says which transcript of how many it is.
pub fn draw(frame: &mut Frame, app: &mut App, position: &str, theme: Theme) {
    let width = usize::from(frame.area().width);
    let head = head(app, position, width, theme);
    let foot = foot(app, width, theme);
    let rows =
        [Constraint::Length(head.len() as u16), Constraint::Min(1), Constraint::Length(foot.len() as u16)];
    let [above, middle, below] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(head), above);
    frame.render_widget(Paragraph::new(foot), below);
    let page = Page::new(&app.subject, app.criterion(), app.turn, width, theme);
    app.set_page(page, usize::from(middle.height));
    body(frame, app, middle);
    if let Some((prompt, input)) = line_of(&app.mode) {
        cursor(frame, below, &prompt, input);
    }
    match &app.mode {
        Mode::Help => boxed(frame, "keys", &help(), theme),
        Mode::Told(lines) => boxed(frame, "press a key to go on", lines, theme),
        _ => {}
    }
}

/// What it is about.
fn head(app: &App, position: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![title(app, position, width, theme)];
    if !app.subject.warnings.is_empty() {
        lines.push(Line::styled(app.subject.warnings.join("; "), theme.warning()));
    }
    lines.extend(criteria(app, width, theme));
    if let Some(criterion) = app.subject.criteria.get(app.selected) {
        let question =
            wrapped(&one_line(&criterion.question), width, &format!("{} ", one_line(&criterion.id)), "   ");
        lines.extend(question.into_iter().take(MOST_QUESTION).map(Line::raw));
        lines.push(answers(app, theme));
    }
    lines.push(Line::styled("─".repeat(width), theme.faint()));
    lines
}

/// `persona_0003  FAILED 0.62 of 0.8  gate failed        2 of 38, 5 reviewed before`
fn title(app: &App, position: &str, width: usize, theme: Theme) -> Line<'static> {
    let judged = &app.subject.judged;
    let word = match (&judged.status, judged.complete, judged.pass) {
        (Some(status), ..) => status.clone(),
        (None, false, _) => "INCOMPLETE".into(),
        (None, true, true) => "PASSED".into(),
        (None, true, false) => "FAILED".into(),
    };
    let score = judged.score.zip(judged.threshold);
    let score = score.map(|(score, threshold)| format!(" {score:.2} of {threshold:.2}")).unwrap_or_default();
    let flags = [(judged.safety_gate_failed, "  gate failed"), (judged.disagreement, "  judges differ")];
    let flags: String = flags.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    let id = one_line(&judged.id);
    let verdict = app.draft.said().verdict.map_or("", |verdict| verdict.word());
    let open = if app.draft.is_open() { "*" } else { "" };
    let mut spans = vec![
        Span::styled(format!("{id}  "), Style::new().add_modifier(Modifier::BOLD)),
        Span::styled(word.clone(), theme.answer(&word)),
        Span::raw(format!("{score}{flags}  you: ")),
        Span::styled(
            if verdict.is_empty() { "-".to_string() } else { verdict.into() },
            theme.answer(verdict),
        ),
        Span::raw(open),
    ];
    let used: usize = spans.iter().map(Span::width).sum();
    let gap = width.saturating_sub(used + position.chars().count()).max(2);
    spans.push(Span::styled(format!("{}{position}", " ".repeat(gap)), theme.faint()));
    Line::from(spans)
}

/// All criteria with their answers: `1 C1 YES  2 C2 NO→YES`.
fn criteria(app: &App, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let (mut lines, mut used, mut marked) = (vec![Line::default()], 0, 0);
    for (place, criterion) in app.subject.criteria.iter().enumerate() {
        let cell = cell(app, place, &criterion.id, theme);
        let room: usize = cell.iter().map(Span::width).sum();
        if used + room > width && used > 0 {
            lines.push(Line::default());
            used = 0;
        }
        used += room;
        if place == app.selected {
            marked = lines.len() - 1;
        }
        if let Some(line) = lines.last_mut() {
            line.spans.extend(cell);
        }
    }
    let first = (marked + 1).saturating_sub(MOST_CRITERIA);
    lines.into_iter().skip(first).take(MOST_CRITERIA).collect()
}

fn cell(app: &App, place: usize, id: &str, theme: Theme) -> Vec<Span<'static>> {
    let Subjects { shown, own } = answers_of(app, id);
    let style =
        if place == app.selected { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
    let mark = if app.subject.judged.is_disputed(id) { "≠" } else { "" };
    let mut spans = vec![
        Span::styled(format!("{}{mark}", one_line(id)), style),
        Span::raw(" "),
        Span::styled(shown.clone(), theme.answer(&shown)),
    ];
    match own {
        Some(own) if own.word() == shown => spans.push(Span::raw("✓")),
        Some(own) => spans.push(Span::styled(format!("→{}", own.word()), theme.warning())),
        None => {}
    }
    spans.push(Span::raw("  "));
    spans
}

/// The answers to a criterion.
struct Subjects {
    shown: String,
    own: Option<Answer>,
}

fn answers_of(app: &App, id: &str) -> Subjects {
    let shown = app.subject.judged.answer(id);
    let shown = if shown.is_empty() { "?".to_string() } else { shown.to_string() };
    Subjects { shown, own: app.draft.said().answers.get(id).copied() }
}

/// What each judge answers to the marked criterion: `   gate  strict NO  mild YES  final NO  you -`.
fn answers(app: &App, theme: Theme) -> Line<'static> {
    let judged = &app.subject.judged;
    let id = app.criterion();
    let gate = if app.subject.is_gate(id) { "gate  " } else { "" };
    let mut spans = vec![Span::raw("   "), Span::styled(gate, theme.warning())];
    let mut add = |who: &str, answer: &str| {
        spans.push(Span::styled(format!("{} ", one_line(who)), theme.faint()));
        spans.push(Span::styled(format!("{answer}  "), theme.answer(answer)));
    };
    judged.judges().iter().zip(judged.names()).for_each(|(judge, name)| add(&name, judge.answer(id)));
    let Subjects { shown, own } = answers_of(app, id);
    if judged.is_of_a_jury() {
        add("final", &shown);
    }
    add("you", own.map_or("-", Answer::word));
    Line::from(spans)
}

fn body(frame: &mut Frame, app: &App, area: Rect) {
    let rows = app.page.rows.iter().enumerate().skip(app.top).take(usize::from(area.height));
    let found = |place: usize| app.found == Some(place);
    let marked = |line: &Line<'static>, place: usize| match found(place) {
        true => line.clone().patch_style(Style::new().add_modifier(Modifier::REVERSED)),
        false => line.clone(),
    };
    let (left, right): (Vec<Line>, Vec<Line>) =
        rows.map(|(place, row)| (marked(&row.left, place), marked(&row.right, place))).unzip();
    let Some(width) = app.page.left else { return frame.render_widget(Paragraph::new(left), area) };
    let right_area = Rect {
        x: area.x + (width + GAP) as u16,
        width: area.width.saturating_sub((width + GAP) as u16),
        ..area
    };
    // What names no turn takes both columns, and has no right one.
    frame.render_widget(Paragraph::new(left), area);
    for (place, line) in right.into_iter().enumerate().filter(|(_, line)| !line.spans.is_empty()) {
        let area = Rect { y: right_area.y + place as u16, height: 1, ..right_area };
        frame.render_widget(line, area);
    }
}

fn help() -> Vec<String> {
    HELP.iter().map(|(keys, what)| format!("{keys:14} {what}")).collect()
}

/// A text over the page.
fn boxed(frame: &mut Frame, title: &'static str, lines: &[String], theme: Theme) {
    let area = frame.area();
    let width = area.width.saturating_sub(4).min(100).max(10.min(area.width));
    let wrap = |line: &String| wrapped(line, usize::from(width).saturating_sub(2), "", "               ");
    let lines: Vec<Line> = lines.iter().flat_map(wrap).map(Line::raw).collect();
    let height = (lines.len() as u16 + 2).min(area.height);
    let area =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, area);
    frame.render_widget(
        Paragraph::new(lines)
            .block(Block::bordered().title(title).style(theme.faint().remove_modifier(Modifier::DIM))),
        area,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::review::subject::tests::subject;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use tui_input::Input;

    fn screen(width: u16, height: u16, app: &mut App) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, app, "1 of 2", Theme { colour: false })).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn it_is_usable_at_80_columns() {
        let mut app = App::new(subject(), None);
        let text = screen(80, 24, &mut app);
        for part in [
            "t  INCOMPLETE  you: -",
            "1 of 2",
            "A≠ NO",
            "G YES",
            "A Is it right?",
            "strict NO  mild YES  final NO  you -",
            "▶─ turn 2",
            "┃ Turn 2 is wrong",
            "space next",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(1, 1), (5, 3), (20, 5), (40, 8), (300, 100)] {
            let mut app = App::new(subject(), None);
            screen(width, height, &mut app);
            app.mode = Mode::Help;
            screen(width, height, &mut app);
            app.mode = Mode::Note(Input::new("日本語".repeat(50)));
            screen(width, height, &mut app);
        }
    }
}
