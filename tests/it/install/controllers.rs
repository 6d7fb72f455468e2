//! What the controllers of a real cluster make of an installation: pods of its Deployment, and the end of a namespace.

use std::path::Path;

use kube::{
    Api,
    api::{ListParams, PostParams},
};
use serde_json::Value;
use taurus_controlplane::ControlPlane;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Filter, Fleet, Mode, Operation};

use super::manifests::{apply, deployed, kubeconfig_of, kustomized, one, unwarned};
use crate::world::{
    PATIENCE, World, controllers::Controllers, is_ready_with, job_id, options, plane,
    program::Program, reason, tools::printed,
};

const OVERLAY: &str = "deploy/overlays/highly-available";

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c19_controllers_make_the_pods_and_a_namespace_with_a_change_in_flight_goes_away() {
    let plane = &plane::with(OVERLAY).await;
    let _controllers = Controllers::start(plane);
    let options = options(Mode::M3).fleet(Fleet::sample().numbered(1));
    let world = World::without_neighbour(plane, options).await;
    let deployment = one(&kustomized(plane, OVERLAY), "Deployment").clone();

    pods_are_made_and_admitted(&world).await;
    an_update_takes_no_pod_away_before_the_new_one_is_ready(&world).await;
    a_careless_template_gets_no_pod(&world, &deployment).await;

    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = kubeconfig_of(plane, &deployment, folder.path()).await;
    let log = folder.path().join("log");
    let operator = deployed(&world, &deployment, &kubeconfig, &log).await;
    a_namespace_goes_away_and_its_job_is_minded(&world, &operator).await;
    resources_that_are_gone_are_let_go(&world, &operator, &log).await;
}

/// Objects of a kind in the operator's namespace.
fn objects(plane: &ControlPlane, kind: &str) -> Vec<Value> {
    let arguments = ["-n", "taurus-system", "get", kind, "-o", "json"];
    let list: Value = serde_json::from_str(&printed(plane::kubectl(plane, &arguments))).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// How many pods each set of replicas has.
fn replicas(plane: &ControlPlane) -> Vec<u64> {
    let sets = objects(plane, "replicasets");
    let mut counts: Vec<u64> = sets
        .iter()
        .filter_map(|set| set["status"]["replicas"].as_u64())
        .collect();
    counts.sort_unstable();
    counts
}

async fn pods_are_made_and_admitted(world: &World) {
    let plane = &world.plane;
    world
        .until_true("two pods", || replicas(plane) == [2])
        .await;
    let pods = objects(plane, "pods");
    assert_eq!(pods.len(), 2);
    for pod in &pods {
        assert_eq!(pod["status"]["phase"], "Pending", "nobody runs it: {pod}");
        let account = &pod["spec"]["serviceAccountName"];
        assert_eq!(account, "taurus-port-operator");
    }
    world
        .until_true("both are counted as wanted", || {
            objects(plane, "poddisruptionbudgets")[0]["status"]["expectedPods"] == 2
        })
        .await;
    let [budget] = &objects(plane, "poddisruptionbudgets")[..] else {
        panic!("one budget")
    };
    assert_eq!(budget["status"]["desiredHealthy"], 1, "{budget}");
}

async fn an_update_takes_no_pod_away_before_the_new_one_is_ready(world: &World) {
    let plane = &world.plane;
    let image = "operator=registry.example.com/taurus-port-operator:0.1.1";
    let name = "deployment/taurus-port-operator";
    let set = ["-n", "taurus-system", "set", "image", name, image];
    unwarned(plane::kubectl(plane, &set));
    world
        .until_true("one more pod", || replicas(plane) == [1, 2])
        .await;
    let undo = ["-n", "taurus-system", "rollout", "undo", name];
    unwarned(plane::kubectl(plane, &undo));
    // Without a kubelet no pod is ever ready, so none is taken away; but the template is that of before.
    let deployments = objects(plane, "deployments");
    let container = &deployments[0]["spec"]["template"]["spec"]["containers"][0];
    assert_ne!(container["image"], image.trim_start_matches("operator="));
}

async fn a_careless_template_gets_no_pod(world: &World, deployment: &Value) {
    let mut careless = deployment.clone();
    careless["metadata"]["name"] = "careless".into();
    let labels = serde_json::json!({"app.kubernetes.io/name": "careless"});
    careless["spec"]["selector"]["matchLabels"] = labels.clone();
    careless["spec"]["template"]["metadata"]["labels"] = labels;
    let security = &mut careless["spec"]["template"]["spec"]["securityContext"];
    security.as_object_mut().unwrap().remove("runAsNonRoot");
    // This one is warned of, as the namespace is labelled.
    printed(apply(&world.plane, &[careless]));
    let refused = || {
        let sets = objects(&world.plane, "replicasets");
        let mut conditions = sets
            .iter()
            .filter(|set| set["metadata"]["labels"]["app.kubernetes.io/name"] == "careless")
            .flat_map(|set| set["status"]["conditions"].as_array().into_iter().flatten());
        conditions.any(|condition| {
            let message = condition["message"].as_str().unwrap_or_default();
            condition["type"] == "ReplicaFailure" && message.contains("violates PodSecurity")
        })
    };
    world.until_true("its pods are refused", refused).await;
    assert_eq!(objects(&world.plane, "pods").len(), 3, "those of before");
}

/// The namespace of the world, with its Secrets and a job at work, is deleted, and another names the same proxy.
async fn a_namespace_goes_away_and_its_job_is_minded(world: &World, operator: &Program) {
    let plane = &world.plane;
    world.create(&world.numbered(0, 4001)).await;
    world
        .until_passing_of("numbered-0", "Ready", |object| is_ready_with(object, 4001))
        .await;
    world.want(3307).await;
    world
        .until("its job is on record", |object| job_id(object).is_some())
        .await;

    let timeout = format!("--timeout={}s", PATIENCE.as_secs());
    let delete = ["delete", "namespace", &world.namespace, &timeout];
    printed(plane::kubectl(plane, &delete));
    let left = world.api().list(&ListParams::default()).await.unwrap();
    assert_eq!(left.items.len(), 0, "{left:#?}");

    let successor = successor(world).await;
    let resources: Api<TaurusProxyPort> = Api::namespaced(world.client.clone(), &successor);
    let waits =
        async || ["WaitingForInstance", "ProxyBusy"].contains(&reason(&get(&resources).await));
    world.until_true_async("it waits", waits).await;
    // The Secret is gone, too: for the time in which a job may still turn up the process itself minds the instance.
    let said = "the change of a deleted resource is no longer followed";
    world
        .until_true("nobody follows the job", || operator.log().contains(said))
        .await;
    // Then the task list does, for as long as the job runs.
    let tasks = Filter::on(Operation::Tasks);
    let wanted = world.sim.count(&tasks) + 4;
    world
        .until_true("it looks at the task list", || {
            world.sim.count(&tasks) >= wanted
        })
        .await;
    assert_eq!(world.asked_for(), [3307]);
    let ready = world.until_true_async("it has its port", async || {
        is_ready_with(&get(&resources).await, 3308)
    });
    world.while_passing(ready).await;
    assert_eq!(world.asked_for(), [3307, 3308], "each once");
}

/// A namespace with the same key, and a resource for the same proxy in it.
async fn successor(world: &World) -> String {
    let namespace = plane::new_namespace(&world.client).await;
    world.secret_in(&namespace, "keys").await;
    let mut resource = world.resource(3308);
    resource.metadata.namespace = Some(namespace.clone());
    let resources: Api<TaurusProxyPort> = Api::namespaced(world.client.clone(), &namespace);
    let params = PostParams::default();
    resources.create(&params, &resource).await.unwrap();
    namespace
}

async fn get(resources: &Api<TaurusProxyPort>) -> TaurusProxyPort {
    resources.get(crate::world::NAME).await.unwrap()
}

/// The operator has nothing to complain of, then or later.
async fn resources_that_are_gone_are_let_go(world: &World, operator: &Program, log: &Path) {
    let lists = Filter::on(Operation::List);
    let wanted = world.sim.count(&lists) + 3;
    world
        .until_true("further rounds", || world.sim.count(&lists) >= wanted)
        .await;
    let complaints: Vec<Value> = operator
        .lines()
        .into_iter()
        .filter(|line| line["level"] == "ERROR" || line["level"] == "WARN")
        // A namespace may lose the Secret before the resource, and then the resource is stalled for a moment.
        .filter(|line| line["reason"] != "CredentialsMissing")
        .collect();
    assert!(complaints.is_empty(), "{}: {complaints:#?}", log.display());
    let numbered = Filter::on(Operation::List).instance(&Fleet::numbered_instance(0));
    let before = world.sim.count(&numbered);
    let wanted = world.sim.count(&lists) + 3;
    world
        .until_true("still more rounds", || world.sim.count(&lists) >= wanted)
        .await;
    assert_eq!(world.sim.count(&numbered), before, "nobody looks after it");
}
