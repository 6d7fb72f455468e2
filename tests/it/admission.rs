//! What the API server itself refuses, in words that help, and what it lets through.

use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Mode, Operation, sample};

use crate::world::{World, options, plane, reason};

const REFUSED: [i32; 13] = [
    1024, 1033, 5342, 5343, 5344, 5345, 12017, 20000, 20201, 20202, 33062, 33071, 65535,
];

const ACCEPTED: [i32; 18] = [
    1025, 1032, 1034, 5341, 5346, 12016, 12018, 19999, 20001, 20200, 20203, 33060, 33061, 33063,
    33070, 33072, 65534, 3306,
];

async fn api() -> Api<TaurusProxyPort> {
    let plane = plane::shared().await;
    let client = plane.client().await.unwrap();
    let namespace = plane::new_namespace(&client).await;
    Api::namespaced(client, &namespace)
}

fn manifest(port: &Value) -> Value {
    json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": ObjectMeta { name: Some("orders".to_owned()), ..ObjectMeta::default() },
        "spec": {
            "region": "ap-southeast-1", "projectID": sample::PROJECT, "instanceID": sample::INSTANCE,
            "proxyID": sample::PROXY, "port": port, "credentialsRef": {"name": "keys"},
        },
    })
}

/// Sends the JSON as it is: our own types could not even hold some of it.
async fn create(api: &Api<TaurusProxyPort>, manifest: &Value, dry_run: bool) -> Result<(), String> {
    let client = api.clone().into_client();
    let mut path = format!("{}?fieldValidation=Strict", api.resource_url());
    if dry_run {
        path.push_str("&dryRun=All");
    }
    let request = http::Request::post(path).body(serde_json::to_vec(manifest).unwrap());
    let request = request.unwrap();
    client
        .request::<Value>(request)
        .await
        .map(drop)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn d04_bounds_and_reserved_ports_are_refused_and_their_neighbours_taken() {
    let api = api().await;
    for port in REFUSED {
        for dry_run in [true, false] {
            let error = create(&api, &manifest(&json!(port)), dry_run)
                .await
                .unwrap_err();
            assert!(error.contains("spec.port"), "{port}: {error}");
            let rule = match port {
                1024 => "greater than or equal to 1025",
                65535 => "less than or equal to 65534",
                _ => "reserved by the service: use 1025-65534 except 1033, 5342-5345",
            };
            assert!(error.contains(rule), "{port}: {error}");
        }
    }
    for port in ACCEPTED {
        create(&api, &manifest(&json!(port)), true).await.unwrap();
        create(&api, &manifest(&json!(port)), false).await.unwrap();
        for other in REFUSED {
            let patch = Patch::Merge(json!({"spec": {"port": other}}));
            let refusal = api.patch("orders", &PatchParams::default(), &patch).await;
            let refusal = refusal.unwrap_err().to_string();
            assert!(refusal.contains("spec.port"), "{other}: {refusal}");
        }
        api.delete("orders", &DeleteParams::default())
            .await
            .unwrap();
    }
    create(&api, &manifest(&json!(3306)), false).await.unwrap();
    for port in ACCEPTED {
        let patch = Patch::Merge(json!({"spec": {"port": port}}));
        let updated = api
            .patch("orders", &PatchParams::default(), &patch)
            .await
            .unwrap();
        assert_eq!(updated.spec.port, port);
    }
}

#[tokio::test]
async fn what_is_not_of_its_type_or_form_is_refused_and_the_field_is_named() {
    let api = api().await;
    let cases = [
        ("/spec/port", json!("3306"), "spec.port"),
        ("/spec/port", json!(3306.5), "spec.port"),
        ("/spec/region", json!("AP-1"), "spec.region"),
        ("/spec/projectID", json!("0483-b6b1"), "spec.projectID"),
        (
            "/spec/projectID",
            json!(format!("{}\n", sample::PROJECT)),
            "spec.projectID",
        ),
        ("/spec/instanceID", json!(sample::PROXY), "spec.instanceID"),
        ("/spec/proxyID", json!(sample::INSTANCE), "spec.proxyID"),
        (
            "/spec/proxyID",
            json!("4d1f0a77-c2b9-4e5f-8a60-31d7be92c405"),
            "spec.proxyID",
        ),
        ("/spec/proxyID", json!(""), "spec.proxyID"),
        (
            "/spec/endpoint",
            json!("http://user:secret@host"),
            "spec.endpoint",
        ),
        (
            "/spec/endpoint",
            json!("https://host/path"),
            "spec.endpoint",
        ),
        ("/spec/changeTimeout", json!("3 h"), "spec.changeTimeout"),
        ("/spec/changeTimeout", json!("1d"), "spec.changeTimeout"),
        ("/spec/changeTimeout", json!("30s"), "between 1m and 24h"),
        ("/spec/changeTimeout", json!("25h"), "between 1m and 24h"),
        (
            "/spec/managementPolicy",
            json!("Sometimes"),
            "spec.managementPolicy",
        ),
        ("/spec/suspend", json!("yes"), "spec.suspend"),
        (
            "/spec/credentialsRef",
            json!({"name": ""}),
            "spec.credentialsRef.name",
        ),
        ("/spec/prot", json!(3307), "unknown field"),
        ("/spec/port", Value::Null, "spec.port"),
    ];
    for (path, value, named) in cases {
        let mut wrong = manifest(&json!(3307));
        let (parent, field) = path.rsplit_once('/').unwrap();
        wrong.pointer_mut(parent).unwrap()[field] = value.clone();
        let error = create(&api, &wrong, true).await.unwrap_err();
        assert!(error.contains(named), "{path} {value}: {error}");
    }
}

#[tokio::test]
async fn rules_between_fields_are_kept() {
    let api = api().await;
    let with = |change: Value| {
        let mut manifest = manifest(&json!(3307));
        for (field, value) in change.as_object().unwrap() {
            manifest["spec"][field] = value.clone();
        }
        manifest["spec"]
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        manifest
    };
    for (change, rule) in [
        (
            json!({"region": null}),
            "either region or endpoint must be set",
        ),
        (
            json!({"endpoint": "https://host", "credentialsRef": null}),
            "credentialsRef is required where endpoint or iamEndpoint is set",
        ),
        (
            json!({"iamEndpoint": "https://host", "credentialsRef": null}),
            "credentialsRef is required where endpoint or iamEndpoint is set",
        ),
    ] {
        let error = create(&api, &with(change), true).await.unwrap_err();
        assert!(error.contains(rule), "{error}");
    }
    for change in [
        json!({"region": null, "endpoint": "https://host:8443"}),
        json!({"endpoint": "http://[::1]:80"}),
        json!({"credentialsRef": null}),
        json!({"changeTimeout": "1h30m"}),
    ] {
        create(&api, &with(change.clone()), true)
            .await
            .unwrap_or_else(|error| panic!("{change}: {error}"));
    }
    create(&api, &manifest(&json!(3307)), false).await.unwrap();
    for (field, value) in [
        ("region", json!("cn-north-4")),
        ("region", Value::Null),
        ("projectID", json!("0".repeat(32))),
        ("instanceID", json!(sample::OTHER_INSTANCE)),
        ("proxyID", json!(sample::OTHER_PROXY)),
        ("endpoint", json!("https://host")),
    ] {
        let patch = Patch::Merge(json!({"spec": {field: value}}));
        let error = api.patch("orders", &PatchParams::default(), &patch).await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("immutable") && error.contains(field),
            "{field}: {error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e32_odd_ids_that_get_past_the_definition_lead_to_no_call() {
    let plane = plane::loosened().await;
    let mut world = World::on(plane, options(Mode::M1)).await;
    world.start_operator().await;
    let odd = [
        "",
        "..",
        "../..",
        "a%2Fb",
        "%2e%2e%2fport",
        "x?y=z",
        "x#y",
        "4d1f/../port",
        " ",
    ];
    for (number, id) in odd.iter().enumerate() {
        for field in ["proxyID", "instanceID", "projectID"] {
            let mut manifest = serde_json::to_value(world.resource(3307)).unwrap();
            manifest["spec"][field] = json!(id);
            manifest["metadata"]["name"] = json!(format!("odd-{number}-{}", field.to_lowercase()));
            let resource: TaurusProxyPort = serde_json::from_value(manifest).unwrap();
            let created = world
                .api()
                .create(&PostParams::default(), &resource)
                .await
                .unwrap();
            let name = created.metadata.name.unwrap();
            let refused = world
                .recorder
                .until(&name, "refused", |object| reason(object) == "SpecInvalid")
                .await;
            assert!(
                crate::world::message(&refused).contains(field),
                "{refused:#?}"
            );
        }
    }
    // A port that the service reserves, let through by the same definition, leads to no call either.
    world.want(33071).await;
    world
        .until("refused", |object| reason(object) == "SpecInvalid")
        .await;
    let calls = taurus_sim::Filter::on(Operation::Change).proxy(sample::PROXY);
    assert_eq!(world.sim.count(&calls), 0);
    world.finish().await;
}
