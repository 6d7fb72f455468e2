//! The preferences of kubectl that `docs/plugin.md` shows.

use taurus_sim::{Mode, sample};

use super::{Page, commands::Person};
use crate::world::{NAME, World, job_of, options, plane, shell::blocks};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_of_the_sample_for_kubectl_show_ports_and_wait_for_them() {
    let plane = &plane::shared().await;
    let job = options(Mode::M2).job(job_of(1));
    let mut world = World::without_neighbour(plane, job).await;
    world.start_operator().await;
    world.want(3307).await;
    let page = Page::read("docs/plugin.md");
    let section = page.section(2, "Shorter words for kubectl itself");
    let person = Person::at(plane, &world.namespace);
    let block = blocks(section).next().unwrap();
    let said = world.while_passing(person.types(block)).await;
    let (head, rest) = said.split_once('\n').unwrap();
    assert!(
        head.contains("NAMESPACE") && head.contains("NEXT"),
        "{said}"
    );
    assert!(rest.contains(&world.namespace), "{said}");
    // By its name, in the namespace.
    let of_one = |line: &str| line.starts_with("NAME ") && line.contains("NEXT");
    assert!(rest.lines().any(of_one), "{said}");
    let met = format!("taurusproxyport.taurusdb.huaweicloud.com/{NAME} condition met");
    assert!(rest.contains(&met), "{said}");
    assert_eq!(world.sim.proxy(sample::PROXY).unwrap().actual_port, 3307);
}
