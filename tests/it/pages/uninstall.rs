//! The commands of `docs/uninstall.md`, from an installation with policies and resources to nothing.

use taurus_sim::sample;

use super::{
    Page,
    commands::{Person, with_service},
};
use crate::world::{plane, shell::blocks};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_page_on_uninstalling_leave_nothing_but_the_port() {
    let plane = &plane::with("deploy/overlays/cluster-wide").await;
    let mut world = with_service(plane).await;
    world.start_operator().await;
    world.until_ready(3307).await;
    world.stop_operator().await;
    let person = Person::at(plane, &world.namespace);
    for policies in ["-k deploy/policies", "-f deploy/policies/four-eyes.yaml"] {
        person
            .types(&format!("kubectl apply --server-side {policies}"))
            .await;
    }

    let page = Page::read("docs/uninstall.md");
    let upgrade = Page::read("docs/upgrade.md");
    let mut said = Vec::new();
    for heading in page.headings(2) {
        for block in blocks(page.section(2, heading)) {
            said.push(person.types(block).await);
        }
        if heading == "4. Remove the operator" {
            for block in blocks(upgrade.section(2, "Remove it: kustomize")) {
                person.types(block).await;
            }
        }
    }
    let [
        in_flight,
        services,
        kept,
        policies,
        definition,
        left,
        mutating,
    ] = &said[..]
    else {
        panic!("seven blocks: {said:?}")
    };
    assert_eq!(in_flight, "");
    assert_eq!(*services, format!("{}/orders\n", world.namespace));
    assert_eq!(kept, "");
    for policy in ["taurus-projects", "taurus-approval", "taurus-four-eyes"] {
        assert!(policies.contains(policy), "{policies}");
    }
    assert!(definition.contains("deleted"), "{definition}");
    assert_eq!((&**left, &**mutating), ("nothing\n", "nothing\n"));
    assert_eq!(world.sim.proxy(sample::PROXY).unwrap().actual_port, 3307);
    assert_eq!(world.asked_for(), [3307]);
}
