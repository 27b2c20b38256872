//! Parts that are made on several threads and taken in their order. A thread that is too far ahead waits, so
//! that only a few parts are in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::pool;
use super::threads::Threads;
use crate::base::Result;
use crate::base::panic::catch_panic;

/// How many parts a thread may be ahead of the one that is taken.
const AHEAD: usize = 8;

/// Makes a part of every element, on `width` threads at most, and gives the parts to `take` in the order of the
/// elements, one at a time. The error is that of the first part, in this order, that has one; no part is taken after it.
pub fn run<T: Send, P: Send>(
    threads: &Threads,
    width: usize,
    elements: impl Iterator<Item = T> + Send,
    make: impl Fn(T) -> Result<P> + Sync,
    take: impl FnMut(P) -> Result<()> + Send,
) -> Result<()> {
    let queue = Queue {
        state: Mutex::new(State { next: 0, waiting: BTreeMap::new(), busy: false, result: Ok(()) }),
        moved: Condvar::new(),
        ended: AtomicBool::new(false),
        window: width.max(1) * AHEAD,
        take: Mutex::new(take),
    };
    let elements = elements.enumerate().take_while(|_| !queue.ended.load(Ordering::Acquire));
    pool::run(threads, width, elements, |(place, element)| {
        queue.hand_in(place, catch_panic("making a part", || make(element)));
    });
    queue.state.into_inner().unwrap_or_else(PoisonError::into_inner).result
}

struct Queue<P, F> {
    state: Mutex<State<P>>,
    /// The next part was taken.
    moved: Condvar,
    /// A part had an error.
    ended: AtomicBool,
    window: usize,
    take: Mutex<F>,
}

struct State<P> {
    /// The place of the part that is to be taken next.
    next: usize,
    waiting: BTreeMap<usize, Result<P>>,
    /// A thread is taking parts: it takes all that come meanwhile, too.
    busy: bool,
    result: Result<()>,
}

impl<P, F: FnMut(P) -> Result<()>> Queue<P, F> {
    fn lock(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_in(&self, place: usize, part: Result<P>) {
        let too_far = |state: &mut State<P>| place >= state.next + self.window && state.result.is_ok();
        let state = self.moved.wait_while(self.lock(), too_far);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.waiting.insert(place, part);
        if std::mem::replace(&mut state.busy, true) {
            return;
        }
        while let Some(part) = self.next(&mut state) {
            drop(state);
            let taken = part.and_then(|part| self.take(part));
            state = self.lock();
            state.next += 1;
            if taken.is_err() {
                state.result = taken;
                self.ended.store(true, Ordering::Release);
            }
            self.moved.notify_all();
        }
        state.busy = false;
    }

    fn next(&self, state: &mut State<P>) -> Option<Result<P>> {
        let next = state.next;
        if state.result.is_ok() { state.waiting.remove(&next) } else { None }
    }

    fn take(&self, part: P) -> Result<()> {
        let mut take = self.take.lock().unwrap_or_else(PoisonError::into_inner);
        catch_panic("taking a part", || take(part))
    }
}

/// How many threads the machine has work for.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;
    use crate::base::{Error, Kind};

    #[test]
    fn parts_are_taken_in_order_and_few_wait() {
        for width in [1, 2, 7] {
            let (made, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut seen = Vec::new();
            let make = |i: usize| {
                // The later of two is faster.
                std::thread::sleep(Duration::from_micros(200 * (1 - i as u64 % 2)));
                let ahead = made.fetch_add(1, Ordering::SeqCst) - taken.load(Ordering::SeqCst);
                assert!(ahead <= width * (AHEAD + 1), "{ahead}");
                Ok(i)
            };
            let take = |i| {
                taken.fetch_add(1, Ordering::SeqCst);
                seen.push(i);
                Ok(())
            };
            run(&Threads::with_cap(100), width, 0..300, make, take).unwrap();
            assert!(seen.into_iter().eq(0..300));
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let fault = |i: usize| Error::new(Kind::Data, format!("number {i}"));
        let mut seen = 0;
        let made = AtomicUsize::new(0);
        let make = |i| {
            made.fetch_add(1, Ordering::SeqCst);
            if i >= 50 { Err(fault(i)) } else { Ok(i) }
        };
        let count = |_| {
            seen += 1;
            Ok(())
        };
        let error = run(&Threads::with_cap(100), 4, 0..1_000_000, make, count).unwrap_err();
        assert_eq!((error.message(), seen), ("number 50", 50));
        assert!(made.load(Ordering::SeqCst) < 1000);
        let refuse = |i| if i == 3 { Err(fault(i)) } else { Ok(()) };
        let error = run(&Threads::with_cap(100), 4, 0..1_000_000, Ok, refuse).unwrap_err();
        assert_eq!(error.message(), "number 3");
    }

    #[test]
    fn a_panic_is_an_error() {
        let make = |i: usize| if i == 5 { panic!("oh") } else { Ok(i) };
        let error = run(&Threads::with_cap(100), 2, 0..100, make, |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), Kind::Internal);
    }
}
