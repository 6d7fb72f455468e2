//! What becomes of the operator where nobody reads its log.

use std::io::{BufRead as _, BufReader};

use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime};
use kube::Api;
use serde_json::json;
use taurus_sim::Mode;

use crate::world::{World, options, program::Program, reason};

const LEASE: &str = "taurus-port-operator";

async fn renewed(world: &World) -> Option<MicroTime> {
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), &world.namespace);
    let lease = leases.get_opt(LEASE).await.unwrap();
    lease.and_then(|lease| lease.spec?.renew_time)
}

/// Standard error is a full pipe from the first line on, and stays one.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn r01_a_log_that_nobody_reads_holds_up_nothing() {
    let world = World::without_operator(options(Mode::M3)).await;
    let (mut program, pipe) = Program::start_unread(&world).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    // What is wished meanwhile is seen: nothing is sent for a wish that was taken back.
    let back = json!({"spec": {"port": 3310, "suspend": true}});
    world.patch(back).await;
    world
        .until("suspended", |object| reason(object) == "Suspended")
        .await;
    world
        .patch(json!({"spec": {"port": 3307, "suspend": false}}))
        .await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);

    for _ in 0..2 {
        let before = renewed(&world).await;
        world
            .until_true_async("the lease is renewed", async || {
                renewed(&world).await != before
            })
            .await;
    }
    program.until_answer("/livez", 200).await;
    let figures = program.until_answer("/metrics", 200).await;
    assert!(
        figures.contains("\ntaurus_log_lines_dropped_total 0\n"),
        "{figures}"
    );

    // What was waiting is told to whoever reads at last.
    let (line, told) = tokio::sync::oneshot::channel();
    let reading = std::thread::spawn(move || {
        let mut lines = BufReader::new(pipe).lines().map_while(Result::ok);
        let first = lines.find(|line| line.contains("the operator starts"));
        line.send(first).unwrap();
        lines
    });
    let told = tokio::time::timeout(crate::world::PATIENCE, told).await;
    assert!(told.unwrap().unwrap().is_some(), "the first line was kept");
    let unread = reading.join().unwrap();

    program.signal("TERM").await;
    assert!(program.ended().await.success());
    drop(unread);
    world.finish().await;
}

/// The end of the process doesn't wait for a reader either.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn r01_a_process_ends_though_nobody_reads_its_last_lines() {
    let world = World::without_operator(options(Mode::M2)).await;
    let (mut program, pipe) = Program::start_unread(&world).await;
    world.until_neighbour_is_ready().await;
    program.signal("TERM").await;
    assert!(program.ended().await.success());
    drop(pipe);
    let _program = Program::start(&world).await;
    world.finish().await;
}
