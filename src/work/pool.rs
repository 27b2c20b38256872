//! Work on many threads: the caller works too, and helpers start only under a cap for the whole
//! process, so that nested pools neither wait for each other nor exhaust the machine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, Scope};

use super::threads::{Place, Threads, take_one};
use super::turns::wait_for_turns;

/// Calls `f` on every element, at most `width` at a time; returns when all have ended.
pub fn run<T: Send>(
    threads: &Threads,
    width: usize,
    elements: impl Iterator<Item = T> + Send,
    f: impl Fn(T) + Sync,
) {
    let most = elements.size_hint().1.unwrap_or(width).min(width).max(1) - 1;
    let elements = Mutex::new(elements.fuse());
    let (places, reserved) = (AtomicUsize::new(most), AtomicUsize::new(threads.take_up_to(most)));
    let team = Team { threads, places, reserved, elements, f };
    std::thread::scope(|scope| team.work(scope));
}

struct Team<'t, I, F> {
    threads: &'t Threads,
    /// Helpers that this team may still start.
    places: AtomicUsize,
    /// Those of them that are its own from the start: else pools inside of its first elements could take all,
    /// and slow ones would hold up the quick.
    reserved: AtomicUsize,
    elements: Mutex<I>,
    f: F,
}

impl<I, F> Drop for Team<'_, I, F> {
    fn drop(&mut self) {
        self.threads.give(*self.reserved.get_mut());
    }
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
        if !take_one(&self.places) {
            return;
        }
        // Where there is none, those there are do the work, and whoever finds more of it asks again.
        let started = take_one(&self.reserved) || self.threads.take();
        if !started {
            self.threads.are_short();
        }
        if !started || !self.start_helper(scope) {
            self.places.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn start_helper<'scope, 'env>(&'scope self, scope: &'scope Scope<'scope, 'env>) -> bool {
        let helper = Builder::new().name("worker".into()).stack_size(self.threads.stack_bytes);
        let place = Place::of(self.threads);
        let started = helper.spawn_scoped(scope, move || {
            let _place = place;
            wait_for_turns();
            self.work(scope);
        });
        let started = started.is_ok();
        if !started {
            self.threads.are_refused();
        }
        started
    }
}

#[cfg(test)]
mod tests {
    use super::super::threads::tests::telling;
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
    fn what_does_not_fit_inside_of_elements_is_told_too() {
        let (told, threads) = telling(1);
        run(&threads, 2, 0..2, |_| run(&threads, 3, 0..3, |_| {}));
        let told = told.0.lock().unwrap();
        assert!(told.len() == 1 && told[0].starts_with("more is to do at a time than 2 threads"), "{told:?}");
    }

    #[test]
    fn threads_that_the_system_refuses_are_told_once_and_the_work_is_done() {
        let (told, mut threads) = telling(8);
        threads.stack_bytes = 1 << 46;
        let count = AtomicUsize::new(0);
        run(&threads, 4, 0..10, |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(count.load(Ordering::SeqCst), 10);
        assert_eq!(threads.count(), (8, 0), "free, and running");
        let told = told.0.lock().unwrap();
        let words = "more is to do at a time than 1 thread, and the system starts no more";
        assert!(told.len() == 1 && told[0].starts_with(words), "{told:?}");
    }

    /// Works on slow elements and quick ones; says how many of the quick ones had ended when the slow ones did, which
    /// they do once all quick ones have, or after a while.
    fn quick_before_slow(
        threads: &Threads,
        width: usize,
        inside: impl Fn(&(dyn Fn() + Sync)) + Sync,
    ) -> usize {
        let (slow, quick) = (width - 1, 20);
        let ended = AtomicUsize::new(0);
        let least = AtomicUsize::new(quick);
        run(threads, width, 0..slow + quick, |i| match i < slow {
            true => inside(&|| {
                let patience = std::time::Instant::now() + Duration::from_secs(2);
                while ended.load(Ordering::SeqCst) < quick && std::time::Instant::now() < patience {
                    std::thread::sleep(Duration::from_millis(1));
                }
                least.fetch_min(ended.load(Ordering::SeqCst), Ordering::SeqCst);
            }),
            false => {
                inside(&|| {});
                ended.fetch_add(1, Ordering::SeqCst);
            }
        });
        least.into_inner()
    }

    #[test]
    fn slow_elements_leave_the_way_free_for_quick_ones() {
        assert_eq!(quick_before_slow(&Threads::with_cap(100), 4, |f| f()), 20);
    }

    /// Judges: pools inside of the elements, which would take all helpers if they could.
    #[test]
    fn slow_pools_inside_of_elements_do_not_hold_up_quick_ones() {
        for cap in [3, 4, 6, 100] {
            let threads = Threads::with_cap(cap);
            let judges = |judge: &(dyn Fn() + Sync)| run(&threads, 8, 0..8, |_| judge());
            assert_eq!(quick_before_slow(&threads, 4, judges), 20, "with {cap} helpers");
        }
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
        assert_eq!(threads.count(), (1, 0), "helpers are given back");
    }
}
