//! The servers of a control plane that a story has for itself, to be stopped and started again with the same line.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use taurus_controlplane::ControlPlane;

/// A server of a control plane.
pub struct Server {
    /// With what it was started.
    line: Vec<String>,
    process: String,
    again: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.again.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Server {
    /// The one with this name of the program.
    pub fn of(plane: &ControlPlane, name: &str) -> Self {
        let folder = plane.folder().to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap();
        let lines = processes.filter_map(|entry| {
            let process = entry.ok()?.file_name().into_string().ok()?;
            let line = fs::read_to_string(format!("/proc/{process}/cmdline")).ok()?;
            let line: Vec<String> = line.split_terminator('\0').map(str::to_owned).collect();
            Some((process, line))
        });
        let is_named = |line: &[String]| line.first().is_some_and(|it| it.ends_with(name));
        let (process, line) = lines
            .filter(|(_, line)| is_named(line))
            .find(|(_, line)| line.iter().any(|word| word.contains(folder)))
            .expect("it runs");
        Self {
            line,
            process,
            again: None,
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Ends it, as a crash does.
    pub async fn stop(&self) {
        self.signal("KILL");
        let line = format!("/proc/{}/cmdline", self.process);
        // A process that has ended has none, also before somebody has waited for it.
        while fs::read(&line).is_ok_and(|line| !line.is_empty()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts it again, and once more if it ends by itself: a connection of another story may have taken its port meanwhile.
    pub fn start(&mut self) {
        const AGAIN_AND_AGAIN: &str =
            "while :; do setpriv --pdeathsig KILL \"$@\"; sleep 0.2; done";
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "sh", "-c", AGAIN_AND_AGAIN, "server"])
            .args(&self.line)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.again = Some(child.unwrap());
    }
}

/// A backup of etcd, and the data that it is of.
pub struct Backup {
    data: PathBuf,
    kept: PathBuf,
}

impl Backup {
    /// Keeps all that the control plane has now.
    pub fn of(plane: &ControlPlane, etcd: &Server) -> Self {
        let backup = Self {
            data: plane.folder().join("etcd"),
            kept: plane.folder().join("backup"),
        };
        // What it writes meanwhile would be torn.
        etcd.signal("STOP");
        let copied = Command::new("cp")
            .arg("-r")
            .args([&backup.data, &backup.kept])
            .status();
        etcd.signal("CONT");
        assert!(copied.unwrap().success());
        backup
    }

    /// Puts it in place of what came later. Etcd must not run.
    pub fn restore(self) {
        fs::rename(&self.data, self.data.with_file_name("lost")).unwrap();
        fs::rename(&self.kept, &self.data).unwrap();
    }
}
