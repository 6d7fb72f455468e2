//! Whose turn it is: resources are attended to when they are called for, or when the time has come that their last turn gave.
//!
//! Promises one turn of a resource at a time, that a call during a turn leads to another one after it, that groups of resources
//! take turns, that what people have changed goes first and interrupts the turn that is under way, but not again and again: the
//! turn after an interrupted one has its time, unless people want that nothing new begins; and that a turn which has begun ends,
//! also when nothing new is begun any more.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    future::Future,
    pin::pin,
    time::Duration,
};

use futures::{Stream, StreamExt as _, stream::FuturesUnordered};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use self::agenda::{Agenda, Next};
use crate::{
    clock,
    model::ResourceName,
    seats::{Called, Group, Lane, Seats},
};

mod agenda;
#[cfg(test)]
mod storm;

/// A resource that is to be attended to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub name: ResourceName,
    /// How soon.
    pub lane: Lane,
}

impl Call {
    /// For what a person has done.
    pub fn of_people(name: ResourceName) -> Self {
        let lane = Lane::People;
        Self { name, lane }
    }

    /// For what a person has done by which nothing new may begin: it interrupts also a turn that is spared.
    pub fn to_stop(name: ResourceName) -> Self {
        let lane = Lane::Stop;
        Self { name, lane }
    }

    /// For anything else.
    pub fn usual(name: ResourceName) -> Self {
        let lane = Lane::Usual;
        Self { name, lane }
    }
}

/// For so long a turn that follows an interrupted one is not interrupted: enough for a look and a change where the cloud is slow,
/// and not too long for a person who thinks better of it.
const SPARED: Duration = Duration::from_mins(1);

/// What a turn that is under way was told, and how its resource was called for meanwhile.
struct Attended {
    called: Called,
    again: Option<(Lane, Instant)>,
}

/// Attends to the resources that `calls` names, to `concurrency` of them at once and to no more than a fair share of one
/// `group`, until `stop` is done and all turns that were begun have ended. A turn gives the delay after which the next one is
/// due; nothing if only a call leads to one. Each is a task of its own, so that none holds up another, and ends with this future
/// where that is dropped. One that panics gives nothing. Turns that wait [aside](crate::seats::aside) don't count.
pub async fn attend_all<T: Future<Output = Option<Duration>> + Send + 'static>(
    calls: impl Stream<Item = Call>,
    concurrency: usize,
    stop: impl Future<Output = ()>,
    group: impl Fn(&ResourceName) -> Group,
    attend: impl Fn(ResourceName) -> T,
) {
    attend_with(Seats::new(concurrency), calls, stop, group, attend).await;
}

/// The same with these seats.
async fn attend_with<T: Future<Output = Option<Duration>> + Send + 'static>(
    seats: Seats,
    calls: impl Stream<Item = Call>,
    stop: impl Future<Output = ()>,
    group: impl Fn(&ResourceName) -> Group,
    attend: impl Fn(ResourceName) -> T,
) {
    let mut agenda = Agenda::default();
    let mut attended = HashMap::<ResourceName, Attended>::new();
    // Those whose last turn was interrupted.
    let mut interrupted = HashSet::<ResourceName>::new();
    let mut turns = FuturesUnordered::new();
    let (mut calls, mut stop) = (pin!(calls.fuse()), pin!(stop));
    loop {
        while seats.any_free()
            && let Some(Next { name, seat, waited }) = agenda.next(|group| seats.take(group))
        {
            let spared = interrupted.remove(&name).then_some(SPARED);
            let called = Called {
                waited,
                ..Called::not_before(spared.unwrap_or_default())
            };
            // A turn is some kilobytes, and would be moved several times on its way into its task.
            let turn = Box::pin(attend(name.clone()));
            let turn = tokio::spawn(seat.with(called.clone(), turn));
            let turn = AbortOnDropHandle::new(turn);
            let again = None;
            attended.insert(name.clone(), Attended { called, again });
            turns.push(async { (name, turn.await) });
        }
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some((name, delay)) = turns.next() => {
                let attended = attended.remove(&name);
                if attended.as_ref().is_some_and(|attended| attended.called.interrupts()) {
                    interrupted.insert(name.clone());
                }
                if let Some((lane, since)) = attended.and_then(|attended| attended.again) {
                    let of = group(&name);
                    let call = Call { name, lane };
                    // People wait for the end of this turn as well; nobody else does.
                    match lane {
                        Lane::Stop | Lane::People => agenda.call_since(call, of, since),
                        Lane::Usual => agenda.call(call, of),
                    }
                } else if let Ok(Some(delay)) = delay {
                    agenda.put_off(name, delay);
                }
            }
            Some(call) = calls.next() => match attended.entry(call.name) {
                Entry::Occupied(mut attended) => attended.get_mut().call(call.lane),
                Entry::Vacant(free) => {
                    let name = free.into_key();
                    let of = group(&name);
                    agenda.call(Call { name, lane: call.lane }, of);
                }
            },
            () = seats.freed() => {}
            () = agenda.due(&group), if agenda.has_delayed() => {}
        }
    }
    while turns.next().await.is_some() {}
}

impl Attended {
    fn call(&mut self, lane: Lane) {
        if self.again.is_none_or(|(before, _)| lane < before) {
            self.again = Some((lane, clock::after(Duration::ZERO)));
        }
        match lane {
            Lane::Stop => self.called.to_stop.cancel(),
            Lane::People => self.called.by_people.cancel(),
            Lane::Usual => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        hash::{DefaultHasher, Hash as _, Hasher as _},
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::{clock::Clock, seats};
    use futures::channel::mpsc;
    use tokio_util::sync::CancellationToken;

    const SECOND: Duration = Duration::from_secs(1);

    fn name(name: &str) -> ResourceName {
        ResourceName::new("shop", name)
    }

    /// Each resource is a group of its own.
    fn by_name(name: &ResourceName) -> Group {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let hash = hasher.finish();
        Group {
            namespace: hash,
            credentials: hash,
        }
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
                sender.unbounded_send(Call::usual(name(call))).unwrap();
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
        let stop = clock::pause(100 * SECOND);
        let all = attend_all(receiver, concurrency, stop, by_name, attend);
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
    async fn who_called_first_comes_first_and_who_is_attended_to_comes_again_after_those_who_wait()
    {
        let calls = [(0, "a"), (0, "b"), (1, "a"), (2, "c")];
        let expected = [
            turn("a", 0, 10),
            turn("b", 10, 20),
            turn("c", 20, 30),
            turn("a", 30, 40),
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

    /// On several threads, as it is shipped: turns take seats again while new ones are begun.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn n01_no_resource_is_lost_where_turns_on_several_threads_take_seats() {
        const RESOURCES: usize = 64;
        const TURNS: usize = 500;
        let (sender, receiver) = mpsc::unbounded();
        for number in 0..RESOURCES {
            let call = Call::usual(name(&number.to_string()));
            sender.unbounded_send(call).unwrap();
        }
        let turns = Arc::new(Mutex::new(HashMap::<ResourceName, usize>::new()));
        let all_had_theirs = CancellationToken::new();
        let attend = |name: ResourceName| {
            let (turns, all_had_theirs) = (Arc::clone(&turns), all_had_theirs.clone());
            async move {
                for _ in 0..3 {
                    seats::aside(tokio::task::yield_now()).await;
                }
                let mut turns = turns.lock().unwrap();
                *turns.entry(name).or_default() += 1;
                if turns.len() == RESOURCES && turns.values().all(|turns| *turns >= TURNS) {
                    all_had_theirs.cancel();
                }
                Some(Duration::ZERO)
            }
        };
        let one_group = |_: &ResourceName| Group::default();
        let all = attend_all(receiver, 3, all_had_theirs.cancelled(), one_group, attend);
        let ended = tokio::time::timeout(Duration::from_mins(5), all).await;
        let turns = turns.lock().unwrap();
        assert!(ended.is_ok(), "turns of each resource: {turns:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn n01_turns_that_wait_for_others_hold_nobody_up() {
        let (sender, receiver) = mpsc::unbounded();
        for number in 0..100 {
            let call = Call::usual(name(&number.to_string()));
            sender.unbounded_send(call).unwrap();
        }
        let waiting = Arc::new(());
        let attend = |_| {
            let waiting = Arc::clone(&waiting);
            async move {
                seats::aside(clock::pause(50 * SECOND)).await;
                drop(waiting);
                None
            }
        };
        let all = attend_all(receiver, 2, clock::pause(SECOND), by_name, attend);
        let mut all = pin!(all);
        assert!(tokio::time::timeout(2 * SECOND, &mut all).await.is_err());
        assert_eq!(Arc::strong_count(&waiting), 1 + 100);
        all.await;
        assert_eq!(Arc::strong_count(&waiting), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn n01_a_turn_hears_of_what_people_change_meanwhile_and_of_nothing_else() {
        let clock = Clock::start();
        let (sender, receiver) = mpsc::unbounded();
        let ended = Arc::new(Mutex::new(Vec::new()));
        let attend = |_| {
            let ended = Arc::clone(&ended);
            async move {
                let waiting = clock::pause(50 * SECOND);
                tokio::select! {
                    () = seats::aside(waiting) => {}
                    () = seats::called_again() => {}
                }
                ended.lock().unwrap().push(clock.now().uptime.as_secs());
                None
            }
        };
        let began = clock.now().uptime.as_secs();
        let calling = async {
            sender.unbounded_send(Call::usual(name("a"))).unwrap();
            clock::pause(SECOND).await;
            sender.unbounded_send(Call::usual(name("a"))).unwrap();
            clock::pause(SECOND).await;
            sender.unbounded_send(Call::of_people(name("a"))).unwrap();
        };
        let all = attend_all(receiver, 1, clock::pause(9 * SECOND), by_name, attend);
        futures::join!(calling, all);
        let ended = ended.lock().unwrap().clone();
        assert_eq!(ended, [began + 2, began + 52]);
    }

    #[tokio::test(start_paused = true)]
    async fn n01_a_turn_after_an_interrupted_one_has_its_time_though_people_go_on_calling() {
        let clock = Clock::start();
        let (sender, receiver) = mpsc::unbounded();
        let ended = Arc::new(Mutex::new(Vec::new()));
        let attend = |_| {
            let ended = Arc::clone(&ended);
            async move {
                let whole = tokio::select! {
                    () = clock::pause(40 * SECOND) => true,
                    () = seats::called_again() => false,
                };
                ended
                    .lock()
                    .unwrap()
                    .push((clock.now().uptime.as_secs(), whole));
                None
            }
        };
        let began = clock.now().uptime.as_secs();
        let calling = async {
            sender.unbounded_send(Call::usual(name("a"))).unwrap();
            for _ in 0..1000 {
                clock::pause(SECOND / 10).await;
                sender.unbounded_send(Call::of_people(name("a"))).unwrap();
            }
        };
        let all = attend_all(receiver, 1, clock::pause(81 * SECOND), by_name, attend);
        futures::join!(calling, all);
        let ended = ended.lock().unwrap().clone();
        let whole: Vec<_> = ended.iter().filter(|(_, whole)| *whole).collect();
        let expected = [40, 80, 120].map(|second| (began + second, true));
        assert_eq!(whole, expected.each_ref(), "{ended:?}");
    }

    /// How a resource is called for.
    type Calls = fn(ResourceName) -> Call;

    /// When turns of a resource are interrupted that wait for nothing else: in seconds since the first call of it, for these calls, each so
    /// long after the one before. The last turn is one that nobody interrupts.
    async fn interruptions(calls: &[(Duration, Calls)]) -> Vec<u64> {
        let clock = Clock::start();
        let (sender, receiver) = mpsc::unbounded();
        let ended = Arc::new(Mutex::new(Vec::new()));
        let attend = |_| {
            let ended = Arc::clone(&ended);
            async move {
                seats::called_again().await;
                ended.lock().unwrap().push(clock.now().uptime.as_secs());
                None
            }
        };
        let began = clock.now().uptime.as_secs();
        let calling = async {
            sender.unbounded_send(Call::usual(name("a"))).unwrap();
            for (after, call) in calls {
                clock::pause(*after).await;
                sender.unbounded_send(call(name("a"))).unwrap();
            }
        };
        let all = attend_all(receiver, 1, clock::pause(3 * SPARED), by_name, attend);
        let within = tokio::time::timeout(4 * SPARED, all);
        let ((), stopped) = futures::join!(calling, within);
        assert!(stopped.is_err(), "the last one was not called for");
        let ended = ended.lock().unwrap();
        ended.iter().map(|second| second - began).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn n01_a_turn_that_was_spared_long_enough_is_interrupted() {
        let people: Calls = Call::of_people;
        let ended = interruptions(&[(SECOND, people), (SECOND, people), (SPARED, people)]).await;
        assert_eq!(ended, [1, 61, 121]);
    }

    #[tokio::test(start_paused = true)]
    async fn n01_a_turn_that_is_spared_is_interrupted_where_nothing_new_may_begin() {
        let people: Calls = Call::of_people;
        let ended =
            interruptions(&[(SECOND, people), (SECOND, people), (SECOND, Call::to_stop)]).await;
        assert_eq!(ended, [1, 3]);
    }

    /// How long a single resource waits for its turn beside a hundred that were called for earlier, whose turns are slow.
    async fn wait_beside_slow_turns(
        group: impl Fn(&ResourceName) -> Group,
        call: impl Fn(ResourceName) -> Call,
    ) -> Duration {
        let clock = Clock::start();
        let (sender, receiver) = mpsc::unbounded();
        for number in 0..100 {
            let call = Call::usual(name(&number.to_string()));
            sender.unbounded_send(call).unwrap();
        }
        sender.unbounded_send(call(name("other"))).unwrap();
        let ended = Arc::new(Mutex::new(None));
        let attend = |name: ResourceName| {
            let ended = Arc::clone(&ended);
            async move {
                if name.name() == "other" {
                    *ended.lock().unwrap() = Some(clock.now().uptime);
                } else {
                    clock::pause(30 * SECOND).await;
                }
                None
            }
        };
        let began = clock.now().uptime;
        attend_all(receiver, 8, clock::pause(1000 * SECOND), group, attend).await;
        let ended = ended.lock().unwrap().unwrap();
        ended.saturating_sub(began)
    }

    #[tokio::test(start_paused = true)]
    async fn n01_a_group_whose_turns_are_slow_leaves_seats_to_others() {
        let group = |name: &ResourceName| Group {
            namespace: u64::from(name.name() == "other"),
            // As many credentials as there are resources.
            ..by_name(name)
        };
        assert!(wait_beside_slow_turns(group, Call::usual).await < SECOND);
        let without_groups = |_: &ResourceName| Group::default();
        assert!(wait_beside_slow_turns(without_groups, Call::usual).await > 100 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn n01_what_people_change_goes_before_all_that_waits_in_its_group() {
        let one_group = |_: &ResourceName| Group::default();
        // The turns that have begun end.
        let longest = 31 * SECOND;
        assert!(wait_beside_slow_turns(one_group, Call::of_people).await < longest);
        assert!(wait_beside_slow_turns(one_group, Call::to_stop).await < longest);
        let without_lanes = Call::usual;
        assert!(wait_beside_slow_turns(one_group, without_lanes).await > longest);
    }

    #[tokio::test(start_paused = true)]
    async fn turns_end_with_who_attends() {
        let (sender, receiver) = mpsc::unbounded();
        sender.unbounded_send(Call::usual(name("a"))).unwrap();
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
        let all = attend_all(receiver, 1, for_ever, by_name, attend);
        assert!(tokio::time::timeout(SECOND, all).await.is_err());
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&held), 1, "the turn is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_panics_ends_nobody_elses() {
        let (sender, receiver) = mpsc::unbounded();
        for call in ["a", "b"] {
            sender.unbounded_send(Call::usual(name(call))).unwrap();
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
        attend_all(receiver, 1, clock::pause(SECOND), by_name, attend).await;
        assert_eq!(*attended.lock().unwrap(), [name("b")]);
    }
}
