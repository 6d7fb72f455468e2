//! Wiring: from checked settings to the parts that run, and to an orderly end.

use std::{future::pending, io, sync::Arc, time::Duration};

use futures::FutureExt as _;
use tokio::{runtime, select, sync::oneshot};

use crate::{
    admin::{Admin, AdminError, Bound},
    calendar::store::Store,
    chance::Chance,
    cli::RunArguments,
    clock::Clock,
    cloud::{
        budget::CallLimit,
        connector::{Connector, ConnectorError, Policy},
        names::Names,
    },
    config::{Config, ConfigError, Election},
    controller::{self, Scope, context::Settings},
    health::{
        heartbeat::Heartbeat,
        liveness::Liveness,
        readiness::{Readiness, Stage},
    },
    leader::{Elector, Leadership},
    probe::tcp::Tcp,
    run::cluster::{Cluster, ClusterError},
    shutdown::{self, Shutdown, ShutdownError},
    telemetry::{
        self, TelemetryError,
        metrics::{Metrics, Watched},
    },
    version,
};

mod cluster;
mod counted;
mod spans;
mod token;

/// Why the operator did not run, or ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A setting can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There can be no log, or no traces.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// There can be no threads or timers.
    #[error("the runtime can't be started: {0}")]
    Runtime(io::Error),
    /// There is no cluster to talk to.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The cloud can't be called at all.
    #[error(transparent)]
    Cloud(#[from] ConnectorError),
    /// The admin server can't be had.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The end was forced.
    #[error(transparent)]
    Shutdown(#[from] ShutdownError),
    /// Another process has led meanwhile.
    #[error(
        "another process leads; this process ends, and waits for the lease once it is started again"
    )]
    Deposed,
    /// The controller ended by itself; it never should.
    #[error("the controller ended without being asked to")]
    Ended,
}

/// Runs the operator until a signal ends it.
pub fn run(arguments: &RunArguments) -> Result<(), RunError> {
    let config = Config::new(arguments)?;
    // An error means that the process has a provider already, and one is what is needed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    let result = runtime.block_on(shutdown::until_signalled(|shutdown| {
        operate(config, shutdown)
    }));
    // Nothing that is still on its way is waited for: what matters was recorded, or can't be.
    runtime.shutdown_background();
    result?
}

/// Everything after the first line of log; what can fail for good fails before anything is waited for.
async fn operate(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    let Config {
        namespace,
        resync,
        concurrency,
        call_limit,
        limits,
        allow,
        groups,
        extra_authorities,
        egress,
        defaults,
        calendar,
        networks,
        pace,
        election,
        admin_address,
        metrics_tls,
        telemetry: told,
    } = config;
    let calendar = Arc::new(Store::new(calendar.as_deref()));
    let metrics = Arc::new(Metrics::default());
    let _telling = telemetry::start(told, metrics.dropped_log_lines())?;
    let clock = Clock::start();
    let cluster = Cluster::infer(namespace, clock).await?;
    let cluster = cluster.counted(Arc::clone(&metrics), clock);
    let connector = Connector::new(Policy {
        allow,
        call_timeout: pace.call_timeout,
        lock_out: pace.lock_out(),
        throttle_pause: pace.throttled,
        extra_authorities,
        egress,
        names: Names::of_the_system(),
        call_limit,
        calls_at_once: usize::from(concurrency).div_ceil(2),
        clock,
        observer: Arc::clone(&metrics) as _,
    })?;
    let connector = Arc::new(connector.reading_groups(groups));
    let bound = Bound::new(admin_address)?;
    let bound = match metrics_tls {
        Some(tls) => bound.with_tls(tls, metrics.certificate_broken())?,
        None => bound,
    };
    announce(&bound, &cluster, resync, concurrency, call_limit);
    let elector = election.map(|election| elector(&cluster, &election, clock));
    let leadership = elector
        .as_ref()
        .map_or_else(|| Arc::new(Leadership::alone()), Elector::leadership);
    let heartbeat = Arc::<Heartbeat>::default();
    let work = Work {
        scope: Scope {
            namespace: cluster.namespace().map(str::to_owned),
            concurrency,
            heartbeat: Arc::clone(&heartbeat),
        },
        cluster,
        heartbeat,
        readiness: Arc::default(),
        connector: Arc::clone(&connector),
        settings: Settings {
            clock,
            chance: Chance::default(),
            pace,
            limits,
            resync,
            connect: connector,
            defaults,
            calendar: Arc::clone(&calendar),
            probe: Arc::new(Tcp::default()),
            networks,
            meter: Arc::clone(&metrics) as _,
            leadership,
            work: Arc::default(),
        },
    };
    metrics.watch(work.watched(call_limit.calls));
    let admin = Admin {
        liveness: Arc::new(work.liveness()),
        readiness: Arc::clone(&work.readiness),
        metrics,
        calendar: Arc::clone(&calendar),
    };
    select! {
        never = bound.serve(admin) => match never {},
        never = calendar.keep() => match never {},
        result = work.until(shutdown, elector) => result,
    }
}

/// The first line of the log: which program this is, where it can be asked, and what it was told.
fn announce(
    bound: &Bound,
    cluster: &Cluster,
    resync: Duration,
    concurrency: u16,
    call_limit: CallLimit,
) {
    tracing::info!(
        version = version::RELEASE,
        commit = version::COMMIT,
        date = version::date(),
        profile = version::PROFILE,
        built_for = version::TARGET,
        admin = %bound.address(),
        metrics = bound.tls_address().map(tracing::field::display),
        cluster = %cluster.address(),
        namespace = cluster.namespace().unwrap_or("(all)"),
        ?resync,
        concurrency,
        calls_per_minute = call_limit.calls,
        "the operator starts"
    );
}

/// The campaign of this very process: its name is never that of another one, nor of its predecessor in the same pod.
fn elector(cluster: &Cluster, election: &Election, clock: Clock) -> Elector {
    let client = cluster.client();
    let own = client.default_namespace().to_owned();
    let namespace = election.namespace.as_ref().unwrap_or(&own);
    let host = gethostname::gethostname();
    let identity = format!("{}_{:08x}", host.to_string_lossy(), rand::random::<u32>());
    Elector::new(client, (namespace, &election.lease), identity, clock)
}

/// What the controller is run with.
struct Work {
    cluster: Cluster,
    scope: Scope,
    settings: Settings,
    heartbeat: Arc<Heartbeat>,
    readiness: Arc<Readiness>,
    connector: Arc<Connector>,
}

impl Work {
    /// What the metrics look at when they are asked for.
    fn watched(&self, calls_per_minute: u32) -> Watched {
        Watched {
            leadership: Arc::clone(&self.settings.leadership),
            readiness: Arc::clone(&self.readiness),
            heartbeat: Arc::clone(&self.heartbeat),
            work: Arc::clone(&self.settings.work),
            calendar: Arc::clone(&self.settings.calendar),
            clock: self.settings.clock,
            calls_per_minute,
        }
    }

    fn liveness(&self) -> Liveness {
        let cluster = self.cluster.clone();
        let ask = Box::new(move || cluster.clone().answers().boxed());
        let work = Arc::clone(&self.settings.work);
        Liveness::new(Arc::clone(&self.heartbeat), work, self.settings.clock, ask)
    }

    async fn until(self, shutdown: Shutdown, elector: Option<Elector>) -> Result<(), RunError> {
        // Each resource would say that there is no calendar, and take it back a moment later.
        let calendar = Arc::clone(&self.settings.calendar);
        let ready =
            async { tokio::join!(self.cluster.wait(&self.readiness), calendar.first_read()).0 };
        select! {
            result = ready => result?,
            () = shutdown.clone().asked() => return Ok(()),
        }
        let Some(mut elector) = elector else {
            return self.lead(shutdown, pending()).await.1;
        };
        let readiness = Arc::clone(&self.readiness);
        let calls = select! {
            calls = elector.acquire(|why| readiness.standby(why)) => calls,
            () = shutdown.clone().asked() => return Ok(()),
        };
        let connector = Arc::clone(&self.connector);
        connector.take_over(calls);
        let (depose, deposed) = oneshot::channel::<()>();
        let leading = self.lead(shutdown, async {
            // An error means the same: nobody renews the lease any more.
            let _ = deposed.await;
        });
        let keeping = async {
            elector.keep().await;
            drop(depose);
            // What is at work is recorded before the process ends.
            pending().await
        };
        let (idle, result) = select! {
            ended = leading => ended,
            ended = keeping => ended,
        };
        elector.release(idle, connector.hand_over()).await;
        result
    }

    /// Works until the process is to end, or has been deposed; says whether that leaves nothing in flight.
    async fn lead(
        self,
        shutdown: Shutdown,
        deposed: impl Future<Output = ()> + Send + Sync + 'static,
    ) -> (bool, Result<(), RunError>) {
        // Who was ready to take over stays ready while it does.
        if !matches!(self.readiness.stage(), Stage::Standby(_)) {
            self.readiness
                .missing("the resources have not been read yet");
        }
        let leadership = Arc::clone(&self.settings.leadership);
        self.heartbeat.beat(self.settings.clock.now());
        let (ready, stopping) = (Arc::clone(&self.readiness), self.readiness);
        let synced = move || {
            tracing::info!("all resources were read; changes are made from now on");
            ready.ready();
        };
        let stop = shutdown.clone();
        let stopped = async move {
            select! {
                () = stop.asked() => {}
                () = deposed => {}
            }
            stopping.stopping();
        };
        let idle = Box::pin(controller::run(
            self.cluster.client(),
            self.scope,
            self.settings,
            synced,
            stopped,
        ))
        .await;
        let result = if shutdown.was_asked() {
            tracing::info!("stopped");
            Ok(())
        } else if leadership.is_over() {
            Err(RunError::Deposed)
        } else {
            Err(RunError::Ended)
        };
        (idle, result)
    }
}
