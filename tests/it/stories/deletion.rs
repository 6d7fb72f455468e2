//! Resources that go, and others that come under their names.

use std::time::Duration;

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use taurus_sim::{Answer, Effect, Fault, Filter, Fleet, Mode, Operation, sample};

use crate::world::{World, gate::Gate, in_all_modes, job_id, operator::Setup, options, reason};

in_all_modes! {
    b20_a_resource_under_an_old_name_does_not_inherit_the_job: under_an_old_name;
    b23_deletion_needs_neither_secret_nor_cloud: needs_nothing;
    b33_what_is_as_wanted_is_left_so_and_a_deletion_leaves_the_port: left_as_it_is;
    b34_another_proxy_in_the_same_resource_is_refused: another_proxy;
}

async fn under_an_old_name(mode: Mode) {
    let world = World::start(options(mode).fleet(Fleet::sample().numbered(1))).await;
    world.want(3307).await;
    let first = world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    world.delete().await;
    let mut second = world.resource(3308);
    second.spec.instance_id = Fleet::numbered_instance(0);
    second.spec.proxy_id = Fleet::numbered_proxy(0);
    let second = world.create(&second).await;
    world.until_ready(3308).await;
    let versions = world.recorder.versions_of("orders");
    for object in versions
        .iter()
        .filter(|object| object.metadata.uid == second.metadata.uid)
    {
        assert!(
            job_id(object).is_none_or(|id| Some(id) != job_id(&first)),
            "{object:#?}"
        );
    }
    let of_second = Filter::on(Operation::Change).proxy(&Fleet::numbered_proxy(0));
    let ports: Vec<_> = world
        .sim
        .entries(&of_second)
        .iter()
        .map(taurus_sim::Entry::port)
        .collect();
    assert_eq!(ports, [Some(3308)]);
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

async fn needs_nothing(mode: Mode) {
    let world = World::start(options(mode)).await;
    let refused = Answer::error(401, "APIGW.0301", "revoked");
    let on_lists = |effect| Fault::on(Operation::List, effect).instance(sample::INSTANCE);
    let variants = [
        ("no-such-secret", None),
        ("keys", Some(Effect::respond(refused))),
        ("keys", Some(Effect::black_hole())),
    ];
    for (secret, effect) in variants {
        if let Some(effect) = effect {
            world.sim.inject(on_lists(effect));
        }
        let resource = world.resource_with(3307, secret);
        world.create(&resource).await;
        world
            .until("seen", |object| !reason(object).is_empty())
            .await;
        world.delete().await;
        assert!(
            world.api().get_opt("orders").await.unwrap().is_none(),
            "{secret}"
        );
        world.sim.clear_faults();
    }
    assert!(world.asked_for().is_empty());
    world.finish().await;
}

async fn left_as_it_is(mode: Mode) {
    let world = World::start(options(mode)).await;
    world.want(sample::PORT).await;
    world.until_ready(sample::PORT).await;
    world.delete().await;
    world.until_neighbour_is_ready().await;
    assert_eq!(
        world.sim.proxy(sample::PROXY).unwrap().listed_port,
        sample::PORT
    );
    assert!(world.asked_for().is_empty());
    world.finish().await;
}

async fn another_proxy(mode: Mode) {
    let world = World::start(options(mode)).await;
    let other = json!({"spec": {"proxyID": sample::OTHER_PROXY}});
    let patch = Patch::Merge(other);
    world.want(3307).await;
    world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    let during = world
        .api()
        .patch("orders", &PatchParams::default(), &patch)
        .await;
    world.until_ready(3307).await;
    let idle = world
        .api()
        .patch("orders", &PatchParams::default(), &patch)
        .await;
    for refusal in [during, idle] {
        let text = refusal.unwrap_err().to_string();
        assert!(
            text.contains("proxyID can't be changed: delete this resource and create it anew"),
            "{text}"
        );
    }
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a07_nothing_is_done_for_a_resource_that_is_gone() {
    let gate = Gate::default();
    let world = World::start_with(
        options(Mode::M2),
        Setup {
            gate: gate.clone(),
            resync: Duration::from_millis(300),
            ..Setup::default()
        },
    )
    .await;
    let resource = world.resource_with(3307, "missing");
    world.create(&resource).await;
    world
        .until("without a Secret", |object| {
            reason(object) == "CredentialsMissing"
        })
        .await;
    let reads = || {
        gate.seen()
            .iter()
            .filter(|line| line.ends_with("/secrets/missing"))
            .count()
    };
    world
        .until_true("it is looked for again", || reads() >= 2)
        .await;
    world.delete().await;
    world.until_neighbour_is_ready().await;
    // Whatever was on its way has arrived after two rounds over the others; then nothing more comes.
    let neighbours = Filter::on(Operation::List).instance(sample::OTHER_INSTANCE);
    let rounds = async |more: usize| {
        let wanted = world.sim.count(&neighbours) + more;
        world
            .until_true("further rounds", || world.sim.count(&neighbours) >= wanted)
            .await;
    };
    rounds(2).await;
    let before = reads();
    rounds(5).await;
    assert_eq!(reads(), before);
    world.want(3307).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn b25_a_resource_that_somebody_holds_back_from_deletion_is_left_alone() {
    let gate = Gate::default();
    let world = World::start_with(
        options(Mode::M2),
        Setup {
            gate: gate.clone(),
            resync: Duration::from_millis(300),
            ..Setup::default()
        },
    )
    .await;
    let mut resource = world.resource(sample::PORT);
    resource.metadata.finalizers = Some(vec!["example.test/hold".to_owned()]);
    world.create(&resource).await;
    world.until_ready(sample::PORT).await;
    world.until_neighbour_is_ready().await;
    world
        .api()
        .delete("orders", &DeleteParams::default())
        .await
        .unwrap();
    world
        .until("being deleted", |object| {
            object.metadata.deletion_timestamp.is_some()
        })
        .await;
    // The operator sees edits in their order, and what it began before takes no longer than what it begins later.
    for _ in 0..3 {
        world.slack().await;
    }
    world.sim.set_port(sample::PROXY, 3399).unwrap();
    let writes = || {
        gate.seen()
            .iter()
            .filter(|line| line.contains("/orders/status"))
            .count()
    };
    let before = writes();
    for number in 0..5 {
        let touch = json!({"metadata": {"annotations": {"touched": number.to_string()}}});
        world.patch(touch).await;
        let neighbours = Filter::on(Operation::List).instance(sample::OTHER_INSTANCE);
        let wanted = world.sim.count(&neighbours) + 1;
        world
            .until_true("another round", || world.sim.count(&neighbours) >= wanted)
            .await;
    }
    assert_eq!(writes(), before, "{:?}", gate.seen());
    assert!(world.asked_for().is_empty());
    let held = world.get().await;
    assert_eq!(
        held.metadata.finalizers,
        Some(vec!["example.test/hold".to_owned()])
    );
    world.patch(json!({"metadata": {"finalizers": null}})).await;
    world
        .until_true("it is gone", || !gate.seen().is_empty())
        .await;
    world.finish().await;
}
