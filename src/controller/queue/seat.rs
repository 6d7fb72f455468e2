//! The seats of those who are attended to.
//!
//! Promises that no more are at work than there are seats. Who waits for somebody else leaves its seat to others, and takes one
//! again before it goes on. Seats are given in the order in which they are asked for.

use std::{cell::Cell, future::Future, sync::Arc};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task_local,
};

task_local! {
    static SEAT: Cell<Option<OwnedSemaphorePermit>>;
}

/// All seats.
#[derive(Debug, Clone)]
pub struct Seats(Arc<Semaphore>);

/// A seat that is taken.
#[derive(Debug)]
pub struct Seat(OwnedSemaphorePermit);

impl Seats {
    /// So many seats.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Waits for a seat. Never ends if there are none.
    pub async fn take(&self) -> Seat {
        match Arc::clone(&self.0).acquire_owned().await {
            Ok(seat) => Seat(seat),
            Err(_) => std::future::pending().await, // they are never taken away
        }
    }
}

impl Seat {
    /// A turn that has this seat.
    pub async fn with<T>(self, turn: impl Future<Output = T>) -> T {
        SEAT.scope(Cell::new(Some(self.0)), turn).await
    }
}

/// Waits for what others do, without a seat meanwhile. Where there are no seats, it only waits.
pub async fn aside<T>(waiting: impl Future<Output = T>) -> T {
    let Some(seat) = SEAT.try_with(Cell::take).ok().flatten() else {
        return waiting.await;
    };
    let all = Seats(Arc::clone(seat.semaphore()));
    drop(seat);
    let waited = waiting.await;
    let Seat(seat) = all.take().await;
    SEAT.with(|place| place.set(Some(seat)));
    waited
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::join_all;

    use super::*;
    use crate::clock::{self, Clock};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_others_leaves_its_seat_and_goes_on_when_there_is_one_again() {
        let (seats, clock) = (Seats::new(1), Clock::start());
        let began = clock.now();
        let turn = |waits: u32| {
            let (seats, clock) = (&seats, &clock);
            async move {
                let second = || clock.now().elapsed(began.uptime).as_secs();
                let seat = seats.take().await;
                let at_work = async {
                    let first = second();
                    clock::pause(SECOND).await;
                    aside(clock::pause(waits * SECOND)).await;
                    let then = second();
                    clock::pause(SECOND).await;
                    (first, then)
                };
                seat.with(at_work).await
            }
        };
        // The others begin while the first two wait, which go on in the order in which they come back.
        let times = join_all([2, 3, 9].map(turn)).await;
        assert_eq!(times, [(0, 3), (1, 5), (2, 12)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_twice_or_never_had_a_seat_is_not_held_up() {
        let seats = Seats::new(1);
        aside(clock::pause(SECOND)).await;
        let seat = seats.take().await;
        let twice = async {
            aside(aside(clock::pause(SECOND))).await;
            aside(clock::pause(SECOND)).await;
        };
        seat.with(twice).await;
        drop(seats.take().await);
    }
}
