//! What happens in a schedule, made from its seed.
//!
//! Promises to stay within the accepted risks: a job ends within `changeTimeout` and is visible within two minutes, a list
//! lags by less than that, a request arrives within half a minute or never, and a job's record is deleted only when its id
//! is in a status, which then stays.

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};
use taurus_port_operator::{
    cloud::{Meaning, ProxyStatus},
    crd::ManagementPolicy,
};

use crate::{
    server::WriteFault,
    sky::{Course, End, Fate, Mode, PROXIES},
};

/// The ports that are wanted and drifted to.
pub const PORTS: [u16; 4] = [3306, 3307, 3308, 3309];

const MEANINGS: [Meaning; 8] = [
    Meaning::Transient,
    Meaning::Throttled,
    Meaning::Malformed,
    Meaning::Denied,
    Meaning::Unauthenticated,
    Meaning::NotFound,
    Meaning::Blocked,
    Meaning::UnknownRefusal,
];

/// A schedule; times in milliseconds.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// What the cloud shows while a job is at work.
    pub(crate) mode: Mode,
    /// For each resource its proxy and the port that it wants at first.
    pub(crate) resources: Vec<(usize, u16)>,
    /// How many operators there are; two campaign for a lease, one may.
    pub(crate) operators: usize,
    pub(crate) election: bool,
    /// For how long the first operator has run.
    pub(crate) head_start: u64,
    /// What happens, each after a pause.
    pub(crate) events: Vec<(u64, Event)>,
}

/// Something that happens; resources, machines, instances and proxies by their numbers.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Want(usize, u16),
    EditTimeout(usize, u64),
    Policy(usize, ManagementPolicy),
    Suspend(usize, bool),
    Request(usize, u64),
    Touch(usize, u64),
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
    /// The record of the last job is deleted.
    Erase,
    WriteFails(usize, WriteFault),
    Silent(usize, u64),
    Failing(usize, u64),
    WatchLag(usize, u64),
    WatchDown(usize, u64),
    Crash(usize),
    /// It dies at its n-th call from now on, before the call has its effect or after.
    CrashAt(usize, u32, bool),
    /// The machine's clock is set by so many seconds.
    Clock(usize, i64),
}

struct Maker {
    random: SmallRng,
    resources: usize,
    operators: usize,
}

impl Schedule {
    /// The schedule of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let mode = *[Mode::Changing, Mode::Hidden, Mode::Doubling, Mode::Hasty]
            .choose(&mut random)
            .unwrap();
        let count = random.random_range(1..=3);
        let resources = (0..count).map(|number| {
            let proxy = if number == 0 {
                0
            } else {
                random.random_range(0..PROXIES.len())
            };
            (proxy, *PORTS.choose(&mut random).unwrap())
        });
        let resources: Vec<_> = resources.collect();
        let operators = if random.random_bool(0.3) { 2 } else { 1 };
        let election = operators == 2 || random.random_bool(0.1);
        let head_start = if random.random_bool(0.5) {
            3_600_000
        } else {
            0
        };
        let mut maker = Maker {
            resources: resources.len(),
            operators,
            random,
        };
        let many = maker.random.random_range(1..16);
        let events = (0..many).map(|_| (maker.pause(), maker.event())).collect();
        Self {
            mode,
            resources,
            operators,
            election,
            head_start,
            events,
        }
    }
}

impl Maker {
    fn below(&mut self, most: u64) -> u64 {
        self.random.random_range(0..most)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from.choose(&mut self.random).unwrap().clone()
    }

    /// Often short, so that things fall upon each other.
    fn pause(&mut self) -> u64 {
        match self.below(8) {
            0 | 1 => self.below(200),
            2..=4 => self.below(60_000),
            5 | 6 => 60_000 + self.below(340_000),
            // Who campaigns for a lease calls every second, and a long time would be spent on that alone.
            _ if self.operators == 2 => self.below(400_000),
            _ => 400_000 + self.below(3_600_000),
        }
    }

    fn resource(&mut self) -> usize {
        self.random.random_range(0..self.resources)
    }

    fn machine(&mut self) -> usize {
        self.random.random_range(0..self.operators)
    }

    fn event(&mut self) -> Event {
        match self.below(50) {
            0..=6 => Event::Want(self.resource(), self.pick(&PORTS)),
            7 => Event::EditTimeout(self.resource(), 30 + self.below(60)),
            8 => Event::Policy(
                self.resource(),
                self.pick(&[
                    ManagementPolicy::Enforce,
                    ManagementPolicy::ApplyOnChange,
                    ManagementPolicy::Observe,
                ]),
            ),
            9 => Event::Suspend(self.resource(), self.random.random_bool(0.5)),
            10 => Event::Request(self.resource(), self.below(1000)),
            11 => Event::Touch(self.resource(), self.below(1000)),
            12 => Event::Delete(self.resource()),
            13..=14 => Event::Recreate(self.resource(), self.random.random_bool(0.5)),
            15..=16 => Event::Drift(
                self.random.random_range(0..PROXIES.len()),
                self.pick(&PORTS),
            ),
            17..=20 => Event::NextFate(self.fate()),
            21..=23 => Event::NextCourse(self.course()),
            24 => Event::ReadsFail(self.below(3_000_000), self.pick(&MEANINGS)),
            25 => Event::TasksFail(self.below(3_000_000), self.pick(&MEANINGS)),
            26 => Event::Status(self.pick(&[
                None,
                Some(ProxyStatus::Changing("REBOOTING".to_owned())),
                Some(ProxyStatus::Unhealthy("ABNORMAL".to_owned())),
            ])),
            27 => Event::Gone(
                self.random.random_range(0..PROXIES.len()),
                self.below(1_500_000),
            ),
            28 => Event::Foreign(self.random.random_range(0..2), self.below(3_000_000)),
            29 => Event::ListLag(self.below(110_000)),
            30 => Event::ReadsTake(self.below(8_000)),
            31 => Event::Erase,
            32..=35 => Event::WriteFails(
                self.machine(),
                self.pick(&[
                    WriteFault::Lost,
                    WriteFault::AnswerLost,
                    WriteFault::Repeated,
                    WriteFault::Overtaken,
                ]),
            ),
            36 => Event::Silent(self.machine(), self.below(60_000)),
            37 => Event::Failing(self.machine(), self.below(120_000)),
            38 => Event::WatchLag(self.machine(), self.below(20_000)),
            39 => Event::WatchDown(self.machine(), self.below(300_000)),
            40..=41 => Event::Crash(self.machine()),
            42..=47 => {
                let call = self.random.random_range(1..12);
                Event::CrashAt(self.machine(), call, self.random.random_bool(0.5))
            }
            _ => {
                let seconds = self.random.random_range(-7200..7200);
                Event::Clock(self.machine(), self.pick(&[0, 3, -3, 30, seconds]))
            }
        }
    }

    fn fate(&mut self) -> Fate {
        match self.below(6) {
            0 | 1 => Fate::Served(self.below(29_000)),
            2 => {
                let meanings = [MEANINGS.as_slice(), &[Meaning::Busy, Meaning::Rejected]].concat();
                Fate::Refused(self.pick(&meanings))
            }
            3 => Fate::NotSent,
            4 => Fate::Lost(None),
            _ => Fate::Lost(Some(self.below(29_000))),
        }
    }

    fn course(&mut self) -> Course {
        Course {
            visible_after: self.below(119_000),
            takes: 1_000 + self.below(1_499_000),
            end: self.pick(&[End::Moves, End::Moves, End::Fails, End::Lies]),
        }
    }
}
