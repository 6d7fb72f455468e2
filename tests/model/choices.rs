//! What may happen in a state: to operators, to the cloud, to people and clocks.
//!
//! Promises to name everything that the bounds allow; what can't come up after all is left out by what follows.

use crate::{
    act::Fate,
    event::{Event, Nonsense},
    protocol::{PORTS, Protocol},
    sky::{Blind, End},
    state::{At, Lease, Operator, State},
    turn::Mishap,
};

impl Protocol {
    /// Everything that may happen next.
    pub fn choices(&self, state: &State, events: &mut Vec<Event>) {
        for (who, operator) in state.crew.iter().enumerate() {
            if let Some(operator) = operator {
                self.work(state, who, operator, events);
            }
        }
        self.environment(state, events);
    }

    fn environment(&self, state: &State, events: &mut Vec<Event>) {
        if state.ticks != Some(0) {
            events.push(Event::Tick);
        }
        if state.edits > 0 {
            let others = PORTS.iter().filter(|port| **port != state.object.want);
            events.extend(others.map(|port| Event::Want(*port)));
        }
        if self.bounds.gate {
            events.extend([Event::Approve, Event::Toggle]);
        }
        if state.is_cut_off(0) {
            events.push(Event::Depose);
        }
        self.jobs(state, events);
        events.extend(state.sky.echoes().map(Event::FallBack));
        if state.faults > 0 || self.bounds.jumps {
            events.extend([true, false].map(|ahead| Event::Jump { ahead }));
        }
        if state.faults == 0 {
            return;
        }
        let others = PORTS.iter().filter(|port| **port != state.sky.port);
        events.extend(others.map(|port| Event::Drift(*port)));
        if state.spare {
            events.push(Event::TakeOver);
        }
    }

    fn jobs(&self, state: &State, events: &mut Vec<Event>) {
        let usual = match self.bounds.nonsense {
            Some(Nonsense::Fails) => End::Fails,
            Some(Nonsense::Lies) => End::Lies,
            Some(Nonsense::Lost | Nonsense::Busy) | None => End::Moves,
        };
        let running = state.sky.works.iter().enumerate();
        for (index, _) in running.filter(|(_, work)| work.runs()) {
            for lags in [false, true] {
                events.push(Event::End {
                    index,
                    end: usual,
                    lags,
                });
                if state.faults > 0 {
                    let end = End::Fails;
                    events.push(Event::End { index, end, lags });
                }
            }
            if state.faults > 0 {
                let end = End::Lies;
                let lags = false;
                events.push(Event::End { index, end, lags });
                events.push(Event::Erase(index));
            }
        }
    }

    fn work(&self, state: &State, who: usize, operator: &Operator, events: &mut Vec<Event>) {
        let faulty = state.faults > 0;
        let mishaps: &[Option<Mishap>] = if faulty {
            &[None, Some(Mishap::Refused), Some(Mishap::Unheard)]
        } else {
            &[None]
        };
        if faulty {
            events.push(Event::Crash(who));
        }
        match &operator.at {
            At::Kept => {}
            At::Idle if operator.lease == Lease::Over => {}
            At::Idle => looks(state, who, operator, mishaps, events),
            At::Ordered { ages, .. } if ages.line.is_some() => {
                events.extend(mishaps.iter().map(|one| Event::Intend(who, *one)));
            }
            At::Ordered { ages, .. } if ages.opens_no_more() => {
                events.extend(mishaps.iter().map(|one| Event::Unopened(who, *one)));
            }
            At::Ordered { .. } => {
                events.push(Event::Open(who));
                if faulty {
                    events.push(Event::Unopened(who, None));
                }
            }
            At::Acknowledged { .. } => {
                events.extend(mishaps.iter().map(|one| Event::Withdraw(who, *one)));
                let fates = fates(faulty, self.bounds.nonsense);
                events.extend(fates.into_iter().map(|fate| Event::Send(who, fate)));
            }
            At::Asked { .. } => {
                events.extend(mishaps.iter().map(|one| Event::Receive(who, *one)));
            }
            At::Holding { .. } => events.push(Event::Keep(who)),
        }
    }
}

fn looks(
    state: &State,
    who: usize,
    operator: &Operator,
    mishaps: &[Option<Mishap>],
    events: &mut Vec<Event>,
) {
    let look = |stale, blind, mishap| Event::Look {
        who,
        stale,
        blind,
        mishap,
    };
    events.extend(mishaps.iter().map(|mishap| look(false, None, *mishap)));
    let lags = state.faults > 0 || state.is_cut_off(who);
    if lags && operator.view.is_some() {
        events.push(look(true, None, None));
    }
    if state.faults == 0 {
        return;
    }
    let reads = [Blind::Job, Blind::JobGone, Blind::Tasks, Blind::Proxies];
    events.extend(reads.map(|read| look(false, Some(read), None)));
    if !state.whole {
        events.push(look(false, Some(Blind::TaskMissing), None));
    }
}

fn fates(faulty: bool, nonsense: Option<Nonsense>) -> Vec<Fate> {
    let mut fates = match nonsense {
        Some(Nonsense::Lost) => vec![Fate::Lost],
        Some(Nonsense::Busy) => vec![Fate::Refused { busy: true }],
        Some(Nonsense::Fails | Nonsense::Lies) | None => {
            [false, true].map(|hidden| Fate::Answered { hidden }).into()
        }
    };
    if faulty {
        fates.extend([
            Fate::Refused { busy: true },
            Fate::Refused { busy: false },
            Fate::Unanswered { hidden: false },
            Fate::Unanswered { hidden: true },
            Fate::Delayed { hidden: false },
            Fate::Delayed { hidden: true },
            Fate::Lost,
        ]);
    }
    fates
}
