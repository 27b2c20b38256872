//! The conversation with the judges' words beside it, as rows of the screen.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::shown::{one_line, wrapped};
use super::subject::{Remark, Subject};

/// From this width on there are two columns.
const TWO_COLUMNS: usize = 110;

/// Between the columns.
pub const GAP: usize = 3;

/// How things are marked; without colours where none are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    /// Whether there are colours.
    pub colour: bool,
}

impl Theme {
    fn colour(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// That of an answer or verdict.
    pub fn answer(self, word: &str) -> Style {
        match word {
            "YES" | "PASSED" | "accept" => self.colour(Color::Green),
            "NO" | "ERROR" | "FAILED" | "reject" => self.colour(Color::Red).add_modifier(Modifier::BOLD),
            _ => Style::new(),
        }
    }

    /// What stands back.
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Who speaks, and headings.
    pub fn heading(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// What must be seen.
    pub fn warning(self) -> Style {
        self.colour(Color::Yellow).add_modifier(Modifier::BOLD)
    }
}

/// A row of the screen.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// All of it, or its left column.
    pub left: Line<'static>,
    /// Its right column.
    pub right: Line<'static>,
}

impl Row {
    /// Whether it has a text, which is in lower case.
    pub fn has(&self, text: &str) -> bool {
        [&self.left, &self.right].iter().any(|line| line.to_string().to_lowercase().contains(text))
    }
}

/// All rows, and where the turns begin.
#[derive(Debug, Default)]
pub struct Page {
    /// From top to bottom.
    pub rows: Vec<Row>,
    /// The row of each turn.
    pub turns: Vec<usize>,
    /// The width of the left column, when there are two.
    pub left: Option<usize>,
}

impl Page {
    /// The page in so many columns, with a criterion and a turn (counted from 1) marked.
    pub fn new(subject: &Subject, criterion: &str, turn: usize, width: usize, theme: Theme) -> Page {
        let left = (width >= TWO_COLUMNS).then(|| (width - GAP) * 11 / 20);
        let mut page = Page { left, ..Page::default() };
        if let Err(error) = &subject.text {
            let text = format!("the transcript cannot be shown: {error}");
            page.rows
                .extend(wrapped(&text, width, "", "").into_iter().map(|line| row(line, theme.warning())));
        }
        for (place, exchange) in subject.exchanges().iter().enumerate() {
            page.turns.push(page.rows.len());
            let words = conversation(exchange, place + 1, turn == place + 1, left.unwrap_or(width), theme);
            let beside: Vec<&Remark> =
                subject.remarks.iter().filter(|remark| remark.turn == Some(place + 1)).collect();
            page.add_turn(words, &beside, subject, criterion, width, theme);
        }
        page.add_rest(subject, criterion, width, theme);
        page
    }

    fn add_turn(
        &mut self,
        words: Vec<Line<'static>>,
        beside: &[&Remark],
        subject: &Subject,
        criterion: &str,
        width: usize,
        theme: Theme,
    ) {
        let marked = Marked { subject, criterion, theme };
        match self.left {
            Some(left) => {
                let lines = |remark: &&Remark| marked.lines(remark, width - left - GAP, "");
                let right: Vec<Line> = beside.iter().flat_map(lines).collect();
                let height = words.len().max(right.len());
                let (mut words, mut right) = (words.into_iter(), right.into_iter());
                for _ in 0..height {
                    let (left, right) = (words.next().unwrap_or_default(), right.next().unwrap_or_default());
                    self.rows.push(Row { left, right });
                }
            }
            None => {
                let lines = beside.iter().flat_map(|remark| marked.lines(remark, width, "    "));
                let all = words.into_iter().chain(lines);
                self.rows.extend(all.map(|left| Row { left, ..Row::default() }));
            }
        }
        self.rows.push(Row::default());
    }

    /// What names no turn.
    fn add_rest(&mut self, subject: &Subject, criterion: &str, width: usize, theme: Theme) {
        let marked = Marked { subject, criterion, theme };
        let rest: Vec<&Remark> = subject.remarks.iter().filter(|remark| remark.turn.is_none()).collect();
        if !rest.is_empty() {
            self.rows.push(row("── on the whole ──".into(), theme.faint()));
        }
        let lines = rest.iter().flat_map(|remark| marked.lines(remark, width, ""));
        self.rows.extend(lines.map(|left| Row { left, ..Row::default() }));
    }
}

fn row(text: String, style: Style) -> Row {
    Row { left: Line::styled(text, style), ..Row::default() }
}

fn conversation(
    exchange: &[String; 2],
    number: usize,
    selected: bool,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mark = if selected { "▶" } else { "─" };
    let head = Line::styled(
        format!("{mark}─ turn {number} ──"),
        if selected { theme.heading() } else { theme.faint() },
    );
    let mut lines = vec![head];
    for (who, text) in ["user: ", "assistant: "].iter().zip(exchange) {
        let mut said = wrapped(text, width, who, "  ").into_iter();
        if let Some(first) = said.next() {
            let words = first.strip_prefix(who).unwrap_or_default().to_string();
            lines.push(Line::from(vec![Span::styled(*who, theme.heading()), Span::raw(words)]));
        }
        lines.extend(said.map(Line::raw));
    }
    lines
}

/// What remarks are drawn by.
struct Marked<'a> {
    subject: &'a Subject,
    criterion: &'a str,
    theme: Theme,
}

impl Marked<'_> {
    /// `C3 NO strict, mild (gate, disputed)`, and the reasoning below.
    fn lines(&self, remark: &Remark, width: usize, indent: &str) -> Vec<Line<'static>> {
        let selected = remark.criterion == self.criterion;
        let style = if selected { Style::new().add_modifier(Modifier::BOLD) } else { self.theme.faint() };
        let bar = format!("{indent}{} ", if selected { "┃" } else { "│" });
        let judges: Vec<String> = remark.judges.iter().map(|judge| one_line(judge)).collect();
        let head = Line::from(vec![
            Span::styled(format!("{bar}{} ", remark.criterion), style),
            Span::styled(remark.answer.clone(), self.theme.answer(&remark.answer)),
            Span::styled(format!(" {}{}", judges.join(", "), self.marks(&remark.criterion)), style),
        ]);
        let words = if selected { Style::new() } else { self.theme.faint() };
        let lines =
            wrapped(&remark.words, width, &bar, &bar).into_iter().map(|line| Line::styled(line, words));
        [head].into_iter().chain(lines).collect()
    }

    fn marks(&self, criterion: &str) -> String {
        let marks = [
            (self.subject.is_gate(criterion), "gate"),
            (self.subject.judged.is_disputed(criterion), "disputed"),
        ];
        let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
        if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::review::subject::tests::subject;

    fn text(width: usize) -> (Vec<String>, Page) {
        let page = Page::new(&subject(), "A", 2, width, Theme { colour: false });
        let line = |row: &Row| {
            format!("{} # {}", row.left, row.right).trim_end_matches(" # ").trim_end().to_string()
        };
        (page.rows.iter().map(line).collect(), page)
    }

    #[test]
    fn in_a_narrow_terminal_words_stand_below_their_turn() {
        let (rows, page) = text(60);
        assert_eq!(page.turns, [0, 4, 10]);
        assert_eq!(
            rows[4..10],
            [
                "▶─ turn 2 ──",
                "user: question 2",
                "assistant: answer 2",
                "    ┃ A NO strict (disputed)",
                "    ┃ Turn 2 is wrong. So is turn 3.",
                ""
            ]
        );
        assert_eq!(
            rows[16..],
            [
                "── on the whole ──",
                "┃ A YES mild (disputed)",
                "┃ All is well.",
                "│ G YES strict, mild (gate)",
                "│ Safe."
            ]
        );
    }

    #[test]
    fn in_a_wide_one_they_stand_beside_it() {
        let (rows, page) = text(120);
        assert_eq!((page.left, &page.turns[..]), (Some(64), &[0, 4, 8][..]));
        assert_eq!(rows[5], "user: question 2 # ┃ Turn 2 is wrong. So is turn 3.");
        assert!(
            page.rows[5].has("question 2") && page.rows[5].has("so is turn") && !page.rows[5].has("answer")
        );
    }
}
