//! The two server processes and the supervisor that ends them.
//!
//! The supervisor is a small shell script in a process group of its own, so that Ctrl-C does not reach it. Its standard
//! input is a pipe that this process holds: when this process ends, however it ends, the pipe does too, and the supervisor
//! stops the servers and removes the folder. Should the supervisor itself be killed, the kernel kills the servers.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use crate::{Error, assets::Assets};

/// Garbage is collected a quarter as often as usual, which takes three quarters of the processor time, and 90 MiB more.
///
/// `$1` is the folder, which holds certificates and the audit policy, `$2` etcd, `$3` kube-apiserver, then three ports: etcd's for clients,
/// for peers, the API server's.
const SUPERVISOR: &str = r#"
folder=$1 etcd=$2 apiserver=$3 clients=$4 peers=$5 port=$6
cd "$folder" || exit 1
export GOGC=400
setpriv --pdeathsig KILL "$etcd" --data-dir "$folder/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls "http://127.0.0.1:$clients" --advertise-client-urls "http://127.0.0.1:$clients" \
    --listen-peer-urls "http://127.0.0.1:$peers" --initial-advertise-peer-urls "http://127.0.0.1:$peers" \
    --initial-cluster "default=http://127.0.0.1:$peers" > etcd.log 2>&1 < /dev/null &
one=$!
setpriv --pdeathsig KILL "$apiserver" --etcd-servers "http://127.0.0.1:$clients" \
    --bind-address 127.0.0.1 --secure-port "$port" --cert-dir "$folder/generated" \
    --tls-cert-file "$folder/server.crt" --tls-private-key-file "$folder/server.key" \
    --client-ca-file "$folder/ca.crt" --authorization-mode RBAC \
    --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$folder/service-account.pub" \
    --service-account-signing-key-file "$folder/service-account.key" \
    --service-cluster-ip-range 10.0.0.0/24 --endpoint-reconciler-type none \
    --audit-policy-file "$folder/audit-policy.yaml" --audit-log-path "$folder/audit.log" \
    --disable-admission-plugins ServiceAccount --profiling=false > kube-apiserver.log 2>&1 < /dev/null &
two=$!
cat > /dev/null
kill -KILL "$two" "$one" 2> /dev/null
wait
cd / && rm -rf "$folder"
"#;

/// How much of a log an error shows, in bytes.
const TAIL: u64 = 3000;

/// The running servers.
#[derive(Debug)]
pub(crate) struct Servers {
    supervisor: Mutex<Child>,
    folder: PathBuf,
    port: u16,
}

impl Servers {
    /// Starts them; they are not ready yet.
    pub(crate) fn start(assets: &Assets, folder: &Path, ports: [u16; 3]) -> Result<Self, Error> {
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "control-plane"])
            .arg(folder)
            .arg(assets.etcd())
            .arg(assets.apiserver())
            .args(ports.map(|port| port.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::system("sh, which supervises the servers"))?;
        let [_, _, port] = ports;
        Ok(Self {
            supervisor: Mutex::new(supervisor),
            folder: folder.to_owned(),
            port,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a server gave up: then waiting is in vain.
    pub(crate) fn has_ended(&self) -> bool {
        let log = self.tail();
        ["address already in use", "command failed", "Error: "]
            .iter()
            .any(|sign| log.contains(sign))
    }

    /// The ends of both logs.
    pub(crate) fn tail(&self) -> String {
        ["etcd.log", "kube-apiserver.log"]
            .map(|name| tail(&self.folder.join(name)))
            .join("\n")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let supervisor = self
            .supervisor
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        drop(supervisor.stdin.take());
        // If it can't be waited for, it ends all the same.
        let _ = supervisor.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}
