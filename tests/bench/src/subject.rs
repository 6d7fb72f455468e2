//! An operator that is measured: its command line and what it needs.

use std::{net::TcpListener, path::PathBuf, time::Duration};

use crate::{Result, settings::Settings};

/// Nothing shall wait for a limit: what is measured is the operator.
const RAISED: [&str; 11] = [
    "run",
    "--allow-http",
    "--calls-per-minute",
    "1000000",
    "--max-concurrent-changes",
    "10000",
    "--max-changes-per-hour",
    "10000",
    "--halt-after-failures",
    "1000",
    "--log-level=warn",
];

/// An operator.
pub struct Subject {
    pub name: &'static str,
    command: Vec<String>,
    /// What makes its waits shorter where only its work counts.
    hasten: Vec<String>,
    pub definition: PathBuf,
    /// Where it says that it is ready.
    pub ready: Option<String>,
}

impl Subject {
    /// Ours, and the one that is given.
    pub fn all(settings: &Settings) -> Result<Vec<Self>> {
        let mut all = vec![Self::ours(settings)?];
        if let Some(command) = &settings.baseline {
            let definition = settings.baseline_crd.clone();
            all.push(Self {
                name: "baseline",
                command: command.split_whitespace().map(str::to_owned).collect(),
                hasten: Vec::new(),
                definition: definition.unwrap_or_else(definition_of_ours),
                ready: settings.baseline_ready.clone(),
            });
        }
        Ok(all)
    }

    fn ours(settings: &Settings) -> Result<Self> {
        let operator = match &settings.operator {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("taurus-port-operator"),
        };
        if !operator.is_file() {
            let missing = operator.display();
            return Err(format!("{missing} is missing: use `make bench`").into());
        }
        let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = vec![operator.display().to_string()];
        command.extend(RAISED.map(str::to_owned));
        command.extend(["--resync={resync}", "--allowed-endpoint={cloud}"].map(str::to_owned));
        command.push(format!("--admin-address={admin}"));
        command.push(format!("--concurrency={}", settings.concurrency));
        Ok(Self {
            name: "taurus-port-operator",
            command,
            hasten: vec!["--pace=10".to_owned()],
            definition: definition_of_ours(),
            ready: Some(format!("http://{admin}/readyz")),
        })
    }

    /// Its program.
    pub fn program(&self) -> Result<&str> {
        let program = self.command.first();
        Ok(program.ok_or("the command line is empty")?)
    }

    /// Its command line for a cloud at this `host:port`.
    pub fn command(&self, resync: Duration, cloud: &str) -> Vec<String> {
        let resync = format!("{}s", resync.as_secs());
        let fill = |word: &String| word.replace("{resync}", &resync).replace("{cloud}", cloud);
        self.command.iter().map(fill).collect()
    }

    /// The same where resources shall be settled soon, and nothing is measured.
    pub fn hasty_command(&self, resync: Duration, cloud: &str) -> Vec<String> {
        let mut command = self.command(resync, cloud);
        command.extend(self.hasten.iter().cloned());
        command
    }
}

fn definition_of_ours() -> PathBuf {
    let here = env!("CARGO_MANIFEST_DIR");
    format!("{here}/../../crds/taurusproxyports.taurusdb.huaweicloud.com.yaml").into()
}
