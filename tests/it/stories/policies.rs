//! What may be done about a port, by whom, and what is left alone.

use std::time::Duration;

use kube::api::ObjectMeta;
use serde_json::json;
use taurus_port_operator::crd::{ManagementPolicy, TaurusProxyPort};
use taurus_sim::{Answer, Effect, Fault, Filter, Fleet, Mode, Operation, Options, sample};

use super::manifests::told;
use crate::world::{
    World, condition, in_all_modes, is_ready, job_of, operator::Setup, options, reason,
};

in_all_modes! {
    drift_is_put_right_and_the_next_time_only_after_a_while: drift;
    b11_a_port_that_is_changed_again_and_again_is_not_answered_each_time: contested;
}

async fn drift(mode: Mode) {
    let world = with_resyncs(options(mode)).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    world.sim.set_port(sample::PROXY, 3399).unwrap();
    world
        .until_passing("corrected", |object| condition(object, "Ready") != "True")
        .await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307, 3307]);
    world
        .until_true_async("people hear of it", async || {
            let said = told(&world, "DriftCorrected").await;
            said.iter()
                .any(|note| note.contains("3399") && note.contains("3307"))
        })
        .await;

    world.sim.set_port(sample::PROXY, 3399).unwrap();
    let damped = world
        .until_passing("put off", |object| reason(object) == "BackingOff")
        .await;
    assert_eq!(condition(&damped, "PortInSync"), "False");
    assert_eq!(damped.status.unwrap().port, Some(3399));
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307, 3307, 3307]);
    // Ten minutes of the contract lie between the corrections.
    // Times on record have whole seconds.
    assert!(world.gaps_between_changes()[1].as_secs() >= 9);
    world.finish().await;
}

async fn contested(mode: Mode) {
    let world = with_resyncs(options(mode).job(job_of(1))).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    for round in 0..10_u16 {
        world.sim.set_port(sample::PROXY, 3400 + round).unwrap();
        let answered = |object: &TaurusProxyPort| {
            ["BackingOff", "DriftContested", "JobRunning"].contains(&reason(object))
        };
        world.until_passing("seen", answered).await;
    }
    world
        .until_passing("put right", |object| {
            is_ready(object) || reason(object) == "DriftContested"
        })
        .await;
    // One correction of each kind at most, though the port was changed ten times.
    while reason(&world.get().await) != "DriftContested" {
        world.sim.set_port(sample::PROXY, 3500).unwrap();
        world
            .until_passing("seen", |object| condition(object, "PortInSync") == "False")
            .await;
        world
            .until_passing("settled", |object| {
                is_ready(object) || reason(object) == "DriftContested"
            })
            .await;
    }
    assert_eq!(world.asked_for(), [3307; 4]);
    let gaps = world.gaps_between_changes();
    // Times on record have whole seconds.
    assert!(
        gaps[1].as_secs() >= 9 && gaps[2].as_secs() >= 29,
        "{gaps:?}"
    );
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_observes_never_asks_for_a_change_and_says_what_would_be_done() {
    let world = World::start(options(Mode::M2)).await;
    let mut resource = world.resource(3307);
    resource.spec.management_policy = Some(ManagementPolicy::Observe);
    world.create(&resource).await;
    let observed = world.until_passing("observed", is_ready).await;
    assert_eq!(reason(&observed), "Observed");
    assert_eq!(condition(&observed, "PortInSync"), "False");
    world.until_more(Operation::List, 1).await;
    assert!(world.asked_for().is_empty());
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_is_only_reported_where_changes_alone_are_applied() {
    let world = World::start(options(Mode::M2)).await;
    let mut resource = world.resource(3307);
    resource.spec.management_policy = Some(ManagementPolicy::ApplyOnChange);
    world.create(&resource).await;
    world.until_ready(3307).await;
    world.sim.set_port(sample::PROXY, 3399).unwrap();
    world.ask("look now").await;
    let drifted = world
        .until_passing("drifted", |object| reason(object) == "DriftDetected")
        .await;
    assert_eq!(condition(&drifted, "Stalled"), "True");
    assert_eq!(world.asked_for(), [3307]);
    world.want_now(3308).await;
    world.until_ready(3308).await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_resource_starts_nothing_but_follows_what_runs() {
    let world = World::start(options(Mode::M1)).await;
    let mut resource = world.resource(3307);
    resource.spec.suspend = Some(true);
    world.create(&resource).await;
    let suspended = world
        .until_passing("suspended", |object| reason(object) == "Suspended")
        .await;
    assert_eq!(condition(&suspended, "Reconciling"), "True");
    assert!(world.asked_for().is_empty());

    world.patch(json!({"spec": {"suspend": false}})).await;
    world.until_change(1).await;
    world.patch(json!({"spec": {"suspend": true}})).await;
    world.pass(60);
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_resources_for_one_proxy_the_older_wins_and_the_other_takes_over_when_it_is_gone() {
    let world = World::start(options(Mode::M2)).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    let mut younger = renamed(world.resource(3308), "younger");
    younger.spec.proxy_id = sample::PROXY.to_uppercase().replace("PO01", "po01");
    // Times of creation have whole seconds: a younger one of the same second would win or lose by its UID.
    world.until_the_next_second().await;
    world.create(&younger).await;
    let claimed = world
        .recorder
        .until("younger", "claimed", |object| {
            reason(object) == "ProxyClaimed"
        })
        .await;
    assert_eq!(condition(&claimed, "Stalled"), "True");
    assert_eq!(world.asked_for(), [3307]);
    assert!(is_ready(&world.get().await));

    world.delete().await;
    world
        .until_passing_of("younger", "in charge", is_ready)
        .await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_proxies_of_one_instance_are_changed_one_after_the_other() {
    const SECOND: &str = "00000000000000000000000000000002po01";
    let fleet = Fleet::sample().proxy_in(sample::INSTANCE, SECOND, sample::PORT);
    // In this mode the cloud itself would take both at once.
    let world = World::start(options(Mode::M3).fleet(fleet)).await;
    let mut second = renamed(world.resource(3308), "second");
    second.spec.proxy_id = SECOND.to_owned();
    world.want(3307).await;
    world.create(&second).await;
    world.until_ready(3307).await;
    world.until_passing_of("second", "Ready", is_ready).await;
    let changes = Filter::on(Operation::Change).instance(sample::INSTANCE);
    let changes = world.sim.entries(&changes);
    assert_eq!(changes.len(), 2);
    let apart = changes[1].at.duration_since(changes[0].at);
    assert!(
        apart.as_secs() >= 60,
        "the second begins when the first has ended: {apart:?}"
    );
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settled_resource_stays_ready_through_a_short_outage_and_not_through_a_long_one() {
    let world = with_resyncs(options(Mode::M2)).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    let down = Effect::respond(Answer::new(503, ""));
    let down = |times| {
        Fault::on(Operation::List, down.clone())
            .instance(sample::INSTANCE)
            .times(times)
    };
    world.sim.inject(down(2));
    world.until_more(Operation::List, 4).await;
    assert!(is_ready(&world.get().await));

    world.sim.inject(down(1000));
    let lost = world
        .until("unreachable", |object| reason(object) == "CloudUnreachable")
        .await;
    assert_eq!(condition(&lost, "Ready"), "Unknown");
    world.sim.clear_faults();
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

/// A world in which drift is seen soon.
async fn with_resyncs(options: Options) -> World {
    World::start_with(
        options,
        Setup {
            resync: Duration::from_millis(500),
            ..Setup::default()
        },
    )
    .await
}

fn renamed(resource: TaurusProxyPort, name: &str) -> TaurusProxyPort {
    TaurusProxyPort {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..resource.metadata
        },
        ..resource
    }
}
