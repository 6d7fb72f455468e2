//! What the API server itself refuses, in words that help, and what it lets through.

use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;
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

/// Creates from YAML as people write it, through kubectl.
fn applied(plane: &ControlPlane, namespace: &str, fields: &str) -> Result<i64, String> {
    use std::io::Write as _;
    let text = format!(
        "apiVersion: taurusdb.huaweicloud.com/v1alpha1\nkind: TaurusProxyPort\nmetadata:\n  name: written\nspec:\n  region: ap-southeast-1\n  credentialsRef: {{name: keys}}\n{fields}"
    );
    let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    write!(file, "{text}").unwrap();
    let path = file.path().to_str().unwrap();
    let output = plane::kubectl(
        plane,
        &[
            "create",
            "--dry-run=server",
            "-o",
            "jsonpath={.spec.port}",
            "-n",
            namespace,
            "-f",
            path,
        ],
    );
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().parse().unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn fields(port: &str, project: &str, instance: &str, proxy: &str) -> String {
    format!(
        "  port: {port}\n  projectID: {project}\n  instanceID: {instance}\n  proxyID: {proxy}\n"
    )
}

async fn writable() -> (&'static ControlPlane, String) {
    let plane = plane::shared().await;
    let namespace = plane::new_namespace(&plane.client().await.unwrap()).await;
    (plane, namespace)
}

#[tokio::test]
async fn d01_a_port_in_quotes_is_refused_and_never_stored() {
    let (plane, namespace) = writable().await;
    for port in ["\"3306\"", "'3306'", "\"3306 \"", "\"0x0CEA\""] {
        let spec = fields(port, sample::PROJECT, sample::INSTANCE, sample::PROXY);
        let error = applied(plane, &namespace, &spec).unwrap_err();
        assert!(
            error.contains("spec.port") && error.contains("integer"),
            "{port}: {error}"
        );
    }
}

#[tokio::test]
async fn d03_numbers_in_other_bases_are_what_kubectl_makes_of_them_or_refused() {
    let (plane, namespace) = writable().await;
    // The operator can't undo what the reader of YAML did; the column Desired shows it before anything is changed.
    for (port, read) in [
        ("03306", Some(1734)),
        ("0o3306", Some(1734)),
        ("0xCEA", Some(3306)),
        ("3_306", Some(3306)),
        ("55:06", None),
    ] {
        let spec = fields(port, sample::PROJECT, sample::INSTANCE, sample::PROXY);
        match applied(plane, &namespace, &spec) {
            Ok(stored) => assert_eq!(Some(stored), read, "{port}"),
            Err(error) => {
                assert!(read.is_none(), "{port}: {error}");
                assert!(error.contains("spec.port"), "{port}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn d11_a_project_of_another_kind_is_refused_with_its_form() {
    let (plane, namespace) = writable().await;
    let dashed = "3f9a61c2-0d7e-4b58-a1c4-e80b6d25f713";
    for project in [
        dashed,
        "ap-southeast-1",
        &sample::PROJECT[1..],
        &format!("{}0", sample::PROJECT),
    ] {
        let spec = fields("3307", project, sample::INSTANCE, sample::PROXY);
        let error = applied(plane, &namespace, &spec).unwrap_err();
        assert!(
            error.contains("spec.projectID") && error.contains("{32}"),
            "{project}: {error}"
        );
    }
}

#[tokio::test]
async fn d12_block_scalars_that_leave_a_line_end_are_refused_and_stripped_ones_work() {
    let (plane, namespace) = writable().await;
    let id = sample::PROXY;
    for (proxy, taken) in [
        (format!("|\n    {id}"), false),
        (format!(">\n    {id}"), false),
        (format!("|+\n    {id}\n"), false),
        (format!("\"{id}\\t\""), false),
        (format!("|-\n    {id}"), true),
        (format!(">-\n    {id}"), true),
    ] {
        let spec = fields("3307", sample::PROJECT, sample::INSTANCE, &proxy);
        let result = applied(plane, &namespace, &spec);
        assert_eq!(result.is_ok(), taken, "{proxy}: {result:?}");
        assert!(result.is_ok() || result.unwrap_err().contains("spec.proxyID"));
    }
}

#[tokio::test]
async fn d14_swapped_dashed_and_bare_ids_are_refused_and_the_documented_form_is_taken() {
    let (plane, namespace) = writable().await;
    let bare = &sample::PROXY[..32];
    let dashed = "4d1f0a77-c2b9-4e5f-8a60-31d7be92c405";
    for (instance, proxy, named) in [
        (sample::PROXY, sample::INSTANCE, "spec.instanceID"),
        (sample::INSTANCE, sample::INSTANCE, "spec.proxyID"),
        (sample::INSTANCE, bare, "spec.proxyID"),
        (sample::INSTANCE, dashed, "spec.proxyID"),
        (bare, sample::PROXY, "spec.instanceID"),
    ] {
        let spec = fields("3307", sample::PROJECT, instance, proxy);
        let error = applied(plane, &namespace, &spec).unwrap_err();
        assert!(error.contains(named), "{instance} {proxy}: {error}");
    }
    let spec = fields("3307", sample::PROJECT, sample::INSTANCE, sample::PROXY);
    assert_eq!(applied(plane, &namespace, &spec), Ok(3307));
}
