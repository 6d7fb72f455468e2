//! Whose turn it is: resources are attended to when they call, or when the time has come that their last turn gave.
//!
//! Promises one turn of a resource at a time, that a call during a turn leads to another one after it, that nobody waits behind
//! who called later, and that a turn which has begun ends, also when nothing new is begun any more.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    future::Future,
    pin::pin,
    time::Duration,
};

use futures::{Stream, StreamExt as _, stream::FuturesUnordered};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use self::seat::Seats;
use crate::{clock, model::ResourceName};

pub mod seat;

/// For each seat so many turns may have begun: the others wait [aside](seat::aside).
const TURNS_A_SEAT: usize = 4;

/// Attends to the resources that `calls` names, to `concurrency` of them at once, until `stop` is done and all turns that were
/// begun have ended. A turn gives the delay after which the next one is due; nothing if only a call leads to one. Each is a task
/// of its own, so that none holds up another, and ends with this future where that is dropped. One that panics gives nothing.
pub async fn attend_all<T: Future<Output = Option<Duration>> + Send + 'static>(
    calls: impl Stream<Item = ResourceName>,
    concurrency: usize,
    stop: impl Future<Output = ()>,
    attend: impl Fn(ResourceName) -> T,
) {
    let mut agenda = Agenda::default();
    let mut attended = HashSet::new();
    let mut turns = FuturesUnordered::new();
    let seats = Seats::new(concurrency);
    let most_turns = concurrency.saturating_mul(TURNS_A_SEAT);
    let (mut calls, mut stop) = (pin!(calls.fuse()), pin!(stop));
    loop {
        let may_begin = turns.len() < most_turns && agenda.has_ready(&attended);
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some((name, delay)) = turns.next() => {
                attended.remove(&name);
                if let Ok(Some(delay)) = delay {
                    agenda.put_off(name, delay);
                }
            }
            seat = seats.take(), if may_begin => {
                if let Some(name) = agenda.next(&attended) {
                    attended.insert(name.clone());
                    let turn = tokio::spawn(seat.with(attend(name.clone())));
                    let turn = AbortOnDropHandle::new(turn);
                    turns.push(async { (name, turn.await) });
                }
            }
            Some(name) = calls.next() => agenda.call(name),
            () = agenda.due(), if agenda.has_delayed() => {}
        }
    }
    while turns.next().await.is_some() {}
}

/// Who is to be attended to, and when: each resource once, at the earliest time that was asked for.
#[derive(Debug, Default)]
struct Agenda {
    /// Those whose time has come, in this order.
    ready: VecDeque<ResourceName>,
    /// The others, in the order of their times. A `DelayQueue` of tokio's takes three times the memory.
    delayed: BTreeSet<(Instant, ResourceName)>,
    places: HashMap<ResourceName, Place>,
}

#[derive(Debug)]
enum Place {
    Ready,
    Delayed(Instant),
}

impl Agenda {
    /// To be attended to as soon as possible.
    fn call(&mut self, name: ResourceName) {
        match self.places.insert(name.clone(), Place::Ready) {
            Some(Place::Ready) => return,
            Some(Place::Delayed(then)) => drop(self.delayed.remove(&(then, name.clone()))),
            None => {}
        }
        self.ready.push_back(name);
    }

    /// To be attended to after `delay`, if nothing calls for it earlier.
    fn put_off(&mut self, name: ResourceName, delay: Duration) {
        if !self.places.contains_key(&name) {
            let then = clock::after(delay);
            self.delayed.insert((then, name.clone()));
            self.places.insert(name, Place::Delayed(then));
        }
    }

    /// The first whose time has come and that is not attended to now.
    fn next(&mut self, attended: &HashSet<ResourceName>) -> Option<ResourceName> {
        let free = self
            .ready
            .iter()
            .position(|name| !attended.contains(name))?;
        let name = self.ready.remove(free)?;
        self.places.remove(&name);
        Some(name)
    }

    fn has_ready(&self, attended: &HashSet<ResourceName>) -> bool {
        self.ready.iter().any(|name| !attended.contains(name))
    }

    fn has_delayed(&self) -> bool {
        !self.delayed.is_empty()
    }

    /// Waits until the time of one has come.
    async fn due(&mut self) {
        if let Some((then, _)) = self.delayed.first() {
            clock::until(*then).await;
        }
        if let Some((_, name)) = self.delayed.pop_first() {
            self.places.insert(name.clone(), Place::Ready);
            self.ready.push_back(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::clock::Clock;
    use futures::channel::mpsc;

    const SECOND: Duration = Duration::from_secs(1);

    fn name(name: &str) -> ResourceName {
        ResourceName::new("shop", name)
    }

    /// When each turn began and ended, in seconds.
    type Turns = Vec<(String, u64, u64)>;

    /// The turns of 100 seconds, each of which takes `takes`; the calls come at these seconds.
    async fn turns(
        calls: &[(u64, &'static str)],
        concurrency: usize,
        takes: Duration,
        delay: Option<Duration>,
    ) -> Turns {
        let clock = Clock::start();
        let second = move || clock.now().uptime.as_secs();
        let turns = Arc::new(Mutex::new(Turns::new()));
        let (sender, receiver) = mpsc::unbounded();
        let calling = async {
            for (at, call) in calls {
                clock::pause(Duration::from_secs(*at - second())).await;
                sender.unbounded_send(name(call)).unwrap();
            }
        };
        let attend = |name: ResourceName| {
            let turns = Arc::clone(&turns);
            async move {
                let start = second();
                clock::pause(takes).await;
                let turn = (name.name().to_owned(), start, second());
                turns.lock().unwrap().push(turn);
                delay
            }
        };
        let all = attend_all(receiver, concurrency, clock::pause(100 * SECOND), attend);
        futures::join!(calling, all);
        let turns = turns.lock().unwrap();
        turns.clone()
    }

    fn turn(name: &str, start: u64, end: u64) -> (String, u64, u64) {
        (name.to_owned(), start, end)
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_during_a_turn_leads_to_one_more_after_it() {
        let calls = [(0, "a"), (1, "a"), (2, "a"), (3, "b")];
        let expected = [turn("a", 0, 10), turn("b", 3, 13), turn("a", 10, 20)];
        assert_eq!(turns(&calls, 8, 10 * SECOND, None).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_due_after_the_delay_that_the_last_one_gave_or_when_it_is_called_for() {
        let delay = Some(40 * SECOND);
        let expected = [turn("a", 0, 5), turn("a", 10, 15), turn("a", 55, 60)];
        assert_eq!(
            turns(&[(0, "a"), (10, "a")], 8, 5 * SECOND, delay).await,
            expected
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_called_first_comes_first_where_there_is_no_room_for_all() {
        let calls = [(0, "a"), (0, "b"), (1, "a"), (2, "c")];
        let expected = [
            turn("a", 0, 10),
            turn("b", 10, 20),
            turn("a", 20, 30),
            turn("c", 30, 40),
        ];
        assert_eq!(turns(&calls, 1, 10 * SECOND, None).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_begun_ends_and_nothing_begins_after_the_stop() {
        let calls = [(0, "a"), (95, "b")];
        let expected = [turn("a", 0, 80), turn("b", 95, 175)];
        let delay = Some(SECOND);
        let taken = turns(&calls, 8, 80 * SECOND, delay).await;
        assert_eq!(
            taken.iter().filter(|turn| turn.0 == "b").count(),
            1,
            "{taken:?}"
        );
        assert_eq!(taken.first(), expected.first());
        assert_eq!(taken.last(), expected.last());
        assert_eq!(taken.len(), 3, "{taken:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn many_delays_cost_one_turn_each() {
        let names: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let calls: Vec<(u64, &'static str)> = names
            .iter()
            .map(|name| (0, &*name.clone().leak()))
            .collect();
        let taken = turns(&calls, 64, Duration::ZERO, Some(60 * SECOND)).await;
        assert_eq!(taken.len(), 2000);
    }

    #[tokio::test(start_paused = true)]
    async fn turns_that_wait_for_others_hold_nobody_up_but_are_not_without_number() {
        let (sender, receiver) = mpsc::unbounded();
        for number in 0..100 {
            sender.unbounded_send(name(&number.to_string())).unwrap();
        }
        let waiting = Arc::new(());
        let attend = |_| {
            let waiting = Arc::clone(&waiting);
            async move {
                seat::aside(clock::pause(50 * SECOND)).await;
                drop(waiting);
                None
            }
        };
        let all = attend_all(receiver, 2, clock::pause(SECOND), attend);
        let mut all = pin!(all);
        assert!(tokio::time::timeout(2 * SECOND, &mut all).await.is_err());
        assert_eq!(Arc::strong_count(&waiting), 1 + 2 * TURNS_A_SEAT);
        all.await;
        assert_eq!(Arc::strong_count(&waiting), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn turns_end_with_who_attends() {
        let (sender, receiver) = mpsc::unbounded();
        sender.unbounded_send(name("a")).unwrap();
        let held = Arc::new(());
        let attend = |_| {
            let held = Arc::clone(&held);
            async move {
                std::future::pending::<()>().await;
                drop(held);
                None
            }
        };
        let for_ever = std::future::pending();
        let all = attend_all(receiver, 1, for_ever, attend);
        assert!(tokio::time::timeout(SECOND, all).await.is_err());
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&held), 1, "the turn is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_panics_ends_nobody_elses() {
        let (sender, receiver) = mpsc::unbounded();
        for call in ["a", "b"] {
            sender.unbounded_send(name(call)).unwrap();
        }
        let attended = Arc::new(Mutex::new(Vec::new()));
        let attend = |name: ResourceName| {
            let attended = Arc::clone(&attended);
            async move {
                assert_eq!(name.name(), "b", "the first one panics");
                attended.lock().unwrap().push(name);
                None
            }
        };
        attend_all(receiver, 1, clock::pause(SECOND), attend).await;
        assert_eq!(*attended.lock().unwrap(), [name("b")]);
    }
}
