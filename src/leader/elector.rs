//! The campaign for the lease: waits for it, keeps it, gives it back.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};

use super::{
    lease::{self, Observation, Standing},
    term::Leadership,
};
use crate::clock::{self, Clock};

/// How often the holder renews: two renewals may be lost before the term is over.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How often the lease is looked at by those who wait, and tried again after a failure.
pub const TRY_EVERY: Duration = Duration::from_secs(1);
/// Bounds each try, kube's repetitions included: an API server that accepts and never answers must not eat up the term.
const TRY_TIMEOUT: Duration = Duration::from_secs(4);

/// Campaigns for one lease under one name.
pub struct Elector {
    api: Api<Lease>,
    name: String,
    identity: String,
    clock: Clock,
    leadership: Arc<Leadership>,
    observation: Observation,
    /// The lease as this process wrote it last, while nothing speaks against its still standing there.
    written: Option<Lease>,
    /// How many calls the process that led before has left.
    calls: u32,
}

/// Why a try came to nothing; the next one follows.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error("no answer within {} s", TRY_TIMEOUT.as_secs())]
    TimedOut,
    #[error("{0}")]
    Kubernetes(#[from] kube::Error),
}

impl TryError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Kubernetes(kube::Error::Api(status)) if status.code == 409)
    }
}

impl Elector {
    /// A campaign for the lease `name` of `namespace`. `identity` must be no other process's, nor an earlier one's.
    pub fn new(
        client: Client,
        (namespace, name): (&str, &str),
        identity: String,
        clock: Clock,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity,
            clock,
            leadership: Arc::new(Leadership::standby()),
            observation: Observation::default(),
            written: None,
            calls: 0,
        }
    }

    /// What those look at who act.
    pub fn leadership(&self) -> Arc<Leadership> {
        Arc::clone(&self.leadership)
    }

    /// Returns once this process leads, with how many calls of the cloud the one before has left ([`Self::release`]); none where that is
    /// not known. `waiting` is told for whom or what it waits, whenever that changes.
    pub async fn acquire(&mut self, waiting: impl Fn(&str)) -> u32 {
        let mut said = String::new();
        loop {
            let (why, pause) = match self.attempt().await {
                Ok(Standing::Ours | Standing::Free) => break,
                Ok(Standing::Held { by, left }) => (format!("{by} leads"), left.min(TRY_EVERY)),
                Err(error) => (format!("the lease can't be acquired: {error}"), TRY_EVERY),
            };
            if why != said {
                tracing::info!(lease = self.name, "not leading: {why}");
                waiting(&why);
                said = why;
            }
            clock::pause(pause).await;
        }
        tracing::info!(lease = self.name, identity = self.identity, "leading");
        self.calls
    }

    /// Renews the lease for as long as it is this process's; returns when it no longer is. That the API server can't be
    /// reached is no reason to return: the term runs out, nothing is written, and it goes on with the next renewal.
    pub async fn keep(&mut self) {
        let mut failed = false;
        loop {
            clock::pause(if failed { TRY_EVERY } else { RENEW_EVERY }).await;
            match self.renew().await {
                Ok(true) => {
                    if failed {
                        tracing::info!(lease = self.name, "the lease is renewed again");
                    }
                    failed = false;
                }
                Ok(false) => {
                    self.leadership.over();
                    tracing::error!(lease = self.name, "another process leads, or did meanwhile");
                    return;
                }
                Err(error) => {
                    if !failed {
                        tracing::warn!(lease = self.name, %error, "the lease is not renewed; nothing is begun once its term is over");
                    }
                    failed = true;
                }
            }
        }
    }

    /// Gives the lease back, so that nobody has to wait for the end of its term, and says whether this process leaves nothing
    /// in flight, and how many calls of the cloud it leaves to the next one. It acts no more, and calls the cloud no more.
    pub async fn release(mut self, idle: bool, calls: u32) {
        let held = self.leadership.time_left(self.clock.now()).is_some();
        self.leadership.over();
        if !held {
            return;
        }
        let given = match self.give_back(idle, calls).await {
            // Somebody has written it since this process did, or a renewal came late: what stands there by now tells whose it is.
            Err(error) if error.is_conflict() => self.give_back(idle, calls).await,
            given => given,
        };
        match given {
            Ok(()) => tracing::info!(lease = self.name, idle, calls, "the lease is given back"),
            Err(error) => tracing::warn!(lease = self.name, %error, "the lease is not given back"),
        }
    }

    async fn give_back(&mut self, idle: bool, calls: u32) -> Result<(), TryError> {
        let now = self.clock.now();
        if let Some(lease) = self.current().await?
            && self.observation.judge(&lease, &self.identity, now.uptime) == Standing::Ours
        {
            let free = lease::given_back(lease, idle, calls, now);
            bounded(self.api.replace(&self.name, &PostParams::default(), &free)).await?;
        }
        Ok(())
    }

    /// The lease as it was written last, or, where a renewal was broken off, as it stands there.
    async fn current(&mut self) -> Result<Option<Lease>, TryError> {
        match self.written.take() {
            Some(written) => Ok(Some(written)),
            None => bounded(self.api.get_opt(&self.name)).await,
        }
    }

    /// Takes the lease if it is free; what is said is whose it was before.
    async fn attempt(&mut self) -> Result<Standing, TryError> {
        let Some(current) = bounded(self.api.get_opt(&self.name)).await? else {
            let standing = self.observation.judge_absent(self.clock.now().uptime);
            if standing != Standing::Free {
                return Ok(standing);
            }
            let absent = Lease {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    ..ObjectMeta::default()
                },
                spec: None,
            };
            self.write(absent, true).await?;
            return Ok(Standing::Free);
        };
        let now = self.clock.now();
        let standing = self.observation.judge(&current, &self.identity, now.uptime);
        if !matches!(standing, Standing::Held { .. }) {
            let was_idle = lease::was_idle(&current, now);
            let calls = lease::calls_left(&current, now);
            self.write(current, false).await?;
            self.calls = calls;
            if was_idle {
                tracing::info!(
                    lease = self.name,
                    "the process before left nothing in flight"
                );
                self.leadership.goes_on();
            }
        }
        Ok(standing)
    }

    /// Whether the lease was this process's, and is renewed.
    async fn renew(&mut self) -> Result<bool, TryError> {
        let current = self.current().await?;
        let uptime = self.clock.now().uptime;
        let ours = current.filter(|lease| {
            self.observation.judge(lease, &self.identity, uptime) == Standing::Ours
        });
        match ours {
            Some(lease) => self.write(lease, false).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn write(&mut self, current: Lease, is_new: bool) -> Result<(), TryError> {
        let sent = self.clock.now();
        let lease = lease::held(current, &self.identity, sent);
        let params = PostParams::default();
        let written = if is_new {
            bounded(self.api.create(&params, &lease)).await?
        } else {
            bounded(self.api.replace(&self.name, &params, &lease)).await?
        };
        self.leadership.renewed(sent);
        self.written = Some(written);
        Ok(())
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, TryError> {
    match tokio::time::timeout(TRY_TIMEOUT, call).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(TryError::TimedOut),
    }
}
