//! The seats of the turns that are at work, and what a turn can ask of the queue while it runs.
//!
//! Promises that no more turns are at work than there are seats, and no more of one group than its share. A turn that waits
//! for calls, or for what another one reads, leaves its seat to others and takes one again before it goes on; turns that have
//! begun take theirs before new ones.

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Notify, oneshot},
    task_local,
};
use tokio_util::sync::CancellationToken;

/// Who shares a fair part of the seats: the resources of a namespace that use the same credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Group(pub u64);

/// One group has at most this part of the seats.
const SHARE_OF_A_GROUP: usize = 4;

task_local! {
    static TURN: Turn;
}

struct Turn {
    group: Group,
    seats: Seats,
    seat: Cell<Option<Seat>>,
    called: CancellationToken,
}

/// All seats; cheap to clone.
#[derive(Debug, Clone)]
pub struct Seats(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most_of_a_group: usize,
    room: Mutex<Room>,
    freed: Notify,
}

#[derive(Debug)]
struct Room {
    free: usize,
    taken: HashMap<Group, usize>,
    /// Turns that have begun and want a seat again, the first in front.
    returning: VecDeque<(Group, oneshot::Sender<Seat>)>,
}

/// A seat that is taken; dropping it frees it.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    group: Group,
}

impl Seats {
    /// So many seats.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Shared {
            most_of_a_group: (count / SHARE_OF_A_GROUP).max(1),
            room: Mutex::new(Room {
                free: count,
                taken: HashMap::new(),
                returning: VecDeque::new(),
            }),
            freed: Notify::new(),
        }))
    }

    /// Whether a new turn of this group may begin.
    pub fn has_room(&self, group: Group) -> bool {
        self.lock().has_room(group, self.0.most_of_a_group)
    }

    /// Whether there is a seat for anybody.
    pub fn any_free(&self) -> bool {
        self.lock().free > 0
    }

    /// Takes a seat for a new turn, if there is one.
    pub fn take(&self, group: Group) -> Option<Seat> {
        let mut room = self.lock();
        room.has_room(group, self.0.most_of_a_group)
            .then(|| room.give(group, self))
    }

    /// Waits until a seat was freed that no turn took again.
    pub async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// Waits for a seat for a turn that has begun.
    async fn retake(&self, group: Group) -> Seat {
        let waiting = {
            let mut room = self.lock();
            if room.has_room(group, self.0.most_of_a_group) {
                return room.give(group, self);
            }
            let (sender, receiver) = oneshot::channel();
            room.returning.push_back((group, sender));
            receiver
        };
        match waiting.await {
            Ok(seat) => seat,
            Err(_) => std::future::pending().await, // the queue of the returning is never dropped before the seats
        }
    }

    /// Gives what is free to turns that wait to go on.
    fn reseat(&self) {
        let most = self.0.most_of_a_group;
        let mut refused = Vec::new();
        let mut room = self.lock();
        let next = |room: &Room| {
            let mut returning = room.returning.iter();
            returning.position(|(group, sender)| sender.is_closed() || room.has_room(*group, most))
        };
        while let Some(place) = next(&room)
            && let Some((group, sender)) = room.returning.remove(place)
        {
            if sender.is_closed() {
                continue;
            }
            let seat = room.give(group, self);
            // Dropped only without the lock, which freeing it takes.
            refused.extend(sender.send(seat).err());
        }
        drop(room);
        drop(refused);
        self.0.freed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Room> {
        self.0.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn has_room(&self, group: Group, most_of_a_group: usize) -> bool {
        let taken = self.taken.get(&group).copied().unwrap_or(0);
        self.free > 0 && taken < most_of_a_group
    }

    fn give(&mut self, group: Group, seats: &Seats) -> Seat {
        self.free = self.free.saturating_sub(1);
        *self.taken.entry(group).or_default() += 1;
        Seat {
            seats: seats.clone(),
            group,
        }
    }
}

impl Seat {
    /// A turn that has this seat; `called` is cancelled when its resource is called for by people meanwhile.
    pub async fn with<T>(self, called: CancellationToken, turn: impl Future<Output = T>) -> T {
        let place = Turn {
            group: self.group,
            seats: self.seats.clone(),
            seat: Cell::new(Some(self)),
            called,
        };
        TURN.scope(place, turn).await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut room = self.seats.lock();
        room.free += 1;
        if let Some(taken) = room.taken.get_mut(&self.group) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                room.taken.remove(&self.group);
            }
        }
        drop(room);
        self.seats.reseat();
    }
}

/// Waits for what others do, without a seat meanwhile. Outside of a turn it only waits.
pub async fn aside<T>(waiting: impl Future<Output = T>) -> T {
    let taken = TURN.try_with(|turn| (turn.seat.take(), turn.seats.clone(), turn.group));
    let Ok((Some(seat), seats, group)) = taken else {
        return waiting.await;
    };
    drop(seat);
    let waited = waiting.await;
    let seat = seats.retake(group).await;
    TURN.with(|turn| turn.seat.set(Some(seat)));
    waited
}

/// Waits until a person has changed or deleted the resource whose turn this is. Outside of a turn it never ends.
pub async fn called_again() {
    match TURN.try_with(|turn| turn.called.clone()) {
        Ok(called) => called.cancelled().await,
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::join_all;

    use super::*;
    use crate::clock::{self, Clock};

    const SECOND: Duration = Duration::from_secs(1);
    const GROUP: Group = Group(0);

    async fn take(seats: &Seats, group: Group) -> Seat {
        loop {
            match seats.take(group) {
                Some(seat) => return seat,
                None => seats.freed().await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_others_leaves_its_seat_and_goes_on_when_there_is_one_again() {
        let (seats, clock) = (Seats::new(1), Clock::start());
        let began = clock.now();
        let turn = |waits: u32| {
            let (seats, clock) = (&seats, &clock);
            async move {
                let second = || clock.now().elapsed(began.uptime).as_secs();
                let seat = take(seats, GROUP).await;
                let at_work = async {
                    let first = second();
                    clock::pause(SECOND).await;
                    aside(clock::pause(waits * SECOND)).await;
                    let then = second();
                    clock::pause(SECOND).await;
                    (first, then)
                };
                seat.with(CancellationToken::new(), at_work).await
            }
        };
        // The second begins while the first waits, which goes on before the third begins.
        let times = join_all([2, 3].map(turn)).await;
        assert_eq!(times, [(0, 3), (1, 5)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_twice_or_never_had_a_seat_is_not_held_up() {
        let seats = Seats::new(1);
        aside(clock::pause(SECOND)).await;
        let seat = take(&seats, GROUP).await;
        let twice = async {
            aside(aside(clock::pause(SECOND))).await;
            aside(clock::pause(SECOND)).await;
        };
        seat.with(CancellationToken::new(), twice).await;
        drop(take(&seats, GROUP).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_has_no_more_than_its_share_and_who_gives_up_takes_none() {
        let seats = Seats::new(8);
        let (one, other) = (Group(1), Group(2));
        let held = [seats.take(one), seats.take(one)];
        assert!(held.iter().all(Option::is_some));
        assert!(seats.take(one).is_none() && seats.take(other).is_some());
        let giving_up = seats.retake(one);
        assert!(tokio::time::timeout(SECOND, giving_up).await.is_err());
        drop(held);
        assert_eq!(seats.lock().free, 8);
        assert!(seats.lock().taken.is_empty() && seats.lock().returning.is_empty());
    }
}
