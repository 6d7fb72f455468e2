//! From any state, with no further fault, it comes to rest.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Mutex,
};

use taurus_port_operator::model::Class;

use crate::{
    act::{self, Fate},
    clock,
    happen::approved,
    paper::Truth,
    protocol::Protocol,
    sky::End,
    state::{At, Lease, State},
    turn::Desk,
};

/// More rounds than any rest needs; a round is a look of the operator and a tick.
pub const MOST_ROUNDS: usize = 40;

/// States from which it is known to come to rest.
#[derive(Debug)]
pub struct Resting(Vec<Mutex<HashSet<u64>>>);

impl Resting {
    pub fn new() -> Self {
        Self((0..64).map(|_| Mutex::default()).collect())
    }

    pub fn contains(&self, state: &State) -> bool {
        let (hash, shard) = self.shard(state);
        shard.lock().unwrap().contains(&hash)
    }

    pub fn insert(&self, state: &State) {
        let (hash, shard) = self.shard(state);
        shard.lock().unwrap().insert(hash);
    }

    fn shard(&self, state: &State) -> (u64, &Mutex<HashSet<u64>>) {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        let hash = hasher.finish();
        let index = usize::try_from(hash % 64).unwrap();
        (hash, &self.0[index])
    }
}

impl Protocol {
    /// Whether a run without faults from here comes to rest, in which nothing is written any more.
    pub fn comes_to_rest(&self, state: &State) -> bool {
        let mut on_the_way = HashSet::new();
        let mut state = self.calm(state);
        for _ in 0..MOST_ROUNDS {
            let seen = self.resting.contains(&state);
            if seen || self.rests(&state) {
                for state in on_the_way {
                    self.resting.insert(&state);
                }
                return true;
            }
            let next = self.round(&state);
            on_the_way.insert(state);
            state = next;
        }
        false
    }

    /// What is left of a state when nothing goes wrong any more: who knows that it is deposed ends, what was half done is
    /// done, and books that only the rules read are closed.
    fn calm(&self, state: &State) -> State {
        let mut state = state.clone();
        state.faults = 0;
        state.edits = 0;
        state.spare = false;
        state.whole = true;
        state.broken = None;
        state.open = true;
        state.used.clear();
        state.credit = i8::MAX / 2;
        for who in 0..state.crew.len() {
            while let Some(next) = self.finish(&state, who) {
                state = next;
            }
        }
        for place in &mut state.crew {
            place.take_if(|operator| operator.lease != Lease::Held);
        }
        state.broken = None;
        state.used.clear();
        state.credit = i8::MAX / 2;
        state.canonical()
    }

    /// What an operator has begun goes on.
    fn finish(&self, state: &State, who: usize) -> Option<State> {
        match &state.crew[who].as_ref()?.at {
            At::Idle | At::Kept => None,
            At::Ordered { .. } => act::open(state, who)
                .or_else(|| self.fail_to_open(state, who, None))
                .or_else(|| self.intend(state, who, None)),
            At::Acknowledged { .. } => self
                .withdraw(state, who, None)
                .or_else(|| self.send(state, who, Fate::Answered { hidden: false })),
            At::Asked { .. } => self.receive(state, who, None),
            At::Holding { .. } => self.keep(state, who),
        }
    }

    /// A look and what follows from it; then time passes, and the cloud does its work.
    fn round(&self, state: &State) -> State {
        let mut next = self.looked(state);
        // Whoever is asked approves.
        next = approved(&next).unwrap_or(next);
        next.tick();
        for index in 0..next.sky.works.len() {
            if next.sky.works[index].runs() && next.sky.works[index].age >= clock::LAG {
                next.sky.end(index, End::Moves, false);
            }
        }
        self.calm(&next)
    }

    fn looked(&self, state: &State) -> State {
        let mut state = state.clone();
        for who in 0..state.crew.len() {
            if state.crew[who].is_none() {
                continue;
            }
            let mut desk = Desk::new(self, &state, who, None).unwrap();
            desk.refresh();
            state = desk.reconcile(None).unwrap();
            while let Some(next) = self.finish(&state, who) {
                state = next;
            }
        }
        state
    }

    /// In order, or a person has to act; and another look changes nothing.
    fn rests(&self, state: &State) -> bool {
        let Some(paper) = &state.object.status else {
            return false;
        };
        let Some((truth, reason)) = paper.ready else {
            return false;
        };
        let ready = truth == Truth::True && state.sky.port == state.object.want;
        let stopped = reason.class() == Class::Stalled;
        let current = paper.generation == Some(state.object.generation);
        let over = paper.change.is_none() && !state.sky.is_at_work();
        current && over && (ready || stopped) && self.looked(state).object == state.object
    }
}
