//! Reading the project, writing to data/: `read_text`, `load_yaml`, `write_json`, `list_files`, ...

use rhai::plugin::*;
use rhai::{Array, Dynamic, Module, NativeCallContext};
use serde_json::Value;

use super::reader::{LazyItems, parse_line};
use crate::base::yaml::Document;
use crate::base::{Error, Kind, Place, Result};
use crate::script::{Ctx, ScriptResult, values};

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// The text of a file of the project (UTF-8).
    ///
    /// Paths are relative to the project's root and cannot leave it; `.env*`, `.git` and `.fthost` are closed.
    ///
    /// ```rhai
    /// write_text("data/note.txt", "hello");
    /// read_text("data/note.txt")   // -> "hello"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read_text(context: NativeCallContext, path: &str) -> ScriptResult<String> {
        Ok(super::one_string(&context, path)?)
    }

    /// A JSON file as a value.
    ///
    /// ```rhai
    /// write_json("data/n.json", #{n: 1});
    /// read_json("data/n.json").n   // -> 1
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read_json(context: NativeCallContext, path: &str) -> ScriptResult<Dynamic> {
        Ok(super::json(path, &super::text(&context, path)?)?)
    }

    /// A JSONL file as an array, one value a line; see `stream_jsonl` for large ones.
    ///
    /// ```rhai
    /// write_jsonl("data/n.jsonl", [1, 2]);
    /// read_jsonl("data/n.jsonl")   // -> [1, 2]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read_jsonl(context: NativeCallContext, path: &str) -> ScriptResult<Array> {
        Ok(super::json_lines(path, &super::text(&context, path)?)?)
    }

    /// The lines of a JSONL file, read one by one: for `for`, `process`, `parallel_map`.
    ///
    /// ```rhai
    /// write_jsonl("data/n.jsonl", [#{id: "a"}, #{id: "b"}]);
    /// parallel_map(stream_jsonl("data/n.jsonl"), |item| item.id)   // -> ["a", "b"]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn stream_jsonl(context: NativeCallContext, path: &str) -> ScriptResult<LazyItems> {
        Ok(LazyItems::lines(&Ctx::of(&context)?.world.project, path)?)
    }

    /// A YAML file as a value. Words such as NO and YES stay texts; a duplicate key is an error.
    ///
    /// ```rhai
    /// write_text("data/a.yaml", "answer: NO\nweights: [0.5, 0.5]");
    /// load_yaml("data/a.yaml").answer   // -> "NO"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn load_yaml(context: NativeCallContext, path: &str) -> ScriptResult<Dynamic> {
        let document = Document::parse(path, &super::text(&context, path)?)?;
        Ok(values::from_json(&document.read::<Value>()?))
    }

    /// Writes a text file below data/, whole or not at all.
    ///
    /// ```rhai
    /// write_text("data/note.txt", "hello");
    /// list_files("data/*.txt")   // -> ["data/note.txt"]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn write_text(context: NativeCallContext, path: &str, text: &str) -> ScriptResult<()> {
        Ok(super::write(&context, path, text)?)
    }

    /// Writes a value as a JSON file below data/, whole or not at all.
    ///
    /// ```rhai
    /// write_json("data/n.json", [1, 2.5, "x"]);
    /// read_json("data/n.json")   // -> [1, 2.5, "x"]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn write_json(context: NativeCallContext, path: &str, value: Dynamic) -> ScriptResult<()> {
        let json = values::to_json(&value)?;
        Ok(super::write(&context, path, &format!("{json:#}\n"))?)
    }

    /// Writes an array as a JSONL file below data/, one value a line, whole or not at all.
    ///
    /// ```rhai
    /// write_jsonl("data/n.jsonl", [#{a: 1}]);
    /// read_text("data/n.jsonl")   // -> "{\"a\":1}\n"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn write_jsonl(context: NativeCallContext, path: &str, items: Array) -> ScriptResult<()> {
        let lines = items.iter().map(|item| Ok(format!("{}\n", values::to_json(item)?)));
        Ok(super::write(&context, path, &lines.collect::<Result<String>>()?)?)
    }

    /// The files that a glob matches, sorted.
    ///
    /// ```rhai
    /// list_files("config/prompts/*.md").len()   // -> 4
    /// ```
    #[rhai_fn(return_raw)]
    pub fn list_files(context: NativeCallContext, glob: &str) -> ScriptResult<Array> {
        let files = Ctx::of(&context)?.world.project.list(glob)?;
        Ok(files.into_iter().map(Into::into).collect())
    }
}

/// A file that becomes one string, judged by its size before it is read.
fn one_string(context: &NativeCallContext, path: &str) -> Result<String> {
    let world = Ctx::of(context)?.world;
    let most = world.config.limits.string_bytes as u64;
    let size = world.project.open_read(path)?.metadata().map_or(0, |meta| meta.len());
    if size > most {
        let message = format!("`{path}` has {size} bytes, and a string may have {most}");
        return Err(Error::new(Kind::Limit, message).hint(
            "read it line by line with stream_jsonl, or raise limits.string_bytes in config/fthost.yaml",
        ));
    }
    world.project.read_text(path)
}

fn text(context: &NativeCallContext, path: &str) -> Result<String> {
    Ctx::of(context)?.world.project.read_text(path)
}

fn json(path: &str, text: &str) -> Result<Dynamic> {
    let value: Value = serde_json::from_str(text).map_err(|e| {
        Error::new(Kind::Data, "this is not JSON").at(Place::new(path, text, e.line(), e.column()))
    })?;
    Ok(values::from_json(&value))
}

fn json_lines(path: &str, text: &str) -> Result<Array> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(i, line)| Ok(values::from_json(&parse_line(path, i + 1, line)?))).collect()
}

fn write(context: &NativeCallContext, path: &str, text: &str) -> Result<()> {
    let ctx = Ctx::of(context)?;
    ctx.world.stop_on_disk_error(ctx.world.project.write_whole(path, text.as_bytes()))
}
