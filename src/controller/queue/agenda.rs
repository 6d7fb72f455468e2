//! Who is to be attended to, and when: each resource once, at the earliest time that was asked for.
//!
//! Promises that what people have changed goes first, and that groups take turns within each lane: one with thousands of
//! resources that are ready does not hold up one with a single one. Within a group and lane, who came first comes first.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{Call, Lane, seat::Group};
use crate::{clock, model::ResourceName};

/// Who is to be attended to.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Those whose time has come. Who has moved on to another lane since is still there and is passed over.
    ready: HashMap<Group, [VecDeque<ResourceName>; LANES]>,
    /// The groups with resources that are ready, by lane, the one whose turn is next in front.
    rings: [VecDeque<Group>; LANES],
    /// The others, in the order of their times. A `DelayQueue` of tokio's takes three times the memory.
    delayed: BTreeSet<(Instant, ResourceName)>,
    places: HashMap<ResourceName, Place>,
}

const LANES: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ready(Lane),
    Delayed(Instant),
}

impl Agenda {
    /// To be attended to as soon as possible.
    pub(super) fn call(&mut self, call: Call, group: Group) {
        let Call { name, lane } = call;
        match self.places.get(&name) {
            Some(Place::Ready(other)) if *other <= lane => return,
            Some(Place::Delayed(then)) => drop(self.delayed.remove(&(*then, name.clone()))),
            Some(Place::Ready(_)) | None => {}
        }
        self.places.insert(name.clone(), Place::Ready(lane));
        let index = usize::from(lane == Lane::Usual);
        let lanes = self.ready.entry(group).or_default();
        if let (Some(waiting), Some(ring)) = (lanes.get_mut(index), self.rings.get_mut(index)) {
            if waiting.is_empty() {
                ring.push_back(group);
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

    /// The next one whose time has come, of a group that has room.
    pub(super) fn next(
        &mut self,
        has_room: impl Fn(Group) -> bool,
    ) -> Option<(ResourceName, Group)> {
        [Lane::People, Lane::Usual]
            .into_iter()
            .find_map(|lane| self.next_in(lane, &has_room))
    }

    fn next_in(
        &mut self,
        lane: Lane,
        has_room: &impl Fn(Group) -> bool,
    ) -> Option<(ResourceName, Group)> {
        let index = usize::from(lane == Lane::Usual);
        let ring = self.rings.get_mut(index)?;
        for _ in 0..ring.len() {
            let group = ring.pop_front()?;
            if !has_room(group) {
                ring.push_back(group);
                continue;
            }
            let Some(lanes) = self.ready.get_mut(&group) else {
                continue;
            };
            let mut next = None;
            if let Some(waiting) = lanes.get_mut(index) {
                while next.is_none()
                    && let Some(name) = waiting.pop_front()
                {
                    next = (self.places.get(&name) == Some(&Place::Ready(lane))).then_some(name);
                }
                if !waiting.is_empty() {
                    ring.push_back(group);
                }
            }
            if lanes.iter().all(VecDeque::is_empty) {
                self.ready.remove(&group);
            }
            if let Some(name) = next {
                self.places.remove(&name);
                return Some((name, group));
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
        if let Some((_, name)) = self.delayed.pop_first() {
            self.places.remove(&name);
            let group = group(&name);
            self.call(Call::usual(name), group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ResourceName {
        ResourceName::new("shop", name)
    }

    fn all(agenda: &mut Agenda) -> String {
        let next = || agenda.next(|_| true);
        let names = std::iter::from_fn(next).map(|(name, _)| name.name().to_owned());
        names.collect()
    }

    #[test]
    fn n01_groups_take_turns_and_what_people_changed_goes_first() {
        let mut agenda = Agenda::default();
        let (many, few) = (Group(1), Group(2));
        for waiting in ["a", "b", "c", "d"] {
            agenda.call(Call::usual(name(waiting)), many);
        }
        agenda.call(Call::usual(name("x")), few);
        agenda.call(Call::of_people(name("y")), few);
        agenda.call(Call::of_people(name("c")), many);
        agenda.call(Call::usual(name("c")), many);
        assert_eq!(all(&mut agenda), "ycaxbd");
        assert!(agenda.ready.is_empty() && agenda.places.is_empty());
        assert!(agenda.rings.iter().all(VecDeque::is_empty));
    }

    #[test]
    fn a_group_without_room_is_passed_over_and_keeps_what_it_has() {
        let mut agenda = Agenda::default();
        for (waiting, group) in [("a", 1), ("b", 1), ("x", 2)] {
            agenda.call(Call::usual(name(waiting)), Group(group));
        }
        let next = agenda.next(|group| group != Group(1));
        assert_eq!(next, Some((name("x"), Group(2))));
        assert_eq!(agenda.next(|group| group != Group(1)), None);
        assert_eq!(all(&mut agenda), "ab");
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_delayed_and_is_called_is_attended_to_once() {
        let mut agenda = Agenda::default();
        agenda.put_off(name("a"), Duration::from_secs(5));
        agenda.put_off(name("b"), Duration::from_secs(6));
        agenda.call(Call::usual(name("a")), Group(1));
        agenda.call(Call::of_people(name("a")), Group(1));
        assert_eq!(all(&mut agenda), "a");
        agenda.due(|_| Group(1)).await;
        assert_eq!(all(&mut agenda), "b");
        assert!(!agenda.has_delayed() && agenda.places.is_empty());
    }
}
