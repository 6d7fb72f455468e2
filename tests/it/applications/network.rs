//! A network of its own with what stands in it: the addresses of the proxies, kube-proxy, and the database.

use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
};

use k8s_openapi::api::core::v1::Node;
use kube::{Api, api::PostParams};
use serde_json::json;
use taurus_controlplane::needs;

use super::pool;
use crate::world::{World, controllers::beside, netns, tools::found};

/// The address of this machine in its network.
const HERE: &str = "10.20.0.1";
/// Those of the simulator's two proxies.
pub const PROXIES: [&str; 2] = ["10.20.0.2", "10.20.0.3"];

/// The program; it ends the test where it was not built.
pub fn kube_proxy() -> PathBuf {
    let found = found("tests/controlplane/build", "kube-proxy");
    found
        .unwrap_or_else(|| needs::lacking("kube-proxy", "it is not built: run `make applications`"))
}

/// Makes the network, in a namespace that is empty.
pub fn make() {
    for command in [
        "link set lo up",
        "link add name here type veth peer name there",
        "link set here up",
        "link set there up",
        &format!("address add {HERE}/24 dev here"),
        &format!("address add {}/32 dev there", PROXIES[0]),
        &format!("address add {}/32 dev there", PROXIES[1]),
        // The API server wants an address that others could reach it at.
        &format!("route add default via {HERE} dev here"),
    ] {
        netns::ip(command);
    }
}

/// A database; it ends with the story.
pub struct Database {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    _input: ChildStdin,
}

impl Database {
    /// Starts one, and waits until it can be connected to.
    pub fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut child = Command::new(pool::built().join("database"))
            .arg(address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut said).unwrap();
        assert_eq!(said, "listening\n");
        Self {
            address,
            _input: child.stdin.take().unwrap(),
            child,
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The running kube-proxy; it ends with the story.
pub struct KubeProxy(Child);

impl KubeProxy {
    /// Starts it in nftables mode, for a node that this machine plays. What it logs lies in the folder of the control plane.
    pub async fn start(world: &World) -> Self {
        let nodes: Api<Node> = Api::all(world.client.clone());
        let node: Node = serde_json::from_value(json!({
            "metadata": {"name": "here"},
            "spec": {},
        }))
        .unwrap();
        let params = PostParams::default();
        nodes.create(&params, &node).await.unwrap();
        let status = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "here"},
            "status": {"addresses": [{"type": "InternalIP", "address": HERE}]},
        });
        let patch = kube::api::Patch::Merge(status);
        nodes
            .patch_status("here", &kube::api::PatchParams::default(), &patch)
            .await
            .unwrap();
        let tools = pool::built().join("bin");
        let searched = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
        let arguments = [
            "--proxy-mode=nftables",
            "--hostname-override=here",
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        ];
        let mut command = beside(&world.plane, "kube-proxy", &kube_proxy());
        let command = command.args(arguments).env("PATH", searched);
        Self(command.spawn().unwrap())
    }
}

impl Drop for KubeProxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
