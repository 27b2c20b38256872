//! What a run tells at its end: failed items, and what each backend did.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::output::Output;
use crate::base::Error;
use crate::base::latency::{Latency, shown};
use crate::base::numbers::{count, thousands};
use crate::work::World;
use crate::work::backends::Spent;
use crate::work::budget::{Cap, dollars};

/// Failures that are shown in full; the rest is counted.
const SHOWN: usize = 3;

/// The failed items: alike ones together, the first of each as a report; `kept`: they are listed in a file.
pub fn failures(failures: &[(String, Error)], kept: bool, output: &Output) {
    let mut groups: Vec<(&Error, Vec<&str>)> = Vec::new();
    for (id, error) in failures {
        let alike = |(known, _): &&mut (&Error, Vec<&str>)| {
            known.kind_name() == error.kind_name() && known.place() == error.place()
        };
        match groups.iter_mut().find(alike) {
            Some((_, ids)) => ids.push(id),
            None => groups.push((error, vec![id])),
        }
    }
    for (error, ids) in groups.iter().take(SHOWN) {
        let shown = ids.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        let more = if ids.len() > SHOWN { format!(" and {} more", ids.len() - SHOWN) } else { String::new() };
        output.remark(&format!("\n{} failed: {shown}{more}", count(ids.len(), "item")));
        output.error(error);
    }
    if groups.len() > SHOWN {
        output.remark(&format!("... and {} of other kinds", count(groups.len() - SHOWN, "failure")));
    }
    if !failures.is_empty() && kept {
        output.remark("failed items are listed in the .failed.jsonl file beside the checkpoint, and tried again next time");
    }
}

/// What the backends did, and how long it took.
pub fn totals(world: &World, seconds: f64, output: &Output) {
    let calls = spending(world, output).map_or("no calls".into(), |calls| count(calls as usize, "call"));
    output.result(&format!("{calls} in {seconds:.1} s"));
}

/// What each backend did, and what was spent; how many calls that were, if any was made.
pub fn spending(world: &World, output: &Output) -> Option<u64> {
    let spent: Vec<(String, Spent)> =
        world.backends.spent().into_iter().filter(|(_, spent)| spent.calls + spent.unanswered > 0).collect();
    let width = spent.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, spent) in &spent {
        output.result(&backend_line(name, width, spent));
    }
    for cap in world.budget.caps().unwrap_or_default() {
        output.result(&format!("spent {}", cap.line()));
    }
    let all = world.budget.spent();
    if all.unknown > 0 {
        let requests = count(all.unknown as usize, "request");
        output.result(&format!("{requests} of unknown cost: with them {} at the most", dollars(all.usd)));
    }
    match world.unkept.load(Ordering::Relaxed) {
        0 => {}
        n => output.result(&format!("{} paid for that could not be kept", count(n as usize, "reply"))),
    }
    match world.replayed.load(Ordering::Relaxed) {
        0 => {}
        n => output
            .result(&format!("{} given again from the ledger, at no cost", count(n as usize, "kept reply"))),
    }
    (!spent.is_empty()).then(|| spent.iter().map(|(_, spent)| spent.calls).sum())
}

fn backend_line(name: &str, width: usize, spent: &Spent) -> String {
    let about = if spent.estimated { "about " } else { "" };
    let usd = spent.usd.map(|usd| format!(", {}", dollars(usd))).unwrap_or_default();
    let (input, output) = (thousands(spent.input_tokens), thousands(spent.output_tokens));
    let unanswered = match spent.unanswered {
        0 => String::new(),
        n => format!(", {} without a reply", count(n as usize, "request")),
    };
    let calls = count(spent.calls as usize, "call");
    let took = took(&spent.latency).map(|took| format!("; {took}")).unwrap_or_default();
    format!("{name:width$}  {calls}, {about}{input} tokens in, {output} out{usd}{unanswered}{took}")
}

/// `median 1.02 s, 99 % within 4.80 s`
pub fn took(latency: &Latency) -> Option<String> {
    let (median, most) = (shown(latency.percentile_ms(50)), shown(latency.percentile_ms(99)));
    (latency.count() > 0).then(|| format!("median {median}, 99 % within {most}"))
}

/// The closing event for machines: what each backend did, how many kept replies were given again, and what is
/// spent of each cap. Of a command that did nothing there is no world.
pub fn end_json(code: u8, seconds: f64, world: Option<&World>) -> Value {
    let backends: Vec<Value> = world.map(backends_json).unwrap_or_default();
    let replayed = world.map_or(0, |world| world.replayed.load(Ordering::Relaxed));
    let caps = world.and_then(|world| world.budget.caps().ok()).unwrap_or_default();
    let caps: Vec<Value> = caps.iter().map(Cap::json).collect();
    json!({"event": "end", "exit": code, "seconds": seconds, "backends": backends, "replayed": replayed, "caps": caps})
}

fn backends_json(world: &World) -> Vec<Value> {
    let one = |(name, spent): (String, Spent)| {
        json!({
            "name": name,
            "calls": spent.calls,
            "unanswered": spent.unanswered,
            "input_tokens": spent.input_tokens,
            "output_tokens": spent.output_tokens,
            "estimated": spent.estimated,
            "usd": spent.usd,
            "latency": (spent.latency.count() > 0).then(|| spent.latency.json()),
        })
    };
    world.backends.spent().into_iter().map(one).collect()
}
