//! What follows from an event: the next state.

use crate::{
    act, clock,
    event::Event,
    protocol::Protocol,
    sky::{Blind, End},
    state::{Lease, Object, Operator, State},
    turn::Desk,
};

impl Protocol {
    /// What follows from an event; nothing, if it can't come up after all.
    pub fn happen(&self, state: &State, event: Event) -> Option<State> {
        let mut next = state.clone();
        match event {
            Event::Tick => {
                next.ticks = state.ticks.map(|left| left - 1);
                next.tick();
            }
            Event::Want(want) => {
                next.credit += 1;
                next.edits -= 1;
                let object = Object {
                    want,
                    generation: state.object.generation + 1,
                    ..state.object.clone()
                };
                next.replace(None, object);
            }
            Event::Approve => next = approved(state)?,
            Event::Toggle => next.open = !state.open,
            Event::Drift(port) => {
                next.credit += 1;
                next.sky.port = port;
                next.sky.lagging = None;
            }
            Event::Jump { ahead } => {
                let far = i8::try_from(clock::FAR).unwrap();
                next.jump(if ahead { far } else { -far });
            }
            // Who starts anew waits for the lease, and gets none while another one holds it.
            Event::Crash(who) => {
                let led = next.crew[who].as_ref()?.lease == Lease::Held;
                next.crew[who] = led.then(|| Operator::new(0));
            }
            Event::TakeOver => {
                next.spare = false;
                next.crew[0].as_mut()?.lease = Lease::Lost;
                next.crew[1] = Some(Operator::new(0));
            }
            Event::Depose => next.depose(),
            Event::End { index, end, lags } => {
                next.credit += i8::from(end != End::Moves);
                let shown = next.sky.clone();
                next.sky.end(index, end, lags);
                let lagged = next.sky.lagging.is_some();
                // A lag that shows nothing old is none.
                if lags && !lagged || shown == next.sky {
                    return None;
                }
            }
            Event::FallBack(port) => next.sky.lagging = Some(port),
            Event::Erase(index) => erase(&mut next, index)?,
            Event::Look {
                who,
                stale,
                blind,
                mishap,
            } => {
                let mut desk = Desk::new(self, state, who, mishap)?;
                if !stale {
                    desk.refresh();
                }
                next = desk.reconcile(blind)?;
                next.whole |= blind == Some(Blind::TaskMissing);
            }
            Event::Open(who) => next = act::open(state, who)?,
            Event::Unopened(who, mishap) => next = self.fail_to_open(state, who, mishap)?,
            Event::Intend(who, mishap) => next = self.intend(state, who, mishap)?,
            Event::Send(who, fate) => next = self.send(state, who, fate)?,
            Event::Withdraw(who, mishap) => next = self.withdraw(state, who, mishap)?,
            Event::Receive(who, mishap) => next = self.receive(state, who, mishap)?,
            Event::Keep(who) => next = self.keep(state, who)?,
        }
        Some(next)
    }
}

/// A person approves the plan that waits, if that is not done yet.
pub fn approved(state: &State) -> Option<State> {
    let plan = state.object.status.as_ref()?.plan.as_ref()?;
    let object = Object {
        approved: Some(plan.id),
        ..state.object.clone()
    };
    let mut next = state.clone();
    (object != state.object).then(|| next.replace(None, object))?;
    Some(next)
}

/// A record is deleted only where its id is on record, and when the job ends within `changeTimeout`.
fn erase(state: &mut State, index: usize) -> Option<()> {
    let recorded = state.object.status.as_ref()?.change.as_ref()?;
    let work = &mut state.sky.works[index];
    if work.erased
        || work.change != recorded.id
        || !recorded.job
        || work.age >= clock::CHANGE_TIMEOUT
    {
        return None;
    }
    work.erased = true;
    Some(())
}
