//! The change itself, step by step: connection, intent, request, answer, job id.
//!
//! Follows `controller::act`, `controller::journal` and `cloud::last_check`; the record is moved on by the real `settle`. Time may pass
//! before each step, the last check and the first byte are one.

use taurus_port_operator::{
    cloud::CloudError,
    plan::{
        Decision, backoff, protocol,
        record::Record,
        settle,
        step::{Order, Progress, Step},
    },
};

use crate::{
    clock,
    memory::refusal,
    paper::{Intent, Paper, job_id},
    protocol::Protocol,
    rules::Rule,
    sky::{Answer, Transit},
    state::{At, Lease, Operator, State},
    turn::{Desk, Mishap},
};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The cloud answers; its job may be hidden at first.
    Answered { hidden: bool },
    /// It is refused for a reason that nobody sees, or the connection takes none of it.
    Refused { busy: bool },
    /// It arrives, but its answer is lost.
    Unanswered { hidden: bool },
    /// Its answer is lost, and it arrives a while later.
    Delayed { hidden: bool },
    /// It never arrives, and nobody says so.
    Lost,
}

/// The connection is open, in time.
pub fn open(state: &State, who: usize) -> Option<State> {
    let mut state = state.clone();
    let At::Ordered { ages, .. } = &mut state.crew[who].as_mut()?.at else {
        return None;
    };
    if ages.line.is_some() || ages.opens_no_more() {
        return None;
    }
    ages.line = Some(0);
    Some(state)
}

impl Protocol {
    /// The connection does not open: the change is put off, and never was on record.
    pub fn fail_to_open(&self, state: &State, who: usize, mishap: Option<Mishap>) -> Option<State> {
        let desk = Desk::new(self, state, who, mishap)?;
        let At::Ordered { intent, ages, .. } = &state.crew[who].as_ref()?.at else {
            return None;
        };
        if ages.line.is_some() {
            return None;
        }
        settle_refused(desk, intent, refusal(false), mishap)
    }

    /// The intent is put on record.
    pub fn intend(&self, state: &State, who: usize, mishap: Option<Mishap>) -> Option<State> {
        let mut desk = Desk::new(self, state, who, mishap)?;
        let At::Ordered {
            intent,
            paper,
            mut ages,
        } = desk.operator().at.clone()
        else {
            return None;
        };
        ages.line?;
        let change = intent.change();
        let watched = clock::ago(self.planner.has_watched(ages));
        desk.session.turn_to(Some(&change), watched);
        desk.operator().watches(Some(intent.id));
        let mut decided = desk.object.clone();
        decided.status = Some(paper);
        let before = std::mem::replace(&mut desk.object, decided);
        let record = Record {
            change: Some(change),
            ..desk.record()
        };
        desk.object = before;
        let decision = starting(&desk, record, &intent);
        let observed = desk.look_before(&intent);
        let written = desk.write(&observed, &decision);
        if written.is_err() {
            desk.session.turn_to(None, clock::now());
            desk.operator().view = None;
            desk.operator().at = At::Idle;
            return Some(desk.close());
        }
        if desk.state.object.generation != intent.generation {
            desk.state.broken = Some(Rule::PutWithoutIntent);
        }
        let plan = intent.plan.as_ref().map(|plan| plan.id);
        if self.bounds.gate && (plan.is_none() || desk.state.object.approved != plan) {
            desk.state.broken = desk.state.broken.or(Some(Rule::Unapproved));
        }
        ages.intent = Some(0);
        desk.operator().at = At::Acknowledged { intent, ages };
        Some(desk.close())
    }

    /// Whether an operator has a request to send, and its last check speaks against it.
    pub fn objects(&self, operator: &Operator, open: bool) -> bool {
        let leads = operator.lease != Lease::Over;
        let At::Acknowledged { ages, .. } = operator.at else {
            return false;
        };
        self.planner.objects(ages, leads) || self.is_untimely(open)
    }

    /// The first byte of the request leaves, if nothing speaks against it.
    pub fn send(&self, state: &State, who: usize, fate: Fate) -> Option<State> {
        let mut state = state.clone();
        let operator = state.crew[who].as_ref()?;
        let At::Acknowledged { intent, ages } = operator.at.clone() else {
            return None;
        };
        if self.objects(operator, state.open) {
            return None;
        }
        if operator.lease == Lease::Over {
            state.broken = Some(Rule::PutWithoutLease);
        } else if ages.look > clock::OPENING {
            state.broken = Some(Rule::PutUnseen);
        }
        let recorded = state.object.status.as_ref();
        let recorded = recorded.and_then(|paper| paper.change.as_ref());
        if recorded.is_none_or(|change| change.id != intent.id) {
            state.broken = Some(Rule::PutWithoutIntent);
        }
        if state.sky.is_at_work() {
            state.broken = Some(Rule::TwoAtWork);
        }
        if self.bounds.gate && !state.open {
            state.broken = state.broken.or(Some(Rule::OutsideHours));
        }
        let plan = intent.plan.as_ref().map(|plan| plan.id);
        if plan.is_some_and(|plan| state.used.contains(&plan)) {
            state.broken = state.broken.or(Some(Rule::ApprovalUsedTwice));
        }
        state.credit -= 1;
        if state.credit < 0 {
            state.broken = state.broken.or(Some(Rule::PutForNothing));
        }
        // A fruitless attempt is a reason for another one, but not for one after the other for ever.
        let fruitless = i8::from(self.bounds.nonsense.is_none());
        let request = |hidden| Transit {
            change: intent.id,
            to: intent.to,
            hidden,
        };
        let answer = match fate {
            Fate::Answered { hidden } => {
                let answer = state.sky.accept(request(hidden));
                if matches!(answer, Answer::Refused { .. }) {
                    state.credit += fruitless;
                }
                answer
            }
            Fate::Refused { busy } => {
                state.credit += fruitless;
                Answer::Refused { busy }
            }
            Fate::Unanswered { hidden } => {
                state.sky.accept(request(hidden));
                Answer::Unknown
            }
            Fate::Delayed { hidden } => {
                state.sky.transit.push(request(hidden));
                Answer::Unknown
            }
            Fate::Lost => {
                state.credit += fruitless;
                Answer::Unknown
            }
        };
        if !matches!(answer, Answer::Refused { .. }) {
            state.used.extend(plan);
        }
        state.crew[who].as_mut()?.at = At::Asked { intent, answer };
        Some(state)
    }

    /// The intent is withdrawn: the last check speaks against it, or a newer generation became known.
    pub fn withdraw(&self, state: &State, who: usize, mishap: Option<Mishap>) -> Option<State> {
        let operator = state.crew[who].as_ref()?;
        let At::Acknowledged { intent, .. } = &operator.at else {
            return None;
        };
        let seen = operator.view.as_ref();
        let edited = seen.is_some_and(|view| view.generation != state.object.generation);
        if operator.lease == Lease::Over || !edited && !self.objects(operator, state.open) {
            return None;
        }
        let desk = Desk::new(self, state, who, mishap)?;
        settle_refused(desk, intent, refusal(false), mishap)
    }

    /// The answer is read, and what it says is put on record.
    pub fn receive(&self, state: &State, who: usize, mishap: Option<Mishap>) -> Option<State> {
        let mut desk = Desk::new(self, state, who, mishap)?;
        let At::Asked { intent, answer } = desk.operator().at.clone() else {
            return None;
        };
        let mut record = desk.record();
        if !matches!(answer, Answer::Refused { .. }) && self.planner.uses_plans() {
            let plan = intent.plan.as_ref().map(|plan| self.plan_record(plan));
            desk.session.use_plan(plan.as_ref());
        }
        match answer {
            Answer::Accepted => Some(accepted(desk, &intent)),
            Answer::Refused { busy } => settle_refused(desk, &intent, refusal(busy), mishap),
            Answer::NothingToDo => {
                record = settle::advance(record, Progress::JobDone, clock::now());
                let decision = Decision {
                    record,
                    session: desk.session.clone(),
                    step: protocol::nothing_to_do(clock::now(), &self.pace),
                };
                finish(desk, &intent, &decision, mishap)
            }
            Answer::Unknown => {
                record = self.planner.after_unknown(record);
                conclude(desk, &intent, &record, mishap)
            }
        }
    }

    /// A job id that could not be written is tried again, on what the API server has.
    pub fn keep(&self, state: &State, who: usize) -> Option<State> {
        let mut desk = Desk::new(self, state, who, None)?;
        let At::Holding { change: id } = desk.operator().at else {
            return None;
        };
        desk.refresh();
        let mut object = desk.object.clone();
        let mut found = false;
        if let Some(paper) = &mut object.status {
            if let Some(change) = paper.change.as_mut().filter(|change| change.id == id) {
                let moved = settle::submitted(change.change(), job_id(id), clock::now().wall);
                *change = Intent::of(&moved.stored());
                found = true;
            } else if let Some(last) = paper.last.as_mut().filter(|last| last.id == id) {
                last.job = true;
                found = true;
            }
        }
        // A successor may have seen the change to its end, and a later one too: then there is no place for the id any more.
        let seen_to_its_end = desk.state.crew[1].is_some() && !desk.state.sky.works_on(id);
        if !found && !seen_to_its_end {
            desk.state.broken = Some(Rule::JobLost);
        }
        let written = object != desk.object;
        if written {
            desk.state.replace(Some(who), object);
        }
        let leads = desk.operator().lease == Lease::Held;
        desk.operator().at = if written && !leads {
            At::Kept
        } else {
            At::Idle
        };
        Some(desk.close())
    }
}

/// What is said while a change starts.
fn starting(desk: &Desk<'_>, record: Record, intent: &Intent) -> Decision {
    Decision {
        record,
        session: desk.session.clone(),
        step: Step::Change(Order {
            from: intent.from,
            to: desk.desired().port,
            attempt: intent.attempt.into(),
        }),
    }
}

/// The job id is written at once; what can't be written is kept.
fn accepted(mut desk: Desk<'_>, intent: &Intent) -> State {
    let with_job = settle::submitted(intent.change(), job_id(intent.id), clock::now().wall);
    let record = Record {
        change: Some(with_job),
        ..desk.record()
    };
    desk.session.accepted();
    let decision = starting(&desk, record, intent);
    let observed = desk.look_before(intent);
    let written = desk.write(&observed, &decision);
    let keeps = desk.model.planner.keeps_job();
    desk.operator().at = match written {
        Err(_) if keeps => At::Holding { change: intent.id },
        Ok(()) | Err(_) => At::Idle,
    };
    if !keeps && !has_job(desk.state.object.status.as_ref(), intent.id) {
        desk.state.broken = Some(Rule::JobLost);
    }
    desk.close()
}

fn has_job(paper: Option<&Paper>, id: u8) -> bool {
    let change = paper.and_then(|paper| paper.change.as_ref());
    let last = paper.and_then(|paper| paper.last.as_ref());
    change.is_some_and(|change| change.id == id && change.job)
        || last.is_some_and(|last| last.id == id && last.job)
}

fn settle_refused(
    mut desk: Desk<'_>,
    intent: &Intent,
    error: CloudError,
    mishap: Option<Mishap>,
) -> Option<State> {
    let mut record = desk.record();
    record.change = None;
    // Nothing was changed: its plan still stands.
    record.plan = intent
        .plan
        .as_ref()
        .map(|plan| desk.model.plan_record(plan));
    let before = desk.session.refusal.as_ref();
    let before = before.filter(|refusal| refusal.port == intent.to);
    let count = before.map_or(1, |refusal| refusal.count + 1);
    let wait = backoff::after_error(&error, count, &desk.model.pace);
    desk.session
        .refused(error, intent.to, count, wait, clock::now());
    conclude(desk, intent, &record, mishap)
}

/// Decides anew on what was seen before the request.
fn conclude(
    mut desk: Desk<'_>,
    intent: &Intent,
    record: &Record,
    mishap: Option<Mishap>,
) -> Option<State> {
    desk.session.turn_to(record.change.as_ref(), clock::now());
    let desired = desk.desired();
    let observed = desk.look_before(intent);
    let facts = desk.facts(&desired, record, &observed);
    let decision = desk.model.planner.decide_again(&facts);
    finish(desk, intent, &decision, mishap)
}

fn finish(
    mut desk: Desk<'_>,
    intent: &Intent,
    decision: &Decision,
    mishap: Option<Mishap>,
) -> Option<State> {
    let before = desk.state.object.clone();
    let observed = desk.look_before(intent);
    let written = desk.write(&observed, decision);
    if mishap.is_some() && written.is_ok() && before == desk.state.object {
        return None;
    }
    if written.is_err() {
        desk.operator().view = None;
    }
    desk.operator().at = At::Idle;
    Some(desk.close())
}
