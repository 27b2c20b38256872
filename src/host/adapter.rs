//! Adapters: two pure Rhai functions stand in for a wire; the core sends.

use std::sync::Arc;

use rhai::Dynamic;
use serde_json::Value;

use super::backend_script::{Script, request_map};
use crate::base::Result;
use crate::base::config::BackendConfig;
use crate::llm::Request;
use crate::llm::adapter::Functions;
use crate::script::context::Run;
use crate::script::values::{self, SchemaValue};
use crate::script::{Ctx, ScriptEngine};

/// What an adapter must define.
const FUNCTIONS: &[(&str, usize)] = &[("to_http", 1), ("from_http", 2)];

/// Why its functions are pure.
const NO_CALLS: &str =
    "the functions of an adapter may not ask a model: they only shape what is sent and read";

/// Opens the adapter of a configuration.
pub fn open(engine: &Arc<ScriptEngine>, root: &Ctx, config: &BackendConfig) -> Result<Functions> {
    let file = config.file.clone().unwrap_or_default();
    let script = Arc::new(Script::open(engine, root, &file, FUNCTIONS)?);
    let run = Arc::new(Run { is_backend: true, ..Run::default() });
    let ctx = Ctx { run, ..root.with_scope(root.scope.without_calls(NO_CALLS)) };
    let (asker, asked_in) = (script.clone(), ctx.clone());
    Ok(Functions {
        origin: script.origin(),
        file,
        to_http: Box::new(move |request, model| {
            plain(&asker, "to_http", vec![shown(request, model)], &asked_in)
        }),
        from_http: Box::new(move |status, body| {
            let arguments = vec![Dynamic::from(i64::from(status)), values::from_json(&body)];
            plain(&script, "from_http", arguments, &ctx)
        }),
    })
}

/// The request, with its schema, or `()`.
fn shown(request: &Request, model: &str) -> Dynamic {
    let mut map = request_map(request, model);
    let schema = request.schema.as_ref().map(|schema| Dynamic::from(SchemaValue(schema.clone())));
    map.insert("schema".into(), schema.unwrap_or(Dynamic::UNIT));
    Dynamic::from_map(map)
}

/// Calls a function, for what can be sent of its value.
fn plain(script: &Script, function: &str, arguments: Vec<Dynamic>, ctx: &Ctx) -> Result<Value> {
    let value = script.call(function, arguments, ctx)?;
    values::to_json(&value).map_err(|error| script.blame(function, error))
}
