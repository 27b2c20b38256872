//! What `fthost status` says of a project's figures: the funnel, what passes, what fails, what to do next.

use super::output::Output;
use crate::base::numbers::{count, thousands};
use crate::report::Figures;
use crate::report::figures::rates::OfRubric;
use crate::report::next_step::percent;

/// Criteria that are shown.
const CRITERIA: usize = 3;

/// Rubrics that are shown: the last ones.
const RUBRICS: usize = 3;

/// Shows it. The jobs stand above.
pub fn show(figures: &Figures, output: &Output) {
    if !figures.is_empty() {
        output.result("\nthe data:");
        lines(figures).iter().for_each(|line| output.result(&format!("  {line}")));
    }
    if !figures.next.is_empty() {
        output.result("\nnext:");
    }
    for step in &figures.next {
        output.result(&format!("  {}", step.text));
        step.command.iter().for_each(|command| output.result(&format!("    {command}")));
    }
    figures.notes.iter().for_each(|note| output.remark(&format!("warning: {note}")));
}

fn lines(figures: &Figures) -> Vec<String> {
    let mut lines = vec![funnel(figures)];
    lines.extend(losses(figures));
    lines.extend(figures.rates.by_rubric.iter().rev().take(RUBRICS).map(rubric));
    lines.extend(fails(figures));
    lines.extend(judges(figures));
    lines.extend(human(figures));
    lines
}

/// `60 asked for, 60 made, 60 judged, 41 pass, 41 may be trained on: 166 examples`
fn funnel(figures: &Figures) -> String {
    let funnel = &figures.funnel;
    let stages = [
        (funnel.asked.unwrap_or(0), "asked for"),
        (funnel.made, "made"),
        (funnel.judged, "judged"),
        (funnel.passed, "pass"),
        (funnel.trainable, "may be trained on"),
    ];
    let stages = stages.into_iter().filter(|(n, what)| *n > 0 || *what != "asked for");
    let stages: Vec<String> = stages.map(|(n, what)| format!("{} {what}", thousands(n as u64))).collect();
    format!("{}: {}", stages.join(", "), count(funnel.examples, "example"))
}

fn losses(figures: &Figures) -> Option<String> {
    let losses = figures.funnel.losses.iter();
    let losses: Vec<String> =
        losses.map(|loss| format!("{} {}", thousands(loss.count as u64), loss.words)).collect();
    (!losses.is_empty()).then(|| format!("left out: {}", losses.join(", ")))
}

/// `rubric 3291153e (today's): 41 of 60 pass (68 %)`
fn rubric(of: &OfRubric) -> String {
    let today = if of.is_today { " (today's)" } else { "" };
    let (passed, judged) = (of.rate.passed, of.rate.judged);
    let [shown, all] = [passed, judged].map(|n| thousands(n as u64));
    format!("rubric {}{today}: {shown} of {all} pass ({})", of.rubric, percent(passed, judged))
}

fn fails(figures: &Figures) -> Option<String> {
    let mut failing: Vec<_> = figures.criteria.iter().filter(|criterion| criterion.no > 0).collect();
    failing.sort_by_key(|criterion| std::cmp::Reverse(criterion.no));
    let failing = failing.iter().take(CRITERIA);
    let failing: Vec<String> =
        failing.map(|criterion| format!("{} {}", criterion.id, thousands(criterion.no as u64))).collect();
    (!failing.is_empty()).then(|| format!("fails most: {}", failing.join(", ")))
}

fn judges(figures: &Figures) -> Option<String> {
    let judges = figures.judges.as_ref()?;
    let alphas = judges.asked().filter_map(|criterion| Some((criterion.alpha?, &criterion.id)));
    let least = alphas.filter(|(alpha, _)| *alpha < 1.0).min_by(|a, b| a.0.total_cmp(&b.0));
    let least = least.map(|(alpha, id)| format!("; they agree least on {id} (alpha {alpha:.2})"));
    let lenient = judges.agreement.lenient.as_ref().map(|name| format!("; {name} is the lenient one"));
    let [all, disputed, far] = [judges.agreement.records as usize, judges.disputed, judges.far];
    if disputed + far == 0 {
        return (all > 0).then(|| format!("the judges agree on all {}", thousands(all as u64)));
    }
    Some(format!(
        "the judges differ on {} of {}, by much on {}{}{}",
        thousands(disputed as u64),
        thousands(all as u64),
        thousands(far as u64),
        least.unwrap_or_default(),
        lenient.unwrap_or_default()
    ))
}

fn human(figures: &Figures) -> Option<String> {
    let human = figures.human.as_ref()?;
    let (all, verdicts) = (&human.agreement, &human.agreement.verdicts);
    let alike = verdicts.passed_accepted + verdicts.failed_rejected;
    let judged = match all.counted {
        0 => "none of them is of today's verdicts".into(),
        counted => format!("the judges agree with {alike} of {counted}"),
    };
    Some(format!("humans reviewed {}, accepted {}: {judged}", all.reviews, human.accepted))
}
