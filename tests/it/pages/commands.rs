//! The commands of the pages, run as somebody types them: those of `docs/operations.md` one by one, and the way from the
//! first steps to the removal.

use std::path::Path;

use serde_json::json;
use taurus_port_operator::crd::ServiceSpec;
use taurus_sim::{Mode, sample};
use tempfile::{NamedTempFile, TempDir};

use super::Page;
use crate::{
    install::manifests::{deployed, kubeconfig_of, kustomized, one},
    world::{
        NAME, PATIENCE, World, job_of, options,
        plane::{self, Plane},
        program::Program,
        shell::{blocks, kubeconfig, run},
        tools::{copy_into, printed},
    },
};

const OVERLAY: &str = "deploy/overlays/cluster-wide";

/// Somebody at a shell, in a folder of their own that has what a clone of the repository has.
pub(super) struct Person {
    plane: Plane,
    kubeconfig: NamedTempFile,
    folder: TempDir,
}

/// A resource with a Service, before an operator has seen it.
pub(super) async fn with_service(plane: &Plane) -> World {
    let job = options(Mode::M2).job(job_of(1));
    let world = World::without_neighbour(plane, job).await;
    let mut wanted = world.resource(3307);
    wanted.spec.service = Some(ServiceSpec {
        name: NAME.to_owned(),
        port: None,
    });
    world.create(&wanted).await;
    world
}

impl Person {
    pub(super) fn at(plane: &Plane, namespace: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["crds", "deploy"] {
            copy_into(folder.path(), name);
        }
        Self {
            plane: plane.clone(),
            kubeconfig: kubeconfig(plane, namespace),
            folder,
        }
    }

    /// Types one block, and gives what it prints.
    pub(super) async fn types(&self, block: &str) -> String {
        let (key, secret) = (sample::ACCESS_KEY, sample::SECRET_KEY);
        let folder = self.folder.path().display();
        let commands = format!("cd {folder}; export ACCESS_KEY={key} SECRET_KEY={secret}\n{block}");
        let typing = run(&self.plane, &commands, &self.kubeconfig);
        let output = tokio::time::timeout(PATIENCE, typing).await.expect(block);
        assert!(output.status.success(), "{block}\n{output:?}");
        printed(output)
    }
}

/// The manifest of the first steps as a text, for the simulator: its project, and its address in place of the region.
fn manifest(page: &Page, world: &World) -> String {
    let (_, rest) = page.text.split_once("```yaml\n").unwrap();
    let text = rest.split("```").next().unwrap();
    let replaced = |line: &str| -> String {
        let (field, _) = line.split_once(':').unwrap();
        match field.trim() {
            "region" => format!("  endpoint: {}\n", world.sim.url()),
            "projectID" => format!("  projectID: {}\n", sample::PROJECT),
            _ => format!("{line}\n"),
        }
    };
    text.lines().map(replaced).collect()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_command_of_the_page_on_operations_works() {
    let plane = &plane::with("deploy/base").await;
    let mut world = World::without_neighbour(plane, options(Mode::M2).job(job_of(1))).await;
    let pairs = [
        ("accessKey", sample::ACCESS_KEY),
        ("secretKey", sample::SECRET_KEY),
    ];
    world.secret("taurus-credentials", &pairs).await;
    world
        .create(&world.resource_with(3307, "taurus-credentials"))
        .await;
    world.start_operator().await;
    world.until_ready(3307).await;

    let page = Page::read("docs/operations.md");
    let person = Person::at(plane, &world.namespace);
    let credentials = [("credentialsRef", "{name: taurus-credentials}")];
    let file = person.folder.path().join("orders.yaml");
    std::fs::write(&file, world.manifest(NAME, &credentials)).unwrap();
    let mut count = 0;
    for block in blocks(&page.text) {
        if block.contains("create secret") && !block.contains("replace") {
            printed(world.kubectl(&["delete", "secret", "taurus-credentials"]));
        }
        world.while_passing(person.types(block)).await;
        count += 1;
    }
    assert!(count > 50, "{count}");
    let without = page.text.matches("```bash\n").count();
    assert_eq!(without, 3, "those that need a pod, as the page says");
    assert!(person.folder.path().join("taurus-report/log").exists());
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn n09_the_way_from_the_first_steps_to_the_removal_edits_the_file() {
    let plane = &plane::empty().await;
    let steps = Page::read("docs/start.md");
    let [install, observe, change] = &blocks(steps.section(2, "Use it")).collect::<Vec<_>>()[..]
    else {
        panic!("three blocks")
    };
    Person::at(plane, "default").types(install).await;
    let world = World::without_neighbour(plane, options(Mode::M3).job(job_of(20))).await;
    let person = Person::at(plane, &world.namespace);
    std::fs::write(
        person.folder.path().join("orders.yaml"),
        manifest(&steps, &world),
    )
    .unwrap();
    let old = pod(&world, person.folder.path(), "old").await;

    let shown = world.while_passing(person.types(observe)).await;
    assert!(
        shown.contains("Observed") && shown.contains("so port 3307 is not set"),
        "{shown}"
    );
    assert!(world.asked_for().is_empty());
    world.while_passing(person.types(change)).await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    // N09: what was taught is in the file, and applying it again takes nothing back.
    let before = world.get().await.metadata.generation;
    person.types("kubectl apply -f orders.yaml").await;
    assert_eq!(world.get().await.metadata.generation, before);

    // Another release comes while a job runs: its pod is ready before the old one is told to end.
    let operations = Page::read("docs/operations.md");
    let upgrade = Page::read("docs/upgrade.md");
    let back = blocks(operations.section(3, "Roll back")).next().unwrap();
    person.types(back).await;
    world
        .until("its job is on record", |object| {
            crate::world::job_id(object).is_some()
        })
        .await;
    for block in blocks(upgrade.section(2, "Upgrade: kustomize")) {
        person.types(block).await;
    }
    let new = pod(&world, person.folder.path(), "new").await;
    let mut old = old;
    old.signal("TERM").await;
    assert!(old.ended().await.success(), "{}", old.log());
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307, 3308, 3307], "each once");

    // What is removed takes no resource along, and nothing in the cloud.
    for block in blocks(upgrade.section(2, "Remove it: kustomize")) {
        person.types(block).await;
    }
    new.kill().await;
    assert_eq!(world.get().await.spec.port, 3307);
    let remove = blocks(upgrade.section(2, "Remove it: Helm"))
        .nth(1)
        .unwrap();
    person.types(remove).await;
    assert!(
        world
            .api()
            .list(&kube::api::ListParams::default())
            .await
            .is_err()
    );
    assert_eq!(world.sim.proxy(sample::PROXY).unwrap().actual_port, 3307);
    assert_eq!(world.asked_for().len(), 3);
}

/// A process that stands in for the pod, which nobody runs here.
async fn pod(world: &World, folder: &Path, name: &str) -> Program {
    let deployment = one(&kustomized(&world.plane, OVERLAY), "Deployment").clone();
    assert_eq!(deployment["spec"]["replicas"], json!(1));
    let kubeconfig = kubeconfig_of(&world.plane, &deployment, folder).await;
    deployed(world, &deployment, &kubeconfig, &folder.join(name)).await
}
