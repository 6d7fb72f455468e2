//! What `status` says of the operator that is installed, to users with more and fewer rights.

use serde_json::{Value, json};

use crate::plane::{Place, status};

/// The operator's Deployment, its Lease and its calendar, in the namespace of the story.
fn installed() -> [Value; 3] {
    let labels = json!({"app.kubernetes.io/name": "taurus-port-operator"});
    let container = json!({
        "name": "operator",
        "image": "registry.example.com/taurus-port-operator@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "args": ["run", "--calendar=/var/run/taurus/calendar/calendar.yaml"],
        "volumeMounts": [{"name": "calendar", "mountPath": "/var/run/taurus/calendar"}],
    });
    let pods = json!({
        "containers": [container],
        "volumes": [{"name": "calendar", "configMap": {"name": "taurus-calendar"}}],
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "taurus-port-operator", "labels": {"app.kubernetes.io/version": "0.1.0"}},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pods}},
    });
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "taurus-port-operator"},
        "spec": {"holderIdentity": "taurus-port-operator-7f9c-abcde", "renewTime": "2026-01-01T00:00:00.000000Z"},
    });
    let calendar = "\
windows:
  - start: \"00:00\"
    duration: 24h
freezes:
  - from: 2020-01-01T00:00:00Z
    until: 2099-01-01T00:00:00Z
    reason: year-end
";
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "taurus-calendar"},
        "data": {"calendar.yaml": calendar},
    });
    [deployment, lease, map]
}

#[taurus_needs::test]
async fn release_leader_freeze_and_windows_are_told_as_far_as_they_may_be_seen() {
    let place = Place::new().await;
    place
        .make("orders", json!({}), status("Ready", "Settled", 3307))
        .await;
    for object in installed() {
        place.apply(&object);
    }
    let namespace = place.namespace.as_str();
    let words = ["status", "--operator-namespace", namespace];
    let seen = place.plugin(&words).good();
    for told in [
        "operator: 0.1.0, image registry.example.com/taurus-port-operator@sha256:0123",
        "; leader: taurus-port-operator-7f9c-abcde, seen ",
        "\nfreeze in force until 2099-01-01T00:00:00Z: year-end\n",
        "\nwindows of the calendar: 1, one is open now\n",
    ] {
        assert!(seen.contains(told), "{told} in {seen}");
    }
    let whole = place.plugin(&[&words[..], &["-o", "json"]].concat()).json();
    let operator = &whole["operator"];
    assert_eq!(operator["version"], "0.1.0");
    assert_eq!(operator["leader"]["is"], "taurus-port-operator-7f9c-abcde");
    assert_eq!(operator["calendar"]["is"]["freezes"][0]["inForce"], true);

    // Each right shows its part, and none is needed.
    let no_map = format!("ConfigMap taurus-calendar of {namespace}: no right to read it");
    for (name, rights, told) in [
        (
            "none",
            &[] as &[&str],
            [
                format!("operator: not visible in {namespace}; leader: not visible\n"),
                String::new(),
            ],
        ),
        (
            "release",
            &["deployments.apps"],
            [
                "; leader: not visible\n".to_owned(),
                format!("\ncalendar: not known here ({no_map})\n"),
            ],
        ),
        (
            "leader",
            &["leases.coordination.k8s.io"],
            [
                format!(
                    "operator: not visible in {namespace}; leader: taurus-port-operator-7f9c-abcde"
                ),
                String::new(),
            ],
        ),
        (
            "calendar",
            &["deployments.apps", "configmaps"],
            [
                "operator: 0.1.0, image ".to_owned(),
                "\nfreeze in force until 2099-01-01T00:00:00Z: year-end\n".to_owned(),
            ],
        ),
    ] {
        let kubeconfig = reader(&place, name, rights).await;
        let seen = place.plugin_with(kubeconfig.path(), &words, "", &[]).good();
        for told in told {
            assert!(seen.contains(&told), "{name}: {told} in {seen}");
        }
        assert!(seen.contains("orders"), "{name}: {seen}");
        let has_calendar = seen.contains("windows of the calendar");
        assert_eq!(has_calendar, name == "calendar", "{name}: {seen}");
    }
}

/// The kubeconfig of an account that may list the resources, and get these kinds of objects.
async fn reader(place: &Place, name: &str, kinds: &[&str]) -> tempfile::NamedTempFile {
    place.kubectl(&["create", "serviceaccount", name]);
    let bind = |role: &str, verbs: &str, kinds: &str| {
        let account = format!("--serviceaccount={}:{name}", place.namespace);
        let of_role = format!("--role={role}");
        place.kubectl(&["create", "role", role, verbs, kinds]);
        place.kubectl(&["create", "rolebinding", role, &of_role, &account]);
    };
    let ours = "--resource=taurusproxyports.taurusdb.huaweicloud.com";
    bind(name, "--verb=list", ours);
    if !kinds.is_empty() {
        let kinds = format!("--resource={}", kinds.join(","));
        bind(&format!("{name}-more"), "--verb=get", &kinds);
    }
    let text = place
        .plane
        .service_account_kubeconfig(&place.namespace, name)
        .await
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}
