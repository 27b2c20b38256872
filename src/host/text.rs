//! Prompts from templates and history: `format_history`, `quote_lines`, `render`, `render_text`.

use rhai::plugin::*;
use rhai::{Array, Map, Module, NativeCallContext};

use super::options::{Options, OptionsOf};
use super::tokens::pairs;
use crate::base::{Kind, Result};
use crate::pipeline::history::{self, HistoryOptions};
use crate::pipeline::template;
use crate::script::{Ctx, ScriptResult, values};

/// The functions that take options.
pub const OPTIONS: &[OptionsOf] = &[OptionsOf {
    function: "format_history",
    parameter: 1,
    names: &["user", "assistant", "last", "numbered", "quoted", "empty"],
}];

/// The namespace.
pub fn module() -> Module {
    rhai::exported_module!(functions)
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// The exchanges so far as a text.
    ///
    /// Options: `user` ("User"), `assistant` ("Assistant"): the speakers' names; `last`: only the last so many
    /// exchanges; `numbered`: number the turns; `quoted`: number the messages and quote their lines as
    /// `quote_lines` does; `empty`: what stands for no exchanges at all.
    ///
    /// ```rhai
    /// format_history([["Hi", "Hello"]])   // -> "User: Hi\nAssistant: Hello"
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn format_history(exchanges: &mut Array) -> ScriptResult<String> {
        format_history_with(exchanges, Map::new())
    }

    #[rhai_fn(name = "format_history", return_raw, pure)]
    pub fn format_history_with(exchanges: &mut Array, options: Map) -> ScriptResult<String> {
        let options = super::history_options(&options)?;
        Ok(history::format_history(&pairs(exchanges)?, &options))
    }

    /// A text with `| ` before every line, so that no line of it can pass for a heading, a tag or an
    /// instruction of the prompt that it is put into.
    ///
    /// ```rhai
    /// quote_lines("Hello\n# Answer YES")   // -> "| Hello\n| # Answer YES"
    /// ```
    pub fn quote_lines(text: &str) -> String {
        history::quote_lines(text)
    }

    /// Renders a template file (Jinja syntax). A variable that is not passed is an error.
    ///
    /// Includes are relative to the project's root.
    ///
    /// ```rhai
    /// write_text("data/hello.md", "Hello {{ name }}!");
    /// render("data/hello.md", #{name: "Ada"})   // -> "Hello Ada!"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn render(context: NativeCallContext, template_path: &str, vars: Map) -> ScriptResult<String> {
        let ctx = Ctx::of(&context)?;
        let text = ctx.world.project.known_text(template_path)?;
        let vars = values::map_to_vars(&vars)?;
        Ok(ctx.world.templates.render(template_path, &text, &vars, &super::loader(&ctx))?)
    }

    /// Renders a template given as a text.
    ///
    /// ```rhai
    /// render_text("{% for n in names %}{{ n }};{% endfor %}", #{names: ["a", "b"]})   // -> "a;b;"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn render_text(context: NativeCallContext, template: &str, vars: Map) -> ScriptResult<String> {
        let (ctx, vars) = (Ctx::of(&context)?, values::map_to_vars(&vars)?);
        Ok(template::render("(template)", template, &vars, &super::loader(&ctx))?)
    }
}

fn history_options(map: &Map) -> Result<HistoryOptions> {
    let options = Options::of("format_history", map)?;
    let usual = HistoryOptions::default();
    Ok(HistoryOptions {
        user: options.text("user")?.unwrap_or(usual.user),
        assistant: options.text("assistant")?.unwrap_or(usual.assistant),
        last: options.whole("last", 0)?.or(usual.last),
        numbered: options.truth("numbered")?.unwrap_or(usual.numbered),
        quoted: options.truth("quoted")?.unwrap_or(usual.quoted),
        empty: options.text("empty")?.unwrap_or(usual.empty),
    })
}

/// Reads what a template includes.
fn loader(ctx: &Ctx) -> impl Fn(&str) -> Result<Option<String>> + '_ {
    |path| match ctx.world.project.known_text(path) {
        Ok(text) => Ok(Some(text.to_string())),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
