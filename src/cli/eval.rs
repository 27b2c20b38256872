//! `fthost eval`: the value of an expression.

use super::args::{Common, Eval};
use super::output::Output;
use super::{check as findings_of, exit, project};
use crate::author::check;
use crate::base::Result;
use crate::host::Session;
use crate::script::values;

/// Evaluates and prints.
pub fn run(common: &Common, args: &Eval, output: &Output) -> Result<u8> {
    let session = Session::new(project::open_or_bare(common, "eval", output)?);
    let unit = session.load_expression(&args.expression)?;
    let findings = check::scripts(&session, &[&unit.path]);
    if findings_of::show_errors(&findings, output) {
        return Ok(exit::MISTAKE);
    }
    let value = session.eval(&unit);
    session.world.close();
    let value = value?;
    if args.json {
        output.result(&values::to_json(&value)?.to_string());
    } else if !value.is_unit() {
        output.result(&session.display(&value));
    }
    Ok(exit::DONE)
}
