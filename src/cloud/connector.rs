//! Makes clients of the cloud: one for each credential, project and address.
//!
//! No call is made here. Promises that no host is called that the allow-list does not have.

use std::{sync::Arc, time::Duration};

use super::{
    Cloud, CloudError, Connect, Meaning,
    auth::{Access, Keys, Means, secret::Credential, sign_in::SignIn, token::TokenSource},
    authorities::Authorities,
    budget::CallLimit,
    dial::Dialer,
    egress::Egress,
    entrances::{Bounds, Entrances},
    http::{Account, HttpCloud, Vpc},
    names::Names,
    observer::CallObserver,
    reads::Reads,
    trust::Trust,
};
use crate::{
    clock::Clock,
    pace::LockOut,
    place::{
        Subject,
        endpoints::{self, AllowList, Field},
    },
};

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
    entrances: Entrances,
    reads: Reads,
    dialer: Dialer,
    groups: Option<GroupsPolicy>,
}

/// How security groups are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupsPolicy {
    /// Address of the VPC API for resources whose TaurusDB API is at a host that the region table does not have.
    pub vpc_endpoint: Option<String>,
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
        let bounds = Bounds {
            call_timeout: policy.call_timeout,
            lock_out: policy.lock_out,
            throttle_pause: policy.throttle_pause,
            call_limit: policy.call_limit,
            calls_at_once: policy.calls_at_once,
        };
        Ok(Self {
            allow: policy.allow,
            entrances: Entrances::new(bounds, policy.clock, Arc::clone(&policy.observer)),
            reads: Reads::new(
                dialer.clone(),
                policy.clock,
                policy.call_timeout,
                policy.observer,
            ),
            dialer,
            groups: None,
        })
    }

    /// The same, for clients that read security groups where there is a policy for that.
    #[must_use]
    pub fn reading_groups(self, groups: Option<GroupsPolicy>) -> Self {
        Self { groups, ..self }
    }

    /// This process leads from now on, after one that has left so many calls ([`Entrances::take_over`]).
    pub fn take_over(&self, calls: u32) {
        self.entrances.take_over(calls);
    }

    /// No call is begun any more; says how many are left to the next process ([`Entrances::hand_over`]).
    pub fn hand_over(&self) -> u32 {
        self.entrances.hand_over()
    }

    /// The address of IAM for a subject.
    fn iam(&self, subject: &Subject) -> Result<String, CloudError> {
        if let Some(address) = &subject.iam_endpoint {
            return Ok(self.allow.check_field(Field::IamEndpoint, address)?);
        }
        let address = subject.region.as_deref().map(endpoints::iam_of);
        match address {
            // With an endpoint the region is needed for nothing else, and need not be another.
            Some(Err(error)) if subject.endpoint.is_none() => Err(error.into()),
            Some(Ok(address)) => Ok(self.allow.check_field(Field::Region, &address)?),
            None | Some(Err(_)) => {
                let text = "these credentials are exchanged at IAM, and no address of IAM is known: set spec.iamEndpoint";
                Err(CloudError::local(Meaning::RegionUnknown, text))
            }
        }
    }

    /// What requests are sent with by a credential.
    fn means(&self, subject: &Subject, credential: Credential) -> Result<Means, CloudError> {
        let project = subject.project.as_str();
        let (address, sign_in) = match credential {
            Credential::AccessKey {
                access_key,
                secret_key,
                security_token,
            } => {
                return Ok(Means::Keys(Keys {
                    access_key,
                    secret_key,
                    security_token,
                }));
            }
            Credential::Token(token) => return Ok(Means::Token(token)),
            Credential::Password {
                username,
                password,
                domain_name,
            } => {
                let iam = self.iam(subject)?;
                let sign_in = SignIn::Password {
                    iam: iam.clone(),
                    project: project.to_owned(),
                    username,
                    password,
                    domain_name,
                };
                (iam, sign_in)
            }
            Credential::Workload(workload) => {
                let iam = self.iam(subject)?;
                let sign_in = SignIn::Workload {
                    iam: iam.clone(),
                    workload,
                };
                (iam, sign_in)
            }
            // Its address is the administrator's, and needs no leave.
            Credential::Machine(machine) => {
                (machine.address().to_owned(), SignIn::Machine(machine))
            }
        };
        let lanes = self.entrances.lanes(&address, project);
        let source = TokenSource::new(self.reads.clone(), lanes, sign_in);
        Ok(Means::Fetched(Box::new(source)))
    }

    /// A client for a subject, with its proxy and instance left aside; all that the service offers can be read with it.
    pub fn open(
        &self,
        subject: &Subject,
        credential: &Credential,
    ) -> Result<HttpCloud, CloudError> {
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
        let known_by = match credential {
            Credential::Password { .. } | Credential::Workload(_) => self.iam(subject)?,
            Credential::AccessKey { .. } | Credential::Token(_) | Credential::Machine(_) => {
                endpoint.clone()
            }
        };
        let (entrance, allowance) =
            self.entrances
                .entrance(credential, (&endpoint, &known_by), subject.project.as_str());
        let means = self.means(subject, credential.clone())?;
        let access = Access::new(means, entrance);
        let vpc = self.groups.as_ref().map(|groups| {
            let known_by = known_by.as_str();
            self.vpc(groups, subject, (&endpoint, known_by), &access, credential)
        });
        Ok(HttpCloud {
            account: Arc::new(Account {
                endpoint,
                project: subject.project.clone(),
                access,
            }),
            reads: self.reads.clone(),
            dialer: self.dialer.clone(),
            allowance,
            vpc,
        })
    }

    /// The way to VPC for a subject whose TaurusDB API is at `endpoint`: the same credential, with a budget of its own.
    fn vpc(
        &self,
        groups: &GroupsPolicy,
        subject: &Subject,
        (endpoint, known_by): (&str, &str),
        access: &Access,
        credential: &Credential,
    ) -> Vpc {
        let address = match (endpoints::vpc_beside(endpoint), &groups.vpc_endpoint) {
            (Some(address), _) => address,
            (None, Some(address)) => address.clone(),
            (None, None) => {
                let text = "the operator knows no address of the VPC API for this resource: its administrator must set --vpc-endpoint";
                return Err(CloudError::local(Meaning::RegionUnknown, text));
            }
        };
        let endpoint = self.allow.check(&address)?;
        let project = subject.project.as_str();
        let (entrance, _) = self
            .entrances
            .entrance(credential, (&endpoint, known_by), project);
        Ok(Arc::new(Account {
            endpoint,
            project: subject.project.clone(),
            access: access.beside(entrance),
        }))
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        subject: &Subject,
        credential: Credential,
    ) -> Result<Arc<dyn Cloud>, CloudError> {
        Ok(Arc::new(self.open(subject, &credential)?))
    }
}
