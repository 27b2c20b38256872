//! THE path of a call: every question to a model goes through here, whoever asks and whoever answers.
//!
//! `stop? -> [ledger: replay] -> send -> [ledger: record] -> outcome -> validate -> repair`
//!
//! The ledger is not built yet; its two places are marked.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, mpsc::Receiver};
use std::time::Instant;

use serde_json::Value;

use super::backends::{Backend, Line};
use super::dry::Asked;
use super::{Scope, World, scope::out_of_time};
use crate::base::{Error, Kind, Result};
use crate::llm::{self, Message, Outcome, Reply, Request, Schema};

/// A reply in free text; any outcome but `ok` is an error that carries the raw text.
pub fn complete(world: &World, scope: &Scope, backend: &Backend, request: Request) -> Result<Reply> {
    usable(backend, send(world, scope, backend, request)?)
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
    let reply = usable(backend, send(world, scope, backend, request.clone())?)?;
    let Err((_, why)) = schema.parse_and_validate(&reply.content) else {
        return parsed(backend, schema, &reply);
    };
    request.messages.push(Message::assistant(reply.content));
    request.messages.push(Message::user(repair_prompt(&why)));
    let reply = usable(backend, send(world, scope, backend, request)?)?;
    parsed(backend, schema, &reply)
}

fn repair_prompt(why: &str) -> String {
    format!(
        "Your reply does not fit the required JSON schema: {why}\nReply again, with the corrected JSON only."
    )
}

fn parsed(backend: &Backend, schema: &Schema, reply: &Reply) -> Result<Value> {
    schema.parse_and_validate(&reply.content).map_err(|(outcome, why)| {
        let message = format!("{} did not answer by the schema: {why}", backend.name);
        unusable(outcome, message, reply)
    })
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

/// One request and its reply.
fn send(world: &World, scope: &Scope, backend: &Backend, request: Request) -> Result<Reply> {
    world.stop.check()?;
    scope.check_calls()?;
    scope.check_deadline()?;
    let asked = world.dry.as_ref().map(|_| Asked::of(&request));
    // The ledger's first place: a reply that was paid for, by (job, item, branch, request, n).
    let reply = match &backend.line {
        Line::Local(local) => {
            let reply = (local.respond)(&request, &backend.role, scope)?;
            local.stats.count(&reply.usage);
            reply
        }
        Line::Remote(remote) => wait(scope, spawn(world, remote.clone(), request)?)?,
    };
    // The ledger's second place: the reply is on disk before the script sees it.
    if let (Some(dry), Some(asked)) = (&world.dry, asked) {
        dry.count(backend, scope, asked, &reply.usage);
    }
    Ok(reply)
}

/// Sends on the runtime: the script's thread only waits for the answer, not for each read.
fn spawn(world: &World, remote: Arc<llm::Backend>, request: Request) -> Result<Receiver<Result<Reply>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let stop = world.stop.clone();
    let on_its_way = stop.call_begins();
    world.runtime()?.spawn(async move {
        let reply = remote.call(&request, &stop).await;
        // Nobody waits any more when the item ran out of time.
        let _ = sender.send(reply);
        drop(on_its_way);
    });
    Ok(receiver)
}

fn wait(scope: &Scope, receiver: Receiver<Result<Reply>>) -> Result<Reply> {
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
