//! Whatever happens in whatever order where several resources are on one instance: counts are right, and nobody waits for nothing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};

use crate::permits::tests::*;

const CONCURRENT: usize = 3;
const RESOURCES: usize = 12;
const INSTANCES: usize = 4;
/// For so long a change on record counts that nobody follows.
const UNHEARD: u64 = 120;
/// For so long somebody who was called is waited for.
const TURN: u64 = 60;

/// What may happen to a resource.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// It wants a change.
    Ask,
    /// It gives its permit back.
    Release,
    /// The change of this number is on record of it; none, if it is zero.
    Record(u8),
    /// It no longer wants one.
    Leave,
    /// It follows the change that is on record of it.
    Resume,
}

/// Everything that the ledger was told.
struct World {
    ledger: Ledger,
    now: u64,
    held: BTreeMap<usize, usize>,
    /// By resource: the number of its change, and since when it is on record.
    records: BTreeMap<usize, (u8, u64)>,
    waiting: BTreeSet<usize>,
    /// Those who were called, and when.
    called: BTreeMap<usize, u64>,
}

fn event() -> impl Strategy<Value = (u64, usize, Event)> {
    let event = prop_oneof![
        6 => Just(Event::Ask),
        4 => Just(Event::Release),
        3 => (0..3_u8).prop_map(Event::Record),
        1 => Just(Event::Leave),
        1 => Just(Event::Resume),
    ];
    (
        prop_oneof![8 => 0..20_u64, 1 => 20..200_u64],
        0..RESOURCES,
        event,
    )
}

fn home(number: usize) -> InstanceKey {
    instance(number % INSTANCES)
}

impl World {
    fn moment(&self) -> Moment {
        at(self.now)
    }

    fn pass(&mut self, seconds: u64) {
        let next = |world: &Self| {
            let next = world.ledger.next_call(world.moment());
            next.map(|next| next.as_secs())
        };
        pass(self, self.now + seconds, next, Self::come_to);
    }

    fn come_to(&mut self, now: u64) {
        self.now = now;
        self.call();
    }

    /// Who was called and has not come within its time waits no longer.
    fn call(&mut self) {
        let late = self
            .called
            .extract_if(.., |_, since| *since + TURN <= self.now);
        for (number, _) in late {
            self.waiting.remove(&number);
        }
        for asker in self.ledger.call(self.moment()) {
            let number = asker.uid.parse().unwrap();
            assert!(self.waiting.contains(&number), "{number} does not wait");
            assert!(self.called.insert(number, self.now).is_none());
        }
    }

    fn happen(&mut self, number: usize, event: Event) {
        let (uid, home, now) = (number.to_string(), home(number), self.moment());
        match event {
            Event::Ask if self.held.get(&(number % INSTANCES)) == Some(&number) => {}
            Event::Ask => {
                self.called.remove(&number);
                if self.ledger.acquire(&asker("a", number), &home, now).is_ok() {
                    self.waiting.remove(&number);
                    assert_eq!(self.held.insert(number % INSTANCES, number), None);
                } else {
                    self.waiting.insert(number);
                }
            }
            Event::Release => {
                if self.held.get(&(number % INSTANCES)) == Some(&number) {
                    self.held.remove(&(number % INSTANCES));
                    self.ledger.release(&home);
                }
            }
            Event::Record(0) => {
                self.records.remove(&number);
                self.ledger.note(&uid, None, now);
            }
            Event::Record(id) => {
                let record = self.records.entry(number).or_insert((id, self.now));
                if record.0 != id {
                    *record = (id, self.now);
                }
                let change = id.to_string();
                self.ledger.note(&uid, Some((&change, Some(&home))), now);
            }
            Event::Leave => {
                self.called.remove(&number);
                self.waiting.remove(&number);
                self.ledger.leave(&uid);
            }
            Event::Resume => {
                let free = !self.held.contains_key(&(number % INSTANCES));
                assert_eq!(self.ledger.resume(&uid, &home), free);
                if free {
                    self.held.insert(number % INSTANCES, number);
                }
            }
        }
        self.call();
    }

    fn is_free(&self, number: usize) -> bool {
        let held = self.held.get(&(number % INSTANCES));
        let mut recorded = self.records.keys();
        held.is_none_or(|holder| *holder == number)
            && !recorded.any(|other| *other != number && other % INSTANCES == number % INSTANCES)
    }

    fn check(&self) {
        let unheard = self.records.iter().filter(|(number, (_, since))| {
            let follows = self.held.values().any(|holder| holder == *number);
            !follows && self.now - since < UNHEARD
        });
        let under_way = self.held.len() + unheard.count();
        assert_eq!(under_way, self.ledger.figures(self.moment()).under_way);
        for number in 0..RESOURCES {
            let uid = number.to_string();
            assert_eq!(
                self.is_free(number),
                self.ledger.is_free(&home(number), &uid)
            );
        }
        if under_way + self.called.len() < CONCURRENT {
            let called = |number: &usize| {
                self.called
                    .keys()
                    .any(|other| other % INSTANCES == number % INSTANCES)
            };
            // Who has the permit already gets no second one.
            let has_it = |number: &usize| self.held.get(&(number % INSTANCES)) == Some(number);
            let left = self.waiting.iter().filter(|number| !called(number));
            let mut left = left.filter(|number| !has_it(number));
            assert_eq!(
                left.find(|number| self.is_free(**number)),
                None,
                "waits for nothing"
            );
        }
        let instances: BTreeSet<usize> = self
            .called
            .keys()
            .map(|number| number % INSTANCES)
            .collect();
        assert_eq!(
            instances.len(),
            self.called.len(),
            "one is called for an instance"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn nobody_waits_for_nothing_where_several_share_an_instance(events in vec(event(), 1..120)) {
        let mut world = World {
            ledger: ledger(CONCURRENT, 1_000_000),
            now: 100_000,
            held: BTreeMap::new(),
            records: BTreeMap::new(),
            waiting: BTreeSet::new(),
            called: BTreeMap::new(),
        };
        for (pause, number, event) in events {
            world.pass(pause);
            world.happen(number, event);
            world.check();
        }
    }
}
