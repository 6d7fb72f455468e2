//! Applications that go on querying while the port of their database's proxy moves: with real pools of clients, a real kube-proxy, and a
//! database behind the proxy.
//!
//! All of it runs in a network namespace of its own, which takes no more rights than a user has on its own machine where user namespaces are
//! allowed. There the simulator's proxies have addresses: each listens where its port is in force and forwards to the database; when the
//! port moves, its connections are cut. There is no DNS of a cluster: the applications are given the address of the Service, once. The
//! story here is hurried and counts; `gaps` measures at the shipped pace.

mod decoys;
mod figures;
mod gaps;
pub mod network;
mod pool;
mod stage;

use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use kube::{ResourceExt as _, api::PostParams};
use serde_json::json;
use taurus_controlplane::needs;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{JobPlan, PortListens, sample};

use crate::{
    stories::publication::{self, SERVICE},
    world::{is_ready, netns},
};
use pool::{Pool, Settings};
use stage::{PORT, Stage, job};

/// How long a job takes.
const JOB: Duration = Duration::from_secs(5);

/// A port that nobody asked the operator for.
const OF_SOMEBODY_ELSE: u16 = 3310;

/// The name to which the resource is renamed.
const RENAMED: &str = "orders-eu";

#[taurus_needs::test]
fn applications_go_on_while_the_port_moves() {
    needed();
    let text = netns::play("applications::part_story", &[]);
    println!("{text}");
}

/// Ends the test where something is missing. It is said in this process: the parts may leave nothing out.
fn needed() {
    netns::needed();
    needs::programs_of_control_plane();
    pool::built();
    network::kube_proxy();
}

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
    pools: Vec<Pool>,
    stage: Stage,
}

impl Story {
    /// Plays a part: each application queries before it, and after what ends it.
    async fn part(&mut self, name: &str, asked: Asked, part: impl AsyncFnOnce(&mut Stage)) {
        for pool in &self.pools {
            pool.queries_again().await;
        }
        let began = pool::now();
        part(&mut self.stage).await;
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
        let moves = async |stage: &mut Stage| moves_to(stage, port).await;
        self.part(name, Asked::ComesBack, moves).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the test above"]
async fn part_story() {
    let stage = Stage::set("60", job(JOB)).await;
    let pools = Pool::all(&stage.host, PORT, Settings::Checks);
    let mut story = Story { pools, stage };
    println!("part | application | queries, failed, longest gap in ms");

    story.part("at rest", Asked::NothingFails, at_rest).await;
    story.moves_to("change", 3307).await;
    story.moves_to("change back", 3308).await;
    let probed = async |stage: &mut Stage| probed(stage, 3309).await;
    story
        .part("change with probe", Asked::ComesBack, probed)
        .await;
    let fails = async |stage: &mut Stage| fails(stage, 3313, 3309).await;
    story.part("failed job", Asked::NothingFails, fails).await;
    let drifts = async |stage: &mut Stage| drifts(stage, 3309).await;
    story.part("drift", Asked::ComesBack, drifts).await;
    let crashes = async |stage: &mut Stage| crashes(stage, 3311).await;
    story
        .part("operator killed in mid-change", Asked::ComesBack, crashes)
        .await;
    let taken = async |stage: &mut Stage| stands_in_the_way(stage).await;
    story
        .part("foreign Service", Asked::NothingFails, taken)
        .await;
    story
        .moves_to("change beside the foreign Service", 3312)
        .await;
    let freed = async |stage: &mut Stage| stands_in_nobodys_way(stage).await;
    story
        .part("own Service again", Asked::NothingFails, freed)
        .await;
    story
        .part("renamed in Git", Asked::NothingFails, renamed)
        .await;

    // Each port was verified before it was published, and nothing stood between two of them. The port that somebody else set is published
    // where a look comes before its correction begins.
    let stage = &story.stage;
    let mut ports = publication::ports(&stage.ports);
    ports.retain(|port| *port != i32::from(OF_SOMEBODY_ELSE));
    ports.dedup();
    assert_eq!(ports, [3306, 3307, 3308, 3309, 3311, 3312]);
    assert_eq!(stage.cluster_ip().await, stage.host, "it kept its address");
}

async fn moves_to(stage: &Stage, port: u16) {
    stage.world.want_now(port).await;
    stage.until_ready(port).await;
}

/// For as long as a change takes.
async fn at_rest(_: &mut Stage) {
    tokio::time::sleep(JOB).await;
}

/// The proxy listens at the new port before its job ends, and the operator looks for that.
async fn probed(stage: &Stage, port: u16) {
    let world = &stage.world;
    world.patch(json!({"spec": {"probe": "Report"}})).await;
    let early = job(JOB).port_listens(PortListens::Before(JOB / 2));
    world.sim.next_job_of(sample::PROXY, early);
    moves_to(stage, port).await;
    world.patch(json!({"spec": {"probe": null}})).await;
}

/// Each job fails until the port that is in place is wanted again, however often it is tried by then.
async fn fails(stage: &Stage, port: u16, back: u16) {
    let world = &stage.world;
    world.sim.default_job(JobPlan {
        duration: JOB,
        visible_after: Duration::ZERO,
        ..JobPlan::failing("no")
    });
    world.want_now(port).await;
    world.until("told that the job failed", has_failed).await;
    moves_to(stage, back).await;
    world.sim.default_job(job(JOB));
}

async fn drifts(stage: &Stage, back: u16) {
    let world = &stage.world;
    world.sim.set_port(sample::PROXY, OF_SOMEBODY_ELSE).unwrap();
    world.until("told of the drift", has_drifted).await;
    stage.until_ready(back).await;
}

async fn crashes(stage: &mut Stage, port: u16) {
    stage.world.want_now(port).await;
    stage.world.until("a job is at work", is_at_work).await;
    stage.restart().await;
    stage.until_ready(port).await;
}

/// The Service of somebody else.
const FOREIGN: &str = "orders-sql";

/// A Service of another name is wished for, and somebody else has that name. The one that applications use stays.
async fn stands_in_the_way(stage: &Stage) {
    let foreign: Service = serde_json::from_value(json!({
        "metadata": {"name": FOREIGN},
        "spec": {"selector": {"app": "other"}, "ports": [{"port": 5432}]},
    }))
    .unwrap();
    let params = PostParams::default();
    stage.services().create(&params, &foreign).await.unwrap();
    wants_service(stage, FOREIGN, "NameTaken").await;
}

/// The Service that applications use is wished for again; the one of somebody else is as it was.
async fn stands_in_nobodys_way(stage: &Stage) {
    wants_service(stage, SERVICE, "Published").await;
    let foreign = stage.services().get(FOREIGN).await.unwrap();
    let managers = foreign.managed_fields().iter();
    let managers: Vec<_> = managers.filter_map(|one| one.manager.clone()).collect();
    assert_eq!(managers.len(), 1, "only its maker wrote it: {managers:?}");
    assert!(foreign.owner_references().is_empty());
}

async fn wants_service(stage: &Stage, name: &str, reason: &str) {
    let patch = json!({"spec": {"service": {"name": name}}});
    stage.world.patch(patch).await;
    let says = |object: &TaurusProxyPort| condition_is(object, "ServicePublished", reason);
    let what = format!("{reason} of {name}");
    stage.world.until(&what, says).await;
}

/// The file of the resource is renamed: what is named anew is applied, and what is gone from Git is deleted once the new one waits for it.
async fn renamed(stage: &mut Stage) {
    let world = &stage.world;
    let mut renamed = TaurusProxyPort::new(RENAMED, world.get().await.spec);
    renamed.metadata.namespace = Some(world.namespace.clone());
    world.create(&renamed).await;
    let waits = |object: &TaurusProxyPort| condition_is(object, "ServicePublished", "NameTaken");
    world.recorder.until(RENAMED, "waiting", waits).await;
    world.delete().await;
    world.recorder.until(RENAMED, "ready", is_ready).await;
}

fn condition_is(object: &TaurusProxyPort, kind: &str, reason: &str) -> bool {
    let status = object.status.as_ref();
    let mut conditions = status.iter().flat_map(|status| &status.conditions);
    conditions.any(|one| one.type_ == kind && one.reason == reason)
}

fn has_failed(object: &TaurusProxyPort) -> bool {
    let reasons = ["JobFailed", "BackingOff"];
    reasons
        .iter()
        .any(|reason| condition_is(object, "Ready", reason))
}

fn has_drifted(object: &TaurusProxyPort) -> bool {
    condition_is(object, "PortInSync", "DriftDetected")
        || condition_is(object, "Ready", "DriftDetected")
        || is_at_work(object)
}

fn is_at_work(object: &TaurusProxyPort) -> bool {
    condition_is(object, "Ready", "JobRunning")
}
