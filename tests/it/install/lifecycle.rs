//! A release of Helm from its installation to its end: upgrades with a job in flight, and what is left behind.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use kube::api::{DeleteParams, ListParams};
use serde_json::Value;
use taurus_controlplane::ControlPlane;
use taurus_sim::{Mode, Options};

use super::{
    chart::CHART,
    manifests::{deployed, kubeconfig_of, one, parse, unwarned},
};
use crate::world::{
    NAME, World, definitions, has_change, job_id, job_of, options, plane,
    tools::{copy_into, helm, printed, refusal, root},
};

const RELEASE: &str = "taurus";
const NAMESPACE: &str = "taurus-system";
const CRD: &str = "crd/taurusproxyports.taurusdb.huaweicloud.com";
const DEFINITION: &str = "files/taurusproxyports.taurusdb.huaweicloud.com.yaml";

/// Settings that the binary is to take from the chart.
const FLAGS: &str = "flags={\"resync\": \"15m\", \"concurrency\": 8, \"calls-per-minute\": 30, \
    \"max-concurrent-changes\": 4, \"max-changes-per-hour\": 40, \"halt-after-failures\": 2, \"halt-for\": \"1h\", \
    \"log-format\": \"json\", \"log-level\": \"debug\"}";

/// Helm for a control plane and a namespace, with what it keeps in this folder.
fn helm_on(plane: &ControlPlane, folder: &Path, namespace: &str, arguments: &[&str]) -> Command {
    let mut command = helm(folder);
    command
        .env("KUBECONFIG", plane.kubeconfig())
        .args(arguments)
        .args(["-n", namespace]);
    command
}

fn run(mut command: Command) -> String {
    unwarned(command.output().unwrap())
}

/// The Deployment of a release, as Helm has applied it.
fn deployment(plane: &ControlPlane, folder: &Path, namespace: &str, release: &str) -> Value {
    let manifest = run(helm_on(
        plane,
        folder,
        namespace,
        &["get", "manifest", release],
    ));
    one(&parse(&manifest), "Deployment").clone()
}

/// The definition that is installed.
fn definition(plane: &ControlPlane) -> Value {
    let stored = printed(plane::kubectl(plane, &["get", CRD, "-o", "json"]));
    serde_json::from_str(&stored).unwrap()
}

fn schema(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]
}

/// A copy of the chart with an older definition.
fn older_chart(folder: &Path) -> String {
    copy_into(folder, CHART);
    let chart = folder.join(CHART);
    let first = definitions::first().to_string();
    std::fs::write(chart.join(DEFINITION), first).unwrap();
    chart.to_str().unwrap().to_owned()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_keeps_a_job_in_flight_and_brings_the_new_definition() {
    let plane = &plane::empty().await;
    let folder = tempfile::tempdir().unwrap();
    let on = |arguments: &[&str]| run(helm_on(plane, folder.path(), NAMESPACE, arguments));
    let older = older_chart(folder.path());
    let said = on(&[
        "install",
        RELEASE,
        &older,
        "--create-namespace",
        "--set-json",
        FLAGS,
    ]);
    assert!(said.contains("looks after all namespaces"), "{said}");
    plane::established(plane).await;
    let before = definition(plane);

    let world = World::on(plane, options(Mode::M3)).await;
    let first = deployment(plane, folder.path(), NAMESPACE, RELEASE);
    let kubeconfig = kubeconfig_of(plane, &first, folder.path()).await;
    let mut old = deployed(&world, &first, &kubeconfig, &folder.path().join("old")).await;
    world.want(3307).await;
    let running = world
        .until_passing("its job is on record", |object| job_id(object).is_some())
        .await;

    on(&[
        "upgrade",
        RELEASE,
        CHART,
        "--reuse-values",
        "--set",
        "image.tag=0.1.1",
    ]);
    let shipped = &parse(&std::fs::read_to_string(root().join(CHART).join(DEFINITION)).unwrap())[0];
    assert_ne!(schema(&before), schema(shipped));
    assert_eq!(schema(&definition(plane)), schema(shipped));
    // As the Deployment says: the new one is ready before the old one is told to end.
    let second = deployment(plane, folder.path(), NAMESPACE, RELEASE);
    assert_ne!(first, second);
    let new = deployed(&world, &second, &kubeconfig, &folder.path().join("new")).await;
    old.signal("TERM").await;
    assert!(old.ended().await.success(), "{}", old.log());
    let ready = world.until_ready(3307).await;
    assert_eq!(ready.metadata.uid, running.metadata.uid);
    let last = ready.status.unwrap().last_change.unwrap();
    assert_eq!(last.job_id.as_deref(), job_id(&running));
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
    drop(new);
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn uninstalling_keeps_the_resources_and_without_an_operator_they_can_be_deleted() {
    let plane = &plane::empty().await;
    let folder = tempfile::tempdir().unwrap();
    let on = |arguments: &[&str]| run(helm_on(plane, folder.path(), NAMESPACE, arguments));
    // The definition is there already: the release takes it over only where it is told to.
    printed(plane::kubectl(
        plane,
        &["apply", "--server-side", "-k", "crds"],
    ));
    plane::established(plane).await;
    let install = ["install", RELEASE, CHART, "--create-namespace"];
    let refused = helm_on(plane, folder.path(), NAMESPACE, &install).output();
    let said = refusal(&refused.unwrap());
    assert!(
        said.contains("taurusproxyports.taurusdb.huaweicloud.com"),
        "{said}"
    );
    on(&[
        "upgrade",
        "--install",
        RELEASE,
        CHART,
        "--create-namespace",
        "--take-ownership",
    ]);
    let world = World::on(plane, options(Mode::M2)).await;
    let release = deployment(plane, folder.path(), NAMESPACE, RELEASE);
    let kubeconfig = kubeconfig_of(plane, &release, folder.path()).await;
    let program = deployed(&world, &release, &kubeconfig, &folder.path().join("log")).await;
    let created = world.want(3307).await;
    world.until("a change is at work", has_change).await;
    program.kill().await;

    let said = on(&["uninstall", RELEASE]);
    assert!(said.contains("kept due to the resource policy"), "{said}");
    assert_eq!(world.get().await.metadata.uid, created.metadata.uid);
    let left = plane::kubectl(
        plane,
        &[
            "get",
            "all,sa,role,rolebinding,pdb,networkpolicy",
            "-n",
            NAMESPACE,
        ],
    );
    assert_eq!(printed(left), "", "nothing else is kept");
    let lease = plane::kubectl(plane, &["get", "lease", "-o", "name", "-n", NAMESPACE]);
    let name = "lease.coordination.k8s.io/taurus-taurus-port-operator\n";
    assert_eq!(
        printed(lease),
        name,
        "but what the operator itself has made"
    );

    // The same release takes the definition back, and the change is followed.
    on(&["install", RELEASE, CHART]);
    let kubeconfig = kubeconfig_of(plane, &release, folder.path()).await;
    let program = deployed(&world, &release, &kubeconfig, &folder.path().join("again")).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    program.kill().await;
    on(&["uninstall", RELEASE]);

    // Nobody is there to let go of anything, and nothing has to be.
    world.delete().await;
    assert!(world.api().get_opt(NAME).await.unwrap().is_none());
    printed(plane::kubectl(plane, &["delete", CRD, "--timeout=10m"]));
    assert!(world.api().list(&ListParams::default()).await.is_err());
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c19_the_operator_and_its_resources_are_removed_at_once_and_none_stays_behind() {
    let plane = &plane::bare().await;
    let job = Options::stepped().mode(Mode::M2).job(job_of(10));
    let world = World::without_neighbour(plane, job).await;
    let folder = tempfile::tempdir().unwrap();
    let namespace = world.namespace.as_str();
    let on = |arguments: &[&str]| helm_on(plane, folder.path(), namespace, arguments);
    let install = [
        "install",
        RELEASE,
        CHART,
        "--set",
        "singleNamespace=true,crds.install=false",
    ];
    for round in 0..20_u16 {
        run(on(&install));
        let release = deployment(plane, folder.path(), namespace, RELEASE);
        let kubeconfig = kubeconfig_of(plane, &release, folder.path()).await;
        let log = folder.path().join(format!("log-{round}"));
        let mut program = deployed(&world, &release, &kubeconfig, &log).await;
        world.want(4000 + round).await;
        match round % 4 {
            0 => drop(
                world
                    .until_passing("at work", |object| job_id(object).is_some())
                    .await,
            ),
            1 => drop(world.until_ready(4000 + round).await),
            // As soon as it is there.
            _ => {}
        }

        // Uninstalling ends the pods, too.
        let mut uninstalling = on(&["uninstall", RELEASE]);
        let mut uninstalling = uninstalling.stdout(Stdio::null()).spawn().unwrap();
        program.signal("TERM").await;
        let (all, params) = (ListParams::default(), DeleteParams::default());
        world.api().delete_collection(&params, &all).await.unwrap();
        assert!(uninstalling.wait().unwrap().success());
        assert!(program.ended().await.success(), "{}", program.log());
        let left = world.api().list(&ListParams::default()).await.unwrap();
        assert_eq!(left.items.len(), 0, "round {round}: {left:#?}");
        // The job goes on without anybody, to its end.
        world.pass(10);
    }
    let asked = world.asked_for();
    assert!(
        asked.is_sorted_by(|a, b| a < b),
        "each port once: {asked:?}"
    );
    let mut waited_for = (0..20).filter(|round| round % 4 < 2);
    assert!(
        waited_for.all(|round| asked.contains(&(4000 + round))),
        "{asked:?}"
    );
}
