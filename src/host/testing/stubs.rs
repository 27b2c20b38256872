//! Stubs: replies that a test scripts, in the place of a role or a backend, and what was asked.

use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext};
use serde_json::{Value, json};

use super::{test, text};
use crate::base::config::kinds::kind_of;
use crate::base::numbers::count;
use crate::base::{Error, Kind, Result, suggest};
use crate::host::local;
use crate::llm::{Reply, Request};
use crate::script::closure::Closure;
use crate::script::context::Run;
use crate::script::{Ctx, values};
use crate::work::backends::{Local, LocalStats, Respond};
use crate::work::testing::{STUB, Stub};
use crate::work::{Scope, World};

type Sent = Arc<Mutex<Vec<Request>>>;

pub(super) fn stub(context: &NativeCallContext, name: &Dynamic, replies: Dynamic) -> Result<()> {
    let ctx = Ctx::of(context)?;
    let test = test(&ctx)?;
    let name = text("stub", "name", name)?;
    check_name(&ctx.world, &name)?;
    let sent = Sent::default();
    let of_closure =
        |function: &FnPtr| Ok(by_closure(Closure::new(context, function)?, ctx.clone(), sent.clone()));
    let responds = match (replies.clone().try_cast::<FnPtr>(), replies.as_array_ref()) {
        (Some(function), _) => vec![of_closure(&function)?],
        (_, Ok(replies)) => match closures(&replies) {
            Some(functions) => {
                several(&ctx.world, &name, functions)?.iter().map(of_closure).collect::<Result<_>>()?
            }
            None => {
                let replies = replies.iter().map(values::to_json).collect::<Result<_>>()?;
                vec![in_order(&name, replies, ctx.clone(), sent.clone())]
            }
        },
        _ => return Err(not_replies(&replies)),
    };
    test.set_stub(&name, Stub { lines: responds.into_iter().map(line).collect(), sent: sent.clone() });
    Ok(())
}

fn line(respond: Respond) -> Arc<Local> {
    let (origin, stats) = (format!("({STUB})"), LocalStats::default());
    Arc::new(Local { kind: STUB.into(), model: STUB.into(), origin, respond, structured: true, stats })
}

/// The elements, when all are closures.
fn closures(replies: &Array) -> Option<Vec<FnPtr>> {
    let functions: Option<Vec<FnPtr>> =
        replies.iter().map(|reply| reply.clone().try_cast::<FnPtr>()).collect();
    functions.filter(|functions| !functions.is_empty())
}

/// Several closures are several backends, which only a role can have.
fn several(world: &World, name: &str, functions: Vec<FnPtr>) -> Result<Vec<FnPtr>> {
    if functions.len() == 1 || world.config.roles.contains_key(name) {
        return Ok(functions);
    }
    let message = format!("`{name}` is one backend, and got {}", count(functions.len(), "closure"));
    Err(Error::new(Kind::Argument, message).hint("an array of closures stands for the backends of a role"))
}

fn not_replies(found: &Dynamic) -> Error {
    let found = values::type_name(found);
    Error::new(Kind::Argument, format!("the replies of a stub are an array or a closure, not {found}"))
        .hint("write testing::stub(\"assistant\", [\"a reply\"]), or testing::stub(\"assistant\", |request| \"a reply\")")
}

/// A misspelled role would leave the real one in place.
fn check_name(world: &World, name: &str) -> Result<()> {
    let kind = name.split(':').next().unwrap_or(name);
    match world.config.choices(name) {
        Err(error) if kind_of(kind).is_none() => Err(error),
        _ => Ok(()),
    }
}

/// Replies in the order of the calls.
fn in_order(name: &str, replies: Vec<Value>, ctx: Ctx, sent: Sent) -> Respond {
    let name = name.to_string();
    Box::new(move |request, _role, _scope| {
        let place = note(&sent, request);
        match replies.get(place) {
            Some(reply) => answer(request, reply.clone()),
            None => Err(ctx.world.noted(used_up(&name, replies.len(), request))),
        }
    })
}

fn used_up(name: &str, replies: usize, request: &Request) -> Error {
    let message = match replies {
        0 => format!("the stub of `{name}` was asked, and has no replies"),
        n => format!("the stub of `{name}` was asked once more than it has replies: {}", count(n, "reply")),
    };
    let asked: String = last_message(request).chars().take(200).collect();
    Error::new(Kind::Test, message)
        .hint(format!("give it more, or a closure |request| ...; it was asked: {asked}"))
}

/// Replies of the test's own making. The closure has its own copy of what it captures.
fn by_closure(closure: Closure, ctx: Ctx, sent: Sent) -> Respond {
    let run = Run { entry: ctx.run.entry.clone(), is_stub: true, ..Run::default() };
    let ctx = Ctx { run: Arc::new(run), ..ctx };
    Box::new(move |request: &Request, role: &str, scope: &Scope| {
        note(&sent, request);
        let engine = ctx.engine()?;
        let mut map = map_of(request);
        map.insert("role".into(), role.into());
        let reply =
            closure.call_on(engine.engine(), &ctx.with_scope(scope.clone()), Dynamic::from_map(map))?;
        answer(request, values::to_json(&reply)?)
    })
}

/// Keeps a request; gives how many there were before.
fn note(sent: &Sent, request: &Request) -> usize {
    let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
    sent.push(request.clone());
    sent.len() - 1
}

/// What a scripted reply stands for.
fn answer(request: &Request, reply: Value) -> Result<Reply> {
    if let Some(error) = scripted_error(&reply)? {
        return Err(error);
    }
    // A text may be one that does not fit the schema, or no JSON at all.
    let structured = request.schema.is_some() && !reply.is_string() && !ends_otherwise(&reply);
    local::reply(STUB, request, reply, structured)
}

/// `#{content, outcome}`: how a model's reply may end.
fn ends_otherwise(reply: &Value) -> bool {
    reply.get("content").is_some_and(Value::is_string) && reply.get("outcome").is_some_and(Value::is_string)
}

/// `#{error: kind, message: "..."}`.
fn scripted_error(reply: &Value) -> Result<Option<Error>> {
    let Value::Object(map) = reply else { return Ok(None) };
    let only = map.keys().all(|key| key == "error" || key == "message");
    let Some(Value::String(name)) = map.get("error").filter(|_| only) else { return Ok(None) };
    let message = map.get("message").and_then(Value::as_str).unwrap_or("the stub was told to fail");
    let kind = Kind::from_name(name).filter(|kind| *kind != Kind::Test).ok_or_else(|| {
        Error::new(Kind::Argument, format!("no error is of kind `{name}`"))
            .hint(suggest::hint(name, KINDS.iter().copied()))
    })?;
    Ok(Some(Error::new(kind, message)))
}

/// The kinds with which calls end.
const KINDS: &[&str] = &[
    "rate_limit",
    "timeout",
    "connection",
    "server",
    "bad_request",
    "refusal",
    "truncated",
    "filtered",
    "invalid_json",
    "schema_mismatch",
    "budget",
    "dead_backend",
];

pub(super) fn prompts(context: &NativeCallContext, name: &Dynamic) -> Result<Array> {
    let sent = sent(context, "prompts", name)?;
    Ok(sent.iter().map(|request| last_message(request).into()).collect())
}

pub(super) fn requests(context: &NativeCallContext, name: &Dynamic) -> Result<Array> {
    let sent = sent(context, "requests", name)?;
    Ok(sent.iter().map(|request| Dynamic::from_map(map_of(request))).collect())
}

fn sent(context: &NativeCallContext, function: &str, name: &Dynamic) -> Result<Vec<Request>> {
    let ctx = Ctx::of(context)?;
    let test = test(&ctx)?;
    let name = text(function, "name", name)?;
    let Some(stub) = test.stub(&name) else {
        let stubbed = test.stubbed();
        let hint = match stubbed.is_empty() {
            true => "what is asked is kept by stubs: testing::stub(name, replies)".into(),
            false => suggest::hint(&name, stubbed.iter().map(String::as_str)),
        };
        return Err(Error::new(Kind::NotFound, format!("no stub stands in the place of `{name}`")).hint(hint));
    };
    let sent = stub.sent.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(sent.clone())
}

fn last_message(request: &Request) -> String {
    request.messages.last().map(|message| message.content.plain().into_owned()).unwrap_or_default()
}

/// A request as tests see it.
fn map_of(request: &Request) -> Map {
    let plain = json!({
        "prompt": last_message(request),
        "messages": request.messages,
        "system": request.system,
        "params": request.params,
        "schema": request.schema.as_ref().map(|schema| schema.value()),
    });
    plain.as_object().map(values::object_to_map).unwrap_or_default()
}
