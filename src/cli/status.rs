//! `fthost status`: how far each job is, what going on would take, and what the project has spent.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use super::args::{Common, Status};
use super::output::Output;
use super::{clock, exit, project, standing};
use crate::base::Result;
use crate::base::latency::{Latency, shown};
use crate::base::numbers::{count, thousands};
use crate::report::{Data, Depth, Figures};
use crate::store::ledger::{Begun, Sums};
use crate::work::budget::{Cap, dollars};
use crate::work::status::{self, Failures, InFlight, JobStatus, Resume};

/// Items in flight, and sorts of failures, that are shown to a person.
const SHOWN: usize = 5;

/// Prints it. A run may go on meanwhile.
pub fn run(common: &Common, args: &Status, output: &Output) -> Result<u8> {
    let world = project::open(common, "status", output)?;
    let jobs = status::jobs(&world)?;
    let spent = world.ledger.spent_by_others(0)?.0;
    let latencies = world.ledger.latencies()?;
    let caps = world.budget.caps()?;
    // For people, words and tokens need not be counted.
    let depth = if args.json { Depth::Whole } else { Depth::Quick };
    let figures = Figures::of(&world, &mut Data::read(&world, depth)?, &jobs, depth)?;
    output.machine(&event(&jobs, &spent, &latencies, &caps, &figures));
    show(&jobs, &spent, &caps, output);
    show_latencies(&latencies, output);
    standing::show(&figures, output);
    world.close();
    Ok(exit::DONE)
}

fn show(jobs: &[JobStatus], spent: &BTreeMap<String, Sums>, caps: &[Cap], output: &Output) {
    if jobs.is_empty() {
        output.result("nothing was run here yet");
    }
    let width = jobs.iter().map(|job| job.name.len()).max().unwrap_or(0);
    for job in jobs {
        output.result(&format!("{:width$}  {}", job.name, counts(job)));
        details(job).iter().for_each(|line| output.result(&format!("  {line}")));
    }
    if !spent.is_empty() {
        output.result("\nspent by all commands so far:");
    }
    let width = spent.keys().map(String::len).max().unwrap_or(0);
    spent.iter().for_each(|(name, sums)| output.result(&format!("  {name:width$}  {}", sums_text(sums))));
    if spent.len() > 1 {
        let all = Sums::of(spent.values());
        output.result(&format!("  {:width$}  {}", "all", sums_text(&all)));
    }
    caps.iter().for_each(|cap| output.result(&format!("  {}", cap.line())));
}

/// The tail is what a night waits for.
fn show_latencies(latencies: &BTreeMap<String, Latency>, output: &Output) {
    if !latencies.is_empty() {
        output.result("\nreplies of the last run took:");
    }
    let width = latencies.keys().map(String::len).max().unwrap_or(0);
    for (name, latency) in latencies {
        let [median, p95, p99] = [50, 95, 99].map(|percent| shown(latency.percentile_ms(percent)));
        let (most, replies) = (shown(latency.max_ms()), count(latency.count() as usize, "reply"));
        output.result(&format!(
            "  {name:width$}  median {median}, 95 % within {p95}, 99 % within {p99}, the longest {most} ({replies})"
        ));
    }
}

/// `4 of 6 done, 1 incomplete, 1 failed (refusal 1)`
fn counts(job: &JobStatus) -> String {
    let of = job.total.map(|total| format!(" of {}", thousands(total as u64))).unwrap_or_default();
    let kinds: Vec<String> = job.failed_by_kind().iter().map(|(kind, n)| format!("{kind} {n}")).collect();
    let in_flight = if job.running.is_some() { "in work" } else { "in flight" };
    let parts = [
        (job.incomplete, "incomplete".to_string()),
        (job.failures(), format!("failed ({})", kinds.join(", "))),
        (job.in_flight.len(), in_flight.into()),
        (job.pending.unwrap_or(0), "pending".into()),
    ];
    let parts = parts.into_iter().filter(|(n, _)| *n > 0);
    let parts = parts.map(|(n, what)| format!("{} {what}", thousands(n as u64)));
    let done = format!("{}{of} done", thousands(job.complete as u64));
    [done].into_iter().chain(parts).collect::<Vec<_>>().join(", ")
}

/// The lines below.
fn details(job: &JobStatus) -> Vec<String> {
    let running = job.running.as_ref().map(|holder| format!("a run works on it: {holder}"));
    let more = job.failed.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("... and {}", count(more, "other sort")));
    let resume = job.resume.as_ref().filter(|_| job.running.is_none());
    running
        .into_iter()
        .chain(in_flight(job))
        .chain(job.oldest.as_ref().map(oldest))
        .chain(job.failed.iter().take(SHOWN).map(failure))
        .chain(more)
        .chain(resume.map(|resume| going_on(job, resume)))
        .collect()
}

fn in_flight(job: &JobStatus) -> Option<String> {
    let items = &job.in_flight;
    let replies: u64 = items.iter().map(|item| item.replies).sum();
    let usd = usd(items.iter().map(|item| item.usd).sum());
    let one = |item: &InFlight| format!("{}: {}", item.id, item.replies);
    let shown: Vec<String> = items.iter().take(SHOWN).map(one).collect();
    let more = if items.len() > SHOWN { ", ..." } else { "" };
    let (shown, replies) = (shown.join(", "), count(replies as usize, "reply"));
    let text = match job.running {
        Some(_) => format!("in work: {replies}{usd} ({shown}{more})"),
        None => {
            format!("in flight at the last stop: {replies}{usd}, given again for nothing ({shown}{more})")
        }
    };
    (!items.is_empty()).then_some(text)
}

/// `the oldest in work: item_4, since 14:03:20`
fn oldest(begun: &Begun) -> String {
    let since = begun
        .since
        .parse()
        .map(|since: Timestamp| clock::shown(&since.to_zoned(TimeZone::system()), &Zoned::now()));
    format!("the oldest in work: {}, first reply at {}", begun.item, since.as_ref().unwrap_or(&begun.since))
}

/// `2 refusal at scripts/main.rhai:6:5: the reply of live refused to answer (item_3 ...)`
fn failure(alike: &Failures) -> String {
    let Failures { first, count } = alike;
    let place = first.place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
    let message = first.message.lines().next().unwrap_or_default();
    let more = if *count > 1 { ", ..." } else { "" };
    format!("{} {}{place}: {message} ({}{more})", thousands(*count as u64), first.kind, first.id)
}

fn going_on(job: &JobStatus, resume: &Resume) -> String {
    let items = count(resume.items, "item");
    let cost = match resume.cost {
        Some((calls, dollars)) => format!("about {}{}", count(calls as usize, "call"), usd(dollars)),
        None => "at a cost that is unknown before an item is complete: --dry-run estimates it".into(),
    };
    format!("to go on: {} works on {items}, {cost}", job.command.as_deref().unwrap_or("its script"))
}

/// Sums of fractions leave some dust.
fn usd(amount: f64) -> String {
    if amount > 1e-6 { format!(", {}", dollars(amount)) } else { String::new() }
}

fn sums_text(sums: &Sums) -> String {
    let calls = count(sums.calls as usize, "call");
    let (input, output) = (thousands(sums.input_tokens), thousands(sums.output_tokens));
    let unknown = match sums.unknown {
        0 => String::new(),
        n => format!(" ({} of unknown cost)", thousands(n)),
    };
    format!("{calls}{unknown}, {input} tokens in, {output} out{}", usd(sums.usd))
}

fn event(
    jobs: &[JobStatus],
    spent: &BTreeMap<String, Sums>,
    latencies: &BTreeMap<String, Latency>,
    caps: &[Cap],
    figures: &Figures,
) -> Value {
    json!({
        "event": "status",
        "jobs": jobs.iter().map(job_json).collect::<Vec<_>>(),
        "spent": spent,
        "latency": latencies.iter().map(|(name, took)| (name, took.json())).collect::<BTreeMap<_, _>>(),
        "caps": caps.iter().map(Cap::json).collect::<Vec<_>>(),
        "figures": figures,
    })
}

fn job_json(job: &JobStatus) -> Value {
    let in_flight = |item: &InFlight| json!({"id": item.id, "replies": item.replies, "usd": item.usd});
    let failure = |alike: &Failures| {
        let Failures { first, count } = alike;
        let (kind, place, message, id) = (&first.kind, &first.place, &first.message, &first.id);
        json!({"kind": kind, "place": place, "count": count, "message": message, "example": id})
    };
    let resume = |resume: &Resume| {
        let (calls, usd) = resume.cost.unzip();
        json!({"command": job.command, "items": resume.items, "calls": calls, "usd": usd})
    };
    json!({
        "job": job.name,
        "checkpoint": job.has_checkpoint.then_some(&job.name),
        "script": job.script,
        "begun": job.begun,
        "running": job.running,
        "total": job.total,
        "complete": job.complete,
        "incomplete": job.incomplete,
        "failed_by_kind": job.failed_by_kind(),
        "failed": job.failed.iter().map(failure).collect::<Vec<_>>(),
        "in_flight": job.in_flight.iter().map(in_flight).collect::<Vec<_>>(),
        "oldest_in_work": job.oldest.as_ref().map(|begun| json!({"id": begun.item, "since": begun.since})),
        "pending": job.pending,
        "resume": job.resume.as_ref().map(resume),
    })
}
