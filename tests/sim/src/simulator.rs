//! A running simulator.

use std::net::SocketAddr;
use std::ops::Deref;

use tokio::net::TcpListener;

use crate::world::Shared;
use crate::{ChaosError, Control, ControlError, FleetError, Options, admin, http, listeners};

/// Why a simulator didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The fleet can't be.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The mix of faults can't be.
    #[error("chaos: {0}")]
    Chaos(#[from] ChaosError),
    /// Something is to happen to what isn't there.
    #[error(transparent)]
    Unknown(#[from] ControlError),
    /// It can't listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// A simulator that runs on the caller's tokio runtime, with all of [`Control`]. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    control: Control,
    address: SocketAddr,
}

impl Simulator {
    /// Starts one; when this returns, it listens.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        options.fleet.check()?;
        let listen_error = |source| StartError::Listen {
            address: options.listen,
            source,
        };
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let shared = Shared::new(&options);
        let control = Control {
            shared: shared.clone(),
        };
        control.begin(&options)?;
        let admin = admin::router(control.clone());
        shared.tasks.spawn(http::serve(
            shared.clone(),
            listener,
            admin,
            options.remote_admin,
        ));
        if let Some(database) = options.database {
            shared
                .tasks
                .spawn(listeners::keep(shared.clone(), database));
        }
        Ok(Self { control, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL without a slash at the end: the endpoint of TaurusDB and of IAM.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The controls, to keep apart from the simulator.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Ends all connections and everything that is at work, and returns when that is done.
    pub async fn stop(self) {
        self.control.shared.shutdown.cancel();
        self.control.shared.tasks.close();
        self.control.shared.tasks.wait().await;
    }
}

impl Control {
    /// What the options say about things to come.
    fn begin(&self, options: &Options) -> Result<(), StartError> {
        for (proxy, plan) in options.next_jobs.iter().cloned() {
            match proxy {
                Some(proxy) => self.next_job_of(&proxy, plan),
                None => self.next_job(plan),
            }
        }
        for maintenance in &options.maintenance {
            self.maintain(maintenance.clone())?;
        }
        for fault in &options.faults {
            self.inject(fault.clone());
        }
        self.set_chaos(options.chaos.clone())?;
        Ok(())
    }
}

impl Deref for Simulator {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.control.shared.shutdown.cancel();
    }
}
