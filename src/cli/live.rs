//! `fthost check --live`: a line for each backend that was asked, and a report for each failure.

use serde_json::{Value, json};

use super::output::Output;
use super::{exit, json, signals};
use crate::author::live::{self, Seen, Tried};
use crate::base::numbers::{count, thousands};
use crate::base::{Error, Kind, Result};
use crate::work::World;
use crate::work::budget::dollars;

/// Asks, and tells; the exit code says whether all is well.
pub fn run(world: &World, output: &Output) -> Result<u8> {
    signals::listen_impatiently(world, output)?;
    let probes = live::probes(&world.config);
    let width = probes.keys().map(String::len).max().unwrap_or(0);
    output.remark(&format!("asking {}, in free text and for JSON", count(probes.len(), "backend")));
    let mut code = exit::DONE;
    let asked = live::ask_all(world, |seen| {
        // Who interrupts does not want to hear of calls that were given up.
        if world.stop.reason().is_none_or(|why| why.kind() != Kind::Interrupted) {
            code = code.max(tell(&seen, width, output));
        }
    });
    world.close();
    asked?;
    match world.stop.check() {
        Err(stopped) => Ok(exit::code(&stopped)),
        Ok(()) => Ok(code),
    }
}

/// The exit code for one: whatever a backend lacks is a mistake to mend, but for a budget that is used up.
fn tell(seen: &Seen, width: usize, output: &Output) -> u8 {
    output.result(&line(seen, width));
    output.machine(&event(seen));
    let mut errors: Vec<_> = [&seen.free, &seen.structured].into_iter().filter_map(Tried::error).collect();
    errors.dedup_by(|a, b| a.message() == b.message());
    errors.iter().for_each(|error| output.report(error));
    if let Tried::Ok { repaired: true, .. } = seen.structured {
        let name = &seen.probe.choice.backend;
        output.remark(&format!(
            "warning: the first reply of {name} did not fit the schema: each judgement may cost two calls"
        ));
    }
    let code = |error: &&Error| if error.kind() == Kind::Budget { exit::code(error) } else { exit::MISTAKE };
    errors.iter().map(code).max().unwrap_or(exit::DONE)
}

/// `gpt  openai gpt-4o-2024-08-06: free ok in 0.8 s, structured ok in 1.1 s, 92 tokens in, 31 out, $0.0005 (judges)`
fn line(seen: &Seen, width: usize) -> String {
    let Seen { probe, kind, model, spent, .. } = seen;
    let about = if spent.estimated { "about " } else { "" };
    let (input, output) = (thousands(spent.input_tokens), thousands(spent.output_tokens));
    let usd = spent.usd.map(|usd| format!(", {}", dollars(usd))).unwrap_or_default();
    let params = json!(probe.choice.params);
    let params = params.as_object().into_iter().flatten().map(|(name, value)| format!("{name} {value}"));
    let whose: Vec<String> = probe.roles.iter().cloned().chain(params).collect();
    let whose = if whose.is_empty() { String::new() } else { format!(" ({})", whose.join(", ")) };
    let (free, structured) = (words(&seen.free), words(&seen.structured));
    let model = if model.is_empty() { String::new() } else { format!(" {model}") };
    format!(
        "{:width$}  {kind}{model}: free {free}, structured {structured}, {about}{input} tokens in, {output} out{usd}{whose}",
        probe.choice.backend
    )
}

fn words(tried: &Tried) -> String {
    match tried {
        Tried::Ok { took, repaired: false } => format!("ok in {:.1} s", took.as_secs_f64()),
        Tried::Ok { took, repaired: true } => format!("ok after a repair in {:.1} s", took.as_secs_f64()),
        Tried::Failed(_) => "failed".into(),
        Tried::Not(why) => (*why).into(),
    }
}

/// The same for machines.
fn event(seen: &Seen) -> Value {
    let Seen { probe, kind, model, spent, .. } = seen;
    json!({
        "event": "backend",
        "name": probe.choice.backend,
        "kind": kind,
        "model": model,
        "roles": probe.roles,
        "params": probe.choice.params,
        "ok": seen.free.error().or(seen.structured.error()).is_none(),
        "free": tried(&seen.free),
        "structured": tried(&seen.structured),
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
        "estimated": spent.estimated,
        "usd": spent.usd,
    })
}

fn tried(tried: &Tried) -> Value {
    match tried {
        Tried::Ok { took, repaired } => {
            json!({"ok": true, "seconds": took.as_secs_f64(), "repaired": repaired})
        }
        Tried::Failed(error) => json!({"ok": false, "error": json::details(error)}),
        Tried::Not(why) => json!({"ok": null, "why": why}),
    }
}
