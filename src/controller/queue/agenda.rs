//! Who is to be attended to, and when: each resource once, at the earliest time that was asked for.
//!
//! Promises that what people have changed goes first, and that namespaces take turns within each lane, and within a namespace its
//! groups: one with thousands of resources that are ready does not hold up one with a single one, and a namespace has no more
//! turns for naming many credentials. Within a group and lane, who came first comes first.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::Call;
use crate::{
    clock,
    model::ResourceName,
    seats::{Group, Lane, Waited},
};

/// Who is to be attended to.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Those whose time has come. Who has moved on to another lane since is still there and is passed over.
    ready: HashMap<Group, [VecDeque<ResourceName>; LANES]>,
    /// The groups with resources that are ready, by lane.
    rings: [Ring; LANES],
    /// The others, in the order of their times. A `DelayQueue` of tokio's takes three times the memory.
    delayed: BTreeSet<(Instant, ResourceName)>,
    places: HashMap<ResourceName, Place>,
}

const LANES: usize = 3;

/// The place of a lane among all.
const fn index(lane: Lane) -> usize {
    match lane {
        Lane::Stop => 0,
        Lane::People => 1,
        Lane::Usual => 2,
    }
}

/// The namespaces that take turns, the one whose turn is next in front, and likewise the groups of each.
#[derive(Debug, Default)]
struct Ring {
    namespaces: VecDeque<u64>,
    groups: HashMap<u64, VecDeque<Group>>,
}

impl Ring {
    /// Puts a group behind those of its namespace, and this one behind the others if it is not there yet.
    fn push(&mut self, group: Group) {
        let groups = self.groups.entry(group.namespace).or_default();
        if groups.is_empty() {
            self.namespaces.push_back(group.namespace);
        }
        groups.push_back(group);
    }

    /// Takes the first group that gets a seat out of the first namespace that has one; the namespace goes to the end.
    fn pop<S>(&mut self, seat: &impl Fn(Group) -> Option<S>) -> Option<(Group, S)> {
        let place = |groups: &VecDeque<Group>| {
            let mut groups = groups.iter().enumerate();
            groups.find_map(|(at, group)| Some((at, seat(*group)?)))
        };
        let mut namespaces = self.namespaces.iter().enumerate();
        let (at, namespace, (of_group, seat)) = namespaces.find_map(|(at, namespace)| {
            let of_group = place(self.groups.get(namespace)?)?;
            Some((at, *namespace, of_group))
        })?;
        self.namespaces.remove(at);
        let groups = self.groups.get_mut(&namespace)?;
        let group = groups.remove(of_group);
        if groups.is_empty() {
            self.groups.remove(&namespace);
        } else {
            self.namespaces.push_back(namespace);
        }
        Some((group?, seat))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Since then.
    Ready(Lane, Instant),
    /// Until then.
    Delayed(Instant),
}

/// The resource whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next<S> {
    /// Which.
    pub(super) name: ResourceName,
    /// Its seat.
    pub(super) seat: S,
    /// For how long it was ready, and how it was called for.
    pub(super) waited: Waited,
}

impl Agenda {
    /// To be attended to as soon as possible.
    pub(super) fn call(&mut self, call: Call, group: Group) {
        self.call_since(call, group, clock::after(Duration::ZERO));
    }

    /// The same of one that was called for at that time.
    pub(super) fn call_since(&mut self, call: Call, group: Group, since: Instant) {
        let Call { name, lane } = call;
        match self.places.get(&name) {
            Some(Place::Ready(other, _)) if *other <= lane => return,
            Some(Place::Delayed(then)) => drop(self.delayed.remove(&(*then, name.clone()))),
            Some(Place::Ready(..)) | None => {}
        }
        self.places.insert(name.clone(), Place::Ready(lane, since));
        let index = index(lane);
        let lanes = self.ready.entry(group).or_default();
        if let (Some(waiting), Some(ring)) = (lanes.get_mut(index), self.rings.get_mut(index)) {
            if waiting.is_empty() {
                ring.push(group);
            }
            waiting.push_back(name);
        }
    }

    /// To be attended to after `delay`, if nothing calls for it earlier.
    pub(super) fn put_off(&mut self, name: ResourceName, delay: Duration) {
        if !self.places.contains_key(&name) {
            let then = clock::after(delay);
            self.delayed.insert((then, name.clone()));
            self.places.insert(name, Place::Delayed(then));
        }
    }

    /// The next resource whose time has come, of a group for which `seat` gives one. Resource and seat are taken in one step:
    /// turns on other threads take seats meanwhile, and a resource that was taken without a seat would be lost.
    pub(super) fn next<S>(&mut self, seat: impl Fn(Group) -> Option<S>) -> Option<Next<S>> {
        [Lane::Stop, Lane::People, Lane::Usual]
            .into_iter()
            .find_map(|lane| self.next_in(lane, &seat))
    }

    fn next_in<S>(&mut self, lane: Lane, seat: &impl Fn(Group) -> Option<S>) -> Option<Next<S>> {
        let index = index(lane);
        let ring = self.rings.get_mut(index)?;
        while let Some((group, seat)) = ring.pop(seat) {
            let Some(lanes) = self.ready.get_mut(&group) else {
                continue;
            };
            let mut next = None;
            if let Some(waiting) = lanes.get_mut(index) {
                while next.is_none()
                    && let Some(name) = waiting.pop_front()
                {
                    next = match self.places.get(&name) {
                        Some(Place::Ready(of, since)) if *of == lane => Some((name, *since)),
                        _ => None,
                    };
                }
                if !waiting.is_empty() {
                    ring.push(group);
                }
            }
            if lanes.iter().all(VecDeque::is_empty) {
                self.ready.remove(&group);
            }
            if let Some((name, since)) = next {
                self.places.remove(&name);
                let took = clock::after(Duration::ZERO).saturating_duration_since(since);
                let waited = Waited { lane, took };
                return Some(Next { name, seat, waited });
            }
        }
        None
    }

    pub(super) fn has_delayed(&self) -> bool {
        !self.delayed.is_empty()
    }

    /// Waits until the time of one has come.
    pub(super) async fn due(&mut self, group: impl Fn(&ResourceName) -> Group) {
        if let Some((then, _)) = self.delayed.first() {
            clock::until(*then).await;
        }
        if let Some((then, name)) = self.delayed.pop_first() {
            self.places.remove(&name);
            let group = group(&name);
            self.call_since(Call::usual(name), group, then);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ResourceName {
        ResourceName::new("shop", name)
    }

    /// A namespace with credentials of one name.
    fn group(namespace: u64) -> Group {
        Group {
            namespace,
            credentials: 0,
        }
    }

    impl Ring {
        fn is_empty(&self) -> bool {
            self.namespaces.is_empty() && self.groups.is_empty()
        }
    }

    fn all(agenda: &mut Agenda) -> String {
        let next = || agenda.next(Some);
        let names = std::iter::from_fn(next).map(|next| next.name.name().to_owned());
        names.collect()
    }

    #[test]
    fn n01_groups_take_turns_and_what_people_changed_goes_first() {
        let mut agenda = Agenda::default();
        let [many, few] = [1, 2].map(group);
        for waiting in ["a", "b", "c", "d"] {
            agenda.call(Call::usual(name(waiting)), many);
        }
        agenda.call(Call::usual(name("x")), few);
        agenda.call(Call::of_people(name("y")), few);
        agenda.call(Call::of_people(name("c")), many);
        agenda.call(Call::usual(name("c")), many);
        assert_eq!(all(&mut agenda), "ycaxbd");
        assert!(agenda.ready.is_empty() && agenda.places.is_empty());
        assert!(agenda.rings.iter().all(Ring::is_empty));
    }

    #[test]
    fn n01_a_namespace_has_no_more_turns_for_naming_many_credentials() {
        let mut agenda = Agenda::default();
        for (credentials, waiting) in ["a", "b", "c", "d", "e"].iter().enumerate() {
            let group = Group {
                namespace: 1,
                credentials: credentials as u64,
            };
            agenda.call(Call::usual(name(waiting)), group);
            agenda.call(Call::usual(name(&waiting.to_uppercase())), group);
        }
        agenda.call(Call::usual(name("x")), group(2));
        agenda.call(Call::usual(name("y")), group(2));
        agenda.call(Call::usual(name("z")), group(3));
        assert_eq!(all(&mut agenda), "axzbycdeABCDE");
        assert!(agenda.rings.iter().all(Ring::is_empty));
    }

    #[test]
    fn a_group_without_room_is_passed_over_and_keeps_what_it_has() {
        let mut agenda = Agenda::default();
        for (waiting, of) in [("a", 1), ("b", 1), ("x", 2)] {
            agenda.call(Call::usual(name(waiting)), group(of));
        }
        let of_others = |of| (of != group(1)).then_some(of);
        let next = agenda.next(of_others).map(|next| (next.name, next.seat));
        assert_eq!(next, Some((name("x"), group(2))));
        assert_eq!(agenda.next(of_others), None);
        assert_eq!(all(&mut agenda), "ab");
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_delayed_and_is_called_is_attended_to_once() {
        let mut agenda = Agenda::default();
        agenda.put_off(name("a"), Duration::from_secs(5));
        agenda.put_off(name("b"), Duration::from_secs(6));
        agenda.call(Call::usual(name("a")), group(1));
        agenda.call(Call::of_people(name("a")), group(1));
        assert_eq!(all(&mut agenda), "a");
        agenda.due(|_| group(1)).await;
        assert_eq!(all(&mut agenda), "b");
        assert!(!agenda.has_delayed() && agenda.places.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn each_has_waited_since_it_was_called_for_or_since_its_time_had_come() {
        const SECOND: Duration = Duration::from_secs(1);
        let mut agenda = Agenda::default();
        let waited = |agenda: &mut Agenda| {
            let next = agenda.next(Some).unwrap();
            (next.waited.lane, next.waited.took)
        };
        agenda.call(Call::usual(name("a")), group(1));
        clock::pause(2 * SECOND).await;
        agenda.call(Call::usual(name("a")), group(1));
        clock::pause(SECOND).await;
        assert_eq!(waited(&mut agenda), (Lane::Usual, 3 * SECOND));
        agenda.call(Call::usual(name("a")), group(1));
        clock::pause(2 * SECOND).await;
        agenda.call(Call::of_people(name("a")), group(1));
        clock::pause(SECOND).await;
        assert_eq!(waited(&mut agenda), (Lane::People, SECOND));
        agenda.put_off(name("b"), SECOND);
        clock::pause(5 * SECOND).await;
        agenda.due(|_| group(1)).await;
        assert_eq!(waited(&mut agenda), (Lane::Usual, 4 * SECOND));
    }
}
