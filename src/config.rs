//! The settings, checked once at the start; from here on only proven values travel.
//!
//! Promises that whatever is refused is named by flag and environment variable, with what to give instead.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use jiff::SignedDuration;
use tracing_subscriber::EnvFilter;

use crate::{
    cli::RunArguments,
    cloud::{
        authorities::{Authorities, AuthoritiesFault},
        budget::CallLimit,
        connector::GroupsPolicy,
        defaults::{Defaults, DefaultsFault, Origin},
        egress::{Egress, EgressFault},
    },
    config::{
        certificate::{CertificateFault, MetricsTls},
        collector::CollectorFault,
        endpoint::{Endpoint, EndpointFault},
        limits::LimitsFault,
    },
    model::name::is_namespace,
    pace::Pace,
    permits::limits::Limits,
    place::endpoints::AllowList,
    publish::networks::{Networks, NetworksFault},
    telemetry::{
        self,
        logs::{self, Format},
    },
};

pub mod certificate;
pub mod collector;
pub mod endpoint;
pub mod limits;

/// A shorter resync would spend the cloud's call quota on settled resources.
const SHORTEST_RESYNC: Duration = Duration::from_secs(10);

/// The settings of a run.
#[derive(Debug)]
pub struct Config {
    /// The only namespace to look at; all where there is none.
    pub namespace: Option<String>,
    /// How often a settled resource is looked at.
    pub resync: Duration,
    /// How many reconciles run at once.
    pub concurrency: u16,
    /// How many calls may be made with one credential at one endpoint.
    pub call_limit: CallLimit,
    /// How many changes there may be over all resources.
    pub limits: Limits,
    /// The hosts that may be called.
    pub allow: AllowList,
    /// How security groups are read; not at all where there is nothing.
    pub groups: Option<GroupsPolicy>,
    /// Certificate authorities that are believed beside those of the machine.
    pub extra_authorities: Authorities,
    /// The web proxy that calls of the cloud go through.
    pub egress: Egress,
    /// The operator's own credentials, if there are any.
    pub defaults: Option<Defaults>,
    /// The file with the operator's calendar.
    pub calendar: Option<String>,
    /// Where proxies may lie.
    pub networks: Networks,
    /// The durations of the change protocol.
    pub pace: Pace,
    /// The lease that has to be held; none where there is no election.
    pub election: Option<Election>,
    /// Where the admin server listens.
    pub admin_address: SocketAddr,
    /// How `/metrics` is served by https; by http, with the rest, where there is none.
    pub metrics_tls: Option<MetricsTls>,
    /// What is told, and how.
    pub telemetry: telemetry::Settings,
}

/// Which lease the processes of this operator elect their leader by.
#[derive(Debug, PartialEq, Eq)]
pub struct Election {
    /// Name of the Lease.
    pub lease: String,
    /// Its namespace; that of the process itself where there is none.
    pub namespace: Option<String>,
}

/// A setting that can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No namespace has such a name.
    #[error(
        "--namespace (TAURUS_NAMESPACE): {0:?} can't be the name of a namespace: give lower-case letters, digits and '-', \
         at most 63, or leave it out for all namespaces"
    )]
    Namespace(String),
    /// The resync is no duration.
    #[error(
        "--resync (TAURUS_RESYNC): {0:?} is not a duration: give one such as 90s, 10m or 1h30m"
    )]
    Resync(String),
    /// The resync is below the floor.
    #[error("--resync (TAURUS_RESYNC): {given:?} is too short: give at least {} s", .floor.as_secs_f64())]
    ResyncTooShort {
        /// What was given.
        given: String,
        /// The shortest that is taken.
        floor: Duration,
    },
    /// The concurrency is no number, or out of range.
    #[error(
        "--concurrency (TAURUS_CONCURRENCY): {0:?} is not a count: give a number from 1 to 65535"
    )]
    Concurrency(String),
    /// The calls a minute are no number, or too few.
    #[error(
        "--calls-per-minute (TAURUS_CALLS_PER_MINUTE): {0:?} is not a number of calls: give a whole number from {least}",
        least = CallLimit::LEAST
    )]
    CallsPerMinute(String),
    /// A limit of changes can't be used.
    #[error(transparent)]
    Limits(#[from] LimitsFault),
    /// An endpoint is not a host.
    #[error("--allowed-endpoint (TAURUS_ALLOWED_ENDPOINT): {0}")]
    Endpoint(#[from] EndpointFault),
    /// The switch is neither on nor off.
    #[error("--allow-http (TAURUS_ALLOW_HTTP): {0:?} is neither true nor false: give one of them")]
    AllowHttp(String),
    /// The switch is neither on nor off.
    #[error(
        "--check-security-groups (TAURUS_CHECK_SECURITY_GROUPS): {0:?} is neither true nor false: give one of them"
    )]
    CheckSecurityGroups(String),
    /// The address of VPC is none, or not one that may be called.
    #[error("--vpc-endpoint (TAURUS_VPC_ENDPOINT): {0}")]
    VpcEndpoint(String),
    /// The switch is neither on nor off.
    #[error(
        "--leader-elect (TAURUS_LEADER_ELECT): {0:?} is neither true nor false: give one of them"
    )]
    LeaderElect(String),
    /// No Lease has such a name.
    #[error(
        "--lease-name (TAURUS_LEASE_NAME): {0:?} can't be the name of a Lease: give lower-case letters, digits and '-', \
         at most 63"
    )]
    LeaseName(String),
    /// No namespace has such a name.
    #[error(
        "--lease-namespace (TAURUS_LEASE_NAMESPACE): {0:?} can't be the name of a namespace: give lower-case letters, \
         digits and '-', at most 63, or leave it out for the operator's own"
    )]
    LeaseNamespace(String),
    /// Plain http is only for named hosts, and none is named.
    #[error(
        "--allow-http (TAURUS_ALLOW_HTTP) is only for hosts of --allowed-endpoint (TAURUS_ALLOWED_ENDPOINT), and there are \
         none: name the hosts or leave it out"
    )]
    AllowHttpForNobody,
    /// The file is no bundle of certificate authorities.
    #[error("--extra-ca (TAURUS_EXTRA_CA): {0}")]
    ExtraAuthorities(#[from] AuthoritiesFault),
    /// The proxy of the environment can't be used.
    #[error(transparent)]
    Egress(#[from] EgressFault),
    /// The default credentials are none, or for nobody.
    #[error(transparent)]
    Defaults(#[from] DefaultsFault),
    /// A network is none.
    #[error(
        "--proxy-networks (TAURUS_PROXY_NETWORKS): {0}: give an address with the length of its prefix, such as 10.0.0.0/8, or several, \
         separated by commas"
    )]
    ProxyNetworks(#[from] NetworksFault),
    /// The admin address is no address with a port.
    #[error(
        "--admin-address (TAURUS_ADMIN_ADDRESS): {0:?} is not an IP address with a port: give one such as [::]:8080 or \
         127.0.0.1:8080"
    )]
    AdminAddress(String),
    /// `/metrics` can't be served by https.
    #[error(transparent)]
    MetricsTls(#[from] CertificateFault),
    /// The log format is unknown.
    #[error("--log-format (TAURUS_LOG_FORMAT): {0:?} is unknown: give text or json")]
    LogFormat(String),
    /// The log level can't be read.
    #[error(
        "--log-level (TAURUS_LOG_LEVEL): {0:?} can't be read: give error, warn, info, debug or trace, or directives such as \
         info,kube=debug"
    )]
    LogLevel(String),
    /// The collector of traces can't be sent to.
    #[error(transparent)]
    Collector(#[from] CollectorFault),
    /// The pace is no divisor.
    #[error("--pace (TAURUS_PACE): {0:?} is not a divisor: give a whole number from 1")]
    Pace(String),
    /// A real cloud must never be hurried.
    #[error(
        "--pace (TAURUS_PACE) is only for a simulator on this machine: name at least one --allowed-endpoint \
         (TAURUS_ALLOWED_ENDPOINT), and only loopback ones, or leave it out"
    )]
    PaceBeyondLoopback,
}

impl Config {
    /// Checks what was given.
    pub fn new(arguments: &RunArguments) -> Result<Self, ConfigError> {
        let endpoints = endpoints(&arguments.allowed_endpoint)?;
        let allow_http = switch(&arguments.allow_http, ConfigError::AllowHttp)?;
        if allow_http && endpoints.is_empty() {
            return Err(ConfigError::AllowHttpForNobody);
        }
        let divisor = divisor(arguments.pace.as_deref(), &endpoints)?;
        let hosts = endpoints.into_iter().map(Endpoint::into_text);
        let allow = AllowList::new(hosts, allow_http);
        let pace = divisor.map_or_else(Pace::real, Pace::divided_by);
        // The hosts of the region table are real ones, and real ones are never hurried.
        let allow = match divisor {
            Some(_) => allow.without_regions(),
            None => allow,
        };
        Ok(Self {
            namespace: named(arguments.namespace.as_deref(), ConfigError::Namespace)?,
            resync: resync(&arguments.resync, divisor.unwrap_or(1))?,
            concurrency: concurrency(&arguments.concurrency)?,
            call_limit: CallLimit {
                calls: calls_per_minute(&arguments.calls_per_minute)?,
                per: pace.of_user(Duration::from_mins(1)),
                is_even: false,
            },
            limits: limits::read(arguments)?,
            groups: groups(arguments, &allow)?,
            allow,
            extra_authorities: extra_authorities(arguments.extra_ca.as_deref())?,
            egress: egress()?,
            defaults: defaults(arguments)?,
            calendar: arguments.calendar.clone(),
            networks: Networks::parse(&arguments.proxy_networks)?,
            pace,
            election: election(arguments)?,
            admin_address: parsed(&arguments.admin_address, ConfigError::AdminAddress)?,
            metrics_tls: certificate::read(arguments)?,
            telemetry: telemetry::Settings {
                logs: logs::Settings {
                    format: parsed::<Format>(&arguments.log_format, ConfigError::LogFormat)?,
                    filter: filter(&arguments.log_level)?,
                },
                collector: collector::read(arguments)?,
            },
        })
    }
}

fn parsed<T: FromStr>(text: &str, error: fn(String) -> ConfigError) -> Result<T, ConfigError> {
    text.trim().parse().map_err(|_| error(text.to_owned()))
}

fn election(arguments: &RunArguments) -> Result<Option<Election>, ConfigError> {
    if !switch(&arguments.leader_elect, ConfigError::LeaderElect)? {
        return Ok(None);
    }
    let name = named(Some(&arguments.lease_name), ConfigError::LeaseName)?;
    let namespace = arguments.lease_namespace.as_deref();
    Ok(Some(Election {
        lease: name.ok_or_else(|| ConfigError::LeaseName(arguments.lease_name.clone()))?,
        namespace: named(namespace, ConfigError::LeaseNamespace)?,
    }))
}

/// A name as Kubernetes takes it for most things. An empty one stands for none, as for an unset variable of a Deployment.
fn named(
    given: Option<&str>,
    error: fn(String) -> ConfigError,
) -> Result<Option<String>, ConfigError> {
    let Some(name) = given.map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    if is_namespace(name) {
        Ok(Some(name.to_owned()))
    } else {
        Err(error(name.to_owned()))
    }
}

fn resync(given: &str, divisor: u32) -> Result<Duration, ConfigError> {
    let duration: SignedDuration = parsed(given, ConfigError::Resync)?;
    let floor = SHORTEST_RESYNC / divisor;
    Duration::try_from(duration)
        .ok()
        .filter(|duration| *duration >= floor)
        .ok_or_else(|| ConfigError::ResyncTooShort {
            given: given.to_owned(),
            floor,
        })
}

fn concurrency(given: &str) -> Result<u16, ConfigError> {
    match parsed(given, ConfigError::Concurrency)? {
        // The controller would take it for "without bound".
        0 => Err(ConfigError::Concurrency(given.to_owned())),
        count => Ok(count),
    }
}

fn calls_per_minute(given: &str) -> Result<u32, ConfigError> {
    match parsed(given, ConfigError::CallsPerMinute)? {
        too_few if too_few < CallLimit::LEAST => Err(ConfigError::CallsPerMinute(given.to_owned())),
        count => Ok(count),
    }
}

fn endpoints(given: &[String]) -> Result<Vec<Endpoint>, ConfigError> {
    let named = given.iter().map(|text| text.trim());
    let endpoints = named
        .filter(|text| !text.is_empty())
        .map(Endpoint::parse)
        .collect::<Result<_, _>>();
    Ok(endpoints?)
}

/// How security groups are read. An empty address stands for none, as for an unset variable of a Deployment.
fn groups(
    arguments: &RunArguments,
    allow: &AllowList,
) -> Result<Option<GroupsPolicy>, ConfigError> {
    let address = arguments.vpc_endpoint.as_deref().map(str::trim);
    let address = address.filter(|address| !address.is_empty());
    let vpc_endpoint = address.map(|address| allow.check(address)).transpose();
    let vpc_endpoint = vpc_endpoint.map_err(|error| ConfigError::VpcEndpoint(error.to_string()))?;
    let is_on = switch(
        &arguments.check_security_groups,
        ConfigError::CheckSecurityGroups,
    )?;
    Ok(is_on.then_some(GroupsPolicy { vpc_endpoint }))
}

/// An empty path stands for none, as for an unset variable of a Deployment.
fn extra_authorities(given: Option<&str>) -> Result<Authorities, ConfigError> {
    match given.map(str::trim).filter(|path| !path.is_empty()) {
        Some(path) => Ok(Authorities::read(path)?),
        None => Ok(Authorities::none()),
    }
}

/// The proxy of the environment. Its variables are those that every program reads, and no flags of this one.
#[expect(
    clippy::disallowed_methods,
    reason = "read and checked here once, at the start"
)]
fn egress() -> Result<Egress, EgressFault> {
    Egress::new(|name| std::env::var(name).ok())
}

/// The operator's own credentials. What CCE tells a pod is in variables of its own names.
#[expect(
    clippy::disallowed_methods,
    reason = "read and checked here once, at the start"
)]
fn defaults(arguments: &RunArguments) -> Result<Option<Defaults>, DefaultsFault> {
    let identity = arguments.default_credentials_identity.as_deref();
    let identity = Origin::of_identity(identity, |name| std::env::var(name).ok())?;
    let directory = arguments.default_credentials_dir.as_deref();
    Defaults::new(
        Origin::one_of(directory, identity)?,
        &arguments.default_credentials_namespaces,
        &arguments.default_credentials_projects,
    )
}

fn switch(given: &str, error: fn(String) -> ConfigError) -> Result<bool, ConfigError> {
    match given.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" | "" => Ok(false),
        _ => Err(error(given.to_owned())),
    }
}

fn divisor(given: Option<&str>, endpoints: &[Endpoint]) -> Result<Option<u32>, ConfigError> {
    let Some(given) = given else {
        return Ok(None);
    };
    let divisor: u32 = parsed(given, ConfigError::Pace)?;
    if divisor == 0 {
        return Err(ConfigError::Pace(given.to_owned()));
    }
    if endpoints.is_empty() || !endpoints.iter().all(Endpoint::is_loopback) {
        return Err(ConfigError::PaceBeyondLoopback);
    }
    Ok(Some(divisor))
}

fn filter(given: &str) -> Result<EnvFilter, ConfigError> {
    let refused = || ConfigError::LogLevel(given.to_owned());
    if given.trim().is_empty() {
        return Err(refused());
    }
    EnvFilter::builder().parse(given).map_err(|_| refused())
}

#[cfg(test)]
mod tests;
