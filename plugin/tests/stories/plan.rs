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
    let pods = |container: Value| json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"restartPolicy": "Always", "containers": [container]}});
    place.apply(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template":
            pods(json!({"name": "app", "image": "shop", "env": [{"name": "DB_HOST", "value": "db"}]}))},
    }));
    let mut report = pods(json!({"name": "app", "image": "report", "args": ["--host=10.0.0.7"]}));
    report["spec"]["restartPolicy"] = json!("Never");
    place.apply(&json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"},
        "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": report}}},
    }));
    let schema = serde_json::from_str(include_str!("../../schemas/plan.json")).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("plan.json", schema).unwrap();
    let schema = compiler.compile("plan.json", &mut schemas).unwrap();
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
        if let Err(error) = schemas.validate(&plan, schema) {
            panic!("{error:#}\n{plan:#}");
        }
        (printed.code, plan["changes"][0].clone())
    };

    let (code, same) = first(&manifest(&place, "orders", 3307, ""));
    assert_eq!((code, &same["action"]), (0, &json!("Nothing")));

    let (code, other) = first(&manifest(&place, "orders", 3308, ""));
    assert_eq!((code, &other["action"]), (2, &json!("Change")), "{other}");
    assert_eq!((&other["from"], &other["to"]), (&json!(3307), &json!(3308)));
    let touches = other["touches"].as_array().unwrap().iter();
    let touches: Vec<String> = touches
        .map(|it| {
            ["kind", "name", "how"]
                .map(|part| it[part].as_str().unwrap())
                .join(" ")
        })
        .collect();
    assert_eq!(
        touches,
        [
            "EndpointSlice db-1 which leads to 10.0.0.7:3307 of Service db",
            "NetworkPolicy egress which lets 10.0.0.7:3307 through and not 3308",
            "Deployment shop which reaches the proxy by Service db (env DB_HOST)",
            "CronJob report which reaches the proxy by address 10.0.0.7 (arguments)",
        ]
    );

    let (code, observed) = first(&manifest(
        &place,
        "orders",
        3308,
        "  managementPolicy: Observe\n",
    ));
    assert_eq!((code, &observed["action"]), (0, &json!("Nothing")));

    // A new spec for a port that nobody is known to have read lately.
    let manual = manifest(&place, "orders", 3307, "  approval: Manual\n");
    let lately = ["plan", "-f", "-", "--max-age", "10m", "-o", "json"];
    let lately = place.plugin_with(place.plane.kubeconfig(), &lately, &manual, &[]);
    assert!(
        lately.code == 2 && lately.out.contains("Unknown") && lately.out.contains("retry --wait"),
        "{lately:?}"
    );
    assert_eq!(first(&manual).0, 0);

    let (code, contested) = first(&manifest(&place, "new", 3308, ""));
    assert_eq!((code, &contested["action"]), (1, &json!("Refused")));
    let told = contested["message"].as_str().unwrap();
    assert!(told.contains("manages the same proxy"), "{told}");
    // A proxy of no other story: they share the control plane, and claims count in all of its namespaces.
    let nobodys = format!("{:032x}po01", u128::MAX);
    let free = manifest(&place, "new", 3308, "").replace(sample::PROXY, &nobodys);
    let (code, new) = first(&free);
    assert_eq!((code, &new["action"]), (2, &json!("Unknown")), "{new}");
    // What can't be read hides nothing else, and is told.
    let broken = plan(&format!("{free}---\na: [\n"));
    assert!(
        broken.code == 1 && broken.out.contains("Unknown") && broken.err.contains("not YAML"),
        "{broken:?}"
    );
    let elsewhere = free.replace(&place.namespace, "elsewhere");
    let (code, elsewhere) = first(&elsewhere);
    let told = elsewhere["message"].as_str().unwrap();
    assert!(code == 1 && told.contains("kubectl refuses"), "{told}");
    assert_eq!(plan("").code, 1, "no objects");

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

    let calendar = tempfile::NamedTempFile::new().unwrap();
    let freeze =
        "freezes: [{from: 2026-01-01T00:00:00Z, until: 2999-01-01T00:00:00Z, reason: sale}]";
    std::fs::write(calendar.path(), freeze).unwrap();
    let frozen = place.plugin_with(
        place.plane.kubeconfig(),
        &[
            "plan",
            "-f",
            "-",
            "--calendar",
            calendar.path().to_str().unwrap(),
        ],
        &manifest(&place, "orders", 3308, ""),
        &[],
    );
    assert!(
        frozen.code == 2 && frozen.out.contains("sale"),
        "{frozen:?}"
    );
    std::fs::write(calendar.path(), "freeze: []").unwrap();
    let broken = place.plugin(&["plan", "--calendar", calendar.path().to_str().unwrap()]);
    assert!(
        broken.code == 1 && broken.err.contains("--calendar"),
        "{broken:?}"
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
}

/// Kinds that an API server has where a mesh is installed; a definition without a schema stands for theirs.
#[taurus_needs::test]
async fn objects_of_meshes_are_found_where_their_kinds_are_installed() {
    let place = Place::new().await;
    for (group, version, kind, plural, scope) in [
        (
            "networking.istio.io",
            "v1",
            "ServiceEntry",
            "serviceentries",
            "Namespaced",
        ),
        (
            "cilium.io",
            "v2",
            "CiliumClusterwideNetworkPolicy",
            "ciliumclusterwidenetworkpolicies",
            "Cluster",
        ),
    ] {
        place.apply(&json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {"group": group, "scope": scope, "names": {"kind": kind, "plural": plural}, "versions": [{
                "name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }]},
        }));
        let name = format!("crd/{plural}.{group}");
        place.kubectl(&[
            "wait",
            "--for=condition=Established",
            "--timeout=10m",
            &name,
        ]);
    }
    let mut settled = status("Ready", "Settled", 3306);
    settled["address"] = json!("10.9.0.7");
    place.make("orders", json!({}), settled).await;
    place.apply(&json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "db"},
        "spec": {"hosts": ["db.example.com"], "addresses": ["10.9.0.7"], "ports": [{"number": 3306, "protocol": "TCP"}]},
    }));
    place.apply(&json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": "db"},
        "spec": {"egress": [{"toCIDR": ["10.9.0.0/16"], "toPorts": [{"ports": [{"port": "3306"}]}]}]},
    }));
    let plan = place.plugin(&["plan", "orders"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    for part in [
        "touches ServiceEntry db, which has port 3306 of the proxy and not 3307",
        "touches CiliumClusterwideNetworkPolicy db, which lets 10.9.0.7:3306 through and not 3307",
    ] {
        assert!(plan.out.contains(part), "{}", plan.out);
    }
    let unseen: Vec<_> = plan
        .out
        .lines()
        .filter(|line| line.starts_with("not looked at"))
        .collect();
    assert!(
        matches!(unseen[..], [calendar] if calendar.contains("--calendar")),
        "{unseen:?}"
    );
}
