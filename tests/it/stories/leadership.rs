//! Two processes, of which one works. Both are the real program; a Lease of the API server decides.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use taurus_port_operator::{
    clock::{Clock, Shift},
    leader::{Elector, TERM},
};
use taurus_sim::{Effect, Fault, Mode, Operation, sample};

use crate::world::{
    DIVISOR, PATIENCE, World, has_change, job_id, observed, operator::Setup, options,
    program::Program,
};

const LEASE: &str = "taurus-port-operator";

/// Later than this, the end of the lease's term was waited for, of which up to five seconds and a little were over since the last
/// renewal.
const SOONER_THAN_A_TERM: Duration = Duration::from_secs(8);

fn leases(world: &World) -> Api<Lease> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

async fn holder(world: &World) -> String {
    let lease = leases(world).get_opt(LEASE).await.unwrap();
    let holder = lease.and_then(|lease| lease.spec?.holder_identity);
    holder.unwrap_or_default()
}

async fn until_held_by_another_than(world: &World, before: &str) -> Duration {
    let began = tokio::time::Instant::now();
    world
        .until_true_async("another process leads", async || {
            let now = holder(world).await;
            !now.is_empty() && now != before
        })
        .await;
    began.elapsed()
}

/// A leader that has sent the request and waits for its answer, and a process that waits for its lease.
async fn asking(world: &World, divisor: u32) -> (Program, Program) {
    let first = Program::start_slow(world, divisor).await;
    let second = Program::start_slow(world, divisor).await;
    let ready = second.until_answer("/readyz", 200).await;
    assert!(
        ready.contains(&holder(world).await),
        "it names who leads: {ready}"
    );
    let figures = second.until_answer("/metrics", 200).await;
    assert!(figures.contains("taurus_leading 0"), "{figures}");
    world.until_neighbour_is_ready().await;
    let held = Fault::on(Operation::Change, Effect::hold_after());
    world.sim.inject(held.proxy(sample::PROXY).once());
    world.want(3307).await;
    world.until_change(1).await;
    (first, second)
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn f04_a_process_that_is_told_to_end_hands_over_once_its_call_is_recorded() {
    let world = World::without_operator(options(Mode::M3)).await;
    let (mut first, second) = asking(&world, 6).await;
    let before = holder(&world).await;
    first.signal("TERM").await;
    first.until_answer("/readyz", 503).await;
    assert_eq!(holder(&world).await, before, "it waits for the answer");
    // Somebody writes the lease after the leader has: that hides nothing of whose it is.
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"example.com/seen": "yes"}}}));
    let params = PatchParams::default();
    leases(&world).patch(LEASE, &params, &patch).await.unwrap();
    world.sim.release_all();
    let status = first.ended().await;
    assert_eq!(status.code(), Some(0), "{}", first.log());
    let left = world.get().await;
    assert!(job_id(&left).is_some(), "{left:#?}");

    let took = until_held_by_another_than(&world, &before).await;
    println!("told to end: another process leads {took:?} after the end");
    let says = |line: &Value| line["message"] == "the lease is given back";
    assert!(first.lines().iter().any(says), "{}", first.log());
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    drop(second);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_another_process_follows_the_change() {
    let world = World::without_operator(options(Mode::M3)).await;
    let (mut first, second) = asking(&world, DIVISOR).await;
    let before = holder(&world).await;
    first.signal("KILL").await;
    first.ended().await;
    world.sim.release_all();
    assert_eq!(job_id(&world.get().await), None, "nobody knows the job");

    let took = until_held_by_another_than(&world, &before).await;
    println!("killed: another process leads {took:?} after the end");
    assert!(
        took >= SOONER_THAN_A_TERM,
        "{took:?}: the term was waited for"
    );
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307], "though a second job is possible");
    drop(second);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_frozen_ends_when_it_finds_another_one_at_work() {
    let world = World::without_operator(options(Mode::M3)).await;
    let (mut first, second) = asking(&world, DIVISOR).await;
    let before = holder(&world).await;
    first.signal("STOP").await;
    until_held_by_another_than(&world, &before).await;
    second.until_answer("/readyz", 200).await;
    assert!(
        has_change(&world.get().await),
        "it watches what it has found"
    );
    world.sim.release_all();
    first.signal("CONT").await;
    let status = first.ended().await;
    assert_eq!(status.code(), Some(1), "{}", first.log());
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    drop(second);
    world.finish().await;
}

/// The lease is taken away while the request waits for its answer.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_no_longer_leads_writes_the_job_that_it_is_told_and_nothing_else() {
    let mut world = World::without_operator(options(Mode::M3)).await;
    let (client, namespace) = (world.client.clone(), world.namespace.clone());
    let lease = (namespace.as_str(), LEASE);
    let setup = Setup {
        call_timeout: Some(Duration::from_secs(30)),
        ..Setup::default()
    };
    let clock = Clock::with_head_start(setup.head_start);
    let mut elector = Elector::new(client, lease, "first".to_owned(), clock);
    let setup = Setup {
        leadership: elector.leadership(),
        ..setup
    };
    elector.acquire(|_| ()).await;
    let deposed = tokio::spawn(async move { elector.keep().await });
    world.start_operator_with(setup).await;
    world.until_neighbour_is_ready().await;
    let held = Fault::on(Operation::Change, Effect::hold_after());
    world.sim.inject(held.proxy(sample::PROXY).once());
    world.want(3307).await;
    world.until_change(1).await;
    put_lease(&world, json!({"holderIdentity": "second"})).await;
    deposed.await.unwrap();

    world.want_now(3308).await;
    world.sim.release_all();
    let recorded = world
        .until("its job is on record", |object| job_id(object).is_some())
        .await;
    world.pass(60);
    // It ends once what was at work has come to its end, a report that it may not make included.
    world.stop_operator().await;
    assert_eq!(world.get().await.status, recorded.status, "no report");
    assert_eq!(observed(&recorded), Some(1), "nor a word on the new wish");
    assert_eq!(world.asked_for(), [3307]);

    world.start_operator().await;
    world.until_ready(3308).await;
    world.finish().await;
}

async fn put_lease(world: &World, spec: Value) {
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE}, "spec": spec});
    leases(world)
        .patch(
            LEASE,
            &PatchParams::apply("odd").force(),
            &Patch::Apply(lease),
        )
        .await
        .unwrap();
}

/// A campaign whose wall clock is ahead by so many seconds.
fn campaign(client: Client, namespace: &str, identity: &str, ahead: i64) -> (Elector, Clock) {
    let shift = Shift::forever();
    shift.set_wall(ahead);
    let clock = Clock::start().shifted(shift);
    let lease = (namespace, LEASE);
    (
        Elector::new(client, lease, identity.to_owned(), clock),
        clock,
    )
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn f03_odd_leases_and_clocks_that_differ_lead_to_one_leader() {
    let odd = [
        json!({}),
        json!({"holderIdentity": "", "leaseTransitions": 3}),
        json!({"holderIdentity": "gone", "renewTime": "2099-01-01T00:00:00.000000Z"}),
        json!({"holderIdentity": "gone", "leaseDurationSeconds": 1, "renewTime": "2001-01-01T00:00:00.000000Z"}),
    ];
    let stories = odd.map(|spec| async move {
        let world = World::without_operator(options(Mode::M2)).await;
        put_lease(&world, spec).await;
        let (client, namespace) = (world.client.clone(), world.namespace.clone());
        let (mut fast, fast_clock) = campaign(client.clone(), &namespace, "fast", 120);
        let (mut slow, slow_clock) = campaign(client, &namespace, "slow", -120);
        let (of_fast, of_slow) = (fast.leadership(), slow.leadership());
        let leads = || {
            let fast = of_fast.time_left(fast_clock.now()).is_some();
            [fast, of_slow.time_left(slow_clock.now()).is_some()]
        };
        let mut fast = Box::pin(async {
            fast.acquire(|_| ()).await;
            fast.keep().await;
        });
        let mut slow = Box::pin(async {
            slow.acquire(|_| ()).await;
            slow.keep().await;
        });
        // One leads, and still does when two terms are over.
        let mut first = None;
        let watching = async {
            let mut since = tokio::time::Instant::now();
            while first.is_none() || since.elapsed() < TERM * 2 {
                let now = leads();
                assert_ne!(now, [true, true], "two lead");
                if first.is_none() && now.contains(&true) {
                    assert!(since.elapsed() < PATIENCE, "somebody leads in time");
                    first = Some(now);
                    since = tokio::time::Instant::now();
                }
                let goes_on = first.is_none_or(|first| first == now || now == [false, false]);
                assert!(goes_on, "the same goes on");
                assert!(since.elapsed() < PATIENCE, "somebody leads in time");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            () = &mut fast => panic!("deposed"),
            () = &mut slow => panic!("deposed"),
            () = watching => {}
        }
        // It ends without a word; the other one leads, by a clock that is four minutes apart.
        if first == Some([true, false]) {
            drop(fast);
            until_one_leads(&mut slow, &leads).await;
        } else {
            drop(slow);
            until_one_leads(&mut fast, &leads).await;
        }
    });
    futures::future::join_all(stories).await;
}

async fn until_one_leads(
    campaign: &mut (impl Future<Output = ()> + Unpin),
    leads: &impl Fn() -> [bool; 2],
) {
    let before = leads();
    let changing = async {
        while leads() == before || !leads().contains(&true) {
            assert_ne!(leads(), [true, true], "two lead");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = campaign => panic!("deposed"),
        () = changing => {}
        () = tokio::time::sleep(PATIENCE) => panic!("nobody leads"),
    }
}
