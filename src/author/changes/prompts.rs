//! The prompts of a few items, in memory alone: what was sent in the last round, and what is sent otherwise now.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::hash;
use crate::llm::{Reply, Request};
use crate::work::Backend;
use crate::work::scope::Step;

/// So many items of each job are remembered.
pub const ITEMS: usize = 3;

/// What was asked in earlier rounds: of each job, the calls of a few items.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<String, BTreeMap<String, Vec<Call>>>);

/// A call of an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The role that was asked, or the backend that was named itself.
    pub who: String,
    /// The elements of the enclosing `parallel_map`s.
    pub branch: Vec<Step>,
    /// All that the model read.
    pub prompt: String,
    /// The hash of its answer.
    pub reply: u64,
    /// Whether the item's transcript was another one than before.
    pub of_new_transcript: bool,
}

/// A prompt that is sent otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptChange {
    /// The item that asked.
    pub item: String,
    /// The role that was asked.
    pub who: String,
    /// The number of the call in its item; 1 is the first.
    pub call: usize,
    /// The prompt before.
    pub before: String,
    /// The prompt now.
    pub after: String,
    /// Whether an edit alone makes it another one: nothing that it quotes (a reply, a transcript) had changed.
    pub by_edit: bool,
}

/// How the prompts of a job's items compare with those of the round before.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PromptChanges {
    /// Those of one item that are others, the first of each role.
    pub changes: Vec<PromptChange>,
    /// How many items sent the same prompts.
    pub same: usize,
}

impl Call {
    /// That of a request, with its answer.
    pub fn new(branch: &[Step], backend: &Backend, request: &Request, reply: &Reply) -> Call {
        let who = if backend.role.is_empty() { &backend.name } else { &backend.role };
        Call {
            who: who.clone(),
            branch: branch.to_vec(),
            prompt: prompt(&backend.name, request),
            reply: hash::short(&reply.content),
            of_new_transcript: false,
        }
    }
}

/// A prompt as a text: who is asked, then each message under its role.
fn prompt(backend: &str, request: &Request) -> String {
    let mut params = json!(request.params);
    if let Value::Object(params) = &mut params {
        params.retain(|_, value| !value.is_null() && *value != json!([]));
    }
    let mut text = match params.as_object().is_some_and(|params| !params.is_empty()) {
        true => format!("[to {backend}, {params}]\n"),
        false => format!("[to {backend}]\n"),
    };
    let system = request.system.iter().map(|system| ("system", system.as_str().into()));
    let messages = request.messages.iter().map(|message| (message.role.as_ref(), message.content.plain()));
    for (role, content) in system.chain(messages) {
        text.push_str(&format!("[{role}]\n{}\n", content.trim_end()));
    }
    text
}

impl Memory {
    /// The remembered items of a job.
    pub fn items(&self, job: &str) -> impl Iterator<Item = &String> {
        self.0.get(job).into_iter().flat_map(BTreeMap::keys)
    }

    /// Takes in the calls of a round, by job and item; gives what differs in each job.
    pub fn take_in(
        &mut self,
        calls: BTreeMap<(String, String), Vec<Call>>,
    ) -> BTreeMap<String, PromptChanges> {
        let mut changes: BTreeMap<String, PromptChanges> = BTreeMap::new();
        for ((job, item), mut calls) in calls {
            // Within a branch they stand in their order, branches do not.
            calls.sort_by(|a, b| a.branch.cmp(&b.branch));
            let known = self.0.entry(job.clone()).or_default().entry(item.clone()).or_default();
            let found = compare(&item, known, &calls);
            let PromptChanges { changes: best, same } = changes.entry(job).or_default();
            *same += usize::from(found.is_empty() && !known.is_empty());
            if is_better(&found, best) {
                *best = found;
            }
            // A round that stopped in the item's middle has said nothing of the rest.
            if !is_beginning_of(&calls, known) {
                *known = calls;
            }
        }
        changes
    }

    /// Keeps only the items of a job that it still has.
    pub fn retain(&mut self, job: &str, has: impl Fn(&str) -> bool) {
        if let Some(items) = self.0.get_mut(job) {
            items.retain(|item, _| has(item));
        }
    }
}

fn is_beginning_of(calls: &[Call], known: &[Call]) -> bool {
    let same = |(a, b): (&Call, &Call)| a.prompt == b.prompt && a.reply == b.reply;
    calls.len() < known.len() && calls.iter().zip(known).all(same)
}

/// What an edit has changed says more than what follows from other replies.
fn is_better(found: &[PromptChange], best: &[PromptChange]) -> bool {
    let by_edit = |changes: &[PromptChange]| changes.iter().filter(|change| change.by_edit).count();
    !found.is_empty() && (best.is_empty() || by_edit(found) > by_edit(best))
}

/// The first prompt of each role that an edit has changed; if there is none, the first that differs at all.
fn compare(item: &str, before: &[Call], after: &[Call]) -> Vec<PromptChange> {
    let mut changes: Vec<PromptChange> = Vec::new();
    // Branches in which a reply was another one: what is asked there later quotes it.
    let mut answered_otherwise: Vec<&[Step]> = Vec::new();
    for (i, (old, new)) in before.iter().zip(after).enumerate() {
        let quotes =
            new.of_new_transcript || answered_otherwise.iter().any(|branch| new.branch.starts_with(branch));
        if old.prompt != new.prompt {
            changes.push(PromptChange {
                item: item.into(),
                who: new.who.clone(),
                call: i + 1,
                before: old.prompt.clone(),
                after: new.prompt.clone(),
                by_edit: !quotes,
            });
        }
        if old.reply != new.reply {
            answered_otherwise.push(&new.branch);
        }
    }
    first_of_each(changes)
}

fn first_of_each(mut changes: Vec<PromptChange>) -> Vec<PromptChange> {
    if !changes.iter().any(|change| change.by_edit) {
        changes.truncate(1);
        return changes;
    }
    let mut first: Vec<PromptChange> = Vec::new();
    for change in changes.into_iter().filter(|change| change.by_edit) {
        if first.iter().all(|known| known.who != change.who) {
            first.push(change);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(who: &str, branch: &[usize], prompt: &str, reply: u64) -> Call {
        Call {
            who: who.into(),
            branch: branch.iter().copied().map(Step::Index).collect(),
            prompt: prompt.into(),
            reply,
            of_new_transcript: false,
        }
    }

    fn talk(prompts: [&str; 4], replies: [u64; 4]) -> Vec<Call> {
        let who = ["user", "assistant", "user", "assistant"];
        (0..4).map(|i| call(who[i], &[], prompts[i], replies[i])).collect()
    }

    fn shown(changes: &[PromptChange]) -> Vec<(&str, usize, bool)> {
        changes.iter().map(|change| (change.who.as_str(), change.call, change.by_edit)).collect()
    }

    #[test]
    fn what_follows_from_another_reply_is_no_edit() {
        let before = talk(["a", "b", "c", "d"], [1, 2, 3, 4]);
        let after = talk(["a", "B", "C", "D"], [1, 20, 30, 40]);
        assert_eq!(shown(&compare("i", &before, &after)), [("assistant", 2, true)]);
        let both = talk(["A", "B", "C", "D"], [1, 20, 30, 40]);
        assert_eq!(shown(&compare("i", &before, &both)), [("user", 1, true), ("assistant", 2, true)]);
        assert!(compare("i", &before, &before).is_empty());
    }

    #[test]
    fn branches_do_not_follow_from_each_other() {
        let before =
            [call("judges", &[0], "a", 1), call("judges", &[0], "a2", 1), call("critic", &[1], "b", 2)];
        let after =
            [call("judges", &[0], "a", 9), call("judges", &[0], "x", 1), call("critic", &[1], "B", 2)];
        assert_eq!(shown(&compare("i", &before, &after)), [("critic", 3, true)]);
    }

    #[test]
    fn prompts_on_new_transcripts_are_no_edits_and_the_first_is_named() {
        let of_new = |prompt| Call { of_new_transcript: true, ..call("judges", &[0], prompt, 1) };
        let changes = compare("i", &[of_new("a"), of_new("b")], &[of_new("x"), of_new("y")]);
        assert_eq!(shown(&changes), [("judges", 1, false)]);
    }

    #[test]
    fn memory_takes_the_best_example_and_outlives_a_round_that_was_cut_off() {
        let key = |item: &str| ("job".to_string(), item.to_string());
        let mut memory = Memory::default();
        let calls = talk(["a", "b", "c", "d"], [1, 2, 3, 4]);
        let first = memory.take_in([(key("i"), calls.clone()), (key("j"), calls.clone())].into());
        assert_eq!(first["job"], PromptChanges::default(), "nothing is known to compare with");
        memory.take_in([(key("i"), calls[..2].to_vec())].into());
        let quoting: Vec<Call> =
            calls.iter().map(|c| Call { prompt: "z".into(), of_new_transcript: true, ..c.clone() }).collect();
        let edited = talk(["a", "b", "c", "D"], [1, 2, 3, 40]);
        let changes = memory.take_in([(key("i"), quoting), (key("j"), edited)].into());
        assert_eq!(shown(&changes["job"].changes), [("assistant", 4, true)]);
        let same = memory.take_in([(key("j"), talk(["a", "b", "c", "D"], [1, 2, 3, 40]))].into());
        assert_eq!(same["job"], PromptChanges { changes: vec![], same: 1 });
        memory.retain("job", |item| item == "j");
        assert_eq!(memory.items("job").collect::<Vec<_>>(), ["j"]);
    }
}
