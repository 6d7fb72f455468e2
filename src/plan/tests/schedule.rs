//! Schedules of what can happen to a change, and how they are played.
//!
//! Promises to stay within the accepted risks: a job ends within `changeTimeout` and is visible within two minutes, a list
//! lags by less than that, and a job's record is deleted only when its id is in the status, which then stays.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    cloud::{Course, End, Fate, MODES, Mode},
    process::{CrashPoint, Process},
    world::World,
};
use crate::cloud::{Meaning, ProxyStatus};

const PORTS: [u16; 4] = [3306, 3307, 3308, 3309];

/// Something that happens.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Want(u16),
    EditOther(u64),
    Policy(&'static str),
    Suspend(bool),
    Request(u64),
    Drift(u16),
    NextFate(Fate),
    NextCourse(Course),
    ReadsFail(u64, Meaning),
    TasksFail(u64, Meaning),
    PortUnreadable(bool),
    Status(Option<ProxyStatus>),
    Gone(u64),
    InstanceGone(u64),
    Foreign(u64),
    Lag(u64),
    ReadsTake(u64),
    Erase,
    Crash,
    CrashAt(CrashPoint),
    /// Another process starts; the old one believes for so long that it still leads, on a view that may be stale.
    TakeOver(u64, bool),
    Recreate(bool),
    DropStatus,
    AgeStatus,
}

/// A mode of the cloud, and events with the seconds before each.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) mode: Mode,
    pub(super) events: Vec<(u64, Event)>,
}

/// Counts what a change may be made for.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    wishes: usize,
    drifts: usize,
    fates: usize,
}

pub(super) fn schedules() -> impl Strategy<Value = Schedule> {
    let pause = prop_oneof![3 => 0..60_u64, 2 => 60..400_u64, 1 => 400..4000_u64];
    (select(MODES.to_vec()), vec((pause, event()), 1..14))
        .prop_map(|(mode, events)| Schedule { mode, events })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => select(PORTS.to_vec()).prop_map(Event::Want),
        1 => (30..90_u64).prop_map(Event::EditOther),
        1 => select(vec!["Enforce", "ApplyOnChange", "Observe"]).prop_map(Event::Policy),
        1 => any::<bool>().prop_map(Event::Suspend),
        1 => any::<u64>().prop_map(Event::Request),
        2 => select(PORTS.to_vec()).prop_map(Event::Drift),
        3 => fate().prop_map(Event::NextFate),
        3 => course().prop_map(Event::NextCourse),
        1 => (1..3000_u64, meaning()).prop_map(|(until, meaning)| Event::ReadsFail(until, meaning)),
        1 => (1..3000_u64, meaning()).prop_map(|(until, meaning)| Event::TasksFail(until, meaning)),
        1 => any::<bool>().prop_map(Event::PortUnreadable),
        1 => status().prop_map(Event::Status),
        1 => (1..1500_u64).prop_map(Event::Gone),
        1 => (1..1500_u64).prop_map(Event::InstanceGone),
        1 => (1..3000_u64).prop_map(Event::Foreign),
        1 => (0..110_u64).prop_map(Event::Lag),
        1 => (0..8_u64).prop_map(Event::ReadsTake),
        1 => Just(Event::Erase),
        2 => Just(Event::Crash),
        3 => select(vec![
            CrashPoint::BeforeIntent,
            CrashPoint::AfterIntent,
            CrashPoint::AfterRequest,
            CrashPoint::AfterJob,
        ]).prop_map(Event::CrashAt),
        2 => (0..900_u64, any::<bool>()).prop_map(|(until, blind)| Event::TakeOver(until, blind)),
        1 => any::<bool>().prop_map(Event::Recreate),
        1 => Just(Event::DropStatus),
        1 => Just(Event::AgeStatus),
    ]
}

fn status() -> impl Strategy<Value = Option<ProxyStatus>> {
    select(vec![
        None,
        Some(ProxyStatus::Changing("REBOOTING".to_owned())),
        Some(ProxyStatus::Unhealthy("ABNORMAL".to_owned())),
    ])
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Served),
        meaning().prop_map(Fate::Refused),
        Just(Fate::Refused(Meaning::Busy)),
        Just(Fate::NotSent),
        Just(Fate::Lost(None)),
        (0..30_u64).prop_map(|after| Fate::Lost(Some(after))),
    ]
}

fn course() -> impl Strategy<Value = Course> {
    let end = select(vec![End::Moves, End::Moves, End::Fails, End::Lies]);
    (0..119_u64, 1..1500_u64, end).prop_map(|(visible_after, takes, end)| Course {
        visible_after,
        takes,
        end,
    })
}

fn meaning() -> impl Strategy<Value = Meaning> {
    select(vec![
        Meaning::Transient,
        Meaning::Throttled,
        Meaning::Malformed,
        Meaning::Denied,
        Meaning::Unauthenticated,
        Meaning::NotFound,
        Meaning::Blocked,
        Meaning::UnknownRefusal,
    ])
}

impl Schedule {
    /// Plays all events and then heals whatever they broke.
    pub(super) fn play(&self) -> (World, Reasons) {
        self.play_with(|_| (), |_| ())
    }

    /// The same in a world that was prepared, with what a person does after each event.
    pub(super) fn play_with(
        &self,
        prepare: impl FnOnce(&mut World),
        mut person: impl FnMut(&mut World),
    ) -> (World, Reasons) {
        let mut world = World::settled(self.mode, PORTS[0]);
        prepare(&mut world);
        let mut reasons = Reasons::default();
        for (pause, event) in &self.events {
            world.run(*pause);
            happen(&mut world, event, &mut reasons);
            person(&mut world);
        }
        heal(&mut world);
        (world, reasons)
    }
}

impl Reasons {
    /// The most requests that there may have been.
    pub(super) fn most(&self, world: &World) -> usize {
        let fruitless = world.sky.state().fruitless;
        self.wishes + self.drifts + self.fates + fruitless
    }
}

fn happen(world: &mut World, event: &Event, reasons: &mut Reasons) {
    let now = world.now();
    match event.clone() {
        Event::Want(port) => {
            reasons.wishes += 1;
            world.want(port);
        }
        Event::EditOther(minutes) => {
            world.edit(|spec| spec["changeTimeout"] = format!("{minutes}m").into());
        }
        Event::Policy(policy) => world.edit(|spec| spec["managementPolicy"] = policy.into()),
        Event::Suspend(suspend) => world.edit(|spec| spec["suspend"] = suspend.into()),
        Event::Request(value) => world.request(&value.to_string()),
        Event::Drift(port) => {
            reasons.drifts += 1;
            world.sky.state().drift(port);
        }
        Event::NextFate(fate) => {
            reasons.fates += usize::from(!matches!(fate, Fate::Served | Fate::Lost(Some(_))));
            world.sky.state().fates.push_back(fate);
        }
        Event::NextCourse(course) => world.sky.state().courses.push_back(course),
        Event::ReadsFail(long, meaning) => {
            world.sky.state().reads_fail = Some((now + long, meaning));
        }
        Event::TasksFail(long, meaning) => {
            world.sky.state().tasks_fail = Some((now + long, meaning));
        }
        Event::PortUnreadable(unreadable) => world.sky.state().port_unreadable = unreadable,
        Event::Status(status) => world.sky.state().status = status,
        Event::Gone(long) => world.sky.state().gone_until = now + long,
        Event::InstanceGone(long) => world.sky.state().instance_gone_until = now + long,
        Event::Foreign(long) => world.sky.state().foreign_until = now + long,
        Event::Lag(lag) => world.sky.state().lag = lag,
        Event::ReadsTake(seconds) => world.sky.state().read_takes = seconds,
        Event::Erase => erase(world),
        Event::Crash => world.crash(),
        Event::CrashAt(point) => world.crew[0].crash = Some(point),
        Event::TakeOver(long, blind) => {
            world.crew[0].blind = blind;
            world.crew[0].retires_at = Some(now + long);
            world.crew.push(Process::new(now, 0));
        }
        Event::Recreate(_) | Event::DropStatus | Event::AgeStatus if left_no_trace(world) => {}
        Event::Recreate(with_status) => world.recreate(&format!("uid-{now}"), with_status),
        Event::DropStatus => world.tamper(None),
        Event::AgeStatus => {
            let mut status = world.said().clone();
            status.observed_generation = Some(1_000);
            world.tamper(Some(status));
        }
    }
}

/// The last job's record was deleted: without a status there is nothing left to see of it.
fn left_no_trace(world: &World) -> bool {
    let state = world.sky.state();
    state.at_work().is_some_and(|work| work.erased)
}

/// A record is deleted only when its id is on record.
fn erase(world: &World) {
    let status = world.status();
    let change = status.and_then(|status| status.change.as_ref());
    let job = change.and_then(|change| change.job_id.as_ref());
    let mut state = world.sky.state();
    if let Some(work) = state.works.last_mut()
        && job.is_some_and(|job| job == work.id.as_str())
    {
        work.erased = true;
    }
}

fn heal(world: &mut World) {
    {
        let mut state = world.sky.state();
        state.reads_fail = None;
        state.tasks_fail = None;
        state.fates.clear();
        state.courses.clear();
        state.read_takes = 0;
        state.port_unreadable = false;
        state.status = None;
    }
    world.edit(|spec| {
        spec["managementPolicy"] = "Enforce".into();
        spec["suspend"] = false.into();
    });
}
