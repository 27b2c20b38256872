//! How many requests may be on the wire: as many as configured, fewer after rate limits. Fewer by a quarter
//! for each burst of them, more by one for each 25 successes: additive increase, multiplicative decrease, as
//! TCP does it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::base::{Error, Kind};

/// Successes that earn one place.
const SUCCESSES: u32 = 25;

/// The share of its places that a backend keeps after a burst of rate limits.
const KEPT: f64 = 0.75;

/// The places of one backend.
pub(super) struct Slots {
    places: Semaphore,
    most: usize,
    count: Mutex<Count>,
}

struct Count {
    limit: usize,
    /// Places to take away when they come back.
    owed: usize,
    successes: u32,
}

/// A place, until it is dropped.
pub struct Permit<'a> {
    slots: &'a Slots,
    place: Option<SemaphorePermit<'a>>,
    /// What was counted when its request was sent.
    pub(super) sent: Option<super::Sent>,
}

impl Slots {
    pub fn new(most: usize) -> Slots {
        let most = most.min(Semaphore::MAX_PERMITS);
        let count = Mutex::new(Count { limit: most, owed: 0, successes: 0 });
        Slots { places: Semaphore::new(most), most, count }
    }

    /// Waits for a place; first come first served.
    pub async fn enter(&self) -> Result<Permit<'_>, Error> {
        let place = self.places.acquire().await;
        let place = place.map_err(|_| Error::new(Kind::Internal, "a backend's limits were closed"))?;
        Ok(Permit { slots: self, place: Some(place), sent: None })
    }

    /// Takes places away; so many are needed for sure.
    pub fn cut(&self, needed: usize) {
        let mut count = self.count();
        let kept = ((count.limit as f64 * KEPT) as usize).max(needed).clamp(1, count.limit);
        let away = count.limit - kept;
        count.owed += away - self.places.forget_permits(away);
        count.limit = kept;
        count.successes = 0;
    }

    /// Counts a success.
    pub fn grow(&self) {
        let mut count = self.count();
        count.successes += 1;
        if count.successes < SUCCESSES || count.limit >= self.most {
            return;
        }
        count.successes = 0;
        count.limit += 1;
        match count.owed {
            0 => self.places.add_permits(1),
            _ => count.owed -= 1,
        }
    }

    /// How many there are at most.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many there are at this moment.
    pub fn limit(&self) -> usize {
        self.count().limit
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut count = self.slots.count();
        if count.owed > 0
            && let Some(place) = self.place.take()
        {
            count.owed -= 1;
            place.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn enter(slots: &Slots, n: usize) -> Vec<Permit<'_>> {
        let mut all = Vec::new();
        for _ in 0..n {
            all.push(slots.enter().await.unwrap());
        }
        all
    }

    fn free(slots: &Slots) -> usize {
        slots.places.available_permits()
    }

    #[tokio::test]
    async fn a_cut_takes_a_quarter_of_the_places() {
        let slots = Slots::new(64);
        let burst = enter(&slots, 64).await;
        slots.cut(0);
        assert_eq!(slots.limit(), 48);
        drop(burst);
        assert_eq!(free(&slots), 48);
        let _two = enter(&slots, 2).await;
        slots.cut(0);
        assert_eq!((slots.limit(), free(&slots)), (36, 34));
        slots.cut(30);
        slots.cut(30);
        assert_eq!(slots.limit(), 30, "what is needed is left");
        slots.cut(40);
        assert_eq!(slots.limit(), 30, "a cut gives nothing");
    }

    #[tokio::test]
    async fn one_place_is_always_left() {
        let slots = Slots::new(2);
        for _ in 0..5 {
            slots.cut(0);
        }
        assert_eq!((slots.limit(), free(&slots)), (1, 1));
    }

    #[tokio::test]
    async fn successes_earn_places_back() {
        let slots = Slots::new(4);
        slots.cut(0);
        (0..24).for_each(|_| slots.grow());
        assert_eq!(slots.limit(), 3);
        slots.grow();
        assert_eq!((slots.limit(), free(&slots)), (4, 4));
        (0..100).for_each(|_| slots.grow());
        assert_eq!((slots.limit(), free(&slots)), (4, 4), "never more than configured");
    }

    #[tokio::test]
    async fn owed_places_are_earned_back_before_new_ones() {
        let slots = Slots::new(4);
        let all = enter(&slots, 4).await;
        slots.cut(0);
        (0..25).for_each(|_| slots.grow());
        drop(all);
        assert_eq!((slots.limit(), free(&slots)), (4, 4));
    }
}
