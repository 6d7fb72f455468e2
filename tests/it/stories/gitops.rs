//! What tools that apply, wait and compare see.

use std::{io::Write as _, process::Output};

use serde_json::{Value, json};
use taurus_sim::{Filter, Mode, Operation, sample};

use crate::world::{World, condition, in_all_modes, job_of, options, plane};

in_all_modes! {
    g02_whoever_copies_the_ports_sees_each_change_once_and_never_nothing: copies;
}

async fn copies(mode: Mode) {
    let world = World::start(options(mode)).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    world.want_now(3308).await;
    world.until_ready(3308).await;
    let versions = world.recorder.versions_of("orders");
    let ports = versions
        .iter()
        .filter_map(|object| object.status.as_ref()?.port);
    let mut shown: Vec<i32> = ports.collect();
    shown.dedup();
    assert_eq!(shown, [3306, 3307, 3308]);
    let mut seen = false;
    for object in &versions {
        let port = object.status.as_ref().and_then(|status| status.port);
        assert!(!seen || port.is_some(), "once there, it stays: {object:#?}");
        seen |= port.is_some();
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c02_kubectl_wait_never_passes_on_the_old_port() {
    let world = World::start(options(Mode::M4).job(job_of(1))).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    for round in 0..100_u16 {
        let port = 4000 + round;
        world.want_now(port).await;
        let output = world.while_passing(wait(&world)).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            world.sim.proxy(sample::PROXY).unwrap().actual_port,
            port,
            "round {round}"
        );
    }
    assert_eq!(world.asked_for().len(), 101);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c03_all_conditions_follow_a_change_that_needs_no_call() {
    let world = World::start(options(Mode::M2)).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    world.patch(json!({"spec": {"changeTimeout": "45m"}})).await;
    assert!(wait(&world).await.status.success());
    let ready = world.get().await;
    assert_eq!(ready.metadata.generation, Some(2));
    for condition in ready.status.unwrap().conditions {
        assert_eq!(condition.observed_generation, Some(2), "{condition:?}");
    }
    world
        .patch(json!({"metadata": {"annotations": {"note": "x"}}}))
        .await;
    assert!(wait(&world).await.status.success());
    for object in world.recorder.versions_of("orders") {
        let later = object.metadata.generation == Some(2);
        assert!(
            !later || condition(&object, "Ready") == "True",
            "Ready is not left: {object:#?}"
        );
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c07_nothing_differs_from_what_was_applied() {
    let world = World::start(options(Mode::M2)).await;
    let file = manifest(&world, 3307);
    let path = file.path().to_str().unwrap();
    for flags in [
        &["apply"][..],
        &["apply", "--server-side", "--force-conflicts"][..],
    ] {
        let applied = kubectl(&world, &[flags, &["-f", path]].concat());
        assert!(applied.status.success(), "{applied:?}");
        world.until_ready(3307).await;
        let diff = kubectl(&world, &["diff", "-f", path]);
        assert!(diff.status.success() && diff.stdout.is_empty(), "{diff:?}");
    }
    let managers = world.get().await.metadata.managed_fields.unwrap();
    for manager in managers
        .iter()
        .filter(|manager| manager.subresource.is_none())
    {
        let name = manager.manager.as_deref().unwrap_or_default();
        assert!(
            name.starts_with("kubectl"),
            "nobody else writes spec or metadata: {manager:?}"
        );
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c14_a_dry_run_judges_as_the_real_call_and_does_nothing() {
    let world = World::start(options(Mode::M2)).await;
    let (good, bad) = (manifest(&world, 3307), manifest(&world, 20000));
    let path = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
    let dry = |path: &str| kubectl(&world, &["apply", "--dry-run=server", "-f", path]);
    assert!(dry(&path(&good)).status.success());
    assert!(!dry(&path(&bad)).status.success());
    assert!(world.api().get_opt("orders").await.unwrap().is_none());
    assert_eq!(
        world
            .sim
            .count(&Filter::on(Operation::List).instance(sample::INSTANCE)),
        0
    );

    assert!(
        kubectl(&world, &["apply", "-f", &path(&good)])
            .status
            .success()
    );
    world.until_ready(3307).await;
    let before = world.get().await;
    assert!(dry(&path(&manifest(&world, 3308))).status.success());
    let delete = kubectl(&world, &["delete", "--dry-run=server", "-f", &path(&good)]);
    assert!(delete.status.success());
    let after = world.get().await;
    assert_eq!(
        after.metadata.resource_version,
        before.metadata.resource_version
    );
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c17_misspelt_fields_are_named_and_extra_ones_are_harmless() {
    let world = World::start(options(Mode::M2)).await;
    let mut value = serde_json::to_value(world.resource(3307)).unwrap();
    let spec = value["spec"].as_object_mut().unwrap();
    let proxy = spec.remove("proxyID").unwrap();
    spec.insert("proxyId".to_owned(), proxy.clone());
    let misspelt = file(&value);
    let refused = kubectl(
        &world,
        &[
            "apply",
            "--validate=false",
            "-f",
            misspelt.path().to_str().unwrap(),
        ],
    );
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && text.contains("spec.proxyID"),
        "{text}"
    );

    value["spec"]["proxyID"] = proxy;
    value["spec"]["Port"] = json!(1);
    value["spec"]["foo"] = json!({"bar": []});
    let extra = file(&value);
    let applied = kubectl(
        &world,
        &[
            "apply",
            "--validate=false",
            "-f",
            extra.path().to_str().unwrap(),
        ],
    );
    assert!(applied.status.success(), "{applied:?}");
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn g05_what_was_applied_stays_byte_for_byte_however_often_it_is_applied() {
    let world = World::start(options(Mode::M2)).await;
    let file = manifest(&world, 3307);
    let path = file.path().to_str().unwrap();
    let wanted = serde_json::to_value(world.resource(3307)).unwrap()["spec"].clone();
    for _ in 0..4 {
        assert!(kubectl(&world, &["apply", "-f", path]).status.success());
        let ready = world.until_ready(3307).await;
        assert_eq!(serde_json::to_value(&ready.spec).unwrap(), wanted);
        assert_eq!(ready.metadata.generation, Some(1));
        world.pass(60);
    }
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn g04_overlays_that_replace_the_port_give_a_number_or_are_refused_clearly() {
    let world = World::start(options(Mode::M2)).await;
    let apply = |values: &[Value], base: &Value| {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, value: &Value| {
            std::fs::write(folder.path().join(name), value.to_string()).unwrap();
        };
        write("base.yaml", base);
        let patch = |value: &Value| {
            let replace = json!([{"op": "replace", "path": "/spec/port", "value": value}]);
            json!({"target": {"kind": "TaurusProxyPort"}, "patch": replace.to_string()})
        };
        let patches: Vec<Value> = values.iter().map(patch).collect();
        write(
            "kustomization.yaml",
            &json!({"resources": ["base.yaml"], "patches": patches}),
        );
        kubectl(&world, &["apply", "-k", folder.path().to_str().unwrap()])
    };
    let base = serde_json::to_value(world.resource(3306)).unwrap();
    assert!(apply(&[json!(3310)], &base).status.success());
    world.until_ready(3310).await;

    let quoted = apply(&[json!("3311")], &base);
    let text = String::from_utf8_lossy(&quoted.stderr).into_owned();
    assert!(
        !quoted.status.success() && text.contains("spec.port"),
        "{text}"
    );

    // kustomize takes a path that is not there for one to be made, and of two patches the later one.
    let mut without = base.clone();
    without["spec"].as_object_mut().unwrap().remove("port");
    assert!(apply(&[json!(3312)], &without).status.success());
    world.until_ready(3312).await;
    assert!(apply(&[json!(3313), json!(3314)], &base).status.success());
    world.until_ready(3314).await;
    assert_eq!(world.asked_for(), [3310, 3312, 3314]);
    world.finish().await;
}

/// `kubectl wait` for Ready, as a tool runs it.
async fn wait(world: &World) -> Output {
    let arguments = [
        "wait",
        "tpp/orders",
        "--for=condition=Ready",
        "--timeout=10m",
    ];
    tokio::process::Command::new(world.plane.kubectl())
        .env("KUBECONFIG", world.plane.kubeconfig())
        .args(["-n", &world.namespace])
        .args(arguments)
        .output()
        .await
        .unwrap()
}

fn kubectl(world: &World, arguments: &[&str]) -> Output {
    plane::kubectl(
        &world.plane,
        &[&["-n", &world.namespace], arguments].concat(),
    )
}

fn manifest(world: &World, port: u16) -> tempfile::NamedTempFile {
    file(&serde_json::to_value(world.resource(port)).unwrap())
}

fn file(value: &Value) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    write!(file, "{value}").unwrap();
    file
}
