//! The operator as its program, with the command line and the signals that a pod would give it.

use std::{
    fs::{self, File},
    io::{PipeReader, Read as _, Seek as _, SeekFrom, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{DIVISOR, PATIENCE, World, plane};

/// Limits that no story meets that is about something else; flags go before them.
const LIMITS: [(&str, &str); 3] = [
    ("TAURUS_CALLS_PER_MINUTE", "1000000"),
    ("TAURUS_MAX_CONCURRENT_CHANGES", "1000"),
    ("TAURUS_MAX_CHANGES_PER_HOUR", "10000"),
];

/// The line that names the admin server is among the first ones, which are not longer than this, in bytes.
const FIRST_LINES: u64 = 64 * 1024;

/// What the kernel keeps of a pipe that nobody reads, in bytes.
const PIPE: usize = 64 * 1024;

/// What a process needs at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident memory, in KiB.
    pub resident: u64,
    /// The most that the process has had of it.
    pub peak: u64,
    /// Open file descriptors.
    pub files: u64,
}

impl Memory {
    /// Of a process by its id; none if it has ended.
    pub fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
        Some(Self {
            resident: number("VmRSS:")?,
            peak: number("VmHWM:")?,
            files: files.try_into().ok()?,
        })
    }
}

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
    log: PathBuf,
    /// Where its admin server listens, if the log does not tell.
    admin: Option<String>,
    /// Where its own lines begin in the log.
    begins: u64,
    /// What goes with it.
    _folder: Option<TempDir>,
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
        fs::write(&kubeconfig, plane::operator_kubeconfig(&world.plane).await).unwrap();
        let mut command = command(PROGRAM);
        command
            .env("KUBECONFIG", &kubeconfig)
            .envs(environment.iter().copied());
        Self::for_story(world, folder, command, flags).await
    }

    /// Starts it with a standard error that is a full pipe: nobody reads it before the story does.
    pub async fn start_unread(world: &World) -> (Self, PipeReader) {
        let (reader, mut writer) = std::io::pipe().unwrap();
        // As much as the kernel keeps of a pipe: one byte more would wait for a reader.
        writer.write_all(&vec![b'\n'; PIPE]).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = free.local_addr().unwrap().to_string();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, plane::operator_kubeconfig(&world.plane).await).unwrap();
        plane::allow_leases(&world.plane, &world.namespace).await;
        let namespace = world.namespace.as_str();
        let child = command(PROGRAM)
            .env("KUBECONFIG", &kubeconfig)
            .args(["run", "--namespace", namespace])
            .args(["--lease-namespace", namespace])
            .args(["--resync", "2s", "--allow-http"])
            .args(["--allowed-endpoint", &world.sim.address().to_string()])
            .args(["--admin-address", &admin])
            .stdin(Stdio::null())
            .stderr(writer)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let program = Self {
            child,
            log: folder.path().join("log"),
            admin: Some(admin),
            begins: 0,
            _folder: Some(folder),
        };
        program.until_answer("/readyz", 200).await;
        (program, reader)
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
        Self::for_story(world, folder, command, &[]).await
    }

    /// As [`Self::begin`], where a command (made by [`command`]) becomes the program.
    pub async fn begin_as(world: &World, command: Command, flags: &[&str]) -> Self {
        Self::for_story(world, tempfile::tempdir().unwrap(), command, flags).await
    }

    /// Starts it for a cloud at this address, with nothing given that a story would want: what it logs is added to a file.
    pub fn launch(
        endpoint: &str,
        log: &Path,
        environment: &[(&str, &str)],
        flags: &[&str],
    ) -> Self {
        let mut command = Command::new(PROGRAM);
        command.envs(environment.iter().copied()).arg("run");
        Self::spawn(command.args(flags), endpoint, log)
    }

    async fn for_story(
        world: &World,
        folder: TempDir,
        mut command: Command,
        flags: &[&str],
    ) -> Self {
        plane::allow_leases(&world.plane, &world.namespace).await;
        let namespace = world.namespace.as_str();
        command
            .args(["run", "--namespace", namespace])
            .args(["--lease-namespace", namespace])
            .args(flags);
        if !flags.contains(&"--resync") {
            command.args(["--resync", "2s"]);
        }
        let (endpoint, log) = (world.sim.address().to_string(), folder.path().join("log"));
        Self {
            _folder: Some(folder),
            ..Self::spawn(&mut command, &endpoint, &log)
        }
    }

    fn spawn(command: &mut Command, endpoint: &str, log: &Path) -> Self {
        let into = File::options().create(true).append(true).open(log).unwrap();
        let begins = into.metadata().unwrap().len();
        let child = command
            .args(["--log-format", "json"])
            .args(["--allow-http", "--allowed-endpoint", endpoint])
            .args(["--admin-address", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stderr(into)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            child,
            log: log.to_owned(),
            admin: None,
            begins,
            _folder: None,
        }
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

    /// Asks the admin server for a path; none where it doesn't answer.
    pub fn ask(&self, path: &str) -> impl Future<Output = Option<(u16, String)>> + use<> {
        let url = self.admin().map(|admin| format!("http://{admin}{path}"));
        async move {
            let url = url?;
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            let answer = http.get(&url).send().await.ok()?;
            let status = answer.status().as_u16();
            Some((status, answer.text().await.ok()?))
        }
    }

    /// Waits until a path of the admin server answers with this status; gives the body.
    pub async fn until_answer(&self, path: &str, status: u16) -> String {
        let asking = async {
            loop {
                if let Some((answered, text)) = self.ask(path).await
                    && answered == status
                {
                    return text;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, asking).await;
        in_time.unwrap_or_else(|_| panic!("{path} is not {status}; the log:\n{}", self.log()))
    }

    /// The process; none once it has been seen to have ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Where its admin server listens: the system chose the port, and the first line of the log tells it.
    fn admin(&self) -> Option<String> {
        if self.admin.is_some() {
            return self.admin.clone();
        }
        let mut log = File::open(&self.log).ok()?;
        log.seek(SeekFrom::Start(self.begins)).ok()?;
        let mut first = Vec::new();
        log.take(FIRST_LINES).read_to_end(&mut first).ok()?;
        let first = String::from_utf8_lossy(&first);
        let line = first.lines().find(|line| line.contains(r#""admin":"#))?;
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
        self.memory().peak
    }

    /// What it needs now.
    pub fn memory(&self) -> Memory {
        let id = self.child.id().expect("it runs");
        Memory::of(id).expect("it runs")
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// A command with the environment that programs of stories have, for more to be added.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("TAURUS_LOG_LEVEL", "debug")
        .env("TAURUS_PACE", DIVISOR.to_string())
        .envs(LIMITS);
    command
}
