//! Models to talk to: `get_backend`, `complete`, `complete_structured`.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map, Module, NativeCallContext};

use super::messages;
use super::options::{Options, OptionsOf};
use crate::base::config::Params;
use crate::base::{Error, Kind, Result};
use crate::llm::{Reply, Request, Schema};
use crate::script::{Ctx, ScriptResult, values};
use crate::work::backends::{self, Backend};
use crate::work::call;

/// The functions that take options.
#[rustfmt::skip]
pub const OPTIONS: &[OptionsOf] = &[
    OptionsOf { function: "get_backend", parameter: 1, names: &["model", "max_tokens", "temperature", "top_p", "seed", "stop"] },
    OptionsOf { function: "complete", parameter: 2, names: &["system", "max_tokens", "temperature", "top_p", "seed", "stop"] },
    OptionsOf { function: "complete_structured", parameter: 3, names: &["system", "max_tokens", "temperature", "top_p", "seed", "stop"] },
];

/// The namespace.
pub fn module() -> Module {
    let mut module = rhai::exported_module!(functions);
    module.set_custom_type::<Backend>("Backend");
    module.set_custom_type::<Completion>("Completion");
    module
}

/// What `complete` gives.
#[derive(Clone)]
pub struct Completion(Arc<Reply>);

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// The backend of a role or of a name in `config/fthost.yaml`.
    ///
    /// A role that lists several gives its first; see `get_backends`. With a kind and a `model` it
    /// is a backend that the configuration does not name, at the kind's usual address.
    ///
    /// Options: `model` (only with a kind), `max_tokens`, `temperature`, `top_p`, `seed`, `stop`:
    /// sampling parameters over those of the role.
    ///
    /// Errors: `not_found` for a name that the configuration does not have; `config` when its key is missing.
    ///
    /// ```rhai
    /// get_backend("user_sim").name   // -> "offline"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn get_backend(context: NativeCallContext, role_or_name: &str) -> ScriptResult<Backend> {
        Ok(first(&context, role_or_name, &Map::new())?)
    }

    #[rhai_fn(name = "get_backend", return_raw)]
    pub fn get_backend_with(
        context: NativeCallContext,
        role_or_name: &str,
        options: Map,
    ) -> ScriptResult<Backend> {
        Ok(first(&context, role_or_name, &options)?)
    }

    /// All backends of a role, in the order of the configuration: a third judge is one line there.
    ///
    /// ```rhai
    /// get_backends("judges").map(|judge| judge.name)   // -> ["offline-strict", "offline-lenient"]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn get_backends(context: NativeCallContext, role: &str) -> ScriptResult<Array> {
        let all = open(&context, role, &Map::new())?;
        Ok(all.into_iter().map(Dynamic::from).collect())
    }

    /// Asks the model. `prompt` is a string, or an array of `#{role, content}`.
    ///
    /// Gives a completion: `.content`, `.model`, `.finish_reason`, `.usage`
    /// (`#{input_tokens, output_tokens, cached_tokens, reasoning_tokens}`), `.reasoning`.
    ///
    /// Options: `system`, `max_tokens`, `temperature`, `top_p`, `seed`, `stop`. What neither the call
    /// nor the configuration sets is not sent.
    ///
    /// Errors, by `e.kind`: `refusal`, `truncated`, `filtered` (with the reply in `e.raw`), `rate_limit`,
    /// `timeout`, `connection`, `server`, `bad_request`.
    ///
    /// ```rhai
    /// let backend = get_backend("assistant");
    /// type_of(backend.complete("Hello! My grinder is stuck.").content)   // -> "string"
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn complete(
        context: NativeCallContext,
        backend: &mut Backend,
        prompt: Dynamic,
    ) -> ScriptResult<Completion> {
        Ok(ask(&context, backend, prompt, &Map::new())?)
    }

    #[rhai_fn(name = "complete", return_raw, pure)]
    pub fn complete_with(
        context: NativeCallContext,
        backend: &mut Backend,
        prompt: Dynamic,
        options: Map,
    ) -> ScriptResult<Completion> {
        Ok(ask(&context, backend, prompt, &options)?)
    }

    /// Asks the model for JSON that fits a schema; gives it as a map.
    ///
    /// The reply is validated here, whatever the server promises. A reply that does not fit is shown
    /// to the model once, with its fault. `schema` comes from `load_schema`, `rubric.schema`, or is a map.
    /// Options: `system`, `max_tokens`, `temperature`, `top_p`, `seed`, `stop`, as for `complete`.
    ///
    /// Errors: those of `complete`, and `invalid_json`, `schema_mismatch` (with the reply in `e.raw`).
    ///
    /// ```rhai
    /// let answer = schema(#{type: "object", properties: #{mood: #{type: "string"}}, required: ["mood"]});
    /// let reply = get_backend("assistant").complete_structured("How is the customer?", answer);
    /// type_of(reply.mood)   // -> "string"
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn complete_structured(
        context: NativeCallContext,
        backend: &mut Backend,
        prompt: Dynamic,
        schema: Dynamic,
    ) -> ScriptResult<Dynamic> {
        Ok(ask_structured(&context, backend, prompt, schema, &Map::new())?)
    }

    #[rhai_fn(name = "complete_structured", return_raw, pure)]
    pub fn complete_structured_with(
        context: NativeCallContext,
        backend: &mut Backend,
        prompt: Dynamic,
        schema: Dynamic,
        options: Map,
    ) -> ScriptResult<Dynamic> {
        Ok(ask_structured(&context, backend, prompt, schema, &options)?)
    }

    /// The name of a backend in `config/fthost.yaml`.
    ///
    /// ```rhai
    /// get_backend("assistant").name   // -> "offline"
    /// ```
    #[rhai_fn(get = "name", pure)]
    pub fn backend_name(backend: &mut Backend) -> String {
        backend.name.clone()
    }

    /// The model of a backend, or the one that a completion says it is from.
    #[rhai_fn(get = "model", pure)]
    pub fn backend_model(backend: &mut Backend) -> String {
        backend.model().to_string()
    }

    /// The text of the reply, without reasoning.
    #[rhai_fn(get = "content", pure)]
    pub fn completion_content(completion: &mut Completion) -> String {
        completion.0.content.clone()
    }

    #[rhai_fn(get = "model", pure)]
    pub fn completion_model(completion: &mut Completion) -> String {
        completion.0.model.clone()
    }

    /// Why the reply ended, in the provider's word.
    #[rhai_fn(get = "finish_reason", pure)]
    pub fn completion_finish_reason(completion: &mut Completion) -> String {
        completion.0.finish_reason.clone()
    }

    /// The reasoning before the reply, as far as the provider shows it; else `()`.
    #[rhai_fn(get = "reasoning", pure)]
    pub fn completion_reasoning(completion: &mut Completion) -> Dynamic {
        completion.0.reasoning.clone().map_or(Dynamic::UNIT, Dynamic::from)
    }

    /// The tokens of the call: `#{input_tokens, output_tokens, cached_tokens, reasoning_tokens}`.
    #[rhai_fn(get = "usage", pure, return_raw)]
    pub fn completion_usage(completion: &mut Completion) -> ScriptResult<Dynamic> {
        Ok(values::from_serialize(&completion.0.usage)?)
    }

    #[rhai_fn(name = "to_string", pure)]
    pub fn backend_to_string(backend: &mut Backend) -> String {
        format!("Backend({}, model {})", backend.name, backend.model())
    }

    #[rhai_fn(name = "to_string", pure)]
    pub fn completion_to_string(completion: &mut Completion) -> String {
        completion.0.content.clone()
    }
}

fn first(context: &NativeCallContext, name: &str, options: &Map) -> Result<Backend> {
    let none = || Error::new(Kind::Config, format!("the role `{name}` has no backend"));
    open(context, name, options)?.into_iter().next().ok_or_else(none)
}

fn open(context: &NativeCallContext, name: &str, options: &Map) -> Result<Vec<Backend>> {
    let ctx = Ctx::of(context)?;
    let options = Options::of("get_backend", options)?;
    let model = options.text("model")?;
    let all = backends::get(&ctx.world, name, model.as_deref(), options.params()?);
    let all = all.map_err(|error| match ctx.caller(context) {
        Some(place) if error.kind() == Kind::Test => ctx.world.noted(error.at(place)),
        _ => error,
    })?;
    refuse_nesting(&ctx, &all)?;
    let in_item = ctx.scope.item.is_some();
    all.iter().for_each(|backend| ctx.run.note_backend(backend.identity(), backend.is_script(), in_item));
    Ok(all)
}

/// A script that is a backend may ask a provider, and no script: it could ask itself without end.
fn refuse_nesting(ctx: &Ctx, backends: &[Backend]) -> Result<()> {
    let nests = |backend: &&Backend| {
        backend.is_script() && (ctx.run.is_stub || ctx.run.is_backend && !backend.is_stub())
    };
    match backends.iter().find(nests) {
        None => Ok(()),
        Some(backend) if ctx.run.is_stub => {
            let message = format!("the closure of a stub may not ask another backend (`{}`)", backend.name);
            Err(Error::new(Kind::Denied, message).hint("make the reply in the closure itself"))
        }
        Some(backend) => {
            let message =
                format!("a script that is a backend may not use another script backend (`{}`)", backend.name);
            Err(Error::new(Kind::Denied, message).hint("name one of a provider, or make the reply yourself"))
        }
    }
}

fn ask(context: &NativeCallContext, backend: &Backend, prompt: Dynamic, options: &Map) -> Result<Completion> {
    let ctx = Ctx::of(context)?;
    let request = request("complete", backend, prompt, options)?;
    call::complete(&ctx.world, &ctx.scope, backend, request).map(|reply| Completion(Arc::new(reply)))
}

fn ask_structured(
    context: &NativeCallContext,
    backend: &Backend,
    prompt: Dynamic,
    schema: Dynamic,
    options: &Map,
) -> Result<Dynamic> {
    let ctx = Ctx::of(context)?;
    let request = request("complete_structured", backend, prompt, options)?;
    let schema = to_schema(schema)?;
    let value = call::complete_structured(&ctx.world, &ctx.scope, backend, request, &schema)?;
    Ok(values::from_json(&value))
}

/// A schema as scripts give it: the type, or a map.
fn to_schema(value: Dynamic) -> Result<Arc<Schema>> {
    if let Some(schema) = value.clone().try_cast::<values::SchemaValue>() {
        return Ok(schema.0);
    }
    let map = value.read_lock::<Map>().ok_or_else(|| {
        let found = values::type_name(&value);
        Error::new(Kind::Argument, format!("the schema must be a schema or a map, not {found}"))
            .hint("take `rubric.schema`, `load_schema(path)` or `schema(#{...})`")
    })?;
    super::rubrics::schema_of_map(&map)
}

fn request(function: &'static str, backend: &Backend, prompt: Dynamic, options: &Map) -> Result<Request> {
    let options = Options::of(function, options)?;
    let params: Params = options.params()?.over(&backend.params);
    Ok(Request {
        messages: messages::of_prompt(prompt)?,
        system: options.text("system")?,
        params,
        schema: None,
    })
}
