//! The commands of `docs/coexistence.md`, after somebody else has moved the port.

use taurus_sim::{Mode, sample};

use super::{Page, commands::Person};
use crate::world::{World, job_of, options, plane, reason, shell::blocks};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_page_on_coexistence_take_a_move_over_and_leave_one_to_people() {
    let plane = &plane::shared().await;
    let job = options(Mode::M2).job(job_of(1));
    let mut world = World::without_neighbour(plane, job).await;
    world.start_operator().await;
    world.want(3307).await;
    world.until_ready(3307).await;
    let page = Page::read("docs/coexistence.md");
    let commands: Vec<&str> = blocks(&page.text).collect();
    let [take_over, hands_off] = commands[..] else {
        panic!("two blocks: {commands:?}")
    };
    let person = Person::at(plane, &world.namespace);

    let policy = serde_json::json!({"spec": {"managementPolicy": "ApplyOnChange"}});
    world.patch(policy).await;
    world.until_ready(3307).await;
    world.sim.set_port(sample::PROXY, 3399).unwrap();
    world.ask("look now").await;
    world
        .until_passing("drifted", |object| reason(object) == "DriftDetected")
        .await;
    world.while_passing(person.types(take_over)).await;
    world.until_ready(3399).await;
    world.while_passing(person.types(hands_off)).await;
    world.until_ready(3399).await;
    assert_eq!(world.asked_for(), [3307], "what was moved stays");
}
