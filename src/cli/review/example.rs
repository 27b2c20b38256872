//! The marked turn as a calibration example in the rubric's file.

use super::app::App;
use super::desk::{Desk, RUBRIC};
use crate::base::{Error, Result};
use crate::pipeline::rubric::{Calibration, with_example};

/// Puts it in, and says what that means; or says why not, and what to put in by hand.
pub fn add(desk: &Desk, app: &App, kind: &str, reasoning: String) -> Vec<String> {
    let criterion = app.criterion();
    match put(desk, app, kind, reasoning) {
        Ok(()) => vec![
            format!("turn {} is an example ({kind}) of {criterion} in {RUBRIC}", app.turn),
            String::new(),
            "The rubric is another one now, so the verdicts are stale. To ask the judges again:".into(),
            "fthost run scripts/assess.rhai --redo stale".into(),
            format!("Where each criterion is a call of its own, only {criterion} is paid for again."),
            "Your answers still count: the questions are the same.".into(),
        ],
        Err(error) => {
            let hint = error.get_hint().unwrap_or_default().split('\n').map(String::from);
            let place = error.place().map(|place| format!("{place}: ")).unwrap_or_default();
            let what = format!("nothing was written: {place}{error}");
            [what, String::new()].into_iter().chain(hint).collect()
        }
    }
}

fn put(desk: &Desk, app: &App, kind: &str, reasoning: String) -> Result<(), Error> {
    let project = &desk.world.project;
    let [context, response] = app.subject.exchanges().get(app.turn - 1).cloned().unwrap_or_default();
    // As it is now: someone may have edited it since the session began.
    let text = project.read_text(RUBRIC)?;
    let example = Calibration { kind: kind.into(), context, response, reasoning };
    let after = with_example(RUBRIC, &text, app.criterion(), &example)?;
    project.replace_config(RUBRIC, &after)
}
