//! What to measure; all of it can be set by the environment, as `make bench` does.

use std::path::PathBuf;

use clap::Parser;

/// What an operator costs at scale.
#[derive(Debug, Parser)]
pub struct Settings {
    /// How many resources; several numbers are measured one after the other
    #[arg(long, env, value_delimiter = ',', default_value = "1000,10000")]
    pub resources: Vec<usize>,
    /// How many proxies an instance has
    #[arg(long, env, default_value_t = 1)]
    pub per_instance: usize,
    /// How many namespaces, each with a credential and a project of its own
    #[arg(long, env, default_value_t = 8)]
    pub credentials: usize,
    /// How many resources our operator works on at once
    #[arg(long, env, default_value_t = 64)]
    pub concurrency: u16,
    /// How many resources are edited one after the other
    #[arg(long, env, default_value_t = 50)]
    pub edits: usize,
    /// How long a change takes in the cloud, in seconds
    #[arg(long, env, default_value_t = 5)]
    pub job: u64,
    /// How late the cloud answers, in milliseconds
    #[arg(long, env, default_value_t = 0)]
    pub latency: u64,
    /// How long an operator that has nothing to do is watched, in seconds
    #[arg(long, env, default_value_t = 60)]
    pub idle: u64,
    /// How often all resources are looked at where that is measured, in seconds
    #[arg(long, env, default_value_t = 30)]
    pub sweep: u64,
    /// Our operator; without it, the one that was built beside this program
    #[arg(long, env)]
    pub operator: Option<PathBuf>,
    /// Command line of another operator to measure as well; `{resync}` and `{cloud}` in it are replaced
    #[arg(long, env)]
    pub baseline: Option<String>,
    /// File with the definition that the other operator needs, if not ours
    #[arg(long, env)]
    pub baseline_crd: Option<PathBuf>,
    /// Address at which the other operator answers 200 once it is ready
    #[arg(long, env)]
    pub baseline_ready: Option<String>,
}
