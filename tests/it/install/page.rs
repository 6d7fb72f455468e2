//! The commands of `docs/install.md` and `docs/upgrade.md`, as they stand there, one block after the other.

use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use super::{chart::CHART, manifests::unwarned};
use crate::{
    pages::Page,
    world::{
        plane::{self, Plane},
        shell::{blocks, kubeconfig, run_in},
        tools::{copy_into, printed},
    },
};

/// A page and a chapter of it.
type Chapter = (&'static str, &'static str);

const INSTALL: &str = "docs/install.md";
const UPGRADE: &str = "docs/upgrade.md";

/// The way of a release of Helm.
const BY_HELM: [Chapter; 4] = [
    (INSTALL, "With Helm"),
    (UPGRADE, "Upgrade: Helm"),
    (UPGRADE, "Roll back: Helm"),
    (UPGRADE, "Remove it: Helm"),
];

/// The way of what kustomize makes.
const BY_KUSTOMIZE: [Chapter; 8] = [
    (INSTALL, "With kustomize"),
    (INSTALL, "Ports of the NetworkPolicy"),
    (INSTALL, "A user namespace for the pod"),
    (UPGRADE, "Upgrade: kustomize"),
    (UPGRADE, "Roll back: kustomize"),
    (INSTALL, "A single namespace"),
    (INSTALL, "Policies"),
    (UPGRADE, "Remove it: kustomize"),
];

/// Somebody with a copy of the sources, to edit as the pages say.
struct Person {
    plane: Plane,
    folder: TempDir,
    kubeconfig: NamedTempFile,
}

impl Person {
    async fn new() -> Self {
        let plane = plane::empty().await;
        let folder = tempfile::tempdir().unwrap();
        for name in ["crds", "deploy"] {
            copy_into(folder.path(), name);
        }
        Self {
            kubeconfig: kubeconfig(&plane, "default"),
            plane,
            folder,
        }
    }

    /// Types a block, of which nothing may be warned.
    async fn types(&self, block: &str) {
        let folder = self.folder.path();
        unwarned(run_in(folder, &self.plane, block, &self.kubeconfig).await);
    }

    async fn follows(&self, (page, chapter): Chapter) {
        let page = Page::read(page);
        for block in blocks(page.section(2, chapter)) {
            self.types(block).await;
        }
    }

    /// The operator's container, as the API server has it.
    fn container(&self) -> Value {
        let get = ["-n", "taurus-system", "get", "deployment", "-o", "json"];
        let list = printed(plane::kubectl(&self.plane, &get));
        let list: Value = serde_json::from_str(&list).unwrap();
        list["items"][0]["spec"]["template"]["spec"]["containers"][0].clone()
    }

    fn variable(&self, name: &str) -> Option<Value> {
        let container = self.container();
        let variables = container["env"].as_array().unwrap();
        let found = variables.iter().find(|it| it["name"] == name);
        found.map(|it| it["value"].clone())
    }
}

/// Names another image in the overlay, as for a new release.
const NEXT: &str =
    "sed -i 's/newTag: .*/newTag: 0.1.1/' deploy/overlays/cluster-wide/kustomization.yaml";

/// What people change by hand, and the overlay sets as well.
const BY_HAND: [&str; 3] = [
    "kubectl -n taurus-system set env deployment/taurus-port-operator TAURUS_LOG_FORMAT=text",
    "kubectl -n taurus-system set image deployment/taurus-port-operator operator=registry.example.com/other:1",
    "kubectl -n taurus-system scale deployment/taurus-port-operator --replicas=3",
];

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn n08_upgrades_rollbacks_and_what_is_set_by_hand_compose_in_every_order() {
    let person = Person::new().await;
    let upgrade = (UPGRADE, "Upgrade: kustomize");
    let back = (UPGRADE, "Roll back: kustomize");
    person.follows((INSTALL, "With kustomize")).await;
    // Each of them after each other one.
    let by_hand = Page::read("docs/operations.md");
    let by_hand: Vec<&str> = blocks(&by_hand.text)
        .flat_map(str::lines)
        .map(str::trim)
        .filter(|line| line.contains(" set env ") && !line.contains("--list"))
        .chain(BY_HAND)
        .collect();
    assert!(by_hand.len() > 6, "{by_hand:?}");
    for line in by_hand {
        person.types(line).await;
        person.types(NEXT).await;
        person.follows(upgrade).await;
        let image = person.container()["image"].clone();
        assert!(
            image.as_str().unwrap().ends_with(":0.1.1"),
            "{line}: {image}"
        );
        assert_eq!(person.variable("TAURUS_LOG_FORMAT"), Some(json!("json")));
        person.follows(back).await;
        let image = person.container()["image"].clone();
        assert!(
            image.as_str().unwrap().ends_with(":0.1.0"),
            "{line}: {image}"
        );
        person.types(line).await;
        person.follows(back).await;
    }
    // What only the hand has set stays, until the hand takes it away.
    assert_eq!(person.variable("TAURUS_RESYNC"), Some(json!("30m")));
    let away = "kubectl -n taurus-system set env deployment/taurus-port-operator TAURUS_RESYNC-";
    person.types(away).await;
    assert_eq!(person.variable("TAURUS_RESYNC"), None);
    person.follows(upgrade).await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn n08_a_release_of_helm_is_upgraded_and_rolled_back_after_what_was_set_by_hand() {
    let person = Person::new().await;
    // As a release packs it: the chart names its image by the digest.
    let values = person.folder.path().join(CHART).join("values.yaml");
    let text = std::fs::read_to_string(&values).unwrap();
    let digest = format!("sha256:{}", "a".repeat(64));
    let packed = text.replace("\n  digest: \"\"\n", &format!("\n  digest: {digest}\n"));
    assert_ne!(packed, text);
    std::fs::write(&values, packed).unwrap();
    let by_digest = format!("not-yet-published.invalid/taurus-port-operator@{digest}");
    person.follows((INSTALL, "With Helm")).await;
    assert_eq!(person.container()["image"], by_digest);
    for line in BY_HAND {
        person.types(line).await;
        person.follows((UPGRADE, "Upgrade: Helm")).await;
        assert_eq!(
            person.variable("TAURUS_RESYNC"),
            Some(json!("15m")),
            "{line}"
        );
        assert_eq!(
            person.variable("TAURUS_LOG_FORMAT"),
            Some(json!("json")),
            "{line}"
        );
        person.types(line).await;
        person.follows((UPGRADE, "Roll back: Helm")).await;
        let image = person.container()["image"].clone();
        let released = "not-yet-published.invalid/taurus-port-operator:0.1.0";
        assert_eq!(image, released, "{line}");
    }
    // The next upgrade has its own image again, as the page says.
    let page = Page::read(UPGRADE);
    let mut quoted = page.section(2, "Roll back: Helm").split('`');
    let own = quoted.find(|it| it.starts_with("--set image.digest=null"));
    let own = own.unwrap();
    let upgrade = blocks(page.section(2, "Upgrade: Helm")).next().unwrap();
    person.types(&format!("{} {own}", upgrade.trim_end())).await;
    assert_eq!(person.container()["image"], by_digest);
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_commands_work_one_chapter_after_the_other() {
    let person = Person::new().await;
    let chapters = || BY_HELM.iter().chain(&BY_KUSTOMIZE);
    for (page, chapter) in chapters() {
        let page = Page::read(*page);
        let text = page.section(2, chapter);
        assert!(blocks(text).count() > 0, "{chapter} has commands");
        for block in blocks(text) {
            person.types(block).await;
        }
    }
    for path in [INSTALL, UPGRADE] {
        let page = Page::read(path);
        for heading in page.headings(2) {
            let tried = chapters().any(|chapter| *chapter == (path, heading));
            let commands = blocks(page.section(2, heading)).count();
            assert!(tried || commands == 0, "{path}: {heading} is not tried");
        }
    }
}
