//! The commands of `docs/status.md`, and those of `docs/applications.md` and `docs/limits.md`, beside an operator at work.

use super::{
    Page,
    commands::{Person, with_service},
};
use crate::{
    stories::publication,
    world::{NAME, plane, shell::blocks},
};

/// A status as a halt leaves it, for those who look for one.
const HALTED: &str = r#"kubectl patch tpp orders --subresource=status --type=merge -p '{"status": {"conditions": [
    {"type": "Ready", "status": "False", "reason": "RolloutHalted", "message": "waits",
     "lastTransitionTime": "2026-01-01T00:00:00Z"},
    {"type": "Reconciling", "status": "True", "reason": "RolloutHalted", "message": "waits",
     "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}'"#;

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_that_wait_and_look_show_what_the_operator_does() {
    let plane = &plane::with("deploy/overlays/cluster-wide").await;
    let mut world = with_service(plane).await;
    publication::allow(&world).await;
    world.start_operator().await;
    let person = Person::at(plane, &world.namespace);

    let status = Page::read("docs/status.md");
    let status: Vec<&str> = blocks(&status.text).collect();
    let [wait, lists, ask] = status[..] else {
        panic!("three blocks: {status:?}")
    };
    let applications = Page::read("docs/applications.md");
    let heading = "From a port in your settings to the Service";
    let published = blocks(applications.section(3, heading)).next().unwrap();
    for block in [wait, published] {
        let said = world.while_passing(person.types(block)).await;
        assert!(said.contains("condition met"), "{said}");
    }
    assert_eq!(person.types(lists).await, "", "nothing is in progress");
    let said = person.types(ask).await;
    assert!(said.contains("annotated"), "{said}");
    world.until_ready(3307).await;

    let limits = Page::read("docs/limits.md");
    let halt = blocks(limits.section(2, "A halt")).next().unwrap();
    assert_eq!(person.types(halt).await, "");
    world.stop_operator().await;
    person.types(HALTED).await;
    let said = person.types(halt).await;
    assert_eq!(said, format!("{} {NAME}: waits\n", world.namespace));
}
