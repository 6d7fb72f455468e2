//! One reconcile of an operator, in the order of the real one: acknowledge, look, decide, report.
//!
//! Relies on the real `look`, `decide`, `summary` and session; what lies between them follows `controller::reconcile`.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::executor::block_on;
use taurus_port_operator::{
    clock::Clock,
    cloud::{Cloud, ProxyStatus},
    controller::look::{Depth, Listing, Viewpoint, look},
    crd::{TaurusProxyPort, TaurusProxyPortStatus},
    desired::Desired,
    fleet::{directory::Directory, verified::Verified},
    plan::{
        Decision,
        facts::{Facts, Observed, Seen},
        record::Record,
        session::Session,
        step::{Cause, Order, Step},
        summary,
        timing::Terms,
    },
};

use crate::{
    clock,
    memory::Memory,
    paper::{Intent, Paper, Plan},
    protocol::Protocol,
    rules::{self, Rule},
    sky::{Blind, Scene, proxy},
    state::{Ages, At, Object, Operator, State},
};

/// What becomes of a write to the API server that does not simply succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mishap {
    /// It is not made.
    Refused,
    /// It is made, but its answer is lost.
    Unheard,
}

/// A write was not made, as far as its writer knows.
pub struct Halt;

/// An operator at work.
pub struct Desk<'a> {
    pub model: &'a Protocol,
    pub state: State,
    pub who: usize,
    pub object: Object,
    pub session: Session,
    stale: bool,
    mishap: Option<Mishap>,
}

impl<'a> Desk<'a> {
    /// Lets `who` work on what it has in view; the first write meets with `mishap`.
    pub fn new(
        model: &'a Protocol,
        state: &State,
        who: usize,
        mishap: Option<Mishap>,
    ) -> Option<Self> {
        let operator = state.crew.get(who)?.as_ref()?;
        let object = operator.view.clone();
        Some(Self {
            model,
            state: state.clone(),
            who,
            stale: object.is_some(),
            object: object.unwrap_or_else(|| state.object.clone()),
            session: operator.memory.session(),
            mishap,
        })
    }

    /// Starts from what the API server has.
    pub fn refresh(&mut self) {
        self.object = self.state.object.clone();
        self.operator().view = None;
        self.stale = false;
    }

    /// A reconcile; `blind` is the read that goes wrong. Nothing, if what was to go wrong did not come up.
    pub fn reconcile(mut self, blind: Option<Blind>) -> Option<State> {
        let missed = Arc::new(AtomicBool::new(false));
        let result = self.run(blind, &missed);
        if result.is_err() {
            self.operator().view = None;
        }
        let came_up = self.mishap.is_none() && missed.load(Ordering::Relaxed) == blind.is_some();
        came_up.then(|| self.close())
    }

    /// The state after the work.
    pub fn close(mut self) -> State {
        let memory = Memory::of(&self.session);
        self.operator().memory = memory;
        self.state
    }

    pub fn operator(&mut self) -> &mut Operator {
        self.state.crew[self.who].as_mut().unwrap()
    }

    fn run(&mut self, blind: Option<Blind>, missed: &Arc<AtomicBool>) -> Result<(), Halt> {
        let record = self.record();
        let on_record = self.paper().and_then(|paper| paper.change.as_ref());
        let on_record = on_record.map(|change| change.id);
        self.operator().watches(on_record);
        self.session.meet(&record, clock::now());
        self.acknowledge(&record)?;
        let (mut observed, mut decision) = self.find(false, blind, missed);
        if decision.step == Step::LookAtTasks {
            (observed, decision) = self.find(true, blind, missed);
        }
        if let Step::Change(order) = decision.step {
            self.order(order, &observed, &decision);
            return Ok(());
        }
        self.write(&observed, &decision)
    }

    /// An object about which nothing was said yet is told apart from one that is done.
    fn acknowledge(&mut self, record: &Record) -> Result<(), Halt> {
        if self.paper().is_some_and(|paper| paper.ready.is_some()) {
            return Ok(());
        }
        let decision = Decision {
            record: record.clone(),
            session: self.session.clone(),
            step: Step::Hold(Cause::FirstLook, Duration::ZERO),
        };
        self.write(&Observed::default(), &decision)
    }

    fn find(
        &mut self,
        closer: bool,
        blind: Option<Blind>,
        missed: &Arc<AtomicBool>,
    ) -> (Observed, Decision) {
        let record = self.record();
        let now = clock::now();
        let mut session = self.session.clone();
        session.turn_to(record.change.as_ref(), now);
        let scene: Arc<dyn Cloud> = Arc::new(Scene {
            sky: self.state.sky.clone(),
            blind,
            missed: Arc::clone(missed),
        });
        let directory = Arc::new(Directory::new(Arc::clone(&scene), Clock::start()));
        let desired = self.desired();
        let from = Viewpoint {
            beside: None,
            directory: Ok(&directory),
            desired: &desired,
            record: &record,
            session: &session,
            abandoned: &BTreeSet::new(),
            verified: &Verified::default(),
            pace: &self.model.pace,
            now,
        };
        let depth = if closer {
            Depth::Tasks(scene.as_ref())
        } else {
            Depth::Usual(Listing::Now)
        };
        let mut observed = block_on(look(&from, depth)).unwrap();
        observed.terms = self.terms();
        let decision = self
            .model
            .planner
            .decide(&self.facts(&desired, &record, &observed));
        self.session = decision.session.clone();
        (observed, decision)
    }

    pub fn facts<'f>(
        &'f self,
        desired: &'f Desired,
        record: &'f Record,
        observed: &'f Observed,
    ) -> Facts<'f> {
        let led = self.state.crew[self.who].as_ref().unwrap().led;
        Facts {
            desired,
            record,
            observed,
            session: &self.session,
            now: clock::now(),
            leading_for: Duration::from_secs(led.into()),
            pace: &self.model.pace,
            resync: Duration::from_secs(1),
        }
    }

    /// A change was decided on: from here to the request each step may be the last.
    fn order(&mut self, order: Order, observed: &Observed, decision: &Decision) {
        let proven = matches!(&observed.proxy, Seen::Known(Some(proxy))
            if proxy.status == ProxyStatus::Active && proxy.port == Some(order.from));
        if !proven || observed.tasks != Seen::Known(None) {
            self.state.broken = Some(Rule::PutUnseen);
        }
        let status = self.status(observed, decision);
        let paper = self.paper_of(&status);
        let intent = Intent {
            id: self.state.unused_id(),
            from: order.from,
            to: order.to.get(),
            generation: self.object.generation,
            phase: taurus_port_operator::crd::Phase::Intended,
            attempt: u8::try_from(order.attempt).unwrap(),
            job: false,
            intended: 0,
            plan: paper.plan.clone(),
        };
        self.operator().at = At::Ordered {
            intent,
            paper,
            ages: Ages::default(),
        };
    }

    fn status(&self, observed: &Observed, decision: &Decision) -> TaurusProxyPortStatus {
        summary::status(
            &self.shown(),
            &self.desired(),
            observed,
            decision,
            clock::now(),
        )
    }

    /// Writes the status if it differs; a write from an old view is refused.
    pub fn write(&mut self, observed: &Observed, decision: &Decision) -> Result<(), Halt> {
        let status = self.status(observed, decision);
        let paper = self.paper_of(&status);
        if self.paper() == Some(&paper) {
            return Ok(());
        }
        let mishap = self.mishap.take();
        if mishap == Some(Mishap::Refused) || self.stale && self.model.planner.is_fenced() {
            return Err(Halt);
        }
        if let Some(rule) = rules::of_write(self, &status, observed, decision) {
            self.state.broken = Some(rule);
        }
        self.put(paper);
        if mishap.is_some() { Err(Halt) } else { Ok(()) }
    }

    /// The status is on the API server.
    fn put(&mut self, paper: Paper) {
        let object = Object {
            status: Some(paper),
            ..self.state.object.clone()
        };
        self.object.status.clone_from(&object.status);
        self.state.replace(Some(self.who), object);
    }

    pub fn paper(&self) -> Option<&Paper> {
        self.object.status.as_ref()
    }

    pub fn record(&self) -> Record {
        Record::of(&self.shown())
    }

    /// The object as the real code has it.
    pub fn shown(&self) -> TaurusProxyPort {
        let mut shown = self.model.template.clone();
        shown.spec.port = self.object.want.into();
        shown.metadata.generation = Some(self.object.generation.into());
        shown.status = self.paper().map(Paper::status);
        let plan = self.paper().and_then(|paper| paper.plan.as_ref());
        if let (Some(status), Some(plan)) = (&mut shown.status, plan) {
            status.plan = Some(self.model.plan_record(plan));
        }
        shown
    }

    /// What a status comes to. A plan that stood there before is the same one.
    fn paper_of(&mut self, status: &TaurusProxyPortStatus) -> Paper {
        let plan = status.plan.as_ref().map(|plan| {
            let stood = self.paper().and_then(|paper| paper.plan.clone());
            let same = |stood: &Plan| self.model.plan_record(stood).id == plan.id;
            stood.filter(same).unwrap_or_else(|| Plan {
                id: self.state.unused_plan(),
                from: u16::try_from(plan.from_port).unwrap(),
                to: u16::try_from(plan.to_port).unwrap(),
                made: clock::wall_age(plan.made_at.0),
            })
        });
        let kept = self.paper().and_then(|paper| paper.plan.clone());
        let kept = kept.filter(|_| !self.model.planner.uses_plans());
        Paper {
            plan: plan.or(kept),
            ..Paper::of(status)
        }
    }

    /// What holds for the time of a change.
    fn terms(&self) -> Option<Box<Terms>> {
        let gate = self.model.bounds.gate;
        gate.then(|| Box::new(self.model.terms(self.state.open, self.object.want)))
    }

    /// What the look showed on which a change was decided.
    pub fn look_before(&self, intent: &Intent) -> Observed {
        Observed {
            proxy: Seen::Known(Some(proxy(intent.from, ProxyStatus::Active))),
            tasks: Seen::Known(None),
            terms: self.terms(),
            ..Observed::default()
        }
    }

    pub fn desired(&self) -> Desired {
        self.model.desired(&self.object)
    }
}
