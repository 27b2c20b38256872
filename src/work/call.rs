//! THE path of a call: every question to a model goes through here, whoever asks and whoever answers.
//!
//! `stop? -> replay? -> reserve, send, settle -> validate -> keep -> outcome -> repair`
//!
//! A reply that was kept for this place of the item is given again. A new one is on disk before the script sees it.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, mpsc::Receiver};
use std::time::Instant;

use serde_json::Value;

use super::backends::{Backend, Line};
use super::dry::Asked;
use super::replay::{self, Found, Replay};
use super::{Scope, World, scope::out_of_time};
use crate::base::{Error, Kind, Result};
use crate::llm::{self, Answered, Message, Outcome, Reply, Request, Schema};
use crate::store::ledger::{Done, Entry, Ledger, Place};

/// A reply in free text; any outcome but `ok` is an error that carries the raw text.
pub fn complete(world: &World, scope: &Scope, backend: &Backend, request: Request) -> Result<Reply> {
    usable(backend, send(world, scope, backend, request, None)?.reply)
}

/// A reply that fits the schema: validated here, whatever the server promised, with one repair round.
pub fn complete_structured(
    world: &World,
    scope: &Scope,
    backend: &Backend,
    mut request: Request,
    schema: &Arc<Schema>,
) -> Result<Value> {
    request.schema = Some(schema.clone());
    let Answer { reply, row, .. } = send(world, scope, backend, request.clone(), None)?;
    let Some(why) = misfit(schema, &reply) else { return value(backend, schema, reply) };
    request.messages.push(Message::assistant(reply.content));
    request.messages.push(Message::user(repair_prompt(&why)));
    value(backend, schema, send(world, scope, backend, request, row)?.reply)
}

fn repair_prompt(why: &str) -> String {
    format!(
        "Your reply does not fit the required JSON schema: {why}\nReply again, with the corrected JSON only."
    )
}

/// Why a reply does not fit the schema, where it is to.
fn misfit(schema: &Schema, reply: &Reply) -> Option<String> {
    match reply.outcome {
        Outcome::InvalidJson | Outcome::SchemaMismatch => {
            schema.parse_and_validate(&reply.content).err().map(|(_, why)| why)
        }
        _ => None,
    }
}

fn value(backend: &Backend, schema: &Schema, reply: Reply) -> Result<Value> {
    if let Some(why) = misfit(schema, &reply) {
        let message = format!("{} did not answer by the schema: {why}", backend.name);
        return Err(unusable(reply.outcome, message, &reply));
    }
    let reply = usable(backend, reply)?;
    schema.parse_and_validate(&reply.content).map_err(|(outcome, why)| unusable(outcome, why, &reply))
}

/// The outcome of a reply that was to fit a schema and does not.
fn held_to_schema(request: &Request, reply: Reply) -> Reply {
    let misfit = |schema: &Arc<Schema>| schema.parse_and_validate(&reply.content).err();
    match request.schema.as_ref().filter(|_| reply.outcome == Outcome::Ok).and_then(misfit) {
        Some((outcome, _)) => Reply { outcome, ..reply },
        None => reply,
    }
}

fn usable(backend: &Backend, reply: Reply) -> Result<Reply> {
    let what = match reply.outcome {
        Outcome::Ok => return Ok(reply),
        Outcome::Refusal => "refused to answer",
        Outcome::Truncated => "was cut off at its token limit",
        Outcome::Filtered => "was filtered by the provider",
        Outcome::InvalidJson => "did not answer in JSON",
        Outcome::SchemaMismatch => "did not answer by the schema",
    };
    Err(unusable(reply.outcome, format!("the reply of {} {what}", backend.name), &reply))
}

fn unusable(outcome: Outcome, message: String, reply: &Reply) -> Error {
    let hint = match outcome {
        Outcome::Truncated => Some("raise max_tokens, or ask for less"),
        Outcome::Refusal | Outcome::Filtered => Some("look at `raw`, and at what was asked"),
        _ => None,
    };
    let kind = outcome.kind().unwrap_or(Kind::Internal);
    Error::new(kind, message).or_hint(hint.map(str::to_string)).raw(reply.content.clone())
}

/// A reply.
struct Answer {
    reply: Reply,
    /// Its row in the ledger; none where it is not kept.
    row: Option<i64>,
    /// Whether it was there before.
    replayed: bool,
}

/// One request and its reply; `repairs` is the row of the reply that it is to repair.
fn send(
    world: &World,
    scope: &Scope,
    backend: &Backend,
    request: Request,
    repairs: Option<i64>,
) -> Result<Answer> {
    world.stop.check()?;
    scope.check_calls()?;
    scope.check_deadline()?;
    let asked = world.dry.as_ref().map(|_| Asked::of(&request));
    let observer = world.observer.as_ref().filter(|observer| observer.wants_calls_of(scope));
    let seen = observer.map(|observer| (observer, request.clone()));
    let answer = match &backend.line {
        Line::Local(local) => {
            let reply = (local.respond)(&request, &backend.role, scope)?;
            local.stats.count(&reply.usage);
            Answer { reply: held_to_schema(&request, reply), row: None, replayed: false }
        }
        Line::Remote(remote) => ask(world, scope, backend, remote, request, repairs)?,
    };
    if let (Some(dry), Some(asked), false) = (&world.dry, asked, answer.replayed) {
        dry.count(backend, scope, asked, &answer.reply.usage);
    }
    if let Some((observer, request)) = seen {
        observer.answered(scope, backend, &request, &answer.reply);
    }
    Ok(answer)
}

/// A provider's reply: the one that was kept for this place, or a new one.
fn ask(
    world: &World,
    scope: &Scope,
    backend: &Backend,
    remote: &Arc<llm::Backend>,
    request: Request,
    repairs: Option<i64>,
) -> Result<Answer> {
    let mut place = None;
    if let Some(replay) = &scope.replay {
        let hash = replay::request_hash(backend, remote.identity(), &request);
        match replay.find(&scope.branch, hash)? {
            Found::Reply(reply, row) => {
                world.replayed.fetch_add(1, Ordering::Relaxed);
                return Ok(Answer { reply: *reply, row: Some(row), replayed: true });
            }
            Found::Nothing(free) => place = Some((replay.clone(), free)),
        }
    }
    let keeper = Keeper { ledger: world.ledger.clone(), place: place.clone(), repairs };
    // Its many texts are freed by the thread that made them, which costs less.
    let request = Arc::new(request);
    let answer = wait(scope, spawn(world, remote.clone(), request.clone(), keeper)?);
    if let (Err(_), Some((replay, free))) = (&answer, &place) {
        replay.without_reply(free);
    }
    answer
}

/// Who keeps a reply, and where.
struct Keeper {
    ledger: Arc<dyn Ledger>,
    place: Option<(Arc<Replay>, Place)>,
    repairs: Option<i64>,
}

impl Keeper {
    /// Keeps it; `done` is called when it is on disk.
    fn keep(self, backend: &str, structured: bool, answered: &Answered, done: Done) {
        let reply = Box::new(replay::to_kept(backend, structured, self.repairs, answered));
        match self.place {
            Some((replay, place)) => replay.keep(place, reply, done),
            None => self.ledger.write(Entry::Reply { place: None, reply }, done),
        }
    }
}

/// Sends on the runtime: the script's thread only waits for the answer, not for each read. It is told when the
/// reply is on disk.
fn spawn(
    world: &World,
    remote: Arc<llm::Backend>,
    request: Arc<Request>,
    keeper: Keeper,
) -> Result<Receiver<Result<Answer>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let (stop, unkept) = (world.stop.pinned(), world.unkept.clone());
    let on_its_way = stop.call_begins();
    world.runtime()?.spawn(async move {
        // Nobody waits any more when the item ran out of time: the reply is kept all the same.
        let answered = match remote.call(&request, &stop).await {
            Ok(answered) => answered,
            Err(error) => return drop(sender.send(Err(error))),
        };
        let reply = held_to_schema(&request, answered.reply);
        let structured = request.schema.is_some();
        drop(request);
        let answered = Answered { reply: reply.clone(), ..answered };
        let done = move |row: Result<i64>| {
            unkept.fetch_add(u64::from(row.is_err()), Ordering::Relaxed);
            let _ = sender.send(row.map(|row| Answer { reply, row: Some(row), replayed: false }));
            drop(on_its_way);
        };
        keeper.keep(remote.name(), structured, &answered, Box::new(done));
    });
    Ok(receiver)
}

fn wait(scope: &Scope, receiver: Receiver<Result<Answer>>) -> Result<Answer> {
    let lost = || Err(Error::new(Kind::Internal, "a call ended without an answer"));
    let Some(deadline) = scope.deadline else {
        return receiver.recv().unwrap_or_else(|_| lost());
    };
    match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(reply) => reply,
        Err(RecvTimeoutError::Timeout) => Err(out_of_time()),
        Err(RecvTimeoutError::Disconnected) => lost(),
    }
}
