//! What a round changed, as a person reads it: a screen for a usual edit; with -v all of it.

use serde_json::{Value, json};

use super::calls::Calls;
use super::cost_json;
use super::diff::{Room, lines, pair};
use crate::author::changes::{
    Changes, JobChange, PromptChange, Rate, TranscriptChange, VerdictChange, Verdicts,
};
use crate::base::numbers::count;
use crate::work::World;

/// Examples of each sort, unless all are shown.
const EXAMPLES: usize = 3;

/// Lines of a prompt's difference, unless all are shown.
const PROMPT_LINES: usize = 6;

/// Verdicts that are named, unless all are.
const VERDICTS: usize = 6;

/// A round that has ended.
pub struct Report<'a> {
    /// Its number.
    pub number: usize,
    /// The edits that it followed.
    pub edited: &'a [String],
    /// What it changed.
    pub changes: Changes,
    /// What it cost.
    pub calls: Calls,
    /// Whether it came to its end, and was not cut short by an edit.
    pub is_whole: bool,
}

/// How much is shown.
#[derive(Clone, Copy)]
struct Size {
    width: usize,
    all: bool,
}

impl Size {
    /// So many, or all.
    fn most(self, few: usize) -> usize {
        if self.all { usize::MAX } else { few }
    }
}

impl Report<'_> {
    /// For a person, in lines of this width.
    pub fn text(&self, world: &World, width: usize, all: bool) -> String {
        // Who wants all wants whole lines.
        let width = if all { usize::MAX } else { width };
        let mut text = self.body(Size { width, all });
        for cap in world.budget.caps().unwrap_or_default() {
            text.push(format!("  spent {}", cap.line()));
        }
        text.join("\n")
    }

    fn body(&self, size: Size) -> Vec<String> {
        let cut = if self.is_whole { "" } else { "  cut short by an edit: what it had is kept" };
        let mut text = vec![format!("\nROUND {}{cut}", self.number)];
        let changes = &self.changes;
        match changes.is_empty() && self.is_whole {
            true => text.push(format!("  nothing to do{}", stale(changes))),
            false => text.extend(changes.jobs.iter().filter(|job| was_busy(job)).map(job_line)),
        }
        text.extend(changes.jobs.iter().flat_map(|job| prompts(job, size)));
        text.extend(transcripts(changes, size));
        let verdicts = changes.jobs.iter().filter_map(|job| job.verdicts.as_ref());
        text.extend(verdicts.flat_map(|verdicts| verdict_lines(verdicts, size)));
        text.push(format!("calls: {}", self.calls.text()));
        text
    }

    /// For machines.
    pub fn json(&self, world: &World) -> Value {
        let mut value = cost_json(world);
        value["edited"] = json!(self.edited);
        value["cut_short"] = (!self.is_whole).into();
        value["jobs"] = self.changes.jobs.iter().map(job_json).collect();
        value["transcripts"] = self.changes.transcripts.iter().map(transcript_json).collect();
        value["same_transcripts"] = self.changes.same_transcripts.into();
        value
    }
}

fn was_busy(job: &JobChange) -> bool {
    job.redone + job.new + job.failed + job.pending + job.stale > 0
}

fn stale(changes: &Changes) -> String {
    match changes.jobs.iter().map(|job| job.stale).sum::<usize>() {
        0 => String::new(),
        n => format!("; {n} stale: kept until the next edit"),
    }
}

fn job_line(job: &JobChange) -> String {
    let part = |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}"));
    let parts = [
        part(job.redone, "redone"),
        part(job.new, "new"),
        part(job.failed, "failed"),
        part(job.pending, "not yet done"),
        part(job.kept, "as before"),
        part(job.stale, "stale: kept until the next edit"),
    ];
    format!("  {}: {}", job.name, parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// What an edit has changed is shown; what only follows from it is named.
fn prompts(job: &JobChange, size: Size) -> Vec<String> {
    let mut text = Vec::new();
    if job.prompts.is_empty() && job.same_prompts > 0 {
        let items = count(job.same_prompts, "item");
        text.push(format!("prompts of {}: the same as before (of {items} looked at)", job.name));
    }
    for change in &job.prompts {
        let PromptChange { who, item, call, before, after, by_edit } = change;
        if !by_edit && !size.all {
            text.push(format!(
                "prompt of {who}: another one, since what it quotes has changed (-v shows it)"
            ));
            continue;
        }
        text.push(format!("prompt of {who} (call {call} of {item})"));
        let room = Room { width: size.width.saturating_sub(6), lines: (!size.all).then_some(PROMPT_LINES) };
        text.extend(
            lines(before, after, room).into_iter().map(|line| format!("    {line}").trim_end().to_string()),
        );
    }
    text
}

fn transcripts(changes: &Changes, size: Size) -> Vec<String> {
    let (new, other): (Vec<_>, Vec<_>) =
        changes.transcripts.iter().partition(|change| change.first.is_none());
    let (written, same) = (changes.transcripts.len() + changes.same_transcripts, changes.same_transcripts);
    if written == 0 {
        return vec![];
    }
    let mut parts = Vec::new();
    if !other.is_empty() {
        parts.push(format!("{} changed", other.len()));
    }
    if !new.is_empty() {
        let ids = new.iter().map(|change| change.id.as_str());
        parts.push(format!("{} new ({})", new.len(), some(ids, size.most(EXAMPLES))));
    }
    if same > 0 {
        parts.push(format!("{same} made anew, with the same words"));
    }
    let mut text = vec![format!("transcripts: {}", parts.join(", "))];
    let most = size.most(EXAMPLES);
    text.extend(other.iter().take(most).flat_map(|change| transcript(change, size)));
    text.extend(rest(other.iter().skip(most).map(|change| change.id.as_str())));
    text
}

fn transcript(change: &TranscriptChange, size: Size) -> Vec<String> {
    let Some(said) = &change.first else { return vec![] };
    let mut text = vec![format!("  {} from turn {} on", change.id, said.turn)];
    let said = pair(said.before.as_deref(), said.after.as_deref(), said.who, size.width.saturating_sub(6));
    text.extend(said.into_iter().map(|line| format!("    {line}")));
    text
}

fn verdict_lines(verdicts: &Verdicts, size: Size) -> Vec<String> {
    let before = if verdicts.before.of == 0 {
        "none before".into()
    } else {
        format!("before {}", rate(verdicts.before))
    };
    let mut text = vec![format!("verdicts: {} pass, {before}", rate(verdicts.after))];
    let most = size.most(VERDICTS);
    text.extend(verdicts.changes.iter().take(most).map(verdict));
    text.extend(rest(verdicts.changes.iter().skip(most).map(|change| change.id.as_str())));
    if verdicts.other_answers > 0 {
        text.push(format!("  {} the same, with other answers", verdicts.other_answers));
    }
    text
}

fn verdict(change: &VerdictChange) -> String {
    let criteria = change.criteria.iter().map(|c| format!("{} {} -> {}", c.id, c.before, c.after));
    let criteria = criteria.collect::<Vec<_>>().join(", ");
    let criteria = if criteria.is_empty() { "the same answers".into() } else { criteria };
    format!("  {}: {} -> {} ({criteria})", change.id, change.before.name(), change.after.name())
}

/// `4 of 5 (80 %)`
fn rate(rate: Rate) -> String {
    match rate.of {
        0 => "0 of 0".into(),
        of => format!("{} of {of} ({} %)", rate.pass, (rate.pass * 100 + of / 2) / of),
    }
}

/// Those that are not shown.
fn rest<'a>(ids: impl Iterator<Item = &'a str>) -> Option<String> {
    let ids: Vec<&str> = ids.collect();
    (!ids.is_empty()).then(|| format!("  and {} more: {}", ids.len(), some(ids.iter().copied(), EXAMPLES)))
}

/// `a, b, c and 2 more`
pub fn some<'a>(names: impl Iterator<Item = &'a str>, most: usize) -> String {
    let names: Vec<&str> = names.collect();
    let shown = names.iter().take(most).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn job_json(job: &JobChange) -> Value {
    let prompt = |change: &PromptChange| {
        json!({"role": change.who, "item": change.item, "call": change.call, "by_edit": change.by_edit,
            "before": change.before, "after": change.after})
    };
    json!({
        "job": job.name, "redone": job.redone, "new": job.new, "failed": job.failed, "pending": job.pending,
        "kept": job.kept, "stale": job.stale, "same_prompts": job.same_prompts,
        "prompts": job.prompts.iter().map(prompt).collect::<Vec<_>>(),
        "verdicts": job.verdicts.as_ref().map(verdicts_json),
    })
}

fn verdicts_json(verdicts: &Verdicts) -> Value {
    let rate = |rate: Rate| json!({"pass": rate.pass, "of": rate.of});
    let change = |change: &VerdictChange| {
        let criteria =
            change.criteria.iter().map(|c| json!({"id": c.id, "before": c.before, "after": c.after}));
        json!({"id": change.id, "before": change.before.name(), "after": change.after.name(),
            "criteria": criteria.collect::<Vec<_>>()})
    };
    json!({"before": rate(verdicts.before), "after": rate(verdicts.after),
        "changes": verdicts.changes.iter().map(change).collect::<Vec<_>>(), "other_answers": verdicts.other_answers})
}

fn transcript_json(change: &TranscriptChange) -> Value {
    let first = change.first.as_ref();
    json!({
        "id": change.id, "turns": change.turns, "new": first.is_none(),
        "from_turn": first.map(|said| said.turn), "who": first.map(|said| said.who),
        "before": first.and_then(|said| said.before.as_deref()), "after": first.and_then(|said| said.after.as_deref()),
    })
}

#[cfg(test)]
mod tests;
