//! A process and what it costs, as `/proc` tells.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::process::{Child, Command};

use crate::Result;

/// The unit of processor times in `/proc`, the same on every Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// How long an operator may take until it is ready, and until it has ended.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running operator; the kernel ends it when this process ends, however that is.
pub struct Process {
    child: Child,
    id: u32,
    started: Instant,
}

/// Memory of a process, in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub resident: f64,
    /// The part of it that is no file: heap and stacks.
    pub anonymous: f64,
    pub peak: f64,
}

impl Process {
    /// Starts it; what it says goes to a file of this name in the folder of the kubeconfig.
    pub fn start(command: &[String], kubeconfig: &std::path::Path, log: &str) -> Result<Self> {
        let log = fs::File::create(kubeconfig.with_file_name(log))?;
        let started = Instant::now();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .args(command)
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().ok_or("the operator ended at once")?;
        Ok(Self { child, id, started })
    }

    /// Waits until it says that it is ready; gives how long that took from its start.
    pub async fn until_ready(&mut self, address: &str) -> Result<Duration> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        while self.started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the operator ended with {status}").into());
            }
            let answer = http.get(address).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(self.started.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(format!("the operator was not ready within {} s", PATIENCE.as_secs()).into())
    }

    /// What it has in memory.
    pub fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let mebibytes = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            Ok(number.ok_or("no memory in /proc")?.parse::<f64>()? / 1024.0)
        };
        Ok(Memory {
            resident: mebibytes("VmRSS:")?,
            anonymous: mebibytes("RssAnon:")?,
            peak: mebibytes("VmHWM:")?,
        })
    }

    /// Processor time that it has used, in seconds.
    pub fn processor(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        // The name before may hold anything; user and system time are the 12th and 13th field after it.
        let (_, fields) = stat.rsplit_once(')').ok_or("no times in /proc")?;
        let times = fields.split_whitespace().skip(11).take(2);
        let ticks: f64 = times.map(|ticks| ticks.parse::<f64>().unwrap_or(0.0)).sum();
        Ok(ticks / TICKS_A_SECOND)
    }

    /// Ends it as the kubelet does.
    pub async fn end(mut self) -> Result<()> {
        let id = self.id.to_string();
        Command::new("kill")
            .args(["-s", "TERM", &id])
            .status()
            .await?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        Ok(())
    }
}
