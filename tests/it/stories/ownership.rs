//! Who may move a proxy where several resources name it.

use std::time::{Duration, Instant};

use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
};
use taurus_port_operator::crd::{ABANDON_JOB, CredentialsReference, TaurusProxyPort};
use taurus_sim::{Mode, Operation};

use crate::world::{
    DIVISOR, World, condition, in_all_modes, is_ready, is_ready_with, job_id, job_of, message,
    operator::Setup, options, plane, reason,
};

in_all_modes! {
    h13_a_stranger_cannot_give_up_another_namespace_s_job: a_stranger;
    b22_of_two_namespaces_that_name_one_proxy_the_older_resource_owns_it: two_namespaces;
}

async fn two_namespaces(mode: Mode) {
    let plane = &plane::of_its_own(|_| ()).await;
    let mut world = World::on(plane, options(mode)).await;
    let everywhere = || Setup {
        everywhere: true,
        ..Setup::default()
    };
    world.start_operator_with(everywhere()).await;
    world.want(3307).await;
    world.until_ready(3307).await;

    let other = plane::new_namespace(&world.client).await;
    world.secret_in(&other, "keys").await;
    world.until_the_next_second().await;
    let theirs: Api<TaurusProxyPort> = Api::namespaced(world.client.clone(), &other);
    let mut second = world.resource(3308);
    second.metadata = named("second", &other);
    theirs
        .create(&PostParams::default(), &second)
        .await
        .unwrap();
    let get = async || theirs.get("second").await.unwrap();
    world
        .until_true_async("claimed", async || reason(&get().await) == "ProxyClaimed")
        .await;
    let claimed = get().await;
    assert_eq!(condition(&claimed, "Stalled"), "True");
    for foreign in [world.namespace.as_str(), "orders"] {
        assert!(
            !message(&claimed).contains(foreign),
            "{}",
            message(&claimed)
        );
    }

    world.stop_operator().await;
    world.start_operator_with(everywhere()).await;
    world.until_neighbour_is_ready().await;
    world
        .until_true_async("still claimed", async || {
            reason(&get().await) == "ProxyClaimed"
        })
        .await;
    assert_eq!(world.asked_for(), [3307]);

    world.delete().await;
    world
        .until_true_async("taken over", async || {
            world.pass(1);
            is_ready_with(&get().await, 3308)
        })
        .await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    // Two minutes of the contract lie between, here seconds.
    theirs
        .delete("second", &DeleteParams::default())
        .await
        .unwrap();
    world.finish().await;
}

fn named(name: &str, namespace: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ObjectMeta::default()
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_see_a_proxy_keeps_nobody_from_it() {
    let world = World::start(options(Mode::M2)).await;
    world
        .secret(
            "wrong",
            &[
                ("accessKey", "SOMEBODYELSESKEY0001"),
                ("secretKey", "guessed"),
            ],
        )
        .await;
    let mut squatter = world.resource_with(3399, "wrong");
    squatter.metadata.name = Some("squatter".to_owned());
    world.create(&squatter).await;
    world
        .recorder
        .until("squatter", "refused", |object| {
            reason(object) == "CredentialsInvalid"
        })
        .await;
    world.until_the_next_second().await;
    world.want(3307).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

/// A resource with another name.
fn renamed(resource: TaurusProxyPort, name: &str) -> TaurusProxyPort {
    TaurusProxyPort {
        metadata: named(name, &resource.namespace().unwrap()),
        ..resource
    }
}

/// Nothing but what a story does leads to a look, for as long as any story takes.
fn without_resyncs() -> Setup {
    Setup {
        everywhere: true,
        resync: Duration::from_hours(1),
        ..Setup::default()
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h03_a_resource_that_is_renamed_is_ready_soon_after_the_old_one_is_gone() {
    let plane = &plane::of_its_own(|_| ()).await;
    let mut world = World::on(plane, options(Mode::M2)).await;
    world.start_operator_with(without_resyncs()).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    world
        .create(&renamed(world.resource(3307), "orders-eu"))
        .await;
    let recorder = &world.recorder;
    let waiting = recorder
        .until("orders-eu", "waiting", |object| {
            reason(object) == "TakingOver"
        })
        .await;
    assert_eq!(condition(&waiting, "Reconciling"), "True");
    assert!(
        message(&waiting).contains("orders"),
        "{}",
        message(&waiting)
    );
    let shown = |object: &TaurusProxyPort| object.status.as_ref().and_then(|status| status.port);
    assert_eq!(shown(&waiting), Some(3307));

    // What the one of the old name still does is shown at the one of the new name.
    world.want_now(3308).await;
    world.until_ready(3308).await;
    recorder
        .until("orders-eu", "another port", |object| {
            shown(object) == Some(3308) && reason(object) == "ProxyClaimed"
        })
        .await;
    world.want_now(3307).await;
    world.until_ready(3307).await;
    recorder
        .until("orders-eu", "waiting again", |object| {
            shown(object) == Some(3307) && reason(object) == "TakingOver"
        })
        .await;

    world.delete().await;
    world.until_passing_of("orders-eu", "Ready", is_ready).await;

    // Made anew, it has its proxy back, and one of them alone says that it waits.
    world.until_the_next_second().await;
    let again = world.want(3307).await;
    world
        .until_passing("Ready again", |object| {
            object.uid() == again.uid() && is_ready(object)
        })
        .await;
    recorder
        .until("orders-eu", "waiting once more", |object| {
            reason(object) == "TakingOver"
        })
        .await;
    assert_eq!(world.asked_for(), [3307, 3308, 3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h15_an_owner_that_is_replaced_by_force_keeps_its_proxy() {
    let plane = &plane::of_its_own(|_| ()).await;
    let mut world = World::on(plane, options(Mode::M2)).await;
    world.start_operator_with(without_resyncs()).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    let other = plane::new_namespace(&world.client).await;
    world.secret_in(&other, "keys").await;
    let theirs: Api<TaurusProxyPort> = Api::namespaced(world.client.clone(), &other);
    let mut rival = world.resource(3308);
    rival.metadata = named("rival", &other);
    theirs.create(&PostParams::default(), &rival).await.unwrap();
    let rivals_reason = async || reason(&theirs.get("rival").await.unwrap()).to_owned();
    world
        .until_true_async("claimed", async || rivals_reason().await == "ProxyClaimed")
        .await;

    // As `kubectl replace --force` does it; the rival is the older one from now on.
    world.until_the_next_second().await;
    let take_over = Duration::from_mins(2) / DIVISOR;
    for _ in 0..2 {
        let gone = Instant::now();
        world.delete().await;
        let again = world.want(3307).await;
        if gone.elapsed() > take_over / 2 {
            eprintln!("this machine is too slow: the rival may take over by right");
            return world.finish().await;
        }
        world
            .until_passing("Ready again", |object| {
                object.uid() == again.uid() && is_ready_with(object, 3307)
            })
            .await;
    }
    let since = Instant::now();
    world
        .until_true("the time for taking over", || {
            since.elapsed() > 3 * take_over
        })
        .await;
    assert_eq!(rivals_reason().await, "ProxyClaimed");
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

async fn a_stranger(mode: Mode) {
    let plane = &plane::of_its_own(|_| ()).await;
    let mut world = World::on(plane, options(mode).job(job_of(900))).await;
    world.start_operator_with(without_resyncs()).await;
    world.want(3307).await;
    let job = world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    let job = job_id(&job).unwrap().to_owned();

    let other = plane::new_namespace(&world.client).await;
    let theirs: Api<TaurusProxyPort> = Api::namespaced(world.client.clone(), &other);
    let mut stranger = world.resource(3399);
    stranger.metadata = named("stranger", &other);
    stranger
        .annotations_mut()
        .insert(ABANDON_JOB.to_owned(), job.clone());
    stranger.spec.proxy_id = format!("{}po01", "9".repeat(32));
    stranger.spec.credentials_ref = Some(CredentialsReference {
        name: "nothing".to_owned(),
    });
    theirs
        .create(&PostParams::default(), &stranger)
        .await
        .unwrap();
    let ignored = async || {
        !events(&world.client, &other, "AbandonJobIgnored")
            .await
            .is_empty()
    };
    world.until_true_async("told", ignored).await;
    let told = events(&world.client, &other, "AbandonJobIgnored").await;
    let note = told[0].note.clone().unwrap_or_default();
    assert!(note.contains(&job) && note.contains(ABANDON_JOB), "{note}");

    // Long enough for a job to pass for one that never was.
    let since = Instant::now();
    let unknown = Duration::from_secs(160) / DIVISOR;
    world
        .until_true("the time after which a change is void", || {
            since.elapsed() > 4 * unknown
        })
        .await;
    world.until_more(Operation::Job, 2).await;
    assert_eq!(job_id(&world.get().await), Some(job.as_str()));
    world.pass(900);
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    assert_eq!(
        events(&world.client, &world.namespace, "JobAbandoned")
            .await
            .len(),
        0
    );
    world.finish().await;
}

/// The events of a namespace with this reason.
async fn events(client: &Client, namespace: &str, reason: &str) -> Vec<Event> {
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let mut all = events.list(&ListParams::default()).await.unwrap().items;
    all.retain(|event| event.reason.as_deref() == Some(reason));
    all
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h13_a_neighbour_who_gives_a_job_up_is_heard_and_all_concerned_are_told() {
    let world = World::start(options(Mode::M2).job(job_of(900))).await;
    world.want(3307).await;
    let job = world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    let job = job_id(&job).unwrap().to_owned();
    let mut neighbour = renamed(world.resource(3307), "another");
    neighbour
        .annotations_mut()
        .insert(ABANDON_JOB.to_owned(), job.clone());
    world.create(&neighbour).await;
    let told = async || {
        let told = events(&world.client, &world.namespace, "JobAbandoned").await;
        told.iter().any(|event| {
            let about = event.regarding.as_ref().and_then(|it| it.name.as_deref());
            let note = event.note.as_deref().unwrap_or_default();
            about == Some("orders") && note.contains(&job) && note.contains("another")
        })
    };
    world.until_true_async("told", told).await;
    world.pass(900);
    world.until_ready(3307).await;
    world.finish().await;
}
