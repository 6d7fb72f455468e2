//! The cloud of a fleet: the simulator, reached with the client that is shipped, over real connections.
//!
//! Jobs, pauses and the journal's times go by the clock of the runtime, as everything else does: it is a paused one where time is
//! virtual.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use taurus_port_operator::{
    clock::Clock,
    cloud::{
        authorities::Authorities,
        budget::CallLimit,
        connector::{Connector, Policy},
        egress::Egress,
        names::Names,
    },
    pace::Pace,
    place::endpoints::AllowList,
};
use taurus_sim::{
    Accounts, Effect, Entry, Fault, Fleet, JobPlan, Operation, Options, RetryAfter, Simulator,
    Stage, Throttling,
};
use tokio::time::Duration;

use crate::keys::OTHER_TOKEN;

/// How late each answer is.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// How many calls are under way at once, at most: as many as in the shipped operator.
const AT_ONCE: usize = 8;
/// What a process calls with. A signature would not do: its age is judged by the machine's clock, which is not virtual.
pub const TOKEN: &str = "a token of the fleet";

/// A request that has arrived at the cloud.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Since the beginning.
    pub at: Duration,
    /// What was called.
    pub operation: Operation,
    /// The number of the instance of a list, and of the proxy of a change.
    pub of: Option<usize>,
    /// The gateway did not let it through: there were too many.
    pub throttled: bool,
}

/// The simulator, and what was read of its journal.
pub struct Cloud {
    simulator: Simulator,
    began: Timestamp,
    calls: Mutex<Vec<Call>>,
    /// Hosts that take connections and never answer.
    silent: [TcpListener; SILENT],
}

/// How many hosts never answer.
pub const SILENT: usize = 3;

impl Cloud {
    /// So many instances with so many proxies on each, all with this port.
    pub async fn start(instances: usize, on_each: usize, port: u16) -> Self {
        let mut fleet = Fleet::new().project(&"0".repeat(32));
        for instance in 0..instances {
            fleet = fleet.instance(&Fleet::numbered_instance(instance));
            for proxy in instance * on_each..(instance + 1) * on_each {
                fleet = fleet.proxy(&Fleet::numbered_proxy(proxy), port);
            }
        }
        let options = Options {
            journal_limit: usize::MAX,
            faults: vec![Fault::everywhere(Effect::Latency(ROUND_TRIP))],
            ..Options::default()
                .fleet(fleet)
                .accounts(Accounts::none().token(TOKEN).token(OTHER_TOKEN))
                .job(JobPlan::lasting(Duration::from_secs(40)))
        };
        let simulator = Simulator::start(options).await.unwrap();
        Self {
            began: simulator.now(),
            simulator,
            calls: Mutex::default(),
            silent: std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap()),
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.simulator.url()
    }

    /// The address of a host that never answers.
    pub fn silent_url(&self, host: usize) -> String {
        format!("http://{}", self.silent[host].local_addr().unwrap())
    }

    /// Its time.
    pub fn now(&self) -> Timestamp {
        self.simulator.now()
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        since(self.began, self.now())
    }

    /// What a process calls it with.
    pub fn connector(&self, call_limit: CallLimit, pace: &Pace, clock: Clock) -> Connector {
        // An error means that the process has a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Policy {
            allow: AllowList::new(self.addresses(), true).without_regions(),
            call_timeout: pace.call_timeout,
            lock_out: pace.lock_out(),
            throttle_pause: pace.throttled,
            extra_authorities: Authorities::none(),
            egress: Egress::direct(),
            names: Names::of_the_system(),
            call_limit,
            calls_at_once: AT_ONCE,
            clock,
            observer: Arc::new(()),
        };
        Connector::new(policy).unwrap()
    }

    fn addresses(&self) -> Vec<String> {
        let silent = self.silent.iter().map(|host| host.local_addr().unwrap());
        let addresses = [self.simulator.address()].into_iter().chain(silent);
        addresses.map(|address| address.to_string()).collect()
    }

    /// From now on each answer is so late.
    pub fn answer_after(&self, latency: Duration) {
        self.simulator
            .inject(Fault::everywhere(Effect::Latency(latency)));
    }

    /// From now on changes take so long.
    pub fn let_jobs_take(&self, duration: Duration) {
        self.simulator.default_job(JobPlan::lasting(duration));
    }

    /// From now on changes take so long, and fail.
    pub fn let_jobs_fail(&self, duration: Duration) {
        let plan = JobPlan::failing("no disk");
        self.simulator.default_job(JobPlan { duration, ..plan });
    }

    /// Somebody else has so many things done on an instance, each within seconds.
    pub fn work_elsewhere(&self, instance: usize, tasks: usize) {
        let instance = Fleet::numbered_instance(instance);
        for _ in 0..tasks {
            let short = JobPlan::lasting(Duration::from_secs(5));
            let begun = self.simulator.start_job(&instance, "BackUp", short);
            begun.unwrap();
        }
    }

    /// From now on the list shows this status of a proxy.
    pub fn show_status(&self, proxy: usize, status: &str) {
        let proxy = Fleet::numbered_proxy(proxy);
        self.simulator.set_status(&proxy, status).unwrap();
    }

    /// From now on the list of an instance is refused.
    pub fn refuse(&self, instance: usize) {
        let refusal = Effect::Error {
            at: Stage::BeforeWork,
            status: Some(400),
            code: "DBS.299999".to_owned(),
            shape: None,
        };
        let instance = Fleet::numbered_instance(instance);
        self.simulator
            .inject(Fault::on(Operation::List, refusal).instance(&instance));
    }

    /// From now on whoever lists an instance is told to come again after this.
    pub fn put_off(&self, instance: usize, by: Duration) {
        let later = Effect::throttle(Some(RetryAfter::Seconds(by.as_secs())));
        let instance = Fleet::numbered_instance(instance);
        self.simulator
            .inject(Fault::on(Operation::List, later).instance(&instance));
    }

    /// From now on the gateway lets so many calls through in any minute; any number, if there is none.
    pub fn let_through(&self, calls_a_minute: Option<u32>) {
        self.simulator.configure(|behaviour| {
            behaviour.throttling = calls_a_minute.map(Throttling::of_accounts);
        });
    }

    /// All requests so far. What is read of the journal leaves it, since its entries are large.
    pub fn calls(&self) -> Vec<Call> {
        let mut calls = self.calls.lock().unwrap();
        let entries = self.simulator.journal();
        self.simulator.clear_journal();
        calls.extend(entries.iter().map(|entry| Call::new(entry, self.began)));
        calls.clone()
    }

    /// Forgets them.
    pub fn forget_calls(&self) {
        self.simulator.clear_journal();
        *self.calls.lock().unwrap() = Vec::new();
    }
}

impl Call {
    fn new(entry: &Entry, began: Timestamp) -> Self {
        let id = match entry.operation {
            Operation::List => &entry.instance,
            Operation::Change => &entry.proxy,
            _ => &None,
        };
        Self {
            at: since(began, entry.at),
            operation: entry.operation,
            throttled: entry.status() == Some(429),
            of: id
                .as_ref()
                .map(|id| usize::from_str_radix(&id[..32], 16).unwrap()),
        }
    }
}

fn since(began: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(began).unsigned_abs()
}
