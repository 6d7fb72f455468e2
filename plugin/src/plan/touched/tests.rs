use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::*;

fn moved() -> Move {
    Move {
        namespace: "shop".to_owned(),
        address: Some("10.0.0.7".to_owned()),
        from: 3306,
        to: 3307,
        service: None,
        config_map: None,
    }
}

fn parsed<T: DeserializeOwned>(values: &[Value]) -> Vec<T> {
    let values = values.iter();
    values
        .map(|value| serde_json::from_value(value.clone()).unwrap())
        .collect()
}

fn shown(read: &Read, moved: &Move) -> Vec<String> {
    touched(read, moved).iter().map(Touched::shown).collect()
}

fn slice(address: &str, port: u16) -> Value {
    json!({
        "metadata": {"name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
        "addressType": "IPv4", "endpoints": [{"addresses": [address]}], "ports": [{"port": port}],
    })
}

#[test]
fn slices_that_lead_to_the_old_port_are_named_with_their_service() {
    let with = |slices: &[Value]| Read {
        slices: parsed(slices),
        ..Read::default()
    };
    let read = with(&[slice("10.0.0.7", 3306)]);
    assert_eq!(
        shown(&read, &moved()),
        ["EndpointSlice db-1, which leads to 10.0.0.7:3306 of Service db"]
    );
    let own = Move {
        service: Some("db".to_owned()),
        ..moved()
    };
    assert!(shown(&read, &own)[0].contains("follows the port"));
    let others = with(&[slice("10.0.0.8", 3306), slice("10.0.0.7", 3307)]);
    assert!(shown(&others, &moved()).is_empty());
}

#[test]
fn policies_that_let_only_the_old_port_through_are_named() {
    let to = json!([{"ipBlock": {"cidr": "10.0.0.0/24"}}]);
    for (egress, shuts) in [
        (json!([{"to": to, "ports": [{"port": 3306}]}]), true),
        (
            json!([{"ports": [{"protocol": "TCP", "port": 3306}]}]),
            true,
        ),
        (
            json!([{"to": to, "ports": [{"port": 3306, "endPort": 3310}]}]),
            false,
        ),
        (
            json!([{"to": to, "ports": [{"port": 3306}]}, {"to": to, "ports": [{"port": 3307}]}]),
            false,
        ),
        (json!([{"to": to}]), false),
        (
            json!([{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"port": 3306}]}]),
            false,
        ),
        (
            json!([{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/24"]}}], "ports": [{"port": 3306}]}]),
            false,
        ),
        (
            json!([{"ports": [{"protocol": "UDP", "port": 3306}]}]),
            false,
        ),
    ] {
        let policy = json!({"metadata": {"name": "egress"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress}});
        let read = Read {
            policies: parsed(&[policy]),
            ..Read::default()
        };
        assert_eq!(!shown(&read, &moved()).is_empty(), shuts, "{egress}");
    }
}

fn deployment(name: &str, mut container: Value, volumes: Value, annotations: Value) -> Workload {
    container["name"] = json!("app");
    let mut object = json!({"metadata": {"name": name}, "spec": {"selector": {}}});
    let template = &mut object["spec"]["template"];
    template["metadata"]["annotations"] = annotations;
    template["spec"]["containers"] = Value::Array(vec![container]);
    template["spec"]["volumes"] = volumes;
    Workload::of_deployment(serde_json::from_value(object).unwrap()).unwrap()
}

/// What is said of a workload in a namespace where the Service `db` leads to the proxy, and the `ConfigMap` `stale` has its address.
fn said(container: Value, volumes: Value) -> Vec<String> {
    let read = Read {
        slices: parsed(&[slice("10.0.0.7", 3306)]),
        config_maps: parsed(&[
            json!({"metadata": {"name": "stale"}, "data": {"url": "tcp(10.0.0.7:3306)"}}),
            json!({"metadata": {"name": "naming"}, "data": {"host": "db.shop.svc"}}),
            json!({"metadata": {"name": "other"}, "data": {"host": "10.0.0.70", "port": "3306"}}),
        ]),
        workloads: vec![deployment("app", container, volumes, json!({}))],
        ..Read::default()
    };
    let found = shown(&read, &moved());
    assert!(
        found.contains(&"ConfigMap stale, which has the address 10.0.0.7 and port 3306".to_owned()),
        "{found:?}"
    );
    let of_app = found
        .into_iter()
        .filter(|text| text.starts_with("Deployment"));
    of_app.collect()
}

#[test]
fn workloads_that_reach_the_proxy_are_named_with_the_way() {
    let env = |value: &str| json!({"env": [{"name": "DB", "value": value}]});
    for (container, volumes, by) in [
        (env("db"), json!([]), "Service db (env DB)"),
        (
            env("user:pw@tcp(db:3306)/shop"),
            json!([]),
            "Service db (env DB)",
        ),
        (
            env("mysql://db.shop.svc.cluster.local/x"),
            json!([]),
            "Service db (env DB)",
        ),
        (env("10.0.0.7:3306"), json!([]), "address 10.0.0.7 (env DB)"),
        (
            json!({"args": ["--host=10.0.0.7"]}),
            json!([]),
            "address 10.0.0.7 (arguments)",
        ),
        (
            json!({"envFrom": [{"configMapRef": {"name": "stale"}}]}),
            json!([]),
            "ConfigMap stale (envFrom)",
        ),
        (
            json!({"env": [{"name": "DB", "valueFrom": {"configMapKeyRef": {"name": "naming", "key": "host"}}}]}),
            json!([]),
            "ConfigMap naming (env DB)",
        ),
        (
            json!({}),
            json!([{"name": "settings", "configMap": {"name": "stale"}}]),
            "ConfigMap stale (volume settings)",
        ),
        (
            json!({}),
            json!([{"name": "settings", "projected": {"sources": [{"configMap": {"name": "stale"}}]}}]),
            "ConfigMap stale (volume settings)",
        ),
    ] {
        assert_eq!(
            said(container, volumes),
            [format!("Deployment app, which reaches the proxy by {by}")]
        );
    }
    for value in [
        "dbadmin",
        "https://x/db",
        "db-2",
        "10.0.0.70",
        "mydb",
        "db.other.svc",
        "",
    ] {
        assert!(said(env(value), json!([])).is_empty(), "{value}");
    }
    assert!(
        said(
            json!({"envFrom": [{"configMapRef": {"name": "other"}}]}),
            json!([])
        )
        .is_empty()
    );
}

#[test]
fn each_kind_of_workload_is_read() {
    let template = json!({"spec": {"containers": [{"name": "app"}]}});
    let set = json!({"metadata": {"name": "a"}, "spec": {"serviceName": "a", "selector": {}, "template": template}});
    let cron = json!({"metadata": {"name": "a"}, "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}});
    let kinds = [
        Workload::of_deployment(serde_json::from_value(set.clone()).unwrap()),
        Workload::of_stateful_set(serde_json::from_value(set.clone()).unwrap()),
        Workload::of_daemon_set(serde_json::from_value(set).unwrap()),
        Workload::of_cron_job(serde_json::from_value(cron).unwrap()),
    ];
    let kinds = kinds.map(|workload| workload.unwrap().kind);
    assert_eq!(kinds, ["Deployment", "StatefulSet", "DaemonSet", "CronJob"]);
}

fn in_mesh(kind: &'static str, spec: &Value) -> Vec<String> {
    let object: DynamicObject = serde_json::from_value(
        json!({"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "it"}, "spec": spec}),
    )
    .unwrap();
    let entry: DynamicObject = serde_json::from_value(
        json!({"apiVersion": "x/v1", "kind": "ServiceEntry", "metadata": {"name": "db"}, "spec":
            {"hosts": ["db.example.com"], "addresses": ["10.0.0.0/24"], "ports": [{"number": 3306, "protocol": "TCP"}]}}),
    )
    .unwrap();
    let mut meshes = Meshes::default();
    meshes.0.entry("ServiceEntry").or_default().push(entry);
    meshes.0.entry(kind).or_default().push(object);
    let read = Read {
        meshes,
        ..Read::default()
    };
    let found = shown(&read, &moved()).into_iter();
    found.filter(|text| text.contains(" it, ")).collect()
}

#[test]
fn objects_of_meshes_that_know_only_the_old_port_are_named() {
    let entry = |ports: Value| json!({"hosts": ["10.0.0.7"], "ports": ports});
    let rule = |port: u16| json!({"host": "db.example.com", "trafficPolicy": {"portLevelSettings": [{"port": {"number": port}}]}});
    let policy = |rule: Value| json!({"egress": [rule]});
    let ports = |port: &str| json!([{"ports": [{"port": port, "protocol": "TCP"}]}]);
    for (kind, spec, is_touched) in [
        ("ServiceEntry", entry(json!([{"number": 3306}])), true),
        (
            "ServiceEntry",
            entry(json!([{"number": 3306}, {"number": 3307}])),
            false,
        ),
        (
            "ServiceEntry",
            json!({"hosts": ["other"], "ports": [{"number": 3306}]}),
            false,
        ),
        ("DestinationRule", rule(3306), true),
        ("DestinationRule", rule(3307), false),
        (
            "CiliumNetworkPolicy",
            policy(json!({"toCIDR": ["10.0.0.7/32"], "toPorts": ports("3306")})),
            true,
        ),
        (
            "CiliumNetworkPolicy",
            policy(
                json!({"toCIDRSet": [{"cidr": "10.0.0.0/8", "except": ["10.0.0.0/24"]}], "toPorts": ports("3306")}),
            ),
            false,
        ),
        (
            "CiliumNetworkPolicy",
            policy(
                json!({"toEntities": ["world"], "toPorts": [{"ports": [{"port": "3300", "endPort": 3310}]}]}),
            ),
            false,
        ),
        (
            "CiliumNetworkPolicy",
            policy(json!({"toCIDR": ["10.0.0.7/32"]})),
            false,
        ),
        (
            "CiliumClusterwideNetworkPolicy",
            policy(json!({"toPorts": ports("3306")})),
            true,
        ),
        (
            "CiliumClusterwideNetworkPolicy",
            policy(json!({"toEndpoints": [{}], "toPorts": ports("3306")})),
            false,
        ),
    ] {
        assert_eq!(
            !in_mesh(kind, &spec).is_empty(),
            is_touched,
            "{kind} {spec}"
        );
    }
}

/// What is said of a workload that has the address, with these annotations of its namespace and its pods.
fn of_mesh(namespace: &Value, pods: Value, entry: bool) -> Vec<String> {
    let mut meshes = Meshes::default();
    if entry {
        let spec = json!({"hosts": ["db"], "ports": [{"number": 3307, "protocol": "MySQL"}]});
        let object = json!({"apiVersion": "x/v1", "kind": "ServiceEntry", "metadata": {"name": "db"}, "spec": spec});
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        meshes.0.entry("ServiceEntry").or_default().push(object);
    }
    let container = json!({"env": [{"name": "DB", "value": "10.0.0.7"}]});
    let read = Read {
        namespace: serde_json::from_value(json!({"metadata": namespace})).unwrap(),
        workloads: vec![deployment("app", container, json!([]), pods)],
        meshes,
        ..Read::default()
    };
    let found = shown(&read, &moved()).into_iter();
    found.filter(|text| text.contains("whose mesh")).collect()
}

#[test]
fn workloads_whose_mesh_takes_only_the_old_port_for_tcp_are_named() {
    let linkerd = json!({"annotations": {"linkerd.io/inject": "enabled"}});
    let istio = json!({"labels": {"istio-injection": "enabled"}});
    assert!(of_mesh(&linkerd, json!({}), false)[0].contains("Linkerd"));
    assert!(of_mesh(&istio, json!({}), false)[0].contains("Istio"));
    for (namespace, pods, entry) in [
        (&json!({}), json!({}), false),
        (
            &linkerd,
            json!({"config.linkerd.io/opaque-ports": "25,3306-3310"}),
            false,
        ),
        (&linkerd, json!({"linkerd.io/inject": "disabled"}), false),
        (&istio, json!({}), true),
        (&istio, json!({"sidecar.istio.io/inject": "false"}), false),
    ] {
        let found = of_mesh(namespace, pods, entry);
        assert!(found.is_empty(), "{found:?}");
    }
}
