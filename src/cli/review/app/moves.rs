//! Moving on the page: criteria, turns, rows, and places that are searched for.

use super::{App, Effect};
use crate::cli::review::shown::one_line;

impl App {
    /// Marks a criterion: past the last comes the first, before the first the last.
    pub(super) fn select(&mut self, place: usize) {
        let count = self.subject.criteria.len();
        self.selected = match place {
            usize::MAX => count.saturating_sub(1),
            place if place >= count => 0,
            place => place,
        };
        if let Some(turn) = self.subject.first_turn(self.criterion()) {
            self.turn = turn;
            self.show_turn();
        }
    }

    pub(super) fn last_top(&self) -> usize {
        self.page.rows.len().saturating_sub(self.height)
    }

    /// Moves by rows; the mark goes along when its turn leaves the screen.
    pub(super) fn scroll(&mut self, rows: isize) {
        self.top = (self.top as isize).saturating_add(rows).clamp(0, self.last_top() as isize) as usize;
        let seen = self.top..self.top + self.height;
        let of = |turn: usize| self.page.turns.get(turn.saturating_sub(1)).copied();
        if of(self.turn).is_some_and(|row| seen.contains(&row)) {
            return;
        }
        let first_seen = self.page.turns.iter().position(|row| seen.contains(row));
        let around = || self.page.turns.iter().rposition(|row| *row <= self.top);
        self.turn = first_seen.or_else(around).map_or(self.turn, |place| place + 1);
    }

    pub(super) fn mark_turn(&mut self, turn: usize) {
        self.turn = turn.clamp(1, self.subject.exchanges().len().max(1));
        self.show_turn();
    }

    /// Brings the marked turn to the top.
    pub(super) fn show_turn(&mut self) {
        if let Some(row) = self.page.turns.get(self.turn.saturating_sub(1)) {
            self.top = (*row).min(self.last_top());
        }
    }

    pub(super) fn search(&mut self, text: String) -> Effect {
        if !text.trim().is_empty() {
            self.searched = text.trim().to_lowercase();
        }
        let count = self.page.rows.len();
        let from = self.found.map_or(0, |row| row + 1);
        let hit = |row: &usize| self.page.rows.get(*row).is_some_and(|row| row.has(&self.searched));
        let found = (0..count).map(|step| (from + step) % count.max(1)).find(hit);
        match found.filter(|_| !self.searched.is_empty()) {
            Some(row) => {
                self.found = Some(row);
                self.top = row.saturating_sub(self.height / 3).min(self.last_top());
                self.scroll(0);
                self.tell("found; / and Enter go on to the next place");
            }
            None => {
                let searched = one_line(&self.searched);
                self.found = None;
                self.tell(format!("`{searched}` stands nowhere here"));
            }
        }
        Effect::None
    }
}
