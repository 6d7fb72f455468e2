//! The model: which states there are, and what may happen in each.

use serde_json::json;
use stateright::{Model, Property};
use taurus_port_operator::{
    controller::read::{Desired, read},
    crd::{Outcome, TaurusProxyPort},
    model::{Port, Reason},
    pace::Pace,
};

use crate::{
    act::Fate,
    clock,
    event::{Event, Nonsense},
    paper::{Paper, Truth, UID},
    planner::Planner,
    rest::Resting,
    rules::Rule,
    sky::{Answer, Blind, End, INSTANCE, Mode, PROXY, Sky},
    state::{At, Object, Operator, State},
    turn::{Desk, Mishap},
};

/// The two wanted ports, and the one that only somebody else sets.
pub const PORTS: [u16; 2] = [3306, 3307];
pub const THIRD: u16 = 3308;

pub const ONE_AT_WORK: &str = "no two changes of ours at work";
pub const INTENT_FIRST: &str = "no request without its intent on record";
pub const LOOK_FIRST: &str = "no request without a look that succeeded";
pub const NOT_FOR_NOTHING: &str = "no request for nothing";
pub const NO_JOB_LOST: &str = "no job id is lost";
pub const NOT_GIVEN_UP: &str = "no change is given up while it may be at work";
pub const READY_IS_PROVEN: &str = "ready only when verified";
pub const STATUS: &str = "the rules of status";
pub const REST: &str = "it comes to rest";

/// How much may happen.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub modes: Vec<Mode>,
    /// Changes of the wanted port.
    pub edits: u8,
    /// Faults in all: crashes, take-overs, drift, lost answers, failed reads and writes, failed jobs, and so on.
    pub faults: u8,
    /// What the cloud makes of every request, for ever.
    pub nonsense: Option<Nonsense>,
}

/// The model.
#[derive(Debug)]
pub struct Protocol {
    pub planner: Box<dyn Planner>,
    pub bounds: Bounds,
    pub pace: Pace,
    pub template: TaurusProxyPort,
    desired: Desired,
    pub resting: Resting,
}

impl Protocol {
    pub fn new(planner: impl Planner + 'static, bounds: Bounds) -> Self {
        let template: TaurusProxyPort = serde_json::from_value(json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1",
            "kind": "TaurusProxyPort",
            "metadata": {"name": "orders", "namespace": "shop", "generation": 1, "uid": UID},
            "spec": {
                "region": "ap-southeast-3", "projectID": "0123456789abcdef0123456789abcdef",
                "instanceID": INSTANCE, "proxyID": PROXY, "port": PORTS[0]
            }
        }))
        .unwrap();
        let desired = Desired {
            change_timeout: clock::change_timeout(),
            ..read(&template).unwrap()
        };
        Self {
            planner: Box::new(planner),
            bounds,
            pace: clock::pace(),
            template,
            desired,
            resting: Resting::new(),
        }
    }

    /// What is wanted of an object.
    pub fn desired(&self, object: &Object) -> Desired {
        Desired {
            generation: object.generation.into(),
            port: Port::new(object.want.into()).unwrap(),
            ..self.desired.clone()
        }
    }

    fn start(&self, mode: Mode, object: Object, led: u8) -> State {
        State {
            sky: Sky::new(mode, PORTS[0]),
            object,
            crew: [Some(Operator::new(led)), None],
            edits: self.bounds.edits,
            faults: self.bounds.faults,
            spare: true,
            whole: false,
            ticks: self.bounds.nonsense.and_then(Nonsense::horizon),
            credit: self.bounds.nonsense.map_or(1, Nonsense::most_requests),
            broken: None,
        }
    }

    fn environment(&self, state: &State, events: &mut Vec<Event>) {
        if state.ticks != Some(0) {
            events.push(Event::Tick);
        }
        if state.edits > 0 {
            let others = PORTS.iter().filter(|port| **port != state.object.want);
            events.extend(others.map(|port| Event::Want(*port)));
        }
        if state.crew.iter().all(Option::is_some) {
            events.push(Event::Depose);
        }
        for (index, work) in state.sky.works.iter().enumerate() {
            if !work.runs() {
                continue;
            }
            let usual = match self.bounds.nonsense {
                Some(Nonsense::Fails) => End::Fails,
                Some(Nonsense::Lies) => End::Lies,
                Some(Nonsense::Lost | Nonsense::Busy) | None => End::Moves,
            };
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
        if state.faults == 0 {
            return;
        }
        let ports = [PORTS[0], PORTS[1], THIRD];
        let others = ports.iter().filter(|port| **port != state.sky.port);
        events.extend(others.map(|port| Event::Drift(*port)));
        events.extend([true, false].map(|ahead| Event::Jump { ahead }));
        if state.spare {
            events.push(Event::TakeOver);
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
            At::Idle if operator.deposed => {}
            At::Idle => looks(state, who, mishaps, events),
            At::Ordered { .. } => {
                events.extend(mishaps.iter().map(|one| Event::Intend(who, *one)));
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

    fn happen(&self, state: &State, event: Event) -> Option<State> {
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
            Event::Drift(port) => {
                next.credit += 1;
                next.sky.port = port;
                next.sky.lagging = None;
            }
            Event::Jump { ahead } => {
                let far = i8::try_from(clock::FAR).unwrap();
                next.jump(if ahead { far } else { -far });
            }
            Event::Crash(who) => {
                let deposed = next.crew[who].as_ref()?.deposed;
                next.crew[who] = (!deposed).then(|| Operator::new(0));
            }
            Event::TakeOver => {
                next.spare = false;
                next.crew[1] = Some(Operator::new(0));
            }
            Event::Depose => depose(&mut next)?,
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
            Event::Intend(who, mishap) => next = self.intend(state, who, mishap)?,
            Event::Send(who, fate) => next = self.send(state, who, fate)?,
            Event::Withdraw(who, mishap) => next = self.withdraw(state, who, mishap)?,
            Event::Receive(who, mishap) => next = self.receive(state, who, mishap)?,
            Event::Keep(who) => next = self.keep(state, who)?,
        }
        Some(next)
    }
}

/// The first process learns that it leads no longer: all it may still do is to write a job id that it has.
fn depose(state: &mut State) -> Option<()> {
    let old = state.crew[0].as_mut()?;
    let holds = match &old.at {
        At::Holding { .. } => true,
        At::Asked { answer, .. } => *answer == Answer::Accepted,
        At::Idle | At::Ordered { .. } | At::Acknowledged { .. } => false,
    };
    if old.deposed {
        return None;
    }
    old.deposed = true;
    if !holds {
        state.crew[0] = None;
    }
    Some(())
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

fn looks(state: &State, who: usize, mishaps: &[Option<Mishap>], events: &mut Vec<Event>) {
    let look = |stale, blind, mishap| Event::Look {
        who,
        stale,
        blind,
        mishap,
    };
    // The one that was taken over from hears of nothing any more: what it still begins rests on its old view.
    let cut_off = who == 0 && state.crew[1].is_some();
    if !cut_off {
        events.extend(mishaps.iter().map(|mishap| look(false, None, *mishap)));
    }
    if state.faults == 0 {
        return;
    }
    let operator = state.crew[who].as_ref();
    if operator.is_some_and(|operator| operator.view.is_some()) {
        events.push(look(true, None, None));
    }
    if cut_off {
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

impl Model for Protocol {
    type State = State;
    type Action = Event;

    /// A resource that is new, and one that was in order until a moment ago.
    fn init_states(&self) -> Vec<State> {
        let fresh = Object {
            want: PORTS[1],
            generation: 1,
            status: None,
        };
        let edited = Object {
            want: PORTS[1],
            generation: 2,
            status: Some(settled(1)),
        };
        let modes = self.bounds.modes.iter();
        modes
            .flat_map(|mode| {
                [
                    self.start(*mode, fresh.clone(), 0),
                    self.start(*mode, edited.clone(), clock::SETTLE_WINDOW),
                ]
            })
            .collect()
    }

    fn actions(&self, state: &State, events: &mut Vec<Event>) {
        if state.broken.is_some() {
            return;
        }
        for (who, operator) in state.crew.iter().enumerate() {
            if let Some(operator) = operator {
                self.work(state, who, operator, events);
            }
        }
        self.environment(state, events);
    }

    fn next_state(&self, state: &State, event: Event) -> Option<State> {
        let mut next = self.happen(state, event)?;
        if self.bounds.nonsense.is_some() {
            next.credit = next.credit.min(state.credit);
        } else {
            next.faults -= u8::from(event.is_fault());
        }
        let next = next.canonical();
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        use Property as P;
        let mut all = vec![
            P::always(ONE_AT_WORK, |_: &Self, state: &State| {
                state.broken != Some(Rule::TwoAtWork)
            }),
            P::always(INTENT_FIRST, |_: &Self, state: &State| {
                state.broken != Some(Rule::PutWithoutIntent)
            }),
            P::always(LOOK_FIRST, |_: &Self, state: &State| {
                state.broken != Some(Rule::PutUnseen)
            }),
            P::always(NOT_FOR_NOTHING, |_: &Self, state: &State| {
                state.broken != Some(Rule::PutForNothing)
            }),
            P::always(NO_JOB_LOST, |_: &Self, state: &State| {
                state.broken != Some(Rule::JobLost)
            }),
            P::always(NOT_GIVEN_UP, |_: &Self, state: &State| {
                state.broken != Some(Rule::GivenUpEarly)
            }),
            P::always(READY_IS_PROVEN, |_: &Self, state: &State| {
                state.broken != Some(Rule::ReadyUnproven)
            }),
            P::always(STATUS, |_: &Self, state: &State| {
                !matches!(state.broken, Some(Rule::Status(_)))
            }),
        ];
        if self.bounds.nonsense.is_none() {
            all.push(P::always(REST, |model: &Self, state: &State| {
                state.broken.is_some() || model.comes_to_rest(state)
            }));
            all.push(P::sometimes(
                "a change succeeds",
                |_: &Self, state: &State| ended(state, Outcome::Succeeded),
            ));
        }
        if self.bounds.faults > 0 {
            all.push(P::sometimes("a change fails", |_: &Self, state: &State| {
                ended(state, Outcome::Failed)
            }));
            all.push(P::sometimes(
                "a change turns out void",
                |_: &Self, state: &State| ended(state, Outcome::Void),
            ));
        }
        if self.bounds.faults > 1 {
            all.push(P::sometimes(
                "a deposed operator holds a job id",
                |_: &Self, state: &State| {
                    let old = state.crew[0].as_ref();
                    old.is_some_and(|old| old.deposed && matches!(old.at, At::Holding { .. }))
                },
            ));
        }
        all
    }
}

/// Whether the last change ended so.
fn ended(state: &State, outcome: Outcome) -> bool {
    let paper = state.object.status.as_ref();
    let last = paper.and_then(|paper| paper.last.as_ref());
    last.is_some_and(|last| last.outcome == outcome)
}

/// The status of a resource that is in order.
fn settled(generation: u8) -> Paper {
    Paper {
        vetted: true,
        generation: Some(generation),
        ready: Some((Truth::True, Reason::Settled)),
        port: Some(PORTS[0]),
        applied: Some(PORTS[0]),
        ..Paper::default()
    }
}
