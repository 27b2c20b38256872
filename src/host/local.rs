//! Script backends: a Rhai function answers in place of a provider, on its caller's thread.

use std::sync::Arc;

use rhai::Dynamic;
use serde_json::Value;

use super::backend_script::{Script, request_map};

use crate::base::config::BackendConfig;
use crate::base::{Error, Kind, Result};
use crate::llm::{Outcome, Reply, Request, Usage};
use crate::script::{Ctx, ScriptEngine, context::Run, values};
use crate::work::Scope;
use crate::work::backends::{Local, LocalStats};

/// The module behind `kind: offline`.
const OFFLINE: &str = "std/offline";

/// Bytes of a token, about: scripts bill none, the summary shows an estimate.
const TOKEN_BYTES: usize = 4;

/// Opens the script backend of a configuration.
pub fn open(engine: &Arc<ScriptEngine>, root: &Ctx, name: &str, config: &BackendConfig) -> Result<Local> {
    let offline = config.kind == "offline";
    let script = match (&config.file, offline) {
        (Some(file), false) => Script::open(engine, root, file, &[("complete", 1)])?,
        (None, true) => Script::open(engine, root, OFFLINE, &[("complete", 1)])?,
        (Some(_), true) => return Err(fault(name, "is `offline`, which has no `file`")),
        (None, false) => return Err(fault(name, "is a script, and names no `file`")),
    };
    let ctx = Ctx { run: Arc::new(Run { is_backend: true, ..Run::default() }), ..root.clone() };
    let model = config.model.clone().unwrap_or_else(|| config.kind.clone());
    let origin = script.origin();
    let structured = script.defines("complete_structured", 2);
    let caller = Caller { script, ctx, model: model.clone(), structured };
    let respond =
        Box::new(move |request: &Request, role: &str, scope: &Scope| caller.respond(request, role, scope));
    let (kind, stats) = (config.kind.clone(), LocalStats::default());
    Ok(Local { kind, model, origin, respond, structured, stats })
}

fn fault(name: &str, what: &str) -> Error {
    Error::new(Kind::Config, format!("backend `{name}` {what}"))
        .hint("for example: stub: {kind: script, file: scripts/stub.rhai}")
}

struct Caller {
    script: Script,
    ctx: Ctx,
    model: String,
    /// Whether it answers by schemas itself.
    structured: bool,
}

impl Caller {
    fn respond(&self, request: &Request, role: &str, asked_in: &Scope) -> Result<Reply> {
        let map = self.request_map(request, role);
        // What it asks a provider for belongs to its caller's item.
        let ctx = self.ctx.with_scope(asked_in.clone());
        let value = match &request.schema {
            Some(schema) if self.structured => {
                let schema = values::from_json(schema.value());
                self.script.call("complete_structured", vec![map, schema], &ctx)?
            }
            _ => self.script.call("complete", vec![map], &ctx)?,
        };
        let structured = request.schema.is_some() && self.structured;
        self.reply(request, value, structured)
    }

    fn request_map(&self, request: &Request, role: &str) -> Dynamic {
        let mut map = request_map(request, &self.model);
        map.insert("role".into(), role.into());
        Dynamic::from_map(map)
    }

    fn reply(&self, request: &Request, value: Dynamic, structured: bool) -> Result<Reply> {
        reply(&self.model, request, values::to_json(&value)?, structured)
    }
}

/// What a script's answer is as a reply: a text, or `#{content, finish_reason, outcome}`; of a structured call the
/// answer itself.
pub(super) fn reply(model: &str, request: &Request, answer: Value, structured: bool) -> Result<Reply> {
    let (content, finish_reason, outcome) = match answer {
        value if structured => (value.to_string(), "stop".into(), Outcome::Ok),
        Value::String(text) => (text, "stop".into(), Outcome::Ok),
        Value::Object(map) => described(&map)?,
        other => return Err(not_a_reply(&other)),
    };
    let asked: usize = request.messages.iter().map(|m| m.content.length()).sum();
    let usage = Usage {
        input_tokens: tokens(asked + request.system.as_ref().map_or(0, String::len)),
        output_tokens: tokens(content.len()),
        ..Usage::default()
    };
    let model = model.to_string();
    Ok(Reply { outcome, content, reasoning: None, model, usage, finish_reason, cost: None, attempts: 1 })
}

fn described(map: &serde_json::Map<String, Value>) -> Result<(String, String, Outcome)> {
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    let content = text("content").ok_or_else(|| not_a_reply(&Value::Object(map.clone())))?;
    let outcome = map.get("outcome").map(|name| serde_json::from_value(name.clone()));
    let outcome = outcome.transpose().map_err(|_| not_a_reply(&map["outcome"]))?.unwrap_or(Outcome::Ok);
    Ok((content.into(), text("finish_reason").unwrap_or("stop").into(), outcome))
}

fn not_a_reply(found: &Value) -> Error {
    Error::new(Kind::Script, format!("a backend's script returned {found}, which is no reply"))
        .hint("return a text, or #{content: \"...\", finish_reason: \"stop\", outcome: \"ok\"}")
}

fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(TOKEN_BYTES) as u64
}
