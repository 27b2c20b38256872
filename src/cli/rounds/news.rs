//! What scripts print, round by round: what they said in the round before as well is not repeated.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::output::Output;
use crate::base::events::{Event, Events};

/// Passes events on. Cloning gives another handle on the same one.
#[derive(Clone)]
pub struct News {
    output: Output,
    said: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said {
    before: HashSet<String>,
    now: HashSet<String>,
}

impl News {
    /// Nothing was said yet.
    pub fn new(output: Output) -> News {
        News { output, said: Arc::default() }
    }

    /// A round begins.
    pub fn next_round(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.before = std::mem::take(&mut said.now);
    }

    /// Whether the round before did not say the same.
    fn is_news(&self, text: &str) -> bool {
        let text = timeless(text);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = !said.before.contains(&text);
        said.now.insert(text);
        is_news
    }
}

impl Events for News {
    fn emit(&self, event: Event) {
        let shown = match &event {
            Event::Print(text) | Event::Info(text) | Event::Warning(text) => self.is_news(text),
            _ => true,
        };
        match shown || self.output.is_verbose() {
            true => self.output.emit(event),
            false => self.output.machine_event(&event),
        }
    }
}

/// A text without its seconds: how long something took is no news.
fn timeless(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let is_time = |i: usize| {
        let unit = words.get(i + 1).map(|unit| unit.trim_end_matches([',', '.', '\n']));
        words[i].parse::<f64>().is_ok() && unit.is_some_and(|unit| unit == "s" || unit.starts_with("s\n"))
    };
    (0..words.len()).map(|i| if is_time(i) { "_" } else { words[i] }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_news_every_other_round_at_most() {
        let news = News::new(Output::new(true, false));
        let said = |text| news.is_news(text);
        assert!(said("5 done, in 0.1 s\nall well") && said("n = 1"));
        news.next_round();
        assert!(!said("5 done, in 2.35 s\nall well"), "only its time differs");
        assert!(said("4 done, in 0.1 s\nall well") && said("n = 2"));
        news.next_round();
        assert!(said("n = 1"), "two rounds ago it was said last");
    }
}
