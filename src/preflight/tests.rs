//! The judge: what is found in what was read, and what a person is told of it before a change.

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::{
    reader::{PODS, POLICIES, Unread, Why},
    warnings::Known,
    *,
};

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

fn parsed<T: serde::de::DeserializeOwned>(values: &[Value]) -> Vec<T> {
    let values = values.iter();
    values
        .map(|value| serde_json::from_value(value.clone()).unwrap())
        .collect()
}

fn shown(read: &Found, moved: &Move) -> Vec<String> {
    touched(read, moved).iter().map(Touched::shown).collect()
}

/// What a person is told before the change.
fn warned(found: &Found) -> Vec<String> {
    said_of(&touched(found, &moved()), &[])
}

/// The same, of what was found and not read.
fn said_of(touched: &[Touched], unread: &[Unread]) -> Vec<String> {
    let known = Known::after(None, warnings::of(touched, &moved(), unread));
    let (texts, more) = known.texts(usize::MAX);
    assert_eq!(more, 0);
    texts
}

const NOTHING: [&str; 0] = [];

fn slice(address: &str, port: u16) -> Value {
    json!({
        "metadata": {"name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
        "addressType": "IPv4", "endpoints": [{"addresses": [address]}], "ports": [{"port": port}],
    })
}

#[test]
fn slices_that_lead_to_the_old_port_are_named_with_their_service() {
    let with = |slices: &[Value]| Found {
        slices: parsed(slices),
        ..Found::default()
    };
    let read = with(&[slice("10.0.0.7", 3306)]);
    assert_eq!(
        shown(&read, &moved()),
        ["EndpointSlice db-1, which leads to 10.0.0.7:3306 of Service db"]
    );
    let mut ours = slice("10.0.0.7", 3306);
    ours["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] =
        json!("taurus-port-operator");
    let left = with(&[ours.clone()]);
    let owner = |kind: &str| json!([{"apiVersion": "v1", "kind": kind, "name": "a", "uid": "u"}]);
    ours["metadata"]["ownerReferences"] = owner("Deployment");
    for stale in [left, with(&[ours.clone()])] {
        let [warning] = warned(&stale).try_into().unwrap();
        let begins = "EndpointSlice db-1: leads to 10.0.0.7:3306 of Service db and belongs to no TaurusProxyPort any more; it still has";
        assert!(warning.starts_with(begins), "{warning}");
    }
    ours["metadata"]["ownerReferences"] = owner("TaurusProxyPort");
    let ours = with(&[ours]);
    assert!(shown(&ours, &moved())[0].contains("follows the port"));
    assert_eq!(warned(&ours), NOTHING);
    let mut datagrams = slice("10.0.0.7", 3306);
    datagrams["ports"][0]["protocol"] = json!("UDP");
    let others = with(&[slice("10.0.0.8", 3306), slice("10.0.0.7", 3307), datagrams]);
    assert!(shown(&others, &moved()).is_empty());
    let six = Move {
        address: Some("fd00::7".to_owned()),
        ..moved()
    };
    let read = with(&[slice("fd00:0:0::7", 3306)]);
    assert_eq!(
        shown(&read, &six).len(),
        1,
        "however the address is written"
    );
}

/// A policy of this name, with a spec of which something was left out.
fn policy(name: &str, spec: &Value) -> Value {
    json!({"metadata": {"name": name}, "spec": spec})
}

fn with_policies(policies: &[Value]) -> Found {
    Found {
        policies: parsed(policies),
        ..Found::default()
    }
}

#[test]
fn policies_that_let_only_the_old_port_through_are_named() {
    let to = json!([{"ipBlock": {"cidr": "10.0.0.0/24"}}]);
    let exactly = json!([{"ipBlock": {"cidr": "10.0.0.7/32"}}]);
    let pods = json!([{"podSelector": {}}, {"namespaceSelector": {}}]);
    let old = json!([{"port": 3306}]);
    for (egress, shuts) in [
        (json!([{"to": to, "ports": old}]), true),
        (json!([{"to": exactly, "ports": old}]), true),
        (
            json!([{"ports": [{"protocol": "TCP", "port": 3306}]}]),
            true,
        ),
        (
            json!([{"to": to, "ports": [{"port": 3306, "endPort": 3310}]}]),
            false,
        ),
        (
            json!([{"to": to, "ports": [{"port": 3300, "endPort": 3306}]}]),
            true,
        ),
        (
            json!([{"to": to, "ports": old}, {"to": to, "ports": [{"port": 3307}]}]),
            false,
        ),
        (json!([{"to": to}]), false),
        (
            json!([{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": old}]),
            false,
        ),
        (
            json!([{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/24"]}}], "ports": old}]),
            false,
        ),
        (
            json!([{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.1.0/24"]}}], "ports": old}]),
            true,
        ),
        (
            json!([{"ports": [{"protocol": "UDP", "port": 3306}]}]),
            false,
        ),
        // A name is one of a pod's.
        (json!([{"to": to, "ports": [{"port": "mysql"}]}]), false),
        (
            json!([{"to": to, "ports": [{"port": 3306}, {"port": "mysql"}]}]),
            true,
        ),
        // A proxy is no pod.
        (json!([{"to": pods, "ports": old}]), false),
        // Nothing was let through before.
        (json!([]), false),
        (json!([{"to": to, "ports": [{"port": 5432}]}]), false),
    ] {
        let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": egress});
        let read = with_policies(&[policy("egress", &spec)]);
        assert_eq!(!shown(&read, &moved()).is_empty(), shuts, "{egress}");
    }
}

#[test]
fn policies_count_for_egress_alone_and_add_up() {
    let rule = |port: u16| json!([{"ports": [{"port": port}]}]);
    let shop = json!({"matchLabels": {"app": "shop", "tier": "web"}});
    let named = |policies: &[Value]| {
        let shut = shown(&with_policies(policies), &moved());
        shut.iter().any(|text| text.contains("NetworkPolicy old"))
    };
    // Where it isn't said, a policy with such rules is for egress.
    for (types, shuts) in [
        (json!(null), true),
        (json!(["Ingress", "Egress"]), true),
        (json!(["Ingress"]), false),
    ] {
        let spec = json!({"podSelector": {}, "policyTypes": types, "egress": rule(3306)});
        assert_eq!(named(&[policy("old", &spec)]), shuts, "{types}");
    }
    let old = policy("old", &json!({"podSelector": shop, "egress": rule(3306)}));
    for (selector, egress, lets) in [
        (json!({}), rule(3307), true),
        (shop.clone(), rule(3307), true),
        (json!({"matchLabels": {"app": "shop"}}), rule(3307), true),
        (json!({"matchLabels": {"app": "other"}}), rule(3307), false),
        (
            json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
            rule(3307),
            false,
        ),
        // A default deny lets nothing through.
        (json!({}), json!([]), false),
    ] {
        let spec = json!({"podSelector": selector, "policyTypes": ["Egress"], "egress": egress});
        let both = [old.clone(), policy("new", &spec)];
        assert_eq!(named(&both), !lets, "{spec}");
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
    let read = Found {
        slices: parsed(&[slice("10.0.0.7", 3306)]),
        config_maps: parsed(&[
            json!({"metadata": {"name": "stale"}, "data": {"url": "tcp(10.0.0.7:3306)"}}),
            json!({"metadata": {"name": "naming"}, "data": {"host": "db.shop.svc"}}),
            json!({"metadata": {"name": "other"}, "data": {"host": "10.0.0.70", "port": "3306"}}),
        ]),
        clients: Clients::Workloads(vec![deployment("app", container, volumes, json!({}))]),
        ..Found::default()
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
    let mut read = Found::default();
    let of = &mut read.meshes.0;
    of.entry("ServiceEntry").or_default().push(entry);
    if kind == cilium::CLUSTERWIDE {
        read.clusterwide = Arc::new(vec![object]);
    } else {
        of.entry(kind).or_default().push(object);
    }
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
    let read = Found {
        namespace: serde_json::from_value(namespace.clone()).unwrap(),
        clients: Clients::Workloads(vec![deployment("app", container, json!([]), pods)]),
        meshes,
        ..Found::default()
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

/// The meshes that are named for pods with these annotations and labels, in a namespace with these.
fn lost_by(namespace: &Value, pods: &[Value]) -> Vec<String> {
    let read = Found {
        namespace: serde_json::from_value(namespace.clone()).unwrap(),
        clients: Clients::Pods(parsed(pods)),
        ..Found::default()
    };
    let warned = warned(&read);
    let meshes = ["Linkerd", "Istio"].into_iter();
    let lost = meshes.filter(|mesh| warned.iter().any(|text| text.contains(mesh)));
    lost.map(str::to_owned).collect()
}

#[test]
fn a_namespace_whose_pods_are_in_a_mesh_is_named_unless_the_port_goes_around_it() {
    let annotated = |name: &str, value: &str| json!({"annotations": {name: value}});
    let labelled = |name: &str, value: &str| json!({"labels": {name: value}});
    let linkerd = annotated("linkerd.io/inject", "enabled");
    let istio = labelled("istio-injection", "enabled");
    let of_linkerd =
        |name: &str, value: &str| annotated(&format!("config.linkerd.io/{name}"), value);
    let of_istio =
        |name: &str, value: &str| annotated(&format!("traffic.sidecar.istio.io/{name}"), value);
    let none = json!({});
    for (namespace, pod, lost) in [
        (&linkerd, none.clone(), &["Linkerd"][..]),
        (&none, linkerd.clone(), &["Linkerd"]),
        (
            &none,
            annotated("linkerd.io/proxy-version", "edge"),
            &["Linkerd"],
        ),
        (&linkerd, annotated("linkerd.io/inject", "disabled"), &[]),
        (&linkerd, of_linkerd("opaque-ports", "3306, 3307"), &[]),
        (&linkerd, of_linkerd("opaque-ports", "3306"), &["Linkerd"]),
        // The old port wasn't taken for TCP either.
        (&linkerd, of_linkerd("opaque-ports", "25"), &[]),
        (
            &linkerd,
            of_linkerd("skip-outbound-ports", "3300-3310"),
            &[],
        ),
        (
            &linkerd,
            of_linkerd("skip-outbound-ports", "3306"),
            &["Linkerd"],
        ),
        (&linkerd, of_linkerd("skip-subnets", "10.0.0.0/8"), &[]),
        (
            &linkerd,
            of_linkerd("skip-subnets", "10.1.0.0/16"),
            &["Linkerd"],
        ),
        (&istio, none.clone(), &["Istio"]),
        (
            &labelled("istio.io/rev", "stable"),
            none.clone(),
            &["Istio"],
        ),
        (
            &none,
            labelled("sidecar.istio.io/inject", "true"),
            &["Istio"],
        ),
        (
            &none,
            annotated("sidecar.istio.io/status", "{}"),
            &["Istio"],
        ),
        (&istio, labelled("sidecar.istio.io/inject", "false"), &[]),
        (
            &labelled("istio-injection", "disabled"),
            labelled("istio.io/rev", "stable"),
            &[],
        ),
        (&istio, of_istio("excludeOutboundPorts", "3307"), &[]),
        (
            &istio,
            of_istio("excludeOutboundIPRanges", "10.0.0.7/32"),
            &[],
        ),
        (
            &istio,
            of_istio("includeOutboundIPRanges", "172.16.0.0/12"),
            &[],
        ),
        (&istio, of_istio("includeOutboundIPRanges", "*"), &["Istio"]),
        (&none, none.clone(), &[]),
    ] {
        assert_eq!(
            lost_by(namespace, std::slice::from_ref(&pod)),
            lost,
            "{namespace} {pod}"
        );
    }
    assert_eq!(lost_by(&linkerd, &[]), ["Linkerd"], "before there are pods");
    let opaque = of_linkerd("opaque-ports", "3306,3307");
    assert_eq!(lost_by(&linkerd, &[opaque.clone(), json!({})]), ["Linkerd"]);
    assert_eq!(lost_by(&linkerd, &[opaque]), NOTHING, "all that there are");
}

#[test]
fn who_has_a_service_of_the_operator_needs_no_word_about_meshes() {
    let read = Found {
        namespace: serde_json::from_value(json!({"annotations": {"linkerd.io/inject": "enabled"}}))
            .unwrap(),
        clients: Clients::Pods(vec![ObjectMeta::default()]),
        ..Found::default()
    };
    assert_eq!(
        warned(&read),
        [
            "Namespace shop: mesh Linkerd takes port 3306 for TCP and not 3307: each connection would wait for the mesh; tell the mesh of \
          port 3307, or let applications use a Service of spec.service"
        ]
    );
    let served = Move {
        service: Some("db".to_owned()),
        ..moved()
    };
    assert_eq!(touched(&read, &served), []);
}

#[test]
fn warnings_say_what_breaks_in_one_order_whatever_the_order_of_what_was_read() {
    let rule = json!([{"ports": [{"port": 3306}]}]);
    let policies = ["b", "a"].map(|name| {
        let selector = json!({"matchLabels": {"app": name}});
        policy(name, &json!({"podSelector": selector, "egress": rule}))
    });
    let one = Found {
        policies: parsed(&policies),
        slices: parsed(&[slice("10.0.0.7", 3306)]),
        ..Found::default()
    };
    let warned_of_one = warned(&one);
    assert_eq!(
        warned_of_one,
        [
            "NetworkPolicy a: lets 10.0.0.7:3306 through and not 3307; allow port 3307 before the change starts, and keep 3306 until it has \
             ended",
            "NetworkPolicy b: lets 10.0.0.7:3306 through and not 3307; allow port 3307 before the change starts, and keep 3306 until it has \
             ended",
            "EndpointSlice db-1: leads to 10.0.0.7:3306 of Service db; it still has port 3306 after the change; spec.service keeps a Service \
             that follows the port",
        ]
    );
    let mut other = one;
    other.policies.reverse();
    assert_eq!(warned(&other), warned_of_one);
}

fn unread(what: &'static str, why: Why) -> Unread {
    Unread {
        what,
        why,
        said: "request 4711 failed".to_owned(),
        is_everywhere: false,
    }
}

#[test]
fn what_was_not_looked_at_is_one_warning_and_a_right_beyond_the_namespace_is_none() {
    let warned = |unread: &[Unread]| said_of(&[], unread);
    assert_eq!(warned(&[]), NOTHING);
    assert_eq!(
        warned(&[
            unread("Pods", Why::TooMany),
            unread("EndpointSlices", Why::Failed),
            unread("NetworkPolicies", Why::Forbidden),
            unread("ServiceEntry", Why::TooLarge),
        ]),
        [
            "not all that uses the port was looked at: EndpointSlices (the API server failed), NetworkPolicies (the operator may not read them), \
          Pods (there are too many), ServiceEntry (some are too large, or can't be decoded)"
        ]
    );
    let everywhere = |why| Unread {
        is_everywhere: true,
        ..unread(cilium::CLUSTERWIDE, why)
    };
    assert_eq!(warned(&[everywhere(Why::Forbidden)]), NOTHING);
    assert_eq!(warned(&[everywhere(Why::Failed)]).len(), 1);
}

#[test]
fn a_warning_is_bounded_and_has_no_control_characters() {
    let name = format!("a\u{1b}[31m\n{}", "x".repeat(2000));
    let touched = [Touched::of(
        "ServiceEntry",
        name,
        "which has it",
        Fate::Unknown,
    )];
    let warnings = said_of(&touched, &[]);
    let text = &warnings[0];
    assert!(
        text.chars().count() <= 512 && !text.contains(char::is_control),
        "{text}"
    );
}

fn broken(kind: &str, name: &str) -> Touched {
    Touched::of(kind, name, "which breaks", Fate::Shuts)
}

/// What is known after a look that has found this, and could not read that.
fn after(before: Option<&Known>, touched: &[Touched], unread: &[Unread]) -> Known {
    Known::after(before, warnings::of(touched, &moved(), unread))
}

/// The first two words of each text.
fn begins(known: &Known) -> Vec<String> {
    let texts = known.texts(usize::MAX).0.into_iter();
    let begins = texts.map(|text| {
        let words: Vec<&str> = text.split(' ').take(2).collect();
        words.join(" ")
    });
    begins.collect()
}

#[test]
fn what_fails_changes_nothing_of_its_kind_and_holds_up_no_other_one() {
    let [policy, slice] = [broken("NetworkPolicy", "a"), broken("EndpointSlice", "b")];
    let first = after(None, &[policy, slice], &[]);
    assert_eq!(begins(&first), ["NetworkPolicy a:", "EndpointSlice b:"]);
    // The slice was mended, and another one is stale; policies can't be read.
    let fails = [unread(POLICIES, Why::Failed)];
    let other = [broken("EndpointSlice", "c")];
    let once = after(Some(&first), &other, &fails);
    assert_eq!(begins(&once), ["NetworkPolicy a:", "EndpointSlice c:"]);
    let twice = after(Some(&once), &other, &fails);
    assert_eq!(begins(&twice)[..2], begins(&once));
    let texts = twice.texts(usize::MAX).0;
    assert!(
        texts[2].ends_with(": NetworkPolicies (the API server failed)"),
        "{texts:?}"
    );
    assert_eq!(after(Some(&twice), &other, &fails), twice, "for ever");
    let mended = after(Some(&twice), &other, &[]);
    assert_eq!(begins(&mended), ["EndpointSlice c:"]);
    // What can't be read at all stands as it is.
    let none = Known::after(Some(&first), warnings::Look::blank());
    assert_eq!(none.texts(8), first.texts(8));
    let still = Known::after(Some(&none), warnings::Look::blank());
    assert!(still.texts(8).0[2].starts_with("what uses the port was not looked at"));
    assert_eq!(still.news(&first.texts(8).0), None);
}

#[test]
fn what_rests_on_something_that_failed_stands_as_well() {
    let namespace = Touched::of("Namespace", "shop", "whose mesh", Fate::Unknown);
    let first = after(None, &[namespace, broken(cilium::NAMESPACED, "p")], &[]);
    let once = after(Some(&first), &[], &[unread(PODS, Why::Failed)]);
    assert_eq!(begins(&once), begins(&first));
    // Without the right to read them it is judged without them.
    let forbidden = after(Some(&first), &[], &[unread(PODS, Why::Forbidden)]);
    assert_eq!(begins(&forbidden), ["not all"]);
}

#[test]
fn what_a_plan_on_record_says_is_what_was_known() {
    let touched: Vec<Touched> = (0..3)
        .map(|at| broken("NetworkPolicy", &format!("p{at}")))
        .collect();
    let many: Vec<Touched> = (0..12)
        .map(|at| broken("EndpointSlice", &format!("s{at:02}")))
        .collect();
    let fails = [unread(POLICIES, Why::Failed)];
    for known in [
        after(None, &touched, &[]),
        after(None, &[], &fails),
        after(None, &many, &[]),
        Known::after(None, warnings::Look::blank()),
        Known::default(),
    ] {
        let (texts, more) = known.texts(warnings::MOST);
        let mut recorded = vec!["the annotation approves another plan".to_owned()];
        recorded.extend(texts.iter().cloned());
        recorded.extend((more > 0).then(|| warnings::and_more(more)));
        let recalled = Known::of_record(&recorded);
        assert_eq!(recalled.texts(warnings::MOST), (texts, more));
        // A look that fails the same way changes nothing of it.
        let again = Known::after(Some(&recalled), warnings::Look::blank());
        assert_eq!(again.texts(1).0.first(), recalled.texts(1).0.first());
    }
    let recalled = Known::of_record(&after(None, &touched, &[]).texts(8).0);
    assert_eq!(begins(&after(Some(&recalled), &[], &fails)).len(), 3);
}

#[test]
fn no_more_than_eight_are_shown_and_an_event_has_room_for_what_it_says() {
    let many: Vec<Touched> = (0..500)
        .map(|at| broken("NetworkPolicy", &format!("p{at:03}-{}", "x".repeat(80))))
        .collect();
    let mut reversed = many.clone();
    reversed.reverse();
    let known = after(None, &many, &[]);
    assert_eq!(known, after(None, &reversed, &[]), "whatever the order");
    let (texts, more) = known.texts(warnings::MOST);
    assert_eq!((texts.len(), more), (8, 492));
    let news = known.news(&[]).unwrap();
    assert!(news.len() < 900, "{}", news.len());
    assert!(news.starts_with(&texts[0]) && news.contains(&texts[1]));
    let shown = texts.iter().filter(|text| news.contains(*text)).count();
    let more = format!("; and {} more: kubectl", 500 - shown);
    assert!(news.contains(&more), "{news}");
    assert_eq!(known.news(&texts), None);
    let last = known.news(&texts[..7]).unwrap();
    assert!(last.starts_with(&texts[7]) && last.contains("; and 492 more"));
}
