//! Secrets that are changed while the operator runs: when that is noticed, by whom, and what it costs.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use k8s_openapi::{
    ByteString,
    api::{
        core::v1::Secret,
        rbac::v1::{Role, RoleBinding},
    },
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use serde_json::json;
use taurus_sim::{Answer, Effect, Entry, Fault, Filter, Fleet, Mode, Operation, sample};

use super::cloud_credentials::with_secret;
use crate::world::{
    World, gate::Gate, is_ready, message, operator::Setup, options, program::Program, reason,
};

/// Nothing is looked at by itself within a story.
const NEVER: Duration = Duration::from_hours(1);

/// What nobody else has.
const ROTATED: (&str, &str) = ("ROTATEDACCESSKEY0001", "rotated");

/// Lets the operator list and watch the Secrets of the story's namespace.
pub async fn allow_watching(world: &World) {
    let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]}]);
    let metadata = json!({"name": "watch-secrets"});
    let narrow = json!({"metadata": metadata, "rules": rules});
    let narrow: Role = serde_json::from_value(narrow).unwrap();
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "watch-secrets"},
        "subjects": [{"kind": "ServiceAccount", "name": "taurus-port-operator", "namespace": "taurus-system"}],
    }))
    .unwrap();
    let (client, namespace) = (world.client.clone(), world.namespace.as_str());
    let params = PostParams::default();
    let of_namespace: Api<Role> = Api::namespaced(client.clone(), namespace);
    of_namespace.create(&params, &narrow).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(client, namespace);
    bindings.create(&params, &binding).await.unwrap();
}

async fn rotate(world: &World, secret: &str) {
    world.sim.set_access_key(ROTATED.0, ROTATED.1);
    let pairs = [("accessKey", ROTATED.0), ("secretKey", ROTATED.1)];
    world.secret(secret, &pairs).await;
}

/// Lists by the key that is taken into use.
fn by_rotated(world: &World) -> Vec<Entry> {
    let lists = Filter::on(Operation::List).credential(ROTATED.0);
    world.sim.entries(&lists)
}

/// One resource that is told of by its number, and its neighbours, none of which is ever looked at by itself.
async fn settled(world: &World, secrets: &[&str]) {
    for (number, secret) in secrets.iter().enumerate() {
        let resource = with_secret(world.numbered(number, sample::PORT), secret);
        world.create(&resource).await;
    }
    for number in 0..secrets.len() {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "Ready", is_ready).await;
    }
    world.until_neighbour_is_ready().await;
}

async fn start(watched: bool, divisor: u32, gate: &Gate) -> World {
    let fleet = Fleet::sample().numbered(3);
    let mut world = World::without_operator(options(Mode::M2).fleet(fleet)).await;
    if watched {
        allow_watching(&world).await;
    }
    let keys = [
        ("accessKey", sample::ACCESS_KEY),
        ("secretKey", sample::SECRET_KEY),
    ];
    world.secret("others", &keys).await;
    let setup = Setup {
        divisor,
        resync: NEVER,
        gate: gate.clone(),
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    world
}

/// Requests for Secrets so far, as lists or watches and as reads of a single one.
fn secrets_asked_for(gate: &Gate) -> (usize, usize) {
    let seen = gate.seen();
    let lists = seen.iter().filter(|line| line.ends_with("/secrets"));
    let reads = seen.iter().filter(|line| line.contains("/secrets/"));
    (lists.count(), reads.count())
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_secret_is_noticed_within_fifteen_seconds_by_exactly_its_users_where_it_may_be_watched()
 {
    // At the contract's own pace.
    let gate = Gate::default();
    let world = start(true, 1, &gate).await;
    settled(&world, &["keys", "others", "keys"]).await;
    let (lists, reads) = secrets_asked_for(&gate);
    assert!(lists >= 2, "a list and a watch");
    let before = world.sim.count(&Filter::on(Operation::List));
    let changed = Instant::now();
    rotate(&world, "keys").await;
    world
        .until_true("its users look", || by_rotated(&world).len() >= 2)
        .await;
    let took = changed.elapsed();
    let mut instances: Vec<_> = by_rotated(&world)
        .into_iter()
        .map(|entry| entry.instance.unwrap())
        .collect();
    instances.sort();
    assert_eq!(
        instances,
        [Fleet::numbered_instance(0), Fleet::numbered_instance(2)]
    );
    assert_eq!(world.sim.count(&Filter::on(Operation::List)), before + 2);
    // Once to see that it is another one, and once to take it into use.
    let (_, reads_now) = secrets_asked_for(&gate);
    assert!(reads_now - reads <= 3, "{}", reads_now - reads);
    let most = Duration::from_secs(15) + world.slack().await;
    assert!(took < most, "{took:?} of {most:?}");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_secret_is_noticed_within_a_minute_where_secrets_may_not_be_watched() {
    const DIVISOR: u32 = 6;
    let gate = Gate::default();
    let world = start(false, DIVISOR, &gate).await;
    settled(&world, &["keys", "others", "keys"]).await;
    let changed = Instant::now();
    rotate(&world, "keys").await;
    world
        .until_true("its users look", || by_rotated(&world).len() >= 2)
        .await;
    let took = changed.elapsed();
    assert_eq!(by_rotated(&world).len(), 2);
    let (lists, reads) = secrets_asked_for(&gate);
    assert_eq!(lists, 0, "what is not allowed is not tried");
    // Each of the three that are in use, and again every three quarters of a minute at most.
    world
        .until_true("another round", || secrets_asked_for(&gate).1 >= reads + 3)
        .await;
    let rounds = changed.elapsed().as_secs() * u64::from(DIVISOR) / 45 + 2;
    let since = u64::try_from(secrets_asked_for(&gate).1 - reads).unwrap();
    assert!(since <= rounds * 3, "{since} reads in {rounds} rounds");
    // What the machine takes beside it is not divided.
    let most = Duration::from_mins(1) / DIVISOR + Duration::from_secs(1) + world.slack().await;
    assert!(took < most, "{took:?} of {most:?}");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_secret_lifts_the_wait_after_a_refused_change() {
    // At this pace a denied change is tried again after two and a half minutes, when the story is over.
    let gate = Gate::default();
    let world = start(true, 6, &gate).await;
    let denied = Answer::error(403, "APIGW.0302", "no permission to change the port");
    world
        .sim
        .inject(Fault::on(Operation::Change, Effect::respond(denied)).proxy(sample::PROXY));
    world.want(3307).await;
    let told = world
        .until_passing("denied", |object| reason(object) == "PermissionDenied")
        .await;
    assert!(message(&told).contains("APIGW.0302"), "{}", message(&told));
    assert_eq!(world.asked_for(), [3307]);
    world.sim.clear_faults();

    // Equal data lifts nothing.
    let keys = [
        ("accessKey", sample::ACCESS_KEY),
        ("secretKey", sample::SECRET_KEY),
    ];
    let lists = Filter::on(Operation::List).instance(sample::INSTANCE);
    let before = world.sim.count(&lists);
    let (_, reads) = secrets_asked_for(&gate);
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), &world.namespace);
    let touch = json!({"metadata": {"annotations": {"touched": "yes"}}});
    let merge = kube::api::Patch::Merge(&touch);
    secrets
        .patch("keys", &kube::api::PatchParams::default(), &merge)
        .await
        .unwrap();
    world
        .until_true("the touched one was read", || {
            secrets_asked_for(&gate).1 > reads
        })
        .await;
    world.secret("another", &keys).await;
    assert_eq!(world.sim.count(&lists), before);
    assert_eq!(world.asked_for(), [3307]);

    rotate(&world, "keys").await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307, 3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_foreign_secrets_cost_the_operator_next_to_nothing() {
    const MANY: usize = 3000;
    const EACH: usize = 40 * 1024;
    let world = World::without_operator(options(Mode::M2)).await;
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), &world.namespace);
    let data = ByteString(vec![b'x'; EACH]);
    let made = stream::iter(0..MANY).for_each_concurrent(16, async |number| {
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(format!("foreign-{number}")),
                ..ObjectMeta::default()
            },
            data: Some([("blob".to_owned(), data.clone())].into()),
            ..Secret::default()
        };
        secrets
            .create(&PostParams::default(), &secret)
            .await
            .unwrap();
    });
    made.await;
    world.want(3307).await;
    let served = async || {
        let program = Program::start(&world).await;
        world.until_neighbour_is_ready().await;
        world.until_ready(3307).await;
        program
    };
    let unwatched = served().await;
    assert!(
        unwatched.log().contains("may not be listed and watched"),
        "it says which it does"
    );
    let without = unwatched.peak_memory();
    drop(unwatched);
    allow_watching(&world).await;
    let watching = served().await;
    world
        .until_true("it watches", || {
            watching
                .log()
                .contains("the metadata of all Secrets was read")
        })
        .await;
    rotate(&world, "keys").await;
    world
        .until_true("a change is noticed", || !by_rotated(&world).is_empty())
        .await;
    let with = watching.peak_memory();
    let more = with.saturating_sub(without);
    println!("peak memory: {without} KiB without, {with} KiB with {MANY} foreign Secrets");
    assert!(more < 8 * 1024, "{more} KiB more than without");
    assert!(!watching.log().contains("foreign-"));
    drop(watching);
    world.finish().await;
}
