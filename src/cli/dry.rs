//! `fthost run --dry-run`: what the command would ask for and cost. Nothing is sent, and what the scripts
//! write goes to a directory that is thrown away.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::output::Output;
use crate::base::events::{Event, Events};
use crate::base::numbers::{count, thousands};
use crate::base::{Error, Kind, Result};
use crate::llm::stub::Length;
use crate::store::Project;
use crate::store::ledger::ReadOnly;
use crate::work::World;
use crate::work::budget::{Budget, Cap};
use crate::work::dry::{Assumed, DryRun, Estimate, Expected, Step};

/// Makes a world one of a dry run. Its files are gone when the directory is dropped.
pub fn prepare(world: &mut World, output: &Output) -> Result<TempDir> {
    let lengths = world.ledger.reply_lengths()?;
    let scratch = tempfile::Builder::new().prefix("fthost-dry-run-").tempdir();
    let scratch = scratch.map_err(|e| Error::io(Kind::Disk, "make", "a temporary directory", &e))?;
    world.project = Arc::new(Project::open(world.project.root())?.with_scratch(scratch.path())?);
    world.ledger = Arc::new(ReadOnly::of(world.ledger.clone()));
    world.events = Arc::new(Aside(output.clone()));
    world.dry = Some(DryRun::new(lengths));
    Ok(scratch)
}

/// What scripts print would speak of a few made-up items as of the result.
struct Aside(Output);

impl Events for Aside {
    fn emit(&self, event: Event) {
        match event {
            Event::Print(text) | Event::Info(text) => self.0.detail(&text),
            other => self.0.emit(other),
        }
    }
}

/// Tells what the real command would do.
pub fn report(dry: &DryRun, budget: &Budget, output: &Output) {
    let estimate = dry.estimate();
    let mut remarks = remarks(&estimate);
    remarks.extend(caps_in_the_way(&estimate, &budget.caps().unwrap_or_default()));
    output.machine(&event(&estimate, &remarks));
    output.result(&text(&estimate, &remarks));
}

/// The caps at which the command would stop.
fn caps_in_the_way(estimate: &Estimate, caps: &[Cap]) -> Vec<String> {
    let paid = estimate.backends.iter().filter(|backend| !backend.is_script);
    let (usd, calls) = (Sum::of(estimate).usd.unwrap_or(0.0), paid.map(|backend| backend.calls).sum());
    let stops = caps.iter().filter(|cap| cap.stops(usd, calls));
    stops.map(|cap| format!("the run would stop at its cap: {}", cap.line())).collect()
}

/// For machines.
fn event(estimate: &Estimate, remarks: &[String]) -> Value {
    let backend = |b: &Expected| {
        json!({"name": b.backend, "calls": b.calls, "input_tokens": b.input_tokens,
            "output_tokens": b.output_tokens, "usd": b.usd, "script": b.is_script})
    };
    let job = |s: &Step| json!({"job": s.job, "tried": s.tried, "failed": s.failed, "to_do": s.to_do, "done": s.done, "stale": s.stale});
    let assumed = |b: &Expected| b.assumed.iter().map(|a| assumption(&b.backend, a)).collect::<Vec<_>>();
    let all = Sum::of(estimate);
    json!({
        "event": "estimate",
        "jobs": estimate.steps.iter().map(job).collect::<Vec<_>>(),
        "backends": estimate.backends.iter().map(backend).collect::<Vec<_>>(),
        "all": {"calls": all.calls, "input_tokens": all.input, "output_tokens": all.output, "usd": all.usd,
            "usd_if_replies_half": all.between().map(|(half, _)| half),
            "usd_if_replies_double": all.between().map(|(_, double)| double)},
        "assumptions": estimate.backends.iter().flat_map(assumed).collect::<Vec<_>>(),
        "remarks": remarks,
    })
}

fn assumption(backend: &str, assumed: &Assumed) -> Value {
    let (tokens, of) = match assumed.length {
        Length::Reply(tokens) => (tokens, "reply"),
        Length::EachText(tokens) => (tokens, "text"),
    };
    json!({"backend": backend, "structured": assumed.structured, "tokens": tokens, "of": of, "source": assumed.source})
}

/// For a person.
fn text(estimate: &Estimate, remarks: &[String]) -> String {
    let mut lines = vec!["DRY RUN: nothing was sent, nothing was written".to_string()];
    let width = estimate.steps.iter().map(|step| step.job.len()).max().unwrap_or(0);
    lines.extend(estimate.steps.iter().map(|step| format!("  {:width$}  {}", step.job, items(step))));
    match estimate.backends.is_empty() {
        true => lines.push("no calls".into()),
        false => lines.extend(table(estimate)),
    }
    lines.extend(assumptions(estimate));
    let between = Sum::of(estimate).between();
    lines.extend(between.map(|(half, double)| {
        format!("if replies are half as long: {}; twice as long: {}", dollars(half), dollars(double))
    }));
    lines.extend_from_slice(remarks);
    lines.join("\n")
}

fn items(step: &Step) -> String {
    let and = |n: u64, what: &str| if n > 0 { format!(", {} {what}", thousands(n)) } else { String::new() };
    let (tried, to_do) = (step.tried, count(step.to_do as usize, "item"));
    format!(
        "{tried} of {to_do} tried{}{}{}",
        and(step.failed as u64, "failed"),
        and(step.done, "already done"),
        and(step.stale, "stale and kept")
    )
}

/// The columns: names to the left, numbers to the right.
fn table(estimate: &Estimate) -> Vec<String> {
    let row = |name: &str, calls, input, output, usd: Option<f64>| {
        let cost = usd.map_or("-".into(), dollars);
        [name.to_string(), thousands(calls), thousands(input), thousands(output), cost]
    };
    let mut rows = vec![["backend", "calls", "tokens in", "tokens out", "cost"].map(String::from)];
    rows.extend(
        estimate
            .backends
            .iter()
            .map(|b| row(&b.backend, b.calls, rounded(b.input_tokens), rounded(b.output_tokens), b.usd)),
    );
    if estimate.backends.len() > 1 {
        let all = Sum::of(estimate);
        rows.push(row("all", all.calls, rounded(all.input), rounded(all.output), all.usd));
    }
    let width = |i: usize| rows.iter().map(|row| row[i].len()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    let line = |row: &[String; 5]| {
        let numbers = (1..5).map(|i| format!("{:>1$}", row[i], widths[i]));
        format!("{:2$}  {}", row[0], numbers.collect::<Vec<_>>().join("  "), widths[0])
    };
    rows.iter().map(line).collect()
}

/// What all backends come to.
struct Sum {
    calls: u64,
    input: u64,
    output: u64,
    /// Of those that have a price.
    usd: Option<f64>,
    /// If all replies were half as long, and twice as long.
    half: f64,
    double: f64,
}

impl Sum {
    fn of(estimate: &Estimate) -> Sum {
        let sum = |of: fn(&Expected) -> u64| estimate.backends.iter().map(of).sum();
        let prices = estimate.backends.iter().filter_map(|backend| backend.usd);
        Sum {
            calls: sum(|b| b.calls),
            input: sum(|b| b.input_tokens),
            output: sum(|b| b.output_tokens),
            usd: prices.reduce(|a, b| a + b),
            half: estimate.backends.iter().map(|b| b.usd_between.0).sum(),
            double: estimate.backends.iter().map(|b| b.usd_between.1).sum(),
        }
    }

    /// The costs with other lengths, where there are any.
    fn between(&self) -> Option<(f64, f64)> {
        self.usd.filter(|usd| *usd > 0.0).map(|_| (self.half, self.double))
    }
}

/// The reply lengths: backends of which the same is assumed share a line.
fn assumptions(estimate: &Estimate) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for backend in &estimate.backends {
        for assumed in &backend.assumed {
            let words = words(assumed);
            match lines.iter_mut().find(|(known, _)| *known == words) {
                Some((_, names)) => names.push(&backend.backend),
                None => lines.push((words, vec![&backend.backend])),
            }
        }
    }
    lines.into_iter().map(|(words, names)| format!("assumed of {}: {words}", names.join(", "))).collect()
}

fn words(assumed: &Assumed) -> String {
    let reply = if assumed.structured { "structured reply" } else { "reply" };
    let length = match assumed.length {
        Length::Reply(tokens) => format!("{tokens} tokens a {reply}"),
        Length::EachText(tokens) => format!("{tokens} tokens for each text of a {reply}"),
    };
    format!("{length} ({})", assumed.source)
}

/// What the numbers leave open.
fn remarks(estimate: &Estimate) -> Vec<String> {
    let mut remarks = Vec::new();
    let unpriced = estimate.backends.iter().filter(|b| b.usd.is_none() && !b.is_script);
    let unpriced: Vec<&str> = unpriced.map(|b| b.backend.as_str()).collect();
    if !unpriced.is_empty() {
        remarks.push(format!("no `price` in config/fthost.yaml, so no cost: {}", unpriced.join(", ")));
    }
    if estimate.uncertain {
        remarks.push(
            "calls outside of `process` count once: they may depend on items that were not tried".into(),
        );
    }
    remarks
}

/// An estimate is no more exact than three digits.
fn rounded(n: u64) -> u64 {
    let unit = 10u64.pow(n.checked_ilog10().unwrap_or(0).saturating_sub(2));
    (n + unit / 2) / unit * unit
}

fn dollars(usd: f64) -> String {
    if usd == 0.0 || usd >= 0.01 { format!("${usd:.2}") } else { format!("${usd:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(backend: &str, calls: u64, usd: Option<f64>) -> Expected {
        let assumed = |structured, length| Assumed { structured, length, source: "a guess".into() };
        Expected {
            backend: backend.into(),
            calls,
            input_tokens: calls * 1234,
            output_tokens: calls * 100,
            usd,
            usd_between: usd.map_or((0.0, 0.0), |usd| (usd * 0.6, usd * 1.7)),
            is_script: false,
            assumed: vec![assumed(false, Length::Reply(120)), assumed(true, Length::EachText(25))],
        }
    }

    #[test]
    fn a_report() {
        let step = Step { job: "data/c.jsonl".into(), tried: 3, failed: 1, to_do: 1200, done: 4, stale: 0 };
        let estimate = Estimate {
            steps: vec![step],
            backends: vec![expected("gpt", 480, Some(1.5)), expected("local", 20, None)],
            uncertain: true,
        };
        let expected = "\
DRY RUN: nothing was sent, nothing was written
  data/c.jsonl  3 of 1,200 items tried, 1 failed, 4 already done
backend  calls  tokens in  tokens out   cost
gpt        480    592,000      48,000  $1.50
local       20     24,700       2,000      -
all        500    617,000      50,000  $1.50
assumed of gpt, local: 120 tokens a reply (a guess)
assumed of gpt, local: 25 tokens for each text of a structured reply (a guess)
if replies are half as long: $0.90; twice as long: $2.55
no `price` in config/fthost.yaml, so no cost: local
calls outside of `process` count once: they may depend on items that were not tried";
        assert_eq!(text(&estimate, &remarks(&estimate)), expected);
    }

    #[test]
    fn a_report_of_nothing() {
        let estimate = Estimate { steps: vec![], backends: vec![], uncertain: false };
        assert_eq!(text(&estimate, &[]), "DRY RUN: nothing was sent, nothing was written\nno calls");
    }

    #[test]
    fn numbers_are_as_exact_as_they_can_be() {
        assert_eq!([0, 7, 999, 1234, 617_000, 1_995_000].map(rounded), [0, 7, 999, 1230, 617_000, 2_000_000]);
        assert_eq!([0.0, 0.0042, 0.5, 123.456].map(dollars), ["$0.00", "$0.0042", "$0.50", "$123.46"]);
    }
}
