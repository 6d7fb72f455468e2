//! Applications that go on querying while the port of their database's proxy moves: with real pools of clients, a real kube-proxy, and a
//! database behind the proxy.
//!
//! All of it runs in a network namespace of its own, which takes no more rights than a user has on its own machine where user namespaces are
//! allowed. There the simulator's proxies have addresses: each listens where its port is in force and forwards to the database; when the
//! port moves, its connections are cut. There is no DNS of a cluster: the applications are given the address of the Service, once.

pub mod network;
mod pool;

use std::{
    env,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::core::v1::Service;
use kube::{Api, api::DeleteParams};
use taurus_controlplane::needs;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{JobPlan, Mode, Options, sample};

use crate::{
    stories::publication,
    world::{World, controllers::Controllers, is_ready_with, netns, program::Program},
};
use network::{Database, KubeProxy};
use pool::Pool;

/// By how much the operator's durations are divided; 1 is the shipped pace, for the figures of `docs/applications.md`.
const PACE: &str = "TAURUS_TEST_APPLICATIONS_PACE";

/// How long a job takes.
const JOB: Duration = Duration::from_secs(5);

/// At what applications find their database.
const PORT: u16 = 3306;

#[taurus_needs::test]
fn applications_go_on_while_the_port_moves() {
    netns::needed();
    needs::programs_of_control_plane();
    // What is missing is said in this process: the part below may leave nothing out.
    pool::built();
    network::kube_proxy();
    let text = netns::play("applications::part_story", &[]);
    println!("{text}");
}

/// A port that nobody asked the operator for.
const OF_SOMEBODY_ELSE: u16 = 3310;

/// What is asked of the applications in one part of the story.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    /// No query fails.
    NothingFails,
    /// Queries may fail while the cloud cuts connections; all applications come back.
    ComesBack,
}

/// The story's parts, with the applications that run through all of them.
struct Story {
    world: World,
    pools: Vec<Pool>,
    ports: Arc<Mutex<Vec<(i32, u64)>>>,
}

impl Story {
    /// Plays a part: each application queries before it, and after what ends it.
    async fn part(&mut self, name: &str, asked: Asked, part: impl AsyncFnOnce(&mut World)) {
        for pool in &self.pools {
            pool.queries_again().await;
        }
        let began = pool::now();
        part(&mut self.world).await;
        for pool in &self.pools {
            pool.queries_again().await;
        }
        for pool in &self.pools {
            let tally = pool.since(began);
            println!("{name} | {} | {tally}", pool.name);
            if asked == Asked::NothingFails {
                assert_eq!(tally.failed, 0, "{name}, {}: {}", pool.name, pool.log());
            }
        }
    }

    async fn moves_to(&mut self, name: &str, port: u16) {
        let moves = async |world: &mut World| {
            world.want_now(port).await;
            until_ready(world, port).await;
        };
        self.part(name, Asked::ComesBack, moves).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the test above"]
async fn part_story() {
    network::make();
    let database = Database::start();
    let pace = env::var(PACE).unwrap_or_else(|_| "60".to_owned());
    let options = Options {
        database: Some(database.address),
        job: JobPlan::lasting(JOB).visible_after(Duration::ZERO),
        ..Options::default().mode(Mode::M2)
    };
    let world = World::without_operator(options).await;
    publication::allow(&world).await;
    let _controllers = Controllers::start(&world.plane);
    let _kube_proxy = KubeProxy::start(&world).await;
    let mut program = Some(operator(&world, &pace).await);
    let ports = publication::recorded(&world);
    world
        .create(&publication::published(&world, sample::PORT))
        .await;
    until_ready(&world, sample::PORT).await;
    let host = cluster_ip(&world).await;
    let pools = Pool::all(&host, PORT);
    let mut story = Story {
        world,
        pools,
        ports,
    };
    println!("part | application | queries, failed, longest gap in ms");

    story.part("at rest", Asked::NothingFails, at_rest).await;
    story.moves_to("change", 3307).await;
    story.moves_to("change back", 3308).await;
    let fails = async |world: &mut World| {
        world.sim.next_job_of(
            sample::PROXY,
            JobPlan {
                duration: JOB,
                visible_after: Duration::ZERO,
                ..JobPlan::failing("no")
            },
        );
        world.want_now(3309).await;
        world.until("told that the job failed", failed).await;
        world.want_now(3308).await;
        until_ready(world, 3308).await;
    };
    story.part("failed job", Asked::NothingFails, fails).await;
    let drifts = async |world: &mut World| {
        world.sim.set_port(sample::PROXY, OF_SOMEBODY_ELSE).unwrap();
        world.until("told of the drift", drifted).await;
        until_ready(world, 3308).await;
    };
    story.part("drift", Asked::ComesBack, drifts).await;
    let crashes = async |world: &mut World| {
        world.want_now(3311).await;
        world.until("a job is at work", at_work).await;
        program.take().expect("one runs").kill().await;
        program = Some(operator(world, &pace).await);
        until_ready(world, 3311).await;
    };
    story
        .part("operator killed in mid-change", Asked::ComesBack, crashes)
        .await;
    story
        .part("renamed in Git", Asked::NothingFails, renamed)
        .await;

    // Each port was verified before it was published, and nothing stood between two of them. The port that somebody else set is published
    // where a look comes before its correction begins.
    let mut ports = publication::ports(&story.ports);
    ports.retain(|port| *port != i32::from(OF_SOMEBODY_ELSE));
    ports.dedup();
    assert_eq!(ports, [3306, 3307, 3308, 3311]);
    assert_eq!(cluster_ip(&story.world).await, host, "it kept its address");

    // The end of the resource takes minutes, and is played with the figures alone.
    if env::var(PACE).is_ok() {
        let api = resources(&story.world);
        api.delete("orders-eu", &DeleteParams::default())
            .await
            .unwrap();
        let services = services(&story.world);
        let gone = async || {
            let found = services.get_opt(publication::SERVICE).await.unwrap();
            found.is_none()
        };
        story
            .world
            .until_true_async("the Service is gone", gone)
            .await;
        // Connections that were open stay open; nobody opens another one.
        for pool in &story.pools {
            pool.queries_again().await;
        }
        for pool in Pool::all(&host, PORT) {
            pool.until_failed().await;
        }
    }
    drop(story.pools);
    drop(program);
}

/// Waits until the port was verified.
async fn until_ready(world: &World, port: u16) {
    let is_ready = |object: &TaurusProxyPort| is_ready_with(object, port);
    world.until(&format!("ready at {port}"), is_ready).await;
}

async fn operator(world: &World, pace: &str) -> Program {
    // The least that the shipped pace allows: what somebody else has moved is seen soon.
    let resync = if pace == "1" { "10s" } else { "2s" };
    let environment = [("TAURUS_PACE", pace), ("TAURUS_RESYNC", resync)];
    Program::start_with(world, &environment, &[]).await
}

/// For as long as a change takes.
async fn at_rest(_: &mut World) {
    tokio::time::sleep(JOB).await;
}

/// The file of the resource is renamed: what is named anew is applied, and what is gone from Git is deleted once it is seen.
async fn renamed(world: &mut World) {
    let before = resources(world).get(crate::world::NAME).await.unwrap();
    let mut renamed = TaurusProxyPort::new("orders-eu", before.spec.clone());
    renamed.metadata.namespace = Some(world.namespace.clone());
    world.create(&renamed).await;
    let api = resources(world);
    let seen = async || {
        let found = api.get("orders-eu").await.unwrap();
        found
            .status
            .is_some_and(|status| !status.conditions.is_empty())
    };
    world.until_true_async("the new one is seen", seen).await;
    world.delete().await;
    let ready = async || crate::world::is_ready(&api.get("orders-eu").await.unwrap());
    world.until_true_async("the new one is ready", ready).await;
}

fn resources(world: &World) -> Api<TaurusProxyPort> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

fn services(world: &World) -> Api<Service> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

async fn cluster_ip(world: &World) -> String {
    let service = services(world).get(publication::SERVICE).await.unwrap();
    service.spec.unwrap().cluster_ip.unwrap()
}

fn condition_is(object: &TaurusProxyPort, kind: &str, reason: &str) -> bool {
    let status = object.status.as_ref();
    let mut conditions = status.iter().flat_map(|status| &status.conditions);
    conditions.any(|one| one.type_ == kind && one.reason == reason)
}

fn failed(object: &TaurusProxyPort) -> bool {
    let reasons = ["JobFailed", "BackingOff"];
    reasons
        .iter()
        .any(|reason| condition_is(object, "Ready", reason))
}

fn drifted(object: &TaurusProxyPort) -> bool {
    condition_is(object, "PortInSync", "DriftDetected")
        || condition_is(object, "Ready", "DriftDetected")
        || at_work(object)
}

fn at_work(object: &TaurusProxyPort) -> bool {
    condition_is(object, "Ready", "JobRunning")
}
