//! `fthost doctor`: what is wrong with the project's data, and with `--repair` what was mended.

use std::sync::Arc;

use super::args::{Common, Doctor};
use super::output::Output;
use super::{exit, project};
use crate::base::Result;
use crate::base::numbers::count;
use crate::store::Project;
use crate::work::doctor::{self, Finding, Said};

/// Examines, and mends when asked to. It needs no sound configuration.
pub fn run(common: &Common, args: &Doctor, output: &Output) -> Result<u8> {
    let project = Arc::new(Project::open(&project::root(common)?)?);
    let (mut findings, mut mended) = (0, 0);
    doctor::examine(&project, args.repair, &mut |said| match said {
        Said::Finding(Finding { place, what, remedy }) => {
            findings += 1;
            output.result(&format!("{place}: {what}\n  {remedy}"));
        }
        Said::Mended(text) => {
            mended += 1;
            output.result(&format!("mended: {text}"));
        }
        Said::Note(text) => output.result(&format!("note: {text}")),
    })?;
    output.result(&match (findings, mended) {
        (0, 0) => "all is well".into(),
        (0, mended) => format!("{mended} mended, all is well now"),
        (findings, 0) => count(findings, "finding"),
        (findings, mended) => format!("{mended} mended; {} left", count(findings, "finding")),
    });
    Ok(if findings == 0 { exit::DONE } else { exit::ITEMS_FAILED })
}
