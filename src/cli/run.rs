//! `fthost run`: scripts, in order. All are checked before the first runs.

use std::sync::Arc;
use std::time::Instant;

use super::args::{Common, Run};
use super::check::show_errors;
use super::output::{Output, end_event};
use super::{exit, project, signals, summary};
use crate::author::check;
use crate::base::{Kind, Result};
use crate::host::Session;
use crate::script::library::Unit;
use crate::work::plan::Redo;
use crate::work::settings::Settings;
use crate::work::world::RunOptions;

/// Runs the scripts; the exit code is that of the last one that ran.
pub fn run(common: &Common, args: &Run, output: &Output) -> Result<u8> {
    let started = Instant::now();
    output.set_verbose(common.verbose);
    let mut world = project::open(common, output)?;
    world.options = options(args);
    world.settings = Settings::parse(&args.setting)?;
    world.locks = true;
    let session = Session::new(world);
    let entries = args.scripts.iter().map(|named| project::entry_script(session.world.project.root(), named));
    let entries = entries.collect::<Result<Vec<_>>>()?;
    let Some(units) = load(&session, &entries, output) else { return Ok(exit::MISTAKE) };
    session.world.settings.check_known(&settings_read(&session, &units))?;
    signals::listen(&session.world, output)?;
    let code = run_all(&session, &units, output);
    session.world.release_checkpoints();
    let seconds = started.elapsed().as_secs_f64();
    output.machine(&end_event(code, seconds, summary::backends_json(&session.world)));
    summary::totals(&session.world, seconds, output);
    Ok(code)
}

fn options(args: &Run) -> RunOptions {
    RunOptions {
        limit: args.limit,
        redo: args.redo.as_deref().map_or(Redo::Nothing, Redo::parse),
        concurrency: args.concurrency.map(|n| n as usize),
        fail_fast: args.fail_fast,
    }
}

/// The loaded scripts; none when a mistake is anywhere, also in a branch that never runs.
fn load(session: &Session, entries: &[(String, String)], output: &Output) -> Option<Vec<Arc<Unit>>> {
    if show_errors(&check::entries(session, entries), output) {
        output.remark("nothing was run");
        return None;
    }
    entries.iter().map(|(path, _)| session.engine.library().unit(path)).collect()
}

fn settings_read(session: &Session, units: &[Arc<Unit>]) -> Vec<String> {
    let library = session.engine.library();
    units.iter().flat_map(|unit| check::settings_read(&library.reachable(&unit.path))).collect()
}

/// Runs the scripts until one ends other than 0 or 1.
fn run_all(session: &Session, units: &[Arc<Unit>], output: &Output) -> u8 {
    let mut worst = exit::DONE;
    for unit in units {
        let code = run_one(session, unit, output);
        worst = worst.max(code);
        if code > exit::ITEMS_FAILED {
            return code;
        }
    }
    worst
}

fn run_one(session: &Session, unit: &Unit, output: &Output) -> u8 {
    let result = session.run(unit);
    let failures = output.take_failures();
    match &result {
        // The reason says what all of them say.
        Err(error) if error.kind() == Kind::Repeating => {}
        _ => summary::failures(&failures, output),
    }
    match result {
        Ok(()) if failures.is_empty() => exit::DONE,
        Ok(()) => exit::ITEMS_FAILED,
        Err(error) => {
            output.error(&error);
            exit::code(&error)
        }
    }
}
