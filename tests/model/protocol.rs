//! The model: where it begins, and how far it goes.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;
use stateright::{Model, Property};
use taurus_port_operator::{
    calendar::{Freeze, Hours},
    crd::{PlanRecord, TaurusProxyPort},
    desired::{Desired, Timing, read},
    model::{Port, Reason},
    pace::Pace,
    plan::timing::{self, Terms, Wishes},
};

use crate::{
    clock,
    event::{Event, Nonsense},
    paper::{Paper, Plan, Truth, UID},
    planner::Planner,
    properties,
    rest::Resting,
    sky::{INSTANCE, Mode, PROXY, Sky},
    state::{Lease, Object, Operator, State},
};

/// The two wanted ports, and the one that only somebody else sets.
pub const PORTS: [u16; 3] = [3306, 3307, 3308];

/// How much may happen.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub modes: Vec<Mode>,
    /// Changes of the wanted port.
    pub edits: u8,
    /// Faults in all: crashes, take-overs, drift, lost answers, failed reads and writes, failed jobs, and so on.
    pub faults: u8,
    /// Whether the wall clock jumps as often as it likes, and not only as one of the faults.
    pub jumps: bool,
    /// Whether changes wait for their hours, and each for an approval.
    pub gate: bool,
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
        let timing = || Timing {
            needs_approval: true,
            approved_by_annotation: object.approved.map(|approved| {
                let plan = object.status.as_ref().and_then(|paper| paper.plan.as_ref());
                let own = plan.filter(|plan| plan.id == approved);
                own.map_or("of another plan".to_owned(), |plan| {
                    self.plan_record(plan).id
                })
            }),
            ..Timing::default()
        };
        Desired {
            generation: object.generation.into(),
            port: Port::new(object.want.into()).unwrap(),
            timing: self.bounds.gate.then(|| Box::new(timing())),
            ..self.desired.clone()
        }
    }

    /// What holds for the time of a change to a port.
    pub fn terms(&self, open: bool, want: u16) -> Terms {
        let mut object = self.template.clone();
        object.spec.port = want.into();
        let freeze = Freeze {
            from: clock::wall(100),
            until: clock::wall(-100),
            reason: "closed".to_owned(),
            namespaces: Vec::new(),
        };
        Terms {
            hours: Hours {
                freezes: if open { Vec::new() } else { vec![freeze] },
                ..Hours::default()
            },
            unread: false,
            takes: Duration::ZERO,
            wishes: Wishes::of(&object),
            nonce: 0,
        }
    }

    /// A plan as the status has it.
    pub fn plan_record(&self, plan: &Plan) -> PlanRecord {
        let made_at = clock::wall(plan.made);
        PlanRecord {
            id: timing::id(
                &self.terms(true, plan.to),
                (plan.from, plan.to),
                made_at,
                Some(0),
            ),
            from_port: plan.from.into(),
            to_port: plan.to.into(),
            made_at: Time(made_at),
            nonce: Some(0),
            not_before: None,
            waits_for: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether the last check speaks against a change because of its time.
    pub fn is_untimely(&self, open: bool) -> bool {
        let asks = self.bounds.gate && self.planner.asks_for_hours();
        let now = clock::now().wall;
        let terms = self.terms(open, PORTS[0]);
        asks && timing::may_start_until(&terms, None, None, now, Duration::ZERO).is_err()
    }

    /// Whoever leads no longer and is stopped by its last check has nothing more to do.
    fn dismiss(&self, state: &mut State) {
        let open = state.open;
        for place in &mut state.crew {
            place.take_if(|one| one.lease == Lease::Over && self.objects(one, open));
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
            open: !self.bounds.gate,
            used: Vec::new(),
            ticks: self.bounds.nonsense.and_then(Nonsense::horizon),
            credit: self.bounds.nonsense.map_or(1, Nonsense::most_requests),
            broken: None,
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Event;

    /// A resource that is new, and one that was in order until a moment ago.
    fn init_states(&self) -> Vec<State> {
        let fresh = Object {
            want: PORTS[1],
            generation: 1,
            approved: None,
            status: None,
        };
        let edited = Object {
            want: PORTS[1],
            generation: 2,
            approved: None,
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
        self.choices(state, events);
    }

    fn next_state(&self, state: &State, event: Event) -> Option<State> {
        let present = state.without_ended();
        let state = present.as_ref();
        let mut next = self.happen(state, event)?;
        self.dismiss(&mut next);
        if self.bounds.nonsense.is_some() {
            next.credit = next.credit.min(state.credit);
        } else {
            let jumps = self.bounds.jumps && matches!(event, Event::Jump { .. });
            next.faults -= u8::from(event.is_fault(state) && !jumps);
        }
        let next = next.canonical();
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(self)
    }
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
