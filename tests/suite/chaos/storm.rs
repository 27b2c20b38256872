//! The storm: one project, run again and again, and struck down at instants that a seed draws.

use std::fmt;
use std::time::{Duration, Instant};

use fault_server::ModelServer;

use super::audit::{Audit, files};
use super::setup::{Dice, Size, pipeline, serve};
use crate::support::{PIPELINE, Ran, TestProject};

/// How a run is struck down.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Blow {
    Kill,
    /// Frozen for a moment first.
    FreezeAndKill,
    Terminate,
    /// Ctrl-C, and again.
    InterruptTwice,
}

pub struct Storm {
    size: Size,
    dice: Dice,
    server: ModelServer,
    project: TestProject,
    audit: Audit,
    totals: Totals,
}

/// What storms came to.
#[derive(Debug, Default)]
pub struct Totals {
    pub kills: usize,
    projects: usize,
    signals: usize,
    /// Kills of runs that had asked nothing yet: they planned, or replayed.
    before_a_call: usize,
    replies: usize,
    served: usize,
    unrecorded: usize,
    worst: usize,
    unknown: usize,
}

impl Totals {
    pub fn join(&mut self, more: Totals) {
        self.kills += more.kills;
        self.projects += more.projects;
        self.signals += more.signals;
        self.before_a_call += more.before_a_call;
        self.replies += more.replies;
        self.served += more.served;
        self.unrecorded += more.unrecorded;
        self.worst = self.worst.max(more.worst);
        self.unknown += more.unknown;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { kills, projects, signals, before_a_call, replies, served, unrecorded, worst, unknown } =
            self;
        write!(
            f,
            "{kills} kills ({before_a_call} before the run's first call) and {signals} other signals over {projects} \
             projects; {served} replies served, {replies} in the ledger, {unrecorded} on their way at a kill (at most \
             {worst} at one), {unknown} requests of unknown cost in the ledger; 0 finished items lost, 0 duplicates, \
             0 replies seen by a script before they were on disk"
        )
    }
}

impl Storm {
    pub fn new(size: Size, mut dice: Dice) -> Storm {
        let server = serve(&size, dice.fork());
        let project = pipeline(&server);
        Storm { size, dice, server, project, audit: Audit::new(size), totals: Totals::default() }
    }

    pub fn project(&self) -> &TestProject {
        &self.project
    }

    /// Strikes until the project is done, or this often; then lets it come to its end.
    pub fn rage(mut self, kills: usize) -> Totals {
        while self.totals.kills < kills && !self.strike(Duration::from_millis(350)) {}
        self.finish();
        self.totals
    }

    /// Strikes exactly so often while the project is not done: each run gets so little time that there is always work left.
    pub fn rage_through(&mut self, kills: usize) -> Totals {
        while self.totals.kills < kills && !self.strike(Duration::from_millis(60)) {}
        self.finish();
        std::mem::take(&mut self.totals)
    }

    /// Runs, and strikes within `most` of its start or first call; says whether all was done before.
    fn strike(&mut self, most: Duration) -> bool {
        let (blow, asked) = (self.blow(), self.server.arrivals().len());
        let wait = self.dice.time(1, most.as_millis() as u64);
        let from_the_first_call = self.dice.below(3) > 0;
        let run = self.project.start(&self.size.words(PIPELINE));
        let begun = Instant::now();
        while from_the_first_call && self.server.arrivals().len() == asked && begun.elapsed() < most * 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(wait);
        match blow {
            Blow::Kill => run.signal("KILL"),
            Blow::FreezeAndKill => {
                run.signal("STOP");
                std::thread::sleep(Duration::from_millis(50));
                run.signal("KILL");
            }
            Blow::Terminate => run.signal("TERM"),
            Blow::InterruptTwice => {
                run.signal("INT");
                std::thread::sleep(Duration::from_millis(5));
                run.signal("INT");
            }
        }
        let ran = run.wait();
        self.note(blow, &ran, asked)
    }

    fn blow(&mut self) -> Blow {
        match self.dice.below(20) {
            0 => Blow::Terminate,
            1 => Blow::InterruptTwice,
            2 => Blow::FreezeAndKill,
            _ => Blow::Kill,
        }
    }

    fn note(&mut self, blow: Blow, ran: &Ran, asked: usize) -> bool {
        let killed = ran.code == -1;
        assert!([-1, 0, 1, 130].contains(&ran.code), "{blow:?}: {ran:?}");
        // What a second signal gives up is served, and counted as of unknown cost.
        let gives_up = killed || blow == Blow::InterruptTwice && ran.code == 130;
        let unrecorded = self.audit.hold(&self.project, &self.server, gives_up);
        self.totals.unrecorded += unrecorded;
        self.totals.worst = self.totals.worst.max(unrecorded);
        match killed {
            true => self.totals.kills += 1,
            false => self.totals.signals += usize::from(ran.code == 130),
        }
        self.totals.before_a_call += usize::from(killed && self.server.arrivals().len() == asked);
        ran.code == 0
    }

    /// To the end, with nobody in the way; then everything again, which costs nothing.
    fn finish(&mut self) {
        for _ in 0..20 {
            let ran = self.project.run(&self.size.words(PIPELINE));
            assert!([0, 1].contains(&ran.code), "{ran:?}");
            self.audit.hold(&self.project, &self.server, false);
            if ran.code == 0 {
                break;
            }
        }
        self.audit.end(&self.project);
        self.totals.projects = 1;
        (self.totals.replies, self.totals.unknown) = (self.audit.replies(), self.audit.unknown());
        self.totals.served = self.server.bill().len();
        self.all_again();
    }

    fn all_again(&self) {
        let before = (self.server.requests().len(), files(&self.project, "data/processed"));
        self.project.run(&format!("{} --redo all", self.size.words(PIPELINE))).exits(0);
        assert!(
            before == (self.server.requests().len(), files(&self.project, "data/processed")),
            "all again is not the same"
        );
    }
}
