//! The samples of admission policies, on an API server that has them.

use std::time::Duration;

use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;
use taurus_sim::sample;

use super::manifests::{apply, replace};
use crate::world::{
    PATIENCE, plane,
    tools::{printed, refusal},
};

/// The project and the instance that the sample names.
const PROJECT: &str = "0483b6b16e954cb88930a360d2c4e663";
const INSTANCE: &str = "e80a4b6f13c2457d9ab05c7712f4d3e6in07";

fn resource(namespace: &str, name: &str, spec: &Value) -> Value {
    let mut resource = json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "region": "ap-southeast-1", "projectID": PROJECT, "instanceID": INSTANCE, "proxyID": sample::PROXY,
            "port": 3307, "credentialsRef": {"name": "taurus-credentials"}, "managementPolicy": "Enforce",
        },
    });
    let fields = resource["spec"].as_object_mut().unwrap();
    fields.extend(spec.as_object().unwrap().clone());
    resource
}

/// A resource that doesn't say what it is for.
fn silent(namespace: &str, name: &str) -> Value {
    let mut resource = resource(namespace, name, &json!({}));
    let spec = resource["spec"].as_object_mut().unwrap();
    spec.remove("managementPolicy").unwrap();
    resource
}

/// A control plane with the policies, which are at work: an API server takes them up after a moment.
async fn with_policies() -> plane::Plane {
    let owned = plane::with("deploy/base").await;
    let plane = &owned;
    for namespace in ["shop", "billing", "others"] {
        printed(plane::kubectl(plane, &["create", "namespace", namespace]));
    }
    let doubtful = json!({"port": 33060});
    // Some time before the policies, so that those of them that look at what changes have something to look at.
    let old = json!({"port": 3306});
    assert!(
        apply(plane, &[resource("others", "old", &old)])
            .status
            .success()
    );
    let policies = ["apply", "--server-side", "-k", "deploy/policies"];
    printed(plane::kubectl(plane, &policies));
    let at_work = async {
        loop {
            let tried = [
                try_out(plane, &resource("others", "x", &json!({}))),
                try_out(plane, &resource("shop", "x", &old)),
                try_out(plane, &resource("shop", "x", &doubtful)),
                try_out(plane, &silent("shop", "x")),
            ];
            if tried.iter().all(|said| !said.is_empty()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, at_work).await.unwrap();
    owned
}

/// What kubectl says on standard error of a resource that is only tried.
fn try_out(plane: &ControlPlane, resource: &Value) -> String {
    let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::io::Write::write_all(&mut file, resource.to_string().as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let flags = ["apply", "--server-side", "--dry-run=server", "-f", path];
    let output = plane::kubectl(plane, &flags);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_samples_allow_refuse_and_warn_in_plain_words() {
    let plane = &with_policies().await;

    // Which namespace may name what: a project as a whole, one instance, nothing.
    let other_instance = json!({"instanceID": sample::OTHER_INSTANCE});
    let upper = json!({"projectID": PROJECT.to_uppercase()});
    for (namespace, name, spec) in [
        ("shop", "one", &json!({})),
        ("shop", "two", &other_instance),
        ("shop", "three", &upper),
        ("billing", "one", &json!({})),
    ] {
        let applied = apply(plane, &[resource(namespace, name, spec)]);
        assert!(applied.status.success(), "{namespace}: {applied:?}");
        assert!(applied.stderr.is_empty(), "{namespace}: {applied:?}");
    }
    let other_project = json!({"projectID": "1".repeat(32)});
    for (namespace, spec) in [
        ("shop", &other_project),
        ("billing", &other_instance),
        ("others", &json!({})),
    ] {
        let said = refusal(&apply(plane, &[resource(namespace, "no", spec)]));
        let plain = format!("namespace {namespace} may not name instance ");
        assert!(said.contains(&plain), "{said}");
        assert!(said.contains("the ConfigMap taurus-projects"), "{said}");
    }

    // Ports.
    let said = refusal(&apply(
        plane,
        &[resource("shop", "no", &json!({"port": 3306}))],
    ));
    assert!(said.contains("spec.port must not be 3306"), "{said}");
    let moved = apply(plane, &[resource("shop", "one", &json!({"port": 3306}))]);
    assert!(refusal(&moved).contains("spec.port must not be 3306"));
    let warned = apply(plane, &[resource("shop", "one", &json!({"port": 33060}))]);
    assert!(warned.status.success(), "{warned:?}");
    let said = String::from_utf8_lossy(&warned.stderr);
    assert!(
        said.contains("Warning") && said.contains("port 33060 reserved"),
        "{said}"
    );

    // What was there before is left alone, except for a new port.
    for spec in [
        json!({"port": 3306, "suspend": true}),
        json!({"port": 3307}),
    ] {
        let applied = apply(plane, &[resource("others", "old", &spec)]);
        assert!(applied.status.success(), "{applied:?}");
        assert!(applied.stderr.is_empty(), "{applied:?}");
    }

    // Without the list, nobody is allowed anything.
    let list = [
        "delete",
        "configmap",
        "taurus-projects",
        "-n",
        "taurus-system",
    ];
    printed(plane::kubectl(plane, &list));
    let refused = async {
        while try_out(plane, &resource("shop", "x", &json!({}))).is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
}

/// What kubectl says of a resource whose `managementPolicy: Observe` is mistyped, and whether it was taken.
fn mistyped(plane: &ControlPlane, name: &str, flags: &[&str]) -> (bool, String) {
    let mut resource = silent("shop", name);
    resource["spec"]["managmentPolicy"] = "Observe".into();
    let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::io::Write::write_all(&mut file, resource.to_string().as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let output = plane::kubectl(plane, &[&["apply", "-f", path], flags].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn n11_a_mistyped_policy_is_refused_or_said_aloud_at_creation() {
    let plane = &with_policies().await;
    // As people apply, the API server itself refuses it, and names the field.
    for flags in [
        &[][..],
        &["--server-side"],
        &["--server-side", "--validate=false"],
    ] {
        let (taken, said) = mistyped(plane, "refused", flags);
        assert!(
            !taken && said.contains("managmentPolicy"),
            "{flags:?}: {said}"
        );
    }
    // Where validation is off, the field is dropped; the policy warns of what is left.
    for flags in [
        &["--validate=false"][..],
        &["--validate=ignore"],
        &["--validate=warn"],
    ] {
        let name = flags[0].trim_start_matches("--validate=");
        let (taken, said) = mistyped(plane, name, flags);
        assert!(taken, "{flags:?}: {said}");
        let plain =
            "Warning: Validation failed for ValidatingAdmissionPolicy 'taurus-explicit-policy'";
        assert!(said.contains(plain), "{flags:?}: {said}");
        assert!(said.contains("which means Enforce"), "{said}");
    }
    let meant = apply(plane, &[resource("shop", "meant", &json!({}))]);
    assert!(
        meant.status.success() && meant.stderr.is_empty(),
        "{meant:?}"
    );
    // An edit that takes the field away is warned of as well; one of a resource without it is not, again and again.
    let emptied = replace(plane, &silent("shop", "meant"));
    let said = String::from_utf8_lossy(&emptied.stderr);
    assert!(
        emptied.status.success() && said.contains("which means Enforce"),
        "{said}"
    );
    let again = replace(plane, &silent("shop", "meant"));
    assert!(
        again.status.success() && again.stderr.is_empty(),
        "{again:?}"
    );
}

/// What the audit log has of a plan: with which status the requests ended, and what the policy says of them.
fn audited(plane: &ControlPlane, plan: &str) -> Vec<(u64, String)> {
    let log = std::fs::read_to_string(plane.folder().join("audit.log")).unwrap();
    let entries = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let entries = entries.filter_map(|entry| {
        let said = entry["annotations"]["taurus-approval/approval"].as_str()?;
        let status = entry["responseStatus"]["code"].as_u64()?;
        said.contains(plan).then(|| (status, said.to_owned()))
    });
    entries.collect()
}

/// What kubectl says to somebody who patches a resource.
fn patched(plane: &ControlPlane, who: &str, patch: &Value) -> std::process::Output {
    patched_of(plane, "planned", who, patch)
}

/// The same for a resource of this name.
fn patched_of(plane: &ControlPlane, name: &str, who: &str, patch: &Value) -> std::process::Output {
    let patch = patch.to_string();
    let what = ["patch", "tpp", name, "-n", "shop", "--type=merge"];
    plane::kubectl(plane, &[&what[..], &["--as", who, "-p", &patch]].concat())
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_has_the_verb_approves_hurries_or_releases_a_change() {
    let plane = &with_policies().await;
    let manual = json!({"approval": "Manual"});
    assert!(
        apply(plane, &[resource("shop", "planned", &manual)])
            .status
            .success()
    );
    let edits = "--verb=get,list,watch,create,update,patch";
    let of = "--resource=taurusproxyports.taurusdb.huaweicloud.com";
    printed(plane::kubectl(
        plane,
        &["create", "clusterrole", "tpp-editor", edits, of],
    ));
    for (role, who) in [("tpp-editor", "dev"), ("taurus-port-approver", "boss")] {
        let (role, user) = (format!("--clusterrole={role}"), format!("--user={who}"));
        let bind = ["create", "rolebinding", who, "-n", "shop", &role, &user];
        printed(plane::kubectl(plane, &bind));
    }
    let annotation = |name: &str, id: &str| json!({"metadata": {"annotations": {format!("taurusdb.huaweicloud.com/{name}"): id}}});
    let (one, other) = ("0123456789abcdef", "fedcba9876543210");
    let waived = json!({"spec": {"approval": null}});
    let windows = |start: &str| {
        let window = json!([{"start": start, "duration": "1h"}]);
        json!({"spec": {"maintenanceWindows": window}})
    };
    let follow = json!({"spec": {"instanceWindow": "Follow"}});
    let released = json!({"spec": {"managementPolicy": "Observe"}});
    let taken_up = json!({"spec": {"managementPolicy": "Enforce"}});
    // The API server takes a policy up after a moment.
    let at_work = async {
        while patched(plane, "dev", &waived).status.success() {
            printed(patched(plane, "boss", &json!({"spec": manual})));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, at_work).await.unwrap();

    for patch in [
        annotation("approve", one),
        annotation("applyNow", one),
        json!({"spec": {"approvedPlan": one}}),
        waived.clone(),
        windows("02:00"),
        follow.clone(),
        released.clone(),
    ] {
        let said = refusal(&patched(plane, "dev", &patch));
        assert!(
            said.contains("user dev needs the verb approve"),
            "{patch}: {said}"
        );
    }
    for patch in [
        annotation("approve", one),
        annotation("applyNow", one),
        json!({"spec": {"approvedPlan": one}}),
    ] {
        printed(patched(plane, "boss", &patch));
    }
    // The audit log has who approved which plan, and who has tried to.
    let audited = audited(plane, one);
    let refused = (403, format!("dev asks to: approve plan {one}"));
    let approved = (200, format!("boss asks to: approve plan {one}"));
    assert!(audited.contains(&refused), "{audited:?}");
    assert!(audited.contains(&approved), "{audited:?}");
    let by_dev = |entry: &&(u64, String)| entry.0 == 200 && entry.1.starts_with("dev");
    assert_eq!(audited.iter().find(by_dev), None);
    printed(patched(plane, "boss", &released));
    printed(patched(plane, "dev", &taken_up));
    // Windows take the brake off as well, whether there are more or fewer.
    printed(patched(plane, "boss", &windows("02:00")));
    for patch in [
        windows("03:00"),
        json!({"spec": {"maintenanceWindows": null}}),
    ] {
        let said = refusal(&patched(plane, "dev", &patch));
        assert!(
            said.contains("to: change maintenanceWindows or instanceWindow"),
            "{said}"
        );
    }
    printed(patched(plane, "dev", &windows("02:00")));
    let mut moved = windows("04:00");
    moved["spec"]["port"] = json!(3310);
    printed(patched(plane, "boss", &moved));
    printed(patched(plane, "boss", &follow));
    // Who asks for more care needs no verb.
    printed(patched(plane, "boss", &waived));
    printed(patched(plane, "dev", &json!({"spec": manual})));
    // What was approved before stands in nobody's way, and can be taken back.
    printed(patched(plane, "dev", &json!({"spec": {"port": 3308}})));
    printed(patched(
        plane,
        "dev",
        &json!({"spec": {"approvedPlan": null}}),
    ));
    let said = refusal(&patched(plane, "dev", &annotation("approve", other)));
    assert!(said.contains("user dev needs the verb approve"), "{said}");
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sets_a_port_does_not_approve_it_whatever_the_roles() {
    let owned = plane::with("deploy/base").await;
    let plane = &owned;
    printed(plane::kubectl(plane, &["create", "namespace", "shop"]));
    let old = resource("shop", "planned", &json!({"approval": "Manual"}));
    assert!(apply(plane, &[old]).status.success());
    let edits = "--verb=get,list,watch,create,update,patch";
    let of = "--resource=taurusproxyports.taurusdb.huaweicloud.com";
    let role = ["create", "clusterrole", "tpp-editor", edits, of];
    printed(plane::kubectl(plane, &role));
    // As the head of the sample says: both policies, and the role that comes with the one. Carol may edit, and has no say in approvals.
    printed(plane::kubectl(
        plane,
        &[
            "apply",
            "--server-side",
            "-f",
            "deploy/policies/approval.yaml",
            "-f",
            "deploy/policies/four-eyes.yaml",
        ],
    ));
    for (who, role) in [
        ("alice", "taurus-port-approver"),
        ("bob", "taurus-port-approver"),
        ("carol", "tpp-editor"),
    ] {
        let (user, role) = (format!("--user={who}"), format!("--clusterrole={role}"));
        let bind = ["create", "rolebinding", who, "-n", "shop", &role, &user];
        printed(plane::kubectl(plane, &bind));
    }
    let annotated = |name: &str, value: &str| json!({"metadata": {"annotations": {format!("taurusdb.huaweicloud.com/{name}"): value}}});
    let sets = |port: u16, by: &str| {
        let mut patch = annotated("portSetBy", by);
        patch["spec"] = json!({"port": port});
        patch
    };
    let (one, other) = ("0123456789abcdef", "fedcba9876543210");
    // The API server takes a policy up after a moment. Until then the port moves with no name beside it.
    let at_work = async {
        for port in (3400..3500).cycle() {
            let patch = json!({"spec": {"port": port}});
            if !patched(plane, "alice", &patch).status.success() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, at_work).await.unwrap();

    // What was set before has nobody who stands for it.
    let said = refusal(&patched(plane, "bob", &annotated("approve", one)));
    assert!(said.contains("portSetBy says who set spec.port"), "{said}");
    let said = refusal(&patched(plane, "alice", &annotated("portSetBy", "bob")));
    assert!(said.contains("can't be changed or removed"), "{said}");
    printed(patched(plane, "alice", &annotated("portSetBy", "alice")));
    let said = refusal(&patched(plane, "alice", &annotated("approve", one)));
    assert!(
        said.contains("user alice set spec.port, or turned"),
        "{said}"
    );
    // Two roles don't replace two people, and two people don't replace the role.
    let at_work = async {
        let mut number = 0_u64;
        loop {
            let approval = annotated("approve", &format!("{number:016x}"));
            let tried = patched(plane, "carol", &approval);
            if !tried.status.success() {
                return refusal(&tried);
            }
            number += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let said = tokio::time::timeout(PATIENCE, at_work).await.unwrap();
    assert!(said.contains("user carol needs the verb approve"), "{said}");
    printed(patched(plane, "bob", &annotated("approve", one)));

    // A name goes with the port, and is one's own.
    let said = refusal(&patched(plane, "bob", &json!({"spec": {"port": 3309}})));
    let way = r#"must also set the annotation taurusdb.huaweicloud.com/portSetBy to "bob""#;
    assert!(said.contains(way), "{said}");
    refusal(&patched(plane, "bob", &sets(3309, "alice")));
    refusal(&patched(plane, "bob", &annotated("portSetBy", "bob")));
    printed(patched(plane, "bob", &sets(3309, "bob")));
    for approval in [
        annotated("approve", other),
        annotated("applyNow", other),
        json!({"spec": {"approvedPlan": other}}),
        json!({"spec": {"managementPolicy": "Observe"}}),
    ] {
        let said = refusal(&patched(plane, "bob", &approval));
        assert!(
            said.contains("user bob set spec.port, or turned"),
            "{approval}: {said}"
        );
        printed(patched(plane, "alice", &approval));
    }
    // Nobody takes the approval away, to move the port alone afterwards.
    for who in ["alice", "bob"] {
        for approval in [json!(null), json!("Automatic")] {
            let patch = json!({"spec": {"approval": approval}});
            let said = refusal(&patched(plane, who, &patch));
            assert!(said.contains("approval: Manual can't be removed"), "{said}");
        }
    }
    // Without an approval nobody has to say who; who asks for one later stands for the port, and for no name that was put there before.
    let free = resource("shop", "free", &json!({}));
    assert!(apply(plane, &[free]).status.success());
    let of_free = |who: &str, patch: &Value| patched_of(plane, "free", who, patch);
    printed(of_free("bob", &sets(3310, "alice")));
    let manual = |by: &str| {
        let mut patch = annotated("portSetBy", by);
        patch["spec"] = json!({"approval": "Manual"});
        patch
    };
    let said = refusal(&of_free("bob", &manual("alice")));
    assert!(said.contains(r#"portSetBy to "bob""#), "{said}");
    printed(of_free("bob", &manual("bob")));
    let said = refusal(&of_free("bob", &annotated("approve", one)));
    assert!(said.contains("user bob set spec.port"), "{said}");
    printed(of_free("alice", &annotated("approve", one)));
    let new = resource("shop", "new", &json!({"approval": "Manual"}));
    let said = refusal(&apply(plane, &[new]));
    assert!(
        said.contains("set the annotation taurusdb.huaweicloud.com/portSetBy"),
        "{said}"
    );
}
