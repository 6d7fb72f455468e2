//! Which events there are in a schedule, and how often.

use rand::{RngExt as _, rngs::SmallRng, seq::IndexedRandom as _};
use taurus_port_operator::{
    cloud::{Meaning, ProxyStatus},
    crd::ManagementPolicy,
};

use super::{Event, PORTS, Plan, SPELLINGS, pruned::PRUNED};
use crate::{
    keys::Fault,
    server::WriteFault,
    sky::{Course, End, Fate, PROXIES},
};

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

/// Makes the events of a schedule.
pub(super) struct Maker {
    random: SmallRng,
    resources: usize,
    secrets: usize,
    operators: usize,
    /// Whether a job may still get stuck: one annotation names one job.
    sticks: bool,
}

impl Maker {
    /// For so many resources at the beginning, Secrets and operators.
    pub(super) fn new(
        random: SmallRng,
        resources: usize,
        secrets: usize,
        operators: usize,
    ) -> Self {
        Self {
            random,
            resources,
            secrets,
            operators,
            sticks: true,
        }
    }

    /// Some events, each after a pause.
    pub(super) fn events(mut self) -> Vec<(u64, Event)> {
        let many = self.random.random_range(1..16);
        (0..many).map(|_| (self.pause(), self.event())).collect()
    }

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

    /// One more resource.
    fn newcomer(&mut self) -> Event {
        let proxy = self.random.random_range(0..PROXIES.len());
        self.resources += 1;
        Event::Newcomer(Plan {
            // Often one that nobody else has.
            proxy: self.pick(&[proxy, PROXIES.len() - 1, PROXIES.len() - 2]),
            port: self.pick(&PORTS),
            keys: self.secret(),
            spelling: self.pick(&SPELLINGS),
        })
    }

    fn secret(&mut self) -> usize {
        self.random.random_range(0..self.secrets)
    }

    fn machine(&mut self) -> usize {
        self.random.random_range(0..self.operators)
    }

    fn event(&mut self) -> Event {
        match self.below(87) {
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
            60 => Event::OpeningTakes(self.pick(&[0, 1_000, 29_900])),
            61 => Event::OpeningTakes(self.below(29_900)),
            62 => Event::HoldUp(self.below(120_000)),
            63 => Event::ListsWaver(self.pick(&[0, 60_000, 110_000])),
            64..=66 => Event::Latest(self.resource(), self.pick(&PORTS)),
            67 => {
                let long = self.pick(&[0, 2_000, 4_500, 6_000]);
                Event::WritesTake(self.machine(), long)
            }
            68 => Event::Prune(Some(self.pick(&PRUNED))),
            69 => Event::Prune(None),
            30 => Event::ReadsTake(self.below(8_000)),
            31 => Event::Erase,
            32..=35 => {
                let late = WriteFault::Late(self.below(90_000));
                let faults = [
                    WriteFault::Lost,
                    WriteFault::AnswerLost,
                    WriteFault::Repeated,
                    WriteFault::Overtaken,
                    late,
                ];
                Event::WriteFails(self.machine(), self.pick(&faults))
            }
            36 => Event::Silent(self.machine(), self.below(60_000)),
            37 => Event::Failing(self.machine(), self.below(120_000)),
            38 => Event::WatchLag(self.machine(), self.below(20_000)),
            39 => Event::WatchDown(self.machine(), self.below(300_000)),
            40..=41 => Event::Crash(self.machine()),
            42..=47 => {
                let call = self.random.random_range(1..12);
                Event::CrashAt(self.machine(), call, self.random.random_bool(0.5))
            }
            48..=49 => {
                let seconds = self.random.random_range(-7200..7200);
                let far = 6 * 3600;
                Event::Clock(self.machine(), self.pick(&[0, 3, -3, 30, seconds, far, 0]))
            }
            50 => Event::Rotate(self.secret(), self.pick(&[0, 60_000, 600_000])),
            51..=52 => {
                let faults = [Fault::Gone, Fault::Incomplete, Fault::Unknown];
                Event::Spoil(self.secret(), self.pick(&faults), self.below(1_200_000))
            }
            53..=54 => Event::Abandon(self.resource(), self.random.random_bool(0.7)),
            55 => Event::WriteFails(self.machine(), WriteFault::Late(self.below(90_000))),
            56..=57 => {
                let calls = self.random.random_range(1..40);
                Event::Refuses(self.machine(), calls, self.pick(&[429, 503]))
            }
            58..=59 => Event::NextCourse(self.stuck_course()),
            70..=71 => Event::Stranger(self.random.random_range(0..PROXIES.len())),
            72..=74 => Event::Stop(self.machine()),
            77..=82 => self.newcomer(),
            84..=85 => Event::FallBack(self.resource(), 60_000 + self.below(50_000)),
            83 => Event::Credentials(self.resource(), self.secret()),
            _ => Event::Recreate(self.resource(), false),
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
            sticks: false,
        }
    }

    fn stuck_course(&mut self) -> Course {
        Course {
            end: self.pick(&[End::Moves, End::Lies]),
            sticks: std::mem::take(&mut self.sticks),
            ..self.course()
        }
    }
}
