//! `fthost docs`: the reference of the host API, from the code.

use super::args::{Docs, Format};
use super::exit;
use super::output::Output;
use crate::author::{definitions, reference};
use crate::base::Result;

/// Prints it.
pub fn run(args: &Docs, output: &Output) -> Result<u8> {
    let text = match args.format {
        Format::Md => reference::markdown(),
        Format::Json => reference::json(),
        Format::Rhai => definitions::definitions(),
    };
    output.result(text.trim_end());
    Ok(exit::DONE)
}
