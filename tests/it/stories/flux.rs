//! Flux's own controller, with the Kustomizations of `deploy/examples`, on the real API server.
//!
//! Its archive is handed to it without a Git server. Of times in these files each is made short by hand, and said where.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Value, json};
use taurus_port_operator::crd::ManagementPolicy;
use taurus_sim::{Mode, sample};

use crate::world::{
    World,
    flux::Flux,
    job_id, job_of, options,
    tools::{printed, root},
};

/// As Flux was for long: a variable that is missing is nothing. Now it fails the build.
const LENIENT: [&str; 1] = ["--feature-gates=StrictPostBuildSubstitutions=false"];

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c15_a_variable_that_flux_fills_gives_a_number_or_is_refused_with_the_name_of_the_field() {
    let world = World::without_operator(options(Mode::M2)).await;
    let with = |words: &[(&str, &str)]| world.manifest("\"${name}\"", words);
    let files = [
        ("plain/proxy.yaml", with(&[("port", "${value}")])),
        ("quoted/proxy.yaml", with(&[("port", "\"${value}\"")])),
        ("default/proxy.yaml", with(&[("port", "${value:=3307}")])),
        ("project/proxy.yaml", with(&[("projectID", "\"${value}\"")])),
    ];
    let flux = Flux::start(&world, &files, &LENIENT).await;
    let digits = "01234567890123456789012345678901";
    let quoted = format!("\"{digits}\"");
    let (port, project) = ("spec.port", "spec.projectID");
    let cases = [
        ("number", "plain", Some("3308"), Ok(3308)),
        // kustomize takes the quotes off before Flux fills in the value.
        ("quotes", "quoted", Some("3308"), Ok(3308)),
        ("default", "default", None, Ok(3307)),
        ("over-default", "default", Some("3308"), Ok(3308)),
        // Flux takes line ends out of values.
        ("line-end", "plain", Some("3308\n"), Ok(3308)),
        ("unset", "plain", None, Err(port)),
        ("unset-quoted", "quoted", None, Err(port)),
        ("empty", "plain", Some(""), Err(port)),
        ("text", "plain", Some("\"3308\""), Err(port)),
        ("fraction", "plain", Some("3308.5"), Err(port)),
        ("digits", "project", Some(digits), Err(project)),
        ("digits-quoted", "project", Some(&quoted), Ok(3307)),
    ];
    for (name, folder, value, _) in cases {
        let mut substitute = json!({"name": name});
        if let Some(value) = value {
            substitute["value"] = json!(value);
        }
        let kustomization = kustomization(&world, name, &format!("./{folder}"), &substitute);
        printed(world.apply(&kustomization.to_string()));
    }
    for (name, _, value, outcome) in cases {
        match outcome {
            Ok(port) => {
                flux.until_ready(name).await;
                let stored = world.api().get(name).await.unwrap();
                assert_eq!(stored.spec.port, port, "{name}");
            }
            Err(field) => {
                let said = flux.until_failed(name, "ReconciliationFailed").await;
                assert!(said.contains(field), "{name}, {value:?}: {said}");
                assert!(world.api().get_opt(name).await.unwrap().is_none(), "{name}");
            }
        }
    }
    flux.stop().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn g01_a_base_with_variables_gives_the_right_types_and_names_what_is_missing() {
    let world = World::without_operator(options(Mode::M2)).await;
    let mut kustomizations = example(&world, "proxies.yaml");
    let mut lacking = kustomizations[1].clone();
    lacking["metadata"]["name"] = json!("proxy-lacking");
    let variables = lacking["spec"]["postBuild"]["substitute"].as_object_mut();
    let variables = variables.unwrap();
    assert!(variables.remove("port").is_some());
    variables.insert("name".to_owned(), json!("lacking"));
    kustomizations.push(lacking);
    let flux = Flux::start(&world, &[], &LENIENT).await;
    for kustomization in &mut kustomizations {
        // Nobody serves these resources here.
        kustomization["spec"]["wait"] = json!(false);
        printed(world.apply(&kustomization.to_string()));
    }

    flux.until_ready("proxy-orders").await;
    flux.until_ready("proxy-billing").await;
    let orders = world.get().await.spec;
    assert_eq!(orders.port, 3307);
    assert_eq!(orders.region.as_deref(), Some("tr-west-1"));
    assert_eq!(
        orders.management_policy,
        Some(ManagementPolicy::ApplyOnChange)
    );
    let billing = world.api().get("billing").await.unwrap().spec;
    assert_eq!(billing.port, 3308);
    assert_eq!(billing.region.as_deref(), Some("ap-southeast-1"));
    assert_eq!(billing.management_policy, Some(ManagementPolicy::Enforce));
    assert_eq!(billing.credentials_ref.unwrap().name, "taurus-credentials");
    let said = flux
        .until_failed("proxy-lacking", "ReconciliationFailed")
        .await;
    assert!(said.contains("spec.port"), "{said}");
    flux.stop().await;

    let flux = Flux::start(&world, &[], &[]).await;
    let said = flux.until_failed("proxy-lacking", "BuildFailed").await;
    assert!(said.contains("\"port\""), "{said}");
    flux.until_again("proxy-billing", 1).await;
    flux.until_ready("proxy-billing").await;
    assert!(world.api().get_opt("lacking").await.unwrap().is_none());
    flux.stop().await;
}

/// Flux's times are short: 5 s for its timeout of 5 min, 1 s between tries. The job's 8 min are the simulator's, which pass
/// when the story lets them: after the timeout. The operator itself is not rolled out by Flux here, since nothing runs
/// pods; a `ConfigMap` takes its place in the chain.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn g03_a_chain_tells_of_its_timeout_then_heals_and_applying_again_changes_nothing() {
    let world = World::start(options(Mode::M2).job(job_of(8 * 60))).await;
    world
        .secret(
            "taurus-credentials",
            &[
                ("accessKey", sample::ACCESS_KEY),
                ("secretKey", sample::SECRET_KEY),
            ],
        )
        .await;
    let config_map = |name: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}).to_string()
    };
    let files = [
        ("operator/map.yaml", config_map("operator")),
        ("application/map.yaml", config_map("application")),
    ];
    let flux = Flux::start(&world, &files, &[]).await;
    let mut chain = example(&world, "chain.yaml");
    chain[0]["spec"]["path"] = json!("./operator");
    chain[0]["spec"]["targetNamespace"] = json!(world.namespace);
    let variables = &mut chain[1]["spec"]["postBuild"]["substitute"];
    variables["project_id"] = json!(sample::PROJECT);
    variables["instance_id"] = json!(sample::INSTANCE);
    variables["proxy_id"] = json!(sample::PROXY);
    let add = |name: &str, value: &str| json!({"op": "add", "path": format!("/spec/{name}"), "value": value});
    let patch = json!([
        add("endpoint", &world.sim.url()),
        add("iamEndpoint", &world.sim.url()),
        // The job stands still for as long as the simulator's time does, and the operator's goes on.
        add("changeTimeout", "24h"),
        {"op": "remove", "path": "/spec/region"},
    ]);
    let target = json!({"kind": "TaurusProxyPort"});
    chain[1]["spec"]["patches"] = json!([{"target": target, "patch": patch.to_string()}]);
    for kustomization in &chain {
        printed(world.apply(&kustomization.to_string()));
    }
    let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.namespace);
    let application = async || maps.get_opt("application").await.unwrap();

    let said = flux.until_failed("proxy-orders", "HealthCheckFailed").await;
    assert!(
        said.contains("timeout") && said.contains("orders"),
        "{said}"
    );
    assert!(job_id(&world.get().await).is_some());
    flux.until_again("proxy-orders", 1).await;
    flux.until_failed("application", "DependencyNotReady").await;
    assert!(application().await.is_none());
    assert!(job_id(&world.get().await).is_some());

    world.pass(8 * 60);
    let ready = world.until_ready(3307).await;
    flux.until_ready("proxy-orders").await;
    flux.until_ready("application").await;
    let applied = application().await.unwrap().metadata.creation_timestamp;
    let conditions = ready.status.unwrap().conditions;
    let in_order = conditions.iter().find(|one| one.type_ == "Ready").unwrap();
    assert!(applied.unwrap() >= in_order.last_transition_time);

    flux.until_again("proxy-orders", 3).await;
    let still = world.get().await;
    assert_eq!(still.metadata.generation, Some(1));
    assert_eq!(
        still.metadata.resource_version,
        ready.metadata.resource_version
    );
    assert_eq!(world.asked_for(), [3307]);
    flux.stop().await;
    world.finish().await;
}

/// The Kustomizations of a file of the examples, for a story's namespace and at a story's pace.
fn example(world: &World, file: &str) -> Vec<Value> {
    let path = root().join("deploy/examples/flux").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut kustomizations: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    for kustomization in &mut kustomizations {
        kustomization["metadata"]["namespace"] = json!(world.namespace);
        let spec = kustomization["spec"].as_object_mut().unwrap();
        if spec.contains_key("targetNamespace") {
            spec.insert("targetNamespace".to_owned(), json!(world.namespace));
        }
        assert_eq!(spec["timeout"], "5m");
        for (name, value) in [
            ("timeout", "5s"),
            ("interval", "1s"),
            ("retryInterval", "1s"),
        ] {
            spec.insert(name.to_owned(), json!(value));
        }
    }
    kustomizations
}

/// A Kustomization of a story's own.
fn kustomization(world: &World, name: &str, path: &str, substitute: &Value) -> Value {
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name},
        "spec": {
            "interval": "1h", "prune": true, "path": path, "targetNamespace": world.namespace,
            "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            "postBuild": {"substitute": substitute},
        },
    })
}
