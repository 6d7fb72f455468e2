//! Wiring: from checked settings to the parts that run, and to an orderly end.

use std::{io, sync::Arc};

use futures::FutureExt as _;
use tokio::{runtime, select};
use tracing::subscriber::SetGlobalDefaultError;

use crate::{
    admin::{
        Admin, AdminError, Bound,
        liveness::{Heartbeat, Liveness},
        readiness::Readiness,
    },
    cli::RunArguments,
    clock::Clock,
    cloud::{
        connector::{Connector, ConnectorError, Policy},
        names::Names,
    },
    config::{Config, ConfigError},
    controller::{self, Scope, context::Settings},
    run::cluster::{Cluster, ClusterError},
    shutdown::{self, Shutdown, ShutdownError},
    telemetry::{logs, metrics::Metrics},
};

mod cluster;
mod watched;

/// Why the operator did not run, or ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A setting can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something else logs already.
    #[error("logging can't be set up: {0}")]
    Logs(#[from] SetGlobalDefaultError),
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
        allow,
        extra_authorities,
        defaults,
        pace,
        admin_address,
        logs,
    } = config;
    logs::start(logs)?;
    let clock = Clock::start();
    let metrics = Arc::new(Metrics::default());
    let cluster = Cluster::infer(namespace).await?;
    let connector = Connector::new(Policy {
        allow,
        call_timeout: pace.call_timeout,
        lock_out: pace.lock_out(),
        throttle_pause: pace.throttled,
        extra_authorities,
        names: Names::of_the_system(),
        calls_at_once: usize::from(concurrency).div_ceil(2),
        clock,
        observer: Arc::clone(&metrics) as _,
    })?;
    let bound = Bound::new(admin_address).await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        admin = %bound.address(),
        cluster = %cluster.address(),
        namespace = cluster.namespace().unwrap_or("(all)"),
        ?resync,
        concurrency,
        "the operator starts"
    );
    let work = Work {
        scope: Scope {
            namespace: cluster.namespace().map(str::to_owned),
            concurrency,
        },
        cluster,
        heartbeat: Arc::default(),
        readiness: Arc::default(),
        settings: Settings {
            clock,
            pace,
            resync,
            connect: Arc::new(connector),
            defaults,
            meter: Arc::clone(&metrics) as _,
        },
    };
    let admin = Admin {
        liveness: Arc::new(work.liveness()),
        readiness: Arc::clone(&work.readiness),
        metrics,
    };
    select! {
        result = bound.serve(admin) => Err(result.err().map_or(RunError::Ended, RunError::from)),
        result = work.until(shutdown) => result,
    }
}

/// What the controller is run with.
struct Work {
    cluster: Cluster,
    scope: Scope,
    settings: Settings,
    heartbeat: Arc<Heartbeat>,
    readiness: Arc<Readiness>,
}

impl Work {
    fn liveness(&self) -> Liveness {
        let cluster = self.cluster.clone();
        let ask = Box::new(move || cluster.clone().answers().boxed());
        Liveness::new(Arc::clone(&self.heartbeat), self.settings.clock, ask)
    }

    async fn until(self, shutdown: Shutdown) -> Result<(), RunError> {
        select! {
            result = self.cluster.wait(&self.readiness) => result?,
            () = shutdown.clone().asked() => return Ok(()),
        }
        self.readiness
            .missing("the resources were not read for the first time yet");
        let clock = self.settings.clock;
        self.heartbeat.beat(clock.now());
        let client = watched::client(self.cluster.client(), self.heartbeat, clock);
        let (ready, stopping) = (Arc::clone(&self.readiness), self.readiness);
        let synced = move || {
            tracing::info!("all resources were read; changes are made from now on");
            ready.ready();
        };
        let stop = shutdown.clone();
        let stopped = async move {
            stop.asked().await;
            stopping.stopping();
        };
        controller::run(client, self.scope, self.settings, synced, stopped).await;
        if shutdown.was_asked() {
            tracing::info!("stopped");
            Ok(())
        } else {
            Err(RunError::Ended)
        }
    }
}
