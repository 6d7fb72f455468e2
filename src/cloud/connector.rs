//! Makes clients of the cloud: one for each credential, project and address.
//!
//! No call is made here. Promises that no host is called that the allow-list does not have.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    Cloud, CloudError, Meaning,
    auth::{
        Access,
        entrance::{Entrance, Place},
        fingerprint::Fingerprint,
        guard::{Guard, Guards, LockOut},
        ledger,
        secret::Credential,
        token::TokenSource,
    },
    budget::{Budget, CallLimit, Urgency},
    dial::Dialer,
    egress::Egress,
    endpoints::{self, AllowList, Field},
    http::{Account, HttpCloud},
    lanes::Lanes,
    names::Names,
    observer::CallObserver,
    reads::Reads,
    throttle::Throttle,
    trust::Trust,
};
use crate::{
    clock::Clock,
    config::authorities::Authorities,
    controller::{accounts::Connect, read::Subject},
};

/// Nobody waits longer than this for the calls of others; what is slower than this is not well.
const PATIENCE: Duration = Duration::from_secs(3);

/// All addresses of a host are tried within this share of the time that a call may take: what they leave is for the call.
const SHARE_FOR_CONNECTING: u32 = 3;

/// How the cloud may be called.
pub struct Policy {
    /// The hosts that may be called.
    pub allow: AllowList,
    /// Every call ends within this.
    pub call_timeout: Duration,
    /// How the cloud locks keys and users, and for how long refused ones are held back.
    pub lock_out: LockOut,
    /// The first and the longest pause of a project that has made too many calls.
    pub throttle_pause: (Duration, Duration),
    /// Certificate authorities that are believed beside those of the machine.
    pub extra_authorities: Authorities,
    /// The web proxy that calls go through, if there is one.
    pub egress: Egress,
    /// How names of hosts are looked up.
    pub names: Names,
    /// How many calls may be made with one credential at one endpoint.
    pub call_limit: CallLimit,
    /// How many calls to one endpoint may be under way at once.
    pub calls_at_once: usize,
    /// The clocks.
    pub clock: Clock,
    /// Who is told of each call.
    pub observer: Arc<dyn CallObserver>,
}

/// Why there can be no clients.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The certificates that this machine trusts can't be read.
    #[error("the certificates that this machine trusts can't be read: {0}")]
    Trust(#[from] rustls::Error),
}

/// Makes clients that share their connections.
pub struct Connector {
    allow: AllowList,
    guards: Guards,
    throttle_pause: (Duration, Duration),
    call_limit: CallLimit,
    calls_at_once: usize,
    places: Mutex<Places>,
    reads: Reads,
    dialer: Dialer,
}

/// What is shared beyond a single credential.
#[derive(Default)]
struct Places {
    lanes: HashMap<String, Arc<Lanes>>,
    throttles: HashMap<(String, String), Arc<Throttle>>,
    /// What one pair shares at one endpoint.
    of_pairs: HashMap<(Fingerprint, String), OfPair>,
}

/// What the calls of one pair at one endpoint share.
#[derive(Clone)]
struct OfPair {
    lanes: Arc<Lanes>,
    budget: Arc<Budget>,
}

impl Places {
    /// Endpoints and projects come and go.
    fn forget_unused(&mut self) {
        self.lanes.retain(|_, lanes| Arc::strong_count(lanes) > 1);
        self.of_pairs
            .retain(|_, shared| Arc::strong_count(&shared.budget) > 1);
        self.throttles
            .retain(|_, throttle| Arc::strong_count(throttle) > 1);
    }
}

impl Connector {
    /// A connector. The process must have a crypto provider installed.
    pub fn new(policy: Policy) -> Result<Self, ConnectorError> {
        let trust = Trust::new(policy.extra_authorities, policy.clock)?;
        let within = policy.call_timeout / SHARE_FOR_CONNECTING;
        let dialer = Dialer::new(
            policy.egress,
            trust,
            policy.names,
            (within, policy.call_timeout),
        );
        Ok(Self {
            allow: policy.allow,
            guards: Guards::new(
                policy.lock_out,
                PATIENCE.min(policy.call_timeout),
                policy.clock,
            ),
            throttle_pause: policy.throttle_pause,
            call_limit: policy.call_limit,
            calls_at_once: policy.calls_at_once.max(1),
            places: Mutex::default(),
            reads: Reads::new(
                dialer.clone(),
                policy.clock,
                policy.call_timeout,
                policy.observer,
            ),
            dialer,
        })
    }

    /// What the calls of a project at an endpoint share.
    fn place(&self, endpoint: &str, project: &str) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.forget_unused();
        let lanes = places
            .lanes
            .entry(endpoint.to_owned())
            .or_insert_with(|| Lanes::new(self.calls_at_once, self.patience(), self.reads.clock));
        let lanes = Arc::clone(lanes);
        let key = (endpoint.to_owned(), project.to_owned());
        let throttle = places
            .throttles
            .entry(key)
            .or_insert_with(|| Arc::new(Throttle::new(self.throttle_pause)));
        Place {
            lanes,
            throttle: Arc::clone(throttle),
        }
    }

    /// What the calls of a pair at an endpoint share, whoever uses it.
    fn of_pair(&self, guard: &Guard, endpoint: &str) -> OfPair {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (guard.pair(), endpoint.to_owned());
        let shared = places.of_pairs.entry(key).or_insert_with(|| {
            // As many as may be refused at once without a lock.
            let most = ledger::MOST as usize;
            let (clock, observer) = (self.reads.clock, Arc::clone(&self.reads.observer));
            OfPair {
                lanes: Lanes::new(most, self.patience(), clock),
                budget: Budget::new(self.call_limit, clock, observer),
            }
        });
        shared.clone()
    }

    fn patience(&self) -> Duration {
        PATIENCE.min(self.reads.timeout)
    }

    /// The address of IAM for a subject.
    fn iam(&self, subject: &Subject) -> Result<String, CloudError> {
        if let Some(address) = &subject.iam_endpoint {
            return self.allow.check_field(Field::IamEndpoint, address);
        }
        let address = subject.region.as_deref().map(endpoints::iam_of);
        match address {
            // With an endpoint the region is needed for nothing else, and need not be another.
            Some(Err(error)) if subject.endpoint.is_none() => Err(error),
            Some(Ok(address)) => self.allow.check_field(Field::Region, &address),
            None | Some(Err(_)) => {
                let text = "the credentials hold a password, and no address of IAM is known: set spec.iamEndpoint";
                Err(CloudError::local(Meaning::RegionUnknown, text))
            }
        }
    }

    fn tokens(
        &self,
        subject: &Subject,
        (username, password, domain_name): (
            secrecy::SecretString,
            secrecy::SecretString,
            secrecy::SecretString,
        ),
    ) -> Result<TokenSource, CloudError> {
        let iam = self.iam(subject)?;
        let project = subject.project.as_str();
        let reads = self.reads.clone();
        let lanes = self.place(&iam, project).lanes;
        Ok(TokenSource::new(
            reads,
            (&iam, lanes),
            project,
            username,
            password,
            domain_name,
        ))
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        subject: &Subject,
        credential: Credential,
    ) -> Result<Arc<dyn Cloud>, CloudError> {
        let endpoint = match (&subject.endpoint, &subject.region) {
            (Some(address), _) => self.allow.check_field(Field::Endpoint, address)?,
            (None, Some(region)) => {
                let address = endpoints::service_of(region)?;
                self.allow.check_field(Field::Region, &address)?
            }
            (None, None) => {
                let text = "set spec.region or spec.endpoint";
                return Err(CloudError::local(Meaning::RegionUnknown, text));
            }
        };
        let tokens = |username, password, domain_name| {
            self.tokens(subject, (username, password, domain_name))
        };
        let place = self.place(&endpoint, subject.project.as_str());
        let clock = self.reads.clock;
        let known_by = match &credential {
            Credential::Password { .. } => self.iam(subject)?,
            Credential::AccessKey { .. } | Credential::Token(_) => endpoint.clone(),
        };
        let guard = self.guards.guard(&credential, endpoints::realm(&known_by));
        let OfPair { lanes, budget } = self.of_pair(&guard, &endpoint);
        let allowance = budget.open(Urgency::Job);
        let entrance = Entrance::new(guard, budget, lanes, place, clock);
        let access = Access::new(credential, tokens, entrance)?;
        Ok(Arc::new(HttpCloud {
            account: Arc::new(Account {
                endpoint,
                project: subject.project.clone(),
                access,
            }),
            reads: self.reads.clone(),
            dialer: self.dialer.clone(),
            allowance,
        }))
    }
}
