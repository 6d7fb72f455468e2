//! Whatever happens in whatever order: the limits hold, and nobody waits for nothing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};

use crate::permits::tests::*;

const CONCURRENT: usize = 3;
const HOURLY: usize = 8;
const HALT_AFTER: usize = 3;
const RESOURCES: usize = 12;
const NAMESPACES: [&str; 3] = ["a", "b", "c"];

/// What may happen to a resource, and how much time passes before.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// It wants a change.
    Ask(usize),
    /// The cloud refuses its request.
    Refused(usize),
    /// Its change is under way and ends so.
    Ends(usize, Outcome),
    /// Its change can't be followed, or can again.
    Blocked(usize, bool),
    /// It was deleted or suspended.
    Leaves(usize),
    /// The process ends and another one begins, from what is on record.
    Restart,
}

/// Everything that is outside the ledger.
struct World {
    ledger: Ledger,
    now: u64,
    /// Uptime of this process.
    since: u64,
    /// Changes under way: when they began, and whether they are blocked.
    running: BTreeMap<usize, (u64, bool)>,
    /// Those who hold a permit and have sent nothing yet.
    permitted: BTreeSet<usize>,
    /// Those who want a change, wait, and were told so.
    waiting: BTreeSet<usize>,
    /// Those who were woken and did not come yet, with the time.
    woken: BTreeMap<usize, u64>,
    /// When changes began, ever.
    begun: Vec<u64>,
    /// How the last change of each ended: when it began, and ended, and how.
    last: BTreeMap<usize, (u64, u64, Outcome)>,
    /// Different proxies that failed in a row, in this process.
    row: BTreeSet<usize>,
    halted_until: u64,
    /// How many changes ended, ever.
    ends: usize,
}

fn event() -> impl Strategy<Value = (u64, Event)> {
    let number = 0..RESOURCES;
    let outcome = prop_oneof![
        3 => Just(Outcome::Succeeded),
        3 => Just(Outcome::Failed),
        1 => Just(Outcome::Void)
    ];
    let event = prop_oneof![
        6 => number.clone().prop_map(Event::Ask),
        1 => number.clone().prop_map(Event::Refused),
        5 => (number.clone(), outcome).prop_map(|(number, how)| Event::Ends(number, how)),
        1 => (number.clone(), any::<bool>()).prop_map(|(number, is)| Event::Blocked(number, is)),
        1 => number.prop_map(Event::Leaves),
        1 => Just(Event::Restart),
    ];
    let pause = prop_oneof![8 => 0..60_u64, 1 => 60..4000_u64];
    (pause, event)
}

impl World {
    fn new() -> Self {
        Self {
            ledger: fresh(),
            now: 100_000,
            since: 100_000,
            running: BTreeMap::new(),
            ends: 0,
            permitted: BTreeSet::new(),
            waiting: BTreeSet::new(),
            woken: BTreeMap::new(),
            begun: Vec::new(),
            last: BTreeMap::new(),
            row: BTreeSet::new(),
            halted_until: 0,
        }
    }

    fn moment(&self) -> Moment {
        Moment::new(
            at(self.now).wall,
            Duration::from_secs(self.now - self.since),
        )
    }

    /// Time passes; the process is woken whenever it asked to be.
    fn pass(&mut self, seconds: u64) {
        let next = |world: &Self| {
            let next = world.ledger.next_call(world.moment())?;
            Some(world.since + next.as_secs())
        };
        pass(self, self.now + seconds, next, Self::come_to);
    }

    fn come_to(&mut self, now: u64) {
        self.now = now;
        self.call();
    }

    /// Who is called comes at once.
    fn call(&mut self) {
        for asker in self.ledger.call(self.moment()) {
            let number = asker.uid.parse().unwrap();
            assert!(self.waiting.contains(&number), "{number} does not wait");
            self.woken.insert(number, self.now);
        }
        let woken = std::mem::take(&mut self.woken);
        for number in woken.into_keys() {
            self.ask(number);
        }
    }

    fn ask(&mut self, number: usize) {
        if self.running.contains_key(&number) || self.permitted.contains(&number) {
            return;
        }
        let asker = asker(NAMESPACES[number % 3], number);
        let now = self.moment();
        match self.ledger.acquire(&asker, &instance(number), now) {
            Ok(()) => {
                self.waiting.remove(&number);
                self.permitted.insert(number);
                assert!(self.now >= self.halted_until, "begun during a halt");
            }
            Err(_) => {
                self.waiting.insert(number);
            }
        }
    }

    /// Whoever has a permit sends its request.
    fn send(&mut self) {
        for number in std::mem::take(&mut self.permitted) {
            self.ledger.begun(&instance(number), self.moment());
            self.running.insert(number, (self.now, false));
            self.begun.push(self.now);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask(number) => self.ask(number),
            Event::Refused(number) => {
                if self.permitted.remove(&number) {
                    self.ledger.release(&instance(number));
                }
            }
            Event::Ends(number, outcome) => self.end(number, outcome),
            Event::Blocked(number, blocked) => {
                if let Some((_, is)) = self.running.get_mut(&number) {
                    *is = blocked;
                    self.ledger.count(&instance(number), !blocked);
                }
            }
            Event::Leaves(number) => {
                self.waiting.remove(&number);
                self.ledger.leave(&number.to_string());
            }
            Event::Restart => self.restart(),
        }
        self.call();
    }

    fn end(&mut self, number: usize, outcome: Outcome) {
        let Some((begun, _)) = self.running.remove(&number) else {
            return;
        };
        let now = self.moment();
        self.ends += 1;
        let (change, of) = (self.ends.to_string(), proxy(NAMESPACES[number % 3], number));
        let is_new = self
            .ledger
            .ended(&change, outcome, of.clone(), now.wall, now);
        assert!(is_new);
        // The answer to the write and the watch tell of it both.
        assert!(!self.ledger.ended(&change, outcome, of, now.wall, now));
        self.ledger.release(&instance(number));
        self.last.insert(number, (begun, self.now, outcome));
        match outcome {
            Outcome::Succeeded => self.row.clear(),
            Outcome::Failed => {
                self.row.insert(number);
            }
            Outcome::Void => {}
        }
        if self.row.len() == HALT_AFTER {
            self.row.clear();
            self.halted_until = self.now + 1800;
        }
        let halted = self.ledger.figures(self.moment()).halted_until.is_some();
        assert_eq!(halted, self.now < self.halted_until, "the halt");
    }

    /// From the records alone: one beginning, one end a resource.
    fn restart(&mut self) {
        self.ledger = fresh();
        self.since = self.now;
        self.permitted.clear();
        let now = self.moment();
        let mut ends: Vec<_> = self.last.iter().collect();
        ends.sort_by_key(|(_, (_, ended, _))| *ended);
        for (number, (begun, ended, outcome)) in ends {
            self.ledger.recall_start(at(*begun).wall, now);
            let of = proxy(NAMESPACES[*number % 3], *number);
            let change = format!("last of {number}");
            self.ledger
                .ended(&change, *outcome, of, at(*ended).wall, now);
        }
        for (number, (begun, _)) in &self.running {
            let uid = number.to_string();
            self.ledger.recall_start(at(*begun).wall, now);
            self.ledger
                .note(&uid, Some((&uid, Some(&instance(*number)))), now);
        }
        // What is known of failures is known by the records alone from now on.
        let until = self.ledger.figures(now).halted_until;
        let until = until.map_or(0, |until| {
            u64::try_from(until.as_second() - 1_800_000_000).unwrap()
        });
        assert!(until <= self.now + 1800);
        for number in self.running.keys() {
            assert!(self.ledger.resume(&number.to_string(), &instance(*number)));
        }
        for (number, (_, blocked)) in &self.running {
            self.ledger.note(&number.to_string(), None, now);
            self.ledger.count(&instance(*number), !blocked);
        }
        self.halted_until = until;
        self.row = row_of(&self.last);
        for number in std::mem::take(&mut self.waiting) {
            self.ask(number);
        }
    }

    fn check(&self) {
        let share = self.running.values().filter(|(_, blocked)| !blocked);
        let under_way = share.count() + self.permitted.len();
        assert_eq!(under_way, self.ledger.figures(self.moment()).under_way);
        let recent = |begun: &&u64| **begun + 3600 > self.now;
        let recent = self.begun.iter().filter(recent).count();
        let known = self.ledger.figures(self.moment()).begun;
        assert!(known <= recent, "{known} are counted, {recent} were begun");
        // No lost wake-up: where one of those who wait could begin, one has begun.
        let free = under_way < CONCURRENT && known + self.permitted.len() < HOURLY;
        let idle = free && self.now >= self.halted_until;
        assert!(!idle || self.waiting.is_empty(), "{:?}", self.waiting);
    }
}

/// The failures in a row that the last change of each tells of.
fn row_of(last: &BTreeMap<usize, (u64, u64, Outcome)>) -> BTreeSet<usize> {
    let mut ends: Vec<_> = last.iter().collect();
    ends.sort_by_key(|(_, (_, ended, _))| *ended);
    let mut row = BTreeSet::new();
    for (number, (_, _, outcome)) in ends {
        match outcome {
            Outcome::Succeeded => row.clear(),
            Outcome::Failed => {
                row.insert(*number);
            }
            Outcome::Void => {}
        }
        if row.len() == HALT_AFTER {
            row.clear();
        }
    }
    row
}

fn fresh() -> Ledger {
    let limits = Limits {
        concurrent: CONCURRENT,
        hourly: HOURLY,
        halt_after: HALT_AFTER,
        ..Limits::default()
    };
    Ledger::new(limits, &Pace::real())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_limits_hold_and_nobody_waits_for_nothing(events in vec(event(), 1..120)) {
        let mut world = World::new();
        let mut allowed = CONCURRENT;
        for (pause, event) in events {
            world.pass(pause);
            world.happen(event);
            world.check();
            // Only a change that goes on after it was blocked makes them more, and no new one begins beside it.
            let under_way = world.ledger.figures(world.moment()).under_way;
            allowed = match event {
                Event::Blocked(_, false) => allowed.max(under_way),
                _ => allowed.min(under_way.max(CONCURRENT)),
            };
            prop_assert!(under_way <= allowed, "{under_way} are under way");
            world.send();
        }
    }

    #[test]
    fn within_any_hour_of_a_process_no_more_begin_than_allowed(events in vec(event(), 1..200)) {
        let mut world = World::new();
        for (pause, event) in events {
            world.pass(pause);
            if matches!(event, Event::Restart) {
                continue;
            }
            world.happen(event);
            world.send();
        }
        for begun in &world.begun {
            let within = world.begun.iter().filter(|other| (*begun..begun + 3600).contains(other));
            prop_assert!(within.count() <= HOURLY);
        }
    }

    #[test]
    fn one_change_a_resource_is_counted_in_any_hour_across_restarts(
        events in vec((0..400_u64, any::<bool>(), 0..RESOURCES), 1..60)
    ) {
        let mut world = World::new();
        // Each resource changes at most once, so that no record replaces another.
        let mut left: BTreeSet<usize> = (0..RESOURCES).collect();
        for (pause, restart, number) in events {
            world.pass(pause);
            if restart {
                world.happen(Event::Restart);
            }
            if left.remove(&number) {
                world.happen(Event::Ask(number));
            }
            world.send();
            let running: Vec<usize> = world.running.keys().copied().collect();
            for number in running {
                world.happen(Event::Ends(number, Outcome::Succeeded));
            }
            world.send();
        }
        for begun in &world.begun {
            let within = world.begun.iter().filter(|other| (*begun..begun + 3600).contains(other));
            prop_assert!(within.count() <= HOURLY);
        }
    }
}
