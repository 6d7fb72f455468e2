//! `plan`: its exit codes, and what it finds in the cluster.

use serde_json::{Value, json};
use taurus_sim::sample;

use crate::plane::{Place, status};

fn manifest(place: &Place, name: &str, port: u16, more: &str) -> String {
    format!(
        "apiVersion: taurusdb.huaweicloud.com/v1alpha1\nkind: TaurusProxyPort\nmetadata:\n  name: {name}\n  namespace: {}\nspec:\n  \
         region: ap-southeast-1\n  projectID: {}\n  instanceID: {}\n  proxyID: {}\n  port: {port}\n{more}",
        place.namespace,
        sample::PROJECT,
        sample::INSTANCE,
        sample::PROXY
    )
}

#[taurus_needs::test]
async fn the_exit_code_and_the_output_say_what_manifests_would_change() {
    let place = Place::new().await;
    let mut settled = status("Ready", "Settled", 3307);
    settled["address"] = json!("10.0.0.7");
    place.make("orders", json!({}), settled).await;
    place.apply(&json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
        "endpoints": [{"addresses": ["10.0.0.7"]}], "ports": [{"port": 3307, "protocol": "TCP", "name": ""}],
    }));
    place.apply(&json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "egress"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 3307}]}]},
    }));
    let plan = |text: &str| {
        place.plugin_with(
            place.plane.kubeconfig(),
            &["plan", "-f", "-", "-o", "json"],
            text,
            &[],
        )
    };
    let first = |text: &str| -> (i32, Value) {
        let printed = plan(text);
        let plan: Value =
            serde_json::from_str(&printed.out).unwrap_or_else(|_| panic!("{printed:?}"));
        (printed.code, plan["changes"][0].clone())
    };

    let (code, same) = first(&manifest(&place, "orders", 3307, ""));
    assert_eq!((code, &same["action"]), (0, &json!("Nothing")));

    let (code, other) = first(&manifest(&place, "orders", 3308, ""));
    assert_eq!((code, &other["action"]), (2, &json!("Change")), "{other}");
    assert_eq!((&other["from"], &other["to"]), (&json!(3307), &json!(3308)));
    let touches: Vec<&str> = other["touches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert_eq!(
        touches,
        [
            "EndpointSlice db-1 of Service db, which leads to 10.0.0.7:3307",
            "NetworkPolicy egress, which lets 10.0.0.7:3307 through and not 3308",
        ]
    );

    let (code, observed) = first(&manifest(
        &place,
        "orders",
        3308,
        "  managementPolicy: Observe\n",
    ));
    assert_eq!((code, &observed["action"]), (0, &json!("Nothing")));

    let (code, new) = first(&manifest(&place, "new", 3308, ""));
    assert_eq!((code, &new["action"]), (2, &json!("Unknown")));

    let moved = manifest(&place, "orders", 3307, "").replace(sample::PROXY, sample::OTHER_PROXY);
    let (code, refused) = first(&moved);
    assert_eq!((code, &refused["action"]), (1, &json!("Refused")));
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("proxyID can't be changed"),
        "{refused}"
    );

    let standing = place.plugin(&["plan"]);
    assert_eq!(standing.code, 0, "{standing:?}");
    // Nothing of all that was applied.
    assert_eq!(place.get("orders").await.spec.port, 3307);
}

#[taurus_needs::test]
async fn kubectl_completes_verbs_and_names() {
    let place = Place::new().await;
    place.make("orders", json!({}), json!({})).await;
    place
        .make("stock", json!({"proxyID": sample::OTHER_PROXY}), json!({}))
        .await;
    let verbs = place.completed(&["taurus-port", "st"]);
    assert!(
        verbs.starts_with("status\n") && verbs.ends_with(":4\n"),
        "{verbs}"
    );
    let names = place.completed(&["taurus-port", "-n", &place.namespace, "status", "or"]);
    assert_eq!(names, "orders\n:4\n");
    for shell in ["bash", "zsh", "fish"] {
        let script = place.plugin(&["completion", shell]).good();
        assert!(script.contains("kubectl-taurus_port"), "{shell}");
    }
}
