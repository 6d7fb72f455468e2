//! The simulator and the operator as programs of their own, which end when this one does.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{PATIENCE, Result};

/// The simulator.
pub struct Simulator {
    child: Child,
    url: String,
    http: reqwest::Client,
}

/// What the simulator tells of itself.
#[derive(Debug, Clone)]
pub struct Cloud {
    url: String,
    http: reqwest::Client,
}

/// The operator.
pub struct Operator {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Simulator {
    pub async fn start() -> Result<Self> {
        let arguments = [
            "--listen",
            "127.0.0.1:0",
            "--job-duration",
            "6s",
            "--job-visible-after",
            "1s",
        ];
        let mut child = program("taurus-sim")?
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("the simulator has no output")?;
        let mut lines = BufReader::new(output).lines();
        let first = timeout(PATIENCE, lines.next_line())
            .await??
            .unwrap_or_default();
        let url = first
            .strip_prefix("taurus-sim listening on ")
            .ok_or("the simulator did not start")?;
        let url = url.to_owned();
        // What it prints later has to go somewhere.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()?;
        Ok(Self { child, url, http })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes a port as if somebody had done so in the console.
    pub async fn set_port(&self, proxy: &str, port: u16) -> Result<()> {
        let url = format!("{}/_sim/proxies/{proxy}", self.url);
        let answer = self
            .http
            .patch(url)
            .json(&json!({"port": port}))
            .send()
            .await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// How often a change of the proxy's port was asked for.
    pub async fn changes(&self, proxy: &str) -> Result<usize> {
        let url = format!("{}/_sim/journal?operation=change&proxy={proxy}", self.url);
        let journal: Value = self
            .http
            .get(url)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let entries = journal.get("entries").and_then(Value::as_array);
        Ok(entries.ok_or("the journal has no entries")?.len())
    }

    /// For those who look at it on their own.
    pub fn cloud(&self) -> Cloud {
        Cloud {
            url: self.url.clone(),
            http: self.http.clone(),
        }
    }

    pub async fn end(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

impl Cloud {
    /// Where clients reach the proxy; nothing while it listens nowhere.
    pub async fn listening_port(&self, proxy: &str) -> reqwest::Result<Option<u16>> {
        let url = format!("{}/_sim/state", self.url);
        let answer = self.http.get(url).send().await?.error_for_status()?;
        let state: Value = answer.json().await?;
        let list = |value: &Value, name: &str| -> Vec<Value> {
            let list = value.get(name).and_then(Value::as_array);
            list.cloned().unwrap_or_default()
        };
        let instances = list(&state, "instances");
        let mut proxies = instances.iter().flat_map(|one| list(one, "proxies"));
        let found = proxies.find(|one| one.get("id").and_then(Value::as_str) == Some(proxy));
        let port = found.and_then(|one| one.get("listening_port")?.as_u64());
        Ok(port.and_then(|port| u16::try_from(port).ok()))
    }
}

impl Operator {
    /// Starts it and waits until it is ready.
    pub async fn start(kubeconfig: &Path, cloud: &str) -> Result<Self> {
        let admin = free_address()?;
        let log = kubeconfig.with_file_name("operator.log");
        let endpoint = cloud.trim_start_matches("http://");
        let child = program("taurus-port-operator")?
            .env("KUBECONFIG", kubeconfig)
            .args(["run", "--allow-http", "--allowed-endpoint", endpoint])
            .args(["--pace", "20", "--resync", "5s", "--admin-address", &admin])
            .args(["--lease-namespace", "taurus-system"])
            .stderr(File::create(&log)?)
            .spawn()?;
        let operator = Self {
            child,
            url: format!("http://{admin}"),
            log,
        };
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()?;
        let readiness = format!("{}/readyz", operator.url);
        let becoming_ready = async {
            loop {
                let answer = http.get(&readiness).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if timeout(PATIENCE, becoming_ready).await.is_err() {
            let said = std::fs::read_to_string(&operator.log)?;
            return Err(format!("the operator did not become ready; it said:\n{said}").into());
        }
        Ok(operator)
    }

    /// Address of its admin server.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Ends it as the kubelet does, and expects it to end in order.
    pub async fn end(mut self) -> Result<()> {
        if let Some(id) = self.child.id() {
            Command::new("kill")
                .args(["-s", "TERM", &id.to_string()])
                .status()
                .await?;
        }
        let status = self.child.wait().await?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the operator ended with {status}").into())
        }
    }
}

/// One of the programs that were built beside this one. The kernel ends it when this process ends, however that is.
fn program(name: &str) -> Result<Command> {
    let here = std::env::current_exe()?;
    let built = here
        .parent()
        .and_then(Path::parent)
        .ok_or("this program lies nowhere")?;
    let path = built.join(name);
    if !path.is_file() {
        return Err(format!("{} is missing: use `make demo`", path.display()).into());
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "TERM"])
        .arg(path)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// An address that nobody listens at, for a program that wants to be told one.
fn free_address() -> Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}
