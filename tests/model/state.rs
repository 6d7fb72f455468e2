//! A state of the model, and the one form in which states that don't differ are the same.

use std::borrow::Cow;

use crate::{
    clock,
    memory::Memory,
    paper::{Intent, Paper},
    rules::Rule,
    sky::{Answer, Sky},
};

/// The object as the API server has it, or as an operator saw it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Object {
    pub want: u16,
    pub generation: u8,
    /// The plan that a person has approved last.
    pub approved: Option<u8>,
    pub status: Option<Paper>,
}

impl Object {
    fn plans(&mut self, visit: &mut impl FnMut(&mut u8)) {
        if let Some(plan) = self.status.as_mut().and_then(|paper| paper.plan.as_mut()) {
            visit(&mut plan.id);
        }
        if let Some(id) = &mut self.approved {
            visit(id);
        }
    }
}

/// How far an operator has come with a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum At {
    /// Nothing is half done.
    Idle,
    /// It has decided to make a change and opens a connection; the status that says so is not written.
    Ordered {
        intent: Intent,
        paper: Paper,
        ages: Ages,
    },
    /// The API server has acknowledged the intent; the first byte of the request has not left.
    Acknowledged { intent: Intent, ages: Ages },
    /// The request was sent, and this is its answer.
    Asked { intent: Intent, answer: Answer },
    /// It holds the id of a job that could not be written yet.
    Holding { change: u8 },
    /// It has written that id and leads no longer: it ends before anything else happens.
    Kept,
}

/// What a change that was not sent yet rests on: for how many ticks each has been there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ages {
    /// The look at the cloud.
    pub look: u8,
    /// The open connection.
    pub line: Option<u8>,
    /// The acknowledged intent.
    pub intent: Option<u8>,
}

/// Whether an operator leads, as far as it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lease {
    /// It does.
    Held,
    /// Another one has begun, which it does not know: it goes on until its term is over, which takes less than a tick.
    Lost,
    /// It knows that it does not: all it may still do is to write a job id that it is told or holds. What it has on record
    /// is stopped by its last check.
    Over,
}

/// A process of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Operator {
    pub memory: Memory,
    /// Ticks for which it has led.
    pub led: u8,
    /// What it works on, if that is no longer what the API server has.
    pub view: Option<Object>,
    pub at: At,
    pub lease: Lease,
    /// The change that it has seen on record, and for how many ticks: counted apart from what the planner remembers.
    pub watched: Option<(u8, u8)>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub sky: Sky,
    pub object: Object,
    /// The first operator, and the one that takes over from it.
    pub crew: [Option<Operator>; 2],
    /// Edits and faults that may still come.
    pub edits: u8,
    pub faults: u8,
    /// Whether a second operator may still come.
    pub spare: bool,
    /// Whether a task list may still lack a row.
    pub whole: bool,
    /// Whether a change may start now.
    pub open: bool,
    /// The plans for which a request has left that may have been carried out, as far as anybody can still name them.
    pub used: Vec<u8>,
    /// Ticks that may still pass, where they are counted.
    pub ticks: Option<u8>,
    /// How many more requests there are reasons for.
    pub credit: i8,
    /// The rule that was just broken.
    pub broken: Option<Rule>,
}

impl Ages {
    /// Whether the connection is not open yet and can no longer open in time.
    pub fn opens_no_more(self) -> bool {
        self.line.is_none() && self.look > clock::OPENING
    }

    fn tick(&mut self) {
        let older = |age: &mut u8, good_for| *age = (*age + 1).min(good_for + 1);
        older(&mut self.look, clock::OPENING);
        if let Some(age) = &mut self.line {
            older(age, clock::OPENING);
        }
        if let Some(age) = &mut self.intent {
            older(age, clock::SEND_WITHIN);
        }
    }
}

impl Operator {
    pub fn new(led: u8) -> Self {
        Self {
            memory: Memory::default(),
            led,
            view: None,
            at: At::Idle,
            lease: Lease::Held,
            watched: None,
        }
    }

    /// Sees a change on record, or none.
    pub fn watches(&mut self, change: Option<u8>) {
        if self.watched.map(|(id, _)| id) != change {
            self.watched = change.map(|id| (id, 0));
        }
    }

    fn tick(&mut self) {
        self.memory.tick();
        self.led = (self.led + 1).min(clock::SETTLE_WINDOW);
        if let Some((_, age)) = &mut self.watched {
            *age = (*age + 1).min(clock::SETTLE_WINDOW);
        }
        if let At::Ordered { ages, .. } | At::Acknowledged { ages, .. } = &mut self.at {
            ages.tick();
        }
        self.shift(1);
    }

    fn shift(&mut self, by: i8) {
        if let Some(paper) = self.view.as_mut().and_then(|view| view.status.as_mut()) {
            paper.shift(by);
        }
        match &mut self.at {
            At::Ordered { intent, paper, .. } => {
                intent.shift(by);
                paper.shift(by);
            }
            At::Acknowledged { intent, .. } | At::Asked { intent, .. } => intent.shift(by),
            At::Idle | At::Holding { .. } | At::Kept => {}
        }
        if let Some(age) = &mut self.memory.used {
            clock::shift_used(age, by);
        }
    }

    fn plans(&mut self, visit: &mut impl FnMut(&mut u8)) {
        if let Some(view) = &mut self.view {
            view.plans(visit);
        }
        let intent = match &mut self.at {
            At::Ordered { intent, paper, .. } => {
                if let Some(plan) = &mut paper.plan {
                    visit(&mut plan.id);
                }
                intent
            }
            At::Acknowledged { intent, .. } | At::Asked { intent, .. } => intent,
            At::Idle | At::Holding { .. } | At::Kept => return,
        };
        if let Some(plan) = &mut intent.plan {
            visit(&mut plan.id);
        }
    }

    /// Whether it is done once its lease is over: it has no job to write, and no request that only its last check can stop.
    fn is_done(&self) -> bool {
        match &self.at {
            At::Acknowledged { .. } | At::Holding { .. } | At::Kept => false,
            At::Asked { answer, .. } => *answer != Answer::Accepted,
            At::Idle | At::Ordered { .. } => true,
        }
    }

    fn ids(&mut self, visit: &mut impl FnMut(&mut u8)) {
        if let Some(verified) = &mut self.memory.verified {
            visit(&mut verified.id);
        }
        if let Some(watch) = &mut self.memory.watch {
            visit(&mut watch.id);
        }
        if let Some((id, _)) = &mut self.watched {
            visit(id);
        }
        if let Some(paper) = self.view.as_mut().and_then(|view| view.status.as_mut()) {
            paper.ids(visit);
        }
        match &mut self.at {
            At::Ordered { intent, paper, .. } => {
                visit(&mut intent.id);
                paper.ids(visit);
            }
            At::Acknowledged { intent, .. } | At::Asked { intent, .. } => visit(&mut intent.id),
            At::Holding { change } => visit(change),
            At::Idle | At::Kept => {}
        }
    }
}

impl State {
    /// The object gets another status or spec; whoever has not made it works on an old view from now on.
    pub fn replace(&mut self, by: Option<usize>, object: Object) {
        let old = std::mem::replace(&mut self.object, object);
        for (who, operator) in self.crew.iter_mut().enumerate() {
            let Some(operator) = operator else { continue };
            if by == Some(who) {
                operator.view = None;
            } else {
                operator.view.get_or_insert_with(|| old.clone());
            }
        }
    }

    /// Whether this operator does not lead any more and does not know it.
    pub fn is_cut_off(&self, who: usize) -> bool {
        let operator = self.crew.get(who).and_then(Option::as_ref);
        operator.is_some_and(|operator| operator.lease == Lease::Lost)
    }

    /// Whether the connection that this operator waits for can no longer open in time.
    pub fn opens_no_more(&self, who: usize) -> bool {
        let operator = self.crew.get(who).and_then(Option::as_ref);
        operator.is_some_and(
            |operator| matches!(operator.at, At::Ordered { ages, .. } if ages.opens_no_more()),
        )
    }

    /// Whoever does not lead any more learns of it.
    pub fn depose(&mut self) {
        for place in &mut self.crew {
            if let Some(operator) = place
                && operator.lease == Lease::Lost
            {
                operator.lease = Lease::Over;
            }
            place.take_if(|one| one.lease == Lease::Over && one.is_done());
        }
    }

    /// The state without operators that have nothing more to do.
    pub fn without_ended(&self) -> Cow<'_, Self> {
        let is_over = |operator: &Operator| operator.at == At::Kept;
        if !self.crew.iter().flatten().any(is_over) {
            return Cow::Borrowed(self);
        }
        let mut state = self.clone();
        for place in &mut state.crew {
            place.take_if(|operator| is_over(operator));
        }
        Cow::Owned(state)
    }

    /// Time passes, by all clocks. Who did not know that it leads no longer finds its term over.
    pub fn tick(&mut self) {
        self.depose();
        self.sky.tick();
        if let Some(paper) = &mut self.object.status {
            paper.shift(1);
        }
        self.crew.iter_mut().flatten().for_each(Operator::tick);
    }

    /// The wall clock jumps.
    pub fn jump(&mut self, by: i8) {
        if let Some(paper) = &mut self.object.status {
            paper.shift(by);
        }
        let crew = self.crew.iter_mut().flatten();
        crew.for_each(|operator| operator.shift(by));
    }

    /// A number that no change has.
    pub fn unused_id(&mut self) -> u8 {
        let mut used = Vec::new();
        self.ids(&mut |id| used.push(*id));
        (0..=u8::MAX).find(|id| !used.contains(id)).unwrap()
    }

    /// A number that no plan has.
    pub fn unused_plan(&mut self) -> u8 {
        let mut used = self.used.clone();
        self.plans(&mut |id| used.push(*id));
        (0..=u8::MAX).find(|id| !used.contains(id)).unwrap()
    }

    fn plans(&mut self, visit: &mut impl FnMut(&mut u8)) {
        self.object.plans(visit);
        for operator in self.crew.iter_mut().flatten() {
            operator.plans(visit);
        }
    }

    /// Numbers plans anew, and forgets of those that were used which nobody can name any more.
    fn number_plans(&mut self) {
        let mut names = Vec::new();
        self.plans(&mut |id| {
            let known = names.iter().position(|name| *name == *id);
            let index = known.unwrap_or_else(|| {
                names.push(*id);
                names.len() - 1
            });
            *id = u8::try_from(index).unwrap();
        });
        let used = self.used.iter().filter_map(|id| {
            let index = names.iter().position(|name| name == id)?;
            u8::try_from(index).ok()
        });
        let mut used: Vec<u8> = used.collect();
        used.sort_unstable();
        self.used = used;
    }

    /// The same state as all that differ from it only in what nobody can tell.
    pub fn canonical(mut self) -> Self {
        let quiet = self.faults == 0;
        for place in &mut self.crew {
            place.take_if(|one| one.lease == Lease::Over && one.at == At::Idle);
        }
        for operator in self.crew.iter_mut().flatten() {
            let idle = operator.at == At::Idle;
            // Without a fault, an operator that leads and starts over sees what there is.
            let sees = quiet && operator.lease == Lease::Held;
            operator
                .view
                .take_if(|view| idle && (sees || *view == self.object));
        }
        let needed = self.changes_on_record();
        self.sky.forget(|change| needed.contains(&change));
        for work in &mut self.sky.works {
            if !work.runs() {
                work.age = 0;
            }
        }
        self.credit = self.credit.min(5);
        let mut names = Vec::new();
        self.ids(&mut |id| {
            let known = names.iter().position(|name| *name == *id);
            let index = known.unwrap_or_else(|| {
                names.push(*id);
                names.len() - 1
            });
            *id = u8::try_from(index).unwrap();
        });
        self.number_plans();
        self
    }

    /// The changes whose job somebody may still ask for.
    fn changes_on_record(&self) -> Vec<u8> {
        let crew = self.crew.iter().flatten();
        let views = crew.clone().filter_map(|operator| operator.view.as_ref());
        let papers = views
            .chain([&self.object])
            .filter_map(|object| object.status.as_ref());
        let recorded = papers
            .filter_map(|paper| paper.change.as_ref())
            .map(|change| change.id);
        let held = crew.filter_map(|operator| match &operator.at {
            At::Idle | At::Kept => None,
            At::Holding { change } => Some(*change),
            At::Ordered { intent, .. }
            | At::Acknowledged { intent, .. }
            | At::Asked { intent, .. } => Some(intent.id),
        });
        recorded.chain(held).collect()
    }

    fn ids(&mut self, visit: &mut impl FnMut(&mut u8)) {
        if let Some(paper) = &mut self.object.status {
            paper.ids(visit);
        }
        for operator in self.crew.iter_mut().flatten() {
            operator.ids(visit);
        }
        for work in &mut self.sky.works {
            visit(&mut work.change);
        }
        for request in &mut self.sky.transit {
            visit(&mut request.change);
        }
    }
}
