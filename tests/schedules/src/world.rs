//! What exists beside the processes: the resources, the cloud, and the book of what was done and what was broken.

use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use rand::rngs::SmallRng;
use taurus_port_operator::{
    calendar::store::Store, cloud::budget::CallLimit, telemetry::metrics::Metrics,
};
use tokio::time::{Duration, Instant};

use crate::{
    checks::Book,
    cluster::Cluster,
    flaw::Flaw,
    keys::{self, Keys},
    life::{Life, MOST_CALLS},
    server::Trouble,
    sky::Sky,
    stock::Stock,
};

/// What all clocks show at the beginning.
pub const DAWN: i64 = 1_800_000_000;

/// All of it, behind one lock that is never held over a wait.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

pub struct World {
    start: Instant,
    pub random: SmallRng,
    pub flaw: Option<Flaw>,
    pub cluster: Cluster,
    pub sky: Sky,
    pub keys: [Keys; keys::NAMES.len()],
    pub book: Book,
    pub calls: u64,
    /// How many calls of the cloud a process may make with one credential.
    pub call_limit: CallLimit,
    /// Who makes more never comes to rest.
    pub most_calls: u64,
    /// The process that runs on each machine.
    pub lives: [Option<Arc<Life>>; 2],
    /// Between each machine and the API server.
    pub trouble: [Trouble; 2],
    /// Whether operators campaign for a lease.
    pub election: bool,
    /// Whether the API server takes its time with calls for the lease.
    pub slow_leases: bool,
    /// Until when reads of Secrets fail, in milliseconds.
    pub secrets_fail_until: u64,
    /// The machine that nothing is started on any more.
    pub retired: Option<usize>,
    /// The field of the status that the definition lacks, and since when, in milliseconds.
    pub pruning: Option<(&'static str, u64)>,
    /// When the last process began to lead, in milliseconds.
    pub led_since: Option<u64>,
    /// The calendar of all operators.
    pub calendar: Arc<Store>,
    /// By how many seconds the clock of each machine is ahead.
    pub ahead: [i64; 2],
    /// Whether people say when changes may start, and approve them.
    pub gated: bool,
    /// Whether resources publish anything.
    pub publishing: bool,
    /// What is published.
    pub stock: Stock,
    /// The figures of the newest process, where somebody wants to know.
    pub metrics: Option<Arc<Metrics>>,
    /// What was broken.
    pub breaches: Vec<String>,
    /// What happened, where somebody wants to know.
    pub trace: Option<Vec<String>>,
}

impl Shared {
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// Locks the world, with the cloud brought up to now.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        let mut world = self.0.lock().unwrap();
        let now = world.now();
        world.sky.advance(now);
        world
    }
}

impl World {
    pub fn new(
        random: SmallRng,
        flaw: Option<Flaw>,
        sky: Sky,
        election: bool,
        traced: bool,
    ) -> Self {
        Self {
            start: Instant::now(),
            random,
            flaw,
            cluster: Cluster::new(flaw),
            sky,
            keys: std::array::from_fn(Keys::numbered),
            book: Book::default(),
            calls: 0,
            call_limit: CallLimit::unfelt(),
            most_calls: MOST_CALLS,
            lives: [None, None],
            trouble: <[Trouble; 2]>::default(),
            election,
            slow_leases: false,
            secrets_fail_until: 0,
            retired: None,
            pruning: None,
            led_since: None,
            calendar: Arc::default(),
            ahead: [0; 2],
            gated: false,
            publishing: false,
            stock: Stock::default(),
            metrics: None,
            breaches: Vec::new(),
            trace: traced.then(Vec::new),
        }
    }

    /// Milliseconds since the beginning.
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the cloud accepts this access key.
    pub fn accepts(&self, access_key: &str) -> bool {
        let now = self.now();
        self.keys.iter().any(|keys| keys.accepts(access_key, now))
    }

    /// A process begins, and its figures with it.
    pub fn begin_figures(&mut self) -> Option<Arc<Metrics>> {
        let metrics = self.metrics.is_some().then(Arc::<Metrics>::default);
        self.metrics.clone_from(&metrics);
        metrics
    }

    /// Notes that a promise was broken.
    pub fn broken(&mut self, what: String) {
        self.say(|| format!("BROKEN: {what}"));
        self.breaches.push(what);
    }

    /// Notes what happens, if somebody listens.
    pub fn say(&mut self, what: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(trace) = &mut self.trace {
            let (seconds, rest) = (now / 1000, now % 1000);
            trace.push(format!("{seconds:>7}.{rest:03}  {}", what()));
        }
    }
}

/// The true time.
pub fn wall(milliseconds: u64) -> Timestamp {
    Timestamp::from_second(DAWN)
        .unwrap()
        .checked_add(Duration::from_millis(milliseconds))
        .unwrap()
}
