//! Work on many threads: the caller works too, and helpers start only under a cap for the whole
//! process, so that nested pools neither wait for each other nor exhaust the machine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, Scope};

/// Stack of a thread that scripts run on: 48 nested calls of a debug build need a fraction of it, and it is
/// reserved, not touched.
pub const STACK_BYTES: usize = 16 << 20;

/// Helpers that may run at once when the system does not tell its limit.
const DEFAULT_CAP: usize = 10_000;

/// The process-wide number of helper threads that may still be started.
pub struct Threads(AtomicUsize);

impl Threads {
    /// A fifth of the memory maps that the system grants a process: a thread takes about two, and a
    /// thread that cannot get its stack takes the process down.
    pub fn for_this_machine() -> Threads {
        let maps = std::fs::read_to_string("/proc/sys/vm/max_map_count");
        let maps = maps.ok().and_then(|text| text.trim().parse::<usize>().ok());
        Threads::with_cap(maps.map_or(DEFAULT_CAP, |maps| maps / 5))
    }

    /// A cap of its own, for tests.
    pub fn with_cap(cap: usize) -> Threads {
        Threads(AtomicUsize::new(cap))
    }

    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(1)).is_ok()
    }
}

/// A helper's place, given back however the helper ends.
struct Place<'t>(&'t Threads);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// Calls `f` on every element, at most `width` at a time; returns when all have ended.
pub fn run<T: Send>(
    threads: &Threads,
    width: usize,
    elements: impl Iterator<Item = T> + Send,
    f: impl Fn(T) + Sync,
) {
    let elements = Mutex::new(elements.fuse());
    let team = Team { threads, places: AtomicUsize::new(width.max(1) - 1), elements, f };
    std::thread::scope(|scope| team.work(scope));
}

struct Team<'t, I, F> {
    threads: &'t Threads,
    /// Helpers that this team may still start.
    places: AtomicUsize,
    elements: Mutex<I>,
    f: F,
}

impl<T: Send, I: Iterator<Item = T> + Send, F: Fn(T) + Sync> Team<'_, I, F> {
    fn work<'scope, 'env>(&'scope self, scope: &'scope Scope<'scope, 'env>) {
        while let Some(element) = self.next() {
            // Whoever finds work calls one more helper: so no more start than there is work for.
            self.call_helper(scope);
            (self.f)(element);
        }
    }

    fn next(&self) -> Option<T> {
        self.elements.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    fn call_helper<'scope, 'env>(&'scope self, scope: &'scope Scope<'scope, 'env>) {
        let place = |free: usize| free.checked_sub(1);
        if self.places.fetch_update(Ordering::AcqRel, Ordering::Acquire, place).is_err() {
            return;
        }
        if !self.threads.take() {
            return;
        }
        let helper = Builder::new().name("worker".into()).stack_size(STACK_BYTES);
        let place = Place(self.threads);
        // When the system refuses more threads, those there are do the work.
        let _ = helper.spawn_scoped(scope, move || {
            let _place = place;
            self.work(scope);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    #[test]
    fn every_element_is_worked_on_once_and_no_more_than_width_at_a_time() {
        let (seen, now, most) = (Mutex::new(BTreeSet::new()), AtomicUsize::new(0), AtomicUsize::new(0));
        run(&Threads::with_cap(100), 8, 0..200, |i| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_micros(300));
            assert!(seen.lock().unwrap().insert(i));
            now.fetch_sub(1, Ordering::SeqCst);
        });
        assert_eq!(seen.lock().unwrap().len(), 200);
        assert_eq!(most.load(Ordering::SeqCst), 8);
    }

    #[test]
    fn nested_pools_end_without_helpers() {
        let threads = Threads::with_cap(1);
        let count = AtomicUsize::new(0);
        run(&threads, 4, 0..4, |_| {
            run(&threads, 4, 0..4, |_| {
                count.fetch_add(1, Ordering::SeqCst);
            });
        });
        assert_eq!(count.load(Ordering::SeqCst), 16);
        assert_eq!(threads.0.load(Ordering::SeqCst), 1, "helpers are given back");
    }
}
