//! `fthost run --watch`: the scripts run, edits are waited for, and the scripts run again; after each round it is
//! shown what changed.
//!
//! Each round has a world and a session of its own, so that it sees the files as they are, and holds no lock while
//! nothing runs. What lasts is what the command has spent, and the prompts of a few items.

mod calls;
mod diff;
mod news;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::args::{Common, Run};
use super::output::Output;
use super::run::{End, caps, checked, open_world, run_all, told, unwritten};
use super::signals::{InRound, Interrupts, Leaving};
use super::watch::{SOURCES, Watcher};
use super::{exit, project, summary};
use crate::author::changes::Log;
use crate::base::cancel::Stop;
use crate::base::numbers::count;
use crate::base::{Error, Kind, Result};
use crate::host::Session;
use crate::script::library::Unit;
use crate::store::ledger::Sums;
use crate::work::World;
use crate::work::plan::Redo;
use crate::work::world::CommandRuntime;
use calls::Calls;
use news::News;
use report::Report;

/// Why a round stops when files are edited while it runs.
const EDITED: &str = "the files were edited";

/// Runs rounds until Ctrl-C; the exit code is that of the last one.
pub fn run(common: &Common, args: &Run, end: &End) -> u8 {
    let output = &end.output;
    let (code, command) = match open(common, args, end) {
        Ok((mut command, mut watcher)) => (command.run(&mut watcher), Some(command)),
        Err(error) => (told(&error, output), None),
    };
    let mut event = summary::end_json(code, end.started.elapsed().as_secs_f64(), None);
    if let Some(command) = command {
        event["rounds"] = command.number.into();
        event["spent"] = json!(command.spent);
        command.tell_total();
    }
    output.last(&event);
    code
}

fn open<'a>(common: &'a Common, args: &'a Run, end: &'a End) -> Result<(Command<'a>, Watcher)> {
    refuse(args)?;
    let root = project::root(common)?;
    let runtime = CommandRuntime::default();
    let interrupts = Interrupts::listen(runtime.get()?)?;
    let scripts = args.scripts.iter().flat_map(|named| [PathBuf::from(named), root.join(named)]);
    let watcher = Watcher::of_project(&root, &SOURCES, scripts.filter(|path| path.is_file()));
    let news = News::new(end.output.clone());
    let (number, spent, log) = Default::default();
    Ok((Command { common, args, end, runtime, interrupts, log, news, number, spent }, watcher))
}

/// What would pay for every turn anew with each edit, or would change nothing that could be shown.
fn refuse(args: &Run) -> Result<()> {
    let anew = "each edit would pay anew for what it does not concern; --watch redoes what it made stale";
    let why = match args.redo.as_deref() {
        _ if args.dry_run => {
            ("--dry-run", "a dry run keeps nothing that a later round could be held against")
        }
        _ if args.fresh => ("--fresh", anew),
        Some("stale") | None => return Ok(()),
        Some("all") => ("--redo all", anew),
        Some(_) => ("--redo ID,...", anew),
    };
    Err(Error::new(Kind::Usage, format!("--watch does not go with {}: {}", why.0, why.1))
        .hint(format!("leave out one of them; `{}` works without --watch", why.0)))
}

/// A command that runs in rounds.
struct Command<'a> {
    common: &'a Common,
    args: &'a Run,
    end: &'a End,
    runtime: CommandRuntime,
    interrupts: Interrupts,
    log: Arc<Log>,
    news: News,
    /// Rounds that have begun.
    number: usize,
    /// What all rounds have spent.
    spent: Sums,
}

/// How a round ended.
struct Ended {
    code: u8,
    /// What was edited while it ran.
    edited: Option<Vec<String>>,
}

impl Command<'_> {
    fn run(&mut self, watcher: &mut Watcher) -> u8 {
        let output = self.output().clone();
        let mut edited: Vec<String> = Vec::new();
        loop {
            self.number += 1;
            // What was edited since is a part of what this round reads.
            let more = watcher.changed().into_iter().filter(|path| !edited.contains(path));
            edited.extend(more.collect::<Vec<_>>());
            output.machine(&json!({"event": "round_started", "round": self.number, "changed": edited}));
            let ended = self.round(&edited, watcher);
            if self.interrupts.came() || self.cannot_begin(&ended) {
                return ended.code;
            }
            edited = match ended.edited {
                Some(paths) => paths,
                None => {
                    output.remark("watching scripts/, config/ and .env: edit and save, Ctrl-C to end");
                    let Some(paths) = watcher.wait_for_change(|| self.interrupts.came()) else {
                        return ended.code;
                    };
                    output.machine(&json!({"event": "changed", "paths": paths}));
                    output.remark(&format!("\nedited {}", named(&paths)));
                    paths
                }
            };
        }
    }

    fn output(&self) -> &Output {
        &self.end.output
    }

    /// Whether the command itself is at fault: no edit would mend it.
    fn cannot_begin(&self, ended: &Ended) -> bool {
        self.number == 1 && ended.code == exit::MISTAKE && self.names_no_script()
    }

    fn names_no_script(&self) -> bool {
        let root = project::root(self.common).unwrap_or_default();
        self.args.scripts.iter().any(|named| project::entry_script(&root, named).is_err())
    }

    /// One round, from reading the project to the report.
    fn round(&mut self, edited: &[String], watcher: &mut Watcher) -> Ended {
        let started = Instant::now();
        let (session, units) = match self.prepare() {
            Ok(prepared) => prepared,
            Err(code) => {
                self.tell_machines(code, started, json!({}));
                return Ended { code, edited: None };
            }
        };
        self.news.next_round();
        let ended = self.work(&session, &units, watcher);
        let world = &session.world;
        let changes = self.log.finish(world);
        world.close();
        let code = ended.code.max(unwritten(world, ended.code, self.output()));
        self.spent.join(&world.budget.spent());
        let calls = Calls::of(world, started.elapsed());
        let is_whole = code != exit::INTERRUPTED || !stopped_by_edit(&world.stop);
        let report = Report { number: self.number, edited, changes, calls, is_whole };
        self.tell_machines(code, started, report.json(world));
        self.output().result(&report.text(world, self.output().width(), self.output().is_verbose()));
        world.close();
        world.let_go();
        Ended { code, ..ended }
    }

    /// The project as it is now, and its checked scripts; else the exit code of what was told.
    fn prepare(&self) -> Result<(Session, Vec<Arc<Unit>>), u8> {
        let session = self.session().map_err(|error| told(&error, self.output()))?;
        match checked(&session, self.args, self.output()) {
            Ok(units) => Ok((session, units)),
            Err(code) => {
                session.world.let_go();
                Err(code)
            }
        }
    }

    /// The project as it is now. Rounds after an edit redo what it made stale.
    fn session(&self) -> Result<Session> {
        let mut world = open_world(self.common, self.args, self.output())?;
        if self.number > 1 {
            world.options.redo = Redo::Stale;
        }
        world.runtime = self.runtime.clone();
        world.events = Arc::new(self.news.clone());
        world.observer = Some(self.log.clone());
        world.cap(caps(self.args), self.spent);
        world.ledger.check()?;
        Ok(Session::new(world))
    }

    /// Runs the scripts; an edit in the meantime lets the calls on the wire come to their end, and no other begin.
    fn work(&self, session: &Session, units: &[Arc<Unit>], watcher: &mut Watcher) -> Ended {
        let (world, output) = (&session.world, self.output());
        let _listening = match InRound::listen(&self.interrupts, world, output, self.leaving()) {
            Ok(listening) => listening,
            Err(error) => return Ended { code: told(&error, output), edited: None },
        };
        let seen = world.clone();
        output.watch(Box::new(move || seen.backends.spent()));
        let over = AtomicBool::new(false);
        let tell = |error: &Error| match is_edit(error) {
            true => {}
            false => output.error(error),
        };
        thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let changed =
                    watcher.wait_for_change(|| over.load(Ordering::Acquire) || self.interrupts.came())?;
                self.drain(&world.stop, &changed);
                Some(changed)
            });
            let code = run_all(session, units, output, &tell);
            over.store(true, Ordering::Release);
            Ended { code, edited: watching.join().unwrap_or_default() }
        })
    }

    fn drain(&self, stop: &Stop, changed: &[String]) {
        let waiting = match stop.calls() {
            0 => String::new(),
            n => format!(" after {} on the wire", count(n, "call")),
        };
        stop.drain_because(Error::new(Kind::Interrupted, EDITED));
        self.output().machine(&json!({"event": "changed", "paths": changed}));
        self.output().remark(&format!("\nedited {}: the next round begins{waiting}", named(changed)));
    }

    /// What is told when the process leaves in the middle of a round.
    fn leaving(&self) -> Leaving {
        let end = self.end.clone();
        let tell_end = Box::new(move || {
            end.tell(exit::INTERRUPTED, None);
        });
        Leaving { scratch: None, tell_end }
    }

    fn tell_machines(&self, code: u8, started: Instant, more: Value) {
        let seconds = started.elapsed().as_secs_f64();
        let mut event =
            json!({"event": "round_ended", "round": self.number, "exit": code, "seconds": seconds});
        if let (Value::Object(event), Value::Object(mut more)) = (&mut event, more) {
            event.append(&mut more);
        }
        self.output().machine(&event);
    }

    fn tell_total(&self) {
        let rounds = count(self.number, "round");
        self.output().remark(&format!("{rounds}: {}", calls::total(&self.spent)));
    }
}

fn is_edit(error: &Error) -> bool {
    error.kind() == Kind::Interrupted && error.message() == EDITED
}

fn stopped_by_edit(stop: &Stop) -> bool {
    stop.reason().is_some_and(|error| is_edit(&error))
}

/// A few paths.
fn named(paths: &[String]) -> String {
    report::some(paths.iter().map(String::as_str), 4)
}

/// What a round cost, for machines: as at the end of a run.
fn cost_json(world: &World) -> Value {
    let mut event = summary::end_json(0, 0.0, Some(world));
    if let Value::Object(event) = &mut event {
        event.retain(|key, _| !["event", "exit", "seconds"].contains(&key.as_str()));
    }
    event
}
