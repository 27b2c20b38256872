//! The charts of a project's figures, by the names that the templates know.

use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::report::charts::{histogram, line};
use crate::report::figures::Figures;
use crate::report::figures::histogram::Histogram;
use crate::report::figures::judges::Judges;

/// The drawn charts, and the rows of the matrix.
#[derive(Default)]
pub struct Charts {
    drawn: BTreeMap<&'static str, String>,
    categories: Vec<String>,
    matrix: Vec<Row>,
}

/// A judge's row of the matrix.
#[derive(Serialize)]
struct Row {
    judge: String,
    cells: Vec<Cell>,
}

/// How far two judges agree; nothing of a judge and itself.
#[derive(Serialize, Default)]
struct Cell {
    percent: Option<f64>,
    kappa: Option<f64>,
    heat: usize,
}

impl Charts {
    /// All charts that there are figures for.
    pub fn of(figures: &Figures) -> Charts {
        let mut charts = Charts::default();
        charts.drawn.insert("over_time", line(&figures.rates.over_time));
        charts.add("scores", figures.scores.as_ref(), "", "verdict", "Weighted scores");
        if let Some(lengths) = &figures.lengths {
            let (tokens, turns) = (&lengths.transcript_tokens, &lengths.turns);
            charts.add("transcript_tokens", Some(tokens), "tokens", "transcript", "Tokens of transcripts");
            charts.add("turns", Some(turns), "turns", "transcript", "Turns of transcripts");
            charts.add(
                "user_words",
                lengths.user_words.as_ref(),
                "words",
                "message",
                "Words of user messages",
            );
            charts.add(
                "assistant_words",
                lengths.assistant_words.as_ref(),
                "words",
                "reply",
                "Words of replies",
            );
        }
        if let Some(slices) = &figures.slices {
            charts.add(
                "per_transcript",
                Some(&slices.per_transcript),
                "slices",
                "transcript",
                "Slices of transcripts",
            );
            charts.add("example_tokens", Some(&slices.tokens), "tokens", "example", "Tokens of examples");
            charts.add("example_turns", Some(&slices.exchanges), "turns", "example", "Turns of examples");
        }
        let category = |category: &crate::report::figures::criteria::Category| {
            histogram(&category.scores, "", "verdict", &format!("Scores of {}", category.name))
        };
        charts.categories = figures.categories.iter().map(category).collect();
        charts.matrix = figures.judges.as_ref().map(matrix).unwrap_or_default();
        charts
    }

    fn add(&mut self, name: &'static str, of: Option<&Histogram>, unit: &str, what: &str, label: &str) {
        self.drawn.extend(of.map(|of| (name, histogram(of, unit, what, label))));
    }

    /// As templates use them.
    pub fn value(self) -> Value {
        let safe = |text: String| Value::from_safe_string(text);
        let mut all: BTreeMap<&str, Value> =
            self.drawn.into_iter().map(|(name, text)| (name, safe(text))).collect();
        all.insert("categories", self.categories.into_iter().map(safe).collect());
        all.insert("matrix", Value::from(Serde(self.matrix)));
        Value::from(all)
    }
}

fn matrix(judges: &Judges) -> Vec<Row> {
    let names: Vec<&String> = judges.agreement.judges.iter().map(|judge| &judge.judge).collect();
    let cell = |a: &String, b: &String| {
        let mut pairs = judges.agreement.pairs.iter();
        let pair =
            pairs.find(|pair| [&pair.first, &pair.second] == [a, b] || [&pair.first, &pair.second] == [b, a]);
        pair.map(|pair| Cell { percent: pair.percent, kappa: pair.kappa, heat: heat(pair.percent) })
            .unwrap_or_default()
    };
    let row = |a: &&String| Row { judge: (*a).clone(), cells: names.iter().map(|b| cell(a, b)).collect() };
    names.iter().map(row).collect()
}

/// 0 to 5. Below half there is little to tell.
fn heat(percent: Option<f64>) -> usize {
    ((percent.unwrap_or(0.0) - 0.5).max(0.0) * 10.0).floor().min(5.0) as usize
}
