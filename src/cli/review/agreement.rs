//! `fthost review --agreement`: how far the judges agree with the reviews.

use serde_json::{Value, json};

use super::desk::Desk;
use crate::base::Result;
use crate::base::numbers::count;
use crate::cli::output::Output;
use crate::pipeline::human::agreement::{HumanAgreement, Row};
use crate::work::reviews;

/// Prints it.
pub fn show(desk: &Desk, output: &Output) -> Result<()> {
    let found =
        reviews::agreement(&reviews::read(&desk.world.project)?, &desk.assessments, &desk.rubric, Err)?;
    output.machine(&event(&found));
    lines(&found).iter().for_each(|line| output.result(line));
    Ok(())
}

fn event(found: &HumanAgreement) -> Value {
    let mut event = json!({"event": "human_agreement"});
    if let (Value::Object(event), Value::Object(mut fields)) = (&mut event, json!(found)) {
        event.append(&mut fields);
    }
    event
}

fn lines(found: &HumanAgreement) -> Vec<String> {
    if found.reviews == 0 {
        return vec!["no reviews yet: fthost review".into()];
    }
    let mut lines = vec![counts(found)];
    let verdicts = &found.verdicts;
    if found.counted > 0 {
        lines.push(format!(
            "of {} that passed, {} rejected; of {} that did not pass, {} accepted",
            verdicts.passed_accepted + verdicts.passed_rejected,
            verdicts.passed_rejected,
            verdicts.failed_accepted + verdicts.failed_rejected,
            verdicts.failed_accepted
        ));
    }
    if found.rows.is_empty() {
        lines.push("no criterion is answered in them: press y or n beside a criterion".into());
        return lines;
    }
    lines.push(String::new());
    let widths = widths(&found.rows);
    let header = [
        "judge",
        "criterion",
        "answers",
        "agree",
        "judge NO",
        "human NO",
        "both NO",
        "precision",
        "recall",
        "kappa",
    ];
    lines.push(line(widths, &header.map(String::from)));
    lines.extend(found.rows.iter().map(|row| line(widths, &cells(row))));
    lines
}

fn counts(found: &HumanAgreement) -> String {
    let parts = [
        (found.stale, "of another text or rubric than the one that was judged"),
        (found.not_judged, "without a verdict"),
    ];
    let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}"));
    format!("{}: {} compared{}", count(found.reviews, "review"), found.counted, parts.collect::<String>())
}

fn cells(row: &Row) -> [String; 10] {
    let part = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
    let agree = match row.answers {
        0 => "-".into(),
        all => format!("{:.0} %", 100.0 * row.agree as f64 / all as f64),
    };
    [
        row.judge.clone(),
        row.criterion.clone(),
        row.answers.to_string(),
        agree,
        (row.both_no + row.judge_no).to_string(),
        (row.both_no + row.human_no).to_string(),
        row.both_no.to_string(),
        part(row.precision),
        part(row.recall),
        part(row.kappa),
    ]
}

/// Of the two columns of names.
fn widths(rows: &[Row]) -> [usize; 2] {
    let longest = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    [longest(|row| &row.judge).max(5), longest(|row| &row.criterion).max(9)]
}

fn line([judge, criterion]: [usize; 2], cells: &[String; 10]) -> String {
    let [first, second, rest @ ..] = cells;
    let rest: String = rest.iter().map(|cell| format!("  {cell:>9}")).collect();
    format!("{first:judge$}  {second:criterion$}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let row = Row {
            judge: "strict".into(),
            criterion: "C1".into(),
            answers: 8,
            agree: 6,
            both_no: 2,
            judge_no: 1,
            human_no: 0,
            precision: Some(0.667),
            recall: Some(1.0),
            kappa: None,
            errors: 0,
        };
        let found =
            HumanAgreement { reviews: 9, counted: 8, stale: 1, rows: vec![row], ..HumanAgreement::default() };
        let lines = lines(&found);
        assert_eq!(
            lines[0],
            "9 reviews: 8 compared, 1 of another text or rubric than the one that was judged"
        );
        assert_eq!(
            lines[3],
            "judge   criterion    answers      agree   judge NO   human NO    both NO  precision     recall      kappa"
        );
        assert_eq!(
            lines[4],
            "strict  C1                 8       75 %          3          2          2       0.67       1.00          -"
        );
    }
}
