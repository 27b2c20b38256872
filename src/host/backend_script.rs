//! Scripts that stand behind a backend: those that answer in place of a model, and those that shape what
//! a provider is told.

use std::sync::Arc;

use rhai::{Dynamic, Map};
use serde_json::json;

use crate::base::{Error, Kind, Place, Result};
use crate::llm::Request;
use crate::script::calls::for_each_call;
use crate::script::library::Unit;
use crate::script::{Ctx, ScriptEngine, values};

/// A loaded script and the engine to call it with.
pub struct Script {
    engine: Arc<ScriptEngine>,
    unit: Arc<Unit>,
}

impl Script {
    /// Loads a file of the project (wherever it stands) or a shipped module (`std/...`). It must have these
    /// functions, each with so many parameters.
    pub fn open(
        engine: &Arc<ScriptEngine>,
        root: &Ctx,
        file: &str,
        functions: &[(&str, usize)],
    ) -> Result<Script> {
        let unit = match file.starts_with("std/") {
            true => engine.library().load(engine.engine(), file.trim_end_matches(".rhai"))?,
            false => {
                let text = root.world.project.read_text(file)?;
                engine.library().load_text(engine.engine(), file, &text)?
            }
        };
        let script = Script { engine: engine.clone(), unit };
        script.refuse_own_methods()?;
        match functions.iter().find(|(name, parameters)| !script.defines(name, *parameters)) {
            None => Ok(script),
            Some((name, parameters)) => Err(lacks(file, name, *parameters)),
        }
    }

    /// Whether it has a function of that many parameters.
    pub fn defines(&self, name: &str, parameters: usize) -> bool {
        self.unit.ast.iter_functions().any(|f| f.name == name && f.params.len() == parameters)
    }

    /// `backend.complete(prompt)` would call the file's own `complete(request)`: the engine takes a script's
    /// functions for methods first.
    fn refuse_own_methods(&self) -> Result<()> {
        let mut found = None;
        for_each_call(&self.unit, &mut |call| {
            let asks = ["complete", "complete_structured"].contains(&call.name());
            if call.is_method && asks && self.defines(call.name(), call.expr.args.len()) {
                found.get_or_insert((call.name().to_string(), call.position));
            }
        });
        let Some((name, position)) = found else { return Ok(()) };
        let (line, column) = (position.line().unwrap_or(0), position.position().unwrap_or(0));
        let message = format!("this calls the file's own `{name}`, not the backend's");
        Err(Error::new(Kind::Script, message)
            .hint(format!("add options, be they empty: .{name}(..., #{{}})"))
            .at(Place::new(&self.unit.path, &self.unit.source, line, column)))
    }

    /// What its answers depend on: for a file also its code; those of a shipped module only on its name.
    pub fn origin(&self) -> String {
        let path = &self.unit.path;
        match path.starts_with("std/") {
            true => format!("({path})"),
            false => format!("{path} {}", self.engine.library().code_hash(self.engine.engine(), path)),
        }
    }

    /// Calls one of its functions.
    pub fn call(&self, function: &str, arguments: Vec<Dynamic>, ctx: &Ctx) -> Result<Dynamic> {
        self.engine.call(&self.unit, function, arguments, ctx).map_err(|error| self.blame(function, error))
    }

    /// Gives an error without a place that of a function: its caller is not to blame.
    pub fn blame(&self, function: &str, error: Error) -> Error {
        let source = &self.unit.source;
        let defines = |line: &str| line.trim_start().starts_with(&format!("fn {function}("));
        match source.lines().position(defines) {
            Some(line) => error.at(Place::new(&self.unit.path, source, line + 1, 0)),
            None => error,
        }
    }
}

fn lacks(file: &str, function: &str, parameters: usize) -> Error {
    let names = ["request", "schema"];
    let names = if function == "from_http" { ["status", "body"] } else { names };
    let signature = format!("fn {function}({})", names[..parameters.min(names.len())].join(", "));
    Error::new(Kind::Script, format!("{file} is a backend's script, and has no `{signature}`"))
        .hint("docs/configuration.md shows what the functions of such a script take and return")
}

/// A request as such scripts get it.
pub fn request_map(request: &Request, model: &str) -> Map {
    let plain = json!({
        "messages": request.messages,
        "system": request.system.clone().unwrap_or_default(),
        "model": model,
        "params": request.params,
    });
    plain.as_object().map(values::object_to_map).unwrap_or_default()
}
