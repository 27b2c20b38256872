//! How many threads a process may have for its scripts: as many as the system's limits hold, told once when
//! more are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::{Resource, getrlimit};

use crate::base::events::{Event, Events, Silent};
use crate::base::numbers::{count, thousands};

/// Stack of a thread that scripts run on: 48 nested calls of a debug build need a fraction of it, and it is
/// reserved, not touched.
pub const STACK_BYTES: usize = 16 << 20;

/// Helpers that may run at once when the system tells no limit.
const DEFAULT_CAP: usize = 10_000;

/// Memory maps that are granted for each helper: a thread takes about two, and a thread that cannot get its
/// stack takes the process down.
const MAPS: usize = 5;

/// Open files that are granted for each helper: a connection, which stays open between its calls, and a file
/// that is written.
const FILES: usize = 2;

/// Open files of everything else: the ledger, checkpoints, locks, the runtime.
const OTHER_FILES: usize = 64;

/// The process-wide number of helper threads that may still be started.
pub struct Threads {
    free: AtomicUsize,
    running: AtomicUsize,
    cap: usize,
    limit: Limit,
    pub(super) stack_bytes: usize,
    events: Arc<dyn Events>,
    /// Whether it was told that there are too few.
    told: AtomicBool,
}

/// What the cap comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Limit {
    Maps(usize),
    Files(usize),
    Other,
}

impl Limit {
    /// How many helpers it leaves.
    fn helpers(self) -> usize {
        match self {
            Limit::Maps(maps) => maps / MAPS,
            Limit::Files(files) => files.saturating_sub(OTHER_FILES) / FILES,
            Limit::Other => DEFAULT_CAP,
        }
    }

    /// In words, and how to have more.
    fn words(self) -> (String, &'static str) {
        match self {
            Limit::Files(files) => (
                format!(
                    "this process may open {} files, and an item takes up to {FILES}",
                    thousands(files as u64)
                ),
                "raise that (`ulimit -n`; the hard limit, `ulimit -Hn`, is what counts)",
            ),
            Limit::Maps(maps) => (
                format!(
                    "this process may have {} memory maps, and an item takes up to {MAPS}",
                    thousands(maps as u64)
                ),
                "raise that (`sysctl vm.max_map_count`)",
            ),
            Limit::Other => {
                (format!("a process has {} threads at most", thousands(DEFAULT_CAP as u64)), "use several")
            }
        }
    }
}

impl Threads {
    /// As many as the system's limits on open files and memory maps have room for.
    pub fn for_this_machine(events: Arc<dyn Events>) -> Threads {
        let maps = std::fs::read_to_string("/proc/sys/vm/max_map_count");
        let maps = maps.ok().and_then(|text| text.trim().parse().ok()).map(Limit::Maps);
        let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
        let limits = [maps.unwrap_or(Limit::Other), files.map_or(Limit::Other, Limit::Files)];
        let limit = limits.into_iter().min_by_key(|limit| limit.helpers()).unwrap_or(Limit::Other);
        Threads { limit, events, ..Threads::with_cap(limit.helpers()) }
    }

    /// None: all is done by who asks for it, in order.
    pub fn none() -> Threads {
        Threads { told: AtomicBool::new(true), ..Threads::with_cap(0) }
    }

    /// A cap of its own, for tests.
    pub fn with_cap(cap: usize) -> Threads {
        Threads {
            free: AtomicUsize::new(cap),
            running: AtomicUsize::new(0),
            cap,
            limit: Limit::Other,
            stack_bytes: STACK_BYTES,
            events: Arc::new(Silent),
            told: AtomicBool::new(false),
        }
    }

    /// Warns, once, when so many items at a time are more than there can be.
    pub fn check(&self, job: &str, width: usize) {
        let possible = self.cap + 1;
        if width > possible {
            let (width, possible) = (thousands(width as u64), thousands(possible as u64));
            self.warn(&format!("{job} asks for {width} items at a time, and {possible} are possible"));
        }
    }

    /// Warns, once, when more could be done at this moment than there are threads for.
    pub(super) fn are_short(&self) {
        self.warn(&format!(
            "more is to do at a time than {}, and no more are possible",
            count(self.cap + 1, "thread")
        ));
    }

    fn warn(&self, what: &str) {
        let (why, remedy) = self.limit.words();
        self.tell(&format!("{what}: {why}; {remedy}, or ask for fewer (`concurrency`)"));
    }

    /// Warns, once, when the system starts no more.
    pub(super) fn are_refused(&self) {
        let running = count(self.running.load(Ordering::Relaxed) + 1, "thread");
        self.tell(&format!(
            "more is to do at a time than {running}, and the system starts no more: raise its limit (`ulimit -u`, `pids.max` of \
             a container), or ask for fewer (`concurrency`)"
        ));
    }

    /// The run goes on, with as many as there are.
    fn tell(&self, text: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            self.events.emit(Event::Warning(text.into()));
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&self) -> bool {
        take_one(&self.free)
    }

    /// Gives so many back.
    pub(super) fn give(&self, count: usize) {
        self.free.fetch_add(count, Ordering::AcqRel);
    }

    /// Takes so many, or all there are.
    pub(super) fn take_up_to(&self, wanted: usize) -> usize {
        let taken = |free: usize| Some(free - free.min(wanted));
        let before = self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, taken);
        before.map_or(0, |free| free.min(wanted))
    }
}

/// One less, if there is one.
pub(super) fn take_one(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(1)).is_ok()
}

/// A helper's place, given back however the helper ends.
pub(super) struct Place<'t>(&'t Threads);

impl<'t> Place<'t> {
    pub fn of(threads: &'t Threads) -> Place<'t> {
        threads.running.fetch_add(1, Ordering::Relaxed);
        Place(threads)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        self.0.give(1);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::Mutex;

    impl Threads {
        /// Free ones, and running ones.
        pub fn count(&self) -> (usize, usize) {
            (self.free.load(Ordering::SeqCst), self.running.load(Ordering::SeqCst))
        }
    }

    /// What is told.
    #[derive(Default)]
    pub struct Told(pub Mutex<Vec<String>>);

    impl Events for Told {
        fn emit(&self, event: Event) {
            let Event::Warning(text) = event else { panic!("{event:?}") };
            self.0.lock().unwrap().push(text);
        }
    }

    pub fn telling(cap: usize) -> (Arc<Told>, Threads) {
        let told = Arc::new(Told::default());
        (told.clone(), Threads { events: told, ..Threads::with_cap(cap) })
    }

    #[test]
    fn limits_of_the_system_leave_so_many_helpers() {
        assert_eq!(Limit::Files(300).helpers(), 118);
        assert_eq!(Limit::Files(10).helpers(), 0);
        assert_eq!(Limit::Maps(65_530).helpers(), 13_106);
    }

    #[test]
    fn a_width_that_does_not_fit_is_told_once() {
        let (told, threads) = telling(118);
        let threads = Threads { limit: Limit::Files(300), ..threads };
        threads.check("job", 119);
        assert!(told.0.lock().unwrap().is_empty());
        threads.check("job", 1000);
        threads.check("job", 1000);
        let told = told.0.lock().unwrap();
        let words = "job asks for 1,000 items at a time, and 119 are possible: this process may open 300 files, and \
                     an item takes up to 2; raise that (`ulimit -n`";
        assert!(told.len() == 1 && told[0].starts_with(words), "{told:?}");
    }
}
