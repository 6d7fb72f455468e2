//! Who leads since when, read from the Lease itself.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};

use super::{LEASE_NAMESPACE, settings::Log};

const LEASE: &str = "taurus-port-operator";

/// How often the Lease is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// Another process leads.
#[derive(Debug, Clone)]
pub struct HandOver {
    pub at: Duration,
    /// What was done to the one that led.
    pub why: String,
    /// How long after that; unknown where nothing was done to it.
    pub took: Option<Duration>,
}

/// The hand-overs of a run.
#[derive(Default)]
pub struct HandOvers(Mutex<State>);

#[derive(Default)]
struct State {
    holder: String,
    cause: Option<(Duration, String)>,
    all: Vec<HandOver>,
}

impl HandOvers {
    /// Something is done now to the process that leads.
    pub fn cause(&self, at: Duration, why: &str) {
        self.0.lock().unwrap().cause = Some((at, why.to_owned()));
    }

    /// All so far; the first is the beginning.
    pub fn all(&self) -> Vec<HandOver> {
        self.0.lock().unwrap().all.clone()
    }

    /// Watches for as long as this is polled.
    pub async fn watch(self: Arc<Self>, client: Client, log: Arc<Log>) {
        let leases: Api<Lease> = Api::namespaced(client, LEASE_NAMESPACE);
        loop {
            tokio::time::sleep(GLANCE).await;
            let Ok(Some(lease)) = leases.get_opt(LEASE).await else {
                continue;
            };
            let holder = lease.spec.and_then(|spec| spec.holder_identity);
            if let Some(said) = self
                .0
                .lock()
                .unwrap()
                .see(holder.unwrap_or_default(), log.elapsed())
            {
                log.say(&said);
            }
        }
    }
}

impl State {
    fn see(&mut self, holder: String, at: Duration) -> Option<String> {
        if holder.is_empty() || holder == self.holder {
            return None;
        }
        let (why, took) = match self.cause.take() {
            Some((since, why)) => (why, Some(at.saturating_sub(since))),
            None if self.all.is_empty() => ("the beginning".to_owned(), None),
            None => ("its way to the API server".to_owned(), None),
        };
        let said = format!("{holder} leads after: {why} ({took:?})");
        self.holder = holder;
        self.all.push(HandOver { at, why, took });
        Some(said)
    }
}
