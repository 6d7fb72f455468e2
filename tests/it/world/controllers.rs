//! The controllers that a real cluster has beside its API server: kube-controller-manager.
//!
//! A test that needs it is left out where it was not built; `make controllers` builds it. There is still no scheduler and no
//! kubelet: pods are made, and stay Pending.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
};

use taurus_controlplane::{ControlPlane, needs};

use super::tools::found;

/// Those that make pods of a Deployment and see to their eviction, those that empty a namespace, and the one that adds rules to
/// the roles that Kubernetes has for people.
const WANTED: &str = "deployment-controller,replicaset-controller,disruption-controller,\
    namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller";

/// The running controllers; they end with the story, also where it fails.
pub struct Controllers(Child);

impl Controllers {
    /// Starts them, as an administrator. What they log lies in the folder of the control plane.
    pub fn start(plane: &ControlPlane) -> Self {
        let found = found("tests/controlplane/build", "kube-controller-manager");
        let program = found.unwrap_or_else(|| {
            let way = "kube-controller-manager is not built: run `make controllers`";
            needs::lacking("its controllers", way)
        });
        let mut command = beside(plane, "kube-controller-manager", &program);
        let command = command
            .arg(format!("--controllers={WANTED}"))
            .args(["--leader-elect=false", "--secure-port=0"]);
        Self(command.spawn().unwrap())
    }
}

/// A program of Kubernetes beside its API server, as an administrator, which is killed with this process. What it logs lies in the
/// folder of the control plane.
pub fn beside(plane: &ControlPlane, name: &str, program: &Path) -> Command {
    let log = File::create(plane.folder().join(format!("{name}.log"))).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL"])
        .arg(program)
        .arg(format!("--kubeconfig={}", plane.kubeconfig().display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command
}

impl Drop for Controllers {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
