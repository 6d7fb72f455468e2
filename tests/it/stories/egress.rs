//! Proxies of the environment: for the cloud, and never for the API server.

use serde_json::json;
use taurus_sim::Mode;

use crate::world::{
    World,
    front::{Authority, Egress, Front},
    options,
    program::Program,
};

/// `operator:p@ss` in base64, as a proxy is shown it.
const SHOWN: &str = "b3BlcmF0b3I6cEBzcw==";

/// Most of case A18. Its address of a cluster in IPv6 is not shown: it needs the files that a pod finds at a fixed path.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_the_cloud_go_through_the_proxy_of_the_environment_and_those_of_the_cluster_do_not()
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
