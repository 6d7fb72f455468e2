//! The operator in this process, on threads of its own, so that it can be ended as a crash ends it.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use kube::{Config, client::ClientBuilder};
use rustls::pki_types::CertificateDer;
use taurus_port_operator::{
    calendar::store::Store,
    chance::Chance,
    clock::{Clock, Shift},
    cloud::{
        authorities::Authorities,
        budget::CallLimit,
        connector::{Connector, GroupsPolicy, Policy},
        defaults::Defaults,
        egress::Egress,
        names::Names,
    },
    controller::{self, Scope, context::Settings, meter::Meter},
    leader::Leadership,
    pace::Pace,
    permits::limits::Limits,
    place::endpoints::AllowList,
    probe::{Probe, tcp::Tcp},
    publish::networks::Networks,
};
use tokio::sync::oneshot;

use super::{DIVISOR, PATIENCE, gate::Gate};

/// How an operator is started.
pub struct Setup {
    /// By how much all durations are divided.
    pub divisor: u32,
    /// For how long the process pretends to have run.
    pub head_start: Duration,
    /// What lies between it and the API server.
    pub gate: Gate,
    /// How often a settled resource is looked at.
    pub resync: Duration,
    /// How many changes there may be over all resources.
    pub limits: Limits,
    /// Whether it looks after all namespaces.
    pub everywhere: bool,
    /// Who counts.
    pub meter: Arc<dyn Meter>,
    /// How long a call may take; that of the stories' pace where there is none.
    pub call_timeout: Option<Duration>,
    /// How many calls it may make with one credential.
    pub call_limit: CallLimit,
    /// Hosts that it may call beside the simulator's.
    pub hosts: Vec<String>,
    /// How it looks up the names of hosts.
    pub names: Names,
    /// Certificate authorities that it believes.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Its own credentials.
    pub defaults: Option<Defaults>,
    /// Its own calendar.
    pub calendar: Arc<Store>,
    /// Whether it reads security groups, at the simulator.
    pub checks_groups: bool,
    /// How it connects to proxies.
    pub probe: Arc<dyn Probe>,
    /// By how much its clocks are off.
    pub shift: Option<&'static Shift>,
    /// Where it finds the API server; where that is, without this.
    pub api_server: Option<String>,
    /// Whether it may act.
    pub leadership: Arc<Leadership>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            divisor: DIVISOR,
            head_start: Duration::from_hours(1),
            gate: Gate::default(),
            resync: Duration::from_mins(10) / DIVISOR,
            // No story meets these that is about something else.
            limits: Limits {
                concurrent: 1000,
                hourly: 10_000,
                ..Limits::default()
            },
            everywhere: false,
            meter: Arc::new(()),
            call_timeout: None,
            call_limit: CallLimit::unfelt(),
            hosts: Vec::new(),
            names: Names::of_the_system(),
            authorities: Vec::new(),
            defaults: None,
            calendar: Arc::default(),
            checks_groups: false,
            probe: Arc::new(Tcp::default()),
            shift: None,
            api_server: None,
            leadership: Arc::new(Leadership::alone()),
        }
    }
}

/// A running operator.
pub struct Operator {
    thread: JoinHandle<()>,
    stop: oneshot::Sender<Stop>,
}

enum Stop {
    Gracefully,
    Crash,
}

impl Operator {
    /// Starts one for a namespace, and waits until it has read all resources.
    pub async fn start(mut config: Config, namespace: &str, cloud: &str, setup: Setup) -> Self {
        if let Some(url) = &setup.api_server {
            config.cluster_url = url.parse().unwrap();
        }
        let host = cloud.trim_start_matches("http://");
        let by_name = host.replace("127.0.0.1", "localhost");
        let hosts = [host.to_owned(), by_name]
            .into_iter()
            .chain(setup.hosts.clone());
        let hosts: Vec<String> = hosts.collect();
        let namespace = namespace.to_owned();
        let (stop, stopped) = oneshot::channel();
        let (synced, ready) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let builder = ClientBuilder::try_from(config).unwrap();
                let client = builder.with_layer(&setup.gate).build();
                let scope = Scope {
                    namespace: (!setup.everywhere).then_some(namespace),
                    concurrency: 16,
                    heartbeat: Arc::default(),
                };
                let settings = settings(hosts, &setup);
                let (drain, draining) = oneshot::channel::<()>();
                let running = controller::run(
                    client,
                    scope,
                    settings,
                    move || synced.send(()).unwrap_or_default(),
                    async { drop(draining.await) },
                );
                tokio::pin!(running);
                tokio::select! {
                    _ = &mut running => {}
                    how = stopped => {
                        // A sender that was dropped belongs to a story that failed: nothing is left to finish.
                        if let Ok(Stop::Gracefully) = how {
                            drop(drain);
                            running.await;
                        }
                    }
                }
            });
            // Tasks that are left end where they stand.
            runtime.shutdown_background();
        });
        tokio::time::timeout(PATIENCE, ready)
            .await
            .unwrap()
            .unwrap();
        Self { thread, stop }
    }

    /// Ends it between any two steps.
    pub fn kill(self) {
        self.stop.send(Stop::Crash).ok();
        self.thread.join().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(self) {
        self.stop.send(Stop::Gracefully).ok();
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join().unwrap());
        tokio::time::timeout(PATIENCE, joined)
            .await
            .unwrap()
            .unwrap();
    }
}

fn settings(hosts: Vec<String>, setup: &Setup) -> Settings {
    let mut clock = Clock::with_head_start(setup.head_start);
    if let Some(shift) = setup.shift {
        clock = clock.shifted(shift);
    }
    let mut pace = Pace::divided_by(setup.divisor);
    pace.call_timeout = setup.call_timeout.unwrap_or(pace.call_timeout);
    // Stories wait for the end of the pause: it is a little longer than a key is locked, and shorter than for users.
    pace.refusal_pause = pace.of_user(Duration::from_mins(6));
    let groups = setup.checks_groups.then(|| GroupsPolicy {
        vpc_endpoint: hosts.first().map(|host| format!("http://{host}")),
    });
    let policy = Policy {
        allow: AllowList::new(hosts, true),
        call_timeout: pace.call_timeout,
        lock_out: pace.lock_out(),
        throttle_pause: pace.throttled,
        extra_authorities: Authorities::of(setup.authorities.clone()),
        egress: Egress::direct(),
        names: setup.names.clone(),
        call_limit: setup.call_limit,
        calls_at_once: 8,
        clock,
        observer: Arc::new(()),
    };
    Settings {
        clock,
        chance: Chance::default(),
        resync: setup.resync,
        pace,
        limits: setup.limits,
        connect: Arc::new(Connector::new(policy).unwrap().reading_groups(groups)),
        defaults: setup.defaults.clone(),
        calendar: Arc::clone(&setup.calendar),
        probe: Arc::clone(&setup.probe),
        networks: Networks::any(),
        meter: Arc::clone(&setup.meter),
        leadership: Arc::clone(&setup.leadership),
        work: Arc::default(),
    }
}
