//! What happens in a schedule, made from its seed.
//!
//! Promises to stay within the accepted risks: a job ends within `changeTimeout` and is visible within two minutes, a list
//! lags by less than that, a connection is opened within half a minute, a request arrives within half a minute or never, and a job's record is deleted only when its id
//! is in a status, which then stays.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};
use taurus_port_operator::{
    cloud::{Meaning, ProxyStatus, budget::CallLimit},
    crd::ManagementPolicy,
};

use crate::{
    gate::{self, CalendarEdit, GateEdit},
    keys::Fault,
    publishing::{self, Act},
    server::WriteFault,
    sky::{Course, Fate, Mode},
};

mod maker;
mod pruned;

use maker::Maker;

/// The ports that are wanted and drifted to.
pub const PORTS: [u16; 4] = [3306, 3307, 3308, 3309];

/// How many resources there may be at the beginning, and on how many proxies.
const FIRST_RESOURCES: usize = 3;
const FIRST_PROXIES: usize = 3;

/// How the address is spelt: mostly by the region.
const SPELLINGS: [usize; 8] = [0, 0, 0, 0, 0, 1, 2, 3];

/// A resource as people make it first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// The number of its proxy.
    pub(crate) proxy: usize,
    /// The port that it wants.
    pub(crate) port: u16,
    /// The number of its Secret.
    pub(crate) keys: usize,
    /// The number of the spelling of the cloud's address.
    pub(crate) spelling: usize,
}

/// A schedule; times in milliseconds.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// What the cloud shows while a job is at work.
    pub(crate) mode: Mode,
    /// How many calls an operator may make with one credential.
    pub(crate) call_limit: CallLimit,
    /// The resources that are there at the beginning.
    pub(crate) resources: Vec<Plan>,
    /// How many operators there are; two campaign for a lease, one may.
    pub(crate) operators: usize,
    pub(crate) election: bool,
    /// Whether the API server takes its time with calls for the lease.
    pub(crate) slow_leases: bool,
    /// For how long the first operator has run.
    pub(crate) head_start: u64,
    /// What happens, each after a pause.
    pub(crate) events: Vec<(u64, Event)>,
}

/// Something that happens; resources, machines, instances and proxies by their numbers.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Want(usize, u16),
    /// A further resource is made.
    Newcomer(Plan),
    EditTimeout(usize, u64),
    /// A resource names another Secret.
    Credentials(usize, usize),
    Policy(usize, ManagementPolicy),
    Suspend(usize, bool),
    Request(usize, u64),
    Touch(usize, u64),
    /// Somebody vouches that the job which is stuck does nothing any more; or names one that nobody knows.
    Abandon(usize, bool),
    /// Somebody without credentials gives up what is at work on the instance of this proxy.
    Stranger(usize),
    Delete(usize),
    /// Made anew, with the status that a backup holds of it or without.
    Recreate(usize, bool),
    Drift(usize, u16),
    NextFate(Fate),
    NextCourse(Course),
    ReadsFail(u64, Meaning),
    TasksFail(u64, Meaning),
    Status(Option<ProxyStatus>),
    Gone(usize, u64),
    Foreign(usize, u64),
    ListLag(u64),
    ReadsTake(u64),
    /// Connections for changes take so long to open.
    OpeningTakes(u64),
    /// The thread that sends the next change is held up right before.
    HoldUp(u64),
    /// Lists are of different ages, up to this one.
    ListsWaver(u64),
    /// Lists fall back by so much, and a resource wants the port that its proxy had before the present one.
    FallBack(usize, u64),
    /// A change is wanted whose connection takes long to open, whose request arrives late, whose answer is lost, and whose job
    /// is visible late.
    Latest(usize, u16),
    /// Writes of a status take so long.
    WritesTake(usize, u64),
    /// The definition lacks this field of the status, or none.
    Prune(Option<&'static str>),
    /// The record of the last job is deleted.
    Erase,
    /// New credentials in this Secret; the old ones are accepted for so long.
    Rotate(usize, u64),
    /// Something is wrong with this Secret for so long.
    Spoil(usize, Fault, u64),
    WriteFails(usize, WriteFault),
    /// So many calls are answered with this status code.
    Refuses(usize, u32, u16),
    Silent(usize, u64),
    Failing(usize, u64),
    WatchLag(usize, u64),
    WatchDown(usize, u64),
    Crash(usize),
    /// It is asked to end in good order, as in a rolling upgrade.
    Stop(usize),
    /// It dies at its n-th call from now on, before the call has its effect or after.
    CrashAt(usize, u32, bool),
    /// The machine's clock is set by so many seconds.
    Clock(usize, i64),
    /// People say something about the time of a resource's changes.
    Gate(usize, GateEdit),
    /// Another calendar.
    Calendar(CalendarEdit),
    /// People or strangers do something about what is published.
    Publishing(Act),
}

impl Schedule {
    /// The schedule of a seed, in which people also say when changes may start.
    pub fn gated(seed: u64) -> Self {
        let mut schedule = Self::of(seed);
        let random = SmallRng::seed_from_u64(seed.rotate_left(32) ^ 0x18);
        schedule.events = gate::interleave(random, schedule.resources.len(), schedule.events);
        schedule
    }

    /// The schedule of a seed, in which resources also publish where their proxies are.
    pub fn publishing(seed: u64) -> Self {
        let mut schedule = Self::of(seed);
        let random = SmallRng::seed_from_u64(seed.rotate_left(32) ^ 0x19);
        let (resources, operators) = (schedule.resources.len(), schedule.operators);
        schedule.events = publishing::interleave(random, resources, operators, schedule.events);
        schedule
    }

    /// Whether resources publish anything.
    pub(crate) fn publishes(&self) -> bool {
        let mut events = self.events.iter();
        events.any(|(_, event)| matches!(event, Event::Publishing(_)))
    }

    /// The schedule of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let mode = *[Mode::Changing, Mode::Hidden, Mode::Doubling, Mode::Hasty]
            .choose(&mut random)
            .unwrap();
        let count = random.random_range(1..=FIRST_RESOURCES);
        let secrets = *[1, 1, 2, 3].choose(&mut random).unwrap();
        let resources = (0..count).map(|number| {
            let proxy = if number == 0 {
                0
            } else {
                random.random_range(0..FIRST_PROXIES)
            };
            Plan {
                proxy,
                port: *PORTS.choose(&mut random).unwrap(),
                keys: random.random_range(0..secrets),
                spelling: *SPELLINGS.choose(&mut random).unwrap(),
            }
        });
        let resources: Vec<_> = resources.collect();
        let calls = [
            None,
            None,
            Some(60),
            Some(60),
            Some(20),
            Some(CallLimit::LEAST),
        ];
        let calls = *calls.choose(&mut random).unwrap();
        let call_limit = calls.map_or(CallLimit::unfelt(), |calls| CallLimit {
            calls,
            per: Duration::from_mins(1),
            is_even: false,
        });
        let operators = if random.random_bool(0.15) { 2 } else { 1 };
        let election = operators == 2 || random.random_bool(0.05);
        let slow_leases = random.random_bool(0.6);
        let head_start = if random.random_bool(0.5) {
            3_600_000
        } else {
            0
        };
        let events = Maker::new(random, resources.len(), secrets, operators).events();
        Self {
            mode,
            call_limit,
            resources,
            operators,
            election,
            slow_leases,
            head_start,
            events,
        }
    }
}
