//! The operator as its program, with the command line and the signals that a pod would give it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{DIVISOR, PATIENCE, World, plane};

const PROGRAM: &str = env!("CARGO_BIN_EXE_taurus-port-operator");

/// Puts the files of a service account (`$1`) where pods find them, in a file system of its own, and becomes the program.
const IN_POD: &str = "mount -t tmpfs none /var/run
    mkdir -p /var/run/secrets/kubernetes.io
    cp -r \"$1\" /var/run/secrets/kubernetes.io/serviceaccount
    shift
    exec \"$@\"";

/// A running program; it is killed with its story.
pub struct Program {
    child: Child,
    folder: TempDir,
}

impl Program {
    /// Starts it for a story's namespace, and waits until it is ready.
    pub async fn start(world: &World) -> Self {
        Self::start_with(world, &[], &[]).await
    }

    /// As [`Self::start`], with durations that are divided by less: a call may then take as long as a story needs.
    pub async fn start_slow(world: &World, divisor: u32) -> Self {
        let pace = divisor.to_string();
        Self::start_with(world, &[("TAURUS_PACE", &pace)], &[]).await
    }

    /// As [`Self::start`], with more of the environment and more flags.
    pub async fn start_with(world: &World, environment: &[(&str, &str)], flags: &[&str]) -> Self {
        let program = Self::begin(world, environment, flags).await;
        program.until_answer("/readyz", 200).await;
        program
    }

    /// As [`Self::start_with`], without waiting for anything.
    pub async fn begin(world: &World, environment: &[(&str, &str)], flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, plane::operator_kubeconfig(world.plane).await).unwrap();
        let mut command = command(PROGRAM);
        command
            .env("KUBECONFIG", &kubeconfig)
            .envs(environment.iter().copied());
        Self::spawn(world, folder, command, flags).await
    }

    /// As in a pod: the cluster is that of the environment, and the files of `account` stand where pods find those of their
    /// service account. Relies on `unshare`, for a file system of its own.
    pub async fn begin_in_pod(world: &World, environment: &[(&str, &str)], account: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command("unshare");
        command
            .args(["--map-root-user", "--mount", "sh", "-ec", IN_POD, "sh"])
            .args([account, Path::new(PROGRAM)])
            .env_remove("KUBECONFIG")
            .env("HOME", folder.path())
            .envs(environment.iter().copied());
        Self::spawn(world, folder, command, &[]).await
    }

    async fn spawn(world: &World, folder: TempDir, mut command: Command, flags: &[&str]) -> Self {
        plane::allow_leases(world.plane, &world.namespace).await;
        let endpoint = world.sim.address().to_string();
        let child = command
            .args([
                "run",
                "--namespace",
                &world.namespace,
                "--log-format",
                "json",
            ])
            .args(["--allow-http", "--allowed-endpoint", &endpoint])
            .args(["--resync", "2s"])
            .args(["--admin-address", "127.0.0.1:0"])
            .args(["--lease-namespace", &world.namespace])
            .args(flags)
            .stdin(Stdio::null())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The lines of its log that a user sees who has not asked for more, in JSON.
    pub fn lines(&self) -> Vec<Value> {
        let log = self.log();
        // The last one may be half written.
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &Value| line["level"] != "DEBUG")
            .collect()
    }

    /// Waits until a path of the admin server answers with this status; gives the body.
    pub async fn until_answer(&self, path: &str, status: u16) -> String {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let asking = async {
            loop {
                let admin = self.admin().unwrap_or_default();
                if let Ok(answer) = http.get(format!("http://{admin}{path}")).send().await
                    && answer.status().as_u16() == status
                {
                    return answer.text().await.unwrap();
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, asking).await;
        in_time.unwrap_or_else(|_| panic!("{path} is not {status}; the log:\n{}", self.log()))
    }

    /// Where its admin server listens: the system chose the port, and the first line of the log tells it.
    fn admin(&self) -> Option<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains(r#""admin":"#))?;
        let line: Value = serde_json::from_str(line).ok()?;
        line["admin"].as_str().map(str::to_owned)
    }

    /// Sends a signal.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Ends it as a crash does: between any two steps.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends").unwrap()
    }

    /// The most memory that it has had so far, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        number.unwrap().parse().unwrap()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        let path: PathBuf = self.folder.path().join("log");
        std::fs::read_to_string(path).unwrap_or_default()
    }
}

/// A command with the environment that programs of stories have, for more to be added.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("TAURUS_LOG_LEVEL", "debug")
        .env("TAURUS_PACE", DIVISOR.to_string());
    command
}
