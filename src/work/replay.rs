//! What an item was answered already: each question of its script is first looked up here, and what is
//! answered anew is kept under the place where it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Backend;
use super::scope::Step;
use crate::base::escape::push_json;
use crate::base::hash::canonical;
use crate::base::json::{Json, write_list, write_object};
use crate::base::{Error, Kind, Result};
use crate::llm::purse::Charge;
use crate::llm::{Answered, Identity, Outcome, Reply, Request, Usage};
use crate::store::ledger::{
    Done, Ending, Entry, ItemKey, KeptReply, LOST, Ledger, OK, Past, Place, RequestHash, nobody_waits,
    write_now,
};

/// The replies of one item, while it is in work.
pub struct Replay {
    ledger: Arc<dyn Ledger>,
    key: ItemKey,
    /// Whether what was kept before counts no more.
    fresh: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Read when the first question is asked: most items of a run have nothing to read.
    loaded: bool,
    replies: HashMap<Place, (i64, KeptReply)>,
    times: HashMap<(String, u32), String>,
    /// How often each branch asked each question, or for the time.
    asked: HashMap<(String, Option<RequestHash>), u32>,
    /// Jobs without a checkpoint that were begun inside of the item, by name.
    jobs: HashMap<String, u32>,
    /// Whether the ledger knows the item.
    known: bool,
    /// Whether this run has given the ledger anything of it.
    wrote: bool,
    /// Whether a kept reply was given again, and whether anything was asked anew.
    replayed: bool,
    asked_anew: bool,
    /// Whether any of its replies is of no use.
    has_useless: bool,
    ended: Option<Ending>,
}

/// A question's place, and its answer if it has one.
pub enum Found {
    /// An earlier reply, and its row.
    Reply(Box<Reply>, i64),
    /// None: it is to be asked, and kept here.
    Nothing(Place),
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Replay({:?})", self.key)
    }
}

impl Replay {
    /// That of an item; `fresh`: what was kept before counts no more.
    pub fn new(ledger: Arc<dyn Ledger>, job: &Arc<str>, item: &str, fresh: bool) -> Replay {
        let key = ItemKey { job: job.clone(), item: item.into() };
        Replay { ledger, key, fresh, state: Mutex::default() }
    }

    /// Whose replies they are.
    pub fn item(&self) -> &ItemKey {
        &self.key
    }

    /// Looks a question up.
    pub fn find(&self, branch: &[Step], request: RequestHash) -> Result<Found> {
        let mut state = self.loaded()?;
        let branch = branch_name(branch);
        let n = state.next(&branch, Some(request));
        let place = Place { branch, request, n };
        match state.replies.remove(&place) {
            Some((row, kept)) => {
                state.replayed = true;
                Ok(Found::Reply(Box::new(to_reply(kept)?), row))
            }
            None => {
                state.asked_anew = true;
                Ok(Found::Nothing(place))
            }
        }
    }

    /// No reply came: the next question of this kind takes its place. Else a script that asked once more would be
    /// answered by nobody when it runs again without the failure.
    pub fn without_reply(&self, place: &Place) {
        let asked = (place.branch.clone(), Some(place.request));
        if let Some(count) = self.lock().asked.get_mut(&asked) {
            *count = count.saturating_sub(1);
        }
    }

    /// Whether all that the item was told was kept before: then it ends the same way next time.
    pub fn gave_only_kept(&self) -> bool {
        let state = self.lock();
        state.replayed && !state.asked_anew
    }

    /// Keeps a reply.
    pub fn keep(&self, place: Place, reply: Box<KeptReply>, done: Done) {
        let mut state = self.lock();
        state.has_useless |= reply.outcome != OK;
        self.before_writing(&mut state);
        self.ledger.write(Entry::Reply { place: Some((self.key.clone(), place)), reply }, done);
        // It came too late for its item, which has ended all the same.
        if let Some(ending) = state.ended {
            self.ledger.write(Entry::End { item: self.key.clone(), ending }, nobody_waits());
        }
    }

    /// What the clock said here before, or says now.
    pub fn time(&self, branch: &[Step], clock: impl Fn() -> String) -> Result<String> {
        let mut state = self.loaded()?;
        let branch = branch_name(branch);
        let n = state.next(&branch, None);
        if let Some(time) = state.times.remove(&(branch.clone(), n)) {
            return Ok(time);
        }
        let time = clock();
        self.before_writing(&mut state);
        // No need to wait: whatever reply depends on it is kept after it.
        let entry = Entry::Time { item: self.key.clone(), branch, n, time: time.clone() };
        self.ledger.write(entry, nobody_waits());
        Ok(time)
    }

    /// Notes the item's end. What is of no use then will not be replayed, for sure: it is on disk before the
    /// item counts as failed.
    pub fn end(&self, ending: Ending) -> Result<()> {
        // What an earlier run was answered is known also when this one failed before its first question.
        let mut state = if ending == Ending::Complete { self.lock() } else { self.loaded()? };
        state.ended = Some(ending);
        if !state.known && !state.wrote {
            return Ok(());
        }
        let entry = Entry::End { item: self.key.clone(), ending };
        if state.has_useless && ending != Ending::Complete {
            return write_now(&*self.ledger, entry).map(drop);
        }
        self.ledger.write(entry, nobody_waits());
        Ok(())
    }

    /// The name of a job without a checkpoint that is begun in this item: the same in every run.
    pub fn job_inside(&self, branch: &[Step], name: &str) -> String {
        let ItemKey { job, item } = &self.key;
        let name = format!("{name} in {item} [{}] of {job}", branch_name(branch));
        numbered(&mut self.lock().jobs, name)
    }

    fn loaded(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        if !state.loaded {
            if !self.fresh {
                let past = self.ledger.past(&self.key)?;
                state.known = past != Past::default();
                state.has_useless = past.replies.iter().any(|(_, _, reply)| reply.outcome != OK);
                // A later reply stands for an earlier one at the same place.
                state.replies =
                    past.replies.into_iter().map(|(row, place, kept)| (place, (row, kept))).collect();
                state.times = past.times.into_iter().map(|(branch, n, time)| ((branch, n), time)).collect();
            }
            state.loaded = true;
        }
        Ok(state)
    }

    /// What is not to count any more is forgotten with the first new entry, so that a run that is killed
    /// goes on with the new ones.
    fn before_writing(&self, state: &mut State) {
        if !std::mem::replace(&mut state.wrote, true) && self.fresh {
            self.ledger.write(Entry::Forget(self.key.clone()), nobody_waits());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self, branch: &str, request: Option<RequestHash>) -> u32 {
        let asked = self.asked.entry((branch.to_string(), request)).or_default();
        *asked += 1;
        *asked - 1
    }
}

/// The ids that the item of `outer` may have in which a job of this name is begun, however deep: ids may look like
/// parts of names.
pub fn items_around<'a>(job: &'a str, outer: &str) -> impl Iterator<Item = &'a str> {
    let unnumbered = match job.rsplit_once(" #") {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => job,
    };
    let within = unnumbered.strip_suffix(outer).and_then(|rest| rest.strip_suffix("] of "));
    let name = within.and_then(|rest| rest.rsplit_once(" [")).map_or("", |(name, _branch)| name);
    name.match_indices(" in ").map(|(at, between)| &name[at + between.len()..])
}

/// The second job of a name, and those after it, have a number.
pub fn numbered(jobs: &mut HashMap<String, u32>, name: String) -> String {
    let count = jobs.entry(name.clone()).or_default();
    *count += 1;
    if *count == 1 { name } else { format!("{name} #{count}") }
}

/// `2/0` or `gpt/C1`: the elements of the enclosing `parallel_map`s.
pub fn branch_name(branch: &[Step]) -> String {
    branch.iter().map(Step::to_string).collect::<Vec<_>>().join("/")
}

/// What tells questions apart: whom, what, and with which parameters, as canonical JSON.
pub fn request_hash(backend: &Backend, identity: &Identity, request: &Request) -> RequestHash {
    question_hash(&backend.name, identity, &backend.extra_body, request)
}

fn question_hash(backend: &str, identity: &Identity, extra_body: &Value, request: &Request) -> RequestHash {
    let Request { messages, system, params, schema } = request;
    let mut text = String::with_capacity(request.bytes() * 17 / 16 + messages.len() * 40 + 500);
    text.push('[');
    push_json(&mut text, backend);
    text.push(',');
    let Identity { kind, model, origin } = identity;
    let identity = [("kind", kind), ("model", model), ("origin", origin)];
    let entries = identity.map(|(key, value)| (key.into(), Json::Text(value.into())));
    write_object(&entries, &mut text, |(_, value), text| value.write_canonical(text));
    text.push(',');
    write_list(messages, &mut text, |message, text| {
        text.push_str("{\"content\":");
        text.push_str(message.content.json());
        text.push_str(",\"role\":");
        push_json(text, &message.role);
        text.push('}');
    });
    text.push(',');
    match system {
        Some(system) => push_json(&mut text, system),
        None => text.push_str("null"),
    }
    let schema = schema.as_ref().map_or("null", |schema| schema.canonical());
    text.push_str(&format!(",{},{},{schema}]", canonical(&json!(params)), canonical(extra_body)));
    let digest = Sha256::digest(&text);
    std::array::from_fn(|place| digest[place])
}

/// A reply as the ledger keeps it.
pub fn to_kept(backend: &str, structured: bool, repairs: Option<i64>, answered: &Answered) -> KeptReply {
    let Answered { reply, charge, took } = answered;
    KeptReply {
        repairs,
        model: Some(reply.model.clone()),
        outcome: reply.outcome.name().into(),
        content: Some(reply.content.clone()),
        reasoning: reply.reasoning.clone(),
        finish_reason: Some(reply.finish_reason.clone()),
        latency_ms: Some(took.as_millis() as u64),
        attempts: Some(reply.attempts as u64),
        ..paid(backend, structured, charge)
    }
}

/// What is kept of a request whose reply is not known: what it cost.
pub fn paid(backend: &str, structured: bool, charge: &Charge) -> KeptReply {
    let Charge { usage, usd, unknown } = *charge;
    KeptReply {
        backend: backend.into(),
        structured,
        outcome: LOST.into(),
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cached_tokens: usage.cached_tokens,
        reasoning_tokens: usage.reasoning_tokens,
        usd,
        unknown,
        ..KeptReply::default()
    }
}

fn to_reply(kept: KeptReply) -> Result<Reply> {
    let outcome = serde_json::from_value::<Outcome>(kept.outcome.as_str().into()).map_err(|_| {
        Error::new(Kind::Data, format!("the ledger holds a reply of an unknown outcome, `{}`", kept.outcome))
            .hint("`fthost doctor` says more")
    })?;
    Ok(Reply {
        outcome,
        content: kept.content.unwrap_or_default(),
        reasoning: kept.reasoning,
        model: kept.model.unwrap_or_default(),
        usage: Usage {
            input_tokens: kept.input_tokens,
            output_tokens: kept.output_tokens,
            cached_tokens: kept.cached_tokens,
            reasoning_tokens: kept.reasoning_tokens,
        },
        finish_reason: kept.finish_reason.unwrap_or_default(),
        cost: kept.usd,
        attempts: kept.attempts.unwrap_or(1) as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash;
    use crate::llm::{Message, Params, Schema};

    /// What the ledgers that are there were made with.
    #[test]
    fn a_question_is_hashed_as_canonical_json() {
        let identity = Identity { kind: "k".into(), model: "m".into(), origin: "o".into() };
        let messages = vec![Message::user("a \"ü\"\n"), Message::assistant("b")];
        let schema = Schema::new("s", json!({"type": "object", "properties": {"z": {}, "a": {}}})).unwrap();
        let schema = Arc::new(schema);
        let some = Params { temperature: Some(0.5), max_tokens: Some(7), ..Params::default() };
        for params in [some, Params::default()] {
            let request = Request {
                messages: messages.clone(),
                system: Some("sys".into()),
                params: params.clone(),
                schema: Some(schema.clone()),
            };
            let text = hash::canonical(&json!([
                "n",
                identity,
                request.messages,
                "sys",
                params,
                {"x": {"b": 1, "a": 2}},
                {"type": "object", "properties": {"z": {}, "a": {}}},
            ]));
            let extra_body = json!({"x": {"b": 1, "a": 2}});
            let hashed = question_hash("n", &identity, &extra_body, &request);
            assert_eq!(hash::hex(&hashed), hash::sha256(&text)[..2 * hashed.len()]);
        }
    }

    #[test]
    fn jobs_inside_of_items_are_known_by_their_names() {
        let around = |job, outer| items_around(job, outer).collect::<Vec<_>>();
        assert_eq!(around("inner in a [2/0] of data/c.jsonl", "data/c.jsonl"), ["a"]);
        assert_eq!(around("inner in a [] of data/c.jsonl #12", "data/c.jsonl"), ["a"]);
        assert!(around("c in x [] of b in a [1] of job", "job").contains(&"a"));
        assert!(around("inner in one in two [] of job", "job").contains(&"one in two"));
        assert!(around("inner in a [] of other", "job").is_empty());
        assert!(around("job", "job").is_empty());
    }
}
