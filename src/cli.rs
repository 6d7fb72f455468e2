//! The command line: what can be given, under which name of flag and environment, and what is taken where nothing is.
//!
//! Values stay text here; [`crate::config`] checks them, so that a bad one gets the same answer wherever it came from.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::version;

/// Moves the ports of TaurusDB database proxies as Kubernetes resources say.
#[derive(Debug, Parser)]
#[command(version = version::line(), about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the custom resource definition as YAML.
    Crd,
    /// Check a file for --calendar, and say what it means now.
    ///
    /// Prints its windows, its freezes, and when a change may start next. Exits with 1 and names the fault where the operator could not
    /// read the calendar. Of the manifest of a ConfigMap, the calendar in it is checked.
    CheckCalendar {
        /// The calendar as it is mounted, or the manifest of the ConfigMap that holds it; `-` reads the standard input.
        file: PathBuf,
    },
    /// Run the operator until SIGTERM or SIGINT.
    ///
    /// The cluster is the one of KUBECONFIG or ~/.kube/config, else the one that the pod runs in. On the first signal no new
    /// change is started, and the call in flight is finished and recorded; a second signal ends the process at once.
    Run(Box<RunArguments>),
}

/// Settings of the operator.
#[derive(Debug, Clone, Args)]
#[command(next_line_help = true)]
pub struct RunArguments {
    /// Namespace whose resources are looked at; without it, those of all namespaces.
    #[arg(long, env = "TAURUS_NAMESPACE", value_name = "NAME")]
    #[arg(hide_env_values = true)]
    pub namespace: Option<String>,

    /// How often a settled resource is compared with the cloud: a duration such as 90s, 10m or 1h30m, at least 10s.
    ///
    /// A shorter one notices drift sooner and costs more calls.
    #[arg(long, env = "TAURUS_RESYNC", value_name = "DURATION")]
    #[arg(hide_env_values = true, default_value = "10m")]
    pub resync: String,

    /// How many resources are worked on at once, from 1 to 65535.
    #[arg(long, env = "TAURUS_CONCURRENCY", value_name = "COUNT")]
    #[arg(hide_env_values = true, default_value = "16")]
    pub concurrency: String,

    /// How many calls a minute may be made with one credential at one endpoint, at least 10.
    ///
    /// Changes go first, then the polls of jobs, then looks at what is settled, which get seven tenths of them at most.
    #[arg(long, env = "TAURUS_CALLS_PER_MINUTE", value_name = "COUNT")]
    #[arg(hide_env_values = true, default_value = "60")]
    pub calls_per_minute: String,

    /// How many changes may be under way at once, over all resources, from 1 to 10000.
    #[arg(long, env = "TAURUS_MAX_CONCURRENT_CHANGES", value_name = "COUNT")]
    #[arg(hide_env_values = true, default_value = "5")]
    pub max_concurrent_changes: String,

    /// How many changes may be begun within an hour, over all resources, from 1 to 10000.
    ///
    /// Requests that the cloud refused, or that were not sent, don't count.
    #[arg(long, env = "TAURUS_MAX_CHANGES_PER_HOUR", value_name = "COUNT")]
    #[arg(hide_env_values = true, default_value = "60")]
    pub max_changes_per_hour: String,

    /// After how many failed changes in a row, on different proxies, no new change begins for a while, from 1 to 1000.
    #[arg(long, env = "TAURUS_HALT_AFTER_FAILURES", value_name = "COUNT")]
    #[arg(hide_env_values = true, default_value = "3")]
    pub halt_after_failures: String,

    /// For how long no new change begins then: a duration such as 30m or 2h, from 1m to 24h.
    #[arg(long, env = "TAURUS_HALT_FOR", value_name = "DURATION")]
    #[arg(hide_env_values = true, default_value = "30m")]
    pub halt_for: String,

    /// Host that may be called beside those of the region table, as host (any port) or host:port; compared to the letter.
    ///
    /// May be given more than once; several in one value are separated by commas.
    #[arg(long, env = "TAURUS_ALLOWED_ENDPOINT", value_name = "HOST[:PORT]")]
    #[arg(hide_env_values = true, value_delimiter = ',')]
    pub allowed_endpoint: Vec<String>,

    /// Also call the hosts of --allowed-endpoint by plain http: credentials then cross the network in the clear.
    #[arg(long, env = "TAURUS_ALLOW_HTTP", value_name = "true|false")]
    #[arg(hide_env_values = true, default_value = "false")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub allow_http: String,

    /// Before a change, look whether the security group of the instance lets in at the new port whom it lets in at the old one.
    ///
    /// Needs two more permissions in the cloud (docs/iam.md). Where it does not: a warning, or with spec.preflight Require the change waits.
    #[arg(long, env = "TAURUS_CHECK_SECURITY_GROUPS", value_name = "true|false")]
    #[arg(hide_env_values = true, default_value = "false")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub check_security_groups: String,

    /// Address of the VPC API, where security groups are read, for resources whose spec.endpoint is not in the region table.
    ///
    /// An https address without a path, of a host of --allowed-endpoint. In regions of the table it is vpc.REGION of the same domain.
    #[arg(long, env = "TAURUS_VPC_ENDPOINT", value_name = "URL")]
    #[arg(hide_env_values = true)]
    pub vpc_endpoint: Option<String>,

    /// File with further certificate authorities for the cloud, in PEM, beside those that this machine trusts.
    ///
    /// For private clouds, and for proxies that look into https. It is read again while the operator runs.
    #[arg(long, env = "TAURUS_EXTRA_CA", value_name = "FILE")]
    #[arg(hide_env_values = true)]
    pub extra_ca: Option<String>,

    /// File with the operator's calendar: maintenance windows for resources that state none, and freezes, in which no change starts.
    ///
    /// It is read again while the operator runs. If the file is broken, the last good calendar stays in force; after a start without a good
    /// one, no change starts. See docs/windows.md.
    #[arg(long, env = "TAURUS_CALENDAR", value_name = "FILE")]
    #[arg(hide_env_values = true)]
    pub calendar: Option<String>,

    /// Networks in which proxies may lie, separated by commas: nobody is led to an address outside of them, and none is connected to.
    ///
    /// Name the subnets of your proxies: a tenant chooses the addresses of an own project in the cloud, and by default these may be some of
    /// the cluster's own.
    #[arg(long, env = "TAURUS_PROXY_NETWORKS", value_name = "CIDRS")]
    #[arg(
        hide_env_values = true,
        default_value = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"
    )]
    pub proxy_networks: String,

    /// Work only while holding a Lease, so that several replicas can run, of which one works and the others wait.
    ///
    /// With false, never run more than one process: two would change the same proxies.
    #[arg(long, env = "TAURUS_LEADER_ELECT", value_name = "true|false")]
    #[arg(hide_env_values = true, default_value = "true")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub leader_elect: String,

    /// Name of the Lease. Operators of different namespaces that keep their Leases in the same namespace need different names.
    #[arg(long, env = "TAURUS_LEASE_NAME", value_name = "NAME")]
    #[arg(hide_env_values = true, default_value = "taurus-port-operator")]
    pub lease_name: String,

    /// Namespace of the Lease; without it, the one that the pod runs in, or that of the kubeconfig's context.
    #[arg(long, env = "TAURUS_LEASE_NAMESPACE", value_name = "NAME")]
    #[arg(hide_env_values = true)]
    pub lease_namespace: Option<String>,

    /// Directory with the operator's own credentials, a file for each key, as a mounted Secret has them: for resources that
    /// name no credentials.
    ///
    /// A resource may use them only if --default-credentials-namespaces and --default-credentials-projects name its namespace and its
    /// project. Changed files are noticed. Can't be combined with --default-credentials-identity.
    #[arg(long, env = "TAURUS_DEFAULT_CREDENTIALS_DIR", value_name = "DIRECTORY")]
    #[arg(hide_env_values = true)]
    pub default_credentials_dir: Option<String>,

    /// Identity of the operator itself in place of such a directory: node-agency or pod-identity.
    ///
    /// With node-agency, the metadata service of the node gives temporary keys for the agency of the node. With pod-identity, CCE gives
    /// them for the agency that the operator's ServiceAccount is associated with. --default-credentials-namespaces and
    /// --default-credentials-projects say who may use them. Can't be combined with --default-credentials-dir.
    #[arg(
        long,
        env = "TAURUS_DEFAULT_CREDENTIALS_IDENTITY",
        value_name = "IDENTITY"
    )]
    #[arg(hide_env_values = true)]
    pub default_credentials_identity: Option<String>,

    /// Namespaces whose resources may use the default credentials: exact names, separated by commas.
    #[arg(
        long,
        env = "TAURUS_DEFAULT_CREDENTIALS_NAMESPACES",
        value_name = "NAMES"
    )]
    #[arg(hide_env_values = true, value_delimiter = ',')]
    pub default_credentials_namespaces: Vec<String>,

    /// Projects for which the default credentials may be used: exact ids, separated by commas.
    #[arg(long, env = "TAURUS_DEFAULT_CREDENTIALS_PROJECTS", value_name = "IDS")]
    #[arg(hide_env_values = true, value_delimiter = ',')]
    pub default_credentials_projects: Vec<String>,

    /// Address and port on which /livez, /readyz and /metrics are served; `[::]` is all addresses, of IPv6 and of IPv4.
    #[arg(long, env = "TAURUS_ADMIN_ADDRESS", value_name = "IP:PORT")]
    #[arg(hide_env_values = true, default_value = "[::]:8080")]
    pub admin_address: String,

    /// File with the certificate by which /metrics is served by https, in PEM, with those of its issuers after it.
    ///
    /// With it, /metrics is served on the address below alone; /livez and /readyz stay where they are, by http. The file is read again while
    /// the operator runs. If it is broken then, the last good certificate stays in use.
    #[arg(long, env = "TAURUS_METRICS_TLS_CERT", value_name = "FILE")]
    #[arg(hide_env_values = true)]
    pub metrics_tls_cert: Option<String>,

    /// File with the private key of that certificate, in PEM, without a password. It is read again as well.
    #[arg(long, env = "TAURUS_METRICS_TLS_KEY", value_name = "FILE")]
    #[arg(hide_env_values = true)]
    pub metrics_tls_key: Option<String>,

    /// Address and port on which /metrics is served by https, where there is a certificate for it.
    #[arg(long, env = "TAURUS_METRICS_TLS_ADDRESS", value_name = "IP:PORT")]
    #[arg(hide_env_values = true, default_value = "[::]:8443")]
    pub metrics_tls_address: String,

    /// How log lines look on standard error: text for people, json for collectors.
    #[arg(long, env = "TAURUS_LOG_FORMAT", value_name = "text|json")]
    #[arg(hide_env_values = true, default_value = "text")]
    pub log_format: String,

    /// What is logged: error, warn, info, debug or trace, also by part, as in info,kube=debug.
    #[arg(long, env = "TAURUS_LOG_LEVEL", value_name = "DIRECTIVES")]
    #[arg(hide_env_values = true, default_value = "info")]
    pub log_level: String,

    /// Address of an OpenTelemetry collector that traces are sent to by OTLP over HTTP, mostly at its port 4318.
    ///
    /// If absent: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` (the full URL), else `OTEL_EXPORTER_OTLP_ENDPOINT`; if both are unset, nothing is
    /// traced. The path of traces is added to all but the full URL. Headers, attributes and sampling come from that environment as well.
    #[arg(long, env = "TAURUS_OTLP_ENDPOINT", value_name = "URL")]
    #[arg(hide_env_values = true)]
    pub otlp_endpoint: Option<String>,

    /// As OpenTelemetry has it for all programs.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", hide = true)]
    #[arg(hide_env_values = true)]
    pub otel_exporter_otlp_traces_endpoint: Option<String>,

    /// As OpenTelemetry has it for all programs.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide = true)]
    #[arg(hide_env_values = true)]
    pub otel_exporter_otlp_endpoint: Option<String>,

    /// Divide the durations of the change protocol, for demonstrations; only where all allowed endpoints are loopback.
    #[arg(long, env = "TAURUS_PACE", value_name = "DIVISOR", hide = true)]
    #[arg(hide_env_values = true)]
    pub pace: Option<String>,
}

#[cfg(test)]
mod tests;
