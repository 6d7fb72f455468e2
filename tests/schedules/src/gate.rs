//! When changes may start: what people say of that, and what must hold of each request.
//!
//! Promises that a request is judged by what was on record when its intent was acknowledged, by the calendar of that very moment and by the
//! wall clock of whoever sends it. How long a change takes is the operator's own estimate, and is not judged here.

use kube::ResourceExt as _;
use rand::{RngExt as _, rngs::SmallRng, seq::IndexedRandom as _};
use serde_json::json;
use taurus_port_operator::{
    calendar::{Calendar, Freeze, store::FileFault},
    crd::{APPLY_NOW, APPROVE, Approval, PlanRecord, TaurusProxyPort},
    desired::{Timing, read},
};
use tokio::time::Duration;

use crate::{
    NAMESPACE,
    life::Life,
    schedule::Event,
    script::name_of,
    world::{World, wall},
};

/// What people say about the time of a resource's changes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GateEdit {
    /// Its windows, by their number; none by zero.
    Windows(usize),
    /// Whether each plan needs an approval.
    Manual(bool),
    /// Somebody approves, and by the spec or not.
    Approve(Which, bool),
    /// Somebody wants it now.
    ApplyNow(Which),
    /// A backup brings back the status that stood there before the last plan was used, or the first one that is known.
    Rewind,
}

/// Which plan somebody names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// The one that waits.
    Own,
    /// One that waits of another resource.
    Others,
    /// One that was used.
    Used,
    /// One that nobody has made.
    Nonsense,
}

/// What becomes of the calendar; times in minutes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CalendarEdit {
    /// A freeze that begins after so long and lasts so long.
    Freeze(i64, i64),
    /// Windows for those who state none.
    Windows,
    /// Nothing.
    Empty,
    /// It can't be read.
    Broken,
}

/// What was on record of the time of a change when its intent was acknowledged.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    timing: Option<Box<Timing>>,
    plan: Option<PlanRecord>,
}

impl Gate {
    /// `before` is what stood there before the intent.
    pub fn of(before: &TaurusProxyPort, object: &TaurusProxyPort) -> Self {
        let status = before.status.as_ref();
        Self {
            timing: read(object).ok().and_then(|desired| desired.timing),
            plan: status.and_then(|status| status.plan.clone()),
        }
    }

    /// The plan that an approval is used for.
    pub fn plan(&self) -> Option<String> {
        let needs = |timing: &Timing| timing.needs_approval;
        let plan = self.plan.as_ref().map(|plan| plan.id.clone());
        plan.filter(|_| self.timing.as_deref().is_some_and(needs))
    }
}

/// Puts what people say about time between other events.
pub(crate) fn interleave(
    mut random: SmallRng,
    resources: usize,
    events: Vec<(u64, Event)>,
) -> Vec<(u64, Event)> {
    let mut all = Vec::new();
    for resource in 0..resources {
        let windows = random.random_range(0..WINDOWS.len());
        all.push((0, Event::Gate(resource, GateEdit::Windows(windows))));
        let manual = random.random_bool(0.6);
        all.push((0, Event::Gate(resource, GateEdit::Manual(manual))));
    }
    for (pause, event) in events {
        all.push((pause, event));
        for _ in 0..random.random_range(0..4) {
            let pause = *[0, 500, 20_000, 400_000, 1_800_000]
                .choose(&mut random)
                .unwrap();
            all.push((pause, any(&mut random, resources)));
        }
    }
    all
}

fn any(random: &mut SmallRng, resources: usize) -> Event {
    let resource = random.random_range(0..resources);
    let which = *[
        Which::Own,
        Which::Own,
        Which::Others,
        Which::Used,
        Which::Nonsense,
    ]
    .choose(random)
    .unwrap();
    match random.random_range(0..17) {
        16 => Event::Gate(resource, GateEdit::Rewind),
        0..=1 => {
            let windows = random.random_range(0..WINDOWS.len());
            Event::Gate(resource, GateEdit::Windows(windows))
        }
        2 => Event::Gate(resource, GateEdit::Manual(random.random_bool(0.7))),
        3..=8 => {
            let by_spec = random.random_bool(0.3);
            Event::Gate(resource, GateEdit::Approve(which, by_spec))
        }
        9..=10 => Event::Gate(resource, GateEdit::ApplyNow(which)),
        11..=12 => {
            let begins = *[-10, -10, 0, 5, 30].choose(random).unwrap();
            Event::Calendar(CalendarEdit::Freeze(begins, random.random_range(20..300)))
        }
        13 => Event::Calendar(CalendarEdit::Windows),
        14 => Event::Calendar(CalendarEdit::Broken),
        _ => Event::Calendar(CalendarEdit::Empty),
    }
}

/// Windows as people state them: when they begin, and how many minutes they last. All clocks begin at 08:00 UTC.
const WINDOWS: [&[(&str, u32)]; 5] = [
    &[],
    &[("08:05", 45), ("09:30", 40), ("11:00", 90), ("18:00", 240)],
    &[("08:00", 120), ("10:00", 45), ("14:00", 600)],
    &[("10:00", 240)],
    &[("03:00", 30), ("08:20", 31), ("12:00", 31)],
];

impl World {
    pub(crate) fn gate(&mut self, resource: usize, edit: GateEdit) {
        self.gated = true;
        let plan = |which| self.named(resource, which);
        match edit {
            GateEdit::Windows(number) => {
                let windows = WINDOWS[number].iter().map(|(start, minutes)| {
                    let duration = format!("{minutes}m");
                    json!({"start": start, "duration": duration})
                });
                let windows = windows.collect::<serde_json::Value>();
                self.edit(resource, |object| {
                    object.spec.maintenance_windows = serde_json::from_value(windows).unwrap();
                });
            }
            GateEdit::Manual(manual) => {
                self.edit(resource, |object| {
                    object.spec.approval = manual.then_some(Approval::Manual);
                });
            }
            GateEdit::Approve(which, by_spec) => {
                let Some(id) = plan(which) else { return };
                self.edit(resource, |object| {
                    if by_spec {
                        object.spec.approved_plan = Some(id);
                    } else {
                        object.annotations_mut().insert(APPROVE.to_owned(), id);
                    }
                });
            }
            GateEdit::ApplyNow(which) => {
                let Some(id) = plan(which) else { return };
                self.edit(resource, |object| {
                    object.annotations_mut().insert(APPLY_NOW.to_owned(), id);
                });
            }
            GateEdit::Rewind => self.rewind(resource),
        }
    }

    /// Brings an older status of a resource back. A plan that it brings back with it may be used again, but not by the process that has
    /// used it.
    fn rewind(&mut self, resource: usize) {
        let Some(object) = self.cluster.get(&name_of(resource)) else {
            return;
        };
        let mut older = self.book.versions.iter().rev().map(|it| &it.object);
        let own = |older: &&TaurusProxyPort| older.metadata.uid == object.metadata.uid;
        let used = |older: &TaurusProxyPort| {
            let plan = older
                .status
                .as_ref()
                .and_then(|status| status.plan.as_ref());
            plan.is_some_and(|plan| self.book.used_plans.contains_key(&plan.id))
        };
        let brought = older.clone().find(|it| own(it) && used(it));
        let Some(older) = brought.or_else(|| older.rfind(own)) else {
            return;
        };
        let status = older.status.clone();
        let plan = status.as_ref().and_then(|status| status.plan.as_ref());
        self.book
            .brought_back
            .extend(plan.map(|plan| plan.id.clone()));
        self.begin_a_stretch();
        self.edit(resource, |object| object.status = status);
    }

    fn named(&self, resource: usize, which: Which) -> Option<String> {
        let own = name_of(resource);
        let plan =
            |object: &TaurusProxyPort| Some(object.status.as_ref()?.plan.as_ref()?.id.clone());
        match which {
            Which::Own => plan(self.cluster.get(&own)?),
            Which::Others => {
                let mut others = self.cluster.all().filter(|object| object.name_any() != own);
                others.find_map(plan)
            }
            Which::Used => self.book.used_plans.keys().next().cloned(),
            Which::Nonsense => Some("0123456789abcdef".to_owned()),
        }
    }

    pub(crate) fn edit_calendar(&mut self, edit: CalendarEdit) {
        self.gated = true;
        let now = wall(self.now());
        let after = |minutes: i64| now + jiff::Span::new().minutes(minutes);
        let found = match edit {
            CalendarEdit::Freeze(begins, lasts) => Ok(Calendar {
                freezes: vec![Freeze {
                    from: after(begins),
                    until: after(begins + lasts),
                    reason: "a freeze".to_owned(),
                    namespaces: Vec::new(),
                }],
                ..Calendar::default()
            }),
            CalendarEdit::Windows => {
                let text =
                    "windows: [{start: '08:30', duration: 2h}, {start: '16:00', duration: 8h}]";
                Ok(taurus_port_operator::calendar::file::parse(text).unwrap())
            }
            CalendarEdit::Empty => Ok(Calendar::default()),
            CalendarEdit::Broken => Err(FileFault::Unreadable {
                path: "calendar.yaml".to_owned(),
                why: "gone".to_owned(),
            }),
        };
        self.calendar.take_in(found);
    }

    /// Nothing is in the way of changes any longer but approvals, which people give as they are asked for.
    pub(crate) fn open_the_gate(&mut self) {
        if !self.gated {
            return;
        }
        self.calendar.take_in(Ok(Calendar::default()));
        for object in self.named_objects() {
            let now = self.now();
            let open = |object: &mut TaurusProxyPort| object.spec.maintenance_windows.clear();
            if self.cluster.edit(&object, now, open) {
                self.stored(&object);
            }
        }
    }

    /// A person approves each plan that waits, if somebody has begun to.
    pub fn approve_all(&mut self) {
        if !self.gated {
            return;
        }
        for name in self.named_objects() {
            let object = self.cluster.get(&name);
            let status = object.and_then(|object| object.status.as_ref());
            let Some(id) = status.and_then(|status| Some(status.plan.as_ref()?.id.clone())) else {
                continue;
            };
            let now = self.now();
            let approve = |object: &mut TaurusProxyPort| {
                object.annotations_mut().insert(APPROVE.to_owned(), id);
            };
            if self.cluster.edit(&name, now, approve) {
                self.stored(&name);
            }
        }
    }

    fn named_objects(&self) -> Vec<String> {
        let own = |object: &&TaurusProxyPort| object.namespace().as_deref() == Some(NAMESPACE);
        let own = self.cluster.all().filter(own);
        own.map(kube::ResourceExt::name_any).collect()
    }

    /// A request for a port leaves.
    pub fn check_gate(&mut self, gate: &Gate, to: i32, life: &Life) {
        let Gate { timing, plan } = gate;
        let timing = timing.as_deref();
        let ahead = jiff::Span::new().seconds(self.ahead[life.machine]);
        let at = wall(self.now()) + ahead;
        let windows = timing.map_or(&[][..], |timing| &timing.windows);
        let mut hours = self.calendar.current().hours(NAMESPACE, windows);
        let id = plan.as_ref().map(|plan| &plan.id);
        if id.is_some() && timing.and_then(|timing| timing.apply_now.as_ref()) == id {
            hours = hours.at_once();
        }
        if hours.next(at, Duration::ZERO) != Some(at) {
            let broken = format!("a change begins outside its hours, at {at}: {hours:?}");
            self.broken(broken);
        }
        let Some(timing) = timing.filter(|timing| timing.needs_approval) else {
            return;
        };
        match plan {
            None => self.broken("a change begins without a plan".to_owned()),
            Some(plan) if !timing.approves(&plan.id) => {
                self.broken("a change begins without approval".to_owned());
            }
            Some(plan) if plan.to_port != to => {
                self.broken("a change begins for another port than was approved".to_owned());
            }
            Some(plan) => {
                let is_back = self.book.brought_back.contains(&plan.id);
                let user = self.book.used_plans.get(&plan.id);
                if user.is_some_and(|user| !is_back || *user == life.identity) {
                    self.broken("an approval is used for two changes".to_owned());
                }
            }
        }
    }
}
