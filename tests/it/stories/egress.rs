//! What the environment says of the ways out: proxies, for the cloud and never for the API server, and the address of the
//! cluster.

use std::{
    net::{Ipv6Addr, TcpListener},
    process::Command,
};

use serde_json::{Value, json};
use taurus_controlplane::needs;
use taurus_sim::Mode;

use crate::world::{
    World,
    front::{Authority, Egress, Front},
    options, plane,
    program::Program,
    relay::{Call, Relay},
};

/// `operator:p@ss` in base64, as a proxy is shown it.
const SHOWN: &str = "b3BlcmF0b3I6cEBzcw==";

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a18_calls_of_the_cloud_go_through_the_proxy_of_the_environment_those_of_the_cluster_do_not()
 {
    for (exempt, none) in [
        (false, None),
        (false, Some("10.96.0.0/12,.svc")),
        (true, Some("10.96.0.0/12,.svc,example.test,localhost")),
    ] {
        let world = World::without_operator(options(Mode::M2)).await;
        let authority = Authority::new("the authority of a private cloud");
        let identity = authority.vouch_for("localhost", |_| ());
        let front = Front::with_tls(identity, world.sim.address());
        let egress = Egress::new(SHOWN);
        let bundle = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(bundle.path(), authority.pem()).unwrap();
        let proxy = format!("http://operator:p%40ss@127.0.0.1:{}", egress.port());
        let bundle = bundle.path().to_str().unwrap();
        let host = format!("localhost:{}", front.port());
        let mut environment = vec![
            ("HTTPS_PROXY", proxy.as_str()),
            ("HTTP_PROXY", "http://127.0.0.1:1"),
            ("TAURUS_EXTRA_CA", bundle),
        ];
        if let Some(none) = none {
            environment.push(("NO_PROXY", none));
        }
        let program =
            Program::start_with(&world, &environment, &["--allowed-endpoint", &host]).await;
        let mut resource = world.resource(3307);
        resource.spec.endpoint = Some(format!("https://{host}"));
        resource.spec.iam_endpoint = None;
        world.create(&resource).await;
        world.until_ready(3307).await;
        assert_eq!(world.asked_for(), [3307], "{}", program.log());
        let asked = egress.asked();
        let only = format!("CONNECT {host} HTTP/1.1");
        assert!(asked.iter().all(|line| *line == only), "{asked:?}");
        // One connection for reads at least, and one for the change.
        assert_eq!(asked.len() >= 2, !exempt, "{asked:?}");
        assert_eq!(asked.is_empty(), exempt, "{asked:?}");
        assert!(!program.log().contains("p%40ss") && !program.log().contains("p@ss"));
        world.patch(json!({"spec": {"port": 3308}})).await;
        world.until_ready(3308).await;
        assert_eq!(world.asked_for(), [3307, 3308]);
        world.finish().await;
    }
}

/// `::1` stands for an address of a cluster's services in IPv6: a machine has no other that nobody has to set up.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a18_a_cluster_whose_address_is_one_of_ipv6_is_found_as_pods_find_it() {
    if let Some(missing) = missing_for_pods() {
        needs::lacking("a pod's place on the network", missing);
    }
    let world = World::without_operator(options(Mode::M2)).await;
    let relay = Relay::start(&world.plane).await;
    let authority = Authority::new("the authority of a cluster");
    let identity = authority.vouch_for("::1", |_| ());
    let front = Front::with_tls_at(Ipv6Addr::LOCALHOST.into(), identity, relay.address());
    let kubeconfig = plane::operator_kubeconfig(&world.plane).await;
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).unwrap();
    let account = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("ca.crt", authority.pem().as_str()),
        ("namespace", &world.namespace),
        (
            "token",
            kubeconfig["users"][0]["user"]["token"].as_str().unwrap(),
        ),
    ] {
        std::fs::write(account.path().join(file), text).unwrap();
    }
    let egress = Egress::new(SHOWN);
    let proxy = format!("http://operator:p%40ss@127.0.0.1:{}", egress.port());
    let port = front.port().to_string();
    let environment = [
        ("KUBERNETES_SERVICE_HOST", "::1"),
        ("KUBERNETES_SERVICE_PORT", port.as_str()),
        ("HTTPS_PROXY", proxy.as_str()),
    ];
    let program = Program::begin_in_pod(&world, &environment, account.path()).await;
    program.until_answer("/readyz", 200).await;
    let address = format!("https://[::1]:{port}/");
    assert!(program.log().contains(&address), "{}", program.log());
    world.want(3307).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    assert!(
        !relay.seen_of(&Call::status()).is_empty(),
        "it came that way"
    );
    assert!(egress.asked().is_empty(), "{:?}", egress.asked());
    world.finish().await;
}

/// What a machine lacks on which a program can't be run as in a pod, with a loopback of IPv6.
fn missing_for_pods() -> Option<&'static str> {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return Some("this machine has no ::1: turn IPv6 on");
    }
    let own_files = Command::new("unshare")
        .args([
            "--map-root-user",
            "--mount",
            "mount",
            "-t",
            "tmpfs",
            "none",
            "/var/run",
        ])
        .output();
    let allowed = own_files.is_ok_and(|output| output.status.success());
    (!allowed)
        .then_some("nobody may have a file system of their own here (unshare --map-root-user --mount): allow user namespaces")
}
