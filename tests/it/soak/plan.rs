//! What happens in a run and when, made from its seed.
//!
//! Promises to stay within the accepted risks at the soak's pace: a job ends within `changeTimeout` and is visible within two
//! minutes of the contract, lists lag by less than that, and no request lies on its way for longer than a call may take.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};
use taurus_port_operator::crd::ManagementPolicy;
use taurus_sim::{JobPlan, PortShows};

/// The ports that are wanted and drifted to.
pub const PORTS: [u16; 6] = [3306, 3307, 3308, 3309, 3310, 3311];

/// No job is shorter: an operator can't make a third change within the first one's time.
pub const SHORTEST_JOB: Duration = Duration::from_secs(1);

/// Nothing begins so shortly before the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Something that happens; resources, namespaces and replicas by their numbers.
#[derive(Debug, Clone)]
pub enum Event {
    Want(usize, u16),
    /// One after the other, a few milliseconds apart.
    ToAndFro(usize, Vec<u16>),
    Policy(usize, ManagementPolicy),
    Suspend(usize, bool),
    Request(usize),
    Recreate(usize, Recreation),
    Drift(usize, u16),
    TouchSecret(usize),
    RotateSecret(usize),
    /// The Secret of a resource's namespace is deleted, and made again after so long.
    LoseSecret(usize, Duration),
    /// So many resources without credentials come to another namespace at once, for the proxies from this one's on, give up what is at work
    /// there, and go after so long.
    Strangers(usize, usize, Duration),
    ExpireTokens,
    /// How jobs go from now on.
    Jobs(JobPlan),
    /// How the next job of a proxy goes.
    NextJob(usize, JobPlan),
    /// Somebody else's work on the instance of a proxy.
    Foreign(usize, Duration),
    Cloud(CloudTrouble, Duration),
    ApiServer(usize, ApiTrouble, Duration),
    Kill(Kill),
}

/// How a resource is deleted and made anew.
#[derive(Debug, Clone, Copy)]
pub struct Recreation {
    /// A job of the old one is at work.
    pub in_flight: bool,
    /// The new one comes with the status of the old one, as from a backup.
    pub with_status: bool,
    /// For how long there is none.
    pub absent: Duration,
}

/// What is wrong with the cloud for a while.
#[derive(Debug, Clone, Copy)]
pub enum CloudTrouble {
    /// A bit of everything for all calls, in this share of what the simulator's own profile has.
    Chaos(u64, f64),
    Throttled,
    /// Every call gets a page in HTML with status 503.
    Down,
    /// No call is answered.
    Silent,
    /// Answers to changes are lost after the work.
    AnswersLost,
    /// Changes are lost before it.
    RequestsLost,
    /// Lists tell what was true so many milliseconds ago.
    Lag(u64),
    /// The proxy isn't there.
    Gone(usize),
    /// The proxy has a status in which nothing can be changed.
    Unhealthy(usize),
}

/// What is wrong between one replica and the API server for a while.
#[derive(Debug, Clone, Copy)]
pub enum ApiTrouble {
    /// This status for so many calls of any kind.
    Refused(u16, usize),
    /// So many writes of status meet another one.
    Conflicts(usize),
    /// So many writes of status are made, and their answers lost.
    AnswersLost(usize),
    /// All connections end.
    Cut,
    /// Nobody listens.
    Away,
    /// The watch says nothing any more.
    SilentWatch,
    /// The watch comes late.
    SlowWatch,
    /// The watch is told that its position is too old.
    Expired,
    /// Answers to writes of status come so many milliseconds late.
    SlowWrites(u64),
}

/// How a process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// The leader, without a word.
    Leader,
    /// The leader is asked to end.
    Terminate,
    /// The leader stands still for so many seconds, then goes on.
    Freeze(u64),
    /// The one that waits, without a word.
    Standby,
}

/// What happens, each at its time since the beginning.
pub fn of(seed: u64, length: Duration, resources: usize) -> Vec<(Duration, Event)> {
    let mut maker = Maker {
        random: SmallRng::seed_from_u64(seed),
        resources,
        kills: 0,
    };
    let mut plan = Vec::new();
    let often = |seconds: u64| Duration::from_secs(seconds).min(length / 3);
    let lines: [(Duration, Make); 4] = [
        (Duration::from_millis(500), Maker::people),
        (often(4), Maker::cloud),
        (often(20), Maker::api_server),
        (often(110), Maker::kill),
    ];
    for (mean, make) in lines {
        let mut at = Duration::ZERO;
        loop {
            at += mean.mul_f64(maker.random.random_range(0.2..1.8));
            if at + LAST_WORDS > length {
                break;
            }
            plan.push((at, make(&mut maker)));
        }
    }
    plan.sort_by_key(|(at, _)| *at);
    plan
}

/// Makes an event of its kind.
type Make = fn(&mut Maker) -> Event;

struct Maker {
    random: SmallRng,
    resources: usize,
    kills: usize,
}

impl Maker {
    fn resource(&mut self) -> usize {
        self.random.random_range(0..self.resources)
    }

    fn port(&mut self) -> u16 {
        self.pick(&PORTS)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from.choose(&mut self.random).unwrap().clone()
    }

    fn milliseconds(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(range))
    }

    fn people(&mut self) -> Event {
        let resource = self.resource();
        match self.random.random_range(0..42) {
            0..=13 => Event::Want(resource, self.port()),
            14..=17 => {
                let count = self.random.random_range(2..6);
                Event::ToAndFro(resource, (0..count).map(|_| self.port()).collect())
            }
            18..=20 => {
                use ManagementPolicy::{ApplyOnChange, Enforce, Observe};
                let policy = self.pick(&[Enforce, Enforce, Enforce, ApplyOnChange, Observe]);
                Event::Policy(resource, policy)
            }
            21..=23 => Event::Suspend(resource, self.random.random_bool(0.4)),
            24 => Event::Request(resource),
            25..=28 => Event::Recreate(
                resource,
                Recreation {
                    in_flight: self.random.random_bool(0.5),
                    with_status: self.random.random_bool(0.5),
                    absent: self.milliseconds(0..3_000),
                },
            ),
            29..=35 => Event::Drift(resource, self.port()),
            36 | 37 => Event::TouchSecret(resource),
            38 => Event::RotateSecret(resource),
            39 => Event::LoseSecret(resource, self.milliseconds(500..6_000)),
            40 => {
                let count = self.random.random_range(1..20);
                Event::Strangers(resource, count, self.milliseconds(1_000..30_000))
            }
            _ => Event::ExpireTokens,
        }
    }

    fn cloud(&mut self) -> Event {
        let resource = self.resource();
        let long = self.milliseconds(2_000..20_000);
        let short = self.milliseconds(500..6_000);
        match self.random.random_range(0..24) {
            0..=3 => {
                let share = self.random.random_range(0.2..1.0);
                Event::Cloud(CloudTrouble::Chaos(self.random.random(), share), long)
            }
            4..=7 => Event::Jobs(self.job()),
            8..=11 => Event::NextJob(resource, self.job()),
            12 => Event::NextJob(resource, self.job().port_shows(PortShows::Never)),
            13 | 14 => {
                let failing = JobPlan::failing("no room").outcome;
                let outcome = self.pick(&[failing, taurus_sim::JobOutcome::Canceled]);
                Event::NextJob(
                    resource,
                    JobPlan {
                        outcome,
                        ..self.job()
                    },
                )
            }
            15 => Event::Foreign(resource, long),
            16 => Event::Cloud(CloudTrouble::Throttled, short),
            17 => Event::Cloud(CloudTrouble::Down, long),
            18 => Event::Cloud(CloudTrouble::Silent, short),
            19 => Event::Cloud(CloudTrouble::AnswersLost, short),
            20 => Event::Cloud(CloudTrouble::RequestsLost, short),
            21 => Event::Cloud(CloudTrouble::Lag(self.random.random_range(0..900)), long),
            22 => Event::Cloud(CloudTrouble::Gone(resource), short),
            _ => Event::Cloud(CloudTrouble::Unhealthy(resource), short),
        }
    }

    fn job(&mut self) -> JobPlan {
        let shortest = u64::try_from(SHORTEST_JOB.as_millis()).unwrap();
        let lasting = self.milliseconds(shortest..15_000);
        let lag = PortShows::After(self.milliseconds(0..900));
        let early = PortShows::Before(self.milliseconds(0..shortest));
        JobPlan::lasting(lasting)
            .visible_after(self.milliseconds(0..900))
            .port_shows(self.pick(&[PortShows::AtEnd, PortShows::AtEnd, lag, early]))
    }

    fn api_server(&mut self) -> Event {
        let replica = self.random.random_range(0..2);
        let count = self.random.random_range(1..8);
        let status = self.pick(&[429, 500, 503, 504]);
        let late = self.random.random_range(50..500);
        let trouble = self.pick(&[
            ApiTrouble::Refused(status, count),
            ApiTrouble::Refused(status, count),
            ApiTrouble::Conflicts(count),
            ApiTrouble::AnswersLost(count),
            ApiTrouble::Cut,
            ApiTrouble::Away,
            ApiTrouble::SilentWatch,
            ApiTrouble::SlowWatch,
            ApiTrouble::Expired,
            ApiTrouble::SlowWrites(late),
            ApiTrouble::SlowWrites(late),
        ]);
        Event::ApiServer(replica, trouble, self.milliseconds(1_000..30_000))
    }

    /// Each kind in turn, so that a short run has the gravest first.
    fn kill(&mut self) -> Event {
        let longer_than_a_term = self.random.random_range(17..25);
        let kinds = [
            Kill::Leader,
            Kill::Terminate,
            Kill::Freeze(longer_than_a_term),
            Kill::Standby,
        ];
        self.kills += 1;
        Event::Kill(kinds[(self.kills - 1) % kinds.len()])
    }
}

#[test]
fn a_seed_is_one_plan_and_another_seed_another() {
    let hour = Duration::from_hours(1);
    let told = |seed| format!("{:?}", of(seed, hour, 200));
    assert_eq!(told(1), told(1));
    assert_ne!(told(1), told(2));
}
