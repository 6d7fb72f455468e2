//! What may be added to the pod where nodes and cluster have it: a user namespace of its own, a certificate for `/metrics`, and an
//! identity in the cloud.

use clap::CommandFactory as _;
use serde_json::{Value, json};
use taurus_port_operator::cli::Cli;

use super::{
    manifests::{apply, environment, one, pod, restricted_namespace, unwarned},
    platforms::{by_helm, by_kustomize},
};
use crate::world::{plane, tools::printed};

const BASE: &str = "../../base";

/// Who may use the operator's own identity, by both ways.
const NAMESPACES: &str = "shop,billing";
const PROJECTS: &str = "0483b6b16e954cb88930a360d2c4e663";

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let mut all = list.as_array().unwrap().iter();
    all.find(|one| one["name"] == name).expect(name)
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_namespace_and_strict_groups_are_asked_for_by_both_ways_and_are_stored() {
    let plane = &plane::bare().await;
    let namespace = "with-a-user-namespace";
    restricted_namespace(plane, namespace);
    let kustomization =
        json!({"resources": [BASE], "components": ["../../components/user-namespace"]});
    let values =
        json!({"hostUsers": false, "podSecurityContext": {"supplementalGroupsPolicy": "Strict"}});
    let rendered = [by_kustomize(plane, &kustomization, &[]), by_helm(&values)];
    // Nobody makes one here, as a controller would.
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace},
    });
    for (number, objects) in rendered.iter().enumerate() {
        let mut pod = pod(one(objects, "Deployment"));
        let name = format!("pod-{number}");
        pod["metadata"]["name"] = name.as_str().into();
        pod["metadata"]["namespace"] = namespace.into();
        pod["spec"]["serviceAccountName"] = "default".into();
        unwarned(apply(plane, &[account.clone(), pod]));
        let get = ["get", "pod", &name, "-n", namespace, "-o", "json"];
        let stored: Value = serde_json::from_str(&printed(plane::kubectl(plane, &get))).unwrap();
        assert_eq!(stored["spec"]["hostUsers"], false);
        let context = json!({
            "runAsNonRoot": true, "runAsUser": 65_532, "runAsGroup": 65_532,
            "seccompProfile": {"type": "RuntimeDefault"}, "supplementalGroupsPolicy": "Strict",
        });
        assert_eq!(stored["spec"]["securityContext"], context);
    }

    // A node that can't do that starts no such pod: nobody gets it who has not asked for it.
    let usual = pod(one(&by_helm(&json!({})), "Deployment"))["spec"].clone();
    assert!(usual.get("hostUsers").is_none(), "{usual}");
    assert!(
        usual["securityContext"]
            .get("supplementalGroupsPolicy")
            .is_none(),
        "{usual}"
    );
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_by_https_are_led_to_by_both_ways_alike() {
    let plane = &plane::bare().await;
    let components = [
        "../../components/monitoring",
        "../../components/metrics-tls",
    ];
    let kustomization = json!({"resources": [BASE], "components": components});
    let values = json!({
        "metricsTLS": {"secretName": "taurus-port-operator-metrics"}, "serviceMonitor": {"enabled": true},
    });
    let all = [by_kustomize(plane, &kustomization, &[]), by_helm(&values)];
    for objects in &all {
        let spec = pod(one(objects, "Deployment"))["spec"].clone();
        let container = &spec["containers"][0];
        assert_eq!(named(&container["ports"], "metrics")["containerPort"], 8443);
        let mount = json!({"name": "metrics-tls", "mountPath": "/var/run/taurus/metrics-tls", "readOnly": true});
        let mounted = named(&container["volumeMounts"], "metrics-tls");
        assert_eq!(*mounted, mount, "a mount with subPath is never updated");
        let secret = json!({"secretName": "taurus-port-operator-metrics", "defaultMode": 0o440});
        assert_eq!(named(&spec["volumes"], "metrics-tls")["secret"], secret);
        assert_eq!(
            spec["securityContext"]["fsGroup"], 65_532,
            "who may read it"
        );
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        for (flag, file) in [
            ("metrics-tls-cert", "tls.crt"),
            ("metrics-tls-key", "tls.key"),
        ] {
            let mut flags = run.get_arguments();
            let flag = flags.find(|it| it.get_long() == Some(flag)).unwrap();
            let name = flag.get_env().unwrap().to_str().unwrap();
            let value = named(&container["env"], name)["value"].clone();
            assert_eq!(value, format!("/var/run/taurus/metrics-tls/{file}"));
        }
        // A kubelet verifies no certificate: it asks as before.
        for probe in ["livenessProbe", "readinessProbe"] {
            let get = &container[probe]["httpGet"];
            assert_eq!(get["port"], "admin");
            assert!(get.get("scheme").is_none(), "{get}");
        }
        let service = &one(objects, "Service")["spec"]["ports"][0];
        assert_eq!(service["targetPort"], "metrics");
        let policy = &one(objects, "NetworkPolicy")["spec"]["ingress"];
        assert_eq!(policy[0]["ports"], json!([{"port": "metrics"}]));
        let endpoint = json!({
            "port": service["name"], "interval": "30s", "scheme": "https",
            "tlsConfig": {
                "serverName": "taurus-port-operator.taurus-system.svc",
                "ca": {"secret": {"name": "taurus-port-operator-metrics", "key": "ca.crt"}},
            },
        });
        let monitor = &one(objects, "ServiceMonitor")["spec"]["endpoints"];
        assert_eq!(*monitor, json!([endpoint]));
    }
    // Without the Prometheus operator there is nothing to patch, and the rest is the same.
    let components = ["../../components/metrics-tls"];
    let kustomization = json!({"resources": [BASE], "components": components});
    let alone = by_kustomize(plane, &kustomization, &[]);
    assert_eq!(one(&alone, "Deployment"), one(&all[0], "Deployment"));
    assert!(alone.iter().all(|it| it["kind"] != "ServiceMonitor"));
    let own = json!({"insecureSkipVerify": true});
    let values = json!({
        "metricsTLS": {"secretName": "other"}, "serviceMonitor": {"enabled": true, "tlsConfig": own},
    });
    let objects = by_helm(&values);
    let endpoint = &one(&objects, "ServiceMonitor")["spec"]["endpoints"][0];
    assert_eq!(endpoint["tlsConfig"], own);
}

/// The rule that lets the operator reach the metadata service of its node.
fn metadata(objects: &[Value]) -> Vec<Value> {
    let egress = &one(objects, "NetworkPolicy")["spec"]["egress"];
    let rules = egress.as_array().unwrap().iter();
    rules
        .filter(|rule| rule.to_string().contains("169.254."))
        .cloned()
        .collect()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_identity_of_node_or_pod_is_set_by_both_ways_and_the_node_s_can_be_reached() {
    let plane = &plane::bare().await;
    for identity in ["node-agency", "pod-identity"] {
        let whom = json!([
            {"name": "TAURUS_DEFAULT_CREDENTIALS_NAMESPACES", "value": NAMESPACES},
            {"name": "TAURUS_DEFAULT_CREDENTIALS_PROJECTS", "value": PROJECTS},
        ]);
        let container = json!({"name": "operator", "env": whom});
        let patch = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "taurus-port-operator", "namespace": "taurus-system"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        });
        let component = format!("../../components/{identity}");
        let kustomization = json!({
            "resources": [BASE], "components": [component], "patches": [{"path": "whom.yaml"}],
        });
        let namespaces: Vec<_> = NAMESPACES.split(',').collect();
        let values = json!({"defaultCredentials": {
            "identity": identity, "namespaces": namespaces, "projects": [PROJECTS],
        }});
        let files = [("whom.yaml", patch.to_string())];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        for objects in [
            by_kustomize(plane, &kustomization, &files),
            by_helm(&values),
        ] {
            let set = environment(one(&objects, "Deployment"));
            let set: Vec<_> = set
                .iter()
                .filter(|(name, _)| name.starts_with("TAURUS_DEFAULT_CREDENTIALS_"))
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            for (flag, value) in [
                ("IDENTITY", identity),
                ("NAMESPACES", NAMESPACES),
                ("PROJECTS", PROJECTS),
            ] {
                let name = format!("TAURUS_DEFAULT_CREDENTIALS_{flag}");
                assert!(set.contains(&(name.as_str(), value)), "{name}: {set:?}");
            }
            assert_eq!(set.len(), 3, "{set:?}");
            let let_out = metadata(&objects);
            if identity == "pod-identity" {
                assert_eq!(let_out, Vec::<Value>::new());
                continue;
            }
            let [rule] = &let_out[..] else {
                panic!("one rule: {let_out:?}");
            };
            let to = json!([{"ipBlock": {"cidr": "169.254.169.254/32"}}]);
            assert_eq!(rule["to"], to);
            let [port] = &rule["ports"].as_array().unwrap()[..] else {
                panic!("one port: {rule}");
            };
            assert_eq!(port["port"], 80);
        }
    }
    assert_eq!(metadata(&by_helm(&json!({}))), Vec::<Value>::new());
}
