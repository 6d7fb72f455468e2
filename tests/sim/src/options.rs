//! What a simulator starts with.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{Accounts, Behaviour, Chaos, Fault, Fleet, JobPlan, Maintenance, Time};

/// What a simulator starts with. [`Options::default`] has the sample fleet and credentials, real time, and a port that
/// the system chooses.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Who moves time.
    pub time: Time,
    /// The projects, instances and proxies.
    pub fleet: Fleet,
    /// Who may call.
    pub accounts: Accounts,
    /// The switches.
    pub behaviour: Behaviour,
    /// The course of jobs.
    pub job: JobPlan,
    /// The courses of the first jobs, each of this proxy or of whichever comes first.
    pub next_jobs: Vec<(Option<String>, JobPlan)>,
    /// Maintenance that is there or comes.
    pub maintenance: Vec<Maintenance>,
    /// The first rules.
    pub faults: Vec<Fault>,
    /// Faults by chance.
    pub chaos: Option<Chaos>,
    /// What ids and tokens are made from: the same seed and the same calls make the same ones.
    pub seed: u64,
    /// How many requests the journal keeps; the oldest go first.
    pub journal_limit: usize,
    /// Whether the admin API answers callers that aren't on this machine.
    pub remote_admin: bool,
    /// The database that the proxies forward to; without one they have no listeners.
    pub database: Option<SocketAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            time: Time::default(),
            fleet: Fleet::sample(),
            accounts: Accounts::sample(),
            behaviour: Behaviour::default(),
            job: JobPlan::default(),
            next_jobs: Vec::new(),
            maintenance: Vec::new(),
            faults: Vec::new(),
            chaos: None,
            seed: 1,
            journal_limit: 100_000,
            remote_admin: false,
            database: None,
        }
    }
}

impl Options {
    /// The default with stepped time.
    pub fn stepped() -> Self {
        Self {
            time: Time::Stepped,
            ..Self::default()
        }
    }

    /// With this fleet.
    #[must_use]
    pub fn fleet(self, fleet: Fleet) -> Self {
        Self { fleet, ..self }
    }

    /// With these credentials.
    #[must_use]
    pub fn accounts(self, accounts: Accounts) -> Self {
        Self { accounts, ..self }
    }

    /// In this mode.
    #[must_use]
    pub fn mode(mut self, mode: crate::Mode) -> Self {
        self.behaviour.mode = mode;
        self
    }

    /// With jobs of this course.
    #[must_use]
    pub fn job(self, job: JobPlan) -> Self {
        Self { job, ..self }
    }
}
