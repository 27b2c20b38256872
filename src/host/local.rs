//! Script backends: a Rhai function answers in place of a provider, on its caller's thread.

use std::sync::Arc;

use rhai::Dynamic;
use serde_json::{Value, json};

use crate::base::config::BackendConfig;
use crate::base::{Error, Kind, Result};
use crate::llm::{Outcome, Reply, Request, Usage};
use crate::script::library::Unit;
use crate::script::{Ctx, ScriptEngine, context::Run, values};
use crate::store::Project;
use crate::work::backends::{Local, LocalStats};

/// The module behind `kind: offline`.
const OFFLINE: &str = "std/offline";

/// Bytes of a token, about: scripts bill none, the summary shows an estimate.
const TOKEN_BYTES: usize = 4;

/// Opens the script backend of a configuration.
pub fn open(engine: &Arc<ScriptEngine>, root: &Ctx, name: &str, config: &BackendConfig) -> Result<Local> {
    let offline = config.kind == "offline";
    let script = match (&config.file, offline) {
        (Some(file), false) => Script::of_file(engine, &root.world.project, file)?,
        (None, true) => Script::of_module(engine, OFFLINE)?,
        (Some(_), true) => return Err(fault(name, "is `offline`, which has no `file`")),
        (None, false) => return Err(fault(name, "is a script, and names no `file`")),
    };
    let ctx = Ctx { run: Arc::new(Run { is_backend: true, ..Run::default() }), ..root.clone() };
    let model = config.model.clone().unwrap_or_else(|| config.kind.clone());
    let origin = script.origin(engine);
    let caller = Caller { engine: engine.clone(), script, ctx, model: model.clone() };
    let respond = Box::new(move |request: &Request, role: &str| caller.respond(request, role));
    Ok(Local { kind: config.kind.clone(), model, origin, respond, stats: LocalStats::default() })
}

fn fault(name: &str, what: &str) -> Error {
    Error::new(Kind::Config, format!("backend `{name}` {what}"))
        .hint("for example: stub: {kind: script, file: scripts/stub.rhai}")
}

/// The functions of a backend's script.
struct Script {
    unit: Arc<Unit>,
    structured: bool,
}

impl Script {
    /// The file may stand anywhere in the project.
    fn of_file(engine: &ScriptEngine, project: &Project, file: &str) -> Result<Script> {
        let unit = engine.library().load_text(engine.engine(), file, &project.read_text(file)?)?;
        let structured = defines(&unit, "complete_structured", 2);
        if !defines(&unit, "complete", 1) {
            let message = format!("{file} is a backend's script, and has no `fn complete(request)`");
            return Err(Error::new(Kind::Script, message).hint("it takes a map and returns the reply's text"));
        }
        Ok(Script { unit, structured })
    }

    /// A shipped module is imported, so that its constants are made only once.
    fn of_module(engine: &ScriptEngine, module: &str) -> Result<Script> {
        let text = format!(
            "import \"{module}\" as backend;\n\
             fn complete(request) {{ backend::complete(request) }}\n\
             fn complete_structured(request, schema) {{ backend::complete_structured(request, schema) }}\n"
        );
        let unit = engine.library().load_text(engine.engine(), &format!("({module})"), &text)?;
        Ok(Script { unit, structured: true })
    }

    /// A file's answers depend on its code; those of a shipped module only on its name.
    fn origin(&self, engine: &ScriptEngine) -> String {
        let path = &self.unit.path;
        if path.starts_with('(') {
            return path.clone();
        }
        format!("{path} {}", engine.library().code_hash(engine.engine(), path))
    }
}

fn defines(unit: &Unit, name: &str, parameters: usize) -> bool {
    unit.ast.iter_functions().any(|f| f.name == name && f.params.len() == parameters)
}

struct Caller {
    engine: Arc<ScriptEngine>,
    script: Script,
    ctx: Ctx,
    model: String,
}

impl Caller {
    fn respond(&self, request: &Request, role: &str) -> Result<Reply> {
        let map = self.request_map(request, role);
        let value = match &request.schema {
            Some(schema) if self.script.structured => {
                let schema = values::from_json(schema.value());
                self.call("complete_structured", vec![map, schema])?
            }
            _ => self.call("complete", vec![map])?,
        };
        let structured = request.schema.is_some() && self.script.structured;
        self.reply(request, value, structured)
    }

    fn call(&self, function: &str, arguments: Vec<Dynamic>) -> Result<Dynamic> {
        self.engine.call(&self.script.unit, function, arguments, &self.ctx)
    }

    fn request_map(&self, request: &Request, role: &str) -> Dynamic {
        values::from_json(&json!({
            "messages": request.messages,
            "system": request.system.clone().unwrap_or_default(),
            "model": self.model,
            "role": role,
            "params": request.params,
        }))
    }

    /// A text, or `#{content, finish_reason, outcome}`; of a structured call the answer itself.
    fn reply(&self, request: &Request, value: Dynamic, structured: bool) -> Result<Reply> {
        let plain = values::to_json(&value)?;
        let (content, finish_reason, outcome) = match plain {
            value if structured => (value.to_string(), "stop".into(), Outcome::Ok),
            Value::String(text) => (text, "stop".into(), Outcome::Ok),
            Value::Object(map) => described(&map)?,
            other => return Err(not_a_reply(&other)),
        };
        let asked: usize = request.messages.iter().map(|m| m.content.len()).sum();
        let usage = Usage {
            input_tokens: tokens(asked + request.system.as_ref().map_or(0, String::len)),
            output_tokens: tokens(content.len()),
            ..Usage::default()
        };
        let model = self.model.clone();
        Ok(Reply { outcome, content, reasoning: None, model, usage, finish_reason, attempts: 1 })
    }
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
