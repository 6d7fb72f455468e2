//! The command line.
//!
//! Promises that what is wrong with a value is said together with the name of its flag.

mod options;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use secrecy::SecretString;
use taurus_sim::PortListens;

use values::{InstanceFlag, ProxyFlag, TagFlag};

const EXAMPLES: &str = "\
Examples:
  taurus-sim
      Two instances with a proxy each, an access key and a user, all of which it prints.

  taurus-sim --proxy e80a4b6f13c2457d9ab05c7712f4d3e6in07/4d1f0a77c2b94e5f8a6031d7be92c405po01=3306 \\
             --access-key KEY:SECRET --job-duration 8s
      One proxy, a key of your own, and changes that take 8 seconds.

  taurus-sim --fleet 300 --mode M1 --time stepped
      300 instances with a proxy each; time moves only by the admin API:

  taurus-sim --scenario rough-day.yaml
      Fleet, credentials, behaviour, jobs, faults and chaos out of a file.

  curl -d '{\"seconds\": 60}' http://127.0.0.1:8460/_sim/clock/advance
  curl http://127.0.0.1:8460/_sim/journal?operation=change
  curl -X PATCH -d '{\"port\": 3400}' http://127.0.0.1:8460/_sim/proxies/4d1f0a77c2b94e5f8a6031d7be92c405po01
  curl -d '{\"match\": {\"operation\": \"change\"}, \"times\": 1,
            \"effect\": {\"lose\": {\"at\": \"after_work\", \"how\": \"reset\"}}}' http://127.0.0.1:8460/_sim/faults

All calls of the admin API, and how rules and plans are written:

  curl http://127.0.0.1:8460/_sim/";

/// Simulates the cloud API of TaurusDB for database proxies and their ports, with IAM's tokens and look-ups.
///
/// Both services answer at the address that is printed first. Credentials are checked as the real ones do it. Everything
/// that it holds is invented; give it no credentials that are good for anything.
#[derive(Debug, Parser)]
#[command(name = "taurus-sim", version, after_long_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Where to listen; port 0 lets the system choose
    #[arg(
        long,
        value_name = "IP:PORT",
        default_value = "127.0.0.1:8460",
        env = "TAURUS_SIM_LISTEN"
    )]
    listen: SocketAddr,

    /// Opens the admin API to callers from other machines
    #[arg(long)]
    remote_admin: bool,

    /// A database: each proxy whose address this machine has listens there, where --port-listens says, and forwards to it. When
    /// the port moves, the old listener is closed and its connections are cut
    #[arg(long, value_name = "IP:PORT")]
    database: Option<SocketAddr>,

    /// A scenario in YAML: fleet, accounts, behaviour, jobs, maintenance, faults, chaos. Credentials of flags come on top
    #[arg(
        long,
        value_name = "FILE",
        env = "TAURUS_SIM_SCENARIO",
        conflicts_with_all = [
            "time", "mode", "project", "instance", "tag", "proxy", "fleet", "job_duration", "job_visible_after",
            "port_listens", "token_lifetime", "same_port", "task_offset", "refuse_task_offset_0", "accept_33060", "calls_per_minute", "chaos", "seed",
        ]
    )]
    scenario: Option<PathBuf>,

    /// Who moves time
    #[arg(long, value_enum, default_value_t = TimeFlag::Automatic)]
    time: TimeFlag,

    /// What is seen of a running change: M1 another status, M2 nothing, M3 nothing and a second change is accepted, M4
    /// the new port at once
    #[arg(long, value_enum, ignore_case = true, default_value_t = ModeFlag::M2)]
    mode: ModeFlag,

    /// A project, 32 letters or digits; may be repeated. Without one, or for what names none, there is a sample project
    #[arg(long, value_name = "ID")]
    project: Vec<String>,

    /// An instance, in the first project unless it names another one; may be repeated
    #[arg(long, value_name = "[PROJECT/]ID")]
    instance: Vec<InstanceFlag>,

    /// A tag of an instance that --instance names; may be repeated
    #[arg(long, value_name = "INSTANCE/KEY=VALUE")]
    tag: Vec<TagFlag>,

    /// A proxy with its port; may be repeated. An instance that no --instance names is made in the first project
    #[arg(long, value_name = "INSTANCE/PROXY=PORT")]
    proxy: Vec<ProxyFlag>,

    /// This many more instances with a proxy each, in the first project, with ids counted from 0
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    fleet: usize,

    /// An access key; may be repeated. With SECURITY-TOKEN a temporary one
    #[arg(
        long,
        value_name = "AK:SK[:SECURITY-TOKEN]",
        env = "TAURUS_SIM_ACCESS_KEY",
        hide_env_values = true
    )]
    access_key: Vec<SecretString>,

    /// A user of an account; may be repeated
    #[arg(
        long,
        value_name = "DOMAIN/NAME:PASSWORD",
        env = "TAURUS_SIM_USER",
        hide_env_values = true
    )]
    user: Vec<SecretString>,

    /// A token that is good for every project until it is revoked; may be repeated
    #[arg(
        long,
        value_name = "TEXT",
        env = "TAURUS_SIM_TOKEN",
        hide_env_values = true
    )]
    token: Vec<SecretString>,

    /// An ID token for which this identity provider's user is let in; may be repeated
    #[arg(
        long,
        value_name = "PROVIDER:TEXT",
        env = "TAURUS_SIM_ID_TOKEN",
        hide_env_values = true
    )]
    id_token: Vec<SecretString>,

    /// Gives the machine whose metadata is asked for an agency
    #[arg(long)]
    machine_agency: bool,

    /// How long a job runs
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = values::duration)]
    job_duration: Duration,

    /// How long a new job can't be queried
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = values::duration)]
    job_visible_after: Duration,

    /// Where clients reach a proxy while a job changes its port: `at-end`, at the old port until the job ends; `before=TIME`, at the
    /// new port from so long before its end; `down=TIME`, nowhere from when it begins to work until so long after its end
    #[arg(long, value_name = "WHEN", default_value = "at-end", value_parser = values::port_listens)]
    port_listens: PortListens,

    /// How long a new token is good for
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = values::duration)]
    token_lifetime: Duration,

    /// What `job_id` is in the answer to a change that changes nothing
    #[arg(long, value_enum, default_value_t = SamePortFlag::Null)]
    same_port: SamePortFlag,

    /// What `offset` of the task list counts
    #[arg(long, value_enum, default_value_t = TaskOffsetFlag::Pages)]
    task_offset: TaskOffsetFlag,

    /// Refuses `offset=0` of the task list
    #[arg(long)]
    refuse_task_offset_0: bool,

    /// Takes port 33060, which the API reference doesn't reserve and the user guide does
    #[arg(long)]
    accept_33060: bool,

    /// How many calls of an account the gateway lets through in a minute; without it, all
    #[arg(long, value_name = "NUMBER")]
    calls_per_minute: Option<u32>,

    /// Lets a bit of everything go wrong by chance, out of this seed: late, lost and cut answers, errors, throttling
    #[arg(long, value_name = "SEED")]
    chaos: Option<u64>,

    /// What ids and tokens are made from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TimeFlag {
    Automatic,
    Stepped,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "verbatim")]
enum ModeFlag {
    M1,
    M2,
    M3,
    M4,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SamePortFlag {
    Null,
    Absent,
    Empty,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TaskOffsetFlag {
    Pages,
    ItemsFromZero,
    ItemsFromOne,
}
