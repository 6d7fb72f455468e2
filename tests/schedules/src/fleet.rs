//! A large fleet under a budget of calls: the operator from its watch to the simulator of the cloud, over thousands of proxies,
//! in virtual time.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use k8s_openapi::jiff::Timestamp;
use rand::{SeedableRng as _, rngs::SmallRng};
use taurus_port_operator::{
    chance::Chance,
    clock::{Clock, Shift},
    cloud::budget::CallLimit,
    controller::{
        context::Settings,
        meter::{Ending, Meter},
    },
    crd::TaurusProxyPort,
    leader::Leadership,
    pace::Pace,
    permits::{Permits, limits::Limits},
    publish::networks::Networks,
};
use tokio::time::Duration;

use self::{cloud::Cloud, flawed::Flawed};
use crate::{
    flaw::{self, Flaw},
    greeter::Greeter,
    life::Life,
    machine::{RESYNC, control},
    server,
    sky::{Mode, Sky},
    world::{Shared, World},
};

mod cloud;
mod flawed;
mod measure;
mod people;

pub use cloud::{Call, SILENT};
pub use people::Tenant;

/// The fleet.
pub struct Fleet {
    shared: Shared,
    cloud: Cloud,
    process: Option<Arc<Life>>,
    processes: usize,
    shift: &'static Shift,
    witness: Arc<Witness>,
}

/// Sees who hands out permits, and what the reconciler catches.
#[derive(Default)]
struct Witness {
    permits: Mutex<Option<Permits>>,
    panics: AtomicUsize,
    edits: Mutex<Vec<(bool, Duration)>>,
}

impl Meter for Witness {
    fn reconciled(&self, ending: Ending, _: Duration) {
        let panicked = ending == Ending::Panicked;
        self.panics.fetch_add(panicked.into(), Ordering::SeqCst);
    }

    fn edit_sent(&self, was_held: bool, took: Duration) {
        self.edits.lock().unwrap().push((was_held, took));
    }

    fn permits(&self, permits: &Permits) {
        *self.permits.lock().unwrap() = Some(permits.clone());
    }
}

/// What a process is started with.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How many calls it may make.
    pub calls: CallLimit,
    /// How many changes it may make.
    pub changes: Limits,
    /// For how long it pretends to have run.
    pub head_start: Duration,
    /// How many reconciles run at once.
    pub concurrency: u16,
    /// So many times faster than as shipped; for who has no virtual time.
    pub faster: u32,
    /// A fault that is put back.
    pub flaw: Option<Flaw>,
}

impl Fleet {
    /// So many instances with so many proxies on each, all with the port that is wanted.
    pub async fn new(instances: usize, on_each: usize, port: u16) -> Self {
        let fleet = Self::without_resources(instances, on_each, port).await;
        for number in 0..instances * on_each {
            fleet.make_on(number, number / on_each, port, Tenant::One);
        }
        fleet
    }

    /// The same without resources.
    pub async fn without_resources(instances: usize, on_each: usize, port: u16) -> Self {
        let cloud = Cloud::start(instances, on_each, port).await;
        let sky = Sky::new(Mode::Hidden, port);
        let random = SmallRng::seed_from_u64(7);
        let mut world = World::new(random, None, sky, false, false);
        world.most_calls = u64::MAX;
        world.keys[0].hold_a_token(cloud::TOKEN);
        Self {
            shared: Shared::new(world),
            cloud,
            process: None,
            processes: 0,
            shift: Shift::forever(),
            witness: Arc::default(),
        }
    }

    /// Starts a process; the one before is killed.
    pub fn start(&mut self, terms: Terms) {
        self.stop();
        self.processes += 1;
        let life = Life::new(0, format!("process-{}", self.processes));
        self.process = Some(Arc::clone(&life));
        let clock = Clock::with_head_start(terms.head_start)
            .from_dawn(self.cloud.now())
            .shifted(self.shift);
        let client = server::client(self.shared.clone(), Arc::clone(&life));
        let pace = flaw::pace(terms.flaw, Pace::divided_by(terms.faster));
        self.shared.lock().cluster.flaw = terms.flaw;
        let connect = Arc::new(self.cloud.connector(terms.calls, &pace, clock));
        let calendar = Arc::clone(&self.shared.lock().calendar);
        let settings = Settings {
            clock,
            chance: Chance::seeded(self.processes as u64),
            resync: RESYNC / terms.faster,
            connect: match terms.flaw {
                Some(flaw) => Arc::new(Flawed { connect, flaw }),
                None => connect,
            },
            pace,
            defaults: None,
            calendar,
            probe: Arc::new(Greeter(self.shared.clone())),
            networks: Networks::any(),
            meter: Arc::clone(&self.witness) as _,
            limits: terms.changes,
            leadership: Arc::new(Leadership::alone()),
            work: Arc::default(),
        };
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let ended = Arc::clone(&life);
            let concurrency = terms.concurrency;
            let never = std::future::pending();
            tokio::select! {
                _ = control(&shared, &life, client, settings, concurrency, never) => {}
                () = ended.ended() => {}
            }
        });
    }

    /// Kills the process, if there is one.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.end();
        }
    }

    /// The machine's clock is ahead of the cloud's by so much.
    pub fn clock_is_ahead(&self, by: Duration) {
        let seconds = i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
        self.shift.set_wall(seconds);
    }

    /// From now on each answer of the cloud is so late.
    pub fn answer_after(&self, latency: Duration) {
        self.cloud.answer_after(latency);
    }

    /// Somebody makes another resource for the same proxy, with its address spelt in another way.
    pub fn make_twin(&self, of: usize, number: usize, port: u16) {
        let mut world = self.shared.lock();
        let now = world.now();
        let mut twin = world.cluster.get(&name(of)).unwrap().clone();
        twin.metadata.name = Some(name(number));
        twin.status = None;
        twin.spec.port = port.into();
        twin.spec.endpoint = Some(self.cloud.url().replace("127.0.0.1", "127.1") + "/");
        world.cluster.create(twin, now);
    }

    /// From now on changes take so long, and fail.
    pub fn let_jobs_fail(&self, duration: Duration) {
        self.cloud.let_jobs_fail(duration);
    }

    /// From now on the API server writes the ends of changes, and its answers get lost.
    pub fn lose_answers_to_ends(&self) {
        self.shared.lock().trouble[0].loses_ends = true;
    }

    /// From now on changes take so long.
    pub fn let_jobs_take(&self, duration: Duration) {
        self.cloud.let_jobs_take(duration);
    }

    /// Somebody else has so many things done on an instance, each within seconds.
    pub fn work_elsewhere(&self, instance: usize, tasks: usize) {
        self.cloud.work_elsewhere(instance, tasks);
    }

    /// From now on the gateway lets so many calls through in any minute; any number, if there is none.
    pub fn let_through(&self, calls_a_minute: Option<u32>) {
        self.cloud.let_through(calls_a_minute);
    }

    /// From now on whoever lists an instance is told to come again after this.
    pub fn put_off(&self, instance: usize, by: Duration) {
        self.cloud.put_off(instance, by);
    }

    /// From now on the cloud shows this status of a proxy.
    pub fn show_status(&self, proxy: usize, status: &str) {
        self.cloud.show_status(proxy, status);
    }

    /// From now on the list of an instance is refused.
    pub fn refuse(&self, instance: usize) {
        self.cloud.refuse(instance);
    }

    /// Whether no change is under way, and nobody holds an instance.
    pub fn is_idle(&self) -> bool {
        let permits = self.witness.permits.lock().unwrap();
        let permits = permits.as_ref();
        permits.is_some_and(|permits| permits.is_idle() && permits.figures().under_way == 0)
    }

    /// How many reconciles have panicked.
    pub fn panics(&self) -> usize {
        self.witness.panics.load(Ordering::SeqCst)
    }

    /// Of each edit whose request has left, as the operator counts it: whether it was held up, and how long it took.
    pub fn edits_sent(&self) -> Vec<(bool, Duration)> {
        self.witness.edits.lock().unwrap().clone()
    }

    /// How many resources are Ready with the port that is wanted.
    pub fn ready(&self) -> usize {
        let world = self.shared.lock();
        world
            .cluster
            .all()
            .filter(|object| is_ready(object))
            .count()
    }

    /// What is said of a resource.
    pub fn said(&self, number: usize) -> String {
        let world = self.shared.lock();
        let object = world.cluster.get(&name(number));
        format!("{:#?}", object.map(|object| &object.status))
    }

    /// The versions of all resources, in the order of their names.
    pub fn versions(&self) -> Vec<String> {
        let world = self.shared.lock();
        let versions = world.cluster.all().map(kube::ResourceExt::resource_version);
        versions.map(Option::unwrap_or_default).collect()
    }

    /// How many requests the API server has had.
    pub fn requests(&self) -> u64 {
        self.shared.lock().calls
    }

    /// How often somebody has connected to a proxy at this port.
    pub fn probes(&self, port: u16) -> usize {
        let world = self.shared.lock();
        let probes = world.sky.listening.probes.iter();
        probes.filter(|(_, at)| *at == port).count()
    }

    /// From now on somebody greets at this port.
    pub fn greet_at(&self, port: u16) {
        self.shared.lock().sky.listening.strangers.push(port);
    }

    /// The calls of the cloud so far.
    pub fn calls(&self) -> Vec<Call> {
        self.cloud.calls()
    }

    /// Forgets the calls of the cloud so far.
    pub fn forget_calls(&self) {
        self.cloud.forget_calls();
    }

    /// What clocks show.
    pub fn wall(&self) -> Timestamp {
        self.cloud.now()
    }

    /// Since the beginning.
    pub fn now(&self) -> Duration {
        self.cloud.elapsed()
    }
}

fn is_ready(object: &TaurusProxyPort) -> bool {
    let status = object.status.as_ref();
    status.is_some_and(|status| {
        let ready = status
            .conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        ready && status.observed_generation == object.metadata.generation
    })
}

fn name(number: usize) -> String {
    format!("proxy-{number:06}")
}
