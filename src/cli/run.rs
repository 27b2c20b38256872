//! `fthost run`: scripts, in order. All are checked before the first runs.

use std::sync::Arc;
use std::time::Instant;

use tempfile::TempDir;

use super::args::{Common, Run};
use super::check::{count_warnings, show_errors};
use super::output::Output;
use super::{dry, exit, project, room, rounds, signals, summary};
use crate::author::check;
use crate::base::{Error, Kind, Result};
use crate::host::Session;
use crate::script::library::Unit;
use crate::store::ledger::Sums;
use crate::work::World;
use crate::work::budget::Caps;
use crate::work::plan::Redo;
use crate::work::settings::{Settings, shell_word};
use crate::work::world::RunOptions;

/// Runs the scripts; the exit code is that of the last one that ran. Whatever happens, the last event for
/// machines is the end.
pub fn run(common: &Common, args: &Run, output: &Output) -> Result<u8> {
    let end = End { started: Instant::now(), output: output.clone() };
    output.set_verbose(common.verbose);
    room::make();
    if args.watch {
        return Ok(rounds::run(common, args, &end));
    }
    let Ready { session, units, _scratch } = match prepare(common, args, &end) {
        Ok(ready) => ready,
        Err(code) => {
            end.tell(code, None);
            return Ok(code);
        }
    };
    let code = run_all(&session, &units, output, &|error| output.error(error));
    let world = &session.world;
    world.close();
    let code = code.max(unwritten(world, code, output));
    report(code, world, &end);
    if args.fresh && code > exit::ITEMS_FAILED {
        output.remark("what was asked in this run is kept: go on without --fresh, which would ask it anew");
    }
    // What was asked for the report was read.
    world.close();
    Ok(code)
}

/// What could not be written after the scripts had ended: told, and its exit code.
pub fn unwritten(world: &World, code: u8, output: &Output) -> u8 {
    match world.stop.reason().filter(|why| why.kind() == Kind::Disk && code <= exit::ITEMS_FAILED) {
        Some(error) => {
            output.error(&error);
            exit::code(&error)
        }
        None => code,
    }
}

/// Tells what was done, or in a dry run what would be.
fn report(code: u8, world: &World, end: &End) {
    let output = &end.output;
    if let Some(dry) = &world.dry {
        // What a script that broke off would have asked for is not known.
        if code <= exit::ITEMS_FAILED {
            dry::report(dry, &world.budget, output);
        }
        end.tell(code, Some(world));
        return;
    }
    let seconds = end.tell(code, Some(world));
    summary::totals(world, seconds, output);
}

/// How a run's end is told to machines, once, by whoever comes to it first.
#[derive(Clone)]
pub struct End {
    /// When the command began.
    pub started: Instant,
    /// Where it is told.
    pub output: Output,
}

impl End {
    /// Tells the exit code and what was spent; gives the seconds that the run took.
    pub fn tell(&self, code: u8, world: Option<&World>) -> f64 {
        let seconds = self.started.elapsed().as_secs_f64();
        let world = world.filter(|world| world.dry.is_none());
        self.output.last(&summary::end_json(code, seconds, world));
        seconds
    }
}

/// What is to be run.
struct Ready {
    session: Session,
    units: Vec<Arc<Unit>>,
    /// Where a dry run writes; goes with it.
    _scratch: Option<TempDir>,
}

/// The project and its checked scripts, ready to run. A mistake anywhere, also in a branch that never runs,
/// is told now; what is left of it is the exit code.
fn prepare(common: &Common, args: &Run, end: &End) -> Result<Ready, u8> {
    let output = &end.output;
    let (session, scratch) = open(common, args, end).map_err(|error| told(&error, output))?;
    let units = checked(&session, args, output)?;
    Ok(Ready { session, units, _scratch: scratch })
}

/// Tells an error; its exit code.
pub fn told(error: &Error, output: &Output) -> u8 {
    output.error(error);
    exit::code(error)
}

/// The scripts of the command, loaded and without a mistake; else the exit code of what was told.
pub fn checked(session: &Session, args: &Run, output: &Output) -> Result<Vec<Arc<Unit>>, u8> {
    let tell = |error: Error| told(&error, output);
    let entries = entries(session, args).map_err(tell)?;
    let mut findings = check::entries(session, &entries);
    findings.extend(check::test_only::check(session, entries.iter().map(|(path, _)| path.as_str())));
    if show_errors(&findings, output) {
        output.remark("nothing was run");
        return Err(exit::MISTAKE);
    }
    count_warnings(&findings, output);
    let loaded = |(path, _): &(String, String)| session.engine.library().unit(path);
    let units: Vec<_> = entries.iter().filter_map(loaded).collect();
    session.world.settings.check_known(&settings_read(session, &units)).map_err(tell)?;
    Ok(units)
}

fn open(common: &Common, args: &Run, end: &End) -> Result<(Session, Option<TempDir>)> {
    let output = &end.output;
    let mut world = open_world(common, args, output)?;
    let scratch = args.dry_run.then(|| dry::prepare(&mut world, output)).transpose()?;
    world.cap(caps(args), Sums::default());
    world.ledger.check()?;
    let session = Session::new(world);
    let (forced, world) = (end.clone(), session.world.clone());
    let leaving = signals::Leaving {
        scratch: scratch.as_ref().map(|dir| dir.path().to_path_buf()),
        tell_end: Box::new(move || {
            forced.tell(exit::INTERRUPTED, Some(&world));
        }),
    };
    signals::listen(&session.world, output, leaving)?;
    let world = session.world.clone();
    output.watch(Box::new(move || world.backends.spent()));
    Ok((session, scratch))
}

/// The world of the command, with what its arguments say but for caps.
pub fn open_world(common: &Common, args: &Run, output: &Output) -> Result<World> {
    let mut world = project::open(common, &command_words(), output)?;
    world.options = options(args);
    world.settings = Settings::parse(&args.setting)?;
    world.locks = true;
    Ok(world)
}

/// What the command may spend.
pub fn caps(args: &Run) -> Caps {
    Caps { usd: args.max_usd, calls: args.max_calls }
}

fn options(args: &Run) -> RunOptions {
    RunOptions {
        limit: args.limit,
        redo: args.redo.as_deref().map_or(Redo::Nothing, Redo::parse),
        concurrency: args.concurrency.map(|n| n as usize),
        fail_fast: args.fail_fast,
        fresh: args.fresh,
    }
}

/// The command as it was given.
fn command_words() -> String {
    let words = std::env::args().skip(1).map(|word| shell_word(&word));
    words.collect::<Vec<_>>().join(" ")
}

/// The named scripts: path and text.
fn entries(session: &Session, args: &Run) -> Result<Vec<(String, String)>> {
    let root = session.world.project.root();
    args.scripts.iter().map(|named| project::entry_script(root, named)).collect()
}

fn settings_read(session: &Session, units: &[Arc<Unit>]) -> Vec<String> {
    let library = session.engine.library();
    units.iter().flat_map(|unit| check::settings_read(&library.reachable(&unit.path))).collect()
}

/// Tells the error by which a script ended.
pub type Tell<'a> = &'a dyn Fn(&Error);

/// Runs the scripts until one ends other than 0 or 1.
pub fn run_all(session: &Session, units: &[Arc<Unit>], output: &Output, tell: Tell) -> u8 {
    let mut worst = exit::DONE;
    for unit in units {
        let code = run_one(session, unit, output, tell);
        worst = worst.max(code);
        if code > exit::ITEMS_FAILED {
            return code;
        }
    }
    worst
}

fn run_one(session: &Session, unit: &Unit, output: &Output, tell: Tell) -> u8 {
    // A script may come to its end after all when it was told to stop: then, too, no other begins.
    let result = session.run(unit).and_then(|()| session.world.stop.check());
    output.end_progress();
    let failures = output.take_failures();
    match &result {
        // The reason says what all of them say.
        Err(error) if error.kind() == Kind::Repeating => {}
        _ => summary::failures(&failures, session.world.dry.is_none(), output),
    }
    match result {
        Ok(()) if failures.is_empty() => exit::DONE,
        Ok(()) => exit::ITEMS_FAILED,
        Err(error) => {
            let code = exit::code(&error);
            tell(&without_irrelevant_place(error));
            code
        }
    }
}

/// Where a script was when Ctrl-C came is no fault of it.
fn without_irrelevant_place(error: Error) -> Error {
    match error.kind() {
        Kind::Interrupted => {
            Error::new(Kind::Interrupted, error.message()).or_hint(error.get_hint().map(str::to_string))
        }
        _ => error,
    }
}
