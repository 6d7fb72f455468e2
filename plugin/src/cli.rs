//! The command line. `docs/plugin.md` is made from it.

use std::{path::PathBuf, time::Duration};

use clap::{
    Args, Command, CommandFactory as _, Error, Parser, Subcommand, ValueEnum,
    builder::RangedI64ValueParser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use jiff::SignedDuration;
use taurus_port_operator::{cloud::budget::CallLimit, crd::GROUP, version};

/// The version of the API, as it may stand in the name of a kind.
const VERSION: &str = "v1alpha1";

/// Import, check, plan and watch the ports of TaurusDB database proxies.
#[derive(Debug, Parser)]
#[command(name = "kubectl taurus-port", bin_name = "kubectl taurus-port")]
#[command(version = version::line(), about)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Which cluster, which namespace, and how the output looks.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Namespace; without it, that of the kubeconfig's context.
    #[arg(short, long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// All namespaces.
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Context of the kubeconfig.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Cluster of the kubeconfig, in place of the context's.
    #[arg(long, global = true, value_name = "NAME")]
    pub cluster: Option<String>,
    /// User of the kubeconfig, in place of the context's.
    #[arg(long, global = true, value_name = "NAME")]
    pub user: Option<String>,
    /// User that the requests are made for (impersonation).
    #[arg(long = "as", global = true, value_name = "NAME")]
    pub impersonate: Option<String>,
    /// The kubeconfig; without it, those of KUBECONFIG, or ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// How the output looks; without it a table for people, or of `import` the manifests as YAML.
    #[arg(short, long, global = true, value_name = "FORMAT")]
    pub output: Option<Format>,
}

/// How the output looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON, for programs.
    Json,
    /// The same as YAML.
    Yaml,
    /// The names alone, as kubectl takes them.
    Name,
    /// The table with more columns, none of them cut.
    Wide,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the fleet, what is not settled first, or all about one resource.
    Status(StatusArguments),
    /// Forecast what the operator would change and what that touches; 2 is the exit code where something would change.
    ///
    /// The forecast has no id: to see the plan to approve, use `status NAME` or `approve`.
    Plan(PlanArguments),
    /// Show the last ten changes of a resource, the newest first.
    History(HistoryArguments),
    /// Approve the plan that waits, where `spec.approval` is Manual; for this plan, and once.
    Approve(ApprovalArguments),
    /// Let the plan that waits start outside its maintenance windows, once; not in a freeze.
    ApplyNow(ApprovalArguments),
    /// Look now, and end once what only a person may end: `JobFailed`, `VerificationFailed`, `AttemptsVoid`, `DriftContested`.
    Retry(RetryArguments),
    /// Start no further change; a running one is followed to its end.
    Suspend(Switch),
    /// Let changes start again.
    Resume(Switch),
    /// Wait no longer for a job that is dead in the cloud and blocks its instance.
    AbandonJob(AbandonArguments),
    /// Check manifests without a cluster: the definition's own schema and rules, and two resources for one proxy.
    Lint(LintArguments),
    /// Print manifests for proxies that exist, in the cloud or in a Terraform state; applying them changes nothing.
    Import(Box<ImportArguments>),
    /// Print the completions of a shell for `kubectl-taurus_port`.
    Completion(CompletionArguments),
}

/// What is shown.
#[derive(Debug, Clone, Default, Args)]
pub struct StatusArguments {
    /// The resource; without it, the fleet.
    #[arg(value_parser = resource)]
    pub name: Option<String>,
    /// Show it again whenever something changes, until the command is interrupted; of the
    /// formats it takes name and wide.
    #[arg(short, long)]
    pub watch: bool,
    /// List those that are in order as well, however many there are.
    #[arg(long)]
    pub all: bool,
    /// Only resources with these labels.
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "name")]
    pub selector: Option<String>,
    /// Namespace that the operator runs in, to tell its release and leader.
    #[arg(long, value_name = "NAME", default_value = "taurus-system")]
    pub operator_namespace: String,
}

/// What is planned.
#[derive(Debug, Clone, Default, Args)]
pub struct PlanArguments {
    /// The resources as they stand; without names, all of the namespace, or with -A of all namespaces.
    #[arg(value_name = "NAME", conflicts_with = "files", value_parser = resource)]
    pub names: Vec<String>,
    /// Manifests that are not applied yet: files, folders, or `-` for standard input.
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The operator's calendar, to tell when a change may start; without it, only the windows of the resources count.
    #[arg(long, value_name = "FILE")]
    pub calendar: Option<PathBuf>,
    /// Oldest look at a proxy that counts for a new spec, such as `10m`; with none that the status shows, it is not known what changes.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub max_age: Option<Duration>,
}

/// Whose history.
#[derive(Debug, Clone, Default, Args)]
pub struct HistoryArguments {
    /// The resource.
    #[arg(value_parser = resource)]
    pub name: String,
}

/// Which plan.
#[derive(Debug, Clone, Default, Args)]
pub struct ApprovalArguments {
    /// The resource.
    #[arg(value_parser = resource)]
    pub name: String,
    /// The id of the plan; refused if another one is in force. Without it, the plan that is shown.
    pub plan: Option<String>,
    /// Let the API server judge it, and change nothing.
    #[arg(long, value_name = "HOW")]
    pub dry_run: Option<DryRun>,
    /// Set the annotation also where another tool, such as one for Git, has set it; that tool may set it back.
    #[arg(long)]
    pub force_conflicts: bool,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// Who judges what is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// The API server.
    Server,
}

/// The resources that a verb is for.
#[derive(Debug, Clone, Default, Args)]
pub struct Targets {
    /// The resources.
    #[arg(value_name = "NAME", required_unless_present = "all", value_parser = resource)]
    pub names: Vec<String>,
    /// All resources of the namespace, or with -A of all namespaces.
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// The resources that are looked at now.
#[derive(Debug, Clone, Default, Args)]
pub struct RetryArguments {
    /// The resources.
    #[command(flatten)]
    pub targets: Targets,
    /// Set the annotation also where another tool, such as one for Git, has set it; that tool may set it back.
    #[arg(long)]
    pub force_conflicts: bool,
    /// Wait until the operator has looked, at most so long, such as `10m`; 1 is the exit code where it has not.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub wait: Option<Duration>,
}

/// The resources that are suspended or resumed.
#[derive(Debug, Clone, Default, Args)]
pub struct Switch {
    /// The resources.
    #[command(flatten)]
    pub targets: Targets,
    /// Set the field also where another tool, such as one for Git, has set it; that tool may set it back.
    #[arg(long)]
    pub force_conflicts: bool,
}

/// Which job.
#[derive(Debug, Clone, Default, Args)]
pub struct AbandonArguments {
    /// The resource.
    #[arg(value_parser = resource)]
    pub name: String,
    /// The job, where it is not that of the resource's own change, such as one that `ProxyBusy` names.
    #[arg(long, value_name = "ID")]
    pub job: Option<String>,
    /// Take the annotation away again, once the job has left the cloud's task list.
    #[arg(long, conflicts_with = "job")]
    pub remove: bool,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Set or remove the annotation also where another tool, such as one for Git, has set it; that tool may set it back.
    #[arg(long)]
    pub force_conflicts: bool,
}

/// Whose completions.
#[derive(Debug, Clone, Args)]
pub struct CompletionArguments {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// What is imported.
#[derive(Debug, Clone, Default, Args)]
pub struct ImportArguments {
    /// Project whose proxies are read; may be given more than once.
    #[arg(long = "project", value_name = "ID", required = true)]
    pub projects: Vec<String>,
    /// Instance whose proxies are read; without it, all of the project. May be given more than once.
    #[arg(long = "instance", value_name = "ID")]
    pub instances: Vec<String>,
    /// Only instances with this tag; may be given more than once, and then all of them count.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag, conflicts_with_all = ["instances", "from_tfstate"])]
    pub tags: Vec<(String, String)>,
    /// Region of the projects.
    #[arg(long, value_name = "ID")]
    pub region: Option<String>,
    /// Address of the TaurusDB API in place of the region's, for private clouds.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Address of the IAM API in place of the region's.
    #[arg(long, value_name = "URL")]
    pub iam_endpoint: Option<String>,
    /// Also call these addresses by plain http: credentials then cross the network in the clear.
    #[arg(long)]
    pub allow_http: bool,
    /// File with further certificate authorities for the cloud, in PEM.
    #[arg(long, value_name = "FILE")]
    pub extra_ca: Option<String>,
    /// Secret of the namespace to read the cloud with; without it, the environment, as Terraform's provider reads it.
    #[arg(long, value_name = "NAME")]
    pub secret: Option<String>,
    /// Secret that the manifests name; without it, that of --secret, or none.
    #[arg(long, value_name = "NAME")]
    pub credentials_ref: Option<String>,
    /// Read a Terraform state, or what `terraform show -json` prints, in place of the cloud.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["instances", "resume"])]
    pub from_tfstate: Option<PathBuf>,
    /// Write a file for each manifest and a kustomization into this folder; a file that differs is kept.
    #[arg(long, value_name = "FOLDER")]
    pub split: Option<PathBuf>,
    /// Keep in this file how far it came, and go on there if it exists.
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// How many calls a minute may be made, at least 10; an operator with the same key has its own count.
    #[arg(long, value_name = "COUNT", default_value_t = 60, value_parser = calls())]
    pub calls_per_minute: u32,
    /// Ask no cluster which proxies are managed already.
    #[arg(long)]
    pub no_cluster: bool,
}

/// A fault of the command line, with the place of a flag that is some command's own and was given elsewhere, such as before it.
pub fn with_hint(mut error: Error) -> Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let name = flag.trim_start_matches('-').to_owned();
    let shown = format!(
        "{}{name}",
        if name.chars().count() == 1 { "-" } else { "--" }
    );
    let command = Cli::command();
    let takes = |verb: &&Command| {
        verb.get_arguments().any(|argument| {
            let short = argument.get_short().map(String::from);
            argument.get_long() == Some(&name) || short.as_deref() == Some(&name)
        })
    };
    let verbs = command.get_subcommands().filter(takes);
    let verbs: Vec<&str> = verbs.map(Command::get_name).collect();
    if error.kind() == ErrorKind::UnknownArgument && !verbs.is_empty() {
        let tip = format!(
            "{shown} is a flag of {}: give it after that word",
            verbs.join(", ")
        );
        let tip = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tip);
    }
    error
}

/// How many calls a minute can be kept to.
fn calls() -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(i64::from(CallLimit::LEAST)..)
}

/// The name of a resource, alone or as `-o name` and kubectl have it.
fn resource(text: &str) -> Result<String, String> {
    let (kind, name) = text.rsplit_once('/').unwrap_or(("", text));
    let (word, rest) = kind.split_once('.').unwrap_or((kind, ""));
    let group = rest
        .strip_prefix(VERSION)
        .map_or(rest, |rest| rest.trim_start_matches('.'));
    let is_ours = matches!(
        word.to_ascii_lowercase().as_str(),
        "" | "taurusproxyport" | "taurusproxyports" | "tpp"
    ) && (group.is_empty() || group == GROUP);
    if (kind.is_empty() && text.contains('/')) || !is_ours || name.is_empty() {
        return Err(
            "it is no name of a TaurusProxyPort; `lint` and `plan -f` take files".to_owned(),
        );
    }
    Ok(name.to_owned())
}

/// A span of time with its unit, such as `90s` or `1h30m`.
fn span(text: &str) -> Result<Duration, String> {
    let span: Result<SignedDuration, jiff::Error> = text.parse();
    let span = span.map_err(|error| error.to_string())?;
    Duration::try_from(span).map_err(|_| "a span of time can't be negative".to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a tag is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What is checked.
#[derive(Debug, Clone, Default, Args)]
pub struct LintArguments {
    /// Files, folders with all that is below them, or `-` for standard input; the report has
    /// no format but json and yaml.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_before_its_command_is_refused_with_its_place() {
        let refused = |words: &[&str]| {
            let words = ["kubectl taurus-port"].iter().chain(words);
            let error = Cli::try_parse_from(words).map_err(with_hint).unwrap_err();
            error.to_string()
        };
        let text = refused(&["--watch", "status"]);
        assert!(
            text.contains("--watch is a flag of status: give it after that word"),
            "{text}"
        );
        let text = refused(&["-f", "ports", "plan"]);
        assert!(text.contains("-f is a flag of plan: "), "{text}");
        assert!(!refused(&["--moon", "status"]).contains("is a flag of"));
    }

    #[test]
    fn fewer_calls_than_can_be_kept_to_are_refused_and_not_raised() {
        let parsed = |calls: &str| {
            let words = ["x", "import", "--project", "p", "--calls-per-minute", calls];
            Cli::try_parse_from(words).map_err(|error| error.to_string())
        };
        assert!(parsed("10").is_ok());
        let refused = parsed("9").unwrap_err();
        assert!(refused.contains("--calls-per-minute"), "{refused}");
    }

    #[test]
    fn a_span_of_time_has_a_unit() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("1h30m"), Ok(Duration::from_mins(90)));
        for text in ["", "10", "-1m", "soon"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_taken_as_they_are_printed_and_others_are_refused() {
        for text in [
            "orders",
            "tpp/orders",
            "taurusproxyport/orders",
            "TaurusProxyPorts/orders",
            "taurusproxyport.taurusdb.huaweicloud.com/orders",
            "taurusproxyports.v1alpha1.taurusdb.huaweicloud.com/orders",
        ] {
            assert_eq!(resource(text).as_deref(), Ok("orders"), "{text}");
        }
        assert_eq!(resource("orders.yaml").as_deref(), Ok("orders.yaml"));
        for text in [
            "",
            "orders/status",
            "pod/orders",
            "tpp/orders/status",
            "tpp/",
            "/orders",
            "tpp.apps/orders",
        ] {
            assert!(resource(text).is_err(), "{text}");
        }
        let words = ["kubectl taurus-port", "status", "orders", "-l", "a=b"];
        let refused = Cli::try_parse_from(words).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ArgumentConflict);
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
