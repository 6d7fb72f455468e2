//! The seats of the turns that are at work, and what a turn can ask of the queue while it runs.
//!
//! Promises that no more turns are at work than there are seats, and that the last of them are kept for namespaces and credentials
//! that have few: whoever has its part of the seats takes no more of those, and all others once it is alone. A turn that waits
//! for calls, or for what another one reads, leaves its seat to others and takes one again before it goes on, also where it gives
//! up waiting; turns that have begun take theirs before new ones.
//!
//! Relies on a rule: nobody who has a seat waits for a lock whose holder may go aside. The holder would wait for the seat, and
//! they for the lock. Such a lock is tried, and then waited for [aside].

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    task_local,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::clock;

/// How soon who is called has a turn; the first goes before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Lane {
    /// A person has suspended or deleted the resource: nothing new may begin.
    Stop,
    /// A person has changed the resource.
    People,
    /// Anything else: it is new, its time has come, or something that it waits for has happened.
    #[default]
    Usual,
}

impl Lane {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::People => "edit",
            Self::Usual => "usual",
        }
    }
}

/// Who shares a fair part of the seats: the resources of a namespace that name the same credentials. The names are hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Group {
    /// Whoever may make resources chooses how many credentials they name, but not the namespace.
    pub namespace: u64,
    /// The credentials, within the namespace.
    pub credentials: u64,
}

/// Beyond this part of the seats a namespace, and within it a group, takes only such as need not be kept for others.
const PART: usize = 4;

task_local! {
    static TURN: Turn;
}

struct Turn {
    group: Group,
    seats: Seats,
    seat: Cell<Option<Seat>>,
    /// Whether a wait was given up for which the seat was.
    unseated: Cell<bool>,
    called: Called,
}

/// How a turn learns that people have called for its resource meanwhile.
#[derive(Debug, Clone)]
pub struct Called {
    /// Cancelled when they do.
    pub by_people: CancellationToken,
    /// The turn is not interrupted by that before.
    pub spared_until: Instant,
    /// Cancelled when they want that nothing new begins: that counts at once.
    pub to_stop: CancellationToken,
    /// What came before it.
    pub waited: Waited,
}

/// For how long a resource was ready for its turn, and how it was called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waited {
    /// How it was called for.
    pub lane: Lane,
    /// From the call, or from the time that its last turn gave, to the begin of its turn.
    pub took: Duration,
}

/// All seats; cheap to clone.
#[derive(Debug, Clone)]
pub struct Seats(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    shares: Shares,
    room: Mutex<Room>,
    freed: Notify,
}

/// Who may take which of the seats.
#[derive(Debug, Clone, Copy)]
struct Shares {
    /// The part of a namespace, and of a group.
    part: usize,
    /// So many that are free are kept from a namespace that has its part.
    for_namespaces: usize,
    /// So many that are free are kept from a group that has its part.
    for_groups: usize,
}

impl Shares {
    const fn of(count: usize) -> Self {
        let part = count / PART;
        Self {
            part: if part == 0 { 1 } else { part },
            for_namespaces: part.div_ceil(2),
            for_groups: part,
        }
    }
}

#[derive(Debug)]
struct Room {
    free: usize,
    /// By namespace and group.
    taken: HashMap<u64, HashMap<Group, usize>>,
    /// Turns that have begun and want a seat again, the first in front.
    returning: VecDeque<(Group, oneshot::Sender<Seat>)>,
}

/// A seat that is taken; dropping it frees it.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    group: Group,
}

impl Called {
    /// For a turn that begins now, and is not interrupted before so long.
    pub fn not_before(spared: Duration) -> Self {
        Self {
            by_people: CancellationToken::new(),
            spared_until: clock::after(spared),
            to_stop: CancellationToken::new(),
            waited: Waited::default(),
        }
    }

    /// Whether the turn was interrupted, or would be by now.
    pub fn interrupts(&self) -> bool {
        let is_over = || clock::after(Duration::ZERO) >= self.spared_until;
        self.to_stop.is_cancelled() || self.by_people.is_cancelled() && is_over()
    }
}

impl Seats {
    /// So many seats.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Shared {
            shares: Shares::of(count),
            room: Mutex::new(Room {
                free: count,
                taken: HashMap::new(),
                returning: VecDeque::new(),
            }),
            freed: Notify::new(),
        }))
    }

    /// Whether there is a seat for anybody.
    pub fn any_free(&self) -> bool {
        self.lock().free > 0
    }

    /// Takes a seat for a new turn, if there is one.
    pub fn take(&self, group: Group) -> Option<Seat> {
        let mut room = self.lock();
        room.has_room(group, self.0.shares)
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
            if room.has_room(group, self.0.shares) {
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
        let shares = self.0.shares;
        let mut refused = Vec::new();
        let mut room = self.lock();
        let next = |room: &Room| {
            let mut returning = room.returning.iter();
            returning
                .position(|(group, sender)| sender.is_closed() || room.has_room(*group, shares))
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

    /// Whether so many are free, nobody is noted to have one, and nobody waits for one.
    #[cfg(test)]
    pub(super) fn are_all_free(&self, count: usize) -> bool {
        let room = self.lock();
        room.free == count && room.taken.is_empty() && room.returning.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Room> {
        self.0.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn has_room(&self, group: Group, shares: Shares) -> bool {
        let Some(taken) = self.taken.get(&group.namespace) else {
            return self.free > 0;
        };
        let of_group = taken.get(&group).copied().unwrap_or(0);
        let of_namespace: usize = taken.values().sum();
        let kept_for_others = if of_group >= shares.part {
            shares.for_groups
        } else if of_namespace >= shares.part {
            shares.for_namespaces
        } else {
            0
        };
        self.free > kept_for_others
    }

    fn give(&mut self, group: Group, seats: &Seats) -> Seat {
        self.free = self.free.saturating_sub(1);
        let taken = self.taken.entry(group.namespace).or_default();
        *taken.entry(group).or_default() += 1;
        Seat {
            seats: seats.clone(),
            group,
        }
    }
}

impl Seat {
    /// A turn that has this seat.
    pub async fn with<T>(self, called: Called, turn: impl Future<Output = T>) -> T {
        let place = Turn {
            group: self.group,
            seats: self.seats.clone(),
            seat: Cell::new(Some(self)),
            unseated: Cell::new(false),
            called,
        };
        TURN.scope(place, seated(turn)).await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut room = self.seats.lock();
        room.free += 1;
        if let Some(taken) = room.taken.get_mut(&self.group.namespace) {
            if let Some(of_group) = taken.get_mut(&self.group) {
                *of_group = of_group.saturating_sub(1);
            }
            taken.retain(|_, of_group| *of_group > 0);
            if taken.is_empty() {
                room.taken.remove(&self.group.namespace);
            }
        }
        drop(room);
        self.seats.reseat();
    }
}

/// Waits for what others do, without a seat meanwhile. Outside of a turn it only waits. Where this is dropped before it ends, the
/// turn goes on only when it has a seat again.
pub async fn aside<T>(waiting: impl Future<Output = T>) -> T {
    let gave_up = TURN.try_with(|turn| {
        let seat = turn.seat.take();
        // Who has given up another wait, and did not get a seat yet, needs none for this one.
        seat.is_some() | turn.unseated.take()
    });
    if gave_up != Ok(true) {
        return waiting.await;
    }
    let mut away = Away { is_back: false };
    let waited = waiting.await;
    take_again().await;
    away.is_back = true;
    waited
}

/// A turn that has given up its seat.
struct Away {
    is_back: bool,
}

impl Drop for Away {
    fn drop(&mut self) {
        if !self.is_back {
            // An error means that the turn is gone.
            let _ = TURN.try_with(|turn| turn.unseated.set(true));
        }
    }
}

/// Takes a seat again for the turn of this task.
async fn take_again() {
    let (seats, group) = TURN.with(|turn| (turn.seats.clone(), turn.group));
    let seat = seats.retake(group).await;
    TURN.with(|turn| turn.seat.set(Some(seat)));
}

/// A turn that goes on only with a seat, unless it waits aside.
async fn seated<T>(turn: impl Future<Output = T>) -> T {
    let mut turn = pin!(turn);
    loop {
        let step = poll_fn(|context| match turn.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if TURN.with(|turn| turn.unseated.take()) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match step.await {
            Some(value) => return value,
            None => take_again().await,
        }
    }
}

/// For how long the resource whose turn this is was ready for it.
pub fn waited() -> Waited {
    TURN.try_with(|turn| turn.called.waited).unwrap_or_default()
}

/// Waits until a person has changed or deleted the resource whose turn this is, and it is not spared any longer. Outside of a
/// turn it never ends.
pub async fn called_again() {
    let Ok(called) = TURN.try_with(|turn| turn.called.clone()) else {
        return std::future::pending().await;
    };
    let is_over = async {
        called.by_people.cancelled().await;
        clock::until(called.spared_until).await;
    };
    tokio::select! {
        () = called.to_stop.cancelled() => {}
        () = is_over => {}
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;
    use crate::clock::{self, Clock};

    const SECOND: Duration = Duration::from_secs(1);
    const GROUP: Group = group(0, 0);

    const fn group(namespace: u64, credentials: u64) -> Group {
        Group {
            namespace,
            credentials,
        }
    }

    fn uncalled() -> Called {
        Called::not_before(Duration::ZERO)
    }

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
                seat.with(uncalled(), at_work).await
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
        seat.with(uncalled(), twice).await;
        drop(take(&seats, GROUP).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_seats_are_kept_for_who_has_few_and_who_gives_up_takes_none() {
        let seats = Seats::new(16);
        let (one, same, other) = (group(1, 1), group(1, 2), group(2, 1));
        let all_of = |group| {
            let take = || seats.take(group);
            std::iter::from_fn(take).collect::<Vec<Seat>>()
        };
        let held = all_of(one);
        assert_eq!(held.len(), 12, "all but a part");
        let beside = all_of(same);
        assert_eq!(
            beside.len(),
            2,
            "a namespace of two groups has half of that part, too"
        );
        let giving_up = seats.retake(one);
        assert!(tokio::time::timeout(SECOND, giving_up).await.is_err());
        let of_another = all_of(other);
        assert_eq!(of_another.len(), 2);
        // What the first one frees goes to the other until it has its part.
        drop(held.into_iter().take(5).collect::<Vec<_>>());
        assert_eq!(seats.lock().free, 16 - 4, "the rest is dropped as well");
        drop((beside, of_another));
        assert_eq!(seats.lock().free, 16);
        assert!(seats.lock().taken.is_empty() && seats.lock().returning.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn n01_a_namespace_with_many_credentials_leaves_seats_to_others() {
        let seats = Seats::new(16);
        let taken = |credentials| seats.take(group(1, credentials));
        let held: Vec<Seat> = (0..1000).filter_map(taken).collect();
        assert_eq!(held.len(), 14);
        let mut others: Vec<Seat> = [2, 3]
            .map(|of| seats.take(group(of, 0)))
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(others.len(), 2);
        assert!(seats.take(group(4, 0)).is_none());
        for mut freed in held.into_iter().map(Some).take(4) {
            drop(freed.take());
            assert!(seats.take(group(1, 2000)).is_none(), "others wait");
            others.extend(seats.take(group(4, 0)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn n01_who_gives_up_waiting_goes_on_only_with_a_seat() {
        let (seats, clock) = (Seats::new(1), Clock::start());
        let began = clock.now().uptime;
        let second = || clock.now().elapsed(began).as_secs();
        let seat = take(&seats, GROUP).await;
        let giving_up = seat.with(uncalled(), async {
            let waiting = aside(clock::pause(100 * SECOND));
            assert!(tokio::time::timeout(SECOND, waiting).await.is_err());
            tokio::task::yield_now().await;
            let again = second();
            // Another wait right after one that was given up.
            let waiting = aside(clock::pause(100 * SECOND));
            assert!(tokio::time::timeout(SECOND, waiting).await.is_err());
            aside(clock::pause(SECOND)).await;
            (again, second())
        });
        let other = async {
            let seat = take(&seats, GROUP).await;
            clock::pause(10 * SECOND).await;
            drop(seat);
        };
        let (times, ()) = tokio::join!(giving_up, other);
        assert_eq!(times, (10, 12));
        assert_eq!(seats.lock().free, 1);
    }
}
